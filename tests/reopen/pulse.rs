//! How the server feels from outside the program: one small GET after the other, each over a new connection.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Result;
use testbed::{Curl, Storm, User};

/// The pause between two.
const PAUSE: Duration = Duration::from_millis(250);
/// What has not been answered by then is not waited for.
pub(crate) const LIMIT: Duration = Duration::from_secs(3);

/// Asks until it is dropped.
pub(crate) struct Pulse {
    beats: Arc<Mutex<Beats>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Pulse {
    pub(crate) fn start(storm: &Storm) -> Result<Self> {
        let curl = Curl::new(storm.plane().access(), User::Alice)?;
        let url = format!("{}/api/v1/namespaces/kube-system", storm.plane().access().endpoint());
        let (beats, stop) = (Arc::<Mutex<Beats>>::default(), Arc::new(AtomicBool::new(false)));
        let (into, end) = (Arc::clone(&beats), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                let answer = curl.get(&url, LIMIT).ok().filter(testbed::Output::success);
                lock(&into).0.push(answer.map(|output| output.took));
                thread::sleep(PAUSE);
            }
        });
        Ok(Self { beats, stop, thread: Some(thread) })
    }

    /// What was felt since this was asked for last.
    pub(crate) fn take(&self) -> Beats {
        std::mem::take(&mut *lock(&self.beats))
    }

    /// How many of the newest in a row were not answered.
    pub(crate) fn unanswered_in_a_row(&self) -> usize {
        lock(&self.beats).0.iter().rev().take_while(|beat| beat.is_none()).count()
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It holds nothing that its panic would break.
            let _ = thread.join();
        }
    }
}

fn lock(beats: &Mutex<Beats>) -> MutexGuard<'_, Beats> {
    beats.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long the requests took, oldest first; `None` where one was not answered well within the limit.
#[derive(Default)]
pub(crate) struct Beats(Vec<Option<Duration>>);

impl Beats {
    /// The time within which so many percent were answered; what was not counts as the limit.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut times: Vec<Duration> = self.0.iter().map(|beat| beat.unwrap_or(LIMIT)).collect();
        times.sort_unstable();
        let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
        times.get(at).copied().unwrap_or_default()
    }

    /// The longest row of requests that were not answered.
    pub(crate) fn unanswered_in_a_row(&self) -> usize {
        self.0.split(Option::is_some).map(<[_]>::len).max().unwrap_or(0)
    }
}

impl fmt::Display for Beats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unanswered = self.0.iter().filter(|beat| beat.is_none()).count();
        let [p50, p99, p100] = [50, 99, 100].map(|percent| self.percentile(percent).as_secs_f32());
        write!(f, "{} small GETs, {unanswered} not answered; p50 {p50:.2} s, p99 {p99:.2} s, ", self.0.len())?;
        write!(f, "slowest {p100:.2} s")
    }
}
