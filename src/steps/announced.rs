//! What a step tells of beforehand. Nothing else is ever sent.

use std::time::Duration;

use crate::change::Op;
use crate::script::Script;

/// Something that a step may send, known before anything is contacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// The op, the look or the question.
    pub what: Sends,
    /// How often.
    pub times: Times,
    /// What for.
    pub why: String,
}

impl Announced {
    /// Whatever is sent.
    pub fn new(what: Sends, times: Times, why: impl Into<String>) -> Self {
        Self { what, times, why: why.into() }
    }

    /// A read of this path through the API.
    pub fn get(path: impl Into<String>, times: Times, why: impl Into<String>) -> Self {
        Self::new(Sends::Get(path.into()), times, why)
    }

    /// A script that only looks.
    pub fn look(script: impl Into<Script>, times: Times, why: impl Into<String>) -> Self {
        Self::new(Sends::Look(script.into()), times, why)
    }

    /// A write.
    pub fn op(op: Op, times: Times, why: impl Into<String>) -> Self {
        Self::new(Sends::Op(Box::new(op)), times, why)
    }

    /// It changes something.
    pub fn writes(&self) -> bool {
        match self.what {
            Sends::Op(_) => true,
            Sends::Get(_) | Sends::Look(_) | Sends::Connect(_) | Sends::Ask(_) => false,
        }
    }
}

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sends {
    /// An op, exactly as it will be performed, or with a placeholder in angle brackets for what only a survey can know.
    Op(Box<Op>),
    /// A read through the API.
    Get(String),
    /// A script that only looks.
    Look(Script),
    /// A TCP connection.
    Connect(std::net::SocketAddr),
    /// A question.
    Ask(String),
}

/// How often something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Exactly once, when no reply is lost.
    Once,
    /// At most this often.
    AtMost(u32),
    /// Again and again while waiting.
    Every {
        /// The interval.
        interval: Duration,
        /// The end of the wait; longer than the step's own timeout in what a kind says, never in the plan.
        until: Duration,
    },
}
