//! What the steps share that change a component by its static-pod manifest, one host at a time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::elsewhere::{self, Turn};
use super::preflight::{self, Wish};
use super::{Announced, Look, Mark, Sends, StepError, Survey, Times};
use crate::change::{Blob, Change, Expect, FilePut, Inverse, Keep, Note, Op, Part, Target};
use crate::finding::Finding;
use crate::host::manifest::{self, Edit, Edited, Ending, Listens};
use crate::host::rewriter;
use crate::host::room::{self, Ask};
use crate::host::swap::{self, Kept, MARK_LIFE, Place, Seen, Stands, State, Swap};
use crate::host::why;
use crate::journal::{ChangeRecord, ChangeState};
use crate::kit::Cluster;
use crate::world::{Accept, KubeRead};

const LOOK_LIMIT: Duration = Duration::from_secs(30);
const READY_LIMIT: Duration = Duration::from_secs(10);

/// The longest that an old process is waited for unless somebody asks for more, in seconds.
const LONGEST: u64 = 600;

/// How long a process may take, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// The old one to exit: so long, and longer where its manifest lets it take longer.
    pub(super) exit: u64,
    /// The same where somebody asked for just that.
    pub(super) asked: Option<u64>,
    /// The new one to answer, before the old manifest comes back.
    pub(super) ready: u64,
}

/// A component that runs as a static pod, and what a step wants of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct StaticPod {
    /// Its program, by base name.
    pub(super) program: &'static str,
    /// What for; names the folder of the copies.
    pub(super) tag: &'static str,
    /// The path at which its process answers.
    pub(super) health: &'static str,
    /// Its port, unless its manifest says another.
    pub(super) port: u16,
    pub(super) patience: Patience,
    /// Where another program writes the manifest again, an edit is refused, and not only told of.
    pub(super) lasting: bool,
}

/// What a manifest is to become.
pub(super) struct Wanted {
    pub(super) edit: Edit,
    /// A file of the host without which there is no way back as it was: its path, and the SHA-256 that it has to have then.
    pub(super) back_only_while: Option<(String, String)>,
}

impl From<Edit> for Wanted {
    fn from(edit: Edit) -> Self {
        Self { edit, back_only_while: None }
    }
}

/// The folder beside the manifests in which a step works, as each of its changes notes it.
#[derive(Serialize, Deserialize)]
struct Beside {
    /// What tells it from the run's other folders there.
    tag: String,
}

impl Beside {
    fn note(place: &Place) -> Note {
        Note::of(&Self { tag: place.tag.clone() })
    }
}

/// How far a host is.
pub(super) enum Progress {
    /// Something has to change, or is awaited.
    Open(Survey),
    /// The manifest says what was wanted.
    Settled {
        /// What was seen.
        seen: Seen,
        /// This step made it so.
        ours: bool,
    },
}

impl StaticPod {
    /// Where the manifest and the copies are; `None` for what is no host of the kit.
    fn place(&self, target: &Target, cluster: &Cluster, (run, operator): (&str, &str), step: &str) -> Option<Place> {
        let Part::Host(name) = &target.part else { return None };
        let manifests = cluster.host(name)?.manifests.clone();
        let tag = format!("{step}-{}", self.tag);
        Some(Place { manifests, program: self.program.into(), run: run.to_owned(), operator: operator.to_owned(), tag })
    }

    /// The same for a step that may have begun already: it goes on in the folder that it began in, whatever rule named it.
    fn place_of(&self, look: Look<'_>) -> Option<Place> {
        let cluster = look.reads.cluster(&look.target.cluster)?;
        let Mark { run, operator, .. } = look.mark;
        let mut place = self.place(look.target, cluster, (run, operator), &(look.step + 1).to_string())?;
        if let Some((_, Beside { tag })) = look.history.notes().next() {
            place.tag = tag;
        }
        Some(place)
    }

    /// The same with the time that the pod of these manifests may take to end; what is to be said of it.
    fn patient(&self, texts: [&str; 2]) -> (Self, Option<String>) {
        let ending = texts.map(|text| manifest::ending(text, self.program).unwrap_or_default());
        // Either of them may have to be waited for.
        let Ending { grace, delay } = if ending[1].longest() > ending[0].longest() { ending[1] } else { ending[0] };
        let needed = Ending { grace, delay }.longest();
        let exit = self.patience.asked.unwrap_or(self.patience.exit.max(needed.min(LONGEST)));
        let lets = format!(
            "its manifest lets it take {needed} s (terminationGracePeriodSeconds {grace}, shutdown delay {delay} s)"
        );
        let said = if exit < needed {
            Some(format!(
                "the old process is waited for {exit} s, and {lets}: where it has not ended by then, the old manifest comes back"
            ))
        } else if exit > self.patience.exit && self.patience.asked.is_none() {
            Some(format!("the old process is waited for up to {exit} s: {lets}"))
        } else {
            None
        };
        (Self { patience: Patience { exit, ..self.patience }, ..*self }, said)
    }

    /// Why the step cannot be run on a target.
    pub(super) fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        match self.place(target, cluster, ("", ""), "") {
            Some(_) => Vec::new(),
            None => vec![format!(
                "the manifest of {} is edited on its host, and this is none of the kit's hosts",
                self.program
            )],
        }
    }

    /// Looks at a host, and says what an edit of its manifest takes; the program there is asked whether it knows it.
    pub(super) async fn survey(
        &self,
        look: Look<'_>,
        ask: &Ask,
        edit: impl Fn(&str) -> Result<Wanted, String>,
    ) -> Result<Progress, StepError> {
        let place = self
            .place_of(look)
            .ok_or_else(|| StepError::refused(format!("{} is not a host of the kit", look.target)))?;
        let seen =
            look.reads.ask(look.target, &swap::look(&place), LOOK_LIMIT).await?.map_err(|why| StepError::Refused {
                why: format!("{}: {why}", look.target),
                hint: Some(format!("ls -l {} on {}", place.manifests, look.target.short())),
            })?;
        if seen.state == Some(State::Moving) {
            return Ok(Progress::Open(Survey::waiting("the exchange of the manifest on the host")));
        }
        if seen.state == Some(State::Broken) {
            return Ok(Progress::Open(Survey::mending(mend(&place))));
        }
        let [file] = seen.files.as_slice() else {
            let out = seen.others.iter().find(|other| other.stands == Stands::Out);
            return Err(match out {
                Some(other) => elsewhere::out(look.target, self.program, other),
                None => self.not_one_file(look, &place, &seen).await,
            });
        };
        let (wanted, edited) = edit(&seen.text)
            .and_then(|wanted| manifest::edit(&seen.text, self.program, &wanted.edit).map(|edited| (wanted, edited)))
            .map_err(|why| StepError::refused(format!("{}: {file}: {why}", look.target)))?;
        if edited.changes.is_empty() {
            let ours = |record: &ChangeRecord| record.state == ChangeState::Done || record.state.is_open();
            return Ok(Progress::Settled { ours: look.history.last("swap").is_some_and(ours), seen });
        }
        let (patient, waits) = self.patient([&seen.text, &edited.text]);
        if let Some(State::Kept(why)) = seen.state {
            return Err(patient.kept(look, &place, why).await);
        }
        let listens = |text: &str| {
            manifest::listens(text, self.program, self.port).map_err(|why| {
                let why = format!("{}: {file}: it cannot be told where its process will answer: {why}", look.target);
                StepError::refused(why)
            })
        };
        let (old, new) = (listens(&seen.text)?, listens(&edited.text)?);
        // What cannot work is found before the first change; those who wait their turn have asked already.
        let saw = if seen.folder || look.history.last("folder").is_some() {
            Vec::new()
        } else {
            let wish = Wish {
                place: &place,
                file,
                text: &edited.text,
                edit: &wanted.edit,
                ask,
                listens: old,
                lasting: self.lasting,
            };
            let mut saw = preflight::check(look, wish).await?;
            saw.extend(waits);
            saw
        };
        let begin = patient.changes(&place, &seen, (file, wanted.back_only_while), &edited, (old, new));
        let survey = self.in_turn(look, &place, &seen, &edited, begin).await?;
        Ok(Progress::Open(saw.into_iter().fold(survey, Survey::saw)))
    }

    /// The changes, when it is this run's turn to take a manifest out: its own host is marked, and nobody is in the way.
    async fn in_turn(
        &self,
        look: Look<'_>,
        place: &Place,
        seen: &Seen,
        edited: &Edited,
        begin: Vec<Change>,
    ) -> Result<Survey, StepError> {
        let because = edited.changes.join(", ");
        let before = look.history.last("mark").or_else(|| look.history.last("folder"));
        let marked = match seen.marked {
            Some(age) => Some(age).filter(|age| *age <= MARK_LIFE),
            // A pretended folder is not seen.
            None => before.filter(|record| record.state == ChangeState::Done && !seen.folder).map(|_| 0),
        };
        // One that the host refused was never made: it is made by the change that takes it away again, not by a new mark.
        let begun = before.filter(|record| record.state == ChangeState::Done || record.state.is_open());
        if marked.is_none() && begun.is_none() && !seen.folder {
            return Ok(Survey::mending(folder(place, &because)));
        }
        let elsewhere = elsewhere::look(look, self.program, &seen.others).await;
        let survey = match elsewhere.way(look, self.program)?.turn(marked) {
            Turn::Go => Survey { changes: begin, ..Survey::default() },
            Turn::Mark => Survey::mending(mark(place, &because)),
            Turn::Wait(what) => Survey::waiting(what),
        };
        let notes = seen.others.iter().filter_map(elsewhere::broke_off).chain(elsewhere.unasked);
        Ok(notes.fold(survey, Survey::saw))
    }

    /// The host put the old manifest back, or never took it out.
    async fn kept(&self, look: Look<'_>, place: &Place, why: Kept) -> StepError {
        let (target, exit) = (look.target, self.patience.exit);
        let (why, hint) = match why {
            Kept::Unanswered => return self.unanswered(look, place).await,
            Kept::Stayed => (
                format!(
                    "the old process did not exit within {exit} s, so the old manifest is back, and the new one was not tried"
                ),
                format!(
                    "on {}: crictl ps --name {}, crictl stop; or a longer exitSeconds; {HOLDS_ON}",
                    target.short(),
                    self.program
                ),
            ),
            Kept::Untaken => (
                "the manifest could not be taken out of its folder: nothing was changed".to_owned(),
                format!("on {}: ls -ld {}; mount (is it read-only?)", target.short(), place.manifests),
            ),
            Kept::Unwritten => (
                "the new manifest could not be put in its place, and the old one is back".to_owned(),
                format!("on {}: df {}", target.short(), place.manifests),
            ),
        };
        StepError::Refused { why: format!("{target}: {why}"), hint: Some(hint) }
    }

    fn exchange(&self, place: &Place, file: &str, from: &str, to: &str, staged: String, listens: Listens) -> Swap {
        Swap {
            place: place.clone(),
            file: file.to_owned(),
            from: from.to_owned(),
            staged,
            to: to.to_owned(),
            origin: listens.to_string(),
            port: listens.port,
            health: self.health,
            exit_secs: self.patience.exit,
            ready_secs: self.patience.ready,
            only_while: None,
        }
    }

    /// What an edit takes; `listens` is where the old and the new process answer.
    fn changes(
        &self,
        place: &Place,
        seen: &Seen,
        (file, back_only_while): (&str, Option<(String, String)>),
        edited: &Edited,
        listens: (Listens, Listens),
    ) -> Vec<Change> {
        let (old, new) = (Blob::new(seen.text.as_bytes()), Blob::new(edited.text.as_bytes()));
        let because = edited.changes.join(", ");
        let mut changes = Vec::new();
        for (key, path, blob, there) in
            [("keep", place.before(), &old, &seen.before), ("stage", place.next(), &new, &seen.next)]
        {
            if there.as_ref() != Some(&blob.sha256) {
                let put = put(key, path, blob, there.as_deref(), &because);
                changes.push(Change { note: Some(Beside::note(place)), ..put });
            }
        }
        let forward = self.exchange(place, file, &old.sha256, &new.sha256, place.next(), listens.1);
        let back = self.exchange(place, file, &new.sha256, &old.sha256, place.before(), listens.0);
        let back = Swap { only_while: back_only_while, ..back };
        changes.push(Change {
            key: "swap".into(),
            note: Some(Beside::note(place)),
            op: Op::order(swap::swap(&forward)),
            guard: format!("{file} still has sha256 {}", seen.sha256),
            inverse: Inverse::By(Box::new(Op::order(swap::swap(&back)))),
            because,
            // Said when it failed or nobody knows: never the same act again, but what stands, and why it failed.
            by_hand: format!(
                "[ -e {file} ] || cp -p {} {file}; tail -n 30 /var/log/pods/*{}*/*/*.log; diff {0} {}",
                place.before(),
                self.program,
                place.next()
            ),
            deadline_secs: swap::patience(&forward) + 15,
            keep: Keep::Nothing,
        });
        changes
    }

    /// Everything that may be sent to a host.
    pub(super) fn announce(&self, target: &Target, cluster: &Cluster, ask: &Ask) -> Vec<Announced> {
        let Some(place) = self.place(target, cluster, ("<run>", "<operator>"), "<step>") else { return Vec::new() };
        let file = format!("{}/{}.yaml", place.manifests.trim_end_matches('/'), self.program);
        let unknown = |sha256: &str| Blob { sha256: sha256.to_owned(), len: 0, bytes: None };
        let (old, new) = (unknown("<sha256 of the manifest>"), unknown("<sha256 of the edited manifest>"));
        let exchange =
            self.exchange(&place, &file, &old.sha256, &new.sha256, place.next(), Listens::by_default(self.port));
        let once = |op, why: &str| Announced::op(op, Times::Once, why);
        let reads = |what, times, why: &str| Announced::new(what, Times::AtMost(times), why);
        let looks = [
            reads(Sends::Look(swap::look(&place).into()), 5, "reads the manifest and the process"),
            reads(
                Sends::Look(room::look(&place, ask, Some(Listens::by_default(self.port))).into()),
                4,
                "reads what the host has and what the process uses, and asks the program",
            ),
            reads(Sends::Look(why::look(place.beside()).into()), 1, "reads why a new process did not answer"),
        ];
        let elsewhere = elsewhere::announced(target, cluster, self.program).into_iter().map(|what| {
            reads(what, 2, "on every other control-plane host: is an exchange under way there, or about to be")
        });
        let writes = [
            once(
                folder(&place, "").op,
                "makes a folder for the copies, beside the manifests' folder, and a mark for others in it",
            ),
            once(put("keep", place.before(), &old, None, "").op, "keeps the old text beside the folder"),
            once(put("stage", place.next(), &new, None, "").op, "puts the edited text beside the folder"),
            once(Op::order(swap::swap(&exchange)), "takes the old manifest out, awaits the exit, puts the new one in"),
        ];
        looks.into_iter().chain(elsewhere).chain(writes).collect()
    }

    /// Why there is no manifest to edit, or which one is not known. No file of another program is ever to be moved away.
    async fn not_one_file(&self, look: Look<'_>, place: &Place, seen: &Seen) -> StepError {
        let (target, host, program) = (look.target, look.target.short(), self.program);
        if !seen.files.is_empty() {
            let files = seen.files.join(" ");
            return StepError::Refused {
                why: format!("{target}: {files} start {program}, and the kubelet may obey any of them"),
                hint: Some(format!(
                    "grep -A3 -e command: -e args: {files} on {host}: what is a copy of the other does not belong in there, \
                     whatever its name; a pod of its own stays"
                )),
            };
        }
        let looked = look.reads.ask(target, &room::look(place, &Ask::default(), None), LOOK_LIMIT).await;
        let runs = looked.ok().map(|room| room.runs);
        let known = rewriter::without_manifest(&runs.unwrap_or_default());
        let others = match seen.namesakes.as_slice() {
            [] => String::new(),
            others => format!("; {} only names it", others.join(", ")),
        };
        let hint = "set `manifests` of this host in the kit; a program that a shell script starts is not found";
        StepError::Refused {
            why: format!("{target}: no manifest in {} starts {program}{others}", place.manifests),
            hint: Some(known.unwrap_or(hint).to_owned()),
        }
    }

    /// Why the new process did not come, as its host noted it; doing the same once more would fail once more.
    async fn unanswered(&self, look: Look<'_>, place: &Place) -> StepError {
        let (target, host, beside) = (look.target, look.target.short(), place.beside());
        let told = look.reads.ask(target, &why::look(place.beside()), LOOK_LIMIT).await.unwrap_or_default();
        let mut why = format!(
            "{target}: the new process did not answer within {} s, and the old manifest is back",
            self.patience.ready
        );
        for (what, lines) in
            [("asked, it said", &told.said), ("its log ends", &told.log), ("its kubelet says", &told.kubelet)]
        {
            if !lines.is_empty() {
                why.push_str(&format!("; {what}: {}", lines.join(" / ")));
            }
        }
        if told.log.is_empty() {
            why.push_str(&format!("; no log of it was found, so it may never have been started: {HOLDS_ON}"));
        }
        let log = told.file.map_or_else(|| "journalctl -u kubelet".to_owned(), |file| format!("less {file}"));
        StepError::Refused {
            why,
            hint: Some(format!(
                "the same edit would fail again: `diff {beside}/before.yaml {beside}/refused.yaml; {log}` on {host}, then run \
                 it with other values; `breakglass undo {}` takes the copies away",
                place.run
            )),
        }
    }
}

/// The API server of a host that was exchanged: it has to be ready, beyond its process answering there.
pub(super) async fn ready_again(look: Look<'_>, seen: &Seen) -> Result<Survey, StepError> {
    let on_host = |name: &String| {
        let cluster = look.reads.cluster(&look.target.cluster)?;
        cluster.api_servers.iter().find(|server| server.host.as_ref() == Some(name))
    };
    let server = match &look.target.part {
        Part::Host(name) => on_host(name),
        Part::Cluster | Part::ApiServer(_) | Part::Local => None,
    };
    let Some(server) = server else {
        let why = "the new process answers on the host; no API server of the kit stands for this host to ask";
        return Ok(Survey::done().saw(why));
    };
    let target = Target::api_server(&look.target.cluster, &server.name);
    let read = KubeRead { path: "/readyz".into(), accept: Accept::Text, limit: READY_LIMIT };
    let waiting = match look.reads.kube(&target, &read).await {
        Ok(answer) if answer.code == 200 => {
            let pid = seen.processes.first().map_or(0, |(pid, _)| *pid);
            return Ok(Survey::done().saw(Finding::Restarted { pid: pid.into() }));
        }
        Ok(answer) => format!("/readyz of {} to answer 200 (now {})", server.name, answer.code),
        Err(error) => format!("/readyz of {} to answer ({error})", server.name),
    };
    Ok(Survey::waiting(waiting))
}

/// Measured with a kubelet 1.34: the old pod's end waits for the API, and the new one for the old one's end.
pub(super) const HOLDS_ON: &str = "a kubelet that was restarted while it could not reach the API holds on to the old pod, and starts \
                                   no new one until it is restarted once more, which is safe while the manifest is in its \
                                   place (kubernetes#105543): systemctl restart kubelet";

pub(super) fn put(key: &str, path: String, blob: &Blob, there: Option<&str>, because: &str) -> Change {
    let expect = there.map_or(Expect::Absent, |sha| Expect::Sha256(sha.to_owned()));
    let back = FilePut { path: path.clone(), mode: 0o600, content: None, expect: Expect::Sha256(blob.sha256.clone()) };
    Change {
        key: key.to_owned(),
        note: None,
        guard: format!("{path} is what was seen"),
        by_hand: format!("write {path} by hand"),
        op: Op::File(FilePut { path, mode: 0o600, content: Some(blob.clone()), expect }),
        inverse: Inverse::By(Box::new(Op::File(back))),
        because: because.to_owned(),
        deadline_secs: 60,
        keep: Keep::Nothing,
    }
}

pub(super) fn folder(place: &Place, because: &str) -> Change {
    Change {
        key: "folder".into(),
        note: Some(Beside::note(place)),
        op: Op::order(swap::folder(place)),
        guard: format!("{} is for this run alone", place.beside()),
        inverse: Inverse::By(Box::new(Op::order(swap::folder_away(place)))),
        because: because.to_owned(),
        by_hand: format!("mkdir -m 700 {}", place.beside()),
        deadline_secs: 30,
        keep: Keep::Nothing,
    }
}

/// The mark set anew where the folder is there already.
fn mark(place: &Place, because: &str) -> Change {
    Change {
        key: "mark".into(),
        inverse: Inverse::NotNeeded(format!("the mark ends by itself after {MARK_LIFE} s")),
        by_hand: format!("touch {}/mark", place.beside()),
        ..folder(place, because)
    }
}

fn mend(place: &Place) -> Change {
    Change {
        key: "mend".into(),
        note: Some(Beside::note(place)),
        op: Op::order(swap::mend(place)),
        guard: "the exchange broke off, and the manifest is in no place".into(),
        inverse: Inverse::NotNeeded("it only puts the manifest back that an exchange had taken out".into()),
        because: "what exchanged the manifest on the host died in the middle".into(),
        by_hand: format!("mv {}/out.yaml back to where line 1 of {0}/order says", place.beside()),
        deadline_secs: 30,
        keep: Keep::Nothing,
    }
}
