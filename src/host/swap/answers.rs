//! What a host says of an exchange, as values.

use crate::host::manifest;
use crate::script::Answer;

/// What the host has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The files of the folder that start the program; more than one is a fault of the host.
    pub files: Vec<String>,
    /// The same with what stands in each.
    pub all: Vec<File>,
    /// Files that name the program and start another.
    pub namesakes: Vec<String>,
    /// The SHA-256 of the first that starts it.
    pub sha256: String,
    /// Its text.
    pub text: String,
    /// Permission bits.
    pub mode: u32,
    /// The program's processes: (pid, start time in clock ticks since boot).
    pub processes: Vec<(u32, u64)>,
    /// SHA-256 of the old text kept by this run, when it is there.
    pub before: Option<String>,
    /// SHA-256 of the new text staged by this run, when it is there.
    pub next: Option<String>,
    /// The run's folder is there.
    pub folder: bool,
    /// The age of this run's mark in seconds, when it is there.
    pub marked: Option<u64>,
    /// Where this run's exchange stands, when one was begun.
    pub state: Option<State>,
    /// What other runs, or other steps of this one, left here.
    pub others: Vec<Other>,
}

/// A file that starts the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path.
    pub path: String,
    /// The SHA-256 of its text.
    pub sha256: String,
    /// Its text, or why there is none that could be read.
    pub text: Result<String, String>,
}

/// Where an exchange stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Under way.
    Moving,
    /// The new process answers.
    Ready,
    /// It came to its end without the new manifest, and the old one is in its place.
    Kept(Kept),
    /// What exchanged the manifest was told to end, and put the old one back first: an orderly reboot.
    Stopped,
    /// What exchanged the manifest on the host died in the middle: a reboot, or no memory.
    Broken,
}

/// Why the old manifest is in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// The new process did not answer.
    Unanswered,
    /// The old process did not exit.
    Stayed,
    /// The manifest could not be taken out.
    Untaken,
    /// The new one could not be put in.
    Unwritten,
}

impl State {
    pub(in crate::host) fn parse(word: &str) -> Option<Self> {
        match word {
            "out" | "in" => Some(Self::Moving),
            "ready" => Some(Self::Ready),
            "reverted" => Some(Self::Kept(Kept::Unanswered)),
            "stayed" => Some(Self::Kept(Kept::Stayed)),
            "untaken" => Some(Self::Kept(Kept::Untaken)),
            "unwritten" => Some(Self::Kept(Kept::Unwritten)),
            "stopped" => Some(Self::Stopped),
            "broken" => Some(Self::Broken),
            _ => None,
        }
    }
}

/// An exchange of the same program on a host, in another folder than the one asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// The folder beside the manifests.
    pub folder: String,
    /// How it stands.
    pub stands: Stands,
    /// How long it has stood so, in seconds by the host's clock.
    pub age: u64,
    /// The manifest's path, once it was begun.
    pub file: String,
    /// Whose run.
    pub run: String,
    /// By whom; empty when an earlier version began it.
    pub operator: String,
}

/// How another exchange stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// About to begin.
    Marked,
    /// Under way.
    Moving,
    /// It broke off with the manifest out: nothing starts the program on that host.
    Out,
    /// It broke off with a manifest in its place.
    Broken,
}

fn others(answer: &Answer) -> Vec<Other> {
    let mut all: Vec<Other> = Vec::new();
    for (key, value) in answer.pairs() {
        if key == "other.folder" {
            // A folder is named by its run: `breakglass-RUN-STEP-TAG`.
            let name = value.rsplit_once("/breakglass-").map_or("", |(_, name)| name);
            let run = name.rsplitn(3, '-').last().unwrap_or(name);
            all.push(Other {
                folder: value.to_owned(),
                stands: Stands::Broken,
                age: 0,
                file: String::new(),
                run: run.to_owned(),
                operator: String::new(),
            });
            continue;
        }
        let Some(last) = all.last_mut() else { continue };
        match (key, value) {
            (_, "") => {}
            ("other.is", "marked") => last.stands = Stands::Marked,
            ("other.is", "moving") => last.stands = Stands::Moving,
            ("other.is", "out") => last.stands = Stands::Out,
            ("other.age", age) => last.age = age.parse().unwrap_or(0),
            ("other.file", file) => file.clone_into(&mut last.file),
            ("other.run", run) => run.clone_into(&mut last.run),
            ("other.by", by) => by.clone_into(&mut last.operator),
            _ => {}
        }
    }
    // A mark has an end, so that one who went away blocks nobody for ever.
    all.retain(|other| other.stands != Stands::Marked || other.age <= super::MARK_LIFE);
    all
}

/// Reads what `under_way` printed; `None` if it broke off.
pub(super) fn under_way_seen(stdout: &str) -> Option<Vec<Other>> {
    let answer = Answer::parse(stdout);
    answer.yes("looked").then(|| others(&answer))
}

/// Reads what `look` printed of a program: what was seen, or why there is nothing that could be; `None` if it broke off.
pub(super) fn looked(stdout: &str, program: &str) -> Option<Result<Seen, String>> {
    let answer = Answer::parse(stdout);
    match answer.get("failed") {
        Some(why) => Some(Err(why.to_owned())),
        None => answer.yes("looked").then(|| seen(&answer, program)),
    }
}

fn seen(answer: &Answer, program: &str) -> Result<Seen, String> {
    use base64::Engine as _;
    let decoded = |text: &str| {
        let text = base64::engine::general_purpose::STANDARD.decode(text);
        let text = text.map_err(|e| format!("the manifest's text did not arrive whole: {e}"))?;
        String::from_utf8(text).map_err(|_| "the manifest is not UTF-8".to_owned())
    };
    // Each file's lines come together, in this order; an empty file has no text.
    let (mut files, mut all, mut namesakes, mut first) = (Vec::new(), Vec::new(), Vec::new(), None);
    let mut pairs = answer.pairs().skip_while(|(key, _)| *key != "file").peekable();
    while let Some((_, file)) = pairs.next() {
        let (mut sha256, mut mode, mut text) = ("", "", "");
        while let Some((key, value)) = pairs.next_if(|(key, _)| *key != "file") {
            match key {
                "sha256" => sha256 = value,
                "mode" => mode = value,
                "text" => text = value,
                _ => {}
            }
        }
        match decoded(text) {
            Ok(text) if !manifest::starts(&text, program) => namesakes.push(file.to_owned()),
            text => {
                files.push(file.to_owned());
                all.push(File { path: file.to_owned(), sha256: sha256.to_owned(), text: text.clone() });
                first.get_or_insert((sha256.to_owned(), u32::from_str_radix(mode, 8).unwrap_or(0o600), text));
            }
        }
    }
    let (sha256, mode, text) = first.unwrap_or((String::new(), 0o600, Ok(String::new())));
    let process = |word: &str| {
        let (pid, start) = word.split_once(':')?;
        Some((pid.parse().ok()?, start.parse().ok()?))
    };
    Ok(Seen {
        files,
        all,
        namesakes,
        sha256,
        text: text?,
        mode,
        processes: answer.all("process").filter_map(process).collect(),
        before: answer.get("before").map(str::to_owned),
        next: answer.get("next").map(str::to_owned),
        folder: answer.get("folder").is_some(),
        marked: answer.number("marked"),
        state: answer.get("state").and_then(State::parse),
        others: others(answer),
    })
}
