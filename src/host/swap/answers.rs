//! What a host says of an exchange, as values.

use crate::host::script::Answer;

/// What the host has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The files of the folder that start the program; more than one is a fault of the host.
    pub files: Vec<String>,
    /// The SHA-256 of the first of them.
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

/// Reads what `look` printed.
///
/// # Errors
/// One sentence.
pub fn seen(stdout: &str) -> Result<Seen, String> {
    use base64::Engine as _;
    let answer = Answer::parse(stdout);
    if let Some(why) = answer.get("failed") {
        return Err(why.to_owned());
    }
    if !answer.yes("looked") {
        return Err("the answer broke off".into());
    }
    let text = base64::engine::general_purpose::STANDARD
        .decode(answer.get("text").unwrap_or_default())
        .map_err(|e| format!("the manifest's text did not arrive whole: {e}"))?;
    let process = |word: &str| {
        let (pid, start) = word.split_once(':')?;
        Some((pid.parse().ok()?, start.parse().ok()?))
    };
    Ok(Seen {
        files: answer.all("file").map(str::to_owned).collect(),
        sha256: answer.get("sha256").unwrap_or_default().to_owned(),
        text: String::from_utf8(text).map_err(|_| "the manifest is not UTF-8".to_owned())?,
        mode: answer.get("mode").and_then(|m| u32::from_str_radix(m, 8).ok()).unwrap_or(0o600),
        processes: answer.all("process").filter_map(process).collect(),
        before: answer.get("before").map(str::to_owned),
        next: answer.get("next").map(str::to_owned),
        folder: answer.get("folder").is_some(),
        state: answer.get("state").and_then(State::parse),
    })
}
