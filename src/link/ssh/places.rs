//! How many sessions this process holds at once, and which of them are given up when others need their places.
//!
//! What is short is file descriptors, and in the end threads. Sessions that are kept between two uses ([`super::Kept`]) are only a
//! convenience: whoever waits for a place gets that of the one that has been idle for longest.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as AsyncMutex, Semaphore, SemaphorePermit};

use super::Endpoint;
use super::session::Session;

/// Sessions at once, however much the system allows: each is a thread with a small stack.
const SESSIONS: u32 = 1024;
/// Descriptors of one session: its connection, its wake-up, and one to spare.
const SESSION: u32 = 3;
/// Descriptors for each jump host before it: the tunnel's second end, and perhaps a session of the jump host that is opened
/// for it alone. So jump hosts need no places of their own, and nobody who has one waits for another.
const HOP: u32 = 3;
/// What falls idle later is seen this soon.
const AGAIN: Duration = Duration::from_millis(250);

static PLACES: LazyLock<Places> = LazyLock::new(|| Places::new(crate::descriptors::left()));

/// Descriptors, one permit each.
struct Places {
    free: Semaphore,
    all: u32,
    waiting: AtomicUsize,
    kept: Mutex<Vec<Weak<Slot>>>,
}

/// Somebody waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Places {
    /// A quarter of what is left is for all that is no session: tunnels, connections to API servers, files.
    fn new(left: u64) -> Self {
        let share = u32::try_from(left - left / 4).unwrap_or(u32::MAX);
        let all = share.clamp(SESSION, SESSIONS * SESSION);
        Self { free: Semaphore::new(all as usize), all, waiting: AtomicUsize::new(0), kept: Mutex::default() }
    }

    async fn take(&self, cost: u32, deadline: Instant) -> Option<SemaphorePermit<'_>> {
        let cost = cost.min(self.all);
        if let Ok(place) = self.free.try_acquire_many(cost) {
            return Some(place);
        }
        let _waiting = Waiting::new(&self.waiting);
        let place = self.free.acquire_many(cost);
        tokio::pin!(place);
        loop {
            self.give_up_idle(cost);
            let now = Instant::now();
            if now >= deadline {
                return None;
            }
            if let Ok(place) = tokio::time::timeout_at(deadline.min(now + AGAIN).into(), &mut place).await {
                return place.ok();
            }
        }
    }

    /// Ends kept sessions that nobody uses, longest idle first, until `cost` is gained.
    fn give_up_idle(&self, cost: u32) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|slot| slot.strong_count() > 0);
        let mut idle: Vec<(Instant, Arc<Slot>)> =
            kept.iter().filter_map(|slot| slot.upgrade().and_then(|slot| Some((slot.idle_since()?, slot)))).collect();
        drop(kept);
        idle.sort_unstable_by_key(|(since, _)| *since);
        let mut gained = 0;
        for (_, slot) in idle {
            if gained >= cost {
                break;
            }
            gained += slot.give_up().map_or(0, |session| cost_of(session.endpoint()));
        }
    }
}

fn cost_of(endpoint: &Endpoint) -> u32 {
    SESSION + HOP * u32::try_from(endpoint.jumps.len()).unwrap_or(0)
}

/// A place for a session to `endpoint`; `None` when the deadline passes first.
pub(super) async fn take(endpoint: &Endpoint, deadline: Instant) -> Option<SemaphorePermit<'static>> {
    PLACES.take(cost_of(endpoint), deadline).await
}

/// One kept session.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// Held while a session is being opened, so that it is opened once.
    pub(super) opening: AsyncMutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) session: Option<Session>,
    pub(super) users: usize,
    /// The end of the last use.
    pub(super) used: Option<Instant>,
}

impl Slot {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle_since(&self) -> Option<Instant> {
        self.state().idle_since()
    }

    /// Its session, if nobody uses it.
    fn give_up(&self) -> Option<Session> {
        let mut state = self.state();
        state.idle_since()?;
        state.session.take()
    }
}

/// Counts a session among those that are given up when others need their places.
pub(super) fn keep(slot: &Arc<Slot>) {
    let mut kept = PLACES.kept.lock().unwrap_or_else(PoisonError::into_inner);
    let known = Arc::downgrade(slot);
    if !kept.iter().any(|slot| slot.ptr_eq(&known)) {
        kept.push(known);
    }
}

/// Its last use is over: gives it up where others wait.
pub(super) fn used(slot: &Slot) {
    // Whoever began to wait before this looks at what is idle after it.
    if PLACES.waiting.load(Ordering::SeqCst) > 0 {
        drop(slot.give_up());
    }
}

impl State {
    /// A session that carries a tunnel is in use, whoever opened it.
    fn idle_since(&self) -> Option<Instant> {
        self.session.as_ref().filter(|session| self.users == 0 && session.tunnels() == 0)?;
        self.used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_what_descriptors_allow() {
        for (left, all) in [(0, 3), (100, 75), (1000, 750), (4000, 3000), (1 << 40, 3 * 1024)] {
            assert_eq!(Places::new(left).all, all, "{left}");
        }
    }

    #[tokio::test]
    async fn a_wait_for_a_place_ends() {
        let places = Places::new(4);
        let all = places.take(99, Instant::now()).await.expect("more than there is means all");
        assert!(places.take(1, Instant::now() + Duration::from_millis(20)).await.is_none());
        drop(all);
        assert!(places.take(1, Instant::now()).await.is_some());
        assert_eq!(places.waiting.load(Ordering::SeqCst), 0);
    }
}
