//! What marks and journals come to together.

use serde_json::{Value, json};

use super::*;
use crate::kit::sample;
use crate::world::fake::Fake;

fn gate(run: &str) -> Stands {
    Stands {
        cluster: "east".into(),
        place: Place::Host("cp1".into()),
        kind: Kind::Gate,
        part: String::new(),
        what: "gate: closed".into(),
        run: run.into(),
        operator: None,
        about: String::new(),
        since: None,
        ends: None,
        seen: Seen::Mark,
        back: Back::Verb { words: "gate open".into(), targets: false },
    }
}

fn claim(run: &str) -> Stands {
    Stands { what: "gate".into(), operator: Some("alice".into()), seen: Seen::Journal, back: Back::Undo, ..gate(run) }
}

#[test]
fn what_both_tell_of_is_one_thing_and_another_run_s_is_another() {
    let all = merge(vec![gate("r1")], vec![claim("r1"), claim("r2")], &Looked::new());
    let told: Vec<_> = all.iter().map(|one| (one.run.as_str(), one.seen, one.what.as_str(), &one.back)).collect();
    assert_eq!(told, [("r1", Seen::Both, "gate: closed", &Back::Undo), ("r2", Seen::Journal, "gate", &Back::Undo)]);
    assert_eq!(all[0].operator.as_deref(), Some("alice"));
}

/// What its journal cannot take back may be taken back by hand.
#[test]
fn a_way_back_that_the_mark_knows_is_not_lost_to_a_journal_that_has_none() {
    let none = Stands { back: Back::Nothing("it was not saved".into()), ..claim("r1") };
    let all = merge(vec![gate("r1")], vec![none], &Looked::new());
    assert_eq!(all[0].back, gate("r1").back);
}

#[test]
fn what_is_not_there_where_it_was_looked_for_is_gone_and_else_it_is_as_the_journal_says() {
    let seen = |looked: &[(&str, Option<&str>, Kind)], claim: Stands| {
        let looked = looked.iter().map(|(at, host, kind)| ((*at).to_owned(), host.map(str::to_owned), *kind)).collect();
        merge(Vec::new(), vec![claim], &looked)[0].seen
    };
    assert_eq!(seen(&[("east", Some("cp1"), Kind::Gate)], claim("r1")), Seen::Gone);
    for other in
        [("east", Some("cp2"), Kind::Gate), ("east", Some("cp1"), Kind::Manifest), ("west", Some("cp1"), Kind::Gate)]
    {
        assert_eq!(seen(&[other], claim("r1")), Seen::Journal, "{other:?}");
    }
    let object = Stands { place: Place::Object("deployments/a/b".into()), kind: Kind::Parked, ..claim("r1") };
    assert_eq!(seen(&[("east", None, Kind::Parked)], object), Seen::Gone);
    // Nobody can look for what leaves no mark.
    let unmarked = Stands { kind: Kind::Unmarked, ..claim("r1") };
    assert_eq!(seen(&[("east", Some("cp1"), Kind::Unmarked)], unmarked), Seen::Journal);
}

fn fake() -> Fake {
    Fake::new(vec![sample::cluster("east", 1)])
}

fn asked(future: impl Future<Output = Found>) -> Found {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

const LEFT_BY: &str = "20261128-031200.000-ab12";

/// Where which annotation of that run stands, and what it says.
fn marks() -> Vec<(&'static str, &'static str, String)> {
    let of = |rest: &str| format!("{LEFT_BY} {rest}");
    vec![
        ("/apis/apps/v1/namespaces/a/statefulsets/store", "parked", of("replicas=3 whenScaled=Delete by=bob")),
        // As an earlier version left it.
        ("/apis/apps/v1/namespaces/a/deployments/old", "parked", LEFT_BY.to_owned()),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/shared",
            "revoked",
            of("user/jane doe by=alice%40example.com"),
        ),
        ("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/made", "restored", of("step 2 created by=eve")),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin", "restored", of("step 2 by=eve")),
        (
            "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/hold",
            "disarmed",
            LEFT_BY.to_owned(),
        ),
        (
            "/apis/argoproj.io/v1alpha1/namespaces/argocd/applicationsets/edge",
            "frozen",
            of(r#"{"/spec/syncPolicy":null} by=bob"#),
        ),
        ("/apis/helm.toolkit.fluxcd.io/v2beta1/namespaces/a/helmreleases/x", "frozen", of("{} by=bob")),
        ("/apis/apps/v1/namespaces/a/daemonsets/edge", "rolled-back", of("revision=7 by=bob")),
        ("/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/breakglass-x", "throttled", format!("{LEFT_BY}.2 sa/a/b")),
        (
            "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/breakglass-refuses-x",
            "refused",
            of("step 1"),
        ),
        ("/apis/batch/v1/namespaces/a/cronjobs/sweep", "frozen", of(r#"{"/spec/suspend":false} by=bob"#)),
    ]
}

#[test]
fn each_mark_in_a_list_of_metadata_says_what_was_done_whose_it_is_and_what_takes_it_back() {
    let (fake, all, run) = (fake(), marks(), LEFT_BY);
    let marked = |key: &str, mark: &str| json!({"metadata": {"annotations": {key: mark}}});
    fake.objects("east", |objects| {
        for (path, mark, text) in &all {
            objects.put(path, marked(&format!("breakglass.io/{mark}"), text));
        }
        objects.put("/apis/apps/v1/namespaces/a/deployments/theirs", marked("example.com/parked", "x"));
        let mut copied = marked("breakglass.io/parked", run);
        copied["metadata"]["ownerReferences"] = json!([{"kind": "Deployment", "name": "old", "controller": true}]);
        objects.put("/apis/apps/v1/namespaces/a/replicasets/old-1", copied);
    });
    // An older Flux.
    for version in ["v2", "v2beta2"] {
        let path = format!("/apis/helm.toolkit.fluxcd.io/{version}/helmreleases?limit=500");
        fake.answer(&path, 404, "404 page not found", std::time::Duration::ZERO);
    }
    let found = asked(objects::look(&fake, "east"));
    assert_eq!((found.not_known.as_slice(), found.looked.len()), ([].as_slice(), 8));
    assert!(found.stands.iter().all(|one| one.run == run && one.since.is_some()), "{:#?}", found.stands);
    let of = |place: &str| found.stands.iter().find(|one| one.place.name() == place).unwrap();
    let command = |place: &str| match &of(place).back {
        Back::Typed(command) => command.clone(),
        back => panic!("{back:?}"),
    };
    let store = "statefulsets/a/store";
    assert_eq!((of(store).what.as_str(), of(store).operator.as_deref()), ("parked: at 0 of 3 replicas", Some("bob")));
    for part in [r#""/spec/replicas","value":3"#, r#"/whenScaled","value":"Delete""#, r#"{"op":"test""#] {
        assert!(command(store).contains(part), "{part}: {}", command(store));
    }
    assert_eq!(command("deployments/a/old"), "kubectl scale deployments old -n a --replicas=N");
    let shared = "clusterrolebindings/shared";
    assert_eq!(of(shared).operator.as_deref(), Some("alice@example.com"));
    assert_eq!(
        command(shared),
        "kubectl set subject clusterrolebindings shared --user='jane doe' && kubectl annotate clusterrolebindings shared \
         breakglass.io/revoked-"
    );
    assert_eq!(command("clusterrolebindings/made"), "kubectl delete clusterrolebindings made");
    assert_eq!(command("clusterroles/cluster-admin"), "kubectl edit clusterroles cluster-admin");
    assert_eq!(
        command("validatingadmissionpolicybindings/hold"),
        "kubectl edit validatingadmissionpolicybindings hold"
    );
    for (place, words) in [
        ("applicationsets.argoproj.io/argocd/edge", "thaw-automation applicationset/argocd/edge"),
        ("helmreleases.helm.toolkit.fluxcd.io/a/x", "thaw-automation helmrelease/a/x"),
    ] {
        assert_eq!(of(place).back, Back::Verb { words: words.into(), targets: false });
        assert_eq!(of(place).operator.as_deref(), Some("bob"));
    }
    let refusing = "validatingadmissionpolicies/breakglass-refuses-x";
    assert!(of(refusing).what.starts_with("refused whoever makes it: "), "{}", of(refusing).what);
    assert_eq!(command(refusing), "kubectl delete validatingadmissionpolicies breakglass-refuses-x");
    assert_eq!(of("daemonsets/a/edge").what, "rolled back from revision 7");
    assert_eq!(
        command("daemonsets/a/edge"),
        "kubectl rollout undo daemonsets edge -n a --to-revision=7 && kubectl annotate daemonsets edge -n a \
         breakglass.io/rolled-back-"
    );
    let again = command("cronjobs/a/sweep");
    for part in
        [r#""/spec/suspend","value":false"#, r#"{"op":"test","path":"/metadata/annotations/breakglass.io~1frozen""#]
    {
        assert!(again.contains(part), "{part}: {again}");
    }
    assert_eq!(found.stands.len(), all.len());
}

#[test]
fn a_list_that_is_longer_than_it_is_read_is_not_known_and_one_that_is_not_served_has_nothing() {
    let (fake, path) = (fake(), "/apis/apps/v1/deployments?limit=500");
    let page = |items: Value| json!({"kind": "List", "metadata": {"continue": "more"}, "items": items}).to_string();
    let parked = json!([{"metadata": {"name": "x", "namespace": "a", "annotations": {"breakglass.io/parked": "r1"}}}]);
    fake.answer(path, 200, &page(parked), std::time::Duration::ZERO);
    fake.answer(&format!("{path}&continue=more"), 200, &page(json!([])), std::time::Duration::ZERO);
    let young = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings?limit=500";
    fake.answer(young, 404, "404 page not found", std::time::Duration::ZERO);
    let found = asked(objects::look(&fake, "east"));
    assert_eq!(found.stands.len(), 1);
    let said: Vec<_> = found.not_known.iter().map(|one| (one.what.as_str(), one.why.as_str())).collect();
    assert_eq!(said, [("deployments", "only the first 5000 were looked at")]);
    assert!(!found.looked.contains(&("east".into(), None, Kind::Parked)));
    assert!(found.looked.contains(&("east".into(), None, Kind::Disarmed)));
    let asked = fake.take_sent().iter().filter(|sent| format!("{sent:?}").contains("deployments")).count();
    assert_eq!(asked, 10);
}

/// All of what is asked about objects is LISTs: an API server that gives no answer is not asked for the next.
#[test]
fn an_api_that_answers_nothing_is_asked_once_and_nothing_of_it_is_known() {
    let fake = fake();
    fake.deny_reads(1);
    let found = asked(objects::look(&fake, "east"));
    assert_eq!((found.stands.len(), found.looked.len(), fake.take_sent().len()), (0, 0, 1));
    let said: Vec<_> = found.not_known.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(said, ["objects in the API"]);
    // One that knows us and lets us list nothing is told once.
    let forbidden = self::fake();
    let found = {
        for plural in ["daemonsets", "deployments", "statefulsets", "replicasets"] {
            let path = format!("/apis/apps/v1/{plural}?limit=500");
            forbidden.answer(&path, 403, r#"{"message":"forbidden"}"#, std::time::Duration::ZERO);
        }
        asked(objects::look(&forbidden, "east"))
    };
    let said: Vec<_> = found.not_known.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(said, ["daemonsets, deployments, statefulsets, replicasets"]);
    assert_eq!(found.looked.len(), 6);
}

#[test]
fn a_host_that_is_not_reached_is_asked_once_and_one_look_that_fails_leaves_the_others() {
    let target = Target::host("east", "cp1");
    let now = "2026-11-28T04:00:00Z".parse().unwrap();
    let cluster = sample::cluster("east", 1);
    let look =
        |fake: &Fake| asked(hosts::look(hosts::On { reads: fake, target: &target, host: &cluster.hosts[0], now }));
    let dark = fake().with_gates();
    dark.deny_reads(1);
    let found = look(&dark);
    let what: Vec<_> = found.not_known.iter().map(|one| (one.host.as_deref(), one.what.as_str())).collect();
    assert_eq!((what.as_slice(), found.looked.len()), ([(Some("cp1"), "what stands there")].as_slice(), 0));
    let torn = fake().with_gates();
    torn.on_script(Box::new(|_, script| {
        let stdout = if script.name == "gate.status" { "uptime=1.0\n" } else { return None };
        Some(crate::world::ScriptOutput { status: 1, stdout: stdout.into(), stderr: String::new() })
    }));
    let found = look(&torn);
    let what: Vec<_> = found.not_known.iter().map(|one| one.what.as_str()).collect();
    assert_eq!((what.as_slice(), found.looked.len()), (["a gate"].as_slice(), 6));
}

#[test]
fn an_object_is_named_as_kubectl_takes_it() {
    for (path, name) in [
        ("/apis/apps/v1/namespaces/telemetry/daemonsets/agent", Some("daemonsets/telemetry/agent")),
        ("/api/v1/namespaces/telemetry", Some("namespaces/telemetry")),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kubeadm:cluster%2Dadmins",
            Some("clusterrolebindings/kubeadm:cluster-admins"),
        ),
        ("/apis/stable.example.com/v1/namespaces/a/crontabs/x?limit=1", Some("crontabs.stable.example.com/a/x")),
        ("/metrics", None),
    ] {
        assert_eq!(objects::named(path).as_deref(), name, "{path}");
    }
}
