//! Hundreds of hosts that follow one.

use serde_json::json;

use super::support::*;
use crate::change::Target;
use crate::journal::Entry;
use crate::kit::sample;

/// How often the host that leads was asked anything while the gates of so many hosts were opened.
async fn asked(hosts: u8) -> u64 {
    let mut east = sample::cluster("east", hosts);
    east.api_servers[1].via = Some("cp2".into());
    let fake = world_of(vec![east.clone()]).with_gates();
    let close = ("shut", "gate-close", json!({"stages": ["25%", "100%"]}));
    let open = ("in", "gate-open", json!({"window": "2s"}));
    let bench = Bench::new(fake, plan_over(vec![east], &[close, open], &policy()));
    let report = bench.run().await;
    assert_eq!(report.class, None, "{}", report.why);
    let opening = bench.lines().into_iter().find_map(|line| match line.entry {
        Entry::StepEnded { step: 1, costs, .. } => costs,
        _ => None,
    });
    opening.unwrap().of(&Target::host("east", "cp1")).requests
}

/// A host that follows asks it once or twice in a whole opening, not once in each round.
#[test]
fn the_host_that_leads_is_not_asked_by_every_follower_in_every_round() {
    paused(async {
        let (few, many) = (asked(20).await, asked(90).await);
        assert!(many <= few + 2 * 70, "90 hosts: asked {many} times, {few} times where there are 20");
    });
}
