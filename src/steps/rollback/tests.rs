//! Which revision is meant, by what a workload and its revisions say.

use serde_json::{Value, json};

use super::revisions::{Choice, Now, Revision};
use crate::steps::{ObjectRef, StepError};

/// A revision with this number, whose template is that of another number, made at that minute.
fn kept(number: i64, template: i64) -> Revision {
    let item = json!({"metadata": {"creationTimestamp": format!("2025-01-01T00:{template:02}:00Z")}, "revision": number,
        "data": {"spec": {"template": patch(template)}}});
    Revision::read(&item).unwrap()
}

fn patch(number: i64) -> Value {
    json!({"$patch": "replace", "metadata": {"creationTimestamp": null, "labels": {"a": "b"}},
        "spec": {"containers": [{"image": format!("x:{number}")}]}})
}

/// A DaemonSet that has the template of this number, which its controller has seen or not.
fn seen(template: i64, numbered: bool) -> Value {
    json!({"metadata": {"generation": 2}, "status": {"observedGeneration": if numbered { 2 } else { 1 }},
        "spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"image": format!("x:{template}")}]}}}})
}

/// The revisions it goes from and to, or what is said instead.
fn chosen(seen: &Value, revisions: &[Revision], number: Option<i64>) -> Result<(Option<i64>, i64), String> {
    let object = &ObjectRef::parse("ds/telemetry/agent", None).unwrap();
    let date = "2025-01-01T02:03:00Z".parse().ok();
    match (Now { object, seen, date }).choose(revisions, number) {
        Ok(Choice::Goes { from, to, .. }) => Ok((from, to.number)),
        Ok(Choice::Already(said)) => Err(said),
        Err(StepError::Refused { why, hint }) => Err(format!("{why}; hint: {}", hint.unwrap_or_default())),
        Err(other) => Err(other.to_string()),
    }
}

#[track_caller]
fn says(said: Result<(Option<i64>, i64), String>, words: &[&str]) {
    let said = said.unwrap_err();
    for word in words {
        assert!(said.contains(word), "{word:?}: {said}");
    }
}

#[test]
fn the_one_before_is_the_one_before_what_it_has_and_not_before_the_newest_number() {
    let all = [kept(1, 1), kept(2, 2), kept(3, 3)];
    assert_eq!(chosen(&seen(3, true), &all, None), Ok((Some(3), 2)));
    assert_eq!(chosen(&seen(3, false), &all, None), Ok((Some(3), 2)), "only its size was changed");
    // Its controller has not made a revision of what it has yet: kubectl would go back by two.
    assert_eq!(chosen(&seen(4, false), &all, None), Ok((None, 3)));
    // One that writes another form of the same has seen it all the same.
    assert_eq!(chosen(&seen(4, true), &all, None), Ok((Some(3), 2)));
    assert_eq!(chosen(&seen(3, true), &all, Some(1)), Ok((Some(3), 1)));
    assert_eq!(chosen(&seen(4, false), &all, Some(3)), Ok((None, 3)));
}

#[test]
fn what_was_rolled_back_already_is_not_rolled_forward_again_by_the_same_words() {
    // Its controller has heard: the second has a new number, and is no newer by that.
    let words = ["was rolled back already", "4 (x:2, made 2h ago)", "3 (x:3, made 2h ago)", "--to-revision 3"];
    says(chosen(&seen(2, true), &[kept(1, 1), kept(3, 3), kept(4, 2)], None), &words);
    assert_eq!(chosen(&seen(2, true), &[kept(1, 1), kept(3, 3), kept(4, 2)], Some(3)), Ok((Some(4), 3)));
    // It has not heard yet.
    let all = [kept(1, 1), kept(2, 2), kept(3, 3)];
    says(chosen(&seen(2, false), &all, None), &["has the template of revision 2 already", "has not heard of it yet"]);
    // Between two looks.
    says(chosen(&seen(2, true), &all, None), &["was changed between two looks"]);
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    says(chosen(&seen(1, true), &[], None), &["no revision before", "keeps none"]);
    says(chosen(&seen(1, true), &[kept(1, 1)], None), &["no revision before", "there are 1 (x:1, made 2h ago)"]);
    says(chosen(&seen(1, true), &[kept(1, 1)], Some(5)), &["has no revision 5; there are 1"]);
    let many: Vec<Revision> = (1..=12).map(|number| kept(number, number)).collect();
    says(chosen(&seen(12, true), &many, Some(50)), &["12 (x:12", "3 (x:3", "; and older ones"]);
}

#[test]
fn what_is_no_whole_template_is_no_revision() {
    let mut data = patch(1);
    data.as_object_mut().unwrap().remove("$patch");
    for item in [
        json!({"revision": 1, "data": {"spec": {"template": data}}}),
        json!({"revision": 1, "data": {"spec": {}}}),
        json!({"revision": 1, "data": null}),
        json!({"revision": "1", "data": {"spec": {"template": patch(1)}}}),
        json!({"spec": {"template": {"metadata": {"labels": {}}}}}),
        json!({"metadata": {"annotations": {"deployment.kubernetes.io/revision": "one"}},
            "spec": {"template": {"metadata": {"labels": {}}}}}),
        json!([]),
    ] {
        assert_eq!(Revision::read(&item), None, "{item}");
    }
}

/// What strangers have written into it is told in short.
#[test]
fn images_are_told_in_short() {
    let images = |all: &[String]| {
        let containers: Vec<Value> = all.iter().map(|image| json!({"image": image})).collect();
        super::images(&json!({"spec": {"containers": containers}}))
    };
    assert_eq!(images(&[]), "no image");
    assert_eq!(images(&["a:1".into(), "b:2".into()]), "a:1, b:2");
    let many: Vec<String> = (1..=5).map(|number| format!("a:{number}")).collect();
    assert_eq!(images(&many), "a:1, a:2, a:3, and 2 more");
    assert_eq!(images(&["x".repeat(500)]).chars().count(), 91);
}
