//! What one answer of an API server says of its health.

use std::time::Duration;

use crate::change::Target;
use crate::world::{Accept, KubeAnswer, KubeRead, ReadError, Reads};

/// Says whether the server is ready, exempt from priority and fairness.
pub(in crate::steps) const READYZ: &str = "/readyz";
/// The small request that is timed: one object, which every cluster has.
pub(in crate::steps) const SMALL: &str = "/api/v1/namespaces/kube-system";

/// What is wrong with an answer.
#[derive(Debug)]
pub(in crate::steps) enum Flaw {
    /// It came with another code than 200.
    Code(KubeAnswer),
    /// It came with 200, and brought no Kubernetes object: something else answers.
    NoObject(KubeAnswer),
    /// There was none.
    Silent(ReadError),
}

impl Flaw {
    /// What was answered all the same.
    pub(in crate::steps) fn answer(&self) -> Option<&KubeAnswer> {
        match self {
            Self::Code(answer) | Self::NoObject(answer) => Some(answer),
            Self::Silent(_) => None,
        }
    }

    /// The credential may not read what is asked for, and no waiting changes that.
    pub(in crate::steps) fn is_denied(&self) -> bool {
        self.answer().is_some_and(KubeAnswer::is_denied)
    }
}

/// Is it ready? How long it took to say so.
///
/// # Errors
/// Why that is no yes.
pub(in crate::steps) async fn ready(reads: &dyn Reads, server: &Target, limit: Duration) -> Result<Duration, Flaw> {
    told(reads, server, KubeRead { path: READYZ.into(), accept: Accept::Text, limit }).await.map(|answer| answer.took)
}

/// How long a small GET took.
///
/// # Errors
/// Why it is no answer to go by: of what is stored, only the object itself shows that what stands behind the server was asked.
pub(in crate::steps) async fn small(
    reads: &dyn Reads,
    server: &Target,
    path: &str,
    limit: Duration,
) -> Result<Duration, Flaw> {
    let answer = told(reads, server, KubeRead { path: path.into(), accept: Accept::Metadata, limit }).await?;
    let stored = path.starts_with("/api/") || path.starts_with("/apis/");
    if stored && !answer.json()["kind"].is_string() {
        return Err(Flaw::NoObject(answer));
    }
    Ok(answer.took)
}

async fn told(reads: &dyn Reads, server: &Target, read: KubeRead) -> Result<KubeAnswer, Flaw> {
    match reads.kube(server, &read).await {
        Ok(answer) if answer.code == 200 => Ok(answer),
        Ok(answer) => Err(Flaw::Code(answer)),
        Err(error) => Err(Flaw::Silent(error)),
    }
}
