use super::super::tests::screen;
use super::*;
use crate::change::{Change, Facts, LocalCommand, Op, Target};
use crate::journal::{Store, Writer, read_each};
use crate::process::Clock;

const RUN: &str = "20250101T000000Z-test";

/// A run on two clusters whose hosts have the same names, as far as it was written.
struct Told {
    _dir: tempfile::TempDir,
    store: Store,
    writer: Writer,
}

impl Told {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let clusters = ["east", "west"].map(str::to_owned).to_vec();
        let header = Header { clusters, ..Header::sample(RUN) };
        let clock = Clock::Fixed("2025-01-01T00:00:00Z".parse().unwrap());
        let writer = Writer::create(store.create(RUN).unwrap(), header, clock).unwrap();
        Self { _dir: dir, store, writer }
    }

    /// A change on the host `cp1` of this cluster; `back`: an op takes it back.
    fn change(&mut self, id: u32, cluster: &str, back: bool) {
        let op = Op::Local(LocalCommand { argv: vec!["true".into()], idempotent: true, quiet: false });
        let mut change = Change::sample("exec", op.clone());
        if back {
            change.inverse = Inverse::By(Box::new(op));
        }
        let (target, change) = (Target::host(cluster, "cp1"), Box::new(change));
        self.put(Entry::Intended { id, step: 0, target, change, host_key: None });
        self.put(Entry::Done { id, said: String::new(), facts: Facts::default() });
    }

    fn step_fails(&mut self, cluster: &str) {
        self.put(Entry::StepStarted { cluster: cluster.to_owned(), step: 0 });
        let (cluster, why) = (cluster.to_owned(), "no".to_owned());
        self.put(Entry::StepEnded { cluster, step: 0, state: StepState::Failed, why, costs: None });
    }

    fn take_back(&mut self, ids: &[u32]) {
        for id in ids.iter().copied() {
            self.put(Entry::Undoing { id });
            self.put(Entry::Undone { id, said: "off".into() });
        }
    }

    fn end(&mut self) {
        self.put(Entry::Ended { code: 0, why: "it is over".into(), costs: None, stands: None });
    }

    fn put(&mut self, entry: Entry) {
        drop(self.writer.append(entry).unwrap());
    }

    fn read(&self) -> (Journal, Vec<Line>) {
        let mut lines = Vec::new();
        let journal = read_each(&self.store.open(RUN).unwrap(), |line, _| lines.push(line)).unwrap();
        (journal, lines)
    }

    /// What is said of undos: on which clusters, how many changes stand, how many of them need nothing.
    fn undos(&self) -> Vec<(Vec<String>, usize, usize)> {
        let (journal, lines) = self.read();
        let mut teller = Teller::new(&journal.run.header, &[], &journal, &lines);
        let undo = |event| match event {
            Event::UndoStarted { clusters, changes, needless, .. } => Some((clusters, changes, needless)),
            _ => None,
        };
        lines.iter().flat_map(|line| teller.events(line)).filter_map(undo).collect()
    }

    fn text(&self) -> String {
        let (journal, lines) = self.read();
        let (screen, out, _) = screen();
        show(&screen, Output::Text, &journal, &lines, &[]);
        out.text()
    }
}

fn on(clusters: &[&str], changes: usize, needless: usize) -> (Vec<String>, usize, usize) {
    (clusters.iter().map(|name| (*name).to_owned()).collect(), changes, needless)
}

#[test]
fn an_undo_is_told_again_with_its_clusters_and_with_what_needed_nothing() {
    let mut told = Told::new();
    told.change(1, "east", true);
    told.change(2, "west", true);
    told.change(3, "east", false);
    told.end();
    told.take_back(&[3, 2, 1]);
    told.end();
    assert_eq!(told.undos(), [on(&["east", "west"], 3, 1)]);
    let text = told.text();
    for part in [
        "taking back 2 changes of run 20250101T000000Z-test on east,west\n",
        "  no need  east/cp1: ",
        "  undone   west/cp1,east/cp1: ",
        // The list at the end.
        "  undone   true on east/cp1,west/cp1\n  no need  true on east/cp1\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

/// What was left as it is, and what was taken back before, is not counted.
#[test]
fn each_undo_is_told_again_with_what_it_had_before_it() {
    let mut told = Told::new();
    told.change(1, "east", true);
    told.change(2, "west", true);
    told.change(3, "west", true);
    // Killed: the run has no end.
    told.take_back(&[3, 2]);
    told.end();
    told.take_back(&[1]);
    told.end();
    assert_eq!(told.undos(), [on(&["west"], 2, 0), on(&["east"], 1, 0)]);
    let text = told.text();
    assert!(text.contains("taking back 1 change of run 20250101T000000Z-test on east\n"), "{text}");
}

/// One that was stopped says how much it had before it, not how far it came.
#[test]
fn a_stopped_undo_is_told_again_with_all_that_stood() {
    let mut told = Told::new();
    (1..=3).for_each(|id| told.change(id, "east", true));
    told.end();
    told.take_back(&[3]);
    told.end();
    told.put(Entry::Undoing { id: 2 });
    told.put(Entry::Stuck { id: 2, why: "another was here".into() });
    told.end();
    assert_eq!(told.undos(), [on(&["east"], 3, 0), on(&["east"], 2, 0)]);
}

#[test]
fn what_a_run_took_back_by_itself_is_told_again_cluster_by_cluster() {
    let mut told = Told::new();
    told.change(1, "east", true);
    told.change(2, "west", true);
    told.change(3, "west", true);
    told.step_fails("east");
    told.take_back(&[1]);
    told.step_fails("west");
    told.take_back(&[3, 2]);
    told.end();
    assert_eq!(told.undos(), [on(&["east"], 1, 0), on(&["west"], 2, 0)]);
    let text = told.text();
    assert!(text.contains("  begins   west: taking back 2 changes of run 20250101T000000Z-test\n"), "{text}");
}
