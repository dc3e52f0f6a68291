//! What the rules do while they stand.

use std::{
    io,
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use breakglass::host::gate::{self, BackEnd, Driver, GateSpec, GateState, Side, Stage, Turn};
use breakglass::host::net::Net;
use breakglass::script::Answer;
use libtest_mimic::Trial;
use testbed::{Lab, Probe, Running};

use crate::stand::{Stand, Standing, connect, each, once, opening, ping, turn, until};

pub(crate) fn tests() -> Vec<Trial> {
    [
        each("refuses_and_lets_in", refuses_and_lets_in),
        each("cuts_what_was_open", cuts_what_was_open),
        each("leaves_others_rules_alone", leaves_others_rules_alone),
        each("knows_whose_it_is", knows_whose_it_is),
        each("who_was_before_does_not_close_it_again", who_was_before_does_not_close_it_again),
        each("whoever_lost_the_fuses_does_not_open_it", whoever_lost_the_fuses_does_not_open_it),
        each("goes_by_hand_as_documented", goes_by_hand_as_documented),
        vec![once("a_lock_that_is_held_is_waited_for", a_lock_that_is_held_is_waited_for)],
        vec![once("a_lock_that_stays_held_is_said_and_is_no_answer", a_lock_that_stays_held_is_said_and_is_no_answer)],
        vec![once("a_killed_order_holds_up_no_other", a_killed_order_holds_up_no_other)],
        vec![once(
            "a_closing_killed_between_any_two_writes_is_done_again",
            a_closing_killed_between_any_two_writes_is_done_again,
        )],
        vec![once(
            "a_take_over_killed_between_any_two_writes_leaves_it_in_somebodys_hands",
            a_take_over_killed_between_any_two_writes_leaves_it_in_somebodys_hands,
        )],
        vec![once("the_turn_of_another_is_left_alone", the_turn_of_another_is_left_alone)],
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn stages() -> Vec<Stage> {
    vec![
        Stage::Set { name: "kubelets".into(), nets: vec!["10.1.0.0/16".parse().expect("a prefix")] },
        Stage::Count(3),
        Stage::Share(5),
        Stage::Rate(50),
    ]
}

fn refuses_and_lets_in(back_end: BackEnd) -> Result<()> {
    let stand = Stand::new("in", back_end)?;
    ensure!(stand.client_meets()? == [Probe::Open; 2]);
    let spec = stand.spec(stages());
    stand.close(&spec, back_end)?;
    ensure!(stand.client_meets()? == [Probe::Refused; 2]);
    ensure!(stand.operator_meets()? == [Probe::Open; 2]);
    ensure!(stand.api.probe(stand.api.ip4(), 6443, crate::stand::LIMIT)? == Probe::Open, "from itself");
    ensure!(Lab::shared()?.probe(stand.api.ip4(), 22, crate::stand::LIMIT)? == Probe::Open, "ssh");
    ensure!(stand.client.probe(stand.api.ip4(), 22, crate::stand::LIMIT)? == Probe::Open, "ssh of the blocked");
    let state = stand.status()?;
    let Some(GateState { mark: Some(mark), confirmed: false, counters, talkers, sources: 2, .. }) = &state else {
        anyhow::bail!("{state:?}")
    };
    ensure!(*mark == spec.mark());
    // One packet of each client: the first was refused, not the second after a silence.
    ensure!((counters.attempts, counters.refused, counters.admitted) == (2, 2, 2), "{counters:?}");
    ensure!(
        talkers.iter().all(|t| t.attempts >= 1
            && [stand.client.ip4().into(), std::net::IpAddr::from(stand.client.ip6())].contains(&t.addr)),
        "{talkers:?}"
    );
    ensure!(stand.outcome(&opening(&spec, back_end))? == Standing::Open);
    ensure!(stand.status()?.is_none());
    ensure!(stand.client_meets()? == [Probe::Open; 2]);
    Ok(())
}

fn cuts_what_was_open(back_end: BackEnd) -> Result<()> {
    let stand = Stand::new("cut", back_end)?;
    let spec = stand.spec(stages());
    let [v4, v6] = stand.addresses();
    let mut blocked = [connect(&stand.client, v4)?, connect(&stand.client, v6)?];
    let mut idle = connect(&stand.client, v4)?;
    let mut allowed = [std::net::TcpStream::connect((v4, 6443))?, std::net::TcpStream::connect((v6, 6443))?];
    let mut own = connect(&stand.api, v4)?;
    stand.close(&spec, back_end)?;
    let said = stand.say(&gate::cut(&spec))?;
    let cut = gate::parse_cut(&Answer::parse(&said.stdout));
    ensure!(cut.as_ref().is_some_and(|c| c.before == 3 && c.after == 0 && c.unable.is_none()), "{cut:?} {said:?}");
    for stream in blocked.iter_mut().chain([&mut idle]) {
        let silent = |error: &io::Error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        let cut = ping(stream);
        ensure!(cut.as_ref().is_err_and(|error| !silent(error)), "{cut:?}");
    }
    for stream in allowed.iter_mut().chain([&mut own]) {
        ping(stream)?;
    }
    Ok(())
}

/// Rules of all three kinds that somebody else made, as each tool prints them.
fn others(stand: &Stand) -> Result<String> {
    let list = "nft list table inet other; for t in iptables-legacy ip6tables-legacy iptables-nft; do $t-save 2>/dev/null | grep -v '^#'; done; ipset save theirs";
    stand.api.sh(list)?.ok()
}

fn leaves_others_rules_alone(back_end: BackEnd) -> Result<()> {
    let stand = Stand::new("oth", back_end)?;
    stand.api.sh(
        r#"set -e
nft -f - <<'X'
table inet other { chain input { type filter hook input priority 0; policy accept; tcp dport 1 counter drop comment "mine";
}
}
X
for t in iptables-legacy ip6tables-legacy iptables-nft; do
  $t -N OTHERS; $t -A OTHERS -p tcp --dport 2 -j DROP; $t -A INPUT -j OTHERS; $t -A INPUT -p tcp --dport 3 -j REJECT
done
ipset create theirs hash:ip; ipset add theirs 192.0.2.1"#,
    )?.ok()?;
    let before = others(&stand)?;
    let spec = stand.spec(stages());
    stand.close(&spec, back_end)?;
    ensure!(stand.client_meets()? == [Probe::Refused; 2]);
    ensure!(stand.arm(&spec, back_end, 1, 60)? == Standing::Armed);
    let ours = |line: &&str| !line.contains("BREAKGLASS") && !line.contains("bg_");
    let during: Vec<String> = others(&stand)?.lines().filter(ours).map(str::to_owned).collect();
    let uncounted = |text: &str| text.lines().filter(|l| !l.starts_with(':')).map(str::to_owned).collect::<Vec<_>>();
    ensure!(uncounted(&during.join("\n")) == uncounted(&before), "{during:#?}\n{before}");
    ensure!(stand.outcome(&opening(&spec, back_end))? == Standing::Open);
    let after = others(&stand)?;
    ensure!(uncounted(&after) == uncounted(&before), "{after}\n{before}");
    let left = everything(&stand)?;
    ensure!(!left.contains("breakglass") && !left.contains("bg_"), "{left}");
    Ok(())
}

fn knows_whose_it_is(back_end: BackEnd) -> Result<()> {
    let stand = Stand::new("own", back_end)?;
    let spec = stand.spec(stages());
    let mut other = spec.clone();
    other.run = "other-run".into();
    // Two at the same moment: one of them wins.
    let both = thread::scope(|s| {
        let one = s.spawn(|| stand.outcome(&gate::close(&spec, back_end)));
        let two = stand.outcome(&gate::close(&other, back_end));
        (one.join(), two)
    });
    let (Ok(Ok(one)), Ok(two)) = both else { anyhow::bail!("{both:?}") };
    ensure!([&one, &two].into_iter().filter(|s| **s == Standing::Closed).count() == 1, "{one:?} {two:?}");
    let (winner, loser) = if one == Standing::Closed { (spec, other) } else { (other, spec) };
    ensure!(stand.outcome(&gate::close(&winner, back_end))? == Standing::Already);
    // What this very run asks for besides is not closed by what stands.
    let wider = GateSpec { side: Side::Server { ports: vec![6443, 8443] }, ..winner.clone() };
    let told = stand.outcome(&gate::close(&wider, back_end))?;
    ensure!(matches!(&told, Standing::Failed(why) if why.contains("another gate of this very run")), "{told:?}");
    for script in [
        gate::close(&loser, back_end),
        gate::arm(&loser.mark(), back_end, &turn(&loser, 0, 60)),
        opening(&loser, back_end),
    ] {
        let standing = stand.outcome(&script)?;
        let held = matches!(&standing, Standing::Held(whose) if whose.starts_with(&format!("run={} ", winner.run)));
        ensure!(held, "{}: {standing:?}", script.name);
    }
    ensure!(stand.outcome(&opening(&winner, back_end))? == Standing::Open);
    ensure!(stand.outcome(&opening(&winner, back_end))? == Standing::Open, "again");
    Ok(())
}

/// A living run renews what it closed. Once another has opened a stage, or the kernel has, that must not shut it again.
fn who_was_before_does_not_close_it_again(back_end: BackEnd) -> Result<()> {
    let stand = Stand::new("two", back_end)?;
    let nets = [IpAddr::from(stand.client.ip4()), stand.client.ip6().into()].map(Net::from).to_vec();
    let spec = stand.spec(vec![Stage::Set { name: "client".into(), nets }, Stage::Share(100)]);
    let (mark, first) = (spec.mark(), spec.driver());
    let second = Driver { run: "20261122-1350-x7y8".into(), operator: "bob; it's he".into() };
    let take = |was: &str, level| Turn { level, hold: 60, was: was.into(), by: second.clone() };
    let renewed = || -> Result<String> {
        let output = stand.say(&gate::renew(&mark, back_end, 60, &first))?;
        ensure!(output.success(), "a renewal that is refused is no failure: {output:?}");
        Ok(output.stdout)
    };
    stand.close(&spec, back_end)?;
    ensure!(stand.arm(&spec, back_end, 0, 60)? == Standing::Armed && renewed()? == "result=armed\n");
    ensure!(stand.outcome(&gate::arm(&mark, back_end, &take(&first.run, 1)))? == Standing::Armed);
    let said = renewed()?;
    ensure!(said.starts_with("result=moved\n") || said.contains("\nresult=moved\n"), "{said}");
    ensure!(said.contains("lost=another run sets its fuses now: run=20261122-1350-x7y8"), "{said}");
    ensure!(
        stand.arm(&spec, back_end, 0, 60)? == Standing::Moved(format!("run={} by=bob%3B%20it%27s%20he", second.run))
    );
    let state = stand.status()?;
    ensure!(state.as_ref().is_some_and(|s| s.level() == 1 && s.driver.as_ref() == Some(&second)), "{state:?}");
    ensure!(stand.client_meets()? == [Probe::Open; 2], "it was closed again");
    // A reply that was lost is no reason to be refused the second time; and whoever looks may take it back.
    ensure!(stand.outcome(&gate::arm(&mark, back_end, &take(&first.run, 1)))? == Standing::Armed);
    let back = Turn { was: second.run.clone(), ..turn(&spec, 0, 2) };
    ensure!(stand.outcome(&gate::arm(&mark, back_end, &back))? == Standing::Armed);
    // Two seconds later the kernel lets the first stage in by itself.
    until(|| Ok(stand.client_meets()? == [Probe::Open; 2]))?;
    let said = renewed()?;
    ensure!(said.contains("lost=its first stage has come by the kernel's timetable"), "{said}");
    ensure!(stand.status()?.is_some_and(|s| s.level() == 1), "it was closed again");
    ensure!(stand.outcome(&opening(&spec, back_end))? == Standing::Open);
    ensure!(renewed()?.contains("lost=no gate stands here any more"));
    Ok(())
}

/// Taking back a closing must not let everybody in where another run holds the gate, or lets them in stage by stage.
fn whoever_lost_the_fuses_does_not_open_it(back_end: BackEnd) -> Result<()> {
    let stand = Stand::new("lost", back_end)?;
    let spec = stand.spec(stages());
    let second = Driver { run: "20261122-1350-x7y8".into(), operator: "bob".into() };
    let by_second = |was: &str| gate::open(&spec.run, back_end, was, &second);
    stand.close(&spec, back_end)?;
    // As seen before the first one sets its fuses: whoever has not seen the one that holds it does not open it, either.
    for level in [0, 1] {
        let take = Turn { level, hold: 60, was: spec.run.clone(), by: second.clone() };
        ensure!(stand.outcome(&gate::arm(&spec.mark(), back_end, &take))? == Standing::Armed);
        let said = stand.say(&opening(&spec, back_end))?;
        let moved = Standing::Moved("run=20261122-1350-x7y8 by=bob".into());
        ensure!(Standing::read(&said.stdout) == Some(moved) && !said.success(), "{level}: {said:?}");
        ensure!(said.stdout.contains(&format!("breakglass gate open --of {}", spec.run)), "{said:?}");
        let state = stand.status()?;
        ensure!(state.as_ref().is_some_and(|it| it.level() == level && it.stands()), "{level}: {state:?}");
        ensure!(stand.client_meets()? == [Probe::Refused; 2], "{level}: it was opened");
        // Whoever takes it back, and whoever means it, opens it.
        let back = Turn { was: second.run.clone(), ..turn(&spec, 0, 60) };
        ensure!(stand.outcome(&gate::arm(&spec.mark(), back_end, &back))? == Standing::Armed);
    }
    let third = gate::open(&spec.run, back_end, "20261122-1355-none", &second);
    ensure!(matches!(stand.outcome(&third)?, Standing::Moved(_)));
    ensure!(stand.outcome(&by_second(&spec.run))? == Standing::Open && stand.status()?.is_none());
    ensure!(stand.outcome(&by_second(&spec.run))? == Standing::Open, "again");
    // What has run out refuses nobody: whoever closed it clears it away.
    stand.close(&spec, back_end)?;
    let take = Turn { level: stages().len(), hold: 1, was: spec.run.clone(), by: second };
    ensure!(stand.outcome(&gate::arm(&spec.mark(), back_end, &take))? == Standing::Armed);
    until(|| Ok(stand.status()?.is_some_and(|it| !it.stands())))?;
    ensure!(stand.outcome(&opening(&spec, back_end))? == Standing::Open && stand.status()?.is_none());
    Ok(())
}

/// Another program holds the lock of x_tables for so many seconds.
fn lock(stand: &Stand, seconds: &str) -> Result<Running> {
    let running = stand.api.spawn(&["flock", "-x", "/run/xtables.lock", "sleep", seconds])?;
    until(|| Ok(!stand.api.sh("flock -n /run/xtables.lock true")?.success()))?;
    Ok(running)
}

/// Longer than iptables was ever waited for at a time.
fn a_lock_that_is_held_is_waited_for() -> Result<()> {
    let stand = Stand::new("busy", BackEnd::IptablesLegacy)?;
    let spec = stand.spec(stages());
    {
        let _held = lock(&stand, "9")?;
        stand.close(&spec, BackEnd::IptablesLegacy)?;
    }
    ensure!(stand.client_meets()? == [Probe::Refused; 2]);
    {
        let _held = lock(&stand, "9")?;
        ensure!(stand.status()?.is_some_and(|state| state.stands()));
    }
    let _held = lock(&stand, "9")?;
    ensure!(stand.outcome(&opening(&spec, BackEnd::IptablesLegacy))? == Standing::Open);
    ensure!(stand.client_meets()? == [Probe::Open; 2]);
    Ok(())
}

fn a_lock_that_stays_held_is_said_and_is_no_answer() -> Result<()> {
    let stand = Stand::new("held", BackEnd::IptablesLegacy)?;
    let spec = stand.spec(stages());
    // Without a gate of ours nothing has to be waited for.
    {
        let _held = lock(&stand, "1000")?;
        ensure!(stand.status()?.is_none());
    }
    stand.close(&spec, BackEnd::IptablesLegacy)?;
    let _held = lock(&stand, "1000")?;
    for script in [gate::status().into(), opening(&spec, BackEnd::IptablesLegacy)] {
        let said = stand.say(&script)?;
        ensure!(said.stdout.contains("(flock) holds the lock of x_tables") && !said.success(), "{said:?}");
        ensure!(gate::status().read(&said.stdout).is_err(), "{said:?}");
    }
    // A host without nft, asked what it can hold.
    let hidden = "nft() { return 1; }\nhave() { [ \"$1\" != nft ] && command -v \"$1\" >/dev/null 2>&1; }\n";
    let query = gate::survey(&[]);
    let mut script = query.script().clone();
    script.body.insert_str(0, hidden);
    let said = stand.say(&script)?;
    let survey = query.read(&said.stdout).map_err(|why| anyhow!("{said:?}: {why}"))?;
    ensure!(survey.busy.as_ref().is_some_and(|why| why.contains("(flock)")), "{survey:#?}");
    Ok(())
}

/// Killed while it holds its turn, as by a host that has no memory left.
fn a_killed_order_holds_up_no_other() -> Result<()> {
    let stand = Stand::new("kill", BackEnd::IptablesLegacy)?;
    let spec = stand.spec(stages());
    {
        let _held = lock(&stand, "1000")?;
        let text = gate::close(&spec, BackEnd::IptablesLegacy).text();
        let _order = Running::start(&mut stand.api.enter(&["sh", "-s"]), text.as_bytes())?;
        let whose = "ipset list bg_turn 2>/dev/null | sed -n 's/.* pid=\\([0-9]*\\) .*/\\1/p'";
        until(|| Ok(!stand.api.sh(whose)?.stdout.trim().is_empty()))?;
        stand.api.sh(&format!("kill -9 $({whose})"))?.ok()?;
    }
    let began = Instant::now();
    stand.close(&spec, BackEnd::IptablesLegacy)?;
    ensure!(began.elapsed() < Duration::from_secs(10), "after {:?}", began.elapsed());
    ensure!(stand.outcome(&opening(&spec, BackEnd::IptablesLegacy))? == Standing::Open);
    Ok(())
}

/// Killed before each of its writes: what is left is no gate, or a whole one.
fn a_closing_killed_between_any_two_writes_is_done_again() -> Result<()> {
    let back_end = BackEnd::IptablesLegacy;
    let stand = Stand::new("half", back_end)?;
    let spec = stand.spec(stages());
    let close = gate::close(&spec, back_end);
    let writes = [
        "left=$(ipt_clear)\nerr=",
        "err=$(printf",
        "err=$(ipt_load \"$v4\"",
        "if [ -n \"$v6\" ]; then\n  err=",
        "ipt_unlock\nsay result closed",
    ];
    for write in writes {
        let at = close.body.rfind(write).with_context(|| format!("{write:?} is not in it"))?;
        let mut killed = close.clone();
        killed.body.insert_str(at, "kill -9 $$\n");
        ensure!(!stand.say(&killed)?.success(), "{write}: it was not killed");
        let left = stand.status()?;
        ensure!(
            left.is_none() || stand.client_meets()? == [Probe::Refused; 2],
            "{write}: half of a gate is called one"
        );
        let said = stand.outcome(&close)?;
        ensure!(matches!(said, Standing::Closed | Standing::Already), "{write}: {said:?}");
        ensure!(stand.client_meets()? == [Probe::Refused; 2], "{write}: {said:?}, and it is open");
        ensure!(stand.outcome(&opening(&spec, back_end))? == Standing::Open);
        ensure!(stand.client_meets()? == [Probe::Open; 2], "{write}: something was left");
    }
    Ok(())
}

/// Killed after each line of setting the fuses: they are in somebody's hands, who can set and open them, and nobody else.
fn a_take_over_killed_between_any_two_writes_leaves_it_in_somebodys_hands() -> Result<()> {
    let back_end = BackEnd::IptablesLegacy;
    let stand = Stand::new("hands", back_end)?;
    let spec = stand.spec(stages());
    let second = Driver { run: "20261122-1350-x7y8".into(), operator: "bob".into() };
    stand.close(&spec, back_end)?;
    let take = |was: &Driver, by: &Driver| {
        let turn = Turn { level: 0, hold: 60, was: was.run.clone(), by: by.clone() };
        gate::arm(&spec.mark(), back_end, &turn)
    };
    let script = take(&spec.driver(), &second);
    let (before, _) = script.body.split_once("' | ipset restore").context("it restores no sets")?;
    let lines = before[before.rfind("'%s\\n' '").context("it prints no text")?..].lines().count();
    ensure!(lines > 5, "{lines} lines of {before}");
    for line in 0..=lines {
        let mut killed = script.clone();
        killed.body = killed
            .body
            .replace("' | ipset restore 2>&1)", &format!("' | head -n {line} | ipset restore 2>&1; kill -9 $$)"));
        ensure!(!stand.say(&killed)?.success(), "{line}: it was not killed");
        let state = stand.status()?.with_context(|| format!("{line}: no gate"))?;
        ensure!(state.stands() && state.level() == 0, "{line}: {state:?}");
        let holder = state.driven_by().context("nobody's")?;
        let other = if holder == second { spec.driver() } else { second.clone() };
        let theirs = stand.outcome(&gate::open(&spec.run, back_end, &other.run, &other))?;
        ensure!(matches!(theirs, Standing::Moved(_)), "{line}: {holder:?} has it, and {other:?} opened it: {theirs:?}");
        ensure!(stand.outcome(&take(&holder, &holder))? == Standing::Armed, "{line}: {holder:?} cannot set it");
        ensure!(stand.outcome(&take(&holder, &spec.driver()))? == Standing::Armed, "{line}: it cannot be taken back");
    }
    ensure!(stand.outcome(&opening(&spec, back_end))? == Standing::Open);
    ensure!(!stand.api.sh("ipset list -n")?.stdout.contains("bg_"), "sets are left");
    Ok(())
}

/// An order whose minute ran out while it was at work finds another's turn in place of its own.
fn the_turn_of_another_is_left_alone() -> Result<()> {
    let back_end = BackEnd::IptablesLegacy;
    let stand = Stand::new("turn", back_end)?;
    let spec = stand.spec(stages());
    stand.close(&spec, back_end)?;
    let mut late = gate::arm(&spec.mark(), back_end, &turn(&spec, 0, 60));
    let end = late.body.rfind("ipt_unlock\n").context("it never unlocks")?;
    let passes = "ipset del bg_turn 192.0.2.1; ipset add bg_turn 192.0.2.1 comment \"space=elsewhere pid=7 start=7\"\n";
    late.body.insert_str(end, passes);
    ensure!(stand.outcome(&late)? == Standing::Armed);
    let left = stand.api.sh("ipset list bg_turn")?;
    ensure!(left.stdout.contains("space=elsewhere"), "it took another's turn away: {left:?}");
    stand.api.sh("ipset destroy bg_turn")?.ok()?;
    ensure!(stand.arm(&spec, back_end, 0, 60)? == Standing::Armed);
    ensure!(!stand.api.sh("ipset list -n")?.stdout.contains("bg_turn"), "its own turn is left");
    Ok(())
}

fn goes_by_hand_as_documented(back_end: BackEnd) -> Result<()> {
    let heading = if back_end == BackEnd::Nft { "### By hand: nftables" } else { "### By hand: iptables" };
    let docs = include_str!("../../docs/gate.md");
    let block = docs.split(heading).nth(1).and_then(|rest| rest.split("```sh\n").nth(1)?.split("```").next());
    let Some(commands) = block else { anyhow::bail!("docs/gate.md has no commands under `{heading}`") };
    let stand = Stand::new("hand", back_end)?;
    stand.close(&stand.spec(stages()), back_end)?;
    ensure!(stand.client_meets()? == [Probe::Refused; 2]);
    let said = stand.api.sh(commands)?;
    ensure!(said.success(), "{said:?}");
    ensure!(stand.client_meets()? == [Probe::Open; 2]);
    let left = everything(&stand)?;
    ensure!(!left.contains("breakglass") && !left.contains("bg_"), "{left}");
    Ok(())
}

/// Every rule and set of the host, in small letters.
fn everything(stand: &Stand) -> Result<String> {
    let list = "nft list ruleset; for t in iptables-legacy ip6tables-legacy; do $t-save; done; ipset list -n";
    Ok(stand.api.sh(list)?.stdout.to_lowercase())
}
