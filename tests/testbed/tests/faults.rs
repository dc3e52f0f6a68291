//! Faults: each breaks what it says, in the way it says, and is mended when its guard is dropped.

use std::{
    io::Read,
    net::{TcpStream, UdpSocket},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use testbed::{Fault, Host, Lab, Probe, test};

const SHORT: Duration = Duration::from_secs(1);
/// Longer than a busy machine keeps anything waiting.
const LATE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    testbed::main(vec![
        test("link_down_loses_every_packet", link_down),
        test("loss_loses_its_share_of_packets_both_ways", loss),
        test("a_slow_link_takes_its_time", slow_link),
        test("a_silent_ssh_port_accepts_and_says_nothing", silent),
        test("sshd_at_its_startup_limit_drops_before_the_banner", max_startups),
        test("sshd_that_trickles_sends_byte_by_byte", trickle),
        test("a_stopped_program_keeps_its_sockets_and_goes_on_later", stopped),
        test("a_killed_program_is_gone", killed),
        test("a_read_only_host_refuses_writes_everywhere", read_only),
        test("a_full_disk_refuses_the_next_byte", disk_full),
        test("without_nft_there_is_no_nft_for_anybody", no_nft),
        test("legacy_only_is_iptables_legacy", legacy_only),
        test("a_fault_that_cannot_be_injected_says_why", impossible),
    ])
}

/// A script over a fresh ssh connection.
fn ssh(host: &Host, options: &[&str], script: &str) -> Result<String> {
    Lab::shared()?.ssh(&[options, &[host.name(), script]].concat())?.ok()
}

fn link_down() -> Result<()> {
    let lab = Lab::shared()?;
    let host = lab.host("down")?;
    let fault = Fault::LinkDown.inject(&host)?;
    for address in [std::net::IpAddr::from(host.ip4()), host.ip6().into()] {
        let probe = lab.probe(address, 22, SHORT)?;
        assert!(matches!(probe, Probe::Timeout | Probe::Unreachable), "{address} answered {probe:?}");
    }
    let said = ssh(&host, &["-o", "ConnectTimeout=2"], "true").expect_err("ssh went over a cut wire").to_string();
    // The second is said at once where the kernel has just asked in vain who has the address.
    assert!(said.contains("timed out") || said.contains("No route"), "{said}");
    fault.mend()?;
    assert_eq!(ssh(&host, &[], "hostname")?, "down");
    // The operator may still remember that nobody was there.
    let started = Instant::now();
    while lab.probe(host.ip6(), 22, SHORT)? != Probe::Open {
        assert!(started.elapsed() < LATE, "no IPv6 over the mended wire");
    }
    Ok(())
}

fn loss() -> Result<()> {
    let host = Lab::shared()?.host("lossy")?;
    let echo = host.in_network(|| Ok(UdpSocket::bind("0.0.0.0:7")?))?;
    std::thread::spawn(move || {
        let mut packet = [0; 4];
        while let Ok((_, from)) = echo.recv_from(&mut packet) {
            let _ = echo.send_to(&packet, from);
        }
    });
    let received = |within: Duration| -> Result<usize> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect((host.ip4(), 7))?;
        socket.set_read_timeout(Some(within))?;
        Ok((0..200u32).filter(|n| socket.send(&n.to_be_bytes()).and_then(|_| socket.recv(&mut [0; 4])).is_ok()).count())
    };
    // None is lost, however late.
    assert_eq!(received(LATE)?, 200);
    let fault = Fault::Loss { percent: 30 }.inject(&host)?;
    // 0.7 x 0.7 of 200 come back: 98, and in all but one of 10,000 runs between 70 and 126.
    let back = received(Duration::from_millis(100))?;
    assert!((70..=126).contains(&back), "{back} of 200 came back");
    fault.mend()?;
    assert_eq!(received(LATE)?, 200);
    Ok(())
}

fn slow_link() -> Result<()> {
    let host = Lab::shared()?.host("slow")?;
    let hundred_kilobytes = || -> Result<Duration> {
        let started = Instant::now();
        let said = ssh(&host, &[], "head -c 100000 /dev/urandom | base64 -w0")?;
        assert_eq!(said.len(), 133_336);
        Ok(started.elapsed())
    };
    let quick = hundred_kilobytes()?;
    let fault = Fault::SlowLink { kbit: 512 }.inject(&host)?;
    let slow = hundred_kilobytes()?;
    // 133 kB at 64 kB/s.
    assert!(slow > Duration::from_secs(2), "{slow:?} on the slow link, {quick:?} before");
    fault.mend()?;
    assert!(hundred_kilobytes()? < slow);
    Ok(())
}

fn silent() -> Result<()> {
    let lab = Lab::shared()?;
    let host = lab.host("silent")?;
    let fault = Fault::SilentSsh.inject(&host)?;
    assert_eq!(lab.probe(host.ip4(), 22, SHORT)?, Probe::Open);
    let mut client = TcpStream::connect((host.ip6(), 22))?;
    client.set_read_timeout(Some(SHORT))?;
    let error = client.read(&mut [0; 1]).expect_err("the silent port said something or hung up");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    let said = ssh(&host, &["-o", "ConnectTimeout=2"], "true").expect_err("somebody answered").to_string();
    assert!(said.contains("timed out during banner exchange"), "{said}");
    fault.mend()?;
    assert_eq!(ssh(&host, &[], "hostname")?, "silent");
    Ok(())
}

fn max_startups() -> Result<()> {
    let host = Lab::shared()?.host("crowded")?;
    let fault = Fault::MaxStartups { percent: 100 }.inject(&host)?;
    for _ in 0..3 {
        let said = ssh(&host, &[], "true").expect_err("sshd let somebody in over its limit").to_string();
        assert!(said.contains("kex_exchange_identification"), "{said}");
    }
    fault.mend()?;
    assert_eq!(ssh(&host, &[], "hostname")?, "crowded");
    let _some = Fault::MaxStartups { percent: 50 }.inject(&host)?;
    let let_in = (0..24).filter(|_| ssh(&host, &[], "true").is_ok()).count();
    assert!((3..=21).contains(&let_in), "{let_in} of 24 were let in at 50 percent");
    Ok(())
}

fn trickle() -> Result<()> {
    let host = Lab::shared()?.host("trickling")?;
    let fault = Fault::TrickleSsh { pause: SHORT }.inject(&host)?;
    let mut client = TcpStream::connect((host.ip4(), 22))?;
    let started = Instant::now();
    let mut three = [0; 3];
    client.read_exact(&mut three)?;
    assert_eq!(&three, b"SSH");
    let took = started.elapsed();
    assert!((Duration::from_millis(1900)..LATE).contains(&took), "three bytes took {took:?}");
    let said = ssh(&host, &["-o", "ConnectTimeout=3"], "true").expect_err("the whole exchange came in 3 s").to_string();
    assert!(said.contains("timed out"), "{said}");
    fault.mend()?;
    assert_eq!(ssh(&host, &[], "hostname")?, "trickling");
    // It is the real server behind the trickle: with a short pause one gets in.
    let _quicker = Fault::TrickleSsh { pause: Duration::from_micros(50) }.inject(&host)?;
    assert_eq!(ssh(&host, &["-o", "ConnectTimeout=30"], "hostname")?, "trickling");
    Ok(())
}

fn stopped() -> Result<()> {
    let lab = Lab::shared()?;
    let host = lab.host("stopped")?;
    let fault = Fault::Stopped { program: "sshd".to_owned() }.inject(&host)?;
    assert!(host.processes_named("sshd")?.iter().any(|process| process.state == 'T'));
    assert_eq!(lab.probe(host.ip4(), 22, SHORT)?, Probe::Open);
    ssh(&host, &["-o", "ConnectTimeout=2"], "true").expect_err("a stopped sshd answered");
    fault.mend()?;
    assert_eq!(ssh(&host, &[], "hostname")?, "stopped");
    Ok(())
}

fn killed() -> Result<()> {
    let lab = Lab::shared()?;
    let host = lab.host("killed")?;
    Fault::Killed { program: "sshd".to_owned() }.inject(&host)?.mend()?;
    let started = Instant::now();
    while lab.probe(host.ip4(), 22, SHORT)? != Probe::Refused {
        assert!(started.elapsed() < LATE, "a killed sshd still listens");
    }
    host.start_sshd(&[])?;
    assert_eq!(ssh(&host, &[], "hostname")?, "killed");
    Ok(())
}

/// What a host says to a write in each place.
fn write_to(host: &Host, folder: &str) -> Result<String> {
    let said = host.sh(&format!("head -c 9000 /dev/zero >{folder}/written && rm {folder}/written"))?;
    Ok(if said.success() { "written".to_owned() } else { said.stderr })
}

const PLACES: [&str; 7] =
    ["/etc", "/etc/kubernetes", "/tmp", "/var/lib", "/root", "/usr/local/bin", "/etc/kubernetes/manifests"];

fn broken_disk(name: &str, fault: &Fault, words: &str) -> Result<()> {
    let host = Lab::shared()?.host(name)?;
    host.sh("mkdir /etc/kubernetes/manifests; echo old >/etc/kubernetes/manifests/a.yaml")?.ok()?;
    let before = host.snapshot()?;
    let fault = fault.inject(&host)?;
    for place in PLACES.into_iter().chain([&*host.dir().to_string_lossy()]) {
        let said = write_to(&host, place)?;
        assert!(said.contains(words), "{place}: {said}");
    }
    // Reading and logging in go on.
    assert_eq!(ssh(&host, &[], "cat /etc/kubernetes/manifests/a.yaml")?, "old");
    fault.mend()?;
    host.sh("rm -f /etc/written /tmp/written /var/lib/written /root/written /usr/local/bin/written")?.ok()?;
    host.sh("rm -f /etc/kubernetes/written /etc/kubernetes/manifests/written")?.ok()?;
    before.changes_until(&host.snapshot()?).expect_none()?;
    for place in PLACES {
        assert_eq!(write_to(&host, place)?, "written", "{place}");
    }
    Ok(())
}

fn read_only() -> Result<()> {
    broken_disk("read-only", &Fault::ReadOnly, "Read-only file system")
}

fn disk_full() -> Result<()> {
    broken_disk("full", &Fault::DiskFull, "No space left on device")
}

fn no_nft() -> Result<()> {
    let host = Lab::shared()?.host("no-nft")?;
    let fault = Fault::NoNft.inject(&host)?;
    let said = ssh(&host, &[], "command -v nft; nft list ruleset").expect_err("there is an nft").to_string();
    assert!(said.contains("not found"), "{said}");
    host.sh("iptables-nft -A INPUT -p tcp --dport 9 -j DROP")?.ok()?;
    assert!(Path::new("/usr/sbin/nft").exists(), "the operator lost nft");
    fault.mend()?;
    host.sh("nft list ruleset | grep -q 'dport 9'")?.ok()?;
    Ok(())
}

fn legacy_only() -> Result<()> {
    let host = Lab::shared()?.host("legacy")?;
    let version = |tool: &str| host.sh(&format!("{tool} --version"))?.ok();
    assert!(version("iptables")?.contains("nf_tables"));
    let fault = Fault::LegacyOnly.inject(&host)?;
    for tool in ["iptables", "ip6tables", "iptables-save", "ip6tables-restore"] {
        assert!(version(tool)?.contains("legacy"), "{tool}");
    }
    for tool in ["nft", "iptables-nft", "ip6tables-nft-save"] {
        assert!(!host.sh(&format!("command -v {tool}"))?.success(), "there is {tool}");
    }
    host.sh("iptables -A INPUT -p tcp --dport 9 -j DROP")?.ok()?;
    fault.mend()?;
    assert!(version("iptables")?.contains("nf_tables"));
    host.sh("iptables-legacy -S INPUT | grep -q 'dport 9'")?.ok()?;
    Ok(())
}

fn impossible() -> Result<()> {
    let host = Lab::shared()?.host("whole")?;
    for (fault, words) in [
        (Fault::Stopped { program: "kubelet".to_owned() }, "no process of `kubelet` runs there"),
        (Fault::Loss { percent: 101 }, "101 percent of the packets cannot be lost"),
        (Fault::MaxStartups { percent: 0 }, "sshd drops 1 to 100 percent, not 0"),
    ] {
        let Err(error) = fault.inject(&host) else { bail!("{fault:?} was injected") };
        assert!(format!("{error:#}").contains(words), "{error:#}");
        assert_eq!(ssh(&host, &[], "hostname")?, "whole");
    }
    Ok(())
}
