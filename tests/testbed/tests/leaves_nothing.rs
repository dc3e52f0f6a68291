//! However a lab ends, nothing of it stays on the machine; and two labs know nothing of each other.

use std::{
    env,
    process::{Command, ExitCode},
};

use anyhow::Result;
use testbed::{Host, Lab, Running, test};
use traces::{Traces, alone, killed, start_victim, traces};

mod traces;

fn main() -> ExitCode {
    if let Some(code) = traces::victim(busy) {
        return code;
    }
    testbed::main(vec![
        test("sigkill_of_the_test_process_leaves_nothing", || alone(|before| killed(before, "KILL"))),
        test("sigterm_of_the_test_process_leaves_nothing", || alone(|before| killed(before, "TERM"))),
        test("the_end_of_the_tests_leaves_nothing", || alone(ended)),
        test("the_exit_code_is_that_of_the_tests", || alone(exit_code)),
        test("two_labs_do_not_disturb_each_other", || alone(two_labs)),
        test("what_the_machine_lacks_is_said_before_anything_starts", || alone(lacking)),
    ])
}

/// Two hosts with the usual names, a rule, a process that has left its session, files, a control group.
fn busy() -> Result<(String, (Vec<Host>, Running))> {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["cp1", "cp2"])?;
    hosts[0].sh("nft add table inet left; setsid sleep 777 >/dev/null 2>&1 </dev/null & echo x >/etc/left")?.ok()?;
    let group = lab.cgroup("cpu", "cp1/left")?;
    let sleep =
        hosts[1].spawn(&["sh", "-c", &format!("echo $$ >{}/cgroup.procs; sleep 778; true", group.display())])?;
    tempfile::NamedTempFile::new()?.keep()?;
    Ok((hosts[0].ip4().to_string(), (hosts, sleep)))
}

fn ended(before: &Traces) -> Result<()> {
    let (mut lab, _) = start_victim()?;
    drop(lab.stdin.take());
    lab.wait()?;
    // Without waiting: an orderly end is over when the process is.
    let now = traces()?;
    assert_eq!(now.processes, before.processes);
    assert_eq!(now.groups, before.groups);
    Ok(())
}

fn exit_code(_: &Traces) -> Result<()> {
    let (mut lab, _) = start_victim()?;
    drop(lab.stdin.take());
    assert_eq!(lab.wait()?.code(), Some(7));
    Ok(())
}

fn two_labs(_: &Traces) -> Result<()> {
    let ((mut first, first_said), (mut second, second_said)) = (start_victim()?, start_victim()?);
    // The same names and the same addresses, each in its own world.
    assert_eq!(first_said, second_said);
    first.kill()?;
    let _held = first.stdin.take();
    first.wait()?;
    drop(second.stdin.take());
    assert_eq!(second.wait()?.code(), Some(7), "the second lab fell with the first");
    Ok(())
}

fn lacking(_: &Traces) -> Result<()> {
    let run = |command: &mut Command| -> Result<(Option<i32>, String)> {
        let output = command.env("PATH", "/nonexistent").env_remove("BREAKGLASS_TESTS_REQUIRE_ALL").output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()))
    };
    let (code, said) = run(&mut Command::new(env::current_exe()?))?;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("testbed: skipped: `nft` is not on the PATH: apt-get install nftables"), "{said}");
    assert!(said.contains("0 passed; 0 failed; 6 ignored"), "{said}");
    let mut required = Command::new(env::current_exe()?);
    let output = required.env("PATH", "/nonexistent").env("BREAKGLASS_TESTS_REQUIRE_ALL", "1").output()?;
    assert!(!output.status.success(), "a skipped level passed where all are required");
    // Root without the right to make namespaces, as in most containers.
    let mut container = Command::new("setpriv");
    container.args(["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]).arg(env::current_exe()?);
    let output = container.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("skipped: root may not make namespaces here"), "{said}");
    assert!(said.contains("run the container with --privileged"), "{said}");
    // An ordinary user learns that root is needed, and nothing else is tried.
    let mut user = Command::new("setpriv");
    user.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(env::current_exe()?);
    let output = user.env("BREAKGLASS_TESTS_REQUIRE_ALL", "1").output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("needs root: run it again with sudo -E"), "{said}");
    Ok(())
}
