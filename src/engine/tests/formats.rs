//! Journals that older versions wrote.

use std::path::Path;

use super::support::*;

/// Written by this program when its format was 1: a whole run of `everything` on two clusters.
#[test]
fn a_journal_of_format_1_is_read_and_taken_back() {
    paused(async {
        let names = ["east", "west"];
        // Kinds that came later stand in no such journal.
        let known: Vec<Spec> = everything().into_iter().filter(|(_, kind, _)| *kind != "revoke").collect();
        let ran = Bench::new(world(&names), plan(&names, &known, &policy()));
        let before = ran.fake.snapshot();
        ran.run().await;
        assert_ne!(ran.fake.snapshot(), before);
        // That version left no mark in these.
        for (name, path) in names.iter().flat_map(|name| [(name, DEPLOY), (name, CRON)]) {
            ran.fake
                .objects(name, |o| o.edit(path, |object| object["metadata"]["annotations"] = serde_json::json!({})));
        }

        let bench = Bench::new(ran.fake, plan(&names, &everything(), &policy()));
        bench.adopt(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journals/20250101T000000Z-test"));
        assert_eq!(bench.journal().run.ended.map(|(code, _)| code), Some(0));
        assert_eq!(bench.journal().run.header.identities, []);
        assert!(bench.journal().run.changes.values().all(|change| change.host_key.is_none()));
        let report = bench.undo().await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn a_damaged_copy_is_stuck_and_the_rest_is_taken_back() {
    paused(async {
        let bench = Bench::everything();
        bench.run().await;
        let blobs: Vec<_> =
            std::fs::read_dir(bench.folder().path.join("blobs")).unwrap().map(|blob| blob.unwrap().path()).collect();
        blobs.iter().for_each(|blob| std::fs::write(blob, "{}").unwrap());
        let report = bench.undo().await;
        assert_eq!(report.class, Some(crate::error::Class::Stuck), "{}", report.why);
        assert!(report.why.contains("does not have the content its name promises"), "{}", report.why);
        assert_eq!(report.tally.stuck, blobs.len());
        bench.fake.objects("east", |o| assert_eq!(o.at(DEPLOY).unwrap()["spec"]["replicas"], 3));
    });
}

/// `resume` asks for the very plan that was consented to, also where an older version made the run: what a plan's digest is
/// made of may not change in passing. What scripts say to hosts is not part of it.
#[test]
fn the_digest_of_a_plan_is_that_of_older_versions() {
    let specs: [Spec; 2] = [
        ("park", "park", serde_json::json!({"object": "ds/telemetry/collector"})),
        ("close", "gate-close", serde_json::json!({"for": "15m"})),
    ];
    let digest = plan(&["east"], &specs, &policy()).digest;
    assert_eq!(digest, "f3c8cb2af9282262d10ffc119e5ea6d2bd104e944fd9389c831c2c65086fe472");
}
