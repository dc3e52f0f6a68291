//! One static-pod manifest exchanged for another on its host: taken out, the process's exit awaited, the new one put
//! in, its answer awaited; the old one back by itself when no answer comes.
//!
//! A renamed-in change makes the kubelet start the new pod while the old one still ends, which costs it a retry
//! of 8 to 15 s; taken out and put in after the exit, the same change takes a third of the time.
//!
//! The exchange is done by a process of its own on the host, so that a lost connection cannot leave a control plane
//! without its manifest. All files of it stand in a folder beside the manifests' folder, never inside: the kubelet
//! reads every file in there, whatever its ending.

use std::fmt::Write as _;

use super::script::{Answer, Script, quote};
use super::{manifest, why};

/// A folder of static pods and the program looked for in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder of the static pods, absolute.
    pub manifests: String,
    /// The program, by base name: `kube-apiserver`.
    pub program: String,
    /// The run, which names the folder beside.
    pub run: String,
    /// What for, so that two steps of one run on one host have a folder each.
    pub tag: String,
}

impl Place {
    /// The folder beside the manifests that holds this run's files.
    pub fn beside(&self) -> String {
        let parent = self.manifests.trim_end_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent);
        format!("{parent}/breakglass-{}-{}", self.run, self.tag)
    }

    /// Where the old text is kept.
    pub fn before(&self) -> String {
        format!("{}/before.yaml", self.beside())
    }

    /// Where the new text is staged.
    pub fn next(&self) -> String {
        format!("{}/next.yaml", self.beside())
    }
}

/// What the host has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The files of the folder that start the program; more than one is a fault of the host.
    pub files: Vec<String>,
    /// Files that name the program and start another.
    pub others: Vec<String>,
    /// The SHA-256 of the first that starts it.
    pub sha256: String,
    /// Its text.
    pub text: String,
    /// Permission bits.
    pub mode: u32,
    /// The program's processes: (pid, start time in clock ticks since boot).
    pub processes: Vec<(u32, u64)>,
    /// SHA-256 of the old text kept by this run, when it is there.
    pub before: Option<String>,
    /// SHA-256 of the new text staged by this run, when it is there.
    pub next: Option<String>,
    /// The run's folder is there.
    pub folder: bool,
    /// Where this run's exchange stands, when one was begun.
    pub state: Option<State>,
}

/// Where an exchange stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Under way.
    Moving,
    /// The new process answers.
    Ready,
    /// The new process did not answer, or the old one did not exit; the old manifest is back.
    Reverted,
    /// What exchanged the manifest on the host died in the middle: a reboot, or no memory.
    Broken,
}

impl State {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "out" | "in" => Some(Self::Moving),
            "ready" => Some(Self::Ready),
            "reverted" | "stayed" => Some(Self::Reverted),
            "broken" => Some(Self::Broken),
            _ => None,
        }
    }
}

/// Processes by the base name of their first argument; one grep over all, because a fork for each is slow on a busy host.
/// `standing` says where an exchange stands, and knows when its runner is dead.
pub(super) const LIB: &str = r#"processes() {
  grep -la -- "$1" /proc/[0-9]*/cmdline 2>/dev/null | while IFS= read -r c; do
    d=${c%/cmdline}; a=$(tr '\000' '\n' 2>/dev/null <"$c" | head -n 1); [ "${a##*/}" = "$1" ] || continue
    s=$(sed 's/.*) //' "$d/stat" 2>/dev/null | cut -d ' ' -f 1,20); case $s in ''|Z*|X*) continue;; esac
    echo "${d##*/}:${s#* }"
  done
}
standing() {
  [ -f "$1/state" ] && read -r s r <"$1/state" || return 0
  case $s in out|in) grep -qa "$1/runner" "/proc/$r/cmdline" 2>/dev/null || s=broken;; esac
  echo "$s"
}
"#;

/// The script that looks.
pub fn look(place: &Place) -> Script {
    let mut body = String::from(LIB);
    let _ = write!(
        body,
        r#"m={manifests}; b={beside}; p={program}
[ -d "$m" ] || fail "there is no folder $m" 3
for f in "$m"/*; do
  [ -f "$f" ] || continue
  grep -qE "kind[\"']?:[[:space:]]*[\"']?Pod" "$f" || continue
  # An item of a list on a line of its own, with a remark or not; a word in quotes; a word in brackets without them.
  grep -qE "^[[:space:]]*-[[:space:]]+(&[^ ]+ +)?[\"']?([^ \"'#]*/)?$p[\"']?[[:space:]]*(#.*)?\$|[\"']([^\"']*/)?$p[\"']|^[^#]*[[,][[:space:]]*([^] ,\"'#]*/)?$p[[:space:]]*[],]|^[[:space:]]*([^] ,\"'#]*/)?$p[[:space:]]*,?[[:space:]]*\$" "$f" || continue
  say file "$f"
  say sha256 "$(sha256sum <"$f" | cut -d ' ' -f 1)"
  say mode "$(stat -c %a "$f" 2>/dev/null || echo 600)"
  say text "$(base64 <"$f" | tr -d '\n')"
done
for x in $(processes "$p"); do say process "$x"; done
for x in before next; do [ -f "$b/$x.yaml" ] && say "$x" "$(sha256sum <"$b/$x.yaml" | cut -d ' ' -f 1)"; done
[ -d "$b" ] && say folder "$b"
[ -f "$b/state" ] && say state "$(standing "$b")"
say looked yes
"#,
        manifests = quote(place.manifests.trim_end_matches('/')),
        beside = quote(&place.beside()),
        program = quote(&place.program),
    );
    Script::new("manifest.look", body)
        .arg("manifests", &place.manifests)
        .arg("program", &place.program)
        .arg("beside", place.beside())
}

/// Reads what `look` printed of a program.
///
/// # Errors
/// One sentence.
pub fn seen(stdout: &str, program: &str) -> Result<Seen, String> {
    use base64::Engine as _;
    let answer = Answer::parse(stdout);
    if let Some(why) = answer.get("failed") {
        return Err(why.to_owned());
    }
    if !answer.yes("looked") {
        return Err("the answer broke off".into());
    }
    let decoded = |text: &str| {
        let text = base64::engine::general_purpose::STANDARD.decode(text);
        let text = text.map_err(|e| format!("the manifest's text did not arrive whole: {e}"))?;
        String::from_utf8(text).map_err(|_| "the manifest is not UTF-8".to_owned())
    };
    // Each file's lines come together, in this order; an empty file has no text.
    let (mut files, mut others, mut first) = (Vec::new(), Vec::new(), None);
    let mut pairs = answer.pairs().skip_while(|(key, _)| *key != "file").peekable();
    while let Some((_, file)) = pairs.next() {
        let (mut sha256, mut mode, mut text) = ("", "", "");
        while let Some((key, value)) = pairs.next_if(|(key, _)| *key != "file") {
            match key {
                "sha256" => sha256 = value,
                "mode" => mode = value,
                "text" => text = value,
                _ => {}
            }
        }
        match decoded(text) {
            Ok(text) if !manifest::starts(&text, program) => others.push(file.to_owned()),
            text => {
                files.push(file.to_owned());
                first.get_or_insert((sha256.to_owned(), u32::from_str_radix(mode, 8).unwrap_or(0o600), text));
            }
        }
    }
    let (sha256, mode, text) = first.unwrap_or((String::new(), 0o600, Ok(String::new())));
    let process = |word: &str| {
        let (pid, start) = word.split_once(':')?;
        Some((pid.parse().ok()?, start.parse().ok()?))
    };
    Ok(Seen {
        files,
        others,
        sha256,
        text: text?,
        mode,
        processes: answer.all("process").filter_map(process).collect(),
        before: answer.get("before").map(str::to_owned),
        next: answer.get("next").map(str::to_owned),
        folder: answer.get("folder").is_some(),
        state: answer.get("state").and_then(State::parse),
    })
}

/// Makes the folder beside, for root alone; a folder that is there already is fine.
pub fn folder(place: &Place) -> Script {
    let body = format!(
        "b={}\n( umask 077 && mkdir -p \"$b\" ) || fail \"cannot make $b\"\nsay folder \"$b\"\n",
        quote(&place.beside())
    );
    Script::new("manifest.folder", body).arg("path", place.beside())
}

/// Takes the folder beside away, with what an exchange left in it. Copies that are still there keep it.
pub fn folder_away(place: &Place) -> Script {
    let body = format!(
        r#"{LIB}b={}
[ -d "$b" ] || {{ say folder absent; return 0; }}
case $(standing "$b") in out|in) fail "an exchange is under way in $b" 5;; broken) fail "an exchange broke off; look at $b" 5;; esac
rm -f "$b/state" "$b/state.part" "$b/order" "$b/runner" "$b/refused.yaml" "$b/why"
rmdir "$b" || fail "$b is not empty"
say folder absent
"#,
        quote(&place.beside())
    );
    Script::new("manifest.folder-away", body).arg("path", place.beside())
}

/// One exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// Where.
    pub place: Place,
    /// The manifest's path.
    pub file: String,
    /// The SHA-256 that must be there now.
    pub from: String,
    /// The file to put in, already on the host.
    pub staged: String,
    /// Its SHA-256.
    pub to: String,
    /// Where the new process has to answer, as the beginning of a URL: `https://127.0.0.1`.
    pub origin: String,
    /// The port there.
    pub port: u16,
    /// The path it has to answer there; any answer that is no fault of the server counts.
    pub health: &'static str,
    /// How long the old process may take to exit, in seconds.
    pub exit_secs: u64,
    /// How long the new process may take to answer, in seconds.
    pub ready_secs: u64,
}

/// The exchange as run on the host by a process of its own; `$F` the manifest, `$B` the folder beside, `$N` the new text.
///
/// Only processes that were not there before count as new ones: an old one that outlives its time is never taken for one.
/// Its state is written before the first look, which is slow on a busy host, so that it is never taken for one that was
/// not begun. Told to end (an orderly reboot, a logout) with the manifest out, it puts it back first; its state then
/// reads as broken off.
const RUNNER: &str = r#"put() { cp -p "$B/out.yaml" "$B/put.yaml" && cat "$1" >"$B/put.yaml" && sync && mv "$B/put.yaml" "$F"; }
state() { echo "$1 $$" >"$B/state.part" && mv "$B/state.part" "$B/state"; }
left() { for x in $OLD; do processes "$P" | grep -qx "$x" && return 0; done; return 1; }
gone() { i=0; while left; do [ "$i" -lt "$1" ] || return 1; sleep 1; i=$((i+1)); done; }
fresh() { for x in $(processes "$P"); do case " $OLD " in *" $x "*) ;; *) return 0;; esac; done; return 1; }
answers() {
  fresh || return 1
  if command -v curl >/dev/null 2>&1; then
    c=$(curl -ks --noproxy '*' -o /dev/null -w '%{http_code}' --max-time 5 "$ORIGIN:$PORT$HEALTH"); case $c in 2*|401|403) return 0;; *) return 1;; esac
  fi
  h=$(printf '%04X' "$PORT"); grep -qE "^ *[0-9]+: [0-9A-F]+:$h [0-9A-F]+:0000 0A" /proc/net/tcp /proc/net/tcp6 2>/dev/null
}
ready() { i=0; while [ "$i" -lt "$1" ]; do answers && { sleep 2; answers && return 0; }; sleep 1; i=$((i+1)); done; return 1; }
back() { mv "$B/out.yaml" "$F" || { state failed; exit 1; }; }
stopped() { trap '' TERM HUP INT; [ -e "$F" ] || mv "$B/out.yaml" "$F"; exit 1; }
trap stopped TERM HUP INT
state out || exit 1
OLD=$(processes "$P" | tr '\n' ' ')
mv "$F" "$B/out.yaml" || { state failed; exit 1; }
gone "$EXIT" || { back; state stayed; exit 1; }
put "$N" || { back; state failed; exit 1; }
state in
if ready "$READY"; then rm -f "$B/out.yaml"; state ready; exit 0; fi
why /var/log/pods >"$B/why" 2>/dev/null
OLD=$(processes "$P" | tr '\n' ' ')
mv "$F" "$B/refused.yaml"
gone "$EXIT"
back
ready "$READY"
state reverted
"#;

/// Puts the old manifest back when a runner died with it out; `$F` the manifest, `$B` the folder beside.
const MEND: &str = r#"mend() {
  [ "$(standing "$B")" = broken ] || return 0
  if [ ! -e "$F" ] && [ -f "$B/out.yaml" ]; then mv "$B/out.yaml" "$F" || fail "put $B/out.yaml back as $F by hand" 8; fi
  rm -f "$B/state" "$B/put.yaml"
}
"#;

/// The script that puts right what a dead exchange left: the old manifest back in its place, if it is in none.
pub fn mend(place: &Place) -> Script {
    let body = format!(
        "{LIB}{MEND}B={}\nread -r F <\"$B/order\" || fail \"no exchange was begun in $B\"\nmend\nsay mended yes\n",
        quote(&place.beside())
    );
    Script::new("manifest.mend", body).arg("beside", place.beside())
}

/// The script that exchanges, and waits for its end. It may be repeated: it joins an exchange of the same two texts that
/// is under way, and puts right one that broke off before it begins anew.
pub fn swap(swap: &Swap) -> Script {
    let place = &swap.place;
    let mut body = format!("{LIB}{MEND}");
    let _ = write!(
        body,
        r#"F={file}; B={beside}; N={staged}; P={program}; ORIGIN={origin}; PORT={port}; HEALTH={health}; EXIT={exit}; READY={ready}
sum() {{ sha256sum 2>/dev/null <"$1" | cut -d ' ' -f 1; }}
order={from}-{to}
mend
case $(standing "$B") in
out|in) [ "$(sed -n 2p "$B/order" 2>/dev/null)" = "$order" ] || fail "another exchange is under way in $B" 5 ;;
*)
  if [ "$(sum "$F")" = {to} ]; then
    # Never sent, put back already, or done before: all that is left to see is that it lives.
    i=0; while [ -z "$(processes "$P")" ]; do
      [ "$i" -lt "$READY" ] || fail "$F is as wanted already, but no process of $P came within $READY s" 6
      sleep 1; i=$((i+1))
    done
    say state ready; return 0
  fi
  [ "$(sum "$F")" = {from} ] || fail "$F is not what was seen before: somebody else has changed it" 4
  [ "$(sum "$N")" = {to} ] || fail "$N is not what was staged" 4
  printf '%s\n' "$F" "$order" >"$B/order" || fail "cannot write $B/order; nothing was changed" 3
  cat >"$B/runner" <<'BREAKGLASS_RUNNER' || fail "cannot write $B/runner; nothing was changed" 3
{lib}{runner}BREAKGLASS_RUNNER
  rm -f "$B/state" "$B/why"
  export F B N P ORIGIN PORT HEALTH EXIT READY
  if have setsid; then setsid sh "$B/runner" >/dev/null 2>&1 </dev/null &
  else nohup sh "$B/runner" >/dev/null 2>&1 </dev/null & fi
  i=0; while [ ! -f "$B/state" ] && [ "$i" -lt 30 ]; do sleep 1; i=$((i+1)); done
  ;;
esac
i=0; while [ "$i" -lt {patience} ]; do
  s=$(standing "$B")
  case $s in out|in) ;; *) break;; esac
  sleep 1; i=$((i+1))
done
say state "${{s:-none}}"
case $s in
  ready) rm -f "$B/runner" ;;
  reverted) fail "the new process did not answer at $ORIGIN:$PORT$HEALTH within $READY s; the old manifest is back in place" 6;;
  stayed) fail "the old process did not exit within $EXIT s; the old manifest is back in place" 6;;
  *) say unknown "the exchange did not end well (state ${{s:-none}}); the old text is in $B/out.yaml or $F: look there"; return 7;;
esac
"#,
        file = quote(&swap.file),
        beside = quote(&place.beside()),
        staged = quote(&swap.staged),
        program = quote(&place.program),
        origin = quote(&swap.origin),
        port = swap.port,
        health = quote(swap.health),
        exit = swap.exit_secs,
        ready = swap.ready_secs,
        from = quote(&swap.from),
        to = quote(&swap.to),
        lib = [LIB, why::WHY].concat(),
        runner = RUNNER,
        patience = patience(swap),
    );
    Script::new("manifest.swap", body)
        .arg("file", &swap.file)
        .arg("from", &swap.from)
        .arg("staged", &swap.staged)
        .arg("to", &swap.to)
        .arg("program", &place.program)
        .arg("origin", &swap.origin)
        .arg("port", swap.port.to_string())
        .arg("beside", place.beside())
        .words(format!("{} out, its process gone, the new one in, its process ready", swap.file))
}

/// The longest an exchange and its reversal can take, in seconds.
pub fn patience(swap: &Swap) -> u64 {
    // A look at the process takes up to 8 s beside the counted second; the reversal takes both waits once more.
    (swap.exit_secs + swap.ready_secs) * 2 + 30
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(dir: &str) -> Place {
        Place {
            manifests: format!("{dir}/manifests"),
            program: "kube-apiserver".into(),
            run: "r1".into(),
            tag: "room".into(),
        }
    }

    /// Runs a script's text with the machine's own sh.
    fn run(script: &Script) -> (i32, String) {
        use std::io::Write as _;
        let mut child = std::process::Command::new("sh")
            .arg("-s")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(script.text().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap_or(-1), String::from_utf8(output.stdout).unwrap())
    }

    #[test]
    fn the_folder_stands_beside_and_never_inside() {
        let place = place("/etc/kubernetes");
        assert_eq!(place.beside(), "/etc/kubernetes/breakglass-r1-room");
        assert!(!place.before().starts_with("/etc/kubernetes/manifests/"));
    }

    #[test]
    fn looking_finds_the_manifest_and_its_backup_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path().to_str().unwrap());
        std::fs::create_dir(&place.manifests).unwrap();
        let text = "kind: Pod\nspec:\n  containers:\n  - command:\n    - /k/kube-apiserver\n    - --secure-port=6443\n";
        std::fs::write(format!("{}/api.yaml", place.manifests), text).unwrap();
        std::fs::write(format!("{}/etcd.yaml", place.manifests), "kind: Pod\n# for kube-apiserver\n- etcd\n").unwrap();
        let balancer =
            "kind: Pod\nmetadata: {labels: {for: \"kube-apiserver\"}}\nspec:\n  containers:\n  - command: [haproxy]\n";
        std::fs::write(format!("{}/a-balancer.yaml", place.manifests), balancer).unwrap();
        let one = seen(&run(&look(&place)).1, &place.program).unwrap();
        assert_eq!((one.files.len(), one.text.as_str()), (1, text));
        assert_eq!(one.others, [format!("{}/a-balancer.yaml", place.manifests)]);
        assert_eq!(one.sha256, crate::change::sha256_hex(text.as_bytes()));
        std::fs::write(format!("{}/api.yaml.bak", place.manifests), text).unwrap();
        assert_eq!(seen(&run(&look(&place)).1, &place.program).unwrap().files.len(), 2);
    }

    #[test]
    fn the_program_is_found_however_its_word_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path().to_str().unwrap());
        std::fs::create_dir(&place.manifests).unwrap();
        let found = |text: &str| {
            std::fs::write(format!("{}/api.yaml", place.manifests), format!("kind: Pod\n{text}\n")).unwrap();
            let seen = seen(&run(&look(&place)).1, &place.program).unwrap();
            seen.files.len() + seen.others.len() == 1
        };
        for text in [
            "    - kube-apiserver # do not reorder",
            "    - /k/kube-apiserver\r",
            "    - '/k/kube-apiserver'",
            "    command: [kube-apiserver, --x=1]",
            "    command: [ /go-runner, /k/kube-apiserver ]",
            "    command: [\n      kube-apiserver,\n      --x=1]",
            "    args: [\"/go-runner\", \"/k/kube-apiserver\"]",
            "    - &program kube-apiserver",
        ] {
            assert!(found(text), "{text}");
        }
        for text in [
            "    # - kube-apiserver",
            "    # [kube-apiserver, x]",
            "    - kube-apiserver-x",
            "    - --for=kube-apiserver",
        ] {
            assert!(!found(text), "{text}");
        }
    }

    #[test]
    fn the_folder_comes_and_goes_with_what_an_exchange_left() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path().to_str().unwrap());
        assert_eq!(run(&folder(&place)).0, 0);
        assert_eq!(run(&folder(&place)).0, 0);
        std::fs::write(format!("{}/state", place.beside()), "ready").unwrap();
        std::fs::write(place.before(), "kept").unwrap();
        assert_ne!(run(&folder_away(&place)).0, 0);
        std::fs::remove_file(place.before()).unwrap();
        assert_eq!(run(&folder_away(&place)).0, 0);
        assert!(!std::path::Path::new(&place.beside()).exists());
        assert_eq!(run(&folder_away(&place)).0, 0);
    }

    #[test]
    fn a_missing_folder_is_said() {
        let (code, out) = run(&look(&place("/nonexistent")));
        assert_eq!(code, 3);
        assert!(seen(&out, "x").unwrap_err().contains("/nonexistent/manifests"));
    }

    #[test]
    fn an_exchange_is_refused_when_somebody_else_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path().to_str().unwrap());
        std::fs::create_dir(&place.manifests).unwrap();
        std::fs::create_dir(place.beside()).unwrap();
        let file = format!("{}/api.yaml", place.manifests);
        std::fs::write(&file, "theirs").unwrap();
        std::fs::write(place.next(), "new").unwrap();
        let exchange = Swap {
            staged: place.next(),
            file: file.clone(),
            from: crate::change::sha256_hex(b"ours"),
            to: crate::change::sha256_hex(b"new"),
            origin: "https://127.0.0.1".into(),
            port: 1,
            health: "/livez",
            exit_secs: 1,
            ready_secs: 1,
            place,
        };
        let (code, out) = run(&swap(&exchange));
        assert_eq!(code, 4, "{out}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "theirs");
    }

    /// A folder with a manifest `old`, a staged text `new`, and the exchange between them of a program that does not run.
    fn exchange(dir: &tempfile::TempDir) -> Swap {
        let mut place = place(dir.path().to_str().unwrap());
        place.program = "breakglass-no-such-program".into();
        std::fs::create_dir(&place.manifests).unwrap();
        std::fs::create_dir(place.beside()).unwrap();
        std::fs::write(format!("{}/api.yaml", place.manifests), "old").unwrap();
        std::fs::write(place.next(), "new").unwrap();
        Swap {
            staged: place.next(),
            file: format!("{}/api.yaml", place.manifests),
            from: crate::change::sha256_hex(b"old"),
            to: crate::change::sha256_hex(b"new"),
            origin: "https://127.0.0.1".into(),
            port: 1,
            health: "/livez",
            exit_secs: 1,
            ready_secs: 1,
            place,
        }
    }

    #[test]
    fn an_exchange_whose_runner_died_is_seen_mended_and_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let exchange = exchange(&dir);
        let beside = exchange.place.beside();
        std::fs::rename(&exchange.file, format!("{beside}/out.yaml")).unwrap();
        std::fs::write(format!("{beside}/order"), format!("{}\nx-y\n", exchange.file)).unwrap();
        // No process has a number beyond the kernel's most.
        std::fs::write(format!("{beside}/state"), "out 99999999\n").unwrap();
        let seen = seen(&run(&look(&exchange.place)).1, &exchange.place.program).unwrap();
        assert_eq!((seen.state, seen.files.len()), (Some(State::Broken), 0));
        assert_eq!(run(&mend(&exchange.place)).0, 0);
        assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
        // And an exchange puts it right by itself.
        std::fs::rename(&exchange.file, format!("{beside}/out.yaml")).unwrap();
        std::fs::write(format!("{beside}/state"), "out 99999999\n").unwrap();
        assert_eq!(run(&swap(&exchange)).0, 6);
        assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
    }

    #[test]
    fn a_process_that_was_there_before_is_never_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let mut exchange = exchange(&dir);
        let program = format!("{}/breakglass-old-one", dir.path().display());
        std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
        let mut old = std::process::Command::new(&program).arg("60").spawn().unwrap();
        exchange.place.program = "breakglass-old-one".into();
        let (code, out) = run(&swap(&exchange));
        old.kill().unwrap();
        old.wait().unwrap();
        assert_eq!(code, 6, "{out}");
        assert!(out.contains("did not exit"), "{out}");
        assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
    }

    #[test]
    fn the_old_text_comes_back_when_nothing_answers() {
        let dir = tempfile::tempdir().unwrap();
        let exchange = exchange(&dir);
        let (code, out) = run(&swap(&exchange));
        assert_eq!(code, 6, "{out}");
        assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
        assert_eq!(std::fs::read_dir(&exchange.place.manifests).unwrap().count(), 1);
    }

    /// The inverse of an exchange that was never sent, or whose manifest is back already, has nothing to do.
    #[test]
    fn an_exchange_whose_end_stands_already_is_ready_and_one_that_has_no_process_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let mut exchange = exchange(&dir);
        std::mem::swap(&mut exchange.from, &mut exchange.to);
        let (code, out) = run(&swap(&exchange));
        assert_eq!(code, 6, "{out}");
        assert!(out.contains("no process"), "{out}");
        let program = format!("{}/breakglass-one-alive", dir.path().display());
        std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
        let mut alive = std::process::Command::new(&program).arg("60").spawn().unwrap();
        exchange.place.program = "breakglass-one-alive".into();
        let (code, out) = run(&swap(&exchange));
        alive.kill().unwrap();
        alive.wait().unwrap();
        assert_eq!(code, 0, "{out}");
        assert!(out.contains("state=ready"), "{out}");
        assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
    }

    #[test]
    fn a_runner_that_is_told_to_end_puts_the_manifest_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut exchange = exchange(&dir);
        let program = format!("{}/breakglass-slow-one", dir.path().display());
        std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
        let mut old = std::process::Command::new(&program).arg("60").spawn().unwrap();
        exchange.place.program = "breakglass-slow-one".into();
        exchange.exit_secs = 50;
        let out = format!("{}/out.yaml", exchange.place.beside());
        let state = format!("{}/state", exchange.place.beside());
        std::thread::scope(|scope| {
            let running = scope.spawn(|| run(&swap(&exchange)));
            while !std::path::Path::new(&out).exists() && !running.is_finished() {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            let text = std::fs::read_to_string(&state).unwrap();
            let pid = text.split_whitespace().nth(1).unwrap().to_owned();
            assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
            let (code, out) = running.join().unwrap();
            assert_eq!(code, 7, "{out}");
            assert!(out.contains("unknown="), "{out}");
        });
        old.kill().unwrap();
        old.wait().unwrap();
        assert_eq!(std::fs::read_to_string(&exchange.file).unwrap(), "old");
        assert!(!std::path::Path::new(&out).exists());
    }
}
