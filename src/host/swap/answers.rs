//! What a host says of an exchange, as values.

use crate::host::manifest;
use crate::host::script::Answer;

/// What the host has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The files of the folder that start the program; more than one is a fault of the host.
    pub files: Vec<String>,
    /// Files that name the program and start another.
    pub others: Vec<String>,
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
    /// Where this run's exchange stands, when one was begun.
    pub state: Option<State>,
}

/// Where an exchange stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Under way.
    Moving,
    /// The new process answers.
    Ready,
    /// The new process did not answer, or the old one did not exit; the old manifest is back.
    Reverted,
    /// What exchanged the manifest on the host died in the middle: a reboot, or no memory.
    Broken,
}

impl State {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "out" | "in" => Some(Self::Moving),
            "ready" => Some(Self::Ready),
            "reverted" | "stayed" => Some(Self::Reverted),
            "broken" => Some(Self::Broken),
            _ => None,
        }
    }
}

/// Reads what `look` printed of a program.
///
/// # Errors
/// One sentence.
pub fn seen(stdout: &str, program: &str) -> Result<Seen, String> {
    use base64::Engine as _;
    let answer = Answer::parse(stdout);
    if let Some(why) = answer.get("failed") {
        return Err(why.to_owned());
    }
    if !answer.yes("looked") {
        return Err("the answer broke off".into());
    }
    let decoded = |text: &str| {
        let text = base64::engine::general_purpose::STANDARD.decode(text);
        let text = text.map_err(|e| format!("the manifest's text did not arrive whole: {e}"))?;
        String::from_utf8(text).map_err(|_| "the manifest is not UTF-8".to_owned())
    };
    // Each file's lines come together, in this order; an empty file has no text.
    let (mut files, mut others, mut first) = (Vec::new(), Vec::new(), None);
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
            Ok(text) if !manifest::starts(&text, program) => others.push(file.to_owned()),
            text => {
                files.push(file.to_owned());
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
        others,
        sha256,
        text: text?,
        mode,
        processes: answer.all("process").filter_map(process).collect(),
        before: answer.get("before").map(str::to_owned),
        next: answer.get("next").map(str::to_owned),
        folder: answer.get("folder").is_some(),
        state: answer.get("state").and_then(State::parse),
    })
}
