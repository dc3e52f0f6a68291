//! Where the pods of a workload send from, by what their host's kernel says of their processes: addresses of their own, or the host's.

use std::net::IpAddr;

use super::{FIND, Which};
use crate::host::order::{Order as _, Query, order};
use crate::script::Answer;

/// A pod that has processes on the host, as its network sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Its name.
    pub name: String,
    /// What it sends from.
    pub from: From,
}

/// What a pod sends from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// Addresses of its own; none where it has no network yet.
    Own(Vec<IpAddr>),
    /// Those of its host. The group of its processes, below the root of version 2 of the control groups; `None` where the host has
    /// them in version 1, too, and rules cannot name it.
    Host(Option<String>),
}

order! {
    /// Looks where pods send from.
    PodsNetwork = "pods.network" { namespace: String, forms: String } -> Vec<Sender>, |_, stdout| senders(stdout)
}

/// The script that looks where pods send from. It writes nothing.
///
/// A packet filter finds a group by its path below `/sys/fs/cgroup`, which has to be version 2 for that.
pub fn network(which: &Which) -> Query<PodsNetwork> {
    let body = format!(
        r#"{}{FIND}[ -d /var/log/pods ] || {{ say logs none; return 0; }}
all=$(groups); here=$(readlink "/proc/$$/ns/net")
pods | while read -r uid name; do
  freezer "$uid"; [ -n "$g" ] || continue
  p=$(cat "$g"/cgroup.procs "$g"/*/cgroup.procs 2>/dev/null | head -n 1); [ -n "$p" ] || continue
  say pod "$name"
  if [ "$(readlink "/proc/$p/ns/net")" = "$here" ]; then
    say host yes
    [ ! -f /sys/fs/cgroup/cgroup.controllers ] || say group "${{g#/sys/fs/cgroup/}}"
    continue
  fi
  sed -n -e '/|-- /{{s/.*|-- //;h;}}' -e '/\/32 host LOCAL/{{g;s/^/address=/p;}}' "/proc/$p/net/fib_trie" 2>/dev/null | sort -u
  sed -n 's/^\(....\)\(....\)\(....\)\(....\)\(....\)\(....\)\(....\)\(....\) .. .. 00 .*/address=\1:\2:\3:\4:\5:\6:\7:\8/p' "/proc/$p/net/if_inet6" 2>/dev/null
done
say end yes
"#,
        which.sh()
    );
    let words = format!("of {}", which.object);
    PodsNetwork { namespace: which.namespace.clone(), forms: which.told() }.query(body).words(words)
}

/// Reads what a look printed; `None` if it broke off.
fn senders(stdout: &str) -> Option<Vec<Sender>> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    let mut all: Vec<Sender> = Vec::new();
    for (key, value) in answer.pairs() {
        match (key, all.last_mut()) {
            ("pod", _) => all.push(Sender { name: value.to_owned(), from: From::Own(Vec::new()) }),
            ("host", Some(last)) => last.from = From::Host(None),
            ("group", Some(Sender { from: From::Host(group), .. })) => *group = Some(value.to_owned()),
            ("address", Some(Sender { from: From::Own(addresses), .. })) => {
                addresses.extend(value.parse::<IpAddr>().ok().filter(|address| !address.is_loopback()));
            }
            _ => {}
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_pods_send_from_is_read() {
        let query = network(&Which { object: "ds/a".into(), namespace: "ns".into(), forms: vec!["a-[a-z]".into()] });
        let said = "pod=a-1\naddress=127.0.0.1\naddress=10.244.1.2\naddress=fd90:0000:0000:0000:0000:0000:0000:0009\npod=a-2\nhost=yes\n\
                    group=kubepods.slice/x.slice\npod=a-3\nhost=yes\npod=a-4\naddress=odd\nend=yes\n";
        let read = query.read(said).unwrap();
        let own = vec!["10.244.1.2".parse().unwrap(), "fd90::9".parse().unwrap()];
        let from: Vec<From> = read.into_iter().map(|one| one.from).collect();
        let group = Some("kubepods.slice/x.slice".to_owned());
        assert_eq!(from, [From::Own(own), From::Host(group), From::Host(None), From::Own(Vec::new())]);
        assert!(query.read("pod=a\n").is_err() && query.read("logs=none\n").is_err());
    }
}
