//! Throttles that hold nobody up say so, and nothing is left of them.

use std::time::Duration;

use serde_json::json;

use super::samples::bench;
use super::support::*;
use crate::error::Class;
use crate::steps::Known;

const LEVELS: &str = "/debug/api_priority_and_fairness/dump_priority_levels";
const HEADING: &str = "PriorityLevelName, ActiveQueues, RejectedRequests\n";

/// A run in which each API server says this of its levels.
async fn told(code: u16, dump: &str) -> (Bench, crate::engine::Report) {
    let bench = bench(Known::Throttle);
    bench.fake.answer(LEVELS, code, dump, Duration::from_millis(5));
    let report = bench.run().await;
    (bench, report)
}

#[test]
fn where_priority_and_fairness_is_off_or_does_not_heed_it_that_is_no_success() {
    paused(async {
        for (code, dump, why) in [
            (404, "404 page not found", "priority and fairness is off there"),
            (200, HEADING, "has no such level after 1m"),
        ] {
            let (bench, report) = told(code, dump).await;
            assert_eq!(report.class, Some(Class::Partial), "{}", report.why);
            assert!(report.why.contains("both objects stand") && report.why.contains(why), "{}", report.why);
            let undone = bench.undo().await;
            assert_eq!(undone.class, None, "{}", undone.why);
            assert!(!bench.fake.snapshot().to_string().contains("flowschemas"), "an object is left");
        }
    });
}

#[test]
fn what_nobody_says_is_called_unknown() {
    paused(async {
        let (bench, report) = told(403, r#"{"message": "forbidden"}"#).await;
        assert_eq!(report.class, None, "{}", report.why);
        let said = bench.lines().iter().map(|line| format!("{:?}\n", line.entry)).collect::<String>();
        assert!(said.contains("whether api1 heeds it is not known: GET /debug") && said.contains("403"), "{said}");
        assert!(said.contains("whether anybody is held up is not known; next: breakglass jail"), "{said}");
    });
}

#[test]
fn an_api_server_that_is_too_old_is_told_so_and_sent_nothing() {
    paused(async {
        let bench = bench(Known::Throttle);
        let level = format!(
            "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations/breakglass-{}.1",
            RUN.to_lowercase()
        );
        bench.fake.answer(&level, 404, &json!("404 page not found").to_string(), Duration::from_millis(5));
        let report = bench.run().await;
        assert_eq!(report.class, Some(Class::Refused), "{}", report.why);
        assert!(report.why.contains("since 1.29"), "{}", report.why);
        assert_eq!(bench.fake.ops(), 0);
    });
}
