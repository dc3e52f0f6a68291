//! What a plan and a drill print is what a closing writes.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use testbed::{Host, Lab, OPERATOR_IP4, Output};

use crate::{
    program::{LIMIT, Program},
    whole::stand,
};

/// Texts and the commands that read them.
type Loads = Vec<(String, String)>;

pub(crate) fn rules(back_end: &'static str) -> Result<()> {
    let name = format!("print-{}", back_end.replace("iptables-", "i"));
    let (program, api, _) = stand(&name)?;
    let by_hand = Lab::shared()?.host(&format!("{name}-h"))?;
    let words = ["gate", "close", "--port", "6443", "--back-end", back_end, "--set", "web=10.1.0.0/16,fd91::/64"];
    let words = [&words[..], &["--stages", "web,5n,100", "--reason", "it drowns"]].concat();
    let planned = loads(&program, &[&words[..], &["--plan"]].concat())?;
    let drilled = loads(&program, &[&words[..], &["--drill"]].concat())?;
    let before = listed(&api)?;
    let said = program.run(&[&words[..], &["--yes"]].concat())?;
    ensure!(said.success(), "{said:?}");
    // Loaded by hand elsewhere, the drill's rules are those of the gate.
    for (command, text) in &drilled {
        by_hand
            .command_within(&["sh", "-c", command], format!("{text}\n").as_bytes(), LIMIT)?
            .ok()
            .context(command.clone())?;
    }
    let (closed, loaded) = (listed(&api)?, listed(&by_hand)?);
    let new: Vec<&String> = closed.iter().filter(|line| !before.contains(line)).collect();
    ensure!(new.len() > 20, "{closed:#?}");
    for line in new {
        ensure!(loaded.contains(line), "{line:?} is on the host, and not in what was printed: {loaded:#?}");
    }
    let ours = |line: &&String| line.to_lowercase().contains("breakglass") || line.contains("bg_");
    for line in loaded.iter().filter(ours) {
        ensure!(closed.contains(line), "{line:?} was printed, and is not on the host: {closed:#?}");
    }
    // Without a look, only the operator's address is missing, as the host sees it.
    ensure!(planned.len() == drilled.len());
    for ((_, planned), (_, drilled)) in planned.iter().zip(&drilled) {
        let operator =
            [format!("{OPERATOR_IP4}, "), format!(", {OPERATOR_IP4}"), format!("add bg_allow4 {OPERATOR_IP4} -exist")];
        let without = operator.iter().fold(drilled.clone(), |text, part| text.replace(part.as_str(), ""));
        let holds_them = drilled.contains("set allow4") || drilled.contains("create bg_allow4");
        ensure!(without != *drilled || !holds_them, "the operator is not let through: {drilled}");
        let lines =
            |text: &str| one_comment(text).lines().filter(|line| !line.is_empty()).map(masked).collect::<Vec<_>>();
        ensure!(lines(planned) == lines(&without), "planned:\n{planned}\ndrilled:\n{drilled}");
    }
    Ok(())
}

/// The rules in what a command prints as JSON.
fn loads(program: &Program, words: &[&str]) -> Result<Loads> {
    let Output { stdout, stderr, .. } = program.run(&[words, &["-o", "json"]].concat())?;
    let found = stdout.lines().chain(stderr.lines()).filter_map(|line| search(&serde_json::from_str(line).ok()?));
    let all: Vec<Loads> = found.collect();
    match all.as_slice() {
        [one] => Ok(one.clone()),
        all => bail!("{words:?} prints {} sets of rules: {stdout} {stderr}", all.len()),
    }
}

fn search(value: &Value) -> Option<Loads> {
    if let Some(loads) = value.get("loads").filter(|loads| loads.as_array().is_some_and(|all| !all.is_empty())) {
        return serde_json::from_value(loads.clone()).ok();
    }
    match value {
        Value::Array(all) => all.iter().find_map(search),
        Value::Object(all) => all.values().find_map(search),
        _ => None,
    }
}

/// Every rule and every set of the host, but for what runs down, one line each.
fn listed(host: &Host) -> Result<Vec<String>> {
    let list = "nft -t -s list ruleset
for set in allow4 allow6 stage_1_4 stage_1_6 driver; do nft list set inet breakglass $set 2>/dev/null; done
for t in iptables-nft ip6tables-nft iptables-legacy ip6tables-legacy; do $t-save 2>/dev/null | grep -e BREAKGLASS; done
ipset save | grep -v -e '^add bg_armed' -e '^add bg_until' -e '^add bg_confirmed' -e '^add bg_talkers'";
    Ok(host.sh(list)?.stdout.lines().map(masked).collect())
}

/// The text with the mark in one comment: where the real run and operator are longer than what stands for them in a plan, it
/// takes one comment more.
fn one_comment(text: &str) -> String {
    let next = [
        "\" -j RETURN\n-A BREAKGLASS-OWNER -m comment --comment \"breakglass/1",
        "\"\n\t\treturn comment \"breakglass/1",
    ];
    next.iter().fold(text.to_owned(), |text, next| text.replace(next, ""))
}

/// A line without what differs from run to run: ids, numbers that follow from them, and times.
fn masked(line: &str) -> String {
    let number = |word: &str| word.starts_with("0x") || word.starts_with('[');
    let key = |word: &str| {
        let word = word.trim_start_matches('"');
        ["run=", "by=", "at=", "why="].into_iter().find(|key| word.starts_with(key))
    };
    let driver = line.contains("add bg_driver");
    let words = line.split_whitespace().enumerate().map(|(at, word)| match key(word) {
        Some(key) => key,
        None if number(word) || (driver && at == 2) => "#",
        None => word.trim_end_matches('"'),
    });
    words.collect::<Vec<_>>().join(" ")
}
