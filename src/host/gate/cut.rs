//! Ending the connections that were there before the gate: rules alone leave the server's own sockets open.

use std::collections::BTreeSet;
use std::fmt;

use super::{GateSpec, Net, Scope, Side, orders};
use crate::finding::Finding;
use crate::host::order::{Order as _, order};
use crate::script::{Answer, Script, quote};

const UNTOLD: &str = "the gate means only some clients of this node, and open sockets cannot be told apart";

/// What cutting did on one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Sockets of refused clients before.
    pub before: u64,
    /// And after: what the kernel would not close.
    pub after: u64,
    /// Why nothing could be cut, if so.
    pub unable: Option<String>,
}

order! {
    /// Cuts the connections of who is refused.
    GateCut = "gate.cut" { run: String, ports: Option<String>, filter: Option<String> } -> Cut, |_, stdout| parse_cut(&Answer::parse(stdout))
}

/// Closes the sockets that the gate refuses: on a server those of clients that are not let through, on a node the host's
/// own to the API. Counts before and after, because `ss -K` passes silently over what the kernel does not let it close.
///
/// Nothing is cut on a node whose gate means only some of its processes or pods: a socket does not show here whose it is,
/// and all of them would lose the kubelet's, too.
///
/// For a fully closed gate: who is in by a share cannot be told from outside the kernel.
pub fn cut(spec: &GateSpec) -> Script {
    if let Side::Client { scope, .. } = &spec.side
        && *scope != (Scope::All { spare_cgroup: None })
    {
        let order = GateCut { run: spec.run.clone(), ports: None, filter: None };
        return order.script(format!("say unable {}\n", quote(UNTOLD)));
    }
    let (filter, keep_own) = match &spec.side {
        Side::Server { ports } => {
            let ports: Vec<String> = ports.iter().map(|p| format!("sport = :{p}")).collect();
            let keep: BTreeSet<Net> = spec.allow.iter().map(|a| a.net).collect();
            let balancer = spec.balancer.iter().flat_map(|b| &b.nets);
            let keep: String = keep.iter().chain(balancer).map(|n| format!(" and not dst {}", address(*n))).collect();
            (format!("( {} ){keep}", ports.join(" or ")), true)
        }
        Side::Client { endpoints, service, .. } => {
            let all: BTreeSet<String> = endpoints.iter().chain(service).map(|e| format!("dst {e}")).collect();
            (format!("( {} )", all.into_iter().collect::<Vec<_>>().join(" or ")), false)
        }
    };
    let body = format!(
        r#"have ss || {{ say unable 'ss (iproute2) is not on this host'; return 0; }}
keep=
if [ {keep_own} = true ]; then
  for a in 127.0.0.0/8 ::1 $(ip -o addr show 2>/dev/null | sed -n 's/.* inet6\{{0,1\}} \([^ /]*\).*/\1/p'); do
    case $a in
    *:*) keep="$keep and not dst [$a]" ;;
    *) keep="$keep and not dst $a" ;;
    esac
  done
fi
filter={filter}$keep
left() {{ ss -Htn "$filter" 2>/dev/null | wc -l; }}
before=$(left)
say before $((before))
after=$before
for round in 1 2 3; do
  [ $((after)) -gt 0 ] || break
  ss -K -Htn "$filter" >/dev/null 2>&1
  after=$(left)
done
say after $((after))
"#,
        filter = quote(&filter),
    );
    let ports: Vec<String> = spec.ports().iter().map(ToString::to_string).collect();
    let words = format!("connections with {} of those who are refused", orders::ports(&spec.ports()));
    let order = GateCut { run: spec.run.clone(), ports: Some(ports.join(",")), filter: Some(filter) };
    order.script(body).words(words)
}

/// An address or prefix as the filters of `ss` want it.
fn address(net: Net) -> String {
    let text = net.to_string();
    match (net.is_v6(), text.split_once('/')) {
        (false, _) => text,
        (true, None) => format!("[{text}]"),
        (true, Some((addr, len))) => format!("[{addr}]/{len}"),
    }
}

/// Reads the answer of [`cut`]; `None` if it broke off.
pub fn parse_cut(answer: &Answer) -> Option<Cut> {
    if let Some(why) = answer.get("unable") {
        return Some(Cut { before: 0, after: 0, unable: Some(why.to_owned()) });
    }
    Some(Cut { before: answer.number("before")?, after: answer.number("after")?, unable: None })
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Finding::from(self).fmt(f)
    }
}

impl From<&Cut> for Finding {
    fn from(cut: &Cut) -> Self {
        match cut {
            Cut { unable: Some(why), .. } => Self::Note(format!("open connections were not cut: {why}")),
            Cut { before, after, unable: None } => Self::Cut { before: *before, after: *after },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::gate::sample;

    #[test]
    fn only_what_was_counted_is_said_of_open_connections() {
        let said = |text: &str| parse_cut(&Answer::parse(text)).map(|cut| cut.to_string());
        assert_eq!(said("before=12\nafter=0\n").as_deref(), Some("12 open connections cut, none left"));
        let skipped = said("unable=the gate means only some\n").unwrap_or_default();
        assert!(skipped.ends_with("the gate means only some") && !skipped.contains("none left"), "{skipped}");
        assert_eq!(said("before=12"), None);
    }

    #[test]
    fn where_only_some_are_meant_nobody_is_cut() {
        let spare = Some("system.slice/kubelet.service".to_owned());
        for (scope, kills) in [
            (Scope::All { spare_cgroup: None }, true),
            (Scope::All { spare_cgroup: spare }, false),
            (Scope::Sources(vec!["10.0.0.0/24".parse().unwrap()]), false),
            (Scope::Cgroup("user.slice".into()), false),
        ] {
            let endpoints = vec!["192.0.2.1:6443".parse().unwrap()];
            let side = Side::Client { endpoints, service: Vec::new(), scope };
            let text = cut(&GateSpec { side, ..sample() }).text();
            assert_eq!(text.contains("ss -K"), kills, "{text}");
            assert_eq!(text.contains(UNTOLD), !kills, "{text}");
        }
    }
}
