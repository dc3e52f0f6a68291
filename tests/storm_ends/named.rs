//! Who it is, found while it blows: by each source alone, with two busy innocents beside it.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use testbed::{OFFENDER as AGENT, STORM_WATCH, Settings, Storm, wait_until};

use super::{ENDED_WITHIN, LONG, Scene, ends};

/// What the hollow nodes' kubelets call themselves.
const KUBELETS: &str = "hollow-kubelet";
/// How often each source is asked.
#[expect(clippy::disallowed_methods, reason = "the switch of a test: 20 for the figures")]
fn rounds() -> Result<usize> {
    std::env::var("ROUNDS").map_or(Ok(3), |rounds| rounds.parse().context("ROUNDS"))
}

/// What one look has to say of a client that stands out.
#[derive(Clone, Copy)]
enum Names {
    /// The user, and its workload.
    User,
    /// What it calls itself, before all but the kubelets: those of the testbed do not call themselves so.
    Agent,
    /// Nobody: it comes from all nodes alike.
    Nobody,
    /// The user, where it happens to be at it; never an innocent.
    UserOrNobody,
}

pub(crate) fn and_ends(settings: &Settings) -> Result<()> {
    let scene = Scene::new(1, settings)?;
    let lull = scene.storm.lull()?;
    let _innocents = [scene.storm.innocent("runner")?, scene.storm.innocent("web")?];
    drop(lull);
    scene.storm.wait_risen()?;
    set_up_is_over(&scene)?;
    let watches = settings.name == STORM_WATCH.name;
    // A watch is no request of priority and fairness once it has sent what was there.
    let by_dump = if watches { Names::UserOrNobody } else { Names::User };
    // The log tells of slow LISTs with a trace, and of no watch.
    let by_log = if watches { Names::Nobody } else { Names::Agent };
    for (source, names) in [("audit", Names::User), ("requests", by_dump), ("log", by_log), ("sockets", Names::Nobody)]
    {
        for round in 0..rounds()? {
            let top = look(&scene, &storm_log(&scene.storm), source).with_context(|| format!("{source}, {round}"))?;
            judge(&top, names).with_context(|| format!("{source}, {round}: {top:#}"))?;
        }
        println!("{}: {source}: {} of {0}", settings.name, rounds()?);
    }
    // A policy without RequestReceived has no line of a LIST that has not ended: where none did in the window, nobody is named.
    let mut workload = None;
    wait_until("a workload that stands out in the audit log", LONG, || {
        let top = look(&scene, &storm_log(&scene.storm), "audit")?;
        let at = top["offender"].as_u64().and_then(|at| usize::try_from(at).ok());
        workload = at.and_then(|at| Some(top["clients"][at]["workloads"][0].as_str()?.to_owned()));
        Ok(workload.is_some())
    })?;
    let workload = workload.context("no workload")?;
    let offender = format!("offender={workload}");
    let running =
        scene.alice.start("once", &["run", "api-overload", "-p", &offender, "-p", "delete=true", "--yes", "-v"])?;
    ends(running, ENDED_WITHIN)?;
    scene.is_over()
}

/// Whoever filled the cluster loaded it most, until that is out of what is read.
fn set_up_is_over(scene: &Scene) -> Result<()> {
    wait_until("the end of the set-up in the audit log", LONG, || {
        let top = look(scene, &storm_log(&scene.storm), "audit")?;
        let clients = top["clients"].as_array().cloned().unwrap_or_default();
        let creates = |client: &Value| {
            client["asks"]
                .as_array()
                .is_some_and(|all| all.iter().any(|ask| ask["verb"] == "create" && ask["resource"] == "pods"))
        };
        Ok(!clients.iter().any(creates))
    })
}

fn storm_log(storm: &Storm) -> PathBuf {
    storm.plane().servers()[0].component().log()
}

/// One look by one source, as JSON.
fn look(scene: &Scene, log: &std::path::Path, source: &str) -> Result<Value> {
    ensure!(fs::metadata(log)?.len() > 0, "the server has no log at {}", log.display());
    let log = log.display().to_string();
    let words = ["top", "--source", source, "--last", "40s", "--server-log", &log, "-o", "json"];
    let output = scene.alice.start("top", &words)?.wait(LONG)?;
    // Where nobody answers it ends with that, and says it of each.
    ensure!(output.code == 0 || (output.code == 4 && source == "requests"), "{output:?}");
    let first = output.stdout.lines().next().context("it says nothing")?;
    let value: Value = serde_json::from_str(first).with_context(|| first.to_owned())?;
    Ok(value["top"].clone())
}

fn judge(top: &Value, names: Names) -> Result<()> {
    // A server that does not answer is said to be silent, and names nobody.
    let source = &top["sources"][0];
    if source["source"] == "requests" && source["by"].as_array().is_none_or(Vec::is_empty) {
        ensure!(
            top["sources"][0]["silent"][0][1].as_str().is_some_and(|why| why.contains("no answer")),
            "it is not said why"
        );
        return Ok(());
    }
    let offender = top["offender"].as_u64().and_then(|at| top["clients"].get(usize::try_from(at).ok()?));
    let named = offender.map(|client| client["name"].as_str().unwrap_or_default());
    match names {
        Names::User => {
            ensure!(named == Some(AGENT), "it names {named:?}");
            if top["by"] == "time" {
                let workload = &offender.context("nobody")?["workloads"][0];
                ensure!(workload == "daemonsets.apps/telemetry/telemetry-agent", "of {workload}");
            }
        }
        Names::Agent => {
            let mut names =
                top["clients"].as_array().into_iter().flatten().filter_map(|client| client["name"].as_str());
            let first = names.find(|name| *name != KUBELETS);
            ensure!(first.is_some_and(|name| name.starts_with("telemetry-agent/")), "it names {first:?}");
        }
        Names::Nobody => ensure!(named.is_none_or(|name| name == KUBELETS), "it names {named:?}"),
        Names::UserOrNobody => ensure!(named.is_none_or(|name| name == AGENT), "it names {named:?}"),
    }
    let said = top["sources"][0]["limits"].as_array().map_or(0, Vec::len)
        + top["sources"][0]["silent"].as_array().map_or(0, Vec::len);
    ensure!(said > 0 || top["sources"][0]["source"] == "audit", "it does not say what it cannot know");
    Ok(())
}
