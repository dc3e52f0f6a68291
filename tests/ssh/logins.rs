//! Who we are to the host, and who it is to us.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use breakglass::link::ssh::{Endpoint, Fault, HostKeyProblem, HostKeys, KeyFileProblem, KnownHosts, Session};
use libtest_mimic::{Failed, Trial};
use testbed::{Host, Lab, Running};

use crate::support::{Verdict, endpoint, file, plenty, refused, sshd, trial, unexpected};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("an_agent_a_key_and_a_user_certificate_each_let_us_in", ways_in),
        trial("keys_of_every_kind_let_us_in", kinds_of_key),
        trial("a_key_nobody_knows_is_refused_with_what_was_tried", stranger),
        trial("a_key_file_that_others_can_read_or_that_is_encrypted_is_not_used", key_files),
        trial("hashed_and_pattern_names_are_found", hashed_and_patterns),
        trial("unknown_changed_and_revoked_host_keys_are_refused", bad_host_keys),
        trial("host_certificates_are_checked_in_every_respect", host_certificates),
        trial("of_several_host_keys_the_known_one_is_asked_for", known_type_first),
    ]
}

async fn gets_in(endpoint: &Endpoint) -> Verdict {
    let session = Session::connect(endpoint, plenty()).await?;
    assert!(session.exec("true", Vec::new(), plenty()).await?.success());
    session.close().await;
    Ok(())
}

fn keygen(arguments: &[&str]) -> Verdict {
    let out = Command::new("ssh-keygen").arg("-q").args(arguments).output()?;
    if out.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&out.stderr).into_owned().into()) }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

/// An agent that holds these keys, and its socket.
type Case<'a> = (&'a Path, fn(&KeyFileProblem) -> bool, &'a str);

fn agent(keys: &[&Path]) -> Result<(Killed, PathBuf), Failed> {
    let socket = Lab::shared()?.folder("agent")?.join("socket");
    let child =
        Command::new("ssh-agent").args(["-D", "-a", text(&socket)]).stdout(std::process::Stdio::null()).spawn()?;
    let child = Killed(child);
    for _ in 0..500 {
        if socket.exists() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    for key in keys {
        let out = Command::new("ssh-add").arg(key).env("SSH_AUTH_SOCK", &socket).output()?;
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
    Ok((child, socket))
}

struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn ways_in() -> Verdict {
    let lab = Lab::shared()?;
    let host = lab.host("login-ways")?;
    let by_key = endpoint(&host)?;
    gets_in(&by_key).await?;

    let by_certificate = Endpoint { identities: vec![lab.certified_identity().key().to_owned()], ..by_key.clone() };
    gets_in(&by_certificate).await?;
    // The same certificate somewhere else than beside its key.
    let folder = lab.folder("apart")?;
    let (key, certificate) = (folder.join("key"), folder.join("elsewhere"));
    std::fs::copy(lab.certified_identity().key(), &key)?;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600))?;
    std::fs::copy(lab.certified_identity().certificate(), &certificate)?;
    let apart = Endpoint { identities: vec![key.clone()], ..by_key.clone() };
    refused(&apart, plenty()).await?;
    gets_in(&Endpoint { certificates: vec![certificate], ..apart }).await?;

    // The agent holds strangers first; with `identities_only` they are not even offered.
    let (_agent, socket) = agent(&[lab.stranger().key(), lab.identity().key(), lab.certified_identity().key()])?;
    let by_agent =
        Endpoint { identities: Vec::new(), identities_only: false, agent: Some(socket.clone()), ..by_key.clone() };
    gets_in(&by_agent).await?;
    let public_only = file("only.pub", &std::fs::read_to_string(lab.identity().public_key())?)?;
    gets_in(&Endpoint { identities: vec![public_only], identities_only: true, ..by_agent.clone() }).await?;
    let error = refused(
        &Endpoint { identities: vec![lab.stranger().key().to_owned()], identities_only: true, ..by_agent },
        plenty(),
    )
    .await?;
    match &*error.fault {
        Fault::Auth { tried, .. } => assert_eq!(tried.len(), 2, "the agent's and the file's: {tried:?}"),
        other => return Err(unexpected(other)),
    }

    let (_agent, socket) = agent(&[lab.certified_identity().key()])?;
    gets_in(&Endpoint { identities: Vec::new(), identities_only: false, agent: Some(socket), ..by_key.clone() })
        .await?;
    // A dead agent does not keep the key file from being used.
    gets_in(&Endpoint { agent: Some("/run/nobody".into()), ..by_key }).await
}

async fn kinds_of_key() -> Verdict {
    let lab = Lab::shared()?;
    let host = lab.host("login-kinds")?;
    let folder = lab.folder("kinds")?;
    let kinds: &[(&str, &[&str])] = &[
        ("rsa", &["-t", "rsa", "-b", "2048"]),
        ("rsa-pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
        ("rsa-pkcs8", &["-t", "rsa", "-b", "2048", "-m", "PKCS8"]),
        ("ec256", &["-t", "ecdsa", "-b", "256"]),
        ("ec384", &["-t", "ecdsa", "-b", "384"]),
        ("ec521", &["-t", "ecdsa", "-b", "521"]),
        ("ed25519", &["-t", "ed25519"]),
    ];
    let mut authorized = String::new();
    for (name, arguments) in kinds {
        let path = folder.join(name);
        keygen(&[arguments, &["-N", "", "-f", text(&path)][..]].concat())?;
        authorized.push_str(&std::fs::read_to_string(path.with_extension("pub"))?);
    }
    let path = host.dir().join("authorized");
    std::fs::write(&path, authorized)?;
    let _server = sshd(&host, 2222, &[&format!("AuthorizedKeysFile={}", path.display())])?;
    let (_agent, socket) = agent(
        &kinds
            .iter()
            .map(|(name, _)| folder.join(name))
            .collect::<Vec<_>>()
            .iter()
            .map(PathBuf::as_path)
            .collect::<Vec<_>>(),
    )?;
    for (name, _) in kinds {
        let path = folder.join(name);
        let by_file = Endpoint { port: 2222, identities: vec![path.clone()], ..endpoint(&host)? };
        gets_in(&by_file).await.map_err(|e| format!("{name} from its file: {e:?}"))?;
        // A key that lies alone, as one that was copied here in a hurry.
        let alone = folder.join("alone");
        std::fs::copy(&path, &alone)?;
        let by_lone_file = Endpoint { identities: vec![alone], ..by_file.clone() };
        gets_in(&by_lone_file).await.map_err(|e| format!("{name} without its .pub: {e:?}"))?;
        let public = path.with_extension("pub");
        let by_agent = Endpoint { identities: vec![public], agent: Some(socket.clone()), ..by_file };
        gets_in(&by_agent).await.map_err(|e| format!("{name} from the agent: {e:?}"))?;
    }
    Ok(())
}

async fn stranger() -> Verdict {
    let lab = Lab::shared()?;
    let host = lab.host("login-stranger")?;
    let path = lab.stranger().key().to_owned();
    let error =
        refused(&Endpoint { identities: vec![path.clone(), "/nowhere/id".into()], ..endpoint(&host)? }, plenty())
            .await?;
    match &*error.fault {
        Fault::Auth { tried, accepts } => {
            assert_eq!(tried, &[format!("key {}", path.display())]);
            assert_eq!(accepts, "publickey");
        }
        other => return Err(unexpected(other)),
    }
    let error = refused(&Endpoint { user: "nobody-here".into(), ..endpoint(&host)? }, plenty()).await?;
    assert!(matches!(*error.fault, Fault::Auth { .. }), "{error}");
    // More keys than MaxAuthTries: the server hangs up, and what was tried is still said.
    let folder = lab.folder("many")?;
    let mut many = Vec::new();
    for n in 0..8 {
        let path = folder.join(n.to_string());
        keygen(&["-t", "ed25519", "-N", "", "-f", text(&path)])?;
        many.push(path);
    }
    let error = refused(&Endpoint { identities: many, ..endpoint(&host)? }, plenty()).await?;
    match &*error.fault {
        Fault::Auth { tried, accepts } => assert!(tried.len() >= 6 && accepts.contains("MaxAuthTries"), "{error}"),
        other => return Err(unexpected(other)),
    }
    Ok(())
}

async fn key_files() -> Verdict {
    let lab = Lab::shared()?;
    let host = lab.host("login-files")?;
    let open = lab.folder("open")?.join("key");
    std::fs::copy(lab.identity().key(), &open)?;
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o640))?;
    let locked = lab.folder("locked")?.join("key");
    keygen(&["-t", "ed25519", "-N", "a passphrase", "-f", text(&locked)])?;
    let locked_pem = lab.folder("locked")?.join("key");
    keygen(&["-t", "rsa", "-m", "PEM", "-N", "a passphrase", "-f", text(&locked_pem)])?;
    let text_file = file("notes", "not a key\n")?;
    std::fs::set_permissions(&text_file, std::fs::Permissions::from_mode(0o600))?;
    let cases: &[Case<'_>] = &[
        (&open, |p| *p == KeyFileProblem::OpenPermissions(0o640), "chmod 600"),
        (&locked, |p| *p == KeyFileProblem::Encrypted, "ssh-add"),
        (&locked_pem, |p| *p == KeyFileProblem::Encrypted, "ssh-add"),
        (&text_file, |p| matches!(p, KeyFileProblem::Unreadable(_)), "ssh-keygen"),
    ];
    for (path, fits, hint) in cases {
        let error = refused(&Endpoint { identities: vec![path.to_path_buf()], ..endpoint(&host)? }, plenty()).await?;
        match &*error.fault {
            Fault::KeyFile(fault) => assert!(fits(&fault.problem) && fault.path == *path, "{error}"),
            other => return Err(unexpected(other)),
        }
        assert!(error.hint().contains(hint), "{}", error.hint());
    }
    // One bad file does not keep a good one from being used, and an agent opens the locked one.
    let good = lab.identity().key().to_owned();
    gets_in(&Endpoint { identities: vec![open, locked, good], ..endpoint(&host)? }).await
}

fn lines(text: &str) -> HostKeys {
    let mut known = KnownHosts::default();
    known.add("lines", text);
    HostKeys { known: Arc::new(known), alias: None, host: None }
}

async fn hashed_and_patterns() -> Verdict {
    let lab = Lab::shared()?;
    let host = lab.host("login-hashed")?;
    let _server = sshd(&host, 2222, &[])?;
    let (base, key, ip) = (endpoint(&host)?, host.host_key()?, host.ip4().to_string());
    let hashed = KnownHosts::from_files(&[lab.hashed_known_hosts()?]);
    let hashed = HostKeys { known: Arc::new(hashed), alias: None, host: None };
    let alias = HostKeys { alias: Some("cp1".into()), ..lines(&format!("cp1 {key}")) };
    let named = HostKeys { host: Some("cp1.example".into()), ..lines(&format!("*.example {key}")) };
    for (what, port, host_keys) in [
        ("hashed", 22, hashed.clone()),
        ("hashed name without port", 2222, hashed),
        ("alias", 2222, alias),
        ("pattern and name", 22, named),
        ("port", 2222, lines(&format!("[{ip}]:2222 {key}"))),
        ("IPv4 pattern", 22, lines(&format!("10.90.*,!10.90.0.1 {key}"))),
    ] {
        gets_in(&Endpoint { port, host_keys, ..base.clone() }).await.map_err(|e| format!("{what}: {e:?}"))?;
    }
    Ok(())
}

async fn bad_host_keys() -> Verdict {
    let lab = Lab::shared()?;
    let host = lab.host("login-badkeys")?;
    let (base, key, ip) = (endpoint(&host)?, host.host_key()?, host.ip4().to_string());
    let other = std::fs::read_to_string(lab.stranger().public_key())?;
    let cases: &[(String, HostKeyProblem, Option<&str>)] = &[
        (String::new(), HostKeyProblem::Unknown, None),
        (format!("10.1.1.1 {key}"), HostKeyProblem::Unknown, None),
        (format!("[{ip}]:2222 {key}"), HostKeyProblem::Unknown, None),
        (format!("*,!{ip} {key}"), HostKeyProblem::Unknown, None),
        (format!("# x\n{ip} {other}"), HostKeyProblem::Mismatch, Some("lines:2")),
        (format!("{ip} {key}\n@revoked * {key}"), HostKeyProblem::Revoked, Some("lines:2")),
        (format!("@cert-authority {ip} {key}"), HostKeyProblem::Unknown, None),
    ];
    for (text, problem, line) in cases {
        let error = refused(&Endpoint { host_keys: lines(text), ..base.clone() }, plenty()).await?;
        match &*error.fault {
            Fault::HostKey(fault) => {
                assert_eq!((&fault.problem, fault.line.as_deref()), (problem, *line), "{text}");
                let listed = Command::new("ssh-keygen").arg("-lf").arg(host.dir().join("host_key.pub")).output()?;
                assert!(String::from_utf8_lossy(&listed.stdout).contains(&fault.fingerprint), "{}", fault.fingerprint);
            }
            other => return Err(unexpected(other)),
        }
    }
    // Two keys under one name are both good: that is how keys are rotated.
    gets_in(&Endpoint { host_keys: lines(&format!("{ip} {other}\n{ip} {key}")), ..base }).await
}

/// A server whose host certificate is signed by `ca` with `arguments`.
fn certified(host: &Host, port: u16, ca: &Path, arguments: &[&str]) -> Result<Running, Failed> {
    let folder = host.dir().join(format!("cert-{port}"));
    std::fs::create_dir_all(&folder)?;
    let key = folder.join("key");
    std::fs::copy(host.dir().join("host_key"), &key)?;
    std::fs::copy(host.dir().join("host_key.pub"), folder.join("key.pub"))?;
    keygen(&[&["-s", text(ca), "-I", "a host"][..], arguments, &[text(&folder.join("key.pub"))]].concat())?;
    let key = format!("HostKey={}", key.display());
    let certificate = format!("HostCertificate={}", folder.join("key-cert.pub").display());
    sshd(host, port, &[&key, &certificate])
}

async fn host_certificates() -> Verdict {
    let lab = Lab::shared()?;
    let host = lab.host("login-hostcert")?;
    let folder = lab.folder("ca")?;
    let (ca, rsa_ca) = (folder.join("ca"), folder.join("rsa"));
    keygen(&["-t", "ed25519", "-N", "", "-f", text(&ca)])?;
    keygen(&["-t", "rsa", "-b", "2048", "-N", "", "-f", text(&rsa_ca)])?;
    let (key, ip) = (host.host_key()?, host.ip4().to_string());
    let trust = |ca: &Path| -> Result<String, Failed> {
        Ok(format!("@cert-authority 10.90.* {}", std::fs::read_to_string(ca.with_extension("pub"))?))
    };
    let ours = trust(&ca)?;
    let ca_key = std::fs::read_to_string(ca.with_extension("pub"))?;
    let plain = format!("10.90.* {key}");
    let _servers = [
        certified(&host, 2201, &ca, &["-h", "-n", &ip])?,
        certified(&host, 2202, &ca, &["-h", "-n", &ip, "-V", "-2w:-1w"])?,
        certified(&host, 2203, &ca, &["-h", "-n", &ip, "-V", "+1w:+2w"])?,
        certified(&host, 2204, &ca, &["-h", "-n", "other.example"])?,
        certified(&host, 2205, &ca, &["-h", "-n", "10.90.*"])?,
        certified(&host, 2206, &rsa_ca, &["-h", "-n", &ip, "-t", "rsa-sha2-512", "-V", "+1w"])?,
        certified(&host, 2207, &ca, &["-h"])?,
        certified(&host, 2208, &ca, &["-h", "-n", &ip, "-O", "critical:x=y"])?,
    ];
    let good: &[(u16, &str)] = &[
        (2201, &ours), // The CA is trusted.
        (2205, &ours), // Its names may be patterns.
        (2207, &ours), // No names at all: every host.
        (2206, &trust(&rsa_ca)?),
        (2201, &plain),                      // No CA is trusted, but the key is known.
        (2206, &format!("{ours}\n{plain}")), // Another CA is trusted, but the key is known.
        (2202, &plain),                      // Nobody asked for the certificate, so it does not matter.
    ];
    for (port, known) in good {
        let endpoint = Endpoint { port: *port, host_keys: lines(known), ..endpoint(&host)? };
        gets_in(&endpoint).await.map_err(|e| format!("{port}: {e:?}"))?;
    }
    let bad: &[(u16, String, &str)] = &[
        (2202, ours.clone(), "expired"),
        (2203, ours.clone(), "valid only from"),
        (2204, ours.clone(), "made out to other.example"),
        (2208, ours.clone(), "critical option x"),
        (2202, format!("{ours}\n{plain}"), "expired"),
        (2206, ours.clone(), "not known"),
        (2201, format!("{ours}\n@revoked * {ca_key}"), "revoked by lines:3"),
        (2201, format!("{ours}\n@revoked * {key}"), "revoked by lines:3"),
        (2201, ours.replace("10.90.*", "10.91.*"), "not known"),
    ];
    for (port, known, says) in bad {
        let error = refused(&Endpoint { port: *port, host_keys: lines(known), ..endpoint(&host)? }, plenty()).await?;
        assert!(
            matches!(*error.fault, Fault::HostKey(_)) && error.to_string().contains(says),
            "{port} {says}: {error}"
        );
    }
    Ok(())
}

async fn known_type_first() -> Verdict {
    let lab = Lab::shared()?;
    let host = lab.host("login-types")?;
    let folder = host.dir().join("more");
    std::fs::create_dir_all(&folder)?;
    let mut options = vec![format!("HostKey={}", host.dir().join("host_key").display())];
    for kind in ["rsa", "ecdsa"] {
        let key = folder.join(kind);
        keygen(&["-t", kind, "-N", "", "-f", text(&key)])?;
        options.push(format!("HostKey={}", key.display()));
    }
    let _server = sshd(&host, 2222, &options.iter().map(String::as_str).collect::<Vec<_>>())?;
    for kind in ["rsa", "ecdsa"] {
        let key = std::fs::read_to_string(folder.join(format!("{kind}.pub")))?;
        let host_keys = lines(&format!("{} {key}", host.ip4()));
        gets_in(&Endpoint { port: 2222, host_keys, ..endpoint(&host)? }).await.map_err(|e| format!("{kind}: {e:?}"))?;
    }
    Ok(())
}
