//! `disarm`: an admission webhook or policy that refuses or hangs, taken out of the way by the smallest change, and armed again
//! by `undo` as it was.

mod chain;
mod discovery;
mod taking;
mod webhook;
mod wish;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use self::chain::{Chains, Verdict};
use self::taking::How;
use self::webhook::{Configuration, MUTATING, VALIDATING, Webhook, at, short};
use self::wish::{Sort, Wish};
use super::automation;
use super::kube_object::{self, Seen, text};
use super::marking::signed;
use super::{Announced, Fault, Kind, Look, ObjectRef, Scope, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{KubeCall, Method, Op, Target};
use crate::duration::HumanDuration;
use crate::finding::Finding;
use crate::journal::ChangeRecord;
use crate::kit::Cluster;
use crate::words;
use crate::world::{ABOUT_FILES, Accept, KubeRead, ReadError, ReadErrorKind};

/// How many of what may be many are told one by one.
const TOLD: usize = 8;
/// How many objects stand on a page of a list; of more than a page the rest is not looked at.
const PAGE: u32 = 500;
/// The bindings of policies.
const BINDINGS: &str = "validatingadmissionpolicybindings";

/// The kind.
pub(super) struct Disarm;

/// Takes an admission webhook or policy out of the way.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// What to disarm: `validatingwebhookconfiguration/NAME`, `mutatingwebhookconfiguration/NAME`,
    /// `validatingadmissionpolicybinding/NAME`, `mutatingadmissionpolicybinding/NAME` or `apiservice/NAME`. With neither this
    /// nor `webhook`: every webhook that refuses what it does not answer (failurePolicy Fail) and cannot answer.
    #[serde(default)]
    object: Option<String>,
    /// One webhook, by its own name as a refusal quotes it; with `object` in that configuration, else in the one that has it.
    #[serde(default)]
    webhook: Option<String>,
    /// What to do to it; without it the narrowest that there is: `ignore` for webhooks, `warn` for the binding of a validating
    /// policy, `delete` for what knows nothing narrower.
    #[serde(default)]
    how: Option<wish::HowWord>,
    /// With `how: exclude`: the namespaces about which it is not asked any more.
    #[serde(default)]
    namespaces: Vec<String>,
    /// When more configurations than this have webhooks that cannot answer, nothing is changed.
    #[serde(default = "at_most")]
    at_most: u32,
    /// Where nothing is named, look at the conversion webhooks of custom resources, too: one LIST more, of whole objects, and
    /// they may be large. They are only told.
    #[serde(default)]
    conversions: bool,
    /// How long each request that looks may take.
    #[serde(default = "kube_object::look_within")]
    look_within: HumanDuration,
    /// How long each write may stay unanswered, all attempts together, before the outcome is looked at.
    #[serde(default = "kube_object::write_deadline")]
    deadline: HumanDuration,
}

fn at_most() -> u32 {
    10
}

struct Disarming {
    wish: Wish,
    how: How,
    with: Params,
    /// What the first look chose on each target: a later one asks for these alone. Lost with the process, and found again.
    chosen: Mutex<BTreeMap<Target, Vec<Chosen>>>,
}

/// A configuration, and which of its webhooks.
#[derive(Debug, Clone)]
struct Chosen {
    at: ObjectRef,
    webhooks: BTreeSet<String>,
}

impl Kind for Disarm {
    fn name(&self) -> &'static str {
        "disarm"
    }

    fn doc(&self) -> &'static str {
        "Takes an admission webhook or policy that refuses or hangs out of the way, by the smallest change: \
         `failurePolicy: Ignore` for the one webhook, so that what it does not answer is let through; or with `how: exclude` \
         some namespaces about which it is not asked; or with `how: delete` the whole object, saved first. The binding of a \
         validating policy is told to warn where it refused. No admission is asked about these objects, so that the write gets \
         through whatever refuses else.\n\n\
         With nothing named it finds the webhooks that cannot answer: two LISTs of the webhook configurations, for each \
         service behind them a GET and a LIST of its endpoints (at most 50 services), and one LIST of the aggregated APIs, of \
         which dead ones are told. A webhook cannot answer when its service is not there, has no such port or no ready \
         endpoint, or when every certificate of its CA has ended. Of one at a URL, or whose pods are ready and hang all the same, \
         nobody can tell: it is told, and changed only when it is named. One with failurePolicy Ignore can only make requests \
         slow: it is told. Each configuration gets one JSON patch, which tests its uid, the webhook's name at its place and the \
         old value, and leaves the run's id in the annotation breakglass.io/disarmed. `undo` puts each back exactly, or names \
         what somebody has changed since and leaves it.\n\n\
         Ignore helps against silence, not against a webhook that answers and says no: that is told, and `exclude` or `delete` \
         is the way then. A policy that refuses because its parameters are missing refuses with Warn, too: `delete` its binding. \
         Admission from files on the control-plane hosts (names ending in .static.k8s.io, Kubernetes 1.36 and later) is not in \
         the API and cannot be disarmed through it. What a controller or GitOps owns may be put back: its owner is told. Each \
         API server hears of the change within about a second."
    }

    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let with: Params = params(with)?;
        let mut faults: Vec<Fault> = kube_object::too_short(with.deadline).into_iter().collect();
        let wish = Wish::read(with.object.as_deref(), with.webhook.as_deref());
        match wish {
            Ok(wish) => match wish::how(&wish, with.how, &with.namespaces) {
                Ok(how) if faults.is_empty() => {
                    return Ok(Box::new(Disarming { wish, how, with, chosen: Mutex::default() }));
                }
                how => faults.extend(how.err()),
            },
            Err(fault) => faults.push(fault),
        }
        Err(faults)
    }
}

impl Step for Disarming {
    fn intent(&self) -> String {
        format!("disarm {}: {}", self.wish, self.how.words())
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let mut all = Vec::new();
        let get = |path: String, times, why: &str| Announced::get(path, times, why);
        let (target, most) = match &self.wish {
            Wish::Object { at, .. } => {
                all.push(get(at.path(), Times::Once, "sees what it says, and its version"));
                let others = "names those that there are, when this one is not there";
                all.push(get(page(&at.collection()), Times::AtMost(1), others));
                (at.clone(), 1)
            }
            Wish::Dead | Wish::Webhook(_) => {
                for plural in [VALIDATING, MUTATING] {
                    all.push(get(listed(plural), Times::Once, "finds the webhooks"));
                }
                let named = matches!(self.wish, Wish::Webhook(_));
                let chosen = if named { "<the one that has it>" } else { "<each that is chosen>" };
                let most = if named { 1 } else { self.with.at_most };
                (at("<validating or mutating>webhookconfigurations", chosen), most)
            }
        };
        if self.wish.sort() == Sort::Webhooks {
            let (namespace, service) = ("<its namespace>", "<each service behind a webhook>");
            let times = Times::AtMost(chain::SERVICES);
            all.push(get(chain::at(namespace, service).path(), times, "whether it is there, with that port"));
            all.push(get(chain::slices(namespace, service), times, "how many are ready to answer"));
        }
        if self.wish == Wish::Dead {
            all.push(get(discovery::API_SERVICES.to_owned(), Times::AtMost(1), "finds aggregated APIs that are dead"));
            all.push(get(listed(BINDINGS), Times::AtMost(1), "finds policies, when no webhook is to blame"));
            if self.with.conversions {
                let why = "finds conversion webhooks of custom resources";
                all.push(get(discovery::RESOURCES.to_owned(), Times::AtMost(1), why));
            }
        }
        let several = self.wish.sort() == Sort::Webhooks && self.with.webhook.is_none();
        for (op, why) in self.how.announced(&target, several) {
            all.push(Announced::op(op, Times::AtMost(most), why));
        }
        let again = "looks again when a write was refused or its reply was lost";
        all.push(get(target.path(), Times::AtMost(3 * most), again));
        all
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        self.look(look).boxed()
    }
}

/// Where the first page of a list is.
fn page(collection: &str) -> String {
    format!("{collection}?limit={PAGE}")
}

fn listed(plural: &str) -> String {
    page(&at(plural, "").collection())
}

impl Disarming {
    fn chosen(&self) -> MutexGuard<'_, BTreeMap<Target, Vec<Chosen>>> {
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look(&self, look: Look<'_>) -> Result<Survey, StepError> {
        let done = |at: &ObjectRef| look.history.done(&taking::key(at));
        let before = self.chosen().get(look.target).cloned();
        if let Some(before) = before {
            return self.again(look, before.into_iter().filter(|chosen| !done(&chosen.at)).collect()).await;
        }
        match &self.wish {
            Wish::Object { at, .. } if done(at) => Ok(Survey::done()),
            Wish::Object { at, sort, webhook } => self.named(look, at, *sort, webhook.as_deref()).await,
            Wish::Webhook(name) => self.by_webhook(look, name).await,
            Wish::Dead => self.dead(look).await,
        }
    }

    /// Looks once more at what was chosen.
    async fn again(&self, look: Look<'_>, chosen: Vec<Chosen>) -> Result<Survey, StepError> {
        let mut survey = Survey::done();
        let mut seen = Vec::new();
        for Chosen { at, webhooks } in chosen {
            let Seen::There(object) = kube_object::get(look, &at, Accept::Json, self.with.look_within.0).await? else {
                continue;
            };
            let one = Configuration { at, object };
            survey.changes.extend(self.change(look, &one, |webhook| webhooks.contains(webhook.name())));
            seen.push(one);
        }
        Ok(settled(look, survey, &seen))
    }

    /// The object that was named.
    async fn named(
        &self,
        look: Look<'_>,
        at: &ObjectRef,
        sort: Sort,
        webhook: Option<&str>,
    ) -> Result<Survey, StepError> {
        let limit = self.with.look_within.0;
        let one = match kube_object::dated(look, at, Accept::Json, limit).await {
            Ok((Seen::There(object), date)) => (Configuration { at: at.clone(), object }, date),
            // A deletion of ours arrived, or somebody else has taken it away since.
            Ok((Seen::Absent, _)) if look.history.last(&taking::key(at)).is_some() => {
                return Ok(settled(look, Survey::done().saw(format!("{} is gone", short(at))), &[]));
            }
            Ok((Seen::Absent, _)) => return Err(self.absent(look, at).await?),
            Err(error) => return Err(self.served(error, at)),
        };
        let (seen, date) = one;
        self.deletable(&seen)?;
        let mut survey = Survey::done();
        if sort == Sort::Webhooks {
            if let Some(name) = webhook.filter(|name| seen.webhooks().all(|one| one.name() != *name)) {
                return Err(not_in(&seen, name));
            }
            let wanted = |one: Webhook<'_>| webhook.is_none_or(|name| one.name() == name);
            let mut chains = Chains::at(date.unwrap_or(look.history.now));
            for one in seen.webhooks().filter(|one| wanted(*one)) {
                chains.follow(look, one.service(), limit).await?;
                survey = survey.saw(chains.says(&short(at), one));
                survey.see(self.helps_little(&chains, one));
            }
            survey.changes.extend(self.change(look, &seen, wanted));
        } else {
            if sort == Sort::ApiService && discovery::is_local(&seen.object) {
                return Err(StepError::refused(format!(
                    "{} is served by the API server itself: no service of its own is behind it, and nothing hangs on it",
                    short(at)
                )));
            }
            survey.see((sort == Sort::ApiService).then(|| discovery::before_deletion(&seen)));
            survey.changes.extend(self.change(look, &seen, |_| true));
        }
        survey.see(self.told_before(look, &seen, survey.changes.is_empty()));
        Ok(settled(look, survey, &[seen]))
    }

    /// What is told of a chosen object before it is changed, or why it is not.
    fn told_before(&self, look: Look<'_>, seen: &Configuration, unchanged: bool) -> Vec<Finding> {
        let by = taking::marked_by(&seen.object);
        if unchanged {
            let who = match by {
                "" => String::new(),
                run if run == look.mark.run => return Vec::new(),
                run => format!(", by run {run}"),
            };
            return vec![format!("{}: {} is so already{who}", short(&seen.at), self.how.words()).into()];
        }
        let owner = automation::comes_back(&seen.at, &seen.object);
        let lost = kube_object::without_owner(&seen.at, &seen.object).filter(|_| self.how == How::Delete);
        owner.into_iter().chain(lost).map(Finding::Note).collect()
    }

    /// Where Ignore changes nothing for a webhook that is there to answer.
    fn helps_little(&self, chains: &Chains, webhook: Webhook<'_>) -> Option<String> {
        if self.how != How::Ignore {
            return None;
        }
        let name = webhook.name();
        let narrower = "with `how: exclude` it is not asked about some namespaces, with `how: delete` about nothing";
        if !webhook.fails() {
            return Some(format!(
                "{name} is at Ignore already: it can make each request {} s slower, no more; {narrower}",
                webhook.timeout()
            ));
        }
        (chains.judge(webhook) == Verdict::MayAnswer).then(|| {
            format!("{name} has somebody to answer: Ignore lets through what is not answered, and a no stays a no; {narrower}")
        })
    }

    /// The change that is wanted of an object; `None`: nothing is left to change.
    fn change(
        &self,
        look: Look<'_>,
        seen: &Configuration,
        wanted: impl Fn(Webhook<'_>) -> bool,
    ) -> Option<crate::change::Change> {
        let deadline = self.with.deadline.0.as_secs().max(1);
        let edits: Vec<_> = match self.how {
            How::Delete => return Some(taking::delete(seen, deadline)),
            How::Warn => self.how.of_binding(&seen.object).into_iter().collect(),
            How::Ignore | How::Exclude(_) => {
                seen.webhooks().filter(|one| wanted(*one)).filter_map(|one| self.how.of(one)).collect()
            }
        };
        let by = signed(&look.mark.run, &look.mark.operator);
        (!edits.is_empty()).then(|| taking::patch(seen, &edits, &self.how, &by, deadline))
    }

    /// What a finalizer holds stays in force when it is deleted.
    fn deletable(&self, seen: &Configuration) -> Result<(), StepError> {
        let holds = seen.object.pointer("/metadata/finalizers").and_then(Value::as_array).into_iter().flatten();
        let holds: Vec<&str> = holds.filter_map(Value::as_str).collect();
        if self.how != How::Delete || holds.is_empty() {
            return Ok(());
        }
        let narrower = match self.wish.sort() {
            Sort::Webhooks | Sort::Binding => format!("breakglass disarm {}", short(&seen.at)),
            Sort::Mutating | Sort::ApiService => format!("start whoever serves {}, or wait for it", holds.join(", ")),
        };
        Err(StepError::Refused {
            why: format!(
                "{} is held by {}: deleted, it would stay in force until that is gone",
                short(&seen.at),
                holds.join(", ")
            ),
            hint: Some(narrower),
        })
    }

    /// The configurations of both kinds, and what the API server's clock said.
    async fn all(&self, look: Look<'_>) -> Result<(Vec<Configuration>, Chains, Vec<Finding>), StepError> {
        let (mut all, mut now, mut saw) = (Vec::new(), look.history.now, Vec::new());
        for plural in [VALIDATING, MUTATING] {
            let read = KubeRead { path: listed(plural), accept: Accept::Json, limit: self.with.look_within.0 };
            let answer = look.reads.kube(look.target, &read).await?;
            if answer.code != 200 {
                return Err(self.served(kube_object::no_list(&answer, &read.path), &at(plural, "")));
            }
            now = answer.date.unwrap_or(now);
            let list = answer.json();
            all.extend(kube_object::items(&list).iter().map(|item| Configuration::item(plural, item)));
            if kube_object::next_page(&list).is_some() {
                let unseen =
                    format!("there are more than {PAGE} {plural}, and the others were not looked at: name one");
                saw.push(unseen.into());
            }
        }
        Ok((all, Chains::at(now), saw))
    }

    /// The configuration that has the webhook that was named.
    async fn by_webhook(&self, look: Look<'_>, name: &str) -> Result<Survey, StepError> {
        let (all, mut chains, saw) = self.all(look).await?;
        let having: Vec<&Configuration> =
            all.iter().filter(|one| one.webhooks().any(|webhook| webhook.name() == name)).collect();
        let seen = match having.as_slice() {
            [one] => *one,
            [] => return Err(unknown(name, &all)),
            several => {
                let names: Vec<String> = several.iter().map(|one| short(&one.at)).collect();
                return Err(StepError::Refused {
                    why: format!("{name:?} is a webhook of {}", names.join(" and of ")),
                    hint: Some(format!("name one of them: breakglass disarm {} --webhook {name}", names[0])),
                });
            }
        };
        let mut survey = Survey { saw, ..Survey::done() };
        for webhook in seen.webhooks().filter(|webhook| webhook.name() == name) {
            chains.follow(look, webhook.service(), self.with.look_within.0).await?;
            survey = survey.saw(chains.says(&short(&seen.at), webhook));
            survey.see(self.helps_little(&chains, webhook));
        }
        survey.changes.extend(self.change(look, seen, |webhook| webhook.name() == name));
        survey.see(self.told_before(look, seen, survey.changes.is_empty()));
        self.remember(look, [(seen, BTreeSet::from([name.to_owned()]))]);
        Ok(settled(look, survey, &all))
    }

    /// Every webhook that refuses what it does not answer, and cannot answer.
    async fn dead(&self, look: Look<'_>) -> Result<Survey, StepError> {
        let limit = self.with.look_within.0;
        let (all, mut chains, saw) = self.all(look).await?;
        for webhook in all.iter().flat_map(Configuration::webhooks) {
            chains.follow(look, webhook.service(), limit).await?;
        }
        let mut survey = Survey { saw, ..Survey::done() };
        let (mut chosen, mut well, mut untold) = (Vec::new(), 0_usize, 0_usize);
        for seen in &all {
            let mut dead = BTreeSet::new();
            for webhook in seen.webhooks() {
                match chains.judge(webhook) {
                    Verdict::MayAnswer => {
                        well += 1;
                        continue;
                    }
                    Verdict::CannotAnswer if webhook.fails() => drop(dead.insert(webhook.name().to_owned())),
                    Verdict::CannotAnswer | Verdict::NotKnown => {}
                }
                if dead.contains(webhook.name()) || survey.saw.len() < TOLD {
                    survey.saw.push(chains.says(&short(&seen.at), webhook).into());
                } else {
                    untold += 1;
                }
            }
            if let Some(change) = self.change(look, seen, |webhook| dead.contains(webhook.name())) {
                survey.see(self.told_before(look, seen, false));
                survey.changes.push(change);
                chosen.push((seen, dead));
            }
        }
        if untold > 0 {
            survey.saw.push(
                format!("and {} more that nobody can judge or that only hang", words::count(untold, "webhook")).into(),
            );
        }
        survey.see((well > 0).then(|| format!("{} more with somebody ready to answer", words::count(well, "webhook"))));
        survey
            .saw
            .extend(discovery::api_services(look, limit).await.unwrap_or_else(|error| told("aggregated APIs", &error)));
        if self.with.conversions {
            let found = discovery::conversions(look, &mut chains, limit).await;
            survey.saw.extend(found.unwrap_or_else(|error| told("custom resources", &error)));
        }
        if chosen.len() > self.with.at_most as usize {
            let named: Vec<String> = chosen.iter().take(TOLD).map(|(seen, _)| short(&seen.at)).collect();
            return Err(StepError::Refused {
                why: format!(
                    "{} have webhooks that cannot answer ({}, …), more than `atMost` allows: is it their network that is gone?",
                    words::count(chosen.len(), "configuration"),
                    named.join(", ")
                ),
                hint: Some("raise `atMost`, or name one: breakglass disarm OBJECT".into()),
            });
        }
        if chosen.is_empty() && look.history.changes.is_empty() {
            survey.saw.extend(self.nothing(look).await);
        }
        self.remember(look, chosen);
        Ok(settled(look, survey, &all))
    }

    fn remember<'a>(&self, look: Look<'_>, chosen: impl IntoIterator<Item = (&'a Configuration, BTreeSet<String>)>) {
        let chosen = chosen.into_iter().map(|(seen, webhooks)| Chosen { at: seen.at.clone(), webhooks });
        self.chosen().insert(look.target.clone(), chosen.collect());
    }

    /// Where to look further when no webhook is dead.
    async fn nothing(&self, look: Look<'_>) -> Vec<Finding> {
        let mut all = vec![Finding::from(
            "no webhook with failurePolicy Fail was found that cannot answer; when a request is refused, name what its refusal \
             quotes: breakglass disarm --webhook NAME",
        )];
        let list = kube_object::list(look, &listed(BINDINGS), Accept::Json, self.with.look_within.0).await;
        let list = list.unwrap_or_default();
        let denies = |item: &&Value| How::Warn.of_binding(item).is_some();
        let mut names: Vec<String> = kube_object::items(&list)
            .iter()
            .filter(denies)
            .map(|item| short(&at(BINDINGS, text(item, "/metadata/name"))))
            .collect();
        let more = names.len().saturating_sub(TOLD);
        names.truncate(TOLD);
        if more > 0 {
            names.push(format!("{more} more"));
        }
        if !names.is_empty() {
            all.push(format!("policies refuse by {}; each is disarmed by its name", names.join(", ")).into());
        }
        all
    }

    /// The object that was named is not there: which are.
    async fn absent(&self, look: Look<'_>, at: &ObjectRef) -> Result<StepError, StepError> {
        let read = page(&at.collection());
        let list = kube_object::list(look, &read, Accept::MetadataList, self.with.look_within.0).await?;
        let names: Vec<&str> = kube_object::items(&list).iter().map(|item| text(item, "/metadata/name")).collect();
        let near = words::nearest(&at.name, names.iter().copied());
        let of = |name: &str| short(&ObjectRef { name: name.to_owned(), ..at.clone() });
        let more = names.len().saturating_sub(TOLD);
        let mut told: Vec<String> = names.iter().take(TOLD).map(|name| of(name)).collect();
        if more > 0 {
            told.push(format!("{more} more"));
        }
        let there =
            if told.is_empty() { "there is none at all".into() } else { format!("there is {}", told.join(", ")) };
        let next = near.map_or("breakglass disarm".into(), |name| format!("breakglass disarm {}", of(name)));
        Ok(StepError::Refused { why: format!("{} is not there; {there}", short(at)), hint: Some(next) })
    }

    /// An answer that says that the resource is not served ends it: no waiting brings it.
    fn served(&self, error: StepError, at: &ObjectRef) -> StepError {
        match error {
            StepError::Read(ReadError { kind: ReadErrorKind::Malformed, tried, .. })
                if tried.iter().any(|said| said.contains(": 404 ")) =>
            {
                let (resource, version) = (at.resource(), &at.version);
                StepError::Refused {
                    why: format!(
                        "this API server does not serve {resource} in version {version}: {}",
                        tried.join("; ")
                    ),
                    hint: Some(format!(
                        "kubectl get --raw /apis/{} says in which versions; then GROUP/VERSION/RESOURCE/NAME",
                        at.group
                    )),
                }
            }
            other => other,
        }
    }
}

/// What could not be looked at beside the webhooks.
fn told(what: &str, error: &StepError) -> Vec<Finding> {
    vec![format!("{what} were not looked at: {error}").into()]
}

fn not_in(seen: &Configuration, name: &str) -> StepError {
    let names: Vec<&str> = seen.webhooks().map(Webhook::name).collect();
    let near = words::nearest(name, names.iter().copied());
    let there = if names.is_empty() { "it has none".into() } else { format!("it has {}", names.join(", ")) };
    StepError::Refused {
        why: format!("{} has no webhook {name:?}; {there}", short(&seen.at)),
        hint: near.map(|near| format!("breakglass disarm {} --webhook {near}", short(&seen.at))),
    }
}

/// A webhook that no configuration has: mistyped, or one that the API does not show.
fn unknown(name: &str, all: &[Configuration]) -> StepError {
    let names: Vec<&str> = all.iter().flat_map(Configuration::webhooks).map(Webhook::name).collect();
    let hint = match words::nearest(name, names.iter().copied()) {
        Some(near) => format!("breakglass disarm --webhook {near}"),
        None => format!("it may come from a file: {ABOUT_FILES}"),
    };
    let count = words::count(names.len(), "webhook");
    StepError::Refused {
        why: format!("no configuration in the API has a webhook {name:?}, among {count}"),
        hint: Some(hint),
    }
}

/// What came of the changes whose outcome is not known, by the run's mark in what was seen.
fn settled(look: Look<'_>, mut survey: Survey, seen: &[Configuration]) -> Survey {
    let there = |record: &ChangeRecord| seen.iter().find(|one| taking::key(&one.at) == record.change.key);
    let ours = |one: &Configuration| taking::marked_by(&one.object) == look.mark.run;
    for record in &look.history.changes {
        let wanted = survey.changes.iter().any(|change| change.key == record.change.key);
        let made = match there(record) {
            Some(one) => ours(one),
            None => matches!(&record.change.op, Op::Kube(KubeCall { method: Method::Delete, .. })),
        };
        if record.state.is_open() && !wanted && !made {
            survey.not_made.push(record.id);
        }
        if made && !wanted {
            survey.arrived.extend(look.history.missed(&record.change.key).filter(|id| *id == record.id));
        }
    }
    survey
}
