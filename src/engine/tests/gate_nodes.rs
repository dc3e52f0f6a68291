//! A gate on nodes about one workload: each host finds what its pods send from, and what was closed stays what it was.

use serde_json::json;

use super::samples::bench_of;
use super::support::*;
use crate::change::Op;
use crate::host::gate::Scope;
use crate::host::gate::{GateClose, Side};
use crate::host::order::Order as _;
use crate::world::ScriptOutput;

fn bench(object: &str) -> Bench {
    bench_of(&[("way", "gate-close", json!({"nodes": {"offender": object}, "stages": ["100%"]}))])
}

/// What the gates that were closed are about, one for each host.
fn scopes(bench: &Bench) -> Vec<Scope> {
    let changes = bench.journal().run.changes.into_values();
    let specs = changes.filter_map(|record| match &record.change.op {
        Op::Host(command) => GateClose::of(&command.script).map(|order| order.spec),
        Op::Kube(_) | Op::File(_) | Op::Http(_) | Op::Local(_) => None,
    });
    specs
        .filter_map(|spec| match spec.side {
            Side::Client { scope, .. } => Some(scope),
            Side::Server { .. } => None,
        })
        .collect()
}

/// The hosts have pods that are called so and say this of them.
fn says(bench: &Bench, said: &'static str) {
    bench.fake.on_script(Box::new(move |_, script| {
        (script.name == "pods.network").then(|| ScriptOutput { status: 0, stdout: said.into(), stderr: String::new() })
    }));
}

#[test]
fn each_host_closes_the_way_of_its_own_pods_and_undo_opens_it() {
    paused(async {
        let bench = bench("ds/telemetry/agent");
        let before = bench.fake.snapshot();
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        let own = Scope::Sources(vec!["10.244.7.9".parse().unwrap()]);
        assert_eq!(scopes(&bench), [own.clone(), own]);
        // Another pod is there by now, and the gate is the one that was closed.
        says(&bench, "pod=agent-8xk2p\naddress=10.244.7.10\nend=yes\n");
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.snapshot(), before);
    });
}

#[test]
fn a_host_without_its_pods_gets_no_gate_and_one_whose_packets_cannot_be_told_apart_says_so() {
    paused(async {
        let none = bench("ds/telemetry/agent");
        says(&none, "end=yes\n");
        let report = none.run().await;
        assert_eq!((report.class, scopes(&none).len()), (None, 0), "{}", report.why);
        let host = bench("ds/telemetry/agent");
        says(&host, "pod=agent-7xk2p\nhost=yes\nend=yes\n");
        let report = host.run().await;
        assert!(report.class.is_some() && scopes(&host).is_empty(), "{}", report.why);
        assert!(report.why.contains("agent-7xk2p sends from the host's own network"), "{}", report.why);
    });
}
