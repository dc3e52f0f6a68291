//! The exchange of a manifest broken off at many points under a real kubelet: the client killed, what exchanges on the host
//! killed or told to end, the host stopped and started. Then `resume`, or `undo`
//! alone, comes to the same end.
//!
//! `BREAKGLASS_POINTS=20 cargo test --test recovery an_exchange_broken_off` tries so many points of time for each way, which takes
//! an hour; with `BREAKGLASS_PART=1/8` it is one part of eight of them. In the suite it is one point for each way.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use testbed::wait_until;

use super::{LONG, Scene, exchange_began, kill, scene};

const ORDER: [&str; 6] = ["scale-apiserver", "--cluster", "lab", "--flag", "max-requests-inflight=801", "--yes"];

/// What breaks off.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// The program on the operator's machine.
    Client,
    /// What exchanges on the host.
    Runner,
    /// The same, told to end.
    RunnerTold,
    /// The host, as it stops and starts: what exchanges, its logins and its API server die while the kubelet stands still.
    Host,
}

const WAYS: [Way; 4] = [Way::Client, Way::Runner, Way::RunnerTold, Way::Host];

pub(crate) fn broken_off_anywhere() -> Result<()> {
    let scene = &*scene()?;
    let points: u32 = std::env::var("BREAKGLASS_POINTS").ok().map_or(Ok(1), |text| text.parse())?;
    let (part, parts) = share()?;
    let began = Instant::now();
    scene.run("points", &ORDER)?;
    let whole = began.elapsed();
    scene.run("points", &["undo", "last", "--yes"])?;
    println!("undisturbed: {:.1} s; {points} points of it for each way", whole.as_secs_f32());
    let (mut fine, mut tried, mut faults) = (0, 0, Vec::new());
    for (number, way) in (0..).zip(WAYS) {
        for point in (0..points).filter(|point| (number * points + point) % parts == part) {
            // In the middle of each stretch of the time; one point alone is another one for each way.
            let at = if points == 1 { f64::from(number) + 1.0 } else { f64::from(point) + 0.5 };
            let stretches = if points == 1 { 5.0 } else { f64::from(points) };
            let after = whole.mul_f64(at / stretches);
            // `resume` and then `undo`, or `undo` alone.
            let resumes = (point + number).is_multiple_of(2);
            let name = format!("{way:?} after {:.1} s, resume: {resumes}", after.as_secs_f32());
            let runs = format!("point-{number}-{point}");
            let fault = one(scene, &runs, way, after, resumes).err().map(|error| format!("{error:#}"));
            if fault.is_some() {
                // So that the next one is judged by itself.
                println!("put right: {:?}", scene.run(&runs, &["undo", "last", "--yes"]));
            }
            println!("{name}: {}", fault.as_deref().unwrap_or("fine"));
            tried += 1;
            fine += u32::from(fault.is_none());
            faults.extend(fault.map(|fault| format!("{name}: {fault}")));
        }
    }
    println!("{fine} of {tried} are fine");
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// Which part of the points is tried, counted from 0, and of how many parts.
fn share() -> Result<(u32, u32)> {
    let Ok(text) = std::env::var("BREAKGLASS_PART") else { return Ok((0, 1)) };
    let (part, parts) = text.split_once('/').context("BREAKGLASS_PART is a part of so many, like 1/8")?;
    let (part, parts): (u32, u32) = (part.parse()?, parts.parse()?);
    ensure!((1..=parts).contains(&part), "BREAKGLASS_PART={text}: there is no such part");
    Ok((part - 1, parts))
}

fn one(scene: &Scene, name: &str, way: Way, after: Duration, resumes: bool) -> Result<()> {
    wait_until("a ready API server", LONG, || scene.plane.is_ready())?;
    let (manifests, beside) = (scene.manifests()?, scene.left_beside()?);
    let mut child = scene.program(name, &ORDER).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let runs = scene.folder.join(name).join("runs");
    wait_until("the run", LONG, || Ok(exchange_began(&runs) || child.try_wait()?.is_some()))?;
    std::thread::sleep(after);
    match way {
        Way::Client => kill(&mut child)?,
        Way::Runner => {
            runners(scene, Signal::KILL)?;
            ended(&mut child)?;
        }
        Way::RunnerTold => {
            runners(scene, Signal::TERM)?;
            ended(&mut child)?;
        }
        Way::Host => {
            let kubelet = scene.plane.kubelet(scene.host().name())?.process()?;
            kubelet.signal(Signal::STOP);
            scene.host().stop_sshd()?;
            runners(scene, Signal::KILL)?;
            let dies = |name: &str| matches!(name, "sshd" | "sshd-session" | "sh");
            let processes = scene.host().processes()?;
            processes.iter().filter(|process| dies(process.name())).for_each(|process| process.signal(Signal::KILL));
            if let Some(server) = scene.plane.static_pod("kube-apiserver") {
                server.signal(Signal::KILL);
            }
            kill(&mut child)?;
            scene.host().start_sshd(&[])?;
            kubelet.signal(Signal::CONT);
        }
    }
    // Never lost, whoever died: in its place, or kept beside it.
    let texts = [scene.plane.manifests(), scene.host().etc_kubernetes()];
    let kept = texts.iter().any(|folder| holds(folder, "kube-apiserver").unwrap_or_default());
    ensure!(kept, "no text of the manifest is left");
    if resumes {
        match scene.run(name, &["resume", "last", "--yes"]) {
            Ok(_) => {}
            // What died on the host was mended and gone on with by the run itself.
            Err(error) if error.to_string().contains("every run came to its end") => {}
            Err(error) => return Err(error),
        }
        wait_until("a ready API server", LONG, || scene.plane.is_ready())?;
        let server = scene.plane.static_pod("kube-apiserver").context("no API server")?;
        let words = std::fs::read_to_string(format!("/proc/{}/cmdline", server.pid))?;
        ensure!(words.contains("--max-requests-inflight=801"), "resumed, and the process has another manifest");
    }
    let began = Instant::now();
    loop {
        match scene.run(name, &["undo", "last", "--yes"]) {
            Ok(_) => {
                wait_until("a ready API server", LONG, || scene.plane.is_ready())?;
                scene.run(name, &["journal", "verify", "last"])?;
                return scene.is_as_it_was(&manifests, &beside);
            }
            // Only while what the host was told before is still under way.
            Err(error) if error.to_string().contains("under way") && began.elapsed() < LONG => {}
            Err(error) => return Err(error),
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Whether a file of the folder, or of one of ours in it, is a manifest of this program.
fn holds(folder: &std::path::Path, program: &str) -> Result<bool> {
    for entry in std::fs::read_dir(folder)?.filter_map(Result::ok) {
        let path = entry.path();
        let ours = path.to_string_lossy().contains("breakglass");
        let here =
            std::fs::read_to_string(&path).is_ok_and(|text| text.contains("kind: Pod") && text.contains(program));
        if here || (ours && path.is_dir() && holds(&path, program)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Signals what exchanges on the host; there is none before it began and after it ended.
fn runners(scene: &Scene, signal: Signal) -> Result<()> {
    let runs = |words: &[String]| words.iter().any(|word| word.ends_with("/runner") && word.contains("breakglass"));
    for process in scene.host().processes()?.into_iter().filter(|process| runs(&process.argv)) {
        process.signal(signal);
    }
    Ok(())
}

/// The run ends by itself, one way or the other.
fn ended(child: &mut Child) -> Result<()> {
    let ended = wait_until("the end of the run", LONG * 2, || Ok(child.try_wait()?.is_some()));
    if ended.is_err() {
        kill(child)?;
    }
    ended
}
