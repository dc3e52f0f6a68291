//! How a gate ends with nobody there.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use breakglass::host::gate::{BackEnd, Stage};
use libtest_mimic::Trial;
use testbed::Probe;

use crate::stand::{Stand, Standing, each, until};

pub(crate) fn tests() -> Vec<Trial> {
    [
        each("unconfirmed_is_gone_in_time", unconfirmed_is_gone_in_time),
        each("confirmed_opens_in_stages", confirmed_opens_in_stages),
        each("stages_are_opened_and_closed_again", stages_are_opened_and_closed_again),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The stage lets in this client alone.
fn only(stand: &Stand) -> Vec<Stage> {
    vec![
        Stage::Set { name: "others".into(), nets: vec![IpAddr::from([192, 0, 2, 77]).into()] },
        Stage::Set { name: "client".into(), nets: vec![IpAddr::from(stand.client.ip4()).into()] },
        Stage::Share(100),
    ]
}

fn unconfirmed_is_gone_in_time(back_end: BackEnd) -> Result<()> {
    let stand = Stand::new("unc", back_end)?;
    let mut spec = stand.spec(only(&stand));
    spec.confirm_within = 3;
    let started = Instant::now();
    stand.close(&spec, back_end)?;
    ensure!(stand.client_meets()? == [Probe::Refused; 2]);
    until(Duration::from_secs(10), || Ok(stand.client_meets()? == [Probe::Open; 2]))?;
    let took = started.elapsed();
    ensure!((2.9..5.0).contains(&took.as_secs_f64()), "open after {took:?}");
    let state = stand.status()?;
    ensure!(state.as_ref().is_some_and(|s| !s.stands() && !s.confirmed && s.level() == 3), "{state:?}");
    // Too late to confirm, and no way to shut it by trying.
    ensure!(stand.arm(&spec, back_end, 0, 60)? == Standing::Open);
    ensure!(stand.client_meets()? == [Probe::Open; 2]);
    // What is left stands in nobody's way.
    spec.run = "next".into();
    stand.close(&spec, back_end)?;
    ensure!(stand.client_meets()? == [Probe::Refused; 2]);
    Ok(())
}

fn confirmed_opens_in_stages(back_end: BackEnd) -> Result<()> {
    let stand = Stand::new("conf", back_end)?;
    let mut spec = stand.spec(only(&stand));
    spec.step = 3;
    stand.close(&spec, back_end)?;
    let started = Instant::now();
    ensure!(stand.arm(&spec, back_end, 0, 3)? == Standing::Armed);
    let state = stand.status()?;
    ensure!(state.as_ref().is_some_and(|s| s.confirmed && s.level() == 0 && s.next_ms() <= 3000), "{state:?}");
    let limit = Duration::from_secs(20);
    // The second stage comes at 3 + 3 seconds and lets in the client's IPv4 address, everybody else comes at 9.
    until(limit, || Ok(stand.client_meets()?[0] == Probe::Open))?;
    let second = started.elapsed().as_secs_f64();
    ensure!((5.9..8.0).contains(&second), "second stage after {second}");
    ensure!(stand.client_meets()?[1] == Probe::Refused);
    until(limit, || Ok(stand.client_meets()?[1] == Probe::Open))?;
    let last = started.elapsed().as_secs_f64();
    ensure!((8.9..11.0).contains(&last), "open after {last}");
    Ok(())
}

fn stages_are_opened_and_closed_again(back_end: BackEnd) -> Result<()> {
    let stand = Stand::new("stg", back_end)?;
    let spec = stand.spec(only(&stand));
    let arm = |level| stand.arm(&spec, back_end, level, 60);
    stand.close(&spec, back_end)?;
    for (level, client) in
        [(0, Probe::Refused), (1, Probe::Refused), (2, Probe::Open), (0, Probe::Refused), (2, Probe::Open)]
    {
        ensure!(arm(level)? == Standing::Armed);
        let met = stand.client_meets()?;
        ensure!(met == [client, Probe::Refused], "level {level}: {met:?}");
        let state = stand.status()?;
        ensure!(state.as_ref().is_some_and(|s| s.level() == level && s.confirmed), "{state:?}");
    }
    Ok(())
}
