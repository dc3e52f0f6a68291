//! A plan as it will be sent: every request with its body, every command with its text.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::json::VERSION;
use super::paint::{Paint, Tone};
use super::price::Price;
use super::{Line, painted};
use crate::change::{Body, HttpCall, KubeCall, Op, Target};
use crate::duration::HumanDuration;
use crate::plan::{Plan, PlannedStep};
use crate::runbook::{OnFailure, Policy};
use crate::script::Script;
use crate::shell;
use crate::steps::{Announced, Sends, Times};
use crate::words;

/// How much of what is sent is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// One line for each thing that is sent.
    Short,
    /// Bodies and script texts too.
    Full,
}

/// A whole plan for people: all that is sent, as it is sent.
pub(crate) fn text(plan: &Plan, paint: Paint) -> String {
    let clusters: Vec<String> = plan.clusters.iter().map(|cluster| cluster.name.clone()).collect();
    let mut out = vec![
        Line::new(Tone::Head, plan.name.clone(), format!(": {}", plan.purpose)),
        Line::plain(format!("clusters: {}", words::fold(&clusters))),
    ];
    if clusters.len() > 1 {
        out.push(Line::plain(format!("          {}", plan.fleet)));
    }
    let params = plan.runbook.params.iter();
    out.extend(params.map(|(name, value)| Line::plain(format!("param:    {name}={}", plain(value)))));
    let mut shown = HashSet::new();
    for (index, planned) in plan.steps.iter().enumerate() {
        let head = format!("[{}/{}] {}: {}", index + 1, plan.steps.len(), planned.name, planned.step.intent());
        out.extend([Line::plain(""), Line::head(head)]);
        if !planned.why.is_empty() {
            out.push(Line::plain(format!("  {}", planned.why)));
        }
        out.push(Line::plain(format!("  {}", policy(planned.kind, &planned.policy))));
        out.extend(uses(plan, planned).map(Line::plain));
        if planned.targets.is_empty() {
            out.push(Line::plain("  no target fits: nothing is sent"));
        }
        for (targets, sends) in alike(plan, planned) {
            out.push(Line::plain(format!("  on {}", words::fold(&targets))));
            out.extend(sends.iter().flat_map(|announced| one(announced, Detail::Full, &mut shown)));
        }
    }
    out.extend([Line::plain(""), Line::plain(total(plan)), Line::plain(format!("plan {}", plan.digest))]);
    painted(&out, paint, None)
}

/// What one step sends, a line each, by groups of targets.
pub(super) fn sends(plan: &Plan, planned: &PlannedStep) -> Vec<Line> {
    let mut out = Vec::new();
    for (targets, sends) in alike(plan, planned) {
        out.push(Line::plain(format!("  on {}", words::fold(&targets))));
        out.extend(sends.iter().flat_map(|announced| one(announced, Detail::Short, &mut HashSet::new())));
    }
    out
}

/// What a step uses that is known only once an earlier one has found it.
fn uses<'a>(plan: &'a Plan, planned: &'a PlannedStep) -> impl Iterator<Item = String> + 'a {
    let asks = plan.write_what_is_found().any(|(step, _)| step.name == planned.name);
    let then = if asks { "; it is shown, and has to be typed, before anything is sent" } else { "" };
    let only = planned.only.iter().map(|only| {
        format!("  only where step {:?} finds that {} is yes; else it is left out", only.step, only.result)
    });
    let holes = planned.later.iter().flat_map(|unfilled| &unfilled.holes);
    only.chain(holes.map(move |hole| format!("  uses the {} that step {:?} finds{then}", hole.result, hole.step)))
}

/// Targets to which the same is sent, together.
fn alike(plan: &Plan, planned: &PlannedStep) -> Vec<(Vec<String>, Vec<Announced>)> {
    let mut groups: Vec<(Vec<String>, Vec<Announced>)> = Vec::new();
    for target in &planned.targets {
        let sends = announced(plan, planned, target);
        match groups.iter_mut().find(|(_, same)| *same == sends) {
            Some((targets, _)) => targets.push(target.to_string()),
            None => groups.push((vec![target.to_string()], sends)),
        }
    }
    groups
}

fn announced(plan: &Plan, planned: &PlannedStep, target: &Target) -> Vec<Announced> {
    plan.cluster(&target.cluster).map(|cluster| planned.announce(target, cluster)).unwrap_or_default()
}

fn policy(kind: &str, policy: &Policy) -> String {
    let failure = match policy.on_failure {
        OnFailure::Stop => "stop",
        OnFailure::Continue => "go on",
        OnFailure::Undo => "undo",
    };
    let mut line = format!("{kind}, ends after {}, on failure {failure}", HumanDuration(policy.timeout));
    if policy.retries > 0 {
        let _ = write!(line, ", {} more looks when one fails", policy.retries);
    }
    if policy.limits.canary {
        line.push_str(", the first target alone");
    }
    if policy.limits.batch > 0 {
        let _ = write!(line, ", then {} at a time", policy.limits.batch);
    }
    if policy.confirm {
        line.push_str(", asks before it begins");
    }
    line
}

fn one(announced: &Announced, detail: Detail, shown: &mut HashSet<String>) -> Vec<Line> {
    let (label, tone) = match (&announced.what, announced.writes()) {
        (Sends::Ask(_), _) => ("ask", Tone::Warn),
        (_, true) => ("write", Tone::Warn),
        (_, false) => ("look", Tone::Dim),
    };
    let often = often(announced.times);
    let what = summary(&announced.what);
    let text = format!(" {what} ({often}): {}", announced.why);
    let below = match detail {
        Detail::Short => Vec::new(),
        Detail::Full => full(&announced.what, shown),
    };
    let dim = |line: String| Line::new(Tone::Dim, format!("          {line}"), "");
    std::iter::once(Line::new(tone, format!("    {label:<5}"), text)).chain(below.into_iter().map(dim)).collect()
}

fn often(times: Times) -> String {
    match times {
        Times::Once => "once".into(),
        Times::AtMost(1) => "at most once".into(),
        Times::AtMost(number) => format!("at most {}", words::count(number as usize, "time")),
        Times::Every { interval, until } => {
            format!("every {}, for at most {}", HumanDuration(interval), HumanDuration(until))
        }
    }
}

fn summary(sends: &Sends) -> String {
    match sends {
        Sends::Op(op) => match (op.as_ref(), bytes(op).unwrap_or(0)) {
            (Op::Host(_), _) => format!("command {}", op.summary()),
            (Op::Local(_), _) => format!("local command {}", op.summary()),
            (Op::Kube(_) | Op::Http(_) | Op::File(_), 0) => op.summary(),
            (Op::Kube(_) | Op::Http(_) | Op::File(_), bytes) => format!("{}, body of {bytes} bytes", op.summary()),
        },
        Sends::Get(path) => format!("GET {path}"),
        Sends::Look(script) => format!("command {}", crate::change::title(script)),
        Sends::Connect(address) => format!("TCP connection to {address}"),
        Sends::Ask(question) => question.clone(),
    }
}

fn bytes(op: &Op) -> Option<usize> {
    match op {
        Op::Kube(KubeCall { body, .. }) | Op::Http(HttpCall { body, .. }) => match body {
            Body::Saved(blob) => usize::try_from(blob.len).ok(),
            body => body.bytes().map(|bytes| bytes.len()),
        },
        Op::Host(_) | Op::File(_) | Op::Local(_) => None,
    }
}

/// The lines below the summary. A script's text stands in a plan once.
fn full(sends: &Sends, shown: &mut HashSet<String>) -> Vec<String> {
    match sends {
        Sends::Op(op) => match op.as_ref() {
            Op::Kube(call) => {
                let kind = (call.body != Body::Empty).then(|| format!("Content-Type: {}", call.content_type));
                kind.into_iter().chain(body(&call.body)).collect()
            }
            Op::Http(call) => hook(call),
            Op::Host(command) => {
                let loads = loaded(op.loads());
                let known = !shown.insert(loads.join("\n"));
                let rules = if known { Vec::new() } else { loads };
                rules.into_iter().chain(script(&command.script, shown)).collect()
            }
            Op::Local(command) => vec![format!("$ {}", shell::line(&command.argv))],
            Op::File(_) => Vec::new(),
        },
        Sends::Look(text) => script(text, shown),
        Sends::Get(_) | Sends::Connect(_) | Sends::Ask(_) => Vec::new(),
    }
}

/// Rules, as they are read on the host.
pub(super) fn loaded(loads: &[(String, String)]) -> Vec<String> {
    let one = |(command, text): &(String, String)| {
        let head = format!("loads, with `{command}`:");
        let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
        std::iter::once(head).chain(lines).collect::<Vec<String>>()
    };
    loads.iter().flat_map(one).collect()
}

fn hook(call: &HttpCall) -> Vec<String> {
    let dial = call.dial.iter().map(|address| format!("dials {address}, looks no name up"));
    let headers = call.headers.iter().map(|(name, value)| format!("{name}: {value}"));
    let secret = call.secret_headers.iter().map(|(name, path)| format!("{name}: <from {path}>"));
    let path = call.secret_path.iter().map(|path| format!("the URL goes on as {path} says"));
    let secret_body = call.secret_body.iter().map(|path| format!("<body from {path}>"));
    dial.chain(headers).chain(secret).chain(path).chain(body(&call.body)).chain(secret_body).collect()
}

fn body(body: &Body) -> Vec<String> {
    match body {
        Body::Empty => Vec::new(),
        Body::Json(value) => vec![value.to_string()],
        Body::Saved(blob) => vec![format!("<{} bytes, sha256 {}>", blob.len, blob.sha256)],
    }
}

fn script(script: &Script, shown: &mut HashSet<String>) -> Vec<String> {
    let text = script.text();
    if !shown.insert(text.clone()) {
        return vec!["| (the text stands above)".into()];
    }
    text.lines().map(|line| format!("| {line}").trim_end().to_owned()).collect()
}

/// The price of the whole plan, when no reply is lost.
fn total(plan: &Plan) -> String {
    let mut whole = Price::default();
    for planned in &plan.steps {
        let mut step = Price::default();
        let all = planned.targets.iter().flat_map(|target| announced(plan, planned, target));
        all.for_each(|announced| step.add(&announced));
        whole.then(&step);
    }
    format!("in all {}, when no reply is lost", whole.sentence())
}

pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A plan for machines: one object.
pub(crate) fn json(plan: &Plan) -> Value {
    let steps: Vec<Value> = plan
        .steps
        .iter()
        .map(|planned| {
            let targets: Vec<Value> = planned
                .targets
                .iter()
                .map(|target| {
                    let sends: Vec<Value> = announced(plan, planned, target).iter().map(send).collect();
                    json!({ "target": target.to_string(), "sends": sends })
                })
                .collect();
            json!({
                "name": planned.name,
                "kind": planned.kind,
                "intent": planned.step.intent(),
                "why": planned.why,
                "only": planned.only.as_ref().map(|only| json!({ "step": only.step, "result": only.result })),
                "policy": planned.policy,
                "uses": planned.later.iter().flat_map(|unfilled| &unfilled.holes).map(|hole| {
                    json!({ "parameter": hole.at, "step": hole.step, "result": hole.result, "type": hole.of })
                }).collect::<Vec<_>>(),
                "targets": targets,
            })
        })
        .collect();
    json!({
        "v": VERSION,
        "plan": plan.digest,
        "runbook": plan.name,
        "purpose": plan.purpose,
        "params": plan.runbook.params,
        "fleet": plan.fleet,
        "clusters": plan.clusters.iter().map(|cluster| &cluster.name).collect::<Vec<_>>(),
        "steps": steps,
    })
}

fn send(announced: &Announced) -> Value {
    let (kind, what) = match &announced.what {
        Sends::Op(op) => ("op", json!({ "op": op, "bytes": bytes(op), "text": script_text(op), "loads": op.loads() })),
        Sends::Get(path) => ("get", json!(path)),
        Sends::Look(script) => ("look", json!({ "command": crate::change::title(script), "text": script.text() })),
        Sends::Connect(address) => ("connect", json!(address)),
        Sends::Ask(question) => ("ask", json!(question)),
    };
    let often = often(announced.times);
    json!({ kind: what, "writes": announced.writes(), "times": often, "why": announced.why })
}

fn script_text(op: &Op) -> Option<String> {
    match op {
        Op::Host(command) => Some(command.script.text()),
        Op::Kube(_) | Op::File(_) | Op::Http(_) | Op::Local(_) => None,
    }
}
