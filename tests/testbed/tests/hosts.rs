//! Hosts: each is a machine of its own, OpenSSH on it is the real one, and what the lab says of it is what happened there.

use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use testbed::{Host, Lab, OPERATOR_IP4, OPERATOR_IP6, Probe, test};

const SHORT: Duration = Duration::from_secs(2);
/// Longer than a busy machine keeps anything waiting.
const LATE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    testbed::main(vec![
        test("a_host_has_its_own_name_processes_and_files", own_name_processes_and_files),
        test("hosts_reach_each_other_and_nothing_else", reach_each_other_and_nothing_else),
        test("ssh_is_openssh_with_a_host_key_per_host", ssh_is_openssh),
        test("ssh_lets_in_the_identity_and_the_certificate_but_no_stranger", ssh_lets_in),
        test("ssh_goes_through_a_jump_host_and_by_hashed_names", ssh_jumps),
        test("a_user_with_sudo_becomes_root_and_one_without_does_not", users),
        test("each_flavour_of_firewall_really_filters", firewalls),
        test("a_snapshot_shows_every_changed_byte_and_rule", snapshots),
        test("sockets_and_connections_are_those_of_the_host", sockets),
        test("a_command_that_does_not_end_is_killed_with_its_children", limits),
        test("a_dropped_host_is_gone", dropped),
        test("two_hundred_hosts_come_up_and_let_in", two_hundred),
    ])
}

fn ssh(config: &Path, words: &[&str]) -> Result<String> {
    let output = Command::new("ssh").arg("-F").arg(config).args(words).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if !output.status.success() {
        bail!("ssh {words:?}: {}: {}", output.status, text(&output.stderr));
    }
    Ok(text(&output.stdout))
}

fn pair(prefix: &str) -> Result<[Host; 2]> {
    let hosts = Lab::shared()?.hosts([format!("{prefix}-a"), format!("{prefix}-b")])?;
    hosts.try_into().map_err(|_| anyhow::anyhow!("two hosts were asked for"))
}

fn own_name_processes_and_files() -> Result<()> {
    let [a, b] = pair("own")?;
    assert_eq!(a.command(&["hostname"])?.ok()?, "own-a");
    a.sh("echo secret >/etc/kubernetes/only-on-a; echo a >/etc/only-on-a; echo a >/tmp/only-on-a; echo a >/run/x")?
        .ok()?;
    assert_eq!(std::fs::read_to_string(a.etc_kubernetes().join("only-on-a"))?, "secret\n");
    for path in ["/etc/kubernetes/only-on-a", "/etc/only-on-a", "/tmp/only-on-a", "/run/x"] {
        assert!(!b.command(&["test", "-e", path])?.success(), "{path} leaked to the other host");
        assert!(!Path::new(path).exists(), "{path} leaked to the operator");
    }
    let seen_from_b = b.sh("ps -e -o args=")?.ok()?;
    assert_eq!(seen_from_b.lines().filter(|line| line.contains("[listener]")).count(), 1, "{seen_from_b}");
    assert!(!b.processes_named("sshd")?.is_empty());
    assert_eq!(b.processes()?.iter().filter(|process| process.pid_on_host == 1).count(), 1);
    Ok(())
}

fn reach_each_other_and_nothing_else() -> Result<()> {
    let lab = Lab::shared()?;
    let [a, b] = pair("reach")?;
    assert_eq!(a.probe(b.ip4(), 22, SHORT)?, Probe::Open);
    assert_eq!(a.probe(b.ip6(), 22, SHORT)?, Probe::Open);
    assert_eq!(lab.probe(b.ip6(), 22, SHORT)?, Probe::Open);
    assert_eq!(a.probe(b.ip4(), 6443, SHORT)?, Probe::Refused);
    assert_eq!(a.probe(OPERATOR_IP4, 22, SHORT)?, Probe::Refused);
    assert_eq!(a.probe(OPERATOR_IP6, 22, SHORT)?, Probe::Refused);
    for outside in ["192.0.2.1", "8.8.8.8", "2001:db8::1"] {
        let outside: std::net::IpAddr = outside.parse()?;
        let error = lab.probe(outside, 443, SHORT).expect_err("there is a way out").to_string();
        assert!(error.contains("unreachable"), "{error}");
        a.probe(outside, 443, SHORT).expect_err("there is a way out from a host");
    }
    Ok(())
}

fn ssh_is_openssh() -> Result<()> {
    let lab = Lab::shared()?;
    let [a, b] = pair("ssh")?;
    assert_eq!(ssh(lab.ssh_config(), &["ssh-a", "hostname"])?, "ssh-a");
    assert_eq!(ssh(lab.ssh_config(), &[&b.ip6().to_string(), "hostname"])?, "ssh-b");
    assert_ne!(a.host_key()?, b.host_key()?);
    let mut banner = [0; 16];
    TcpStream::connect((a.ip4(), 22))?.read_exact(&mut banner)?;
    assert_eq!(&banner, b"SSH-2.0-OpenSSH_");
    // A known host whose key has changed is refused.
    let wrong = lab.folder("wrong")?.join("known_hosts");
    std::fs::write(&wrong, format!("ssh-a {}\n{} {}\n", b.host_key()?, a.ip4(), b.host_key()?))?;
    let option = format!("UserKnownHostsFile={}", wrong.display());
    let refused =
        ssh(lab.ssh_config(), &["-o", &option, "ssh-a", "true"]).expect_err("a changed host key was accepted");
    assert!(format!("{refused:?}").contains("REMOTE HOST IDENTIFICATION HAS CHANGED"), "{refused:?}");
    Ok(())
}

fn ssh_lets_in() -> Result<()> {
    let lab = Lab::shared()?;
    let host = lab.host("keys")?;
    let known = format!("UserKnownHostsFile={}", lab.known_hosts().display());
    let with = |key: &Path| {
        let (key, to) = (key.display().to_string(), format!("root@{}", host.ip4()));
        let options = ["-i", &key, "-o", &known, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", &to, "hostname"];
        ssh(Path::new("/dev/null"), &options)
    };
    assert_eq!(with(lab.identity().key())?, "keys");
    assert_eq!(with(lab.certified_identity().key())?, "keys");
    let refused = with(lab.stranger().key()).expect_err("a stranger was let in");
    assert!(format!("{refused:?}").contains("Permission denied (publickey)"), "{refused:?}");
    // The certificate is what lets the second key in.
    let bare = lab.folder("bare")?.join("certified");
    std::fs::copy(lab.certified_identity().key(), &bare)?;
    with(&bare).expect_err("the key was let in without its certificate");
    Ok(())
}

fn ssh_jumps() -> Result<()> {
    let lab = Lab::shared()?;
    let [a, b] = pair("jump")?;
    // Only the jump host may reach the other one.
    let rule = format!("add rule inet t i ip saddr {OPERATOR_IP4} tcp dport 22 reject with tcp reset");
    b.sh(&format!("nft 'add table inet t; add chain inet t i {{ type filter hook input priority 0; }}; {rule}'"))?
        .ok()?;
    assert_eq!(lab.probe(b.ip4(), 22, SHORT)?, Probe::Refused);
    assert_eq!(ssh(&lab.ssh_config_through(&a)?, &["jump-b", "hostname"])?, "jump-b");
    let hashed = lab.hashed_known_hosts()?;
    assert!(!std::fs::read_to_string(&hashed)?.contains("jump-a"));
    let option = format!("UserKnownHostsFile={}", hashed.display());
    assert_eq!(ssh(lab.ssh_config(), &["-o", &option, "jump-a", "hostname"])?, "jump-a");
    Ok(())
}

fn users() -> Result<()> {
    let lab = Lab::shared()?;
    let host = lab.host("users")?;
    host.add_user("oncall", true)?;
    host.add_user("guest", false)?;
    assert_eq!(ssh(lab.ssh_config(), &["-l", "oncall", "users", "id -un; sudo -n id -un"])?, "oncall\nroot");
    assert_eq!(ssh(lab.ssh_config(), &["-l", "guest", "users", "id -un"])?, "guest");
    ssh(lab.ssh_config(), &["-l", "guest", "users", "sudo -n true"]).expect_err("guest became root");
    ssh(lab.ssh_config(), &["-l", "oncall", "users", "cat /etc/shadow"]).expect_err("oncall is root already");
    Ok(())
}

fn firewalls() -> Result<()> {
    let lab = Lab::shared()?;
    let host = lab.host("filters")?;
    // One for all: a process that another test starts at the moment has it for a while after it is closed here.
    let _listener = host.in_network(|| Ok(TcpListener::bind("[::]:6443")?))?;
    for (add, remove) in [
        (
            "nft 'add table inet t; add chain inet t i { type filter hook input priority 0; }; \
             add rule inet t i tcp dport 6443 reject with tcp reset'",
            "nft delete table inet t",
        ),
        (
            "for t in iptables-nft ip6tables-nft; do $t -A INPUT -p tcp --dport 6443 -j REJECT --reject-with tcp-reset; done",
            "for t in iptables-nft ip6tables-nft; do $t -F INPUT; done",
        ),
        (
            "for t in iptables-legacy ip6tables-legacy; do $t -A INPUT -p tcp --dport 6443 -j DROP; done",
            "for t in iptables-legacy ip6tables-legacy; do $t -F INPUT; done",
        ),
        (
            "ipset create bad hash:net family inet; ipset add bad 10.90.0.0/16; ipset create bad6 hash:net family inet6; \
             ipset add bad6 fd90::/64; iptables-legacy -A INPUT -p tcp --dport 6443 -m set --match-set bad src -j DROP; \
             ip6tables-legacy -A INPUT -p tcp --dport 6443 -m set --match-set bad6 src -j DROP",
            "iptables-legacy -F INPUT; ip6tables-legacy -F INPUT; ipset destroy bad; ipset destroy bad6",
        ),
    ] {
        let both = || -> Result<_> { Ok([lab.probe(host.ip4(), 6443, SHORT)?, lab.probe(host.ip6(), 6443, SHORT)?]) };
        assert_eq!(both()?, [Probe::Open; 2], "before `{add}`");
        host.sh(add)?.ok()?;
        let blocked = if add.contains("DROP") { Probe::Timeout } else { Probe::Refused };
        assert_eq!(both()?, [blocked; 2], "after `{add}`");
        host.sh(remove)?.ok()?;
        assert_eq!(both()?, [Probe::Open; 2], "after `{remove}`");
    }
    Ok(())
}

fn snapshots() -> Result<()> {
    let lab = Lab::shared()?;
    let host = lab.host("snap")?;
    host.sh("iptables-nft -A INPUT -p tcp --dport 9 -j DROP; iptables-legacy -A INPUT -p tcp --dport 9 -j DROP")?
        .ok()?;
    host.sh("nft 'add table inet t; add set inet t s { type ipv4_addr; flags timeout; }; add element inet t s { 10.0.0.1 timeout 1h }; add chain inet t i { type filter hook input priority 0; }; add rule inet t i counter accept'; ipset create s hash:ip timeout 600; ipset add s 10.0.0.9")?.ok()?;
    let before = host.snapshot()?;
    // What must not count as a change: traffic, a login, a read, a file rewritten with the machine's own bytes.
    ssh(
        lab.ssh_config(),
        &[
            "snap",
            "cat /etc/passwd >/dev/null; sleep 1.1; cp -p /etc/services /tmp/s; cat /tmp/s >/etc/services; rm /tmp/s",
        ],
    )?;
    before.changes_until(&host.snapshot()?).expect_none()?;
    for (script, name) in [
        ("echo x >>/etc/kubernetes/new", "/etc/kubernetes/new"),
        ("chmod 600 /etc/services", "/etc/services"),
        ("rm /etc/hostname", "/etc/hostname"),
        ("rm /usr/bin/wc", "/usr/bin/wc"),
        ("mkdir /var/lib/x", "/var/lib/x"),
        ("ln -s /a /root/link", "/root/link"),
        ("touch /run/breakglass", "/run/breakglass"),
        ("nft add rule inet t i drop", "nft -s list ruleset"),
        ("iptables-nft -A INPUT -s 10.1.1.1 -j DROP", "iptables-nft-save"),
        ("iptables-legacy -A INPUT -s 10.1.1.1 -j DROP", "iptables-legacy-save"),
        ("ip6tables-legacy -A INPUT -s fd00::1 -j DROP", "ip6tables-legacy-save"),
        ("ipset add s 10.0.0.10", "ipset save"),
    ] {
        let before = host.snapshot()?;
        host.sh(script)?.ok()?;
        let changes = before.changes_until(&host.snapshot()?);
        assert!(changes.iter().any(|change| change.name == name), "after `{script}`: {changes}");
        assert_eq!(
            changes.iter().filter(|change| change.name.starts_with('/')).count(),
            usize::from(name.starts_with('/')),
            "after `{script}`: {changes}"
        );
    }
    Ok(())
}

fn sockets() -> Result<()> {
    let [a, b] = pair("sockets")?;
    let listener = a.in_network(|| Ok(TcpListener::bind("[::]:6443")?))?;
    let _from_b = b.in_network(|| Ok(TcpStream::connect((a.ip4(), 6443))?))?;
    let _accepted = listener.accept()?;
    let _from_operator = TcpStream::connect((a.ip6(), 6443))?;
    let _accepted = listener.accept()?;
    let mut peers: Vec<_> = a.connections_to(6443)?.into_iter().map(|socket| socket.peer.ip()).collect();
    peers.sort();
    assert_eq!(peers, [std::net::IpAddr::from(b.ip4()), OPERATOR_IP6.into()]);
    assert!(a.sockets()?.iter().any(|socket| socket.state == "LISTEN" && socket.local.port() == 6443));
    assert!(b.connections_to(6443)?.is_empty());
    Ok(())
}

fn limits() -> Result<()> {
    let host = Lab::shared()?.host("limits")?;
    let started = Instant::now();
    let script = ["sh", "-c", "echo so far; sleep 321 & sleep 321"];
    let error = host.command_within(&script, b"", Duration::from_secs(3)).expect_err("it ended");
    assert!(format!("{error:#}").contains("did not end within 3s and was killed: so far"), "{error:#}");
    assert!(started.elapsed() < LATE);
    let mut running = host.spawn(&["sh", "-c", "sleep 322; true"])?;
    assert!(running.is_running());
    drop(running);
    let started = Instant::now();
    while host.processes()?.iter().any(|process| process.name() == "sleep" && process.state != 'Z') {
        assert!(started.elapsed() < LATE, "a child was left");
    }
    Ok(())
}

fn dropped() -> Result<()> {
    let lab = Lab::shared()?;
    let host = lab.host("dropped")?;
    let (netns, init, ip) = (host.netns(), host.init_pid(), host.ip4());
    host.sh("setsid sleep 333 >/dev/null 2>&1 </dev/null &")?.ok()?;
    let started = Instant::now();
    drop(host);
    assert!(!netns.exists());
    assert!(!Path::new(&format!("/proc/{init}")).exists());
    // The kernel takes a dead namespace's wires away a moment later.
    while lab.probe(ip, 22, SHORT).is_ok_and(|probe| matches!(probe, Probe::Open | Probe::Refused)) {
        assert!(started.elapsed() < LATE, "{ip} still answers");
    }
    lab.host("dropped").expect_err("a name was given twice");
    Ok(())
}

fn two_hundred() -> Result<()> {
    let lab = Lab::shared()?;
    // What the hosts have learned of the operator's machine stays true when more of them come.
    let hardware_address = || -> Result<String> {
        let link = Command::new("ip").args(["-br", "link", "show", "br0"]).output()?.stdout;
        let link = String::from_utf8(link)?;
        Ok(link.split_whitespace().nth(2).context("no address")?.to_owned())
    };
    let _first = lab.host("many-before")?;
    let before = hardware_address()?;
    let started = Instant::now();
    let hosts = lab.hosts((0..200).map(|number| format!("many-{number}")))?;
    let up = started.elapsed();
    assert!(up < Duration::from_mins(3), "200 hosts took {up:?}");
    for number in [0, 99, 199] {
        let name = format!("many-{number}");
        assert_eq!(ssh(lab.ssh_config(), &[&name, "hostname"])?, name);
    }
    let open = hosts.iter().filter(|host| matches!(lab.probe(host.ip4(), 22, SHORT), Ok(Probe::Open))).count();
    assert_eq!(open, 200);
    assert_eq!(hardware_address()?, before);
    let started = Instant::now();
    drop(hosts);
    eprintln!("200 hosts with sshd were up after {up:.1?} and gone after {:.1?}", started.elapsed());
    Ok(())
}
