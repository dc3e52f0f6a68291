//! Certificates, users and kubeconfigs, laid out in a host's `/etc/kubernetes` as kubeadm lays them out.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// A certificate and its private key, both PEM.
pub struct Pair {
    pub cert: String,
    pub key: String,
}

impl Pair {
    /// Writes `{base}.crt` and `{base}.key`, the key readable by its owner only.
    pub fn write(&self, base: &Path) -> Result<()> {
        put(&base.with_extension("crt"), &self.cert, 0o644)?;
        put(&base.with_extension("key"), &self.key, 0o600)
    }
}

/// A certificate authority.
pub struct Authority {
    name: String,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// From when to when a certificate is valid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// From 2020 to 2099.
    Now,
    /// Ended with the year 2020.
    Expired,
}

impl Validity {
    fn write(self, params: &mut CertificateParams) {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(if self == Self::Now { 2099 } else { 2020 }, 12, 31);
    }
}

impl Authority {
    pub fn new(name: &str) -> Result<Self> {
        let issuer = CertifiedIssuer::self_signed(authority(name, Validity::Now)?, KeyPair::generate()?)?;
        Ok(Self { name: name.to_owned(), issuer })
    }

    /// Its certificate as it would be if it had ended: the same name and key, PEM.
    pub fn ended(&self) -> Result<String> {
        Ok(authority(&self.name, Validity::Expired)?.self_signed(self.issuer.key())?.pem())
    }

    /// The authority's own certificate, PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub fn pair(&self) -> Pair {
        Pair { cert: self.pem(), key: self.issuer.key().serialize_pem() }
    }

    /// A certificate for a server that also serves as a client, as etcd members are to each other.
    pub fn server(&self, name: &str, dns: &[String], ips: &[IpAddr], validity: Validity) -> Result<Pair> {
        let names: Vec<String> = dns.iter().cloned().chain(ips.iter().map(ToString::to_string)).collect();
        let mut params = CertificateParams::new(names)?;
        validity.write(&mut params);
        params.distinguished_name = distinguished(name, None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    /// A client certificate: `name` becomes the user, `group` the group that the API server sees.
    pub fn client(&self, name: &str, group: Option<&str>, validity: Validity) -> Result<Pair> {
        let mut params = params(name, group, validity)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Pair> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, &self.issuer)?;
        Ok(Pair { cert: cert.pem(), key: key.serialize_pem() })
    }
}

fn authority(name: &str, validity: Validity) -> Result<CertificateParams> {
    let mut params = params(name, None, validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn distinguished(name: &str, group: Option<&str>) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    if let Some(group) = group {
        distinguished.push(DnType::OrganizationName, group);
    }
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn params(name: &str, group: Option<&str>, validity: Validity) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = distinguished(name, group);
    validity.write(&mut params);
    Ok(params)
}

/// Who a kubeconfig of the testbed speaks as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum User {
    /// Group `system:masters`: no RBAC, no priority and fairness.
    Masters,
    /// `alice`, group `oncall`: cluster-admin by a `ClusterRoleBinding`.
    Alice,
    /// A valid certificate without any right.
    Nobody,
    /// Alice's certificate of 2020, which ended with that year.
    Expired,
    /// `alice`, group `system:masters`, signed by an authority that this cluster does not know.
    Foreign,
}

impl User {
    pub const ALL: [Self; 5] = [Self::Masters, Self::Alice, Self::Nobody, Self::Expired, Self::Foreign];

    /// The file name of this user's kubeconfig, without its folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Masters => "masters.kubeconfig",
            Self::Alice => "alice.kubeconfig",
            Self::Nobody => "nobody.kubeconfig",
            Self::Expired => "expired.kubeconfig",
            Self::Foreign => "foreign.kubeconfig",
        }
    }
}

/// The authorities of one cluster: its own, etcd's, and one that it does not know; and the key of its service accounts.
pub struct Pki {
    pub cluster: Authority,
    pub etcd: Authority,
    pub foreign: Authority,
    service_accounts: KeyPair,
}

impl Pki {
    pub fn new() -> Result<Self> {
        Ok(Self {
            cluster: Authority::new("kubernetes")?,
            etcd: Authority::new("etcd-ca")?,
            foreign: Authority::new("another-cluster")?,
            service_accounts: KeyPair::generate()?,
        })
    }

    pub fn credentials(&self, user: User) -> Result<Pair> {
        match user {
            User::Masters => self.cluster.client("kubernetes-super-admin", Some("system:masters"), Validity::Now),
            User::Alice => self.cluster.client("alice", Some("oncall"), Validity::Now),
            User::Nobody => self.cluster.client("nobody", None, Validity::Now),
            User::Expired => self.cluster.client("alice", Some("oncall"), Validity::Expired),
            User::Foreign => self.foreign.client("alice", Some("system:masters"), Validity::Now),
        }
    }

    /// A kubeconfig for a client certificate of this cluster's authority.
    pub fn kubeconfig(&self, server: &str, pair: &Pair) -> String {
        kubeconfig(server, &self.cluster.pem(), pair)
    }

    /// Writes what kubeadm keeps in a control-plane host's `/etc/kubernetes`: keys, certificates and the
    /// kubeconfigs of the components. `endpoint` is the URL that the administrators' files name, `own` this host's.
    pub fn lay_out(&self, folder: &Path, host: &str, addresses: &[IpAddr], own: &str, endpoint: &str) -> Result<()> {
        let pki = folder.join("pki");
        fs::create_dir_all(pki.join("etcd"))?;
        self.cluster.pair().write(&pki.join("ca"))?;
        self.etcd.pair().write(&pki.join("etcd/ca"))?;
        put(&pki.join("sa.key"), &self.service_accounts.serialize_pem(), 0o600)?;
        put(&pki.join("sa.pub"), &self.service_accounts.public_key_pem(), 0o644)?;
        self.lay_out_leaves(folder, host, addresses, (own, endpoint), Validity::Now)?;
        self.node_kubeconfig(&folder.join("kubelet.conf"), host, own)
    }

    /// Of that what the authorities sign, but for the kubelet's: over what lies there, if anything does.
    pub fn lay_out_leaves(
        &self,
        folder: &Path,
        host: &str,
        addresses: &[IpAddr],
        (own, endpoint): (&str, &str),
        validity: Validity,
    ) -> Result<()> {
        let pki = folder.join("pki");
        self.cluster
            .server("kube-apiserver", &api_server_names(host), addresses, validity)?
            .write(&pki.join("apiserver"))?;
        let etcd_names = [host.to_owned(), "localhost".to_owned()];
        self.etcd.server(host, &etcd_names, addresses, validity)?.write(&pki.join("etcd/server"))?;
        self.etcd.server(host, &etcd_names, addresses, validity)?.write(&pki.join("etcd/peer"))?;
        self.etcd.client("kube-apiserver-etcd-client", None, validity)?.write(&pki.join("apiserver-etcd-client"))?;
        let components = [
            ("controller-manager.conf", "system:kube-controller-manager", None, own),
            ("scheduler.conf", "system:kube-scheduler", None, own),
            ("admin.conf", "kubernetes-admin", Some("kubeadm:cluster-admins"), endpoint),
            ("super-admin.conf", "kubernetes-super-admin", Some("system:masters"), endpoint),
        ];
        for (file, name, group, server) in components {
            let pair = self.cluster.client(name, group, validity)?;
            put(&folder.join(file), &self.kubeconfig(server, &pair), 0o600)?;
        }
        Ok(())
    }

    /// The kubeconfig of a node's kubelet, which the node authorizer knows by its name.
    pub fn node_kubeconfig(&self, file: &Path, node: &str, server: &str) -> Result<()> {
        let pair = self.cluster.client(&format!("system:node:{node}"), Some("system:nodes"), Validity::Now)?;
        put(file, &self.kubeconfig(server, &pair), 0o600)
    }
}

/// The DNS names in an API server's certificate.
fn api_server_names(host: &str) -> Vec<String> {
    let mut names = vec![host.to_owned(), "localhost".to_owned(), "kubernetes".to_owned()];
    for suffix in ["default", "default.svc", "default.svc.cluster.local"] {
        names.push(format!("kubernetes.{suffix}"));
    }
    names
}

/// The text of a kubeconfig with everything inline, as kubeadm writes it.
pub fn kubeconfig(server: &str, ca_pem: &str, pair: &Pair) -> String {
    let mut text = String::from("apiVersion: v1\nkind: Config\ncurrent-context: lab\n");
    let (ca, cert, key) = (STANDARD.encode(ca_pem), STANDARD.encode(&pair.cert), STANDARD.encode(&pair.key));
    let _ = write!(
        text,
        "clusters:\n- name: lab\n  cluster:\n    server: {server}\n    certificate-authority-data: {ca}\n\
         users:\n- name: user\n  user:\n    client-certificate-data: {cert}\n    client-key-data: {key}\n\
         contexts:\n- name: lab\n  context:\n    cluster: lab\n    user: user\n"
    );
    text
}

/// Writes a file with the given permission bits.
pub fn put(path: &Path, text: &str, mode: u32) -> Result<()> {
    fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(())
}
