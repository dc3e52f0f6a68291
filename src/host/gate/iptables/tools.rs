//! How a host is spoken to with iptables and ipset: the shell functions that everything uses, and how it is asked what it has.

use crate::host::gate::filter::Toolset;

/// Picks the commands of one flavour into `$v4` and `$v6`. Old releases have no suffixed names: there the version tells.
/// Another program may hold the lock of x_tables, and kube-proxy with many rules does so for long: a script waits for it for
/// [`WAIT`] seconds in all and then says who has it (`ipt_busy`). That is never taken for an answer.
///
/// Unlike an nft transaction, sets and chains are written by several commands. `ipt_lock` keeps two orders apart: adding an
/// element that is there already fails. The element names its owner's process; what a killed one left is taken away by the
/// next, and what nobody can tell is gone after a minute. Its second element keeps two from taking it away at once. One that took
/// longer than its minute leaves the set alone: by then it may be the turn of another.
const LIB: &str = r#"ipt_pick() {
  case $1 in
  iptables-nft) want=nf_tables ;;
  *) want=legacy ;;
  esac
  v4= v6=
  for c in "$1" iptables; do
    have "$c" && have "$c-restore" || continue
    case $("$c" -V 2>/dev/null) in
    *nf_tables*) is=nf_tables ;;
    *) is=legacy ;;
    esac
    [ "$is" = "$want" ] || continue
    v4=$c v6=ip6${c#ip}
    have "$v6" && have "$v6-restore" || v6=
    return 0
  done
  return 1
}
ipt_time() { read -r up rest </proc/uptime; up=${up%%.*}; }
ipt_patience() { ipt_time; ipt_until=$((up + $1)); }
ipt_patience 20
ipt_left() { ipt_time; left=$((ipt_until - up)); [ "$left" -ge 1 ] || left=1; }
ipt_busy() { ipt_unlock; say result busy; fail "$1"; }
ipt_holder() {
  inode=$(stat -c %i /run/xtables.lock 2>/dev/null)
  holder=$(sed -n "s/^[^>]*FLOCK *ADVISORY *WRITE \([0-9]*\) .*:${inode:-none} .*/\1/p" /proc/locks | sed -n 1p)
  [ -z "$holder" ] || printf 'process %s (%s)' "$holder" "$(cat "/proc/$holder/comm" 2>/dev/null)"
}
# Asks iptables: the program, then what. What it prints is in $asked.
ipt_ask() {
  tool=$1
  shift
  ipt_left
  waited=$left
  asked=$("$tool" -w "$left" "$@" 2>/dev/null) && return 0 || code=$?
  [ "$code" = 4 ] || return "$code"
  asked=$("$tool" -w 1 "$@" 2>&1) && return 0 || code=$?
  case $code:$asked in
  4:*'xtables lock'*)
    holder=$(ipt_holder)
    ipt_busy "${holder:-another program} holds the lock of x_tables (/run/xtables.lock) of this host, and held it for $((waited + 1)) s of waiting: whether a gate stands and whether one can be put up is not known; try again, or end what holds it"
    ;;
  esac
  return "$code"
}
# What ipt_there has found.
ipt_owner() { printf '%s\n' "$asked" | sed -n 's/.*--comment "breakglass\/1 \([^"]*\)".*/\1/p' | tr '\n' ' '; }
ipt_there() { ipt_ask "$v4" -S BREAKGLASS-OWNER; }
# Without its first set there is no gate of ours: no lock need be waited for to know it.
ipt_none() { ! ipset list -n 2>/dev/null | grep -qx bg_armed; }
ipt_driver() { ipset list bg_driver 2>/dev/null | sed -n 's/.* comment "\([^"]*\)".*/\1/p'; }
ipt_burns() { ipset list "$1" 2>/dev/null | grep -q '^[0-9][0-9]* timeout'; }
ipt_alive() { ipt_burns bg_armed; }
ipt_load() {
  ipt_left
  printf '%s\n' "$2" | "$1-restore" -w "$left" --noflush 2>&1
}
ipt_start() { sed -n 's/^.*) //p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
ipt_turn() { ipset list bg_turn 2>/dev/null | sed -n 's/^192\.0\.2\.1 .*comment "\(.*\)"$/\1/p'; }
ipt_lock() {
  err=$(ipset create bg_turn hash:ip timeout 60 comment -exist 2>&1) || fail "ipset does not work here: $err"
  space=$(readlink /proc/self/ns/pid)
  ipt_patience 15
  mine="space=$space pid=$$ start=$(ipt_start $$)"
  until ipset add bg_turn 192.0.2.1 comment "$mine" 2>/dev/null; do
    whose=$(ipt_turn)
    pid=${whose#*pid=}
    start=${pid#*start=}
    pid=${pid%% *}
    case $whose in
    "space=$space "*)
      if [ "$(ipt_start "$pid")" != "$start" ] && ipset add bg_turn 192.0.2.2 timeout 3 2>/dev/null; then
        [ "$(ipt_turn)" != "$whose" ] || ipset del bg_turn 192.0.2.1 2>/dev/null
        ipset del bg_turn 192.0.2.2 2>/dev/null
        continue
      fi
      ;;
    esac
    ipt_time
    [ "$up" -lt "$ipt_until" ] || {
      say result held
      fail "another order to the gate of this host is under way (process ${pid:-not known}), and was for 15 s of waiting; it counts for a minute at most; then try again"
    }
    sleep 1
    ipset create bg_turn hash:ip timeout 60 comment -exist 2>/dev/null
  done
  ipt_patience 20
  locked=yes
}
ipt_unlock() {
  [ -n "${locked:-}" ] || return 0
  locked=
  turn=$(ipset list bg_turn 2>/dev/null | sed -n 's/^192\.0\.2\.1 timeout //p')
  # In its last seconds it runs out by itself.
  [ "${turn#* }" != "comment \"$mine\"" ] || [ "${turn%% *}" -lt 3 ] || ipset destroy bg_turn 2>/dev/null
}
ipt_clear() {
  for t in "$v6" "$v4"; do
    [ -n "$t" ] || continue
    ipt_left
    rules=$("$t" -w "$left" -S 2>&1) || [ $? != 4 ] || { printf '%s\n' "$rules"; return 1; }
    rules=$(printf '%s\n' "$rules" | sed -n '/BREAKGLASS-/p')
    [ -n "$rules" ] || continue
    ipt_load "$t" "*filter
$(printf '%s\n' "$rules" | sed -n 's/^-A\( [^B].* -j BREAKGLASS-.*\)$/-D\1/p')
$(printf '%s\n' "$rules" | sed -n 's/^-N/-F/p')
$(printf '%s\n' "$rules" | sed -n 's/^-N/-X/p')
COMMIT" || return 1
  done
  for set in $(ipset list -n 2>/dev/null | sed -n -e '/^bg_turn$/d' -e '/^bg_/p'); do ipset destroy "$set" 2>&1; done
}
"#;

/// How a host is asked for both kinds of iptables.
pub(in crate::host::gate) static TOOLSET: Toolset = Toolset {
    lib: LIB,
    tries: "",
    works: r#"if have ipset; then
  say ipset.version "$(ipset -v 2>/dev/null | sed -n 1p)"
  err=$(ipset list -n 2>&1 >/dev/null) && say ipset yes || say ipset.error "$err"
fi
# Where nft holds the gate, nothing hangs on the lock of x_tables.
[ -n "$nft_error" ] || ipt_patience 2
ipt_busy() { busy=$1; say busy "$1"; }
for flavour in iptables-nft iptables-legacy; do
  if ipt_pick "$flavour"; then
    busy=
    if ipt_ask "$v4" -S INPUT; then
      say "$flavour" yes
    else
      say "$flavour.error" "${busy:-$("$v4" -w 1 -S INPUT 2>&1 >/dev/null)}"
    fi
    [ -n "$v6" ] && say "$flavour.v6" yes
  fi
done | sed 's/^iptables-/iptables_/'
[ -s /proc/net/ip_tables_names ] && say legacy_in_use yes
"#,
    there: "! ipt_none",
    found: r#"  for flavour in iptables-nft iptables-legacy; do
    ipt_pick "$flavour" && ipt_there || continue
    say gate "$flavour"
    say gate_owner "$(ipt_owner)"
    ipt_alive && say gate_alive yes
    break
  done
"#,
    status: r#"for flavour in iptables-nft iptables-legacy; do
  ipt_none && break
  ipt_pick "$flavour" && ipt_there || continue
  found=$asked
  say back_end "$flavour"
  say owner "$(ipt_owner)"
  say driver "$(ipt_driver)"
  [ -n "$v6" ] || say v6 no
  for set in $(ipset list -n 2>/dev/null | sed -n -e '/^bg_until_/p' -e '/^bg_armed$/p' -e '/^bg_confirmed$/p'); do
    say "set.${set#bg_}" "$(ipset list "$set" 2>/dev/null | sed -n '/^[0-9]/p')"
  done
  for t in "$v4" "$v6"; do
    [ -n "$t" ] || continue
    ipt_left
    row() { "$t" -w "$left" -nvxL "BREAKGLASS-$2" 2>/dev/null | sed -n "s/^ *\([0-9][0-9]*\) .*$3.*/count.$1=\1/p"; }
    row attempts GATE 'breakglass attempts'
    row admitted YES RETURN
    row refused NO '\(REJECT\|DROP\)'
    row returned BACK REJECT
  done
  for family in 4 6; do ipset list bg_talkers$family 2>/dev/null; done |
    talkers 's/^\([0-9a-f.:]*\) timeout [0-9]* packets \([0-9]*\) .*/\2 \1/p'
  ipt_there && [ "$asked" = "$found" ]
  return
done
"#,
    look: "ipset list -n",
};
