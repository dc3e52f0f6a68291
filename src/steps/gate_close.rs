//! `gate-close`: a network block before the admin API that ends by itself.

use std::borrow::Cow;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;

use super::gate::ways::{self, Shut};
use super::gate::wish::{Params, Wish, known_ports};
use super::gate::{self as common, Closed, LEASE, ORDER_SECS, proof};
use super::{Announced, Fault, History, Kind, Look, Mark, Scope, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Change, Inverse, Keep, Note, Op, Target};
use crate::duration::HumanDuration;
use crate::finding::Finding;
use crate::host::gate::{self, BackEnd, Found, GateSpec, GateState, Refusal, Side, Turn};
use crate::host::pods;
use crate::journal::{ChangeRecord, ChangeState};
use crate::kit::{Cluster, Host};

const CLOSE: &str = "close";
const CONFIRM: &str = "confirm";
const CUT: &str = "cut";

/// The step kind.
pub(super) struct GateClose;

impl Kind for GateClose {
    fn name(&self) -> &'static str {
        "gate-close"
    }

    fn doc(&self) -> &'static str {
        "Closes the admin API's ports on its hosts for everybody but the operator and the control plane.\n\n\
         The kernel forgets the gate by itself: unconfirmed after confirmWithin, confirmed after `for`, then stage by \
         stage; it is confirmed over a new SSH connection, and extended while the run lives. SSH, loopback, the control \
         plane's other hosts and the operator's address are let through by construction; a gate that would cut the \
         operator is refused before anything is written. Open connections are cut and counted again. With `nodes`, on \
         nodes named by targets: what they send to the API is stopped instead; with `nodes.offender` only what the pods of one workload \
         send, which each node finds itself (a pod that comes later has another address, and is not met). Costs no API request but one GET /livez \
         to see that the operator still gets through. Undone by taking the gate away, everybody at once; \
         gate-open lets them back in stages."
    }

    fn scope(&self) -> Scope {
        Scope::ApiHosts
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let wish = params::<Params>(with)?.read()?;
        Ok(Box::new(Close { wish }))
    }
}

struct Close {
    wish: Wish,
}

impl Step for Close {
    fn intent(&self) -> String {
        let for_whom = match (self.wish.offender(), self.wish.on_nodes()) {
            (Some(which), _) => format!("the nodes' way to the API for the pods of {}", which.object),
            (None, true) => "the nodes' way to the API for all but the operator and the control plane".into(),
            (None, false) => "the API's ports for all but the operator and the control plane".to_owned(),
        };
        format!(
            "close {for_whom}, for {}; open again in {} unless confirmed",
            common::words(u64::from(self.wish.hold) * 1000),
            common::words(u64::from(self.wish.confirm_within) * 1000)
        )
    }

    fn announce(&self, target: &Target, cluster: &Cluster) -> Vec<Announced> {
        let Some(host) = common::host_of(target, cluster) else { return Vec::new() };
        let unknown = |what: &str| format!("<{what}>");
        let mark = Mark { run: unknown("run"), operator: unknown("operator"), reason: unknown("reason") };
        let spec = self.wish.spec(&mark, 0, cluster, host, None);
        let back_end = self.wish.back_end.unwrap_or(BackEnd::Nft);
        let look = gate::survey(std::slice::from_ref(&host.manifests));
        let stands = "what stands, what it has refused, and whether anybody listens behind it";
        let mut sent = vec![
            Announced::look(look, Times::AtMost(3), "back end, ports, who we are to it, who else is there"),
            Announced::look(gate::status(), Times::AtMost(7), stands),
        ];
        if let Some(which) = self.wish.offender() {
            let why = "its pods here, and what they send from: the scope of the rules, which is empty in a plan";
            sent.push(Announced::look(pods::network(which), Times::AtMost(3), why));
        }
        if self.guards_ways() {
            let why = "this run's own way to the API: before the gate is closed, and again before it is confirmed";
            let way = |what| Announced::new(what, Times::AtMost(3), why);
            sent.extend(ways::announced(host, cluster).into_iter().map(way));
        }
        let whys = [
            format!(
                "by {back_end}{} (--plan prints the rules); let through: {}; only the host knows: its API servers' ports (here: \
                 the kit's), the operator's address as it sees it, and etcd's peers, both added to those let through; only the \
                 run knows: <run>, from which the number in `driver` and the seed follow, <operator> and <reason>",
                if self.wish.back_end.is_some() {
                    ""
                } else {
                    ", or the same by the iptables that the host has instead"
                },
                spec.let_through()
            ),
            "over a new SSH connection".into(),
            "ends the connections of those who are refused, and counts them".into(),
        ];
        let changes = self.changes(&spec, back_end, &[]).into_iter().zip(whys);
        sent.extend(changes.map(|(change, why)| Announced::op(change.op, Times::Once, why)));
        sent.push(Announced::op(
            common::op(gate::renew(&spec.mark(), back_end, spec.hold, &spec.driver())),
            Times::Every { interval: self.renewed_every(), until: Duration::from_secs(self.wish.hold.into()) },
            "holds it shut for as long as the run lives, unless another run has taken it over",
        ));
        if !self.wish.on_nodes() {
            sent.push(Announced::get("/livez", Times::AtMost(1), "the operator still gets through"));
        }
        for from in &self.wish.probe_from {
            for to in proof::knocked(host, cluster, &spec) {
                let why = format!("from {from}: what a client meets");
                sent.push(Announced::look(gate::knock(to), Times::AtMost(1), why));
            }
        }
        sent
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        let Some(host) = common::host_of(target, cluster) else { return common::refuse(target, cluster) };
        let mark = Mark { run: String::new(), operator: String::new(), reason: String::new() };
        let spec = self.wish.spec(&mark, 0, cluster, host, None);
        let mut faults = self.wish.unknown_sets(cluster);
        // An unknown set has no addresses, either: once is enough.
        let said_already = |refusal: &&Refusal| !faults.is_empty() && matches!(refusal, Refusal::EmptySet(_));
        let refusals: Vec<Refusal> = gate::refuse_spec(&spec);
        let more: Vec<String> = refusals.iter().filter(|it| !said_already(it)).map(ToString::to_string).collect();
        faults.extend(more);
        let stranger = |name: &&String| cluster.host(name).is_none();
        faults.extend(
            self.wish.probe_from.iter().filter(stranger).map(|n| format!("probeFrom: no host {n:?} in the kit")),
        );
        faults
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let (cluster, host) = common::host(look)?;
            if let Some((record, closed)) = self.to_confirm(look.history) {
                return self.confirming(look, (cluster, host), record, &closed).await;
            }
            if let Some(spec) = self.cut_just_now(look.history) {
                let ours = |state: &GateState| state.mark.as_ref().is_some_and(|mark| mark.run == spec.run);
                let closed = |state: &GateState| ours(state) && state.confirmed && state.level() == 0;
                if let Some(state) = common::status(look).await?.filter(closed) {
                    return self.proven(look, cluster, host, &spec, &state).await;
                }
            }
            // At once with the look at the host: on a drowning server both take their time.
            let ways = async {
                let asked = self.guards_ways() && !self.closed_just_now(look.history);
                if asked { ways::open(look, cluster, host).await } else { Vec::new() }
            };
            let (seen, ways) = futures::join!(common::survey(look, host), ways);
            let seen = seen?;
            let since = look.history.since.unwrap_or(look.history.now).as_second();
            let at = u64::try_from(since).unwrap_or(0);
            let Some(wish) = self.wish_here(look, &seen).await? else {
                let which = self.wish.offender().map(|which| which.object.as_str()).unwrap_or_default();
                let open = look.history.changes.iter().filter(|record| record.state.is_open());
                let not_made = open.map(|record| record.id).collect();
                return Ok(Survey { not_made, ..Survey::default() }
                    .saw(format!("no pod of {which} has a process here: no gate is put up")));
            };
            let spec = wish.spec(look.mark, at, cluster, host, Some(&seen));
            let spec = self.closed_here(look.history, &seen, spec);
            let back_end = self.back_end((cluster, host), look.target, &spec, &seen)?;
            let ours = seen.gate.as_ref().is_some_and(|found| found.stands);
            let state = if ours { common::status(look).await?.filter(GateState::stands) } else { None };
            let changes = match &state {
                Some(state) => self.unfinished(look, (cluster, host), &spec, back_end, state).await?,
                None => self.to_close(look, &spec, back_end, &ways)?,
            };
            // Where nothing stands nothing was confirmed, also while only the closing is wanted.
            let open = look.history.changes.iter().filter(|record| state.is_none() && record.state.is_open());
            let not_made = open.map(|record| record.id).collect();
            let survey = match state {
                Some(state) if changes.is_empty() => self.proven(look, cluster, host, &spec, &state).await?,
                _ => Survey { changes, not_made, ..Survey::default() },
            };
            Ok(proof::notes(&seen, &spec, back_end, cluster).into_iter().fold(survey, Survey::saw))
        }
        .boxed()
    }
}

impl Close {
    /// Whether the gate must leave this run's own ways to the API open.
    fn guards_ways(&self) -> bool {
        !self.wish.on_nodes() && !self.wish.ssh_only
    }

    /// What is asked for on this host: where that names a workload, what its pods here send; `None`: it has none here. What was closed
    /// already stays what it is.
    async fn wish_here(&self, look: Look<'_>, seen: &gate::Survey) -> Result<Option<Cow<'_, Wish>>, StepError> {
        let Some(which) = self.wish.offender() else { return Ok(Some(Cow::Borrowed(&self.wish))) };
        let ours = |found: &Found| found.stands && found.mark.as_ref().is_some_and(|mark| mark.run == look.mark.run);
        if closed(look.history).is_some() && seen.gate.as_ref().is_some_and(ours) {
            return Ok(Some(Cow::Borrowed(&self.wish)));
        }
        let senders = look.reads.ask(look.target, &pods::network(which), common::LOOK_LIMIT).await?;
        self.wish.about(&senders).map(|wish| wish.map(Cow::Owned)).map_err(|why| StepError::Refused {
            why: format!("{}: no gate is put up: {why}", look.target),
            hint: Some(format!(
                "breakglass freeze-pods {} --targets {} stops its pods whatever they send from",
                which.object,
                look.target.short()
            )),
        })
    }

    /// What will hold the gate, or every reason not to put it up.
    fn back_end(
        &self,
        (cluster, host): (&Cluster, &Host),
        target: &Target,
        spec: &GateSpec,
        seen: &gate::Survey,
    ) -> Result<BackEnd, StepError> {
        let known = known_ports(cluster, host);
        let mut whys: Vec<String> = gate::refuse(spec, seen, &known).iter().map(ToString::to_string).collect();
        if let Some(back_end) = self.wish.back_end.filter(|back_end| !seen.usable(*back_end)) {
            whys.push(format!("{back_end} cannot hold a gate here"));
        }
        let standing = seen.gate.as_ref().filter(|found| found.stands).map(|Found { back_end, .. }| *back_end);
        let back_end = standing.or(self.wish.back_end).or(seen.choose());
        if let Some(hole) = back_end.filter(|_| !self.wish.ipv4_only).and_then(|it| gate::v6_hole(spec, seen, it)) {
            whys.push(format!("{hole}; --ipv4-only closes IPv4 alone"));
        }
        match back_end {
            Some(back_end) if whys.is_empty() => Ok(back_end),
            _ => Err(StepError::Refused {
                why: format!("{target}: no gate is put up: {}", whys.join("; ")),
                hint: Some(match &seen.gate {
                    Some(Found { mark: Some(mark), stands: true, .. }) if mark.run == spec.run => {
                        "breakglass gate open, then breakglass gate close with all that is meant (--port, once for each)".into()
                    }
                    Some(Found { mark: Some(mark), stands: true, .. }) => {
                        format!("breakglass gate status; breakglass gate open --of {}", mark.run)
                    }
                    _ => "breakglass gate close --help".into(),
                }),
            }),
        }
    }

    /// The changes where nothing stands.
    fn to_close(
        &self,
        look: Look<'_>,
        spec: &GateSpec,
        back_end: BackEnd,
        ways: &[String],
    ) -> Result<Vec<Change>, StepError> {
        // Whoever takes the run up again wants it closed; this process does not try for ever.
        let failed = |record: &&ChangeRecord| record.state == ChangeState::Failed && look.history.here(record);
        if let Some(record) = look.history.last(CONFIRM).filter(failed) {
            return Err(StepError::Refused {
                why: format!("{}: the gate was not confirmed, and has opened by itself: {}", look.target, record.said),
                hint: Some("breakglass gate close --confirm-within 60s".into()),
            });
        }
        if self.closed_just_now(look.history) {
            return Ok(self.changes(spec, back_end, &[]).split_off(1));
        }
        let mut all = self.changes(spec, back_end, ways);
        if !ways.is_empty() {
            // Before it is confirmed they are tried again.
            all.truncate(1);
        }
        Ok(all)
    }

    /// The changes that are not made yet where this run's gate stands.
    async fn unfinished(
        &self,
        look: Look<'_>,
        (cluster, host): (&Cluster, &Host),
        spec: &GateSpec,
        back_end: BackEnd,
        state: &GateState,
    ) -> Result<Vec<Change>, StepError> {
        let history = look.history;
        if self.guards_ways() && !state.confirmed {
            let noted = closed(history).map(|(_, closed)| closed.ways).unwrap_or_default();
            if let Some(shut) = ways::again(look, cluster, host, &noted, spec.answer).await.shut {
                return Err(cuts_us(look, Duration::from_millis(state.next_ms()), &shut));
            }
        }
        let all = self.changes(spec, back_end, &[]);
        let wanted = |key: &str| match key {
            CLOSE => false,
            // A gate that opens already is closed again by the same act; one that opens under our eyes goes its way.
            CONFIRM => !state.confirmed || (state.level() > 0 && !history.done(CONFIRM)),
            _ => !history.done(key),
        };
        Ok(all.into_iter().filter(|change| wanted(&change.key)).collect())
    }

    /// What this very step closed here, where that stands; else the gate that is asked for. Since the closing the host may
    /// have come to show other peers or another operator's address: nobody of either time is cut off.
    fn closed_here(&self, history: &History, seen: &gate::Survey, asked: GateSpec) -> GateSpec {
        let made = |record: &ChangeRecord| record.state == ChangeState::Done || record.state.is_open();
        let spec = closed(history).filter(|(record, _)| made(record)).map(|(_, closed)| closed.spec);
        let stands = seen
            .gate
            .as_ref()
            .is_some_and(|found| found.stands && found.mark.as_ref().is_some_and(|mark| mark.run == asked.run));
        match spec.filter(|_| stands) {
            Some(mut spec) => {
                spec.allow.extend(asked.allow);
                spec
            }
            None => asked,
        }
    }

    /// While the run lives: twice without effect, and there is still time for a third.
    fn renewed_every(&self) -> Duration {
        Duration::from_secs(u64::from((self.wish.hold / 3).max(1)))
    }

    /// The closing that nothing has followed yet. It is confirmed without another look at the host: seconds count, and the
    /// order itself says if the gate does not stand.
    fn to_confirm<'a>(&self, history: &'a History) -> Option<(&'a ChangeRecord, Closed)> {
        let (record, closed) = closed(history).filter(|_| self.closed_just_now(history))?;
        history.last(CONFIRM).is_none_or(|confirm| confirm.id < record.id).then_some((record, closed))
    }

    /// What was closed, once everything that closing takes is made: what the host is has been said, and only what stands
    /// there now is news.
    fn cut_just_now(&self, history: &History) -> Option<GateSpec> {
        let (record, closed) = closed(history).filter(|_| self.closed_just_now(history))?;
        let after = |key| history.last(key).is_some_and(|it| it.state == ChangeState::Done && it.id > record.id);
        (after(CONFIRM) && after(CUT)).then_some(closed.spec)
    }

    /// What comes after it, unless it cuts our own way in.
    async fn confirming(
        &self,
        look: Look<'_>,
        (cluster, host): (&Cluster, &Host),
        record: &ChangeRecord,
        Closed { spec, back_end, ways }: &Closed,
    ) -> Result<Survey, StepError> {
        let tried = ways::again(look, cluster, host, ways, spec.answer).await;
        if let Some(shut) = tried.shut {
            let within = Duration::from_secs(spec.confirm_within.into());
            let gone = Duration::from_secs(look.history.ago(record.moved_at).as_secs());
            return Err(cuts_us(look, within.saturating_sub(gone), &shut));
        }
        let changes = self.changes(spec, *back_end, &[]).split_off(1);
        let mut survey = Survey { changes, ..Survey::default() };
        survey.see(tried.away);
        Ok(survey)
    }

    /// Closed so short a while ago that it stands, whatever was seen: what comes next will say if it does not. A drill, in
    /// which nothing ever stands, goes on with it. What another process closed is looked at.
    fn closed_just_now(&self, history: &History) -> bool {
        let last = history.last(CLOSE).filter(|record| record.state == ChangeState::Done);
        last.is_some_and(|record| history.just_now(record, Duration::from_secs(self.wish.confirm_within.into())))
    }

    /// Everything that closing takes, in this order. `ways`: the run's own that are open now.
    fn changes(&self, spec: &GateSpec, back_end: BackEnd, ways: &[String]) -> Vec<Change> {
        let ports: Vec<String> = spec.ports().iter().map(ToString::to_string).collect();
        let ports = ports.join(", ");
        let mark = spec.mark();
        let change = |key: &str, op: Op, inverse: Inverse, guard: &str, because: String, by_hand: &str| Change {
            key: key.into(),
            note: None,
            op,
            guard: guard.into(),
            inverse,
            because,
            by_hand: by_hand.into(),
            deadline_secs: ORDER_SECS,
            keep: Keep::Nothing,
        };
        let closes = change(
            CLOSE,
            common::op(gate::close(spec, back_end)),
            Inverse::By(Box::new(common::op(gate::open(&spec.run, back_end, &spec.run, &spec.driver())))),
            "no other run's gate and nobody else's rules of this name are there",
            format!(
                "keeps all others away from port {ports}, so that the API has room; let through: {}",
                spec.let_through()
            ),
            "load the rules that `breakglass gate close --plan` prints",
        );
        let closed = Closed { spec: spec.clone(), back_end, ways: ways.to_vec() };
        let close = Change { note: Some(Note::of(&closed)), ..closes };
        let by = spec.driver();
        let hold = Turn { level: 0, hold: spec.hold, was: spec.run.clone(), by: by.clone() };
        let confirm = Change {
            keep: Keep::Renew {
                lease: LEASE.into(),
                every_secs: self.renewed_every().as_secs(),
                op: Box::new(common::order(gate::renew(&mark, back_end, spec.hold, &by), false)),
                look: Some("breakglass gate status".into()),
            },
            ..change(
                CONFIRM,
                Op::Host(common::order(gate::arm(&mark, back_end, &hold), true)),
                Inverse::NotNeeded("it goes with the gate".into()),
                "this run's gate still stands",
                format!("a new connection still gets in, so the gate may stand for {} s", spec.hold),
                "ssh in anew; then the fuses, as docs/gate.md shows them",
            )
        };
        let cut = change(
            CUT,
            common::op(gate::cut(spec)),
            Inverse::NotNeeded("clients connect again as soon as they may".into()),
            "only connections of those who are refused",
            "rules alone leave the connections that were open before, and what the server does for them".into(),
            &match spec.side {
                Side::Server { .. } => format!("ss -K sport = :{}", ports.split(',').next().unwrap_or_default()),
                Side::Client { .. } => "ss -tnp, then ss -K for the sockets of those who are meant".to_owned(),
            },
        );
        vec![close, confirm, cut]
    }

    /// What shows that it is closed, and to whom it is not.
    async fn proven(
        &self,
        look: Look<'_>,
        cluster: &Cluster,
        host: &Host,
        spec: &GateSpec,
        state: &GateState,
    ) -> Result<Survey, StepError> {
        // What matters most first: a short report may have room for no more.
        let mut saw = vec![Finding::from(state)];
        saw.extend(
            look.history
                .last(CUT)
                .and_then(|record| gate::parse_cut(&record.facts.answer))
                .map(|cut| Finding::from(&cut)),
        );
        if let Side::Server { .. } = spec.side {
            saw.extend(proof::let_through(look, cluster).await);
            if !self.wish.allow_kubelets {
                saw.push(
                    "kubelets are refused, too: before four minutes are over, open it or freeze the node lifecycle (step freeze-nodes)"
                        .into(),
                );
            }
        }
        if self.wish.probe_from.is_empty() {
            saw.push("not proved from outside: no host was named to try it from (probeFrom)".into());
        }
        saw.push(common::counted(state));
        saw.extend(common::loudest(state, 5));
        for from in &self.wish.probe_from {
            for to in proof::knocked(host, cluster, spec) {
                saw.push(proof::knock(look, cluster, from, to, spec).await?.into());
            }
        }
        Ok(Survey { saw, ..Survey::default() })
    }
}

/// What was closed here last, and the change that did it.
fn closed(history: &History) -> Option<(&ChangeRecord, Closed)> {
    history.notes().next_back()
}

/// It lets SSH in and not this run's own requests: it is left to open by itself.
fn cuts_us(look: Look<'_>, left: Duration, shut: &Shut) -> StepError {
    let allow = shut.allow.map_or_else(|| "ADDRESS".to_owned(), |address| address.to_string());
    StepError::Refused {
        why: format!(
            "{}: the gate cuts this run's own way to the API, so it is not confirmed and opens by itself in {}: {}",
            look.target,
            HumanDuration(Duration::from_secs(left.as_secs())),
            shut.why
        ),
        hint: Some(format!(
            "breakglass gate close --allow {allow} lets it through (beyond a NAT it has another address); --ssh-only \
             does without it"
        )),
    }
}
