//! Which workload pods are of, by their names alone: an audit log names the pods that a token was made for, and not what made them.
//!
//! The suffixes are those of Kubernetes: five characters behind what a controller gave the pod as its base
//! (apiserver/pkg/storage/names), the hash of a ReplicaSet's template before them (apimachinery/pkg/util/rand), a StatefulSet's
//! ordinal, and the minutes of a CronJob's schedule.

use std::collections::BTreeMap;

/// The characters of names that Kubernetes makes up: no vowels, nothing that reads as another.
const MADE_UP: &str = "bcdfghjklmnpqrstvwxz2456789";
/// How many characters are made up behind a pod's base.
const SUFFIX: usize = 5;
/// A template's hash: a number of 32 bits in decimal digits, each made a letter; those below this length are rare.
const HASH: std::ops::RangeInclusive<usize> = 8..=10;
/// Minutes since 1970, of a schedule in this century.
const MINUTES: std::ops::RangeInclusive<usize> = 8..=9;

/// The workloads of pods of a namespace, as `park` takes them; the one with the most pods first. What has no name that a
/// controller makes is of none.
pub(super) fn workloads(namespace: &str, pods: &[String]) -> Vec<String> {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for pod in pods {
        if let Some((kind, name)) = of(pod) {
            *found.entry(format!("{kind}/{namespace}/{name}")).or_default() += 1;
        }
    }
    let mut all: Vec<(String, usize)> = found.into_iter().collect();
    all.sort_by_key(|(_, pods)| std::cmp::Reverse(*pods));
    all.into_iter().map(|(name, _)| name).collect()
}

/// The workload of one pod.
fn of(pod: &str) -> Option<(&'static str, &str)> {
    let (base, last) = pod.rsplit_once('-').filter(|(base, _)| !base.is_empty())?;
    if last.len() == SUFFIX && made_up(last) {
        return Some(match base.rsplit_once('-') {
            Some((name, hash)) if HASH.contains(&hash.len()) && made_up(hash) && !name.is_empty() => {
                ("deployments.apps", name)
            }
            Some((name, minutes)) if MINUTES.contains(&minutes.len()) && digits(minutes) && !name.is_empty() => {
                ("cronjobs.batch", name)
            }
            _ => ("daemonsets.apps", base),
        });
    }
    (digits(last) && last.len() < SUFFIX).then_some(("statefulsets.apps", base))
}

fn made_up(text: &str) -> bool {
    text.chars().all(|c| MADE_UP.contains(c))
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_name_tells_what_made_it() {
        for (pod, workload) in [
            ("telemetry-agent-7xk2p", Some(("daemonsets.apps", "telemetry-agent"))),
            ("web-6d4cf56db6-x2bcd", Some(("deployments.apps", "web"))),
            ("node-exporter-9d8sz", Some(("daemonsets.apps", "node-exporter"))),
            ("db-12", Some(("statefulsets.apps", "db"))),
            ("report-29401234-b2c4d", Some(("cronjobs.batch", "report"))),
            // Made by hand, or a static pod.
            ("shell", None),
            ("kube-apiserver-cp1", None),
            ("a-nodex", None),
            ("", None),
            ("-x2bcd", None),
        ] {
            assert_eq!(of(pod), workload, "{pod}");
        }
    }

    #[test]
    fn the_workload_with_the_most_pods_stands_first() {
        let pods = ["a-7xk2p", "b-7xk2p", "b-7xk2q", "x"].map(str::to_owned);
        assert_eq!(workloads("ns", &pods), ["daemonsets.apps/ns/b", "daemonsets.apps/ns/a"]);
        assert!(workloads("ns", &[]).is_empty());
    }
}
