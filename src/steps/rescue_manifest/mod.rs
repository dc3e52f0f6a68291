//! `rescue-manifest`: a component that is down because of its static pod comes back: the one bad flag out of its manifest, or the stray
//! file out of the folder. What else it is, is told.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use self::cause::{Case, Verdict};
use self::from::{From, Puts, puts_in};
use self::mend::{Mended, Replace, moves, replaces};
pub(crate) use self::program::Program;
use self::strays::Stray;
use super::elsewhere;
use super::static_pod::{folder, put};
use super::{Announced, Fault, Kind, Look, Scope, Sends, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Blob, Op, Part, Target};
use crate::host::rescue::{self, Asks, Evidence};
use crate::host::swap::{self, Place, Seen, Stands, State};
use crate::journal::{ChangeRecord, ChangeState};
use crate::kit::Cluster;
use crate::kit::kept::{self, Kept};

mod cause;
mod flags;
mod from;
mod mend;
mod program;
mod strays;
#[cfg(test)]
mod tests;

const LOOK_LIMIT: Duration = Duration::from_secs(40);
/// So many flags, and so many files, are taken out at most: each is found only once the one before is out, and what has more is
/// better put back from a copy.
const MOST: u32 = 5;
/// The step kind.
pub(super) struct RescueManifest;

/// Which component, and which of several files is the stray one.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// The component that is down: kube-apiserver, etcd, kube-scheduler or kube-controller-manager.
    #[serde(default)]
    program: Program,
    /// The file that does not belong in the manifests' folder, by its path or its name, where that cannot be told otherwise. It is
    /// moved out also when the component answers.
    #[serde(default)]
    stray: Option<String>,
    /// Another text of the manifest: the path of a file on the host, or `kit` for the copy that `kit refresh` kept. It is put in the
    /// place of the one that keeps the component down, or of the one that is gone. A component that answers is left alone.
    #[serde(default)]
    from: Option<String>,
}

impl Kind for RescueManifest {
    fn name(&self) -> &'static str {
        "rescue-manifest"
    }

    fn doc(&self) -> &'static str {
        "Brings back a control-plane component that is down because of its static pod: the one bad flag taken out of its manifest, \
         or a stray file moved out of the manifests' folder.\n\n\
         Looks on the host why it does not answer, and says it as one class with what shows it: bad flag, stray file that wins, \
         manifest gone, manifest unreadable, image that cannot be pulled, port taken, certificate ended, killed for its memory, crash loop with the container's \
         last words; what is not known is called so. Only the first two are mended: of a manifest just the flag that \
         its program's own parser names, one after another where there are several; a stray file is moved beside the folder, never \
         deleted. A component that answers is left alone. One host at a time; costs no API request; never restarts a kubelet, and no \
         manifest is out of the folder at any moment. Undone to the same bytes, and the component is down again then."
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
        // A runbook hands on a parameter that was left empty.
        let stray = params.stray.filter(|stray| !stray.is_empty());
        if stray.as_ref().is_some_and(|stray| stray.contains(['\n', '\0'])) {
            return Err(vec![Fault::at("stray", "it is the path or the name of one file")]);
        }
        let from = params.from.filter(|from| !from.is_empty()).map(|from| From::parse(&from)).transpose();
        let from = from.map_err(|why| vec![Fault::at("from", why)])?;
        Ok(Box::new(Rescue { program: params.program, stray, from }))
    }
}

struct Rescue {
    program: Program,
    stray: Option<String>,
    from: Option<From>,
}

impl Rescue {
    fn place(&self, look: (&Target, &Cluster), (run, operator): (&str, &str), step: &str) -> Option<Place> {
        let Part::Host(name) = &look.0.part else { return None };
        let manifests = look.1.host(name)?.manifests.clone();
        let own = str::to_owned;
        let tag = format!("{step}-rescue");
        Some(Place { manifests, program: own(self.program.name()), run: own(run), operator: own(operator), tag })
    }

    fn place_of(&self, look: Look<'_>) -> Result<Place, StepError> {
        let cluster = look.reads.cluster(&look.target.cluster);
        let (mark, step) = (look.mark, (look.step + 1).to_string());
        let place = cluster.and_then(|cluster| self.place((look.target, cluster), (&mark.run, &mark.operator), &step));
        place.ok_or_else(|| StepError::refused(format!("{} is not a host of the kit", look.target)))
    }

    async fn look(&self, look: Look<'_>) -> Result<Survey, StepError> {
        let place = self.place_of(look)?;
        let seen =
            look.reads.ask(look.target, &swap::look(&place), LOOK_LIMIT).await?.map_err(|why| StepError::Refused {
                why: format!("{}: {why}", look.target),
                hint: Some(format!("ls -la {} on {}", place.manifests, look.target.short())),
            })?;
        // Somebody else has the manifest in hand.
        if let Some(other) = seen.others.iter().find(|other| other.stands == Stands::Out) {
            return Err(elsewhere::out(look.target, self.program.name(), other));
        }
        if let Some(other) = seen.others.iter().find(|other| other.stands == Stands::Moving) {
            return Ok(Survey::waiting(format!("the exchange of its manifest by run {} to end", other.run)));
        }
        if seen.state == Some(State::Moving) {
            return Ok(Survey::waiting("the exchange of the manifest on the host"));
        }
        let evidence =
            look.reads.ask(look.target, &rescue::look(&place, &self.program.asks(&seen)), LOOK_LIMIT).await?;
        if let Some(survey) = self.named(look, &place, &seen, &evidence).await? {
            return Ok(survey);
        }
        self.judge(look, &place, &seen, &evidence)
    }

    /// What the text that was named comes to, as long as that is due.
    async fn named(
        &self,
        look: Look<'_>,
        place: &Place,
        seen: &Seen,
        evidence: &Evidence,
    ) -> Result<Option<Survey>, StepError> {
        let mended = Self::mended(look, seen);
        let Some(from) = &self.from else { return Ok(None) };
        // Several files are told apart first.
        let due = seen.all.len() < 2 && !self.case(look, place, seen, evidence, &mended).is_well();
        // What it starts from stands in the folder once it was put there.
        let stands = !seen.all.is_empty() && mended.iter().any(|one| one.class.starts_with(from::CLASS));
        if !due || stands {
            return Ok(None);
        }
        let (target, program) = (look.target, self.program.name());
        let file = from::file(place, seen);
        let refused = |why: String| StepError::Refused {
            why: format!("{target}: {program} is down, and {from} cannot be put in: {why}"),
            hint: Some(match (from.on_host(), evidence.copies.first()) {
                (Some(path), _) => format!("on {}: ls -la {path} {}", target.short(), place.manifests),
                (None, Some((_, copy))) => format!("another text of it lies on the host: --from {copy}"),
                (None, None) => format!("on {}: ls -la {}", target.short(), place.manifests),
            }),
        };
        let on_host = from.on_host();
        if on_host
            .and_then(|path| path.rsplit_once('/'))
            .is_some_and(|(folder, _)| folder == place.manifests.trim_end_matches('/'))
        {
            return Err(refused("it is in the manifests' folder itself, where its kubelet reads it already".into()));
        }
        let kept = if on_host.is_none() {
            let kept = Self::kept(look, program).map_err(refused)?;
            let none = || refused("none was kept of this host; in peace, breakglass kit refresh keeps one".into());
            Some(kept.ok_or_else(none)?)
        } else {
            None
        };
        let copy = look.reads.ask(target, &rescue::copy::read(on_host, &file), LOOK_LIMIT).await?.map_err(refused)?;
        let words = kept.as_ref().map_or_else(|| from.to_string(), from::words);
        let text = kept.map(|kept| kept.text).or(copy.text).unwrap_or_default();
        let changes = Puts { place, seen, from: &words, text: &text, old: copy.old.as_deref() }
            .changes(evidence, look)
            .map_err(|why| refused(format!("{words}: {why}")))?;
        Ok(Some(Survey { changes, ..Survey::default() }.saw(format!("{program} is down; {words} becomes {file}"))))
    }

    /// What the kit has kept of the component on this host.
    fn kept(look: Look<'_>, program: &str) -> Result<Option<Kept>, String> {
        let cluster = look.reads.cluster(&look.target.cluster);
        cluster.map_or(Ok(None), |cluster| kept::find(cluster, look.target.short(), program))
    }

    fn case<'a>(
        &'a self,
        look: Look<'_>,
        place: &'a Place,
        seen: &'a Seen,
        evidence: &'a Evidence,
        mended: &'a [Mended],
    ) -> Case<'a> {
        Case {
            program: self.program.name(),
            manifests: &place.manifests,
            seen,
            evidence,
            asked: self.stray.as_deref(),
            before: mended.last().map(|last| last.processes.as_slice()),
            kept: None,
            waited: look.history.since.map(|since| look.history.ago(since)).unwrap_or_default(),
        }
    }

    /// This step's changes here that stand, as the folder shows: a reply may have been lost, and what a drill pretends is not there.
    fn mended(look: Look<'_>, seen: &Seen) -> Vec<Mended> {
        let stands = |(record, mended): (&ChangeRecord, Mended)| {
            let there = seen.all.iter().any(|file| file.sha256 == mended.gone || file.path == mended.gone);
            (!there && (record.state == ChangeState::Done || record.state.is_open())).then_some(mended)
        };
        look.history.notes().filter_map(stands).collect()
    }

    fn judge(&self, look: Look<'_>, place: &Place, seen: &Seen, evidence: &Evidence) -> Result<Survey, StepError> {
        let (target, program) = (look.target, self.program.name());
        let mended = Self::mended(look, seen);
        // One that cannot be read is told when it is named.
        let kept = Self::kept(look, program).ok().flatten();
        let stands = |kept: &Kept| seen.all.iter().any(|file| file.text.as_ref() == Ok(&kept.text));
        let kept = kept.filter(|kept| !stands(kept));
        let case = Case { kept: kept.as_ref(), ..self.case(look, place, seen, evidence, &mended) };
        let host = target.short();
        let verdict = match case.verdict() {
            Verdict::Flag(..) | Verdict::Stray(_) if mended.len() >= MOST as usize => Verdict::Told(
                format!("{MOST} things were mended already, and there is more ({}){}", case.standing(), case.copies()),
                format!("look at all of {}", place.manifests),
            ),
            // What was named is put in as it is, or not at all.
            Verdict::Flag(bad, _) if self.from.is_some() && !mended.is_empty() => Verdict::Told(
                format!("the text that was put in has a bad flag, too: --{} ({})", bad.flag, case.standing()),
                format!("breakglass undo {}; then name another text with --from", look.mark.run),
            ),
            verdict => verdict,
        };
        Ok(match verdict {
            Verdict::Well(more) => {
                let what = match mended.as_slice() {
                    [] => format!("{program} answers: nothing to do"),
                    all => {
                        let classes: Vec<&str> = all.iter().map(|one| one.class.as_str()).collect();
                        format!("{program} answers again ({})", classes.join(", then "))
                    }
                };
                more.into_iter().fold(Survey::done().saw(what), Survey::saw)
            }
            Verdict::Waits(what) => Survey::waiting(format!("{what}, on {host}")),
            Verdict::Told(why, next) => {
                let after = if mended.is_empty() {
                    String::new()
                } else {
                    format!("; `breakglass undo {}` takes back what was changed", look.mark.run)
                };
                let why = format!("{target}: {program} is down: {why}");
                return Err(StepError::Refused { why, hint: Some(format!("on {host}: {next}{after}")) });
            }
            Verdict::Flag(bad, edit) => {
                let file = &seen.all[0];
                let said = format!("{program} is down: bad flag: --{} ({})", bad.flag, case.standing());
                let class = format!("bad flag --{}", bad.flag);
                let round = mended.iter().filter(|one| one.class.starts_with("bad flag")).count() + 1;
                let changes = Replace { place, seen, file, edit: &edit, round, class }
                    .changes(program, evidence, look)
                    .map_err(|why| StepError::refused(format!("{target}: {}: {why}", file.path)))?;
                Survey { changes, ..Survey::default() }.saw(said)
            }
            Verdict::Stray(stray) => {
                let Stray { goes, stays, wins } = stray;
                let class = if wins { "a stray file that wins" } else { "a stray file" };
                let obeys = if wins { ", and the kubelet obeys it, the last by name" } else { "" };
                let (goes, own) = (&goes.path, &stays.path);
                let said = format!("{program}: {class}: {goes} starts it beside {own}{obeys} ({})", case.standing());
                let class = format!("{class}, {goes}");
                Survey { changes: moves(place, seen, evidence, stray, class), ..Survey::default() }.saw(said)
            }
        })
    }
}

impl Step for Rescue {
    fn intent(&self) -> String {
        let program = self.program.name();
        match (&self.stray, &self.from) {
            (_, Some(from)) => {
                format!("bring {program} back where its static pod keeps it down: {from} becomes its manifest")
            }
            (Some(stray), None) => {
                format!("bring {program} back where its static pod keeps it down; {stray} is moved out of the folder")
            }
            (None, None) => {
                format!("bring {program} back where its static pod keeps it down: the bad flag or the stray file out")
            }
        }
    }

    fn announce(&self, target: &Target, cluster: &Cluster) -> Vec<Announced> {
        let Some(place) = self.place((target, cluster), ("<run>", "<operator>"), "<step>") else { return Vec::new() };
        let folder_of = place.manifests.trim_end_matches('/');
        let file = format!("{folder_of}/<manifest>");
        let unknown = |sha256: &str| Blob { sha256: sha256.to_owned(), len: 0, bytes: None };
        let (old, new) = (unknown("<sha256 of the manifest>"), unknown("<sha256 of the edited manifest>"));
        let asks = Asks {
            url: "<where its manifest says that it answers>".into(),
            port: self.program.health().0,
            files: vec!["<the files that start it>".into()],
            image: "<its image>".into(),
            certificates: vec!["<its certificates>".into()],
        };
        let every = Times::Every { interval: self.interval(), until: Duration::MAX };
        let next = format!("{}/next<number>.yaml", place.beside());
        let op = |op, times, why: &str| Announced::op(op, times, why);
        let note = Mended { processes: Vec::new(), gone: String::new(), class: String::new() };
        let replace = replaces(
            &place,
            &file,
            1,
            (&old.sha256, &new.sha256),
            (&place.before(), &next),
            String::new(),
            String::new(),
            &note,
        );
        let stray = rescue::move_file(
            &place,
            (&format!("{folder_of}/<stray file>"), &format!("{}/stray-<stray file>", place.beside())),
            "<its sha256>",
            Some(&file),
        );
        let mut all = vec![
            Announced::new(Sends::Look(swap::look(&place).into()), every, "reads the manifests"),
            Announced::new(
                Sends::Look(rescue::look(&place, &asks).into()),
                every,
                "whether it answers, and its container's last words",
            ),
            op(folder(&place, "").op, Times::Once, "makes a folder for the copies, beside the manifests' folder"),
            op(put("keep", place.before(), &old, None, "").op, Times::Once, "keeps the old text there"),
            op(put("stage", next, &new, None, "").op, Times::AtMost(MOST), "puts the text without the bad flag there"),
            op(replace.op, Times::AtMost(MOST), "renames it over the manifest; once for each bad flag"),
            op(Op::order(stray), Times::AtMost(MOST), "moves a stray file out of the folder; once for each"),
        ];
        if let Some(from) = &self.from {
            let looks = Sends::Look(rescue::copy::read(from.on_host(), &file).into());
            all.push(Announced::new(looks, Times::AtMost(8), "reads the text that was named"));
            let put_in = puts_in(&place, (&place.next(), &file), &new.sha256, String::new(), None);
            all.push(op(put_in.op, Times::Once, "moves it into the folder, where no manifest is there"));
        }
        all
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        match self.place((target, cluster), ("", ""), "") {
            Some(_) => self.from.iter().filter_map(|from| from.refuse(target, cluster, self.program.name())).collect(),
            None => vec![format!(
                "the manifest of {} is looked at on its host, and this is none of the kit's hosts",
                self.program.name()
            )],
        }
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        self.look(look).boxed()
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }
}
