//! Tunnels, and jump hosts, which are tunnels with a session in them.

use std::time::Duration;

use breakglass::link::ssh::{Fault, Session};
use libtest_mimic::{Failed, Trial};
use testbed::{Host, Lab};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Verdict, crowd, endpoint, noise, plenty, session, trial};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("a_tunnel_carries_both_directions_to_their_ends", both_directions),
        trial("twenty_dials_at_once_each_get_their_own_stream", twenty),
        trial("a_tunnel_to_a_port_where_nobody_listens_says_so", nobody),
        crowd("a_slow_reader_does_not_hold_up_the_others", slow_reader),
        trial("two_jump_hosts_lead_to_a_third", two_jumps),
    ]
}

/// A server on the host's loopback that sends everything back, one process for each connection.
fn echo_server(host: &Host, port: u16) -> Result<testbed::Running, Failed> {
    let program = format!(
        "import socketserver\nclass E(socketserver.BaseRequestHandler):\n def handle(self):\n  while True:\n   d=self.request.recv(65536)\n   if not d: break\n   self.request.sendall(d)\n\
         class S(socketserver.ThreadingTCPServer):\n allow_reuse_address=True\n request_queue_size=4\nS(('127.0.0.1',{port}),E).serve_forever()\n"
    );
    let running = host.spawn(&["python3", "-c", &program])?;
    host.wait_for_port(port, Duration::from_secs(60))?;
    Ok(running)
}

async fn echo(session: &Session, length: usize) -> Verdict {
    let stream = session.dial("127.0.0.1", 7000, plenty()).await?;
    let input = noise(length);
    let (mut read, mut write) = stream.into_split();
    let copy = input.clone();
    let sender = tokio::spawn(async move {
        write.write_all(&copy).await?;
        write.shutdown().await
    });
    let mut output = Vec::new();
    tokio::time::timeout(Duration::from_secs(60), read.read_to_end(&mut output)).await??;
    sender.await??;
    assert!(output == input, "{} of {length} bytes came back", output.len());
    Ok(())
}

async fn both_directions() -> Verdict {
    let (host, session) = session("tun-both").await?;
    let _server = echo_server(&host, 7000)?;
    for length in [0, 1, 100_000, 20 << 20] {
        echo(&session, length).await?;
    }
    // A tunnel outlives the handle of its session.
    let mut stream = session.dial("127.0.0.1", 7000, plenty()).await?;
    drop(session);
    stream.write_all(b"ping").await?;
    let mut answer = [0; 4];
    tokio::time::timeout(Duration::from_secs(60), stream.read_exact(&mut answer)).await??;
    assert_eq!(&answer, b"ping");
    Ok(())
}

async fn twenty() -> Verdict {
    let (host, session) = session("tun-twenty").await?;
    let _server = echo_server(&host, 7000)?;
    let all = (0..20).map(|n| {
        let session = session.clone();
        async move { echo(&session, 50_000 * (n + 1)).await }
    });
    for verdict in futures::future::join_all(all).await {
        verdict?;
    }
    Ok(())
}

async fn nobody() -> Verdict {
    let (_host, session) = session("tun-nobody").await?;
    let error = session.dial("127.0.0.1", 7001, plenty()).await.expect_err("nobody listens");
    assert!(matches!(&*error.fault, Fault::TunnelRefused { to, .. } if to == "127.0.0.1:7001"), "{error}");
    assert!(error.nobody_listens() && !error.forbidden() && error.hint().contains("ss -ltn"), "{error}");
    assert!(session.exec("true", Vec::new(), plenty()).await?.success());
    Ok(())
}

async fn slow_reader() -> Verdict {
    let (host, session) = session("tun-slow").await?;
    let _server = echo_server(&host, 7000)?;
    let mut stuck = session.dial("127.0.0.1", 7000, plenty()).await?;
    // Written until everything on the way is full, and never read.
    let block = noise(1 << 20);
    while tokio::time::timeout(Duration::from_millis(500), stuck.write_all(&block)).await.is_ok() {}
    echo(&session, 3 << 20).await?;
    assert!(session.exec("true", Vec::new(), plenty()).await?.success());
    let before = cpu()?;
    let idle = session.exec("sleep 1", Vec::new(), plenty()).await?;
    assert!(idle.success());
    let spent = cpu()?.saturating_sub(before);
    assert!(spent < Duration::from_millis(600), "a stuck tunnel cost {spent:?} of CPU time in a second");
    Ok(())
}

fn cpu() -> Result<Duration, Failed> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}

async fn two_jumps() -> Verdict {
    let hosts = Lab::shared()?.hosts(["jump-a", "jump-b", "jump-c"])?;
    let [a, b, c] = &hosts[..] else { return Err("three hosts".into()) };
    // Only the one before it may reach each of them.
    for (host, from) in [(b, a), (c, b)] {
        host.sh(&format!("nft add table inet t; nft 'add chain inet t i {{ type filter hook input priority 0; }}'; nft add rule inet t i tcp dport 22 ip saddr != {} drop", from.ip4()))?.ok()?;
    }
    let mut target = endpoint(c)?;
    target.jumps = vec![endpoint(a)?, endpoint(b)?];
    let session = Session::connect(&target, plenty()).await?;
    let out = session.exec("hostname; echo $SSH_CONNECTION", Vec::new(), plenty()).await?;
    let text = String::from_utf8(out.stdout)?;
    assert!(text.starts_with(&format!("jump-c\n{} ", b.ip4())), "{text}");
    let input = noise(5 << 20);
    let out = session.exec("cat", input.clone(), plenty()).await?;
    assert!(out.stdout == input);
    Ok(())
}
