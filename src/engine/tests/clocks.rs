//! A DELETE by name only whose reply is lost: what is there afterwards may be the same object, or one made anew. Only the
//! server's own clock can tell; the operator's may go wrong by hours.

use serde_json::{Value, json};

use super::support::*;
use crate::error::Class;
use crate::world::fake::Fault;

/// Where the operator's clock says 2025-01-01T00:00, the server's says this when it is asked.
fn lost(server: Option<&str>, anew: Option<&'static str>) -> Bench {
    let specs: [Spec; 1] = [("one", "delete", json!({"object": "ds/telemetry/agent", "save": false}))];
    let bench = Bench::new(world(&["east"]), plan(&["east"], &specs, &policy()));
    let made = |object: &mut Value, at: &str| object["metadata"]["creationTimestamp"] = json!(at);
    bench.fake.objects("east", |objects| {
        objects.date = server.map(|at| at.parse().unwrap());
        objects.edit(DS, |object| made(object, "2024-12-24T12:00:00Z"));
    });
    bench.fake.fault(1, Fault::LoseNotMade);
    if let Some(at) = anew {
        bench.fake.meddle(1, "east", move |objects| {
            objects.remove(DS);
            objects.put(DS, json!({"metadata": {}, "spec": {"anew": true}}));
            objects.edit(DS, |object| made(object, at));
        });
    }
    bench
}

fn there(bench: &Bench) -> bool {
    bench.fake.objects("east", |objects| objects.at(DS).is_some())
}

/// The reply is waited for during 330 s.
#[test]
fn what_is_older_on_the_servers_clock_is_deleted_and_what_is_younger_stays() {
    paused(async {
        // Right, an hour fast, an hour slow, a day slow.
        for (now, anew) in [
            ("2025-01-01T00:05:30Z", "2025-01-01T00:01:00Z"),
            ("2024-12-31T23:05:30Z", "2024-12-31T23:02:00Z"),
            ("2025-01-01T01:05:30Z", "2025-01-01T01:02:00Z"),
            ("2025-01-02T00:05:30Z", "2025-01-02T00:05:29Z"),
        ] {
            let bench = lost(Some(now), None);
            let report = bench.run().await;
            assert_eq!((report.class, there(&bench)), (None, false), "{now}: {}", report.why);
            let bench = lost(Some(now), Some(anew));
            let report = bench.run().await;
            assert_eq!((report.class, there(&bench)), (None, true), "{now} {anew}: {}", report.why);
            assert_eq!(bench.fake.ops(), 1);
        }
    });
}

#[test]
fn what_no_clock_can_tell_is_asked_about_and_called_unknown() {
    paused(async {
        // A server that says no time, and one that made it just when the DELETE was sent.
        for (server, anew) in [(None, None), (Some("2025-01-01T00:05:30Z"), Some("2025-01-01T00:00:10Z"))] {
            for (says, class) in [(None, Class::Partial), (Some(false), Class::Declined)] {
                let bench = lost(server, anew);
                let report = bench.go(Verb::Run, &How { says, ..How::default() }).await.unwrap();
                assert_eq!(report.class, Some(class), "{}", report.why);
                assert!(report.why.contains("not known whether change 1"), "{}", report.why);
                assert!(there(&bench) && bench.fake.ops() == 1);
                let asked = bench.asked.lock().unwrap();
                assert!(!asked[0].unattended && asked[0].text.contains("made anew since"), "{asked:?}");
            }
            let bench = lost(server, anew);
            let report = bench.run().await;
            assert_eq!((report.class, there(&bench)), (None, false), "{}", report.why);
        }
    });
}
