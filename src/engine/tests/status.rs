//! What a run leaves is named by whoever looks, with an empty laptop: for every kind of step, by the marks alone.

use std::path::Path;

use super::samples::bench;
use super::support::*;
use crate::journal::Store;
use crate::status::hosts::On;
use crate::status::{Back, Found, Kind, Seen, Stands, hosts, journals, merge, objects};
use crate::steps::Known;
use crate::world::Reads as _;

/// Changes that leave no mark where they are made, and why.
const UNMARKED: &[(Known, &str)] = &[
    (Known::Http, "a hook is somebody else's server"),
    (Known::Exec, "a command is its author's"),
    (Known::Delete, "what is gone carries no mark"),
    (Known::RevokeTokens, "an account that is gone carries no mark"),
    (Known::RemoveFinalizers, "what is to go needs none"),
    (Known::WaitFor, "its example deletes first"),
    (Known::Revoke, "a binding of the subject alone is deleted"),
    (Known::Disarm, "an aggregated API is deleted"),
    (Known::Release, "what it takes away in the end is the mark"),
    (Known::ThawAutomation, "what it takes away is the mark"),
];

/// What ends what the same run has begun: only its journal has it still.
const ENDS: &[Known] = &[Known::GateOpen, Known::RecoveryStop, Known::Release];

/// What the marks say, on each host and in the API.
async fn marks(bench: &Bench) -> Found {
    let mut found = objects::look(&bench.fake, "east").await;
    let cluster = bench.fake.cluster("east").unwrap();
    for host in &cluster.hosts {
        let target = crate::change::Target::host("east", &host.name);
        let now = "2025-01-01T01:00:00Z".parse().unwrap();
        found.add(hosts::look(On { reads: &bench.fake, target: &target, host, now }).await);
    }
    assert_eq!(found.not_known, []);
    found
}

/// The same with the journal that is here.
async fn both(bench: &Bench) -> Vec<Stands> {
    let found = marks(bench).await;
    let store = Store::at(bench.folder().path.parent().map(Path::to_owned).unwrap());
    let here = journals::read(&store, &[], "2025-01-01T01:00:00Z".parse().unwrap()).unwrap();
    assert_eq!(here.not_known, []);
    merge(found.stands, here.stands, &found.looked)
}

#[test]
fn what_any_kind_of_step_leaves_is_named_by_its_marks_and_nothing_is_once_it_is_undone() {
    for kind in Known::ALL {
        paused(async {
            let (bench, name) = (bench(*kind), kind.kind().name());
            // What another run has left there before is told as well.
            let before = marks(&bench).await.stands;
            assert!(before.iter().all(|one| one.run != RUN), "{name}: {before:?}");
            let report = bench.run().await;
            assert_eq!(report.class, None, "{name}: {}", report.why);
            let all: Vec<_> = both(&bench).await.into_iter().filter(|one| one.run == RUN).collect();
            let stands = bench.journal().run.standing().any(|record| !record.needs_no_undo());
            assert_eq!(stands, !all.is_empty(), "{name}: {all:#?}");
            for one in &all {
                // Its way back is known here, and whoever has no journal finds it all the same.
                assert_eq!(one.back, Back::Undo, "{name}: {one:?}");
                let unmarked = UNMARKED.iter().any(|(known, _)| known == kind);
                let told = match one.seen {
                    Seen::Both => true,
                    Seen::Journal => unmarked && one.kind == Kind::Unmarked,
                    Seen::Gone => ENDS.contains(kind),
                    Seen::Mark => false,
                };
                assert!(told, "{name}: {one:?}");
            }
            let elsewhere = marks(&bench).await.stands;
            assert!(elsewhere.iter().all(|one| one.back != Back::Undo), "{name}: {elsewhere:?}");

            assert_eq!(bench.undo().await.class, None, "{name}");
            assert_eq!((both(&bench).await, marks(&bench).await.stands), (before.clone(), before), "{name}");
        });
    }
}

#[test]
fn who_did_it_stands_in_the_mark_and_what_has_to_come_back_too() {
    paused(async {
        let bench = bench(Known::Park);
        bench.run().await;
        let found = marks(&bench).await;
        let of = |place: &str| found.stands.iter().find(|one| one.place.name() == place).unwrap();
        let gateway = of("deployments/telemetry/gateway");
        assert_eq!((gateway.operator.as_deref(), gateway.what.as_str()), (Some("eve"), "parked: at 0 of 3 replicas"));
        let Back::Typed(command) = &gateway.back else { panic!("{gateway:?}") };
        assert!(command.starts_with("kubectl patch deployments gateway -n telemetry --type=json -p '[{"), "{command}");
        assert!(command.contains(r#"{"op":"replace","path":"/spec/replicas","value":3}"#), "{command}");
        assert_eq!(of("daemonsets/telemetry/collector").what, "parked: to no node");
        assert_eq!(of("cronjobs/telemetry/sweep").what, "parked: suspended");
    });
}
