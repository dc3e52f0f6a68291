//! `renew-certificates`

use std::process::ExitCode;

use serde_json::Map;

use super::App;
use super::single::{How, Single};
use crate::duration::HumanDuration;
use crate::error::Failure;

/// Renew the control plane's certificates that have ended, with the CA on their own host; `undo` puts the old ones back
///
/// Examples:
///   breakglass renew-certificates --drill           what has ended, and what would be done; nothing is changed
///   breakglass renew-certificates                   one control-plane host after another
///   breakglass renew-certificates --within 30d      what ends within 30 days, too
///   breakglass renew-certificates --ca              CAs that have ended, too
///
/// The same keys, names and usages with a new time; no key leaves its host. What the host cannot sign itself is told with what to type.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RenewCertificates {
    /// What ends within this time is renewed with what has ended [default: 1d].
    #[arg(long, value_name = "TIME")]
    within: Option<HumanDuration>,

    /// CAs that have ended are signed anew by their own keys, too.
    #[arg(long)]
    ca: bool,

    /// Only these hosts, by their names in the kit.
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,

    #[command(flatten)]
    how: How,
}

impl RenewCertificates {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = Map::new();
        with.extend(self.within.map(|within| ("within".to_owned(), within.to_string().into())));
        if self.ca {
            with.insert("ca".into(), true.into());
        }
        Single { kind: "renew-certificates", with, targets: self.targets, how: self.how }.run(app)
    }
}
