//! Whether a host's API server runs, since when, and how often it was started: what the host knows without the API.

use std::fmt;
use std::time::Duration;

use super::genuine::GENUINE;
use super::order::{Order as _, Query, order};
use crate::script::Answer;

/// The port that a kube-apiserver and k3s take when none is said.
pub const API_PORT: u16 = 6443;
/// A process younger than this, of a server that has been started before, is the newest turn of a crash loop.
const YOUNG: Duration = Duration::from_mins(2);

/// Looks at a host's API server: `/proc`, and the kubelet's log folder, which numbers the starts of a static pod. Writes
/// nothing. That it was answered says that the host is there.
pub fn presence() -> Query<ApiServerPresence> {
    let looks = r#"here=$(readlink "/proc/$$/ns/net")
read -r up rest </proc/uptime
for file in $(grep -l -e kube-apiserver -e hyperkube -e k3s /proc/[0-9]*/cmdline 2>/dev/null); do
  p=${file#/proc/}; p=${p%/cmdline}
  [ "$(readlink "/proc/$p/ns/net" 2>/dev/null)" = "$here" ] || continue
  case $(called "$p") in
  kube-apiserver | k3s | k3s-server) genuine "$p" k || continue ;;
  *) continue ;;
  esac
  # The 22nd field is its start in ticks since the boot; the second, in brackets, may hold blanks.
  set -- $(sed -n 's/^.*) //p' "/proc/$p/stat" 2>/dev/null)
  [ $# -ge 20 ] || continue
  shift 19
  say process "$p $((${up%%.*} - $1 / $(getconf CLK_TCK 2>/dev/null || echo 100)))"
done
for log in /var/log/pods/kube-system_kube-apiserver-*/kube-apiserver/*.log; do
  n=${log##*/}; n=${n%.log}
  case $n in '' | *[!0-9]*) ;; *) say started "$n" ;; esac
done
say end yes
"#;
    ApiServerPresence {}.query(format!("{GENUINE}{looks}"))
}

order! {
    /// Looks whether the API server runs.
    ApiServerPresence = "apiserver.presence" {} -> Presence, |_, stdout| parse_presence(stdout)
}

/// What a host said of its API server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presence {
    /// Each process: its id, and how long it has run.
    pub processes: Vec<(u32, Duration)>,
    /// How often its kubelet has started it anew; `None` where no kubelet numbers its logs.
    pub restarts: Option<u32>,
}

/// Reads the answer of [`presence`]; `None` if it broke off.
pub(super) fn parse_presence(stdout: &str) -> Option<Presence> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    let process = |line: &str| {
        let (pid, age) = line.split_once(' ')?;
        Some((pid.parse().ok()?, Duration::from_secs(age.parse().ok()?)))
    };
    Some(Presence {
        processes: answer.all("process").filter_map(process).collect(),
        restarts: answer.all("started").filter_map(|n| n.parse().ok()).max(),
    })
}

impl Presence {
    /// Whether it dies and is started again and again, as far as the host's logs tell.
    pub fn crash_loops(&self) -> bool {
        let young = self.processes.iter().all(|(_, age)| *age < YOUNG);
        self.restarts.is_some_and(|restarts| restarts >= 2) && young
    }
}

/// As the end of a sentence that begins with the server's name.
impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.crash_loops() {
            write!(f, "crash-loops (started {} times), and ", self.restarts.unwrap_or(0).saturating_add(1))?;
        }
        // Without pids and ages: it is said at each look, and the same thing is told once.
        f.write_str(if self.processes.is_empty() {
            "has no process on its host"
        } else {
            "has a process that does not answer"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Presence {
        parse_presence(&format!("{text}end=yes\n")).unwrap()
    }

    #[test]
    fn a_crash_loop_is_a_young_process_that_was_started_again_and_again() {
        assert_eq!(parse_presence("process=7 12\n"), None, "it broke off");
        let old = read("process=7 4000\nstarted=0\nstarted=5\n");
        assert_eq!((old.restarts, old.crash_loops()), (Some(5), false));
        assert_eq!(old.to_string(), "has a process that does not answer");
        assert!(!read("process=7 3\nstarted=0\n").crash_loops(), "its first start");
        let gone = read("started=0\nstarted=12\n");
        assert_eq!(gone.to_string(), "crash-loops (started 13 times), and has no process on its host");
        assert_eq!(read("").to_string(), "has no process on its host");
    }

    /// Its own pid is the only one that this test knows; no API server runs in its network namespace, so nothing is listed.
    #[test]
    fn the_script_runs_under_a_plain_shell() {
        let output = std::process::Command::new("sh").arg("-c").arg(presence().script().text()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(parse_presence(&text).is_some(), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}
