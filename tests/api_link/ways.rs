//! Ways in that appear while the program runs: an API server beside those of the kit, and a credential in place of its own.

use std::sync::Arc;
use std::time::Duration;

use breakglass::kit::held::Won;
use breakglass::kit::{ActingAs, ApiServer, Credential};
use breakglass::link::api::{Api, ApiRequest, End, Kind, Recovery};
use breakglass::link::dial::Direct;
use breakglass::world::{Reads as _, Way};

use super::fake::{Authority, Does, Door, FakeServer};
use super::{OK, PATH, cluster, live, read};

/// It may be the only one that answers, and it answers for objects alone: whether the cluster's own servers are well, and what
/// they count, it does not know.
#[tokio::test]
async fn a_recovery_api_server_is_asked_first_for_objects_and_verified_by_its_own_certificate() {
    let (authority, its_own) = (Authority::new(), Authority::new());
    let [ok, well] = [OK, "ok"].map(|text| Does::Says(200, text));
    let script = [ok.clone(), ok.clone(), ok.clone(), ok.clone(), well, ok];
    let server = FakeServer::start(&authority, &script).await;
    let beside = FakeServer::with(&its_own, "127.0.0.1", Door::Open, &[Does::Says(200, OK)]).await;
    let cluster = Arc::new(cluster(&authority, &[server.address]));
    let api = Api::new(&cluster, |server| Arc::new(Direct(server.address)), &"test".into(), None);
    let recovery = |trust: &Authority| {
        let facts = ApiServer { name: "recovery-cp1".into(), address: beside.address, via: None, host: None };
        Recovery { facts, trust: trust.pem(), own: None }
    };
    let ask = async |only: Option<&'static str>, path: &str, kind: Kind| {
        let ended = api.send(only, &ApiRequest::get(path, "*/*"), kind, Duration::from_secs(20)).await.unwrap();
        let End::Answered(reply) = ended.end else { panic!("{:?}", ended.tried) };
        api.name_of(reply.server)
    };
    assert_eq!(ask(None, PATH, Kind::Look).await, "cp1");
    // What the host says of it is what counts: under another certificate nothing is sent to it, and the others are there.
    api.join(recovery(&authority), Arc::new(Direct(beside.address)));
    assert_eq!(ask(None, PATH, Kind::Look).await, "cp1");
    assert_eq!(beside.seen.requests().len(), 0);
    api.join(recovery(&its_own), Arc::new(Direct(beside.address)));
    for kind in [Kind::Look, Kind::Guarded, Kind::Single] {
        assert_eq!(ask(None, PATH, kind).await, "recovery-cp1");
    }
    assert_eq!(ask(Some("cp1"), PATH, Kind::Look).await, "cp1");
    assert_eq!([ask(None, PATH, Kind::Dump).await, ask(None, "/livez", Kind::Health).await], ["cp1", "cp1"]);
    assert_eq!(api.recoveries().len(), 1);
    let before = api.costs()["recovery-cp1"].requests;
    api.part("recovery-cp1");
    assert_eq!(ask(None, PATH, Kind::Look).await, "cp1");
    assert_eq!((api.recoveries().len(), before, api.costs()["recovery-cp1"].requests), (0, 3, 3));
}

#[tokio::test]
async fn a_credential_that_is_won_takes_the_place_of_the_kits_on_every_server() {
    let authority = Authority::new();
    let server = FakeServer::start(&authority, &[Does::Says(200, OK)]).await;
    let mut cluster = cluster(&authority, &[server.address]);
    cluster.credential = Credential::Token("old".into());
    cluster.acting_as = Some(ActingAs { user: "jane".into(), ..ActingAs::default() });
    let live = live(cluster);
    read(&live, PATH, 20.0).await.unwrap();
    live.learn("prod", Way::Credential(won("won")));
    read(&live, PATH, 20.0).await.unwrap();
    let headers: Vec<_> = server.seen.requests().into_iter().map(|request| request.headers).collect();
    let said = |at: usize, name: &str| headers[at].get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(
        (said(0, "authorization"), said(0, "impersonate-user")),
        (Some("Bearer old".into()), Some("jane".into()))
    );
    assert_eq!((said(1, "authorization"), said(1, "impersonate-user")), (Some("Bearer won".into()), None));
}

fn won(token: &str) -> Won {
    Won { credential: Credential::Token(token.into()), of: "test".into() }
}

/// The others would not know it, and are never shown it.
#[tokio::test]
async fn what_a_recovery_api_server_alone_knows_us_by_goes_to_it_alone() {
    let authority = Authority::new();
    let server = FakeServer::start(&authority, &[Does::Says(200, OK)]).await;
    let beside = FakeServer::with(&authority, "127.0.0.1", Door::Open, &[Does::Says(200, OK)]).await;
    let mut cluster = cluster(&authority, &[server.address]);
    cluster.credential = Credential::Token("kits".into());
    let api = Api::new(&Arc::new(cluster), |server| Arc::new(Direct(server.address)), &"test".into(), None);
    let join = |own: Option<Won>| {
        let facts = ApiServer { name: "recovery-cp1".into(), address: beside.address, via: None, host: None };
        api.join(Recovery { facts, trust: authority.pem(), own }, Arc::new(Direct(beside.address)));
    };
    let ask = async |only: Option<&str>| {
        api.send(only, &ApiRequest::get(PATH, "*/*"), Kind::Look, Duration::from_secs(20)).await.unwrap();
    };
    join(None);
    ask(None).await;
    assert_eq!(api.entrance(), None);
    join(Some(won("own")));
    ask(None).await;
    // It is told of at each look, also by who does not know what it knows us by.
    join(None);
    api.known_by(won("won"));
    ask(None).await;
    ask(Some("cp1")).await;
    let shown = |server: &FakeServer| -> Vec<String> {
        let all = server.seen.requests().into_iter();
        all.map(|request| request.headers["authorization"].to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(shown(&beside), ["Bearer kits", "Bearer own", "Bearer own"]);
    assert_eq!(shown(&server), ["Bearer won"]);
    let entrance = api.entrance().unwrap();
    assert_eq!((entrance.server.name.as_str(), entrance.won), ("recovery-cp1", won("own")));
    api.part("recovery-cp1");
    assert_eq!(api.entrance().unwrap().won, won("won"));
}
