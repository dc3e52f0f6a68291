//! Storms: a telemetry service whose agents list and re-list the whole cluster, one pod on each node, as on 2024-12-11.
//!
//! The pods are a real DaemonSet on hollow nodes. Hollow pods run nothing, so one process on the nodes' host plays the
//! agents of exactly those pods that the nodes' kubelets say they run, with the tokens that these gave them.

mod oom;
mod service;
mod settings;

use std::{
    fmt, fs,
    net::IpAddr,
    num::NonZero,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread::available_parallelism,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use rustix::process::Signal;
use serde::Deserialize;

pub use oom::{OomSettings, STORM_OOM, start_storm_oom};
pub use service::{OFFENDER, ballast};
pub use settings::{
    Beside, STORM, STORM_APF, STORM_HA, STORM_MASTERS, STORM_RHYTHM, STORM_UNBOUND, STORM_WATCH, Settings, Tokens,
};

use crate::{
    Host, Lab, Socket, binaries,
    component::{Component, wait_until},
    components::{API_PORT, ApiFlags},
    control_plane::{ApiServer, ControlPlane, Options, UP, hollow_nodes},
    kubectl::Curl,
    limits::CpuLimit,
    pki::User,
    process::Process,
    turn::Place,
};

/// What an API server may use of the processors while a storm is made ready again.
const ROOM: u32 = 150;
/// By then a storm has risen, several times over, where the collectors get what they need of the machine.
const RISES: Duration = Duration::from_mins(1);

/// A storm that blows.
pub struct Storm {
    plane: ControlPlane,
    nodes: Host,
    agents: Component,
    cpu: CpuLimit,
    /// What each server may use of one processor: less than the settings say where the storm would not rise.
    percent: AtomicU32,
    settings: Settings,
    _place: Option<Place>,
}

/// What the agents have seen so far; `agents` is how many collectors run now, of `pods` pods.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Agents {
    pub pods: u64,
    pub agents: u64,
    pub ok: u64,
    pub throttled: u64,
    /// Lists that were refused with a 401, because the token has ended.
    pub unauthorized: u64,
    pub failed: u64,
    pub bytes: u64,
}

impl fmt::Display for Agents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pods, agents, ok, throttled, unauthorized, failed, bytes } = self;
        write!(
            f,
            "{agents} collectors of {pods} pods: {ok} lists ({} MB), {throttled} x 429, {unauthorized} x 401, {failed} failed",
            bytes / 1_000_000
        )
    }
}

impl Storm {
    /// Waits for its place among the storms of this machine, builds a control plane on `host` and a fleet of hollow nodes on
    /// `nodes`, fills it with ballast, deploys the telemetry service and waits until the storm has risen.
    pub fn start(lab: &Lab, host: &Host, nodes: &Host, settings: &Settings) -> Result<Self> {
        Self::start_on(lab, &[host], nodes, settings)
    }

    /// The same with an API server on each of `hosts`. Nodes and collectors are spread over all of them, and turn to
    /// another when theirs takes no connections any more: a server's process that is killed stays dead.
    pub fn start_on(lab: &Lab, hosts: &[&Host], nodes: &Host, settings: &Settings) -> Result<Self> {
        let place = match settings.beside {
            Beside::Whatever => None,
            Beside::Others => Some(place_for_a_storm(settings.story)?),
            Beside::Nothing => Some(Place::alone(&places()?)?),
        };
        let Settings { priority_and_fairness, verbosity, .. } = *settings;
        let api = ApiFlags { priority_and_fairness, verbosity, ..ApiFlags::default() };
        let mut plane = ControlPlane::start(lab, hosts, &Options { api, ..Options::default() })?;
        plane.add_hollow_nodes(nodes, settings.nodes)?;
        service::ballast(plane.access(), settings.ballast)?;
        service::deploy(&plane, settings)?;
        let servers = plane.servers().iter().map(|server| server.component().process());
        let cpu = CpuLimit::for_each(settings.name, &servers.collect::<Result<Vec<_>>>()?, settings.cpu_percent)?;
        let agents = service::start_agents(&plane, nodes, settings)?;
        let percent = settings.cpu_percent.into();
        let storm =
            Self { plane, nodes: nodes.clone(), agents, cpu, percent, settings: settings.clone(), _place: place };
        storm.wait_risen()?;
        Ok(storm)
    }

    /// A client that is busy and harms nobody, until it is dropped: with a service account of its own it reads one small object,
    /// five times a second.
    pub fn innocent(&self, name: &str) -> Result<Component> {
        service::innocent(&self.plane, &self.nodes, name)
    }

    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// The host of all nodes and agents.
    pub fn nodes(&self) -> &Host {
        &self.nodes
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many collectors there are while every node runs its pod.
    pub fn collectors(&self) -> u64 {
        u64::from(self.settings.nodes) * self.settings.collectors
    }

    /// The share of a processor of each API server's process, which a test may raise.
    pub fn cpu(&self) -> &CpuLimit {
        &self.cpu
    }

    /// What the agents have seen until a second ago.
    pub fn agents(&self) -> Result<Agents> {
        // The log is there as soon as the agents' process has got so far.
        let log = fs::read_to_string(self.agents.log()).unwrap_or_default();
        let line = log.lines().rev().find(|line| line.starts_with('{') && line.ends_with('}'));
        line.map_or_else(|| Ok(Agents::default()), |line| serde_json::from_str(line).with_context(|| line.to_owned()))
    }

    /// The established connections from the nodes' addresses, kubelets' and collectors', that the hosts of the API
    /// servers see at their port.
    pub fn connections(&self) -> Result<Vec<Socket>> {
        let nodes: Vec<IpAddr> =
            hollow_nodes(&self.nodes, self.settings.nodes).into_iter().map(|(_, address)| address.into()).collect();
        let mut all = Vec::new();
        for server in self.plane.servers() {
            all.extend(server.host().connections_to(API_PORT)?);
        }
        all.retain(|socket| nodes.contains(&socket.peer.ip()));
        Ok(all)
    }

    /// Lets the same storm blow again after it has ended, or in place of one that goes on.
    pub fn blow_again(&self) -> Result<()> {
        let lull = self.lull()?;
        service::deploy(&self.plane, &self.settings)?;
        drop(lull);
        self.wait_risen()
    }

    /// Nobody collects and the servers have room until this is dropped: for what has to be asked in the middle of a storm, or
    /// built anew. With room alone, the collectors would take the whole machine.
    pub fn lull(&self) -> Result<Lull<'_>> {
        let agents = self.agents.process()?;
        agents.signal(Signal::STOP);
        let lull = Lull { storm: self, agents };
        self.cpu.set(ROOM)?;
        Ok(lull)
    }

    /// Waits until the telemetry service is Ready on every node, which it may never be in the storm itself: for a lull.
    pub fn wait_deployed(&self) -> Result<()> {
        service::wait_deployed(&self.plane, &self.settings)
    }

    /// Waits until every collector collects and every server is slow.
    pub fn wait_risen(&self) -> Result<()> {
        self.agents.wait(UP, || Ok(self.agents()?.agents == self.collectors()))?;
        self.plane.servers().iter().try_for_each(|server| self.wait_slow(server))
    }

    /// On a machine that is busy with something else the collectors do not get to ask for as much, and the server would keep
    /// up with them: it is made smaller then, until it does not.
    fn wait_slow(&self, server: &ApiServer) -> Result<()> {
        let curl = Curl::new(self.plane.access(), User::Alice)?;
        let (url, slow, began) = (format!("{}/version", server.url()), self.settings.slow, Instant::now());
        let (mut in_a_row, mut answered, mut rising) = (0, Vec::new(), Instant::now());
        let risen = wait_until(&format!("a request to {url} that takes {slow:?}, three times in a row"), UP, || {
            let output = curl.get(&url, slow)?;
            in_a_row = if output.success() { 0 } else { in_a_row + 1 };
            answered.extend(output.success().then_some(output.took));
            if in_a_row == 0 && rising.elapsed() > RISES {
                rising = Instant::now();
                self.shrink(began.elapsed())?;
            }
            Ok(in_a_row == 3)
        });
        risen.map_err(|error| {
            let (count, slowest) = (answered.len(), answered.iter().max().copied().unwrap_or_default());
            let agents = self.agents().map_or_else(|error| format!("{error:#}"), |agents| agents.to_string());
            anyhow!("{error}: {count} were answered, the slowest after {slowest:?}; {agents}")
        })
    }

    /// Gives each server a third less of a processor.
    fn shrink(&self, waited: Duration) -> Result<()> {
        let percent = (self.percent.load(Relaxed) * 2 / 3).max(1);
        println!("storm: has not risen in {waited:.0?}: {percent} % of a processor for each API server from now on");
        self.percent.store(percent, Relaxed);
        self.cpu.set(percent)
    }

    /// Waits until no collector is left, because no kubelet runs a pod of the telemetry service any more.
    pub fn wait_calm(&self, limit: Duration) -> Result<()> {
        let calm = wait_until("the end of all agents", limit, || Ok(self.agents()?.agents == 0));
        calm.map_err(|error| anyhow!("{error}\n{}", self.agents.tail()))
    }
}

/// A pause of a storm; see [`Storm::lull`].
pub struct Lull<'a> {
    storm: &'a Storm,
    agents: Process,
}

impl fmt::Debug for Lull<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lull").finish_non_exhaustive()
    }
}

impl Drop for Lull<'_> {
    fn drop(&mut self) {
        // Without its limit no server would drown, and the test would say so.
        let _ = self.storm.cpu.set(self.storm.percent.load(Relaxed));
        self.agents.signal(Signal::CONT);
        // `nsenter` stops itself when its child is stopped, and then would never see the child's end.
        if let Some(nsenter) = Process::read(self.agents.parent) {
            nsenter.signal(Signal::CONT);
        }
    }
}

/// A place for a storm that a test makes by itself, and of which its story takes about so long: longer ones come first.
pub fn place_for_a_storm(story: Duration) -> Result<Place> {
    Place::one_of(&places()?, processors(), story)
}

/// A place to keep from storms, if one can be spared: `None` where it is the only one, or none is free.
pub fn place_to_spare() -> Result<Option<Place>> {
    if processors() == 1 { Ok(None) } else { Place::kept(&places()?, processors()) }
}

fn processors() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

/// The folder of the places' locks: beside the folders of all builds, so that storms of different builds take turns.
fn places() -> Result<PathBuf> {
    let program = binaries::telemetry_agent()?;
    let builds = program.ancestors().nth(2).context("a build is in a folder of its own, beside others")?;
    Ok(builds.to_owned())
}
