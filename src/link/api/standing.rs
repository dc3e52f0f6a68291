//! What is known of a cluster's API servers from earlier attempts of this run.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::link::fault::Fault;

/// After a refused or cut connection, and after it was asked, a starting server says 403 and "no such resource" for about this long.
const STARTING: Duration = Duration::from_secs(15);

/// One that was asked and does not start is taken at its word for this long.
const SETTLED: Duration = Duration::from_secs(5);

/// What the no of a server is worth that may have been starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// It has to be asked whether it is starting.
    NotKnown,
    /// It may have been said before the server knew better.
    Early,
    /// It was said by a server that is not starting.
    Stands,
}

/// Shared by all requests of a run to one cluster.
#[derive(Debug)]
pub(super) struct Standing(Mutex<Vec<Known>>);

#[derive(Debug, Clone, Copy, Default)]
struct Known {
    answered: Option<(Instant, Duration)>,
    failed: Option<Instant>,
    restart: Option<Instant>,
    /// It was asked whether it is starting, and did not say so.
    settled: Option<Instant>,
    /// It asked to be left alone until then.
    pause: Option<Instant>,
}

impl Standing {
    pub(super) fn new(servers: usize) -> Self {
        Self(Mutex::new(vec![Known::default(); servers]))
    }

    fn known(&self) -> MutexGuard<'_, Vec<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The order in which servers are tried: those that answered last, quickest first; those nothing is known of, as
    /// the kit has them; those that failed last.
    pub(super) fn order(&self) -> Vec<usize> {
        let known = self.known();
        let mut order: Vec<usize> = (0..known.len()).collect();
        order.sort_by_key(|index| {
            let Known { answered, failed, .. } = known[*index];
            match (answered, failed) {
                (Some((at, took)), failed) if failed.is_none_or(|failed| failed < at) => (0, took),
                (None, None) => (1, Duration::ZERO),
                _ => (2, Duration::ZERO),
            }
        });
        order
    }

    pub(super) fn answered(&self, server: usize, took: Duration, pause: Option<Duration>) {
        let now = Instant::now();
        let known = &mut self.known()[server];
        known.answered = Some((now, took));
        known.pause = pause.map(|pause| now + pause);
    }

    pub(super) fn failed(&self, server: usize, fault: &Fault) {
        let now = Instant::now();
        let known = &mut self.known()[server];
        known.failed = Some(now);
        if fault.looks_like_restart() {
            known.restart = Some(now);
        }
    }

    /// What it said itself of whether it is starting.
    pub(super) fn says(&self, server: usize, starting: bool) {
        let now = Some(Instant::now());
        let known = &mut self.known()[server];
        if starting { known.restart = now } else { known.settled = now }
    }

    /// What a no is worth that came to a request sent then. Of several requests that are on their way together all are judged by
    /// the same word of the server.
    pub(super) fn worth(&self, server: usize, sent: Instant) -> Worth {
        let Known { settled, restart, .. } = self.known()[server];
        match settled.filter(|at| restart.is_none_or(|restart| restart < *at)) {
            Some(at) if at >= sent => Worth::Early,
            Some(at) if sent - at < SETTLED => Worth::Stands,
            Some(_) | None => Worth::NotKnown,
        }
    }

    /// Until when the server asked to be left alone.
    pub(super) fn pause(&self, server: usize) -> Option<Instant> {
        self.known()[server].pause
    }

    /// Was it seen to be down, or to be starting, so lately that it may not know its rights and resources yet?
    pub(super) fn starting(&self, server: usize) -> bool {
        self.known()[server].restart.is_some_and(|at| at.elapsed() < STARTING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Several attempts are on their way at a time, and a slow server answers them late: one word of it is enough for all, or
    /// none of its refusals would ever stand.
    #[tokio::test(start_paused = true)]
    async fn a_no_stands_once_it_is_said_to_a_request_that_was_sent_after_the_servers_word() {
        let standing = Standing::new(1);
        let pass = |secs| tokio::time::advance(Duration::from_secs(secs));
        let (first, second) = (Instant::now(), Instant::now() + Duration::from_secs(2));
        assert_eq!(standing.worth(0, first), Worth::NotKnown);
        pass(7).await;
        standing.says(0, false);
        assert_eq!([first, second].map(|sent| standing.worth(0, sent)), [Worth::Early; 2]);
        pass(1).await;
        let third = Instant::now();
        pass(30).await;
        assert_eq!(standing.worth(0, third), Worth::Stands, "however late it comes");
        assert_eq!(standing.worth(0, Instant::now()), Worth::NotKnown, "by now it may have been killed");
        standing.says(0, false);
        pass(1).await;
        standing.says(0, true);
        assert!(standing.starting(0) && standing.worth(0, Instant::now()) == Worth::NotKnown);
    }
}
