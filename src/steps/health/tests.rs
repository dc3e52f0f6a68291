//! The judgement over API servers.

use super::*;
use crate::steps::gate::tests::{cluster, gate_on};
use crate::steps::{History, Mark};
use crate::world::fake::Fake;

const OBJECT: &str = r#"{"kind":"PartialObjectMetadata"}"#;
const LIMITS: Limits = Limits { slowest: Duration::from_secs(1), samples: 2, rejects: None, memory: 100 };

/// One look, so many seconds after the step began; these are gone, and these had answered before.
async fn looked(secs: i64, gone: &[Target], answered: Option<&[&str]>, small: u64) -> Health {
    let fake = Fake::new(vec![cluster()]);
    fake.answer(SMALL, 200, OBJECT, Duration::from_millis(small));
    gone.iter().for_each(|target| fake.dies_after(target.clone(), 0));
    judged(&fake, secs, answered).await
}

async fn judged_at(fake: &Fake, secs: i64) -> Health {
    judged(fake, secs, Some(&[])).await
}

async fn judged(fake: &Fake, secs: i64, answered: Option<&[&str]>) -> Health {
    let now = jiff::Timestamp::from_second(1_790_000_000).unwrap();
    let history = History {
        since: jiff::Timestamp::from_second(1_790_000_000 - secs).ok(),
        now,
        answered: answered.map(|all| all.iter().map(|name| Target::api_server("east", *name)).collect()),
        ..History::default()
    };
    let mark = Mark { run: "r".into(), operator: "eve".into(), reason: String::new() };
    let target = Target::host("east", "cp1");
    let look = Look { target: &target, reads: fake, history: &history, mark: &mark, step: 0 };
    judge(look, fake.cluster("east").unwrap(), (&[], &BTreeSet::new()), &LIMITS).await
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_dead_all_along_is_left_out_and_any_other_counts() {
    let (server, host) = (Target::api_server("east", "api2"), Target::host("east", "cp2"));
    let both = [server.clone(), host];
    let health = looked(60, &both, Some(&[]), 5).await;
    assert_eq!((health.bad.len(), health.without.len()), (0, 1), "{health:?}");
    assert!(health.without[0].to_string().starts_with("judged without api2: it has not answered once"), "{health:?}");
    // Too early; its host is there; it had answered; nobody knows whether it had.
    for (secs, gone, answered) in [
        (29, &both[..], Some(&[][..])),
        (60, &both[..1], Some(&[][..])),
        (60, &both[..], Some(&["api2"][..])),
        (60, &both[..], None),
    ] {
        let health = looked(secs, gone, answered, 5).await;
        assert_eq!((health.bad.len(), health.without.len()), (2, 0), "{health:?}");
    }
    // The other one is slow, or gone as well: then nobody is left out.
    assert!(looked(60, &both, Some(&[]), 1500).await.without.is_empty());
    let all = [both[0].clone(), both[1].clone(), Target::api_server("east", "api1"), Target::host("east", "cp1")];
    let health = looked(60, &all, Some(&[]), 5).await;
    assert_eq!((health.bad.len(), health.without.len()), (4, 0), "{health:?}");
}

#[tokio::test(start_paused = true)]
async fn only_the_object_itself_shows_that_storage_was_asked() {
    for (code, body, part) in [
        (200, OBJECT, ""),
        (200, "{}", "no Kubernetes object"),
        (200, "<html>sign in</html>", "no Kubernetes object"),
        (401, r#"{"kind":"Status","message":"Unauthorized"}"#, "cannot be judged with this credential"),
        (403, r#"{"kind":"Status","message":"no"}"#, "cannot be judged with this credential"),
        (404, r#"{"kind":"Status","message":"none"}"#, "came back with 404"),
        (301, "", "came back with 301"),
        (429, "", "came back with 429"),
        (503, "<html>", "came back with 503"),
    ] {
        let fake = Fake::new(vec![cluster()]);
        fake.answer(SMALL, code, body, Duration::from_millis(5));
        let health = judged_at(&fake, 1).await;
        assert_eq!(health.denied, matches!(code, 401 | 403), "{code}: {health:?}");
        let bad = crate::finding::joined(&health.bad);
        assert!(bad.contains(part) && bad.is_empty() == part.is_empty(), "{code} {body}: {health:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_process_is_left_out_at_once_where_a_closed_gate_keeps_everybody_from_its_next_start() {
    let case = async |level: u32, listening: &'static [u16], restarts: u32| {
        let fake = Fake::new(vec![cluster()]);
        fake.answer(SMALL, 200, OBJECT, Duration::from_millis(5));
        // It had answered before: what it does now is the host's word.
        fake.dies_after(Target::api_server("east", "api2"), 0);
        fake.on_script(gate_on("cp2", level, listening, restarts));
        let health = judged(&fake, 1, Some(&["api2"])).await;
        (health.bad.len(), health.without.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let (bad, without) = case(0, &[22], 0).await;
    assert_eq!((bad, without.len()), (0, 1), "{without:?}");
    assert!(without[0].contains("api2: it has no process") && without[0].contains("opens last"), "{without:?}");
    let (_, without) = case(0, &[22], 7).await;
    assert!(without[0].contains("crash-loops (started 8 times)"), "{without:?}");
    // Somebody listens; a stage is open; no gate stands there.
    for (level, listening) in [(0, &[22, 6443][..]), (1, &[22][..]), (u32::MAX, &[22][..])] {
        assert_eq!(case(level, listening, 0).await, (2, Vec::new()), "{level} {listening:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_away_keeps_no_look_waiting_and_where_all_are_nobody_is_well() {
    let fake = Fake::new(vec![cluster()]);
    fake.answer(SMALL, 200, OBJECT, Duration::from_millis(5));
    fake.hangs(Target::api_server("east", "api2"));
    fake.on_script(gate_on("cp2", 0, &[22], 0));
    let began = Instant::now();
    let health = judged_at(&fake, 1).await;
    assert!(health.bad.is_empty() && health.without.len() == 1 && !health.lost, "{health:?}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    // The other one as well.
    let fake = Fake::new(vec![cluster()]);
    [1, 2].iter().for_each(|n| fake.hangs(Target::api_server("east", format!("api{n}"))));
    let (one, two) = (gate_on("cp1", 0, &[22], 0), gate_on("cp2", 0, &[22], 0));
    fake.on_script(Box::new(move |target, script| one(target, script).or_else(|| two(target, script))));
    let health = judged_at(&fake, 1).await;
    assert!(health.lost && health.bad == ["no API server is left to be judged".into()], "{health:?}");
}

/// What `settled` finds bad when the four questions of two looks are answered with these codes after these milliseconds.
async fn found(small: [(u16, u64); 4]) -> Vec<String> {
    let fake = Fake::new(vec![cluster()]);
    small.iter().for_each(|(code, millis)| fake.answer(SMALL, *code, OBJECT, Duration::from_millis(*millis)));
    let cluster = fake.cluster("east").unwrap();
    settled(&fake, cluster, &cluster.api_servers[0], &LIMITS).await.bad.iter().map(ToString::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn a_bad_answer_is_asked_for_once_more() {
    const GOOD: (u16, u64) = (200, 5);
    assert!(found([GOOD; 4]).await.is_empty());
    assert!(found([(200, 1500), GOOD, GOOD, GOOD]).await.is_empty());
    assert_eq!(found([(200, 1500), GOOD, GOOD, (200, 1200)]).await, ["a small GET to api1 took 1200 ms"]);
    assert_eq!(found([(200, 1500), GOOD, (500, 5), GOOD]).await, ["a small GET to api1 came back with 500"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_answered_is_bad_at_once() {
    let fake = Fake::new(vec![cluster()]);
    // The first small GET; everything after it is answered.
    fake.deny_reads(1);
    let cluster = fake.cluster("east").unwrap();
    let seen = settled(&fake, cluster, &cluster.api_servers[0], &LIMITS).await;
    assert!(seen.bad.len() == 1 && seen.heard && !seen.whole, "{:?}", seen.bad);
}
