//! Why a new process did not answer: noted by its host before the old manifest comes back, for its log goes with its pod.

use super::order::{Order as _, Query, order};
use crate::script::{Answer, quote};

/// Defines `why`, which notes the answer at the address that was asked and the end of the container's log; `$F`, `$B`, `$P`
/// as the exchange has them, `$1` the folder of the pods' logs. Bounded in length, and to some seconds in time.
///
/// Needs `telling`. Of the logs only one counts that was written since the new manifest is in.
pub(super) const WHY: &str = r#"why() {
  if command -v curl >/dev/null 2>&1; then
    curl -q -ksS --noproxy '*' --max-time 3 -w '\nHTTP %{http_code}\n' "$ORIGIN:$PORT$HEALTH" 2>&1 | grep -v -e '^\[+\]' -e '^HTTP 000' -e '^$' | tail -n 4 | cut -c 1-200 | sed 's/^/said=/'
  fi
  l=
  for x in "$1"/*"$P"*/*/*.log; do
    [ -f "$x" ] && [ "$x" -nt "$B/state" ] || continue
    { [ -n "$l" ] && [ "$l" -nt "$x" ]; } || l=$x
  done
  if [ -n "$l" ]; then
    echo "file=$l"
    end=$(tail -n 200 "$l" | sed -e 's/^[^ ]* std[a-z]* [FP] //' -e 's/^{"log":"//' | grep -v '^[[:space:]]*$' | cut -c 1-300)
    told=$(printf '%s\n' "$end" | telling | tail -n 2)
    [ -n "$told" ] || told=$(printf '%s\n' "$end" | tail -n 3)
    printf '%s\n' "$told" | sed 's/^/log=/'
  elif command -v journalctl >/dev/null 2>&1 && command -v timeout >/dev/null 2>&1; then
    timeout -s KILL 3 journalctl -u kubelet -n 200 --no-pager -o cat 2>/dev/null | grep -F -e "$P" | grep -E '^E[0-9]{4} |err=' | tail -n 2 | cut -c 1-300 | sed 's/^/kubelet=/'
  fi
}
"#;

order! {
    /// Reads why a new process did not answer.
    ManifestWhy = "manifest.why" { beside: String } -> Why, |_, stdout| Some(why(stdout))
}

/// The script that reads what was noted in the folder beside the manifests.
pub fn look(beside: String) -> Query<ManifestWhy> {
    let body = format!("b={}\n[ ! -f \"$b/why\" ] || head -c 8192 \"$b/why\"\nsay end yes\n", quote(&beside));
    ManifestWhy { beside }.query(body)
}

/// What is known of a process that did not come to answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Why {
    /// What was said at the address that was asked.
    pub said: Vec<String>,
    /// The container's log.
    pub file: Option<String>,
    /// Its telling lines, or its last ones.
    pub log: Vec<String>,
    /// What its kubelet said, where the container has no log.
    pub kubelet: Vec<String>,
}

/// Reads what `look` printed; nothing is known where it broke off.
fn why(stdout: &str) -> Why {
    let answer = Answer::parse(stdout);
    let all = |key: &str| answer.all(key).map(str::to_owned).collect();
    Why { said: all("said"), file: answer.get("file").map(str::to_owned), log: all("log"), kubelet: all("kubelet") }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::program::TELLING;
    use super::*;

    /// Runs `why` on logs in a folder, as the exchange does.
    fn noted(shell: &str, dir: &tempfile::TempDir) -> Why {
        let text = format!("{TELLING}{WHY}why {}\n", quote(&dir.path().display().to_string()));
        let mut words = shell.split(' ');
        let output = Command::new(words.next().unwrap_or("sh"))
            .args(words)
            .args(["-c", &text])
            .env("B", dir.path())
            .env("P", "kube-apiserver")
            // Nobody listens on port 1 of loopback.
            .env("ORIGIN", "http://127.0.0.1")
            .env("PORT", "1")
            .env("HEALTH", "/livez")
            .output()
            .unwrap();
        why(&String::from_utf8_lossy(&output.stdout))
    }

    /// Sets when a file was written.
    fn written(file: &std::path::Path, at_secs: u64) {
        let at = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(at_secs);
        std::fs::File::options().append(true).open(file).unwrap().set_modified(at).unwrap();
    }

    fn log(dir: &tempfile::TempDir, pod: &str, text: &str, at_secs: u64) {
        let folder = dir.path().join(format!("kube-system_kube-apiserver-{pod}")).join("kube-apiserver");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("0.log");
        std::fs::write(&file, text).unwrap();
        written(&file, at_secs);
    }

    #[test]
    fn the_telling_lines_of_the_new_containers_log_are_noted_and_what_its_address_said() {
        for shell in ["sh", "bash", "busybox sh"] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("state"), "in 7\n").unwrap();
            written(&dir.path().join("state"), 1000);
            log(&dir, "cp1_old", "2026-01-01T00:00:00Z stderr F Error: of the old one\n", 900);
            let none = noted(shell, &dir);
            assert_eq!((none.file.as_deref(), none.log.len()), (None, 0), "{shell}");
            let lines = "2026-01-01T00:00:00Z stderr F I0101 starting\n2026-01-01T00:00:01Z stderr F Error: unknown flag: --x\n\
                         2026-01-01T00:00:01Z stderr F \n";
            log(&dir, "cp1_new", lines, 2000);
            let told = noted(shell, &dir);
            assert_eq!(told.log, ["Error: unknown flag: --x"], "{shell}");
            assert!(told.file.unwrap().contains("cp1_new"));
            assert!(told.said.is_empty() || told.said[0].contains("onnect"), "{:?}", told.said);
            // Docker's form, no telling line, and a very long one.
            let lines = format!("{{\"log\":\"{}\\n\"}}\nlast\n", "x".repeat(5000));
            log(&dir, "cp1_new", &lines, 3000);
            let told = noted(shell, &dir);
            assert_eq!(told.log.iter().map(String::len).collect::<Vec<_>>(), [300, 4], "{shell}");
        }
    }

    #[test]
    fn what_was_noted_is_read_back_through_the_hosts_answer() {
        let read =
            why("state=reverted\nsaid=curl: (7) refused\nlog=a=b\nlog=c\nfile=/var/log/x\nkubelet=no\nend=yes\n");
        assert_eq!((read.log.len(), read.log[0].as_str()), (2, "a=b"));
        assert_eq!((read.said.len(), read.file.as_deref(), read.kubelet.len()), (1, Some("/var/log/x"), 1));
    }
}
