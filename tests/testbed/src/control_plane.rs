//! A control plane of real components on one to three hosts, with users, a load balancer in front and hollow nodes behind.

use std::{
    fmt::Write as _,
    fs,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use crate::{
    Host, Lab,
    access::Access,
    audit::AuditLog,
    binaries,
    component::Component,
    components::{self, API_PORT, ApiFlags, Member, SERVICE},
    kubectl::Kubectl,
    pki::{Pki, User, Validity, put},
};

/// How long a component may take to be ready; alone it takes 4 seconds, beside a build many times that.
pub(crate) const UP: Duration = Duration::from_mins(5);

/// Loopback port of the first hollow node's proxy.
const PROXIES: u16 = 12000;

/// What a scenario chooses about its control plane.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub api: ApiFlags,
    /// A host that runs haproxy in front of the API servers; the users' kubeconfigs then name it.
    pub balancer: Option<Host>,
}

/// etcd, API server, controller manager and scheduler on each host, started as processes.
pub struct ControlPlane {
    access: Access,
    servers: Vec<ApiServer>,
    balancer: Option<Component>,
    workers: Vec<Component>,
    /// Killed in this order, after everything above: the controllers first and etcd last.
    others: Vec<Component>,
}

/// One API server and its host.
pub struct ApiServer {
    member: Member,
    flags: ApiFlags,
    component: Component,
}

impl ControlPlane {
    /// Starts everything and waits until every API server is ready and its users have their rights.
    ///
    /// # Errors
    /// If a component is not ready in time: with the tail of its log.
    pub fn start(lab: &Lab, hosts: &[&Host], options: &Options) -> Result<Self> {
        ensure!(!hosts.is_empty(), "a control plane needs a host");
        let pki = Pki::new()?;
        let members: Vec<Member> = hosts.iter().map(|host| member(host)).collect();
        let endpoint = match &options.balancer {
            Some(balancer) => format!("https://{}:{API_PORT}", balancer.ip4()),
            None => members[0].url(),
        };
        for (host, member) in hosts.iter().zip(&members) {
            lay_out(&pki, host, member, options, &endpoint)?;
        }
        let etcds = start_all(hosts, |at| components::etcd(&members[at], &members))?;
        for etcd in &etcds {
            etcd.wait(UP, || answers(etcd.host(), "http://127.0.0.1:2381/readyz"))?;
        }
        let apis = start_all(hosts, |at| components::api_server(&members[at], &options.api))?;
        let servers: Vec<ApiServer> = apis
            .into_iter()
            .zip(members)
            .map(|(component, member)| ApiServer { member, flags: options.api.clone(), component })
            .collect();
        for server in &servers {
            server.wait_ready(UP)?;
        }
        let several = hosts.len() > 1;
        // One that has lost its lease ends itself, and its kubelet starts it again.
        let mut others: Vec<Component> = Vec::new();
        for argv in [components::controller_manager(several), components::scheduler(several)] {
            for host in hosts {
                others.push(Component::start_for_good(host, &argv)?);
            }
        }
        others.extend(etcds);
        let balancer = options.balancer.as_ref().map(|host| balance(host, &servers)).transpose()?;
        let access = Access::new(lab, pki, endpoint, servers.iter().map(|one| &one.member))?;
        access.give_rights()?;
        Ok(Self { access, servers, balancer, workers: Vec::new(), others })
    }

    /// The API servers, in the order of their hosts.
    pub fn servers(&self) -> &[ApiServer] {
        &self.servers
    }

    /// The load balancer, where the options asked for one.
    pub fn balancer(&self) -> Option<&Component> {
        self.balancer.as_ref()
    }

    /// The users, their credentials and their kubeconfigs.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// kubectl as this user, at the cluster's endpoint, with a cold discovery cache.
    pub fn kubectl(&self, user: User) -> Result<Kubectl> {
        self.access.kubectl(user)
    }

    /// One component by name and host, as `kube-scheduler` on `cp1`.
    pub fn component(&self, name: &str, host: &str) -> Result<&Component> {
        let all = self.others.iter().chain(&self.balancer).chain(&self.workers);
        let mut all = all.chain(self.servers.iter().map(|server| &server.component));
        all.find(|one| one.name() == name && one.host().name() == host)
            .with_context(|| format!("there is no {name} on {host}"))
    }

    /// Adds `count` hollow nodes, `{host}-0` and so on, that run on `host` and speak to the endpoint, each from an
    /// address of its own: see [`hollow_nodes`].
    pub fn add_hollow_nodes(&mut self, host: &Host, count: u8) -> Result<()> {
        let folder = host.dir().join("nodes");
        fs::create_dir_all(&folder)?;
        let nodes = hollow_nodes(host, count);
        // Without a balancer in front, each node has one of its own, as with kube-proxy or a proxy on the node.
        let service = format!("{SERVICE}:{API_PORT}");
        let own_balancer = self.servers.len() > 1 && self.balancer.is_none();
        let server = if own_balancer { format!("https://{service}") } else { self.access.endpoint().to_owned() };
        let (mut wires, mut names) = (String::new(), String::new());
        for (port, (name, address)) in (PROXIES..).zip(&nodes) {
            let file = folder.join(format!("{name}.kubeconfig"));
            self.access.pki().node_kubeconfig(&file, name, &server)?;
            let text = fs::read_to_string(&file)?;
            let proxied = text.replace("    server:", &format!("    proxy-url: http://127.0.0.1:{port}\n    server:"));
            fs::write(&file, proxied)?;
            let _ = writeln!(wires, "addr add {address}/16 dev eth0");
            let _ = writeln!(names, "{address} {name}");
        }
        host.command_within(&["ip", "-batch", "-"], wires.as_bytes(), UP)?.ok()?;
        // A kubelet takes the address that its name has for the node's.
        host.command_within(&["tee", "-a", "/etc/hosts"], names.as_bytes(), UP)?.ok()?;
        let addresses: Vec<String> = nodes.iter().map(|(_, address)| address.to_string()).collect();
        let servers: Vec<String> =
            self.servers.iter().map(|server| format!("{}:{API_PORT}", server.member.ip4)).collect();
        let (first, sources, servers) = (PROXIES.to_string(), addresses.join(","), servers.join(","));
        let arguments =
            ["addresses", "--first-port", &first, "--sources", &sources, "--service", &service, "--servers", &servers];
        let agent = binaries::telemetry_agent()?.display().to_string();
        let proxies = Component::start_program(host, "hollow-addresses", &agent, &arguments.map(str::to_owned))?;
        proxies.wait(UP, || Ok(host.wait_for_port(PROXIES, Duration::from_secs(1)).is_ok()))?;
        self.workers.push(proxies);
        let hollow = Component::start(host, &components::hollow_nodes(&folder))?;
        let masters = self.kubectl(User::Masters)?;
        hollow.wait(UP, || Ok(ready_nodes(&masters, &format!("{}-", host.name()))? == usize::from(count)))?;
        self.workers.push(hollow);
        Ok(())
    }
}

/// The names and addresses of the hollow nodes on `host`: `nodes-0` to `nodes-2` at 10.90.102.1 to 10.90.102.3, if
/// `nodes` is 10.90.1.2.
pub fn hollow_nodes(host: &Host, count: u8) -> Vec<(String, Ipv4Addr)> {
    let [.., number] = host.ip4().octets();
    let node = |at: u8| (format!("{}-{at}", host.name()), Ipv4Addr::new(10, 90, 100 + number, at + 1));
    (0..count).map(node).collect()
}

/// The address of each hollow node on `host`, and the port of its kubelet on the host's loopback.
pub(crate) fn hollow_kubelets(host: &Host, count: u8) -> Vec<(Ipv4Addr, u16)> {
    let mut nodes = hollow_nodes(host, count);
    nodes.sort();
    nodes.into_iter().map(|(_, address)| address).zip(components::KUBELETS..).collect()
}

impl ApiServer {
    pub fn host(&self) -> &Host {
        self.component.host()
    }

    pub fn url(&self) -> String {
        self.member.url()
    }

    /// Its process and its log.
    pub fn component(&self) -> &Component {
        &self.component
    }

    pub fn audit(&self) -> AuditLog {
        AuditLog::new(self.member.audit_log())
    }

    /// Whether it says on its own host that it is ready.
    pub fn is_ready(&self) -> Result<bool> {
        is_ready(self.host())
    }

    pub fn wait_ready(&self, limit: Duration) -> Result<()> {
        self.component.wait(limit, || self.is_ready())
    }

    /// Kills it and starts it again as it was.
    pub fn restart(&self) -> Result<()> {
        self.restart_with(&self.flags)
    }

    fn restart_with(&self, flags: &ApiFlags) -> Result<()> {
        self.component.kill()?;
        self.component.start_again(&components::api_server(&self.member, flags)[1..])?;
        self.wait_ready(UP)
    }

    /// Restarts it with a certificate of an authority that its clients do not know, until the guard is dropped.
    pub fn with_wrong_certificate(&self, pki: &Pki) -> Result<WrongCertificate<'_>> {
        let names = [self.member.name.clone(), "kubernetes".to_owned()];
        let pair = pki.foreign.server("kube-apiserver", &names, &self.member.addresses(), Validity::Now)?;
        pair.write(&self.host().etc_kubernetes().join("pki/wrong"))?;
        let certificate = PathBuf::from("/etc/kubernetes/pki/wrong");
        self.restart_with(&ApiFlags { certificate, ..self.flags.clone() })?;
        Ok(WrongCertificate(self))
    }
}

/// An API server with a wrong certificate: gets its own back when dropped.
pub struct WrongCertificate<'a>(&'a ApiServer);

impl Drop for WrongCertificate<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.restart() {
            eprintln!("testbed: {error:#}");
        }
    }
}

pub(crate) fn member(host: &Host) -> Member {
    let data = host.dir().join("data");
    Member { name: host.name().to_owned(), ip4: host.ip4(), ip6: host.ip6(), data, own_port: None }
}

/// Writes keys, kubeconfigs and the audit policy into the host's `/etc/kubernetes`.
pub(crate) fn lay_out(pki: &Pki, host: &Host, member: &Member, options: &Options, endpoint: &str) -> Result<()> {
    let mut addresses = member.addresses();
    addresses.extend(options.balancer.iter().flat_map(|one| [IpAddr::from(one.ip4()), one.ip6().into()]));
    let folder = host.etc_kubernetes();
    pki.lay_out(&folder, host.name(), &addresses, &member.url(), endpoint)?;
    put(&folder.join("audit-policy.yaml"), components::AUDIT_POLICY, 0o644)?;
    if options.api.authorizers_file {
        fs::create_dir_all(folder.join("authorization"))?;
        put(&folder.join("authorization/config.yaml"), components::NODE_AND_RBAC, 0o640)?;
    }
    fs::create_dir_all(member.data.join("etcd"))?;
    Ok(())
}

fn start_all(hosts: &[&Host], argv: impl Fn(usize) -> Vec<String>) -> Result<Vec<Component>> {
    hosts.iter().enumerate().map(|(at, host)| Component::start(host, &argv(at))).collect()
}

/// How many nodes whose name starts with `prefix` are Ready.
pub(crate) fn ready_nodes(kubectl: &Kubectl, prefix: &str) -> Result<usize> {
    let nodes = kubectl.run(&["get", "nodes", "--no-headers", "--request-timeout=10s"])?;
    let ready = |line: &&str| line.starts_with(prefix) && line.split_whitespace().nth(1) == Some("Ready");
    Ok(nodes.stdout.lines().filter(ready).count())
}

/// Whether the API server on `host` answers `/readyz` with "ok" to the host itself, whatever its certificate.
pub(crate) fn is_ready(host: &Host) -> Result<bool> {
    answers(host, &format!("https://127.0.0.1:{API_PORT}/readyz"))
}

pub(crate) fn answers(host: &Host, url: &str) -> Result<bool> {
    Ok(host.command(&["curl", "-sfk", "-m", "5", url])?.success())
}

/// haproxy as kubeadm's documentation sets it up: TCP, and a server is in as long as it says that it is ready.
fn balance(host: &Host, servers: &[ApiServer]) -> Result<Component> {
    let mut text = format!(
        "global\n  maxconn 4000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 1h\n  timeout server 1h\n\
         frontend api\n  bind :::{API_PORT} v4v6\n  default_backend api\nbackend api\n  balance roundrobin\n  \
         option httpchk GET /readyz\n  default-server check check-ssl verify none inter 1s fall 2 rise 1\n"
    );
    for server in servers {
        let _ = writeln!(text, "  server {} {}:{API_PORT}", server.member.name, server.member.ip4);
    }
    let file = host.dir().join("haproxy.cfg");
    fs::write(&file, text)?;
    let arguments = ["-db".to_owned(), "-f".to_owned(), file.display().to_string()];
    let haproxy = Component::start_program(host, "haproxy", "haproxy", &arguments)?;
    haproxy.wait(UP, || Ok(host.wait_for_port(API_PORT, Duration::from_secs(1)).is_ok()))?;
    Ok(haproxy)
}
