//! A gate that lets SSH in but not the run's own requests, and one that IPv6 goes round.

use std::{net::IpAddr, time::Duration};

use anyhow::{Context, Result, ensure};
use testbed::{Lab, OPERATOR_IP6, Probe};

use crate::{
    program::{LIMIT, PORT, status, until},
    whole::stand,
};

/// SSH comes over IPv4, and the kit's API server is dialled over IPv6: only the former is let through by itself.
pub(crate) fn cut() -> Result<()> {
    let (program, api, client) = stand("own-way")?;
    let (v4, v6) = (api.ip4(), IpAddr::from(api.ip6()));
    program.edit_kit(|text| text.replace(&format!("'{v4}:{PORT}'"), &format!("'[{v6}]:{PORT}'")))?;
    let close = ["gate", "close", "--port", "6443", "--yes", "--request-timeout", "60s"];
    let said = program.run(&[&close[..], &["--confirm-within", "20s"]].concat())?;
    ensure!(!said.success(), "it stands, and we are shut out: {said:?}");
    for part in ["cuts this run's own way to the API", &format!("gate close --allow {OPERATOR_IP6}"), "--ssh-only"] {
        ensure!(said.stderr.contains(part), "{part:?} is not said: {said:?}");
    }
    until(Duration::from_mins(1), || Ok(client.probe(v4, PORT, LIMIT)? == Probe::Open))?;
    let state = status(&api)?.context("no gate was put up")?;
    ensure!(!state.confirmed && !state.stands(), "{state:?}");
    let address = OPERATOR_IP6.to_string();
    for (more, met) in [(&["--allow", &address][..], Probe::Open), (&["--ssh-only"], Probe::Refused)] {
        let said = program.run(&[&close[..], more].concat())?;
        ensure!(said.success(), "{more:?}: {said:?}");
        ensure!(status(&api)?.is_some_and(|state| state.stands() && state.confirmed), "{more:?}");
        let meets = Lab::shared()?.probe(v6, PORT, LIMIT)?;
        ensure!(meets == met, "{more:?}: we meet {meets:?}");
        ensure!(program.run(&["gate", "open", "--at-once", "--yes"])?.success());
    }
    Ok(())
}

/// A host with an IPv4 side of iptables alone, and an API server that IPv6 reaches.
pub(crate) fn half_a_firewall() -> Result<()> {
    let (program, api, client) = stand("v4-only")?;
    api.sh("set -e; mkdir /run/sbin; cp -a /usr/sbin/. /run/sbin/; rm /run/sbin/ip6tables*; mount --bind /run/sbin /usr/sbin")?
        .ok()?;
    let close = ["gate", "close", "--port", "6443", "--back-end", "iptables-nft", "--yes"];
    let said = program.run(&close)?;
    ensure!(
        !said.success() && said.stderr.contains("open over IPv6") && said.stderr.contains("--ipv4-only"),
        "{said:?}"
    );
    ensure!(status(&api)?.is_none(), "something was written");
    let said = program.run(&[&close[..], &["--ipv4-only"]].concat())?;
    ensure!(said.success() && said.stderr.contains("NOT CLOSED: open over IPv6"), "{said:?}");
    ensure!(client.probe(api.ip4(), PORT, LIMIT)? == Probe::Refused);
    ensure!(client.probe(api.ip6(), PORT, LIMIT)? == Probe::Open);
    let shown = program.run(&["gate", "status"])?;
    ensure!(shown.stdout.contains("closed over IPv4 alone"), "{shown:?}");
    Ok(())
}
