//! The flags of every component, in one place: as processes and as static pods they are started alike.
//! Paths are those that the component sees on its host, whose `/etc/kubernetes` is laid out as kubeadm does it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

/// The API server's secure port on every host.
pub const API_PORT: u16 = 6443;

/// The address of the service `kubernetes`: whichever API server.
pub(crate) const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// One host of a control plane.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) ip4: Ipv4Addr,
    pub(crate) ip6: Ipv6Addr,
    /// Where etcd's data and the audit log lie.
    pub(crate) data: PathBuf,
    /// Its API server's port, where that listens on `ip4` alone; else it listens at [`API_PORT`] of every address.
    pub(crate) own_port: Option<u16>,
}

impl Member {
    /// The secure port of this host's own API server.
    pub(crate) fn port(&self) -> u16 {
        self.own_port.unwrap_or(API_PORT)
    }

    /// The URL of this host's own API server.
    pub(crate) fn url(&self) -> String {
        format!("https://{}:{}", self.ip4, self.port())
    }

    /// Every address under which this host's servers are reached.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        vec![self.ip4.into(), self.ip6.into(), Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), SERVICE.into()]
    }

    pub(crate) fn audit_log(&self) -> PathBuf {
        self.data.join("audit.log")
    }
}

/// What a scenario may choose about its API servers.
#[derive(Clone, Debug)]
pub struct ApiFlags {
    pub priority_and_fairness: bool,
    /// How much it logs: 0 is Kubernetes' own default, from 2 on slow requests are traced.
    pub verbosity: u8,
    /// Server certificate and key, without `.crt` and `.key`.
    pub certificate: PathBuf,
    /// Their authorizers stand in [`AUTHORIZERS`], which they read again at each change, and not in a flag.
    pub authorizers_file: bool,
}

/// Where the authorizers of an API server stand, where they do not stand in a flag.
pub const AUTHORIZERS: &str = "/etc/kubernetes/authorization/config.yaml";
/// The same as `--authorization-mode=Node,RBAC`.
pub(crate) const NODE_AND_RBAC: &str = "# Whoever edits this file is heard at once.
apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
  # In this order.
  - type: Node
    name: node
  - type: RBAC
    name: rbac
";

impl Default for ApiFlags {
    fn default() -> Self {
        Self {
            priority_and_fairness: true,
            verbosity: 0,
            certificate: "/etc/kubernetes/pki/apiserver".into(),
            authorizers_file: false,
        }
    }
}

pub(crate) fn etcd(member: &Member, all: &[Member]) -> Vec<String> {
    let cluster: Vec<String> = all.iter().map(|one| format!("{}=https://{}:2380", one.name, one.ip4)).collect();
    let Member { name, ip4, data, .. } = member;
    let data = data.join("etcd");
    vec![
        "etcd".to_owned(),
        format!("--name={name}"),
        format!("--data-dir={}", data.display()),
        format!("--listen-client-urls=https://127.0.0.1:2379,https://{ip4}:2379"),
        format!("--advertise-client-urls=https://{ip4}:2379"),
        format!("--listen-peer-urls=https://{ip4}:2380"),
        format!("--initial-advertise-peer-urls=https://{ip4}:2380"),
        format!("--initial-cluster={}", cluster.join(",")),
        "--listen-metrics-urls=http://127.0.0.1:2381".to_owned(),
        "--cert-file=/etc/kubernetes/pki/etcd/server.crt".to_owned(),
        "--key-file=/etc/kubernetes/pki/etcd/server.key".to_owned(),
        "--trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt".to_owned(),
        "--client-cert-auth=true".to_owned(),
        "--peer-cert-file=/etc/kubernetes/pki/etcd/peer.crt".to_owned(),
        "--peer-key-file=/etc/kubernetes/pki/etcd/peer.key".to_owned(),
        "--peer-trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt".to_owned(),
        "--peer-client-cert-auth=true".to_owned(),
        // The lab is thrown away at its end: it may lose its data to a power cut.
        "--unsafe-no-fsync=true".to_owned(),
    ]
}

pub(crate) fn api_server(member: &Member, flags: &ApiFlags) -> Vec<String> {
    let certificate = flags.certificate.display();
    let mut words = vec![
        "kube-apiserver".to_owned(),
        format!("--advertise-address={}", member.ip4),
        format!("--secure-port={}", member.port()),
        format!("--tls-cert-file={certificate}.crt"),
        format!("--tls-private-key-file={certificate}.key"),
        "--client-ca-file=/etc/kubernetes/pki/ca.crt".to_owned(),
        "--etcd-servers=https://127.0.0.1:2379".to_owned(),
        "--etcd-cafile=/etc/kubernetes/pki/etcd/ca.crt".to_owned(),
        "--etcd-certfile=/etc/kubernetes/pki/apiserver-etcd-client.crt".to_owned(),
        "--etcd-keyfile=/etc/kubernetes/pki/apiserver-etcd-client.key".to_owned(),
        if flags.authorizers_file {
            format!("--authorization-config={AUTHORIZERS}")
        } else {
            "--authorization-mode=Node,RBAC".to_owned()
        },
        "--enable-admission-plugins=NodeRestriction".to_owned(),
        "--allow-privileged=true".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        "--service-account-key-file=/etc/kubernetes/pki/sa.pub".to_owned(),
        "--service-account-signing-key-file=/etc/kubernetes/pki/sa.key".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/12".to_owned(),
        format!("--audit-log-path={}", member.audit_log().display()),
        "--audit-policy-file=/etc/kubernetes/audit-policy.yaml".to_owned(),
        format!("--enable-priority-and-fairness={}", flags.priority_and_fairness),
        format!("--v={}", flags.verbosity),
        // Without it a stopping server waits for its watchers until it is killed after 30 seconds.
        "--shutdown-watch-termination-grace-period=2s".to_owned(),
    ];
    words.extend(member.own_port.map(|_| format!("--bind-address={}", member.ip4)));
    words
}

/// Every request once, when it has been answered: who, what, from where and how it ended, without any body.
pub(crate) const AUDIT_POLICY: &str =
    "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n";

pub(crate) fn controller_manager(several: bool) -> Vec<String> {
    vec![
        "kube-controller-manager".to_owned(),
        "--kubeconfig=/etc/kubernetes/controller-manager.conf".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--leader-elect={several}"),
        "--use-service-account-credentials=true".to_owned(),
        "--root-ca-file=/etc/kubernetes/pki/ca.crt".to_owned(),
        "--service-account-private-key-file=/etc/kubernetes/pki/sa.key".to_owned(),
        "--cluster-signing-cert-file=/etc/kubernetes/pki/ca.crt".to_owned(),
        "--cluster-signing-key-file=/etc/kubernetes/pki/ca.key".to_owned(),
    ]
}

pub(crate) fn scheduler(several: bool) -> Vec<String> {
    vec![
        "kube-scheduler".to_owned(),
        "--kubeconfig=/etc/kubernetes/scheduler.conf".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--leader-elect={several}"),
    ]
}

/// The port of the first hollow node's kubelet, which speaks plain HTTP with everybody on its host.
pub(crate) const KUBELETS: u16 = 11000;

/// Many hollow nodes in one process, one for each kubeconfig in `folder`; in the order of the files' names they get the
/// ports from [`KUBELETS`] on.
pub(crate) fn hollow_nodes(folder: &Path) -> Vec<String> {
    vec!["hollow-nodes".to_owned(), folder.display().to_string(), KUBELETS.to_string()]
}
