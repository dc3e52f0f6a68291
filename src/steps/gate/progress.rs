//! Whether it gets better: what an offender still does, look by look, and what that says of a stage of the re-opening.
//!
//! What is remembered from look to look stands in memory only: a run that was killed and resumed measures anew.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::offender::Sample;
use super::stages::Going;
use crate::change::Target;
use crate::steps::health::Health;

/// So many good looks in a row, and no more of it than before: whoever was let in is no burden.
const SETTLED_LOOKS: u32 = 3;
/// No stage settles sooner: whoever is let in has to have come.
const SETTLED_AFTER: Duration = Duration::from_millis(1500);
/// So many looks are compared: the two newest with the older half, because single ones are noise.
const COMPARED: usize = 8;
/// How long a stage may be in bad order although it gets better.
const PATIENCE: Duration = Duration::from_mins(1);
/// Whoever is let in comes with all of its connections at once: so long, that alone is no reason to close a stage again.
const FIRST_RUSH: Duration = Duration::from_secs(5);
/// After so long without coming any further, it is said what stands in the way.
const TOLD_AFTER: Duration = Duration::from_secs(45);

/// How the API servers answered at a look.
#[derive(Debug, Clone, Copy)]
pub(in crate::steps) struct Order {
    /// All of them are in good order.
    pub(in crate::steps) good: bool,
    /// Something was not answered at all.
    pub(in crate::steps) lost: bool,
    /// The slowest small GET that was answered.
    pub(in crate::steps) slowest: Option<Duration>,
}

impl Order {
    /// What a judgement says of it.
    pub(in crate::steps) fn of(health: &Health) -> Self {
        Self { good: health.bad.is_empty(), lost: health.lost, slowest: health.slowest }
    }
}

/// What a look came to.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::steps) struct Verdict {
    /// How it goes.
    pub(in crate::steps) going: Going,
    /// Nothing is left of what drowned the API servers: its pods are gone, or all that it still asks is refused.
    pub(in crate::steps) gone: bool,
    /// It came no further for so long that what stands in the way has to be said, once more.
    pub(in crate::steps) stuck: Option<Duration>,
}

/// What is remembered of a host that leads.
#[derive(Debug)]
struct Memory {
    level: usize,
    since: Instant,
    /// What the gate had let in when this level was reached.
    admitted: u64,
    /// Good looks in a row at this level.
    good: u32,
    /// Looks in a row in which something was not answered.
    lost: u32,
    looks: VecDeque<Measures>,
    told: Instant,
}

/// The numbers of a look that should fall.
#[derive(Debug, Clone, Default, PartialEq)]
struct Measures {
    pods: Option<f64>,
    connections: Option<f64>,
    requests: Option<f64>,
    slowest: Option<f64>,
    told_by: BTreeSet<String>,
}

impl Measures {
    fn of(sample: &Sample, order: Order) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "counts of pods and connections")]
        let number = |count: u64| count as f64;
        let rates = [sample.served, sample.refused, sample.unknown];
        Self {
            pods: sample.pods.filter(|_| !sample.more).map(number),
            connections: sample.connections.map(number),
            requests: sample.served.map(|_| rates.iter().flatten().sum()),
            slowest: order.slowest.map(|slowest| slowest.as_secs_f64()),
            told_by: sample.told_by.clone(),
        }
    }
}

/// Remembers the looks of each host that leads, and judges by them.
#[derive(Debug, Default)]
pub(in crate::steps) struct Progress {
    led: Mutex<BTreeMap<Target, Memory>>,
    /// Since when each host has been seen open for everybody.
    open: Mutex<BTreeMap<Target, Instant>>,
}

impl Progress {
    fn memory(&self) -> MutexGuard<'_, BTreeMap<Target, Memory>> {
        // Numbers of looks: a panic elsewhere leaves none of them half written.
        self.led.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long this host has been watched with everybody let in.
    pub(super) fn open_for(&self, host: &Target) -> Duration {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(host.clone()).or_insert_with(Instant::now).elapsed()
    }

    /// Whether this host has led.
    pub(in crate::steps) fn knows(&self, host: &Target) -> bool {
        self.memory().contains_key(host)
    }

    /// Takes one look in, at this level of the gate, which has let in so many connections. Without a known offender there
    /// is only good order and bad.
    pub(in crate::steps) fn judge(
        &self,
        host: &Target,
        (level, admitted): (usize, u64),
        order: Order,
        sample: Option<&Sample>,
    ) -> Verdict {
        let now = Instant::now();
        let mut all = self.memory();
        let memory = all.entry(host.clone()).or_insert_with(|| Memory::at(level, admitted, now));
        if memory.level != level {
            let told = if level > memory.level { now } else { memory.told };
            *memory = Memory { told, ..Memory::at(level, admitted, now) };
        }
        memory.good = if order.good { memory.good + 1 } else { 0 };
        memory.lost = if order.lost { memory.lost + 1 } else { 0 };
        let stuck = (now - memory.told >= TOLD_AFTER).then(|| now - memory.since);
        if stuck.is_some() {
            memory.told = now;
        }
        let Some(sample) = sample else {
            let going = if order.good { Going::Well { settled: false } } else { Going::Badly };
            return Verdict { going, gone: false, stuck };
        };
        memory.take(Measures::of(sample, order));
        let gone = sample.is_gone();
        let going = if order.good {
            // Who has not come yet has shown nothing. With everybody in, all that can come has come.
            let came = level == usize::MAX || admitted > memory.admitted;
            let long = memory.good >= SETTLED_LOOKS && now - memory.since >= SETTLED_AFTER;
            let still = sample.connections.is_some() && !memory.rises(|it| it.connections);
            Going::Well { settled: long && came && gone && still }
        } else if memory.lost < 2 && now - memory.since < PATIENCE && memory.gets_better(gone, now) {
            Going::Better
        } else {
            Going::Badly
        };
        Verdict { going, gone, stuck }
    }
}

impl Memory {
    fn at(level: usize, admitted: u64, now: Instant) -> Self {
        Self { level, since: now, admitted, good: 0, lost: 0, looks: VecDeque::new(), told: now }
    }

    /// What other hosts told before cannot be compared with this.
    fn take(&mut self, look: Measures) {
        if self.looks.back().is_some_and(|last| last.told_by != look.told_by) {
            self.looks.clear();
        }
        self.looks.push_back(look);
        if self.looks.len() > COMPARED {
            self.looks.pop_front();
        }
    }

    /// The averages of the older half of the looks and of the two newest.
    fn halves(&self, of: impl Fn(&Measures) -> Option<f64>) -> Option<(f64, f64)> {
        let values: Vec<f64> = self.looks.iter().map(of).collect::<Option<_>>()?;
        if values.len() < 3 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "eight at most")]
        let average = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        Some((average(&values[..values.len() / 2]), average(&values[values.len() - 2..])))
    }

    /// Is it clearly less than it was?
    fn falls(&self, of: impl Fn(&Measures) -> Option<f64>) -> bool {
        self.halves(of).is_some_and(|(older, newer)| newer < older * 0.95)
    }

    /// Is it clearly more than it was? With fewer than three looks nobody knows.
    fn rises(&self, of: impl Fn(&Measures) -> Option<f64>) -> bool {
        self.halves(of).is_none_or(|(older, newer)| newer > older * 1.05 + 1.0)
    }

    /// Fewer requests alone are what a server shows that drowns: they count only where it answers faster as well.
    fn gets_better(&self, gone: bool, now: Instant) -> bool {
        let rush = gone && now - self.since < FIRST_RUSH;
        let fewer = self.falls(|it| it.pods) || self.falls(|it| it.connections);
        let faster = self.falls(|it| it.slowest) && (gone || self.falls(|it| it.requests));
        rush || ((fewer || faster) && !self.rises(|it| it.connections))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Order = Order { good: true, lost: false, slowest: Some(Duration::from_millis(5)) };
    const SLOW: Order = Order { good: false, lost: false, slowest: Some(Duration::from_secs(2)) };
    const LOST: Order = Order { good: false, lost: true, slowest: None };

    /// So many pods and connections, and what is served and refused a second.
    fn sample(pods: u64, connections: u64, served: f64, refused: f64) -> Sample {
        Sample {
            pods: Some(pods),
            connections: Some(connections),
            served: Some(served),
            refused: Some(refused),
            ..Sample::default()
        }
    }

    fn well(settled: bool) -> Going {
        Going::Well { settled }
    }

    #[derive(Default)]
    struct Bench {
        progress: Progress,
        looks: std::cell::Cell<u64>,
    }

    impl Bench {
        /// A look a second; each finds more let in than the one before.
        async fn look(&self, level: usize, order: Order, sample: &Sample) -> Verdict {
            tokio::time::advance(Duration::from_secs(1)).await;
            self.looks.set(self.looks.get() + 1);
            self.progress.judge(&Target::host("east", "cp1"), (level, self.looks.get()), order, Some(sample))
        }

        async fn looks(&self, level: usize, order: Order, samples: &[Sample]) -> Vec<Going> {
            let mut all = Vec::new();
            for sample in samples {
                all.push(self.look(level, order, sample).await.going);
            }
            all
        }
    }

    #[tokio::test(start_paused = true)]
    async fn three_good_looks_without_a_rise_have_settled() {
        let bench = Bench::default();
        let quiet = sample(0, 9, 0.0, 0.0);
        let looks = [quiet.clone(), quiet.clone(), quiet.clone()];
        assert_eq!(bench.looks(1, GOOD, &looks).await, [well(false), well(false), well(true)]);
        // A new level begins anew, and more connections at each look are no end of it, nor is one that stays high.
        let rising: Vec<Sample> = [10, 20, 200, 199].map(|count| sample(0, count, 0.0, 9.0)).into();
        assert_eq!(bench.looks(2, GOOD, &rising).await.last(), Some(&well(false)));
        // It is served as ever, its rate goes up and down, or nothing is known of it: the window has to show that it is borne.
        let served: Vec<Sample> = [80.0, 95.0, 70.0, 88.0, 60.0].map(|rate| sample(5, 9, rate, 0.0)).into();
        assert_eq!(bench.looks(3, GOOD, &served).await.last(), Some(&well(false)));
        assert_eq!(bench.looks(4, GOOD, &vec![Sample::default(); 5]).await.last(), Some(&well(false)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stage_to_which_nobody_has_come_has_shown_nothing() {
        let (progress, host) = (Progress::default(), Target::host("east", "cp1"));
        let quiet = sample(0, 9, 0.0, 0.0);
        for (admitted, expected) in [(7, false), (7, false), (7, false), (7, false), (8, true)] {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(progress.judge(&host, (1, admitted), GOOD, Some(&quiet)).going, well(expected));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_offender_nothing_settles_and_nothing_gets_better() {
        let (progress, host) = (Progress::default(), Target::host("east", "cp1"));
        for admitted in 0..5 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert_eq!(progress.judge(&host, (1, admitted), GOOD, None).going, well(false));
        }
        assert_eq!(progress.judge(&host, (1, 9), SLOW, None).going, Going::Badly);
    }

    #[tokio::test(start_paused = true)]
    async fn what_falls_is_left_to_go_on_within_a_bound_and_what_rises_is_not() {
        let bench = Bench::default();
        let falling: Vec<Sample> = (0..70).map(|n| sample(100 - n, 1000 - n * 14, 50.0, 0.0)).collect();
        let all = bench.looks(2, SLOW, &falling).await;
        assert_eq!(all[..2], [Going::Badly; 2], "two looks show no fall");
        assert!(all[7..59].iter().all(|going| *going == Going::Better), "{all:?}");
        assert!(all[60..].iter().all(|going| *going == Going::Badly), "after a minute it is over: {all:?}");
        let rising: Vec<Sample> = (0..9).map(|n| sample(100, 100 + n * 30, 50.0, 0.0)).collect();
        assert!(bench.looks(3, SLOW, &rising).await.iter().all(|going| *going == Going::Badly));
        // A server that drowns answers fewer of its requests.
        let drowning: Vec<Sample> = (0..9).map(|n| sample(100, 300, 90.0 - f64::from(n) * 10.0, 0.0)).collect();
        assert!(bench.looks(4, SLOW, &drowning).await.iter().all(|going| *going == Going::Badly));
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_tells_nothing_is_no_fall() {
        let bench = Bench::default();
        let told_by = |names: &[&str], connections| Sample {
            told_by: names.iter().map(|name| (*name).to_owned()).collect(),
            ..sample(9, connections, 50.0, 0.0)
        };
        let all: Vec<Sample> = [vec![told_by(&["cp1", "cp2"], 300); 4], vec![told_by(&["cp1"], 150); 4]].concat();
        assert!(bench.looks(1, SLOW, &all).await.iter().all(|going| *going == Going::Badly));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_rush_of_what_is_only_refused_is_borne_and_a_second_silence_is_not() {
        let bench = Bench::default();
        let refused = sample(0, 200, 0.0, 300.0);
        let all = bench.looks(1, SLOW, &vec![refused.clone(); 7]).await;
        assert_eq!(&all[..5], [Going::Better; 5], "{all:?}");
        assert_eq!(all[6], Going::Badly, "{all:?}");
        let all = bench.looks(2, LOST, &[refused.clone(), refused]).await;
        assert_eq!(all, [Going::Better, Going::Badly]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_stands_in_the_way_is_said_within_a_minute_and_again_after_the_next() {
        let bench = Bench::default();
        let left = sample(25, 3, 0.0, 0.0);
        let mut told = Vec::new();
        for second in 1..=100_u64 {
            if bench.look(0, SLOW, &left).await.stuck.is_some() {
                told.push(second);
            }
        }
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0] <= 60, "{told:?}");
        // A stage further, and the time begins anew.
        assert_eq!(bench.look(1, GOOD, &left).await.stuck, None);
    }
}
