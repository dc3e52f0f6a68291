//! The environment's proxy: kubectl goes through it, breakglass dials straight. A way to an API server is never a silent one.

use std::net::SocketAddr;

use super::Cluster;
use crate::host::net::Net;
use crate::process::Process;

/// The variables that name a proxy, in the order in which they are looked at.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// That a proxy is named and not used, where an API server is dialled straight that it is named for.
pub fn note(cluster: &Cluster, process: &Process) -> Option<String> {
    let variable = VARIABLES.into_iter().find(|name| process.var(name).is_some())?;
    let except = process.var("NO_PROXY").or_else(|| process.var("no_proxy")).unwrap_or_default();
    let mut straight = cluster.api_servers.iter().filter(|server| server.via.is_none());
    let server = straight.find(|server| !excepted(except, server.address))?;
    Some(format!(
        "cluster {}: {variable} is not used: {} is dialled without a proxy, and nothing hangs on one; where only a proxy leads \
         there, go through SSH: --via HOST",
        cluster.name, server.address
    ))
}

/// Whether an address is reached without the proxy anyhow: by `NO_PROXY`, or because it is this machine.
fn excepted(except: &str, address: SocketAddr) -> bool {
    let is = |word: &str| {
        word == "*" || word.parse() == Ok(address) || word.parse::<Net>().is_ok_and(|net| net.contains(address.ip()))
    };
    address.ip().is_loopback() || except.split(',').any(|word| is(word.trim()))
}

#[cfg(test)]
mod tests {
    use super::super::{sample, tests::process};
    use super::*;

    #[test]
    fn a_proxy_that_is_not_used_is_said_where_one_is_dialled_without() {
        let mut cluster = sample::cluster("prod", 1);
        let said = |cluster: &Cluster, env: &[(&str, &str)]| {
            let mut process = process(std::path::Path::new("/"));
            process.env.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            note(cluster, &process)
        };
        let proxy = ("HTTPS_PROXY", "http://proxy:3128");
        for name in VARIABLES {
            let said = said(&cluster, &[(name, "socks5://x")]).unwrap();
            assert!(said.starts_with(&format!("cluster prod: {name} is not used: 10.0.0.1:6443 is")), "{said}");
        }
        assert_eq!(said(&cluster, &[("HTTPS_PROXY", ""), ("HTTP_PROXY", "http://x")]), None);
        for except in ["*", "localhost, 10.0.0.0/8", "10.0.0.1,10.0.0.2", "10.0.0.1:6443,10.0.0.2:6443"] {
            assert_eq!(said(&cluster, &[proxy, ("no_proxy", except)]), None, "{except}");
        }
        let other = said(&cluster, &[proxy, ("NO_PROXY", "10.0.0.1")]).unwrap();
        assert!(other.contains("10.0.0.2:6443"), "{other}");
        // Through a host nothing is dialled that a proxy could stand before.
        cluster.api_servers.iter_mut().for_each(|server| server.via = Some("cp1".into()));
        assert_eq!(said(&cluster, &[proxy]), None);
    }
}
