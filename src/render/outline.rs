//! A plan on one screen: a line for each step. All that is sent is in the plan itself, see [`super::plan_text`].

use super::alike::names;
use super::paint::{Paint, Tone};
use super::plan::{self, plain};
use super::price::Price;
use super::{Line, painted, table};
use crate::change::{Part, Target};
use crate::duration::HumanDuration;
use crate::kit::Cluster;
use crate::limits::Limits;
use crate::plan::{Plan, PlannedStep};
use crate::runbook::OnFailure;
use crate::steps::{Announced, Sends};
use crate::words;

/// Names of targets that take more room are counted instead.
const NAMES: usize = 11;
/// A step that is alone is shown with what it sends, when that is no more than so many lines.
const SENDS: usize = 6;
/// The longest purpose that is told of a step that is alone.
const PURPOSE: usize = 160;

/// The plan in short, `width` characters wide: what is done where, how much is sent for it, and how it ends at worst.
pub(crate) fn outline(plan: &Plan, paint: Paint, width: Option<usize>) -> String {
    let clusters: Vec<String> = plan.clusters.iter().map(|cluster| cluster.name.clone()).collect();
    let mut out = vec![Line::head(format!("{} on {}", plan.name, words::fold(&clusters)))];
    // What a kind of step is for at length is on its page; what this one does is said below.
    if plan.steps.len() > 1 || plan.purpose.chars().count() <= PURPOSE {
        out.push(Line::plain(format!("  {}", plan.purpose)));
    }
    let params = plan.runbook.params.iter().filter(|(_, value)| !plain(value).is_empty() && plain(value) != "[]");
    let params: Vec<String> = params.map(|(name, value)| format!("{name}={}", plain(value))).collect();
    if !params.is_empty() {
        out.push(Line::new(Tone::Plain, "  with ", params.join(" ")));
    }
    if plan.clusters.len() > 1 {
        out.push(Line::new(Tone::Warn, "  fleet ", fleet_line(&clusters, plan.fleet)));
    }
    if let [only] = plan.steps.as_slice() {
        out.push(Line::new(Tone::Plain, "  step ", only.step.intent()));
    }
    let mut whole = Price::default();
    let mut rows = Vec::new();
    for (at, planned) in (1..).zip(&plan.steps) {
        let of_cluster = prices(plan, planned);
        let (mut all, mut dearest) = (Price::default(), Price::default());
        for (at, price) in of_cluster.iter().enumerate() {
            all.beside(price, at < plan.fleet.at_once.max(1));
            dearest.or(price);
        }
        whole.then(&all);
        rows.push(row(at, plan, planned, &dearest));
    }
    let heading = ["STEP", "ON", "WRITES", "REQUESTS", "COMMANDS", "AT WORST"];
    out.extend(table(&heading, &rows).lines().enumerate().map(|(at, line)| match at {
        0 => Line::head(line).whole(),
        _ => Line::plain(line).whole(),
    }));
    out.push(Line::new(Tone::Plain, "in all ", whole.sentence()));
    if let [only] = plan.steps.as_slice() {
        let sends = plan::sends(plan, only);
        if sends.len() <= SENDS {
            out.extend(sends);
        }
    }
    painted(&out, paint, width)
}

fn fleet_line(clusters: &[String], limits: Limits) -> String {
    let mut text = words::count(clusters.len(), "cluster");
    if let (true, Some(first)) = (limits.canary, clusters.first()) {
        text.push_str(&format!(": {first} alone, through all steps, then"));
    } else {
        text.push(':');
    }
    text.push_str(&format!(" {} at a time", limits.at_once));
    if limits.batch > 0 {
        text.push_str(&format!(" in groups of {}", limits.batch));
    }
    text.push_str(&format!(
        "; no new one once {} failed",
        match limits.max_failures {
            1 => "one has".to_owned(),
            many => format!("{many} have"),
        }
    ));
    text
}

/// What a step sends to each cluster.
fn prices(plan: &Plan, planned: &PlannedStep) -> Vec<Price> {
    let of = |cluster: &Cluster| {
        let mut price = Price::default();
        let targets = planned.targets.iter().filter(|target| target.cluster == cluster.name);
        targets.flat_map(|target| planned.announce(target, cluster)).for_each(|announced| price.add(&announced));
        price
    };
    plan.clusters.iter().map(of).collect()
}

/// Whether a step may ask something.
fn asks(plan: &Plan, planned: &PlannedStep) -> bool {
    let on = |target: &Target| plan.cluster(&target.cluster).map(|cluster| planned.announce(target, cluster));
    let question = |announced: &Announced| matches!(announced.what, Sends::Ask(_));
    planned.policy.confirm || planned.targets.first().and_then(on).is_some_and(|all| all.iter().any(question))
}

fn row(at: usize, plan: &Plan, planned: &PlannedStep, price: &Price) -> Vec<String> {
    let failure = match planned.policy.on_failure {
        OnFailure::Stop => "stops",
        OnFailure::Continue => "goes on",
        OnFailure::Undo => "takes back",
    };
    let asks = if asks(plan, planned) { ", asks" } else { "" };
    let writes = if price.writes == 0 { "-".to_owned() } else { price.writes.to_string() };
    vec![
        format!("{at:>2} {}", planned.name),
        place(&planned.targets, plan.clusters.len() > 1),
        writes,
        price.requests.short(),
        price.commands.short(),
        format!("{}, {failure}{asks}", HumanDuration(planned.policy.timeout)),
    ]
}

/// Where a step acts, in a few words.
fn place(targets: &[Target], fleet: bool) -> String {
    let named = names(targets, fleet);
    let number = targets.len();
    match targets.first().map(|target| &target.part) {
        None => "nothing".to_owned(),
        Some(Part::Cluster) if !fleet => "cluster".to_owned(),
        Some(Part::Local) if !fleet => "this machine".to_owned(),
        _ if named.chars().count() <= NAMES => named,
        Some(Part::Cluster) => "clusters".to_owned(),
        Some(Part::Local) => "this machine".to_owned(),
        Some(Part::ApiServer(_)) => format!("{number} servers"),
        Some(Part::Host(_)) => words::count(number, "host"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::kit::sample;
    use crate::runbook::builtin::Builtin;
    use crate::runbook::{On, Resolved};

    fn recovery(clusters: usize) -> Plan {
        let given = [("offender", "daemonsets.apps/telemetry/agent"), ("delete", "true"), ("memory", "8Gi")];
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let runbook = Builtin::find("api-overload").unwrap().runbook().unwrap().resolve(&given, On::NotYet).unwrap();
        let clusters = (1..=clusters).map(|number| sample::cluster(&format!("c{number}"), 3)).collect();
        crate::plan::build(runbook, clusters, Limits::CLUSTERS).unwrap_or_else(|refusals| panic!("{refusals:?}"))
    }

    #[test]
    fn the_whole_recovery_is_one_screen_on_one_cluster_and_on_hundreds() {
        for clusters in [1, 2, 300] {
            let text = outline(&recovery(clusters), Paint::new(false), Some(80));
            // The last line of the screen is the question.
            assert!(text.lines().count() <= 23, "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            assert_eq!(text.contains("  fleet "), clusters > 1, "{text}");
            for step in recovery(clusters).steps {
                assert!(text.contains(&step.name), "{text}");
            }
        }
    }

    #[test]
    fn one_step_is_shown_with_what_it_sends() {
        let with = Map::from_iter([("object".to_owned(), json!("daemonsets.apps/telemetry/agent"))]);
        let policy = crate::runbook::Policy::default();
        let runbook = Resolved::single("delete", with, None, &policy).unwrap();
        let plan = crate::plan::build(runbook, vec![sample::cluster("prod", 3)], Limits::CLUSTERS).unwrap();
        let text = outline(&plan, Paint::new(false), None);
        assert!(text.contains("DELETE /apis/apps/v1/namespaces/telemetry/daemonsets/agent"), "{text}");
        assert!(!text.contains("fleet"), "{text}");
    }
}
