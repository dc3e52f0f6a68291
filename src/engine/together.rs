//! One look for many: targets of a step that all want to know the same of one host share what one of them saw.
//!
//! The followers of a gate ask the host that leads them, each at every look of its own. Where hundreds follow, that host
//! would run hundreds of scripts a round, in the middle of an incident.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::change::Target;
use crate::script::Script;
use crate::world::{ReadError, Reads, ScriptOutput};

/// What was seen, and when it was asked for.
type Seen = (Instant, Result<ScriptOutput, ReadError>);

/// The looks that the targets of one step on one cluster share, and the questions that they ask.
#[derive(Debug)]
pub(super) struct Together {
    /// Held by whoever asks the operator: an answer is one for all.
    pub(super) asking: tokio::sync::Mutex<()>,
    looks: Mutex<HashMap<(Target, String), Arc<OnceCell<Seen>>>>,
    /// A look that was asked for longer ago serves nobody any more.
    fresh: Duration,
}

impl Together {
    /// For a step whose targets look this often: nobody learns anything later than half a round after it could be seen.
    pub(super) fn new(interval: Duration) -> Self {
        Self { asking: tokio::sync::Mutex::default(), looks: Mutex::default(), fresh: interval / 2 }
    }

    /// What a script that only looks says, now or a moment ago. One that is under way is waited for, however long it takes:
    /// whoever asked first lends it his time, and when he gives up, the next one asks anew.
    pub(super) async fn script(
        &self,
        reads: &dyn Reads,
        target: &Target,
        script: &Script,
        limit: Duration,
    ) -> Result<ScriptOutput, ReadError> {
        let look = self.look(target, script);
        let ask = || async { (Instant::now(), reads.script(target, script, limit).await) };
        look.get_or_init(ask).await.1.clone()
    }

    fn look(&self, target: &Target, script: &Script) -> Arc<OnceCell<Seen>> {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let look = looks.entry((target.clone(), script.text())).or_default();
        if look.get().is_some_and(|(asked, _)| asked.elapsed() >= self.fresh) {
            *look = Arc::default();
        }
        Arc::clone(look)
    }
}
