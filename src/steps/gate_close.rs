//! `gate-close`: a network block before the admin API that ends by itself.

use std::net::SocketAddr;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;

use super::gate::wish::{Params, Wish};
use super::gate::{self as common, LEASE, LOOK_LIMIT, ORDER_SECS};
use super::{Announced, History, Kind, Look, Mark, Scope, Sends, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Change, Inverse, Keep, Op, Target};
use crate::host::gate::{self, BackEnd, Found, GateSpec, GateState, Knock, Side, Turn};
use crate::journal::ChangeState;
use crate::kit::{ApiServer, Cluster, Host};
use crate::world::{Accept, KubeRead};

const CLOSE: &str = "close";
const CONFIRM: &str = "confirm";
const CUT: &str = "cut";
/// The longest that the proof through the API may take.
const API_LIMIT: Duration = Duration::from_secs(10);

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
         nodes named by targets: what they send to the API is stopped instead. Costs no API request but one GET /livez \
         to see that the operator still gets through. Undone by taking the gate away, everybody at once; \
         gate-open lets them back in stages."
    }

    fn scope(&self) -> Scope {
        Scope::ApiHosts
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<String>> {
        let wish = params::<Params>(with)?.read()?;
        Ok(Box::new(Close { wish }))
    }
}

struct Close {
    wish: Wish,
}

impl Step for Close {
    fn intent(&self) -> String {
        let what = if self.wish.on_nodes() { "the nodes' way to the API" } else { "the API's ports" };
        format!(
            "close {what} for all but the operator and the control plane, for {}; open again in {} unless confirmed",
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
        let look = |script, most, why: &str| Announced {
            what: Sends::Look(script),
            writes: false,
            times: Times::AtMost(most),
            why: why.into(),
        };
        let mut sent = vec![
            look(gate::survey(std::slice::from_ref(&host.manifests)), 3, "back end, ports, who we are to it, who else is there"),
            look(gate::status(), 3, "what stands, and what it has refused"),
        ];
        let whys = [
            format!(
                "by {back_end}, or by what the host has instead; on the ports found there; the operator's address, as \
                 the host sees it, and etcd's peers are added to those let through"
            ),
            "over a new SSH connection".into(),
            "ends the connections of those who are refused, and counts them".into(),
        ];
        sent.extend(self.changes(&spec, back_end).into_iter().zip(whys).map(|(change, why)| Announced {
            what: Sends::Op(Box::new(change.op)),
            writes: true,
            times: Times::Once,
            why,
        }));
        sent.push(Announced {
            what: Sends::Op(Box::new(common::op(gate::renew(&spec.mark(), back_end, spec.hold, &spec.driver())))),
            writes: true,
            times: Times::Every { interval: self.renewed_every(), until: Duration::from_secs(self.wish.hold.into()) },
            why: "holds it shut for as long as the run lives, unless another run has taken it over".into(),
        });
        if !self.wish.on_nodes() {
            sent.push(Announced {
                what: Sends::Get("/livez".into()),
                writes: false,
                times: Times::AtMost(1),
                why: "the operator still gets through".into(),
            });
        }
        for from in &self.wish.probe_from {
            for to in knocked(host, cluster, &spec) {
                sent.push(look(gate::knock(to), 1, &format!("from {from}: what a client meets")));
            }
        }
        sent
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        let Some(host) = common::host_of(target, cluster) else { return common::refuse(target, cluster) };
        let mark = Mark { run: String::new(), operator: String::new(), reason: String::new() };
        let spec = self.wish.spec(&mark, 0, cluster, host, None);
        let mut faults: Vec<String> = gate::refuse_spec(&spec).iter().map(ToString::to_string).collect();
        let stranger = |name: &&String| cluster.host(name).is_none();
        faults.extend(self.wish.probe_from.iter().filter(stranger).map(|n| format!("probeFrom: no host {n:?} in the kit")));
        faults
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let (cluster, host) = common::host(look)?;
            let seen = common::survey(look, host).await?;
            let since = look.history.since.unwrap_or(look.history.now).as_second();
            let at = u64::try_from(since).unwrap_or(0);
            let spec = self.wish.spec(look.mark, at, cluster, host, Some(&seen));
            let back_end = self.back_end(look.target, &spec, &seen)?;
            let ours = seen.gate.as_ref().is_some_and(|found| found.stands);
            let state = if ours { common::status(look).await?.filter(GateState::stands) } else { None };
            let changes = self.missing(look.target, &spec, back_end, state.as_ref(), look.history)?;
            let survey = match state {
                Some(state) if changes.is_empty() => self.proven(look, cluster, host, &spec, &state).await?,
                _ => Survey { changes, ..Survey::default() },
            };
            Ok(notes(&seen, &spec, back_end).into_iter().fold(survey, Survey::saw))
        }
        .boxed()
    }
}

impl Close {
    /// What will hold the gate, or every reason not to put it up.
    fn back_end(&self, target: &Target, spec: &GateSpec, seen: &gate::Survey) -> Result<BackEnd, StepError> {
        let mut whys: Vec<String> = gate::refuse(spec, seen).iter().map(ToString::to_string).collect();
        if let Some(back_end) = self.wish.back_end.filter(|back_end| !seen.usable(*back_end)) {
            whys.push(format!("{back_end} cannot hold a gate here"));
        }
        let standing = seen.gate.as_ref().filter(|found| found.stands).map(|Found { back_end, .. }| *back_end);
        match standing.or(self.wish.back_end).or(seen.choose()) {
            Some(back_end) if whys.is_empty() => Ok(back_end),
            _ => Err(StepError::Refused {
                why: format!("{target}: no gate is put up: {}", whys.join("; ")),
                hint: Some(match &seen.gate {
                    Some(Found { mark: Some(mark), stands: true, .. }) => {
                        format!("breakglass gate status; breakglass gate open --of {}", mark.run)
                    }
                    _ => "breakglass gate close --help".into(),
                }),
            }),
        }
    }

    /// The changes that are not made yet, by what stands there.
    fn missing(
        &self,
        target: &Target,
        spec: &GateSpec,
        back_end: BackEnd,
        state: Option<&GateState>,
        history: &History,
    ) -> Result<Vec<Change>, StepError> {
        let all = self.changes(spec, back_end);
        let Some(state) = state else {
            let failed = history.last(CONFIRM).filter(|record| record.state == ChangeState::Failed);
            return match failed {
                None => Ok(all),
                Some(record) => Err(StepError::Refused {
                    why: format!("{target}: the gate was not confirmed, and has opened by itself: {}", record.said),
                    hint: Some("breakglass gate close --confirm-within 60s".into()),
                }),
            };
        };
        let wanted = |key: &str| match key {
            CLOSE => false,
            // A gate that opens already is closed again by the same act; one that opens under our eyes goes its way.
            CONFIRM => !state.confirmed || (state.level() > 0 && !history.done(CONFIRM)),
            _ => !history.done(key),
        };
        Ok(all.into_iter().filter(|change| wanted(&change.key)).collect())
    }

    /// While the run lives: twice without effect, and there is still time for a third.
    fn renewed_every(&self) -> Duration {
        Duration::from_secs(u64::from((self.wish.hold / 3).max(1)))
    }

    /// Everything that closing takes, in this order.
    fn changes(&self, spec: &GateSpec, back_end: BackEnd) -> Vec<Change> {
        let ports: Vec<String> = spec.ports().iter().map(ToString::to_string).collect();
        let ports = ports.join(", ");
        let mark = spec.mark();
        let change = |key: &str, op: Op, inverse: Inverse, guard: &str, because: String, by_hand: &str| Change {
            key: key.into(),
            op,
            guard: guard.into(),
            inverse,
            because,
            by_hand: by_hand.into(),
            deadline_secs: ORDER_SECS,
            keep: Keep::Nothing,
        };
        let close = change(
            CLOSE,
            common::op(gate::close(spec, back_end)),
            Inverse::By(Box::new(common::op(gate::open(&spec.run, back_end)))),
            "no other run's gate and nobody else's rules of this name are there",
            format!("keeps all but the operator and the control plane away from port {ports}, so that the API has room"),
            "load the rules that `breakglass gate close --plan` prints",
        );
        let by = spec.driver();
        let hold = Turn { level: 0, hold: spec.hold, was: spec.run.clone(), by: by.clone() };
        let confirm = Change {
            keep: Keep::Renew {
                lease: LEASE.into(),
                every_secs: self.renewed_every().as_secs(),
                op: Box::new(common::order(gate::renew(&mark, back_end, spec.hold, &by), false)),
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
        let mut saw = vec![state.to_string(), common::counted(state)];
        saw.extend(common::loudest(state, 5));
        saw.extend(look.history.last(CUT).map(|record| sockets(&record.said)));
        if let Side::Server { .. } = spec.side {
            saw.extend(let_through(look, cluster).await);
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
        for from in &self.wish.probe_from {
            for to in knocked(host, cluster, spec) {
                saw.push(self.knock(look, cluster, from, to, spec).await?);
            }
        }
        Ok(Survey { saw, ..Survey::default() })
    }

    /// Tries a port from another host. One that gets in although it should not ends the step: the gate does not bite.
    async fn knock(
        &self,
        look: Look<'_>,
        cluster: &Cluster,
        from: &str,
        to: SocketAddr,
        spec: &GateSpec,
    ) -> Result<String, StepError> {
        let vantage = Target::host(&look.target.cluster, from);
        let met = match look.reads.script(&vantage, &gate::knock(to), LOOK_LIMIT).await {
            Ok(output) => gate::parse_knock(&output.stdout),
            Err(error) => Knock::NotKnown(error.to_string()),
        };
        let listed = cluster.host(from).is_some_and(|host| spec.allow.iter().any(|a| a.net.contains(host.address)));
        match (met, listed) {
            (Knock::Open, false) => Err(StepError::Refused {
                why: format!("{}: the gate stands, and {from} still connects to {to}: something goes round it", look.target),
                hint: Some(format!("breakglass gate status --targets {}; look for a balancer on the host", look.target.short())),
            }),
            (Knock::Open, true) => Ok(format!("from {from}, which is let through: {to} answers")),
            (Knock::Refused, false) => Ok(format!("from {from}: {to} is refused")),
            (Knock::Silent, false) => Ok(format!("from {from}: {to} is silent")),
            (Knock::Refused | Knock::Silent, true) => {
                Ok(format!("from {from}, which is let through, {to} does not answer: something else refuses it"))
            }
            (Knock::NotKnown(why), _) => Ok(format!("not proved from {from}: {why}")),
        }
    }
}

/// The API server's own answer, over the operator's route.
async fn let_through(look: Look<'_>, cluster: &Cluster) -> Option<String> {
    let server = server_on(look.target, cluster)?;
    let target = Target::api_server(&cluster.name, &server.name);
    let read = KubeRead { path: "/livez".into(), accept: Accept::Text, limit: API_LIMIT };
    Some(match look.reads.kube(&target, &read).await {
        Ok(answer) => {
            format!("the operator gets through: /livez of {} says {} in {} ms", server.name, answer.code, answer.took.as_millis())
        }
        Err(error) => format!("the operator does not get an answer of {} yet: {error}", server.name),
    })
}

fn server_on<'a>(target: &Target, cluster: &'a Cluster) -> Option<&'a ApiServer> {
    cluster.api_servers.iter().find(|server| server.host.as_deref() == Some(target.short()))
}

/// Where a client would find the API server of a host.
fn knocked(host: &Host, cluster: &Cluster, spec: &GateSpec) -> Vec<SocketAddr> {
    match &spec.side {
        Side::Server { ports } => ports.iter().map(|port| SocketAddr::new(host.address, *port)).collect(),
        // From a node, or a pod's host: the API servers themselves.
        Side::Client { .. } => super::gate::wish::endpoints(cluster),
    }
}

/// What cutting said, as `before=12 after=0`.
fn sockets(said: &str) -> String {
    let of = |key: &str| said.split_whitespace().find_map(|word| word.strip_prefix(key)?.parse::<u64>().ok());
    match (of("before="), of("after=")) {
        (Some(before), Some(0)) => format!("{before} open connections cut, none left"),
        (Some(before), Some(after)) => {
            format!("{before} open connections, {after} left that the kernel does not close: each is reset as the server next sends")
        }
        _ => {
            let why = said.split_once("unable=").map_or(said, |(_, why)| why);
            format!("open connections were not cut: {why}")
        }
    }
}

/// What an operator has to know about the host.
fn notes(seen: &gate::Survey, spec: &GateSpec, back_end: BackEnd) -> Vec<String> {
    let mut notes: Vec<String> =
        seen.managers.iter().map(|manager| format!("{} is here: {}", manager.name(), manager.note(back_end))).collect();
    for balancer in seen.balancers() {
        let name = balancer.process.as_deref().unwrap_or("a balancer");
        notes.push(format!(
            "{name} listens on port {} here: its clients come from this host, which is let through; gate that port too",
            balancer.port
        ));
    }
    if let Some(hole) = gate::v6_hole(spec, seen, back_end) {
        notes.push(hole);
    }
    if seen.can_destroy == Some(false) {
        notes.push("this kernel does not let sockets be closed from outside; the gate resets each as the server next sends".into());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_counted_is_said_of_open_connections() {
        assert_eq!(sockets("before=12 after=0"), "12 open connections cut, none left");
        let skipped = sockets("unable=the gate means only some");
        assert!(skipped.ends_with("the gate means only some") && !skipped.contains("none left"), "{skipped}");
    }
}
