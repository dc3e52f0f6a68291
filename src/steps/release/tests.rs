//! What is refused before anything is sent, which nodes come first, and what follows from a look.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::judging::{Act, Pace, Pods, Stage, Watch};
use super::nodes::{Nodes, counts, rest};
use super::{Kind as _, Release};
use crate::steps::pods::Page;

const PACE: Pace = Pace { window: Duration::from_secs(30), pods_within: Duration::from_mins(5) };

fn faults(with: Value) -> Vec<String> {
    Release.build(with).err().into_iter().flatten().map(|fault| fault.to_string()).collect()
}

#[test]
fn what_cannot_be_stages_is_refused_with_the_parameter() {
    let ds = |key: &str, value: Value| {
        let mut with = json!({"object": "ds/telemetry/agent"});
        with[key] = value;
        with
    };
    assert!(faults(ds("window", json!("30s"))).is_empty());
    for (key, value, why) in [
        ("stages", json!([]), "at least one"),
        ("stages", json!([5, 5]), "each larger"),
        ("stages", json!([25, 5]), "each larger"),
        ("stages", json!([0, 5]), "from 1 to 100"),
        ("stages", json!([50, 101]), "from 1 to 100"),
        ("replicas", json!(3), "a DaemonSet has none"),
        ("window", json!("0s"), "1s or longer"),
        ("podsWithin", json!("500ms"), "1s or longer"),
        ("p99", json!("0s"), "longer than 0s"),
        ("memoryPercent", json!(0), "1 to 100"),
        ("deadline", json!("0s"), "at least 1s"),
    ] {
        let all = faults(ds(key, value.clone()));
        assert!(matches!(all.as_slice(), [one] if one.contains(why) && one.contains(key)), "{key}: {value}: {all:?}");
    }
    for (with, why) in [
        (json!({"object": "deploy/telemetry/gateway"}), "breakglass show last"),
        (json!({"object": "deploy/telemetry/gateway", "replicas": 0}), "at least 1"),
        (json!({"object": "cj/telemetry/sweep"}), "does not come in stages"),
        (json!({"object": "pod/telemetry/one"}), "does not come in stages"),
        (json!({"object": "ds/telemetry/*"}), "exact name"),
    ] {
        let all = faults(with.clone());
        assert!(matches!(all.as_slice(), [one] if one.contains(why)), "{with}: {all:?}");
    }
}

#[test]
fn each_stage_has_one_node_at_least_and_brings_something_new() {
    assert_eq!(counts(&[1, 5, 25, 50], 5000), [50, 250, 1250, 2500]);
    assert_eq!(counts(&[1, 5, 25, 50], 25), [1, 2, 7, 13]);
    assert_eq!(counts(&[1, 5, 25, 50], 3), [1, 2]);
    assert_eq!(counts(&[1, 100], 1), [1]);
}

fn page(nodes: &[(&str, Value)]) -> Page {
    let node = |(name, labels): &(&str, Value)| json!({"metadata": {"name": name, "uid": format!("uid-{name}"), "labels": labels}});
    Page { items: nodes.iter().map(node).collect(), again: String::new(), revision: None }
}

#[test]
fn pools_are_mixed_control_planes_come_last_and_other_releases_keep_their_nodes() {
    let mut all: Vec<(String, Value)> = (0..40).map(|n| (format!("pool-{}-{n}", n / 20), json!({}))).collect();
    all.push(("cp".into(), json!({"node-role.kubernetes.io/control-plane": ""})));
    all.push(("theirs".into(), json!({"breakglass.io/parked": "other.1"})));
    all.push(("ours".into(), json!({"breakglass.io/parked": "run.1", "node-role.kubernetes.io/control-plane": ""})));
    let all: Vec<(&str, Value)> = all.iter().map(|(name, labels)| (name.as_str(), labels.clone())).collect();
    let nodes = Nodes::read(&[page(&all[..30]), page(&all[30..])], "run.1", 0);
    assert_eq!(nodes.all.len(), 42, "not the one of another release");
    assert_eq!((nodes.all[0].name.as_str(), nodes.all[41].name.as_str()), ("ours", "cp"));
    let (have, next) = nodes.towards(11, &BTreeSet::new());
    assert_eq!((have, next.len()), (1, 10));
    let of_first_pool = next.iter().filter(|node| node.name.starts_with("pool-0")).count();
    assert!((2..=8).contains(&of_first_pool), "{of_first_pool} of 10 are of one pool");
    let made: BTreeSet<String> = next.iter().map(|node| node.name.clone()).collect();
    assert_eq!((nodes.towards(11, &made).0, nodes.towards(11, &made).1.len()), (11, 0));
}

#[test]
fn the_rest_of_a_selector_is_what_nodes_are_asked_for() {
    let selector = json!({"disk": "ssd", "kubernetes.io/os": "linux", "breakglass.io/parked": "x"});
    assert_eq!(rest(selector.as_object().unwrap()), "disk=ssd,kubernetes.io/os=linux");
    assert_eq!(rest(json!({"breakglass.io/parked": "x"}).as_object().unwrap()), "");
}

fn stage(number: usize) -> Stage {
    Stage { number, of: 3, what: "10 of 40 nodes".into(), pods: Some(10) }
}

fn pods(wanted: u64, ready: u64) -> Pods {
    Pods { wanted, ready, current: true }
}

/// Looks, each with how many seconds after the one before; what the last one came to.
async fn looks(all: &[(u64, Pods, Option<&str>, bool)]) -> Act {
    let watch = Watch::default();
    let mut last = None;
    for (after, pods, bad, lost) in all {
        tokio::time::sleep(Duration::from_secs(*after)).await;
        last = Some(watch.judge(&stage(1), *pods, (*bad, *lost), &PACE));
    }
    last.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_stage_goes_on_only_after_a_whole_window_without_a_flaw() {
    let (well, slow) = ((pods(10, 10), None, false), (pods(10, 10), Some("slow"), false));
    let at = |after: u64, (pods, bad, lost): (Pods, Option<&'static str>, bool)| (after, pods, bad, lost);
    assert!(matches!(looks(&[at(0, well), at(29, well)]).await, Act::Wait(what) if what.contains("29 so far")));
    assert_eq!(looks(&[at(0, well), at(30, well)]).await, Act::Next);
    // One bad look is an accident, and the window begins anew.
    assert!(matches!(looks(&[at(0, well), at(20, slow), at(5, well), at(10, well)]).await, Act::Wait(_)));
    assert_eq!(looks(&[at(0, well), at(20, slow), at(5, well), at(30, well)]).await, Act::Next);
    // Two are none, nor is silence.
    let back = looks(&[at(0, well), at(5, slow), at(5, slow)]).await;
    assert_eq!(back, Act::Back("stage 1 of 3 (10 of 40 nodes) went badly: slow".into()));
    assert!(matches!(looks(&[at(0, well), at(5, (pods(10, 10), Some("silent"), true))]).await, Act::Back(_)));
}

#[tokio::test(start_paused = true)]
async fn a_stage_is_judged_by_its_own_pods() {
    let at = |after: u64, pods: Pods| (after, pods, None, false);
    // The controller has not heard of the stage yet: what is ready is of the one before.
    assert!(
        matches!(looks(&[at(0, pods(2, 2)), at(29, pods(2, 2))]).await, Act::Wait(what) if what.contains("the stage has 10"))
    );
    // Taints keep it from some of the nodes, and a node that is away holds up nobody.
    assert_eq!(looks(&[at(0, pods(8, 8)), at(30, pods(8, 8)), at(30, pods(8, 8))]).await, Act::Next);
    assert_eq!(looks(&[at(0, pods(10, 9)), at(30, pods(10, 9))]).await, Act::Next);
    let back = looks(&[at(0, pods(10, 8)), at(299, pods(10, 8)), at(1, pods(10, 8))]).await;
    let Act::Back(why) = back else { panic!("{back:?}") };
    assert!(why.ends_with("8 of 10 pods ready (the stage has 10) after 300 s"), "{why}");
    // Nobody wants any pod: that is no stage that went well.
    assert!(matches!(looks(&[at(0, pods(0, 0)), at(200, pods(0, 0))]).await, Act::Wait(_)));
    let unseen = Pods { current: false, ..pods(10, 10) };
    let Act::Back(why) = looks(&[at(0, unseen), at(300, unseen)]).await else { panic!() };
    assert!(why.contains("its controller has not seen the last change"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn each_stage_has_its_own_window() {
    let watch = Watch::default();
    assert!(matches!(watch.judge(&stage(1), pods(10, 10), (None, false), &PACE), Act::Wait(_)));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(watch.judge(&stage(1), pods(10, 10), (None, false), &PACE), Act::Next);
    assert!(matches!(watch.judge(&stage(2), pods(10, 10), (None, false), &PACE), Act::Wait(_)));
}
