//! What runs on the host, as sh.

/// The program.
pub const PROGRAM_NAME: &str = "kube-apiserver";

/// Where a recovery API server has all that is its own; `/run` is empty after a reboot, as it has to be.
pub(super) const FOLDER: &str = "/run/breakglass-recovery";

/// `$D` is the folder. `tell` says what stands there, in lines that begin with `recovery.`; `stop_it` ends it, whoever started it,
/// and takes the folder away.
///
/// Needs `listens` and `telling`. The program keeps its name, by which one of many parts knows which it is, in this folder: by that `called` tells it from the
/// host's own API server.
pub(super) const STAND: &str = r#"D=/run/breakglass-recovery
# Whom it knows by a client certificate: those of the cluster, and those of our own. It reads them anew when they change.
ours() { ( umask 077; : >>"$D/own" && { cat "$D/theirs" && echo && cat "$D/own"; } >"$D/clients.part" && mv -f "$D/clients.part" "$D/clients.crt" ); }
one() { [ ! -f "$D/$1" ] || head -n 1 "$D/$1"; }
runs() { [ -n "$1" ] && tr '\000' '\n' <"/proc/$1/cmdline" | grep -qF -- "$D/$2"; } 2>/dev/null
servers() { grep -laF -- "$D/kube-apiserver" /proc/[0-9]*/cmdline 2>/dev/null | tr -dc '0-9\n'; }
up() { read -r u x </proc/uptime; u=${u%%.*}; }
words() { cat "$D/log.old" "$D/log" 2>/dev/null | telling | tail -n 2 | cut -c 1-400; }
tell() {
  [ -f "$D/mark" ] || return 0
  { read -r run; read -r by; read -r port; read -r began; } <"$D/mark"
  up; until=$(one until)
  say recovery.run "$run"; say recovery.by "$by"; say recovery.port "$port"
  say recovery.age "$((u - began))"; say recovery.left "$((${until:-$u} - u))"
  runs "$(one state)" runner && say recovery.watched yes
  server=$(one server)
  if runs "$server" kube-apiserver; then
    say recovery.server "$server"
    say recovery.memory "$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB$/\1/p' "/proc/$server/status" 2>/dev/null)"
    listens "$port" && say recovery.listens yes
  fi
  if [ -f "$D/died" ]; then
    say recovery.died "$(one died)"
    last=$(words); [ -n "$last" ] || last=$(tail -n 2 "$D/log" 2>/dev/null | cut -c 1-400)
    say recovery.last "$last"
  fi
  if [ -s "$D/own" ]; then say recovery.own "$(base64 <"$D/own" | tr -d '\n')"; fi
  if grep -qs 'END CERTIFICATE' "$D/cert/apiserver.crt"; then say recovery.trust "$(base64 <"$D/cert/apiserver.crt" | tr -d '\n')"; fi
}
stop_it() {
  runner=$(one state)
  runs "$runner" runner || runner=
  [ -z "$runner" ] || kill "$runner" 2>/dev/null
  i=0; while runs "$runner" runner && [ "$i" -lt 100 ]; do nap; i=$((i+1)); done
  # Its runner was killed, or hangs.
  if runs "$runner" runner; then kill -KILL "$runner" 2>/dev/null; fi
  for x in $(servers); do kill -KILL "$x" 2>/dev/null; done
  rm -rf "$D"
}
"#;

/// What keeps the server, in a process of its own outside of the login: it starts it, ends it when its time is over or when it is told to,
/// and takes everything away. `$D/until` is that time by the host's own clock, which nobody sets.
///
/// The server never outlives it: where the host has `setpriv` the kernel ends it with its runner, where it has `timeout` the server
/// ends by itself after the longest time that anybody may ask for. It is the last that the kernel kills for memory.
pub(super) const RUNNER: &str = r#"exec >/dev/null 2>&1 </dev/null
umask 077
server=
end() {
  trap '' TERM HUP INT
  if [ -n "$server" ]; then
    kill "$server"
    i=0; while kill -0 "$server" && [ "$i" -lt 30 ]; do nap; i=$((i+1)); done
    # Also one that was started by what ends it after its time.
    for x in $(grep -laF -- "$D/kube-apiserver" /proc/[0-9]*/cmdline | tr -dc '0-9\n'); do kill -KILL "$x"; done
  fi
  rm -rf "$D"
  exit 0
}
nap() { sleep 0.1 2>/dev/null || sleep 1; }
up() { read -r u x </proc/uptime; u=${u%%.*}; }
trap end TERM HUP INT
( set -C; echo "$$" >"$D/state" ) || exit 3
echo -998 >/proc/self/oom_score_adj
cd / || exit 3
# It works the harder the nearer it comes to half of what its host could hand out.
half=$(($(sed -n 's/^MemAvailable:[^0-9]*\([0-9]*\) kB$/\1/p' /proc/meminfo || echo 0) / 2048))
[ "$half" -ge 512 ] || half=512
GOMEMLIMIT=${half}MiB; export GOMEMLIMIT
set --
while IFS= read -r x; do set -- "$@" "$x"; done <"$D/flags"
if setpriv --pdeathsig KILL true; then setpriv --pdeathsig KILL "$D/kube-apiserver" "$@" >>"$D/log" 2>&1 &
elif have timeout; then timeout -s KILL "$MOST" "$D/kube-apiserver" "$@" >>"$D/log" 2>&1 &
else "$D/kube-apiserver" "$@" >>"$D/log" 2>&1 &
fi
server=$!
echo "$server" >"$D/server.part" && mv -f "$D/server.part" "$D/server"
while :; do
  sleep 1 & wait "$!"
  up; read -r until <"$D/until" && [ "$u" -lt "$until" ] || end
  if [ -n "$server" ] && ! kill -0 "$server"; then wait "$server"; echo "$?" >"$D/died"; server=; fi
  # Its log is in memory, and there is little of that.
  if [ "$(wc -c <"$D/log")" -gt 1000000 ]; then tail -c 65536 "$D/log" >"$D/log.old"; : >"$D/log"; fi
done
# the end
"#;

/// `stored NAME VERSION`: the file of a program in the image store of the host's runtime, where nothing runs it: the one of that version,
/// and where none is said the only one that is there. A containerd says in its configuration where its store is.
pub(super) const STORED: &str = r#"stores() {
  echo /var/lib/containerd
  for c in $(grep -la containerd /proc/[0-9]*/cmdline 2>/dev/null); do
    config=$(tr '\000' '\n' 2>/dev/null <"$c" | sed -n -e '1{/\(^\|\/\)containerd$/!q;}' -e '/^\(--config\|-c\)$/{n;p;q;}' -e 's/^--config=//p')
    [ -z "$config" ] || sed -n 's/^root *= *["'\'']\(.*\)["'\''].*$/\1/p' "$config" 2>/dev/null
  done
  ls -d /var/lib/rancher/*/agent/containerd /var/lib/k0s/containerd 2>/dev/null
}
stored() {
  only=; versions=
  for s in $(stores | sort -u | sed 's/$/\/io.containerd.snapshotter.v1.*\/snapshots/') /var/lib/containers/storage/overlay /var/lib/docker/overlay2; do
    for f in $s/*/usr/local/bin/"$1" $s/*/fs/usr/local/bin/"$1" $s/*/diff/usr/local/bin/"$1" $s/*/usr/bin/"$1" $s/*/fs/usr/bin/"$1" $s/*/diff/usr/bin/"$1"; do
      [ -f "$f" ] && [ -x "$f" ] || continue
      is=$("$f" --version 2>/dev/null </dev/null | sed -n 's/^Kubernetes //p')
      [ -z "$2" ] || [ "$is" != "$2" ] || { echo "$f"; return 0; }
      case " $versions " in *" $is "*) ;; *) versions="$versions $is"; only=$f ;; esac
    done
  done
  [ -n "$2" ] || [ "${versions# * }" != "$versions" ] || echo "$only"
}
"#;
