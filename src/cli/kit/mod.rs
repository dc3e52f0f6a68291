//! `kit import|list|check|refresh`

mod import;
mod refresh;

use std::process::ExitCode;

use super::{App, clusters, failure, inputs};
use crate::error::Failure;
use crate::kit::check::{self, Asks, Finding, Level};
use crate::kit::{self, Cluster};
use crate::link::names;
use crate::render::{Output, view};

/// Look after the kit: what was prepared in peace.
#[derive(Debug, clap::Args)]
pub(super) struct Kit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    Import(import::Import),
    /// List the clusters of the kit by name.
    List,
    /// Read every file of the kit and say what is wrong with it: addresses, keys, what ends, how one would get in
    ///
    /// Contacts nothing. Without names, all clusters. Ends with 3 when something would not work tonight: a certificate
    /// that has ended, no credential, no host key or no key to log in with. Warnings (ends within 30 days, no route
    /// through a host) end with 0.
    Check {
        /// Clusters: names, `eu[1-3]`, `all`, `!name` [default: those of --cluster, else all].
        names: Vec<String>,
    },
    Refresh(refresh::Refresh),
}

impl Kit {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        let folder = clusters::kit_dir(app);
        let refused = |all| failure::refused("the kit", all);
        match self.verb {
            Verb::Import(verb) => {
                let found = verb.run(app, &folder)?;
                // It is written already; what would not work is said as loudly by `kit check`.
                for (cluster, finding) in show(app, &found) {
                    app.screen.err(&format!("warning: {}", finding.refusal(cluster)));
                }
            }
            Verb::List => {
                of_the_kit(app, "kit list")?;
                let listed = kit::load::listed(&folder).map_err(|refusal| refused(vec![refusal]))?;
                listed.passed_over.iter().for_each(|note| app.screen.err(&format!("note: {note}")));
                let names = match app.flags.clusters.cluster.as_slice() {
                    [] => listed.names,
                    words => {
                        let chosen = kit::load::chosen(&listed.names, words)
                            .map_err(|fault| inputs::refuse(format!("cluster {fault}"), "breakglass kit list"))?;
                        chosen.into_iter().map(|at| listed.names[at].clone()).collect()
                    }
                };
                if names.is_empty() {
                    app.screen.err(&format!("no cluster in {}", folder.display()));
                }
                for name in names {
                    app.screen.out(&match app.output {
                        Output::Json => view::kit::name_json(&name).to_string(),
                        Output::Text => view::kit::name(&name),
                    });
                }
            }
            Verb::Check { names } => {
                of_the_kit(app, "kit check")?;
                let names = chosen(app, names, "kit check")?;
                let listed = kit::load::listed(&folder).map_err(|refusal| refused(vec![refusal]))?;
                listed.passed_over.iter().for_each(|note| app.screen.err(&format!("warning: {note}")));
                let (found, mut wrong) = kit::load::each(&folder, &names, app.process).map_err(refused)?;
                wrong.extend(show(app, &found).iter().map(|(cluster, finding)| finding.refusal(cluster)));
                if !wrong.is_empty() {
                    return Err(refused(wrong));
                }
            }
            Verb::Refresh(verb) => verb.run(app, &folder)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuses flags that mean other clusters than those of the kit.
fn of_the_kit(app: &App, verb: &str) -> Result<(), Failure> {
    if app.flags.clusters.sandbox {
        let what = format!("{verb} is for the clusters of the kit; --sandbox means another");
        return Err(inputs::refuse(what, "leave it out: breakglass kit list names those of the kit"));
    }
    clusters::alone(app, verb)
}

/// The clusters that a verb of the kit is for: those that stand after it, else those of --cluster, else all.
fn chosen(app: &App, names: Vec<String>, verb: &str) -> Result<Vec<String>, Failure> {
    match (names.as_slice(), app.flags.clusters.cluster.as_slice()) {
        ([], []) => Ok(vec!["all".to_owned()]),
        (_, []) => Ok(names),
        ([], named) => Ok(named.to_vec()),
        (names, named) if names == named => Ok(names.to_vec()),
        (names, named) => {
            let (names, named) = (names.join(","), named.join(","));
            let what = format!("{verb}: {names} is named, and --cluster says {named}");
            Err(inputs::refuse(what, "leave one of them out, also as BREAKGLASS_CLUSTER"))
        }
    }
}

/// Shows the clusters and what there is to say of them; gives back what would not work.
fn show<'a>(app: &App, found: &'a [Cluster]) -> Vec<(&'a Cluster, Finding)> {
    let now = app.process.clock.now();
    let checked: Vec<(&Cluster, Vec<Finding>)> =
        found.iter().map(|cluster| (cluster, findings(app, cluster, now))).collect();
    match app.output {
        Output::Json => {
            checked.iter().for_each(|(cluster, all)| app.screen.out(&view::kit::json(cluster, all).to_string()));
        }
        Output::Text if found.is_empty() => {}
        Output::Text => {
            app.screen.out(&view::kit::text(found));
            for (cluster, finding) in of_level(&checked, Level::Warning) {
                app.screen.out(&format!("warning: {}", finding.refusal(cluster)));
            }
        }
    }
    of_level(&checked, Level::Broken)
}

fn findings(app: &App, cluster: &Cluster, now: jiff::Timestamp) -> Vec<Finding> {
    let asks = Asks { knows_host_key: &names::knows_host_key, keys: &names::keys };
    let mut all = check::check(cluster, asks, now);
    all.extend(kit::proxy::note(cluster, app.process).map(|says| Finding {
        about: "routes".into(),
        level: Level::Warning,
        says,
        hint: None,
    }));
    // As it has to be typed here.
    let typed = format!("breakglass kit import {}{}", cluster.name, clusters::kit_word(app));
    for hint in all.iter_mut().filter_map(|finding| finding.hint.as_mut()) {
        *hint = hint.replace("breakglass kit import NAME", &typed);
    }
    all
}

fn of_level<'a>(checked: &[(&'a Cluster, Vec<Finding>)], level: Level) -> Vec<(&'a Cluster, Finding)> {
    let each = |(cluster, all): &(&'a Cluster, Vec<Finding>)| {
        let cluster = *cluster;
        all.iter().filter(|finding| finding.level == level).cloned().map(|f| (cluster, f)).collect::<Vec<_>>()
    };
    checked.iter().flat_map(each).collect()
}
