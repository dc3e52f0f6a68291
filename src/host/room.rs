//! What a host can carry and what its program knows, looked at before a manifest is taken out.

use std::net::IpAddr;

use super::genuine::GENUINE;
use super::manifest::Listens;
use super::order::{Order as _, Query, order};
use super::program::PROGRAM;
use super::swap::{LIB, Place};
use crate::script::{Answer, quote};

/// The longest that the program may take to answer, in seconds.
const ASK_SECS: u32 = 10;
/// So much memory has to be free on a host before a second copy of the program is started there to be asked, in KiB.
const ASK_FREE: u32 = 256 * 1024;

/// What the program itself is asked: its own parser is the only one that knows each flag, also those of no documentation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// Flags with their values, as it would be given them: `--max-requests-inflight=800`.
    pub flags: Vec<String>,
    /// Words that its help has to name, such as controllers.
    pub names: Vec<String>,
}

impl Ask {
    /// Nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.names.is_empty()
    }
}

/// What a host said of its room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The host's memory, in bytes.
    pub memory: Option<u64>,
    /// What the host could still hand out of it, in bytes.
    pub available: Option<u64>,
    /// The most that all pods together may have, or what else stands above the program's pod, in bytes; `None` where nothing
    /// holds them back.
    pub ceiling: Option<u64>,
    /// The host's processors.
    pub cpus: Option<u64>,
    /// What the program's biggest process holds in memory, in bytes; `None` where none runs or it cannot be seen.
    pub used: Option<Used>,
    /// What the program said.
    pub asked: Asked,
    /// Somebody listens where the program should, and no process of it is seen.
    pub unseen: bool,
    /// Programs that run there, and are known to write manifests or to run control planes without them.
    pub runs: Vec<String>,
}

/// The memory of a process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Used {
    /// Now.
    pub now: u64,
    /// The most since it was started.
    pub most: u64,
}

/// What the program said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It knows all that it was asked, or was asked nothing.
    Fine,
    /// It would not start with these flags.
    Refuses {
        /// In its own words.
        said: String,
        /// The flags that it names in its help.
        flags: Vec<String>,
    },
    /// Its help does not name these words.
    Lacks(Vec<String>),
    /// It could not be asked.
    Not(String),
}

/// Asks the running program's own file. `--help` stands last: what is before it is parsed, and nothing is started. Last in the
/// line for time and memory. Needs `file_of` and `sub`.
const ASKING: &str = r#"ask() {
  ( { echo 1000 >/proc/self/oom_score_adj; } 2>/dev/null
    cd / && GOMAXPROCS=1 exec timeout -s KILL "$secs" nice -n 19 "$@" --help 2>&1 )
}
asking() {
  [ -n "$pids" ] || { say unasked "no process of $p runs"; return 0; }
  have timeout || { say unasked "the host has no timeout command"; return 0; }
  [ "${available:-0}" -ge "$free" ] || { say unasked "only $((${available:-0} / 1024))Mi of the host's memory are free"; return 0; }
  for pid in $pids; do exe=$(file_of "/proc/$pid"); [ -z "$exe" ] || break; done
  [ -n "$exe" ] || { say unasked "the file of process $pid cannot be run under the name $p"; return 0; }
  sub=$(sub "$pid")
  answer=$(ask "$exe" ${sub:+"$sub"} "$@"); code=$?
  if [ "$code" = 0 ]; then
    for n in $names; do printf '%s\n' "$answer" | tr -s ' ,' '\n\n' | grep -qx -e "$n" || say lacks "$n"; done
    printf '%s\n' "$answer" | grep -q -e '--' && say asked yes || say unasked "its help names no flags"
    return 0
  fi
  [ "$code" != 137 ] && [ "$code" != 124 ] || { say unasked "it did not answer within $secs s"; return 0; }
  no=$(printf '%s\n' "$answer" | sed -n -e 's/^Error: //' -e '/^unknown \(shorthand \)\{0,1\}flag/p' -e '/^flag provided but not defined/p' -e '/^invalid argument .* for .* flag/p' | head -n 1 | cut -c 1-400)
  [ -n "$no" ] || { say unasked "asked for its help, it ended with status $code"; return 0; }
  say refuses "$no"
  ask "$exe" ${sub:+"$sub"} | sed -n 's/^ *\(-[a-zA-Z], \)\{0,1\}--\([a-z0-9][a-z0-9-]*\).*/flag=\2/p' | head -n 1000
}
"#;

/// `ceiling`: the lowest memory limit above the pod of the program, or above all pods where it does not run. Its own pod's is
/// not among them: that is what the manifest says.
const CEILING: &str = r#"ceiling() {
  base=/sys/fs/cgroup; name=memory.max; line='^0::'
  [ -f "$base/cgroup.controllers" ] || { base=$base/memory; name=memory.limit_in_bytes; line='^[0-9]*:\([^:]*,\)\{0,1\}memory\(,[^:]*\)\{0,1\}:'; }
  at=; least=
  for x in $pids; do
    at=$(sed -n "s/$line//p" "/proc/$x/cgroup" 2>/dev/null | sed -n 's/^\(.*\)\/[^/]*pod[0-9a-f]\{8\}[-_0-9a-f]\{24,28\}.*$/\1/p')
    [ -z "$at" ] || break
  done
  if [ -z "$at" ]; then for x in /kubepods.slice /kubepods; do [ ! -d "$base$x" ] || at=$x; done; fi
  while :; do
    v=$(cat "$base$at/$name" 2>/dev/null)
    # Where nothing is set, the first version says a number of 19 digits.
    case $v in
    '' | *[!0-9]*) ;;
    *) if [ "${#v}" -le 15 ] && { [ -z "$least" ] || [ "$v" -lt "$least" ]; }; then least=$v; fi ;;
    esac
    [ -n "$at" ] || break
    at=${at%/*}
  done
  say ceiling "$least"
}
"#;

/// Who listens at an address or on all of them, as a pattern for lines of `/proc/net/tcp`; the order of the bytes is the
/// machine's.
fn listener(at: Listens) -> String {
    let hex = |bytes: &mut dyn Iterator<Item = u8>| bytes.map(|byte| format!("{byte:02X}")).collect::<String>();
    let (plain, turned) = match at.address {
        IpAddr::V4(v4) => {
            let octets = v4.octets();
            (hex(&mut octets.into_iter()), hex(&mut octets.into_iter().rev()))
        }
        IpAddr::V6(v6) => {
            let octets = v6.octets();
            (hex(&mut octets.into_iter()), hex(&mut octets.chunks(4).flat_map(|word| word.iter().rev().copied())))
        }
    };
    format!("^ *[0-9]+: ({plain}|{turned}|0{{8}}|0{{32}}):{:04X} [0-9A-F]+:0000 0A", at.port)
}

order! {
    /// Looks at the room that a host has, and asks the program.
    ManifestRoom = "manifest.room" { program: String, flags: String, names: String } -> Room, |_, stdout| room(stdout)
}

/// The script that looks; `listens` is where the program that is there should listen. It writes nothing.
pub fn look(place: &Place, ask: &Ask, listens: Option<Listens>) -> Query<ManifestRoom> {
    let unseen = listens.map_or_else(String::new, |at| {
        format!(
            "[ -n \"$pids\" ] || ! grep -qE {} /proc/net/tcp /proc/net/tcp6 2>/dev/null || [ -n \"$(processes \"$p\")\" ] || say unseen yes\n",
            quote(&listener(at))
        )
    });
    let flags: Vec<String> = ask.flags.iter().map(|flag| quote(flag)).collect();
    let asking = if ask.is_empty() { String::new() } else { format!("asking {}\n", flags.join(" ")) };
    let body = format!(
        r#"{GENUINE}{LIB}{PROGRAM}{ASKING}{CEILING}manifests={manifests}; p={program}; secs={ASK_SECS}; free={ASK_FREE}; names={names}
kib() {{ sed -n "s/^$1:[[:space:]]*\([0-9]*\) kB\$/\1/p" "$2" 2>/dev/null; }}
available=$(kib MemAvailable /proc/meminfo)
say total "$(kib MemTotal /proc/meminfo)"
say available "$available"
say cpus "$(getconf _NPROCESSORS_ONLN 2>/dev/null || grep -c '^processor' /proc/cpuinfo)"
pids=; for x in $(processes "$p"); do pids="$pids ${{x%%:*}}"; done
for x in $pids; do say memory "$(kib VmRSS "/proc/$x/status") $(kib VmHWM "/proc/$x/status")"; done
for x in $(cat /proc/[0-9]*/comm 2>/dev/null | grep -xE 'rke2|k3s|k3s-server|k0s|kubelite' | sort -u); do say runs "$x"; done
[ ! -e /etc/systemd/system/kops-configuration.service ] || say runs kops
ceiling
{unseen}{asking}say end yes
"#,
        manifests = quote(place.manifests.trim_end_matches('/')),
        program = quote(&place.program),
        names = quote(&ask.names.join(" ")),
    );
    let (flags, names) = (ask.flags.join(" "), ask.names.join(" "));
    ManifestRoom { program: place.program.clone(), flags, names }.query(body)
}

/// Reads what `look` printed; `None` if it broke off.
fn room(stdout: &str) -> Option<Room> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    let used = |line: &str| {
        let (now, most) = line.split_once(' ')?;
        let [now, most] = [now, most].map(|kib| Some(kib.parse::<u64>().ok()?.saturating_mul(1024)));
        Some(Used { now: now?, most: most.or(now)? })
    };
    let lacks: Vec<String> = answer.all("lacks").map(str::to_owned).collect();
    let asked = match (answer.get("refuses"), answer.get("unasked")) {
        (Some(said), _) => {
            Asked::Refuses { said: said.to_owned(), flags: answer.all("flag").map(str::to_owned).collect() }
        }
        (None, Some(why)) => Asked::Not(why.to_owned()),
        (None, None) if lacks.is_empty() => Asked::Fine,
        (None, None) => Asked::Lacks(lacks),
    };
    let kib = |key: &str| answer.number(key).map(|kib| kib.saturating_mul(1024));
    Some(Room {
        memory: kib("total").filter(|bytes| *bytes > 0),
        available: kib("available"),
        ceiling: answer.number("ceiling").filter(|bytes| *bytes > 0),
        cpus: answer.number("cpus").filter(|cpus| *cpus > 0),
        used: answer.all("memory").filter_map(used).max(),
        asked,
        unseen: answer.yes("unseen"),
        runs: answer.all("runs").map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A name that no other process of this machine has.
    fn place(program: &str) -> Place {
        let program = format!("{program}-{}", std::process::id());
        Place {
            manifests: "/nonexistent/manifests".into(),
            program,
            run: "r1".into(),
            operator: "alice".into(),
            tag: "1-room".into(),
        }
    }

    fn looked(shell: &str, place: &Place, ask: &Ask) -> Room {
        looked_at(shell, place, ask, None)
    }

    fn looked_at(shell: &str, place: &Place, ask: &Ask, listens: Option<Listens>) -> Room {
        use std::io::Write as _;
        let mut words = shell.split(' ');
        let mut command = Command::new(words.next().unwrap_or("sh"));
        command.args(words).arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(look(place, ask, listens).script().text().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell}");
        room(&String::from_utf8_lossy(&output.stdout)).unwrap()
    }

    /// Ended with the test.
    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }

    /// A program of that name that has a `--help`; `argv0` is how it was called.
    fn start(dir: &Path, place: &Place, argv0: Option<&str>) -> Running {
        use std::os::unix::process::CommandExt as _;
        let (file, many) = (dir.join(&place.program), dir.join("a-program-of-many-names"));
        if !file.exists() {
            std::fs::copy("/bin/sleep", &many).unwrap();
            std::fs::set_permissions(&many, std::fs::Permissions::from_mode(0o755)).unwrap();
            std::os::unix::fs::symlink("a-program-of-many-names", &file).unwrap();
        }
        let mut command = Command::new(&file);
        if let Some(argv0) = argv0 {
            command.arg0(argv0);
        }
        let child = Running(command.arg("600").current_dir(dir).env("PATH", dir).spawn().unwrap());
        let cmdline = format!("/proc/{}/cmdline", child.0.id());
        while !std::fs::read(&cmdline).unwrap_or_default().ends_with(b"600\0") {
            std::thread::yield_now();
        }
        child
    }

    fn ask(flags: &[&str], names: &[&str]) -> Ask {
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Ask { flags: own(flags), names: own(names) }
    }

    #[test]
    fn the_host_and_the_process_are_measured_and_the_program_is_asked_under_its_own_name() {
        let dir = tempfile::tempdir().unwrap();
        let place = place("breakglass-asked");
        let bare = place.program.clone();
        let near = format!("./{bare}");
        for argv0 in [None, Some(bare.as_str()), Some(near.as_str())] {
            let _running = start(dir.path(), &place, argv0);
            for shell in ["sh", "bash", "busybox sh"] {
                let none = looked(shell, &place, &Ask::default());
                assert!(none.memory > Some(64 << 20) && none.cpus >= Some(1), "{shell}: {none:?}");
                assert!(none.available < none.memory && none.available > Some(0), "{shell}: {none:?}");
                assert!(none.ceiling.is_none_or(|most| most > 0), "{shell}: {none:?}");
                let used = none.used.unwrap();
                assert!(used.now > 0 && used.most >= used.now, "{shell}: {none:?}");
                assert_eq!(none.asked, Asked::Fine);
                // GNU sleep's help names one flag of its own, and `seconds` nowhere as a word of a list.
                let known = looked(shell, &place, &ask(&["--help"], &["--help"]));
                assert_eq!(known.asked, Asked::Fine, "{shell}");
                let lacks = looked(shell, &place, &ask(&[], &["taint-eviction-controller"]));
                assert_eq!(lacks.asked, Asked::Lacks(vec!["taint-eviction-controller".into()]), "{shell}");
                // It ends with a status of its own and none of the words of a component's parser.
                let other = looked(shell, &place, &ask(&["--frobnicate=1"], &[]));
                assert!(matches!(&other.asked, Asked::Not(why) if why.contains("ended with status 1")), "{other:?}");
            }
        }
    }

    /// `cat` waits for its standard input under whatever name.
    #[test]
    fn one_of_the_programs_in_hyperkube_is_seen_and_what_listens_unseen_is_said() {
        use std::os::unix::process::CommandExt as _;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = Listens { port: listener.local_addr().unwrap().port(), ..Listens::by_default(0) };
        let elsewhere = Listens { address: "127.0.0.9".parse().unwrap(), ..at };
        let program = format!("kube-hyper{}", std::process::id());
        let place = Place { program: program.clone(), ..place("x") };
        for shell in ["sh", "bash", "busybox sh"] {
            assert!(looked_at(shell, &place, &Ask::default(), Some(at)).unseen, "{shell}");
            assert!(!looked_at(shell, &place, &Ask::default(), Some(elsewhere)).unseen, "{shell}");
            for word in [program.as_str(), program.trim_start_matches("kube-")] {
                let mut command = Command::new("/bin/cat");
                command.arg0("/usr/bin/hyperkube").args([word, "-"]).stdin(Stdio::piped()).stdout(Stdio::null());
                let child = Running(command.stderr(Stdio::null()).spawn().unwrap());
                let cmdline = format!("/proc/{}/cmdline", child.0.id());
                while !std::fs::read(&cmdline).unwrap_or_default().ends_with(b"-\0") {
                    std::thread::yield_now();
                }
                let seen = looked_at(shell, &place, &Ask::default(), Some(at));
                assert!(seen.used.is_some() && !seen.unseen, "{shell} {word}: {seen:?}");
            }
        }
    }

    /// A name is anybody's to take: what another user runs under it is neither asked nor measured.
    #[test]
    fn a_stranger_that_only_has_the_name_is_not_run() {
        use std::os::unix::process::CommandExt as _;
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let place = place("breakglass-stranger");
        let file = dir.path().join(&place.program);
        std::fs::copy("/bin/sleep", &file).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        let _stranger = Running(Command::new(&file).arg("600").uid(65_534).gid(65_534).spawn().unwrap());
        let none = looked("sh", &place, &ask(&["--x=1"], &[]));
        assert_eq!((none.used, none.asked), (None, Asked::Not(format!("no process of {} runs", place.program))));
    }

    #[test]
    fn where_nothing_runs_nothing_is_asked_and_it_is_said() {
        let place = place("breakglass-none");
        let none = looked("sh", &place, &ask(&["--x=1"], &[]));
        assert_eq!(none.used, None);
        assert_eq!(none.asked, Asked::Not(format!("no process of {} runs", place.program)));
    }

    #[test]
    fn an_answer_is_read_and_one_that_broke_off_is_none() {
        let said = "total=1000\navailable=400\nceiling=900000\nunseen=yes\ncpus=4\nmemory=10 20\nmemory=30 30\nruns=rke2\nrefuses=unknown flag: --x\nflag=y\nend=yes\n";
        let read = room(said).unwrap();
        assert_eq!((read.memory, read.cpus), (Some(1_024_000), Some(4)));
        assert_eq!((read.available, read.ceiling, read.unseen), (Some(409_600), Some(900_000), true));
        assert_eq!(read.used, Some(Used { now: 30 * 1024, most: 30 * 1024 }));
        let flags = vec!["y".to_owned()];
        assert_eq!(read.asked, Asked::Refuses { said: "unknown flag: --x".into(), flags });
        assert_eq!(read.runs, ["rke2"]);
        let bare = room("total=\nceiling=\ncpus=0\nmemory= \nend=yes\n").unwrap();
        assert_eq!((bare.memory, bare.cpus, bare.used), (None, None, None));
        assert!(room("total=1000\n").is_none());
    }
}
