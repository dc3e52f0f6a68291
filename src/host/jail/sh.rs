//! What runs on the host, as sh.

/// `flag PID NAME`: each value that a process was given for a flag.
/// `place PID PATH`: where the file that a process reads as PATH is, as `host`, or why nothing can be put in its place, as `no`. A
/// container sees another tree: its mounts say which folder of which file system stands there, and the host's where that is.
pub(super) const FIND: &str = r#"flag() {
  tr '\000' '\n' <"/proc/$1/cmdline" 2>/dev/null | sed -n -e "/^--$2\$/{n;p;}" -e "s/^--$2=//p"
}
mounted() {
  at=; dev=; root=
  while read -r x x d r m x; do
    case $2 in "$m" | "${m%/}/"*) if [ "${#m}" -ge "${#at}" ]; then at=$m; dev=$d; root=$r; fi ;; esac
  done <"/proc/$1/mountinfo"
}
place() {
  host=; no=
  case $2 in /*) ;; *) no="$2 is no absolute path"; return 0 ;; esac
  [ -e "/proc/$1/root/" ] || { no="this login may not see what process $1 sees: it is not root"; return 0; }
  [ -f "/proc/$1/root$2" ] || { no="there is no file $2 where process $1 looks for it"; return 0; }
  mounted "$1" "$2"
  [ "$at" != "$2" ] || { no="$2 is mounted by itself, as a single file, and not with its folder: the server would never see a new one"; return 0; }
  if [ "$2" -ef "/proc/$1/root$2" ]; then host=$2
  else
    rest=${2#"${at%/}"}
    while read -r x x d r m x; do
      [ "$d" = "$dev" ] || continue
      case $root in "$r" | "${r%/}/"*) ;; *) continue ;; esac
      c=${m%/}${root#"${r%/}"}; c=${c%/}$rest
      if [ "$c" -ef "/proc/$1/root$2" ]; then host=$c; break; fi
    done </proc/self/mountinfo
  fi
  [ -n "$host" ] || { no="it is not found from the host where $2 is that process $1 reads"; return 0; }
  [ ! -L "$host" ] || { no="$host is a symbolic link, and only a file itself can be replaced"; return 0; }
  [ "${host%/*}" -ef "/proc/$1/root${2%/*}" ] || no="$2 is mounted by itself, as a single file, and not with its folder: the server would never see a new one"
}
"#;

/// `$begin` the first line of a jail, `$name` what its files are called; `$manifests` are the folders of static pods.
pub(super) const LOOKS: &str = r#"F=; pid=
for x in $(processes kube-apiserver); do
  pid=${x%%:*}
  say process "$pid"
  say mode "$(flag "$pid" authorization-mode | tr '\n' ',' | sed 's/,$//')"
  path=$(flag "$pid" authorization-config | tail -n 1)
  say config "$path"
  [ -n "$path" ] || continue
  place "$pid" "$path"
  if [ -n "$no" ]; then say no "$no"; continue; fi
  say file "$host"
  F=$host
done
for x in $(cat /proc/[0-9]*/comm 2>/dev/null | grep -x -e k3s -e k3s-server -e kubelite | sort -u); do say inside "$x"; done
if [ -z "$F" ]; then say end yes; return 0; fi
if [ "$(wc -c <"$F")" -gt "$longest" ]; then say no "$F is too long for such a file"; say end yes; return 0; fi
say sha256 "$(sum "$F")"
say text "$(base64 <"$F" | tr -d '\n')"
if [ -e "${F%/*}/$name.kubeconfig" ]; then say kubeconfig yes; fi
stands=
if grep -q -F -e "$begin" "$F"; then stands=yes; fi
now=$(date +%s); at=$(stat -c %Z "$F"); age=$((now - at)); [ "$age" -ge 0 ] || age=0
say age "$age"
# The newest log of the server: its container's, or the file that it writes its errors to.
out=
for x in /var/log/pods/kube-system_kube-apiserver-*/kube-apiserver/*.log; do
  [ -f "$x" ] || continue
  { [ -n "$out" ] && [ "$out" -nt "$x" ]; } || out=$x
done
[ -n "$out" ] || { [ -f "/proc/$pid/fd/2" ] && out=/proc/$pid/fd/2; }
"#;

/// What the server wrote down since `$at`, the file's last change; `$needle` and `$pattern` tell the lines of the audit log that are
/// meant, `$said` is what a request that is held is answered with. Of a loud client the newest lines are enough, and reading all of
/// them would cost a host that drowns already.
///
/// A request is told by when it came, as RFC 3339 with microseconds: a line that only says the second sorts before all others of it.
/// What came before the change and was answered after it says nothing. Of what came since, the newest count: an authorizer takes turns
/// with the one before it at one moment, but a request may have waited.
pub(super) const EFFECT: &str = r#"own() { tail -c "$most" "$log" 2>/dev/null | grep -F -- "$needle" | grep -E -- "$pattern" | tail -n 500; }
since() { { printf '%s\n' "$all" | grep "$1\$"; echo "$(date -u -d "@$2" +%Y-%m-%dT%H:%M:%S) !"; } | sort | sed -e '/ !$/,$!d' -e '/ !$/d'; }
if [ -n "$log" ] && [ -r "$log" ]; then
  say log "$log"
  if own | grep -q '"groups":\[[^]]*"system:masters"'; then say masters yes; fi
  if [ -n "$stands" ]; then
    event='^.*"auditID":"\([^"]*\)","stage":"Response[A-Z][a-z]*".*"requestReceivedTimestamp":"\([^"]*\)".*$'
    all=$(own | sed -n \
      -e "/\"authorization.k8s.io\/reason\":\"internal error\"/s/$event/\2 \1 refused/p" \
      -e "/\"code\":2[0-9][0-9]/s/$event/\2 \1 served/p")
    refused=$(since refused "$at"); served=$(since served $((at + grace)))
    say refused "$(printf '%s\n' "$refused" | cut -d ' ' -f 2 | sort -u | grep -c .)"
    say served "$(printf '%s\n%s\n' "$refused" "$served" | sort -u | tail -n 3 | grep -c served)"
    # One that has begun and has not ended goes on.
    say watches "$(own | grep -F '"verb":"watch"' | sed -n \
      -e 's/^.*"auditID":"\([^"]*\)","stage":"ResponseStarted".*"code":200.*$/\1/p' \
      -e 's/^.*"auditID":"\([^"]*\)","stage":"ResponseComplete".*$/\1 \1/p' | tr ' ' '\n' | sort | uniq -u | grep -c .)"
  fi
else say log none; fi
if [ -n "$stands" ] && [ -n "$out" ]; then
  say out "$out"
  say told "$(tail -c "$most" "$out" 2>/dev/null | grep -c -F -- "$said")"
  say reload "$(tail -c "$most" "$out" 2>/dev/null | grep -e '"reloaded authz config"' -e '"reloading authorization config"' | tail -n 1 | sed 's/^[^ ]* std[a-z]* [FP] //' | cut -c 1-400)"
fi
say end yes
"#;

/// One at a time works on the file; the kernel lets go of the folder when the script ends, however it ends. A host without `flock` has
/// no such turn, and the hash is all that guards it.
pub(super) const TURN: &str = r#"have sha256sum || fail "no sha256sum on this host" 3
[ -d "$D" ] || fail "there is no folder $D" 3
if have flock && ( exec 9<"$D" ) 2>/dev/null; then
  exec 9<"$D"
  flock -w 20 9 || fail "another order works in $D, for more than 20 s; nothing was changed" 5
fi
umask 077
# A new file with the owner, the mode and the label of the old one.
part() {
  rm -f "$T"
  cp -p "$F" "$T" && cat >"$T" || { rm -f "$T"; fail "cannot write $T (disk full?); nothing was changed" 3; }
  if have chcon; then chcon --reference="$F" "$T" 2>/dev/null; fi
  sync "$T" 2>/dev/null || sync
}
stands() { grep -n -F -x -e "$begin" "$F" | head -n 1 | cut -d : -f 1; }
same() { [ "$(sed -n "$1,$(($1 + lines - 1))p" "$F" | sha256sum | cut -d ' ' -f 1)" = "$own" ]; }
"#;

/// Puts the lines in before byte `$at`, and the kubeconfig beside first: a server that starts meanwhile must find it.
pub(super) const PUT: &str = r#"[ ! -L "$F" ] || fail "$F is a symbolic link, and only a file itself can be replaced; nothing was changed" 3
l=$(stands)
if [ -n "$l" ]; then
  same "$l" || fail "the lines of this jail stand in $F already, and somebody has changed them" 4
  [ -e "$K" ] || fail "$K is gone, and $F names it: a server that starts now does not start; an undo of the run takes the lines out" 4
  rm -f "$T"; say jailed "$F"; return 0
fi
[ "$(sum "$F")" = "$from" ] || fail "$F is not what was seen before: somebody else has changed it" 4
part <<'BREAKGLASS_KUBECONFIG'
@KUBECONFIG
BREAKGLASS_KUBECONFIG
mv -f "$T" "$K" || fail "$K could not be put there; nothing was changed" 3
block() { base64 -d <<'BREAKGLASS_BLOCK'
@BLOCK
BREAKGLASS_BLOCK
}
no() { rm -f "$T" "$K"; fail "$1" "$2"; }
{ head -c "$at" "$F"; block; tail -c +"$((at + 1))" "$F"; } | part
[ "$(sum "$T")" = "$to" ] || no "the new text was not written whole (disk full?); nothing was changed" 3
# Once more, as late as can be: an editor takes no turn.
[ "$(sum "$F")" = "$from" ] || no "$F was changed by somebody else just now; nothing was changed" 4
mv -f "$T" "$F" || no "the new text could not be renamed to $F; nothing was changed" 3
sync "$D" 2>/dev/null || sync
say jailed "$F"
"#;

/// Takes the lines out again, and the kubeconfig after them: a server that starts meanwhile must find it.
pub(super) const TAKE_OUT: &str = r#"[ -f "$F" ] || fail "$F is gone; a server that runs goes by what it read last, this jail too if it was there" 4
l=$(stands)
if [ -z "$l" ]; then
  if grep -q -F -e "$N" "$F"; then fail "somebody has changed the lines of this jail in $F: take them out by hand, then $K" 4; fi
  rm -f "$T" "$K"; say free "$F"; return 0
fi
[ ! -L "$F" ] || fail "$F is a symbolic link now, and only a file itself can be replaced" 4
same "$l" || fail "somebody has changed the lines of this jail in $F: take them out by hand, from \"begin\" to \"end\", then $K" 4
was=$(sum "$F")
{ head -n "$((l - 1))" "$F"; tail -n +"$((l + lines))" "$F"; } | part
rest=$(($(wc -c <"$F") - $(sed -n "$l,$((l + lines - 1))p" "$F" | wc -c)))
[ "$(wc -c <"$T")" -eq "$rest" ] || { rm -f "$T"; fail "the text without the lines was not written whole (disk full?); nothing was changed" 3; }
[ "$(sum "$F")" = "$was" ] || { rm -f "$T"; fail "$F was changed by somebody else just now" 4; }
mv -f "$T" "$F" || { rm -f "$T"; fail "the text without the lines could not be renamed to $F" 3; }
sync "$D" 2>/dev/null || sync
rm -f "$K"
say free "$F"
"#;
