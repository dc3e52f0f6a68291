//! What a host says of a recovery API server, as values.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::text::PROGRAM_NAME;
use crate::host::manifest::{self, Launch};
use crate::script::Answer;

/// One that stands, or has died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Whose run.
    pub run: String,
    /// By whom.
    pub operator: String,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Since when it is there.
    pub age: Duration,
    /// How long it is there yet, unless that is extended.
    pub left: Duration,
    /// What ends it is there.
    pub watched: bool,
    /// Its process.
    pub server: Option<u32>,
    /// What that holds in memory, in bytes.
    pub memory: Option<u64>,
    /// It listens.
    pub listens: bool,
    /// It came to an end before its time.
    pub died: Option<Died>,
    /// Its certificate and the authority of that, PEM.
    pub trust: Option<Vec<u8>>,
    /// The client certificates that it takes beside those of the cluster, PEM, one after another.
    pub own: String,
}

/// How one came to its end before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Died {
    /// The exit status; a signal counts as 128 + its number.
    pub status: u32,
    /// Its last words.
    pub last: String,
}

/// Whether one stands.
pub type Standing = Option<Recovery>;

/// What one would be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The one that stands already.
    pub standing: Standing,
    /// How the host's API server was started, by its processes.
    pub processes: Vec<Vec<String>>,
    /// Files of the static pods' folder that name it, with their text.
    pub files: Vec<(String, String)>,
    /// What the host could still hand out of its memory, in bytes.
    pub available: Option<u64>,
    /// Ports, of those that one may take, on which somebody listens.
    pub taken: Vec<u16>,
    /// Programs that run there and have an API server inside of them.
    pub runs: Vec<String>,
}

impl Seen {
    /// How the host's API server is started: as its process was, else as its manifest says.
    ///
    /// # Errors
    /// One sentence: there is neither, or it cannot be told.
    pub fn launch(&self) -> Result<Launch, String> {
        let manifests: Vec<_> = self.files.iter().filter(|(_, text)| manifest::starts(text, PROGRAM_NAME)).collect();
        let by_manifest = match manifests.as_slice() {
            [] => None,
            [(file, text)] => Some(manifest::launch(text, PROGRAM_NAME).map_err(|why| format!("{file}: {why}"))),
            several => {
                let names: Vec<&str> = several.iter().map(|(file, _)| file.as_str()).collect();
                Some(Err(format!("several manifests start it: {}", names.join(", "))))
            }
        };
        match (self.processes.first(), by_manifest) {
            (Some(words), by_manifest) => {
                let Launch { mounts, image, .. } = by_manifest.and_then(Result::ok).unwrap_or_default();
                Ok(Launch { words: after_program(words), mounts, image })
            }
            (None, Some(by_manifest)) => by_manifest,
            (None, None) if self.runs.is_empty() => {
                Err(format!("no process of {PROGRAM_NAME} runs here, and no static pod starts one"))
            }
            (None, None) => {
                let runs = self.runs.join(", ");
                Err(format!("{runs} has the API server inside of it, and none can be started beside it"))
            }
        }
    }
}

/// What the program was told: hyperkube is told first which one it is.
fn after_program(words: &[String]) -> Vec<String> {
    let flag = words.iter().position(|word| word.starts_with('-')).unwrap_or(words.len());
    words[flag..].to_vec()
}

fn decoded(text: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(text).ok()?).ok()
}

/// Reads what `tell` printed.
fn recovery(answer: &Answer) -> Standing {
    let text = |key: &str| answer.get(&format!("recovery.{key}")).map(str::to_owned);
    let number = |key: &str| answer.number(&format!("recovery.{key}"));
    let seconds = |key: &str| Duration::from_secs(number(key).unwrap_or(0));
    Some(Recovery {
        run: text("run")?,
        operator: text("by").unwrap_or_default(),
        port: number("port").and_then(|port| port.try_into().ok())?,
        age: seconds("age"),
        left: seconds("left"),
        watched: answer.yes("recovery.watched"),
        server: number("server").and_then(|pid| pid.try_into().ok()),
        memory: number("memory").map(|kib| kib.saturating_mul(1024)),
        listens: answer.yes("recovery.listens"),
        died: number("died").map(|status| Died {
            status: status.try_into().unwrap_or(u32::MAX),
            last: text("last").unwrap_or_default(),
        }),
        trust: text("trust").and_then(|text| STANDARD.decode(text).ok()),
        own: text("own").and_then(|text| decoded(&text)).unwrap_or_default(),
    })
}

/// Reads what `status` printed; `None` if it broke off.
pub(super) fn standing(stdout: &str) -> Option<Standing> {
    let answer = Answer::parse(stdout);
    answer.yes("end").then(|| recovery(&answer))
}

/// Reads what `survey` printed; `None` if it broke off.
pub(super) fn seen(stdout: &str) -> Option<Seen> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    let words = |text: &str| {
        let line = decoded(text)?;
        Some(line.trim_end_matches('\0').split('\0').map(str::to_owned).collect())
    };
    let files = answer.all("file").zip(answer.all("text"));
    Some(Seen {
        standing: recovery(&answer),
        processes: answer.all("process").filter_map(words).collect(),
        files: files.filter_map(|(file, text)| Some((file.to_owned(), decoded(text)?))).collect(),
        available: answer.number("available").map(|kib| kib.saturating_mul(1024)),
        taken: answer.all("taken").filter_map(|port| port.parse().ok()).collect(),
        runs: answer.all("runs").map(str::to_owned).collect(),
    })
}
