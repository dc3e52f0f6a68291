//! Puts a file on a host, or takes it away: written beside its folder, flushed to the disk, renamed in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::order::{Order as _, order};
use crate::change::{Expect, FilePut};
use crate::script::{Script, quote};

/// Longer lines are refused by some decoders.
const LINE: usize = 76;

order! {
    /// Puts a file.
    PutFile = "file.put" { path: String, expect: String, sha256: String }
}

/// The script that does it, or why there can be none.
///
/// It prints `sha256=` of what is there afterwards (`absent` when nothing is), and `was=` of what was there. It fails,
/// having changed nothing, when what is there is not what was expected. What was wanted and is there already is fine,
/// so it may be repeated.
///
/// # Errors
/// When the content is not at hand, or the path is not an absolute path of a file.
pub fn put(put: &FilePut) -> Result<Script, String> {
    let path = &put.path;
    let (folder, name) = path.rsplit_once('/').ok_or_else(|| format!("{path:?} is not an absolute path"))?;
    if !path.starts_with('/') || folder.is_empty() || matches!(name, "" | "." | "..") || path.contains(['\0', '\n']) {
        return Err(format!("{path:?} is not the absolute path of a file in a folder"));
    }
    let expect = match &put.expect {
        Expect::Absent => "absent",
        Expect::Sha256(hash) => hash,
    };
    let wanted = put.content.as_ref().map_or("absent", |blob| &blob.sha256);
    let body = match &put.content {
        None => format!("{}{REMOVE}", start(path, expect, wanted)),
        Some(blob) => {
            let bytes = blob.bytes.as_ref().ok_or("the content kept beside the journal is not at hand")?;
            let text = STANDARD.encode(bytes);
            let lines: Vec<&str> = text.as_bytes().chunks(LINE).filter_map(|line| str::from_utf8(line).ok()).collect();
            let write = WRITE.replace("@MODE", &format!("{:04o}", put.mode)).replace("@CONTENT", &lines.join("\n"));
            format!("{}{write}", start(path, expect, wanted))
        }
    };
    Ok(PutFile { path: path.clone(), expect: expect.to_owned(), sha256: wanted.to_owned() }.script(body))
}

fn start(path: &str, expect: &str, wanted: &str) -> String {
    let (path, expect, wanted) = (quote(path), quote(expect), quote(wanted));
    format!("path={path}\nexpect={expect}\nwanted={wanted}\n{START}")
}

/// Looks and compares. The folder for the new file stands beside the file's folder, never in it: a kubelet reads
/// whatever is in a manifests folder.
const START: &str = r#"dir=${path%/*}
have sha256sum || fail "no sha256sum on this host"
[ ! -L "$path" ] || fail "$path is a symbolic link"
hash_of() {
  if [ -e "$1" ]; then set -- $(sha256sum <"$1") && echo "$1"; else echo absent; fi
}
was=$(hash_of "$path") && [ -n "$was" ] || fail "cannot read $path"
if [ "$was" = "$wanted" ]; then say was "$was"; say sha256 "$was"; exit 0; fi
[ -d "$dir" ] || fail "no folder $dir"
[ "$was" = "$expect" ] || fail "$path is not what was expected: sha256 $was instead of $expect"
beside=$(cd "$dir/.." && pwd -P) || fail "no folder beside $dir"
[ "$(stat -c %d "$beside")" = "$(stat -c %d "$dir")" ] ||
  fail "$dir is a file system of its own: nothing beside it can be renamed into it"
umask 077
tmp=$(mktemp -d "${beside%/}/.breakglass.XXXXXX") || fail "no folder can be made in $beside"
trap 'rm -rf "$tmp"' EXIT
trap 'exit 129' HUP INT TERM PIPE
"#;

const WRITE: &str = r#"base64 -d >"$tmp/new" <<'BREAKGLASS_CONTENT' || fail "the content cannot be written to $tmp (disk full?)"
@CONTENT
BREAKGLASS_CONTENT
[ "$(hash_of "$tmp/new")" = "$wanted" ] || fail "the content did not arrive whole (disk full?)"
chmod @MODE "$tmp/new" || fail "chmod $tmp/new"
if [ -e "$path" ]; then
  chown "$(stat -c %u:%g "$path")" "$tmp/new" || fail "the owner of $path cannot be kept"
  chmod @MODE "$tmp/new" || fail "chmod $tmp/new"
fi
sync "$tmp/new" 2>/dev/null || sync
# Once more, as late as can be: somebody else may have written meanwhile.
[ "$(hash_of "$path")" = "$was" ] || fail "$path was changed by somebody else just now"
mv -f "$tmp/new" "$path" || fail "cannot rename into $dir"
sync "$dir" 2>/dev/null || sync
say was "$was"
say sha256 "$(hash_of "$path")"
"#;

const REMOVE: &str = r#"mv -f "$path" "$tmp/old" || fail "cannot rename out of $dir"
sync "$dir" 2>/dev/null || sync
say was "$was"
say sha256 "$(hash_of "$path")"
"#;

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::change::{Blob, sha256_hex};
    use crate::script::Answer;

    /// The shells and tools that hosts have.
    const SHELLS: [&[&str]; 3] = [&["sh", "-s"], &["bash", "-s"], &["busybox", "sh", "-s"]];

    fn run(shell: &[&str], put: &FilePut) -> (bool, Answer) {
        let text = super::put(put).unwrap().text();
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.success(), Answer::parse(&String::from_utf8_lossy(&output.stdout)))
    }

    fn file(path: &Path, content: Option<&[u8]>, expect: Option<&[u8]>) -> FilePut {
        FilePut {
            path: path.to_str().unwrap().to_owned(),
            mode: 0o640,
            content: content.map(Blob::new),
            expect: expect.map_or(Expect::Absent, |old| Expect::Sha256(sha256_hex(old))),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_made_changed_and_removed_to_the_byte() {
        // Every byte there is, a line end missing, and more than one line of base64.
        let odd: Vec<u8> = (0..=255).cycle().take(5000).collect();
        for shell in SHELLS {
            let root = tempfile::tempdir().unwrap();
            let folder = root.path().join("it's a folder");
            std::fs::create_dir(&folder).unwrap();
            let path = folder.join("kube $api.yaml");
            for (content, expect) in
                [(Some(&odd[..]), None), (Some(&b"new"[..]), Some(&odd[..])), (None, Some(&b"new"[..]))]
            {
                let (good, answer) = run(shell, &file(&path, content, expect));
                assert!(good, "{shell:?}: {answer:?}");
                let there = std::fs::read(&path).ok();
                assert_eq!(there.as_deref(), content, "{shell:?}");
                assert_eq!(answer.get("sha256"), Some(content.map_or("absent".into(), sha256_hex).as_str()));
                assert_eq!(answer.get("was"), Some(expect.map_or("absent".into(), sha256_hex).as_str()));
                if content.is_some() {
                    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
                    assert_eq!(mode & 0o7777, 0o640, "{shell:?}");
                }
                // A second time is the same as once.
                let (good, answer) = run(shell, &file(&path, content, expect));
                assert!(good, "{shell:?}: {answer:?}");
            }
            assert_eq!(names(root.path()), ["it's a folder"], "{shell:?}");
            assert_eq!(names(&folder), [""; 0], "{shell:?}");
        }
    }

    #[test]
    fn nothing_is_touched_when_somebody_else_was_there() {
        for shell in SHELLS {
            let root = tempfile::tempdir().unwrap();
            let folder = root.path().join("manifests");
            std::fs::create_dir(&folder).unwrap();
            let path = folder.join("a.yaml");
            std::fs::write(&path, "theirs").unwrap();
            for (content, expect) in
                [(Some(&b"ours"[..]), None), (Some(b"ours"), Some(&b"old"[..])), (None, Some(b"old"))]
            {
                let (good, answer) = run(shell, &file(&path, content, expect));
                assert!(!good, "{shell:?}");
                assert!(answer.get("failed").unwrap().contains("not what was expected"), "{answer:?}");
                assert_eq!(std::fs::read(&path).unwrap(), b"theirs");
            }
            assert_eq!(names(root.path()), ["manifests"], "{shell:?}");
        }
    }

    #[test]
    fn the_owner_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("manifests");
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("a.yaml");
        std::fs::write(&path, "old").unwrap();
        // Only root may give files away; for anybody else the owner is himself and is kept all the same.
        let _ = std::os::unix::fs::chown(&path, Some(12345), Some(54321));
        let owner = |path: &Path| {
            use std::os::unix::fs::MetadataExt as _;
            let meta = std::fs::metadata(path).unwrap();
            (meta.uid(), meta.gid())
        };
        let before = owner(&path);
        assert!(run(&["sh", "-s"], &file(&path, Some(b"new"), Some(b"old"))).0);
        assert_eq!((owner(&path), std::fs::read(&path).unwrap()), (before, b"new".to_vec()));
    }

    #[test]
    fn links_and_missing_folders_are_refused() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("real"), "old").unwrap();
        std::fs::create_dir(root.path().join("d")).unwrap();
        let link = root.path().join("d/link");
        std::os::unix::fs::symlink(root.path().join("real"), &link).unwrap();
        let (good, answer) = run(&["sh", "-s"], &file(&link, Some(b"new"), Some(b"old")));
        assert!(!good && answer.get("failed").unwrap().contains("symbolic link"), "{answer:?}");
        let (good, answer) = run(&["sh", "-s"], &file(&root.path().join("no/file"), Some(b"new"), None));
        assert!(!good && answer.get("failed").unwrap().contains("no folder"), "{answer:?}");
    }

    #[test]
    fn paths_that_name_no_file_are_refused_here() {
        for path in ["relative/file", "/file", "/etc/", "/etc/..", "/etc/a\nb", ""] {
            let put = FilePut { path: path.into(), mode: 0o600, content: None, expect: Expect::Absent };
            assert!(super::put(&put).is_err(), "{path:?}");
        }
        let blob = Blob { sha256: "ab".into(), len: 1, bytes: None };
        let put = FilePut { path: "/a/b".into(), mode: 0o600, content: Some(blob), expect: Expect::Absent };
        assert!(super::put(&put).unwrap_err().contains("not at hand"));
    }
}
