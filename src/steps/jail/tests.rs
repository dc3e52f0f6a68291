use serde_json::json;

use super::*;
use crate::finding::Finding;
use crate::host::jail::{Effect, Server};
use crate::kit::{Credential, sample};

fn build(with: Value) -> Result<Box<dyn Step>, String> {
    JailClient.build(with).map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

#[track_caller]
fn refused(with: Value, part: &str) {
    let why = build(with).err().unwrap_or_default();
    assert!(why.contains(part), "{why}");
}

#[test]
fn what_cannot_be_held_or_would_hold_nothing_is_refused_by_name() {
    refused(json!({}), "subject");
    refused(json!({"subject": "ds/telemetry/agent"}), "is an object");
    refused(json!({"subject": "group/system:masters"}), "before any authorizer is asked");
    refused(json!({"subject": "system:apiserver"}), "no authorizer is asked about it");
    refused(json!({"subject": "system:anonymous"}), "restarted again and again");
    refused(json!({"subject": "group/system:unauthenticated", "verbs": ["get"]}), "Name the resources");
    refused(json!({"subject": "jane", "verbs": ["lst"]}), "did you mean list?");
    refused(json!({"subject": "jane", "verbs": []}), "it is empty");
    refused(json!({"subject": "jane", "resources": []}), "it is empty");
    refused(json!({"subject": "jane", "resources": ["certificates"]}), "PLURAL.GROUP");
    refused(json!({"subject": "jane", "resources": ["pods'] || true"]}), "is no resource");
    refused(json!({"subject": "jane", "within": "1s"}), "between 5s and 10m");
    assert!(
        build(json!({"subject": "group/system:unauthenticated", "resources": ["po", "certificates.cert-manager.io"]}))
            .is_ok()
    );
}

fn step(with: &Value) -> Jailing {
    let with: Params = params(with.clone()).unwrap();
    let subject = Subject::parse(&with.subject, None).unwrap();
    let who = match &subject {
        Subject::Group(name) => Who::Group(name.clone()),
        other => Who::User(other.user_name().unwrap()),
    };
    let whom = Whom { who, called: subject.to_string(), verbs: Vec::new(), resources: Vec::new() };
    Jailing { subject, whom, within: with.within.0 }
}

/// Why it is asked about, where our certificate is for this user of these groups.
fn asked(subject: &str, (user, groups): (&str, &[&str])) -> Option<String> {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    groups.iter().for_each(|group| params.distinguished_name.push(rcgen::DnType::OrganizationName, *group));
    params.distinguished_name.push(rcgen::DnType::CommonName, user);
    let cert = params.self_signed(&key).unwrap().pem().into_bytes();
    let credential = Credential::Certificate { cert, key: key.serialize_pem().into_bytes() };
    crate::steps::vital::vital(
        &step(&json!({"subject": subject})).subject,
        &Cluster { credential, ..sample::cluster("east", 1) },
    )
}

#[test]
fn whoever_the_cluster_or_we_live_by_is_asked_about() {
    let alice = ("alice", &["oncall"][..]);
    for vital in [
        "sa/kube-system/coredns",
        "system:kube-controller-manager",
        "system:kube-scheduler",
        "group/system:nodes",
        "system:node:worker-1",
        "group/system:authenticated",
        "group/system:serviceaccounts",
        "group/kubeadm:cluster-admins",
        "alice",
        "group/oncall",
    ] {
        assert!(asked(vital, alice).is_some(), "{vital}");
    }
    for ordinary in ["sa/telemetry/agent", "bob", "group/ci"] {
        assert_eq!(asked(ordinary, alice), None, "{ordinary}");
    }
    assert!(asked("alice", alice).is_some_and(|why| why.contains("our own credential")));
    // Whom everything is allowed is held by no jail.
    assert_eq!(asked("alice", ("alice", &["system:masters"])), None);
    let mut once = step(&json!({"subject": "sa/kube-system/coredns"}));
    once.whom.verbs = vec!["list".into()];
    let question = once.question(&sample::cluster("east", 1), "a part of Kubernetes runs as it");
    assert_eq!(question.typed.as_deref(), Some("serviceaccount/kube-system/coredns"));
    assert!(question.text.starts_with("on all API servers of east its requests to list of "), "{}", question.text);
}

/// Why there is no place, and what to do.
fn no_place(seen: &Seen) -> String {
    let subject = Subject::parse("it's me", None).unwrap();
    match Place::of(&Target::host("east", "cp1"), &subject, seen) {
        Err(StepError::Refused { why, hint: Some(hint) }) => format!("{why}; {hint}"),
        other => panic!("{:?}", other.err()),
    }
}

#[test]
fn an_api_server_that_cannot_be_told_now_is_refused_with_what_can_be_done() {
    let server = |mode: &str, config: &str, file: Result<&str, &str>| Server {
        pid: 7,
        mode: mode.into(),
        config: config.into(),
        file: file.map(str::to_owned).map_err(str::to_owned),
    };
    let seen = |servers: Vec<Server>| Seen { servers, ..Seen::default() };
    let told = no_place(&seen(vec![server("Node,RBAC", "", Err(""))]));
    for part in [
        "--authorization-mode=Node,RBAC",
        "breakglass prepare authorization-config",
        "breakglass revoke 'user/it'\\''s me'",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(no_place(&seen(vec![server("", "", Err(""))])).contains("which allows everything"));
    assert!(no_place(&seen(vec![server("", "/a/b", Err("/a/b is mounted by itself"))])).contains("mount the folder"));
    let two = vec![server("", "/a/b", Ok("/a/b")), server("", "/a/c", Ok("/a/c"))];
    assert!(no_place(&seen(two)).contains("not by the same file"));
    assert!(no_place(&seen(Vec::new())).contains("no API server runs there"));
    assert!(
        no_place(&Seen { inside: vec!["k3s".into()], ..Seen::default() }).contains("k3s has its API server inside")
    );
    let unread = Seen { text: Some(Err("it is not UTF-8".into())), ..seen(vec![server("", "/a/b", Ok("/a/b"))]) };
    assert!(no_place(&unread).contains("less /a/b"));
}

#[test]
fn only_what_others_wrote_down_shows_that_it_is_in_force() {
    let log = || Effect { log: Some("/var/log/audit.log".into()), ..Effect::default() };
    let in_force = |refused, secs, by: &str| Verdict::InForce(Finding::Jailed { refused, secs, shown_by: by.into() });
    assert_eq!(judge(&Effect { refused: 3, ..log() }, 1, 15), in_force(3, 1, "the audit log"));
    assert_eq!(judge(&Effect { told: 2, ..Effect::default() }, 9, 15), in_force(2, 9, "the API server's own log"));
    let told = |effect: &Effect, age| match judge(effect, age, 15) {
        Verdict::InForce(finding) => format!("in force: {finding}"),
        Verdict::Waits(what) => format!("waits: {what}"),
        Verdict::Unknown(why) => format!("unknown: {why}"),
        Verdict::Not(why) => format!("not: {why}"),
    };
    assert!(told(&log(), 3).starts_with("waits: a request of it"));
    assert!(told(&log(), 15).starts_with("unknown: no request of it stands in /var/log/audit.log for 15 s"));
    assert!(told(&Effect::default(), 3).starts_with("unknown: neither an audit log"));
    // One that is served counts more than all that are refused.
    let served = Effect { refused: 9, served: 1, ..log() };
    assert!(told(&served, 10).starts_with("waits: the API server to read the file again (1 request of the newest"));
    let reload = Effect { reload: Some("E1128 \"reloading\"".into()), ..served.clone() };
    assert!(told(&reload, 75).starts_with("not: 1 request of the newest") && told(&reload, 75).contains("last word"));
    assert!(told(&Effect { masters: true, ..served }, 3).contains("not: "));
}
