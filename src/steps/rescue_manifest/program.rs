//! The components that run as static pods, and what is asked of the host about one.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::host::manifest::{self, Listens};
use crate::host::rescue::Asks;
use crate::host::swap::{File, Seen};

/// The flags that name certificates without which it does not come up.
const CERTIFICATES: [&str; 7] = [
    "etcd-certfile",
    "etcd-cafile",
    "tls-cert-file",
    "client-ca-file",
    "cert-file",
    "peer-cert-file",
    "trusted-ca-file",
];

/// What runs as a static pod.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Program {
    #[default]
    KubeApiserver,
    Etcd,
    KubeScheduler,
    KubeControllerManager,
}

impl Program {
    /// All of them.
    pub(crate) const ALL: [Self; 4] =
        [Self::KubeApiserver, Self::Etcd, Self::KubeScheduler, Self::KubeControllerManager];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::KubeApiserver => "kube-apiserver",
            Self::Etcd => "etcd",
            Self::KubeScheduler => "kube-scheduler",
            Self::KubeControllerManager => "kube-controller-manager",
        }
    }

    /// Where it answers unless its manifest says otherwise, and at which path.
    pub(super) fn health(self) -> (u16, &'static str) {
        match self {
            Self::KubeApiserver => (6443, "/livez"),
            Self::Etcd => (2381, "/health"),
            Self::KubeScheduler => (10_259, "/healthz"),
            Self::KubeControllerManager => (10_257, "/healthz"),
        }
    }

    /// What to ask the host, by what its manifest says.
    pub(crate) fn asks(self, seen: &Seen) -> Asks {
        let program = self.name();
        let (port, health) = self.health();
        let usual = |file: &&File| file.path.ends_with(&format!("/{program}.yaml"));
        let file = seen.all.iter().find(usual).or(seen.all.first());
        let text = file.and_then(|file| file.text.as_deref().ok()).unwrap_or_default();
        // One that cannot be read says nothing, and then what is usual holds.
        let listens = manifest::listens(text, program, port).unwrap_or_else(|_| Listens::by_default(port));
        let launch = manifest::launch(text, program).ok();
        let value = |name: &str| manifest::flag(text, program, name).ok().and_then(|mut values| values.pop());
        let on_host = |path: String| launch.as_ref().map_or_else(|| path.clone(), |launch| launch.on_host(&path));
        Asks {
            url: format!("{listens}:{}{health}", listens.port),
            port: listens.port,
            files: seen.files.clone(),
            image: launch.as_ref().map(|launch| launch.image.clone()).unwrap_or_default(),
            certificates: CERTIFICATES.into_iter().filter_map(value).map(on_host).collect(),
        }
    }
}
