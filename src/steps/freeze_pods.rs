//! `freeze-pods`: the pods of one workload stand still on their nodes, by their hosts' own means.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::pod_names::forms;
use super::{
    Announced, Fault, Kind, Look, ObjectRef, Question, Scope, Sends, Step, StepError, Survey, Times, params, schema_of,
};
use crate::change::{Change, Inverse, Keep, Op, Part, Target};
use crate::duration::HumanDuration;
use crate::host::pods::{self, Freeze, Frozen, MOST, Seen, Which};
use crate::kit::{Cluster, Host};
use crate::words;

const FREEZE: &str = "freeze";
const LOOK_LIMIT: Duration = Duration::from_secs(30);
const ORDER_SECS: u64 = 60;
/// The question before what the cluster itself may need is frozen.
const CRITICAL: &str = "critical";

/// The kind.
pub(super) struct FreezePods;

/// Whose pods, and for how long.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// The workload: a DaemonSet, Deployment, StatefulSet, ReplicaSet, Job or CronJob.
    object: String,
    /// Its namespace, where the name has none.
    #[serde(default)]
    namespace: Option<String>,
    /// How long they are frozen, with nobody to end it: at most 24 hours.
    #[serde(rename = "for", default = "half_an_hour")]
    time: HumanDuration,
    /// Do not ask although it is in kube-system.
    #[serde(default)]
    accept_critical: bool,
}

fn half_an_hour() -> HumanDuration {
    HumanDuration(Duration::from_mins(30))
}

impl Kind for FreezePods {
    fn name(&self) -> &'static str {
        "freeze-pods"
    }

    fn doc(&self) -> &'static str {
        "Freezes the pods of one workload on their nodes, over SSH: none of their processes runs any more, and nothing is deleted.\n\n\
         For when no API server takes the one request that would end it. Each host finds the pods itself, by the names of their logs' \
         folders under /var/log/pods and by their control groups: no API request, and no tool of a runtime. The whole pod is frozen, so \
         that a container which its kubelet starts anew in there (a liveness probe, a crash) stands still, too; pods that come later are \
         frozen within a second or two. Kubelets and all other pods go on. Connections stay open and silent: nothing new is sent over \
         them. It ends by itself after its time, client or not, also where what keeps it was killed, and at a reboot; a pod that is \
         deleted meanwhile ends as ever. A host without such a pod is left as it is. Static pods are never touched; for what is in \
         kube-system the name has to be typed. Stopping the containers instead does not hold: their kubelet starts them again. Undone by \
         letting them go on, where they were."
    }

    fn scope(&self) -> Scope {
        Scope::ApiHosts
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let object =
            ObjectRef::parse(&with.object, with.namespace.as_deref()).map_err(|why| vec![Fault::at("object", why)])?;
        let forms = forms(&object).map_err(|why| vec![Fault::at("object", why)])?;
        if with.time.0 > MOST || with.time.0 < Duration::from_secs(10) {
            return Err(vec![Fault::at("for", format!("{}: take 10 seconds to 24 hours", with.time))]);
        }
        let which =
            Which { object: object.to_string(), namespace: object.namespace.clone().unwrap_or_default(), forms };
        Ok(Box::new(Freezing { object, which, with }))
    }
}

struct Freezing {
    object: ObjectRef,
    which: Which,
    with: Params,
}

impl Freezing {
    fn one(&self, (run, operator, reason): (&str, &str, &str), step: &str) -> Freeze {
        let own = str::to_owned;
        Freeze {
            run: own(run),
            step: own(step),
            operator: own(operator),
            reason: own(reason),
            which: self.which.clone(),
            seconds: self.with.time.0.as_secs(),
        }
    }

    fn change(&self, one: &Freeze, pods: &str) -> Change {
        Change {
            key: FREEZE.into(),
            note: None,
            op: Op::order(pods::freeze(one)),
            guard: "the host finds its pods itself, and no other run has frozen them".into(),
            inverse: Inverse::By(Box::new(Op::order(pods::thaw(one)))),
            because: format!("{pods}: to stand still for {}", self.with.time),
            by_hand: "docs/on-nodes.md shows how a pod is frozen by hand".into(),
            deadline_secs: ORDER_SECS,
            keep: Keep::Nothing,
        }
    }

    /// Whether what the cluster itself may need is meant.
    fn critical(&self) -> Option<Question> {
        let is = self.object.namespace.as_deref() == Some("kube-system") && !self.with.accept_critical;
        is.then(|| Question {
            id: CRITICAL.into(),
            text: format!(
                "{} is in kube-system, with what the cluster itself runs on: its pods stand still on all these hosts. \
                 Type {} if that is meant",
                self.object, self.object.name
            ),
            typed: Some(self.object.name.clone()),
            unattended: false,
            otherwise: None,
        })
    }

    /// This step's freeze stands here.
    fn stands(&self, look: Look<'_>, host: &Host, seen: &Seen, own: &Frozen) -> Result<Survey, StepError> {
        if !own.watched {
            return Err(StepError::Refused {
                why: format!("{}: the pods are frozen, and what ends that was killed", look.target),
                hint: Some(host.by_hand(&pods::by_hand(&own.folder))),
            });
        }
        let late: Vec<&str> = seen.pods.iter().filter(|pod| !pod.frozen).map(|pod| pod.name.as_str()).collect();
        if !late.is_empty() {
            return Ok(Survey::waiting(format!("{} to come to rest", late.join(", "))));
        }
        let (pods, left) = (words::count(seen.pods.len(), "pod"), HumanDuration(own.left));
        Ok(Survey::done().saw(format!("{pods} of {} frozen; ends by itself in {left}", self.object)))
    }

    fn judge(&self, look: Look<'_>, host: &Host, seen: &Seen) -> Result<Survey, StepError> {
        let (target, object) = (look.target, self.object.to_string());
        let one = self.one((&look.mark.run, &look.mark.operator, &look.mark.reason), &(look.step + 1).to_string());
        let own = seen.frozen.iter().find(|other| other.folder == one.folder());
        if let Some(own) = own {
            return self.stands(look, host, seen, own);
        }
        if seen.blind {
            return Err(StepError::Refused {
                why: format!(
                    "{target}: there is no /var/log/pods, where kubelets keep the logs of their pods: nobody can tell which run here"
                ),
                hint: Some(
                    host.by_hand(
                        "ls -d /var/log/pods; grep -rs podLogsDir /var/lib/kubelet/config.yaml; ps -C kubelet",
                    ),
                ),
            });
        }
        if seen.pods.is_empty() {
            return Ok(Survey::done().saw(format!("no pod of {object} has a process here")));
        }
        if let Some(other) = seen.frozen.iter().find(|other| other.object == object) {
            let left = HumanDuration(other.left);
            return Err(StepError::Refused {
                why: format!(
                    "{target}: they are frozen already, by {} (run {}), for {left} more",
                    other.operator, other.run
                ),
                hint: Some(format!(
                    "breakglass undo {}; or here, {}",
                    other.run,
                    host.by_hand(&pods::by_hand(&other.folder))
                )),
            });
        }
        if let Some(pod) = seen.pods.iter().find(|pod| pod.freezer.is_none()) {
            return Err(StepError::Refused {
                why: format!(
                    "{target}: the kernel cannot freeze {}: it has neither cgroup.freeze (Linux 5.2) nor the freezer of version 1",
                    pod.name
                ),
                hint: Some("what they send to the API can be stopped instead: breakglass gate close --help".into()),
            });
        }
        if let Some(question) = self.critical() {
            match look.history.answer(CRITICAL) {
                Some(true) => {}
                Some(false) => return Err(StepError::Declined(question.text)),
                None => return Ok(Survey { ask: Some(question), ..Survey::default() }),
            }
        }
        let names: Vec<&str> = seen.pods.iter().map(|pod| pod.name.as_str()).collect();
        Ok(Survey::change(self.change(&one, &names.join(", "))))
    }
}

impl Step for Freezing {
    fn intent(&self) -> String {
        format!("freeze the pods of {} on their nodes, for {}", self.object, self.with.time)
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let one = self.one(("<run>", "<operator>", "<reason>"), "<step>");
        let mut all = vec![Announced::look(
            pods::look(&self.which),
            Times::AtMost(3),
            "its pods here, and whether they are at rest",
        )];
        if let Some(question) = self.critical() {
            all.push(Announced::new(Sends::Ask(question.text), Times::AtMost(1), "only where it has a pod"));
        }
        let change = self.change(&one, "<its pods>");
        all.push(Announced::op(change.op, Times::AtMost(1), "where it has a pod; ends by itself"));
        all
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        match host_of(target, cluster) {
            Some(_) => Vec::new(),
            None => vec!["pods are frozen on a host, and this is none of the kit's hosts".into()],
        }
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let known = look.reads.cluster(&look.target.cluster).and_then(|cluster| host_of(look.target, cluster));
            let host = known.ok_or_else(|| StepError::refused(format!("{} is not a host of the kit", look.target)))?;
            let seen = look.reads.ask(look.target, &pods::look(&self.which), LOOK_LIMIT).await?;
            self.judge(look, host, &seen)
        }
        .boxed()
    }
}

fn host_of<'a>(target: &Target, cluster: &'a Cluster) -> Option<&'a Host> {
    let Part::Host(name) = &target.part else { return None };
    cluster.host(name)
}
