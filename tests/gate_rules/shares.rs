//! Shares of ten thousand sources, with real packets from each of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Result, ensure};
use breakglass::host::gate::{BackEnd, Stage};
use libtest_mimic::Trial;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::stand::{PORT, Stand, Standing, each};

const SOURCES: u32 = 10_000;

pub(crate) fn tests() -> Vec<Trial> {
    each("shares_are_right", shares_are_right)
}

/// How many of the sources get a connection.
fn admitted(stand: &Stand, source: impl Fn(u32) -> IpAddr + Sync, to: IpAddr) -> Result<u32> {
    stand.client.in_network(|| {
        let mut count = 0;
        for i in 0..SOURCES {
            let family = if to.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
            let from = socket(family, SocketType::STREAM, None)?;
            bind(&from, &SocketAddr::new(source(i), 0))?;
            count += u32::from(connect(&from, &SocketAddr::new(to, PORT)).is_ok());
        }
        Ok(count)
    })
}

fn shares_are_right(back_end: BackEnd) -> Result<()> {
    let stand = Stand::new("shr", back_end)?;
    let (c4, c6) = (stand.client.ip4(), stand.client.ip6());
    stand.client.sh("ip route add local 10.99.0.0/16 dev lo; ip -6 route add local fd99::/64 dev lo; echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind")?.ok()?;
    stand.api.sh(&format!("ip route add 10.99.0.0/16 via {c4}; ip -6 route add fd99::/64 via {c6}"))?.ok()?;
    let v4 = |i: u32| IpAddr::V4(Ipv4Addr::from(0x0a63_0000 + i));
    let v6 = |i: u32| IpAddr::V6(Ipv6Addr::from(0xfd99_u128 << 112 | u128::from(i) << 3));
    let spec = stand.spec([1, 5, 25, 50].map(Stage::Share).into());
    stand.close(&spec, back_end)?;
    for (level, percent) in [(1, 1), (2, 5), (3, 25), (4, 50)] {
        ensure!(stand.arm(&spec, back_end, level, 600)? == Standing::Armed);
        for (name, count) in [
            ("IPv4", admitted(&stand, v4, stand.api.ip4().into())?),
            ("IPv6", admitted(&stand, v6, stand.api.ip6().into())?),
        ] {
            let points = f64::from(count) * 100.0 / f64::from(SOURCES);
            println!("{back_end} {name} {percent} %: {points:.2} %");
            ensure!((points - f64::from(percent)).abs() < 2.0, "{name}: {percent} % came out as {points} %");
        }
    }
    Ok(())
}
