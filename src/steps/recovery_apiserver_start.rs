//! `recovery-apiserver-start`: a private kube-apiserver on one control-plane host, which the run's own requests then use first.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::recovery::{LOOK_LIMIT, ORDER_SECS, host, learn, said, stop};
use super::{Announced, Fault, Kind, Look, Scope, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Change, Inverse, Keep, Op, Target};
use crate::duration::HumanDuration;
use crate::host::recovery::{self, MOST, PORTS, Recovery, Seen, Start, Wish};
use crate::kit::held::Won;
use crate::kit::request::Own;
use crate::kit::{Cluster, Credential, Host};
use crate::words;

/// How often it is looked at while it starts.
const EVERY: Duration = Duration::from_millis(500);
/// So much memory has to be free on its host: what one was measured to hold at 2,000 pods, and half as much again.
const NEEDS: u64 = 600 << 20;
/// How long a host may take to say again what it has, before a run goes on without.
const AGAIN_LIMIT: Duration = Duration::from_secs(10);
/// Whoever is in it may do everything, whatever RBAC says.
const MASTERS: &str = "system:masters";
const START: &str = "start";
const EXTEND: &str = "extend";

/// The kind.
pub(super) struct RecoveryStart;

/// A private API server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// How long it is there, with nobody to end it: at most two hours.
    #[serde(rename = "for", default = "quarter")]
    time: HumanDuration,
    /// Its port on the host's loopback; without it, the first free one from 16443 on.
    #[serde(default)]
    #[schemars(range(min = 1))]
    port: Option<u16>,
    /// Wait until it listens. Without that the step ends as soon as it starts, and requests go to it as soon as it answers.
    #[serde(default = "yes")]
    wait: bool,
    /// Flags of kube-apiserver that are set, without their dashes: `watch-cache: "true"`.
    #[serde(default)]
    set: BTreeMap<String, String>,
    /// Flags of the host's API server that are left out, without their dashes: one that it does not start with.
    #[serde(default)]
    unset: Vec<String>,
    /// Admission webhooks have no say there: the way out when one refuses everything.
    #[serde(default)]
    without_webhooks: bool,
    /// It knows the run by a client certificate of `system:masters` that is made here and good there alone, for as long as it is
    /// there: whatever has become of the cluster's own credentials and rights.
    #[serde(default)]
    mint: bool,
    /// A file of the host that is the program; without it that of the running process, else out of the image store of the runtime.
    #[serde(default)]
    program: Option<String>,
}

fn quarter() -> HumanDuration {
    HumanDuration(Duration::from_mins(15))
}

fn yes() -> bool {
    true
}

impl Kind for RecoveryStart {
    fn name(&self) -> &'static str {
        "recovery-apiserver-start"
    }

    fn doc(&self) -> &'static str {
        "Starts a private kube-apiserver on one control-plane host, for the run's own requests.\n\n\
         They use it first from then on. It listens on the host's loopback alone, is reached through SSH, has no backlog, and goes straight to etcd: it brings \
         writes in within seconds where the main server answers nobody. That the cluster acts on them still takes room at the \
         main server. Its program and its flags are those of the host's own, without what would make it a second one of the \
         same (docs/ways-in.md); its certificate is made there, and pinned. With `mint` it knows the run by a certificate of its own, \
         made here, that no other server takes. It ends by itself after its time, client or not, \
         and leaves nothing behind but an audit log beside the host's own, if that keeps one. On the first of the targets that can; refused where etcd does not answer, the port is \
         taken, or less than 600 MiB of memory are free. `undo` ends it."
    }

    fn scope(&self) -> Scope {
        Scope::ApiHosts
    }

    fn one_at_a_time(&self) -> bool {
        true
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let params: Params = params(with)?;
        let mut faults = Vec::new();
        if params.time.0 > MOST || params.time.0 < Duration::from_secs(10) {
            faults.push(Fault::at("for", format!("{}: take 10 seconds to 2 hours", params.time)));
        }
        let names = params.set.keys().chain(&params.unset);
        for name in names.filter(|name| name.starts_with('-') || name.contains(['=', '\n', ' ']) || name.is_empty()) {
            faults
                .push(Fault::whole(format!("{name:?} is no flag: take its name, without dashes and without a value")));
        }
        if params.program.as_ref().is_some_and(|path| !path.starts_with('/') || path.contains('\n')) {
            faults.push(Fault::at("program", "expected the absolute path of a file on the host"));
        }
        if faults.is_empty() { Ok(Box::new(Starting { params, own: Mutex::default() })) } else { Err(faults) }
    }
}

struct Starting {
    params: Params,
    /// What it is to know us by, once that is made: in memory alone.
    own: Mutex<Option<Own>>,
}

impl Starting {
    fn seconds(&self) -> u64 {
        self.params.time.0.as_secs()
    }

    fn order(&self, run: &str, operator: &str, manifests: &str) -> Start {
        Start {
            run: run.to_owned(),
            operator: operator.to_owned(),
            port: self
                .params
                .port
                .map_or_else(|| "<the first free port from 16443 on>".into(), |port| port.to_string()),
            seconds: self.seconds(),
            flags: vec!["<those of the host's own API server, changed>".into()],
            program: self.params.program.clone().unwrap_or_default(),
            mounted: vec!["<what its container has mounted>".into()],
            version: "<that of the manifest's image>".into(),
            manifests: manifests.to_owned(),
            own: if self.params.mint { "<a client certificate that is made here>".into() } else { String::new() },
        }
    }

    /// The certificate that it is to take from us; empty where none is wanted.
    fn certificate(&self, look: Look<'_>) -> Result<String, StepError> {
        if !self.params.mint {
            return Ok(String::new());
        }
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let made = match own.take() {
            Some(made) => made,
            None => Own::new(&format!("breakglass:{}", look.mark.operator), MASTERS, look.history.now)
                .map_err(StepError::refused)?,
        };
        Ok(own.insert(made).cert.clone())
    }

    /// What we are known by at the one that takes our certificate.
    fn known(&self, one: &Recovery, host: &str) -> Option<Won> {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let own = own.as_ref().filter(|own| one.own.contains(own.cert.trim()))?;
        let credential = Credential::Certificate { cert: own.cert.clone().into_bytes(), key: own.key.clone() };
        let of = format!("a certificate of {MASTERS} that the recovery API server of {host} alone takes");
        Some(Won { credential, of })
    }

    fn change(start: &Start) -> Change {
        let minutes = start.seconds.div_ceil(60);
        Change {
            key: START.into(),
            note: None,
            op: Op::order(recovery::start(start)),
            guard: format!("no other recovery API server stands there, and nobody listens on port {}", start.port),
            inverse: Inverse::By(Box::new(stop(&start.run))),
            because: format!("an API server without a backlog takes our requests in, for {minutes} min"),
            by_hand: "docs/ways-in.md shows how one is started by hand".into(),
            deadline_secs: ORDER_SECS,
            keep: Keep::Nothing,
        }
    }

    fn extension(&self, run: &str, certificate: &str) -> Change {
        Change {
            key: EXTEND.into(),
            note: None,
            op: Op::order(recovery::extend(run, self.seconds(), certificate)),
            guard: format!("the recovery API server of run {run} still stands"),
            inverse: Inverse::NotNeeded("it ends by itself".into()),
            because: if certificate.is_empty() {
                format!("it is to be there for {} from now on", self.params.time)
            } else {
                format!("it is to know us, and to be there for {} from now on", self.params.time)
            },
            by_hand: format!(
                "echo $(($(cut -d . -f 1 /proc/uptime) + {})) >/run/breakglass-recovery/until",
                self.seconds()
            ),
            deadline_secs: ORDER_SECS,
            keep: Keep::Nothing,
        }
    }

    /// What one would be started with here.
    fn wanted(&self, look: Look<'_>, host: &Host, seen: &Seen) -> Result<Start, StepError> {
        let refused = |why: String| StepError::Refused {
            why: format!("{}: {why}", look.target),
            hint: Some(host.by_hand("ps -ef | grep kube-apiserver; ls /etc/kubernetes/manifests; free -m")),
        };
        let launch = seen.launch().map_err(&refused)?;
        let free = PORTS.into_iter().find(|port| !seen.taken.contains(port));
        let port = self
            .params
            .port
            .or(free)
            .ok_or_else(|| refused(format!("ports {} to {} are taken", PORTS.start, PORTS.end - 1)))?;
        if seen.taken.contains(&port) {
            return Err(refused(format!("somebody listens on port {port} already; take another with --port")));
        }
        if let Some(available) = seen.available.filter(|available| *available < NEEDS) {
            let (have, needs) = (words::bytes(available), words::bytes(NEEDS));
            return Err(refused(format!(
                "only {have} of its memory are free, and a second API server takes {needs}; try another host with --targets"
            )));
        }
        let wish = Wish {
            port,
            set: self.params.set.clone(),
            unset: self.params.unset.clone(),
            without_webhooks: self.params.without_webhooks,
        };
        let flags = recovery::flags(&launch, &wish).map_err(&refused)?;
        let tag = launch.image.split('@').next().and_then(|image| image.rsplit_once(':')).map(|(_, tag)| tag);
        // A tag that is no version says nothing of the program in there.
        let is_version = |tag: &&str| tag.starts_with('v') && tag.split('.').count() >= 3;
        let version = tag.filter(is_version).map(str::to_owned);
        Ok(Start {
            port: port.to_string(),
            flags,
            mounted: launch
                .mounts
                .iter()
                .map(|(_, here)| format!("{here}/{}", recovery::PROGRAM_NAME))
                .chain(host.recovery_program.clone())
                .collect(),
            version: version.unwrap_or_default(),
            own: self.certificate(look)?,
            ..self.order(&look.mark.run, &look.mark.operator, &host.manifests)
        })
    }

    /// One stands there.
    fn stands(&self, look: Look<'_>, host: &Host, one: &Recovery) -> Result<Survey, StepError> {
        let name = look.target.short();
        if one.trust.is_none() {
            return Ok(Survey::waiting(format!("the recovery API server of {name} to make its certificate")));
        }
        let ours = one.run == look.mark.run;
        let whose = if ours { String::new() } else { format!(", started by {} (run {})", one.operator, one.run) };
        let longer = !ours && one.left + Duration::from_mins(1) < self.params.time.0 && !look.history.done(EXTEND);
        let certificate = self.certificate(look)?;
        if longer || !one.own.contains(certificate.trim()) {
            return Ok(Survey::change(self.extension(&one.run, &certificate)));
        }
        learn(look, one, self.known(one, name));
        if self.params.wait && !one.listens {
            let what = format!("the recovery API server of {name} to listen on 127.0.0.1:{}", one.port);
            return Ok(Survey::waiting(what));
        }
        let is = if one.listens { "serves" } else { "starts" };
        let knows = if self.params.mint { ", and knows us as system:masters" } else { "" };
        let look = host.by_hand(recovery::BY_HAND);
        Ok(Survey::done().saw(format!("a recovery API server {is} at {}{whose}{knows}; look: {look}", said(one))))
    }

    /// It came to its end before its time.
    fn died(look: Look<'_>, host: &Host, one: &Recovery) -> StepError {
        let died = one.died.as_ref();
        let status = died.map_or(0, |died| died.status);
        let last = died.map(|died| died.last.as_str()).filter(|last| !last.is_empty()).unwrap_or("it said nothing");
        StepError::Refused {
            why: format!("{}: the recovery API server ended with status {status}: {last}", look.target),
            hint: Some(format!(
                "{}; a flag that it does not start with is left out by breakglass recovery-apiserver start --unset FLAG",
                host.by_hand(recovery::BY_HAND)
            )),
        }
    }
}

impl Step for Starting {
    fn intent(&self) -> String {
        let mut how = String::new();
        if self.params.without_webhooks {
            how.push_str(", without webhooks");
        }
        if self.params.mint {
            how.push_str(", that knows us as system:masters");
        }
        format!("start a private API server on one control-plane host, for {}{how}", self.params.time)
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let manifests = crate::host::manifest::MANIFESTS;
        let start = self.order("<this run>", "<you>", manifests);
        let times = Times::Every { interval: EVERY, until: Duration::from_mins(1) };
        let mut all = vec![Announced::look(
            recovery::survey(manifests),
            times,
            "what one would be made of, and the one that stands",
        )];
        all.push(Announced::op(Op::order(recovery::start(&start)), Times::Once, "on the first host that can"));
        let extend = self.extension("<the run that started it>", &start.own);
        all.push(Announced::op(
            extend.op,
            Times::AtMost(1),
            "where one stands already, and not for long enough, or does not know us yet",
        ));
        all
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        match host(target, cluster) {
            Some(_) => Vec::new(),
            None => vec!["a recovery API server is started on a host, and this is none of the kit's hosts".into()],
        }
    }

    fn interval(&self) -> Duration {
        EVERY
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let known = look.reads.cluster(&look.target.cluster).and_then(|cluster| host(look.target, cluster));
            let host = known.ok_or_else(|| StepError::refused(format!("{} is not a host of the kit", look.target)))?;
            let elsewhere = look.reads.recoveries(&look.target.cluster).into_iter().find(|other| *other != host.name);
            if let Some(other) = elsewhere {
                return Ok(Survey::done().saw(format!("{other} has one, and one is enough")));
            }
            let seen = look.reads.ask(look.target, &recovery::survey(&host.manifests), LOOK_LIMIT).await?;
            match &seen.standing {
                Some(one) if one.died.is_some() && one.run == look.mark.run => return Err(Self::died(look, host, one)),
                Some(one) if one.died.is_none() && one.watched => {
                    return self.stands(look, host, one);
                }
                _ => {}
            }
            let start = self.wanted(look, host, &seen)?;
            Ok(Survey::change(Self::change(&start)))
        }
        .boxed()
    }

    fn win_again<'a>(&'a self, look: Look<'a>) -> Option<BoxFuture<'a, ()>> {
        let again = async move {
            // Where it cannot be asked, or is over, the run goes on without. It may be that of another run.
            if look.reads.recoveries(&look.target.cluster).is_empty()
                && let Ok(Some(one)) = look.reads.ask(look.target, &recovery::status(), AGAIN_LIMIT).await
                && one.died.is_none()
            {
                // The key of a certificate that was made for it went with its process.
                learn(look, &one, None);
            }
        };
        Some(again.boxed())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bad_parameters_are_refused_by_name() {
        for (with, part) in [
            (json!({"for": "3h"}), "2 hours"),
            (json!({"for": "1s"}), "10 seconds"),
            (json!({"unset": ["--tls-min-version"]}), "without dashes"),
            (json!({"set": {"a=b": "c"}}), "no flag"),
            (json!({"program": "kube-apiserver"}), "absolute path"),
            (json!({"ports": 1}), "unknown field"),
        ] {
            let faults = RecoveryStart.build(with).err().unwrap_or_default();
            assert!(faults.iter().any(|fault| fault.to_string().contains(part)), "{part}: {faults:?}");
        }
        assert!(RecoveryStart.build(json!({})).is_ok());
    }
}
