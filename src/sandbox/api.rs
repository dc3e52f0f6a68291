//! A simulated API server behind a real TLS listener.

use std::convert::Infallible;
use std::sync::Arc;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::objects::{NODES_PATH, OFFENDER_UID};
use super::storm;
use super::world::{LEASES, LEVELS_MADE, OFFENDER, State, World};

const PODS: &str = "/api/v1/namespaces/telemetry/pods";
/// What is listed of the objects that there are.
const LISTED: [&str; 22] = [
    "/validatingadmissionpolicies",
    "/daemonsets",
    "/deployments",
    "/statefulsets",
    "/replicasets",
    "/replicationcontrollers",
    "/cronjobs",
    "/jobs",
    "/clusterroles",
    "/rolebindings",
    "/clusterrolebindings",
    "webhookconfigurations",
    "admissionpolicybindings",
    "/apiservices",
    "/endpointslices",
    "/controllerrevisions",
    "/flowschemas",
    "/prioritylevelconfigurations",
    "/applications",
    "/applicationsets",
    "/kustomizations",
    "/helmreleases",
];

/// Pressure beyond which a handshake is not finished in any useful time.
const NO_HANDSHAKE: f64 = 2.0;

/// Which API server it is.
#[derive(Clone, Copy)]
pub(super) enum Door {
    /// That of the host with this index, with the load that it has.
    Main(usize),
    /// One that was started beside it, and has none.
    Recovery,
}

impl Door {
    /// How pressed it is; `None`: it is not there.
    fn pressure(self, world: &World) -> Option<f64> {
        match self {
            Self::Main(index) => world.state().pressure(index),
            Self::Recovery => Some(0.0),
        }
    }
}

/// Serves one API server until the task is dropped.
pub(super) async fn serve(listener: TcpListener, tls: Arc<rustls::ServerConfig>, world: Arc<World>, door: Door) {
    let acceptor = TlsAcceptor::from(tls);
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (acceptor, world) = (acceptor.clone(), Arc::clone(&world));
        tokio::spawn(async move {
            let Some(pressure) = door.pressure(&world) else { return };
            if pressure > NO_HANDSHAKE {
                tokio::time::sleep(storm::latency(pressure)).await;
            }
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let known = stream.get_ref().1.peer_certificates().is_some_and(|chain| !chain.is_empty());
            let service = service_fn(move |request| answer(Arc::clone(&world), door, known, request));
            // A client that goes away in the middle is nobody's fault.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    world: Arc<World>,
    door: Door,
    known: bool,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let Some(pressure) = door.pressure(&world) else {
        return Ok(text(StatusCode::SERVICE_UNAVAILABLE, "the process is starting"));
    };
    tokio::time::sleep(storm::latency(pressure)).await;
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    if matches!(path.as_str(), "/livez" | "/readyz" | "/healthz") {
        // The work of the wait may have been in vain: look at the pressure anew.
        let healthy = door.pressure(&world).is_some_and(|pressure| pressure < 1.0);
        return Ok(if healthy {
            text(StatusCode::OK, "ok")
        } else {
            text(StatusCode::INTERNAL_SERVER_ERROR, "[-]etcd failed: reason withheld")
        });
    }
    if !known {
        return Ok(status(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized"));
    }
    let mut state = world.state();
    state.advance();
    Ok(match (parts.method, path.as_str()) {
        (Method::GET, "/version") => json_ok(&json!({ "major": "1", "minor": "34", "gitVersion": "v1.34.4-sandbox" })),
        (Method::GET, "/debug/api_priority_and_fairness/dump_requests") => {
            text(StatusCode::OK, &requests(&mut state, query.contains("includeRequestDetails=1")))
        }
        (Method::GET, "/debug/api_priority_and_fairness/dump_priority_levels") => {
            text(StatusCode::OK, &levels(&mut state))
        }
        (Method::GET, PODS) => json_ok(&pods(&mut state, &query)),
        (Method::GET, NODES_PATH) => json_ok(&nodes(&state, &query)),
        (Method::GET, LEASES) => json_ok(&leases(&mut state, &query)),
        (Method::DELETE, PODS) => delete_pods(&mut state, &body),
        (Method::GET, path) if LISTED.iter().any(|plural| path.ends_with(plural)) => list(&state, path),
        (Method::GET, OFFENDER) => state.offender().map_or_else(|| not_found(&path), |object| json_ok(&object)),
        (Method::GET, _) => get(&state, &path),
        (Method::DELETE, _) => delete(&mut state, &path, &body),
        (Method::PATCH, _) => patch(&mut state, &path, &parts.headers, &body),
        (Method::POST, _) => create(&mut state, &path, &body),
        _ => status(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "the sandbox does not simulate this method"),
    })
}

fn text(code: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_owned())));
    *response.status_mut() = code;
    response
}

fn json_ok(body: &Value) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::OK, &body.to_string());
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

fn status(code: StatusCode, reason: &str, message: &str) -> Response<Full<Bytes>> {
    let mut response = json_ok(&json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code.as_u16(),
    }));
    *response.status_mut() = code;
    response
}

/// With the details of a real answer: without them it would mean that the whole resource is not served.
fn not_found(path: &str) -> Response<Full<Bytes>> {
    let mut words = path.rsplit('/');
    let (name, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut response = json_ok(&json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": format!("{kind} {name:?} not found"), "reason": "NotFound", "code": 404,
        "details": { "name": name, "kind": kind },
    }));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn get(state: &State, path: &str) -> Response<Full<Bytes>> {
    state.objects.get(path).map_or_else(|| not_found(path), json_ok)
}

fn delete(state: &mut State, path: &str, body: &[u8]) -> Response<Full<Bytes>> {
    let Some(object) = state.objects.get(path) else { return not_found(path) };
    let options: Value = serde_json::from_slice(body).unwrap_or_default();
    let uid = object.pointer("/metadata/uid").cloned().unwrap_or_default();
    if options.pointer("/preconditions/uid").is_some_and(|wanted| *wanted != uid) {
        return status(StatusCode::CONFLICT, "Conflict", "the UID in the precondition does not match");
    }
    let version = object.pointer("/metadata/resourceVersion").cloned().unwrap_or_default();
    if options.pointer("/preconditions/resourceVersion").is_some_and(|wanted| *wanted != version) {
        return status(StatusCode::CONFLICT, "Conflict", "the ResourceVersion in the precondition does not match");
    }
    let name = object.pointer("/metadata/name").cloned().unwrap_or_default();
    if held(object) {
        let (mut object, now) = (object.clone(), state.now());
        object["metadata"]["deletionTimestamp"] = json!(now);
        object["metadata"]["deletionGracePeriodSeconds"] = json!(0);
        state.put(path, &mut object);
        return json_ok(&object);
    }
    state.objects.remove(path);
    json_ok(&json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": { "name": name, "uid": uid },
    }))
}

/// Whether a finalizer holds it; nobody here ever takes one away by himself.
fn held(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty())
}

fn create(state: &mut State, path: &str, body: &[u8]) -> Response<Full<Bytes>> {
    let Ok(mut object) = serde_json::from_slice::<Value>(body) else {
        return status(StatusCode::BAD_REQUEST, "BadRequest", "the body is not JSON");
    };
    let Some(name) = object.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned) else {
        return status(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", "metadata.name is required");
    };
    let path = format!("{path}/{name}");
    if state.objects.contains_key(&path) {
        return status(StatusCode::CONFLICT, "AlreadyExists", &format!("{name} already exists"));
    }
    let version = state.next_version();
    if let Some(metadata) = object.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.insert("uid".into(), json!(format!("5a3d0c1e-0000-4000-8000-{version:0>12}")));
        metadata.insert("resourceVersion".into(), json!(version));
    }
    state.objects.insert(path, object.clone());
    let mut response = json_ok(&object);
    *response.status_mut() = StatusCode::CREATED;
    response
}

fn patch(state: &mut State, path: &str, headers: &http::HeaderMap, body: &[u8]) -> Response<Full<Bytes>> {
    let Some(object) = state.objects.get(path) else { return not_found(path) };
    let Ok(patch) = serde_json::from_slice::<Value>(body) else {
        return status(StatusCode::BAD_REQUEST, "BadRequest", "the body is not JSON");
    };
    let mut patched = object.clone();
    let kind = headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/json-patch") {
        if let Err(why) = super::patch::json_patch(&mut patched, &patch) {
            return status(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", &why);
        }
    } else {
        let wanted = patch.pointer("/metadata/resourceVersion");
        if wanted.is_some_and(|wanted| Some(wanted) != object.pointer("/metadata/resourceVersion")) {
            return status(StatusCode::CONFLICT, "Conflict", "the object has been modified");
        }
        super::patch::merge(&mut patched, &patch);
    }
    let version = state.next_version();
    if let Some(metadata) = patched.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.insert("resourceVersion".into(), json!(version));
    }
    if patched.pointer("/metadata/deletionTimestamp").is_some() && !held(&patched) {
        state.objects.remove(path);
    } else {
        state.put(path, &mut patched);
    }
    json_ok(&patched)
}

/// What ends pods: a delete of their collection.
fn delete_pods(state: &mut State, body: &[u8]) -> Response<Full<Bytes>> {
    let options: Value = serde_json::from_slice(body).unwrap_or_default();
    let list = pods(state, "");
    if options["gracePeriodSeconds"] == 0 {
        state.forget_pods();
    }
    // With a grace they are marked, and stay until their kubelets say that it is over.
    json_ok(&list)
}

/// The offender's pods, as metadata.
fn pods(state: &mut State, query: &str) -> Value {
    let (count, ending, version) = (state.pods(), state.ending(), state.next_version());
    let owner = state.objects.get(OFFENDER).and_then(|object| object.pointer("/metadata/uid")).cloned();
    let owner = json!([{
        "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "agent", "controller": true,
        "uid": owner.unwrap_or_else(|| json!(OFFENDER_UID)),
    }]);
    let limit = query.split('&').find_map(|pair| pair.strip_prefix("limit=")?.parse::<u32>().ok()).unwrap_or(count);
    let items: Vec<Value> = (0..count.min(limit))
        .map(|n| {
            let mut pod = json!({ "metadata": {
                "name": format!("agent-{n:05}"), "namespace": "telemetry", "uid": format!("5a3d0c1e-0000-4000-8001-{n:0>12}"),
                "resourceVersion": "4800", "labels": { "app": "telemetry-agent" }, "ownerReferences": owner,
            } });
            if ending {
                pod["metadata"]["deletionTimestamp"] = json!("2024-12-11T23:30:00Z");
            }
            pod
        })
        .collect();
    json!({
        "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
        "metadata": { "resourceVersion": version, "remainingItemCount": count.saturating_sub(limit) }, "items": items,
    })
}

/// A page of something: its items, and the word to go on with, which is the number of the next one.
fn page<T>(all: Vec<T>, query: &str) -> (Vec<T>, String) {
    let word = |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.parse::<usize>().ok());
    let (from, limit) = (word("continue=").unwrap_or(0), word("limit=").unwrap_or(all.len()));
    let next = from.saturating_add(limit);
    let more = if next < all.len() { next.to_string() } else { String::new() };
    (all.into_iter().skip(from).take(limit).collect(), more)
}

/// A page of the nodes' leases.
fn leases(state: &mut State, query: &str) -> Value {
    let (leases, more) = page(state.leases(), query);
    let lease = |(name, renewed): (String, jiff::Timestamp)| json!({ "metadata": { "name": name }, "spec": { "renewTime": renewed.to_string() } });
    let items: Vec<Value> = leases.into_iter().map(lease).collect();
    json!({
        "kind": "LeaseList", "apiVersion": "coordination.k8s.io/v1", "metadata": { "continue": more }, "items": items,
    })
}

/// A page of the nodes that have some labels, as metadata.
fn nodes(state: &State, query: &str) -> Value {
    let selector = query.split('&').find_map(|pair| pair.strip_prefix("labelSelector=")).unwrap_or_default();
    let selector = percent_encoding::percent_decode_str(selector).decode_utf8_lossy();
    let fits = |node: &&Value| {
        let label = |key: &str| node.pointer("/metadata/labels").and_then(|labels| labels[key].as_str());
        selector.split(',').filter_map(|one| one.split_once('=')).all(|(key, value)| label(key) == Some(value))
    };
    let (nodes, more) = page(state.nodes().filter(fits).collect(), query);
    let items: Vec<Value> = nodes.into_iter().map(|node| json!({ "metadata": node["metadata"] })).collect();
    json!({
        "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
        "metadata": { "resourceVersion": "5000", "continue": more }, "items": items,
    })
}

/// The objects of a collection, over all namespaces where the path names none.
fn list(state: &State, path: &str) -> Response<Full<Bytes>> {
    let (base, plural) = path.rsplit_once('/').unwrap_or_default();
    let namespaced = format!("{base}/namespaces/");
    let inside = |key: &str| {
        let Some((parent, _)) = key.rsplit_once('/') else { return false };
        parent == path || (parent.starts_with(&namespaced) && parent.ends_with(&format!("/{plural}")))
    };
    let items: Vec<&Value> = state.objects.iter().filter(|(key, _)| inside(key)).map(|(_, object)| object).collect();
    json_ok(&json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": "5000" }, "items": items }))
}

/// What the priority levels do: one that was made for the offender has refused what that asks.
fn levels(state: &mut State) -> String {
    let mut lines = String::from(
        "PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, WaitingRequests, ExecutingRequests, DispatchedRequests, RejectedRequests, TimedoutRequests, CancelledRequests\n",
    );
    let running = state.running();
    for name in state.objects.keys().filter_map(|path| path.strip_prefix(LEVELS_MADE)) {
        lines.push_str(&format!("{name}, 0, {}, false, 0, 1, 4, {}, 0, 0\n", running == 0, running * 5));
    }
    lines
}

/// The form of the real dump: comma-separated, padded text, with more columns where they are asked for.
fn requests(state: &mut State, details: bool) -> String {
    let mut lines = String::from(
        "PriorityLevelName, FlowSchemaName,   QueueIndex, RequestIndexInQueue, FlowDistingsher,                        ArriveTime,           InitialSeats",
    );
    lines.push_str(if details {
        ", UserName, Verb, APIPath, Namespace, Name, APIVersion, Resource, SubResource\n"
    } else {
        "\n"
    });
    let held = if state.knows_offender() { state.pods() / 4 } else { 0 };
    for n in 0..held {
        lines.push_str(&format!(
            "workload-low,      service-accounts, {},          {n},                   system:serviceaccount:telemetry:agent, 2024-12-11T23:16:00Z, 10",
            n % 128
        ));
        lines.push_str(if details {
            ", system:serviceaccount:telemetry:agent, list, /api/v1/pods, , , v1, pods, \n"
        } else {
            "\n"
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_waits_for_ever() {
        assert_eq!(storm::latency(1e9), std::time::Duration::from_secs(40));
    }
}
