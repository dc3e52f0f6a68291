//! What can hold a gate on a host: the closed set of back ends, and what each of them has to say.
//!
//! To add one: a file with its [`Filter`] (and its [`Toolset`], if its host is asked in a new way) beside `nft.rs`, its `mod`
//! line in `mod.rs`, and here a variant of [`BackEnd`], its places in `ALL` and `filter`, and its toolset in [`TOOLSETS`].
//! Nothing else names a back end; the compiler asks for the rest.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::iptables::{self, Iptables};
use super::nft::{self, Nft};
use super::{GateSpec, Manager, Mark, Times, Turn};

/// What enforces a gate on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(inline)]
pub enum BackEnd {
    /// nftables: one table of our own.
    Nft,
    /// iptables on nf_tables, with ipset.
    IptablesNft,
    /// iptables on x_tables, with ipset.
    IptablesLegacy,
}

impl BackEnd {
    /// All of them, the best first.
    pub const ALL: [Self; 3] = [Self::Nft, Self::IptablesNft, Self::IptablesLegacy];

    /// What it has to say.
    pub(super) fn filter(self) -> &'static dyn Filter {
        match self {
            Self::Nft => &Nft,
            Self::IptablesNft => &Iptables::Nft,
            Self::IptablesLegacy => &Iptables::Legacy,
        }
    }

    /// The word for it in scripts, plans and answers.
    pub fn word(self) -> &'static str {
        self.filter().word()
    }

    /// The back end by its word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|b| b.word() == word)
    }

    /// What a host must have for it, by name: its own program first.
    pub(super) fn needs(self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.word()).chain(self.filter().besides().iter().copied())
    }

    /// What takes its gate away by hand, or opens it at once.
    pub fn away_by_hand(self) -> &'static str {
        self.filter().away()
    }
}

impl fmt::Display for BackEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

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
    /// The status: says all of the gate that stands here and returns, or says nothing.
    pub(super) status: &'static str,
    /// What a person types to see its rules.
    pub(super) look: &'static str,
}

/// Every toolset, in the order in which a host is asked.
pub(super) const TOOLSETS: [&Toolset; 2] = [&nft::TOOLSET, &iptables::TOOLSET];

/// The shell functions of all toolsets.
pub(super) fn libs() -> String {
    TOOLSETS.map(|toolset| toolset.lib).concat()
}

/// What a person types to see whatever has our name.
pub fn look_by_hand() -> String {
    TOOLSETS.map(|toolset| toolset.look).join("; ")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_back_end_has_a_word_of_its_own_that_serde_knows_too() {
        for back_end in BackEnd::ALL {
            assert_eq!(BackEnd::from_word(back_end.word()), Some(back_end));
            assert_eq!(serde_json::to_value(back_end).unwrap(), back_end.word());
            assert!(TOOLSETS.iter().any(|toolset| std::ptr::eq(*toolset, back_end.filter().toolset())), "{back_end}");
        }
    }
}
