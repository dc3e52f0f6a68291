//! Which host of a gate leads, and which waits for its API server: one look at what stands there.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;

use super::wish::known_ports;
use crate::change::Target;
use crate::host::gate::{self, GateState, Mark};
use crate::kit::{Cluster, Host, Role};
use crate::steps::Look;

/// The longest that a look at another host may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How many hosts are asked together at first for the one that leads, then twice as many, and so on: of hundreds that are dead, a
/// handful of limits is waited for.
const AT_FIRST: usize = 8;

/// The first host of the kit, of those before this one, where the same run's gate stands: it alone is judged, and the
/// others follow it, so that no host is open while the others are shut. `late`: hosts that open last, and lead nobody.
///
/// One that is closed while this one is two stages further leads nobody either: it has just come back, and a living
/// client closes one stage at a time.
pub(super) async fn leader(
    look: Look<'_>,
    cluster: &Cluster,
    (host, mark, level): (&Host, &Mark, usize),
    late: &BTreeSet<String>,
) -> Option<(String, GateState)> {
    let same = |other: &&Host| other.roles.contains(&Role::ControlPlane) == host.roles.contains(&Role::ControlPlane);
    let before = cluster.hosts.iter().filter(same).take_while(|other| other.name != host.name);
    let before: Vec<&Host> = before.filter(|other| !late.contains(&other.name)).collect();
    // Mostly the first of them leads, and the hundreds behind it need not be asked.
    let (mut left, mut at_once) = (&before[..], AT_FIRST);
    while !left.is_empty() {
        let (some, rest) = left.split_at(at_once.min(left.len()));
        (left, at_once) = (rest, at_once * 2);
        let states = join_all(some.iter().map(|other| standing(look, cluster, other, mark))).await;
        let leads = |(other, state): &(&&Host, GateState)| {
            !waits_for_its_server(cluster, other, state) && (state.level() > 0 || level < 2)
        };
        let first = some.iter().zip(states).filter_map(|(other, state)| Some((other, state?))).find(leads);
        if let Some((other, state)) = first {
            return Some((other.name.clone(), state));
        }
    }
    None
}

/// The first of the hosts before this one that opens before the `late` ones and is open: no gate stands there any more.
pub(super) async fn open_before(
    look: Look<'_>,
    cluster: &Cluster,
    host: &Host,
    late: &BTreeSet<String>,
) -> Option<String> {
    let before = cluster.hosts.iter().take_while(|other| other.name != host.name);
    let before: Vec<&Host> =
        before.filter(|other| !known_ports(cluster, other).is_empty() && !late.contains(&other.name)).collect();
    let open = join_all(before.iter().map(|other| is_open(look, cluster, other))).await;
    before.iter().zip(open).find(|(_, open)| *open).map(|(other, _)| other.name.clone())
}

/// Whether a host says that no gate stands there; one that cannot be reached says nothing.
async fn is_open(look: Look<'_>, cluster: &Cluster, host: &Host) -> bool {
    let target = Target::host(&cluster.name, &host.name);
    let state = look.reads.ask_for_many(&target, &gate::status(), LIMIT).await;
    state.is_ok_and(|state| state.is_none_or(|state| !state.stands()))
}

/// The hosts on which the kit knows an API server.
pub(super) fn known_servers(cluster: &Cluster) -> impl Iterator<Item = &Host> {
    cluster.hosts.iter().filter(|host| !known_ports(cluster, host).is_empty())
}

/// Whether a closed gate stands before an API server that is away.
pub(super) fn waits_for_its_server(cluster: &Cluster, host: &Host, state: &GateState) -> bool {
    state.level() == 0 && state.nobody_listens() && !known_ports(cluster, host).is_empty()
}

/// The other hosts on which the same run's gate stands and that open before the `late` ones.
pub(super) async fn others(
    look: Look<'_>,
    cluster: &Cluster,
    (host, mark): (&Host, &Mark),
    late: &BTreeSet<String>,
) -> Vec<String> {
    let all: Vec<&Host> =
        known_servers(cluster).filter(|other| other.name != host.name && !late.contains(&other.name)).collect();
    let states = join_all(all.iter().map(|other| standing(look, cluster, other, mark))).await;
    let opens = |(other, state): (&Host, Option<GateState>)| {
        state.filter(|state| !waits_for_its_server(cluster, other, state)).map(|_| other.name.clone())
    };
    all.into_iter().zip(states).filter_map(opens).collect()
}

/// The same run's gate on a host, where it stands.
async fn standing(look: Look<'_>, cluster: &Cluster, host: &Host, mark: &Mark) -> Option<GateState> {
    let target = Target::host(&cluster.name, &host.name);
    let state = look.reads.ask_for_many(&target, &gate::status(), LIMIT).await.ok()?.filter(GateState::stands)?;
    state.mark.as_ref().is_some_and(|known| known.run == mark.run).then_some(state)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Seat, gate_on};
    use super::*;
    use crate::steps::History;

    /// cp2, when this is what cp1 says, and the hosts that open last.
    fn seat(cp1: (u32, &'static [u16]), late: &[&str]) -> (Seat, BTreeSet<String>) {
        let seat = Seat::at("cp2", History::default());
        seat.fake.on_script(gate_on("cp1", cp1.0, cp1.1, 0));
        (seat, late.iter().map(|name| (*name).to_owned()).collect())
    }

    /// Who leads cp2, which stands at this level, when this is what cp1 says and these open last.
    async fn led(level: usize, cp1: (u32, &'static [u16]), late: &[&str]) -> Option<String> {
        let (cp2, late) = seat(cp1, late);
        let mark = Mark { run: "r".into(), ..super::super::unknown_mark(2) };
        leader(cp2.look(), cp2.cluster(), (cp2.host(), &mark, level), &late).await.map(|(name, _)| name)
    }

    #[tokio::test]
    async fn whoever_followed_opens_with_the_one_that_led() {
        let opened = async |cp1: (u32, &'static [u16]), late: &[&str]| {
            let (cp2, late) = seat(cp1, late);
            open_before(cp2.look(), cp2.cluster(), cp2.host(), &late).await
        };
        assert_eq!(opened((9, &[6443]), &[]).await.as_deref(), Some("cp1"));
        assert_eq!(opened((2, &[6443]), &[]).await, None);
        assert_eq!(opened((9, &[6443]), &["cp1"]).await, None);
    }

    #[tokio::test]
    async fn a_host_whose_api_server_was_away_leads_nobody() {
        const UP: &[u16] = &[22, 6443];
        assert_eq!(led(0, (0, UP), &[]).await.as_deref(), Some("cp1"));
        assert_eq!(led(2, (1, UP), &[]).await.as_deref(), Some("cp1"), "it has closed a stage again");
        assert_eq!(led(0, (0, &[22]), &[]).await, None, "nobody listens there");
        assert_eq!(led(0, (0, UP), &["cp1"]).await, None, "it is back, and opens last");
        assert_eq!(led(2, (0, UP), &[]).await, None, "it has just come back, and nobody remembers it");
        assert_eq!(led(1, (9, UP), &[]).await, None, "no gate stands there");
    }

    /// A look that lasts minutes would let the fuse of a gate burn down that this run has still to hold on to.
    #[tokio::test(start_paused = true)]
    async fn behind_hundreds_of_dead_hosts_a_look_lasts_for_a_few_limits() {
        let east = crate::kit::sample::cluster("east", 240);
        let fake = crate::world::fake::Fake::new(vec![east.clone()]);
        east.hosts.iter().for_each(|host| fake.hangs(Target::host("east", &host.name)));
        let last = east.hosts.last().unwrap();
        let (target, history) = (Target::host("east", &last.name), History::default());
        let run = crate::steps::Mark { run: "r".into(), operator: "eve".into(), reason: String::new() };
        let look = Look { target: &target, reads: &fake, history: &history, mark: &run, step: 0 };
        let mark = Mark { run: "r".into(), ..super::super::unknown_mark(2) };
        let began = tokio::time::Instant::now();
        assert_eq!(leader(look, &east, (last, &mark, 0), &BTreeSet::new()).await, None);
        assert!(began.elapsed() >= LIMIT, "they are dead");
        assert!(began.elapsed() <= LIMIT * 5, "{:?}", began.elapsed());
    }
}
