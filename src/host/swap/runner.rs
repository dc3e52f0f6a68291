//! What runs on the host, as sh.

/// Processes by the base name of their first argument; one grep over all, because a fork for each is slow on a busy host.
/// `standing` says where an exchange stands, and knows when its runner is dead.
pub(in crate::host) const LIB: &str = r#"processes() {
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

/// The exchange as run on the host by a process of its own; `$F` the manifest, `$B` the folder beside, `$N` the new text.
///
/// Only processes that were not there before count as new ones: an old one that outlives its time is never taken for one.
/// Its state is written before the first look, which is slow on a busy host, so that it is never taken for one that was
/// not begun. Told to end (an orderly reboot, a logout) with the manifest out, it puts it back first; its state then
/// reads as broken off.
pub(super) const RUNNER: &str = r#"put() { cp -p "$B/out.yaml" "$B/put.yaml" && cat "$1" >"$B/put.yaml" && sync && mv "$B/put.yaml" "$F"; }
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
pub(super) const MEND: &str = r#"mend() {
  [ "$(standing "$B")" = broken ] || return 0
  if [ ! -e "$F" ] && [ -f "$B/out.yaml" ]; then mv "$B/out.yaml" "$F" || fail "put $B/out.yaml back as $F by hand" 8; fi
  rm -f "$B/state" "$B/put.yaml"
}
"#;
