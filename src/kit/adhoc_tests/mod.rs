//! kubectl's configuration and flags, right and wrong.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::adhoc::{Asking, Flags, Found, Plugins, cluster};
use super::kubeconfig::Server;
use super::tests::{pair, process, put};
use super::*;
use crate::process::Process;

mod forms;
mod namesakes;

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

fn asking(seconds: u64) -> Asking<'static> {
    Asking { deadline: Instant::now() + Duration::from_secs(seconds), plugins: Plugins::Run, hear: &|_| {} }
}

async fn find(flags: Flags, process: &Process) -> Result<Found, Vec<String>> {
    let flags = Flags { kubeconfig: flags.kubeconfig.or_else(|| Some("config".into())), ..flags };
    let found = cluster(&flags, process, &asking(2)).await;
    found.map_err(|refusals| refusals.iter().map(ToString::to_string).collect())
}

fn context(name: &str) -> Flags {
    Flags { context: Some(name.into()), ..Flags::default() }
}

/// A host of the control plane.
fn cp1() -> Host {
    Host {
        name: "cp1".into(),
        address: "10.0.0.1".parse().unwrap(),
        ssh: sample::ssh(),
        roles: vec![Role::ControlPlane],
        manifests: "/m".into(),
        recovery_program: None,
    }
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
    let found = cluster(&flags, &process, &asking(1)).await.unwrap();
    assert_eq!(found.cluster.api_servers[0].address, "10.0.0.1:6443".parse().unwrap());
    assert_eq!(found.cluster.tls_server_name, None);
}

#[tokio::test]
async fn through_a_host_the_api_server_is_on_its_loopback() {
    let (_dir, process) = folder();
    let host = cp1();
    let cluster = find(Flags { via: Some(host), ..context("rancher") }, &process).await.unwrap().cluster;
    let server = &cluster.api_servers[0];
    assert_eq!((server.address, server.via.as_deref()), ("127.0.0.1:6443".parse().unwrap(), Some("cp1")));
    assert_eq!(cluster.hosts.len(), 1);
}

/// In a file of its own as in place: kubectl reads both.
#[tokio::test]
async fn a_secret_that_others_can_read_is_used_and_said() {
    let me = "client-certificate: me.crt, client-key: me.key";
    for (secret, file) in [(me, "me.key"), ("token: word", "config"), ("tokenFile: token", "token")] {
        for (mode, said) in [(0o600, 0), (0o640, 1), (0o644, 1)] {
            let (dir, process) = folder();
            put(dir.path(), "token", "word", 0o600);
            put(dir.path(), "config", &CONFIG.replace(me, secret), 0o600);
            let text = std::fs::read_to_string(dir.path().join(file)).unwrap();
            put(dir.path(), file, &text, mode);
            let found = find(context("prod"), &process).await.unwrap();
            assert_eq!(found.notes.len(), said, "{secret} {mode:o}: {:?}", found.notes);
            let expected = format!("{file} holds a secret and can be read by others: chmod 600 ");
            assert!(found.notes.iter().all(|note| note.contains(&expected)), "{:?}", found.notes);
        }
    }
    let (dir, process) = folder();
    put(dir.path(), "me.key", &std::fs::read_to_string(dir.path().join("me.key")).unwrap(), 0o644);
    let flags =
        Flags { client_certificate: Some("me.crt".into()), client_key: Some("me.key".into()), ..Flags::default() };
    let found = find(flags, &process).await.unwrap();
    assert!(found.notes.len() == 1 && found.notes[0].contains("me.key holds a secret"), "{:?}", found.notes);
}

#[tokio::test]
async fn a_file_that_others_can_write_decides_nothing() {
    for file in ["config", "ca.crt"] {
        let (dir, process) = folder();
        put(dir.path(), file, &std::fs::read_to_string(dir.path().join(file)).unwrap(), 0o646);
        let said = find(context("prod"), &process).await.unwrap_err();
        assert!(
            said[0].contains(&format!("{file} can be written by others")) && said[0].contains("chmod go-w"),
            "{said:?}"
        );
    }
    let (dir, process) = folder();
    put(dir.path(), "ca2.crt", &std::fs::read_to_string(dir.path().join("ca.crt")).unwrap(), 0o666);
    let flags = Flags { certificate_authority: Some("ca2.crt".into()), ..Flags::default() };
    assert!(find(flags, &process).await.unwrap_err()[0].contains("ca2.crt can be written by others"));
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
async fn what_a_plugin_says_is_heard_and_kept() {
    let (dir, process) = folder();
    let flags = |name| Flags { kubeconfig: Some("config".into()), ..context(name) };
    put(dir.path(), "slow", "#!/bin/sh\necho go to https://x and type ABCD >&2\nexec sleep 600\n", 0o755);
    let heard = std::sync::Mutex::new(Vec::new());
    let hear = |line: &str| heard.lock().unwrap().push(line.to_owned());
    let said = cluster(&flags("slow"), &process, &Asking { hear: &hear, ..asking(2) }).await.unwrap_err();
    assert_eq!(*heard.lock().unwrap(), ["./slow: go to https://x and type ABCD"]);
    assert!(said[0].what.contains("was killed; its last words: go to https://x and type ABCD"), "{said:?}");

    let hinted = "{exec: {command: ./gone, installHint: 'get it from https://x'}}";
    put(dir.path(), "config", &CONFIG.replace("{exec: {command: ./slow}}", hinted), 0o600);
    let said = find(context("slow"), &process).await.unwrap_err();
    assert!(said[0].contains("./gone cannot be run") && said[0].contains("says: get it from https://x"), "{said:?}");
}

#[tokio::test]
async fn the_end_of_what_a_plugin_gave_is_kept() {
    // {"exp":1893456000}
    let own = "e30.eyJleHAiOjE4OTM0NTYwMDB9.x";
    let late = "2026-06-01T00:15:00Z";
    for (token, ends, expected) in [
        ("opaque", late, Ok(Some(late.parse().unwrap()))),
        (own, late, Ok(None)),
        // As kubectl, which sends it: whether it is still taken is the API server's to say.
        ("opaque", "2026-05-31T00:00:00Z", Ok(Some("2026-05-31T00:00:00Z".parse().unwrap()))),
        ("opaque", "soon", Err("expirationTimestamp \"soon\"")),
    ] {
        let (dir, process) = folder();
        let answer = format!(r#"{{"status": {{"token": "{token}", "expirationTimestamp": "{ends}"}}}}"#);
        put(dir.path(), "slow", &format!("#!/bin/sh\necho '{answer}'\n"), 0o755);
        match (find(context("slow"), &process).await, expected) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(found.cluster.credential_ends, expected, "{token}");
                assert_eq!(found.notes[0].contains("and ends on"), expected.is_some(), "{:?}", found.notes);
            }
            (Err(said), Err(expected)) => assert!(said[0].contains(expected), "{said:?}"),
            (found, expected) => panic!("{token} {ends}: {found:?} {expected:?}"),
        }
    }
}

#[tokio::test]
async fn a_certificate_of_a_plugin_is_taken_in_the_forms_of_a_file() {
    let (cert, key) = pair("me", 2020, 2026);
    let other = pair("other", 2020, 2030).1;
    let sec1 = key.replace("BEGIN PRIVATE", "BEGIN EC PRIVATE").replace("END PRIVATE", "END EC PRIVATE");
    for (cert, key, expected) in [
        (&*cert, &*key, Ok(())),
        // PKCS#8 under another label: kubectl goes by what is in it.
        (&cert, &sec1, Ok(())),
        (&cert, &other, Err("a client key: the key does not belong to the certificate of CN=me")),
        ("x", &key, Err("a client certificate: no certificate in it; expected PEM")),
        (&cert, "x", Err("a client key: no private key in it; expected PEM")),
    ] {
        let (dir, process) = folder();
        let status = serde_json::json!({"clientCertificateData": cert, "clientKeyData": key});
        put(dir.path(), "answer", &serde_json::json!({ "status": status }).to_string(), 0o600);
        put(dir.path(), "slow", "#!/bin/sh\nexec cat \"$HOME/answer\"\n", 0o755);
        match (find(context("slow"), &process).await, expected) {
            (Ok(found), Ok(())) => {
                let Credential::Certificate { key, .. } = &found.cluster.credential else { panic!("no certificate") };
                assert!(key.starts_with(b"-----BEGIN PRIVATE KEY"));
                assert!(found.cluster.void(process.clock.now()).unwrap().contains("expired on 2026-01-01"));
            }
            (Err(said), Err(expected)) => assert!(said[0].contains(expected), "{said:?}"),
            (found, expected) => panic!("{found:?} {expected:?}"),
        }
    }
}

#[tokio::test]
async fn a_plugin_is_told_the_cluster_as_kubectl_tells_it() {
    use base64::Engine as _;

    let (dir, process) = folder();
    let exec = "{exec: {command: ./slow}}";
    let told = "{exec: {command: ./slow, provideClusterInfo: true}}";
    let named =
        "tls-server-name: kubernetes, extensions: [{name: client.authentication.k8s.io/exec, extension: {a: [b]}}]";
    let text = CONFIG.replace(exec, told).replace("tls-server-name: kubernetes", named);
    put(dir.path(), "config", &text, 0o600);
    put(
        dir.path(),
        "slow",
        "#!/bin/sh\necho \"$KUBERNETES_EXEC_INFO\" >\"$HOME/told\"\necho '{\"status\": {\"token\": \"x\"}}'\n",
        0o755,
    );
    find(context("slow"), &process).await.unwrap();
    let told: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(dir.path().join("told")).unwrap()).unwrap();
    let ca = std::fs::read(dir.path().join("ca.crt")).unwrap();
    let expected = serde_json::json!({
        "server": "https://10.0.0.9",
        "tls-server-name": "kubernetes",
        "certificate-authority-data": base64::engine::general_purpose::STANDARD.encode(ca),
        "config": {"a": ["b"]},
    });
    assert_eq!(told["spec"]["cluster"], expected);
}

/// client-go: the file is read again and again and goes first; without it the token in place serves.
#[tokio::test]
async fn of_a_token_and_its_file_the_file_counts() {
    let me = "client-certificate: me.crt, client-key: me.key";
    for (file, token, notes) in [(Some("of-file"), "of-file", 1), (None, "in-place", 1)] {
        let (dir, process) = folder();
        put(dir.path(), "config", &CONFIG.replace(me, "token: in-place, tokenFile: token"), 0o600);
        if let Some(text) = file {
            put(dir.path(), "token", text, 0o600);
        }
        let found = find(context("prod"), &process).await.unwrap();
        assert!(matches!(&found.cluster.credential, Credential::Token(found) if found == token));
        assert_eq!(found.notes.len(), notes, "{:?}", found.notes);
        assert!(found.notes[0].contains("tokenFile"), "{:?}", found.notes);
    }
}

#[tokio::test]
async fn a_plan_names_a_plugin_and_does_not_run_it() {
    let (dir, process) = folder();
    let flags = Flags { kubeconfig: Some("config".into()), ..context("plugin") };
    let asking = Asking { plugins: Plugins::Named, ..asking(2) };
    let found = cluster(&flags, &process, &asking).await.unwrap();
    assert!(found.notes[0].contains("./plugin would be run"), "{:?}", found.notes);
    assert!(!dir.path().join("ran").exists());
}

#[tokio::test]
async fn a_plugin_that_kubectl_may_not_run_is_not_run() {
    let (dir, process) = folder();
    std::fs::create_dir(dir.path().join(".kube")).unwrap();
    put(dir.path(), ".kube/kuberc", "credentialPluginPolicy: DenyAll\n", 0o600);
    let said = find(context("plugin"), &process).await.unwrap_err();
    assert!(said[0].contains("./plugin is not run") && said[0].contains("DenyAll (--token"), "{said:?}");
    assert!(!dir.path().join("ran").exists());
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

#[tokio::test]
async fn flags_are_the_credential_of_a_context_without_a_user() {
    let (dir, process) = folder();
    for user in ["''", "gone"] {
        put(
            dir.path(),
            "config",
            &CONFIG.replace("{cluster: prod, user: me}", &format!("{{cluster: prod, user: {user}}}")),
            0o600,
        );
        let flags = Flags { token: Some("word".into()), ..context("prod") };
        let found = find(flags, &process).await.unwrap();
        assert!(matches!(&found.cluster.credential, Credential::Token(token) if token == "word"), "{user}");
    }
    let said = find(context("prod"), &process).await.unwrap_err();
    assert!(said[0].contains("context \"prod\" names a user that is not there: gone (--token"), "{said:?}");
}

#[tokio::test]
async fn an_empty_kubeconfig_is_said_to_be_empty() {
    let (dir, process) = folder();
    for text in ["", "clusters: null\ncontexts: null\nusers: null\n"] {
        put(dir.path(), "config", text, 0o600);
        for flags in [Flags::default(), context("prod")] {
            let said = find(flags, &process).await.unwrap_err();
            assert!(said[0].contains("no context stands in") && said[0].contains("/config"), "{said:?}");
        }
    }
}

#[tokio::test]
async fn through_a_host_the_port_is_that_of_the_host() {
    let (dir, process) = folder();
    let host = cp1();
    for (server, port) in [("10.0.0.1:16443", 16443), ("10.0.0.1", 443), ("10.0.0.9:8443", 6443), ("api.x:8443", 6443)]
    {
        put(dir.path(), "config", &CONFIG.replace("https://10.0.0.9'", &format!("https://{server}'")), 0o600);
        let found = find(Flags { via: Some(host.clone()), ..context("prod") }, &process).await.unwrap();
        assert_eq!(found.cluster.api_servers[0].address, ([127, 0, 0, 1], port).into(), "{server}");
    }
}

/// With these lines in the user's map, the context's user being one with a token.
fn user(dir: &TempDir, lines: &str) {
    let me = "{client-certificate: me.crt, client-key: me.key}";
    put(dir.path(), "config", &CONFIG.replace(me, &format!("{{token: word{lines}}}")), 0o600);
}

#[tokio::test]
async fn a_user_that_acts_as_another_does_so_here_too() {
    let (dir, process) = folder();
    user(
        &dir,
        ", as: alice, as-groups: [dev, 'a b'], as-uid: u-1, as-user-extra: {scopes: [x, y], 'acme.com/p': ['1']}",
    );
    for token in [None, Some("mine".to_owned())] {
        // As kubectl merges them: another token, and the same user to act as.
        let found = find(Flags { token, ..context("prod") }, &process).await.unwrap();
        let other = found.cluster.acting_as.unwrap();
        assert_eq!((other.user.as_str(), other.said().as_str()), ("alice", "alice of dev, a b"));
        let headers: Vec<String> = other.headers().iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            headers,
            [
                "impersonate-user: alice",
                "impersonate-group: dev",
                "impersonate-group: a b",
                "impersonate-uid: u-1",
                "impersonate-extra-acme.com%2Fp: 1",
                "impersonate-extra-scopes: x",
                "impersonate-extra-scopes: y",
            ]
        );
    }
    user(&dir, ", as: '', as-groups: []");
    assert_eq!(find(context("prod"), &process).await.unwrap().cluster.acting_as, None);
}

#[tokio::test]
async fn nobody_is_acted_as_by_halves() {
    for (lines, expected) in [
        (", as-groups: ['system:masters']", "but not as whom"),
        (", as-uid: u-1", "but not as whom"),
        (", as-user-extra: {a: [b]}", "but not as whom"),
        (", as: \"a\\nb\"", "without control characters"),
        (", as: alice, as-groups: dev", "as-groups: expected a list"),
        (", as: alice, as-groups: [1]", "as-groups: expected texts"),
        (", as: alice, as-groups: ['']", "expected a word"),
        (", as: alice, as-user-extra: {a: b}", "as-user-extra: expected a list"),
        (", as: [alice]", "as: expected text"),
    ] {
        let (dir, process) = folder();
        user(&dir, lines);
        let said = find(context("prod"), &process).await.expect_err(expected);
        assert!(said[0].contains(expected) && said[0].contains("/config:"), "expected {expected}\nsaid {said:#?}");
    }
    let (dir, process) = folder();
    put(
        dir.path(),
        "config",
        &CONFIG.replace("{client-certificate: me.crt, client-key: me.key}", "{as: alice}"),
        0o600,
    );
    let said = find(context("prod"), &process).await.unwrap_err();
    assert!(said[0].contains("nobody may act as alice without a credential"), "{said:?}");
}

#[tokio::test]
async fn a_server_behind_a_proxy_is_not_dialled_as_if_there_were_none() {
    let (dir, process) = folder();
    for proxy in ["socks5://127.0.0.1:1080", "http://proxy:3128", "https://10.0.0.1"] {
        let with = format!("tls-server-name: kubernetes, proxy-url: '{proxy}'");
        put(dir.path(), "config", &CONFIG.replace("tls-server-name: kubernetes", &with), 0o600);
        let said = find(context("prod"), &process).await.expect_err(proxy);
        assert!(
            said[0].contains("/config:13:") && said[0].contains(proxy) && said[0].contains("--via HOST"),
            "{said:?}"
        );
        // What is hinted at works.
        let flags = Flags { server: Some("10.0.0.1".into()), ..context("prod") };
        let found = find(flags, &process).await.unwrap();
        assert!(found.notes[0].contains("proxy-url is not used"), "{:?}", found.notes);
        let host = Host {
            name: "cp1".into(),
            address: "10.0.0.9".parse().unwrap(),
            ssh: sample::ssh(),
            roles: vec![Role::ControlPlane],
            manifests: "/m".into(),
            recovery_program: None,
        };
        let found = find(Flags { via: Some(host), ..context("prod") }, &process).await.unwrap();
        assert_eq!(found.notes, Vec::<String>::new());
    }
}

#[tokio::test]
async fn two_credentials_by_flags_are_refused() {
    let (_dir, process) = folder();
    let flags = Flags { token: Some("word".into()), client_certificate: Some("me.crt".into()), ..Flags::default() };
    let flags = Flags { client_key: Some("me.key".into()), ..flags };
    let said = find(flags, &process).await.unwrap_err();
    assert!(said[0].contains("both a token and a client certificate"), "{said:?}");
}
