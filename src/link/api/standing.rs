//! What is known of a cluster's API servers from earlier attempts of this run.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::link::fault::Fault;

/// After a refused or cut connection, and after it was asked, a starting server says 403 and "no such resource" for about this long.
const STARTING: Duration = Duration::from_secs(15);

/// What one said that was asked, or that it said nothing clear, holds for this long: then it may have been killed since.
const SETTLED: Duration = Duration::from_secs(5);
/// One that has given no clear word for longer than a start takes means what it says; asked again after longer than this, it is
/// doubted anew.
const ANEW: Duration = Duration::from_mins(5);

/// What a server says itself of whether it is starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Starting,
    NotStarting,
    /// Nothing, or nothing that tells.
    Unclear,
}

/// What the no of a server is worth that may have been starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// It has to be asked whether it is starting; where it was asked and that is not clear, it may be.
    NotKnown,
    /// It may have been said before the server knew better.
    Early,
    /// It was said by a server that is not starting, or that would have started by now.
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
    /// It was asked whether it is starting, and said no.
    settled: Option<Instant>,
    /// Since when it has given no clear word of that, and when it was asked last.
    doubted: Option<(Instant, Instant)>,
    /// When it was asked last, whatever it said.
    asked: Option<Instant>,
    /// It asked to be left alone until then.
    pause: Option<Instant>,
}

impl Standing {
    pub(super) fn new(servers: usize) -> Self {
        Self(Mutex::new(vec![Known::default(); servers]))
    }

    /// One more server is there, of which nothing is known.
    pub(super) fn joined(&self) {
        self.known().push(Known::default());
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
            known.doubted = None;
        }
    }

    /// What it said of whether it is starting.
    pub(super) fn says(&self, server: usize, word: Word) {
        let now = Instant::now();
        let known = &mut self.known()[server];
        known.asked = Some(now);
        let doubted = known.doubted.take().filter(|(_, last)| now - *last < ANEW);
        match word {
            Word::Starting => known.restart = Some(now),
            Word::NotStarting => known.settled = Some(now),
            Word::Unclear => known.doubted = Some((doubted.map_or(now, |(first, _)| first), now)),
        }
    }

    /// Is there nothing to ask it about a request that was sent then? What that no is worth may be known, and it may have been asked
    /// since it began to start, or since this moment.
    pub(super) fn need_not_be_asked(&self, server: usize, sent: Instant, since: Instant) -> bool {
        let Known { asked, restart, .. } = self.known()[server];
        let began = if self.starting(server) { restart } else { None };
        let was_asked = |moment: Instant| asked.is_some_and(|asked| asked >= moment);
        was_asked(since) || began.is_some_and(was_asked) || self.worth(server, sent) != Worth::NotKnown
    }

    /// What a no is worth that came to a request sent then. Of several requests that are on their way together all are judged by
    /// the same word of the server.
    pub(super) fn worth(&self, server: usize, sent: Instant) -> Worth {
        let Known { settled, restart, doubted, .. } = self.known()[server];
        let would_have_started =
            |(first, last): (Instant, Instant)| first.elapsed() >= STARTING && last.elapsed() < SETTLED;
        match settled.filter(|at| restart.is_none_or(|restart| restart < *at)) {
            Some(at) if at >= sent => Worth::Early,
            Some(at) if sent - at < SETTLED => Worth::Stands,
            Some(_) | None if doubted.is_some_and(would_have_started) => Worth::Stands,
            Some(_) | None => Worth::NotKnown,
        }
    }

    /// Until when the server asked to be left alone.
    pub(super) fn pause(&self, server: usize) -> Option<Instant> {
        self.known()[server].pause
    }

    /// Was it seen to be down, or to be starting, so lately that it may not know its rights and resources yet?
    pub(super) fn starting(&self, server: usize) -> bool {
        let Known { settled, restart, .. } = self.known()[server];
        restart.is_some_and(|at| at.elapsed() < STARTING && settled.is_none_or(|settled| settled <= at))
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
        let (first, second) = (Instant::now(), Instant::now() + Duration::from_secs(2));
        assert_eq!(standing.worth(0, first), Worth::NotKnown);
        pass(7).await;
        standing.says(0, Word::NotStarting);
        assert_eq!([first, second].map(|sent| standing.worth(0, sent)), [Worth::Early; 2]);
        pass(1).await;
        let third = Instant::now();
        pass(30).await;
        assert_eq!(standing.worth(0, third), Worth::Stands, "however late it comes");
        assert_eq!(standing.worth(0, Instant::now()), Worth::NotKnown, "by now it may have been killed");
        standing.says(0, Word::NotStarting);
        pass(1).await;
        standing.says(0, Word::Starting);
        assert!(standing.starting(0) && standing.worth(0, Instant::now()) == Worth::NotKnown);
    }

    /// A drowning server is too slow to say how it is, and its refusals are real: they are not hidden until a deadline.
    #[tokio::test(start_paused = true)]
    async fn a_no_of_one_that_gives_no_clear_word_stands_once_it_would_have_started() {
        let standing = Standing::new(1);
        let said = || standing.worth(0, Instant::now());
        for _ in 0..5 {
            standing.says(0, Word::Unclear);
            assert_eq!(said(), Worth::NotKnown);
            pass(3).await;
        }
        assert_eq!(said(), Worth::Stands);
        standing.says(0, Word::NotStarting);
        pass(10).await;
        assert_eq!(said(), Worth::NotKnown, "a clear word ends the doubt");
        standing.says(0, Word::Unclear);
        pass(20).await;
        assert_eq!(said(), Worth::NotKnown, "it is asked again");
        standing.says(0, Word::Unclear);
        assert_eq!(said(), Worth::Stands, "however seldom it is looked at");
        pass(600).await;
        standing.says(0, Word::Unclear);
        assert_eq!(said(), Worth::NotKnown, "much later it is given its time again");
    }

    async fn pass(secs: u64) {
        tokio::time::advance(Duration::from_secs(secs)).await;
    }
}
