//! Every text that a host can be sent, by its hash: a change of the code that is to change nothing on hosts changes no line
//! of `tests/fixtures/scripts.sha256`. `BLESS=1` writes the file anew; what differs then is what hosts get to see.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::audit::{self, Client};
use super::gate::{self, Allow, BackEnd, Balancer, Driver, GateSpec, Reply, Scope, Side, Stage, Turn, Why};
use super::jail::{self, Jail};
use super::orders::Orders;
use super::swap::{self, Place, Swap};
use super::{
    apiserver, authorizers, certificates, credentials, file, left, offender, pods, ranking, recovery, rescue, room, why,
};
use crate::change::{Blob, Expect, FilePut, sha256_hex};
use crate::script::{Head, Script};

/// Gates that differ in all that rules can differ in.
fn gates() -> Vec<(&'static str, GateSpec)> {
    let net = |text: &str| text.parse().unwrap();
    let address = |text: &str| -> SocketAddr { text.parse().unwrap() };
    let sample = gate::sample;
    let client = |scope| GateSpec {
        side: Side::Client {
            endpoints: vec![address("192.0.2.1:6443"), address("[2001:db8::1]:6443")],
            service: vec![address("10.96.0.1:443")],
            scope,
        },
        ..sample()
    };
    let spare = Some("system.slice/kubelet.service".to_owned());
    vec![
        ("sample", sample()),
        (
            "counted",
            GateSpec { stages: vec![Stage::Count(1), Stage::Count(5), Stage::Share(25), Stage::Rate(50)], ..sample() },
        ),
        ("no stages", GateSpec { stages: Vec::new(), ..sample() }),
        (
            "silent, balanced, two ports",
            GateSpec {
                side: Side::Server { ports: vec![8443, 6443] },
                answer: Reply::Silence,
                balancer: Some(Balancer { nets: vec![net("192.0.2.64/29"), net("2001:db8:1::/64")], per_second: 5 }),
                allow: vec![Allow { net: net("2001:db8::9"), why: Why::Named }],
                ..sample()
            },
        ),
        ("nodes", client(Scope::All { spare_cgroup: None })),
        ("nodes but one group", client(Scope::All { spare_cgroup: spare })),
        ("pods", client(Scope::Sources(vec![net("10.64.0.0/16"), net("fd00::/64")]))),
        ("one group", client(Scope::Cgroup("user.slice".into()))),
    ]
}

fn of_gates() -> Vec<(String, Script)> {
    let mut all = vec![
        ("survey".to_owned(), gate::survey(&[]).into()),
        ("survey, another folder".to_owned(), gate::survey(&["/a b/manifests".to_owned()]).into()),
        ("status".to_owned(), gate::status().into()),
        ("memory".to_owned(), gate::memory().into()),
        ("knock".to_owned(), gate::knock("192.0.2.1:6443".parse().unwrap()).into()),
    ];
    let bob = Driver { run: "r2".into(), operator: "bob@example.com".into() };
    for (name, spec) in gates() {
        let mark = spec.mark();
        all.push((format!("cut {name}"), gate::cut(&spec)));
        for back_end in BackEnd::ALL {
            let mut one = |what: &str, script| all.push((format!("{what} {name} {back_end}"), script));
            one("close", gate::close(&spec, back_end));
            one("renew", gate::renew(&mark, back_end, spec.hold, &spec.driver()));
            one("open", gate::open(&spec.run, back_end, &spec.run, &bob));
            for level in [0, 1, mark.rungs.len()] {
                let turn = |by: &Driver| Turn { level, hold: 70, was: spec.run.clone(), by: by.clone() };
                one(&format!("arm {level}"), gate::arm(&mark, back_end, &turn(&spec.driver())));
                one(&format!("arm {level} taken over"), gate::arm(&mark, back_end, &turn(&bob)));
            }
            for (command, text) in gate::rules(&spec, back_end) {
                one(&format!("rules, {command},"), Script::new(&command, text));
            }
        }
    }
    all
}

fn of_manifests() -> Vec<(String, Script)> {
    let place = Place {
        manifests: "/etc/kubernetes/manifests".into(),
        program: "kube-apiserver".into(),
        run: "r1".into(),
        operator: "alice@example.com".into(),
        tag: "3-room".into(),
    };
    let exchange = Swap {
        place: place.clone(),
        file: format!("{}/kube-apiserver.yaml", place.manifests),
        from: "a".repeat(64),
        staged: place.next(),
        to: "b".repeat(64),
        origin: "https://127.0.0.1".into(),
        port: 6443,
        health: "/livez",
        exit_secs: 60,
        ready_secs: 120,
        only_while: None,
    };
    let ask = room::Ask { flags: vec!["--max-requests-inflight=800".into()], names: vec!["node-lifecycle".into()] };
    let asks = rescue::Asks {
        url: "https://127.0.0.1:6443/livez".into(),
        port: 6443,
        files: vec![exchange.file.clone(), "/etc/kubernetes/manifests/it's a copy".into()],
        image: "registry.k8s.io/kube-apiserver:v1.34.4".into(),
        certificates: vec!["/etc/kubernetes/pki/apiserver.crt".into()],
    };
    let stray = format!("{}/kube-apiserver.yaml.bak", place.manifests);
    let aside = format!("{}/stray-kube-apiserver.yaml.bak", place.beside());
    let put = |content: Option<&[u8]>, expect| {
        let content = content.map(Blob::new);
        file::put(&FilePut { path: place.next(), mode: 0o600, content, expect }).unwrap()
    };
    [
        ("look", swap::look(&place).into()),
        ("left", left::look(&format!("{}/", place.manifests)).into()),
        ("jails", jail::standing(&place.manifests).into()),
        ("under way", swap::under_way(&place.manifests, &place.program).into()),
        ("folder", swap::folder(&place)),
        ("folder away", swap::folder_away(&place)),
        ("mend", swap::mend(&place)),
        ("swap", swap::swap(&exchange)),
        (
            "swap, only while",
            swap::swap(&Swap {
                only_while: Some(("/etc/it's/config.yaml".into(), "d".repeat(64))),
                ..exchange.clone()
            }),
        ),
        ("room", room::look(&place, &ask, None).into()),
        ("room, nothing asked", room::look(&place, &room::Ask::default(), None).into()),
        ("why", why::look(place.beside()).into()),
        ("evidence", rescue::look(&place, &asks).into()),
        ("copy", rescue::copy::read(Some("/etc/it's/before.yaml"), &exchange.file).into()),
        ("replace", rescue::replace(&place, &exchange.file, (&exchange.from, &exchange.to), &place.next())),
        ("move out", rescue::move_file(&place, (&stray, &aside), &exchange.from, Some(&exchange.file))),
        ("move back", rescue::move_file(&place, (&aside, &stray), &exchange.from, None)),
        ("put", put(Some(b"a: 1\n"), Expect::Absent)),
        ("put over", put(Some(b"a: 1\n"), Expect::Sha256("c".repeat(64)))),
        ("put away", put(None, Expect::Sha256("c".repeat(64)))),
    ]
    .map(|(name, script)| (name.to_owned(), script))
    .into()
}

fn of_offenders() -> Vec<(String, Script)> {
    let user = Some("system:serviceaccount:telemetry:agent");
    let last = offender::Read { log: "/var/log/audit.log".into(), size: 4096 };
    [
        ("count by user", audit::count("", &Client::User("system:serviceaccount:a:b".into()), 10).into()),
        ("count by agent", audit::count("/var/log/it's.log", &Client::Agent("agent/\"1".into()), 1).into()),
        ("presence", apiserver::presence().into()),
        ("offender", offender::look(&[6443], None, None).into()),
        ("offender by user", offender::look(&[6443, 8443], user, None).into()),
        ("ranking, audit", ranking::audit("", 300, 1 << 28).into()),
        ("ranking, this audit log", ranking::audit("/a b/audit.log", 0, 1).into()),
        ("ranking, log", ranking::server_log("", 300, 1 << 28).into()),
        ("ranking, sockets", ranking::sockets(&[6443, 8443]).into()),
        ("offender since", offender::look(&[6443], user, Some(&last)).into()),
    ]
    .map(|(name, script): (_, Script)| (name.to_owned(), script))
    .into()
}

fn of_jails() -> Vec<(String, Script)> {
    let own = str::to_owned;
    let resources = vec![jail::Resource { plural: own("deployments"), group: own("apps") }];
    let whom = jail::Whom {
        who: jail::Who::Group(own("it's \"odd\" \\ [x]")),
        called: own("group/it's \"odd\""),
        verbs: vec![own("list")],
        resources,
    };
    let jailed =
        Jail { run: own("r1"), step: own("2"), operator: own("alice"), reason: own("why"), at: own("2026"), whom };
    let text = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n- {type: RBAC, name: rbac}\n";
    let file = "/etc/kubernetes/it's/config.yaml";
    let put = jail::put_in_text(text, &jailed, &jail::kubeconfig_beside(file, &jailed.name())).unwrap();
    [
        ("jail, look", jail::look("/etc/kubernetes/manifests", &jailed).into()),
        ("jail, put", jail::put(file, &jailed, &sha256_hex(text.as_bytes()), &put)),
        ("jail, take out", jail::take_out(file, &jailed, &put.block)),
        ("authorizers, look", authorizers::look("/etc/kubernetes/manifests", file).into()),
        ("authorizers, put", authorizers::put(file, text)),
        ("authorizers, away", authorizers::away(file, &sha256_hex(text.as_bytes()), true)),
    ]
    .map(|(name, script): (_, Script)| (name.to_owned(), script))
    .into()
}

fn of_pods() -> Vec<(String, Script)> {
    let which = pods::Which {
        object: "daemonsets.apps/telemetry/agent".into(),
        namespace: "telemetry".into(),
        forms: vec!["agent-[a-z]".into(), "agent-[0-9][0-9]".into()],
    };
    let freeze = pods::Freeze {
        run: "r1".into(),
        step: "2".into(),
        operator: "alice o'neil".into(),
        reason: "it's why".into(),
        which: which.clone(),
        seconds: 1800,
    };
    [
        ("pods, look", pods::look(&which).into()),
        ("pods, network", pods::network(&which).into()),
        ("pods, frozen", pods::frozen().into()),
        ("pods, freeze", pods::freeze(&freeze)),
        ("pods, thaw", pods::thaw(&freeze)),
    ]
    .map(|(name, script): (_, Script)| (name.to_owned(), script))
    .into()
}

fn of_recovery() -> Vec<(String, Script)> {
    let start = recovery::Start {
        run: "r1".into(),
        operator: "alice@example.com".into(),
        port: "16443".into(),
        seconds: 900,
        flags: ["--etcd-servers=https://127.0.0.1:2379,https://[::1]:2379", "--etcd-cafile=/etc/it's/ca.crt", "--v=2"]
            .map(str::to_owned)
            .into(),
        program: String::new(),
        mounted: vec!["/opt/it's/k/kube-apiserver".into()],
        version: "v1.34.4".into(),
        manifests: "/etc/kubernetes/manifests".into(),
        own: String::new(),
    };
    let beside = "/etc/kubernetes/breakglass-r1-2-certificates";
    let kept = [("a".repeat(64), "/etc/kubernetes/admin.conf".to_owned())];
    let splice = certificates::Splice {
        path: kept[0].1.clone(),
        from: "YQ==".into(),
        to: "Yg==".into(),
        sha256: kept[0].0.clone(),
        beside: beside.into(),
    };
    let certificate = "-----BEGIN CERTIFICATE-----\nQ0E=\n-----END CERTIFICATE-----\n";
    let knowing = recovery::Start {
        flags: vec!["--client-ca-file=/etc/it's/ca.crt".into()],
        program: "/opt/it's/kube-apiserver".into(),
        own: certificate.into(),
        ..start.clone()
    };
    [
        ("recovery, survey", recovery::survey("/etc/kubernetes/manifests").into()),
        ("recovery, status", recovery::status().into()),
        ("recovery, start", recovery::start(&start)),
        ("recovery, start with a certificate", recovery::start(&knowing)),
        ("recovery, extend", recovery::extend("r1", 900, "")),
        ("recovery, extend with a certificate", recovery::extend("r1", 900, certificate)),
        ("recovery, stop", recovery::stop("r1")),
        ("certificates, look", certificates::look("/etc/kubernetes/manifests/", beside).into()),
        ("certificates, keep", certificates::keep(beside, &kept, ("r1", "alice@example.com"))),
        ("certificates, keep away", certificates::keep_away(beside, &kept)),
        (
            "certificates, sign",
            certificates::sign(certificates::ETCD, "/etc/kubernetes/pki/etcd/server.crt", &[7; 200]),
        ),
        ("certificates, splice", splice.there()),
        ("certificates, splice back", splice.back()),
        ("credentials", credentials::read().into()),
        (
            "sign",
            credentials::sign(
                "/etc/kubernetes/pki/ca.crt",
                "-----BEGIN CERTIFICATE REQUEST-----\nQ0E=\n-----END CERTIFICATE REQUEST-----\n",
                3600,
            ),
        ),
    ]
    .map(|(name, script): (_, Script)| (name.to_owned(), script))
    .into()
}

/// Whoever acts on orders gets each as a value again, whatever script of the house it is.
#[test]
fn every_script_is_an_order_and_every_order_has_its_script() {
    let mut seen = std::collections::BTreeSet::new();
    let all = of_gates()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("rules"))
        .chain(of_manifests())
        .chain(of_offenders())
        .chain(of_jails())
        .chain(of_pods())
        .chain(of_recovery());
    for (name, script) in all {
        let head = Head::parse(&script.text()).unwrap();
        let order = Orders::read(&head.name, &head.args).unwrap_or_else(|why| panic!("{name}: {why}"));
        seen.insert(order.name());
    }
    assert_eq!(seen, Orders::NAMES.iter().copied().collect());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test asks the environment itself")]
fn what_hosts_are_sent_is_what_it_was() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/scripts.sha256");
    let mut now = String::new();
    let all = of_gates().into_iter().chain(of_manifests()).chain(of_offenders()).chain(of_jails());
    let all = all.chain(of_pods()).chain(of_recovery());
    for (name, script) in all {
        // The words stand in plans and reports alone.
        let _ = writeln!(now, "{}  {name}: {}", &sha256_hex(script.text().as_bytes())[..32], script.words);
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &now).unwrap();
        return;
    }
    let then = include_str!("../../tests/fixtures/scripts.sha256");
    let changed: Vec<&str> = now.lines().filter(|line| !then.lines().any(|old| old == *line)).collect();
    assert!(now == then, "other texts than before (BLESS=1 if that is meant):\n{}", changed.join("\n"));
}
