//! Hosts: each is a machine of its own, and OpenSSH on it is the real one.

use std::{process::ExitCode, time::Duration};

use libtest_mimic::{Failed, Trial};
use testbed::{Lab, OPERATOR_IP4, Probe};

type Verdict = Result<(), Failed>;
const SHORT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    testbed::main(vec![
        Trial::test("a_host_has_its_own_name_processes_and_files", own_name_processes_and_files),
        Trial::test("hosts_reach_each_other_and_nothing_else", reach_each_other_and_nothing_else),
    ])
}

fn own_name_processes_and_files() -> Verdict {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["own-a", "own-b"])?;
    let [a, b] = &hosts[..] else { return Err("two hosts".into()) };
    assert_eq!(a.command(&["hostname"])?.ok()?, "own-a");
    a.sh("echo secret >/etc/kubernetes/only-on-a; echo a >/etc/only-on-a; echo a >/tmp/only-on-a")?.ok()?;
    assert_eq!(std::fs::read_to_string(a.etc_kubernetes().join("only-on-a"))?, "secret\n");
    for path in ["/etc/kubernetes/only-on-a", "/etc/only-on-a", "/tmp/only-on-a"] {
        assert!(!b.command(&["test", "-e", path])?.success(), "{path} leaked to the other host");
        assert!(!std::path::Path::new(path).exists(), "{path} leaked to the operator");
    }
    let seen_from_b = b.sh("ps -e -o args=")?.ok()?;
    assert_eq!(seen_from_b.lines().filter(|line| line.contains("sshd")).count(), 1, "{seen_from_b}");
    assert_eq!(b.processes_named("sshd")?.len(), 1);
    assert_eq!(b.processes()?.iter().filter(|process| process.pid_on_host == 1).count(), 1);
    Ok(())
}

fn reach_each_other_and_nothing_else() -> Verdict {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["reach-a", "reach-b"])?;
    let [a, b] = &hosts[..] else { return Err("two hosts".into()) };
    assert_eq!(a.probe(b.ip4(), 22, SHORT)?, Probe::Open);
    assert_eq!(a.probe(b.ip6(), 22, SHORT)?, Probe::Open);
    assert_eq!(lab.probe(b.ip6(), 22, SHORT)?, Probe::Open);
    assert_eq!(a.probe(b.ip4(), 6443, SHORT)?, Probe::Refused);
    assert_eq!(a.probe(OPERATOR_IP4, 22, SHORT)?, Probe::Refused);
    assert!(lab.probe([192, 0, 2, 1], 22, SHORT).is_err(), "there is a route out");
    Ok(())
}
