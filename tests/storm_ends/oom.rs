//! The storm that kills: a static pod under a real kubelet, which dies of its memory while the recovery is at work.

use anyhow::{Result, ensure};
use testbed::{Lab, STORM_OOM, User, place_for_a_storm, pod_process, start_storm_oom, wait_until, watch_restarts};

use crate::{ENDED_WITHOUT_ONE_WITHIN, LONG, ends, engineer, small_gets_are_quick};

/// More than two starts of a static pod take, with the kubelet's pauses between them.
const RESTARTS: std::time::Duration = std::time::Duration::from_mins(4);
/// What all of this takes, with the kubelet's shorter pauses.
const STORY: std::time::Duration = std::time::Duration::from_secs(90);

pub(crate) fn ends_all_the_same() -> Result<()> {
    let _place = place_for_a_storm(STORY)?;
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["oom-cp1", "worker1"])?;
    let plane = start_storm_oom(lab, &hosts[0], &hosts[1], &STORM_OOM)?;
    watch_restarts(&plane, 2, RESTARTS)?;
    let credentials = plane.access().credential_files(User::Alice)?;
    let alice = engineer::Engineer::new("oom", &credentials, &hosts[..1], &hosts[1])?;
    let recovery = ["run", "api-overload", "-p", "offender=ds/telemetry/telemetry-agent", "-p", "delete=true", "--yes"];
    // A kubelet makes a static pod that died often wait for minutes, whoever is let in.
    ends(alice.start("oom", &recovery)?, ENDED_WITHOUT_ONE_WITHIN * 2)?;
    ensure!(engineer::level(&hosts[0])?.is_none(), "the gate was left");
    wait_until("the end of the offender's process", LONG, || Ok(pod_process(&hosts[1], "telemetry-agent").is_none()))?;
    small_gets_are_quick(plane.access())
}
