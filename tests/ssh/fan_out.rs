//! Hundreds of hosts at once.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use breakglass::link::ssh::{Endpoint, Fault, HostKeys, KnownHosts, Session};
use libtest_mimic::Trial;
use testbed::Lab;

use crate::support::{Verdict, crowd, endpoint, plenty, seconds, sshd};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        crowd("two_hundred_hosts_at_once_and_a_few_dead_among_them", two_hundred),
        crowd("sixty_hosts_behind_one_bastion_share_a_few_logins", behind_a_bastion),
    ]
}

/// One host that answers at many addresses, each an endpoint of its own.
pub(crate) fn addresses(net: &str, count: u8) -> String {
    (1..=count).fold(String::new(), |text, n| text + &format!("addr add {net}.{n}/32 dev eth0\n"))
}

async fn two_hundred() -> Verdict {
    let host = Lab::shared()?.host("fan-many")?;
    let batch = addresses("10.91.0", 200);
    host.command_within(&["ip", "-batch", "-"], batch.as_bytes(), Duration::from_secs(60))?.ok()?;
    assert!(Command::new("ip").args(["route", "add", "10.91.0.0/24", "dev", "br0"]).status()?.success());
    host.sh("nft add table inet t; nft 'add chain inet t i { type filter hook input priority 0; }'; nft add rule inet t i ip daddr 10.91.0.191-10.91.0.200 drop")?.ok()?;
    let _server = sshd(&host, 2222, &["MaxStartups=1000"])?;
    let mut known = KnownHosts::default();
    known.add("lines", &format!("[10.91.0.*]:2222 {}", host.host_key()?));
    let host_keys = HostKeys { known: Arc::new(known), alias: None, host: None };
    // A plain shell, so that what is measured is not root's start-up files.
    host.add_user("ops", false)?;
    let base = Endpoint { port: 2222, user: "ops".into(), host_keys, ..endpoint(&host)? };
    let all = (1..=200).map(|n| {
        let endpoint = Endpoint { address: format!("10.91.0.{n}"), ..base.clone() };
        async move {
            let session = Session::connect(&endpoint, seconds(45)).await?;
            let out = session.exec("echo $SSH_CONNECTION", Vec::new(), plenty()).await?;
            Ok::<_, breakglass::link::ssh::SshError>((String::from_utf8_lossy(&out.stdout).into_owned(), session))
        }
    });
    let results = futures::future::join_all(all).await;
    for (n, result) in (1..).zip(&results) {
        match result {
            Ok((text, _)) => {
                assert!(text.contains(&format!(" 10.91.0.{n} 2222")), "{n}: {text}");
            }
            Err(error) => assert!(n > 190 && matches!(*error.fault, Fault::NotReached(_)), "{n}: {error}"),
        }
    }
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 190);
    Ok(())
}

async fn behind_a_bastion() -> Verdict {
    let hosts = Lab::shared()?.hosts(["fan-bastion", "fan-inner"])?;
    let [bastion, inner] = &hosts[..] else { return Err("two hosts".into()) };
    let batch = addresses("10.92.0", 70);
    inner.command_within(&["ip", "-batch", "-"], batch.as_bytes(), Duration::from_secs(60))?.ok()?;
    bastion.command(&["ip", "route", "add", "10.92.0.0/24", "dev", "eth0"])?.ok()?;
    // Packets to these vanish, so that the bastion's server waits for minutes.
    inner.sh("nft add table inet t; nft 'add chain inet t i { type filter hook input priority 0; }'; nft add rule inet t i ip daddr 10.92.0.61-10.92.0.70 drop")?.ok()?;
    let _server = sshd(bastion, 2222, &["MaxStartups=5:100:5", "MaxSessions=1"])?;
    let mut known = KnownHosts::default();
    known.add("lines", &format!("10.92.0.* {}", inner.host_key()?));
    let base = Endpoint { host_keys: HostKeys { known: Arc::new(known), alias: None, host: None }, ..endpoint(inner)? };
    // Each host has its own copy of what vouches for the bastion, as in a kit.
    let ways = (0..70).map(|_| Ok(vec![Endpoint { port: 2222, ..endpoint(bastion)? }]));
    let ways = ways.collect::<Result<Vec<_>, libtest_mimic::Failed>>()?;
    // The dead ones come first, where they do the most harm.
    let all = (1..=70).rev().zip(ways).map(|(n, jumps)| {
        let endpoint = Endpoint { address: format!("10.92.0.{n}"), jumps, ..base.clone() };
        async move {
            let session = Session::connect(&endpoint, seconds(40)).await?;
            let out = session.exec("echo $SSH_CONNECTION", Vec::new(), plenty()).await?;
            assert!(String::from_utf8_lossy(&out.stdout).contains(&format!(" 10.92.0.{n} 22")));
            Ok::<_, breakglass::link::ssh::SshError>(session)
        }
    });
    let results = futures::future::join_all(all).await;
    let errors: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).map(ToString::to_string).collect();
    assert_eq!(errors.len(), 10, "{errors:#?}");
    let logins = bastion.processes_named("sshd")?.len();
    assert!(logins < 60, "{logins} server processes on the bastion");
    Ok(())
}
