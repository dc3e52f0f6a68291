//! Three API servers whose authorizers stand in a file, and an engineer who is an administrator by RBAC.

use std::path::PathBuf;

use anyhow::Result;
use testbed::{ApiFlags, ApiServer, ControlPlane, Host, Kit, Kubectl, Lab, Lent, Options, Pool, User};

use super::clients::{Asking, Client};
use super::{Engineer, files};

/// The offender, a client like it that nobody minds, and what both may do.
pub(super) const CLIENTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: telemetry}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: agent, namespace: telemetry}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: calm, namespace: telemetry}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [''], resources: ['*'], verbs: [get, list, watch]}, {nonResourceURLs: ['*'], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: readers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects:
- {kind: ServiceAccount, name: agent, namespace: telemetry}
- {kind: ServiceAccount, name: calm, namespace: telemetry}
";
pub(super) const OFFENDER: &str = "system:serviceaccount:telemetry:agent";

pub(super) struct Scene {
    pub(super) plane: ControlPlane,
    pub(super) hosts: Vec<Host>,
    pub(super) alice: Engineer,
}

/// Everybody's authorizers' files, as they stand on each host.
pub(super) type Files = Vec<Vec<(String, Vec<u8>, u32, u32)>>;

/// A cluster that no other test has at the time.
pub(super) fn scene() -> Result<Lent<Scene>> {
    static SCENES: Pool<Scene> = Pool::of(2);
    SCENES.take(|number| {
        let lab = Lab::shared()?;
        let hosts = lab.hosts((1..=3).map(|at| format!("jail{number}-cp{at}")))?;
        let api = ApiFlags { authorizers_file: true, ..ApiFlags::default() };
        let options = Options { api, ..Options::default() };
        let plane = ControlPlane::start(lab, &hosts.iter().collect::<Vec<_>>(), &options)?;
        plane.kubectl(User::Masters)?.apply(CLIENTS)?;
        let alice = Engineer { folder: lab.folder("engineer")? };
        Kit::direct(&hosts).with_credentials(&plane.access().credential_files(User::Alice)?).write(
            lab,
            &alice.folder.join("kit"),
            "lab",
        )?;
        Ok(Scene { plane, hosts, alice })
    })
}

impl Scene {
    pub(super) fn servers(&self) -> &[ApiServer] {
        self.plane.servers()
    }

    /// A client that asks all of them.
    pub(super) fn asks(&self, client: &Client) -> Result<Asking> {
        let urls: Vec<String> = self.servers().iter().map(ApiServer::url).collect();
        Asking::start(self.plane.access(), &urls, client)
    }

    /// A token of a service account.
    pub(super) fn token(&self, account: &str) -> Result<String> {
        token(&self.plane.kubectl(User::Masters)?, account)
    }

    fn folder(host: &Host) -> PathBuf {
        host.etc_kubernetes().join("authorization")
    }

    pub(super) fn config(&self, at: usize) -> PathBuf {
        Self::folder(&self.hosts[at]).join("config.yaml")
    }

    pub(super) fn files(&self) -> Result<Files> {
        self.hosts.iter().map(|host| files(&Self::folder(host))).collect()
    }
}

/// A token of a service account.
pub(super) fn token(masters: &Kubectl, account: &str) -> Result<String> {
    Ok(masters.run(&["create", "token", account, "-n", "telemetry"])?.ok()?.trim().to_owned())
}
