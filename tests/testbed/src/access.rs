//! The users of a cluster: their credentials, their kubeconfigs and their clients.

use std::{fs, path::PathBuf};

use anyhow::Result;

use crate::{
    Lab,
    component::wait_until_ok,
    components::Member,
    control_plane::UP,
    kubectl::Kubectl,
    pki::{Pki, User, put},
};

/// Every user's way into one cluster.
pub struct Access {
    pki: Pki,
    folder: PathBuf,
    endpoint: String,
}

impl Access {
    /// Writes every user's kubeconfig: for the endpoint, and for each server in a folder of the server's name.
    pub(crate) fn new<'a>(
        lab: &Lab,
        pki: Pki,
        endpoint: String,
        members: impl Iterator<Item = &'a Member>,
    ) -> Result<Self> {
        let folder = lab.folder("cluster")?;
        let mut places = vec![(folder.clone(), endpoint.clone())];
        places.extend(members.map(|member| (folder.join(&member.name), member.url())));
        for user in User::ALL {
            let pair = pki.credentials(user)?;
            for (folder, server) in &places {
                fs::create_dir_all(folder)?;
                put(&folder.join(user.file_name()), &pki.kubeconfig(server, &pair), 0o600)?;
            }
        }
        Ok(Self { pki, folder, endpoint })
    }

    /// The URL in the users' kubeconfigs.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn pki(&self) -> &Pki {
        &self.pki
    }

    /// A user's kubeconfig for the cluster's endpoint.
    pub fn kubeconfig(&self, user: User) -> PathBuf {
        self.folder.join(user.file_name())
    }

    /// A user's kubeconfig for the API server of one host.
    pub fn kubeconfig_to(&self, user: User, host: &str) -> PathBuf {
        self.folder.join(host).join(user.file_name())
    }

    /// kubectl as this user, at the cluster's endpoint, with a cold discovery cache.
    pub fn kubectl(&self, user: User) -> Result<Kubectl> {
        self.kubectl_with(self.kubeconfig(user))
    }

    /// The same with any kubeconfig, like the one that kubeadm leaves on a host.
    pub fn kubectl_with(&self, kubeconfig: PathBuf) -> Result<Kubectl> {
        let home = tempfile::Builder::new().prefix("home").tempdir_in(&self.folder)?.keep();
        Ok(Kubectl::new(kubeconfig, home))
    }

    /// The files of the cluster's CA certificate and of a user's certificate and key, in this order.
    pub fn credential_files(&self, user: User) -> Result<[PathBuf; 3]> {
        let folder = tempfile::Builder::new().prefix("credentials").tempdir_in(&self.folder)?.keep();
        put(&folder.join("ca.crt"), &self.pki.cluster.pem(), 0o644)?;
        self.pki.credentials(user)?.write(&folder.join("user"))?;
        Ok(["ca.crt", "user.crt", "user.key"].map(|name| folder.join(name)))
    }

    /// Makes alice and kubeadm's administrators cluster-admin, and waits until it acts.
    pub(crate) fn give_rights(&self) -> Result<()> {
        // A server that has just said that it is ready may yet be started anew by its kubelet.
        let masters = self.kubectl(User::Masters)?;
        wait_until_ok("a server that takes its rights", UP, || masters.apply(RIGHTS))?;
        let alice = self.kubectl(User::Alice)?;
        let may = ["auth", "can-i", "delete", "nodes", "--request-timeout=10s"];
        wait_until_ok("alice's rights", UP, || alice.run(&may)?.ok())
    }
}

const RIGHTS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: oncall}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: alice}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: kubeadm:cluster-admins}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: kubeadm:cluster-admins}]
";
