//! Sessions that are kept between two uses.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Endpoint;
use super::error::{Fault, SshError, Stage};
use super::places::{self, Slot, State};
use super::session::{Session, failure};

/// A session that is opened when it is first needed, and kept for the next use as long as its place is not needed elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Kept(Arc<Slot>);

impl Kept {
    /// The session, opened if there is none. Until `deadline` for a place; then within `login`, the deadline still counting.
    ///
    /// # Errors
    ///
    /// As [`Session::connect`].
    pub async fn lend(&self, endpoint: &Endpoint, deadline: Instant, login: Duration) -> Result<Lent, SshError> {
        let started = Instant::now();
        let Ok(_opening) = tokio::time::timeout_at(deadline.into(), self.0.opening.lock()).await else {
            return Err(failure(endpoint, started, 0, Fault::Timeout { stage: Stage::Queue, sent: false }));
        };
        {
            let mut state = self.0.state();
            if let Some(session) = state.session.clone().filter(|session| !session.is_closed()) {
                return Ok(Lent::new(&self.0, &mut state, session));
            }
        }
        let session = Session::connect_within(endpoint, deadline, login).await?;
        let mut state = self.0.state();
        if state.session.replace(session.clone()).is_none() {
            places::keep(&self.0);
        }
        Ok(Lent::new(&self.0, &mut state, session))
    }

    /// Lets go of the session: it ends with its last use, and the next one opens another.
    pub fn forget(&self) {
        drop(self.0.state().session.take());
    }
}

/// A kept session in use.
#[derive(Debug)]
pub struct Lent {
    slot: Arc<Slot>,
    session: Session,
}

impl Lent {
    fn new(slot: &Arc<Slot>, state: &mut State, session: Session) -> Self {
        state.users += 1;
        Self { slot: Arc::clone(slot), session }
    }
}

impl std::ops::Deref for Lent {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut state = self.slot.state();
        state.users -= 1;
        state.used = Some(Instant::now());
        drop(state);
        places::used(&self.slot);
    }
}
