//! The API link and the live world against API servers on loopback that count, hang, cut and lie.

#![expect(clippy::unwrap_used, reason = "a fake server that cannot be set up fails its test")]
#![expect(clippy::await_holding_lock, reason = "the tests take turns on purpose, each on a runtime of its own")]

mod fake;
mod hooks;
mod ways;

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use breakglass::change::{Body, KubeCall, Method, Op, Outcome, Target};
use breakglass::kit::{ActingAs, ApiServer, Cluster, Credential};
use breakglass::world::live::{Live, Options};
use breakglass::world::{Accept, KubeAnswer, KubeRead, ReadError, ReadErrorKind, Reads as _, World as _, Writes as _};
use fake::{Authority, Does, Door, FakeServer, NAME};

const PATH: &str = "/apis/apps/v1/namespaces/telemetry/daemonsets/agent";
const GONE: &str =
    r#"{"kind":"Status","code":404,"message":"daemonsets.apps \"agent\" not found","details":{"name":"agent"}}"#;
/// What an API server says to a DELETE of what is gone then, and to nothing else that is asked here.
const OK: &str = r#"{"kind":"Status","apiVersion":"v1","status":"Success"}"#;
const FORBIDDEN: &str = r#"{"kind":"Status","code":403,"message":"forbidden"}"#;
const UNKNOWN: &str = r#"{"kind":"Status","code":401,"message":"Unauthorized"}"#;
const NOT_SERVED: &str =
    r#"{"kind":"Status","code":404,"message":"the server could not find the requested resource","details":{}}"#;

fn cluster(authority: &Authority, servers: &[std::net::SocketAddr]) -> Cluster {
    let server = |(index, address): (usize, &std::net::SocketAddr)| ApiServer {
        name: format!("cp{}", index + 1),
        address: *address,
        via: None,
        host: None,
    };
    Cluster {
        name: "prod".into(),
        api_servers: servers.iter().enumerate().map(server).collect(),
        hosts: Vec::new(),
        tls_server_name: Some(NAME.into()),
        ca: authority.pem(),
        credential: Credential::Anonymous,
        credential_ends: None,
        acting_as: None,
        sets: std::collections::BTreeMap::new(),
        source: "the test".into(),
        kept: None,
    }
}

fn live(cluster: Cluster) -> Live {
    Live::new([cluster], &Options { run: "r-1".into(), tell: None })
}

fn delete(idempotent: bool) -> Op {
    Op::Kube(KubeCall {
        method: Method::Delete,
        path: PATH.into(),
        content_type: "application/json".into(),
        body: Body::Json(serde_json::json!({"preconditions": {"uid": "u"}})),
        idempotent,
        already: if idempotent { vec![404] } else { Vec::new() },
        holds: None,
    })
}

async fn perform(live: &Live, op: &Op, seconds: f64) -> Outcome {
    live.perform(&Target::cluster("prod"), op, Duration::from_secs_f64(seconds)).await
}

async fn read(live: &Live, path: &str, seconds: f64) -> Result<KubeAnswer, ReadError> {
    let read = KubeRead { path: path.into(), accept: Accept::Json, limit: Duration::from_secs_f64(seconds) };
    live.kube(&Target::cluster("prod"), &read).await
}

/// A server with this script and a world that leads to it.
async fn one(script: &[Does]) -> (FakeServer, Live) {
    let authority = Authority::new();
    let server = FakeServer::start(&authority, script).await;
    let live = live(cluster(&authority, &[server.address]));
    (server, live)
}

fn said(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Done(said) => &said.words,
        Outcome::Failed(said) | Outcome::NotTaken(said) | Outcome::Unknown(said) => said,
    }
}

#[tokio::test]
async fn one_delete_is_one_request_with_nothing_before_it_and_every_byte_is_counted() {
    let (server, live) = one(&[Does::Says(200, OK)]).await;
    let outcome = perform(&live, &delete(true), 20.0).await;
    assert!(matches!(&outcome, Outcome::Done(said) if said.words.starts_with("200 from cp1 in ")), "{outcome:?}");
    let requests = server.seen.requests();
    let [request] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(request.line, format!("DELETE {PATH}"));
    assert_eq!(request.body, br#"{"preconditions":{"uid":"u"}}"#);
    let header = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap());
    let agent = concat!("breakglass/", env!("CARGO_PKG_VERSION"), " (run r-1)");
    assert_eq!(header("user-agent"), Some(agent));
    assert_eq!(header("accept"), Some("application/json"));
    assert_eq!(header("accept-encoding"), Some("identity"));
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("authorization"), None);
    assert_eq!(server.seen.connections.load(SeqCst), 1);
    let costs = live.costs();
    let cost = costs.of(&Target::api_server("prod", "cp1"));
    assert_eq!(cost.requests, 1);
    assert_eq!(cost.bytes_out, server.seen.bytes_in.load(SeqCst));
    assert_eq!(cost.bytes_in, server.seen.bytes_out.load(SeqCst));
    assert!(cost.bytes_out > 100 && cost.bytes_in > 20, "{cost:?}");
}

#[tokio::test]
async fn a_look_and_a_write_share_one_connection_and_a_new_one_resumes_the_session() {
    let closing = Does::With(200, ("connection", "close"));
    let (server, live) = one(&[Does::Says(200, OK), closing, Does::Says(200, OK)]).await;
    assert_eq!(read(&live, PATH, 20.0).await.unwrap().code, 200);
    assert!(matches!(perform(&live, &delete(true), 20.0).await, Outcome::Done(_)));
    assert_eq!(server.seen.connections.load(SeqCst), 1);
    assert!(read(&live, PATH, 20.0).await.is_ok());
    assert_eq!((server.seen.connections.load(SeqCst), server.seen.resumed.load(SeqCst)), (2, 1));
    assert_eq!(server.seen.requests().len(), 3);
}

#[tokio::test]
async fn a_token_is_sent_and_stands_in_no_message() {
    let authority = Authority::new();
    let server = FakeServer::start(&authority, &[Does::Says(403, FORBIDDEN)]).await;
    let mut cluster = cluster(&authority, &[server.address]);
    cluster.credential = Credential::Token("hush-hush".into());
    let live = live(cluster);
    let outcome = perform(&live, &delete(true), 20.0).await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("hush"));
    assert_eq!(server.seen.requests()[0].headers["authorization"], "Bearer hush-hush");
}

#[tokio::test]
async fn whoever_acts_as_somebody_else_says_so_in_every_request() {
    let authority = Authority::new();
    let server = FakeServer::start(&authority, &[Does::Says(200, "ok"), Does::Says(200, OK)]).await;
    let mut cluster = cluster(&authority, &[server.address]);
    cluster.credential = Credential::Token("hush-hush".into());
    cluster.acting_as = Some(ActingAs { user: "älice".into(), groups: vec!["dev".into()], ..ActingAs::default() });
    let live = live(cluster);
    assert_eq!(read(&live, "/livez", 20.0).await.unwrap().code, 200);
    assert!(matches!(perform(&live, &delete(true), 20.0).await, Outcome::Done(_)));
    let requests = server.seen.requests();
    assert_eq!(requests.len(), 2);
    for request in requests {
        assert_eq!(request.headers["impersonate-user"].as_bytes(), "älice".as_bytes());
        assert_eq!(request.headers["impersonate-group"], "dev");
    }
}

#[tokio::test]
async fn a_429_is_obeyed_and_nothing_retries_behind_our_back() {
    let later = Does::With(429, ("retry-after", "1"));
    let (server, live) = one(&[later, Does::Says(200, OK)]).await;
    assert!(matches!(perform(&live, &delete(false), 20.0).await, Outcome::Done(_)));
    let requests = server.seen.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[1].at - requests[0].at >= Duration::from_secs(1));
    assert_eq!(live.costs().of(&Target::api_server("prod", "cp1")).requests, 2);
}

#[tokio::test]
async fn the_time_of_an_answer_is_that_since_the_question() {
    let (_server, live) = one(&[Does::With(429, ("retry-after", "1")), Does::Says(200, OK)]).await;
    let answer = read(&live, PATH, 20.0).await.unwrap();
    assert!(answer.code == 200 && answer.took >= Duration::from_secs(1), "{answer:?}");
}

#[tokio::test]
async fn what_may_be_done_once_only_is_sent_once_when_its_answer_is_lost() {
    for lost in [Does::Says(503, "{}"), Does::Says(504, "{}"), Does::Closes, Does::Resets] {
        let (server, live) = one(&[lost.clone(), Does::Says(200, OK)]).await;
        let outcome = perform(&live, &delete(false), 20.0).await;
        assert!(matches!(outcome, Outcome::Unknown(_)), "{lost:?}: {outcome:?}");
        assert_eq!(server.seen.requests().len(), 1, "{lost:?}");
    }
    let (server, live) = one(&[Does::Hangs]).await;
    let outcome = perform(&live, &delete(false), 5.0).await;
    assert!(matches!(&outcome, Outcome::Unknown(said) if said.contains("no answer")), "{outcome:?}");
    assert_eq!(server.seen.requests().len(), 1);
}

#[tokio::test]
async fn a_guarded_delete_goes_on_after_a_lost_answer_and_a_404_then_means_done() {
    for lost in [Does::Closes, Does::Resets, Does::Says(504, "{}")] {
        let (server, live) = one(&[lost.clone(), Does::Says(404, GONE)]).await;
        let outcome = perform(&live, &delete(true), 20.0).await;
        assert!(
            matches!(&outcome, Outcome::Done(said) if said.words.contains("an earlier attempt of ours")),
            "{outcome:?}"
        );
        assert_eq!(server.seen.requests().len(), 2, "{lost:?}");
    }
    let (_server, live) = one(&[Does::Says(404, GONE)]).await;
    let outcome = perform(&live, &delete(true), 20.0).await;
    assert!(matches!(&outcome, Outcome::Done(said) if said.words.contains("it was so already")), "{outcome:?}");
    let (_server, live) = one(&[Does::Says(404, NOT_SERVED)]).await;
    let outcome = perform(&live, &delete(true), 20.0).await;
    assert!(matches!(&outcome, Outcome::Failed(said) if said.contains("could not find the requested")), "{outcome:?}");
    // Whatever the first attempt did may be the reason of the refusal of the second.
    let (_server, live) = one(&[Does::Closes, Does::Says(409, "{}")]).await;
    assert!(matches!(perform(&live, &delete(true), 20.0).await, Outcome::Unknown(_)));
}

const STARTING: Does = Does::Says(500, "[+]ping ok\n[-]informer-sync failed: reason withheld\nreadyz check failed\n");

/// It serves before it has read who may what; whoever took its no for an answer would give up on a server that only starts.
#[tokio::test]
async fn a_no_of_a_server_that_is_starting_is_asked_again_and_any_other_stands() {
    const SICK: Does = Does::Says(500, "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n");
    for no in [Does::Says(403, FORBIDDEN), Does::Says(401, UNKNOWN), Does::Says(404, NOT_SERVED)] {
        for (idempotent, says) in [(true, STARTING), (false, STARTING), (true, Does::Closes)] {
            let (server, live) = one(&[no.clone(), says, no.clone(), Does::Says(200, OK)]).await;
            let outcome = perform(&live, &delete(idempotent), 20.0).await;
            assert!(matches!(outcome, Outcome::Done(_)), "{no:?}: {outcome:?}");
            let asked = server.seen.lines().iter().filter(|line| *line == "GET /readyz").count();
            assert_eq!((server.seen.requests().len(), asked), (4, 1), "{no:?}: asked once, and its word is remembered");
            assert_eq!(live.costs().of(&Target::api_server("prod", "cp1")).requests, 4);
        }
        for other in [SICK, Does::Says(200, "ok")] {
            let (server, live) = one(&[no.clone(), other.clone(), no.clone(), Does::Says(200, OK)]).await;
            let outcome = perform(&live, &delete(true), 20.0).await;
            assert!(matches!(outcome, Outcome::Failed(_)), "{no:?}, {other:?}: {outcome:?}");
            assert_eq!(server.seen.requests().len(), 3, "{no:?}, {other:?}");
            // The no may have been on its way since before it was ready.
            let (_server, live) = one(&[no.clone(), other.clone(), Does::Says(200, OK)]).await;
            let outcome = perform(&live, &delete(true), 20.0).await;
            assert!(matches!(outcome, Outcome::Done(_)), "{no:?}, {other:?}: {outcome:?}");
        }
    }
}

/// Just after a start it refuses `/readyz`, too (a real API server was seen to), and a drowning one does not get to it.
#[tokio::test]
async fn a_no_of_a_server_that_does_not_say_how_it_is_stands_once_it_would_have_started() {
    let no = || Does::Says(403, FORBIDDEN);
    let (server, live) = one(&[no(), no(), no(), STARTING, no(), Does::Says(200, OK)]).await;
    let outcome = perform(&live, &delete(false), 60.0).await;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    let asked = server.seen.lines().iter().filter(|line| *line == "GET /readyz").count();
    assert_eq!(asked, 2, "until its word is clear: {:?}", server.seen.lines());

    let (server, live) = one(&[no()]).await;
    let began = Instant::now();
    let outcome = perform(&live, &delete(true), 300.0).await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    assert!((15..150).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert!(server.seen.requests().len() < 40, "about two a second: {}", server.seen.requests().len());

    // Each attempt was refused, however long the question after it is on its way: nothing is unknown.
    let (server, live) = one(&[Does::Drowns(403, FORBIDDEN)]).await;
    let outcome = perform(&live, &delete(true), 300.0).await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    let deletes = server.seen.lines().iter().filter(|line| line.starts_with("DELETE")).count();
    assert!(deletes < 15, "one after another: {:?}", server.seen.lines());
    let outcome = perform(&live, &delete(true), 300.0).await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome:?}");
    let more = server.seen.lines().iter().filter(|line| line.starts_with("DELETE")).count();
    assert_eq!(more - deletes, 1, "what it means is known by now");
}

/// One that does not know our credential knows nobody, or has not read who there is.
#[tokio::test]
async fn a_server_that_does_not_know_us_is_asked_how_it_is_by_nobody() {
    let authority = Authority::new();
    let somebody = ActingAs { user: "somebody".into(), ..ActingAs::default() };
    for (says, done) in [(STARTING, true), (Does::Says(200, "ok"), false)] {
        let script =
            [Does::Says(401, UNKNOWN), Does::Says(401, UNKNOWN), says, Does::Says(401, UNKNOWN), Does::Says(200, OK)];
        let server = FakeServer::start(&authority, &script).await;
        let mut cluster = cluster(&authority, &[server.address]);
        cluster.credential = Credential::Token("ours".into());
        cluster.acting_as = Some(somebody.clone());
        let live = live(cluster);
        let outcome = perform(&live, &delete(true), 60.0).await;
        assert_eq!(matches!(outcome, Outcome::Done(_)), done, "{outcome:?}");
        let has = |request: &fake::Request, name: &str| request.headers.contains_key(name);
        let requests = server.seen.requests();
        assert!(requests.iter().all(|request| has(request, "authorization") == has(request, "impersonate-user")));
        let ours: Vec<bool> = requests.iter().map(|request| has(request, "authorization")).collect();
        assert_eq!(ours[..4], [true, true, false, true], "{:?}", server.seen.lines());
    }
}

/// A no that does not count is no answer: whoever looks waits for one that does.
#[tokio::test]
async fn what_is_read_from_a_server_that_is_starting_is_no_answer() {
    let no = || Does::Says(403, FORBIDDEN);
    let (_server, live) = one(&[no(), STARTING, no()]).await;
    let error = read(&live, "/api/v1/namespaces/kube-system", 5.0).await.unwrap_err();
    assert_eq!(error.kind, ReadErrorKind::TimedOut, "{error}");
    assert!(error.to_string().contains("403") && error.to_string().contains("it said: forbidden"), "{error}");

    // Asked for its health it is heard, with a mark on what may pass.
    let (_server, live) = one(&[no(), Does::Says(200, "ok"), no()]).await;
    let health = async || read(&live, "/readyz", 20.0).await.unwrap();
    let began = Instant::now();
    let first = health().await;
    assert!(first.code == 403 && first.early && !first.is_denied(), "{first:?}");
    assert_eq!(health().await.code, 200);
    let again = health().await;
    assert_eq!(again.early, began.elapsed() > Duration::from_secs(5), "it was ready a moment ago: {again:?}");
}

/// Of several that it refuses at once, one asks it.
#[tokio::test]
async fn a_server_is_asked_once_for_all_that_it_refuses_together() {
    let mut script = vec![Does::Says(403, FORBIDDEN); 4];
    script.push(Does::Says(200, "ok"));
    script.push(Does::Says(403, FORBIDDEN));
    let (server, live) = one(&script).await;
    let path = |n: usize| format!("/api/v1/namespaces/n{n}");
    let answers = futures::future::join_all((0..4).map(async |n| read(&live, &path(n), 60.0).await)).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(KubeAnswer::is_denied)), "{answers:?}");
    let asked = server.seen.lines().iter().filter(|line| *line == "GET /readyz").count();
    assert!(asked < 4, "{:?}", server.seen.lines());
}

#[tokio::test]
async fn a_hanging_server_gets_four_overlapping_attempts_and_no_more() {
    let (server, live) = one(&[Does::Hangs]).await;
    let began = Instant::now();
    let outcome = perform(&live, &delete(true), 10.0).await;
    assert!(matches!(&outcome, Outcome::Unknown(said) if said.contains("cp1 (127.0.0.1:")), "{outcome:?}");
    assert!(began.elapsed() < Duration::from_secs(40));
    assert_eq!(server.seen.lines(), vec![format!("DELETE {PATH}"); 4]);
    assert_eq!(server.seen.most_open.load(SeqCst), 4);
    assert_eq!(live.costs().of(&Target::api_server("prod", "cp1")).requests, 4);
}

#[tokio::test]
async fn a_server_that_cuts_handshakes_took_nothing_in() {
    let authority = Authority::new();
    let server = FakeServer::with(&authority, NAME, Door::Slams, &[Does::Says(200, OK)]).await;
    let live = live(cluster(&authority, &[server.address]));
    let outcome = perform(&live, &delete(true), 5.0).await;
    let told = "during the TLS handshake";
    assert!(
        matches!(&outcome, Outcome::NotTaken(said) if said.starts_with("not taken in: ") && said.contains(told)),
        "{outcome:?}"
    );
    let connections = server.seen.connections.load(SeqCst);
    assert!((3..20).contains(&connections), "tried again, but not in a spin: {connections}");
    assert!(live.costs().is_empty(), "no request was sent");
}

#[tokio::test]
async fn a_server_without_the_right_certificate_is_sent_nothing() {
    let authority = Authority::new();
    let stranger = FakeServer::start(&Authority::new(), &[Does::Says(200, OK)]).await;
    let renamed = FakeServer::with(&authority, "other.example", Door::Open, &[Does::Says(200, OK)]).await;
    let plain = FakeServer::with(&authority, NAME, Door::Plain, &[Does::Says(200, OK)]).await;
    for (server, words) in
        [(&stranger, "signed by another authority"), (&renamed, "other.example"), (&plain, "makes no sense")]
    {
        let live = live(cluster(&authority, &[server.address]));
        let began = Instant::now();
        let outcome = perform(&live, &delete(true), 20.0).await;
        assert!(matches!(&outcome, Outcome::Failed(said) if said.contains(words)), "{outcome:?}");
        let error = read(&live, PATH, 20.0).await.unwrap_err();
        let kind = if words == "makes no sense" { ReadErrorKind::Malformed } else { ReadErrorKind::Refused };
        assert_eq!(error.kind, kind, "{error}");
        let hint = match words {
            "other.example" => "--tls-server-name other.example",
            "makes no sense" => "openssl s_client -connect 127.0.0.1:",
            _ => "--certificate-authority FILE",
        };
        assert!(error.hint.as_ref().unwrap().contains(hint), "{error:?}");
        assert_eq!((server.seen.requests().len(), server.seen.connections.load(SeqCst)), (0, 2));
        assert!(began.elapsed() < Duration::from_secs(15), "at once");
    }
}

/// A login page says 200 to everything: nothing was done for it, and nothing is well.
#[tokio::test]
async fn what_is_no_api_server_is_never_taken_for_one() {
    const PAGE: &str = "<html><head><title>Sign in</title></head></html>";
    for idempotent in [true, false] {
        let (server, live) = one(&[Does::Says(200, PAGE)]).await;
        let outcome = perform(&live, &delete(idempotent), 10.0).await;
        assert!(
            matches!(&outcome, Outcome::Unknown(said) if said.contains("Sign in") && said.contains("--via")),
            "{outcome:?}"
        );
        assert_eq!(server.seen.requests().len(), 1, "once");
        for (code, header) in [(302, ("location", "https://sso.example/")), (403, ("content-type", "text/html"))] {
            let (_server, live) = one(&[Does::With(code, header)]).await;
            let outcome = perform(&live, &delete(idempotent), 10.0).await;
            assert!(matches!(&outcome, Outcome::Failed(said) if said.contains("turned away")), "{code}: {outcome:?}");
        }
    }
    for path in ["/livez", "/readyz", PATH] {
        for does in [
            Does::Says(200, PAGE),
            Does::Says(200, "healthy"),
            Does::With(301, ("location", "https://sso.example/")),
            Does::With(503, ("content-type", "text/html")),
        ] {
            let (_server, live) = one(std::slice::from_ref(&does)).await;
            let error = read(&live, path, 2.0).await.unwrap_err();
            assert_eq!(error.kind, ReadErrorKind::Malformed, "{path} {does:?}: {error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
    // Another server of the cluster is asked past it.
    let authority = Authority::new();
    let page = FakeServer::start(&authority, &[Does::Says(200, PAGE)]).await;
    let real = FakeServer::start(&authority, &[Does::Says(200, OK)]).await;
    let live = live(cluster(&authority, &[page.address, real.address]));
    assert_eq!(read(&live, PATH, 20.0).await.unwrap().server, "cp2");
}

/// Only what was there can be drowning.
#[tokio::test]
async fn how_far_it_got_is_told_apart() {
    let authority = Authority::new();
    for (door, kind) in [
        (Door::Silent, ReadErrorKind::TimedOut),
        (Door::Open, ReadErrorKind::TimedOut),
        // Nothing was slow there.
        (Door::Slams, ReadErrorKind::Cut),
    ] {
        let silent = FakeServer::with(&authority, NAME, door, &[Does::Hangs]).await;
        let live = live(cluster(&authority, &[silent.address]));
        let error = read(&live, "/livez", 2.0).await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
    }
    // Nothing listens on port 1 of an address of the documentation, and nothing says so.
    let live = live(cluster(&authority, &["192.0.2.1:1".parse().unwrap()]));
    let error = read(&live, "/livez", 2.0).await.unwrap_err();
    assert_eq!(error.kind, ReadErrorKind::NoRoute, "{error}");
}

/// A server that is well, and does not know us: seen only without what it does not know.
#[tokio::test]
async fn a_health_endpoint_can_be_asked_without_our_credential() {
    let authority = Authority::new();
    let server = FakeServer::start(&authority, &[Does::Says(401, UNKNOWN), Does::Says(200, "ok")]).await;
    let mut cluster = cluster(&authority, &[server.address]);
    cluster.credential = Credential::Token("hush-hush".into());
    let live = live(cluster);
    let target = Target::cluster("prod");
    let read = |path: &str| KubeRead { path: path.into(), accept: Accept::Text, limit: Duration::from_secs(20) };
    assert_eq!(live.kube(&target, &read("/livez")).await.unwrap().code, 401);
    assert_eq!(live.kube_anonymous(&target, &read("/readyz")).await.unwrap().code, 200);
    let requests = server.seen.requests();
    assert_eq!(requests[0].headers["authorization"], "Bearer hush-hush");
    assert!(!requests[1].headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_refused_client_certificate_is_named_as_such() {
    let authority = Authority::new();
    let server = FakeServer::with(&authority, NAME, Door::Demands, &[Does::Says(200, OK)]).await;
    let mut cluster = cluster(&authority, &[server.address]);
    let (cert, key) = authority.issue("somebody");
    cluster.credential = Credential::Certificate { cert: cert.into(), key: key.into() };
    let live = live(cluster);
    let outcome = perform(&live, &delete(false), 10.0).await;
    assert!(
        matches!(&outcome, Outcome::Failed(said) if said.contains("it refused our client certificate")),
        "{outcome:?}"
    );
    assert_eq!(read(&live, PATH, 10.0).await.unwrap_err().kind, ReadErrorKind::Refused);
    assert_eq!(server.seen.requests().len(), 0);
}

/// By a 401, as kube-apiserver says it, or by an alert of TLS, as what stands before one may.
#[tokio::test]
async fn a_credential_that_has_ended_is_the_reason_that_is_named() {
    const WHO: &str = r#"{"kind":"Status","code":401,"message":"Unauthorized"}"#;
    let authority = Authority::new();
    let (cert, key) = authority.issue_ended("somebody");
    let ended = Credential::Certificate { cert: cert.into(), key: key.into() };
    let expected = "our client certificate of CN=somebody expired on 2021-01-01T00:00:00Z, ";
    for (door, begins) in [(Door::Open, "401 from cp1 in "), (Door::Demands, "not done: cp1 (")] {
        let server = FakeServer::with(&authority, NAME, door, &[Does::Says(401, WHO)]).await;
        let live = live(Cluster { credential: ended.clone(), ..cluster(&authority, &[server.address]) });
        let outcome = perform(&live, &delete(false), 10.0).await;
        assert!(matches!(outcome, Outcome::Failed(_)) && said(&outcome).starts_with(begins), "{outcome:?}");
        assert!(said(&outcome).contains(expected), "{outcome:?}");
        match read(&live, PATH, 10.0).await {
            Ok(answer) => assert!(answer.void.is_some_and(|why| why.starts_with(expected))),
            Err(error) => assert!(error.to_string().contains(expected) && error.hint.unwrap().contains("date -u")),
        }
    }
    // A 401 for another reason is not blamed on a date, nor is one without our credential.
    let live = |credential, server: &FakeServer| live(Cluster { credential, ..cluster(&authority, &[server.address]) });
    let script = [Does::Says(401, WHO), Does::Says(200, "ok"), Does::Says(401, WHO)];
    let server = FakeServer::start(&authority, &script).await;
    let token = live(Credential::Token("hush-hush".into()), &server);
    assert_eq!(read(&token, PATH, 10.0).await.unwrap().void, None);
    let read = KubeRead { path: PATH.into(), accept: Accept::Json, limit: Duration::from_secs(20) };
    let nobody = live(ended, &server).kube_anonymous(&Target::cluster("prod"), &read).await.unwrap();
    assert_eq!((nobody.code, nobody.void), (401, None));
}

#[tokio::test]
async fn a_dead_server_is_passed_over_and_a_silent_one_remembered() {
    let authority = Authority::new();
    let dead = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let good = FakeServer::start(&authority, &[Does::Says(200, OK)]).await;
    let world = live(cluster(&authority, &[dead, good.address]));
    assert_eq!(read(&world, PATH, 20.0).await.unwrap().server, "cp2");

    let silent = FakeServer::with(&authority, NAME, Door::Silent, &[Does::Hangs]).await;
    let world = live(cluster(&authority, &[silent.address, good.address]));
    let began = Instant::now();
    assert_eq!(read(&world, PATH, 20.0).await.unwrap().server, "cp2");
    assert!((1..15).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    let knocked = || silent.seen.connections.load(SeqCst);
    let before = knocked();
    assert_eq!(
        (read(&world, PATH, 20.0).await.unwrap().server.as_str(), knocked()),
        ("cp2", before),
        "it is remembered"
    );
}

#[tokio::test]
async fn an_answer_that_never_ends_is_no_answer_to_a_look_but_its_head_is_one_to_a_write() {
    let (_server, live) = one(&[Does::Trickles]).await;
    let error = read(&live, PATH, 2.0).await.unwrap_err();
    assert_eq!(error.kind, ReadErrorKind::TimedOut, "{error}");
    let began = Instant::now();
    let outcome = perform(&live, &delete(false), 120.0).await;
    assert!(matches!(&outcome, Outcome::Done(said) if said.words.starts_with("200 ")), "{outcome:?}");
    assert!(began.elapsed() < Duration::from_secs(60), "its words are not waited for: {:?}", began.elapsed());
}

#[tokio::test]
async fn an_answer_without_an_end_is_read_up_to_a_length_and_said_to_be_nonsense() {
    let (_server, live) = one(&[Does::Floods]).await;
    let error = read(&live, PATH, 120.0).await.unwrap_err();
    assert_eq!(error.kind, ReadErrorKind::Malformed, "{error}");
    assert!(error.to_string().contains("its answer is longer than 33.5 MB, the most that is read"), "{error}");
}

#[tokio::test]
async fn health_is_what_the_server_says_and_is_asked_once() {
    let (server, live) = one(&[Does::Says(500, "[-]etcd failed")]).await;
    let answer = read(&live, "/readyz?verbose", 10.0).await.unwrap();
    assert_eq!((answer.code, answer.text.as_str()), (500, "[-]etcd failed"));
    assert_eq!(server.seen.lines(), ["GET /readyz?verbose"]);
    let live = live_nowhere();
    let error = read(&live, "/readyz", 10.0).await.unwrap_err();
    assert_eq!((error.kind, error.tried.len()), (ReadErrorKind::NoRoute, 1), "{error}");
}

fn live_nowhere() -> Live {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    live(cluster(&Authority::new(), &[listener.local_addr().unwrap()]))
}

#[tokio::test]
async fn every_attempt_is_told_and_a_named_server_is_the_only_one_asked() {
    let authority = Authority::new();
    let first = FakeServer::start(&authority, &[Does::Says(200, OK)]).await;
    let second = FakeServer::start(&authority, &[Does::Closes, Does::Says(200, OK)]).await;
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let hears = std::sync::Arc::clone(&told);
    let tell = std::sync::Arc::new(move |line: &str| hears.lock().unwrap().push(line.to_owned()));
    let options = Options { run: "r-2".into(), tell: Some(tell) };
    let live = Live::new([cluster(&authority, &[first.address, second.address])], &options);
    let outcome = live.perform(&Target::api_server("prod", "cp2"), &delete(true), Duration::from_secs(10)).await;
    assert!(said(&outcome).starts_with("200 from cp2 in ") && said(&outcome).contains("(attempt 2)"), "{outcome:?}");
    assert_eq!(first.seen.connections.load(SeqCst), 0);
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    let start = format!("DELETE {PATH}: cp2 ({}): the connection was closed without an answer (after ", second.address);
    assert!(told[0].starts_with(&start), "{told:?}");
    let outcome = live.perform(&Target::api_server("prod", "cp9"), &delete(true), Duration::from_secs(10)).await;
    assert!(matches!(&outcome, Outcome::Failed(said) if said.contains("no API server \"cp9\"")), "{outcome:?}");
}
