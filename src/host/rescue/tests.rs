//! The scripts, under the shells that hosts have.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use super::*;
use crate::change::sha256_hex;

const SHELLS: [&str; 3] = ["sh", "bash", "busybox sh"];

fn run(shell: &str, script: &Script) -> (i32, String) {
    let mut words = shell.split(' ');
    let mut command = Command::new(words.next().unwrap_or("sh"));
    command.args(words).arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.text().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell}");
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A folder of manifests with the one beside it, and one manifest.
fn place(dir: &tempfile::TempDir) -> (Place, String) {
    let place = Place {
        manifests: format!("{}/it's manifests", dir.path().display()),
        program: format!("kube-rescued-{}", std::process::id()),
        run: "r1".into(),
        operator: "alice".into(),
        tag: "1-rescue".into(),
    };
    std::fs::create_dir(&place.manifests).unwrap();
    std::fs::create_dir(place.beside()).unwrap();
    let file = format!("{}/{}.yaml", place.manifests, place.program);
    std::fs::write(&file, "old\r\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    (place, file)
}

fn sha(text: &str) -> String {
    sha256_hex(text.as_bytes())
}

fn mode(path: &str) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_text_takes_the_place_of_another_with_its_mode_once_and_not_over_what_somebody_else_wrote() {
    for shell in SHELLS {
        let dir = tempfile::tempdir().unwrap();
        let (place, file) = place(&dir);
        std::fs::write(place.next(), "new").unwrap();
        std::fs::write(place.before(), "old\r\n").unwrap();
        let (old, new) = (sha("old\r\n"), sha("new"));
        let there = replace(&place, &file, (&old, &new), &place.next());
        let back = replace(&place, &file, (&new, &old), &place.before());
        for (script, text) in [(&there, "new"), (&there, "new"), (&back, "old\r\n"), (&back, "old\r\n")] {
            let (code, out) = run(shell, script);
            assert_eq!((code, std::fs::read_to_string(&file).unwrap().as_str()), (0, text), "{shell}: {out}");
            assert_eq!(mode(&file), 0o640, "{shell}");
        }
        assert_eq!(std::fs::read_dir(&place.manifests).unwrap().count(), 1, "{shell}: nothing else is ever in there");
        std::fs::write(&file, "somebody's").unwrap();
        let (code, out) = run(shell, &there);
        assert_eq!(code, 4, "{shell}: {out}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "somebody's", "{shell}");
        std::fs::write(&file, "old\r\n").unwrap();
        std::fs::write(place.next(), "not what was staged").unwrap();
        assert_eq!(run(shell, &there).0, 4, "{shell}");
        std::fs::rename(&file, format!("{}/behind", dir.path().display())).unwrap();
        std::os::unix::fs::symlink(format!("{}/behind", dir.path().display()), &file).unwrap();
        let (code, out) = run(shell, &there);
        assert!(code == 3 && out.contains("is a symbolic link"), "{shell}: {out}");
    }
}

#[test]
fn a_file_is_moved_out_and_back_as_it_was_and_never_the_last_one() {
    for shell in SHELLS {
        let dir = tempfile::tempdir().unwrap();
        let (place, file) = place(&dir);
        let stray = format!("{file}.bak");
        std::fs::write(&stray, "stray").unwrap();
        std::fs::set_permissions(&stray, std::fs::Permissions::from_mode(0o604)).unwrap();
        let aside = format!("{}/stray", place.beside());
        let out = move_file(&place, (&stray, &aside), &sha("stray"), Some(&file));
        let back = move_file(&place, (&aside, &stray), &sha("stray"), None);
        for _ in 0..2 {
            let (code, said) = run(shell, &out);
            assert_eq!(code, 0, "{shell}: {said}");
            assert!(!std::path::Path::new(&stray).exists() && mode(&file) == 0o640, "{shell}");
        }
        for _ in 0..2 {
            assert_eq!(run(shell, &back).0, 0, "{shell}");
            assert_eq!((std::fs::read_to_string(&stray).unwrap().as_str(), mode(&stray)), ("stray", 0o604), "{shell}");
        }
        // It broke off between the second name and the end of the first.
        std::fs::hard_link(&stray, &aside).unwrap();
        assert_eq!(run(shell, &out).0, 0, "{shell}");
        assert!(!std::path::Path::new(&stray).exists(), "{shell}");
        // Somebody made another of that name meanwhile.
        std::fs::write(&stray, "somebody's").unwrap();
        let (code, said) = run(shell, &back);
        assert!(code == 4 && said.contains("nothing is written over it"), "{shell}: {said}");
        assert_eq!(std::fs::read_to_string(&stray).unwrap(), "somebody's", "{shell}");
        assert_eq!(run(shell, &out).0, 4, "{shell}: it is not what was seen");
        std::fs::remove_file(&stray).unwrap();
        assert_eq!(run(shell, &back).0, 0, "{shell}");
        std::fs::remove_file(&file).unwrap();
        let (code, said) = run(shell, &out);
        assert!(code == 4 && said.contains("would be the last one"), "{shell}: {said}");
        assert!(std::path::Path::new(&stray).exists(), "{shell}");
    }
}

/// No process has this name, and nobody listens on port 1.
#[test]
fn a_host_where_nothing_runs_says_so_and_names_what_lies_around() {
    for shell in SHELLS {
        let dir = tempfile::tempdir().unwrap();
        let (place, file) = place(&dir);
        std::fs::write(format!("{file}.bak"), "").unwrap();
        let other = format!("{}/breakglass-r0-1-room", dir.path().display());
        std::fs::create_dir(&other).unwrap();
        std::fs::write(format!("{other}/before.yaml"), format!("- {}\n", place.program)).unwrap();
        let asks =
            Asks { url: "https://127.0.0.1:1/livez".into(), port: 1, files: vec![file.clone()], ..Asks::default() };
        let (code, out) = run(shell, look(&place, &asks).script());
        assert_eq!(code, 0, "{shell}: {out}");
        let seen = evidence(&out).unwrap();
        assert_eq!((seen.processes.len(), seen.answers, seen.listens, seen.file), (0, false, false, None), "{shell}");
        assert_eq!(seen.named, [file.clone(), format!("{file}.bak")], "{shell}");
        assert_eq!(
            seen.copies.iter().map(|(_, path)| path.clone()).collect::<Vec<_>>(),
            [format!("{other}/before.yaml")]
        );
    }
}

#[test]
fn an_answer_is_read_and_one_that_broke_off_is_none() {
    assert_eq!(evidence("process=7 12\n"), None);
    let said = "process=7 12\nlistens=yes\nsaid=HTTP 500\nlog.file=/var/log/pods/x/3.log\nstarted=3\nlog=Error: a=b\nlog=c\n\
                kubelet=no\nruns=kubelet\nimage=missing\nholder=\"x\",pid=9\nended=/a.crt Jan 1 2026\nnamed=/m/a\ncopy=90 /b\ncopy=7 /a b\nend=yes\n";
    let read = evidence(said).unwrap();
    assert_eq!(read.processes, [(7, Duration::from_secs(12))]);
    assert_eq!((read.log.as_slice(), read.restarts), (["Error: a=b".to_owned(), "c".to_owned()].as_slice(), Some(3)));
    assert!(read.has_kubelet && read.no_image && read.listens && !read.answers && !read.stale);
    assert_eq!(read.copies, [(7, "/a b".to_owned()), (90, "/b".to_owned())]);
}

#[test]
fn a_text_that_was_named_is_read_with_what_it_would_replace_and_what_is_no_file_is_said() {
    for shell in SHELLS {
        let dir = tempfile::tempdir().unwrap();
        let (_, file) = place(&dir);
        let from = format!("{}/it's a copy.yaml", dir.path().display());
        let ask = |file: &str| {
            let query = super::copy::read(Some(&from), file);
            let (code, said) = run(shell, &query.script().clone());
            assert_eq!(code, 0, "{shell}: {said}");
            query.read(&said).unwrap()
        };
        assert!(ask(&file).unwrap_err().contains("there is no file"), "{shell}");
        std::fs::write(&from, "kind: Pod\n").unwrap();
        for old in ["", "old\r\n"] {
            std::fs::write(&file, old).unwrap();
            let copy = ask(&file).unwrap();
            assert_eq!(
                (copy.text.as_deref(), copy.old.as_deref()),
                (Some("kind: Pod\n"), Some(old.as_bytes())),
                "{shell}"
            );
        }
        assert_eq!(ask(&format!("{file}.none")).unwrap().old, None, "{shell}");
        // Where the text comes from elsewhere, only what stands there.
        let query = super::copy::read(None, &file);
        let copy = query.read(&run(shell, &query.script().clone()).1).unwrap().unwrap();
        assert_eq!((copy.text, copy.old.as_deref()), (None, Some(b"old\r\n".as_slice())), "{shell}");
        let link = format!("{file}.link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(ask(&link).unwrap_err().contains("symbolic link"), "{shell}");
    }
}
