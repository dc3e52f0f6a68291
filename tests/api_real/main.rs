//! The live world against a real control plane: what the API server's own audit log says that we sent.

mod deletes;
mod end_pods;
mod park;
mod revoke;
mod rollback;
mod throttle;

use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use breakglass::change::{Body, HostCommand, KubeCall, Method, Op, Outcome, Target};
use breakglass::kit::load;
use breakglass::process::Process;
use breakglass::script::Script;
use breakglass::world::live::{Live, Options};
use breakglass::world::{Accept, KubeAnswer, KubeRead, ReadErrorKind, Reads as _, World as _, Writes as _};
use testbed::{CONTROL_PLANE, ControlPlane, Host, Kit, Lab, Meter, NameServer, Options as Plan, User, test};

const LIMIT: Duration = Duration::from_secs(60);
const AGENT: &str = "/apis/apps/v1/namespaces/default/daemonsets/agent";

fn main() -> ExitCode {
    testbed::main_with_kubernetes(vec![
        test("delete_with_its_save_is_two_requests_on_one_connection_and_nothing_else", delete_direct),
        test("delete_through_ssh_reaches_the_loopback_of_the_host", delete_through_ssh),
        test("users_that_are_nobody_or_expired_or_foreign_are_told_so", wrong_users),
        test("a_server_with_a_foreign_certificate_gets_no_request", foreign_server),
        test("a_server_that_restarts_is_written_to_once_it_is_back", restart),
        test("with_its_only_name_server_dead_no_name_is_asked_for", without_names),
        test("the_pods_of_one_workload_are_ended_in_one_request_and_their_tokens_with_them", end_pods::ended),
        test("pods_are_ended_page_by_page_at_the_revision_of_the_list", end_pods::paged),
        test("pods_of_others_are_told_apart_and_pods_of_what_is_gone_are_found", end_pods::told_apart),
        test("revoked_rights_are_gone_at_once_and_come_back_to_the_byte", revoke::rights_are_gone_and_come_back),
        test(
            "what_others_hold_or_change_after_a_revoke_is_not_forced",
            revoke::what_others_hold_or_change_is_not_forced,
        ),
        test("a_parked_stateful_set_keeps_its_claims_and_is_put_back", park::claims_stay),
        test("all_of_a_namespace_is_parked_its_autoscaler_leaves_it_so_and_undo_is_exact", park::all_of_a_namespace),
        test(
            "a_template_goes_back_as_kubectl_puts_it_back_in_three_requests_and_undo_is_exact",
            rollback::as_kubectl_does,
        ),
        test("what_stands_against_a_roll_back_is_said_and_nothing_is_written", rollback::what_stands_against_it),
        test("a_throttled_client_is_let_in_one_request_at_a_time_and_nobody_else", throttle::one_at_a_time),
        test("what_a_finalizer_holds_is_named_by_delete_and_ended_by_name", deletes::a_stuck_object_ends),
        test("what_is_to_go_first_is_held_itself_and_ended", deletes::what_goes_first_is_held_itself),
        test("what_an_orphaning_delete_leaves_is_taken_back", deletes::what_it_owned_stays_and_comes_back),
        test("tokens_of_an_account_are_refused_and_stay_so_after_undo", deletes::tokens_are_refused),
        test("a_dead_session_is_replaced_for_looks_and_lost_writes_are_unknown", sessions),
    ])
}

/// The tests take turns: they count requests, and two of them break the server for a while.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Plane {
    plane: ControlPlane,
    hosts: Vec<Host>,
}

fn shared() -> Result<&'static Plane> {
    static PLANE: OnceLock<Result<Plane, String>> = OnceLock::new();
    let start = || -> Result<Plane> {
        let lab = Lab::shared()?;
        let hosts = lab.hosts(["cp1"])?;
        let plane = ControlPlane::start(lab, &[&hosts[0]], &Plan::default())?;
        Ok(Plane { plane, hosts })
    };
    let plane = PLANE.get_or_init(|| start().map_err(|error| format!("{error:#}")));
    plane.as_ref().map_err(|error| anyhow!("{error}"))
}

/// A world with one cluster, `lab`.
struct World {
    live: Live,
    runtime: tokio::runtime::Runtime,
}

impl World {
    fn new(kit: &Kit, run: &str) -> Result<Self> {
        let lab = Lab::shared()?;
        let folder = lab.folder("kits")?.join(run);
        kit.write(lab, &folder, "lab")?;
        let cluster = load::file(&folder.join("lab.yaml"), &Process::real()).map_err(|why| anyhow!("{why:#?}"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(Self { live: Live::new([cluster], &Options { run: run.into(), tell: None }), runtime })
    }

    fn direct(user: User, run: &str) -> Result<Self> {
        let Plane { plane, hosts } = shared()?;
        Self::new(&Kit::direct(hosts).with_credentials(&plane.access().credential_files(user)?), run)
    }

    fn get(&self, path: &str) -> Result<KubeAnswer, breakglass::world::ReadError> {
        let read = KubeRead { path: path.into(), accept: Accept::Json, limit: LIMIT };
        self.runtime.block_on(self.live.kube(&Target::cluster("lab"), &read))
    }

    fn perform(&self, target: &Target, op: &Op) -> Outcome {
        self.runtime.block_on(self.live.perform(target, op, LIMIT))
    }

    /// Reads the object, deletes it with its uid as a precondition.
    fn delete(&self) -> Result<Outcome> {
        let answer = self.get(AGENT)?;
        ensure!(answer.code == 200, "{}", answer.message());
        let json = answer.json();
        let uid = json["metadata"]["uid"].as_str().context("a uid")?;
        Ok(self.perform(&Target::cluster("lab"), &delete(uid)))
    }
}

fn delete(uid: &str) -> Op {
    let body = serde_json::json!({
        "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background", "preconditions": {"uid": uid},
    });
    Op::Kube(KubeCall {
        method: Method::Delete,
        path: AGENT.into(),
        content_type: "application/json".into(),
        body: Body::Json(body),
        idempotent: true,
        already: vec![404],
        holds: None,
    })
}

fn make_agent() -> Result<()> {
    shared()?.plane.kubectl(User::Masters)?.apply(
        "
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: main, image: none.invalid/none:1}]}
",
    )
}

fn delete_direct() -> Result<()> {
    let _turn = turn();
    let Plane { plane, hosts } = shared()?;
    make_agent()?;
    let audit = plane.servers()[0].audit();
    let mark = audit.mark()?;
    let meter = Meter::start(Lab::shared()?, &[(hosts[0].ip4(), 6443).into()])?;
    let world = World::direct(User::Alice, "r-direct")?;
    let outcome = world.delete()?;
    ensure!(matches!(&outcome, Outcome::Done(said) if said.words.starts_with("200 from cp1 in ")), "{outcome:?}");
    let requests = audit.by("alice", mark)?;
    let seen: Vec<_> = requests.iter().map(|request| (request.verb.as_str(), request.uri.as_str())).collect();
    ensure!(seen == [("get", AGENT), ("delete", AGENT)], "{seen:?}");
    let agent = concat!("breakglass/", env!("CARGO_PKG_VERSION"), " (run r-direct)");
    ensure!(requests.iter().all(|request| request.user_agent == agent), "{requests:?}");
    let traffic = meter.read()?[0];
    ensure!(traffic.connections == 1, "{traffic:?}");
    let cost = world.live.costs().of(&Target::api_server("lab", "cp1"));
    ensure!(cost.requests == 2, "{cost:?}");
    ensure!(cost.bytes_out > 0 && cost.bytes_out < traffic.sent, "{cost:?} of {traffic:?}");
    ensure!(cost.bytes_in > 0 && cost.bytes_in < traffic.received, "{cost:?} of {traffic:?}");
    // A second time: gone is what was wanted; another object of the name is not ours to delete.
    let outcome = world.perform(&Target::cluster("lab"), &delete("00000000-0000-0000-0000-000000000000"));
    ensure!(matches!(&outcome, Outcome::Done(said) if said.words.starts_with("404 ")), "{outcome:?}");
    make_agent()?;
    let outcome = world.perform(&Target::cluster("lab"), &delete("00000000-0000-0000-0000-000000000000"));
    ensure!(matches!(&outcome, Outcome::Failed(said) if said.starts_with("409 ")), "{outcome:?}");
    let outcome = world.delete()?;
    ensure!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    Ok(())
}

fn delete_through_ssh() -> Result<()> {
    let _turn = turn();
    let Plane { plane, hosts } = shared()?;
    make_agent()?;
    let audit = plane.servers()[0].audit();
    let mark = audit.mark()?;
    let servers = [(hosts[0].ip4(), 6443).into(), (hosts[0].ip4(), 22).into()];
    let meter = Meter::start(Lab::shared()?, &servers)?;
    let world =
        World::new(&Kit::through(hosts).with_credentials(&plane.access().credential_files(User::Alice)?), "r-ssh")?;
    let outcome = world.delete()?;
    ensure!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    let requests = audit.by("alice", mark)?;
    ensure!(requests.len() == 2 && requests.iter().all(|one| one.source_ips == ["127.0.0.1"]), "{requests:?}");
    let traffic = meter.read()?;
    ensure!((traffic[0].connections, traffic[1].connections) == (0, 1), "{traffic:?}");
    Ok(())
}

fn wrong_users() -> Result<()> {
    let _turn = turn();
    let path = "/api/v1/namespaces/default/pods?limit=1";
    // A no, whether it is starting (asked without a credential too where ours is not known), and the no again; then the no alone, or
    // all of it once more on a machine that is busy. Of what has expired by our own clock there is nothing to ask.
    for (user, code, most) in [(User::Nobody, 403, 6), (User::Foreign, 401, 8), (User::Expired, 401, 2)] {
        let world = World::direct(user, &format!("r-{user:?}").to_lowercase())?;
        let began = Instant::now();
        ensure!(world.get(path)?.code == code, "{user:?}");
        let outcome = world.perform(&Target::cluster("lab"), &delete("u"));
        let words = format!("{code} from cp1 in ");
        ensure!(matches!(&outcome, Outcome::Failed(said) if said.starts_with(&words)), "{user:?}: {outcome:?}");
        let requests = world.live.costs().of(&Target::api_server("lab", "cp1")).requests;
        ensure!(requests <= most, "{user:?}: {requests} requests");
        let named = format!("{outcome:?}").contains("our client certificate of ");
        ensure!(named == (user == User::Expired), "{user:?}: {outcome:?}");
        ensure!(!named || format!("{outcome:?}").contains("expired on 2020-12-31"), "{outcome:?}");
        ensure!(began.elapsed() < Duration::from_secs(40), "at once, not after retries");
    }
    Ok(())
}

fn foreign_server() -> Result<()> {
    let _turn = turn();
    let Plane { plane, .. } = shared()?;
    let server = &plane.servers()[0];
    let world = World::direct(User::Alice, "r-forged")?;
    let forged = server.with_wrong_certificate(plane.access().pki())?;
    let mark = server.audit().mark()?;
    let outcome = world.perform(&Target::cluster("lab"), &delete("u"));
    let words = "its certificate is not trusted, nothing was sent";
    ensure!(matches!(&outcome, Outcome::Failed(said) if said.contains(words)), "{outcome:?}");
    let error = world.get(AGENT).expect_err("a forged server is not read from");
    ensure!(error.kind == ReadErrorKind::Refused, "{error}");
    ensure!(server.audit().by("alice", mark)?.is_empty());
    ensure!(world.live.costs().is_empty(), "{:?}", world.live.costs());
    drop(forged);
    ensure!(world.get("/readyz")?.code == 200, "the same world, once the server is itself again");
    Ok(())
}

fn restart() -> Result<()> {
    let _turn = turn();
    let Plane { plane, .. } = shared()?;
    make_agent()?;
    let server = &plane.servers()[0];
    let world = World::direct(User::Alice, "r-restart")?;
    let uid = world.get(AGENT)?.json()["metadata"]["uid"].as_str().context("a uid")?.to_owned();
    server.component().kill()?;
    let error = world.get("/readyz").expect_err("nobody listens");
    ensure!(error.kind == ReadErrorKind::NoRoute, "{error}");
    std::thread::scope(|scope| -> Result<()> {
        let back = scope.spawn(|| server.restart());
        let outcome = world.perform(&Target::cluster("lab"), &delete(&uid));
        ensure!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
        back.join().map_err(|_| anyhow!("the restart panicked"))?
    })
}

/// Packets to any name server leave the host counted here.
const COUNTED: &str = "nft -f - <<'E'
table inet asked {
  counter names {}
  chain output {
    type filter hook output priority filter; policy accept;
    meta l4proto { tcp, udp } th dport 53 counter name names
  }
}
E";

fn without_names() -> Result<()> {
    let _turn = turn();
    let Plane { plane, hosts } = shared()?;
    let lab = Lab::shared()?;
    let others = lab.hosts(["dns", "bastion"])?;
    let [dns, bastion] = &others[..] else { bail!("two hosts were asked for") };
    let names = NameServer::start(dns, plane.access(), &hosts[0])?;
    names.serve_bastion(bastion, plane.access())?;
    bastion.sh(COUNTED)?.ok()?;
    let asked = || -> Result<u32> {
        let counter = bastion.sh("nft reset counter inet asked names")?.ok()?;
        let packets = counter.split_whitespace().skip_while(|word| *word != "packets").nth(1);
        packets.and_then(|count| count.parse().ok()).with_context(|| counter.clone())
    };
    ensure!(bastion.sh("kubectl get --raw /readyz")?.success() && asked()? > 0, "kubectl goes by the name");
    names.component().kill()?;
    ensure!(!bastion.sh("kubectl get --raw /readyz --request-timeout 5s")?.success() && asked()? > 0);

    let folder = bastion.dir().display();
    let mut files = plane.access().credential_files(User::Alice)?;
    for file in &mut files {
        // The operator's folder is not there on a host.
        let there = bastion.dir().join(file.file_name().context("a file")?);
        std::fs::copy(&file, &there)?;
        *file = there;
    }
    let program = |words: &str| {
        let state = format!("BREAKGLASS_STATE={folder}/state");
        bastion.sh(&format!("{state} {} {words}", env!("CARGO_BIN_EXE_breakglass")))
    };
    for (word, kit) in [("direct", Kit::direct(hosts)), ("through", Kit::through(hosts))] {
        make_agent()?;
        kit.with_credentials(&files).write(lab, &bastion.dir().join(word), "lab")?;
        let words =
            format!("delete daemonset/agent -n default --kit {folder}/{word} --cluster lab --yes --reason drill");
        let said = program(&words)?;
        ensure!(said.success() && asked()? == 0, "{word}: {said:?}");
    }
    // No kit: kubectl's own file, whose name nobody can look up, and the address beside it.
    make_agent()?;
    let server = format!("--server https://{}:6443", hosts[0].ip4());
    let said = program(&format!("delete daemonset/agent -n default {server} --yes --reason drill"))?;
    ensure!(said.success() && asked()? == 0, "{said:?}");
    let began = Instant::now();
    let said = program("delete daemonset/agent -n default --yes --reason drill")?;
    ensure!(said.code == 3 && said.stderr.contains(CONTROL_PLANE) && said.stderr.contains("--server"), "{said:?}");
    ensure!(began.elapsed() < Duration::from_secs(50), "it ends soon: {:?}", began.elapsed());
    Ok(())
}

fn sessions() -> Result<()> {
    let _turn = turn();
    let Plane { hosts, .. } = shared()?;
    let world = World::new(&Kit::through(hosts), "r-sessions")?;
    let target = Target::host("lab", "cp1");
    let look = |script: &Script| world.runtime.block_on(world.live.script(&target, script, LIMIT));
    let who = Script::new("test.who", "say pid $PPID; say who \"$(id -un)\"");
    let first = look(&who)?;
    ensure!(first.stdout.contains("who=root\n"), "{first:?}");
    ensure!(look(&who)?.stdout == first.stdout, "one session is kept");
    // Every session of the server ends, but not the server.
    hosts[0].sh("kill $(pgrep -f '[s]shd: root@notty')")?;
    let second = look(&who)?;
    ensure!(second.status == 0 && second.stdout != first.stdout, "{second:?}");

    let command = |body: &str, idempotent| {
        Op::Host(HostCommand {
            script: Script::new("test.op", body),
            fresh_connection: false,
            idempotent,
            quiet: false,
        })
    };
    let failed = world.perform(&target, &command("fail 'no such rule'", true));
    ensure!(failed == Outcome::Failed("no such rule".into()), "{failed:?}");
    let lost = world.perform(&target, &command("echo x >>/tmp/once; kill -9 $(pgrep -f '[s]shd: root@notty')", false));
    ensure!(matches!(lost, Outcome::Unknown(_)), "{lost:?}");
    ensure!(hosts[0].sh("wc -l </tmp/once")?.ok()?.trim() == "1", "it was not sent twice");
    let fresh = Op::Host(HostCommand { script: who, fresh_connection: true, idempotent: true, quiet: false });
    let outcome = world.perform(&target, &fresh);
    ensure!(matches!(&outcome, Outcome::Done(said) if said.words.contains("who=root")), "{outcome:?}");
    Ok(())
}
