//! One step on one target: survey, write down, perform, write down, survey again, until nothing is left.

use std::time::Duration;

use tokio::time::Instant;

use super::strangers::{self, Machine, machine};
use super::together::Together;
use super::until::UpTo;
use super::{Engine, GRACE, Stop};
use crate::change::{Change, Facts, Op, Outcome, Said, Target};
use crate::error::Class;
use crate::event::{ChangeEnd, Event};
use crate::finding::Finding;
use crate::found::Found;
use crate::journal::{ChangeRecord, ChangeState, Entry, JournalError, StepState};
use crate::plan::PlannedStep;
use crate::steps::{History, Look, Question, StepError, Survey};
use crate::world::{ReadError, ReadErrorKind};

/// How often one change may be made on a target and still be found wanting, before the step says that it does not take.
const SAME_CHANGE_AT_MOST: usize = 3;
/// A failed look is repeated after this pause.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// A read ends with the step's time; what it has to say of that is waited for this much longer.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Said of a change whose reply did not come and that a look finds made.
const FOUND_MADE: &str = "the reply was lost; a new look found it made";

/// How a step ended on a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) state: StepState,
    pub(super) class: Option<Class>,
    pub(super) why: String,
    pub(super) changes: usize,
}

/// The journal failed: the run ends here, whatever the policy says.
#[derive(Debug)]
pub(super) struct JournalLost(pub(super) JournalError);

impl From<JournalError> for JournalLost {
    fn from(error: JournalError) -> Self {
        Self(error)
    }
}

pub(super) struct OnTarget<'a> {
    pub(super) engine: Engine<'a>,
    pub(super) index: usize,
    pub(super) planned: &'a PlannedStep,
    pub(super) target: &'a Target,
    /// What it shares with the other targets of the step.
    pub(super) together: &'a Together,
}

enum Next {
    Again,
    End(End),
}

/// What one pass over a target remembers; nothing of it has to survive a kill.
struct Pass {
    began: Instant,
    looks_left: u32,
    /// Keys of the changes that were pretended: the next look cannot see them.
    pretended: Vec<String>,
    /// What was refused, and why: the same op is not sent again.
    refused: Vec<(Change, String)>,
    /// Keys of the changes that were answered, once for each answer.
    answered: Vec<String>,
    /// What was said already.
    said: Vec<String>,
    /// Why the far side did not take in what was sent last.
    not_taken: Option<String>,
    /// Why the last look brought nothing, and the class of that.
    unseen: Option<(Class, String)>,
    /// What was waited for last.
    waited: Option<String>,
    /// How often something was sent again that cannot be looked for.
    repeated: usize,
    /// The key that the host showed, once it was asked for.
    host_key: Option<Result<Option<String>, String>>,
}

impl OnTarget<'_> {
    pub(super) async fn run(&self) -> Result<End, JournalLost> {
        let mut pass = Pass {
            began: Instant::now(),
            looks_left: self.planned.policy.retries,
            pretended: Vec::new(),
            refused: Vec::new(),
            answered: Vec::new(),
            said: Vec::new(),
            not_taken: None,
            unseen: None,
            waited: None,
            repeated: 0,
            host_key: None,
        };
        loop {
            if self.engine.cancel.level() >= Stop::Soon {
                return Ok(self.interrupted());
            }
            let left = self.left(&pass);
            if left.is_zero() {
                return Ok(self.used_up(&pass));
            }
            let mut history = self.engine.record.history(self.index, self.target);
            for server in self.answered() {
                history.heard(server);
            }
            let Some(looked) = self.look(&history, left).await else { continue };
            let next = match looked {
                Ok(survey) => {
                    pass.unseen = None;
                    self.act(&history, survey, &mut pass).await?
                }
                Err(error) => self.look_failed(error, &mut pass).await,
            };
            if let Next::End(end) = next {
                return Ok(end);
            }
        }
    }

    /// The API servers of the cluster that have answered this process.
    fn answered(&self) -> impl Iterator<Item = Target> {
        let (world, cluster) = (self.engine.world, &self.target.cluster);
        let servers = world.cluster(cluster).into_iter().flat_map(|known| &known.api_servers);
        let all = servers.map(move |server| Target::api_server(cluster, &server.name));
        all.filter(move |server| world.cost_of(server).bytes_in > 0)
    }

    /// The time that is left of the step; whatever it does, nothing may take longer.
    fn left(&self, pass: &Pass) -> Duration {
        self.planned.policy.timeout.saturating_sub(pass.began.elapsed())
    }

    /// One survey; `None` when it was ended by the clock or by the operator, which the loop then finds out.
    ///
    /// Each read ends with the step's time, and says what it came to; what ends only after that has nothing to say.
    async fn look(&self, history: &History, left: Duration) -> Option<Result<Survey, StepError>> {
        let reads = &UpTo { reads: self.engine.world, until: Instant::now() + left, together: self.together };
        let look = Look { target: self.target, reads, history, mark: self.engine.mark, step: self.index };
        tokio::select! {
            survey = self.planned.step.survey(look) => Some(survey),
            () = tokio::time::sleep(left + LAST_WORD) => None,
            () = self.engine.cancel.reached(Stop::Soon) => None,
        }
    }

    async fn look_failed(&self, error: StepError, pass: &mut Pass) -> Next {
        let (state, class) = became(&error);
        // Cut short by the end of the step: what it was in the middle of is the end of it.
        if self.left(pass).is_zero() && pass.waited.is_some() && matches!(error, StepError::Read(_)) {
            pass.unseen = Some((class, error.to_string()));
            return Next::Again;
        }
        let again = looks_again(&error, pass);
        let hint = match &error {
            StepError::Read(read) => read.hint.clone(),
            StepError::Refused { hint, .. } => hint.clone(),
            StepError::Declined(_) => None,
        };
        self.engine.events.hear(Event::Trouble {
            target: self.target.clone(),
            step: self.index,
            what: error.to_string(),
            hint,
            again,
        });
        if again {
            pass.unseen = Some((class, error.to_string()));
            pass.looks_left -= 1;
            self.pause(LOOK_AGAIN_AFTER.min(self.left(pass))).await;
            return Next::Again;
        }
        Next::End(self.end(state, Some(class), error.to_string()))
    }

    async fn act(&self, history: &History, mut survey: Survey, pass: &mut Pass) -> Result<Next, JournalLost> {
        let fails = survey.fails.take();
        // What it sees when it looks again is what counts.
        if let Some(error) = fails.clone().filter(|error| looks_again(error, pass)) {
            return Ok(self.look_failed(error, pass).await);
        }
        for what in std::mem::take(&mut survey.saw) {
            // A wait sees the same thing again and again.
            let said = what.to_string();
            if !pass.said.contains(&said) {
                pass.said.push(said);
                self.saw(what).await?;
            }
        }
        if let Some(error) = fails {
            return Ok(self.look_failed(error, pass).await);
        }
        for found in std::mem::take(&mut survey.found) {
            self.found(found).await?;
        }
        if let Some(question) = &survey.ask {
            return self.ask(history, question, survey.unread.as_ref()).await;
        }
        self.settle(history, &survey).await?;
        // A pretended write cannot be seen by the next look: what was pretended counts as made.
        survey.changes.retain(|change| !pass.pretended.contains(&change.key));
        if !survey.changes.is_empty() {
            return self.make_all(history, &survey, pass).await;
        }
        match survey.waiting_for {
            Some(what) if !self.engine.world.pretends() => {
                pass.waited = Some(what.clone());
                self.wait(what, self.left(pass)).await
            }
            Some(what) => {
                self.saw(format!("would wait for: {what}").into()).await?;
                Ok(Next::End(self.end(StepState::Done, None, "pretended")))
            }
            None => Ok(Next::End(self.end(StepState::Done, None, "nothing left to change"))),
        }
    }

    async fn make_all(&self, history: &History, survey: &Survey, pass: &mut Pass) -> Result<Next, JournalLost> {
        for change in &survey.changes {
            let left = self.left(pass);
            if left.is_zero() {
                break;
            }
            if let Some((_, why)) = pass.refused.iter().find(|(refused, _)| refused.op == change.op) {
                return Ok(Next::End(self.end(StepState::Failed, Some(Class::Refused), why.clone())));
            }
            if pass.answered.iter().filter(|key| **key == change.key).count() >= SAME_CHANGE_AT_MOST {
                let why = format!(
                    "{} was sent {SAME_CHANGE_AT_MOST} times and is still wanted: it does not take",
                    change.op.summary()
                );
                return Ok(Next::End(self.end(StepState::Failed, Some(Class::Partial), why)));
            }
            let open = history.last(&change.key).filter(|record| survey.blind && record.state.is_open());
            if open.is_some() {
                pass.repeated += 1;
                if pass.repeated >= SAME_CHANGE_AT_MOST {
                    let why = format!("{} was sent {SAME_CHANGE_AT_MOST} times without a reply", change.op.summary());
                    return Ok(Next::End(self.end(StepState::Failed, Some(Class::Partial), why)));
                }
            }
            let host_key = match self.whose_host(change, left, pass).await {
                Ok(key) => key,
                Err(why) => return Ok(Next::End(self.end(StepState::Failed, Some(Class::Partial), why))),
            };
            match self.make(open, change, host_key, left).await? {
                Outcome::Done(_) if self.engine.world.pretends() => pass.pretended.push(change.key.clone()),
                Outcome::Done(_) => pass.answered.push(change.key.clone()),
                // What was seen may be out of date: look again. If the same op is wanted still, the no was meant.
                Outcome::Failed(why) => {
                    pass.answered.push(change.key.clone());
                    pass.refused.push((change.clone(), why));
                    break;
                }
                // Nobody said no: it is sent again for as long as the step lasts.
                Outcome::NotTaken(why) => {
                    pass.not_taken = Some(why);
                    self.pause(LOOK_AGAIN_AFTER.min(self.left(pass))).await;
                    break;
                }
                // Look again, never guess.
                Outcome::Unknown(_) => {
                    self.pause(LOOK_AGAIN_AFTER.min(self.left(pass))).await;
                    break;
                }
            }
            if self.engine.cancel.level() >= Stop::Soon {
                break;
            }
        }
        Ok(Next::Again)
    }

    /// Outcomes that are not known, after a new look: what the step still wants was not made, what it no longer wants was.
    ///
    /// A look that only waits says neither: what is under way may still go wrong. Nor does a step that cannot look, nor one
    /// that only puts right what broke off.
    async fn settle(&self, history: &History, survey: &Survey) -> Result<(), JournalLost> {
        for record in history.changes.iter().filter(|record| survey.arrived.contains(&record.id)) {
            let said = if record.state.is_open() {
                FOUND_MADE
            } else {
                "it arrived after the look that had not found it made"
            };
            self.engine
                .record
                .append(Entry::Done { id: record.id, said: said.into(), facts: Facts::default() })
                .await?;
            self.ended(record.id, &record.change, ChangeEnd::Done, said, Duration::ZERO);
        }
        if survey.blind || (survey.changes.is_empty() && survey.waiting_for.is_some()) {
            return Ok(());
        }
        for record in &history.changes {
            if !record.state.is_open() || survey.arrived.contains(&record.id) {
                continue;
            }
            let wanted = survey.not_made.contains(&record.id)
                || survey.changes.iter().any(|change| change.key == record.change.key);
            if survey.mends && !wanted {
                continue;
            }
            let entry = if wanted {
                Entry::NotMade { id: record.id }
            } else {
                Entry::Done { id: record.id, said: FOUND_MADE.into(), facts: Facts::default() }
            };
            self.engine.record.append(entry).await?;
            if !wanted {
                self.ended(record.id, &record.change, ChangeEnd::Done, "a new look found it made", Duration::ZERO);
            }
        }
        Ok(())
    }

    async fn ask(
        &self,
        history: &History,
        question: &Question,
        unread: Option<&ReadError>,
    ) -> Result<Next, JournalLost> {
        let _turn = tokio::select! {
            turn = self.together.asking.lock() => turn,
            () = self.engine.cancel.reached(Stop::Soon) => return Ok(Next::Again),
        };
        // Another target of the step has asked the same meanwhile.
        let key = (self.target.cluster.clone(), self.index, question.id.clone());
        let answer = self.engine.record.read(|run| run.answers.get(&key).copied());
        if answer.is_some() && answer != history.answer(&question.id) {
            return Ok(Next::Again);
        }
        // Several clusters may ask in turn on one screen.
        let question = &Question { text: format!("{}: {}", self.target, question.text), ..question.clone() };
        let answer = tokio::select! {
            answer = self.engine.operator.ask(question) => answer,
            () = self.engine.cancel.reached(Stop::Soon) => return Ok(Next::Again),
        };
        let Some(yes) = answer else {
            // Nobody said no: what led to the question names the end, and who goes on with the run is asked again.
            let class = match unread {
                Some(error) => became(&StepError::Read(error.clone())).1,
                None if self.engine.record.tally().unknown > 0 => Class::Partial,
                None => Class::Declined,
            };
            let led = unread.map_or_else(String::new, |error| format!("{error}; "));
            let word = question.typed.as_ref().map(|word| {
                let run = &self.engine.mark.run;
                format!("; `breakglass resume {run} --yes --consent {}` would answer", crate::shell::quote(word))
            });
            let why = format!("{led}nobody could be asked: {}{}", question.text, word.unwrap_or_default());
            return Ok(Next::End(self.end(StepState::Declined, Some(class), why)));
        };
        let (cluster, question) = (self.target.cluster.clone(), question.id.clone());
        self.engine.record.append(Entry::Answered { cluster, step: self.index, question, yes }).await?;
        Ok(Next::Again)
    }

    async fn wait(&self, what: String, left: Duration) -> Result<Next, JournalLost> {
        let interval = self.planned.step.interval();
        if left <= interval {
            return Ok(Next::End(self.timed_out(&format!("still waiting for {what}"), "")));
        }
        self.engine.events.hear(Event::Waiting {
            target: self.target.clone(),
            step: self.index,
            what,
            left_secs: left.as_secs(),
        });
        self.pause(interval).await;
        Ok(Next::Again)
    }

    /// The key that the host of a change shows, asked for once; or why nothing may be written there: it is another machine
    /// than the one that this run has changed before, or nobody can tell.
    async fn whose_host(&self, change: &Change, left: Duration, pass: &mut Pass) -> Result<Option<String>, String> {
        if self.engine.world.pretends() || !matches!(change.op, Op::Host(_) | Op::File(_)) {
            return Ok(None);
        }
        if pass.host_key.is_none() {
            pass.host_key = Some(strangers::shown(self.engine, self.target, left).await);
        }
        let now = pass.host_key.clone().unwrap_or(Ok(None));
        let Some(then) = self.engine.record.host_key(self.target) else { return Ok(now.unwrap_or_default()) };
        match now? {
            Some(now) if machine(&then, &now) == Machine::Another => Err(strangers::another(self.target, &then, &now)),
            now => Ok(now),
        }
    }

    /// Performs a change; one whose outcome is `open` still, again under its own number.
    async fn make(
        &self,
        open: Option<&ChangeRecord>,
        change: &Change,
        host_key: Option<String>,
        left: Duration,
    ) -> Result<Outcome, JournalLost> {
        let id = match open {
            Some(record) => record.id,
            None => self.engine.record.intend(self.index, self.target, change, host_key).await?,
        };
        self.engine.events.hear(Event::ChangeSent {
            target: self.target.clone(),
            step: self.index,
            id,
            what: change.op.summary(),
            because: change.because.clone(),
            loads: if self.engine.world.pretends() { change.op.loads().to_vec() } else { Vec::new() },
        });
        let limit = Duration::from_secs(change.deadline_secs).min(left);
        let began = Instant::now();
        let outcome = tokio::select! {
            outcome = self.engine.world.perform(self.target, &change.op, limit) => outcome,
            () = tokio::time::sleep(limit + GRACE) => Outcome::Unknown(format!("no outcome after {}s", limit.as_secs())),
            () = self.engine.cancel.reached(Stop::Now) => Outcome::Unknown("given up by the operator while in flight".into()),
        };
        let (entry, end, said) = match &outcome {
            Outcome::Done(Said { words, facts }) => {
                let end = if self.engine.world.pretends() { ChangeEnd::Pretended } else { ChangeEnd::Done };
                (Entry::Done { id, said: words.clone(), facts: facts.clone() }, end, words)
            }
            Outcome::Failed(why) | Outcome::NotTaken(why) => {
                (Entry::Failed { id, why: why.clone() }, ChangeEnd::Failed, why)
            }
            Outcome::Unknown(why) => (Entry::Unknown { id, why: why.clone() }, ChangeEnd::Unknown, why),
        };
        let (said, end) = match open {
            // That this one was not made says nothing about the one before.
            Some(_) if end != ChangeEnd::Done => {
                (&format!("{said}, after one whose reply was lost"), ChangeEnd::Unknown)
            }
            _ => {
                self.engine.record.append(entry).await?;
                (said, end)
            }
        };
        self.ended(id, change, end, said, began.elapsed());
        Ok(outcome)
    }

    fn ended(&self, id: u32, change: &Change, state: ChangeEnd, said: &str, took: Duration) {
        let by_hand = state.left_to_hand().map(|refused| change.by_hand_after(refused));
        self.engine.events.hear(Event::ChangeEnded {
            target: self.target.clone(),
            id,
            what: change.op.summary(),
            state,
            said: said.to_owned(),
            took_ms: crate::words::as_millis(took),
            by_hand,
            unsent: false,
        });
    }

    async fn saw(&self, what: Finding) -> Result<(), JournalLost> {
        self.engine
            .record
            .append(Entry::Saw { target: self.target.clone(), step: self.index, what: what.clone() })
            .await?;
        self.engine.events.hear(Event::Saw { target: self.target.clone(), step: self.index, what });
        Ok(())
    }

    /// A result is written down once; a look that finds the same again adds nothing.
    async fn found(&self, found: Found) -> Result<(), JournalLost> {
        let key = (self.target.cluster.clone(), self.index, found.name.clone());
        if self.engine.record.read(|run| run.found.get(&key) == Some(&found)) {
            return Ok(());
        }
        if !found.of.fits(&found.value) {
            let what = format!("what was found as {} is not {}: {:?}", found.name, found.of.words(), found.value);
            return self.saw(what.into()).await;
        }
        let (target, step) = (self.target.clone(), self.index);
        self.engine.record.append(Entry::Found { target: target.clone(), step, found: found.clone() }).await?;
        self.engine.events.hear(Event::Found { target, step, name: found.name, value: found.value });
        Ok(())
    }

    /// The end of the step here. What is not known is named, whatever the end.
    fn end(&self, state: StepState, class: Option<Class>, why: impl Into<String>) -> End {
        let changes = self.engine.record.history(self.index, self.target).changes;
        let made = changes.iter().filter(|c| c.state == ChangeState::Done).count();
        let open: Vec<String> = changes
            .iter()
            .filter(|c| c.state.is_open())
            .map(|c| format!("change {} ({})", c.id, c.change.op.summary()))
            .collect();
        let (mut why, mut class) = (why.into(), class);
        if !open.is_empty() {
            why.push_str(&format!("; it is not known whether {} was made", open.join(", ")));
            // Something may have been changed: neither "done" nor "nothing was changed" would be true.
            class = class.filter(|class| !matches!(class, Class::NoRoute | Class::Refused)).or(Some(Class::Partial));
        }
        End { state, class, why, changes: made }
    }

    fn interrupted(&self) -> End {
        self.end(StepState::Interrupted, Some(Class::Interrupted), "stopped by a signal")
    }

    /// The end of a step whose time is over, with what it ran into last. Where that was a look, and nothing was waited for, the
    /// end is what the look came to.
    fn used_up(&self, pass: &Pass) -> End {
        let last = pass.unseen.as_ref().map(|(_, why)| why).or(pass.not_taken.as_ref());
        let last = last.map_or_else(String::new, |why| format!("; the last answer: {why}"));
        match (&pass.waited, &pass.unseen) {
            (Some(what), _) => self.timed_out(&format!("still waiting for {what}"), &last),
            (None, Some((class, _))) => {
                let why = self.after_all("the step's time was used up", &last);
                self.end(StepState::Failed, Some(*class), why)
            }
            (None, None) => self.timed_out("the step's time was used up", &last),
        }
    }

    fn after_all(&self, what: &str, last: &str) -> String {
        format!("{}: {what} after {}s{last}", self.target, self.planned.policy.timeout.as_secs())
    }

    fn timed_out(&self, what: &str, last: &str) -> End {
        self.end(StepState::Failed, Some(Class::TimedOut), self.after_all(what, last))
    }

    async fn pause(&self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.engine.cancel.reached(Stop::Soon) => {}
        }
    }
}

/// Whether a look that failed is repeated: what says no says it again.
fn looks_again(error: &StepError, pass: &Pass) -> bool {
    matches!(error, StepError::Read(read) if !read.kind.lasts()) && pass.looks_left > 0
}

/// How a step ends for which this was the last look.
fn became(error: &StepError) -> (StepState, Class) {
    match error {
        StepError::Read(read) => match read.kind {
            ReadErrorKind::NoRoute | ReadErrorKind::TimedOut | ReadErrorKind::Cut | ReadErrorKind::Refused => {
                (StepState::Failed, Class::NoRoute)
            }
            // A way led there, and what it led to said no.
            ReadErrorKind::Denied | ReadErrorKind::Malformed => (StepState::Failed, Class::Refused),
        },
        StepError::Refused { .. } => (StepState::Failed, Class::Refused),
        StepError::Declined(_) => (StepState::Declined, Class::Declined),
    }
}
