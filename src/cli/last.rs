//! Which run a word on the command line stands for.

use super::{App, failure, inputs, trust};
use crate::error::Failure;
use crate::journal::{self, ChangeState, Run, RunFolder, Store};

/// What a verb wants of a run, which decides what `last` means for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    /// Going on with it.
    Resume,
    /// Taking it back.
    Undo,
}

impl For {
    /// Whether `last` passes a run over: it is at its end, and the verb would have nothing to do with it.
    ///
    /// A run without an end was killed or is under way, and a drill is an answer of its own: behind neither of them is an
    /// older run looked for, which would then be written to.
    fn passes_over(self, run: &Run) -> bool {
        let Some((code, _)) = &run.ended else { return false };
        if run.header.drill {
            return false;
        }
        match self {
            Self::Resume => *code == 0 || !run.header.writes,
            Self::Undo => run.changes.values().all(changed_nothing),
        }
    }

    /// What is said of the runs that were passed over.
    fn passed(self, ids: &[String]) -> String {
        let few: Vec<&str> = ids.iter().take(3).map(String::as_str).collect();
        let more = if ids.len() > few.len() { ", \u{2026}" } else { "" };
        let what = match self {
            Self::Resume => "came to a good end or only looked",
            Self::Undo => "changed nothing",
        };
        format!("{} ({}{more}) {what}", crate::words::count(ids.len(), "run"), few.join(", "))
    }

    fn none(self) -> &'static str {
        match self {
            Self::Resume => "every run came to its end",
            Self::Undo => "no run has changed anything",
        }
    }
}

fn changed_nothing(record: &journal::ChangeRecord) -> bool {
    match record.state {
        ChangeState::Failed | ChangeState::NotMade => true,
        ChangeState::Intended
        | ChangeState::Done
        | ChangeState::Unknown
        | ChangeState::Undoing
        | ChangeState::Undone
        | ChangeState::Stuck => false,
    }
}

/// The run that was meant, and what its journal says.
pub(super) fn run(app: &App, typed: &str, wanted: For) -> Result<(RunFolder, Run), Failure> {
    let store = Store::at(app.process.runs_dir());
    if typed != "last" {
        return read(store.open(typed).map_err(failure::store)?);
    }
    let Last { found, passed } = last(&store, wanted)?;
    let Some((folder, run)) = found else {
        let what = format!("last: {} in {}", wanted.none(), store.root().display());
        return Err(inputs::refuse(what, "`breakglass runs` lists them; name the one that you mean"));
    };
    if !passed.is_empty() {
        app.screen.err(&format!("last: run {}; since then {}", folder.run, wanted.passed(&passed)));
    }
    Ok((folder, run))
}

fn read(folder: RunFolder) -> Result<(RunFolder, Run), Failure> {
    trust::refuse(&folder)?;
    let run = journal::read(&folder).map_err(failure::journal)?.run;
    Ok((folder, run))
}

/// What `last` came to.
struct Last {
    found: Option<(RunFolder, Run)>,
    /// The ids of the runs since, newest first.
    passed: Vec<String>,
}

/// A journal that cannot be read ends the search: nobody knows what that run has changed.
fn last(store: &Store, wanted: For) -> Result<Last, Failure> {
    let mut passed = Vec::new();
    for id in store.runs().map_err(failure::store)?.iter().rev() {
        let (folder, run) = read(store.open(id).map_err(failure::store)?)?;
        if !wanted.passes_over(&run) {
            return Ok(Last { found: Some((folder, run)), passed });
        }
        passed.push(id.clone());
    }
    Ok(Last { found: None, passed })
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::change::{Change, Facts, LocalCommand, Op, Target};
    use crate::journal::{Entry, Header, Writer};
    use crate::process::Clock;

    /// What came of a run's one change.
    #[derive(Clone, Copy)]
    enum Came {
        Refused,
        Made,
        TakenBack,
    }

    #[derive(Clone, Copy)]
    struct Began<'a> {
        store: &'a Store,
        drill: bool,
        writes: bool,
        came: Option<Came>,
        ended: Option<u8>,
    }

    impl Began<'_> {
        fn put(self) -> String {
            let at = "2025-01-01T00:00:00Z".parse().unwrap();
            let run = self.store.next_id(at).unwrap();
            let header = Header { drill: self.drill, writes: self.writes, ..Header::sample(&run) };
            let folder = self.store.create(&run).unwrap();
            let mut writer = Writer::create(folder, header, Clock::Fixed(at)).unwrap();
            let mut append = |entry| drop(writer.append(entry).unwrap());
            if let Some(came) = self.came {
                let (id, said) = (1, String::new());
                append(Entry::Intended {
                    id,
                    step: 0,
                    target: Target::local("east"),
                    change: Box::new(change()),
                    host_key: None,
                });
                match came {
                    Came::Refused => append(Entry::Failed { id, why: said }),
                    Came::Made => append(Entry::Done { id, said, facts: Facts::default() }),
                    Came::TakenBack => {
                        append(Entry::Done { id, said: said.clone(), facts: Facts::default() });
                        append(Entry::Undoing { id });
                        append(Entry::Undone { id, said });
                    }
                }
            }
            if let Some(code) = self.ended {
                append(Entry::Ended { code, why: String::new(), costs: None, stands: None });
            }
            run
        }
    }

    fn change() -> Change {
        Change::sample("exec", Op::Local(LocalCommand { argv: vec!["true".into()], idempotent: true, quiet: false }))
    }

    #[track_caller]
    fn is(store: &Store, wanted: For, id: Option<&str>) {
        let found = last(store, wanted).unwrap().found;
        assert_eq!(found.map(|(folder, _)| folder.run).as_deref(), id, "{wanted:?}");
    }

    #[test]
    fn last_is_the_newest_run_that_leaves_the_verb_something_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let store = &Store::at(dir.path());
        let began = Began { store, drill: false, writes: true, came: None, ended: Some(0) };
        let change = |came, code| Began { came: Some(came), ended: Some(code), ..began }.put();
        let look = |code| Began { writes: false, ended: Some(code), ..began }.put();
        is(store, For::Undo, None);
        let parked = change(Came::Made, 0);
        look(0);
        look(4);
        is(store, For::Undo, Some(&parked));
        is(store, For::Resume, None);
        let refused = change(Came::Refused, 5);
        look(4);
        is(store, For::Undo, Some(&parked));
        is(store, For::Resume, Some(&refused));
        // A second `undo last` finds what was taken back, not the run before.
        let taken_back = change(Came::TakenBack, 0);
        is(store, For::Undo, Some(&taken_back));
        is(store, For::Resume, Some(&refused));
        let killed = Began { ended: None, ..began }.put();
        is(store, For::Undo, Some(&killed));
        is(store, For::Resume, Some(&killed));
        let drill = Began { drill: true, ..began }.put();
        is(store, For::Undo, Some(&drill));
        is(store, For::Resume, Some(&drill));
        let damaged = store.create(&store.next_id("2025-01-01T00:00:00Z".parse().unwrap()).unwrap()).unwrap();
        std::fs::write(damaged.journal(), "x").unwrap();
        assert!(last(store, For::Undo).is_err() && last(store, For::Resume).is_err());
    }
}
