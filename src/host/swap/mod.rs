//! One static-pod manifest exchanged for another on its host: taken out, the process's exit awaited, the new one put
//! in, its answer awaited; the old one back by itself when no answer comes.
//!
//! A renamed-in change makes the kubelet start the new pod while the old one still ends, which costs it a retry
//! of 8 to 15 s; taken out and put in after the exit, the same change takes a third of the time.
//!
//! The exchange is done by a process of its own on the host, outside the login's session and control group, so that neither a
//! lost connection nor the end of the login can leave a control plane without its manifest. All files of it stand in a folder
//! beside the manifests' folder, never inside: the kubelet reads every file in there, whatever its ending. Whoever looks sees
//! there what stands, and whose it is.
//!
//! Two engineers never take two API servers out at once: a step marks its own host first, then looks for marks and
//! exchanges on all the others, and begins when there are none.

use std::fmt::Write as _;

pub(super) use self::runner::{LAUNCH, LIB};
use self::runner::{MEND, RUNNER, TURN};
use super::genuine::GENUINE;
use super::order::{Order as _, Query, order};
use super::program::TELLING;
use crate::script::{HEAD, Script, quote};

mod answers;
#[cfg(test)]
mod kills;
mod runner;
#[cfg(test)]
mod tests;

pub use self::answers::{File, Kept, Other, Seen, Stands, State};
use self::answers::{looked, under_way_seen};
use super::why;

/// A folder of static pods and the program looked for in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The folder of the static pods, absolute.
    pub manifests: String,
    /// The program, by base name: `kube-apiserver`.
    pub program: String,
    /// The run, which names the folder beside.
    pub run: String,
    /// Who.
    pub operator: String,
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

/// For how long a mark counts, in seconds: a step that left one begins within that time, or does not begin.
pub const MARK_LIFE: u64 = 90;

order! {
    /// Looks at a manifest, its process, and what stands of exchanges.
    ManifestLook = "manifest.look" { manifests: String, program: String, beside: String } -> Result<Seen, String>,
        |look: &ManifestLook, stdout| looked(stdout, &look.program)
}

/// The script that looks.
pub fn look(place: &Place) -> Query<ManifestLook> {
    let mut body = [GENUINE, LIB].concat();
    let _ = write!(
        body,
        r#"m={manifests}; b={beside}; p={program}; manifests=$m
[ -d "$m" ] || fail "there is no folder $m" 3
for f in "$m"/*; do
  [ -f "$f" ] || continue
  grep -qE "kind[\"']?[[:space:]]*:[[:space:]]*[\"']?Pod" "$f" || continue
  # Its name as a word, in no remark, or in quotes; whether that starts it is judged by who reads the text.
  grep -qE "^([^#]*[^A-Za-z0-9_.=#-])?$p([^A-Za-z0-9_./=-]|\$)|[\"']([^\"']*/)?$p[\"']|^[^#]*hyperkube" "$f" || continue
  [ ! -L "$f" ] || fail "$f is a symbolic link, and only a file itself can be exchanged; nothing was changed" 3
  say file "$f"
  say sha256 "$(sha256sum <"$f" | cut -d ' ' -f 1)"
  say mode "$(stat -c %a "$f" 2>/dev/null || echo 600)"
  say text "$(base64 <"$f" | tr -d '\n')"
done
for x in $(processes "$p"); do say process "$x"; done
for x in before next; do [ -f "$b/$x.yaml" ] && say "$x" "$(sha256sum <"$b/$x.yaml" | cut -d ' ' -f 1)"; done
[ -d "$b" ] && say folder "$b"
[ -f "$b/mark" ] && say marked "$(age "$b/mark")"
[ -f "$b/state" ] && say state "$(standing "$b")"
others "${{m%/*}}" "$b" "$p"
say looked yes
"#,
        manifests = quote(place.manifests.trim_end_matches('/')),
        beside = quote(&place.beside()),
        program = quote(&place.program),
    );
    let (manifests, program) = (place.manifests.clone(), place.program.clone());
    ManifestLook { manifests, program, beside: place.beside() }.query(body)
}

order! {
    /// Looks at exchanges alone.
    ManifestUnderWay = "manifest.under-way" { manifests: String, program: String } -> Vec<Other>, |_, stdout| under_way_seen(stdout)
}

/// The script that looks whether an exchange of a program is under way on a host, or about to be; whoever's it is.
pub fn under_way(manifests: &str, program: &str) -> Query<ManifestUnderWay> {
    let manifests = manifests.trim_end_matches('/');
    let body =
        format!("{GENUINE}{LIB}m={}\nothers \"${{m%/*}}\" '' {}\nsay looked yes\n", quote(manifests), quote(program));
    ManifestUnderWay { manifests: manifests.to_owned(), program: program.to_owned() }.query(body)
}

order! {
    /// Makes the folder beside the manifests, with the mark in it.
    ManifestFolder = "manifest.folder" { path: String, run: String, operator: String, program: String }
}

/// Makes the folder beside, for root alone, and leaves the mark in it; a folder that is there already is fine.
pub fn folder(place: &Place) -> Script {
    let body = format!(
        "b={}\n( umask 077 && mkdir -p \"$b\" ) || fail \"cannot make $b\"\n\
         printf '%s\\n' {} {} {} >\"$b/mark\" || fail \"cannot write $b/mark (disk full?)\"\nsay folder \"$b\"\n",
        quote(&place.beside()),
        quote(&line(&place.run)),
        quote(&line(&place.operator)),
        quote(&line(&place.program)),
    );
    let Place { run, operator, program, .. } = place.clone();
    ManifestFolder { path: place.beside(), run, operator, program }.script(body)
}

/// As a line of its own in a file.
pub(super) fn line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

order! {
    /// Takes the folder beside the manifests away.
    ManifestFolderAway = "manifest.folder-away" { path: String }
}

/// Takes the folder beside away, with what an exchange left in it. Copies that are still there keep it; one of the manifest
/// that is in its place does not.
pub fn folder_away(place: &Place) -> Script {
    let body = format!(
        r#"{GENUINE}{LIB}b={}
[ -d "$b" ] || {{ say folder absent; return 0; }}
case $(standing "$b") in out|in) fail "an exchange is under way in $b" 5;; broken) fail "an exchange broke off; look at $b" 5;; esac
if [ -e "$b/out.yaml" ] && read -r f <"$b/order" && [ ! -e "$f" ]; then fail "$f is in no place but $b/out.yaml" 5; fi
if [ -f "$b/out.yaml" ] && read -r f <"$b/order" && [ "$(sum "$f")" = "$(sum "$b/out.yaml")" ]; then rm -f "$b/out.yaml"; fi
rm -f "$b/state" "$b/state.part" "$b/order" "$b/mark" "$b/runner" "$b/runner.part" "$b/put.yaml" "$b/refused.yaml" "$b/why" "$b/turn" "$b/probe" "$b/changed"
rmdir "$b" || fail "$b is not empty: $(ls -A "$b" | tr '\n' ' ')"
say folder absent
"#,
        quote(&place.beside())
    );
    ManifestFolderAway { path: place.beside() }.script(body)
}

order! {
    /// Exchanges a manifest.
    ManifestSwap = "manifest.swap" {
        file: String, from: String, staged: String, to: String, program: String, origin: String, port: u64, beside: String,
        run: String, operator: String, only_while: Option<String>
    }
}

/// One exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// The folder of the static pods and the program in it.
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
    /// Another file that has to be what it was put there as: its path and its SHA-256. `None`: no other file matters.
    pub only_while: Option<(String, String)>,
}

order! {
    /// Puts right what a dead exchange left.
    ManifestMend = "manifest.mend" { beside: String }
}

/// The script that puts right what a dead exchange left: the old manifest back in its place, if it is in none.
pub fn mend(place: &Place) -> Script {
    let body = format!(
        "{GENUINE}{LIB}{MEND}B={}\nread -r F <\"$B/order\" || fail \"no exchange was begun in $B\"\nmend\nsay mended yes\n",
        quote(&place.beside())
    );
    ManifestMend { beside: place.beside() }.script(body)
}

/// The script that exchanges, and waits for its end. It may be repeated: it joins an exchange of the same two texts that
/// is under way, and puts right one that broke off before it begins anew.
pub fn swap(swap: &Swap) -> Script {
    let place = &swap.place;
    let mut body = format!("{GENUINE}{LIB}{MEND}{TURN}{LAUNCH}");
    let _ = write!(
        body,
        r#"F={file}; B={beside}; N={staged}; P={program}; manifests=${{F%/*}}; EXIT={exit}; READY={ready}; asked={origin}:{port}{health}
order={from}-{to}
# The way there, where this is the way back, is waited for: it has an end.
waited=0
while turn; mend; s=$(standing "$B"); do
  case $s in out|in) ;; *) break;; esac
  [ "$(sed -n 2p "$B/order" 2>/dev/null)" != "$order" ] || break
  [ "$waited" -lt {patience} ] || fail "another exchange is under way in $B, for more than {patience} s" 5
  exec 9>&-
  sleep 1; waited=$((waited+1))
done
case $s in
out|in) ;;
*)
  if [ "$(sum "$F")" = {to} ]; then
    # Never sent, put back already, or done before: all that is left to see is that it lives.
    i=0; while [ -z "$(processes "$P")" ]; do
      [ "$i" -lt "$READY" ] || fail "$F is as wanted already, but no process of $P came within $READY s" 6
      sleep 1; i=$((i+1))
    done
    rm -f "$B/out.yaml" "$B/put.yaml" "$B/mark"
    say state ready; return 0
  fi
  [ ! -L "$F" ] || fail "$F is a symbolic link, and only a file itself can be exchanged; nothing was changed" 3
  [ "$(sum "$F")" = {from} ] || fail "$F is not what was seen before: somebody else has changed it" 4
  [ "$(sum "$N")" = {to} ] || fail "$N is not what was staged" 4
{only_while}  if [ -f "$B/mark" ] && [ "$(age "$B/mark")" -gt {mark} ]; then
    fail "the mark that keeps others from exchanging meanwhile ran out after {mark} s; nothing was changed" 5
  fi
  # Whatever the disk has no room for is found out now.
  # A second name can be given just where a rename works: not to another file system nor through a mount of the same one,
  # whatever link or number leads there. A move that has to copy could be seen, or broken off, in the middle.
  rm -f "$B/probe"
  err=$(ln "$F" "$B/probe" 2>&1) && rm -f "$B/probe" ||
    fail "nothing can be renamed between ${{F%/*}} and $B beside it: ${{err##*: }} (see: findmnt -T ${{F%/*}}); nothing was changed" 3
  printf '%s\n' "$F" "$order" {run} {operator} "$P" >"$B/order" && [ "$(sed -n 5p "$B/order")" = "$P" ] ||
    fail "cannot write $B/order (disk full?); nothing was changed" 3
  cat >"$B/runner.part" <<'BREAKGLASS_RUNNER'
{head}{lib}F={file}; B={beside}; P={program}; manifests=${{F%/*}}; ORIGIN={origin}; PORT={port}; HEALTH={health}; EXIT={exit}; READY={ready}
{runner}BREAKGLASS_RUNNER
  [ "$(tail -n 1 "$B/runner.part")" = '# the end' ] && mv -f "$B/runner.part" "$B/runner" || {{
    rm -f "$B/runner.part"; fail "cannot write $B/runner (disk full?); nothing was changed" 3
  }}
  cp -p "$F" "$B/put.yaml" && cat "$N" >"$B/put.yaml" && [ "$(sum "$B/put.yaml")" = {to} ] || {{
    rm -f "$B/put.yaml"; fail "cannot write $B/put.yaml (disk full?); nothing was changed" 3
  }}
  sync "$B/put.yaml" 2>/dev/null || sync
  rm -f "$B/state" "$B/why"
  launch
  ;;
esac
exec 9>&-
i=0; while [ "$i" -lt {patience} ]; do
  s=$(standing "$B")
  case $s in out|in) ;; *) break;; esac
  sleep 1; i=$((i+1))
done
say state "${{s:-none}}"
case $s in
  ready) rm -f "$B/runner" ;;
  reverted) fail "the new process did not answer at $asked within $READY s; the old manifest is back in place" 6;;
  stayed) fail "the old process did not exit within $EXIT s; the old manifest is back in place" 6;;
  untaken) fail "$F could not be taken out; nothing was changed" 6;;
  unwritten) fail "the new manifest could not be put in; the old one is back in place" 6;;
  stopped) say unknown "what exchanges the manifest was told to end; the old one is back in place"; return 7;;
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
        run = quote(&line(&place.run)),
        operator = quote(&line(&place.operator)),
        mark = MARK_LIFE,
        head = HEAD,
        lib = [GENUINE, LIB, TELLING, why::WHY].concat(),
        runner = RUNNER,
        patience = patience(swap),
        only_while = swap.only_while.as_ref().map_or_else(String::new, |(path, sha256)| {
            format!(
                "  [ \"$(sum {path})\" = {sha256} ] || fail {path}\" is not what was put there: what somebody else has put into it since \
                 would end with this\" 4\n",
                path = quote(path),
                sha256 = quote(sha256)
            )
        }),
    );
    let order = ManifestSwap {
        file: swap.file.clone(),
        from: swap.from.clone(),
        staged: swap.staged.clone(),
        to: swap.to.clone(),
        program: place.program.clone(),
        origin: swap.origin.clone(),
        port: swap.port.into(),
        beside: place.beside(),
        run: place.run.clone(),
        operator: place.operator.clone(),
        only_while: swap.only_while.as_ref().map(|(path, sha256)| format!("{path} {sha256}")),
    };
    order.script(body).words(format!("{} out, its process gone, the new one in, its process ready", swap.file))
}

/// Where a script of [`swap`] exchanges; `None`: it is another script, or one of a version that did not say so.
pub fn place_of(script: &Script) -> Option<Place> {
    let ManifestSwap { file, program, beside, run, operator, .. } = ManifestSwap::of(script)?;
    let manifests = file.rsplit_once('/')?.0.to_owned();
    let tag = beside.rsplit_once(&format!("/breakglass-{run}-"))?.1.to_owned();
    Some(Place { manifests, program, run, operator, tag })
}

/// The longest an exchange and its reversal can take, in seconds.
pub fn patience(swap: &Swap) -> u64 {
    // A look at the process takes up to 8 s beside the counted second; the reversal takes both waits once more.
    (swap.exit_secs + swap.ready_secs) * 2 + 30
}
