//! What a host is, for a gate: what can hold one, what it must not cut, and whether one stands there already.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::back_end::{TOOLSETS, libs};
use super::filter::Toolset;
use super::{BackEnd, GateSpec, Manager, Mark, Side};
use crate::host::apiserver::API_PORT;
use crate::host::genuine::GENUINE;
use crate::host::manifest::MANIFESTS;
use crate::host::order::{Order as _, Query, order};
use crate::script::{Answer, quote};

/// What the host is, and how we came.
const HOST: &str = include_str!("survey_host.sh");
/// Who else is there, and who listens.
const REST: &str = include_str!("survey_rest.sh");

order! {
    /// Looks at what a host is for a gate.
    GateSurvey = "gate.survey" { manifests: String } -> Survey, |_, stdout| parse_survey(stdout)
}

/// Looks at a host. Writes nothing. `manifests` are further folders of static pods.
pub fn survey(manifests: &[String]) -> Query<GateSurvey> {
    let dirs: Vec<String> = std::iter::once(MANIFESTS.to_owned()).chain(manifests.iter().cloned()).collect();
    let all = dirs.join(" ");
    let works = TOOLSETS.map(|toolset| toolset.works).concat();
    let tries = TOOLSETS.map(|toolset| toolset.tries).concat();
    let one = |toolset: &Toolset| format!("if {}; then\n{}", toolset.there, toolset.found);
    let found = TOOLSETS.map(one).join("el");
    let body =
        format!("{}{GENUINE}{tries}manifests={}\n{HOST}{works}\n{REST}{found}fi\nsay end yes\n", libs(), quote(&all));
    GateSurvey { manifests: all }.query(body)
}

/// One thing a host has or lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tool {
    /// It is there and works.
    pub works: bool,
    /// For iptables: the IPv6 command is there too.
    pub v6: bool,
    /// What it said when tried in vain.
    pub error: Option<String>,
}

/// A running API server on the host's own network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiProcess {
    /// Its process id; 0 where only a manifest says so.
    pub pid: u32,
    /// Its port.
    pub port: u16,
}

/// A listening TCP socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// The port.
    pub port: u16,
    /// Whether IPv6 reaches it, as far as the host could tell.
    #[serde(default)]
    pub v6: bool,
    /// The process's name, where the host could tell.
    pub process: Option<String>,
}

/// A gate found on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The back end that holds its rules.
    pub back_end: BackEnd,
    /// Whose; `None` for rules with our name that carry no mark of ours.
    pub mark: Option<Mark>,
    /// Whether it still refuses anybody.
    pub stands: bool,
}

/// What a look at one host said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// Whether the script ran as root.
    pub root: bool,
    /// Seconds since 1970 by the host's clock.
    pub now: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The operator's address as the host sees it; `None` if the session shows none.
    pub operator: Option<IpAddr>,
    /// The port that this session came in by, and every other port that an sshd listens on.
    pub ssh_ports: BTreeSet<u16>,
    /// What back ends are made of, by name: their own programs, and what these need besides.
    pub tools: BTreeMap<String, Tool>,
    /// Who held the lock of x_tables all the time, so that iptables could not be asked.
    #[serde(default)]
    pub busy: Option<String>,
    /// Whether the host has rules in x_tables.
    pub legacy_in_use: bool,
    /// API servers that run here, by process and by manifest.
    pub api: Vec<ApiProcess>,
    /// Addresses of the control plane's other hosts, from what the API server and etcd were started with.
    pub peers: BTreeSet<IpAddr>,
    /// Names of the control-plane and balancer processes seen.
    pub processes: BTreeSet<String>,
    /// Processes that only have the name of one that counts, each with its id: what they say of themselves changes nothing.
    #[serde(default)]
    pub posing: Vec<String>,
    /// Programs that write rules here too.
    pub managers: BTreeSet<Manager>,
    /// Every listening TCP port.
    pub listeners: Vec<Listener>,
    /// The host's own addresses.
    pub own: BTreeSet<IpAddr>,
    /// Whether sockets can be closed from outside: `None` if the kernel does not tell beforehand.
    pub can_destroy: Option<bool>,
    /// Whether `ss` is there.
    pub has_ss: bool,
    /// Whether processes are in version 2 control groups, by which rules can tell them apart.
    pub cgroup2: bool,
    /// The kubelet's control group (version 2), below the root.
    pub kubelet_cgroup: Option<String>,
    /// A gate that is there already.
    pub gate: Option<Found>,
}

impl Survey {
    /// Ports of the API servers, found from processes and manifests.
    pub fn api_ports(&self) -> BTreeSet<u16> {
        self.api.iter().map(|a| a.port).collect()
    }

    /// Whether anything listens on a port.
    pub fn listens(&self, port: u16) -> bool {
        self.listeners.iter().any(|l| l.port == port)
    }

    /// One thing that a back end is made of; what the host did not speak of is not there.
    pub(super) fn tool(&self, name: &str) -> Tool {
        self.tools.get(name).cloned().unwrap_or_default()
    }

    /// Whether a back end can refuse IPv6 here, too.
    pub fn holds_v6(&self, back_end: BackEnd) -> bool {
        !back_end.filter().v6_apart() || self.tool(back_end.word()).v6
    }

    /// Whether the host has an IPv6 address that another network can reach, as far as it could tell.
    pub fn reached_by_v6(&self) -> bool {
        let far = |address: &IpAddr| match address {
            IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
            IpAddr::V4(_) => false,
        };
        self.own.is_empty() || self.own.iter().any(far)
    }

    /// Whether a back end can hold a gate here.
    pub fn usable(&self, back_end: BackEnd) -> bool {
        back_end.needs().all(|name| self.tool(name).works)
    }

    /// The back end to take: nftables where it works, else the iptables that the host uses already, else the other one.
    pub fn choose(&self) -> Option<BackEnd> {
        BackEnd::ALL.into_iter().filter(|b| self.usable(*b)).min_by_key(|b| b.filter().rank(self.legacy_in_use))
    }

    /// Load balancers on this very host, whose clients reach the API server from an address that the gate lets through.
    pub fn balancers(&self) -> Vec<&Listener> {
        let names = ["haproxy", "nginx", "envoy", "kube-vip"];
        self.listeners.iter().filter(|l| l.process.as_deref().is_some_and(|p| names.contains(&p))).collect()
    }
}

/// Where clients go round a gate by IPv6, because the host's iptables has no IPv6 side: the gate has no rules for it then.
pub fn v6_hole(spec: &GateSpec, survey: &Survey, back_end: BackEnd) -> Option<String> {
    if survey.holds_v6(back_end) || !survey.reached_by_v6() {
        return None;
    }
    let open: Vec<String> = match &spec.side {
        Side::Server { ports } => {
            let reached = |port: &&u16| survey.listeners.iter().any(|l| l.port == **port && l.v6);
            ports.iter().filter(reached).map(|port| format!("port {port}")).collect()
        }
        Side::Client { endpoints, service, .. } => {
            endpoints.iter().chain(service).filter(|to| to.is_ipv6()).map(ToString::to_string).collect()
        }
    };
    (!open.is_empty()).then(|| {
        format!(
            "open over IPv6: {} can be reached by IPv6, and this host has no ip6tables and ip6tables-restore of {back_end}; \
             with them, or with nftables, it would be closed",
            open.join(", ")
        )
    })
}

/// Reads the answer of [`survey`]; `None` if it broke off.
pub(in crate::host) fn parse_survey(stdout: &str) -> Option<Survey> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    // The keys of an answer have no hyphens.
    let tool = |name: &str| {
        let key = name.replace('-', "_");
        let tool = Tool {
            works: answer.yes(&key),
            v6: answer.yes(&format!("{key}.v6")),
            error: answer.get(&format!("{key}.error")).map(str::to_owned),
        };
        (name.to_owned(), tool)
    };
    let listeners = listeners(&answer);
    let ssh: Vec<&str> = answer.get("ssh").unwrap_or("").split_whitespace().collect();
    let mut ssh_ports: BTreeSet<u16> =
        listeners.iter().filter(|l| l.process.as_deref() == Some("sshd")).map(|l| l.port).collect();
    ssh_ports.extend(ssh.get(3).and_then(|p| p.parse::<u16>().ok()));
    let own: BTreeSet<IpAddr> = answer.all("own").filter_map(|a| a.split('/').next()?.parse().ok()).collect();
    let processes: BTreeSet<String> =
        answer.all("proc").filter_map(|p| p.split_once(' ')).map(|(_, name)| name.to_owned()).collect();
    Some(Survey {
        root: answer.number("uid") == Some(0),
        now: answer.number("now").unwrap_or(0),
        kernel: answer.get("kernel").unwrap_or("").to_owned(),
        operator: ssh.first().and_then(|a| address(a)),
        ssh_ports,
        tools: BackEnd::ALL.into_iter().flat_map(BackEnd::needs).map(tool).collect(),
        busy: answer.get("busy").map(str::to_owned),
        legacy_in_use: answer.yes("legacy_in_use"),
        api: api(&answer),
        peers: peers(&answer).into_iter().filter(|a| !a.is_loopback() && !own.contains(a)).collect(),
        managers: managers(&answer, &processes),
        processes,
        posing: answer
            .all("posing")
            .filter_map(|line| line.split_once(' '))
            .map(|(pid, name)| format!("{name} (process {pid})"))
            .collect(),
        listeners,
        own,
        can_destroy: answer.get("destroy").map(|d| d == "yes"),
        has_ss: answer.yes("ss"),
        cgroup2: answer.yes("cgroup2"),
        kubelet_cgroup: answer.get("kubelet_cgroup").filter(|_| answer.yes("cgroup2")).map(str::to_owned),
        gate: answer.get("gate").and_then(BackEnd::from_word).map(|back_end| Found {
            back_end,
            mark: answer.get("gate_owner").and_then(Mark::read),
            stands: answer.yes("gate_alive"),
        }),
    })
}

/// An address as sockets and variables write it: `10.0.0.1`, `fd90::1`, `fe80::1%eth0`, `::ffff:10.0.0.1`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.split('%').next()?.trim_matches(['[', ']']);
    text.parse::<IpAddr>().ok().map(|a| a.to_canonical())
}

fn listeners(answer: &Answer) -> Vec<Listener> {
    let named = answer.all("listen").filter_map(|line| {
        let (local, process) = line.split_once(' ').unwrap_or((line, ""));
        let port = local.rsplit(':').next()?.parse().ok()?;
        // `*` is a socket of both families.
        let v6 = local.starts_with('*') || (local.starts_with('[') && !local.starts_with("[::ffff:"));
        Some(Listener { port, v6, process: (!process.is_empty()).then(|| process.to_owned()) })
    });
    let hex = answer.all("listen_hex").filter_map(|h| u16::from_str_radix(h, 16).ok());
    named.chain(hex.map(|port| Listener { port, v6: true, process: None })).collect()
}

fn api(answer: &Answer) -> Vec<ApiProcess> {
    let running = answer.all("api").chain(answer.all("k3s")).filter_map(|line| {
        let mut words = line.split_whitespace();
        let pid = words.next()?.parse().ok()?;
        Some(ApiProcess { pid, port: words.next().and_then(|p| p.parse().ok()).unwrap_or(API_PORT) })
    });
    let mut all: Vec<ApiProcess> = running.collect();
    for line in answer.all("manifest") {
        let port = line.split_whitespace().next().and_then(|p| p.parse().ok()).unwrap_or(API_PORT);
        if all.iter().all(|a| a.port != port) {
            all.push(ApiProcess { pid: 0, port });
        }
    }
    all
}

/// Hosts out of `--etcd-servers` and `--initial-cluster`: `[name=]https://10.0.0.1:2379,...`.
fn peers(answer: &Answer) -> BTreeSet<IpAddr> {
    let lists = answer.all("etcd_servers").chain(answer.all("etcd_cluster"));
    lists
        .flat_map(|list| list.split(','))
        .filter_map(|url| {
            let (_, rest) = url.split_once("://")?;
            address(rest.split('/').next()?.rsplit_once(':').map_or(rest, |(host, _)| host))
        })
        .collect()
}

fn managers(answer: &Answer, processes: &BTreeSet<String>) -> BTreeSet<Manager> {
    let by_process = |name: &str| processes.contains(name);
    let tables: Vec<&str> = answer.all("table").collect();
    let by_table = |word: &str| tables.iter().any(|t| t.split_whitespace().any(|w| w == word));
    [
        (Manager::Firewalld, by_process("firewalld") || by_table("firewalld")),
        (Manager::Ufw, by_process("ufw")),
        (Manager::KubeProxy, by_process("kube-proxy") || by_table("kube-proxy")),
        (Manager::Calico, by_process("calico-node") || by_table("calico")),
        (Manager::Cilium, by_process("cilium-agent")),
    ]
    .into_iter()
    .filter_map(|(manager, seen)| seen.then_some(manager))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::gate::sample;

    #[test]
    fn iptables_without_its_ipv6_half_is_said_where_ipv6_listens() {
        let hole = |more: &str, back_end| {
            let seen = parse_survey(&format!("{more}\nend=yes\n")).unwrap();
            let spec = GateSpec { side: Side::Server { ports: vec![6443] }, ..sample() };
            v6_hole(&spec, &seen, back_end)
        };
        for listens in ["*:6443", "[::]:6443", "[fd90::1]:6443"] {
            let half = format!("iptables_nft=yes\nlisten={listens} kube-apiserver");
            let said = hole(&half, BackEnd::IptablesNft).unwrap();
            assert!(said.contains("port 6443") && said.contains("ip6tables"), "{said}");
            let near = format!("{half}\nown=10.0.0.1/24\nown=::1/128\nown=fe80::7/64");
            assert_eq!(hole(&near, BackEnd::IptablesNft), None, "nobody reaches it by IPv6");
            assert!(hole(&format!("{near}\nown=fd90::1/64"), BackEnd::IptablesNft).is_some());
            assert_eq!(hole(&format!("{half}\niptables_nft.v6=yes"), BackEnd::IptablesNft), None);
            assert_eq!(hole(&half, BackEnd::Nft), None);
        }
        for listens in ["0.0.0.0:6443", "[::ffff:10.0.0.1]:6443", "[::]:22"] {
            assert_eq!(hole(&format!("listen={listens} x"), BackEnd::IptablesNft), None, "{listens}");
        }
    }
}
