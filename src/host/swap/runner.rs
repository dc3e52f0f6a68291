//! What runs on the host, as sh.

/// The program's genuine processes in the host's own network, by their name: the control planes
/// of other clusters may run here in pods, and a name is anybody's to take. One grep over all, because a fork for each is
/// slow on a busy host. Needs `genuine`.
/// `runs_as` says whether a text is among a process's words: to busybox's grep a NUL is the end of all.
/// `standing` says where an exchange stands, and knows when its runner is dead. `others` says what other exchanges of the
/// same program, `$3`, stand in folders beside `$1`'s, but for `$2`.
pub(in crate::host) const LIB: &str = r#"processes() {
  grep -la -- "${1#kube-}" /proc/[0-9]*/cmdline 2>/dev/null | while IFS= read -r c; do
    d=${c%/cmdline}; [ "$(called "${d##*/}")" = "$1" ] || continue
    s=$(sed 's/.*) //' "$d/stat" 2>/dev/null | cut -d ' ' -f 1,20); case $s in ''|Z*|X*) continue;; esac
    [ "$(readlink "$d/ns/net" 2>/dev/null)" = "$(readlink /proc/$$/ns/net)" ] && genuine "${d##*/}" "$1" || continue
    echo "${d##*/}:${s#* }"
  done
}
runs_as() { tr '\000' '\n' <"/proc/$1/cmdline" | grep -qF -- "$2"; } 2>/dev/null
sum() { sha256sum 2>/dev/null <"$1" | cut -d ' ' -f 1; }
standing() {
  [ -f "$1/state" ] && read -r s r <"$1/state" || return 0
  case $s in
  # It may have written its last state and ended in between.
  out|in) runs_as "$r" "$1/runner" || { read -r t r <"$1/state"; [ "$t" = "$s" ] && s=broken || s=$t; };;
  # A name that earlier versions gave.
  failed) s=broken;;
  esac
  echo "$s"
}
# In seconds; what the clock says will only be has no age that anybody should wait for.
age() { a=$(($(date +%s) - $(stat -c %Y "$1" 2>/dev/null || echo 0))); [ "$a" -ge 0 ] || a=999999; echo "$a"; }
others() {
  for o in "$1"/breakglass-*; do
    [ -d "$o" ] && [ "$o" != "$2" ] || continue
    file=; run=; by=; what=; is=$(standing "$o"); since=$o/order
    if [ -f "$o/order" ]; then { read -r file; read -r x; read -r run; read -r by; read -r what; } <"$o/order"
    elif [ -f "$o/mark" ]; then { read -r run; read -r by; read -r what; } <"$o/mark"; fi
    [ -z "$what" ] || [ "$what" = "$3" ] || continue
    if [ "$is" = out ] || [ "$is" = in ]; then is=moving
    elif [ -n "$file" ] && [ -f "$o/out.yaml" ] && [ ! -e "$file" ]; then is=out
    elif [ "$is" = broken ]; then is=broken
    elif [ -f "$o/mark" ]; then is=marked; since=$o/mark
    else continue; fi
    say other.folder "$o"; say other.is "$is"; say other.age "$(age "$since")"
    say other.file "$file"; say other.run "$run"; say other.by "$by"
  done
}
"#;

/// The exchange as run on the host by a process of its own; `$F` the manifest, `$B` the folder beside, in which `put.yaml` is
/// the new text with the owner and the mode of the manifest: nothing is written any more once the manifest is out.
///
/// Only one takes `state`, so that one which was started late and another which was started in its stead cannot both run.
/// Only processes that were not there before count as new ones: an old one that outlives its time is never taken for one.
/// `state` is written before the first look, which is slow on a busy host, so that it is never taken for one that was not
/// begun. Told to end (an orderly reboot, a logout) before the new process was seen to answer, it puts the old manifest back.
pub(super) const RUNNER: &str = r#"exec >/dev/null 2>&1 </dev/null
state() { echo "$1 $$" >"$B/state.part" && mv -f "$B/state.part" "$B/state"; }
left() { for x in $OLD; do processes "$P" | grep -qx "$x" && return 0; done; return 1; }
# By the host's own clock, which nobody sets: a server that takes a connection and hangs makes a look last for seconds.
up() { read -r u x </proc/uptime; u=${u%%.*}; }
gone() { up; until=$((u+$1)); while left; do up; [ "$u" -lt "$until" ] || return 1; sleep 1; done; }
fresh() { for x in $(processes "$P"); do case " $OLD " in *" $x "*) ;; *) return 0;; esac; done; return 1; }
answers() {
  fresh || return 1
  if have curl; then
    c=$(curl -q -ks --noproxy '*' -o /dev/null -w '%{http_code}' --max-time 5 "$ORIGIN:$PORT$HEALTH"); case $c in 2*|401|403) return 0;; *) return 1;; esac
  fi
  h=$(printf '%04X' "$PORT"); grep -qE "^ *[0-9]+: [0-9A-F]+:$h [0-9A-F]+:0000 0A" /proc/net/tcp /proc/net/tcp6 2>/dev/null
}
ready() { up; until=$((u+$1)); while [ "$u" -lt "$until" ]; do answers && { sleep 2; answers && return 0; }; sleep 1; up; done; return 1; }
back() { if { [ ! -e "$B/out.yaml" ] || mv -f "$B/out.yaml" "$F"; } && [ -e "$F" ]; then state "$1"; else state broken; fi; }
stopped() { trap '' TERM HUP INT; back "$end"; exit 1; }
trap 'exit 1' TERM HUP INT
( set -C; echo "out $$" >"$B/state" ) || exit 3
end=stopped
trap stopped TERM HUP INT
rm -f "$B/mark" "$B/refused.yaml"
OLD=$(processes "$P" | tr '\n' ' ')
mv "$F" "$B/out.yaml" || { if [ -e "$F" ]; then state untaken; else state broken; fi; exit 1; }
gone "$EXIT" || { back stayed; exit 1; }
mv -f "$B/put.yaml" "$F" || { back unwritten; exit 1; }
state in
if ready "$READY"; then trap '' TERM HUP INT; rm -f "$B/out.yaml"; state ready; exit 0; fi
end=reverted
why /var/log/pods >"$B/why" 2>/dev/null
OLD=$(processes "$P" | tr '\n' ' ')
mv -f "$F" "$B/refused.yaml"
gone "$EXIT"
mv -f "$B/out.yaml" "$F" || { state broken; exit 1; }
ready "$READY"
state reverted
# the end
"#;

/// One order at a time looks at an exchange and begins it: the script of a client that was killed lives on, and another may
/// come meanwhile. The kernel lets go of the lock when the script ends, however it ends; the runner does not keep it. A host
/// without `flock` has no such turn.
pub(super) const TURN: &str = r#"turn() {
  have flock && ( : >"$B/turn" ) 2>/dev/null || return 0
  exec 9>"$B/turn"
  i=0; until flock -n 9; do
    [ "$i" -lt 120 ] || { say unknown "another order is about to exchange in $B, for more than 120 s; what comes of it is not known"; exit 7; }
    sleep 1; i=$((i+1))
  done
}
"#;

/// Starts the runner. Its session and its control group end with the login, and what is in them is killed then on some hosts
/// and at a reboot on all: where systemd is there, it is a service of systemd's own. One that did not come in time, or that
/// would be in another network, is started in a session of its own. It is waited for as long as `$B/state` is not there.
pub(in crate::host) const LAUNCH: &str = r#"nap() { sleep 0.1 2>/dev/null || sleep 1; }
launch() {
  if [ -d /run/systemd/system ] && have systemd-run && [ "$(readlink /proc/$$/ns/net)" = "$(readlink /proc/1/ns/net)" ]; then
    systemd-run --collect --quiet --no-block sh "$B/runner" >/dev/null 2>&1 </dev/null 9>&- &
    r=$!; i=0
    while [ ! -s "$B/state" ] && [ "$i" -lt 50 ]; do
      nap; i=$((i+1))
      if [ -n "$r" ] && ! kill -0 "$r" 2>/dev/null; then wait "$r" || break; r=; fi
    done
    [ ! -s "$B/state" ] || return 0
  fi
  if have setsid; then setsid sh "$B/runner" >/dev/null 2>&1 </dev/null 9>&- &
  else nohup sh "$B/runner" >/dev/null 2>&1 </dev/null 9>&- & fi
  i=0; while [ ! -s "$B/state" ] && [ "$i" -lt 300 ]; do nap; i=$((i+1)); done
}
"#;

/// Puts the old manifest back when a runner died with it out; `$F` the manifest, `$B` the folder beside. One that died with
/// the new manifest in leaves it there: its copy of the old text goes when the kept one is the same.
pub(super) const MEND: &str = r#"mend() {
  [ "$(standing "$B")" = broken ] || return 0
  if [ ! -e "$F" ] && [ -e "$B/out.yaml" ]; then mv "$B/out.yaml" "$F" || fail "put $B/out.yaml back as $F by hand" 8; fi
  if [ -f "$B/out.yaml" ] && [ "$(sum "$B/out.yaml")" = "$(sum "$B/before.yaml")" ]; then rm -f "$B/out.yaml"; fi
  rm -f "$B/state" "$B/put.yaml"
}
"#;
