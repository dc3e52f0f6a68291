//! What each back end has to say: the border between them and the rest of the program.

use serde::{Deserialize, Serialize};

use super::{Driver, GateSpec, Mark, Times};

/// Back ends that a host is asked for together, as the texts that ask.
pub(super) struct Toolset {
    /// Shell functions that everything else uses.
    pub(super) lib: &'static str,
    /// More of them, for the survey.
    pub(super) tries: &'static str,
    /// The survey: what the host has of it. Says `WORD=yes` or `WORD.error` for each back end and what it needs besides.
    pub(super) works: &'static str,
    /// The survey: a condition, whether rules of its kind with our name are there.
    pub(super) there: &'static str,
    /// The survey, where they are: says `gate`, `gate_owner` and, of one that refuses anybody, `gate_alive`.
    pub(super) found: &'static str,
    /// The status: says all of the gate that stands here and returns, or says nothing. It takes several commands: returns
    /// something else than 0 where the gate was taken away meanwhile, or another put up in its place.
    pub(super) status: &'static str,
    /// What a person types to see its rules.
    pub(super) look: &'static str,
}

/// One setting of the fuses, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// How many stages are through.
    pub level: usize,
    /// Seconds until the next one comes by itself.
    pub hold: u32,
    /// The run that set them last, as far as is known.
    pub was: String,
    /// Who sets them now.
    pub by: Driver,
}

/// Another program that writes packet-filter rules here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manager {
    /// firewalld.
    Firewalld,
    /// ufw.
    Ufw,
    /// kube-proxy.
    KubeProxy,
    /// Calico's agent.
    Calico,
    /// Cilium's agent.
    Cilium,
}

impl Manager {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Firewalld => "firewalld",
            Self::Ufw => "ufw",
            Self::KubeProxy => "kube-proxy",
            Self::Calico => "Calico",
            Self::Cilium => "Cilium",
        }
    }
}

/// One back end: its texts, and what is to be known of it. All texts are statements of a [`Script`](crate::script::Script).
pub(super) trait Filter: Sync {
    /// Its word in scripts, plans and answers, and the name of its own program in a survey.
    fn word(&self) -> &'static str;

    /// Whom it is asked for with.
    fn toolset(&self) -> &'static Toolset;

    /// The first part of the names of its shell functions: `PART_there`, `PART_owner`.
    fn functions(&self) -> &'static str;

    /// A statement that fails where it cannot be used.
    fn ready(&self) -> String;

    /// What it needs besides its own program, by name in a survey.
    fn besides(&self) -> &'static [&'static str];

    /// Its IPv6 side is a program of its own, which a host may lack.
    fn v6_apart(&self) -> bool;

    /// Its place among those that a host has, the lowest first; whether the host has rules in x_tables.
    fn rank(&self, legacy_in_use: bool) -> u8;

    /// The exact rules that closing writes: text by text, each with the command that reads it.
    fn rules(&self, spec: &GateSpec) -> Vec<(String, String)>;

    /// Puts the gate up, over the remains of a burnt-down one if need be.
    fn close_body(&self, spec: &GateSpec) -> String;

    /// Sets the fuses of a gate that stands. With `renewal`, only if no stage is through.
    fn arm_body(&self, mark: &Mark, times: &Times, turn: &Turn, renewal: bool) -> String;

    /// Takes the gate of `run` away, out of the hands of `was` or `by`.
    fn open_body(&self, run: &str, was: &str, by: &str) -> String;

    /// Whether the set `confirmed`, as its host listed it, says so.
    fn confirmed(&self, set: &str) -> bool;

    /// What an operator has to know about another program's rules beside it, in one sentence.
    fn beside(&self, manager: Manager) -> &'static str;

    /// See [`BackEnd::away_by_hand`].
    fn away(&self) -> &'static str;
}
