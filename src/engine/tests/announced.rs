//! What is sent was announced before.

use serde_json::Value;

use super::support::*;
use crate::change::{Body, FilePut, KubeCall, Op, Target};
use crate::host::gate::BackEnd;
use crate::plan::Plan;
use crate::script::Script;
use crate::steps::{Announced, Sends, Times};
use crate::world::fake::{Fault, Sent};

/// Whether a text is what was announced, where what stands in angle brackets stands for anything.
fn like(announced: &str, sent: &str) -> bool {
    let Some((before, rest)) = announced.split_once('<') else { return announced == sent };
    let (Some((_, after)), Some(sent)) = (rest.split_once('>'), sent.strip_prefix(before)) else { return false };
    sent.char_indices().map(|(at, _)| at).chain([sent.len()]).any(|at| like(after, &sent[at..]))
}

/// Whether a value is what was announced, where text in angle brackets stands for anything.
fn fits(announced: &Value, sent: &Value) -> bool {
    let open = |text: &str| text.starts_with('<') && text.ends_with('>');
    match (announced, sent) {
        (Value::String(text), _) if open(text) => true,
        (Value::String(text), Value::String(sent)) if text.starts_with('/') => path_fits(text, sent),
        (Value::String(text), Value::String(sent)) => like(text, sent),
        (Value::Array(a), Value::Array(s)) => a.len() == s.len() && a.iter().zip(s).all(|(a, s)| fits(a, s)),
        (Value::Object(a), Value::Object(s)) => {
            let any = a.keys().any(|key| open(key));
            let named = |key: &&String| !open(key);
            a.keys().filter(named).all(|key| s.get(key).is_some_and(|value| fits(&a[key], value)))
                && (any || s.keys().all(|key| a.contains_key(key)))
        }
        _ => announced == sent,
    }
}

/// A path fits when it is the same but for one word or value of its query at each place in angle brackets.
fn path_fits(announced: &str, sent: &str) -> bool {
    match (announced.split_once('?'), sent.split_once('?')) {
        (Some((path, query)), Some((sent, asked))) => like(path, sent) && query_fits(query, asked),
        (None, None) => like(announced, sent),
        _ => false,
    }
}

fn query_fits(announced: &str, sent: &str) -> bool {
    let Some((before, rest)) = announced.split_once('<') else { return announced == sent };
    let Some((_, after)) = rest.split_once('>') else { return announced == sent };
    let Some(sent) = sent.strip_prefix(before) else { return false };
    let end = sent.find('&').unwrap_or(sent.len());
    end > 0 && query_fits(after, &sent[end..])
}

/// Whether a script is what was announced. Its name and arguments say all that its body says: where they are known
/// beforehand, the body is, too.
fn script_fits(announced: &Script, sent: &Script) -> bool {
    if announced == sent {
        return true;
    }
    let arg = |key: &str| sent.args.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
    let number = |text: &str| text.parse::<u64>().is_ok();
    let fits = |(key, value): &(String, String)| match (key.as_str(), arg(key)) {
        (_, None) => false,
        // What stands on the host says these.
        ("level" | "hold" | "step", Some(sent)) => number(value) && number(sent),
        ("back_end", Some(sent)) => BackEnd::from_word(sent).is_some(),
        ("spec", Some(sent)) => spec_fits(value, sent),
        ("filter", Some(sent)) => value.split(" and ").all(|one| sent.split(" and ").any(|it| it == one)),
        (_, Some(sent)) => like(value, sent),
    };
    let open = announced.args.iter().any(|(_, value)| value.contains('<'));
    open && announced.name == sent.name && announced.args.iter().all(fits)
}

/// A gate as it was announced, but for what only the host and the run know, as the announcement says.
fn spec_fits(announced: &str, sent: &str) -> bool {
    let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (mut announced, mut sent) = (value(announced), value(sent));
    let allowed = |spec: &Value| spec["allow"].as_array().cloned().unwrap_or_default();
    let (before, now) = (allowed(&announced), allowed(&sent));
    for spec in [&mut announced, &mut sent] {
        for key in ["at", "seed", "allow"] {
            spec[key] = Value::Null;
        }
    }
    before.iter().all(|one| now.contains(one)) && fits(&announced, &sent)
}

/// The same with a body that is kept beside the journal in its place: it was announced as it is sent.
fn plain(op: &Op) -> Op {
    let Op::Kube(call) = op else { return op.clone() };
    let patch = call.content_type.contains("patch");
    let body = call.body.bytes().filter(|_| patch).and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Op::Kube(KubeCall { body: body.map_or_else(|| call.body.clone(), Body::Json), ..call.clone() })
}

fn op_fits(announced: &Op, sent: &Op) -> bool {
    if let (Op::Host(announced), Op::Host(sent)) = (announced, sent) {
        return script_fits(&announced.script, &sent.script) && announced.fresh_connection == sent.fresh_connection;
    }
    if let (Op::File(announced), Op::File(sent)) = (announced, sent) {
        let sum = |put: &FilePut| put.content.as_ref().map(|blob| blob.sha256.clone()).unwrap_or_default();
        return like(&announced.path, &sent.path)
            && announced.mode == sent.mode
            && announced.content.is_some() == sent.content.is_some()
            && like(&sum(announced), &sum(sent));
    }
    let value = |op| serde_json::to_value(op).unwrap();
    let (mut a, s) = (value(announced), value(&plain(sent)));
    // A second attempt may carry a precondition that the first one could not: that is announced as an op of its own.
    if let (Some(a), Some(s)) = (a.pointer_mut("/kube/idempotent"), s.pointer("/kube/idempotent")) {
        *a = s.clone();
    }
    fits(&a, &s)
}

#[track_caller]
pub(super) fn all_announced(plan: &Plan, sent: &[Sent]) {
    let announced: Vec<(Target, Sends)> = plan
        .announced()
        .flat_map(|(_, target, all)| all.into_iter().map(move |one| (target.clone(), one.what)))
        .collect();
    for sent in sent {
        let found = announced.iter().any(|(target, announced)| match (announced, sent) {
            // A step of a whole cluster looks at each of its API servers and hosts.
            (Sends::Get(path), Sent::Get(at, sent)) => target.cluster == at.cluster && path_fits(path, sent),
            (Sends::Look(script), Sent::Look(at, sent)) => target.cluster == at.cluster && script_fits(script, sent),
            (Sends::Connect(address), Sent::Connect(sent)) => address == sent,
            (Sends::Op(op), Sent::Op(at, sent)) => target == at && op_fits(op, sent),
            _ => false,
        });
        assert!(found, "not announced: {sent:?}");
    }
}

/// What a run to which nothing happens sends to a host or an API server is sent no more often than announced there.
#[track_caller]
pub(super) fn as_often_as_announced(plan: &Plan, sent: &[Sent]) {
    let announced: Vec<(&Target, Announced)> =
        plan.announced().flat_map(|(_, target, all)| all.into_iter().map(move |one| (target, one))).collect();
    let is = |sent: &Sent, (target, announced): &(&Target, Announced)| match (&announced.what, sent) {
        (Sends::Get(path), Sent::Get(at, sent)) => *target == at && path_fits(path, sent),
        (Sends::Look(script), Sent::Look(at, sent)) => *target == at && script_fits(script, sent),
        (Sends::Op(op), Sent::Op(at, sent)) => *target == at && op_fits(op, sent),
        _ => false,
    };
    for one in &announced {
        let times = sent.iter().filter(|sent| is(sent, one)).count();
        // Two steps may announce what looks the same before the host is known.
        let alike = announced.iter().filter(|other| sent.iter().any(|sent| is(sent, one) && is(sent, other)));
        let most = alike.map(|(_, other)| match other.times {
            Times::Once => Some(1),
            Times::AtMost(times) => Some(times as usize),
            Times::Every { .. } => None,
        });
        let most: Option<usize> = most.sum();
        assert!(most.is_none_or(|most| times <= most), "{times} times instead of {most:?} at most: {one:?}");
    }
}

#[test]
fn what_is_sent_was_announced_whatever_goes_wrong() {
    paused(async {
        let Ideal { ops, .. } = ideal().await;
        let bench = Bench::everything();
        bench.run().await;
        all_announced(&bench.plan, &bench.fake.take_sent());
        for fault in [Fault::Refuse, Fault::LoseMade, Fault::LoseNotMade] {
            for number in 1..=ops {
                let bench = Bench::everything();
                bench.fake.fault(number, fault);
                bench.run().await;
                all_announced(&bench.plan, &bench.fake.take_sent());
            }
        }
    });
}

#[test]
fn what_was_not_announced_would_be_found() {
    let bench = Bench::everything();
    let pods = "/api/v1/namespaces/telemetry/pods?labelSelector=";
    for stray in ["/api/v1/pods".into(), format!("{pods}&limit=500"), format!("{pods}app%3Dx&limit=500&watch=true")] {
        let stray = Sent::Get(Target::cluster("east"), stray);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| all_announced(&bench.plan, &[stray])));
        assert!(caught.is_err());
    }
    assert!(like("/a/<x>/b/<y>", "/a/1/b/2") && !like("/a/<x>/b", "/a/1/c") && !like("/a", "/ab"));
}
