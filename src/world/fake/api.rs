//! The objects of one cluster, behind the rules of an API server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{QUICK, kube_answer};
use crate::change::{KubeCall, Method, Outcome};
use crate::world::{Accept, KubeAnswer};

/// Where a server says what its priority levels do, and where those are that somebody made.
const REQUESTS: &str = "/debug/api_priority_and_fairness/dump_requests";
const LEVELS: &str = "/debug/api_priority_and_fairness/dump_priority_levels";
const LEVELS_MADE: &str = "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations/";

/// How long an answer of a server takes that is drowned.
const SLOW: Duration = Duration::from_secs(3);

/// Where nodes are.
const NODES: &str = "/api/v1/nodes/";

/// What a server sets by itself.
const SET_BY_SERVER: [&str; 4] = ["uid", "resourceVersion", "creationTimestamp", "generation"];

#[derive(Debug, Default)]
pub(crate) struct Objects {
    pub(super) by_path: BTreeMap<String, Value>,
    /// The version at which an object was made.
    pub(super) born: BTreeMap<String, u64>,
    /// What the controller of a workload makes again while that is not parked.
    controlled: BTreeMap<String, Vec<(String, Value)>>,
    /// Workloads whose controller works: their status says what is so.
    followed: BTreeSet<String>,
    /// So many pods of theirs are ready at most.
    pub(crate) ready_at_most: Option<usize>,
    /// With so many of their pods, the server is slow.
    pub(crate) drowns_at: Option<usize>,
    made: u64,
    /// What the server's clock says, if it does.
    pub(crate) date: Option<jiff::Timestamp>,
    pub(super) version: u64,
}

impl Objects {
    /// Puts an object at its path, as its server would.
    pub(crate) fn put(&mut self, path: &str, mut object: Value) {
        self.made += 1;
        object["metadata"]["uid"] = json!(format!("uid-{}", self.made));
        object["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
        object["metadata"]["name"] = json!(path.rsplit('/').next());
        self.born.insert(path.to_owned(), self.version + 1);
        self.store(path, object);
    }

    /// Changes each object, behind everybody's back.
    pub(crate) fn edit_each(&mut self, edit: impl Fn(&str, &mut Value)) {
        self.by_path.iter_mut().for_each(|(path, object)| edit(path, object));
    }

    /// Gives a workload pods, and a controller that makes them again whenever it is not parked. What it should take away
    /// it never does: it hears nothing.
    pub(crate) fn run(&mut self, workload: &str, pods: impl IntoIterator<Item = (String, Value)>) {
        let uid = self.by_path[workload]["metadata"]["uid"].clone();
        let owned = |(path, mut pod): (String, Value)| {
            pod["metadata"]["ownerReferences"][0]["uid"] = uid.clone();
            (path, pod)
        };
        self.controlled.insert(workload.to_owned(), pods.into_iter().map(owned).collect());
        self.control(workload);
    }

    fn control(&mut self, workload: &str) {
        let parked = self.by_path[workload]["spec"]["template"]["spec"]["nodeSelector"].get("breakglass.io/parked");
        if parked.is_none() {
            for (path, pod) in self.controlled.get(workload).cloned().into_iter().flatten() {
                if !self.by_path.contains_key(&path) {
                    self.put(&path, pod);
                }
            }
        }
    }

    /// Has a controller work on a workload: its pods are where its node selector lets them, or as many as it says, and ready at
    /// once. It goes on when it is put back after a delete.
    pub(crate) fn follow(&mut self, workload: &str) {
        self.followed.insert(workload.to_owned());
        self.report();
    }

    /// The pods of what is followed.
    fn pods_of(&self, workload: &str) -> Option<usize> {
        let object = self.by_path.get(workload)?;
        if let Some(replicas) = object["spec"]["replicas"].as_u64() {
            return usize::try_from(replicas).ok();
        }
        let selector = object.pointer("/spec/template/spec/nodeSelector").cloned().unwrap_or_default();
        let fits = |node: &Value| {
            selector.as_object().into_iter().flatten().all(|(key, value)| node["metadata"]["labels"][key] == *value)
        };
        let nodes = self.by_path.range(NODES.to_owned()..).take_while(|(path, _)| path.starts_with(NODES));
        Some(nodes.filter(|(_, node)| fits(node)).count())
    }

    /// Writes the status of all that is followed, as no change of anybody.
    fn report(&mut self) {
        for path in self.followed.clone() {
            let Some(pods) = self.pods_of(&path) else { continue };
            let ready = self.ready_at_most.map_or(pods, |most| pods.min(most));
            self.by_path.get_mut(&path).unwrap()["status"] =
                json!({"readyReplicas": ready, "desiredNumberScheduled": pods, "numberReady": ready});
        }
    }

    /// How long an answer takes.
    fn took(&self) -> Duration {
        let pods: usize = self.followed.iter().filter_map(|workload| self.pods_of(workload)).sum();
        if self.drowns_at.is_some_and(|most| pods >= most) { SLOW } else { QUICK }
    }

    /// What the priority levels do: of those that somebody made each has refused some requests.
    fn levels(&self) -> String {
        let made = self.by_path.keys().filter_map(|path| path.strip_prefix(LEVELS_MADE));
        let rows = made.map(|name| format!("{name}, <none>, true, false, 0, 0, 0, 7, 0, 0\n"));
        let head = "PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, WaitingRequests, ExecutingRequests, \
                    DispatchedRequests, RejectedRequests, TimedoutRequests, CancelledRequests\n";
        std::iter::once(head.to_owned()).chain(rows).collect()
    }

    /// Changes an object as a third party would.
    pub(crate) fn edit(&mut self, path: &str, edit: impl FnOnce(&mut Value)) {
        let mut object = self.by_path[path].clone();
        edit(&mut object);
        self.store(path, object);
    }

    pub(crate) fn remove(&mut self, path: &str) -> Option<Value> {
        self.by_path.remove(path)
    }

    pub(crate) fn at(&self, path: &str) -> Option<&Value> {
        self.by_path.get(path)
    }

    fn store(&mut self, path: &str, mut object: Value) {
        self.version += 1;
        // No server keeps an empty map.
        if object.pointer("/metadata/annotations").is_some_and(|map| *map == json!({})) {
            object["metadata"].as_object_mut().map(|metadata| metadata.remove("annotations"));
        }
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.by_path.insert(path.to_owned(), object);
        self.control(path);
        self.report();
    }

    pub(crate) fn snapshot(&self) -> Value {
        let strip = |object: &Value| {
            let mut object = object.clone();
            let metadata = object["metadata"].as_object_mut().unwrap();
            SET_BY_SERVER.iter().for_each(|field| drop(metadata.remove(*field)));
            object
        };
        self.by_path.iter().map(|(path, object)| json!([path, strip(object)])).collect()
    }

    pub(crate) fn get(&self, path: &str, accept: Accept) -> KubeAnswer {
        let answer = |code, text: String| kube_answer(code, text, self.took());
        if matches!(path, "/livez" | "/readyz") {
            return answer(200, "ok".into());
        }
        if path == REQUESTS {
            return answer(200, "PriorityLevelName, FlowSchemaName, FlowDistingsher\n".into());
        }
        if path == LEVELS {
            return answer(200, self.levels());
        }
        if let Some(object) = self.by_path.get(path) {
            return answer(200, object.to_string());
        }
        if let Some((collection, query)) = path.split_once('?') {
            return self.list(collection, query, accept);
        }
        answer(404, not_found(path).to_string())
    }

    pub(crate) fn perform(&mut self, call: &KubeCall) -> Outcome {
        let body: Value = call.body.bytes().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or(Value::Null);
        let (code, said) = match call.method {
            Method::Get => (405, "reads are no ops".into()),
            Method::Delete => match call.path.split_once('?') {
                Some((collection, query)) => self.delete_collection(collection, query, &body),
                None => self.delete(&call.path, &body),
            },
            Method::Post => self.create(&call.path, body),
            Method::Put => (501, "nothing here is replaced".into()),
            Method::Patch => self.patch(call, &body),
        };
        let said = if code == 404 { "it was so already".into() } else { said };
        let gone = call.method == Method::Delete && !call.path.contains('?') && !self.by_path.contains_key(&call.path);
        match (200..300).contains(&code) || call.already.contains(&code) {
            true if gone => Outcome::gone(format!("{code} {said}, and it is gone")),
            true => Outcome::done(format!("{code} {said}")),
            false => Outcome::Failed(format!("{code} {said}")),
        }
    }

    pub(super) fn delete(&mut self, path: &str, options: &Value) -> (u16, String) {
        let Some(object) = self.by_path.get(path) else { return (404, not_found(path).to_string()) };
        let wanted = options.pointer("/preconditions/uid");
        if wanted.is_some_and(|uid| *uid != object["metadata"]["uid"]) {
            return (409, "the uid in the precondition is another".into());
        }
        let wanted = options.pointer("/preconditions/resourceVersion");
        if wanted.is_some_and(|version| *version != object["metadata"]["resourceVersion"]) {
            return (409, "the resourceVersion in the precondition is another".into());
        }
        if object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty()) {
            self.edit(path, |object| {
                object["metadata"]["deletionTimestamp"] = json!("2025-01-02T00:00:00Z");
                object["metadata"]["deletionGracePeriodSeconds"] = json!(0);
            });
            return (200, "it is marked".into());
        }
        self.by_path.remove(path);
        (200, "deleted".into())
    }

    fn create(&mut self, list: &str, object: Value) -> (u16, String) {
        let Some(name) = object["metadata"]["name"].as_str() else { return (422, "it has no name".into()) };
        let path = format!("{list}/{name}");
        if object["metadata"].get("resourceVersion").is_some() || object["metadata"].get("uid").is_some() {
            return (422, "resourceVersion should not be set on objects to be created".into());
        }
        if self.by_path.contains_key(&path) {
            return (409, "it is there already".into());
        }
        self.put(&path, object);
        (201, "created".into())
    }

    fn patch(&mut self, call: &KubeCall, patch: &Value) -> (u16, String) {
        let Some(object) = self.by_path.get(&call.path) else { return (404, not_found(&call.path).to_string()) };
        let mut object = object.clone();
        let applied = match call.content_type.as_str() {
            "application/json-patch+json" => json_patch(&mut object, patch),
            "application/merge-patch+json" => {
                let wanted = patch.pointer("/metadata/resourceVersion");
                if wanted.is_some_and(|version| *version != object["metadata"]["resourceVersion"]) {
                    return (409, "the object has been modified".into());
                }
                merge_patch(&mut object, patch);
                Ok(())
            }
            other => return (415, format!("{other} is not understood")),
        };
        if let Err(why) = applied {
            return (422, why);
        }
        let going = |object: &Value| object.pointer("/metadata/deletionTimestamp").is_some();
        let held = |object: &Value| object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        let before = &self.by_path[&call.path];
        if going(before) && held(&object).iter().any(|name| !held(before).contains(name)) {
            return (422, "no new finalizers can be added if the object is being deleted".into());
        }
        if going(before) && !held(before).is_empty() && held(&object).is_empty() {
            self.by_path.remove(&call.path);
        } else {
            self.store(&call.path, object);
        }
        (200, "patched".into())
    }
}

fn not_found(path: &str) -> Value {
    let name = path.rsplit('/').next();
    json!({"kind": "Status", "code": 404, "reason": "NotFound", "message": format!("{path} not found"), "details": {"name": name}})
}

/// An object with a JSON patch applied, as a server would keep it.
#[track_caller]
pub(crate) fn patched(object: &mut Value, ops: &Value) {
    json_patch(object, ops).unwrap();
    if object.pointer("/metadata/annotations").is_some_and(|map| *map == json!({})) {
        object["metadata"].as_object_mut().map(|metadata| metadata.remove("annotations"));
    }
}

fn json_patch(object: &mut Value, ops: &Value) -> Result<(), String> {
    for op in ops.as_array().ok_or("a JSON patch is a list")? {
        let path = op["path"].as_str().ok_or("an op has no path")?;
        let (parent, key) = path.rsplit_once('/').ok_or("a path begins with a slash")?;
        let key = key.replace("~1", "/").replace("~0", "~");
        let parent = object
            .pointer_mut(parent)
            .and_then(Value::as_object_mut)
            .ok_or_else(|| format!("{path}: there is nothing above it"))?;
        match op["op"].as_str() {
            Some("test") if parent.get(&key).unwrap_or(&Value::Null) == &op["value"] => {}
            Some("test") => return Err(format!("testing {path} failed")),
            Some("remove") => drop(parent.remove(&key).ok_or_else(|| format!("{path}: nothing to remove"))?),
            Some("replace") if !parent.contains_key(&key) => return Err(format!("{path}: nothing to replace")),
            Some("add" | "replace") => drop(parent.insert(key, op["value"].clone())),
            other => return Err(format!("{other:?} is no op of a JSON patch")),
        }
    }
    Ok(())
}

fn merge_patch(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    for (key, value) in patch {
        if value.is_null() {
            drop(object.as_object_mut().unwrap().remove(key));
        } else {
            merge_patch(&mut object[key.as_str()], value);
        }
    }
}
