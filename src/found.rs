//! What a step found out for later steps of its cluster: a named, typed value. Never a secret: it stands in the journal and on
//! the screen.

use serde::{Deserialize, Serialize};

/// What a result is: it can be used only where a parameter takes the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Type {
    /// A user as the API server knows it: `system:serviceaccount:NAMESPACE:NAME`, or the name in a certificate.
    User,
    /// A workload, as `park` takes it: `daemonsets.apps/NAMESPACE/NAME`.
    Workload,
    /// Whether something is so: what a later step can be run for, or left out.
    YesNo,
}

/// How it stands in the journal that something is so.
pub(crate) const YES: &str = "yes";
/// The same of what is not.
pub(crate) const NO: &str = "no";

/// More than any name that Kubernetes lets anybody have.
const LONGEST: usize = 1024;

impl Type {
    /// What it is, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::User => "a user name",
            Self::Workload => "a workload",
            Self::YesNo => "a yes or no",
        }
    }

    /// Whether a value that was found can be one.
    pub fn fits(self, value: &str) -> bool {
        match self {
            Self::User | Self::Workload => {
                let plain = value.trim() == value && !value.chars().any(char::is_control);
                plain && !value.is_empty() && value.len() <= LONGEST
            }
            Self::YesNo => matches!(value, YES | NO),
        }
    }
}

/// What stands in a plan in the place of a result until a step has found it.
pub(crate) fn placeholder(step: &str, result: &str) -> String {
    format!("<{result}{FOUND_BY}{step}>")
}

const FOUND_BY: &str = " found by ";

/// Whether a text stands for a result that is still to be found.
pub(crate) fn is_placeholder(text: &str) -> bool {
    text.starts_with('<') && text.ends_with('>') && text.contains(FOUND_BY)
}

/// A result as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub of: Type,
    /// The value.
    pub value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_a_user_is_none() {
        for good in ["jane", "system:serviceaccount:telemetry:agent", "CN of somebody, with blanks"] {
            assert!(Type::User.fits(good), "{good}");
        }
        for bad in ["", " jane", "jane\nroot", "a\u{1b}[2J", &"x".repeat(2000)] {
            assert!(!Type::User.fits(bad), "{bad:?}");
        }
        assert!(Type::YesNo.fits(YES) && Type::YesNo.fits(NO) && !Type::YesNo.fits("true"));
    }
}
