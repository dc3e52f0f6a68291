//! `end-pods`: the pods of one workload, ended through the API in bounded requests.

mod ending;

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use self::ending::{BY_FORCE, FORCE, Listed, ended};
use super::kube_object::{self, Seen, text};
use super::owners::{Owners, between, common_labels};
use super::pods::{self, Page};
use super::results::Takes;
use super::workload::{self, Workload, exclusive};
use super::{
    Announced, Fault, History, Kind, Look, ObjectRef, Scope, Sends, Step, StepError, Survey, Times, params, schema_of,
};
use crate::change::{Op, Target};
use crate::duration::HumanDuration;
use crate::found::Type;
use crate::journal::ChangeState;
use crate::kit::Cluster;
use crate::world::Accept;

/// Stand in the plan for what only a look can know.
const SELECTOR: &str = "<selector of the workload>";
const REVISION: &str = "<revision of the list>";
const POD: &str = "<one of its pods>";

/// The kind.
pub(super) struct EndPods;

/// Ends the pods of one workload.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// The workload: `ds/NAMESPACE/NAME`, `deploy/NAMESPACE/NAME`, `sts/…`, `rs/…`, `rc/…`, `job/…` or `cj/…`.
    workload: String,
    /// Its namespace, when the name does not say it.
    #[serde(default)]
    namespace: Option<String>,
    /// Labels that its pods have and no others, as kubectl takes them: `app=agent,tier in (a,b)`. Only for a workload that
    /// is gone already; one that is there says itself which pods are its own.
    #[serde(default)]
    selector: Option<String>,
    /// By force: the API forgets the pods at once, whatever their kubelets hear. Not for what must never run twice,
    /// unless somebody types the workload's name.
    #[serde(default)]
    force: bool,
    /// Seconds that the pods get to end by themselves; each pod's own value when it is not said.
    #[serde(default)]
    grace: Option<u32>,
    /// How many pods one request ends.
    #[serde(default = "page")]
    page: u32,
    /// How long one look at the workload or at a page of its pods may take.
    #[serde(default = "kube_object::look_within")]
    look_within: HumanDuration,
    /// How long one DELETE may stay unanswered before the outcome is looked at.
    #[serde(default = "deadline")]
    deadline: HumanDuration,
}

fn page() -> u32 {
    pods::PAGE
}

/// Longer than an API server works on a request before its own 504. Where nobody listens it is sent again for as long as
/// the step lasts.
fn deadline() -> HumanDuration {
    HumanDuration::secs(90)
}

/// So many DELETEs of a page without their reply, and it does not take: each is dear for a server that drowns.
const IN_VAIN: usize = 3;

struct Ending {
    object: ObjectRef,
    namespace: String,
    with: Params,
}

impl Kind for EndPods {
    fn name(&self) -> &'static str {
        "end-pods"
    }

    fn doc(&self) -> &'static str {
        "Ends the pods of one workload through the API, and none but those. One GET of the workload (its uid and its \
         selector), for a Deployment or CronJob one list of what it made, a list of the pods in pages of 500, metadata \
         only, and for each page one DELETE of the collection, one after the other. Every pod that the selector fits must \
         belong to the workload by its controller's uid; where one does not, nothing is sent. Each DELETE is made at the \
         revision of the list, so that pods that came later are not hit, whoever made them. Done, gracefully: every pod \
         that was there is marked as ending; that their kubelets hear of it is not waited for. Done, by force: none of \
         them is in the API any more; what finalizers hold is waited for, 30 s at most, and named. By force the API \
         forgets the pods at once: on a node that hears nothing their containers run on until its kubelet hears of it, \
         and tokens that are bound to the pods are refused from then on. For a StatefulSet, and where pods use a volume \
         that may not be mounted twice (any claim), force needs the workload's name typed; without it, and with --yes, \
         the pods get their own grace. Park the workload first: pods that its controller makes meanwhile are said, not \
         chased. A workload that is gone already: its pods are found by the name of their controller in a list of the \
         whole namespace (20 pages at most; beyond, give `selector`), and ended by the labels they have in common, when \
         no other pod has them; one of the pods is read for its volumes. Nothing has to be undone: the pods come back \
         with their workload."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn takes(&self) -> &'static [Takes] {
        &[Takes { at: &["workload"], of: Type::Workload }]
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let object = ObjectRef::parse(&with.workload, with.namespace.as_deref())
            .map_err(|why| vec![Fault::at("workload", why)])?;
        let (Some(_), Some(namespace)) = (workload::owner(&object), object.namespace.clone()) else {
            let why = format!(
                "{} make no pods; what does: daemonsets, deployments, statefulsets, replicasets, \
                 replicationcontrollers, jobs, cronjobs",
                object.resource()
            );
            return Err(vec![Fault::at("workload", why)]);
        };
        let mut faults = Vec::new();
        if let Some(why) = with.selector.as_deref().and_then(|selector| workload::narrow(selector).err()) {
            faults.push(Fault::at("selector", why));
        }
        if with.grace == Some(0) {
            faults.push(Fault::at("grace", "0 is by force: say `force: true`"));
        }
        if with.force && with.grace.is_some() {
            faults.push(Fault::at("grace", "it and `force` exclude each other"));
        }
        if !(1..=pods::PAGE).contains(&with.page) {
            faults.push(Fault::at("page", format!("from 1 to {}", pods::PAGE)));
        }
        faults.extend(kube_object::too_short(with.deadline));
        if faults.is_empty() { Ok(Box::new(Ending { object, namespace, with })) } else { Err(faults) }
    }
}

impl Step for Ending {
    fn intent(&self) -> String {
        let how = match (self.with.force, self.with.grace) {
            (true, _) => format!("by force: {BY_FORCE}"),
            (false, Some(seconds)) => format!("each within {seconds} s"),
            (false, None) => "each within its own grace".into(),
        };
        format!("end the pods of {}, {how}", self.object)
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let (looks, rest) = (Times::AtMost(10), pods::PAGES - 1);
        let pages = |all: &mut Vec<Announced>, path: String, why: &str| {
            all.push(Announced::get(path.clone(), looks, why));
            let path = format!("{path}&continue={}", pods::TOKEN);
            all.push(Announced::get(path, Times::AtMost(2 * rest), "the pages after the first, at each look"));
        };
        let namespace = pods::collection(&self.namespace);
        let mut all =
            vec![Announced::get(self.object.path(), looks, "sees whose pods it has: its uid and its selector")];
        if let Some(collection) = between(&self.object) {
            let selector = if collection.ends_with("jobs") { "" } else { SELECTOR };
            pages(
                &mut all,
                pods::path(&collection, selector, pods::PAGE),
                "what it made to make its pods (metadata only)",
            );
        }
        let own = pods::path(&namespace, SELECTOR, self.with.page);
        pages(&mut all, own.clone(), "its pods, and that they are its own (metadata only)");
        if self.with.selector.is_none() {
            let why = "instead, when it is gone: finds its pods by their controller's name (metadata only)";
            pages(&mut all, pods::path(&namespace, "", pods::PAGE), why);
        }
        if self.with.force {
            let why = "when it is gone: which volumes its pods use";
            all.push(Announced::get(format!("{namespace}/{POD}"), Times::AtMost(3), why));
            let what = Sends::Ask(self.question("it must not run twice").text);
            let why = "only for what must not run twice; without a yes its pods get their own grace";
            all.push(Announced::new(what, Times::AtMost(1), why));
        }
        let mut delete = |force, why: &str| {
            for (path, times) in [
                (pods::at(&own, REVISION), Times::AtMost(3)),
                (format!("{own}&continue={}", pods::TOKEN), Times::AtMost(rest)),
            ] {
                all.push(Announced::op(Op::Kube(self.call(path, force)), times, why));
            }
        };
        delete(self.with.force, "ends one page of them");
        if self.with.force {
            delete(false, "instead, when force was not wanted after all");
        }
        all
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        self.look(look).boxed()
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(5)
    }
}

/// What a look at the workload told.
struct Known {
    owners: Owners,
    selector: String,
    /// What was seen of the workload; `None`: it is gone.
    workload: Option<Workload>,
}

impl Ending {
    async fn look(&self, look: Look<'_>) -> Result<Survey, StepError> {
        let within = self.with.look_within.0;
        let known = match kube_object::get(look, &self.object, Accept::Json, within).await? {
            Seen::There(seen) => {
                let seen = Workload::read(&self.object, &seen).map_err(StepError::refused)?;
                let owners = Owners::of(look, &self.object, &seen.uid, &seen.selector, within).await?;
                Known { owners, selector: seen.selector.clone(), workload: Some(seen) }
            }
            Seen::Absent => {
                let owners = Owners::Named(self.object.clone());
                let Some(selector) = self.labels_of(look, &owners).await? else {
                    let what = format!("{} is not there, and no pod of it is left", self.object);
                    return Ok(Survey::done().saw(what));
                };
                Known { owners, selector, workload: None }
            }
        };
        let collection = pods::collection(&self.namespace);
        let pages = pods::pages(look, &collection, &known.selector, self.with.page, within, pods::TOO_MANY).await?;
        if let Some(strangers) = known.owners.strangers(pages.iter().flat_map(|page| &page.items)) {
            return Err(StepError::Refused {
                why: format!(
                    "the selector {} of {} also fits {strangers}: a DELETE by it would end that, too",
                    known.selector, self.object
                ),
                hint: Some(match known.workload {
                    Some(_) => format!("kubectl get pods -n {} -l '{}' --show-labels", self.namespace, known.selector),
                    None => "give `selector`, with labels that only the workload's pods have".into(),
                }),
            });
        }
        self.judge(look, &known, &pages).await
    }

    /// By which labels the pods of a workload that is gone are found; `None`: none is left.
    async fn labels_of(&self, look: Look<'_>, owners: &Owners) -> Result<Option<String>, StepError> {
        if let Some(selector) = &self.with.selector {
            return Ok(Some(selector.clone()));
        }
        let namespace = pods::collection(&self.namespace);
        let pages = pods::pages(look, &namespace, "", pods::PAGE, self.with.look_within.0, pods::TOO_MANY).await?;
        let mut own = pages.iter().flat_map(|page| &page.items).filter(|pod| owners.have(pod)).peekable();
        if own.peek().is_none() {
            return Ok(None);
        }
        match common_labels(own) {
            common if common.is_empty() => Err(StepError::Refused {
                why: format!(
                    "{} is gone, and its pods have no label in common by which they could be ended",
                    self.object
                ),
                hint: Some("give `selector`, or delete the pods by their names".into()),
            }),
            common => Ok(Some(workload::labels_text(Some(&json!(common))))),
        }
    }

    async fn judge(&self, look: Look<'_>, known: &Known, pages: &[Page]) -> Result<Survey, StepError> {
        let force = self.with.force && look.history.answer(FORCE) != Some(false);
        let begun = ended_at(look.history);
        let new = |pod: &Value| begun.is_some_and(|at| kube_object::revision(pod).is_some_and(|made| made > at));
        let left = |pod: &&Value| !ended(pod, force) && !new(pod);
        let open: Vec<&Page> = pages.iter().filter(|page| page.items.iter().any(|pod| left(&pod))).collect();
        if open.is_empty() {
            let pods = pages.iter().flat_map(|page| &page.items);
            return Ok(self.over(look.history, known, pods.filter(|pod| ended(pod, force) || new(pod)), force));
        }
        let count = pages.iter().flat_map(|page| &page.items).filter(left).count();
        let mut survey = Survey::default();
        if force && look.history.answer(FORCE).is_none() {
            let why = match &known.workload {
                Some(workload) => workload.exclusive.clone(),
                None => self.exclusive_pods(look, open[0]).await?,
            };
            if let Some(why) = why {
                survey.ask = Some(self.question(&why));
                return Ok(survey);
            }
        }
        survey.see(self.warnings(known, count, force));
        let all = open.len();
        if let Some(why) = (1..=all).find_map(|left| self.in_vain(look.history, known, left)) {
            return Err(why);
        }
        for (index, page) in open.iter().enumerate() {
            let of = if all == 1 { String::new() } else { format!(", page {} of {all}", index + 1) };
            survey.changes.push(self.change(known, page, all - index, &format!("{count} pods{of}"), force));
        }
        Ok(survey)
    }

    /// A page whose DELETE was sent again and again without its reply, and still has pods.
    fn in_vain(&self, history: &History, known: &Known, left: usize) -> Option<StepError> {
        let key = ending::key(left);
        let lost =
            history.changes.iter().filter(|record| record.change.key == key && record.state != ChangeState::Done);
        (lost.count() >= IN_VAIN).then(|| StepError::Refused {
            why: format!("{}: a DELETE of its pods was sent {IN_VAIN} times without effect", self.object),
            hint: Some(format!(
                "kubectl delete pods -n {} -l '{}' --wait=false; or a smaller `page`",
                self.namespace, known.selector
            )),
        })
    }

    /// Why pods of a workload that is gone must not be forgotten: one of them is read.
    async fn exclusive_pods(&self, look: Look<'_>, page: &Page) -> Result<Option<String>, StepError> {
        let unseen = "it is gone, and what its pods need could not be seen".to_owned();
        let Some(name) = page.items.first().map(|pod| text(pod, "/metadata/name")) else { return Ok(Some(unseen)) };
        let pod = ObjectRef {
            group: String::new(),
            version: "v1".into(),
            plural: "pods".into(),
            namespace: Some(self.namespace.clone()),
            name: name.to_owned(),
        };
        Ok(match kube_object::get(look, &pod, Accept::Json, self.with.look_within.0).await? {
            Seen::There(seen) => exclusive(&self.object, &seen["spec"]),
            Seen::Absent => Some(unseen),
        })
    }
}

/// The revision of the list whose pages were all ended: what is there and was made or changed since was not there then,
/// because all that was there is ending now.
fn ended_at(history: &History) -> Option<u64> {
    let (newest, Listed { revision }) = history.notes().next_back()?;
    let last = history.last(&ending::key(1))?;
    (last.state == ChangeState::Done && last.id >= newest.id).then_some(revision)
}
