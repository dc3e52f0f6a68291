//! Whose traffic a gate on a node stops, where it is about a workload: what its pods there send from. Pure.

use crate::host::gate::Scope;
use crate::host::net::Net;
use crate::host::pods::{From, Sender};

/// What tells their traffic from others'; `None`: there are none.
///
/// # Errors
/// One sentence: nothing does.
pub(super) fn scope(senders: &[Sender]) -> Result<Option<Scope>, String> {
    let mut nets: Vec<Net> = Vec::new();
    let mut groups: Vec<&str> = Vec::new();
    for Sender { name, from } in senders {
        match from {
            From::Own(addresses) if addresses.is_empty() => {
                return Err(format!("{name} has no address yet; look again in a moment"));
            }
            From::Own(addresses) => nets.extend(addresses.iter().copied().map(Net::from)),
            From::Host(Some(group)) => groups.push(group),
            From::Host(None) => {
                return Err(format!(
                    "{name} sends from the host's own network, as its kubelet does, and on a host with control groups of version 1 \
                     nothing tells the packets of one from those of the other"
                ));
            }
        }
    }
    match groups.as_slice() {
        [] if nets.is_empty() => Ok(None),
        [] => Ok(Some(Scope::Sources(nets))),
        [group] if nets.is_empty() => Ok(Some(Scope::Cgroup((*group).to_owned()))),
        _ => {
            let names: Vec<&str> = senders.iter().map(|one| one.name.as_str()).collect();
            Err(format!(
                "{}: some send from the host's own network, and one gate is about addresses, or about one control group",
                names.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(name: &str, addresses: &[&str]) -> Sender {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Sender { name: name.into(), from: From::Own(addresses) }
    }

    fn on_host(name: &str, group: Option<&str>) -> Sender {
        Sender { name: name.into(), from: From::Host(group.map(str::to_owned)) }
    }

    #[test]
    fn pods_are_met_by_their_addresses_or_by_their_group_and_else_by_nothing() {
        let nets = ["10.244.1.2", "fd90::9", "10.244.1.3"].map(|text| text.parse().unwrap()).to_vec();
        let two = [own("a-1", &["10.244.1.2", "fd90::9"]), own("a-2", &["10.244.1.3"])];
        assert_eq!(scope(&two), Ok(Some(Scope::Sources(nets))));
        assert_eq!(scope(&[on_host("a-1", Some("kubepods/x"))]), Ok(Some(Scope::Cgroup("kubepods/x".into()))));
        assert_eq!(scope(&[]), Ok(None));
        for (senders, why) in [
            (vec![own("a-1", &["10.244.1.2"]), own("a-2", &[])], "a-2 has no address yet"),
            (vec![on_host("a-1", None)], "a-1 sends from the host's own network"),
            (vec![on_host("a-1", Some("x")), on_host("a-2", Some("y"))], "a-1, a-2: some send"),
            (vec![on_host("a-1", Some("x")), own("a-2", &["10.244.1.2"])], "about addresses, or about one"),
        ] {
            let said = scope(&senders).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
