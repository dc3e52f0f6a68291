//! What runs on the host, as sh.

/// Looks at a component that does not answer, and at what its host knows of the reason; nothing is written. `$m` the folder of the
/// manifests, `$b` the one beside it, `$p` the program, `$url` and `$port` where it should answer, `$image` its image; `$files` and
/// `$certificates` are lists of paths, one a line.
///
/// Only the log of a container counts that was written since the manifest was changed the last time, by anybody: what an
/// older one said is no news of this one.
pub(super) const LOOKS: &str = r#"code() { curl -q -ks --noproxy '*' -o /dev/null -w '%{http_code}' --max-time 5 "$url" 2>/dev/null; }
well() { case $1 in 2*|401|403) return 0;; *) return 1;; esac; }
read -r up rest </proc/uptime; ticks=$(getconf CLK_TCK 2>/dev/null || echo 100)
for x in $(processes "$p"); do say process "${x%%:*} $((${up%%.*} - ${x#*:} / ticks))"; done
if listens "$port"; then say listens yes; fi
if have curl; then
  c=$(code)
  # Once more, so that one which is about to die is not taken for well.
  if well "$c"; then sleep 1; c=$(code); fi
  if well "$c"; then say answers yes; else case $c in '' | 000) ;; *) say said "HTTP $c" ;; esac; fi
else say unasked "the host has no curl"; fi
since=0
while IFS= read -r x; do
  [ -e "$x" ] && at=$(stat -c %Z "$x" 2>/dev/null) && [ "$at" -gt "$since" ] && since=$at
done <<BREAKGLASS_FILES
$files
$b/changed
BREAKGLASS_FILES
l=
for x in /var/log/pods/*"$p"*/*/*.log; do
  [ -f "$x" ] || continue
  { [ -n "$l" ] && [ "$l" -nt "$x" ]; } || l=$x
done
if [ -n "$l" ] && [ "$(stat -L -c %Y "$l" 2>/dev/null || echo 0)" -gt "$since" ]; then
  say log.file "$l"
  n=${l##*/}; n=${n%.log}
  case $n in '' | *[!0-9]*) ;; *) say started "$n" ;; esac
  end=$(tail -n 200 "$l" | sed -e 's/^[^ ]* std[a-z]* [FP] //' -e 's/^{"log":"\(.*\)\\n","stream.*/\1/' -e 's/\\"/"/g' | grep -v '^[[:space:]]*$' | cut -c 1-400)
  told=$(printf '%s\n' "$end" | grep -E '^(Error: |panic: |fatal error: |error verifying flags|F[0-9]{4} |E[0-9]{4} .*(command failed|run\.go))|"level":"(fatal|panic)"|flag provided but not defined|address already in use|certificate has expired' | tail -n 2)
  [ -n "$told" ] || told=$(printf '%s\n' "$end" | tail -n 3)
  printf '%s\n' "$told" | sed -n 's/^\(.\)/log=\1/p'
elif [ -n "$l" ]; then say stale "$l"; fi
if [ -n "$l" ]; then
  # Whom the kernel killed for memory it says in its log, with the pod. With control groups of the second version the pod's own, which
  # outlives its containers, counts them, too.
  pod=${l%/*/*}; pod=${pod##*_}
  if have dmesg; then say killed "$(dmesg 2>/dev/null | grep -c "oom-kill:.*task_memcg=[^,]*pod$pod")"; fi
  for x in $(find /sys/fs/cgroup -maxdepth 8 -type d -name "*pod$pod*" 2>/dev/null); do
    sed -n 's/^oom_kill /killed=/p' "$x/memory.events" 2>/dev/null
  done
fi
# The name of a program may be in a kubelet's own words about others; the last two lines are enough.
if have journalctl && have timeout; then
  timeout -s KILL 5 journalctl -u kubelet -n 400 --no-pager -o cat 2>/dev/null | grep -F -e "$p" -e "$m/" | grep -E 'ErrImage|ImagePullBackOff|InvalidImageName|Failed to pull|parse as pod|process manifest file|process watch event|CreateContainer|RunContainerError|FailedMount|duplicate pod name' | tail -n 2 | cut -c 1-400 | sed 's/^/kubelet=/'
fi
if cat /proc/[0-9]*/comm 2>/dev/null | grep -qx kubelet; then say runs kubelet; fi
if [ -n "$image" ] && have crictl && have timeout; then
  # Whatever else it says, it does not know.
  timeout -s KILL 5 crictl inspecti -q "$image" >/dev/null 2>&1 || { timeout -s KILL 5 crictl images -q 2>/dev/null | grep -q . && say image missing; }
fi
if have ss; then
  ss -Hltnp "sport = :$port" 2>/dev/null | sed -n 's/.*users:((\(.*\)).*/\1/p' | sed -n '1s/[^A-Za-z0-9_.=,:-]//g;1s/^/holder=/p'
fi
if have openssl; then
  while IFS= read -r x; do
    [ -f "$x" ] && openssl x509 -noout -in "$x" >/dev/null 2>&1 || continue
    openssl x509 -noout -checkend 0 -in "$x" >/dev/null 2>&1 || say ended "$x $(openssl x509 -noout -enddate -in "$x" 2>/dev/null | sed 's/^notAfter=//')"
  done <<BREAKGLASS_CERTIFICATES
$certificates
BREAKGLASS_CERTIFICATES
fi
for x in "$m"/*; do
  case ${x##*/} in *"$p"*) if [ -f "$x" ]; then say named "$x"; fi ;; esac
done
for x in "${m%/*}"/breakglass-*/before.yaml /etc/kubernetes/tmp/kubeadm-backup-manifests*/"$p".yaml; do
  [ -f "$x" ] && [ "$x" != "$b/before.yaml" ] && grep -q -F -e "$p" "$x" && say copy "$(age "$x") $x"
done
say end yes
"#;

/// `$F` the manifest, `$B` the folder beside, `$N` the staged text; `$from` and `$to` are SHA-256. One rename: at every moment one
/// of the two texts is in the folder, whole.
pub(super) const REPLACE: &str = r#"if [ "$(sum "$F")" = "$to" ]; then rm -f "$B/put.yaml"; say sha256 "$to"; return 0; fi
[ ! -L "$F" ] || fail "$F is a symbolic link, and only a file itself can be replaced; nothing was changed" 3
[ "$(sum "$F")" = "$from" ] || fail "$F is not what was seen before: somebody else has changed it" 4
[ "$(sum "$N")" = "$to" ] || fail "$N is not what was staged" 4
rm -f "$B/probe"
err=$(ln "$F" "$B/probe" 2>&1) && rm -f "$B/probe" ||
  fail "nothing can be renamed between ${F%/*} and $B beside it: ${err##*: } (see: findmnt -T ${F%/*}); nothing was changed" 3
# Owner and mode are those of the manifest.
cp -p "$F" "$B/put.yaml" && cat "$N" >"$B/put.yaml" && [ "$(sum "$B/put.yaml")" = "$to" ] && : >"$B/changed" || {
  rm -f "$B/put.yaml"; fail "cannot write $B/put.yaml (disk full?); nothing was changed" 3
}
sync "$B/put.yaml" 2>/dev/null || sync
[ "$(sum "$F")" = "$from" ] || { rm -f "$B/put.yaml"; fail "$F was changed by somebody else just now" 4; }
: >"$B/changed"
mv -f "$B/put.yaml" "$F" || fail "the new text could not be renamed to $F; nothing was changed" 3
sync "${F%/*}" 2>/dev/null || sync
say sha256 "$(sum "$F")"
"#;

/// `$F` a file that is given the name `$T`, which nothing has, in one step; `$sha` its SHA-256; `$stays`, where it is said, starts the
/// program, too, and stays; `$B` the folder beside.
///
/// A kubelet that hears of a file that went forgets the pod of that name until it reads its folder the next time, up to
/// 20 s later. It is told to read what stays at once, by the mode that it has already.
pub(super) const MOVE: &str = r#"if [ "$(sum "$T")" = "$sha" ]; then
  if [ "$F" -ef "$T" ]; then rm -f "$F"; fi
  if [ ! -e "$F" ]; then say moved "$T"; return 0; fi
fi
[ ! -L "$F" ] || fail "$F is a symbolic link; nothing was changed" 3
[ "$(sum "$F")" = "$sha" ] || fail "$F is not what was seen before: somebody else has changed it, or it is gone" 4
[ ! -e "$T" ] && [ ! -L "$T" ] || fail "$T is there already, and nothing is written over it" 4
if [ -n "$stays" ]; then
  [ -f "$stays" ] && [ -s "$stays" ] || fail "$stays is gone, so $F would be the last one: it stays" 4
fi
: >"$B/changed" 2>/dev/null
# A second name is given only where nothing has it yet, and to no other file system.
err=$(ln "$F" "$T" 2>&1) || fail "$F cannot be moved to $T: ${err##*: } (see: findmnt -T ${F%/*}); nothing was changed" 3
rm -f "$F" || { rm -f "$T"; fail "$F cannot be taken out of its folder; nothing was changed" 3; }
sync "${F%/*}" 2>/dev/null || sync
if [ -n "$stays" ]; then
  sleep 1
  chmod "$(stat -c %a "$stays")" "$stays" 2>/dev/null
fi
say moved "$T"
"#;
