//! Hundreds of hosts and dozens of clusters, all of them names for the hosts of the embedded practice cluster: what they cost
//! in descriptors and in log-ins. The SSH servers are real, in a process of their own.

#![expect(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod field;

use std::io::{BufRead as _, BufReader};
use std::process::{Output, Stdio};

use field::{Field, connections_of};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn more_hosts_than_descriptors_are_all_asked() {
    let field = Field::new();
    field.kit(1, 120, false);
    let said = field.command("96", &["gate", "status", "--cluster", "all"]).output().unwrap();
    let said = text(&said);
    assert!(said.contains("h[1-120]") && said.contains("open: no gate"), "{said}");
}

#[test]
fn the_places_of_clusters_that_are_done_go_to_the_next() {
    let field = Field::new();
    field.kit(12, 12, false);
    let run = field
        .command("96", &["probe", "--cluster", "all", "--require", "answers", "--yes", "--fanout", "4"])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(0), "{}", text(&run));
}

#[test]
fn hosts_of_a_kit_behind_one_bastion_share_a_few_logins() {
    let field = Field::new();
    field.kit(3, 30, true);
    let port = field.bastion_port();
    let mut watch = field.command("unlimited", &["gate", "watch", "--cluster", "all", "--for", "1m", "-o", "json"]);
    let mut watch = watch.stdout(Stdio::piped()).spawn().unwrap();
    // The second look has gone through sessions that all hosts have by now.
    let first = BufReader::new(watch.stdout.take().unwrap()).lines().map_while(Result::ok).next().unwrap();
    let logins = connections_of(watch.id(), port);
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert!(first.contains("open: no gate") && !first.contains("cannot be asked"), "{first}");
    assert!((1..=8).contains(&logins), "{logins} log-ins to the bastion for 90 hosts");
}
