//! Clients in an API server's own log: the traces that it writes of slow requests, and where it is verbose, all requests.

use super::{Ranked, RowText};
use crate::host::order::{Order as _, Query, order};
use crate::script::{Answer, amount, quote};

/// The program that counts.
const COUNT: &str = include_str!("log.awk");
/// The most of a log that is read: its lines are long, and few of them are counted.
const MOST: u64 = 64 << 20;
/// How long that may take, in seconds.
const LIMIT: u64 = 10;

/// The newest log of a static pod, or that of a unit of systemd's.
const READ: &str = r#"
have awk || fail "there is no awk" 3
if [ -z "$log" ]; then
  for pod in /var/log/pods/kube-system_kube-apiserver-*; do
    one=$(ls -t "$pod"/kube-apiserver/*.log 2>/dev/null | head -n 1)
    [ -n "$one" ] && { [ -z "$log" ] || [ "$one" -nt "$log" ]; } && log=$one
  done
fi
unit=
if [ -z "$log" ] && have journalctl; then
  [ -z "$(journalctl -q -n 1 -u kube-apiserver 2>/dev/null)" ] || unit=kube-apiserver
fi
if [ -z "$unit" ] && { [ -z "$log" ] || [ ! -r "$log" ]; }; then say log none; say end yes; return 0; fi
now=$(date +%s)
ended() { if have timeout; then timeout "$limit" "$@"; else "$@"; fi; }
newest() { if [ -n "$unit" ]; then journalctl -q -o cat -u "$unit" 2>/dev/null | tail -c "$1"; else tail -c "$1" "$log"; fi; }
since=
if [ "$window" -gt 0 ]; then
  # Its lines begin with a time of day and without a zone: that of the host, or in a container that of nobody.
  last=$(newest 20000 | sed -n 's/^.*[IWEF]\([0-9]\{4\} [0-9:]\{8\}\)\.[0-9]\{6\} .*$/\1/p' | tail -n 1)
  zone=
  if [ ! "$last" \< "$(date -u -d "@$((now - 3600))" '+%m%d %H:%M:%S')" ] && [ ! "$last" \> "$(date -u -d "@$((now + 60))" '+%m%d %H:%M:%S')" ]; then zone=-u; fi
  since=$(date $zone -d "@$((now - window))" '+%m%d %H:%M:%S')
fi
say log "${log:-journal of $unit}"
{ newest "$most" | ended cat || printf '\n!cut\n'; } | nice -n 19 awk -v since="$since" "$count"
say end yes
"#;

order! {
    /// Ranks clients in the API server's own log.
    LogRank = "ranking.log" { log: String, seconds: u64, most: u64 } -> Option<Ranked>, |_, stdout| parse(stdout)
}

/// Counts the slow requests of the last so many seconds (0: all) in the newest so many bytes of the log of this path; empty: that of the
/// static pod kube-apiserver, else that of the unit. Writes nothing.
pub fn server_log(log: &str, seconds: u64, most: u64) -> Query<LogRank> {
    let most = most.min(MOST);
    let body =
        format!("log={}\nwindow={seconds}\nmost={most}\nlimit={LIMIT}\ncount={}\n{READ}", quote(log), quote(COUNT));
    LogRank { log: log.to_owned(), seconds, most }.query(body)
}

/// Reads the answer, which is nothing where there is no log; `None` if it broke off.
#[expect(clippy::option_option, reason = "an answer that says that there is none is one")]
fn parse(stdout: &str) -> Option<Option<Ranked>> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    if answer.get("log") == Some("none") {
        return Some(None);
    }
    let number = |key: &str| answer.get(key).and_then(amount).unwrap_or(0);
    let rows = super::together(answer.all("row").filter_map(RowText::read), 0);
    Some(Some(Ranked {
        from: answer.get("log").unwrap_or_default().to_owned(),
        lines: number("lines"),
        whole: answer.get("cut") != Some("yes") && number("beyond") == 0,
        rows,
        ..Ranked::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::ranking::tests::run;

    const TRACE: &str = "2026-11-28T07:00:01.123456789Z stderr F I1128 07:00:01.100000       1 trace.go:236] Trace[1804289383]: \"List\" \
        accept:application/json,audit-id:5a,client:10.1.0.9,api-group:,api-version:v1,name:,subresource:,namespace:,protocol:HTTP/2.0,\
        resource:pods,scope:cluster,url:/api/v1/pods,user-agent:telemetry-agent/v1.2,verb:LIST (28-Nov-2026 06:59:56.100) (total time: 5012ms):\n";
    const HTTP: &str = "I1128 07:00:01.100000       1 httplog.go:134] \"HTTP\" verb=\"GET\" URI=\"/apis/apps/v1/deployments?limit=5\" \
        latency=\"1m1.5s\" userAgent=\"kubectl/v1.34\" audit-ID=\"6b\" srcIP=\"[fd90::7]:41234\" resp=200\n";

    fn ranked(text: &str) -> Ranked {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        parse(&run(server_log(&file.path().display().to_string(), 0, 1 << 20).into())).unwrap().unwrap()
    }

    #[test]
    fn traces_of_slow_requests_name_agent_address_and_what_was_asked() {
        let rows = ranked(&[TRACE, HTTP, TRACE, "I1128 07:00:02.000000 1 x.go:1] nothing\n"].concat()).rows;
        let told = |agent: &str| rows.iter().find(|row| row.agent.as_deref() == Some(agent)).unwrap();
        let agent = told("telemetry-agent/v1.2");
        assert_eq!((agent.verb.as_str(), agent.resource.as_str(), agent.requests), ("list", "pods", 2));
        assert_eq!((agent.millis, agent.user.as_deref()), (Some(10_024), None));
        assert_eq!(agent.sources, [("10.1.0.9".parse().unwrap(), 2)]);
        let kubectl = told("kubectl/v1.34");
        assert_eq!((kubectl.millis, kubectl.resource.as_str()), (Some(61_500), "/apis/apps/v1/deployments"));
        assert_eq!(kubectl.sources, [("fd90::7".parse().unwrap(), 1)]);
        assert_eq!(rows.len(), 2);
    }

    /// A client that names itself like another line, or like another client, is counted under what it says, and nobody else is.
    #[test]
    fn what_a_client_calls_itself_is_counted_as_one_name_whatever_is_in_it() {
        let sly = TRACE.replace("telemetry-agent/v1.2", "x,verb:GET (y) ,user-agent:kubelet\u{1}");
        let rows = ranked(&sly).rows;
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(
            (rows[0].verb.as_str(), rows[0].agent.as_deref()),
            ("list", Some("x,verb:GET (y) ,user-agent:kubelet?"))
        );
        let half = &TRACE[..TRACE.len() / 2];
        assert!(ranked(half).rows.is_empty());
        assert_eq!(parse("log=/x\nlines=3\n"), None, "it broke off");
        assert_eq!(parse("log=none\nend=yes\n"), Some(None));
    }
}
