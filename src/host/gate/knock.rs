//! A connection from another host: what a client there meets.

use std::net::SocketAddr;

use crate::host::order::{Order as _, Query, order};
use crate::script::Answer;

/// What came of a connection from a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knock {
    /// It was opened.
    Open,
    /// It was refused at once.
    Refused,
    /// Nothing answered within five seconds.
    Silent,
    /// The host has nothing to connect with, or it said something else.
    NotKnown(String),
}

order! {
    /// Connects from a host.
    GateKnock = "gate.knock" { to: String } -> Knock, |_, stdout| Some(parse_knock(stdout))
}

/// Opens a TCP connection from a host and closes it, with the first of curl, bash and nc that is there. Writes nothing.
pub fn knock(to: SocketAddr) -> Query<GateKnock> {
    let (addr, port) = (to.ip(), to.port());
    let body = format!(
        r"before=$(date +%s)
late() {{ [ $(($(date +%s) - before)) -ge 4 ]; }}
if have curl; then
  say with curl
  took=$(curl -q -sk -o /dev/null -m 6 --connect-timeout 5 -w '%{{time_connect}}' --noproxy '*' 'https://{to}/')
  case $took in
  '' | 0 | 0.0 | 0.000 | 0.000000) late && say knock silent || say knock refused ;;
  *) say knock open ;;
  esac
elif have bash && have timeout; then
  say with bash
  if timeout 5 bash -c ': <>/dev/tcp/{addr}/{port}' 2>/dev/null; then say knock open; else late && say knock silent || say knock refused; fi
elif have nc; then
  say with nc
  if nc -z -w 5 {addr} {port} 2>/dev/null; then say knock open; else late && say knock silent || say knock refused; fi
else
  say unable 'none of curl, bash and nc is on this host'
fi
"
    );
    GateKnock { to: to.to_string() }.query(body)
}

/// Reads the answer of [`knock`].
pub(in crate::host) fn parse_knock(stdout: &str) -> Knock {
    let answer = Answer::parse(stdout);
    match answer.get("knock") {
        Some("open") => Knock::Open,
        Some("refused") => Knock::Refused,
        Some("silent") => Knock::Silent,
        _ => Knock::NotKnown(answer.get("unable").or(answer.get("failed")).unwrap_or("it said nothing").to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        assert_eq!(parse_knock("with=curl\nknock=refused\n"), Knock::Refused);
        assert_eq!(parse_knock("knock=silent\n"), Knock::Silent);
        assert_eq!(parse_knock("unable=no nc\n"), Knock::NotKnown("no nc".into()));
        assert_eq!(parse_knock(""), Knock::NotKnown("it said nothing".into()));
    }
}
