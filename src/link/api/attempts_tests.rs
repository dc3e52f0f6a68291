//! The policy on a clock that stands still until everybody waits: servers are scripts of what they do to each attempt.

use std::sync::Mutex;

use futures::FutureExt as _;

use super::*;
use crate::link::api::standing::Word;

/// What a server does to an attempt.
#[derive(Clone)]
enum Does {
    /// Answers with this code after so many seconds.
    Says(u16, f64),
    /// The same, and asks to be left alone for so many seconds.
    Later(u16, u64),
    /// A 404 about the object.
    Gone(f64),
    /// Refuses the connection at once.
    Refuses,
    /// Nothing comes back from where it is, for so many seconds.
    Lost(f64),
    /// Takes the request and cuts the connection after so many seconds.
    Cuts(f64),
    /// Takes the request and never answers.
    Hangs,
    /// Is on its way for so many seconds, then answers 200 at once.
    Dials(f64),
    /// Its certificate is wrong.
    Stranger,
    /// Says 200 and goes on talking: a write is told so when the attempt's time is used up, by a machine that is busy.
    Talks,
}

use Does::{Cuts, Dials, Gone, Hangs, Later, Lost, Refuses, Says, Stranger, Talks};

struct Play {
    /// One script per server; the last entry repeats.
    servers: Vec<Vec<Does>>,
    /// Which of them is a recovery API server.
    recovery: Option<usize>,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    /// (server, seconds since the start).
    starts: Vec<(usize, f64)>,
    open: usize,
    most_open: usize,
    handled: Vec<usize>,
}

struct Opened<'a>(&'a Play);

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.log.lock().unwrap().open -= 1;
    }
}

impl Play {
    fn new(servers: &[&[Does]]) -> Self {
        let servers: Vec<_> = servers.iter().map(|script| script.to_vec()).collect();
        let log = Mutex::new(Log { handled: vec![0; servers.len()], ..Log::default() });
        Self { servers, log, recovery: None }
    }

    async fn run(&self, kind: Kind, limit: f64) -> Conclusion {
        self.run_with(kind, limit, &Standing::new(self.servers.len())).await
    }

    async fn run_with(&self, kind: Kind, limit: f64, standing: &Standing) -> Conclusion {
        const NAMES: [&str; 3] = ["cp1", "cp2", "cp3"];
        let begin = Instant::now();
        let attempt = |server: usize, until: Instant, received: Arc<AtomicBool>| {
            let (does, opened) = {
                let mut log = self.log.lock().unwrap();
                log.starts.push((server, (begin.elapsed().as_secs_f64() * 10.0).round() / 10.0));
                log.open += 1;
                log.most_open = log.most_open.max(log.open);
                let script = &self.servers[server];
                let at = log.handled[server].min(script.len() - 1);
                log.handled[server] += 1;
                (script[at].clone(), Opened(self))
            };
            async move {
                let _opened = opened;
                let life = until - Instant::now();
                let work = act(does, received, until);
                let sent = Instant::now();
                let came = tokio::time::timeout_at(until, work)
                    .await
                    .unwrap_or_else(|_| Err(Fault::timed_out(Stage::Answer, life)));
                // As the link does: whoever is refused asks.
                let asks = !standing.starting(server) && standing.worth(server, sent) == Worth::NotKnown;
                if asks && came.as_ref().is_ok_and(Answer::may_be_early) {
                    standing.says(server, Word::NotStarting);
                }
                came
            }
            .boxed()
        };
        let order = standing.order();
        let view = |index: usize| View {
            label: NAMES[index],
            patience: Duration::from_secs(5),
            recovery: self.recovery == Some(index),
        };
        drive(kind, Duration::from_secs_f64(limit), &order, standing, view, attempt, |_| {}).await
    }

    fn starts(&self) -> Vec<(usize, f64)> {
        self.log.lock().unwrap().starts.clone()
    }
}

async fn act(does: Does, received: Arc<AtomicBool>, until: Instant) -> Result<Answer, Fault> {
    let answer = |code, text: &str, retry| {
        let retry_after = Some(retry).filter(|secs| *secs > 0).map(Duration::from_secs);
        Ok(Answer {
            code,
            text: text.to_owned(),
            retry_after,
            date: None,
            flow_schema: None,
            stranger: None,
            void: None,
        })
    };
    let wait = |secs: f64| {
        received.store(true, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs_f64(secs))
    };
    match does {
        Says(code, secs) => {
            wait(secs).await;
            answer(code, "{}", 0)
        }
        Later(code, retry) => {
            wait(0.1).await;
            answer(code, "{}", retry)
        }
        Gone(secs) => {
            wait(secs).await;
            answer(404, r#"{"kind":"Status","details":{"name":"agent"}}"#, 0)
        }
        Refuses => Err(Fault::new(FaultKind::Refused, "")),
        Lost(secs) => {
            wait(secs).await;
            Err(Fault::timed_out(Stage::Connect, Duration::from_secs_f64(secs)))
        }
        Cuts(secs) => {
            wait(secs).await;
            Err(Fault::new(FaultKind::Reset, ""))
        }
        Hangs => {
            wait(1e6).await;
            Err(Fault::new(FaultKind::Closed, ""))
        }
        Dials(secs) => {
            tokio::time::sleep(Duration::from_secs_f64(secs)).await;
            wait(0.0).await;
            answer(200, "{}", 0)
        }
        Stranger => Err(Fault::new(FaultKind::Certificate, "not for this name")),
        Talks => {
            tokio::time::advance(Duration::from_millis(5)).await;
            received.store(true, Ordering::Relaxed);
            tokio::time::sleep_until(until).await;
            answer(200, "", 0)
        }
    }
}

fn code(conclusion: &Conclusion) -> Option<u16> {
    match &conclusion.end {
        End::Answered(reply) => Some(reply.answer.code),
        End::GaveUp { .. } => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_quick_server_is_asked_once() {
    let play = Play::new(&[&[Says(200, 0.05)], &[Says(200, 0.05)]]);
    let end = play.run(Kind::Guarded, 60.0).await;
    assert_eq!((code(&end), end.unanswered, play.starts()), (Some(200), false, vec![(0, 0.0)]));
}

#[tokio::test(start_paused = true)]
async fn a_starving_server_is_waited_for_while_others_are_tried_and_never_more_than_four_at_once() {
    let play = Play::new(&[&[Says(200, 17.0)]]);
    let end = play.run(Kind::Guarded, 60.0).await;
    assert_eq!(code(&end), Some(200));
    assert_eq!(play.starts(), [(0, 0.0), (0, 1.5), (0, 3.0), (0, 4.5)]);
    assert_eq!(play.log.lock().unwrap().most_open, 4);
    assert_eq!(play.log.lock().unwrap().open, 0, "the losers are dropped");
    assert!(end.unanswered, "the others may have been received");
}

#[tokio::test(start_paused = true)]
async fn a_slow_dial_or_login_is_waited_for_before_a_second_request_follows_it() {
    let play = Play::new(&[&[Dials(4.0)]]);
    let end = play.run(Kind::Guarded, 60.0).await;
    assert_eq!((code(&end), play.starts()), (Some(200), vec![(0, 0.0)]));
    let play = Play::new(&[&[Dials(12.0)]]);
    play.run(Kind::Guarded, 60.0).await;
    assert_eq!(play.starts(), [(0, 0.0), (0, 5.0), (0, 10.0)], "but not for ever");
    let play = Play::new(&[&[Dials(4.0)], &[Dials(0.1)]]);
    play.run(Kind::Guarded, 60.0).await;
    assert_eq!(play.starts(), [(0, 0.0), (1, 1.5)], "another server is tried meanwhile");
}

#[tokio::test(start_paused = true)]
async fn attempts_go_round_the_servers() {
    let play = Play::new(&[&[Hangs], &[Hangs], &[Says(200, 1.0)]]);
    let end = play.run(Kind::Look, 60.0).await;
    assert_eq!((code(&end), play.starts()), (Some(200), vec![(0, 0.0), (1, 1.5), (2, 3.0)]));
}

#[tokio::test(start_paused = true)]
async fn a_dead_server_costs_nothing_and_the_next_is_tried_at_once() {
    let play = Play::new(&[&[Refuses], &[Says(200, 0.1)]]);
    let standing = Standing::new(2);
    let end = play.run_with(Kind::Single, 60.0, &standing).await;
    assert_eq!((code(&end), play.starts()), (Some(200), vec![(0, 0.0), (1, 0.0)]));
    // It is remembered: the next request goes straight to the one that answers.
    let again = play.run_with(Kind::Single, 60.0, &standing).await;
    assert_eq!((code(&again), play.starts().len(), play.starts()[2].0), (Some(200), 3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_restarting_server_is_dialled_again_soon_but_not_in_a_spin() {
    let play = Play::new(&[&[Refuses, Refuses, Cuts(0.0), Refuses, Refuses, Refuses, Says(200, 0.1)]]);
    let end = play.run(Kind::Guarded, 60.0).await;
    assert_eq!(code(&end), Some(200));
    let pauses: Vec<f64> = play.starts().windows(2).map(|w| ((w[1].1 - w[0].1) * 10.0).round() / 10.0).collect();
    assert_eq!(pauses, [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]);
}

#[tokio::test(start_paused = true)]
async fn a_404_after_our_own_unanswered_attempt_is_told_apart() {
    let play = Play::new(&[&[Cuts(0.5), Gone(0.1)]]);
    let end = play.run(Kind::Guarded, 60.0).await;
    assert_eq!((code(&end), end.unanswered), (Some(404), true));
    let play = Play::new(&[&[Gone(0.1)]]);
    let end = play.run(Kind::Guarded, 60.0).await;
    assert_eq!((code(&end), end.unanswered), (Some(404), false));
}

#[tokio::test(start_paused = true)]
async fn what_may_be_sent_once_only_is_never_sent_again_after_it_may_have_been_received() {
    for lost in [Cuts(0.5), Says(504, 1.0), Says(500, 1.0), Says(503, 0.1), Hangs] {
        let play = Play::new(&[&[lost], &[Says(200, 0.1)]]);
        let end = play.run(Kind::Single, 60.0).await;
        assert_eq!((code(&end), end.unanswered, play.starts().len()), (None, true, 1));
    }
    // Refused by priority and fairness: nobody looked at it.
    let play = Play::new(&[&[Later(429, 2), Says(200, 0.1)]]);
    let end = play.run(Kind::Single, 60.0).await;
    assert_eq!((code(&end), play.starts()), (Some(200), vec![(0, 0.0), (0, 2.1)]));
    let play = Play::new(&[&[Refuses]]);
    let end = play.run(Kind::Single, 5.0).await;
    assert_eq!((code(&end), end.unanswered), (None, false), "never received: it failed, and that is known");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_up_to_a_cap_and_elsewhere_is_tried_meanwhile() {
    let play = Play::new(&[&[Later(429, 3), Says(200, 0.1)]]);
    play.run(Kind::Guarded, 60.0).await;
    assert_eq!(play.starts(), [(0, 0.0), (0, 3.1)]);
    let play = Play::new(&[&[Later(429, 32), Says(200, 0.1)]]);
    play.run(Kind::Guarded, 60.0).await;
    assert_eq!(play.starts(), [(0, 0.0), (0, 10.1)]);
    let play = Play::new(&[&[Later(429, 3)], &[Says(200, 0.1)]]);
    let standing = Standing::new(2);
    play.run_with(Kind::Guarded, 60.0, &standing).await;
    assert_eq!(play.starts(), [(0, 0.0), (1, 0.1)]);
    // The pause holds for the next request too.
    let play = Play::new(&[&[Says(200, 0.1)], &[Refuses]]);
    play.run_with(Kind::Single, 60.0, &standing).await;
    assert!(play.starts().iter().filter(|(server, _)| *server == 0).all(|(_, at)| *at >= 2.0), "{:?}", play.starts());
}

#[tokio::test(start_paused = true)]
async fn rights_and_resources_may_be_missing_just_after_a_restart_but_not_else() {
    let play = Play::new(&[&[Refuses, Says(403, 0.1), Says(404, 0.1), Says(200, 0.1)]]);
    assert_eq!(code(&play.run(Kind::Guarded, 60.0).await), Some(200));
    let play = Play::new(&[&[Refuses, Gone(0.1), Says(200, 0.1)]]);
    assert_eq!(code(&play.run(Kind::Guarded, 60.0).await), Some(404), "this one is about the object");
    let play = Play::new(&[&[Says(403, 0.1), Says(403, 0.1), Says(200, 0.1)]]);
    assert_eq!(code(&play.run(Kind::Guarded, 60.0).await), Some(403));
    let play = Play::new(&[&[Refuses, Says(403, 0.1)]]);
    let begin = Instant::now();
    assert_eq!(code(&play.run(Kind::Guarded, 60.0).await), Some(403), "and not for ever");
    assert!((15.0..18.0).contains(&begin.elapsed().as_secs_f64()), "{:?}", begin.elapsed());
}

/// What one server's word is worth does not end while another is waited for in vain.
#[tokio::test(start_paused = true)]
async fn a_no_stands_beside_servers_that_are_lost_or_slow() {
    for kind in [Kind::Guarded, Kind::Look, Kind::Dump, Kind::Single] {
        for others in [&[Lost(5.0)][..], &[Lost(30.0)], &[Says(403, 4.0)], &[Dials(60.0)]] {
            let play = Play::new(&[&[Says(403, 0.1)], others, others]);
            let begin = Instant::now();
            assert_eq!(code(&play.run(kind, 300.0).await), Some(403), "{kind:?}");
            assert!(begin.elapsed() < Duration::from_secs(20), "{kind:?}: {:?}", begin.elapsed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_there_when_the_time_is_used_up_counts() {
    for kind in [Kind::Guarded, Kind::Single] {
        let play = Play::new(&[&[Talks]]);
        assert_eq!(code(&play.run(kind, 1.0).await), Some(200), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_wait_ends_and_says_what_was_tried() {
    let play = Play::new(&[&[Hangs], &[Refuses]]);
    let begin = Instant::now();
    let end = play.run(Kind::Guarded, 20.0).await;
    assert_eq!(begin.elapsed(), Duration::from_secs(20));
    assert!(end.unanswered);
    let tried = end.tried.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(tried.contains("cp2: connection refused (after 0.0 s, "), "{tried}");
    assert!(tried.contains("cp1: no answer when the time was used up (after "), "{tried}");
    assert!(end.tried.len() <= 3, "folded: {tried}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_who_it_should_be_is_not_tried_again() {
    let play = Play::new(&[&[Stranger], &[Stranger]]);
    let begin = Instant::now();
    let end = play.run(Kind::Guarded, 60.0).await;
    assert_eq!((begin.elapsed(), play.starts().len(), end.unanswered), (Duration::ZERO, 2, false));
    assert!(matches!(end.end, End::GaveUp { shut: Some(Fault { kind: FaultKind::Certificate, .. }), .. }));
}

#[tokio::test(start_paused = true)]
async fn health_is_asked_once_and_every_code_is_an_answer() {
    for said in [500, 429, 503, 403] {
        let play = Play::new(&[&[Says(said, 0.1)]]);
        assert_eq!((code(&play.run(Kind::Health, 10.0).await), play.starts().len()), (Some(said), 1));
    }
    let play = Play::new(&[&[Refuses]]);
    let begin = Instant::now();
    play.run(Kind::Health, 10.0).await;
    assert_eq!((begin.elapsed(), play.starts().len()), (Duration::ZERO, 1));
}

#[tokio::test(start_paused = true)]
async fn dear_reads_go_one_at_a_time_and_errors_of_the_server_are_taken_three_times() {
    let play = Play::new(&[&[Says(200, 12.0)]]);
    play.run(Kind::Dump, 60.0).await;
    assert_eq!(play.starts().len(), 1);
    let play = Play::new(&[&[Says(500, 0.1)]]);
    let end = play.run(Kind::Look, 60.0).await;
    assert!(matches!(end.end, End::GaveUp { last: Some(Reply { answer: Answer { code: 500, .. }, .. }), .. }));
    assert_eq!(play.starts().len(), 3);
}

/// A recovery API server begins to answer while it is asked; the cluster's own are quick to say no.
#[tokio::test(start_paused = true)]
async fn the_no_of_the_clusters_own_waits_for_a_recovery_api_server() {
    for kind in [Kind::Look, Kind::Guarded, Kind::Single] {
        let comes_up = [vec![Says(503, 9.0); 4], vec![Says(200, 9.0)]].concat();
        for slow in [vec![Says(200, 29.0)], vec![Refuses, Refuses, Refuses, Says(200, 0.5)], comes_up] {
            // What may have been done by an attempt is not sent again.
            if kind == Kind::Single && matches!(slow[0], Says(503, _)) {
                continue;
            }
            let play = Play { recovery: Some(0), ..Play::new(&[&slow, &[Says(401, 0.1)], &[Says(403, 0.1)]]) };
            let standing = Standing::new(3);
            // They have said that they are not starting.
            (1..3).for_each(|server| standing.says(server, Word::NotStarting));
            let End::Answered(reply) = play.run_with(kind, 60.0, &standing).await.end else { panic!("{kind:?}") };
            assert_eq!((reply.server, reply.answer.code), (0, 200), "{kind:?}");
        }
    }
    // It counts once that one has had its turn, or is no API server that can be asked.
    let turns = [
        (vec![Hangs], 120.0),
        (vec![Refuses], 20.0),
        (vec![Lost(8.0)], 20.0),
        (vec![Lost(25.0)], 25.0),
        (vec![Stranger], 1.6),
    ];
    for (recovery, seconds) in turns {
        let play = Play { recovery: Some(0), ..Play::new(&[&recovery, &[Says(403, 0.1)]]) };
        let standing = Standing::new(2);
        standing.says(1, Word::NotStarting);
        let began = Instant::now();
        let End::Answered(reply) = play.run_with(Kind::Look, 600.0, &standing).await.end else { panic!("no answer") };
        assert_eq!((reply.server, reply.answer.code), (1, 403));
        let took = began.elapsed().as_secs_f64();
        assert!(took <= seconds + 0.2 && (seconds < 5.0 || took > seconds - 0.2), "{took} s, not {seconds}");
    }
}
