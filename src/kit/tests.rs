//! Files of the kit, right and wrong, with real certificates.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use tempfile::TempDir;

use super::*;
use crate::process::{Clock, Process};

pub(super) const NOW: &str = "2026-06-01T00:00:00Z";

pub(super) fn process(home: &Path) -> Process {
    Process {
        args: Vec::new(),
        env: [("HOME".to_owned(), home.display().to_string())].into(),
        cwd: home.to_owned(),
        interactive: false,
        stdout_terminal: false,
        stderr_terminal: false,
        clock: Clock::Fixed(NOW.parse::<Timestamp>().unwrap()),
    }
}

/// A certificate and its key, good in these years.
pub(super) fn pair(name: &str, from: i32, to: i32) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

pub(super) fn put(folder: &Path, name: &str, text: &str, mode: u32) {
    let path = folder.join(name);
    // By a process of its own: a file that is still open for writing anywhere cannot be run (ETXTBSY), and a child that
    // another test starts at this moment would have it open.
    let mut cat = Command::new("sh").args(["-c", "cat >\"$0\""]).arg(&path).stdin(Stdio::piped()).spawn().unwrap();
    cat.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(cat.wait().unwrap().success());
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

const GOOD: &str = "\
apiVersion: breakglass/v1
kind: Cluster
metadata: {name: prod}
spec:
  tlsServerName: kubernetes
  certificateAuthority: ca.crt
  user: {clientCertificate: me.crt, clientKey: me.key}
  ssh: {user: ops, identities: [id], sudo: true, jumps: [bastion]}
  jumps:
    - {name: bastion, address: 192.0.2.1, ssh: {user: joe, port: 2222}}
  apiServers:
    - {name: cp1, address: '127.0.0.1:6443', via: cp1}
    - {name: lb, address: 10.0.0.9}
  hosts:
    - name: cp1
      address: 10.0.0.1
      ssh: {hostKeys: [ssh-ed25519 AAAA, '@revoked * ssh-ed25519 BBBB']}
    - {name: n1, address: 'fd00::1', manifests: /m, ssh: {port: 2022, jumps: [], hostKeys: [ssh-rsa CCCC]}}
";

fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    let (cert, key) = pair("me", 2020, 2030);
    put(dir.path(), "ca.crt", &pair("ca", 2020, 2030).0, 0o644);
    put(dir.path(), "me.crt", &cert, 0o644);
    put(dir.path(), "me.key", &key, 0o600);
    put(dir.path(), "id", "key", 0o600);
    put(dir.path(), "prod.yaml", GOOD, 0o644);
    dir
}

fn load(dir: &TempDir) -> Result<Cluster, Vec<String>> {
    let loaded = load::file(&dir.path().join("prod.yaml"), &process(dir.path()));
    let prefix = format!("{}/", dir.path().display());
    loaded.map_err(|refusals| refusals.iter().map(|refusal| refusal.to_string().replace(&prefix, "")).collect())
}

#[test]
fn a_file_becomes_a_cluster() {
    let dir = folder();
    let cluster = load(&dir).unwrap();
    assert_eq!(cluster.name, "prod");
    assert_eq!(cluster.api_servers[0].host.as_deref(), Some("cp1"));
    assert_eq!(cluster.api_servers[1].address, "10.0.0.9:6443".parse().unwrap());
    assert!(matches!(&cluster.credential, Credential::Certificate { key, .. } if key.starts_with(b"-----BEGIN")));
    let [cp1, n1] = cluster.hosts.as_slice() else { panic!("two hosts") };
    assert_eq!((cp1.roles.as_slice(), n1.roles.as_slice()), ([Role::ControlPlane].as_slice(), [Role::Node].as_slice()));
    assert_eq!(cp1.ssh.host_keys, ["10.0.0.1 ssh-ed25519 AAAA", "@revoked * ssh-ed25519 BBBB"]);
    assert_eq!(
        (cp1.ssh.user.as_str(), cp1.ssh.sudo, cp1.manifests.as_str()),
        ("ops", true, "/etc/kubernetes/manifests")
    );
    assert_eq!((cp1.ssh.jumps[0].ssh.user.as_str(), cp1.ssh.jumps[0].ssh.port), ("joe", 2222));
    assert_eq!((n1.ssh.host_keys[0].as_str(), n1.ssh.jumps.len()), ("[fd00::1]:2022 ssh-rsa CCCC", 0));
    assert_eq!(n1.ssh.identities, [dir.path().join("id")]);
    assert!(!format!("{cluster:?}").contains("PRIVATE"));
}

/// The machine's own authorities must not decide whom a token is sent to.
#[test]
fn a_cluster_without_an_authority_is_refused() {
    let dir = folder();
    for none in ["", "  certificateAuthority:\n", "  certificateAuthorityData: # none yet\n"] {
        put(dir.path(), "prod.yaml", &GOOD.replace("  certificateAuthority: ca.crt\n", none), 0o644);
        let said = load(&dir).unwrap_err();
        assert!(said[0].contains("no certificate authority to verify the API servers with"), "{said:?}");
        assert_eq!(said.len(), 1, "{said:?}");
    }
}

#[test]
fn everything_wrong_is_said_at_once_with_its_place() {
    let dir = folder();
    let key = fs::read_to_string(dir.path().join("me.key")).unwrap();
    put(dir.path(), "me.key", &key, 0o640);
    put(dir.path(), "ca.crt", "no certificate", 0o644);
    let text = GOOD
        .replace("via: cp1", "via: cp2")
        .replace("10.0.0.9", "api.example.com:443")
        .replace("jumps: [bastion]", "jumps: [bastoin]")
        .replace("name: n1", "name: cp1");
    put(dir.path(), "prod.yaml", &text, 0o644);
    let said = load(&dir).unwrap_err();
    for expected in [
        "prod.yaml:6:25: certificate authority: no certificate in it; expected PEM",
        "prod.yaml:7:48: me.key can be read by others: its mode is 0640 (chmod 600 me.key)",
        "prod.yaml:8:57: no jump host \"bastoin\" under jumps (did you mean \"bastion\"?)",
        "prod.yaml:12:51: via: no host \"cp2\" under hosts (did you mean \"cp1\"?)",
        "prod.yaml:13:27: address: expected an IP address and a port, found \"api.example.com:443\": names are not \
         looked up (getent ahosts api.example.com)",
        "prod.yaml:18:14: hosts: \"cp1\" is there twice",
    ] {
        assert!(said.iter().any(|line| line.contains(expected)), "{expected}\nsaid {said:#?}");
    }
}

#[test]
fn each_fault_is_found() {
    let other = pair("other", 2020, 2030).1;
    for (from, to, expected) in [
        (
            "address: 10.0.0.1\n",
            "address: cp1.example.com\n",
            "prod.yaml:16:16: spec.hosts[0].address: \"cp1.example.com\" is not an IP",
        ),
        ("manifests: /m", "manifest: /m", "unknown key \"manifest\" in spec.hosts[1]"),
        ("kind: Cluster", "kind: Runbook", "kind: expected Cluster, found \"Runbook\""),
        ("name: prod", "name: stage", "cluster stage must stand in a file of its name (call it stage.yaml)"),
        (", clientKey: me.key", "", "a client certificate without its key"),
        ("clientKey: me.key", "clientKey: gone.key", "cannot read gone.key: No such file"),
        ("clientKey: me.key", "clientKeyData: '%%'", "not base64"),
        ("port: 2222", "port: 0", "ssh.port: expected a whole number from 1 to 65535, found 0"),
        ("name: lb", "name: cp1", "apiServers: \"cp1\" is there twice"),
        ("clientKey: me.key", "clientKey: other.key", "the key does not belong to the certificate of CN=me"),
        ("{clientCertificate: me.crt, clientKey: me.key}", "{token: 'a b'}", "a bearer token is one word"),
        ("{clientCertificate: me.crt, clientKey: me.key}", "{as: alice}", "without a credential"),
        ("clientKey: me.key}", "clientKey: me.key, asGroups: [x]}", "but not as whom"),
        ("clientKey: me.key}", "clientKey: me.key, tokenEnds: 2027-01-01T00:00:00Z}", "tokenEnds: there is no token"),
        (
            "{clientCertificate: me.crt, clientKey: me.key}",
            "{token: x, tokenFile: id}",
            "given twice: as a file and in",
        ),
        ("{clientCertificate: me.crt, clientKey: me.key}", "{token: x, tokenEnds: soon}", "expected a time like"),
        ("name: n1", "name: 'n,1'", "host name \"n,1\": expected letters"),
    ] {
        let dir = folder();
        put(dir.path(), "other.key", &other, 0o600);
        assert!(GOOD.contains(from), "{from}");
        put(dir.path(), "prod.yaml", &GOOD.replace(from, to), 0o600);
        let said = load(&dir).expect_err(to);
        assert!(said.iter().any(|line| line.contains(expected)), "{to}\nexpected {expected}\nsaid {said:#?}");
    }
}

/// SSH needs none of it, and what does says why the API does not know us.
#[test]
fn a_credential_that_has_ended_is_read_and_told() {
    let dir = folder();
    for (name, from, to) in [("old", 2020, 2026), ("later", 2027, 2030)] {
        let (cert, key) = pair("me", from, to);
        put(dir.path(), &format!("{name}.crt"), &cert, 0o600);
        put(dir.path(), &format!("{name}.key"), &key, 0o600);
    }
    // {"exp":1780264800}
    put(dir.path(), "old.token", "e30.eyJleHAiOjE3ODAyNjQ4MDB9.x", 0o600);
    for (user, about, said) in [
        (
            "{clientCertificate: old.crt, clientKey: old.key}",
            "client certificate",
            Some("our client certificate of CN=me expired on 2026-01-01T00:00:00Z, 151 days ago"),
        ),
        (
            "{clientCertificate: later.crt, clientKey: later.key}",
            "client certificate",
            Some("our client certificate of CN=me is not valid before 2027-01-01T00:00:00Z, in 214 days"),
        ),
        ("{tokenFile: old.token}", "token", Some("our token expired on 2026-05-31T22:00:00Z, 2 hours ago")),
        (
            // {"nbf":1780275600,"exp":1780275600}
            "{token: e30.eyJuYmYiOjE3ODAyNzU2MDAsImV4cCI6MTc4MDI3NTYwMH0.x}",
            "token",
            Some("our token is not valid before 2026-06-01T01:00:00Z, in 60 minutes"),
        ),
        (
            "{token: x, tokenEnds: 2026-05-31T22:00:00Z}",
            "token",
            Some("our token expired on 2026-05-31T22:00:00Z, 2 hours ago"),
        ),
        ("{token: x, tokenEnds: 2026-06-01T00:00:01Z}", "", None),
        ("{clientCertificate: me.crt, clientKey: me.key}", "", None),
        ("{}", "", None),
    ] {
        let text = GOOD.replace("{clientCertificate: me.crt, clientKey: me.key}", user);
        put(dir.path(), "prod.yaml", &text, 0o600);
        let cluster = load(&dir).unwrap_or_else(|said| panic!("{user}: {said:?}"));
        let now = NOW.parse().unwrap();
        assert_eq!(cluster.void(now).as_deref(), said, "{user}");
        let note = cluster.void_note(now);
        assert_eq!(note.is_some_and(|note| note.contains("date -u") && note.contains("SSH works")), said.is_some());
        // In peace the same is what would not work.
        let keys = |_: &SshAccess, _| check::Keys { usable: true, faults: Vec::new() };
        let found = check::check(&cluster, check::Asks { knows_host_key: &|_, _| true, keys: &keys }, now);
        let broken = found.iter().any(|finding| finding.level == check::Level::Broken && finding.about == about);
        assert_eq!(broken, said.is_some(), "{user}: {found:?}");
    }
}

#[test]
fn named_addresses_are_read_and_a_bad_one_is_said_with_its_place() {
    let dir = folder();
    let with = |sets: &str| {
        put(dir.path(), "prod.yaml", &format!("{GOOD}  sets: {sets}\n"), 0o600);
        load(&dir)
    };
    let sets = with("{pool-a: [10.9.0.0/16, 'fd91::/64']}").unwrap().sets;
    assert_eq!(sets["pool-a"].iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.9.0.0/16", "fd91::/64"]);
    let said = with("{pool-a: [10.9.0.0/33]}").unwrap_err();
    assert!(said.iter().any(|line| line.contains("sets: pool-a: `10.9.0.0/33`")), "{said:?}");
}

#[test]
fn a_file_that_holds_a_secret_must_be_closed() {
    let dir = folder();
    let text = GOOD.replace("{clientCertificate: me.crt, clientKey: me.key}", "{token: secret}");
    put(dir.path(), "prod.yaml", &text, 0o640);
    let said = load(&dir).unwrap_err();
    assert!(said[0].contains("prod.yaml can be read by others: its mode is 0640 (chmod 600"), "{said:?}");
    put(dir.path(), "prod.yaml", &text, 0o600);
    assert!(matches!(load(&dir).unwrap().credential, Credential::Token(token) if token == "secret"));
}

#[test]
fn what_an_editor_leaves_in_the_folder_is_no_cluster() {
    let dir = TempDir::new().unwrap();
    for name in
        ["b.yaml", "a.yml", "b.yml", "a~.yaml", ".a.yaml", "#a.yaml", "a copy.yaml", "all.yaml", "a.yaml~", "a.txt"]
    {
        put(dir.path(), name, "", 0o600);
    }
    let load::Listed { names, passed_over } = load::listed(dir.path()).unwrap();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(passed_over.len(), 6, "{passed_over:?}");
    assert!(passed_over.iter().any(|said| said.contains("/a~.yaml is passed over: a cluster's file is NAME.yaml")));
    assert!(passed_over.iter().any(|said| said.contains("/b.yml is passed over: b.yaml stands beside it")));
    assert_eq!(load::path_of(dir.path(), "a"), dir.path().join("a.yml"));
    assert_eq!(load::path_of(dir.path(), "b"), dir.path().join("b.yaml"));
}

/// ssh passes a key over that it cannot use; so does whoever reads a kit, and `kit check` says so.
#[test]
fn a_key_of_ssh_that_is_no_use_refuses_no_kit() {
    let dir = folder();
    put(dir.path(), "id", "key", 0o644);
    assert!(load(&dir).is_ok());
    fs::remove_file(dir.path().join("id")).unwrap();
    let ways = load(&dir).unwrap().hosts;
    assert_eq!(ways[0].ssh.identities, [dir.path().join("id")]);
}

#[test]
fn clusters_are_chosen_by_name() {
    let dir = folder();
    let choose = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        load::clusters(dir.path(), &words, &process(dir.path()))
    };
    assert_eq!(choose(&["all"]).unwrap().len(), 1);
    assert_eq!(choose(&["prod"]).unwrap()[0].name, "prod");
    let said = choose(&["pord"]).unwrap_err();
    assert!(said[0].to_string().contains("cluster \"pord\" is unknown (did you mean \"prod\"?)"), "{}", said[0]);
    let empty = TempDir::new().unwrap();
    let said = load::clusters(empty.path(), &["x".into()], &process(empty.path())).unwrap_err();
    assert!(said[0].to_string().contains("kit import"), "{}", said[0]);
}

/// Whoever can write one of these decides whom we trust.
#[test]
fn what_decides_whom_we_trust_may_not_be_written_by_others() {
    let dir = folder();
    let text = GOOD.replace("ssh: {user: ops,", "ssh: {user: ops, knownHosts: [known],");
    put(dir.path(), "prod.yaml", &text, 0o644);
    put(dir.path(), "known", "", 0o644);
    assert!(load(&dir).is_ok());
    for (name, mode, expected) in [
        (
            "prod.yaml",
            0o646,
            "prod.yaml:1:1: prod.yaml can be written by others: its mode is 0646 (chmod go-w prod.yaml)",
        ),
        ("ca.crt", 0o666, "prod.yaml:6:25: ca.crt can be written by others: its mode is 0666 (chmod go-w ca.crt)"),
        ("known", 0o602, "known can be written by others: its mode is 0602 (chmod go-w known)"),
        ("", 0o777, "can be written by others: its mode is 0777 (chmod go-w "),
    ] {
        let path = dir.path().join(name);
        let before = fs::metadata(&path).unwrap().permissions();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let said = load(&dir).expect_err(name);
        assert!(said.len() == 1 && said[0].contains(expected), "expected {expected}\nsaid {said:#?}");
        fs::set_permissions(&path, before).unwrap();
    }
}
