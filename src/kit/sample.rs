//! A cluster for tests that do not care which: API servers and hosts by the numbers of their addresses.

use std::collections::BTreeMap;

use super::{ApiServer, Cluster, Credential, Host, Role, SshAccess};

/// A login as root, with nothing else said.
pub(crate) fn ssh() -> SshAccess {
    SshAccess {
        port: 22,
        user: "root".into(),
        identities: Vec::new(),
        identities_only: false,
        certificates: Vec::new(),
        agent: None,
        host_keys: Vec::new(),
        known_hosts: Vec::new(),
        host_key_alias: None,
        jumps: Vec::new(),
        sudo: false,
    }
}

/// The hosts `cp1` and so on, as many as asked for, with an API server on each of the first two: `api1` and `api2`.
pub(crate) fn cluster(name: &str, hosts: u8) -> Cluster {
    let host = |n: u8| Host {
        name: format!("cp{n}"),
        address: [10, 0, 0, n].into(),
        ssh: ssh(),
        roles: vec![Role::ControlPlane],
        manifests: "/etc/kubernetes/manifests".into(),
        recovery_program: None,
    };
    let server = |n: u8| ApiServer {
        name: format!("api{n}"),
        address: ([10, 0, 0, n], 6443).into(),
        via: None,
        host: Some(format!("cp{n}")),
    };
    Cluster {
        name: name.into(),
        api_servers: (1..=2).map(server).collect(),
        hosts: (1..=hosts).map(host).collect(),
        tls_server_name: None,
        ca: Vec::new(),
        credential: Credential::Anonymous,
        credential_ends: None,
        acting_as: None,
        sets: BTreeMap::new(),
        source: "a test".into(),
        kept: None,
    }
}
