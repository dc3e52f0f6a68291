//! How often a request is tried, where, and when it is given up.
//!
//! A server that starves answers after ten or twenty seconds, so giving up early and trying again never wins; one that
//! keeps dying answers quickly or not at all, so a single long try never wins either. Overlapping attempts that live
//! long win in both cases. They are only for what may be received twice; everything else is sent once, and again only
//! when it certainly was not received.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, sleep_until};

use super::Answer;
use super::standing::{Standing, Worth};
use crate::link::fault::{Fault, FaultKind, Stage};

/// Between the starts of two overlapping attempts.
const STAGGER: Duration = Duration::from_millis(1500);
/// How long one of several attempts lives: nearly as long as an API server works on a request before its own 504.
const LIFE: Duration = Duration::from_secs(30);
/// How soon a server is looked at again whose last attempt is still on its way.
const RECHECK: Duration = Duration::from_millis(500);
/// Open attempts of one request over all servers: each is a connection and a seat that a drowning server has to spare.
const AT_ONCE: usize = 4;
/// The pause before a server that failed at once is dialled again; doubled each time up to the cap.
const TINY_PAUSE: Duration = Duration::from_millis(100);
const TINY_PAUSE_CAP: Duration = Duration::from_secs(1);
/// A server that asks for longer is asked again after this, so that the run's own limit is not used up waiting.
const RETRY_AFTER_CAP: Duration = Duration::from_secs(10);
/// The pause after a 429 or 503 that names none.
const PAUSE: Duration = Duration::from_secs(1);
/// Answers 500, 502 and 504 that are taken before one of them is the answer.
const BROKEN_AT_MOST: u32 = 3;

/// For so long a no of the cluster's own does not end where a recovery API server is known of: it is there for the case that they
/// say no, and begins to answer while it is asked. Longer where something takes our connections: on the host of a server that
/// drowns it needs longer to come up than the drowning one needs for a 401.
const ITS_TURN: Duration = Duration::from_secs(20);
const ITS_LONG_TURN: Duration = Duration::from_mins(2);

/// What is said of an attempt that was still open at the end.
const USED_UP: &str = "no answer when the time was used up";

/// What a request is, and so how it may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A health endpoint: every code is an answer, and each server is asked once.
    Health,
    /// Reads objects: overlapping attempts.
    Look,
    /// Reads something dear (metrics, the dump of a queue's state): one at a time.
    Dump,
    /// Changes something and may be received twice, because its guard makes it idempotent: overlapping attempts.
    Guarded,
    /// Changes something and may be received once only.
    Single,
}

impl Kind {
    fn at_once(self) -> usize {
        match self {
            Self::Health | Self::Look | Self::Guarded => AT_ONCE,
            Self::Dump | Self::Single => 1,
        }
    }

    fn writes(self) -> bool {
        matches!(self, Self::Guarded | Self::Single)
    }

    /// What may be sent once only is not given up before the time is used up: nothing else could be tried after.
    fn life(self) -> Option<Duration> {
        (self != Self::Single).then_some(LIFE)
    }
}

/// One ended attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The server and the way to it.
    pub label: String,
    /// What came, as a fragment.
    pub came: String,
    /// How long it took.
    pub took: Duration,
    /// How many attempts in a row came to the same.
    pub times: u32,
    /// Whether anything was there at the server's port.
    pub reached: bool,
    /// Whether it hung up on us.
    pub hung_up: bool,
    /// The next command to type, where the way itself knows one.
    pub hint: Option<String>,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (after {:.1} s", self.label, self.came, self.took.as_secs_f64())?;
        if self.times > 1 {
            write!(f, ", {} times", self.times)?;
        }
        f.write_str(")")
    }
}

/// An answer and who gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Index of the server.
    pub server: usize,
    /// What it said.
    pub answer: Answer,
    /// How long the attempt took that was answered.
    pub took: Duration,
    /// It may be the no of a server that knows nobody yet.
    pub early: bool,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With an answer that stands.
    Answered(Reply),
    /// With nothing, or with answers that asked to come again or did not say what became of it; the last of them.
    GaveUp {
        /// The last answer.
        last: Option<Reply>,
        /// Why no server could be used at all, when that was so.
        shut: Option<Fault>,
    },
}

/// What all attempts together came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    /// How it ended.
    pub end: End,
    /// At least one attempt may have been received and was not answered: a write may have been made by it.
    pub unanswered: bool,
    /// The attempts, oldest first, equal ones folded.
    pub tried: Vec<Tried>,
}

enum Verdict {
    Stands,
    /// It was not done; ask again after this.
    Again(Duration),
    /// It does not say whether it was done.
    Broken,
}

fn judge(kind: Kind, answer: &Answer, early: bool) -> Verdict {
    if kind == Kind::Health || (kind.writes() && answer.refused_by_webhook()) {
        return Verdict::Stands;
    }
    let pause = answer.retry_after.unwrap_or(PAUSE).min(RETRY_AFTER_CAP);
    match answer.code {
        // Said before the request is looked at: by priority and fairness, or by the limit on requests in flight.
        429 => Verdict::Again(pause),
        503 if kind == Kind::Single => Verdict::Broken,
        // A balancer says so too, and that one knows no more than we do: see `ended`.
        503 => Verdict::Again(pause),
        500 | 502 | 504 => Verdict::Broken,
        _ if early => Verdict::Again(PAUSE),
        _ => Verdict::Stands,
    }
}

/// What the attempts have to know of a server beforehand.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// Name, address and way, for sentences.
    pub(super) label: &'a str,
    /// How long an attempt may be on its way before another is sent after it: a second one beside a slow dial or login
    /// would only arrive together with the first.
    pub(super) patience: Duration,
    /// It is a recovery API server: it may know us where others do not, and admit what they refuse.
    pub(super) recovery: bool,
}

/// One server during one request.
struct Lane {
    server: usize,
    not_before: Instant,
    open: usize,
    started: u32,
    /// Quick failures in a row.
    quick: u32,
    /// It has said since that it is not starting: its no has to be heard once more while that holds, before others are tried.
    once_more: bool,
    shut: Option<Fault>,
    /// Its port took the last attempt that has ended, or none has yet.
    reached: bool,
    /// Its no, which counts if a recovery API server has nothing else to say.
    no: Option<Reply>,
}

#[derive(Clone)]
struct Flight {
    lane: usize,
    began: Instant,
    /// Tells this flight from others, too.
    received: Arc<AtomicBool>,
}

/// Everything about one request but the futures of its attempts.
struct Drive<'a, V, T> {
    kind: Kind,
    begin: Instant,
    deadline: Instant,
    lanes: Vec<Lane>,
    open: Vec<Flight>,
    next_start: Instant,
    standing: &'a Standing,
    view: V,
    tell: T,
    tried: Vec<Tried>,
    unanswered: bool,
    broken: u32,
    last: Option<Reply>,
}

impl<'a, V: Fn(usize) -> View<'a>, T: Fn(&Tried)> Drive<'a, V, T> {
    fn may_start(&self, lane: &Lane) -> bool {
        lane.shut.is_none() && lane.no.is_none() && (self.kind != Kind::Health || lane.started == 0)
    }

    /// Is this a no that a recovery API server may yet turn into a yes?
    fn waits_for_another(&self, index: usize, answer: &Answer) -> bool {
        let is_recovery = |lane: &Lane| (self.view)(lane.server).recovery;
        let no = matches!(answer.code, 401 | 403) || answer.refused_by_webhook();
        let others = || self.lanes.iter().any(|lane| is_recovery(lane) && lane.shut.is_none());
        no && self.kind != Kind::Health && !is_recovery(&self.lanes[index]) && others() && !self.is_their_turn_over()
    }

    /// When a no counts all the same.
    fn end_of_their_turn(&self) -> Instant {
        let is_there = |lane: &Lane| lane.reached && lane.shut.is_none() && (self.view)(lane.server).recovery;
        self.begin + if self.lanes.iter().any(is_there) { ITS_LONG_TURN } else { ITS_TURN }
    }

    fn is_their_turn_over(&self) -> bool {
        Instant::now() >= self.end_of_their_turn()
    }

    /// A no that counts now.
    fn no(&mut self) -> Option<Reply> {
        self.lanes.iter_mut().find_map(|lane| lane.no.take())
    }

    /// Is an attempt still on its way to this server, and is it too early to send another after it?
    fn awaited(&self, index: usize, now: Instant) -> bool {
        let patience = (self.view)(self.lanes[index].server).patience;
        let on_its_way = |open: &Flight| open.lane == index && !open.received.load(Ordering::Relaxed);
        self.open.iter().any(|open| on_its_way(open) && now - open.began < patience)
    }

    /// The lane for the next attempt: one whose no is to be heard once more, else the one with the fewest open, then the fewest so
    /// far, then the best known.
    fn pick(&self, now: Instant) -> Option<usize> {
        let ready = |index: &usize| {
            let lane = &self.lanes[*index];
            self.may_start(lane) && lane.not_before <= now && !self.awaited(*index, now)
        };
        let ready = (0..self.lanes.len()).filter(ready);
        ready.min_by_key(|index| {
            let Lane { once_more, open, started, .. } = self.lanes[*index];
            (!once_more, open, started)
        })
    }

    /// When it is worth trying to start the next attempt, if one may start at all.
    fn next(&self, now: Instant) -> Option<Instant> {
        let lanes = (0..self.lanes.len()).filter(|index| self.may_start(&self.lanes[*index]));
        let soonest = lanes.map(|index| {
            let not_before = self.lanes[index].not_before;
            if self.awaited(index, now) { not_before.max(now + RECHECK) } else { not_before }
        });
        soonest.min().map(|soonest| soonest.max(self.next_start))
    }

    fn note(&mut self, lane: usize, came: String, took: Duration, fault: Option<&Fault>) {
        let label = (self.view)(self.lanes[lane].server).label.to_owned();
        let (reached, hint) = (fault.is_none_or(Fault::reached), fault.and_then(|fault| fault.hint.clone()));
        let hung_up = fault.is_some_and(Fault::hung_up);
        let tried = Tried { label, came, took, times: 1, reached, hung_up, hint };
        (self.tell)(&tried);
        match self.tried.iter_mut().rev().find(|last| last.label == tried.label) {
            Some(last) if last.came == tried.came => {
                last.times += 1;
                last.took = tried.took;
            }
            _ => self.tried.push(tried),
        }
    }

    /// Takes one ended attempt in; `Some` when that is the end.
    fn ended(&mut self, flight: &Flight, result: Result<Answer, Fault>) -> Option<End> {
        let now = Instant::now();
        let took = now - flight.began;
        let server = self.lanes[flight.lane].server;
        self.open.retain(|open| !Arc::ptr_eq(&open.received, &flight.received));
        self.lanes[flight.lane].open -= 1;
        self.next_start = now;
        let answer = match result {
            Ok(answer) => answer,
            Err(fault) => return self.failed(flight, fault, took),
        };
        let worth = self.standing.worth(server, flight.began);
        let early = answer.may_be_early() && (worth != Worth::Stands || self.standing.starting(server));
        let verdict = judge(self.kind, &answer, early);
        let pause = match verdict {
            Verdict::Again(pause) => Some(pause),
            _ => None,
        };
        self.standing.answered(server, took, pause.filter(|_| answer.retry_after.is_some()));
        self.note(flight.lane, said(&answer), took, None);
        self.unanswered |= answer.code == 503;
        let deferred = self.waits_for_another(flight.lane, &answer);
        let reply = Reply { server, answer, took, early };
        let lane = &mut self.lanes[flight.lane];
        lane.quick = 0;
        lane.reached = true;
        match verdict {
            Verdict::Stands if !deferred => return Some(End::Answered(reply)),
            Verdict::Stands => {
                self.lanes[flight.lane].no = Some(reply);
                return None;
            }
            Verdict::Again(pause) => {
                lane.not_before = now + pause;
                if early && worth == Worth::Early {
                    lane.once_more = true;
                    self.next_start = lane.not_before;
                }
            }
            Verdict::Broken => {
                lane.not_before = now + PAUSE;
                self.broken += 1;
                self.unanswered = true;
                if self.kind == Kind::Single || self.broken >= BROKEN_AT_MOST {
                    return Some(End::GaveUp { last: Some(reply), shut: None });
                }
            }
        }
        self.last = Some(reply);
        None
    }

    fn failed(&mut self, flight: &Flight, fault: Fault, took: Duration) -> Option<End> {
        self.standing.failed(self.lanes[flight.lane].server, &fault);
        // Of several that end with the time that all of them had, one sentence is enough.
        let late = Instant::now() >= self.deadline && fault.kind == FaultKind::TimedOut(Stage::Answer);
        let came = if late { USED_UP.to_owned() } else { fault.to_string() };
        self.note(flight.lane, came, took, Some(&fault));
        // A refused client certificate shows only when the answer is read, but nothing was done for it; nor for what was
        // turned away on the way.
        let unread = matches!(fault.kind, FaultKind::Rejected | FaultKind::TurnedAway);
        let lost = flight.received.load(Ordering::Relaxed) && !unread;
        self.unanswered |= lost;
        let lane = &mut self.lanes[flight.lane];
        lane.reached = fault.reached();
        if fault.is_final() {
            lane.shut = Some(fault);
        } else {
            lane.quick += 1;
            lane.not_before = Instant::now() + (TINY_PAUSE * (1 << (lane.quick - 1).min(4))).min(TINY_PAUSE_CAP);
        }
        (lost && self.kind == Kind::Single).then(|| End::GaveUp { last: self.last.take(), shut: None })
    }

    /// Takes off with the next attempt if one may start now: where to and until when it lives.
    fn start(&mut self, now: Instant) -> Option<(Flight, usize, Instant)> {
        if self.open.len() >= self.kind.at_once() || now < self.next_start {
            return None;
        }
        let index = self.pick(now)?;
        let lane = &mut self.lanes[index];
        lane.open += 1;
        lane.started += 1;
        lane.once_more = false;
        self.next_start = now + STAGGER;
        let flight = Flight { lane: index, began: now, received: Arc::default() };
        self.open.push(flight.clone());
        let end = self.kind.life().and_then(|life| now.checked_add(life));
        Some((flight, self.lanes[index].server, end.map_or(self.deadline, |end| end.min(self.deadline))))
    }

    /// Nothing is in flight and nothing may start any more.
    fn stranded(&self, now: Instant) -> bool {
        let said_no = self.lanes.iter().any(|lane| lane.no.is_some());
        (self.open.is_empty() && self.next(now).is_none()) || (said_no && self.is_their_turn_over())
    }

    /// When to look again if no attempt ends before.
    fn wake(&self, now: Instant) -> Instant {
        let next = self.next(now).filter(|_| self.open.len() < self.kind.at_once());
        let said_no = self.lanes.iter().any(|lane| lane.no.is_some());
        let turn = said_no.then(|| self.end_of_their_turn());
        [next, turn].into_iter().flatten().fold(self.deadline, Instant::min)
    }

    fn give_up(mut self) -> Conclusion {
        if let Some(no) = self.no() {
            return self.conclude(End::Answered(no));
        }
        for flight in self.open.clone() {
            self.note(flight.lane, USED_UP.to_owned(), flight.began.elapsed(), None);
        }
        let shut = self.lanes.iter_mut().find_map(|lane| lane.shut.take()).filter(|_| self.open.is_empty());
        let last = self.last.take();
        self.conclude(End::GaveUp { last, shut })
    }

    fn conclude(mut self, end: End) -> Conclusion {
        self.unanswered |= self.open.iter().any(|flight| flight.received.load(Ordering::Relaxed));
        Conclusion { end, unanswered: self.unanswered, tried: self.tried }
    }
}

/// Tries a request on these servers (best first) until an answer stands, nothing is left to try, or `limit` has passed.
/// The first answer that stands wins; what is still open then is dropped, which closes its connection.
pub(super) async fn drive<'a, F>(
    kind: Kind,
    limit: Duration,
    servers: &[usize],
    standing: &'a Standing,
    view: impl Fn(usize) -> View<'a>,
    attempt: F,
    tell: impl Fn(&Tried),
) -> Conclusion
where
    F: Fn(usize, Instant, Arc<AtomicBool>) -> BoxFuture<'a, Result<Answer, Fault>>,
{
    let begin = Instant::now();
    let lane = |server: &usize| Lane {
        server: *server,
        not_before: standing.pause(*server).unwrap_or(begin),
        open: 0,
        started: 0,
        quick: 0,
        once_more: false,
        shut: None,
        reached: true,
        no: None,
    };
    let mut drive = Drive {
        kind,
        begin,
        deadline: begin + limit,
        lanes: servers.iter().map(lane).collect(),
        open: Vec::new(),
        next_start: begin,
        standing,
        view,
        tell,
        tried: Vec::new(),
        unanswered: false,
        broken: 0,
        last: None,
    };
    let mut flying = FuturesUnordered::new();
    loop {
        let now = Instant::now();
        if now >= drive.deadline || drive.stranded(now) {
            // An answer that is there by now counts, also where this machine was too busy to take it in before.
            tokio::task::yield_now().await;
            while let Some(ended) = flying.next().now_or_never() {
                let Some((flight, result)): Option<(Flight, Result<Answer, Fault>)> = ended else { break };
                // How far it got, too: only what was reached can be drowning.
                if let Some(end) = drive.ended(&flight, result) {
                    return drive.conclude(end);
                }
            }
            return drive.give_up();
        }
        if let Some((flight, server, until)) = drive.start(now) {
            let sending = attempt(server, until, Arc::clone(&flight.received));
            flying.push(async move { (flight, sending.await) });
            continue;
        }
        tokio::select! {
            biased;
            Some((flight, result)) = flying.next() => {
                if let Some(end) = drive.ended(&flight, result) {
                    return drive.conclude(end);
                }
            }
            () = sleep_until(drive.wake(now)) => {}
        }
    }
}

/// An answer as a fragment for a sentence.
fn said(answer: &Answer) -> String {
    if let Some(stranger) = &answer.stranger {
        return stranger.clone();
    }
    match (answer.retry_after, &answer.flow_schema) {
        (Some(pause), Some(flow)) => {
            format!("{}, come again in {} s (flow schema {flow})", answer.code, pause.as_secs())
        }
        (Some(pause), None) => format!("{}, come again in {} s", answer.code, pause.as_secs()),
        _ => format!("{}", answer.code),
    }
}

#[cfg(test)]
#[path = "attempts_tests.rs"]
mod tests;
