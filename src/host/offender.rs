//! What an API host sees of an offender without the API: who holds connections, and what the audit log has gained.

use std::net::IpAddr;

use super::order::{Order as _, Query, order};
use crate::script::{Answer, amount, quote};

/// How many of the sources with the most connections a host reports; it sends no more over a bad line.
const SOURCES: usize = 10;
/// The most of an audit log that one look reads, in bytes: a drowning server writes a megabyte in some seconds.
const MOST: u64 = 8 << 20;

/// Where the last look at an audit log ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The log.
    pub log: String,
    /// So many bytes of it were there.
    pub size: u64,
}

order! {
    /// Looks for what is left of an offender.
    OffenderLook = "offender.look" { ports: String, user: String, log: String, from: String } -> Seen, |_, stdout| parse(stdout)
}

/// Counts the open connections to these ports by their source, and in the audit log, from where the last look ended, the
/// requests of `user`: how many were served (a watch is as soon as its answer begins), and how many refused with a 403. A 401 names no user: all of them are
/// counted apart.
///
/// Without a last look it only says which log it is and how long, which is where the next look goes on. Writes nothing.
pub fn look(ports: &[u16], user: Option<&str>, last: Option<&Read>) -> Query<OffenderLook> {
    let filter: Vec<String> = ports.iter().map(|port| format!("sport = :{port}")).collect();
    let filter = filter.join(" or ");
    let needle = user.map(|user| format!("\"user\":{{\"username\":{}", serde_json::Value::from(user)));
    let start = last.map_or_else(String::new, |last| last.size.to_string());
    let log = last.map_or("", |last| last.log.as_str());
    let body = format!(
        r#"if have ss; then
  all=$(ss -Htn state established {filter} 2>/dev/null |
    sed -n 's/^.* \[\{{0,1\}}\(::ffff:\)\{{0,1\}}\([0-9a-f.:]*\)\]\{{0,1\}}:[0-9]* *$/\2/p' | sed '/^127\./d; /^::1$/d' |
    sort | uniq -c | sort -rn)
  say connections "$(printf '%s\n' "$all" | sed -n 's/^ *\([0-9][0-9]*\) .*/\1/p' | {{ n=0; while read -r one; do n=$((n + one)); done; echo $n; }})"
  say sources "$(printf '%s\n' "$all" | grep -c .)"
  printf '%s\n' "$all" | sed -n '1,{SOURCES}s/^ *\([0-9][0-9]* .*\)$/source=\1/p'
fi
needle={needle}
[ -n "$needle" ] || {{ say end yes; return 0; }}
log={known}
[ -r "$log" ] || log=
{AUDIT_LOG}
if [ -z "$log" ] || [ ! -r "$log" ]; then say log none; say end yes; return 0; fi
to=$(wc -c <"$log")
say log "$log"
say size "$to"
from={start}
[ -n "$from" ] || {{ say end yes; return 0; }}
# It was rotated: what is there now is all new.
[ "$to" -ge "$from" ] || from=0
[ $((to - from)) -le {MOST} ] || from=$((to - {MOST}))
added() {{ tail -c +"$((from + 1))" "$log" | head -c "$((to - from))"; }}
{DISTINCT}
say served "$(added | grep -F -- "$needle" | grep '"stage":"Response' | grep '"code":2[0-9][0-9]' | distinct)"
say refused "$(added | grep -F -- "$needle" | grep '"code":403[,}}]' | distinct)"
say unknown "$(added | grep '"code":401[,}}]' | distinct)"
say end yes
"#,
        filter = quote(&format!("( {filter} )")),
        needle = quote(&needle.unwrap_or_default()),
        known = quote(log),
    );
    let list: Vec<String> = ports.iter().map(ToString::to_string).collect();
    let user = user.unwrap_or_default().to_owned();
    OffenderLook { ports: list.join(","), user, log: log.to_owned(), from: start }.query(body)
}

/// Counts the requests that the lines of an audit log on standard input are about: the lines of one request are one. A line
/// that names no request is one of its own, so that none is overlooked.
pub const DISTINCT: &str = r#"distinct() {
  sed -n -e 's/^[^}]*"auditID":"\([^"]*\)".*$/\1/p' -e t -e = | sort -u | wc -l | tr -d ' '
}"#;

/// Finds the audit log that the running API server was told to write, as `$log`, unless that is set already.
///
/// Of the host's own network: another one may run in a pod. The name is read without starting a program for each process.
pub const AUDIT_LOG: &str = r#"if [ -z "${log:-}" ]; then
  here=$(readlink "/proc/$$/ns/net")
  for p in /proc/[0-9]*; do
    { read -r name <"$p/comm"; } 2>/dev/null && [ "$name" = kube-apiserver ] || continue
    [ "$(readlink "$p/ns/net" 2>/dev/null)" = "$here" ] || continue
    path=$(tr '\000' '\n' <"$p/cmdline" 2>/dev/null | sed -n 's/^--audit-log-path=//p' | head -n 1)
    case $path in /*) log=$p/root$path; break ;; esac
  done
fi"#;

/// What a host said of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Open connections from other hosts; `None` where the host has no `ss`.
    pub connections: Option<u64>,
    /// How many sources hold them.
    pub sources: u64,
    /// The sources with the most of them, and how many each has.
    pub loudest: Vec<(IpAddr, u64)>,
    /// The audit log and its length; `None` where there is none.
    pub read: Option<Read>,
    /// What the audit log has gained since the last look.
    pub requests: Option<Requests>,
}

/// Requests in an audit log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// The offender's that were served.
    pub served: u64,
    /// The offender's that were refused with a 403.
    pub refused: u64,
    /// Anybody's that were refused with a 401: a token that is void names nobody.
    pub unknown: u64,
}

/// Reads the answer of [`look`]; `None` if it broke off.
pub(super) fn parse(stdout: &str) -> Option<Seen> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    let source = |line: &str| {
        let (count, address) = line.split_once(' ')?;
        Some((address.trim().parse().ok()?, amount(count)?))
    };
    Some(Seen {
        connections: answer.number("connections"),
        sources: answer.number("sources").unwrap_or(0),
        loudest: answer.all("source").filter_map(source).collect(),
        read: answer.get("log").zip(answer.number("size")).map(|(log, size)| Read { log: log.to_owned(), size }),
        requests: requests(&answer),
    })
}

fn requests(answer: &Answer) -> Option<Requests> {
    let number = |key| answer.number(key);
    Some(Requests { served: number("served")?, refused: number("refused")?, unknown: number("unknown")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;

    /// Runs the script with an audit log and an `ss` of our own.
    fn run(log: &str, from: Option<u64>) -> Seen {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), log).unwrap();
        let path = file.path().display().to_string();
        let last = from.map(|size| Read { log: path.clone(), size });
        let mut script = Script::from(look(&[6443], Some("system:serviceaccount:a:b"), last.as_ref()));
        if last.is_none() {
            script.body = script.body.replace("log=''\n[ -r", &format!("log={}\n[ -r", quote(&path)));
        }
        let ss = "ss() { printf '0 0 [::ffff:10.0.0.1]:6443 [::ffff:10.0.0.9]:5%s \\n' 1 2 3; \
                  echo '0 0 10.0.0.1:6443 127.0.0.1:60000'; echo '0 0 [fd90::1]:6443 [fd90::9]:60000 '; }\n";
        script.body = format!("{ss}{}", script.body);
        let output = std::process::Command::new("sh").arg("-c").arg(script.text()).output().unwrap();
        assert!(output.stderr.is_empty(), "{output:?}");
        parse(&String::from_utf8(output.stdout).unwrap()).unwrap()
    }

    #[test]
    fn connections_are_counted_by_source_and_the_hosts_own_are_not() {
        let seen = run("", None);
        assert_eq!((seen.connections, seen.sources), (Some(4), 2));
        assert_eq!(seen.loudest, [("10.0.0.9".parse().unwrap(), 3), ("fd90::9".parse().unwrap(), 1)]);
        assert_eq!((seen.read.map(|read| read.size), seen.requests), (Some(0), None));
    }

    /// A watch has no end for as long as it goes on; what it costs comes at its beginning.
    #[test]
    fn watches_that_begin_are_served_and_each_request_counts_once() {
        let line = |id: u8, stage: &str, code: u16| {
            format!(
                "{{\"auditID\":\"id-{id}\",\"stage\":\"{stage}\",\"verb\":\"watch\",\"user\":{{\"username\":\"system:serviceaccount:a:b\"}},\"responseStatus\":{{\"metadata\":{{}},\"code\":{code}}}}}\n"
            )
        };
        let new = [
            line(1, "ResponseStarted", 200),
            line(2, "ResponseStarted", 200),
            line(2, "ResponseComplete", 200),
            line(3, "ResponseComplete", 200),
            line(4, "ResponseComplete", 403),
        ];
        let seen = run(&new.concat(), Some(0));
        assert_eq!(seen.requests, Some(Requests { served: 3, refused: 1, unknown: 0 }), "{seen:?}");
    }

    #[test]
    fn what_an_offender_was_served_and_refused_is_counted_from_where_the_last_look_ended() {
        let line = |user: &str, code: u16| {
            format!(
                "{{\"stage\":\"ResponseComplete\",\"user\":{{\"username\":\"{user}\"}},\"responseStatus\":{{\"code\":{code}}}}}\n"
            )
        };
        let old = line("system:serviceaccount:a:b", 200).repeat(5);
        let new = [
            line("system:serviceaccount:a:b", 200),
            line("system:serviceaccount:a:b", 403),
            line("system:serviceaccount:a:b", 404),
            line("somebody", 403),
            line("somebody", 200),
            "{\"stage\":\"ResponseComplete\",\"user\":{},\"responseStatus\":{\"code\":401}}\n".to_owned(),
        ];
        let seen = run(&format!("{old}{}", new.concat()), Some(old.len() as u64));
        let expected = Some(Requests { served: 1, refused: 1, unknown: 1 });
        assert_eq!(seen.requests, expected, "{seen:?}");
        // Rotated meanwhile: all that is there is new.
        assert_eq!(run(&new.concat(), Some(1 << 40)).requests, expected);
        assert_eq!(parse("connections=3\n"), None, "it broke off");
    }
}
