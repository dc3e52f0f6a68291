//! Walking in: what a person finds in the scenarios, and that nothing stays when they leave.

use std::{
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::Result;
use testbed::{Output, Running, scenario, test};

fn main() -> ExitCode {
    testbed::main(vec![
        test("every_scenario_is_listed_with_a_sentence", list),
        test("a_wrong_call_is_told_how_to_do_it_and_starts_nothing", wrong_calls),
        test("the_end_code_is_that_of_the_command", end_code),
        test("the_hosts_scenario_has_three_hosts_with_a_firewall_each", hosts),
        test("the_shell_has_the_program_and_a_home_of_its_own", shell),
    ])
}

fn enter(words: &[&str]) -> Result<Output> {
    Running::start(Command::new(env!("CARGO_BIN_EXE_enter")).args(words), b"")?.wait(Duration::from_mins(5))
}

/// A script in the scenario `hosts`, which had to succeed.
fn in_hosts(script: &str) -> Result<String> {
    enter(&["hosts", "--", "sh", "-ec", script])?.ok()
}

fn list() -> Result<()> {
    let listed = enter(&["--list"])?.ok()?;
    for scenario in scenario::SCENARIOS {
        let line = listed.lines().find(|line| line.split_whitespace().next() == Some(scenario.name));
        assert!(line.is_some_and(|line| line.ends_with(scenario.about)), "{}: {listed}", scenario.name);
        assert!(!scenario.about.is_empty());
    }
    Ok(())
}

fn wrong_calls() -> Result<()> {
    for words in [&[][..], &["--lost"], &["hosts", "--"], &["hosts", "true"]] {
        let output = enter(words)?;
        assert_eq!(output.code, 2, "{words:?}");
        assert!(output.stderr.starts_with("usage: tests/testbed/enter SCENARIO"), "{}", output.stderr);
    }
    let output = enter(&["nowhere"])?;
    assert_eq!(output.code, 2);
    assert!(
        output.stderr.starts_with("enter: there is no scenario `nowhere`: it is one of hosts"),
        "{}",
        output.stderr
    );
    Ok(())
}

fn end_code() -> Result<()> {
    assert_eq!(enter(&["hosts", "--", "sh", "-c", "exit 9"])?.code, 9);
    assert_eq!(enter(&["hosts", "--", "sh", "-c", "kill -TERM $$"])?.code, 128 + 15);
    let output = enter(&["hosts", "--", "/no/such/program"])?;
    assert_eq!(output.code, 1);
    assert!(output.stderr.contains("`/no/such/program` could not be started"), "{}", output.stderr);
    Ok(())
}

fn hosts() -> Result<()> {
    let said = in_hosts(
        "for h in cp1 cp2 cp3; do ssh $h hostname; ssh oncall@$h 'sudo -n id -un'; done; ssh -J cp1 cp2 hostname
         ssh cp1 nft list table inet site | grep -c 2379
         ssh cp2 iptables-nft -S INPUT | grep -c 2379
         ssh cp3 iptables-legacy -S INPUT | grep -c 2379
         ssh cp3 'command -v nft || echo no nft'",
    )?;
    assert_eq!(said, "cp1\nroot\ncp2\nroot\ncp3\nroot\ncp2\n1\n1\n1\nno nft");
    Ok(())
}

fn shell() -> Result<()> {
    let said = in_hosts(
        "command -v breakglass; echo $HOME; grep -c cp2 $BREAKGLASS_KIT/testbed.yaml; echo x >~/left; ip route | wc -l",
    )?;
    let lines: Vec<_> = said.lines().collect();
    assert!(lines[0].ends_with("/bin/breakglass") && lines[0].starts_with(lines[1]), "{said}");
    assert_eq!(lines[2], "2", "cp2 is an API server and a host of the kit");
    assert_eq!(lines[3], "1", "the only route is the lab's own");
    assert!(!std::path::Path::new(lines[1]).exists(), "its home stayed");
    Ok(())
}
