//! Which clusters a verb works on, and where they are written down.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::{failure, inputs};
use crate::change::Part;
use crate::change::sha256_hex;
use crate::cli::App;
use crate::error::{Class, Failure};
use crate::journal::{Identity, PRACTICE, Run};
use crate::kit::adhoc::{Asking, Plugins};
use crate::kit::{self, Cluster, Host};
use crate::link::names;
use crate::link::ssh::config::Overrides;
use crate::runbook::On;
use crate::sandbox::{BUILT_IN, Sandbox, Weather};

/// The clusters of a command.
pub(in crate::cli) struct Chosen {
    /// In the order they are worked on.
    pub(in crate::cli) clusters: Vec<Cluster>,
    /// Where they were found, for the journal.
    pub(in crate::cli) source: String,
    /// Those that an undo has to leave as they are, and why.
    pub(in crate::cli) left_out: BTreeMap<String, String>,
    /// The practice cluster, which lives as long as this value.
    _sandbox: Option<Sandbox>,
}

impl Chosen {
    /// What a runbook may say of them.
    pub(in crate::cli) fn on(&self) -> On<'_> {
        match self.clusters.as_slice() {
            [one] => On::One(&one.name),
            _ => On::Several,
        }
    }
}

/// Reading `ssh -G` and running a credential plugin once end by then.
const FIND_WITHIN: Duration = Duration::from_secs(30);
/// The clusters that the flags name, for a plan: no plugin is run. A practice cluster is drowning.
pub(in crate::cli) async fn choose(app: &App<'_>) -> Result<Chosen, Failure> {
    chosen(Weather::Storm, app, Plugins::Named).await
}

/// The clusters that the flags name; a practice cluster begins in this weather.
pub(in crate::cli) async fn choose_in(weather: Weather, app: &App<'_>) -> Result<Chosen, Failure> {
    chosen(weather, app, Plugins::Run).await
}

async fn chosen(weather: Weather, app: &App<'_>, plugins: Plugins) -> Result<Chosen, Failure> {
    if app.flags.clusters.sandbox {
        alone(app, "the sandbox")?;
        return sandbox(weather).await;
    }
    if app.flags.connection.names_a_server() {
        if !app.flags.clusters.cluster.is_empty() {
            alone(app, "--cluster")?;
        }
        return without_kit(app, plugins).await;
    }
    let (folder, mut words) = (kit_dir(app), app.flags.clusters.cluster.clone());
    if words.is_empty() {
        let known = kit::load::names(&folder).map_err(|refusal| failure::refused("the kit", vec![refusal]))?;
        // The kit's only cluster needs no name; of several, none is meant by saying nothing.
        if known.len() > 1 {
            let what = format!("the kit has {} clusters and none was named", known.len());
            return Err(inputs::refuse(what, format!("--cluster {}, or --cluster all", crate::words::fold(&known))));
        }
        if known.is_empty() && app.flags.clusters.kit.is_none() {
            return without_kit(app, plugins).await;
        }
        words = known;
    }
    named(app, &words, &folder)
}

/// Refuses the flags that say what `beside` says itself: one would act as somebody else than one believes.
pub(in crate::cli) fn alone(app: &App, beside: &str) -> Result<(), Failure> {
    let given = app.flags.connection.beside_a_kit();
    if given.is_empty() {
        return Ok(());
    }
    let variables: Vec<String> =
        given.iter().map(|flag| format!("BREAKGLASS_{}", flag[2..].to_uppercase().replace('-', "_"))).collect();
    let what = format!(
        "{} would have no effect beside {beside}, which says where its API servers are, who we are and whom we trust",
        given.join(", ")
    );
    let hint = format!(
        "leave it out, also as {}; or do without a kit: --context NAME, --kubeconfig FILE or --server ADDRESS",
        variables.join(", ")
    );
    Err(inputs::refuse(what, hint))
}

/// The embedded practice cluster, started now.
async fn sandbox(weather: Weather) -> Result<Chosen, Failure> {
    has_sandbox()?;
    let sandbox = Sandbox::start(weather).await.map_err(|error| Failure::from_error(Class::NoRoute, error))?;
    Ok(Chosen {
        clusters: vec![sandbox.cluster.clone()],
        source: PRACTICE.into(),
        left_out: BTreeMap::new(),
        _sandbox: Some(sandbox),
    })
}

/// Refuses where this build has no practice cluster.
pub(in crate::cli) fn has_sandbox() -> Result<(), Failure> {
    if BUILT_IN {
        return Ok(());
    }
    let what = "this breakglass was built without the practice cluster: neither `sandbox` nor --sandbox works";
    Err(inputs::refuse(what, "build it with cargo's feature `sandbox`, which is one of its defaults"))
}

/// The clusters of a run that was begun before.
pub(in crate::cli) async fn of_run(app: &App<'_>, run: &Run) -> Result<Chosen, Failure> {
    let header = &run.header;
    let chosen = match kit_of_run(app, run)? {
        Some(folder) => named(app, &header.clusters, &folder)?,
        None => without_kit(app, Plugins::Run).await?,
    };
    let names: Vec<&String> = chosen.clusters.iter().map(|cluster| &cluster.name).collect();
    if names != header.clusters.iter().collect::<Vec<_>>() {
        let what = format!("run {} was made on {}", header.run, crate::words::fold(&header.clusters));
        return Err(inputs::refuse(what, "give the flags that it was started with"));
    }
    same(app, run, &chosen.clusters).map(|()| chosen)
}

/// The clusters of a run that is taken back: one that cannot be found as it was is left out, and holds up no other.
pub(in crate::cli) async fn to_take_back(app: &App<'_>, run: &Run) -> Result<Chosen, Failure> {
    let Some(folder) = kit_of_run(app, run)? else { return of_run(app, run).await };
    alone(app, &format!("the kit {}", folder.display()))?;
    let (mut clusters, mut left_out) = (Vec::new(), BTreeMap::new());
    for name in &run.header.clusters {
        let loaded = kit::load::file(&kit::load::path_of(&folder, name), app.process);
        let found = loaded.map_err(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
        let found = found.and_then(|cluster| match same(app, run, std::slice::from_ref(&cluster)) {
            Ok(()) => Ok(cluster),
            Err(failure) => Err([vec![failure.to_string()], failure.hints].concat().join("; ")),
        });
        match found {
            Ok(cluster) => clusters.push(cluster),
            Err(why) => {
                left_out.insert(name.clone(), why);
            }
        }
    }
    if clusters.is_empty() {
        return of_run(app, run).await;
    }
    for (name, why) in left_out.iter().filter(|(name, _)| run.standing().any(|record| record.target.cluster == **name))
    {
        app.screen.err(&format!("note: {name} is left as it is: {}", crate::words::one_line(why)));
    }
    forewarn(app, &clusters);
    Ok(Chosen { clusters, source: folder.display().to_string(), left_out, _sandbox: None })
}

/// The kit in which the clusters of a run are; none where flags say what its only cluster is.
fn kit_of_run(app: &App, run: &Run) -> Result<Option<PathBuf>, Failure> {
    let header = &run.header;
    if header.is_practice() {
        let what = format!("run {} was made on a practice cluster that is gone with its process", header.run);
        return Err(inputs::refuse(what, format!("`breakglass show {}` tells what it did", header.run)));
    }
    let asked = &app.flags.clusters.cluster;
    if !asked.is_empty() && kit::load::chosen(&header.clusters, asked).map(|all| all.len()) != Ok(header.clusters.len())
    {
        let what = format!(
            "run {} was made on {}, which is not what --cluster {} says",
            header.run,
            crate::words::fold(&header.clusters),
            asked.join(",")
        );
        return Err(inputs::refuse(what, "leave --cluster out, also as BREAKGLASS_CLUSTER: a run knows its clusters"));
    }
    if app.flags.connection.names_a_server() || !Path::new(&header.kit).is_absolute() {
        return Ok(None);
    }
    Ok(Some(app.flags.clusters.kit.as_ref().map_or_else(|| PathBuf::from(&header.kit), |_| kit_dir(app))))
}

/// What tells a cluster from another of the same name.
pub(in crate::cli) fn identity(cluster: &Cluster) -> Identity {
    // Comments and line breaks of a PEM file say nothing about whom it trusts, nor does its order.
    let mut ca: Vec<Vec<u8>> =
        CertificateDer::pem_slice_iter(&cluster.ca).filter_map(|cert| Some(cert.ok()?.to_vec())).collect();
    ca.sort_unstable();
    Identity {
        cluster: cluster.name.clone(),
        servers: cluster.api_servers.iter().map(|server| server.address.to_string()).collect(),
        ca: sha256_hex(&ca.concat()),
        hosts: Some(cluster.hosts.iter().map(|host| (host.name.clone(), at(host))).collect()),
    }
}

/// Where SSH is on a host.
fn at(host: &Host) -> String {
    std::net::SocketAddr::new(host.address, host.ssh.port).to_string()
}

/// Refuses to go on on a cluster that only has the name of the one a run was made on, and says what cannot be compared.
fn same(app: &App<'_>, run: &Run, clusters: &[Cluster]) -> Result<(), Failure> {
    let id = &run.header.run;
    for cluster in clusters {
        let standing = run.standing().filter(|record| record.target.cluster == cluster.name);
        let mut acted: Vec<&str> = standing
            .filter_map(|record| match &record.target.part {
                Part::Host(host) => Some(host.as_str()),
                Part::Cluster | Part::ApiServer(_) | Part::Local => None,
            })
            .collect();
        acted.sort_unstable();
        acted.dedup();
        let Some(then) = run.header.identities.iter().find(|then| then.cluster == cluster.name) else {
            let what = "which cluster it was made on is not in its journal: only the name is compared";
            app.screen.err(&format!("note: run {id} on {}: {what}", cluster.name));
            continue;
        };
        let now = identity(cluster);
        if let Some(why) = then.differs(&now, &acted) {
            return Err(inputs::refuse(
                format!("{:?} ({}) is not the cluster that run {id} was made on: {why}", cluster.name, cluster.source),
                format!(
                    "--kit FOLDER names the kit of that cluster; it was made with {}. By hand: `breakglass show {id}`",
                    run.header.kit
                ),
            ));
        }
        if let Some(what) = then.unknown(&now, &acted) {
            app.screen.err(&format!("note: run {id} on {}: {what}", cluster.name));
        }
    }
    Ok(())
}

/// One cluster from kubectl's configuration and flags.
async fn without_kit(app: &App<'_>, plugins: Plugins) -> Result<Chosen, Failure> {
    let deadline = Instant::now() + FIND_WITHIN;
    let refused = |all| failure::refused("the way to the cluster", all);
    let connection = &app.flags.connection;
    let via = match &connection.via {
        None => None,
        Some(word) => match host_of_kit(app, word)? {
            Some(host) => Some(host),
            None => {
                if plugins == Plugins::Named {
                    let note =
                        format!("note: `ssh -G {word}` was asked, which runs what `Match exec` of ssh_config says");
                    app.screen.err(&note);
                }
                let resolver = names::resolver(app.process);
                let named = names::host(&resolver, word, &Overrides::default(), deadline).await;
                let named = named.map_err(|refusal| refused(vec![refusal]))?;
                named.notes.iter().for_each(|note| app.screen.err(note));
                Some(named.host)
            }
        },
    };
    let hear = |line: &str| app.screen.err(line);
    let asking = Asking { deadline, plugins, hear: &hear };
    let found = kit::adhoc::cluster(&connection.flags(via), app.process, &asking).await.map_err(refused)?;
    found.notes.iter().for_each(|note| app.screen.err(note));
    let clusters = vec![found.cluster];
    forewarn(app, &clusters);
    Ok(Chosen { source: clusters[0].source.clone(), clusters, left_out: BTreeMap::new(), _sandbox: None })
}

/// The host of the kit that `--via` means, as HOST or CLUSTER/HOST. In an incident the kit goes first: it needs no name service.
fn host_of_kit(app: &App, word: &str) -> Result<Option<Host>, Failure> {
    let folder = kit_dir(app);
    let known = kit::load::names(&folder).map_err(|refusal| failure::refused("the kit", vec![refusal]))?;
    let (cluster, name) = word.split_once('/').map_or((None, word), |(cluster, name)| (Some(cluster), name));
    let mut found: Vec<(String, Host)> = Vec::new();
    for cluster in known.iter().filter(|known| cluster.is_none_or(|cluster| cluster == **known)) {
        match kit::load::file(&kit::load::path_of(&folder, cluster), app.process) {
            Ok(loaded) => found.extend(loaded.host(name).map(|host| (cluster.clone(), host.clone()))),
            // One damaged file must not hold up a way that goes by another, or by no kit at all.
            Err(refusals) => {
                let why = refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                app.screen.err(&format!("note: not looked into for {word}: {why}"));
            }
        }
    }
    found.dedup_by(|(_, one), (_, other)| one == other);
    match found.as_slice() {
        [] if cluster.is_some() => {
            let what = format!("--via {word}: the kit {} has no such host", folder.display());
            Err(inputs::refuse(
                what,
                format!(
                    "--via HOST without a cluster is looked for in ssh_config, too; the kit has {}",
                    crate::words::fold(&known)
                ),
            ))
        }
        [] => Ok(None),
        [(cluster, host)] => {
            app.screen.err(&format!("note: {word} is host {} of cluster {cluster} of the kit", host.name));
            Ok(Some(host.clone()))
        }
        several => {
            let names: Vec<String> = several.iter().map(|(cluster, host)| format!("{cluster}/{}", host.name)).collect();
            Err(inputs::refuse(
                format!("--via {word}: several clusters of the kit have a host of that name"),
                format!("--via {}", names.join(", or --via ")),
            ))
        }
    }
}

/// Clusters of the kit.
pub(in crate::cli) fn named(app: &App, words: &[String], folder: &std::path::Path) -> Result<Chosen, Failure> {
    alone(app, &format!("the kit {}", folder.display()))?;
    let refused = |all| failure::refused("the kit", all);
    let (clusters, wrong) = kit::load::each(folder, words, app.process).map_err(refused)?;
    if !wrong.is_empty() {
        // Whoever chose them can go on with the others.
        if !clusters.is_empty() && !app.flags.clusters.cluster.is_empty() {
            let names: Vec<String> = clusters.iter().map(|cluster| cluster.name.clone()).collect();
            let names = crate::words::fold(&names);
            app.screen
                .err(&format!("note: nothing is wrong with {names}: --cluster '{names}' works without the others"));
        }
        return Err(refused(wrong));
    }
    forewarn(app, &clusters);
    Ok(Chosen { clusters, source: folder.display().to_string(), left_out: BTreeMap::new(), _sandbox: None })
}

/// Says beforehand whose API will not know us, since what goes by SSH goes on all the same, and what kubectl would do otherwise.
fn forewarn(app: &App, clusters: &[Cluster]) {
    let now = app.process.clock.now();
    let notes = clusters.iter().flat_map(|cluster| [cluster.void_note(now), kit::proxy::note(cluster, app.process)]);
    notes.flatten().for_each(|note| app.screen.err(&format!("note: {note}")));
}

/// The kit's folder: the flag, else where it is looked for.
pub(in crate::cli) fn kit_dir(app: &App) -> PathBuf {
    app.flags.clusters.kit.as_ref().map_or_else(|| app.process.kit_dir(), |dir| app.process.cwd.join(dir))
}

/// ` --kit DIR` for a command that is to be typed next, where it would be another kit without.
pub(in crate::cli) fn kit_word(app: &App) -> String {
    let word = |dir: &PathBuf| format!(" --kit {}", crate::shell::word(&dir.display().to_string()));
    app.flags.clusters.kit.as_ref().map(word).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use clap::{CommandFactory as _, Parser as _};

    use super::*;
    use crate::cli::{Cli, flags::OutputForm};
    use crate::process::Process;
    use crate::render::{Refusals, Screen};

    /// What is said to a command line in a folder whose kit has one cluster.
    fn said(line: &[&str]) -> String {
        let folder = tempfile::TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("kit")).unwrap();
        std::fs::write(folder.path().join("kit/prod.yaml"), "not read").unwrap();
        let cli = Cli::try_parse_from(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        assert_eq!(cli.flags.output.output, OutputForm::Text);
        let process = Process { cwd: folder.path().to_owned(), ..Process::real() };
        let screen = Arc::new(Screen::to(std::io::sink(), std::io::sink()));
        let app = App { process: &process, flags: cli.flags, output: crate::render::Output::Text, screen };
        let chosen = super::super::drive::block_on(choose(&app));
        let failure = chosen.err().unwrap();
        let refusals = failure.source.downcast_ref::<Refusals>().unwrap();
        refusals.all.iter().map(|refusal| format!("{refusal}\n")).collect()
    }

    #[test]
    fn no_flag_of_a_connection_is_silently_without_effect_beside_a_kit() {
        let command = Cli::command();
        let of_connection = command.get_arguments().filter(|arg| arg.get_help_heading() == Some("Connection"));
        let flags: Vec<&str> = of_connection.filter_map(clap::Arg::get_long).collect();
        assert!(flags.len() > 8 && flags.contains(&"token"), "{flags:?}");
        for flag in flags {
            // The verb's own: its object and its patience; and what the hosts of any kit have.
            if ["namespace", "request-timeout", "recovery", "access"].contains(&flag) {
                continue;
            }
            let word = format!("--{flag}=1");
            let own_way = ["kubeconfig", "context", "server", "via"].contains(&flag);
            for chooses in ["--cluster=prod", "--kit=kit", "--sandbox"] {
                // Without --cluster these do without a kit; and clap knows that they are not for the sandbox.
                if own_way && chooses != "--cluster=prod" {
                    continue;
                }
                let said = said(&["breakglass", chooses, &word, "probe"]);
                assert!(said.contains(&format!("--{flag} would have no effect")), "{chooses} {word}: {said}");
                let variable = format!("BREAKGLASS_{}", flag.to_uppercase().replace('-', "_"));
                assert!(said.contains(&variable) && said.contains("--context NAME"), "{said}");
            }
        }
        // Several are named together, and with none the kit is read.
        assert!(
            said(&["breakglass", "--kit=kit", "--token=1", "--client-key=1", "probe"])
                .contains("--client-key, --token")
        );
        assert!(!said(&["breakglass", "--kit=kit", "--cluster=prod", "probe"]).contains("no effect"));
    }
}
