//! What runs on the host, as sh.

/// A folder for each freeze; `/run` is empty after a reboot, and so is every freezer.
pub(super) const FOLDERS: &str = "/run/breakglass-frozen-";

/// The pods of the namespace `$NS` whose names are `is_one`, by what every kubelet and every runtime leave on a host: the folders of
/// their logs, `/var/log/pods/NAMESPACE_NAME_UID`, and the groups of their processes. Asks neither a runtime nor the API.
///
/// `pods` prints `UID NAME` of each. A uid without dashes is a static pod's, of the node itself: that is never one. `groups` prints each
/// group of a pod on this host, after a 2 for control groups of version 2, or a 1 for the freezer of version 1. `freezer UID` finds in
/// `$all`, which is what `groups` printed, as `$h` and `$g` what freezes a pod. Where a host has both versions, it is the one in which
/// the pod's processes are.
pub const FIND: &str = r#"pods() {
  for x in /var/log/pods/"$NS"_*; do
    [ -d "$x" ] || continue
    u=${x##*_}; n=${x#/var/log/pods/"$NS"_}; n=${n%_*}
    is_one "$n" || continue
    case $u in *[!0-9a-f-]*) ;; *-*) echo "$u $n" ;; esac
  done
}
groups() {
  while read -r x at type options x; do
    case $type in
    cgroup2) h=2 ;;
    cgroup) case ,$options, in *,freezer,*) h=1 ;; *) continue ;; esac ;;
    *) continue ;;
    esac
    find "$at" -type d -name '*pod[0-9a-f]*' -prune 2>/dev/null </dev/null | sed "s/^/$h /"
  done </proc/self/mounts
}
group() { printf '%s\n' "$all" | grep -E "^$1 .*pod($2|$(echo "$2" | tr - _)[.]slice)\$" | sed -n '1s/^..//p'; }
populated() { grep -qs '^populated 1' "$1/cgroup.events"; }
occupied() { [ -n "$(cat "$1"/cgroup.procs "$1"/*/cgroup.procs 2>/dev/null | head -n 1)" ]; }
freezer() {
  h=; g=; two=$(group 2 "$1"); one=$(group 1 "$1")
  [ -e "$two/cgroup.freeze" ] || two=
  if [ -n "$two" ] && { [ -z "$one" ] || populated "$two"; }; then h=2; g=$two
  elif [ -n "$one" ] && occupied "$one"; then h=1; g=$one
  fi
}
asked() {
  x=; if [ "$1" = 2 ]; then { read -r x <"$2/cgroup.freeze"; } 2>/dev/null; [ "$x" = 1 ]
  else { read -r x <"$2/freezer.state"; } 2>/dev/null; [ "$x" = FROZEN ] || [ "$x" = FREEZING ]; fi
}
# It has come to rest: one in the middle of a read from a dead disk may take its time.
rests() {
  if [ "$1" = 2 ]; then asked 2 "$2" && { grep -qs '^frozen 1' "$2/cgroup.events" || ! populated "$2"; }
  else x=; { read -r x <"$2/freezer.state"; } 2>/dev/null; [ "$x" = FROZEN ]; fi
}
freeze() { if [ "$1" = 2 ]; then echo 1 >"$2/cgroup.freeze"; else echo FROZEN >"$2/freezer.state"; fi; }
thaw() { if [ "$1" = 2 ]; then echo 0 >"$2/cgroup.freeze"; else echo THAWED >"$2/freezer.state"; fi; }
"#;

/// `$D` is the folder of one freeze: whose it is, what it is to hold, until when by the host's own clock, which nobody sets, and what it
/// holds. `tell` says how it stands. `let_go` takes it back, whoever made it, and the folder with it.
pub(super) const STAND: &str = r#"nap() { sleep 0.1 2>/dev/null || sleep 1; }
up() { read -r u x </proc/uptime; u=${u%%.*}; }
line() { sed -n "$2p" "$D/$1" 2>/dev/null; }
runs() { read -r x <"$D/$1/state" && tr '\000' '\n' <"/proc/$x/cmdline" | grep -qxF -- "$D/$1/runner" && echo "$x"; } 2>/dev/null
held() { sort -u "$D/held" | while read -r h g; do [ ! -d "$g" ] || echo "$h $g"; done; } 2>/dev/null
tell() {
  up; began=$(line mark 5); until=$(line until 1)
  say frozen.folder "$D"; say frozen.run "$(line mark 1)"; say frozen.by "$(line mark 2)"; say frozen.object "$(line mark 3)"
  say frozen.why "$(line mark 4)"
  say frozen.age "$((u - ${began:-$u}))"; say frozen.left "$((${until:-$u} - u))"
  [ -z "$(runs a)$(runs b)" ] || say frozen.watched yes
  say frozen.held "$(held | while read -r h g; do rests "$h" "$g" && echo 1; done | wc -l)"
}
let_go() {
  # What keeps it thaws it at once, in whose place another would freeze it again.
  for k in a b; do x=$(runs "$k"); [ -z "$x" ] || { kill "$x" 2>/dev/null; break; }; done
  i=0; while [ -n "$x" ] && [ -d "$D" ] && [ "$i" -lt 100 ]; do nap; i=$((i+1)); done
  for k in a b; do x=$(runs "$k"); [ -z "$x" ] || kill -KILL "$x" 2>/dev/null; done
  held | while read -r h g; do thaw "$h" "$g"; done 2>/dev/null
  rm -rf "$D"
}
"#;

/// What keeps a freeze, in a process of its own outside of the login. There are two of them, `a` and `b`: the second does nothing for as long
/// as the first lives. Either ends it when its time is over, or when it is told to.
///
/// A pod that comes later is frozen within a second or two of the folder of its logs, most often before its program runs. What was frozen
/// already by somebody else is left alone, then and in the end. In a freezer of version 1 a process that is killed does not die: it is let
/// go for the moment that it takes, so that a pod which was deleted can end.
pub(super) const RUNNER: &str = r#"exec >/dev/null 2>&1 </dev/null
umask 077
end() {
  trap '' TERM HUP INT
  held | while read -r h g; do thaw "$h" "$g"; done
  rm -rf "$D"
  exit 0
}
killed() {
  for p in $(cat "$1"/cgroup.procs "$1"/*/cgroup.procs); do
    ! grep -qE '^S[a-z]+Pnd:.*[13579bdf]..$' "/proc/$p/status" || return 0
  done
  return 1
}
hold() {
  now=$(pods); turns=$((turns+1))
  if [ "$now" != "$then" ] || [ "$((turns % 5))" = 0 ]; then
    then=$now; all=$(groups)
    printf '%s\n' "$now" | while read -r uid x; do
      [ -n "$uid" ] && freezer "$uid" && [ -n "$g" ] || continue
      if ! grep -qxF "$h $g" "$D/held"; then
        ! asked "$h" "$g" || continue
        echo "$h $g" >>"$D/held"
      fi
    done
  fi
  held | while read -r h g; do
    asked "$h" "$g" || freeze "$h" "$g"
    [ "$h" = 1 ] && killed "$g" || continue
    thaw 1 "$g"; nap; freeze 1 "$g"
  done
}
trap end TERM HUP INT
( set -C; echo "$$" >"$B/state" ) || exit 3
echo -998 >/proc/self/oom_score_adj
cd / || exit 3
then=; turns=0; idle=; [ "$B" = "$D/a" ] || idle=yes
while :; do
  if [ "$B" = "$D/a" ] || { [ -z "$idle" ] && [ -z "$(runs a)" ]; }; then [ ! -f "$D/mark" ] || hold; fi
  idle=
  sleep 1 & wait "$!"
  [ -f "$D/mark" ] || exit 0
  up; read -r until <"$D/until" && [ "$u" -lt "$until" ] || end
done
# the end
"#;
