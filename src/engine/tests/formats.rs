//! Journals that older versions wrote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::samples::bench_of;
use super::support::*;
use crate::change::Note;
use crate::engine::Report;
use crate::finding::Finding;
use crate::journal::{Entry, FORMAT, Line, MINOR};
use crate::limits::Limits;

/// A journal that a version with this format wrote: a whole run of `everything` on two clusters.
struct Kept {
    format: (u32, u32),
    /// Kinds that came later stand in no such journal.
    without: &'static [&'static str],
}

const KEPT: &[Kept] = &[
    Kept { format: (1, 0), without: &["revoke"] },
    Kept { format: (1, 1), without: &[] },
    Kept { format: (1, 2), without: &[] },
    Kept { format: (1, 3), without: &[] },
    Kept { format: (1, 4), without: &[] },
    Kept { format: (1, 5), without: &[] },
];

const NAMES: [&str; 2] = ["east", "west"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journals").join(name).join(RUN)
}

impl Kept {
    fn folder(&self) -> PathBuf {
        let (format, minor) = self.format;
        fixture(&format!("{format}.{minor}"))
    }

    /// The run whose journal it is, on a world that has just gone through it; and what that world was before.
    async fn after(&self) -> (Bench, serde_json::Value) {
        let known: Vec<Spec> = everything().into_iter().filter(|(_, kind, _)| !self.without.contains(kind)).collect();
        let ran = Bench::new(world(&NAMES), plan(&NAMES, &known, &policy()));
        let before = ran.fake.snapshot();
        ran.run().await;
        assert_ne!(ran.fake.snapshot(), before);
        if self.format == (1, 0) {
            // That version left no mark in these.
            let none = |object: &mut serde_json::Value| object["metadata"]["annotations"] = serde_json::json!({});
            for (name, path) in NAMES.iter().flat_map(|name| [(name, DEPLOY), (name, CRON)]) {
                ran.fake.objects(name, |objects| objects.edit(path, none));
            }
        }
        for name in NAMES {
            ran.fake.objects(name, |objects| objects.edit_each(unsigned));
        }
        let plan = plan(&NAMES, &known, &policy());
        let plan = if self.format < (1, 1) { plan.as_before_fleets() } else { plan };
        let bench = Bench::new(ran.fake, plan);
        bench.adopt(&self.folder());
        (bench, before)
    }
}

/// The marks as the versions left them that wrote these journals: the run alone, and none on a parked DaemonSet.
fn unsigned(path: &str, object: &mut serde_json::Value) {
    let there = object.pointer_mut("/metadata/annotations").and_then(serde_json::Value::as_object_mut);
    let Some(annotations) = there else { return };
    for (_, mark) in annotations.iter_mut().filter(|(key, _)| key.starts_with("breakglass.io/")) {
        let said = mark.as_str().unwrap_or_default().split(" by=").next().unwrap_or_default();
        let said = said.split(" replicas=").next().unwrap_or_default().trim_end_matches(" created").to_owned();
        *mark = said.into();
    }
    if path.contains("/daemonsets/") && annotations.remove("breakglass.io/parked").is_some() && annotations.is_empty() {
        object["metadata"].as_object_mut().unwrap().remove("annotations");
    }
}

#[test]
fn a_journal_of_every_format_is_read_and_taken_back() {
    for kept in KEPT {
        paused(async {
            let (bench, before) = kept.after().await;
            let run = bench.journal().run;
            assert_eq!((run.header.format, run.header.minor), kept.format);
            assert_eq!(run.ended.as_ref().map(|(code, _)| *code), Some(0));
            assert_eq!(run.header.fleet.is_some(), kept.format >= (1, 1));
            let report = bench.undo().await;
            assert_eq!(report.class, None, "{:?}: {}", kept.format, report.why);
            assert_eq!(bench.fake.snapshot(), before, "{:?}", kept.format);
        });
    }
}

/// What a look found is a value since 1.3, and a sentence before.
#[test]
fn what_a_journal_says_was_found_is_a_value_where_it_was_written_as_one() {
    for kept in KEPT {
        paused(async {
            let (bench, _) = kept.after().await;
            let saw = bench.lines().into_iter().filter_map(|line| match line.entry {
                Entry::Saw { what, .. } => Some(what),
                _ => None,
            });
            let (notes, values): (Vec<Finding>, Vec<Finding>) = saw.partition(|what| matches!(what, Finding::Note(_)));
            assert!(!notes.is_empty() && notes.iter().all(|note| !note.to_string().is_empty()), "{:?}", kept.format);
            let typed = values.iter().any(|what| matches!(what, Finding::Probe(_)));
            assert_eq!(typed, kept.format >= (1, 3), "{:?}: {values:?}", kept.format);
        });
    }
}

/// Of each the first half, as a kill in the middle would have left it.
#[test]
fn a_journal_of_every_format_is_taken_up_again() {
    for kept in KEPT {
        paused(async {
            let (mut bench, _) = kept.after().await;
            let after = bench.fake.snapshot();
            let path = bench.folder().journal();
            let text = std::fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            std::fs::write(&path, lines[..lines.len() / 2].concat()).unwrap();
            let consented = bench.journal().run.header.plan;
            if kept.format == (1, 0) {
                // What this world offers to break has grown since: that plan cannot be made any more.
                assert_ne!(consented, bench.plan.digest);
                bench.plan.digest = consented;
            } else {
                assert_eq!(consented, bench.plan.digest, "{:?}: its consent counts", kept.format);
            }
            let report = bench.resume().await;
            assert_eq!(report.class, None, "{:?}: {}", kept.format, report.why);
            // The first line that is new says the format from there on, where it is a newer one.
            let says: Vec<usize> = bench
                .lines()
                .iter()
                .enumerate()
                .filter_map(|(at, line)| line.written.is_some().then_some(at))
                .collect();
            let expected = if kept.format < (FORMAT, MINOR) { vec![lines.len() / 2] } else { Vec::new() };
            assert_eq!(says, expected, "{:?}", kept.format);
            assert_eq!(bench.fake.snapshot(), after, "{:?}", kept.format);
        });
    }
}

/// Runs of `remembering` whose steps remembered by keys: the whole of it, or only what 1.2 appended once 1.3 had gone on with it.
const BY_KEYS: [&str; 2] = ["1.2-keys", "1.3-then-1.2"];

/// Steps that remember what they did, as the run in `1.2-keys` had them: by the keys of their changes, the arguments of their
/// scripts, and what was said.
pub(super) fn remembering() -> Bench {
    bench_of(&[
        ("shut", "gate-close", serde_json::json!({"stages": ["25%", "100%"]})),
        ("in", "gate-open", serde_json::json!({"window": "2s"})),
        ("room", "scale-apiserver", serde_json::json!({"flags": {"max-requests-inflight": "800"}})),
        ("park", "park", serde_json::json!({"object": "ds/telemetry/collector"})),
        ("end", "end-pods", serde_json::json!({"workload": "ds/telemetry/collector", "force": true})),
        ("kill", "delete", serde_json::json!({"object": "daemonsets.apps/telemetry/agent"})),
    ])
}

pub(super) const READY: &str = "/readyz";

/// Whether a line says that a change with such a key is about to be made.
pub(super) fn sets(line: &Line, begins: &str) -> bool {
    matches!(&line.entry, Entry::Intended { change, .. } if change.key.starts_with(begins))
}

/// Runs it; from the first stage on the API servers are in bad order until that was closed again and held there.
pub(super) async fn runs_badly(bench: &Bench, at: Trap) -> Option<Report> {
    let until = async |keys: &[&str]| {
        let made = || std::fs::read_to_string(bench.folder().journal()).unwrap_or_default();
        let has = |text: String| keys.iter().all(|key| text.contains(&format!("\"key\":\"{key}")));
        while !has(made()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let meddle = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        until(&["stage-1"]).await;
        bench.fake.answer(READY, 500, "not ok", Duration::from_millis(5));
        until(&["close-again-1", "hold-"]).await;
        bench.fake.answer(READY, 200, "ok", Duration::from_millis(5));
        std::future::pending::<()>().await;
    };
    let how = trap(at);
    tokio::select! {
        report = bench.go(Verb::Run, &how) => report,
        () = meddle => None,
    }
}

#[test]
fn what_steps_remembered_by_keys_scripts_and_words_is_read_as_what_they_note_now() {
    type Notes = BTreeMap<(usize, String, String), (Option<Note>, bool)>;
    let notes = |bench: &Bench| -> Notes {
        let changes = bench.journal().run.changes.into_values();
        changes.map(|it| ((it.step, it.target.to_string(), it.change.key), (it.change.note, it.facts.gone))).collect()
    };
    paused(async {
        let now = remembering();
        assert_eq!(runs_badly(&now, Trap::Never).await.unwrap().class, None);
        for kept in BY_KEYS {
            let then = remembering();
            then.adopt(&fixture(kept));
            assert_eq!(notes(&then), notes(&now), "{kept}");
            let of_steps = |step: usize| {
                notes(&then).into_iter().any(|((at, ..), (note, gone))| at == step && (note.is_some() || gone))
            };
            assert_eq!((0..6).map(of_steps).collect::<Vec<_>>(), [true, true, true, false, true, true], "{kept}");
        }
    });
}

/// Killed once a stage was closed again and held: the next try of it knows that, and has a key of its own.
#[test]
fn a_re_opening_that_an_older_version_began_goes_on_with_what_it_remembered() {
    paused(async {
        let whole = remembering();
        runs_badly(&whole, Trap::Never).await.unwrap();
        // The line after that which says that it is held.
        let held = |bench: &Bench| 2 + bench.lines().iter().position(|line| sets(line, "hold-")).unwrap();
        for kept in BY_KEYS {
            let killed = remembering();
            // The first line is there before anything can go wrong.
            assert!(runs_badly(&killed, Trap::After(held(&whole) - 1)).await.is_none());
            let mut bench = remembering();
            bench.adopt(&fixture(kept));
            bench.fake = killed.fake;
            bench.fake.answer(READY, 200, "ok", Duration::from_millis(5));
            let path = bench.folder().journal();
            let text = std::fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            std::fs::write(&path, lines[..held(&bench)].concat()).unwrap();
            let report = bench.resume().await;
            assert_eq!(report.class, None, "{kept}: {}", report.why);
            assert_eq!(bench.fake.snapshot(), whole.fake.snapshot(), "{kept}");
            let stages: Vec<String> = bench
                .lines()
                .into_iter()
                .filter_map(|line| match line.entry {
                    Entry::Intended { change, .. } if change.key.starts_with("stage-") => Some(change.key),
                    _ => None,
                })
                .collect();
            assert_eq!(stages, ["stage-1", "stage-1-try-2"], "{kept}");
        }
    });
}

/// Whoever raises a number of the format leaves a journal of it behind: `BLESS=1 cargo test --lib formats` writes one.
#[test]
#[expect(clippy::disallowed_methods, reason = "the switch of a test, not of the program")]
fn a_journal_of_this_format_is_kept() {
    let Some(newest) = KEPT.last().filter(|kept| kept.format == (FORMAT, MINOR)) else {
        panic!("no journal of format {FORMAT}.{MINOR} in KEPT");
    };
    if std::env::var_os("BLESS").is_none() || newest.folder().exists() {
        return assert!(newest.folder().join("journal.jsonl").exists(), "BLESS=1 writes it");
    }
    paused(async {
        let ran = Bench::new(world(&NAMES), plan(&NAMES, &everything(), &policy()));
        ran.run().await;
        let (from, to) = (ran.folder().path, newest.folder());
        std::fs::create_dir_all(to.join("blobs")).unwrap();
        std::fs::copy(from.join("journal.jsonl"), to.join("journal.jsonl")).unwrap();
        for blob in std::fs::read_dir(from.join("blobs")).unwrap() {
            let blob = blob.unwrap();
            std::fs::copy(blob.path(), to.join("blobs").join(blob.file_name())).unwrap();
        }
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
    let plan = plan(&["east"], &specs, &policy());
    assert_eq!(plan.digest, "f8f8a86ae0b4eec5496e19940eecc7d42f32725b05563933e1ab6b0173262079");
    let before = "f3c8cb2af9282262d10ffc119e5ea6d2bd104e944fd9389c831c2c65086fe472";
    assert_eq!(plan.as_before_fleets().digest, before, "before format 1.1");
}

/// A run that was consented to with a canary must not go on without one.
#[test]
fn each_limit_of_the_fleet_is_part_of_the_plan() {
    let specs: [Spec; 1] = [("park", "park", serde_json::json!({"object": "ds/telemetry/collector"}))];
    let with = |fleet| plan_within(vec![cluster("east")], &specs, &policy(), fleet).digest;
    let one = Limits { at_once: 4, canary: true, batch: 2, max_failures: 3 };
    let others = [
        Limits { at_once: 5, ..one },
        Limits { canary: false, ..one },
        Limits { batch: 0, ..one },
        Limits { max_failures: 1, ..one },
    ];
    assert_eq!(with(one), with(one));
    for other in others {
        assert_ne!(with(one), with(other), "{other:?}");
    }
}
