//! L12: the offender has a certificate of `system:masters`: priority and fairness does not hold it, and no right can be taken from it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::{Kit, Kubectl, Lab, STORM_MASTERS, Storm, User, wait_until};

use super::oom_loop::until_in;
use super::{LONG, engineer, flat};

const OFFENDER: &str = "offender=ds/telemetry/telemetry-agent";
/// What its certificate says.
const CLIENT: &str = "client=kubernetes-super-admin";
/// Whoever waits so long for a list of nodes works no longer.
const FAR_TOO_SLOW: Duration = Duration::from_secs(5);

/// What undo has to bring back. Asked in a lull: in the storm itself nobody is answered in time.
fn workload(storm: &Storm, masters: &Kubectl) -> Result<String> {
    let lull = storm.lull()?;
    let words = ["get", "daemonset", "telemetry-agent", "-n", "telemetry", "-o", "jsonpath={.spec}"];
    let mut spec = String::new();
    wait_until("the workload", LONG, || {
        let said = masters.run_within(&words, b"", LONG)?;
        let answered = said.success();
        spec = said.stdout;
        Ok(answered)
    })?;
    drop(lull);
    Ok(spec)
}

pub(super) fn it_ends_although_its_certificate_stays_good() -> Result<()> {
    let lab = Lab::shared()?;
    let (server, nodes) = (lab.host("masters-cp")?, lab.host("masters-nodes")?);
    let storm = Storm::start(lab, &server, &nodes, &STORM_MASTERS)?;
    let access = storm.plane().access();
    let folder = lab.folder("engineer-masters")?;
    Kit::direct(std::slice::from_ref(&server))
        .and_nodes(std::slice::from_ref(&nodes))
        .with_credentials(&access.credential_files(User::Alice)?)
        .write(lab, &folder.join("kit"), "lab")?;
    let (alice, masters) = (storm.plane().kubectl(User::Alice)?, storm.plane().kubectl(User::Masters)?);
    let before = workload(&storm, &masters)?;
    storm.wait_risen()?;
    let began = Instant::now();
    let slow = alice.run_within(&["get", "nodes"], b"", Duration::from_secs(20));
    let waited = began.elapsed();
    println!("testbed: kubectl, before: {waited:.1?}, answered: {}", slow.is_ok_and(|output| output.success()));
    ensure!(waited > FAR_TOO_SLOW, "kubectl was served in {waited:?}");

    let began = Instant::now();
    // In short it tells what comes first, and how many more there are.
    let run = ["run", "masters-offender", "-p", OFFENDER, "-p", CLIENT, "--yes", "-v"];
    let (took, said) = until_in(&alice, || engineer(&folder, &run))?;
    println!("testbed: masters-offender: kubectl works after {took:.1} s, all is over after {:.1?}", began.elapsed());
    ensure!(flat(&said).contains("nothing is left of the offender"), "{said}");
    storm.wait_calm(LONG)?;

    engineer(&folder, &["undo", "last", "--yes"])?;
    let after = workload(&storm, &masters)?;
    ensure!(after == before, "it came back different: {after}");
    Ok(())
}
