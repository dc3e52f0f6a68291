//! `scale-apiserver`

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::App;
use super::single::{How, Single};
use crate::error::Failure;

/// Give API servers more room by their static-pod manifests, one host at a time; `undo` puts the old text back
///
/// Examples:
///   breakglass scale-apiserver --limit memory=8Gi --request cpu=2
///   breakglass scale-apiserver --flag max-requests-inflight=800 --targets cp1
///   breakglass scale-apiserver --limit cpu-            remove the limit
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ScaleApiserver {
    /// A resource limit; NAME- removes it.
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = entry)]
    limits: Vec<(String, Option<String>)>,

    /// A resource request; NAME- removes it.
    #[arg(long = "request", value_name = "NAME=VALUE", value_parser = entry)]
    requests: Vec<(String, Option<String>)>,

    /// A flag of kube-apiserver, without its dashes; NAME- removes it.
    #[arg(long = "flag", value_name = "NAME=VALUE", value_parser = entry)]
    flags: Vec<(String, Option<String>)>,

    /// Only these hosts, by their names in the kit.
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,

    #[command(flatten)]
    how: How,
}

/// `NAME=VALUE`, or `NAME-` for removal, as kubectl writes it.
fn entry(text: &str) -> Result<(String, Option<String>), String> {
    match (text.split_once('='), text.strip_suffix('-')) {
        (Some((name, value)), _) if !name.is_empty() => Ok((name.to_owned(), Some(value.to_owned()))),
        (None, Some(name)) if !name.is_empty() => Ok((name.to_owned(), None)),
        _ => Err("expected NAME=VALUE, or NAME- to remove it".into()),
    }
}

impl ScaleApiserver {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let mut with = Map::new();
        for (name, entries) in [("limits", self.limits), ("requests", self.requests), ("flags", self.flags)] {
            if !entries.is_empty() {
                let map: Map<String, Value> = entries.into_iter().map(|(key, value)| (key, value.into())).collect();
                with.insert(name.into(), map.into());
            }
        }
        Single { kind: "scale-apiserver", with, targets: self.targets, how: self.how }.run(app)
    }
}

#[cfg(test)]
mod tests {
    use super::entry;

    #[test]
    fn a_dash_removes() {
        assert_eq!(entry("memory=8Gi"), Ok(("memory".into(), Some("8Gi".into()))));
        assert_eq!(entry("cpu-"), Ok(("cpu".into(), None)));
        assert_eq!(entry("v=-"), Ok(("v".into(), Some("-".into()))));
        assert!(entry("cpu").is_err() && entry("=1").is_err() && entry("-").is_err());
    }
}
