//! Who is connected to an API server, and how much was sent to it.

use super::Row;
use crate::host::order::{Order as _, Query, order};
use crate::script::{Answer, amount, quote};

/// How many addresses a host tells of.
const MOST: usize = 200;

order! {
    /// Counts the open connections by their source.
    SocketRank = "ranking.sockets" { ports: String } -> Vec<Row>, |_, stdout| parse(stdout)
}

/// Counts the established connections to these ports by the address at their other end, and what was sent over them as far as the
/// kernel tells; and through which next hop the host reaches each. Those of the host itself are left out. Writes nothing.
pub fn sockets(ports: &[u16]) -> Query<SocketRank> {
    let filter: Vec<String> = ports.iter().map(|port| format!("sport = :{port}")).collect();
    let filter = quote(&format!("( {} )", filter.join(" or ")));
    let body = format!(
        r#"have ss || fail "there is no ss" 3
# A connection is a line, and what the kernel counts of it another one behind a tab.
ss -Htni state established {filter} 2>/dev/null | awk '
  /^[^ \t]/ || /^ *[0-9]/ {{
    peer = $4
    sub(/:[0-9]+$/, "", peer); gsub(/[][]/, "", peer); sub(/^::ffff:/, "", peer); sub(/%.*/, "", peer)
    if (peer ~ /^127\./ || peer == "::1") {{ peer = ""; next }}
    open[peer]++
  }}
  {{ if (peer != "" && match($0, /bytes_sent:[0-9]+/)) {{ sent[peer] += substr($0, RSTART + 11, RLENGTH - 11); told[peer] = 1 }} }}
  END {{ for (p in open) printf "%.0f %d %s %s\n", sent[p], open[p], (p in told) ? "yes" : "no", p }}
' | sort -rn | head -n {MOST} | while read -r sent open told peer; do
  via=
  if have ip; then via=$(ip -o route get "$peer" 2>/dev/null | sed -n 's/^.* via \([0-9a-fA-F.:]*\) .*$/\1/p'); fi
  echo "peer=$peer $open $sent $told $via"
done
say end yes
"#
    );
    let list: Vec<String> = ports.iter().map(ToString::to_string).collect();
    SocketRank { ports: list.join(",") }.query(body)
}

/// Reads the answer; `None` if it broke off.
fn parse(stdout: &str) -> Option<Vec<Row>> {
    let answer = Answer::parse(stdout);
    let row = |text: &str| {
        let mut cells = text.split(' ').filter(|cell| !cell.is_empty());
        let (peer, open, sent, told) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
        let (address, open) = (peer.parse().ok()?, amount(open)?);
        Some(Row {
            requests: open,
            bytes: amount(sent).filter(|_| told == "yes"),
            sources: vec![(address, open)],
            source_count: 1,
            via: cells.next().and_then(|via| via.parse().ok()),
            ..Row::default()
        })
    };
    answer.yes("end").then(|| answer.all("peer").take(MOST).filter_map(row).collect())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::script::Script;

    #[test]
    fn connections_are_counted_by_their_other_end_with_what_was_sent() {
        let mut script = Script::from(sockets(&[6443]));
        let ss = "ss() { printf '0 0 [::ffff:10.0.0.1]:6443 [::ffff:10.0.0.9]:5%s \\n\\t cubic bytes_sent:1000 bytes_acked:9\\n' 1 2 3; \
                  printf '0      0          10.0.0.1:6443      127.0.0.1:60000\\n\\t bytes_sent:7\\n'; \
                  printf '0 0 [fd90::1]:6443 [fd90::9]:60000\\n\\t cubic\\n'; }\n\
                  ip() { [ \"$4\" != 10.0.0.9 ] || echo '10.0.0.9 via 192.168.0.5 dev eth0 src 10.0.0.1'; }\n";
        script.body = format!("{ss}{}", script.body);
        let output = std::process::Command::new("sh").arg("-c").arg(script.text()).output().unwrap();
        assert!(output.stderr.is_empty(), "{output:?}");
        let rows = parse(&String::from_utf8(output.stdout).unwrap()).unwrap();
        let told: Vec<(IpAddr, u64, Option<u64>, Option<IpAddr>)> =
            rows.iter().map(|row| (row.sources[0].0, row.requests, row.bytes, row.via)).collect();
        let address = |text: &str| -> IpAddr { text.parse().unwrap() };
        let expected =
            [(address("10.0.0.9"), 3, Some(3000), Some(address("192.168.0.5"))), (address("fd90::9"), 1, None, None)];
        assert_eq!(told, expected);
        assert_eq!(parse("peer=10.0.0.9 3 1 yes \n"), None, "it broke off");
        assert_eq!(parse("peer=x 3 1 yes \npeer=10.0.0.9\nend=yes\n"), Some(Vec::new()));
    }
}
