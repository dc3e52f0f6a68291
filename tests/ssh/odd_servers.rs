//! Servers that are dead, silent, slow, full or no SSH servers at all: every wait ends, and the error says which it was.

use std::time::{Duration, Instant};

use breakglass::link::ssh::{Endpoint, Fault, HostKeys, Reach, Session, Stage};
use libtest_mimic::{Failed, Trial};
use testbed::{Host, Lab};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Verdict, endpoint, plenty, refused, seconds, sshd, trial, unexpected};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("a_host_that_drops_packets_and_one_that_refuses_are_told_apart", dead),
        trial("a_server_that_accepts_and_says_nothing_costs_only_the_deadline", silent),
        trial("a_byte_a_second_does_not_stretch_the_deadline", drip),
        trial("a_server_that_is_not_ssh_is_named_as_such", not_ssh),
        trial("a_full_server_is_tried_again_and_then_named", max_startups),
        trial("many_logins_to_a_server_with_few_places_all_get_in", few_places),
        trial("a_name_is_not_looked_up_while_connecting", no_lookup),
        trial("a_jump_host_that_does_not_get_further_is_named", jump_to_nowhere),
    ]
}

/// An endpoint at a listener of the test's own.
fn local(listener: &TcpListener) -> Result<Endpoint, Failed> {
    let address = listener.local_addr()?;
    Ok(Endpoint {
        name: "local".into(),
        address: address.ip().to_string(),
        port: address.port(),
        user: "root".into(),
        identities: Vec::new(),
        identities_only: true,
        certificates: Vec::new(),
        agent: None,
        host_keys: HostKeys::default(),
        jumps: Vec::new(),
        sudo: false,
    })
}

async fn dead() -> Verdict {
    let host = Lab::shared()?.host("odd-dead")?;
    let base = endpoint(&host)?;
    let error = refused(&Endpoint { port: 2299, ..base.clone() }, plenty()).await?;
    assert!(matches!(*error.fault, Fault::NotReached(Reach::Refused)), "{error}");
    host.sh("nft add table inet t; nft 'add chain inet t i { type filter hook input priority 0; policy drop; }'")?
        .ok()?;
    let started = Instant::now();
    let error = refused(&base, Instant::now() + Duration::from_millis(700)).await?;
    assert!(matches!(*error.fault, Fault::NotReached(Reach::TimedOut)), "{error}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    let error = refused(&Endpoint { address: "192.0.2.1".into(), ..base }, plenty()).await?;
    assert!(matches!(*error.fault, Fault::NotReached(Reach::Unreachable(_))), "{error}");
    Ok(())
}

async fn silent() -> Verdict {
    Lab::shared()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let started = Instant::now();
    let error = refused(&local(&listener)?, Instant::now() + Duration::from_millis(700)).await?;
    assert!(matches!(*error.fault, Fault::Timeout { stage: Stage::Handshake, sent: false }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    Ok(())
}

async fn drip() -> Verdict {
    Lab::shared()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = local(&listener)?;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        // After the greeting the start of a packet that would take minutes.
        for byte in b"SSH-2.0-slow\r\n\0\0\x05\0".iter().chain(std::iter::repeat(&0)) {
            stream.write_all(&[*byte]).await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok::<_, std::io::Error>(())
    });
    let started = Instant::now();
    let error = refused(&endpoint, seconds(2)).await?;
    assert!(matches!(*error.fault, Fault::Timeout { stage: Stage::Handshake, sent: false }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    server.abort();
    Ok(())
}

async fn not_ssh() -> Verdict {
    Lab::shared()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = local(&listener)?;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        stream.write_all(b"SSH-2.0-odd\r\nHTTP/1.1 400 Bad Request\r\n\r\nand so on and so on and so on").await?;
        stream.shutdown().await
    });
    let error = refused(&endpoint, plenty()).await?;
    assert!(matches!(*error.fault, Fault::Handshake(_)) && error.attempts == 1, "{error}");
    server.await??;
    Ok(())
}

async fn max_startups() -> Verdict {
    let host = Lab::shared()?.host("odd-full")?;
    let _server = sshd(&host, 2222, &["MaxStartups=1:100:1"])?;
    let full = Endpoint { port: 2222, ..endpoint(&host)? };
    let holder = holder(&host).await?;
    let error = refused(&full, seconds(3)).await?;
    assert!(matches!(&*error.fault, Fault::Handshake(why) if why.contains("MaxStartups")), "{error}");
    assert!(error.attempts > 2 && error.to_string().contains(&format!("{} attempts", error.attempts)), "{error}");
    // The place becomes free while we are at it.
    let connecting = tokio::spawn(async move { Session::connect(&full, plenty()).await });
    tokio::time::sleep(Duration::from_millis(400)).await;
    drop(holder);
    connecting.await??;
    Ok(())
}

/// Takes the only place; another connection that is just ending may still have it.
async fn holder(host: &Host) -> Result<TcpStream, Failed> {
    loop {
        let mut stream = TcpStream::connect((host.ip4(), 2222)).await?;
        let mut greeting = [0; 4];
        if stream.read_exact(&mut greeting).await.is_ok() && &greeting == b"SSH-" {
            return Ok(stream);
        }
    }
}

async fn few_places() -> Verdict {
    let host = Lab::shared()?.host("odd-few")?;
    let _server = sshd(&host, 2222, &["MaxStartups=2:100:2"])?;
    let few = Endpoint { port: 2222, ..endpoint(&host)? };
    let all = (0..16).map(|_| async { Session::connect(&few, plenty()).await });
    let sessions = futures::future::try_join_all(all).await?;
    assert_eq!(sessions.len(), 16);
    Ok(())
}

async fn no_lookup() -> Verdict {
    let host = Lab::shared()?.host("odd-name")?;
    let error = refused(&Endpoint { address: "localhost".into(), ..endpoint(&host)? }, plenty()).await?;
    assert!(error.to_string().contains("not looked up"), "{error}");
    Ok(())
}

async fn jump_to_nowhere() -> Verdict {
    let hosts = Lab::shared()?.hosts(["odd-hop", "odd-behind"])?;
    let [hop, behind] = &hosts[..] else { return Err("two hosts".into()) };
    let through = Endpoint { jumps: vec![endpoint(hop)?], ..endpoint(behind)? };
    let error = refused(&Endpoint { port: 2299, ..through.clone() }, plenty()).await?;
    match &*error.fault {
        Fault::NotReached(Reach::Unreachable(why)) => assert!(why.contains("odd-hop"), "{error}"),
        other => return Err(unexpected(other)),
    }
    assert!(error.target.contains("odd-behind") && error.hint().contains("-J root@"), "{error} / {}", error.hint());
    let lost = Endpoint { user: "nobody-here".into(), ..endpoint(hop)? };
    let error = refused(&Endpoint { jumps: vec![lost], ..through }, plenty()).await?;
    assert!(error.target.contains("odd-hop") && matches!(*error.fault, Fault::Auth { .. }), "{error}");
    Ok(())
}
