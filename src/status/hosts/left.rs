//! What runs have left beside the manifests of a host: exchanges, what was mended, the node lifecycle, certificates.

use futures::FutureExt as _;

use super::{LIMIT, Looking, Marks, On};
use crate::host::left::{self, Folder, Left};
use crate::host::swap::{MARK_LIFE, State};
use crate::shell::word;
use crate::status::{Back, Ends, Kind, Place, Seen, Stands, ago};
use crate::words;

/// A script that still works in its folder is younger.
const UNDER_WAY: u64 = 120;
/// What the host says of a time that it does not know.
const UNTIMED: u64 = 999_999;
/// The longest that an exchange and its way back take, where nobody asked for more.
const EXCHANGE: u64 = 600;

pub(super) fn look(on: On<'_>) -> Looking<'_> {
    async move {
        let left = on.reads.ask(on.target, &left::look(&on.host.manifests), LIMIT).await?;
        let folders = left.folders.iter().map(|one| stands(on, &left, one));
        let scratch = left.scratch.iter().filter(|(age, _)| *age > UNDER_WAY).map(|one| scratch(on, one));
        let mut marks = Marks { stands: folders.chain(scratch).collect(), remarks: Vec::new() };
        if left.frozen && !left.folders.iter().any(|one| one.tag == "freeze") {
            marks.remarks.push(format!(
                "{}: its node lifecycle is off, and no run of ours has left a word of it there",
                on.target
            ));
        }
        Ok(marks)
    }
    .boxed()
}

fn stands(on: On<'_>, left: &Left, one: &Folder) -> Stands {
    let Judged { what, by_hand, ends } = judge(on.host.manifests.trim_end_matches('/'), left, one);
    let back = match by_hand {
        Ok(command) => Back::OnHost { from_here: on.host.by_hand(&command), command },
        Err(why) => Back::Nothing(why),
    };
    Stands {
        cluster: on.target.cluster.clone(),
        place: Place::Host(on.target.short().to_owned()),
        kind: if one.tag == "certificates" { Kind::Certificates } else { Kind::Manifest },
        part: one.path.clone(),
        what,
        run: one.run.clone(),
        operator: Some(one.operator.clone()).filter(|by| !by.is_empty()),
        about: String::new(),
        since: one.age.and_then(|age| ago(on.now, age)),
        ends,
        seen: Seen::Mark,
        back,
    }
}

/// What a script works in for a moment, and was killed over: nothing acts by it, and it may hold what nobody else is to read.
fn scratch(on: On<'_>, (age, path): &(u64, String)) -> Stands {
    let command = format!("rm -r {}", word(path));
    Stands {
        cluster: on.target.cluster.clone(),
        place: Place::Host(on.target.short().to_owned()),
        kind: Kind::Scratch,
        part: path.clone(),
        what: format!("a folder of a script that was killed: {path}"),
        run: String::new(),
        operator: None,
        about: String::new(),
        since: ago(on.now, *age).filter(|_| *age < UNTIMED),
        ends: None,
        seen: Seen::Mark,
        back: Back::OnHost { from_here: on.host.by_hand(&command), command },
    }
}

/// What a folder comes to.
struct Judged {
    what: String,
    /// What takes it back, typed on the host, or why nothing does.
    by_hand: Result<String, String>,
    ends: Option<Ends>,
}

impl Judged {
    fn of(what: impl Into<String>, by_hand: String) -> Self {
        Self { what: what.into(), by_hand: Ok(by_hand), ends: None }
    }

    /// It comes to an end, and then there is something else to see.
    fn moving(what: String, seconds: u64) -> Self {
        let how = format!("within {seconds} s");
        Self {
            what,
            by_hand: Err("it comes to an end by itself; look again".into()),
            ends: Some(Ends { seconds, how }),
        }
    }
}

fn judge(manifests: &str, left: &Left, one: &Folder) -> Judged {
    let folder = word(&one.path);
    let away = format!("rm -r {folder}");
    let program = if one.program.is_empty() { "a component" } else { &one.program };
    if one.unread {
        return Judged::of("a folder of a run, which cannot be read by whom we log in as", format!("ls -la {folder}"));
    }
    if one.out {
        let file = word(&one.file);
        return Judged::of(
            format!("the manifest of {program} is out of its place, and what exchanged it has died"),
            format!("mv {folder}/out.yaml {file}"),
        );
    }
    if one.state == Some(State::Moving) {
        let left = EXCHANGE.saturating_sub(one.age.unwrap_or(0)).max(1);
        return Judged::moving(format!("the manifest of {program} is being exchanged"), left);
    }
    if !one.kept.is_empty() {
        return certificates(one, &folder, &away);
    }
    if !one.strays.is_empty() {
        let back = one.strays.iter().map(|name| {
            format!("mv {folder}/{} {}", word(&format!("stray-{name}")), word(&format!("{manifests}/{name}")))
        });
        let back: Vec<String> = back.chain([away]).collect();
        return Judged::of(format!("{} moved out of the manifests' folder", one.strays.join(", ")), back.join(" && "));
    }
    if let Some(file) = one.stands(left) {
        let broke = if one.state == Some(State::Broken) { ", by an exchange that broke off" } else { "" };
        let name = file.rsplit('/').next().unwrap_or(file);
        return Judged::of(format!("{}{broke}", edited(one, name)), put_back(one, &folder, file));
    }
    if let Some(file) = one.is_back(left) {
        let name = file.rsplit('/').next().unwrap_or(file);
        return Judged::of(format!("copies of {name}, which is what it was before"), away);
    }
    if let Some(age) = one.marked.filter(|age| *age <= MARK_LIFE && one.before.is_none()) {
        return Judged::moving(format!("the manifest of {program} is about to be exchanged"), (MARK_LIFE - age).max(1));
    }
    if one.before.is_some() {
        let by = match one.followed_by(left) {
            Some(next) => format!("by run {}", next.run),
            None => "by somebody".to_owned(),
        };
        let frozen = match one.tag.as_str() {
            "freeze" if left.frozen => "; it is frozen still",
            "freeze" => "; it is frozen no more",
            _ => "",
        };
        let file = if one.file.is_empty() { format!("{manifests}/{program}.yaml") } else { one.file.clone() };
        return Judged::of(
            format!("{}, and the manifest of {program} changed again since {by}{frozen}", done(&one.tag)),
            format!("diff {folder}/before.yaml {}", word(&file)),
        );
    }
    if one.changed {
        return Judged::of(
            format!("a manifest of {program} put in where there was none, or taken out again"),
            format!("ls -la {} {folder}", word(manifests)),
        );
    }
    Judged::of("an empty folder of a run", away)
}

/// What a text of a run in its place means.
fn edited(one: &Folder, name: &str) -> String {
    format!("{} ({name})", done(&one.tag))
}

/// What a step has done that works in a folder of this name.
pub(in crate::status) fn done(tag: &str) -> String {
    match tag {
        "freeze" => "node lifecycle frozen".into(),
        "thaw" => "node lifecycle thawed".into(),
        "room" => "limits or flags changed".into(),
        "rescue" => "manifest mended".into(),
        "authorizers" => "authorizers read from a file".into(),
        tag => format!("manifest changed, {tag}"),
    }
}

/// The old text in its place again, in one rename, with owner and mode; then the folder goes.
fn put_back(one: &Folder, folder: &str, file: &str) -> String {
    let file = word(file);
    if one.before.is_none() {
        // It was put in where there was none.
        return format!("ls -la {folder} {file}");
    }
    format!(
        "cd {folder} && cp -p {file} put.yaml && cat before.yaml >put.yaml && mv -f put.yaml {file} && cd / && rm -r {folder}"
    )
}

fn certificates(one: &Folder, folder: &str, away: &str) -> Judged {
    let short = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let changed: Vec<&str> = one.kept.iter().filter(|file| file.changed).map(|file| file.path.as_str()).collect();
    if changed.is_empty() {
        return Judged::of("copies of certificates that are what they were before", away.to_owned());
    }
    let names: Vec<String> = changed.iter().map(|path| short(path)).collect();
    let back = changed.iter().map(|path| format!("cp -p {folder}/{} {}", left_as(path), word(path)));
    let back: Vec<String> = back.chain([away.to_owned()]).collect();
    Judged::of(
        format!("{} renewed: {}", words::count(changed.len(), "certificate"), names.join(", ")),
        back.join(" && "),
    )
}

fn left_as(path: &str) -> String {
    word(&crate::host::certificates::kept_as(path))
}
