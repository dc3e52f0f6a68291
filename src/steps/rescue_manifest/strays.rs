//! Several files of the folder that start one component: which of them the kubelet obeys, and which does not belong in there.
//!
//! The kubelet reads every file of the folder, whatever its ending, in the order of the names; of several with the same pod the last
//! one counts.

use crate::host::manifest;
use crate::host::swap::File;

/// What tells a copy by its name.
const COPIES: [&str; 14] = [
    ".bak", ".backup", "backup", ".old", "-old", "_old", ".orig", ".save", ".saved", ".swp", ".tmp", ".rpm", ".dpkg-",
    "copy",
];
/// The endings that manifests have.
const ENDINGS: [&str; 4] = [".yaml", ".yml", ".json", ".manifest"];

/// A file that goes, and the one that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stray<'a> {
    pub(super) goes: &'a File,
    pub(super) stays: &'a File,
    /// The kubelet obeys the one that goes, as far as their names tell.
    pub(super) wins: bool,
}

/// Which one is the stray, where that can be told. `asked` is the one that somebody named.
///
/// # Errors
/// One sentence: it cannot be told, or nothing is left to stay.
pub(super) fn stray<'a>(files: &'a [File], program: &str, asked: Option<&str>) -> Result<Stray<'a>, String> {
    if let Some(asked) = asked {
        let is = |file: &&File| file.path == asked || name(file) == asked;
        let goes = files.iter().find(is).ok_or_else(|| {
            format!("{asked} is none of the files of the folder that start {program}: {}", listed(files))
        })?;
        let rest = || files.iter().filter(|file| file.path != goes.path && readable(file, program));
        let stays = rest().find(|file| usual(file, program)).or_else(|| rest().next_back());
        let stays = stays.ok_or_else(|| {
            format!("{} is the only file of the folder that can be read and starts {program}, so it stays", goes.path)
        })?;
        return Ok(Stray { goes, stays, wins: wins(goes, files) });
    }
    let mut usuals = files.iter().filter(|file| usual(file, program) && readable(file, program));
    let (Some(stays), None) = (usuals.next(), usuals.next()) else {
        return Err(format!(
            "none of them alone has the usual name {program}.yaml, so it cannot be told which one is the copy"
        ));
    };
    let same = |file: &File| pod(file).is_some() && pod(file) == pod(stays);
    let copies =
        |file: &&File| file.path != stays.path && (copy_by_name(file) || (same(file) && file.sha256 != stays.sha256));
    // The one that counts goes first.
    let goes = files
        .iter()
        .rev()
        .find(copies)
        .ok_or_else(|| "neither its name nor its text tells that one of them is a copy of the other".to_owned())?;
    Ok(Stray { goes, stays, wins: wins(goes, files) })
}

/// The one of several that the kubelet obeys, as far as their names tell.
pub(super) fn obeyed(files: &[File]) -> Option<&File> {
    files.iter().max_by_key(|file| &file.path)
}

pub(super) fn listed(files: &[File]) -> String {
    files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>().join(", ")
}

fn wins(goes: &File, files: &[File]) -> bool {
    let same = |file: &&File| pod(file).is_none() || pod(goes).is_none() || pod(file) == pod(goes);
    files.iter().filter(same).all(|file| file.path <= goes.path)
}

fn name(file: &File) -> &str {
    file.path.rsplit('/').next().unwrap_or_default()
}

fn pod(file: &File) -> Option<String> {
    manifest::pod(file.text.as_ref().ok()?)
}

fn readable(file: &File, program: &str) -> bool {
    file.text.as_ref().is_ok_and(|text| manifest::image(text, program).is_ok())
}

fn usual(file: &File, program: &str) -> bool {
    ENDINGS.iter().any(|ending| name(file).strip_suffix(ending) == Some(program))
}

fn copy_by_name(file: &File) -> bool {
    let name = name(file).to_ascii_lowercase();
    name.ends_with('~')
        || COPIES.iter().any(|word| name.contains(word))
        || !ENDINGS.iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "kube-apiserver";

    fn file(name: &str, pod: &str, flag: &str) -> File {
        let text = format!(
            "kind: Pod\nmetadata: {{name: {pod}, namespace: kube-system}}\nspec:\n  containers:\n  - name: {pod}\n    \
             command: [kube-apiserver, {flag}]\n    image: x\n"
        );
        File { path: format!("/m/{name}"), sha256: crate::change::sha256_hex(text.as_bytes()), text: Ok(text) }
    }

    fn names(files: &[File], asked: Option<&str>) -> Result<(String, String, bool), String> {
        let Stray { goes, stays, wins } = stray(files, PROGRAM, asked)?;
        Ok((goes.path.clone(), stays.path.clone(), wins))
    }

    #[test]
    fn a_copy_is_told_by_its_name_or_by_its_other_text() {
        let own = || file("kube-apiserver.yaml", PROGRAM, "--a=1");
        for (other, flag, wins) in [
            ("kube-apiserver.yaml.bak", "--a=2", true),
            ("kube-apiserver.yaml.bak", "--a=1", true),
            ("kube-apiserver.yaml~", "--a=2", true),
            ("kube-apiserver.yaml.2026-11-27", "--a=2", true),
            ("apiserver-new.yaml", "--a=2", false),
            ("kube-apiserver-copy.yaml", "--a=1", false),
            ("z.yaml", "--a=2", true),
        ] {
            let mut files = vec![own(), file(other, PROGRAM, flag)];
            files.sort_by(|a, b| a.path.cmp(&b.path));
            let wanted = (format!("/m/{other}"), "/m/kube-apiserver.yaml".to_owned(), wins);
            assert_eq!(names(&files, None), Ok(wanted), "{other} {flag}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_asked_and_what_was_named_goes() {
        let own = || file("kube-apiserver.yaml", PROGRAM, "--a=1");
        let twin = || file("z.yaml", PROGRAM, "--a=1");
        let another = || file("second.yaml", "kube-apiserver-2", "--a=2");
        let odd = || file("api.yaml", PROGRAM, "--a=2");
        for files in [
            vec![own(), twin()],
            vec![own(), another()],
            vec![odd(), file("server.yaml", PROGRAM, "--a=3")],
            vec![own(), file("kube-apiserver.json", PROGRAM, "--a=3")],
        ] {
            assert!(names(&files, None).is_err(), "{files:?}");
            let asked = names(&files, Some(&files[1].path)).unwrap();
            assert_eq!((asked.0, asked.1), (files[1].path.clone(), files[0].path.clone()));
        }
        let bare = names(&[own(), twin()], Some("kube-apiserver.yaml")).unwrap();
        assert_eq!(
            (bare.0.as_str(), bare.2),
            ("/m/kube-apiserver.yaml", false),
            "by its bare name, the usual one, too"
        );
        assert!(names(&[own(), twin()], Some("other.yaml")).unwrap_err().contains("/m/z.yaml"));
    }

    #[test]
    fn the_last_one_that_can_be_read_stays() {
        let broken =
            File { path: "/m/kube-apiserver.yaml".into(), sha256: "x".into(), text: Ok("kind: Pod\n a: [\n".into()) };
        let files = [broken, file("kube-apiserver.yaml.bak", PROGRAM, "--a=1")];
        assert!(names(&files, None).is_err());
        assert!(names(&files, Some("kube-apiserver.yaml.bak")).unwrap_err().contains("so it stays"));
    }
}
