//! Freezing what puts an object back: in which order, how far up, and what is said where it cannot be told to stop.

use std::time::Duration;

use serde_json::{Value, json};

use super::announced::all_announced;
use super::samples::gitops;
use super::support::*;
use crate::change::Op;
use crate::engine::Report;
use crate::error::Class;
use crate::world::fake::{Objects, Sent};

const EDGE: &str = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/edge";
const ROOT: &str = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/root";
const SET: &str = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applicationsets/edges";
const FROZEN: &str = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/frozen";
const AGENT: &str = "ds/telemetry/agent";

/// One step over a cluster whose agent is put back by an Application of an ApplicationSet of an Application.
fn bench(kind: &'static str, with: Value) -> Bench {
    let bench = Bench::new(world(&["east"]), plan(&["east"], &[("one", kind, with)], &policy()));
    bench.fake.objects("east", gitops);
    bench
}

fn freezes(object: &str) -> Bench {
    bench("freeze-automation", json!({ "object": object }))
}

/// How it ends, all that was heard, and what was patched in this order.
async fn run(bench: &Bench) -> (Report, String, Vec<String>) {
    let how = How::default();
    let report = bench.go(Verb::Run, &how).await.unwrap();
    let sent = bench.fake.take_sent();
    all_announced(&bench.plan, &sent);
    let patched = sent.iter().filter_map(|sent| match sent {
        Sent::Op(_, Op::Kube(call)) => Some(call.path.clone()),
        _ => None,
    });
    let heard = format!("{:?}", how.ears.heard.lock().unwrap());
    (report, heard, patched.collect())
}

fn at(bench: &Bench, path: &str, field: &str) -> Value {
    bench.fake.objects("east", |objects| objects.at(path).unwrap().pointer(field).cloned().unwrap_or_default())
}

#[test]
fn the_topmost_is_frozen_first_and_all_come_back_as_they_were() {
    paused(async {
        let bench = freezes(AGENT);
        let before = bench.fake.snapshot();
        let (report, heard, patched) = run(&bench).await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(patched, [ROOT, SET, EDGE]);
        assert_eq!(at(&bench, EDGE, "/spec/syncPolicy"), json!({"syncOptions": ["a=b"]}));
        assert_eq!(at(&bench, SET, "/spec/syncPolicy"), json!({"applicationsSync": "create-only"}));
        for word in [
            "daemonsets.apps/telemetry/agent is put back by application/argocd/edge (argocd.argoproj.io/tracking-id=edge:",
            "application/argocd/edge is put back by applicationset/argocd/edges (its owner, ApplicationSet edges)",
            "applicationset/argocd/edges is put back by application/argocd/root",
        ] {
            assert!(heard.contains(word), "{word}: {heard}");
        }
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

/// The agent, three looks up, three writes; and twice three looks at what came of them.
#[test]
fn each_look_and_each_write_is_one_request() {
    paused(async {
        let bench = freezes(AGENT);
        bench.go(Verb::Run, &How::default()).await.unwrap();
        assert_eq!(bench.fake.take_sent().len(), 13);
    });
}

#[test]
fn what_is_set_going_again_meanwhile_is_frozen_once_more_and_not_for_ever() {
    paused(async {
        let going = |objects: &mut Objects| {
            objects.edit(ROOT, |it| it["spec"]["syncPolicy"]["automated"] = json!({"prune": true, "selfHeal": true}));
        };
        let bench = freezes(AGENT);
        let before = bench.fake.snapshot();
        bench.fake.meddle(3, "east", going);
        let (report, heard, patched) = run(&bench).await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(patched, [ROOT, SET, EDGE, ROOT]);
        assert!(heard.contains("something has set it going again"), "{heard}");
        assert_eq!(at(&bench, ROOT, "/spec/syncPolicy/automated"), Value::Null);
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);

        let bench = freezes(AGENT);
        let more = |objects: &mut Objects| {
            objects.edit(EDGE, |it| it["spec"]["syncPolicy"]["automated"] = json!({}));
            objects.edit(ROOT, |it| it["spec"]["syncPolicy"]["automated"] = json!({}));
        };
        for number in 3..20 {
            bench.fake.meddle(number, "east", more);
        }
        let (report, _, patched) = run(&bench).await;
        assert_eq!(report.class, Some(Class::Partial), "{}", report.why);
        assert!(report.why.contains("it does not take") && patched.len() <= 9, "{}: {patched:?}", report.why);
    });
}

/// No look shows a drill what it pretended: it neither blames somebody for that nor ends better than the run would.
#[test]
fn a_drill_ends_as_the_run_does_and_blames_nobody() {
    paused(async {
        let ends = async |drill: bool, operator: bool| {
            let bench = freezes(AGENT);
            if operator {
                let owner =
                    json!({"apiVersion": "example.com/v1", "kind": "Telemetry", "name": "all", "controller": true});
                bench.fake.objects("east", |objects| {
                    objects.edit(DS, |it| it["metadata"]["ownerReferences"] = json!([owner]));
                });
            }
            let how = How { drill, ..How::default() };
            let report = bench.go(Verb::Run, &how).await.unwrap();
            let heard = format!("{:?}", how.ears.heard.lock().unwrap());
            assert!(!heard.contains("set it going again"), "{drill} {operator}: {heard}");
            report.class
        };
        assert_eq!([ends(false, false).await, ends(true, false).await], [None, None]);
        // What is frozen by then stays so, where it is.
        assert_eq!([ends(false, true).await, ends(true, true).await], [Some(Class::Partial), Some(Class::Refused)]);
    });
}

#[test]
fn after_a_kill_all_is_frozen_also_where_the_object_that_led_there_is_gone() {
    paused(async {
        let lines = {
            let bench = freezes(AGENT);
            run(&bench).await;
            bench.lines().len()
        };
        let mut done = 0;
        for line in 1..lines {
            let bench = freezes(AGENT);
            bench.go(Verb::Run, &trap(Trap::After(line))).await;
            bench.fake.objects("east", |objects| objects.remove(DS));
            let begun = !bench.journal().run.changes.is_empty();
            let report = bench.resume().await;
            if begun {
                assert_eq!(report.class, None, "line {line}: {}", report.why);
                assert_eq!(at(&bench, EDGE, "/spec/syncPolicy/automated"), Value::Null, "line {line}");
                done += 1;
            }
        }
        assert!(done > 3, "{done}");
    });
}

#[test]
fn what_leads_to_nothing_here_is_no_success() {
    paused(async {
        // Argo CD of another cluster, or of this one under another name.
        for served in [true, false] {
            let bench = freezes(AGENT);
            bench.fake.objects("east", |objects| objects.remove(EDGE));
            if !served {
                bench.fake.answer(EDGE, 404, "404 page not found", Duration::ZERO);
            }
            let (report, heard, patched) = run(&bench).await;
            assert_eq!((report.class, patched.len()), (Some(Class::Refused), 0), "{}", report.why);
            let word = if served { "it is not there" } else { "serves no applications.argoproj.io" };
            assert!(report.why.contains(word), "{}", report.why);
            assert!(heard.contains("breakglass freeze-automation application/argocd/edge"), "{heard}");
        }
        let owned = |owner: Value| {
            let bench = freezes("deploy/telemetry/gateway");
            bench.fake.objects("east", |objects| {
                objects.edit(DEPLOY, |it| it["metadata"]["ownerReferences"] = json!([owner]));
            });
            bench
        };
        let operator = json!({"apiVersion": "example.com/v1", "kind": "Telemetry", "name": "all", "controller": true});
        let (report, heard, _) = run(&owned(operator)).await;
        assert_eq!(report.class, Some(Class::Refused), "{}", report.why);
        assert!(heard.contains("kubectl get Telemetry.v1.example.com all -n telemetry"), "{heard}");
    });
}

#[test]
fn where_nothing_puts_it_back_that_is_said() {
    paused(async {
        let (report, heard, _) = run(&freezes("deploy/telemetry/gateway")).await;
        assert_eq!(report.class, None, "{}", report.why);
        assert!(
            heard.contains("nothing that is known is what puts deployments.apps/telemetry/gateway back"),
            "{heard}"
        );

        // A label that charts set, too.
        let bench = freezes("deploy/telemetry/gateway");
        bench.fake.objects("east", |objects| {
            objects.edit(DEPLOY, |it| it["metadata"]["labels"] = json!({"app.kubernetes.io/instance": "gateway"}));
        });
        let (report, heard, _) = run(&bench).await;
        assert_eq!(report.class, None, "{}", report.why);
        assert!(heard.contains("which says nothing by itself"), "{heard}");

        let (report, _, _) = run(&freezes("ds/telemetry/nobody")).await;
        assert_eq!(report.class, Some(Class::Refused));
        assert!(report.why.contains("nobody can tell what puts it back"), "{}", report.why);
    });
}

#[test]
fn an_older_version_is_asked_for_where_the_newer_one_is_not_served() {
    paused(async {
        let apps = |version: &str| {
            format!("/apis/kustomize.toolkit.fluxcd.io/{version}/namespaces/flux-system/kustomizations/apps")
        };
        let bench = freezes("ks/flux-system/apps");
        bench.fake.answer(&apps("v1"), 404, "404 page not found", Duration::ZERO);
        bench.fake.objects("east", |objects| {
            let object = objects.remove(&apps("v1")).unwrap();
            objects.put(&apps("v1beta2"), object);
        });
        let (report, _, patched) = run(&bench).await;
        assert_eq!((report.class, patched), (None, vec![apps("v1beta2")]));
        assert_eq!(at(&bench, &apps("v1beta2"), "/spec/suspend"), json!(true));
    });
}

#[test]
fn one_that_looks_after_itself_ends_the_way_up() {
    paused(async {
        let bench = freezes(AGENT);
        bench.fake.objects("east", |objects| {
            let own = "root:argoproj.io/Application:argocd/root";
            objects.edit(ROOT, |it| it["metadata"]["annotations"] = json!({"argocd.argoproj.io/tracking-id": own}));
        });
        let (report, _, patched) = run(&bench).await;
        assert_eq!((report.class, patched.len()), (None, 3), "{}", report.why);
        let bench = self::bench("freeze-automation", json!({"all": "argo-cd"}));
        bench.fake.objects("east", |objects| {
            let child = "edge:argoproj.io/Application:argocd/root";
            objects.edit(ROOT, |it| it["metadata"]["annotations"] = json!({"argocd.argoproj.io/tracking-id": child}));
        });
        let (report, _, patched) = run(&bench).await;
        assert_eq!((report.class, patched.len()), (None, 4), "{}", report.why);
    });
}

#[test]
fn all_of_argo_cd_is_frozen_parents_first_and_more_than_was_allowed_is_not_touched() {
    paused(async {
        let bench = self::bench("freeze-automation", json!({"all": "argo-cd"}));
        let (report, heard, patched) = run(&bench).await;
        assert_eq!(report.class, None, "{}", report.why);
        assert_eq!(patched[..2], [ROOT, SET]);
        assert_eq!(patched.len(), 4, "{patched:?}");
        assert!(heard.contains("at rest already: application/argocd/frozen (frozen by run r0)"), "{heard}");

        let bench = self::bench("freeze-automation", json!({"all": "argo-cd", "atMost": 3}));
        let (report, heard, patched) = run(&bench).await;
        assert_eq!((report.class, patched.len()), (Some(Class::Refused), 0));
        assert!(report.why.contains("4 objects would be changed"), "{}", report.why);
        assert!(heard.contains("breakglass park sts/argocd/argocd-application-controller"), "{heard}");

        let none = Bench::new(
            world(&["east"]),
            plan(&["east"], &[("one", "freeze-automation", json!({"all": "flux"}))], &policy()),
        );
        for (group, version, plural) in [
            ("kustomize", "v1", "kustomizations"),
            ("kustomize", "v1beta2", "kustomizations"),
            ("helm", "v2", "helmreleases"),
            ("helm", "v2beta2", "helmreleases"),
            ("helm", "v2beta1", "helmreleases"),
        ] {
            let path = format!("/apis/{group}.toolkit.fluxcd.io/{version}/{plural}?limit=50");
            none.fake.answer(&path, 404, "404 page not found", Duration::ZERO);
        }
        let (report, _, _) = run(&none).await;
        assert_eq!(report.class, Some(Class::Refused));
        assert!(report.why.contains("there is no Flux here"), "{}", report.why);
    });
}

#[test]
fn what_another_run_has_frozen_is_thawed_by_its_mark_and_frozen_again_by_undo() {
    paused(async {
        let bench = self::bench("thaw-automation", json!({"object": "app/frozen"}));
        let before = bench.fake.snapshot();
        let (report, _, patched) = run(&bench).await;
        assert_eq!((report.class, patched), (None, vec![FROZEN.to_owned()]), "{}", report.why);
        assert_eq!(at(&bench, FROZEN, "/spec/syncPolicy/automated"), json!({"selfHeal": true}));
        assert_eq!(at(&bench, FROZEN, "/metadata/annotations"), json!({"a": "b"}));
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);

        let (report, heard, patched) = run(&self::bench("thaw-automation", json!({"object": AGENT}))).await;
        assert_eq!((report.class, patched.len()), (None, 0), "{}", report.why);
        assert!(heard.contains("is marked as frozen by breakglass"), "{heard}");
    });
}
