//! kubectl's configuration and flags, right and wrong.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::adhoc::{Flags, Found, cluster};
use super::kubeconfig::Server;
use super::tests::{pair, process, put};
use super::*;
use crate::process::Process;

const CONFIG: &str = "\
apiVersion: v1
kind: Config
current-context: prod
contexts:
  - {name: prod, context: {cluster: prod, user: me}}
  - {name: plugin, context: {cluster: prod, user: plugin}}
  - {name: slow, context: {cluster: prod, user: slow}}
  - {name: loud, context: {cluster: prod, user: loud}}
  - {name: lost, context: {cluster: gone, user: me}}
  - {name: rancher, context: {cluster: proxy, user: me}}
  - {name: naked, context: {cluster: naked, user: me}}
clusters:
  - {name: prod, cluster: {server: 'https://10.0.0.9', certificate-authority: ca.crt, tls-server-name: kubernetes}}
  - {name: proxy, cluster: {server: 'https://rancher/k8s/clusters/c-1', certificate-authority: ca.crt}}
  - {name: naked, cluster: {server: 'https://10.0.0.9:6443', insecure-skip-tls-verify: true}}
users:
  - {name: me, user: {client-certificate: me.crt, client-key: me.key}}
  - {name: plugin, user: {exec: {command: ./plugin, args: [token], env: [{name: WORD, value: hello}]}}}
  - {name: slow, user: {exec: {command: ./slow}}}
  - {name: loud, user: {exec: {command: ./loud}}}
";

fn folder() -> (TempDir, Process) {
    let dir = TempDir::new().unwrap();
    let (cert, key) = pair("me", 2020, 2030);
    put(dir.path(), "ca.crt", &pair("ca", 2020, 2030).0, 0o644);
    put(dir.path(), "me.crt", &cert, 0o644);
    put(dir.path(), "me.key", &key, 0o600);
    put(dir.path(), "config", CONFIG, 0o600);
    put(
        dir.path(),
        "plugin",
        "#!/bin/sh\ncase $KUBERNETES_EXEC_INFO in *ExecCredential*) ;; *) exit 3;; esac\n\
         echo ran >>\"$HOME/ran\"\necho \"{\\\"status\\\": {\\\"token\\\": \\\"$WORD-$1\\\"}}\"\n",
        0o755,
    );
    put(dir.path(), "slow", "#!/bin/sh\nexec sleep 600\n", 0o755);
    put(dir.path(), "loud", "#!/bin/sh\nexec cat /dev/zero\n", 0o755);
    let process = process(dir.path());
    (dir, process)
}

async fn find(flags: Flags, process: &Process) -> Result<Found, Vec<String>> {
    let flags = Flags { kubeconfig: flags.kubeconfig.or_else(|| Some("config".into())), ..flags };
    let deadline = Instant::now() + Duration::from_millis(2_000);
    let found = cluster(&flags, process, deadline).await;
    found.map_err(|refusals| refusals.iter().map(ToString::to_string).collect())
}

fn context(name: &str) -> Flags {
    Flags { context: Some(name.into()), ..Flags::default() }
}

#[tokio::test]
async fn a_kubeconfig_is_enough() {
    let (_dir, process) = folder();
    let Found { cluster, notes } = find(Flags::default(), &process).await.unwrap();
    assert_eq!(cluster.name, "prod");
    assert_eq!(cluster.api_servers[0].address, "10.0.0.9:443".parse().unwrap());
    assert_eq!(cluster.tls_server_name.as_deref(), Some("kubernetes"));
    assert!(matches!(cluster.credential, Credential::Certificate { .. }));
    assert!(cluster.ca.starts_with(b"-----BEGIN"));
    assert!(notes.is_empty());
}

#[tokio::test]
async fn flags_go_before_the_file() {
    let (_dir, process) = folder();
    let flags = Flags {
        server: Some("https://10.0.0.1:7443".into()),
        tls_server_name: Some("other".into()),
        token: Some("word".into()),
        ..Flags::default()
    };
    let cluster = find(flags, &process).await.unwrap().cluster;
    assert_eq!(cluster.api_servers[0].address, "10.0.0.1:7443".parse().unwrap());
    assert_eq!(cluster.tls_server_name.as_deref(), Some("other"));
    assert!(matches!(&cluster.credential, Credential::Token(token) if token == "word"));
}

#[tokio::test]
async fn with_everything_by_flags_no_file_is_read() {
    let (_dir, process) = folder();
    let flags = Flags {
        server: Some("10.0.0.1".into()),
        certificate_authority: Some("ca.crt".into()),
        token: Some("word".into()),
        ..Flags::default()
    };
    let found = cluster(&flags, &process, Instant::now() + Duration::from_secs(1)).await.unwrap();
    assert_eq!(found.cluster.api_servers[0].address, "10.0.0.1:6443".parse().unwrap());
    assert_eq!(found.cluster.tls_server_name, None);
}

#[tokio::test]
async fn through_a_host_the_api_server_is_on_its_loopback() {
    let (_dir, process) = folder();
    let host = Host {
        name: "cp1".into(),
        address: "10.0.0.1".parse().unwrap(),
        ssh: sample::ssh(),
        roles: vec![Role::ControlPlane],
        manifests: "/m".into(),
    };
    let cluster = find(Flags { via: Some(host), ..context("rancher") }, &process).await.unwrap().cluster;
    let server = &cluster.api_servers[0];
    assert_eq!((server.address, server.via.as_deref()), ("127.0.0.1:6443".parse().unwrap(), Some("cp1")));
    assert_eq!(cluster.hosts.len(), 1);
}

#[tokio::test]
async fn a_secret_in_a_file_that_others_can_read_is_said() {
    let (dir, process) = folder();
    let config = CONFIG.replace("client-certificate: me.crt, client-key: me.key", "token: word");
    for (mode, said) in [(0o600, 0), (0o644, 1)] {
        put(dir.path(), "config", &config, mode);
        let found = find(context("prod"), &process).await.unwrap();
        assert_eq!(found.notes.len(), said, "{:?}", found.notes);
        assert!(found.notes.iter().all(|note| note.contains("can be read by others: chmod 600")), "{:?}", found.notes);
    }
}

#[tokio::test]
async fn a_plugin_runs_once_and_is_said() {
    let (dir, process) = folder();
    let found = find(context("plugin"), &process).await.unwrap();
    assert!(matches!(&found.cluster.credential, Credential::Token(token) if token == "hello-token"));
    assert!(found.notes[0].contains("plugin ./plugin, run once"), "{:?}", found.notes);
    assert_eq!(std::fs::read_to_string(dir.path().join("ran")).unwrap(), "ran\n");
}

#[tokio::test]
async fn a_plugin_that_hangs_or_prints_without_end_is_ended() {
    let (_dir, process) = folder();
    let said = find(context("slow"), &process).await.unwrap_err();
    assert!(said[0].contains("plugin ./slow did not answer within"), "{said:?}");
    let said = find(context("loud"), &process).await.unwrap_err();
    assert!(said[0].contains("plugin ./loud printed more than 1.0 MB"), "{said:?}");
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_its_place() {
    for (flags, expected) in [
        (context("prdo"), "the kubeconfig has no context \"prdo\" (did you mean \"prod\"?)"),
        (context("lost"), "context \"lost\" names a cluster that is not there"),
        (context("rancher"), "server: \"https://rancher/k8s/clusters/c-1\" is a proxy before"),
        (context("naked"), "insecure-skip-tls-verify: the API server's certificate is always verified here"),
        (Flags { server: Some("http://10.0.0.1".into()), ..Flags::default() }, "only https is spoken"),
        (Flags { kubeconfig: Some("gone".into()), ..Flags::default() }, "gone: cannot be read"),
        (Flags { client_key: Some("me.key".into()), ..Flags::default() }, "--client-key: a client key without its"),
        (Flags { certificate_authority: Some("me.key".into()), ..Flags::default() }, "no certificate in it"),
        (Flags { token: Some(String::new()), ..Flags::default() }, "--token: a bearer token is one word"),
    ] {
        let (_dir, process) = folder();
        let said = find(flags, &process).await.expect_err(expected);
        assert!(said.iter().any(|line| line.contains(expected)), "expected {expected}\nsaid {said:#?}");
    }
}

#[test]
fn servers_are_read_in_every_form() {
    for (text, host, port) in [
        ("https://10.0.0.1:6443", "10.0.0.1", 6443),
        ("https://api.example.com", "api.example.com", 443),
        ("10.0.0.1", "10.0.0.1", 6443),
        ("10.0.0.1:443/", "10.0.0.1", 443),
        ("[fd00::1]:6443", "fd00::1", 6443),
        ("fd00::1", "fd00::1", 6443),
        ("cp1", "cp1", 6443),
    ] {
        assert_eq!(Server::parse(text), Ok(Server { host: host.into(), port }), "{text}");
    }
    for text in ["", "http://x", "https://x/y", "https://", "a b"] {
        assert!(Server::parse(text).is_err(), "{text}");
    }
}
