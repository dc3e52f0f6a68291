//! What something is done to: a cluster, a part of it, or the operator's own machine.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a change is made on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// The cluster's name in the kit.
    pub cluster: String,
    /// Which part of it.
    pub part: Part,
}

/// The part of a cluster that a target names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The cluster as a whole: whichever API server answers.
    Cluster,
    /// One API server, by its name in the kit.
    ApiServer(String),
    /// One host, by its name in the kit.
    Host(String),
    /// The operator's own machine: hooks and local commands.
    Local,
}

impl Target {
    /// The cluster as a whole.
    pub fn cluster(cluster: impl Into<String>) -> Self {
        Self { cluster: cluster.into(), part: Part::Cluster }
    }

    /// One host of a cluster.
    pub fn host(cluster: impl Into<String>, host: impl Into<String>) -> Self {
        Self { cluster: cluster.into(), part: Part::Host(host.into()) }
    }

    /// One API server of a cluster.
    pub fn api_server(cluster: impl Into<String>, name: impl Into<String>) -> Self {
        Self { cluster: cluster.into(), part: Part::ApiServer(name.into()) }
    }

    /// The operator's machine, on behalf of a cluster.
    pub fn local(cluster: impl Into<String>) -> Self {
        Self { cluster: cluster.into(), part: Part::Local }
    }

    /// The name without the cluster, as shown beside a step.
    pub fn short(&self) -> &str {
        match &self.part {
            Part::Cluster => &self.cluster,
            Part::ApiServer(name) | Part::Host(name) => name,
            Part::Local => "local",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            Part::Cluster => write!(f, "{}", self.cluster),
            Part::ApiServer(name) => write!(f, "{}/api/{name}", self.cluster),
            Part::Host(name) => write!(f, "{}/{name}", self.cluster),
            Part::Local => write!(f, "{}/local", self.cluster),
        }
    }
}
