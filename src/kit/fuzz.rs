//! Files of the kit and kubeconfigs as people and programs leave them, broken: refused with file and line, or read; and what a
//! credential plugin or a PEM file may hold.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use tempfile::TempDir;

use super::adhoc::{Asking, Plugins};
use super::kubeconfig::{Kubeconfig, Server};
use super::tests::{pair, process};
use super::{Credential, exec_plugin, load, pem, select};
use crate::fuzz::{each, mangled, mangled_bytes};
use crate::refusal::Refusal;

/// Every refusal says the file, and the line where there is one to be pointed at.
fn placed(refusals: &[Refusal], file: &str) -> Result<(), TestCaseError> {
    prop_assert!(!refusals.is_empty());
    for refusal in refusals {
        let at = &refusal.at;
        prop_assert!(at.file.ends_with(file) || at.file == "command line", "{refusal}");
        prop_assert!(!refusal.what.is_empty() && !refusal.to_string().contains('\0'), "{refusal:?}");
    }
    Ok(())
}

/// A kit with everything in place, so that nothing has to be read beside it.
fn kit() -> String {
    let (ca, _) = pair("ca", 2020, 2030);
    let (cert, key) = pair("me", 2020, 2030);
    format!(
        "apiVersion: breakglass/v1\nkind: Cluster\nmetadata: {{name: prod}}\nspec:\n  tlsServerName: kubernetes\n  \
         certificateAuthorityData: {}\n  user: {{clientCertificateData: {}, clientKeyData: {}}}\n  \
         ssh: {{user: ops, sudo: true, jumps: [bastion]}}\n  sets:\n    pool: [10.0.0.0/24, 'fd90::/64']\n  jumps:\n    \
         - {{name: bastion, address: 192.0.2.1, ssh: {{user: joe, port: 2222}}}}\n  apiServers:\n    \
         - {{name: cp1, address: '127.0.0.1:6443', via: cp1}}\n    - {{name: lb, address: 10.0.0.9}}\n  hosts:\n    \
         - name: cp1\n      address: 10.0.0.1\n      ssh: {{hostKeys: [ssh-ed25519 AAAA, '@revoked * ssh-ed25519 BBBB']}}\n    \
         - {{name: n1, address: 'fd00::1', roles: [node], manifests: /m, ssh: {{port: 2022, jumps: []}}}}\n",
        STANDARD.encode(ca),
        STANDARD.encode(cert),
        STANDARD.encode(key),
    )
}

#[test]
fn a_file_of_the_kit_is_read_or_refused_with_its_lines() {
    let folder = TempDir::new().unwrap();
    let (path, process) = (folder.path().join("prod.yaml"), process(folder.path()));
    let token = "apiVersion: breakglass/v1\nkind: Cluster\nmetadata:\n  name: a\nspec:\n  user:\n    token: abc\n  apiServers:\n  - name: x\n    address: '[::1]:6443'\n";
    let samples = [kit(), token.to_owned()];
    assert!(load::parse(&samples[0], &path, &process).is_ok());
    each(300, &mangled(&samples), |text| {
        match load::parse(&text, &path, &process) {
            Ok(cluster) => {
                prop_assert!(!cluster.ca.is_empty() && !cluster.api_servers.is_empty());
                for server in &cluster.api_servers {
                    let known = |name: &Option<String>| {
                        name.as_ref().is_none_or(|name| cluster.hosts.iter().any(|host| host.name == *name))
                    };
                    prop_assert!(known(&server.via) && known(&server.host), "{text}");
                }
            }
            Err(refusals) => {
                placed(&refusals, "prod.yaml")?;
                let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}']).count();
                prop_assert!(refusals.iter().all(|refusal| refusal.at.line <= lines + 1), "{refusals:?}");
            }
        }
        Ok(())
    });
}

fn kubeconfig() -> String {
    let (ca, _) = pair("ca", 2020, 2030);
    let (cert, key) = pair("me", 2020, 2030);
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts:\n- context:\n    cluster: c\n    user: u\n    namespace: x\n  name: a\n- {{name: b, context: {{cluster: d, user: t}}}}\n\
         clusters:\n- cluster:\n    certificate-authority-data: {}\n    server: https://10.0.0.1:6443\n    tls-server-name: kubernetes\n  name: c\n\
         - {{name: d, cluster: {{server: 'https://[fd90::1]:6443', insecure-skip-tls-verify: true, proxy-url: 'http://p:1'}}}}\n\
         users:\n- name: u\n  user:\n    client-certificate-data: {}\n    client-key-data: {}\n- name: t\n  user: {{token: abc.def.ghi, as: root}}\npreferences: {{}}\n",
        STANDARD.encode(ca),
        STANDARD.encode(cert),
        STANDARD.encode(key),
    )
}

#[test]
fn a_kubeconfig_is_read_or_refused_and_its_servers_are_addresses() {
    let folder = TempDir::new().unwrap();
    let (path, process) = (folder.path().join("config"), process(folder.path()));
    let deadline = std::time::Instant::now();
    // Nothing is started and nothing is asked: what is waited for is there at once, or never.
    let at_once = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    each(300, &mangled_bytes(&[kubeconfig()]), |bytes| {
        fs::write(&path, &bytes).unwrap();
        let kubeconfig = match Kubeconfig::open(Some(&path), &process) {
            Ok(kubeconfig) => kubeconfig,
            Err(refusals) => return placed(&refusals, "config"),
        };
        for name in [None, Some("a"), Some("b")] {
            let context = match kubeconfig.context(name) {
                Ok(context) => context,
                Err(refusal) => {
                    placed(&[refusal], "config")?;
                    continue;
                }
            };
            match context.server() {
                Ok(server) => prop_assert!(!server.host.is_empty(), "{server:?}"),
                Err(refusal) => placed(&[refusal], "config")?,
            }
            let _ = context.tls_server_name();
            match context.authority(&process) {
                Ok(ca) => prop_assert!(pem::certificates(&ca).is_ok()),
                Err(refusals) => placed(&refusals, "config")?,
            }
            // A word of the file that became a plugin is not run.
            if !bytes.windows(4).any(|word| word == b"exec") {
                let mut notes = Vec::new();
                let asking = Asking { deadline, plugins: Plugins::Named, hear: &|_| {} };
                if let Err(refusals) = at_once.block_on(context.credential(&process, &asking, &mut notes)) {
                    placed(&refusals, "config")?;
                }
            }
        }
        Ok(())
    });
}

#[test]
fn an_address_is_one_that_can_be_dialled_or_refused() {
    each(
        8_000,
        &mangled(&["https://10.0.0.1:6443", "10.0.0.1", "https://[fd90::1]:6443/", "api.prod.example:443", "http://x"]),
        |text| {
            match Server::parse(&text) {
                Ok(server) => prop_assert!(
                    !server.host.is_empty() && !server.host.contains(['/', ' ', '\n']),
                    "{text:?}: {server:?}"
                ),
                Err(why) => prop_assert!(!why.is_empty()),
            }
            if let Ok(address) = load::address(&text) {
                prop_assert!(text.contains(&address.ip().to_string()) || address.is_ipv6(), "{text:?}: {address}");
            }
            Ok(())
        },
    );
}

#[test]
fn what_a_credential_plugin_prints_is_a_credential_or_none() {
    const PRINTED: &[&str] = &[
        r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"expirationTimestamp":"2030-01-01T00:00:00Z","token":"abc"}}"#,
        r#"{"kind":"ExecCredential","status":{"clientCertificateData":"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n","clientKeyData":"-----BEGIN PRIVATE KEY-----\nAA==\n"}}"#,
    ];
    each(8_000, &mangled_bytes(PRINTED), |printed| {
        if let Ok(Credential::Token(token)) = exec_plugin::credential(&printed) {
            // Anything else would be two headers, or none.
            prop_assert!(!token.is_empty() && !token.chars().any(|c| c.is_whitespace() || c.is_control()), "{token:?}");
        }
        Ok(())
    });
}

#[test]
fn certificates_keys_and_tokens_are_read_or_refused() {
    let (cert, key) = pair("me", 2020, 2030);
    let facts = pem::certificates(cert.as_bytes()).unwrap().remove(0);
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"exp":1790000000}"#);
    let samples = [cert.clone(), key.clone(), format!("{cert}{key}"), format!("a.{claims}.b")];
    each(1_000, &(mangled_bytes(&samples), mangled(&[r#"{"exp":1790000000}"#])), |(bytes, claims)| {
        match pem::certificates(&bytes) {
            Ok(all) => all.iter().for_each(|facts| drop(facts.fault(now))),
            Err(why) => prop_assert!(!why.is_empty()),
        }
        if let Ok(relabelled) = pem::key_of(&bytes, &facts) {
            prop_assert_eq!(pem::key_of(&relabelled, &facts), Ok(relabelled.clone()));
        }
        let _ = pem::token_end(&String::from_utf8_lossy(&bytes));
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
        let _ = pem::token_end(&format!("a.{claims}.b"));
        Ok(())
    });
}

#[test]
fn words_choose_what_is_there_or_nothing() {
    let things: Vec<select::Thing<'_>> =
        ["cp1", "cp2", "n01.a", "n02.a"].iter().map(|name| select::Thing { name, roles: &[] }).collect();
    each(4_000, &mangled(&["cp[1-2],!n01.a", "role:node,all", "n[01-02].a", "cp[1,2-3]"]), |words| {
        match select::choose(&things, &words) {
            Ok(chosen) => prop_assert!(chosen.iter().all(|at| *at < things.len())),
            Err(why) => prop_assert!(!why.is_empty()),
        }
        Ok(())
    });
}
