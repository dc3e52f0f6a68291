//! Clients in a host's audit log, counted on the host.

use super::{Audited, Ranked, Row, RowText, Stages};
use crate::host::offender::AUDIT_LOG;
use crate::host::order::{Order as _, Query, order};
use crate::script::{Answer, quote};

/// The program that counts.
const COUNT: &str = include_str!("audit.awk");

/// Reads the newest logs, in at most two pieces of each at the same time: the log itself, then those that were rotated, newest first.
/// Each piece ends at the end of a line, so that two pieces have no line in common and lose none.
const READ: &str = r#"
if [ -z "$log" ] || [ ! -r "$log" ]; then say log none; say end yes; return 0; fi
have awk || fail "there is no awk" 3
# Kept open: it may be rotated while it is read, and is then found a second time, under another name.
exec 3<"$log"
now=$(date +%s)
say now "$now"
since=0
[ "$window" -eq 0 ] || since=$((now - window))
say log "$log"
name=${log##*/}; folder=${log%/*}
at_once=1
[ "$(grep -c ^processor /proc/cpuinfo 2>/dev/null || echo 1)" -lt 2 ] || at_once=2
deadline=$((now + limit))
# So long yet, and no longer: what is counted by then is told.
ended() {
  for_yet=$((deadline - $(date +%s)))
  [ "$for_yet" -gt 0 ] || for_yet=1
  if have timeout; then timeout "$for_yet" "$@"; else "$@"; fi
}
counted() { nice -n 19 awk -v since="$since" "$count"; }
piece() { { tail -c +"$(($1 + 1))" "$log" | ended head -c "$2" || printf '\n!cut\n'; } | counted; }
# From one place to the end of the line that is there.
rest_of_line() { tail -c +"$(($1 + 1))" "$log" | head -n 1 | wc -c; }
size=$(wc -c <"$log")
from=0
whole=yes
[ "$size" -le "$most" ] || { from=$((size - most)); whole=no; }
left=$((most - (size - from)))
[ "$from" -eq 0 ] || from=$((from + $(rest_of_line "$from")))
bytes=$((size - from))
middle=$((from + bytes / 2))
[ "$bytes" -gt 4000000 ] && [ "$at_once" -eq 2 ] || middle=$size
[ "$middle" -eq "$size" ] || middle=$((middle + $(rest_of_line "$middle")))
if [ "$middle" -lt "$size" ]; then
  # The second half beside the first: it is kept until that has said all, so that no line of one stands in a line of the other.
  exec 4>&1
  second=$(piece "$middle" "$((size - middle))" & piece "$from" "$((middle - from))" >&4)
  printf '%s\n' "$second"
else
  piece "$from" "$bytes"
fi
# As kube-apiserver names them: audit-2026-11-28T07-00-00.000.log, with .gz behind.
stem=$name; ending=
case $name in *.*) stem=${name%.*}; ending=.${name##*.} ;; esac
for old in $(ls -t "$folder/$stem"-[0-9]*"$ending" "$folder/$stem"-[0-9]*"$ending".gz 2>/dev/null); do
  [ "$left" -gt 0 ] && [ "$(date +%s)" -lt "$deadline" ] || { whole=no; break; }
  [ -r "$old" ] || continue
  if [ "$old" -ef /dev/fd/3 ]; then continue; fi
  # What was last written to before that time has nothing newer.
  if [ "$since" -gt 0 ] && [ "$(stat -c %Y "$old" 2>/dev/null || echo "$now")" -lt "$since" ]; then break; fi
  case $old in
  *.gz)
    have gzip || continue
    { ended gzip -dc "$old" 2>/dev/null | tail -c "$left" || printf '\n!cut\n'; } | counted
    was=$(($(wc -c <"$old") * 10))
    ;;
  *)
    was=$(wc -c <"$old")
    { ended tail -c "$left" "$old" || printf '\n!cut\n'; } | counted
    ;;
  esac
  bytes=$((bytes + was))
  left=$((left - was))
  say also "$old"
done
say bytes "$bytes"
say whole "$whole"
say end yes
"#;

/// How long the reading of one piece may take, in seconds.
const LIMIT: u64 = 20;

order! {
    /// Ranks clients in the audit log.
    AuditRank = "ranking.audit" { log: String, seconds: u64, most: u64 } -> Audited, |_, stdout| parse(stdout)
}

/// Counts the events of the last so many seconds by the host's clock (0: all) in the newest so many bytes of the log of this path, and
/// of those that were rotated from it; empty: the one that the running kube-apiserver was told to write. Writes nothing.
pub fn audit(log: &str, seconds: u64, most: u64) -> Query<AuditRank> {
    let body = format!(
        "log={}\nwindow={seconds}\nmost={most}\nlimit={LIMIT}\ncount={}\n{AUDIT_LOG}\n{READ}",
        quote(log),
        quote(COUNT)
    );
    AuditRank { log: log.to_owned(), seconds, most }.query(body)
}

/// Reads the answer; `None` if it broke off.
fn parse(stdout: &str) -> Option<Audited> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    if answer.get("log") == Some("none") {
        return Some(Audited::NoLog);
    }
    let sum = |key: &str| answer.all(key).filter_map(crate::script::amount).fold(0, u64::saturating_add);
    let (lines, events) = (sum("lines"), sum("events"));
    if lines > 0 && events == 0 {
        return Some(Audited::NotJson);
    }
    let mut ranked = Ranked {
        from: answer.get("log").unwrap_or_default().to_owned(),
        bytes: answer.number("bytes").unwrap_or(0),
        lines,
        skipped: sum("skipped"),
        whole: answer.yes("whole") && !answer.all("cut").any(|cut| cut == "yes") && sum("beyond") == 0,
        ..Ranked::default()
    };
    for text in answer.all("stages") {
        let mut counts = text.split(' ').map(|count| crate::script::amount(count).unwrap_or(0) > 0);
        let mut next = || counts.next().unwrap_or(false);
        let here = Stages { received: next(), started: next(), complete: next() };
        ranked.stages.received |= here.received;
        ranked.stages.started |= here.started;
        ranked.stages.complete |= here.complete;
    }
    let now = i64::try_from(answer.number("now")?).ok()?;
    let rows = answer.all("row").filter_map(RowText::read);
    ranked.rows = super::together(rows, now);
    ranked.span = super::span(&ranked.rows);
    Some(Audited::Ranked(ranked))
}

impl Row {
    /// Of an audit log, where each stage of a request has a line: how many requests and open watches that are.
    pub(super) fn counted(mut self, (received, started, complete): (u64, u64, u64)) -> Self {
        if self.verb.starts_with("watch") {
            let begun = received.max(started).max(complete);
            (self.requests, self.watches) = (begun, received.max(started).saturating_sub(complete));
        } else {
            self.requests = received.max(complete);
        }
        self
    }
}

#[cfg(test)]
mod tests;
