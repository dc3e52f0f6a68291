//! How the API servers are: ready, quick, not turning requests away, and not about to die of their memory.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use super::progress::Order;
use crate::change::Target;
use crate::host::gate;
use crate::kit::{ApiServer, Cluster, Host};
use crate::script::{MOST, amount};
use crate::steps::{Look, servers};
use crate::world::{Accept, KubeAnswer, KubeRead, ReadErrorKind, Reads};

/// The small request that is timed: one object, which every cluster has.
pub(in crate::steps) const SMALL: &str = "/api/v1/namespaces/kube-system";
/// Says, per priority level, how many requests were rejected so far.
const LEVELS: &str = "/debug/api_priority_and_fairness/dump_priority_levels";
/// A bad answer is given this long before it is asked for once more.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A server that has not answered by then has its host asked what became of it.
const KEPT_WAITING: Duration = Duration::from_millis(700);
/// The longest that a host may take to say how much memory is in use.
const HOST_LIMIT: Duration = Duration::from_secs(5);

/// What counts as good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::steps) struct Limits {
    /// The slowest small GET.
    pub(in crate::steps) slowest: Duration,
    /// How many of them at each look.
    pub(in crate::steps) samples: u8,
    /// Rejected requests a second.
    pub(in crate::steps) rejects: Option<u32>,
    /// The most memory that an API server may hold of its control group's limit or of its host's, and all processes
    /// together of the latter, in percent; 100: not looked at.
    pub(in crate::steps) memory: u8,
}

impl Limits {
    /// Whether hosts are asked for their memory.
    pub(in crate::steps) fn memory_counts(&self) -> bool {
        self.memory < 100
    }
}

/// A judgement over the API servers of a cluster, one sentence each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::steps) struct Health {
    /// What is bad. Empty: all is well.
    pub(in crate::steps) bad: Vec<String>,
    /// Who or what is left out, and why.
    pub(in crate::steps) without: Vec<String>,
    /// Something was not answered at all.
    pub(in crate::steps) lost: bool,
    /// The credential may not read what the judgement needs, and no waiting changes that.
    pub(in crate::steps) denied: bool,
    /// The slowest small GET that was answered.
    pub(in crate::steps) slowest: Option<Duration>,
}

impl Health {
    /// The same for a judge that compares looks.
    pub(in crate::steps) fn order(&self) -> Order {
        Order { good: self.bad.is_empty(), lost: self.lost, slowest: self.slowest }
    }
}

/// What is wrong with the memory of a host, or why that is not known: a host that cannot be reached says nothing about it.
async fn room(reads: &dyn Reads, cluster: &Cluster, host: &str, most: u8) -> Result<Option<String>, String> {
    let target = Target::host(&cluster.name, host);
    let unseen = |why: String| format!("the memory of {host} is not judged: {why}");
    let output = reads.script(&target, &gate::memory(), HOST_LIMIT).await.map_err(|error| unseen(error.to_string()))?;
    let memory = gate::parse_memory(&output.stdout).ok_or_else(|| unseen("the look broke off".into()))?;
    Ok(memory.heavy(most).map(|heavy| format!("on {host} {heavy}")))
}

/// Looks at every API server of a cluster but those in `without`, and for their memory at the hosts. One that was dead all
/// along counts only as long as none of the others is well without it.
/// The servers of the hosts in `late` are left out, too: their gates open last.
pub(in crate::steps) async fn judge(
    look: Look<'_>,
    cluster: &Cluster,
    (without, late): (&[String], &BTreeSet<String>),
    limits: &Limits,
) -> Health {
    let (mut asked, mut without) = servers::asked(cluster, without);
    asked.retain(|server| {
        let waits = server.host.as_ref().is_some_and(|host| late.contains(host));
        if waits {
            without.push(format!("judged without {}: it was away, and its gate opens last", server.name));
        }
        !waits
    });
    let seen = join_all(asked.iter().map(|server| judged(look, cluster, server, limits)));
    let left_out = |host: &&Host| {
        let here = |server: &&ApiServer| server.host.as_deref() == Some(host.name.as_str());
        cluster.api_servers.iter().any(|server| here(&server)) && !asked.iter().any(here)
    };
    let hosts = cluster.api_hosts().filter(|host| limits.memory_counts() && !left_out(host));
    let rooms = join_all(hosts.map(|host| room(look.reads, cluster, &host.name, limits.memory)));
    let (seen, rooms) = futures::join!(seen, rooms);
    let mut health = Health { without, ..Health::default() };
    let mut silent = Vec::new();
    let mut away = 0;
    for (server, judged) in asked.iter().zip(seen) {
        let Seen { bad, heard, whole, denied, slowest } = match judged {
            Judged::Seen(seen) => seen,
            Judged::Away(why) => {
                away += 1;
                health.without.push(why);
                continue;
            }
        };
        health.slowest = health.slowest.max(slowest);
        health.denied |= denied;
        if heard {
            health.lost |= !whole;
            health.bad.extend(bad);
        } else {
            silent.push((*server, bad));
        }
    }
    if away == asked.len() {
        health.lost = true;
        health.bad.push("no API server is left to be judged".to_owned());
    }
    // With the others bad it goes badly anyway, and the look would only hold up what follows from that.
    let others = health.bad.is_empty() && silent.len() + away < asked.len();
    for (server, bad) in silent {
        let left_out = async {
            match servers::away(look, cluster, server, false).await {
                Ok(why) => why,
                Err(_) => servers::dead(look, cluster, server).await,
            }
        };
        match if others { left_out.await } else { None } {
            Some(why) => health.without.push(why),
            None => {
                health.lost = true;
                health.bad.extend(bad);
            }
        }
    }
    for room in rooms {
        match room {
            Ok(heavy) => health.bad.extend(heavy),
            Err(why) => health.without.push(why),
        }
    }
    health
}

/// What was seen of one API server.
struct Seen {
    /// What is bad, one sentence each.
    bad: Vec<String>,
    /// It answered anything at all.
    heard: bool,
    /// It answered everything.
    whole: bool,
    /// The credential may not read what is asked for.
    denied: bool,
    /// The slowest small GET that it answered.
    slowest: Option<Duration>,
}

/// What a look at one API server came to.
enum Judged {
    Seen(Seen),
    /// It is left out, for this reason.
    Away(String),
}

/// Asks one server; its host is asked as soon as the server keeps one waiting, so that a dead process does not hold up each
/// look for as long as a drowning one may take to answer.
async fn judged(look: Look<'_>, cluster: &Cluster, server: &ApiServer, limits: &Limits) -> Judged {
    let away = async {
        tokio::time::sleep(KEPT_WAITING).await;
        match servers::away(look, cluster, server, false).await {
            Ok(Some(why)) => why,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        seen = settled(look.reads, cluster, server, limits) => Judged::Seen(seen),
        why = away => Judged::Away(why),
    }
}

/// Whoever was just let in comes with all of its connections in one second. So what was answered badly is asked once more
/// after a second; what is not answered is bad at once.
async fn settled(reads: &dyn Reads, cluster: &Cluster, server: &ApiServer, limits: &Limits) -> Seen {
    let seen = one(reads, cluster, server, limits).await;
    if seen.bad.is_empty() || !seen.whole {
        return seen;
    }
    tokio::time::sleep(AGAIN_AFTER).await;
    one(reads, cluster, server, limits).await
}

async fn one(reads: &dyn Reads, cluster: &Cluster, server: &ApiServer, limits: &Limits) -> Seen {
    let target = Target::api_server(&cluster.name, &server.name);
    // An answer later than that is bad whatever it says.
    let limit = (limits.slowest * 2).max(Duration::from_secs(5));
    let read = |path: &str, accept| KubeRead { path: path.into(), accept, limit };
    let (ready, small, levels) =
        (read("/readyz", Accept::Text), read(SMALL, Accept::Metadata), read(LEVELS, Accept::Text));
    let rejected = async || match limits.rejects {
        Some(_) => reads.kube(&target, &levels).await.ok().and_then(|answer| rejected(&answer.text)),
        None => None,
    };
    let began = Instant::now();
    let before = rejected().await;
    let samples = join_all((0..limits.samples).map(|_| reads.kube(&target, &small)));
    let (readyz, samples) = futures::join!(reads.kube(&target, &ready), samples);
    // Long enough for a count to tell.
    if before.is_some() {
        tokio::time::sleep_until(began + Duration::from_secs(1)).await;
    }
    let after = rejected().await;
    let mut bad = Vec::new();
    let name = &server.name;
    let heard = before.is_some() || after.is_some() || readyz.is_ok() || samples.iter().any(Result::is_ok);
    let whole = readyz.is_ok() && samples.iter().all(Result::is_ok);
    match readyz {
        Ok(answer) if answer.code == 200 => {}
        Ok(answer) => bad.push(format!("/readyz of {name} says {}", answer.code)),
        Err(error) if error.kind == ReadErrorKind::Nonsense => {
            bad.push(format!("/readyz of {name} is answered by no API server ({})", error.tried.join("; ")));
        }
        Err(_) => bad.push(format!("/readyz of {name} is not answered within {} s", limit.as_secs())),
    }
    let answered: Vec<_> = samples.into_iter().flatten().collect();
    if answered.len() < usize::from(limits.samples) {
        bad.push(format!("small GETs to {name} are not answered within {} s", limit.as_secs()));
    }
    // Only the object itself shows that what stands behind the server was asked.
    let told = |answer: &KubeAnswer| answer.code == 200 && answer.json()["kind"].is_string();
    let denied = answered.iter().any(|answer| matches!(answer.code, 401 | 403));
    if let Some(answer) = answered.iter().find(|answer| !told(answer)) {
        bad.push(match answer.code {
            200 => format!("a small GET to {name} came back with 200 and no Kubernetes object: something else answers"),
            code @ (401 | 403) => format!(
                "the storage behind {name} cannot be judged with this credential: a small GET came back with {code} ({})",
                answer.message()
            ),
            code => format!("a small GET to {name} came back with {code}"),
        });
    }
    let slowest = answered.iter().map(|answer| answer.took).max();
    if let Some(slowest) = slowest.filter(|took| *took > limits.slowest) {
        bad.push(format!("a small GET to {name} took {} ms", slowest.as_millis()));
    }
    if let (Some(before), Some(after), Some(most)) = (before, after, limits.rejects) {
        let rate =
            (after.saturating_sub(before) * 1000) / u64::try_from(began.elapsed().as_millis()).unwrap_or(1000).max(1);
        if rate > u64::from(most) {
            bad.push(format!("{name} rejects {rate} requests a second"));
        }
    }
    Seen { bad, heard, whole, denied, slowest }
}

/// The sum of the column `RejectedRequests`.
fn rejected(dump: &str) -> Option<u64> {
    let mut lines = dump.lines().map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
    let column = lines.next()?.iter().position(|name| *name == "RejectedRequests")?;
    Some(lines.filter_map(|row| amount(row.get(column)?)).fold(0, u64::saturating_add).min(MOST))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{cluster, gate_on};
    use super::*;
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
        assert!(health.without[0].starts_with("judged without api2: it has not answered once"), "{health:?}");
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
            let bad = health.bad.join("; ");
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
            (health.bad.len(), health.without)
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
        assert!(health.lost && health.bad == ["no API server is left to be judged"], "{health:?}");
    }

    /// What `settled` finds bad when the four questions of two looks are answered with these codes after these milliseconds.
    async fn found(small: [(u16, u64); 4]) -> Vec<String> {
        let fake = Fake::new(vec![cluster()]);
        small.iter().for_each(|(code, millis)| fake.answer(SMALL, *code, OBJECT, Duration::from_millis(*millis)));
        let cluster = fake.cluster("east").unwrap();
        settled(&fake, cluster, &cluster.api_servers[0], &LIMITS).await.bad
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

    #[test]
    fn rejects_are_summed_over_the_levels() {
        let dump = "PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, WaitingRequests, ExecutingRequests, \
                    DispatchedRequests, RejectedRequests, TimedoutRequests, CancelledRequests\n\
                    exempt, <none>, <none>, <none>, <none>, <none>, <none>, <none>, <none>, <none>\n\
                    global-default, 0, true, false, 0, 0, 40, 7, 0, 0\nworkload-low, 1, false, false, 3, 1, 9, 5, 1, 0\n";
        assert_eq!(rejected(dump), Some(12));
        assert_eq!(rejected("no such page"), None);
    }
}

#[cfg(test)]
mod fuzz {
    use super::rejected;

    #[test]
    fn the_sum_of_a_broken_dump_can_be_counted_with() {
        const DUMP: &str = "PriorityLevelName, ActiveQueues, RejectedRequests, TimedoutRequests\n\
            exempt, <none>, <none>, <none>\nglobal-default, 0, 7, 0\nworkload-low, 1, 5, 0\n";
        crate::fuzz::each(8_000, &crate::fuzz::mangled(&[DUMP]), |dump| {
            let sum = rejected(&dump);
            proptest::prop_assert!(sum.is_none_or(|sum| sum.checked_mul(1000).is_some()), "{:?}", sum);
            Ok(())
        });
    }
}
