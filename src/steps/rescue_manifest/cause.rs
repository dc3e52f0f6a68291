//! Why a component is down, as one class with what shows it; pure, from what its host said.

use std::time::Duration;

use super::flags::{self, Bad};
use super::from;
use super::strays::{self, Stray, listed, obeyed};
use crate::duration::HumanDuration;
use crate::host::manifest::{self, Edit};
use crate::host::rescue::Evidence;
use crate::host::swap::Seen;
use crate::kit::kept::Kept;
use crate::steps::static_pod::HOLDS_ON;

/// A process that is older than this came up well, whatever it does not answer now.
const YOUNG: Duration = Duration::from_mins(2);
/// For so long a container that may still say why it ends is waited for.
const PATIENCE: Duration = Duration::from_mins(1);
/// A kubelet that takes a manifest up does so within seconds, and reads its folder anew every 20 s.
const HELD: Duration = Duration::from_secs(45);

/// What was seen of one component on one host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) program: &'static str,
    pub(super) manifests: &'a str,
    pub(super) seen: &'a Seen,
    pub(super) evidence: &'a Evidence,
    /// The file that somebody named as the stray one.
    pub(super) asked: Option<&'a str>,
    /// The processes from before this step's own last change; none where it made none.
    pub(super) before: Option<&'a [u32]>,
    /// What the kit has kept of its manifest, where that is another text.
    pub(super) kept: Option<&'a Kept>,
    /// For how long this has been looked at.
    pub(super) waited: Duration,
}

/// What follows.
#[derive(Debug)]
pub(super) enum Verdict<'a> {
    /// It answers.
    Well(Option<String>),
    /// One flag keeps it from starting.
    Flag(Bad, Edit),
    /// A file is in the folder that does not belong in there.
    Stray(Stray<'a>),
    /// It may come, or say why it does not.
    Waits(String),
    /// A person has to see to it: what is wrong, with what shows it, and what to type next.
    Told(String, String),
}

impl<'a> Case<'a> {
    pub(super) fn verdict(self) -> Verdict<'a> {
        let (files, evidence) = (&self.seen.all, self.evidence);
        let moves = self.asked.is_some() && self.before.is_none() && files.len() > 1;
        if self.is_well() && !moves {
            return Verdict::Well(self.too_many());
        }
        match files.as_slice() {
            [] => self.none(),
            [file] => match &file.text {
                Ok(text) => match manifest::image(text, self.program) {
                    Ok(image) => self.one(&file.path, text, &image),
                    Err(why) => self.unreadable(&file.path, &why),
                },
                Err(why) => self.unreadable(&file.path, why),
            },
            _ if self.asked.is_none() && self.is_alive() && evidence.listens => Verdict::Told(
                format!(
                    "{} does not answer, and its process came up well and listens: it is drowned or hangs rather than down, \
                     and nothing was touched. {} start it, and the kubelet obeys {}",
                    self.program,
                    listed(files),
                    obeyed(files).map_or("the last of them", |file| &file.path)
                ),
                format!("breakglass probe; breakglass rescue-manifest --stray PATH, whatever {} does", self.program),
            ),
            _ => match strays::stray(files, self.program, self.asked) {
                Ok(stray) => Verdict::Stray(stray),
                Err(why) => Verdict::Told(
                    format!("{} start {}, and the kubelet obeys the last by name; {why}", listed(files), self.program),
                    format!("{}; then breakglass rescue-manifest --stray PATH", self.compare()),
                ),
            },
        }
    }

    /// It answers, and by a process that is not from before this step's own change.
    pub(super) fn is_well(self) -> bool {
        let fresh = |before: &[u32]| self.evidence.processes.iter().any(|(pid, _)| !before.contains(pid));
        self.evidence.is_up() && self.before.is_none_or(fresh)
    }

    /// A process of it came up well.
    fn is_alive(self) -> bool {
        self.evidence.processes.iter().any(|(_, age)| *age >= YOUNG)
    }

    fn too_many(self) -> Option<String> {
        let files = &self.seen.all;
        (files.len() > 1).then(|| {
            format!(
                "{} start {}: the kubelet obeys one of them, by their names {}, and what is written to another changes nothing; \
                 `breakglass rescue-manifest --stray PATH` moves one out of the folder",
                listed(files),
                self.program,
                obeyed(files).map_or("the last", |file| &file.path)
            )
        })
    }

    fn compare(self) -> String {
        let paths: Vec<&str> = self.seen.all.iter().map(|file| file.path.as_str()).collect();
        match paths.as_slice() {
            [first, second] => format!("diff {first} {second}"),
            _ => format!("ls -la {}", self.manifests),
        }
    }

    /// The folder has no manifest of it.
    fn none(self) -> Verdict<'a> {
        let Self { program, manifests, evidence, .. } = self;
        if self.is_alive() {
            return Verdict::Told(
                format!(
                    "a process of {program} runs, and no manifest in {manifests} starts it: it is started in another way"
                ),
                "set `manifests` of this host in the kit, or look at its unit: systemctl status".into(),
            );
        }
        let other = |path: &&String| !self.seen.namesakes.contains(path);
        if let Some(named) = evidence.named.iter().find(other) {
            let why = "it is empty, or no manifest of a pod that starts it";
            return self.unreadable(named, why);
        }
        let next = match (self.kept, evidence.copies.first()) {
            (Some(kept), _) => format!("look at {} here, then: {}", kept.path.display(), self.put_in("kit")),
            (None, Some((_, copy))) => format!("look at {copy}, then: {}", self.put_in(copy)),
            (None, None) => format!(
                "ls -la {manifests} /etc/kubernetes; set `manifests` of this host in the kit if it is another folder"
            ),
        };
        Verdict::Told(format!("manifest gone: no file in {manifests} starts {program}{}", self.copies()), next)
    }

    fn unreadable(self, path: &str, why: &str) -> Verdict<'a> {
        let said = self.evidence.kubelet.last().map_or_else(String::new, |line| format!("; the kubelet says: {line}"));
        Verdict::Told(
            format!("manifest unreadable: {path}: {why}{said}{}", self.copies()),
            match (self.kept, self.evidence.copies.first()) {
                (Some(kept), _) => format!("look at {} here, then: {}", kept.path.display(), self.put_in("kit")),
                (None, Some((_, copy))) => format!("diff {copy} {path}; then: {}", self.put_in(copy)),
                (None, None) => format!("${{EDITOR:-vi}} {path}; its kubelet reads it again by itself"),
            },
        )
    }

    /// What puts another text in the manifest's place.
    fn put_in(self, copy: &str) -> String {
        let of =
            if self.program == "kube-apiserver" { String::new() } else { format!(", with {} before it", self.program) };
        format!("breakglass rescue-manifest --from {copy}{of}")
    }

    /// Other texts of the manifest, which the kit or the host has.
    pub(super) fn copies(self) -> String {
        let kept = self.kept.map(|kept| format!("; there is {} (--from kit)", from::words(kept)));
        let on_host = match self.evidence.copies.as_slice() {
            [] if kept.is_some() => String::new(),
            [] => "; no other text of it was found on the host".into(),
            [(age, path), rest @ ..] => {
                let more = if rest.is_empty() { String::new() } else { format!(" and {} older", rest.len()) };
                format!("; another text of it, {} old, is {path}{more}", HumanDuration(Duration::from_secs(*age)))
            }
        };
        kept.unwrap_or_default() + &on_host
    }

    /// One manifest, which can be read.
    fn one(self, path: &str, text: &str, image: &str) -> Verdict<'a> {
        let Self { program, evidence, .. } = self;
        if let Some(bad) = flags::bad(&evidence.log) {
            return self.flag(path, text, bad);
        }
        if let Some(told) = self.known(path, image) {
            return told;
        }
        let telling = evidence.log.iter().any(|line| is_telling(line));
        let ended = telling && !self.is_alive();
        if ended && (evidence.processes.is_empty() || self.loops()) {
            return self.told("crash loop", path, "");
        }
        if self.waited < PATIENCE || self.before.is_some() {
            let held = if self.may_be_held() { format!("; {HOLDS_ON}") } else { String::new() };
            return Verdict::Waits(format!(
                "{program} to answer, or to say why it does not ({}){held}",
                self.standing()
            ));
        }
        if self.is_alive() {
            let why =
                format!("{program} does not answer, and its process came up well: it is no matter of its manifest");
            return Verdict::Told(why, "breakglass probe".into());
        }
        if !evidence.has_kubelet {
            let why = format!("no kubelet is seen to run, which is what starts {program} from {path}");
            return Verdict::Told(why, "systemctl status kubelet; journalctl -u kubelet -n 50".into());
        }
        if self.may_be_held() {
            let why = format!("its kubelet does not start it by {path} ({}){}", self.standing(), self.copies());
            return Verdict::Told(format!("{why}; {HOLDS_ON}"), "systemctl restart kubelet".into());
        }
        self.told(if evidence.log.is_empty() { "not known" } else { "not known, or a crash loop" }, path, "")
    }

    /// What can be told at once and mended by nobody but a person.
    fn known(self, path: &str, image: &str) -> Option<Verdict<'a>> {
        let Self { evidence, .. } = self;
        let says = |words: &[&str]| {
            evidence.log.iter().chain(&evidence.kubelet).any(|line| words.iter().any(|word| line.contains(word)))
        };
        let words = evidence.log.iter().any(|line| is_telling(line));
        if evidence.killed > 0 && self.loops() && !words {
            let times = crate::words::count(usize::try_from(evidence.killed).unwrap_or(usize::MAX), "time");
            return Some(self.told("killed for its memory", path, &format!(" by the kernel, {times} in its pod")));
        }
        let pulls = ["ErrImage", "ImagePullBackOff", "InvalidImageName", "Failed to pull"];
        if evidence.log.is_empty() && (evidence.no_image || says(&pulls)) {
            let lacks = if evidence.no_image { "its runtime does not have it" } else { "its kubelet says so" };
            return Some(self.told("image cannot be pulled", path, &format!(": {image}, and {lacks}")));
        }
        let taken = evidence.listens && evidence.processes.is_empty();
        if says(&["address already in use"]) && (taken || self.loops()) || taken && self.waited >= PATIENCE {
            let who = evidence.holder.as_deref().map_or_else(String::new, |who| format!(" by {who}"));
            return Some(self.told("port taken", path, &who));
        }
        if says(&["certificate has expired", "certificate signed by unknown"])
            || !evidence.ended.is_empty() && self.loops()
        {
            let ended =
                if evidence.ended.is_empty() { String::new() } else { format!(": {}", evidence.ended.join(", ")) };
            return Some(self.told("certificate ended", path, &ended));
        }
        None
    }

    fn flag(self, path: &str, text: &str, bad: Bad) -> Verdict<'a> {
        match bad.edit(text, self.program) {
            Ok(edit) => match manifest::edit(text, self.program, &edit) {
                Ok(edited) if !edited.changes.is_empty() => Verdict::Flag(bad, edit),
                Ok(_) => self.told("bad flag", path, &format!(": --{}, which {path} does not give", bad.flag)),
                Err(why) => self.told("bad flag", path, &format!(": --{}, and {why}", bad.flag)),
            },
            Err(why) => self.told("bad flag", path, &format!(": --{}, and {why}", bad.flag)),
        }
    }

    /// There was a container of it, and its kubelet has had the time to start one since its manifest was changed, and did not.
    fn may_be_held(self) -> bool {
        let Evidence { processes, log, stale, has_kubelet, no_image, .. } = self.evidence;
        *has_kubelet && *stale && log.is_empty() && processes.is_empty() && !no_image && self.waited >= HELD
    }

    /// It has been started again and again.
    fn loops(self) -> bool {
        self.evidence.restarts.is_some_and(|restarts| restarts >= 1) && !self.is_alive()
    }

    fn told(self, class: &str, path: &str, more: &str) -> Verdict<'a> {
        let why = format!("{class}{more} ({}){}", self.standing(), self.copies());
        let log = self.evidence.file.as_deref();
        let next = match (class, log) {
            ("image cannot be pulled", _) => format!("crictl pull IMAGE, or another image in {path}"),
            ("killed for its memory", _) if self.program == "kube-apiserver" => {
                "breakglass run apiserver-oom-loop --param memory=MORE, with more than its limit has now".into()
            }
            ("killed for its memory", _) => format!("free -m; more for resources.limits.memory in {path}"),
            ("port taken", _) => "ss -ltnp, and end what listens there, or move it".into(),
            ("certificate ended", _) => "kubeadm certs check-expiration; date".into(),
            (_, Some(log)) => format!("tail -n 50 {log}; {path}"),
            (_, None) => "journalctl -u kubelet -n 50; crictl ps -a".into(),
        };
        Verdict::Told(why, next)
    }

    /// What shows it.
    pub(super) fn standing(self) -> String {
        let Evidence { processes, said, log, stale, restarts, kubelet, has_kubelet, listens, .. } = self.evidence;
        let mut all = Vec::new();
        if let Some(restarts) = restarts.filter(|restarts| *restarts > 0) {
            all.push(format!("started {} times", restarts.saturating_add(1)));
        }
        all.push(match (processes.is_empty(), said) {
            (true, _) if *listens => "no process of it runs, and somebody else listens at its port".to_owned(),
            (true, _) => "no process of it runs".to_owned(),
            (false, Some(said)) => format!("it answers {said}"),
            (false, None) => "its process does not answer".to_owned(),
        });
        match log.as_slice() {
            [] if *stale => all.push("no container of it was started since its manifest was changed".to_owned()),
            [] => all.push("no log of a container was found".to_owned()),
            lines => all.push(format!("its container's last words: {}", lines.join(" / "))),
        }
        if !has_kubelet {
            all.push("no kubelet is seen to run".to_owned());
        }
        if !kubelet.is_empty() && log.is_empty() {
            all.push(format!("its kubelet says: {}", kubelet.join(" / ")));
        }
        all.join("; ")
    }
}

/// Whether a line says why a program ended, and is not only its last one.
fn is_telling(line: &str) -> bool {
    ["Error: ", "panic: ", "fatal error: ", "error verifying flags"].iter().any(|begins| line.starts_with(begins))
        || ["\"command failed\"", "\"level\":\"fatal\"", "\"level\":\"panic\"", "address already in use"]
            .iter()
            .any(|has| line.contains(has))
        || (line.starts_with('F') && line[1..].bytes().take(4).filter(u8::is_ascii_digit).count() == 4)
}
