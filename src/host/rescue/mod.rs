//! A component that is down because of its static pod: what its host knows of the reason, and the two narrow ways to mend it: one
//! text renamed over another, and a file moved out of the manifests' folder.
//!
//! Other than an exchange (`swap`), nothing here waits or puts anything back by itself: the text that is replaced has been seen not
//! to start, so there is nothing to go back to, and a manifest is never out of its folder, not for a moment.

use std::fmt::Write as _;
use std::time::Duration;

use self::text::{LOOKS, MOVE, REPLACE};
use super::genuine::GENUINE;
use super::order::{Order as _, Query, order};
use super::program::LISTENS;
use super::swap::{LIB, Place};
use crate::script::{Answer, Script, quote};

pub mod copy;
#[cfg(test)]
mod tests;
mod text;

order! {
    /// Looks why a component does not answer.
    ManifestEvidence = "manifest.evidence" { manifests: String, program: String, beside: String, url: String, files: String,
        image: String, certificates: String
    } -> Evidence, |_, stdout| evidence(stdout)
}

/// Where to look for the reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asks {
    /// Where the component should answer.
    pub url: String,
    /// The port of that.
    pub port: u16,
    /// The files that start it.
    pub files: Vec<String>,
    /// Its image, where the manifest says one.
    pub image: String,
    /// The certificates that it is told to read, as the host sees them.
    pub certificates: Vec<String>,
}

/// The script that looks; it writes nothing.
pub fn look(place: &Place, asks: &Asks) -> Query<ManifestEvidence> {
    let Asks { url, port, files, image, certificates } = asks;
    let (files, certificates) = (lines(files), lines(certificates));
    let mut body = [GENUINE, LIB, LISTENS].concat();
    let _ = write!(
        body,
        "m={}; b={}; p={}; manifests=$m; url={}; port={port}; image={}\nfiles={}\ncertificates={}\n{LOOKS}",
        quote(place.manifests.trim_end_matches('/')),
        quote(&place.beside()),
        quote(&place.program),
        quote(url),
        quote(image),
        quote(&files),
        quote(&certificates),
    );
    let Place { manifests, program, .. } = place.clone();
    let (url, image) = (url.clone(), image.clone());
    let [files, certificates] = [files, certificates].map(|list| list.replace('\n', " "));
    ManifestEvidence { manifests, program, beside: place.beside(), url, files, image, certificates }.query(body)
}

/// One a line; what has a line break in it is no path that anybody meant.
fn lines(paths: &[String]) -> String {
    paths.iter().filter(|path| !path.contains('\n')).cloned().collect::<Vec<_>>().join("\n")
}

/// What a host knows of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Its processes: number and age.
    pub processes: Vec<(u32, Duration)>,
    /// It answers, twice in a row.
    pub answers: bool,
    /// What it said instead.
    pub said: Option<String>,
    /// Nobody can ask it there: the host has no curl.
    pub unasked: bool,
    /// Somebody listens at its port.
    pub listens: bool,
    /// Who does, as `ss` says it.
    pub holder: Option<String>,
    /// The log of its newest container, where that was started after the manifest was changed the last time.
    pub file: Option<String>,
    /// The telling lines of it, or its last ones.
    pub log: Vec<String>,
    /// There is one of a container from before that.
    pub stale: bool,
    /// How often that container's pod was started anew.
    pub restarts: Option<u32>,
    /// How often the kernel killed something in its pod for its memory.
    pub killed: u64,
    /// What its kubelet says.
    pub kubelet: Vec<String>,
    /// A kubelet runs.
    pub has_kubelet: bool,
    /// The host's runtime has other images, and not this one.
    pub no_image: bool,
    /// Certificates that have ended: path and date.
    pub ended: Vec<String>,
    /// Files of the folder that have its name in theirs.
    pub named: Vec<String>,
    /// Other texts of its manifest on the host: age in seconds, and path; the youngest first.
    pub copies: Vec<(u64, String)>,
}

impl Evidence {
    /// It answers, or it listens where nobody can ask it.
    pub fn is_up(&self) -> bool {
        self.answers || (self.unasked && self.listens && !self.processes.is_empty())
    }
}

/// Reads what `look` printed; `None` if it broke off.
fn evidence(stdout: &str) -> Option<Evidence> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    let all = |key: &str| answer.all(key).map(str::to_owned).collect::<Vec<_>>();
    let one = |key: &str| answer.get(key).filter(|text| !text.is_empty()).map(str::to_owned);
    let process = |line: &str| {
        let (pid, age) = line.split_once(' ')?;
        Some((pid.parse().ok()?, Duration::from_secs(age.parse().ok()?)))
    };
    let copy = |line: &str| {
        let (age, path) = line.split_once(' ')?;
        Some((age.parse().ok()?, path.to_owned()))
    };
    let mut copies: Vec<(u64, String)> = answer.all("copy").filter_map(copy).collect();
    copies.sort();
    Some(Evidence {
        processes: answer.all("process").filter_map(process).collect(),
        answers: answer.yes("answers"),
        said: one("said"),
        unasked: answer.get("unasked").is_some(),
        listens: answer.yes("listens"),
        holder: one("holder"),
        file: one("log.file"),
        log: all("log"),
        stale: answer.get("stale").is_some(),
        restarts: answer.get("started").and_then(|number| number.parse().ok()),
        killed: answer.all("killed").filter_map(|number| number.parse().ok()).max().unwrap_or(0),
        kubelet: all("kubelet"),
        has_kubelet: answer.all("runs").any(|program| program == "kubelet"),
        no_image: answer.get("image") == Some("missing"),
        ended: all("ended"),
        named: all("named"),
        copies,
    })
}

order! {
    /// Renames one text of a manifest over another.
    ManifestReplace = "manifest.replace" { file: String, from: String, staged: String, to: String, beside: String }
}

/// The script that puts the staged text in the place of the manifest's own, in one step; it may be repeated.
pub fn replace(place: &Place, file: &str, (from, to): (&str, &str), staged: &str) -> Script {
    let body = format!(
        "{GENUINE}{LIB}F={}; B={}; N={}; from={}; to={}\n{REPLACE}",
        quote(file),
        quote(&place.beside()),
        quote(staged),
        quote(from),
        quote(to)
    );
    let own = str::to_owned;
    ManifestReplace { file: own(file), from: own(from), staged: own(staged), to: own(to), beside: place.beside() }
        .script(body)
        .words(format!("{file} replaced by {staged}, in one step"))
}

order! {
    /// Moves a file out of the manifests' folder, or back in.
    ManifestMove = "manifest.move" { file: String, to: String, sha256: String, stays: String, beside: String }
}

/// The script that moves a file; `stays` is the manifest that has to be there without it, where one has to. It may be repeated.
pub fn move_file(place: &Place, (file, to): (&str, &str), sha256: &str, stays: Option<&str>) -> Script {
    let (beside, stays) = (place.beside(), stays.unwrap_or_default());
    let body = format!(
        "{GENUINE}{LIB}F={}; T={}; sha={}; stays={}; B={}\n{MOVE}",
        quote(file),
        quote(to),
        quote(sha256),
        quote(stays),
        quote(&beside)
    );
    let own = str::to_owned;
    ManifestMove { file: own(file), to: own(to), sha256: own(sha256), stays: own(stays), beside }
        .script(body)
        .words(format!("{file} moved to {to}"))
}
