//! What hundreds of hosts cost: time, memory, descriptors, and log-ins to the bastion before them.
//!
//! `cargo bench --bench many_hosts` needs no root. The hosts are names for those of the embedded practice cluster, whose SSH
//! servers are real and run in a process of their own on the same machine, so that the wall time is theirs as well. The limit
//! of descriptors is the usual one of a login, 1024, with a hard one of 4096.

#![expect(clippy::disallowed_macros, reason = "a benchmark prints its result")]
#![expect(clippy::unwrap_used, reason = "a benchmark may stop where it stands")]

#[path = "../tests/many_hosts/field.rs"]
mod field;

use std::process::Stdio;
use std::time::{Duration, Instant};

use field::{Field, connections_of};
use nix::sys::resource::{UsageWho, getrusage};

/// Soft and hard, as `ulimit` takes them.
const LOGIN: &str = "1024:4096";
/// Between two looks at the program.
const LOOK: Duration = Duration::from_millis(20);

fn main() {
    println!(
        "clusters x hosts, way: wall s, CPU s, memory MiB, descriptors, connections to the bastion (the most at once)"
    );
    for (clusters, hosts) in [(1, 10), (1, 100), (1, 1000), (300, 10)] {
        for bastion in [false, true] {
            // One look at every host; of a fleet, cluster by cluster with all its steps.
            let look: &[&str] = &["gate", "status", "--cluster", "all"];
            let drill: &[&str] = &["gate", "close", "--cluster", "all", "--drill", "--allow", "10.0.0.1"];
            measure(clusters, hosts, bastion, if clusters == 1 { look } else { drill });
        }
    }
}

fn measure(clusters: usize, hosts: usize, bastion: bool, args: &[&str]) {
    let field = Field::new();
    field.kit(clusters, hosts, bastion);
    let (cpu, began) = (cpu(), Instant::now());
    let mut program = field.command(LOGIN, args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (mut descriptors, mut memory, mut logins) = (0, 0, 0);
    let status = loop {
        if let Some(status) = program.try_wait().unwrap() {
            break status;
        }
        let of = |file: &str| format!("/proc/{}/{file}", program.id());
        descriptors = descriptors.max(std::fs::read_dir(of("fd")).map_or(0, Iterator::count));
        memory = memory.max(peak_memory(&std::fs::read_to_string(of("status")).unwrap_or_default()));
        if bastion {
            logins = logins.max(connections_of(program.id(), field.bastion_port()));
        }
        std::thread::sleep(LOOK);
    };
    assert!(status.success(), "{args:?} on {clusters} x {hosts}: {status}");
    let way = if bastion { "bastion" } else { "direct" };
    println!(
        "{clusters:4} x {hosts:4} {way:8} {:7.1} {:7.1} {memory:5} {descriptors:5} {logins:3}   {}",
        began.elapsed().as_secs_f64(),
        self::cpu().saturating_sub(cpu).as_secs_f64(),
        args[..2].join(" ")
    );
}

/// Of the children that have ended.
fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let spent = |time: nix::sys::time::TimeVal| {
        Duration::new(u64::try_from(time.tv_sec()).unwrap(), 0)
            + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap())
    };
    spent(usage.user_time()) + spent(usage.system_time())
}

/// The most that was resident, in MiB.
fn peak_memory(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 10
}
