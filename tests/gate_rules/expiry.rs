//! How a gate ends with nobody there.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use breakglass::host::gate::{BackEnd, GateState, Stage};
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
    spec.confirm_within = 5;
    let sent = Instant::now();
    stand.close(&spec, back_end)?;
    let closed = Instant::now();
    ensure!(stand.client_meets()? == [Probe::Refused; 2]);
    until(|| Ok(stand.client_meets()? == [Probe::Open; 2]))?.in_time(sent, closed, 5)?;
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
    spec.step = 5;
    stand.close(&spec, back_end)?;
    let sent = Instant::now();
    ensure!(stand.arm(&spec, back_end, 0, 5)? == Standing::Armed);
    let armed = Instant::now();
    let least = armed.elapsed().as_secs() / 5;
    let state = stand.status()?;
    // As many stages as there were turns of five seconds, however slowly the status came.
    let turns = least..=sent.elapsed().as_secs() / 5;
    let as_armed = |s: &GateState| s.confirmed && turns.contains(&(s.level() as u64)) && s.next_ms() <= 5000;
    ensure!(state.as_ref().is_some_and(as_armed), "{turns:?}: {state:?}");
    // The second stage comes at 5 + 5 seconds and lets in the client's IPv4 address, everybody else comes at 15.
    until(|| Ok(stand.client_meets()?[0] == Probe::Open))?.in_time(sent, armed, 10)?;
    let other = stand.client_meets()?[1];
    ensure!(other == Probe::Refused || sent.elapsed() >= Duration::from_secs(15), "{other:?}");
    until(|| Ok(stand.client_meets()?[1] == Probe::Open))?.in_time(sent, armed, 15)?;
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
