//! What one step finds and another uses.

use std::collections::BTreeMap;

use super::support::*;
use crate::change::Target;
use crate::engine::left_to_type;
use crate::error::Class;
use crate::event::Event;
use crate::journal::Entry;
use crate::plan::{self, Plan};
use crate::runbook::{On, Runbook};
use crate::script::Script;
use crate::world::ScriptOutput;
use crate::world::fake::Fake;

const AGENT: &str = "system:serviceaccount:telemetry:agent";
const PARK: &str = "{kind: park, with: {object: ds/telemetry/collector}}";
const REVOKE: &str = "{kind: revoke, with: {subject: '${steps.park.client}', bindings: [clusterrolebinding/agent]}}";

fn plan_text(steps: &[&str]) -> Plan {
    let steps: String = steps.iter().map(|step| format!("    - {step}\n")).collect();
    let text = format!(
        "apiVersion: breakglass/v1\nkind: Runbook\nmetadata: {{name: r, purpose: p}}\nspec:\n  steps:\n{steps}"
    );
    let runbook = Runbook::parse(&text, "r.yaml").unwrap();
    let resolved = runbook.resolve(&BTreeMap::new(), On::One("east")).unwrap();
    plan::build(resolved, vec![cluster("east")], crate::limits::Limits::CLUSTERS)
        .unwrap_or_else(|all| panic!("{all:?}"))
}

/// The collector runs as the account that a binding names.
fn scene() -> Fake {
    let fake = world(&["east"]);
    fake.objects("east", |objects| {
        objects.edit(DS_PARKED, |object| object["spec"]["template"]["spec"]["serviceAccountName"] = "agent".into());
    });
    fake
}

fn bench() -> Bench {
    Bench::new(scene(), plan_text(&[PARK, REVOKE]))
}

fn typed(bench: &Bench) -> Vec<String> {
    bench.asked.lock().unwrap().iter().filter_map(|question| question.typed.clone()).collect()
}

fn bound(bench: &Bench) -> bool {
    bench.fake.objects("east", |objects| objects.at(OWN).is_some())
}

#[test]
fn what_is_found_is_shown_typed_and_used() {
    paused(async {
        let bench = bench();
        let before = bench.fake.snapshot();
        let how = How::default();
        let report = bench.go(Verb::Run, &how).await.unwrap();
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(typed(&bench), [AGENT]);
        let question = bench.asked.lock().unwrap()[0].clone();
        assert!(question.text.contains(AGENT) && !question.unattended, "{question:?}");
        assert!(!bound(&bench), "the binding of what was found is gone");
        let heard = how.ears.heard.lock().unwrap().clone();
        let found = heard.iter().filter(|event| matches!(event, Event::Found { value, .. } if value == AGENT));
        assert_eq!(found.count(), 2, "each step tells its client, once");
        let lines = bench.lines();
        let at = |wanted: &dyn Fn(&Entry) -> bool| lines.iter().position(|line| wanted(&line.entry)).unwrap();
        let found = at(&|entry| matches!(entry, Entry::Found { .. }));
        let asked = at(&|entry| matches!(entry, Entry::Answered { step: 1, yes: true, .. }));
        let sent = at(&|entry| matches!(entry, Entry::Intended { step: 1, .. }));
        assert!(found < asked && asked < sent, "{found} {asked} {sent}");
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn a_value_is_typed_once_for_all_the_steps_that_use_it() {
    paused(async {
        let again = REVOKE.replace("{kind: revoke", "{name: once-more, kind: revoke");
        let bench = Bench::new(scene(), plan_text(&[PARK, REVOKE, &again]));
        assert_eq!(bench.run().await.class, None);
        assert_eq!(typed(&bench), [AGENT]);
        let text = bench.asked.lock().unwrap()[0].text.clone();
        assert!(text.contains("and \"once-more\" by the same"), "{text}");
        assert!(left_to_type(&bench.plan, &bench.journal().run).is_none());
    });
}

/// What a host's audit log tells of the collector, whose pods have such names.
fn loud(_: &Target, script: &Script) -> Option<ScriptOutput> {
    let row = format!(
        "row=:\t{AGENT}\tagent/1\tlist\tpods\t0\t0\t90\t0\t90000\t2026-11-28T07:00:00\t2026-11-28T07:00:09\t1\t1\t collector-7xk2p\t 10.0.0.9=90\t.\n"
    );
    let stdout = format!(
        "now=1795849210\nlog=/a\nlines=90\nevents=90\nskipped=0\nbeyond=0\ncut=no\nstages=0 0 90\n{row}whole=yes\nend=yes\n"
    );
    (script.name == "ranking.audit").then_some(ScriptOutput { status: 0, stdout, stderr: String::new() })
}

#[test]
fn an_offender_that_was_looked_for_is_parked_once_its_name_was_typed() {
    const WORKLOAD: &str = "daemonsets.apps/telemetry/collector";
    paused(async {
        let find = "{name: find, kind: find-offender, with: {sources: [audit]}}";
        let park = "{kind: park, with: {object: '${steps.find.offender}'}}";
        let bench = Bench::new(scene(), plan_text(&[find, park]));
        // Nobody tells who it is: nothing is parked, and nobody is asked.
        let report = bench.go(Verb::Run, &How::default()).await.unwrap();
        assert_eq!(report.class, Some(Class::Refused), "{}", report.why);
        assert!(report.why.contains("it needs the offender that step \"find\" was to find"), "{}", report.why);
        assert!(typed(&bench).is_empty());

        let bench = Bench::new(scene(), plan_text(&[find, park]));
        bench.fake.on_script(Box::new(loud));
        let before = bench.fake.snapshot();
        assert_eq!(bench.run().await.class, None);
        assert_eq!(typed(&bench), [WORKLOAD]);
        let parked =
            bench.fake.objects("east", |objects| objects.at(DS_PARKED).unwrap()["spec"]["template"]["spec"].clone());
        assert!(parked["nodeSelector"].get("breakglass.io/parked").is_some(), "{parked}");
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn a_no_or_nobody_to_ask_changes_nothing_by_what_was_found() {
    paused(async {
        for says in [Some(false), None] {
            let bench = bench();
            let report = bench.go(Verb::Run, &How { says, ..How::default() }).await.unwrap();
            assert_eq!(report.class, Some(Class::Declined), "{}", report.why);
            assert!(report.why.contains(AGENT), "{}", report.why);
            assert!(bound(&bench), "{says:?}");
            // Whoever goes on with the run is asked again.
            assert_eq!(bench.resume().await.class, None);
            assert!(!bound(&bench));
        }
    });
}

#[test]
fn a_resumed_run_asks_again_only_where_the_consent_is_not_in_the_journal() {
    paused(async {
        let ideal = bench();
        ideal.run().await;
        let (lines, after) = (ideal.lines().len(), ideal.fake.snapshot());
        for line in 1..lines {
            let bench = bench();
            assert!(bench.go(Verb::Run, &trap(Trap::After(line))).await.is_none(), "line {line}");
            let answered = bench.lines().iter().any(|line| matches!(line.entry, Entry::Answered { yes: true, .. }));
            let before = typed(&bench).len();
            let report = bench.resume().await;
            assert_eq!(report.class, None, "line {line}: {}", report.why);
            assert_eq!(typed(&bench).len() - before, usize::from(!answered), "line {line}");
            assert_eq!(bench.fake.snapshot(), after, "line {line}");
        }
    });
}

/// What nobody can be asked is refused before the first step, and only that.
#[test]
fn what_is_left_to_be_typed_is_known_before_a_run_goes_on() {
    paused(async {
        let ideal = bench();
        ideal.run().await;
        let left = |bench: &Bench| {
            left_to_type(&bench.plan, &bench.journal().run).map(|(step, hole)| (step.name.clone(), hole.result.clone()))
        };
        let mut due = 0;
        for line in 1..=ideal.lines().len() {
            let bench = bench();
            bench.go(Verb::Run, &trap(Trap::After(line))).await;
            let answered = bench.lines().iter().any(|line| matches!(line.entry, Entry::Answered { yes: true, .. }));
            let expected = (!answered).then(|| ("revoke".to_owned(), "client".to_owned()));
            assert_eq!(left(&bench), expected, "line {line}");
            due += usize::from(!answered);
        }
        assert!(due > 3, "{due}");
        let refused = bench();
        refused.go(Verb::Run, &How { says: Some(false), ..How::default() }).await;
        assert!(left(&refused).is_some(), "a no is no yes");
        assert_eq!(ideal.undo().await.class, None);
        assert!(left(&ideal).is_some(), "what was taken back is asked about anew");
    });
}

/// What is taken back is done anew, and so it is asked about anew: the consent went with what it was given for.
#[test]
fn a_run_that_was_taken_back_asks_again_when_it_goes_on() {
    paused(async {
        let bench = bench();
        assert_eq!(bench.run().await.class, None);
        let after = bench.fake.snapshot();
        assert_eq!(bench.undo().await.class, None);
        assert!(bound(&bench));
        assert_eq!(
            bench.go(Verb::Resume, &How { says: Some(false), ..How::default() }).await.unwrap().class,
            Some(Class::Declined)
        );
        assert!(bound(&bench));
        assert_eq!(bench.resume().await.class, None);
        assert_eq!(
            (typed(&bench).as_slice(), bench.fake.snapshot() == after),
            (&[AGENT.to_owned(), AGENT.to_owned(), AGENT.to_owned()][..], true)
        );
    });
}

#[test]
fn where_nothing_was_found_the_step_is_not_run() {
    paused(async {
        let bench = bench();
        bench.fake.objects("east", |objects| objects.remove(DS_PARKED));
        let report = bench.run().await;
        assert!(report.class.is_some() && report.why.contains("that found none"), "{}", report.why);
        assert!(typed(&bench).is_empty() && bound(&bench));
    });
}

#[test]
fn a_drill_finds_it_and_asks_nobody() {
    paused(async {
        let bench = bench();
        let before = bench.fake.snapshot();
        let report = bench.go(Verb::Run, &How { drill: true, ..How::default() }).await.unwrap();
        assert_eq!(report.class, None, "{}", report.why);
        assert!(typed(&bench).is_empty());
        assert_eq!(bench.fake.snapshot(), before);
        let revoked = bench.lines().iter().any(|line| matches!(line.entry, Entry::Intended { step: 1, .. }));
        assert!(revoked, "what would be revoked is told");
    });
}

#[test]
fn a_plan_with_holes_is_another_than_one_with_the_values() {
    let given = plan_text(&[PARK, "{kind: revoke, with: {subject: user/jane, bindings: [clusterrolebinding/agent]}}"]);
    let open = plan_text(&[PARK, REVOKE]);
    assert_ne!(given.digest, open.digest);
    assert_eq!((given.write_what_is_found().count(), open.write_what_is_found().count()), (0, 1));
    let looks = plan_text(&[PARK, "{kind: wait-for, with: {clientRate: {user: '${steps.park.client}', atMost: 1}}}"]);
    assert_eq!(looks.write_what_is_found().count(), 0, "what only looks is not asked about");
}

const ADMINISTRATORS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin";
const WHY: &str = "{name: why, kind: diagnose}";
const WHEN_WELL: &str =
    "{name: well, kind: park, when: '${steps.why.answers}', with: {object: ds/telemetry/collector}}";
const WHEN_FORBIDDEN: &str =
    "{name: ill, kind: delete, when: '${steps.why.lacksRights}', confirm: true, with: {object: ds/telemetry/agent}}";

/// A step for what is so and one for what is not, by what the API says to whoever reads what administrators may.
fn decides(code: u16) -> Bench {
    let fake = world(&["east"]);
    fake.answer(ADMINISTRATORS, code, "{}", std::time::Duration::from_millis(3));
    Bench::new(fake, plan_text(&[WHY, WHEN_FORBIDDEN, WHEN_WELL]))
}

fn sent_by(bench: &Bench, step: usize) -> bool {
    bench.lines().iter().any(|line| matches!(line.entry, Entry::Intended { step: at, .. } if at == step))
}

#[test]
fn a_step_is_run_for_a_yes_and_left_out_unasked_for_a_no() {
    paused(async {
        for (code, forbidden) in [(200, false), (403, true)] {
            let bench = decides(code);
            let before = bench.fake.snapshot();
            let report = bench.run().await;
            assert_eq!(report.class, None, "{}", report.why);
            assert_eq!((sent_by(&bench, 1), sent_by(&bench, 2)), (forbidden, true), "{code}");
            assert_eq!(bench.asked.lock().unwrap().len(), usize::from(forbidden), "{code}");
            let why = bench.lines().into_iter().find_map(|line| match line.entry {
                Entry::StepEnded { step: 1, why, .. } => Some(why),
                _ => None,
            });
            assert_eq!(why.unwrap().contains("left out: lacksRights is no"), !forbidden);
            // What is taken back is found anew, when it goes on.
            assert_eq!(bench.undo().await.class, None);
            assert_eq!(bench.fake.snapshot(), before);
            assert_eq!(bench.resume().await.class, None);
            assert_ne!(bench.fake.snapshot(), before);
        }
    });
}

#[test]
fn what_decided_over_a_step_decides_again_after_a_kill_anywhere() {
    paused(async {
        for code in [200, 403] {
            let ideal = decides(code);
            ideal.run().await;
            let (lines, after) = (ideal.lines().len(), ideal.fake.snapshot());
            for line in 1..lines {
                let bench = decides(code);
                assert!(bench.go(Verb::Run, &trap(Trap::After(line))).await.is_none(), "line {line}");
                let looked = bench.journal().run.found.len() == 4;
                // What was found decides, whatever would be found now: all four, or none.
                if looked && bench.lines().iter().any(|line| matches!(line.entry, Entry::StepEnded { step: 0, .. })) {
                    bench.fake.answer(ADMINISTRATORS, 603 - code, "{}", std::time::Duration::from_millis(3));
                }
                let report = bench.resume().await;
                assert_eq!(report.class, None, "{code}, line {line}: {}", report.why);
                assert_eq!(bench.fake.snapshot(), after, "{code}, line {line}");
            }
        }
    });
}

#[test]
fn for_what_a_step_is_run_is_part_of_what_is_consented_to() {
    let with = |when: &str| {
        plan_text(&[WHY, &format!("{{kind: park, {when}with: {{object: ds/telemetry/collector}}}}")]).digest
    };
    let digests = [with(""), with("when: '${steps.why.answers}', "), with("when: '${steps.why.silent}', ")];
    assert!(digests[0] != digests[1] && digests[1] != digests[2], "{digests:?}");
    assert_eq!(with("when: true, "), digests[0]);
}

#[test]
fn a_drill_tells_which_steps_it_would_run() {
    paused(async {
        let bench = decides(403);
        let before = bench.fake.snapshot();
        let report = bench.go(Verb::Run, &How { drill: true, ..How::default() }).await.unwrap();
        assert_eq!(report.class, None, "{}", report.why);
        assert!(sent_by(&bench, 1) && bench.fake.snapshot() == before);
        let well = decides(200);
        well.go(Verb::Run, &How { drill: true, ..How::default() }).await.unwrap();
        assert!(!sent_by(&well, 1) && sent_by(&well, 2));
    });
}
