//! What has replicas, by their number.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::judging::{Act, Pods, Stage};
use super::mark::{ANNOTATIONS, MARK, Mark, alone, whose};
use super::{AS_SEEN, Releasing, UID, arrived, nodes};
use crate::change::{Change, Holds, Inverse, KubeCall, Note, Op};
use crate::steps::kube_object::text;
use crate::steps::{Announced, Look, StepError, Survey, Times, marking};

const REPLICAS: &str = "/spec/replicas";

/// A stage, as the journal keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Scaled {
    stage: usize,
    /// The mark that the last stage takes away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
}

impl Releasing {
    pub(super) fn announce_replicas(&self) -> Vec<Announced> {
        let seen = json!(AS_SEEN);
        let stages = u32::try_from(self.with.stages.len()).unwrap_or(u32::MAX);
        let mut sent = Vec::new();
        let mut op = |from: &Value, mark, times, why: &str| {
            sent.push(Announced::op(Op::Kube(self.scale(Some(UID), from, &seen, mark, None)), times, why));
        };
        op(&json!(0), Mark::Stays, Times::Once, "the first stage");
        op(&seen, Mark::Stays, Times::AtMost(stages + 1), "each further one; or parks it again, where one goes badly");
        op(&seen, Mark::Off(AS_SEEN), Times::AtMost(1), "instead for the last one, where it is marked as parked");
        for (alone, why) in [(false, "parks it again after that one"), (true, "likewise, where it has no annotations")]
        {
            op(&seen, Mark::On { run: AS_SEEN, alone }, Times::AtMost(1), why);
        }
        sent
    }

    pub(super) async fn by_replicas(&self, look: Look<'_>, object: &Value) -> Result<Survey, StepError> {
        let all = self.with.replicas.unwrap_or_default();
        let mut counts = nodes::counts(&self.with.stages, all as usize);
        counts.extend((counts.last() != Some(&(all as usize))).then_some(all as usize));
        let now = object.pointer(REPLICAS).and_then(Value::as_u64).unwrap_or(1);
        let (uid, mark) = (text(object, "/metadata/uid"), object.pointer(MARK).and_then(Value::as_str));
        let stood = look.history.notes::<Scaled>().next_back().map(|(_, scaled)| scaled);
        let decided = Self::decided(look.history);
        let stage = |index: usize| Stage {
            number: index + 1,
            of: counts.len(),
            what: format!("{} of {all} replicas", counts[index]),
            pods: Some(counts[index] as u64),
        };
        let go = |index: usize| {
            self.let_come(look, (uid, now), &stage(index), mark.filter(|_| index + 1 == counts.len()), alone(object))
        };
        let taken_back = |why: String| {
            let gone = stood.as_ref().and_then(|scaled| scaled.mark.as_deref()).filter(|_| mark.is_none());
            let alone = object.pointer(ANNOTATIONS).is_none();
            let mark = gone.map_or(Mark::Stays, |run| Mark::On { run, alone });
            let call = self.scale(Some(uid), &json!(now), &json!(0), mark, None);
            Survey::change(self.back(call, self.still(uid, now), why))
        };
        match (now, decided, &stood) {
            (0, Some(why), _) => return self.after_back(look, &why, Survey::done()).await,
            (_, Some(why), _) => return Ok(taken_back(why)),
            (0, None, None) => {}
            // Also where it was let come and is as it was: by a drill, or by somebody who puts it back; the engine does not fight.
            (0, None, Some(Scaled { stage: 0, .. })) => {}
            (0, None, Some(_)) => {
                return Err(StepError::Refused {
                    why: format!("{} was scaled to 0 by somebody else in the middle of this release", self.object),
                    hint: Some(format!("breakglass show {}", mark.map_or(look.mark.run.as_str(), whose))),
                });
            }
            (_, None, None) => return self.not_parked(look, &format!("it has {now} replicas")),
            (_, None, Some(_)) => {
                let Some(index) = counts.iter().position(|count| *count as u64 == now) else {
                    let why = format!(
                        "somebody else scaled it to {now} replicas (an autoscaler?), and stages are no stages then"
                    );
                    return Ok(taken_back(why));
                };
                let (act, mut survey) = self.at_stage(look, &stage(index), Pods::of_replicas(object, now)).await?;
                survey.arrived.extend((0..=index).filter_map(|stage| arrived(look.history, &key(stage))));
                match act {
                    Act::Wait(_) => {}
                    Act::Next if index + 1 < counts.len() => survey.changes = vec![go(index + 1)],
                    Act::Next => {}
                    Act::Back(why) => survey.changes = taken_back(why).changes,
                }
                return Ok(survey);
            }
        }
        if let Some(survey) = self.not_yet(look).await? {
            return Ok(survey);
        }
        Ok(Survey { waiting_for: Some(format!("{} to go well", stage(0))), ..Survey::change(go(0)) })
    }

    /// The change that lets a stage come; the last one takes the mark away, where there is one.
    fn let_come(
        &self,
        look: Look<'_>,
        (uid, now): (&str, u64),
        stage: &Stage,
        mark: Option<&str>,
        alone: bool,
    ) -> Change {
        let (pods, index) = (json!(stage.pods), stage.number - 1);
        let fields = vec![(REPLICAS.to_owned(), json!(now))].into_iter();
        let fields = fields.chain(mark.map(|mark| (MARK.to_owned(), json!(mark)))).collect();
        let holds = Holds { path: self.object.path(), fields, as_sent: false };
        let (off, on) = mark.map_or((Mark::Stays, Mark::Stays), |run| (Mark::Off(run), Mark::On { run, alone }));
        let mut back = self.scale(None, &pods, &json!(now), on, Some(holds));
        // Where it was parked again since, the first stage is taken back all the same, and tests that.
        back.already.extend((index > 0).then_some(422));
        let call = self.scale(Some(uid), &json!(now), &pods, off, None);
        let change = self.change(
            &self.object,
            (key(index), call, Inverse::By(Box::new(Op::Kube(back)))),
            self.still(uid, now),
            format!("{stage} comes, by run {}", look.mark.run),
        );
        Change { note: Some(Note::of(&Scaled { stage: index, mark: mark.map(str::to_owned) })), ..change }
    }

    fn still(&self, uid: &str, now: u64) -> String {
        format!("{} still has uid {uid} and {now} replicas", self.object)
    }

    /// Other replicas.
    fn scale(&self, uid: Option<&str>, from: &Value, to: &Value, mark: Mark<'_>, holds: Option<Holds>) -> KubeCall {
        let (test, then) = mark.ops();
        let ops = [
            uid.map(|uid| json!({"op": "test", "path": "/metadata/uid", "value": uid})),
            Some(json!({"op": "test", "path": REPLICAS, "value": from})),
            test,
            Some(json!({"op": "replace", "path": REPLICAS, "value": to})),
            then,
        ];
        marking::patching(&self.object, ops.into_iter().flatten().collect(), holds)
    }
}

fn key(stage: usize) -> String {
    format!("stage-{stage}")
}
