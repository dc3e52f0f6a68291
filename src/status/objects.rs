//! The marks on objects: lists of metadata alone, of just the resources that a step of ours leaves a mark on.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Back, Found, Kind, NotKnown, Place, Seen, Stands};
use crate::change::Target;
use crate::journal;
use crate::shell::word;
use crate::steps::{
    DISARMED, FROZEN, ObjectRef, PARKED, REFUSED, REFUSED_OBJECT, REFUSED_UNTIL, RESTORED, REVOKED, ROLLED_BACK,
    THROTTLED, encode, freezable, items, kubectl_flag, next_page, unsigned_mark,
};
use crate::world::{Accept, KubeAnswer, KubeRead, ReadError, Reads};

/// How many objects stand on a page.
const PAGE: usize = 500;
/// How many pages of a list are read.
const PAGES: usize = 10;
/// How long one page may take.
const LIMIT: Duration = Duration::from_secs(30);

const APPS: &str = "apps";
const BATCH: &str = "batch";
const RBAC: &str = "rbac.authorization.k8s.io";
const FLOW: &str = "flowcontrol.apiserver.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

/// What every cluster has and is listed, and the kinds of marks that are looked for in it.
const LISTS: [(&str, &str, &[Kind]); 16] = [
    (APPS, "daemonsets", &[Kind::Parked, Kind::RolledBack]),
    (APPS, "deployments", &[Kind::Parked, Kind::RolledBack]),
    (APPS, "statefulsets", &[Kind::Parked, Kind::RolledBack]),
    (APPS, "replicasets", &[Kind::Parked]),
    ("", "replicationcontrollers", &[Kind::Parked]),
    (BATCH, "cronjobs", &[Kind::Parked, Kind::Frozen]),
    (BATCH, "jobs", &[Kind::Parked]),
    (RBAC, "clusterrolebindings", &[Kind::Revoked, Kind::Restored]),
    (RBAC, "rolebindings", &[Kind::Revoked]),
    (RBAC, "clusterroles", &[Kind::Restored]),
    (ADMISSION, "validatingwebhookconfigurations", &[Kind::Disarmed]),
    (ADMISSION, "mutatingwebhookconfigurations", &[Kind::Disarmed]),
    (ADMISSION, "validatingadmissionpolicies", &[Kind::Refused]),
    (ADMISSION, "validatingadmissionpolicybindings", &[Kind::Disarmed, Kind::Refused]),
    (FLOW, "flowschemas", &[Kind::Throttled]),
    (FLOW, "prioritylevelconfigurations", &[Kind::Throttled]),
];

/// What an older API server does not have, at least not in its first version.
const YOUNG: [&str; 4] =
    ["validatingadmissionpolicies", "validatingadmissionpolicybindings", "flowschemas", "prioritylevelconfigurations"];

/// A resource that is listed.
struct List {
    group: &'static str,
    /// Asked for one after the other, until one is served.
    versions: &'static [&'static str],
    plural: String,
    kinds: &'static [Kind],
    /// A cluster may have none of it: then nothing of it carries a mark.
    optional: bool,
}

/// All that is listed: what every cluster has, then what may have been frozen.
fn lists() -> Vec<List> {
    let everywhere = LISTS.into_iter().map(|(group, plural, kinds)| List {
        group,
        versions: &["v1"],
        plural: plural.to_owned(),
        kinds,
        optional: YOUNG.contains(&plural),
    });
    let frozen = freezable().map(|(group, versions, plural)| List {
        group,
        versions,
        plural,
        kinds: &[Kind::Frozen],
        optional: true,
    });
    everywhere.chain(frozen).collect()
}

/// How many lists a cluster is asked for at most, where each is one page.
pub fn count() -> usize {
    lists().iter().map(|list| list.versions.len()).sum()
}

/// The annotation of a kind of mark.
fn annotation(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Parked => Some(PARKED),
        Kind::Revoked => Some(REVOKED),
        Kind::Restored => Some(RESTORED),
        Kind::Disarmed => Some(DISARMED),
        Kind::RolledBack => Some(ROLLED_BACK),
        Kind::Throttled => Some(THROTTLED),
        Kind::Refused => Some(REFUSED),
        Kind::Frozen => Some(FROZEN),
        Kind::Gate
        | Kind::Recovery
        | Kind::Jail
        | Kind::FrozenPods
        | Kind::Manifest
        | Kind::Certificates
        | Kind::Scratch
        | Kind::Unmarked => None,
    }
}

/// Every kind of mark that objects carry.
const KINDS: [Kind; 8] = [
    Kind::Parked,
    Kind::Revoked,
    Kind::Restored,
    Kind::Disarmed,
    Kind::RolledBack,
    Kind::Throttled,
    Kind::Refused,
    Kind::Frozen,
];

/// The kind of mark that the body of a request leaves, if any. One that takes a mark away has done something that leaves none.
pub(super) fn kind_in(body: &Value, run: &str) -> Option<Kind> {
    let added = |path: &str, value: &Value, mark: &str| {
        let key = format!("/{}", mark.replace('/', "~1"));
        let put = |map: &str| match path.strip_prefix(map)? {
            "" => value.get(mark),
            rest => (rest == key).then_some(value),
        };
        // Before it had an annotation, a DaemonSet was marked by its node selector alone.
        put("/metadata/annotations").is_some() || put("/spec/template/spec/nodeSelector").is_some_and(|by| *by == run)
    };
    let leaves = |mark: &str| match body {
        Value::Array(ops) => ops.iter().any(|op| {
            ["add", "replace"].iter().any(|word| op["op"] == *word)
                && added(op["path"].as_str().unwrap_or_default(), &op["value"], mark)
        }),
        body => !body["metadata"]["annotations"][mark].is_null(),
    };
    KINDS.into_iter().find(|kind| annotation(*kind).is_some_and(leaves))
}

/// Why a list was not read to its end.
enum Unread {
    /// Nobody answers: the other lists are not asked for.
    Nobody(String),
    /// This one alone.
    This(String),
}

/// Looks for all marks on the objects of a cluster, one list after another.
pub async fn look(reads: &dyn Reads, cluster: &str) -> Found {
    let mut found = Found::default();
    let mut unread: Vec<(String, &[Kind], String)> = Vec::new();
    let mut nobody = None;
    for one in lists() {
        match versions(reads, cluster, &one, &mut found.stands).await {
            Ok(()) => {}
            Err(Unread::This(why)) => unread.push((one.plural, one.kinds, why)),
            Err(Unread::Nobody(why)) => {
                nobody = Some(why);
                break;
            }
        }
    }
    let not_known = |what: String, why: String| NotKnown { cluster: Some(cluster.to_owned()), host: None, what, why };
    for kind in KINDS {
        if nobody.is_none() && !unread.iter().any(|(_, kinds, _)| kinds.contains(&kind)) {
            found.looked.insert((cluster.to_owned(), None, kind));
        }
    }
    // Whoever may not list one of them may mostly list none.
    let names: Vec<&str> = unread.iter().map(|(plural, ..)| plural.as_str()).collect();
    found.not_known.extend(unread.first().map(|(.., why)| not_known(names.join(", "), why.clone())));
    found.not_known.extend(nobody.map(|why| not_known("objects in the API".to_owned(), why)));
    found
}

/// Reads a list, in the first version that is served.
async fn versions(reads: &dyn Reads, cluster: &str, of: &List, stands: &mut Vec<Stands>) -> Result<(), Unread> {
    let mut not_served = String::new();
    for version in of.versions {
        let at = ObjectRef {
            group: of.group.into(),
            version: (*version).into(),
            plural: of.plural.clone(),
            namespace: None,
            name: String::new(),
        };
        match list(reads, cluster, &at, of.kinds, stands).await? {
            Listed::All => return Ok(()),
            Listed::NotServed(said) => not_served = said,
        }
    }
    // What every cluster has is not served by something that is no API server, or not yet one.
    if of.optional { Ok(()) } else { Err(Unread::This(not_served)) }
}

/// What became of a list.
enum Listed {
    /// It was read to its end.
    All,
    /// This version is not served.
    NotServed(String),
}

/// Reads a list, page by page.
async fn list(
    reads: &dyn Reads,
    cluster: &str,
    at: &ObjectRef,
    kinds: &[Kind],
    stands: &mut Vec<Stands>,
) -> Result<Listed, Unread> {
    let target = Target::cluster(cluster);
    let first = format!("{}?limit={PAGE}", at.collection());
    let mut path = first.clone();
    for _ in 0..PAGES {
        let read = KubeRead { path, accept: Accept::MetadataList, limit: LIMIT };
        let answer = reads.kube(&target, &read).await.map_err(|error: ReadError| Unread::Nobody(error.to_string()))?;
        let page = match answer.code {
            200 => answer.json(),
            404 => return Ok(Listed::NotServed(said(&answer, &read.path))),
            401 => return Err(Unread::Nobody(said(&answer, &read.path))),
            _ => return Err(Unread::This(said(&answer, &read.path))),
        };
        if !page["items"].is_array() && !page["items"].is_null() {
            return Err(Unread::This(said(&answer, &read.path)));
        }
        for item in items(&page).iter().filter(|item| !is_copied(at, item)) {
            stands.extend(kinds.iter().filter_map(|kind| marked(cluster, at, *kind, item)));
        }
        let Some(next) = next_page(&page) else { return Ok(Listed::All) };
        path = format!("{first}&continue={}", encode(next));
    }
    Err(Unread::This(format!("only the first {} were looked at", PAGE * PAGES)))
}

fn said(answer: &KubeAnswer, path: &str) -> String {
    format!("GET {path} on {}: {} {}", answer.server, answer.code, answer.message())
}

/// A Deployment's annotations are copied to its ReplicaSets, and stay there when they go: they say nothing of those.
fn is_copied(of: &ObjectRef, item: &Value) -> bool {
    let owners = item["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    of.plural == "replicasets"
        && owners.into_iter().any(|owner| owner["kind"] == "Deployment" && owner["controller"] == true)
}

/// What a mark in an object's metadata says.
fn marked(cluster: &str, of: &ObjectRef, kind: Kind, item: &Value) -> Option<Stands> {
    let metadata = &item["metadata"];
    let text = metadata["annotations"][annotation(kind)?].as_str()?;
    let namespace = metadata["namespace"].as_str().filter(|namespace| !namespace.is_empty());
    let at = ObjectRef {
        namespace: namespace.map(str::to_owned),
        name: metadata["name"].as_str()?.to_owned(),
        ..of.clone()
    };
    let (mark, operator) = unsigned_mark(text);
    let (run, rest) = mark.split_once(' ').unwrap_or((mark, ""));
    // `RUN.STEP`.
    let run = if kind == Kind::Throttled { run.rsplit_once('.').map_or(run, |(run, _)| run) } else { run };
    let began = journal::began(run);
    let (what, back) = match kind {
        Kind::Parked => parked(&at, text, rest),
        Kind::Revoked => revoked(&at, rest),
        Kind::Restored => restored(&at, rest),
        Kind::Disarmed => disarmed(&at),
        Kind::RolledBack => rolled_back(&at, rest),
        Kind::Throttled => (format!("throttled: {rest}"), Back::Typed(kubectl("delete", &at))),
        Kind::Refused => (refused(metadata), Back::Typed(kubectl("delete", &at))),
        Kind::Frozen => frozen(&at, text, rest),
        // No annotation says these.
        Kind::Gate
        | Kind::Recovery
        | Kind::Jail
        | Kind::FrozenPods
        | Kind::Manifest
        | Kind::Certificates
        | Kind::Scratch
        | Kind::Unmarked => return None,
    };
    Some(Stands {
        cluster: cluster.to_owned(),
        place: Place::Object(short(&at)),
        kind,
        part: String::new(),
        what,
        run: run.to_owned(),
        operator,
        about: String::new(),
        since: began,
        ends: None,
        seen: Seen::Mark,
        back,
    })
}

/// The resource as kubectl takes it: with its group only where it is not built in.
fn resource(at: &ObjectRef) -> String {
    let built_in = [APPS, BATCH].contains(&at.group.as_str()) || at.group.ends_with(".k8s.io");
    if built_in { at.plural.clone() } else { at.resource() }
}

/// An object in few words.
fn short(at: &ObjectRef) -> String {
    match &at.namespace {
        Some(namespace) => format!("{}/{namespace}/{}", resource(at), at.name),
        None => format!("{}/{}", resource(at), at.name),
    }
}

/// `kubectl VERB RESOURCE NAME -n NAMESPACE`.
fn kubectl(verb: &str, at: &ObjectRef) -> String {
    let namespace = at.namespace.as_ref().map_or_else(String::new, |namespace| format!(" -n {}", word(namespace)));
    format!("kubectl {verb} {} {}{namespace}", resource(at), word(&at.name))
}

/// A patch that tests the mark, does this, and takes the mark away.
fn unmarking(at: &ObjectRef, mark: &str, text: &str, ops: Vec<Value>) -> Back {
    let pointer = format!("/metadata/annotations/{}", mark.replace('/', "~1"));
    let ours = json!({"op": "test", "path": pointer, "value": text});
    let unmark = json!({"op": "remove", "path": pointer});
    let ops = Value::Array([vec![ours], ops, vec![unmark]].concat());
    Back::Typed(format!("{} --type=json -p {}", kubectl("patch", at), word(&ops.to_string())))
}

fn parked(at: &ObjectRef, text: &str, rest: &str) -> (String, Back) {
    let patch = |ops: Vec<Value>| unmarking(at, PARKED, text, ops);
    let put = |path: &str, value: Value| json!({"op": "replace", "path": path, "value": value});
    match at.plural.as_str() {
        "daemonsets" => {
            let selector = format!("/spec/template/spec/nodeSelector/{}", PARKED.replace('/', "~1"));
            ("parked: to no node".into(), patch(vec![json!({"op": "remove", "path": selector})]))
        }
        "cronjobs" | "jobs" => ("parked: suspended".into(), patch(vec![put("/spec/suspend", json!(false))])),
        _ => {
            let said = |key: &str| rest.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
            let Some(replicas) = said("replicas").and_then(|number| number.parse::<u32>().ok()) else {
                let scale = format!("{} --replicas=N", kubectl("scale", at));
                return ("parked: at 0 replicas, of how many its mark does not say".into(), Back::Typed(scale));
            };
            let claims = said("whenScaled")
                .map(|policy| put("/spec/persistentVolumeClaimRetentionPolicy/whenScaled", json!(policy)));
            let ops = claims.into_iter().chain([put("/spec/replicas", json!(replicas))]).collect();
            (format!("parked: at 0 of {replicas} replicas"), patch(ops))
        }
    }
}

fn revoked(at: &ObjectRef, subject: &str) -> (String, Back) {
    let what = format!("rights revoked: {subject} taken out");
    let unmark = format!("{} {REVOKED}-", kubectl("annotate", at));
    match kubectl_flag(subject) {
        Some(flag) => (what, Back::Typed(format!("{} {flag} && {unmark}", kubectl("set subject", at)))),
        None => (what, Back::Typed(kubectl("edit", at))),
    }
}

/// What was there before has rights of its own, which nobody but the journal can tell from ours.
fn restored(at: &ObjectRef, rest: &str) -> (String, Back) {
    if rest.ends_with("created") {
        return ("rights restored: created".into(), Back::Typed(kubectl("delete", at)));
    }
    ("rights restored: added to".into(), Back::Typed(kubectl("edit", at)))
}

/// A policy that has ended still stands, and refuses nothing.
fn refused(metadata: &Value) -> String {
    let said = |mark: &str| metadata["annotations"][mark].as_str().unwrap_or("(its mark does not say)");
    format!(
        "refused whoever makes it: {} until {}, after which it refuses nothing",
        said(REFUSED_OBJECT),
        said(REFUSED_UNTIL)
    )
}

fn disarmed(at: &ObjectRef) -> (String, Back) {
    let what = match at.plural.as_str() {
        "validatingadmissionpolicybindings" => "disarmed: it warns where it refused",
        _ => "disarmed: Ignore, or asked about fewer namespaces",
    };
    (what.into(), Back::Typed(kubectl("edit", at)))
}

/// The revision that it had is kept by its controller, as long as that keeps it.
fn rolled_back(at: &ObjectRef, rest: &str) -> (String, Back) {
    let number = rest.strip_prefix("revision=").and_then(|number| number.parse::<u64>().ok());
    let forward = number.map_or_else(String::new, |number| format!(" --to-revision={number}"));
    let unmark = format!("{} {ROLLED_BACK}-", kubectl("annotate", at));
    let from = number.map_or_else(String::new, |number| format!(" from revision {number}"));
    (format!("rolled back{from}"), Back::Typed(format!("{}{forward} && {unmark}", kubectl("rollout undo", at))))
}

/// Its mark says what was there before. What `thaw-automation` takes by its name it puts back.
fn frozen(at: &ObjectRef, text: &str, before: &str) -> (String, Back) {
    let what = "automation frozen: it puts nothing back".to_owned();
    if let Some(namespace) = at.namespace.as_ref().filter(|_| at.group != BATCH) {
        let object = format!("{}/{namespace}/{}", at.plural.trim_end_matches('s'), at.name);
        return (what, Back::Verb { words: format!("thaw-automation {}", word(&object)), targets: false });
    }
    let before: Value = serde_json::from_str(before).unwrap_or_default();
    let put = |path: &str| match before.get(path)? {
        Value::Null => Some(json!({"op": "remove", "path": path})),
        value => Some(json!({"op": "replace", "path": path, "value": value})),
    };
    match put("/spec/suspend") {
        Some(put) => (what, unmarking(at, FROZEN, text, vec![put])),
        None => (what, Back::Typed(kubectl("edit", at))),
    }
}

/// An object by its path, as it is named here.
pub(super) fn named(path: &str) -> Option<String> {
    let path = path.split('?').next()?;
    let mut words = path.trim_start_matches('/').split('/');
    let group = match words.next()? {
        "api" => String::new(),
        "apis" => words.next()?.to_owned(),
        _ => return None,
    };
    let version = words.next()?.to_owned();
    let rest: Vec<&str> = words.collect();
    let decoded = |word: &str| percent_encoding::percent_decode_str(word).decode_utf8_lossy().into_owned();
    let (namespace, plural, name) = match rest.as_slice() {
        ["namespaces", namespace, plural, name, ..] => (Some(decoded(namespace)), *plural, decoded(name)),
        [plural, name] => (None, *plural, decoded(name)),
        _ => return None,
    };
    let at = ObjectRef { group, version, plural: plural.to_owned(), namespace, name };
    Some(short(&at))
}
