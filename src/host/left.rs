//! What runs have left beside the manifests of a host: their folders, and whether a text of theirs stands in its place.
//!
//! Whoever looks needs no journal for it. A folder says whose it is and since when; that a text stands is seen by its hash, in
//! the manifests' folder itself.

use super::certificates::{LAYOUT, kept_as};
use super::manifest;
use super::order::{Order as _, Query, order};
use super::swap::{LIB, State};
use crate::script::{Answer, quote};

/// The program whose manifest says whether nodes are given up.
const CONTROLLER_MANAGER: &str = "kube-controller-manager";
/// Switched off by name, as `--controllers` has it.
const FROZEN: &str = "-node-lifecycle-controller";

order! {
    /// Looks at what runs have left beside the manifests.
    ManifestLeft = "manifest.left" { manifests: String } -> Left, |_, stdout| left(stdout)
}

/// What is there of all runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// Their folders.
    pub folders: Vec<Folder>,
    /// The files in the manifests' folder, where any folder of a run is there: path and SHA-256.
    pub manifests: Vec<(String, String)>,
    /// The controller manager is told to give no node up.
    pub frozen: bool,
    /// Folders that a script works in for a moment, and that one which was killed has left: age in seconds, and path.
    pub scratch: Vec<(u64, String)>,
}

/// The folder of one step of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folder {
    /// Its path.
    pub path: String,
    /// Whose run.
    pub run: String,
    /// What for: `freeze`, `room`, `rescue`, `certificates`.
    pub tag: String,
    /// By whom; empty where it does not say.
    pub operator: String,
    /// The program that the manifest starts; empty where it does not say.
    pub program: String,
    /// The manifest that is exchanged, once that was begun.
    pub file: String,
    /// For how long it has been there, in seconds by the host's clock, where that can be.
    pub age: Option<u64>,
    /// Where its exchange stands, when one was begun.
    pub state: Option<State>,
    /// The manifest is in no place but in there.
    pub out: bool,
    /// The age of the mark in it, in seconds.
    pub marked: Option<u64>,
    /// SHA-256 of the old text.
    pub before: Option<String>,
    /// SHA-256 of the new texts, in the order in which they were put in.
    pub next: Vec<String>,
    /// Files that were moved out of the manifests' folder, by the names that they had there.
    pub strays: Vec<String>,
    /// Certificates that were kept before they were renewed.
    pub kept: Vec<KeptFile>,
    /// A file was moved, or one text of a manifest replaced by another, by a step that works in there.
    pub changed: bool,
    /// It cannot be read by whom we log in as.
    pub unread: bool,
}

/// A file that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    /// Where it is at home.
    pub path: String,
    /// It is another one now.
    pub changed: bool,
}

impl Folder {
    /// The manifest in which one of its texts stands: the newest.
    pub fn stands<'a>(&self, left: &'a Left) -> Option<&'a str> {
        self.next.iter().rev().find_map(|sum| left.with(sum))
    }

    /// The manifest that is what it was before it.
    pub fn is_back<'a>(&self, left: &'a Left) -> Option<&'a str> {
        left.with(self.before.as_deref()?)
    }

    /// The run that put another text in after it.
    pub fn followed_by<'a>(&self, left: &'a Left) -> Option<&'a Folder> {
        let last = self.next.last()?;
        left.folders.iter().find(|other| other.path != self.path && other.before.as_ref() == Some(last))
    }
}

impl Left {
    /// The manifest with this text.
    fn with(&self, sum: &str) -> Option<&str> {
        self.manifests.iter().find(|(_, other)| other == sum).map(|(path, _)| path.as_str())
    }
}

/// The script that looks; it writes nothing.
pub fn look(manifests: &str) -> Query<ManifestLeft> {
    let manifests = manifests.trim_end_matches('/');
    let files: Vec<String> = LAYOUT.iter().map(|item| format!("{} {}", item.path, kept_as(item.path))).collect();
    let body = format!("{LIB}m={}\n{}", quote(manifests), LOOKS.replace("@FILES", &files.join("\n")));
    ManifestLeft { manifests: manifests.to_owned() }.query(body)
}

/// `$m` the folder of the manifests, `@FILES` the certificates with the names that they are kept under.
const LOOKS: &str = r#"any=
left() {
  [ ! -d "$1" ] || { [ -r "$1" ] && [ -x "$1" ]; } || fail "$1 cannot be read by whom we log in as" 3
  for o in "$1"/.breakglass.* /run/breakglass-sign.*; do
    [ ! -d "$o" ] || say scratch "$(age "$o") $o"
  done
  for o in "$1"/breakglass-*; do
    [ -d "$o" ] || continue
    any=1; file=; run=; by=; what=; since=$o
    say folder "$o"
    if [ ! -r "$o" ] || [ ! -x "$o" ]; then say unread yes; continue; fi
    if [ -f "$o/order" ]; then since=$o/order; { read -r file; read -r x; read -r run; read -r by; read -r what; } <"$o/order"
    elif [ -f "$o/mark" ]; then since=$o/mark; { read -r run; read -r by; read -r what; } <"$o/mark"; fi
    if [ -f "$o/changed" ]; then since=$o/changed; say changed yes; fi
    say run "$run"; say by "$by"; say program "$what"; say file "$file"
    say age "$(age "$since")"; say state "$(standing "$o")"
    if [ -n "$file" ] && [ -f "$o/out.yaml" ] && [ ! -e "$file" ]; then say out yes; fi
    [ ! -f "$o/mark" ] || say marked "$(age "$o/mark")"
    [ ! -f "$o/before.yaml" ] || say before "$(sum "$o/before.yaml")"
    for x in "$o/next.yaml" "$o"/next-*.yaml; do [ ! -f "$x" ] || say next "$(sum "$x")"; done
    for x in "$o"/stray-*; do [ ! -f "$x" ] || say stray "${x##*/stray-}"; done
    while read -r f n; do
      [ -f "$o/$n" ] || continue
      if [ "$(sum "$o/$n")" = "$(sum "$f")" ]; then say kept "$f"; else say renewed "$f"; fi
    done <<BREAKGLASS_FILES
@FILES
BREAKGLASS_FILES
  done
}
left "${m%/*}"
[ "${m%/*}" = /etc/kubernetes ] || left /etc/kubernetes
for f in "$m"/*; do
  [ -f "$f" ] || continue
  [ -r "$f" ] || fail "$f cannot be read by whom we log in as" 3
  [ -z "$any" ] || say manifest "$(sum "$f") $f"
  if grep -q -e node-lifecycle-controller "$f"; then say controllers "$(base64 <"$f" | tr -d '\n')"; fi
done
say end yes
"#;

/// Reads what `look` printed; `None` if it broke off.
fn left(stdout: &str) -> Option<Left> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    let mut all = Left { frozen: answer.all("controllers").any(frozen), ..Left::default() };
    for (key, value) in answer.pairs().filter(|(_, value)| !value.is_empty()) {
        let last = all.folders.last_mut();
        match (key, last) {
            ("folder", _) => all.folders.push(named(value)),
            ("scratch", _) => {
                let one = value.split_once(' ').and_then(|(age, path)| Some((age.parse().ok()?, path.to_owned())));
                all.scratch.extend(one.filter(|one| !all.scratch.contains(one)));
            }
            ("manifest", _) => all.manifests.extend(value.split_once(' ').map(|(sum, path)| (path.into(), sum.into()))),
            ("unread", Some(last)) => last.unread = true,
            ("run", Some(last)) => value.clone_into(&mut last.run),
            ("by", Some(last)) => value.clone_into(&mut last.operator),
            ("program", Some(last)) => value.clone_into(&mut last.program),
            ("file", Some(last)) => value.clone_into(&mut last.file),
            ("age", Some(last)) => last.age = value.parse().ok().filter(|age| *age != NO_AGE && *age < LONGEST),
            ("state", Some(last)) => last.state = State::parse(value),
            ("out", Some(last)) => last.out = true,
            ("changed", Some(last)) => last.changed = true,
            ("marked", Some(last)) => last.marked = value.parse().ok(),
            ("before", Some(last)) => last.before = Some(value.into()),
            ("next", Some(last)) => last.next.push(value.into()),
            ("stray", Some(last)) => last.strays.push(value.into()),
            ("kept" | "renewed", Some(last)) => {
                last.kept.push(KeptFile { path: value.into(), changed: key == "renewed" });
            }
            _ => {}
        }
    }
    Some(all)
}

/// What the script says of a time that is yet to come.
const NO_AGE: u64 = 999_999;
/// Ten years: a file whose time is not known counts from 1970 on.
const LONGEST: u64 = 315_360_000;

/// A folder by its name: `breakglass-RUN-STEP-TAG`.
fn named(path: &str) -> Folder {
    let name = path.rsplit_once("/breakglass-").map_or("", |(_, name)| name);
    let mut words = name.rsplitn(3, '-');
    let (tag, _step, run) = (words.next(), words.next(), words.next());
    let own = |word: Option<&str>| word.unwrap_or_default().to_owned();
    Folder { path: path.to_owned(), run: own(run.or(Some(name))), tag: own(tag), ..Folder::default() }
}

fn frozen(text: &str) -> bool {
    use base64::Engine as _;
    let text =
        base64::engine::general_purpose::STANDARD.decode(text).ok().and_then(|text| String::from_utf8(text).ok());
    let said = text.and_then(|text| manifest::flag(&text, CONTROLLER_MANAGER, "controllers").ok()).unwrap_or_default();
    said.iter().flat_map(|value| value.split(',')).any(|word| word.trim() == FROZEN)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::change::sha256_hex;
    use crate::host::swap::{self, Place};

    const SHELLS: [&str; 3] = ["sh", "bash", "busybox sh"];

    fn said(shell: &str, text: &str) -> String {
        let mut words = shell.split(' ');
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn looked(shell: &str, manifests: &str) -> Left {
        let query = look(manifests);
        query.read(&said(shell, &query.script().text())).unwrap()
    }

    fn place(dir: &Path, run: &str, tag: &str) -> Place {
        Place {
            manifests: dir.join("it's/manifests").display().to_string(),
            program: "kube-apiserver".into(),
            run: run.into(),
            operator: "alice o'neil".into(),
            tag: tag.into(),
        }
    }

    /// The folder of a step with its two texts.
    fn folder(shell: &str, place: &Place, texts: [&str; 2]) {
        said(shell, &swap::folder(place).text());
        fs::write(place.before(), texts[0]).unwrap();
        fs::write(place.next(), texts[1]).unwrap();
    }

    /// As it goes: put in, changed again by another run, taken back.
    #[test]
    fn whether_a_text_of_a_run_stands_is_seen_in_the_folder_of_the_manifests() {
        for shell in SHELLS {
            let dir = tempfile::tempdir().unwrap();
            let first = place(dir.path(), "20261128-090224.085-a4da", "1-room");
            let manifests = first.manifests.clone();
            fs::create_dir_all(&manifests).unwrap();
            let file = format!("{manifests}/kube-apiserver.yaml");
            fs::write(&file, "old").unwrap();
            assert_eq!(looked(shell, &manifests), Left::default(), "{shell}: nothing of ours is there");
            folder(shell, &first, ["old", "new"]);
            let left = looked(shell, &format!("{manifests}/"));
            let one = &left.folders[0];
            assert_eq!((one.run.as_str(), one.tag.as_str()), ("20261128-090224.085-a4da", "room"), "{shell}");
            assert_eq!((one.operator.as_str(), one.program.as_str()), ("alice o'neil", "kube-apiserver"));
            assert!(one.age.is_some_and(|age| age < 600) && one.marked.is_some(), "{one:?}");
            assert_eq!((one.stands(&left), one.is_back(&left)), (None, Some(file.as_str())));

            fs::write(&file, "new").unwrap();
            let order = format!("{file}\nx-y\n{}\nalice o'neil\nkube-apiserver\n", first.run);
            fs::write(format!("{}/order", first.beside()), order).unwrap();
            fs::write(format!("{}/state", first.beside()), "ready 7\n").unwrap();
            let left = looked(shell, &manifests);
            let one = &left.folders[0];
            assert_eq!((one.stands(&left), one.is_back(&left)), (Some(file.as_str()), None), "{shell}");
            assert_eq!((one.state, one.file.as_str()), (Some(State::Ready), file.as_str()));

            let second = place(dir.path(), "r2", "2-freeze");
            folder(shell, &second, ["new", "newer"]);
            fs::write(&file, "newer").unwrap();
            let left = looked(shell, &manifests);
            let of = |run: &str| left.folders.iter().find(|one| one.run == run).unwrap();
            assert_eq!((of("r2").stands(&left), of(&first.run).stands(&left)), (Some(file.as_str()), None));
            assert_eq!(of(&first.run).followed_by(&left).map(|next| next.run.as_str()), Some("r2"), "{shell}");
            assert_eq!(of("r2").followed_by(&left), None);
            assert_eq!(left.manifests, [(file.clone(), sha256_hex(b"newer"))]);
        }
    }

    #[test]
    fn a_manifest_that_lies_out_a_stray_file_and_a_frozen_lifecycle_are_seen() {
        for shell in SHELLS {
            let dir = tempfile::tempdir().unwrap();
            let place = place(dir.path(), "r1", "3-rescue");
            fs::create_dir_all(&place.manifests).unwrap();
            let frozen = "kind: Pod\nspec:\n  containers:\n  - command:\n    - kube-controller-manager\n    \
                          - --controllers=*,-node-lifecycle-controller,-taint-eviction-controller\n";
            fs::write(format!("{}/kcm.yaml", place.manifests), frozen).unwrap();
            assert!(looked(shell, &place.manifests).frozen, "{shell}");
            let named = frozen.replace("*,-node-l", "*,node-l");
            fs::write(format!("{}/kcm.yaml", place.manifests), named).unwrap();
            said(shell, &swap::folder(&place).text());
            let beside = place.beside();
            fs::write(format!("{beside}/stray-kube-apiserver old.yaml"), "x").unwrap();
            fs::write(format!("{beside}/changed"), "").unwrap();
            let left = looked(shell, &place.manifests);
            let one = &left.folders[0];
            assert_eq!((one.strays.as_slice(), one.changed), (["kube-apiserver old.yaml".to_owned()].as_slice(), true));
            assert!(!left.frozen && !one.out, "{shell}");
            fs::write(format!("{beside}/order"), format!("{}/gone.yaml\n\nr1\nbob\netcd\n", place.manifests)).unwrap();
            fs::write(format!("{beside}/out.yaml"), "x").unwrap();
            fs::write(format!("{beside}/state"), "out 99999999\n").unwrap();
            let left = looked(shell, &place.manifests);
            let one = &left.folders[0];
            assert!(one.out && one.state == Some(State::Broken), "{shell}: {one:?}");
            assert_eq!((one.operator.as_str(), one.program.as_str()), ("bob", "etcd"));
        }
    }

    /// A kill leaves the folder that a script works in; it stands beside the manifests' folder.
    #[test]
    fn what_a_killed_script_has_left_is_seen_with_its_age() {
        for shell in SHELLS {
            let dir = tempfile::tempdir().unwrap();
            let manifests = dir.path().join("it's/manifests");
            fs::create_dir_all(&manifests).unwrap();
            let scratch = dir.path().join("it's/.breakglass.a1B2c3");
            fs::create_dir(&scratch).unwrap();
            let left = looked(shell, &manifests.display().to_string());
            let here: Vec<_> = left.scratch.iter().filter(|(_, path)| *path == scratch.display().to_string()).collect();
            assert!(matches!(here.as_slice(), [(age, _)] if *age < 600), "{shell}: {left:?}");
            assert!(left.folders.is_empty(), "{shell}: {left:?}");
        }
    }

    /// Where nothing can be read, nothing is known: that is not the same as that nothing is there.
    #[test]
    fn a_folder_or_a_manifest_that_cannot_be_read_is_no_answer() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let (beside, manifests) = (dir.path().join("k"), dir.path().join("k/manifests"));
        fs::create_dir_all(&manifests).unwrap();
        let file = manifests.join("kube-apiserver.yaml");
        fs::write(&file, "x").unwrap();
        mode(dir.path(), 0o755);
        let asked = || {
            let query = look(&manifests.display().to_string());
            let mut command = Command::new("sh");
            command.arg("-c").arg(query.script().text());
            // Nothing is hidden from root.
            if fs::read_dir("/root").is_ok() {
                std::os::unix::process::CommandExt::uid(&mut command, 65534);
            }
            query.read(&String::from_utf8(command.output().unwrap().stdout).unwrap())
        };
        assert!(asked().is_ok());
        mode(&file, 0o000);
        assert!(asked().is_err());
        mode(&file, 0o644);
        mode(&beside, 0o711);
        assert!(asked().is_err());
        mode(&beside, 0o755);
        assert!(asked().is_ok());
    }

    #[test]
    fn an_answer_that_broke_off_is_none_and_what_has_no_folder_belongs_to_nobody() {
        assert_eq!(left("folder=/etc/kubernetes/breakglass-r1-1-room\n"), None);
        let read = left(
            "run=r0\nfolder=/etc/kubernetes/breakglass-r1-1-certificates\nage=999999\nkept=/a\nrenewed=/b\nend=yes\n",
        );
        let read = read.unwrap();
        let one = &read.folders[0];
        assert_eq!((one.run.as_str(), one.tag.as_str(), one.age), ("r1", "certificates", None));
        let changed: Vec<_> = one.kept.iter().map(|file| (file.path.as_str(), file.changed)).collect();
        assert_eq!(changed, [("/a", false), ("/b", true)]);
        // One by a name that is no run's.
        let odd = left("folder=/etc/kubernetes/breakglass-x\nunread=yes\nend=yes\n").unwrap();
        assert_eq!((odd.folders[0].run.as_str(), odd.folders[0].unread), ("x", true));
    }
}
