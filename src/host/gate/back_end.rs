//! What can hold a gate on a host: the closed set of back ends.
//!
//! To add one: a file with its [`Filter`] (and its [`Toolset`], if its host is asked in a new way) beside `nft`, its `mod`
//! line in `mod.rs`, and here a variant of [`BackEnd`], its places in `ALL` and `filter`, and its toolset in [`TOOLSETS`].
//! Nothing else names a back end; the compiler asks for the rest.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::filter::{Filter, Manager, Toolset};
use super::iptables::{self, Iptables};
use super::nft::{self, Nft};

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

    /// What an operator has to know about another program's rules beside it, in one sentence.
    pub fn beside(self, manager: Manager) -> &'static str {
        self.filter().beside(manager)
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
