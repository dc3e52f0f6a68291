//! `kit refresh`

use std::path::Path;

use crate::change::Target;
use crate::cli::common::hosts::Hosts;
use crate::cli::{App, clusters, drive};
use crate::error::{Class, Failure};
use crate::host::rescue;
use crate::host::swap::{self, Place, Stands};
use crate::kit::kept;
use crate::render::Output;
use crate::render::view;
use crate::render::view::kept::{Outcome, Row};
use crate::steps::Program;
use crate::words;
use crate::world::Reads as _;

/// Keep the manifests that the control plane answers with, beside the kit's file
///
/// Examples:
///   breakglass kit refresh          by cron, or after each upgrade
///   breakglass kit refresh prod --targets etcd[1-3]
///
/// Reads them on each host over SSH, and changes nothing there. One whose
/// component does not answer is not kept, and the copy from before stays. In an
/// incident `breakglass rescue-manifest --from kit` puts such a copy in the place
/// of a manifest that is gone or broken.
///
/// Ends with 3 when something that runs as a static pod was not kept, with 4 when
/// a host could not be asked.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Refresh {
    /// Clusters: names, `eu[1-3]`, `all`, `!name` [default: those of --cluster, else all].
    names: Vec<String>,

    /// Only these hosts, by their names in the kit [default: those of the API servers].
    #[arg(long, value_name = "NAMES")]
    targets: Option<String>,
}

impl Refresh {
    pub(super) fn run(self, app: &App, folder: &Path) -> Result<(), Failure> {
        super::of_the_kit(app, "kit refresh")?;
        let names = super::chosen(app, self.names, "kit refresh")?;
        let chosen = clusters::named(app, &names, folder)?;
        let all = drive::block_on(async {
            let hosts = Hosts::new(app, &chosen, self.targets.as_deref())?;
            let rows = hosts.each(async |target| of_host(app, &hosts, target).await).await;
            Ok(rows.into_iter().flatten().collect::<Vec<Row>>())
        })?;
        app.screen.out(&match app.output {
            Output::Json => all.iter().map(|row| format!("{}\n", view::kept::json(row))).collect(),
            Output::Text => view::kept::text(&all),
        });
        judge(&all)
    }
}

/// What the end is, of what became of each.
fn judge(all: &[Row]) -> Result<(), Failure> {
    let unasked = all.iter().filter(|row| row.said.is_err()).count();
    if unasked > 0 {
        let what = format!("{} could not be asked", words::count(unasked, "host"));
        return Err(Failure::new(Class::NoRoute, what).hint("breakglass probe says which way in is left"));
    }
    let left: Vec<&Row> = all.iter().filter(|row| matches!(row.said, Ok(Outcome::Left { .. }))).collect();
    if let Some(first) = left.first() {
        let what = format!("{} not kept", words::count(left.len(), "manifest"));
        let target = &first.target;
        let of = match first.program {
            "kube-apiserver" => String::new(),
            other => format!(", with {other} after rescue-manifest"),
        };
        let hint = format!(
            "where one is down, breakglass rescue-manifest --cluster {} --targets {} says why{of}",
            target.cluster,
            target.short()
        );
        return Err(Failure::new(Class::Refused, what).hint(hint));
    }
    Ok(())
}

/// One row for each component, or one for a host that could not be asked.
async fn of_host(app: &App<'_>, hosts: &Hosts, target: Target) -> Vec<Row> {
    let row = |program: &'static str, said| Row { target: target.clone(), program, said };
    let mut rows = Vec::new();
    for program in Program::ALL {
        match of_program(app, hosts, &target, program).await {
            Ok(Some(kept)) => rows.push(row(program.name(), Ok(kept))),
            Ok(None) => {}
            // The next question would wait as long for the same; what is kept already is.
            Err(why) => {
                rows.push(row("", Err(why)));
                return rows;
            }
        }
    }
    if rows.is_empty() {
        rows.push(row("", Ok(Outcome::Nothing)));
    }
    rows
}

/// What became of one component's manifest; `None` where the host has none.
async fn of_program(
    app: &App<'_>,
    hosts: &Hosts,
    target: &Target,
    program: Program,
) -> Result<Option<Outcome>, String> {
    let cluster = hosts.live.cluster(&target.cluster);
    let known = cluster.and_then(|cluster| Some((cluster, cluster.host(target.short())?)));
    let Some((cluster, host)) = known else { return Err(format!("{target} is not a host of the kit")) };
    let Some(path) = kept::path(cluster, &host.name, program.name()) else {
        return Err(format!("{} stands in no file of the kit", cluster.name));
    };
    let place = Place {
        manifests: host.manifests.clone(),
        program: program.name().into(),
        run: crate::journal::new_id(app.process.clock.now()),
        operator: String::new(),
        tag: String::new(),
    };
    let left = |why: String| {
        let before = kept::find(cluster, &host.name, program.name());
        Ok(Some(Outcome::Left { why, before: before.ok().flatten().map(|kept| kept.seen) }))
    };
    let seen = match hosts.one(target, &swap::look(&place)).await? {
        Ok(seen) => seen,
        Err(why) => return left(why),
    };
    if let Some(other) = seen.others.iter().find(|other| matches!(other.stands, Stands::Out | Stands::Moving)) {
        return left(format!("run {} is exchanging it", other.run));
    }
    let text = match seen.all.as_slice() {
        [] if path.exists() => return left(format!("there is none in {}", host.manifests)),
        [] => return Ok(None),
        [one] => match &one.text {
            Ok(text) => text,
            Err(why) => return left(format!("{}: {why}", one.path)),
        },
        several => {
            let paths: Vec<&str> = several.iter().map(|file| file.path.as_str()).collect();
            return left(format!("{} start it", paths.join(" and ")));
        }
    };
    let evidence = hosts.one(target, &rescue::look(&place, &program.asks(&seen))).await?;
    if !evidence.is_up() {
        let said = evidence.said.map_or_else(String::new, |said| format!(" ({said})"));
        return left(format!("it does not answer{said}"));
    }
    match kept::keep(&path, text) {
        Ok(fate) => Ok(Some(Outcome::Kept { fate, path })),
        Err(why) => left(why),
    }
}
