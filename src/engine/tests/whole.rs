//! Runs that nothing disturbs.

use super::support::*;
use crate::change::Target;
use crate::error::Class;

#[test]
fn what_is_done_is_not_done_again() {
    paused(async {
        let bench = Bench::everything();
        bench.run().await;
        bench.fake.take_sent();
        let report = bench.resume().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(bench.fake.take_sent(), [], "a finished run has nothing left to look at");

        // A new run looks, and finds everything as it wants it; only what cannot be looked at is sent again.
        let again = Bench::new(bench.fake, plan(&["east"], &everything(), &policy()));
        let how = How::default();
        again.go(Verb::Run, &how).await.unwrap();
        let sent: Vec<String> = sent(&how.ears).into_iter().map(|(_, what)| what).collect();
        assert_eq!(sent, ["PUT https://pager.test/1", "set here yes"]);
    });
}

#[test]
fn undo_takes_everything_back_and_twice_is_once() {
    paused(async {
        let bench = Bench::new(world(&["east", "west"]), plan(&["east", "west"], &everything(), &policy()));
        let before = bench.fake.snapshot();
        bench.run().await;
        assert_ne!(bench.fake.snapshot(), before);
        let report = bench.undo().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(bench.fake.snapshot(), before);
        assert!(report.why.contains(" changes taken back, "), "{}", report.why);
        assert!(report.why.ends_with("; nothing of this run stands"), "{}", report.why);
        bench.fake.take_sent();
        let again = bench.undo().await;
        assert_eq!(again.class, None);
        assert_eq!(bench.fake.take_sent(), []);
        // What was taken back once is not counted again.
        assert!(
            again.why.starts_with("nothing of this run stands: ") && again.why.contains("taken back before"),
            "{}",
            again.why
        );
    });
}

#[test]
fn what_was_taken_back_can_be_resumed_from_the_start() {
    paused(async {
        let Ideal { after, .. } = ideal().await;
        let bench = Bench::everything();
        bench.run().await;
        bench.undo().await;
        let report = bench.resume().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(bench.fake.snapshot(), after);
    });
}

/// The API's revision moves with what is written there, and so not in a drill.
fn but_for_revisions(mut sent: Vec<(Target, String)>) -> Vec<(Target, String)> {
    for (_, what) in &mut sent {
        if let Some((before, after)) = what.clone().split_once("&resourceVersion=") {
            *what = format!("{before}{}", after.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
    }
    sent
}

#[test]
fn a_drill_sends_the_same_and_changes_nothing() {
    paused(async {
        let (real, pretended) = (Bench::everything(), Bench::everything());
        let (loud, quiet) = (How::default(), How { drill: true, ..How::default() });
        real.go(Verb::Run, &loud).await.unwrap();
        let before = pretended.fake.snapshot();
        let report = pretended.go(Verb::Run, &quiet).await.unwrap();
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(but_for_revisions(sent(&loud.ears)), but_for_revisions(sent(&quiet.ears)));
        assert_eq!((pretended.fake.snapshot(), pretended.fake.ops()), (before, 0));

        // Its journal is no licence to write.
        assert_eq!(pretended.undo().await.class, None);
        assert_eq!(pretended.resume().await.class, Some(Class::Bug));
        assert_eq!(pretended.fake.ops(), 0);
    });
}

#[test]
fn a_no_ends_the_run_and_is_asked_again_by_resume() {
    paused(async {
        let Ideal { after, .. } = ideal().await;
        for says in [Some(false), None] {
            let bench = Bench::everything();
            let report = bench.go(Verb::Run, &How { says, ..How::default() }).await.unwrap();
            assert_eq!(report.class, Some(Class::Declined), "{}", report.why);
            assert_ne!(bench.fake.snapshot(), after);
            assert_eq!(bench.resume().await.class, None);
            assert_eq!(bench.fake.snapshot(), after);
        }
    });
}

#[test]
fn what_each_step_and_the_run_cost_is_kept() {
    paused(async {
        let specs = [
            ("look", "probe", serde_json::json!({})),
            ("kill", "delete", serde_json::json!({"object": "ds/telemetry/agent"})),
        ];
        let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &policy()));
        bench.run().await;
        let lines: Vec<serde_json::Value> =
            bench.lines().iter().map(|line| serde_json::to_value(&line.entry).unwrap()).collect();
        let costs = |of: &str| {
            lines.iter().filter_map(|entry| entry.get(of)).map(|entry| entry["costs"].clone()).collect::<Vec<_>>()
        };
        let requests = |costs: &serde_json::Value, at: &str| costs[at]["requests"].as_u64();
        let [look, kill] = &costs("step-ended")[..] else { panic!("{lines:#?}") };
        assert_eq!(
            (requests(look, "east/api/api1"), requests(look, "east/api/api2"), requests(look, "east")),
            (Some(2), Some(2), None)
        );
        assert_eq!((requests(kill, "east/api/api1"), requests(kill, "east")), (None, Some(1)));
        assert_eq!(requests(&costs("ended")[0], "east/api/api1"), Some(2));
        assert_eq!(requests(&costs("ended")[0], "east"), Some(1));
    });
}
