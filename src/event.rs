//! Everything the engine says while it works. Serialisable and pure; rendering is a listener and can never end a run.

use serde::Serialize;

use crate::change::Target;
use crate::cost::Costs;
use crate::finding::Finding;
use crate::journal::StepState;

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// A run began, or was taken up again.
    RunStarted {
        /// The run's id.
        run: String,
        /// The runbook.
        runbook: String,
        /// The writes are pretended.
        drill: bool,
        /// The clusters.
        clusters: Vec<String>,
        /// How many steps.
        steps: usize,
    },
    /// A step began on a cluster.
    StepStarted {
        /// The cluster.
        cluster: String,
        /// Position of the step in the plan, from 0.
        step: usize,
        /// The step's name in the runbook.
        name: String,
        /// What it is about to do, in one sentence.
        intent: String,
        /// Why the runbook has it; may be empty.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
        /// How many targets.
        targets: usize,
    },
    /// Something was seen.
    Saw {
        /// The host, API server or cluster that it is about.
        target: Target,
        /// Position of the step in the plan, from 0.
        step: usize,
        /// What: a sentence, and beside it the value, `finding`, where it is more than a note.
        #[serde(flatten)]
        what: Finding,
    },
    /// A step found a result for later steps of its cluster.
    Found {
        /// The host, API server or cluster that it is about.
        target: Target,
        /// Position in the plan, from 0.
        step: usize,
        /// What it is called.
        name: String,
        /// The value.
        value: String,
    },
    /// Waiting for something.
    Waiting {
        /// The host, API server or cluster that it is about.
        target: Target,
        /// Position of the step in the plan, from 0.
        step: usize,
        /// For what.
        what: String,
        /// Until the wait ends, in seconds.
        left_secs: u64,
    },
    /// A change is sent now.
    ChangeSent {
        /// The host, API server or cluster that it is about.
        target: Target,
        /// Position of the step in the plan, from 0.
        step: usize,
        /// The change's number in the run.
        id: u32,
        /// The op in words, without its body.
        what: String,
        /// What made it necessary.
        because: String,
        /// In a drill: what it would load into the host's kernel, text by text, each with the command that reads it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        loads: Vec<(String, String)>,
    },
    /// How a change came out.
    ChangeEnded {
        /// The host, API server or cluster that it is about.
        target: Target,
        /// The change's number in the run.
        id: u32,
        /// The op in words, without its body.
        what: String,
        /// What became of it.
        state: ChangeEnd,
        /// What the far side said.
        said: String,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// The command for a person, when something is left to do.
        by_hand: Option<String>,
        /// It counts as taken back though nothing was sent for it: it ends by itself, or there was nothing to take back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unsent: bool,
    },
    /// A step failed on a target, or a look had to be repeated.
    Trouble {
        /// The host, API server or cluster that it is about.
        target: Target,
        /// Position of the step in the plan, from 0.
        step: usize,
        /// What went wrong.
        what: String,
        /// The next command to type.
        hint: Option<String>,
        /// It will be tried again.
        again: bool,
    },
    /// A step ended on a target.
    TargetEnded {
        /// The host, API server or cluster that it is about.
        target: Target,
        /// Position of the step in the plan, from 0.
        step: usize,
        /// How it ended.
        state: StepState,
        /// Changes made.
        changes: usize,
        /// In one sentence; the step's end on the cluster has it for machines.
        #[serde(skip)]
        why: String,
    },
    /// A step ended on a cluster.
    StepEnded {
        /// The cluster.
        cluster: String,
        /// Position of the step in the plan, from 0.
        step: usize,
        /// The step's name in the runbook.
        name: String,
        /// How it ended.
        state: StepState,
        /// In one sentence.
        why: String,
        /// What it cost, by API server and host.
        #[serde(skip_serializing_if = "Costs::is_empty")]
        costs: Costs,
        /// How long it took, in milliseconds.
        took_ms: u64,
    },
    /// Taking back began: once for all clusters that an undo works on, and for each by itself where a step that failed has
    /// it done. Not said where nothing stands.
    UndoStarted {
        /// The run.
        run: String,
        /// The clusters that it works on: those where something stands.
        clusters: Vec<String>,
        /// How many changes stand there.
        changes: usize,
        /// How many of these need no taking back: they end by themselves, or there is nothing to take back.
        needless: usize,
    },
    /// The run ended.
    RunEnded {
        /// The run.
        run: String,
        /// The exit code.
        code: u8,
        /// In one sentence.
        why: String,
        /// What was spent, by API server and host.
        costs: Costs,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// The next commands to type.
        next: Vec<String>,
    },
}

/// How a change came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeEnd {
    /// Made.
    Done,
    /// Pretended, in a drill.
    Pretended,
    /// Refused by the far side.
    Failed,
    /// Not known.
    Unknown,
    /// Taken back.
    Undone,
    /// Could not be taken back.
    Stuck,
}

impl ChangeEnd {
    /// Whether a person may have to go on by hand: `Some(true)` after a no, `Some(false)` where nobody knows.
    pub fn left_to_hand(self) -> Option<bool> {
        match self {
            Self::Failed => Some(true),
            Self::Unknown => Some(false),
            Self::Done | Self::Pretended | Self::Undone | Self::Stuck => None,
        }
    }
}

/// Where events go.
pub trait Listener: Send + Sync {
    /// Takes one event; must not block and cannot fail.
    fn hear(&self, event: Event);
}
