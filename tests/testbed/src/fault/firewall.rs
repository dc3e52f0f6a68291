//! Hosts whose firewall tools are not what one would like.

use anyhow::Result;

use super::Undo;
use crate::host::Host;

/// Where Debian puts the programs; other paths are links to these.
const NFT: &str = "/usr/sbin/nft";
const XTABLES_NFT: &str = "/usr/sbin/xtables-nft-multi";

pub(super) fn hide_nft(host: &Host) -> Result<Undo> {
    hide(host, NFT)
}

/// Every `iptables-nft…` is a link to one program; without it they are dead links, which no shell takes for a command.
pub(super) fn legacy_only(host: &Host) -> Result<Undo> {
    let nft = hide(host, NFT)?;
    let xtables = hide(host, XTABLES_NFT)?;
    let point = |kind: &str| {
        format!(
            "for tool in iptables ip6tables; do for part in '' -save -restore; do \
             ln -sf /usr/sbin/$tool-{kind}$part /etc/alternatives/$tool$part; done; done"
        )
    };
    host.sh(&point("legacy"))?.ok()?;
    let (host, back) = (host.clone(), point("nft"));
    Ok(Box::new(move || {
        let links = host.sh(&back)?.ok().map(drop);
        links.and(xtables()).and(nft())
    }))
}

fn hide(host: &Host, program: &str) -> Result<Undo> {
    let (shown, hidden) = (program.to_owned(), format!("{program}.hidden-by-the-testbed"));
    host.command(&["mv", &shown, &hidden])?.ok()?;
    let host = host.clone();
    Ok(Box::new(move || host.command(&["mv", &hidden, &shown])?.ok().map(drop)))
}
