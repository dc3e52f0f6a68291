//! One runnable example of each kind of step, with a world that it changes. A new kind without one does not compile.

use serde_json::{Value, json};

use super::support::*;
use crate::change::Target;
use crate::kit::Cluster;
use crate::plan::Plan;
use crate::steps::Known;
use crate::world::Reads as _;
use crate::world::fake::Objects;
use crate::world::fake::certificates::{ENDED, mode_of};
use crate::world::fake::jail::AUTHORIZERS;

const MANIFESTS: &str = "/etc/kubernetes/manifests";
const AUTHORIZERS_TEXT: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n- {type: Node, name: node}\n- {type: RBAC, name: rbac}\n";
const PREPARED: &str = "    - --authorization-mode=Node,RBAC\n    volumeMounts:\n    - {name: k, mountPath: /etc/kubernetes/pki}\n  volumes:\n  - {name: k, hostPath: {path: /etc/kubernetes/pki}}\n";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/worker-1";

/// The steps with these names out of the plan of everything.
fn of(names: &[&str]) -> Vec<Spec> {
    everything().into_iter().filter(|(name, _, _)| names.contains(name)).collect()
}

/// A kind, and before it what it needs to have anything to do.
pub(super) fn sample(kind: Known) -> Vec<Spec> {
    let close = || ("shut", "gate-close", json!({"stages": ["25%", "100%"]}));
    let freeze = || ("freeze", "freeze-nodes", json!({}));
    match kind {
        Known::Probe => of(&["look"]),
        Known::Diagnose => vec![("why", "diagnose", json!({}))],
        Known::FindOffender => vec![("find", "find-offender", json!({}))],
        Known::Confirm => of(&["sure"]),
        Known::Park => [of(&["park", "scale", "hold"]), vec![("all", "park", json!({"object": "ns/edge"}))]].concat(),
        Known::Release => {
            let releasing = |object: &str, with: Value| {
                let mut all = json!({"object": object, "stages": [50], "window": "2s"});
                all.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
                all
            };
            let mut all = of(&["scale"]);
            all.push(("replicas", "release", releasing("deploy/telemetry/gateway", json!({"replicas": 3}))));
            all.extend(of(&["park"]));
            all.push(("nodes", "release", releasing("ds/telemetry/collector", json!({}))));
            all
        }
        Known::Rollback => vec![
            ("back", "rollback", json!({"object": "ds/telemetry/edge"})),
            ("further", "rollback", json!({"object": "deploy/telemetry/front", "toRevision": 1})),
        ],
        Known::EndPods => of(&["park", "end"]),
        Known::FreezePods => vec![("still", "freeze-pods", json!({"object": "ds/telemetry/agent"}))],
        Known::Delete => of(&["kill"]),
        // Of what is deleted already, only an object made anew comes back.
        Known::RemoveFinalizers => {
            vec![("off", "remove-finalizers", json!({"object": "ds/telemetry/agent", "beforeDelete": true}))]
        }
        Known::Revoke => of(&["revoke"]),
        Known::RevokeTokens => vec![("void", "revoke-tokens", json!({"subject": "sa/telemetry/agent"}))],
        Known::JailClient => {
            vec![("jail", "jail", json!({"subject": "sa/telemetry/agent", "verbs": ["list", "watch"]}))]
        }
        Known::Throttle => vec![("throttle", "throttle", json!({"subject": "sa/telemetry/agent"}))],
        Known::RestoreRights => vec![("rights", "restore-rights", json!({}))],
        Known::Disarm => vec![
            ("soften", "disarm", json!({"object": "validatingadmissionpolicybinding/hold"})),
            (
                "spare",
                "disarm",
                json!({"object": "mutatingwebhookconfiguration/defaults", "namespaces": ["telemetry"]}),
            ),
            ("dead", "disarm", json!({})),
            ("drop", "disarm", json!({"object": "apiservice/v1beta1.metrics.k8s.io"})),
        ],
        Known::FreezeAutomation => vec![
            ("leave", "freeze-automation", json!({"object": "ds/telemetry/agent"})),
            ("flux", "freeze-automation", json!({"object": "hr/telemetry/collector"})),
            ("rest", "freeze-automation", json!({"all": "argo-cd"})),
        ],
        Known::ThawAutomation => vec![
            ("work", "thaw-automation", json!({"object": "application/argocd/frozen"})),
            ("flux", "thaw-automation", json!({"all": "flux"})),
        ],
        // One alone: it notes when it ends, and what began later ends later.
        Known::RefuseReturn => {
            vec![("away", "refuse-return", json!({"object": "ds/telemetry/agent", "ask": "the platform team"}))]
        }
        Known::Http => of(&["page"]),
        Known::Exec => of(&["mark", "here"]),
        Known::WaitFor => of(&["kill", "effect"]),
        Known::ScaleApiserver => vec![("room", "scale-apiserver", json!({"flags": {"max-requests-inflight": "800"}}))],
        Known::GateClose => vec![close()],
        Known::GateConfirm => vec![close(), ("longer", "gate-confirm", json!({"for": "20m"}))],
        Known::GateOpen => vec![close(), ("in", "gate-open", json!({"window": "2s"}))],
        Known::Access => vec![("known", "access", json!({}))],
        Known::RecoveryStart => vec![("beside", "recovery-apiserver-start", json!({"mint": true}))],
        Known::RecoveryStop => {
            vec![("beside", "recovery-apiserver-start", json!({})), ("over", "recovery-apiserver-stop", json!({}))]
        }
        Known::PrepareAuthorizationConfig => vec![("file", "prepare-authorization-config", json!({}))],
        Known::RescueManifest => vec![("rescue", "rescue-manifest", json!({}))],
        Known::RenewCertificates => vec![("renew", "renew-certificates", json!({"ca": true}))],
        Known::FreezeNodes => vec![freeze()],
        // Nobody renews the lease here, and whole hours of the test's clock may pass.
        Known::ThawNodes => vec![freeze(), ("thaw", "thaw-nodes", json!({"fresh": "48h"}))],
    }
}

/// One that leads and one that follows are enough.
fn small() -> Cluster {
    Cluster { hosts: cluster("east").hosts[..2].to_vec(), ..cluster("east") }
}

/// The same as a plan: each process that runs or resumes makes its own.
pub(super) fn plan_of(kind: Known) -> Plan {
    plan_over(vec![small()], &sample(kind), &policy())
}

/// The plan over a world whose hosts have manifests and can have a gate.
pub(super) fn bench(kind: Known) -> Bench {
    bench_of(&sample(kind))
}

/// The same with any steps.
pub(super) fn bench_of(specs: &[Spec]) -> Bench {
    let fake = world_of(vec![small()]).with_gates();
    let hosts: Vec<String> = fake.cluster("east").unwrap().hosts.iter().map(|host| host.name.clone()).collect();
    for (host, program) in
        hosts.iter().flat_map(|host| ["kube-apiserver", "kube-controller-manager"].map(|p| (host, p)))
    {
        // What is to be rescued has a flag that its program does not know.
        let rescued = program == "kube-apiserver" && specs.iter().any(|(_, kind, _)| *kind == "rescue-manifest");
        let bad = if rescued { "    - --bad-one=1\n" } else { "" };
        // What is to be prepared has its authorizers in a flag.
        let prepared = specs.iter().any(|(_, kind, _)| *kind == "prepare-authorization-config");
        let authorizers = if prepared { PREPARED } else { "" };
        let text = format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {program}\nspec:\n  containers:\n  - name: {program}\n    command:\n    \
             - {program}\n    - --v=2\n{bad}{authorizers}"
        );
        fake.write(&Target::host("east", host), &format!("{MANIFESTS}/{program}.yaml"), &text);
    }
    if specs.iter().any(|(_, kind, _)| *kind == "renew-certificates") {
        for (host, (path, text)) in hosts.iter().flat_map(|host| ENDED.iter().map(move |file| (host, file))) {
            fake.write_as(&Target::host("east", host), path, mode_of(path), text);
        }
    }
    if specs.iter().any(|(_, kind, _)| *kind == "jail") {
        for host in &hosts {
            fake.write(&Target::host("east", host), AUTHORIZERS, AUTHORIZERS_TEXT);
        }
    }
    fake.objects("east", |objects| {
        objects.put("/api/v1/namespaces/kube-system", json!({"kind": "Namespace", "metadata": {}}));
        objects.put(LEASE, json!({"metadata": {}, "spec": {"renewTime": "2025-01-01T00:00:00.000000Z"}}));
    });
    if specs.iter().any(|(_, _, with)| with["object"] == "ns/edge") {
        fake.objects("east", |objects| {
            objects.put("/apis/batch/v1/namespaces/edge/cronjobs/night", json!({"metadata": {}, "spec": {}}));
            objects.put(
                "/apis/apps/v1/namespaces/edge/deployments/front",
                json!({"metadata": {}, "spec": {"replicas": 3}}),
            );
        });
    }
    if specs.iter().any(|(_, kind, _)| *kind == "remove-finalizers") {
        let finalizers = json!(["example.com/hold", "foo.example.com"]);
        fake.objects("east", |objects| objects.edit(DS, |it| it["metadata"]["finalizers"] = finalizers));
    }
    if specs.iter().any(|(_, kind, _)| *kind == "revoke-tokens") {
        let account = json!({"kind": "ServiceAccount", "metadata": {"labels": {"a": "b"}}});
        fake.objects("east", |objects| objects.put("/api/v1/namespaces/telemetry/serviceaccounts/agent", account));
    }
    if specs.iter().any(|(_, kind, _)| *kind == "rollback") {
        fake.objects("east", super::rollback::revisions);
    }
    if specs.iter().any(|(_, kind, _)| *kind == "restore-rights") {
        rights_gone(&fake);
    }
    if specs.iter().any(|(_, kind, _)| *kind == "disarm") {
        fake.objects("east", admission);
    }
    if specs.iter().any(|(_, kind, _)| *kind == "release") {
        fake.objects("east", controllers);
    }
    if specs.iter().any(|(_, kind, _)| kind.ends_with("-automation")) {
        fake.objects("east", gitops);
    }
    Bench::new(fake, plan_over(vec![small()], specs, &policy()))
}

/// Nodes, and controllers that work: what is released comes.
fn controllers(objects: &mut Objects) {
    for (name, disk) in [("n1", "ssd"), ("n2", "tape")] {
        objects.put(&format!("/api/v1/nodes/{name}"), json!({"metadata": {"labels": {"disk": disk}}}));
    }
    for workload in [DS_PARKED, DEPLOY] {
        objects.follow(workload);
    }
}

/// An agent that an Application puts back, which an ApplicationSet makes, which another Application manages; a collector of Flux's;
/// and what another run has frozen.
pub(super) fn gitops(objects: &mut Objects) {
    let argo = |plural: &str, name: &str| format!("/apis/argoproj.io/v1alpha1/namespaces/argocd/{plural}/{name}");
    let flux =
        |of: &str, version: &str, place: &str| format!("/apis/{of}.toolkit.fluxcd.io/{version}/namespaces/{place}");
    let tracked = |id: &str| json!({"argocd.argoproj.io/tracking-id": id});
    let automated = json!({"syncPolicy": {"automated": {"prune": true, "selfHeal": true}, "syncOptions": ["a=b"]}});
    objects.edit(DS, |it| it["metadata"]["annotations"] = tracked("edge:apps/DaemonSet:telemetry/agent"));
    let set =
        json!([{"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "edges", "controller": true}]);
    let of_set = json!({"metadata": {"namespace": "argocd", "ownerReferences": set}, "spec": automated});
    objects.put(&argo("applications", "edge"), of_set.clone());
    objects.put(&argo("applications", "other"), of_set);
    let annotations = tracked("root:argoproj.io/ApplicationSet:argocd/edges");
    objects.put(
        &argo("applicationsets", "edges"),
        json!({"metadata": {"namespace": "argocd", "annotations": annotations}, "spec": {"template": {}}}),
    );
    objects.put(&argo("applications", "root"), json!({"metadata": {"namespace": "argocd"}, "spec": automated}));
    let before = r#"r0 {"/spec/syncPolicy/automated":{"selfHeal":true}}"#;
    let frozen = json!({"breakglass.io/frozen": before, "a": "b"});
    objects.put(
        &argo("applications", "frozen"),
        json!({"metadata": {"namespace": "argocd", "annotations": frozen}, "spec": {"syncPolicy": {}}}),
    );
    let labels =
        json!({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"});
    objects.put(
        &flux("helm", "v2", "telemetry/helmreleases/collector"),
        json!({"metadata": {"namespace": "telemetry", "labels": labels}, "spec": {"suspend": false}}),
    );
    objects.put(
        &flux("kustomize", "v1", "flux-system/kustomizations/apps"),
        json!({"metadata": {"namespace": "flux-system"}, "spec": {"path": "./apps"}}),
    );
    let frozen = json!({"breakglass.io/frozen": r#"r0 {"/spec/suspend":null}"#});
    objects.put(
        &flux("kustomize", "v1", "flux-system/kustomizations/frozen"),
        json!({"metadata": {"namespace": "flux-system", "annotations": frozen}, "spec": {"suspend": true}}),
    );
}

/// What decides on admission in a cluster, and is not well.
fn admission(objects: &mut Objects) {
    let at = |plural: &str, name: &str| format!("/apis/admissionregistration.k8s.io/v1/{plural}/{name}");
    let webhook = |name: &str, policy: &str| {
        json!({"name": name, "failurePolicy": policy, "rules": [],
            "clientConfig": {"service": {"namespace": "policy", "name": "policy"}}})
    };
    objects
        .put("/api/v1/namespaces/policy/services/policy", json!({"metadata": {}, "spec": {"ports": [{"port": 443}]}}));
    // Two that are dead, and one between them that only hangs.
    let all =
        json!([webhook("a.policy.test", "Fail"), webhook("b.policy.test", "Ignore"), webhook("c.policy.test", "Fail")]);
    objects.put(&at("validatingwebhookconfigurations", "policy"), json!({"metadata": {}, "webhooks": all}));
    let url =
        json!([{"name": "url.policy.test", "failurePolicy": "Fail", "clientConfig": {"url": "https://policy.test"}}]);
    objects.put(
        &at("mutatingwebhookconfigurations", "defaults"),
        json!({"metadata": {"annotations": {"a": "b"}}, "webhooks": url}),
    );
    objects.put(
        &at("validatingadmissionpolicybindings", "hold"),
        json!({"metadata": {}, "spec": {"policyName": "hold", "validationActions": ["Deny", "Audit"]}}),
    );
    objects.put(
        "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io",
        json!({"metadata": {},
            "spec": {"service": {"namespace": "policy", "name": "metrics"}}}),
    );
}

#[test]
fn each_kind_stands_in_its_own_example() {
    for kind in Known::ALL {
        let name = kind.kind().name();
        assert!(sample(*kind).iter().any(|(_, used, _)| *used == name), "{name} is not in its own example");
    }
    assert_eq!(Known::ALL.len(), crate::steps::KINDS.len());
}
