//! Stages that are a number of sources, with real connections from many addresses.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    sync::Barrier,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use breakglass::host::gate::{self, BackEnd, Stage};
use libtest_mimic::Trial;
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

use crate::stand::{LIMIT, PORT, Stand, Standing, each, ping};

/// Sources that knock at once.
const CROWD: u32 = 400;
/// How many of them at the same moment.
const AT_ONCE: u32 = 20;

pub(crate) fn tests() -> Vec<Trial> {
    [
        each("so_many_sources_get_in_and_stay", so_many_sources_get_in_and_stay),
        each("a_crowd_leaves_no_more_than_so_many_in", a_crowd_leaves_no_more_than_so_many_in),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Family {
    V4,
    V6,
}

/// The address of one of the client's many sources.
fn source(family: Family, i: u32) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from(0x0a63_0001 + i).into(),
        Family::V6 => Ipv6Addr::from(0xfd99_u128 << 112 | u128::from(i + 1)).into(),
    }
}

/// A client with thousands of addresses of both families.
fn many(name: &str, back_end: BackEnd) -> Result<Stand> {
    let stand = Stand::new(name, back_end)?;
    let (c4, c6) = (stand.client.ip4(), stand.client.ip6());
    let own = "ip route add local 10.99.0.0/16 dev lo; ip -6 route add local fd99::/64 dev lo; echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind";
    stand.client.sh(own)?.ok()?;
    stand.api.sh(&format!("ip route add 10.99.0.0/16 via {c4}; ip -6 route add fd99::/64 via {c6}"))?.ok()?;
    Ok(stand)
}

/// A connection that works, from one source; `None` where it is refused.
fn knock(stand: &Stand, family: Family, i: u32) -> Result<Option<TcpStream>> {
    let (to, kind): (IpAddr, _) = match family {
        Family::V4 => (stand.api.ip4().into(), AddressFamily::INET),
        Family::V6 => (stand.api.ip6().into(), AddressFamily::INET6),
    };
    stand.client.in_network(|| {
        let from = socket(kind, SocketType::STREAM, None)?;
        bind(&from, &SocketAddr::new(source(family, i), 0))?;
        match connect(&from, &SocketAddr::new(to, PORT)).map_err(std::io::Error::from) {
            Ok(()) => {
                let mut stream = TcpStream::from(from);
                stream.set_read_timeout(Some(LIMIT))?;
                ping(&mut stream).context("a fresh connection does not answer")?;
                Ok(Some(stream))
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(None),
            Err(error) => Err(error.into()),
        }
    })
}

/// Opens or closes stages, and looks whether just these of the sources 0 to 9 get in, one after another, in this order.
struct Course {
    stand: Stand,
    family: Family,
    back_end: BackEnd,
    spec: gate::GateSpec,
    kept: Vec<(u32, TcpStream)>,
}

impl Course {
    fn arm(&self, level: usize, words: &str) -> Result<()> {
        ensure!(self.stand.arm(&self.spec, self.back_end, level, 600)? == Standing::Armed);
        let now = self.stand.status()?.context("no gate")?.now();
        ensure!(now == words, "{now}");
        Ok(())
    }

    fn knocks(&mut self, order: &[u32], get_in: &[u32]) -> Result<()> {
        let mut met = Vec::new();
        for i in order {
            if let Some(stream) = knock(&self.stand, self.family, *i)? {
                met.push(*i);
                self.kept.push((*i, stream));
            }
        }
        ensure!(met == get_in, "of {order:?} got in {met:?} where {get_in:?} should have");
        Ok(())
    }

    /// The connections of these sources live, and none of others.
    fn live(&mut self, sources: &[u32]) -> Result<()> {
        for (i, stream) in &mut self.kept {
            let alive = ping(stream);
            ensure!(alive.is_ok() == sources.contains(i), "the connection of source {i}: {alive:?}");
        }
        self.kept.retain(|(i, _)| sources.contains(i));
        Ok(())
    }
}

fn so_many_sources_get_in_and_stay(back_end: BackEnd) -> Result<()> {
    for (name, family) in [("cnt", Family::V4), ("cnt6", Family::V6)] {
        let stand = many(name, back_end)?;
        let spec = stand.spec(vec![Stage::Count(2), Stage::Count(5), Stage::Share(50), Stage::Rate(10_000)]);
        stand.close(&spec, back_end)?;
        let mut course = Course { stand, family, back_end, spec, kept: Vec::new() };
        course.arm(0, "closed")?;
        course.knocks(&[0, 1, 2], &[])?;
        course.arm(1, "open for 2 sources (stage 1)")?;
        course.knocks(&[7, 3, 1, 7, 0, 3], &[7, 3, 7, 3])?;
        // Three more, beside the two; whoever is in stays in.
        course.arm(2, "open for 5 sources (stage 2)")?;
        course.live(&[7, 3])?;
        course.knocks(&[1, 0, 2, 4, 5, 7, 1], &[1, 0, 2, 7, 1])?;
        course.arm(3, "open for 50 % (stage 3)")?;
        course.knocks(&[1, 0, 2, 7, 3], &[1, 0, 2, 7, 3])?;
        let mut others = 0;
        for i in 100..140 {
            others += u32::from(knock(&course.stand, family, i)?.is_some());
        }
        ensure!((8..=32).contains(&others), "{others} of 40 others came in at 50 %");
        course.arm(4, "open for 10000/s (stage 4)")?;
        course.knocks(&[4, 5, 6, 8, 9], &[4, 5, 6, 8, 9])?;
        // Narrower again: those who were counted notice nothing.
        course.arm(2, "open for 5 sources (stage 2)")?;
        course.live(&[0, 1, 2, 3, 7])?;
        course.knocks(&[4, 5, 0, 6, 7], &[0, 7])?;
        // Those of the first stage stay, those of the second do not, and its places are free for whoever comes first.
        course.arm(1, "open for 2 sources (stage 1)")?;
        course.live(&[3, 7])?;
        course.knocks(&[0, 1, 2, 4, 3], &[3])?;
        course.arm(2, "open for 5 sources (stage 2)")?;
        course.knocks(&[4, 5, 6, 0, 7], &[4, 5, 6, 7])?;
        // An extension changes nothing.
        course.arm(2, "open for 5 sources (stage 2)")?;
        course.live(&[3, 4, 5, 6, 7])?;
        course.arm(0, "closed")?;
        course.live(&[])?;
        course.arm(1, "open for 2 sources (stage 1)")?;
        course.knocks(&[8, 9, 7, 3], &[8, 9])?;
    }
    Ok(())
}

/// All of them knock, many at the same moment: who got in.
fn crowd(stand: &Stand, family: Family, first: u32) -> Result<Vec<u32>> {
    let together = Barrier::new(AT_ONCE as usize);
    thread::scope(|s| {
        let one = |j: u32| {
            let together = &together;
            s.spawn(move || -> Result<Vec<u32>> {
                together.wait();
                let own = (first + j..first + CROWD).step_by(AT_ONCE as usize);
                let met = own.map(|i| Ok(knock(stand, family, i)?.map(|_| i)));
                Ok(met.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
            })
        };
        let all: Vec<_> = (0..AT_ONCE).map(one).collect();
        let mut met = Vec::new();
        for one in all {
            met.extend(one.join().map_err(|_| anyhow::anyhow!("a source panicked"))??);
        }
        met.sort_unstable();
        Ok(met)
    })
}

/// How often the kernel's log says that this set is full.
fn said_full(stand: &Stand, set: &str) -> Result<usize> {
    let log = stand.api.sh("dmesg")?.stdout;
    Ok(log.lines().filter(|line| line.contains(&format!("Set {set} is full"))).count())
}

fn a_crowd_leaves_no_more_than_so_many_in(back_end: BackEnd) -> Result<()> {
    let stand = many("crowd", back_end)?;
    // Hosts share the kernel's log: the set has a name that no other test's has.
    let (stage, set) = match back_end {
        BackEnd::Nft => (5, ""),
        BackEnd::IptablesNft => (6, "bg_stage_6_4"),
        BackEnd::IptablesLegacy => (7, "bg_stage_7_4"),
    };
    let other = |n: u8| Stage::Set { name: format!("other-{n}"), nets: vec![IpAddr::from([192, 0, 2, n]).into()] };
    let mut stages: Vec<Stage> = (1..stage).map(other).collect();
    stages.push(Stage::Count(5));
    let spec = stand.spec(stages);
    stand.close(&spec, back_end)?;
    for round in 0..4 {
        ensure!(stand.arm(&spec, back_end, usize::from(stage - 1), 600)? == Standing::Armed);
        ensure!(knock(&stand, Family::V4, 0)?.is_none(), "round {round}");
        ensure!(stand.arm(&spec, back_end, usize::from(stage), 600)? == Standing::Armed);
        for family in [Family::V4, Family::V6] {
            let met = crowd(&stand, family, 0)?;
            let most = match back_end {
                BackEnd::Nft => 5,
                // See docs/gate.md: one more from each other processor, were they ever to meet in the same moment.
                BackEnd::IptablesNft | BackEnd::IptablesLegacy => 4 + thread::available_parallelism()?.get(),
            };
            ensure!((5..=most).contains(&met.len()), "round {round}: {met:?}");
            println!("{back_end}: {} of {CROWD} sources at the same moment got in", met.len());
            ensure!(crowd(&stand, family, 0)? == met, "round {round}: not the same ones");
        }
    }
    // The kernel holds its messages back, and lets some through again after five seconds.
    let before = said_full(&stand, set)?;
    thread::sleep(Duration::from_secs(6));
    ensure!(crowd(&stand, Family::V4, 1000)?.is_empty());
    let after = said_full(&stand, set)?;
    println!(
        "{back_end}: 5 of {CROWD} sources in, four times over, on both families; the kernel's log says {before} times that a set is full"
    );
    ensure!(after <= before, "the kernel's log goes on about a full set: {before}, {after}");
    Ok(())
}
