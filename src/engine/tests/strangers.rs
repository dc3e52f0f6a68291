//! The host of a run is another machine when it is taken up again or taken back.

use serde_json::json;

use super::support::*;
use crate::change::{Op, Target};
use crate::error::Class;
use crate::world::fake::{Fault, Sent};

const THEN: &str = "ssh-ed25519 SHA256:then";
const NOW: &str = "ssh-ed25519 SHA256:now";

/// Something on each host, and something in the API.
fn bench() -> Bench {
    let specs: [Spec; 2] = [
        ("mark", "exec", json!({"run": "set gate closed", "undo": {"run": "unset gate"}})),
        ("scale", "park", json!({"object": "deploy/telemetry/gateway"})),
    ];
    let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &policy()));
    (1..=3).for_each(|n| bench.fake.shows_key(&host(n), THEN));
    bench
}

fn host(n: usize) -> Target {
    Target::host("east", format!("cp{n}"))
}

/// What was written since the last time, and where.
fn written(bench: &Bench) -> Vec<Target> {
    let op = |sent| match sent {
        Sent::Op(at, Op::Host(_) | Op::File(_) | Op::Kube(_)) => Some(at),
        _ => None,
    };
    bench.fake.take_sent().into_iter().filter_map(op).collect()
}

#[test]
fn a_host_that_is_another_machine_is_not_written_to_by_undo() {
    paused(async {
        let bench = bench();
        let before = bench.fake.snapshot();
        assert_eq!(bench.run().await.class, None);
        let keys: Vec<_> = bench.journal().run.changes.into_values().map(|change| change.host_key).collect();
        assert_eq!(keys, [Some(THEN.to_owned()), Some(THEN.into()), Some(THEN.into()), None]);
        bench.fake.take_sent();

        bench.fake.shows_key(&host(2), NOW);
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
        assert!(report.why.contains("cp2 is another machine") && report.why.contains(THEN), "{}", report.why);
        assert!(report.why.contains(NOW) && report.why.contains("--kit FOLDER"), "{}", report.why);
        assert_eq!(written(&bench), [Target::cluster("east"), host(3), host(1)]);
        // It was only away for a moment.
        bench.fake.shows_key(&host(2), THEN);
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn where_no_host_is_the_machine_of_then_the_api_is_left_alone_too() {
    paused(async {
        let bench = bench();
        bench.run().await;
        bench.fake.take_sent();
        (1..=3).for_each(|n| bench.fake.shows_key(&host(n), NOW));
        let report = bench.undo().await;
        assert_eq!((report.class, report.tally.stuck), (Some(Class::Stuck), 4), "{}", report.why);
        assert!(report.why.contains("another cluster's API"), "{}", report.why);
        assert_eq!(written(&bench), []);
    });
}

/// A key of another type tells nothing, and a host that showed none then is known by its address alone.
#[test]
fn what_cannot_be_told_is_said_and_does_not_stop_undo() {
    paused(async {
        let bench = bench();
        let before = bench.fake.snapshot();
        bench.run().await;
        (1..=3).for_each(|n| bench.fake.shows_key(&host(n), "ssh-rsa SHA256:other"));
        let ears = Ears::default();
        let how = How { ears, ..How::default() };
        assert_eq!(bench.go(Verb::Undo, &how).await.unwrap().class, None);
        assert_eq!(bench.fake.snapshot(), before);
        let heard = format!("{:?}", how.ears.heard.lock().unwrap());
        assert_eq!(heard.matches("not known whether it is the machine of then").count(), 3, "{heard}");
    });
}

/// Nobody knows whose host it is while it does not answer: nothing is sent, and the others go on.
#[test]
fn a_host_that_shows_no_key_at_all_is_not_written_to() {
    paused(async {
        let bench = bench();
        bench.run().await;
        bench.fake.take_sent();
        bench.fake.dies_after(host(2), 0);
        let report = bench.undo().await;
        assert_eq!(report.class, Some(Class::Stuck), "{}", report.why);
        assert!(!written(&bench).contains(&host(2)));
    });
}

#[test]
fn a_host_that_is_another_machine_is_not_written_to_by_resume() {
    paused(async {
        let specs: [Spec; 2] = [
            ("one", "exec", json!({"run": "set gate closed", "unless": "has gate", "noUndo": "a test"})),
            ("two", "exec", json!({"run": "set more yes", "unless": "has more", "noUndo": "a test"})),
        ];
        let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &policy()));
        (1..=3).for_each(|n| bench.fake.shows_key(&host(n), THEN));
        bench.fake.fault(4, Fault::Refuse);
        assert_eq!(bench.run().await.class, Some(Class::Partial));
        bench.fake.take_sent();
        bench.fake.shows_key(&host(1), NOW);
        let report = bench.resume().await;
        assert_eq!(report.class, Some(Class::Partial), "{}", report.why);
        assert!(report.why.contains("cp1 is another machine"), "{}", report.why);
        assert!(!written(&bench).contains(&host(1)));
        bench.fake.shows_key(&host(1), THEN);
        assert_eq!(bench.resume().await.class, None);
    });
}
