//! The texts in the shells they meet, and what a survey sees.

use std::{borrow::Cow, net::IpAddr, process::Command};

use anyhow::{Result, anyhow, ensure};
use breakglass::host::gate::{self, BackEnd, GateState, Manager, Refusal, Stage, Survey, refuse};
use breakglass::script::{self, Answer, Script};
use libtest_mimic::Trial;
use testbed::{Host, Lab, OPERATOR_IP4, Running};

use crate::stand::{LIMIT, Stand, Standing, each, once, opening, say, turn, until};

pub(crate) fn tests() -> Vec<Trial> {
    let mut tests = vec![
        once("a_torn_transfer_runs_nothing", a_torn_transfer_runs_nothing),
        once("every_shell_runs_the_same_text", every_shell_runs_the_same_text),
        once("a_survey_sees_the_host", a_survey_sees_the_host),
        once("a_name_alone_opens_and_shuts_nothing", a_name_alone_opens_and_shuts_nothing),
        once("memory_of_api_servers_is_seen", memory_of_api_servers_is_seen),
        once("the_operator_is_seen_through_sudo", the_operator_is_seen_through_sudo),
        once("an_order_to_a_gate_that_goes_under_it_says_so", an_order_to_a_gate_that_goes_under_it_says_so),
        once(
            "a_gate_that_is_another_after_each_look_is_not_known",
            a_gate_that_is_another_after_each_look_is_not_known,
        ),
    ];
    tests
        .extend(each("a_gate_that_goes_under_a_look_is_no_other_gate", a_gate_that_goes_under_a_look_is_no_other_gate));
    tests
}

fn looked(host: &Host, shell: &str) -> Result<Survey> {
    let output = say(host, shell, gate::survey(&[]).script())?;
    gate::survey(&[]).read(&output.stdout).map_err(|why| anyhow!("no survey in {output:?}: {why}"))
}

fn a_torn_transfer_runs_nothing() -> Result<()> {
    let stand = Stand::new("torn", BackEnd::Nft)?;
    let text = gate::close(&stand.spec(vec![]), BackEnd::Nft).text();
    let whole = text.len() - "main </dev/null\n".len();
    for shell in ["dash", "bash", "busybox ash"] {
        let argv: Vec<&str> = shell.split(' ').chain(["-s"]).collect();
        for cut in (0..whole).step_by(400).chain([whole - 1, whole]) {
            let output = stand.api.command_within(&argv, &text.as_bytes()[..cut], LIMIT)?;
            ensure!(output.stdout.is_empty(), "{shell} at {cut}: {output:?}");
        }
        ensure!(stand.status()?.is_none(), "{shell}");
    }
    Ok(())
}

fn every_shell_runs_the_same_text() -> Result<()> {
    for back_end in BackEnd::ALL {
        let stand = Stand::new("sh", back_end)?;
        let spec = stand.spec(vec![Stage::Count(1), Stage::Share(5)]);
        for shell in ["dash", "bash", "bash --posix", "busybox ash"] {
            for (script, want) in [
                (gate::close(&spec, back_end), "result=closed\n"),
                (gate::arm(&spec.mark(), back_end, &turn(&spec, 0, 60)), "result=armed\n"),
                (gate::renew(&spec.mark(), back_end, 60, &spec.driver()), "result=armed\n"),
            ] {
                let output = say(&stand.api, shell, &script)?;
                ensure!(output.stdout == want && output.stderr.is_empty(), "{back_end} {shell}: {output:?}");
            }
            let output = say(&stand.api, shell, &gate::cut(&spec))?;
            ensure!(gate::parse_cut(&Answer::parse(&output.stdout)).is_some(), "{shell}: {output:?}");
            let output = say(&stand.api, shell, gate::status().script())?;
            let state = gate::status().read(&output.stdout).ok().flatten();
            ensure!(state.as_ref().is_some_and(|s| s.confirmed && s.back_end == back_end), "{shell}: {output:?}");
            let found = looked(&stand.api, shell)?.gate;
            ensure!(found.as_ref().is_some_and(|g| g.stands && g.mark == Some(spec.mark())), "{shell}: {found:?}");
            let output = say(&stand.api, shell, &opening(&spec, back_end))?;
            ensure!(output.stdout == "result=open\n" && output.stderr.is_empty(), "{shell}: {output:?}");
        }
    }
    Ok(())
}

fn a_survey_sees_the_host() -> Result<()> {
    let stand = Stand::new("surv", BackEnd::Nft)?;
    let api = "exec -a /usr/local/bin/kube-apiserver sleep 1000 --secure-port=6443";
    let fake = |line: &str| format!("exec -a kube-apiserver sh -c 'sleep 1000; :' {line}");
    ensure!(api.contains("kube-apiserver"));
    let line = fake("--etcd-servers=https://10.99.1.1:2379,https://[fd99::7]:2379 --secure-port=6443");
    let _server = stand.api.spawn(&["bash", "-c", &line])?;
    let _proxy = stand.api.spawn(&["bash", "-c", "exec -a kube-proxy sh -c 'sleep 1000; :'"])?;
    let manifests = stand.api.etc_kubernetes().join("manifests");
    std::fs::create_dir_all(&manifests)?;
    std::fs::write(manifests.join("kube-apiserver.yaml"), "command:\n- kube-apiserver\n- --secure-port=8443\n")?;
    let survey = looked(&stand.api, "dash")?;
    ensure!(survey.root && ["nft", "ipset", "iptables-legacy"].iter().all(|it| survey.tools[*it].works), "{survey:#?}");
    ensure!(survey.tools["iptables-nft"].v6 && survey.has_ss && survey.now > 1_700_000_000, "{survey:#?}");
    ensure!(survey.api_ports().into_iter().eq([6443, 8443]), "{:?}", survey.api);
    ensure!(survey.peers.iter().map(ToString::to_string).eq(["10.99.1.1", "fd99::7"]), "{:?}", survey.peers);
    ensure!(survey.listens(6443) && survey.listens(22) && !survey.listens(8443), "{:?}", survey.listeners);
    ensure!(survey.managers.iter().eq([&Manager::KubeProxy]), "{:?}", survey.managers);
    ensure!(survey.own.contains(&IpAddr::from(stand.api.ip4())) && survey.ssh_ports.contains(&22), "{survey:#?}");
    ensure!(survey.gate.is_none() && survey.choose() == Some(BackEnd::Nft));
    let mut spec = stand.spec(vec![Stage::Share(5)]);
    ensure!(refuse(&spec, &survey, &[]).is_empty(), "{:?}", refuse(&spec, &survey, &[]));
    spec.side = gate::Side::Server { ports: vec![22, 7777] };
    spec.allow.clear();
    let all = refuse(&spec, &survey, &[]);
    ensure!(all.contains(&Refusal::CutsSsh(22)) && all.contains(&Refusal::OperatorUnknown), "{all:?}");
    ensure!(all.iter().any(|r| matches!(r, Refusal::NobodyListens(7777, _))), "{all:?}");
    // A table of our name that somebody else made.
    stand.api.sh("nft add table inet breakglass")?.ok()?;
    let foreign = refuse(&spec, &looked(&stand.api, "dash")?, &[]);
    ensure!(foreign.contains(&Refusal::Foreign(BackEnd::Nft)), "{foreign:?}");
    let said = stand.say(&gate::close(&spec, BackEnd::Nft))?;
    ensure!(said.stdout.starts_with("result=foreign\n") && !said.success(), "{said:?}");
    Ok(())
}

/// What any user of the host, or any pod on its network, can start: processes with the names of the control plane's.
fn a_name_alone_opens_and_shuts_nothing() -> Result<()> {
    let stand = Stand::new("name", BackEnd::Nft)?;
    let pose = |user: &str, line: &str| {
        stand.api.spawn(&["setpriv", &format!("--reuid={user}"), "--clear-groups", "bash", "-c", line])
    };
    let waits = "sh -c 'sleep 1000; :'";
    let _posing = (
        pose("65534", &format!("exec -a etcd {waits} --initial-cluster=x=https://203.0.113.66:2380"))?,
        pose(
            "65534",
            &format!("exec -a kube-apiserver {waits} --secure-port=22 --etcd-servers=https://203.0.113.67:2379"),
        )?,
        pose("1234", &format!("exec -a /usr/bin/k3s {waits} server --https-listen-port 7777"))?,
        stand.api.spawn(&[
            "bash",
            "-c",
            &format!("exec -a etcd {waits} --initial-cluster=y=https://10.99.1.9:2380"),
        ])?,
    );
    // It listens under the name of sshd, and is nobody's.
    stand.api.sh("install -D -m 755 /bin/busybox /run/posing/sshd")?.ok()?;
    let _sshd = pose("65534", "exec -a nc /run/posing/sshd -l -p 8443")?;
    until(|| {
        let now = looked(&stand.api, "dash")?;
        Ok(now.posing.len() == 3 && now.listens(8443) && !now.peers.is_empty())
    })?;
    let survey = looked(&stand.api, "dash")?;
    ensure!(survey.peers.iter().map(ToString::to_string).eq(["10.99.1.9"]), "{:?}", survey.peers);
    ensure!(survey.api_ports().is_empty() && survey.ssh_ports.iter().eq([&22]), "{survey:#?}");
    let mut spec = stand.spec(vec![]);
    spec.side = gate::Side::Server { ports: vec![6443, 8443] };
    ensure!(refuse(&spec, &survey, &[]).is_empty(), "{:?}", refuse(&spec, &survey, &[]));
    for shell in ["bash --posix", "busybox ash"] {
        let same = looked(&stand.api, shell)?;
        ensure!(same.peers == survey.peers && same.ssh_ports == survey.ssh_ports, "{shell}: {same:#?}");
    }
    let output = say(&stand.api, "dash", gate::memory().script())?;
    ensure!(gate::memory().read(&output.stdout).is_ok_and(|memory| memory.servers.is_empty()), "{output:?}");
    Ok(())
}

/// A process of that name that holds 60 MB, and one of another name that holds as much.
fn memory_of_api_servers_is_seen() -> Result<()> {
    let host = Lab::shared()?.host("mem")?;
    let hold = |name: &str| {
        let line = format!("exec -a {name} sh -c 'x=$(head -c 60000000 /dev/zero | tr \\\\0 a); sleep 1000; :'");
        host.spawn(&["bash", "-c", &line])
    };
    let _holders = (hold("/usr/local/bin/kube-apiserver")?, hold("kube-scheduler")?);
    let seen = || -> Result<bool> {
        let mut all = true;
        for shell in ["dash", "bash --posix", "busybox ash"] {
            let output = say(&host, shell, gate::memory().script())?;
            let memory = gate::memory().read(&output.stdout).map_err(|why| anyhow!("{shell}: {output:?}: {why}"))?;
            ensure!(memory.total > memory.available && memory.available > 0 && output.stderr.is_empty(), "{output:?}");
            // It takes a moment until the process has taken its memory, and has helpers until then.
            all &= matches!(memory.servers.as_slice(), [(60_000..300_000, _)]);
        }
        Ok(all)
    };
    until(seen)?;
    Ok(())
}

fn the_operator_is_seen_through_sudo() -> Result<()> {
    let lab = Lab::shared()?;
    let host = lab.host("sudo-gate")?;
    host.add_user("oncall", true)?;
    for (user, shell) in [("root", "sh -s"), ("oncall", "sudo -n sh -s")] {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(lab.ssh_config()).args(["-l", user, host.name(), shell]);
        let output = Running::start(&mut ssh, gate::survey(&[]).script().text().as_bytes())?.wait(LIMIT)?;
        let survey = gate::survey(&[]).read(&output.stdout).map_err(|why| anyhow!("{output:?}: {why}"))?;
        ensure!(survey.operator == Some(OPERATOR_IP4.into()) && survey.root, "{user}: {:?}", survey.operator);
    }
    Ok(())
}

/// What a script printed on a host whose gate another takes away right after the script's `nth` look at the packet filter;
/// `None` where it looks less often.
fn torn(stand: &Stand, script: &Script, away: &Script, nth: u32) -> Result<Option<String>> {
    stand.api.command_within(&["tee", "/run/away.sh"], away.text().as_bytes(), LIMIT)?.ok()?;
    stand.api.sh("rm -f /run/looks")?.ok()?;
    let text = format!(
        r#"then_torn() {{
  printf x >>/run/looks
  [ "$(wc -c </run/looks)" -ne {nth} ] || sh -s </run/away.sh >/dev/null
}}
nft() {{ command nft "$@" && then_torn; }}
ipset() {{ command ipset "$@" && then_torn; }}
{}"#,
        script.text()
    );
    let output = stand.api.command_within(&["dash", "-s"], text.as_bytes(), LIMIT)?;
    let looks = stand.api.sh("wc -c </run/looks")?.ok()?.trim().parse::<u32>()?;
    let said = script::said(output.stdout.as_bytes()).map(String::from_utf8_lossy);
    Ok(said.filter(|_| looks >= nth).map(Cow::into_owned))
}

fn a_gate_that_goes_under_a_look_is_no_other_gate(back_end: BackEnd) -> Result<()> {
    let stand = Stand::new("under", back_end)?;
    let spec = stand.spec(vec![Stage::Count(1), Stage::Share(5), Stage::Share(50)]);
    let away = opening(&spec, back_end);
    let mut seen = (0, 0);
    for nth in 1.. {
        stand.close(&spec, back_end)?;
        ensure!(stand.arm(&spec, back_end, 2, 60)? == Standing::Armed, "{nth}");
        let status = torn(&stand, gate::status().script(), &away, nth)?;
        if let Some(said) = &status {
            let state = gate::status().read(said).map_err(|why| anyhow!("{nth}: {said}: {why}"))?;
            // One that goes after the last look was there as a whole.
            let whole =
                |state: &GateState| state.level() == 2 && state.confirmed && state.mark.as_ref() == Some(&spec.mark());
            ensure!(state.as_ref().is_none_or(whole), "a gate that is gone after look {nth}: {state:?}");
            stand.close(&spec, back_end)?;
        }
        let survey = torn(&stand, gate::survey(&[]).script(), &away, nth)?;
        if let Some(said) = &survey {
            let survey = gate::survey(&[]).read(said).map_err(|why| anyhow!("{nth}: {said}: {why}"))?;
            let whose = survey.gate.as_ref().map(|gate| gate.mark.as_ref() == Some(&spec.mark()));
            ensure!(whose != Some(false), "after look {nth}: {:?}", survey.gate);
        } else {
            stand.outcome(&away)?;
        }
        seen = (seen.0 + u32::from(status.is_some()), seen.1 + u32::from(survey.is_some()));
        if status.is_none() && survey.is_none() {
            break;
        }
    }
    // The status reads set by set; the survey asks whether it is there, whose, and whether it refuses anybody.
    ensure!(seen.0 >= 8 && seen.1 >= 2, "{seen:?}");
    Ok(())
}

/// Looking ends, and what is not known is called so.
fn a_gate_that_is_another_after_each_look_is_not_known() -> Result<()> {
    let stand = Stand::new("other", BackEnd::Nft)?;
    let close = gate::close(&stand.spec(vec![]), BackEnd::Nft);
    stand.api.command_within(&["tee", "/run/close.sh"], close.text().as_bytes(), LIMIT)?.ok()?;
    stand.say(&close)?;
    let text = format!(
        r#"nft() {{
  command nft "$@"
  case "$*" in 'list counters'*)
    printf x >>/run/looks
    command nft delete table inet breakglass
    sh -s </run/close.sh >/dev/null ;;
  esac
}}
{}"#,
        gate::status().script().text()
    );
    let output = stand.api.command_within(&["dash", "-s"], text.as_bytes(), LIMIT)?;
    let said = script::said(output.stdout.as_bytes()).map(String::from_utf8_lossy).unwrap_or_default();
    let why = gate::status().read(&said).err().unwrap_or_default();
    ensure!(why.contains("is not known; look again") && !output.success(), "{output:?}");
    ensure!(stand.api.sh("wc -c </run/looks")?.ok()?.trim() == "5", "it looks five times");
    Ok(())
}

/// For nftables, whose orders hold no lock: nothing keeps another from taking the gate away meanwhile.
fn an_order_to_a_gate_that_goes_under_it_says_so() -> Result<()> {
    let stand = Stand::new("order", BackEnd::Nft)?;
    let spec = stand.spec(vec![Stage::Share(5)]);
    let away = opening(&spec, BackEnd::Nft);
    let other = gate::GateSpec { run: "20261122-1343-b2c3".into(), ..spec.clone() };
    let orders = [
        gate::close(&other, BackEnd::Nft),
        gate::arm(&spec.mark(), BackEnd::Nft, &turn(&spec, 0, 60)),
        gate::renew(&spec.mark(), BackEnd::Nft, 60, &spec.driver()),
        away.clone(),
    ];
    for (k, order) in orders.iter().enumerate() {
        let mut torn_at = 0;
        for nth in 1.. {
            stand.close(&spec, BackEnd::Nft)?;
            let Some(said) = torn(&stand, order, &away, nth)? else { break };
            torn_at = nth;
            let fits = match Standing::read(&said) {
                Some(Standing::Closed) => k == 0,
                // It was looked at before it went.
                Some(Standing::Held(owner)) => k == 0 && owner.contains(&spec.run),
                Some(Standing::Armed) => k == 1 || k == 2,
                Some(Standing::Open) => k > 0,
                _ => false,
            };
            ensure!(fits, "{} after look {nth}: {said}", order.name);
            stand.api.sh("nft delete table inet breakglass 2>/dev/null || :")?.ok()?;
        }
        ensure!(torn_at >= 1, "{} never looked", order.name);
        stand.api.sh("nft delete table inet breakglass 2>/dev/null || :")?.ok()?;
    }
    Ok(())
}
