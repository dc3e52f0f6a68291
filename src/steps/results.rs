//! What a step finds out for later steps of the same cluster: named, typed values. Never a secret: they stand in the journal
//! and on the screen.
//!
//! A kind that gives results acts on the cluster as a whole, so that there is one value of each name.

use crate::found::{Found, Type};

/// A result that a kind of step gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gives {
    /// What it is called: `client` in `${steps.park.client}`.
    pub name: &'static str,
    /// What it is.
    pub of: Type,
    /// In one sentence.
    pub what: &'static str,
}

/// The user that an offender's requests come from.
pub(super) const CLIENT: Gives = Gives {
    name: "client",
    of: Type::User,
    what: "the user whose requests the step is about, as the API server knows it",
};

/// A parameter in whose place a result may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Takes {
    /// The parameter, from the outside in.
    pub at: &'static [&'static str],
    /// What fits.
    pub of: Type,
}

impl Gives {
    /// A value that was found.
    pub fn found(self, value: impl Into<String>) -> Found {
        Found { name: self.name.to_owned(), of: self.of, value: value.into() }
    }
}

#[cfg(test)]
mod tests {
    use crate::steps::{KINDS, Scope};

    #[test]
    fn what_gives_a_result_acts_on_the_cluster_as_a_whole() {
        let giving: Vec<_> = KINDS.iter().filter(|kind| !kind.gives().is_empty()).collect();
        assert!(!giving.is_empty());
        for kind in giving {
            assert_eq!(kind.scope(), Scope::Cluster, "{}", kind.name());
        }
    }
}
