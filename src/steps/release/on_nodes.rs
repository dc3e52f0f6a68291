//! A DaemonSet, node by node.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::judging::{Act, Pods, Stage};
use super::mark::{ANNOTATIONS, MARK, Mark, alone};
use super::nodes::{self, Nodes};
use super::{AS_SEEN, Releasing, UID, arrived};
use crate::change::{Change, Holds, Inverse, KubeCall, Note, Op};
use crate::journal::{ChangeRecord, ChangeState};
use crate::steps::kube_object::text;
use crate::steps::marking::PARKED;
use crate::steps::pods::{TOKEN, path};
use crate::steps::{Announced, History, Look, StepError, Survey, Times, marking};
use crate::words::count;

/// The key of the change after which the DaemonSet asks for this run's label.
const TAKE: &str = "take";
/// The key of the change after which it comes everywhere.
const EVERYWHERE: &str = "everywhere";
const SELECTOR: &str = "/spec/template/spec/nodeSelector";

type Selector = Map<String, Value>;

/// How it was parked, as the journal keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Taken {
    selector: Selector,
}

/// The mark that went with the last parking, as the journal keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Everywhere {
    mark: String,
}

/// Which node a change is about, as the journal keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Labelled {
    node: String,
}

/// A node selector that asks for this value of the label.
fn asking(selector: &Selector, value: &str) -> Value {
    let mut selector = selector.clone();
    selector.insert(PARKED.into(), json!(value));
    Value::Object(selector)
}

/// A node selector that does not ask for the label; `Null`: it asks for nothing.
fn free(selector: &Selector) -> Value {
    let mut selector = selector.clone();
    selector.remove(PARKED);
    if selector.is_empty() { Value::Null } else { Value::Object(selector) }
}

impl Releasing {
    pub(super) fn announce_nodes(&self) -> Vec<Announced> {
        let list = |selector: &str| path(nodes::COLLECTION, selector, nodes::PAGE);
        let mut sent = Vec::new();
        for (selector, why) in [
            ("<the rest of its node selector>", "the nodes that it fits (metadata)"),
            ("", "instead, where the rest of its node selector asks for nothing"),
            ("<breakglass.io/parked=RUN.STEP>", "the nodes that have the label, before it is taken from them"),
        ] {
            sent.push(Announced::get(list(selector), Times::AtMost(8), why));
            let next = format!("{}&continue={TOKEN}", list(selector));
            sent.push(Announced::get(next, Times::AtMost(64), "its next page, where there is one"));
        }
        let (label, seen) = ("<this run and step>", json!(AS_SEEN));
        let op = |call, times, why: &str| Announced::op(Op::Kube(call), times, why);
        let marked = |to: &Value, mark: Mark<'_>| self.patch(Some(UID), (&seen, to), mark, None);
        let patch = |to: &Value| marked(to, Mark::Stays);
        let asked = |value: &str| json!({"<node selector seen by the look>": "<its value>", PARKED: value});
        sent.push(op(patch(&asked(label)), Times::Once, "asks for the label of this release"));
        sent.push(op(
            patch(&asked("<as it was>")),
            Times::AtMost(1),
            "parks it again as it was, where a stage goes badly",
        ));
        for (alone, why) in
            [(false, "parks it again after it came everywhere"), (true, "likewise, without annotations")]
        {
            let mark = Mark::On { run: AS_SEEN, alone };
            sent.push(op(marked(&asked("<as it was>"), mark), Times::AtMost(1), why));
        }
        let more = Times::AtMost(nodes::MOST);
        sent.push(op(nodes::label("<node>", UID, label), more, "lets it come to one node of the stage"));
        let free = json!("<the same without breakglass.io/parked>");
        let off = Mark::Off(AS_SEEN);
        sent.push(op(patch(&free), Times::AtMost(1), "lets it come everywhere"));
        sent.push(op(marked(&free, off), Times::AtMost(1), "instead, where it is marked as parked"));
        let why = "instead, where nothing else is in its node selector";
        sent.push(op(patch(&Value::Null), Times::AtMost(1), why));
        sent.push(op(marked(&Value::Null, off), Times::AtMost(1), "instead, where it is marked and nothing else is"));
        sent.push(op(nodes::unlabel("<node>", label), more, "takes the label from one node, when all is over"));
        sent
    }

    pub(super) async fn on_nodes(&self, look: Look<'_>, object: &Value) -> Result<Survey, StepError> {
        let empty = Selector::new();
        let now = object.pointer(SELECTOR).and_then(Value::as_object).unwrap_or(&empty);
        let (label, uid) = (&label_of(look), text(object, "/metadata/uid"));
        let taken = look.history.last(TAKE).and_then(|record| record.change.note.as_ref()?.read::<Taken>());
        let decided = Self::decided(look.history);
        match (now.get(PARKED).and_then(Value::as_str), taken) {
            (None, Some(taken)) if look.history.last(EVERYWHERE).is_some() => match decided {
                Some(why) => Ok(Survey::change(self.park_again(look, object, now, &taken.selector, why))),
                None => self.everywhere(look, object, now, &taken.selector).await,
            },
            (None, _) => self.not_parked(look, "its node selector does not ask for breakglass.io/parked"),
            (Some(value), Some(taken)) if value == label => match decided {
                Some(why) => Ok(Survey::change(self.park_again(look, object, now, &taken.selector, why))),
                None => self.staging(look, object, now, &taken.selector).await,
            },
            (Some(value), Some(taken)) if *now != taken.selector => Err(StepError::Refused {
                why: format!(
                    "{} was parked by somebody else in the middle of this release: its node selector asks for {PARKED}={value}",
                    self.object
                ),
                hint: Some(format!(
                    "breakglass show {value}; breakglass undo {} takes the labels of this release away",
                    look.mark.run
                )),
            }),
            (Some(_), _) => match decided {
                Some(why) => {
                    let survey = self.cleaning(look, label).await?;
                    self.after_back(look, &why, survey).await
                }
                // Also where it was taken and is as it was: by a drill, or by somebody who puts it back; the engine does not
                // fight.
                None => self.begin(look, uid, now).await,
            },
        }
    }

    /// Nothing has come yet.
    async fn begin(&self, look: Look<'_>, uid: &str, now: &Selector) -> Result<Survey, StepError> {
        if let Some(survey) = self.not_yet(look).await? {
            return Ok(survey);
        }
        let label = &label_of(look);
        let nodes = self.nodes_now(look, now).await?;
        let counts = nodes::counts(&self.with.stages, nodes.all.len());
        let stage = self.stage(&counts, 0, nodes.all.len());
        let mut changes = vec![self.take(uid, now, label)];
        let (_, first) = nodes.towards(counts[0], &labelled(look.history));
        changes.extend(first.into_iter().map(|node| self.label(node, &stage, label)));
        Ok(Survey { changes, waiting_for: Some(format!("{stage} to go well")), ..Survey::done() })
    }

    /// Some nodes have it.
    async fn staging(
        &self,
        look: Look<'_>,
        object: &Value,
        now: &Selector,
        parked: &Selector,
    ) -> Result<Survey, StepError> {
        let label = &label_of(look);
        let nodes = self.nodes_now(look, now).await?;
        let counts = nodes::counts(&self.with.stages, nodes.all.len());
        let made = labelled(look.history);
        let (have, _) = nodes.towards(0, &made);
        let late = arrived(look.history, TAKE).into_iter().chain(found(look.history, &nodes)).collect();
        let towards = |index: usize| {
            let stage = self.stage(&counts, index, nodes.all.len());
            let (_, next) = nodes.towards(counts[index], &made);
            next.into_iter().map(|node| self.label(node, &stage, label)).collect::<Vec<_>>()
        };
        // The stage that all of them have, or the last one where nodes have gone since.
        let stands = counts.iter().rposition(|count| *count <= have);
        let index = match stands {
            Some(index) if counts[index] == have || index + 1 == counts.len() => index,
            between => {
                let index = between.map_or(0, |index| index + 1);
                return Ok(Survey { changes: towards(index), arrived: late, ..Survey::done() });
            }
        };
        let stage = self.stage(&counts, index, nodes.all.len());
        let (act, mut survey) = self.at_stage(look, &stage, Pods::of_daemon_set(object)).await?;
        survey.arrived.extend(late);
        match act {
            Act::Wait(_) => {}
            Act::Next if index + 1 < counts.len() => survey.changes = towards(index + 1),
            Act::Next => survey.changes = vec![self.let_everywhere(object, now)],
            Act::Back(why) => survey.changes = vec![self.park_again(look, object, now, parked, why)],
        }
        Ok(survey)
    }

    /// It comes everywhere, and is judged once more.
    async fn everywhere(
        &self,
        look: Look<'_>,
        object: &Value,
        now: &Selector,
        parked: &Selector,
    ) -> Result<Survey, StepError> {
        let label = &label_of(look);
        let late = [TAKE, EVERYWHERE].into_iter().filter_map(|key| arrived(look.history, key));
        // What takes the labels away has begun: it went well.
        if !look.history.changes.iter().any(|record| record.change.key.starts_with(UNLABEL)) {
            let of = self.with.stages.len() + 1;
            let stage = Stage { number: of, of, what: "everywhere".into(), pods: None };
            let (act, mut survey) = self.at_stage(look, &stage, Pods::of_daemon_set(object)).await?;
            match act {
                Act::Wait(_) => {}
                Act::Back(why) => survey.changes = vec![self.park_again(look, object, now, parked, why)],
                Act::Next => {
                    let Survey { changes, arrived, not_made, .. } = self.cleaning(look, label).await?;
                    survey = Survey { changes, arrived, not_made, ..survey };
                }
            }
            survey.arrived.extend(late);
            return Ok(survey);
        }
        let mut survey = self.cleaning(look, label).await?;
        survey.arrived.extend(late);
        Ok(survey)
    }

    /// Takes the label from the nodes that have it still.
    async fn cleaning(&self, look: Look<'_>, label: &str) -> Result<Survey, StepError> {
        let pages = nodes::list(look, &format!("{PARKED}={label}"), self.with.look_within.0).await?;
        let names: BTreeSet<&str> =
            pages.iter().flat_map(|page| &page.items).map(|node| text(node, "/metadata/name")).collect();
        let open = look.history.notes::<Labelled>().filter(|(record, _)| record.state.is_open());
        let (arrived, not_made): (Vec<_>, Vec<_>) = open.partition(|(_, label)| names.contains(label.node.as_str()));
        let mut arrived: Vec<u32> = arrived.into_iter().map(|(record, _)| record.id).collect();
        let not_made = not_made.into_iter().map(|(record, _)| record.id).collect();
        let gone = |record: &&ChangeRecord| {
            record.change.key.strip_prefix(UNLABEL).is_some_and(|node| record.state.is_open() && !names.contains(node))
        };
        arrived.extend(look.history.changes.iter().filter(gone).map(|record| record.id));
        let changes = names.into_iter().map(|name| self.unlabel(name, label)).collect();
        Ok(Survey { changes, arrived, not_made, ..Survey::done() })
    }

    /// The nodes that it fits, listed once, and again when something befell one of them.
    async fn nodes_now(&self, look: Look<'_>, selector: &Selector) -> Result<Nodes, StepError> {
        let troubles = troubles(look.history);
        let known = self.remembered().clone().filter(|nodes| nodes.troubles == troubles);
        if let Some(nodes) = known {
            return Ok(nodes);
        }
        let rest = nodes::rest(selector);
        let pages = nodes::list(look, &rest, self.with.look_within.0).await?;
        let nodes = Nodes::read(&pages, &label_of(look), troubles);
        if nodes.all.is_empty() {
            let labels =
                if rest.is_empty() { "there is no node".to_owned() } else { format!("no node has the labels {rest}") };
            return Err(StepError::Refused {
                why: format!("{} fits nowhere: {labels}", self.object),
                hint: Some("kubectl get nodes --show-labels".into()),
            });
        }
        *self.remembered() = Some(nodes.clone());
        Ok(nodes)
    }

    fn stage(&self, counts: &[usize], index: usize, all: usize) -> Stage {
        let pods = counts[index];
        Stage {
            number: index + 1,
            of: counts.len() + 1,
            what: format!("{pods} of {}", count(all, "node")),
            pods: Some(pods as u64),
        }
    }

    fn patch(&self, uid: Option<&str>, (from, to): (&Value, &Value), mark: Mark<'_>, holds: Option<Holds>) -> KubeCall {
        let (marked, mark) = mark.ops();
        let uid = uid.map(|uid| json!({"op": "test", "path": "/metadata/uid", "value": uid}));
        let test = json!({"op": "test", "path": SELECTOR, "value": from});
        let put = match to {
            Value::Null => json!({"op": "remove", "path": SELECTOR}),
            to => json!({"op": "add", "path": SELECTOR, "value": to}),
        };
        let ops = [uid, Some(test), marked, Some(put), mark];
        marking::patching(&self.object, ops.into_iter().flatten().collect(), holds)
    }

    fn guard(&self, uid: &str) -> String {
        format!("{} still has uid {uid}, and its node selector is as it was seen", self.object)
    }

    /// The change of its selector, with the way back. That way tests no uid: what was deleted and put back
    /// meanwhile has the selector still.
    fn selecting(
        &self,
        key: &str,
        uid: &str,
        (from, to): (&Value, &Value),
        (off, on): (Mark<'_>, Mark<'_>),
        because: String,
    ) -> Change {
        let mut fields = vec![(SELECTOR.into(), from.clone())];
        fields.extend(if let Mark::On { run, .. } = on { Some((MARK.into(), json!(run))) } else { None });
        let holds = Holds { path: self.object.path(), fields, as_sent: false };
        let inverse = Inverse::By(Box::new(Op::Kube(self.patch(None, (to, from), on, Some(holds)))));
        let call = self.patch(Some(uid), (from, to), off, None);
        self.change(&self.object, (key.into(), call, inverse), self.guard(uid), because)
    }

    fn take(&self, uid: &str, now: &Selector, label: &str) -> Change {
        let because = format!("{} is to come where this run says", self.object);
        let edit = (&Value::Object(now.clone()), &asking(now, label));
        let change = self.selecting(TAKE, uid, edit, (Mark::Stays, Mark::Stays), because);
        Change { note: Some(Note::of(&Taken { selector: now.clone() })), ..change }
    }

    /// What says that it is parked goes with it.
    fn let_everywhere(&self, object: &Value, now: &Selector) -> Change {
        let uid = text(object, "/metadata/uid");
        let mark = object.pointer(MARK).and_then(Value::as_str);
        let marks =
            mark.map_or((Mark::Stays, Mark::Stays), |run| (Mark::Off(run), Mark::On { run, alone: alone(object) }));
        let because = format!("every stage of {} went well: it comes everywhere", self.object);
        let mut change = self.selecting(EVERYWHERE, uid, (&Value::Object(now.clone()), &free(now)), marks, because);
        change.note = mark.map(|mark| Note::of(&Everywhere { mark: mark.to_owned() }));
        // Where it was parked again since, what took it first is taken back all the same, and tests that.
        if let Inverse::By(op) = &mut change.inverse
            && let Op::Kube(call) = op.as_mut()
        {
            call.already.push(422);
        }
        change
    }

    fn park_again(&self, look: Look<'_>, object: &Value, now: &Selector, parked: &Selector, why: String) -> Change {
        let uid = text(object, "/metadata/uid");
        let from = if now.is_empty() { Value::Null } else { Value::Object(now.clone()) };
        let gone = look.history.notes::<Everywhere>().next_back().filter(|_| object.pointer(MARK).is_none());
        let alone = object.pointer(ANNOTATIONS).is_none();
        let mark = gone.as_ref().map_or(Mark::Stays, |(_, Everywhere { mark })| Mark::On { run: mark, alone });
        let call = self.patch(Some(uid), (&from, &Value::Object(parked.clone())), mark, None);
        self.back(call, self.guard(uid), why)
    }

    fn label(&self, node: &nodes::Node, stage: &Stage, label: &str) -> Change {
        let call = nodes::label(&node.name, &node.uid, label);
        let inverse = Inverse::By(Box::new(Op::Kube(nodes::unlabel_back(&node.name, label))));
        let guard = format!("node {} still has uid {} and no label {PARKED}", node.name, node.uid);
        let change = self.change(
            &nodes::at(&node.name),
            (format!("{LABEL}{}", node.name), call, inverse),
            guard,
            format!("{stage} comes"),
        );
        Change { note: Some(Note::of(&Labelled { node: node.name.clone() })), ..change }
    }

    fn unlabel(&self, node: &str, label: &str) -> Change {
        let inverse = Inverse::NotNeeded("nothing asks for the label any more".into());
        let because = format!("nothing asks for the label {PARKED}={label} any more");
        let guard = format!("node {node} still has the label of this release");
        self.change(
            &nodes::at(node),
            (format!("{UNLABEL}{node}"), nodes::unlabel(node, label), inverse),
            guard,
            because,
        )
    }
}

/// The value of the label that this release gives: another one than that of a `park` in the same run.
fn label_of(look: Look<'_>) -> String {
    format!("{}.{}", look.mark.run, look.step + 1)
}

const LABEL: &str = "label ";
const UNLABEL: &str = "unlabel ";

/// The nodes that have got the label.
fn labelled(history: &History) -> BTreeSet<String> {
    let made = history.notes::<Labelled>().filter(|(record, _)| record.state == ChangeState::Done);
    made.map(|(_, label)| label.node).collect()
}

/// The labels that a list finds on nodes, where the journal does not know that they were given.
fn found(history: &History, nodes: &Nodes) -> Vec<u32> {
    let there = history.notes::<Labelled>().filter(|(_, label)| nodes.has(&label.node));
    there.filter_map(|(record, _)| arrived(history, &record.change.key)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// How many changes of nodes there are of which it is not known that they were made.
fn troubles(history: &History) -> usize {
    history.notes::<Labelled>().filter(|(record, _)| record.state != ChangeState::Done).count()
}
