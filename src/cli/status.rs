//! `status`

use std::process::ExitCode;

use futures::StreamExt as _;
use futures::stream;

use super::clusters::Chosen;
use super::hosts::Hosts;
use super::{App, clusters, drive, failure, trust, ways};
use crate::change::Part;
use crate::error::{Class, Failure};
use crate::journal::Store;
use crate::render::Output;
use crate::render::view::status::{self as view, Report};
use crate::sandbox::Weather;
use crate::status::hosts::On;
use crate::status::journals::Journals;
use crate::status::{Found, NotKnown, hosts, journals, merge, objects};
use crate::world::World as _;

/// Clusters whose objects are listed at the same time.
const AT_ONCE: usize = 16;

/// Every change of ours that still stands, whose it is, what ends it by itself, and what takes it back
///
/// Examples:
///   breakglass status --cluster prod          by the journals here and the marks on its hosts
///   breakglass status --cluster prod --api    by the marks on its objects, too
///   breakglass status --cluster all -o json | jq '.stands[].back.command'
///   breakglass status --cluster all --api --exit-code || page-somebody
///
/// Needs no journal: the marks on hosts and objects say what stands and whose it is. What could not be looked at is said to be not known.
/// Asks the hosts over SSH, five scripts each, all side by side; the API only with --api.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Status {
    /// List objects with our marks in the API, too: up to 23 LISTs of metadata for each cluster, in pages of 500, at most 10 each.
    #[arg(long)]
    api: bool,

    /// End with 9 when something stands, with 4 or 7 when something that was to be looked at could not be.
    #[arg(long)]
    exit_code: bool,

    /// Only these hosts, by their names in the kit [default: all].
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,
}

impl Status {
    pub(super) fn run(self, app: &App) -> Result<ExitCode, Failure> {
        drive::block_on(async {
            let chosen =
                if self.api { clusters::choose_in(Weather::Storm, app).await } else { clusters::choose(app).await };
            let journals = self.journals(app, chosen.as_ref().ok());
            trust::tell(app, &journals.folders);
            // What the journals here say is told also where nobody else can be asked.
            let chosen = match chosen {
                Ok(chosen) => chosen,
                Err(failure) => {
                    self.show(app, &Report::of_journals(journals.stands, journals.not_known));
                    return Err(failure);
                }
            };
            let asked = Hosts::all(app, &chosen, self.targets.as_deref())?;
            let found = self.look(app, &chosen, &asked).await;
            let report = self.report(app, &chosen, &asked, journals, found);
            self.show(app, &report);
            if !asked.targets().is_empty() && report.hosts_silent() == asked.targets().len() {
                return Err(Failure::new(Class::NoRoute, "no host could be asked").hint(
                    "a gate and a recovery API server end by themselves; breakglass probe looks for another way in",
                ));
            }
            Ok(self.code(&report))
        })
    }

    fn journals(&self, app: &App, chosen: Option<&Chosen>) -> Journals {
        let known = chosen.map(|chosen| chosen.clusters.iter().map(clusters::identity).collect::<Vec<_>>());
        let store = Store::at(app.process.runs_dir());
        journals::read(&store, &known.unwrap_or_default(), app.process.clock.now()).unwrap_or_else(|error| {
            let what = "what stands by the journals here".to_owned();
            let why = failure::store(error).to_string();
            Journals { not_known: vec![NotKnown { cluster: None, host: None, what, why }], ..Journals::default() }
        })
    }

    async fn look(&self, app: &App<'_>, chosen: &Chosen, asked: &Hosts) -> Found {
        let now = app.process.clock.now();
        let mut found = Found::default();
        let on_hosts = asked.each(async |target| {
            let cluster = chosen.clusters.iter().find(|cluster| cluster.name == target.cluster);
            let Some(host) = cluster.and_then(|cluster| cluster.host(target.short())) else { return Found::default() };
            hosts::look(On { reads: &asked.live, target: &target, host, now }).await
        });
        on_hosts.await.into_iter().for_each(|one| found.add(one));
        if self.api {
            let names: Vec<String> = chosen.clusters.iter().map(|cluster| cluster.name.clone()).collect();
            ways::find(app, &asked.live, &names).await;
            let on_objects = stream::iter(names.iter().map(|name| objects::look(&asked.live, name)));
            on_objects.buffered(AT_ONCE).collect::<Vec<_>>().await.into_iter().for_each(|one| found.add(one));
        }
        found
    }

    fn report(&self, app: &App, chosen: &Chosen, asked: &Hosts, journals: Journals, found: Found) -> Report {
        let names: Vec<String> = chosen.clusters.iter().map(|cluster| cluster.name.clone()).collect();
        // Whoever names clusters is told of these.
        let named = !app.flags.clusters.cluster.is_empty();
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            journals.stands.into_iter().partition(|one| !named || names.contains(&one.cluster));
        let mut others: Vec<String> = elsewhere.into_iter().map(|one| one.cluster).collect();
        others.sort();
        others.dedup();
        let costs = asked.live.costs();
        let of_api = costs.iter().filter(|(target, _)| matches!(target.part, Part::ApiServer(_)));
        let (requests, bytes) =
            of_api.fold((0, 0), |(requests, bytes), (_, cost)| (requests + cost.requests, bytes + cost.bytes_in));
        Report {
            hosts: names.iter().map(|name| asked.targets().iter().filter(|at| at.cluster == *name).count()).collect(),
            flags: flags(app),
            clusters: names,
            stands: merge(found.stands, here, &found.looked),
            not_known: journals.not_known.into_iter().chain(found.not_known).collect(),
            remarks: found.remarks,
            others,
            api: self.api.then_some((requests, bytes)),
        }
    }

    fn show(&self, app: &App, report: &Report) {
        app.screen.out(&match app.output {
            Output::Json => view::json(report).to_string(),
            Output::Text => view::text(report),
        });
    }

    /// What stands comes first: somebody has to be told of it whatever else could not be looked at.
    fn code(&self, report: &Report) -> ExitCode {
        let class = match report {
            _ if !self.exit_code => return ExitCode::SUCCESS,
            report if report.stand() > 0 => Class::Stands,
            report if report.not_known.iter().any(|one| one.cluster.is_some()) => Class::NoRoute,
            report if !report.not_known.is_empty() => Class::Journal,
            _ => return ExitCode::SUCCESS,
        };
        ExitCode::from(class.exit_code())
    }
}

/// The flags that lead a command to where this one was; a cluster of the kit is named besides.
fn flags(app: &App) -> view::Flags {
    let connection = &app.flags.connection;
    if !connection.names_a_server() {
        return view::Flags::Kit(clusters::kit_word(app));
    }
    let path = connection.kubeconfig.as_ref().map(|path| path.display().to_string());
    let given = [
        ("kubeconfig", path.as_ref()),
        ("context", connection.context.as_ref()),
        ("server", connection.server.as_ref()),
        ("via", connection.via.as_ref()),
    ];
    let given = given.into_iter().filter_map(|(flag, value)| Some(format!(" --{flag} {}", crate::shell::word(value?))));
    view::Flags::Typed(given.collect())
}
