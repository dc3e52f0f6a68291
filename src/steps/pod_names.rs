//! Which workload pods are of, by their names alone: an audit log names the pods that a token was made for, and not what made them.
//!
//! The suffixes are those of Kubernetes: five characters behind what a controller gave the pod as its base
//! (apiserver/pkg/storage/names), the hash of a ReplicaSet's template before them (apimachinery/pkg/util/rand), a StatefulSet's
//! ordinal, and the minutes of a CronJob's schedule.

use std::collections::BTreeMap;

use crate::steps::ObjectRef;

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

/// The forms that the names of a workload's pods have, as patterns of a shell: what [`workloads`] tells from a name, the other way.
///
/// # Errors
/// One sentence: its pods cannot be told by their names.
pub(super) fn forms(object: &ObjectRef) -> Result<Vec<String>, String> {
    let (name, made_up) = (&object.name, format!("[{MADE_UP}]"));
    let suffix = made_up.repeat(SUFFIX);
    let each = |lengths: std::ops::RangeInclusive<usize>, one: &str, behind: &str| -> Vec<String> {
        lengths.map(|length| format!("{name}-{}{behind}", one.repeat(length))).collect()
    };
    let all = match (object.group.as_str(), object.plural.as_str()) {
        ("apps", "daemonsets" | "replicasets") | ("batch", "jobs") | ("", "replicationcontrollers") => {
            vec![format!("{name}-{suffix}")]
        }
        ("apps", "deployments") => each(HASH, &made_up, &format!("-{suffix}")),
        ("batch", "cronjobs") => each(MINUTES, "[0-9]", &format!("-{suffix}")),
        ("apps", "statefulsets") => each(1..=SUFFIX - 1, "[0-9]", ""),
        _ => {
            return Err(format!(
                "{object} makes no pods that can be told by their names; what does: daemonsets, deployments, statefulsets, \
                 replicasets, jobs, cronjobs"
            ));
        }
    };
    // What another one of the same name makes is named the same: a Deployment `web` and a DaemonSet `web-6d4cf56db6`.
    let pod = format!("{name}-{}", "b".repeat(SUFFIX));
    match of(&pod) {
        Some((kind @ ("deployments.apps" | "cronjobs.batch"), other)) if object.plural == "daemonsets" => {
            let namespace = object.namespace.as_deref().unwrap_or_default();
            Err(format!("the pods of {object} cannot be told by their names from those of {kind}/{namespace}/{other}"))
        }
        _ => Ok(all),
    }
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

    /// Which of the pods the host's own shell takes for those of a workload.
    fn taken(object: &str, pods: &[&str]) -> Vec<String> {
        let forms = forms(&ObjectRef::parse(object, None).unwrap()).unwrap().join(" | ");
        let text = format!("for x in \"$@\"; do case $x in {forms}) echo \"$x\" ;; esac; done");
        let mut all = Vec::new();
        for shell in [&["sh"][..], &["bash"], &["busybox", "sh"]] {
            let mut command = std::process::Command::new(shell[0]);
            command.args(&shell[1..]).args(["-c", &text, "sh"]).args(pods);
            all.push(String::from_utf8(command.output().unwrap().stdout).unwrap());
        }
        assert!(all.iter().all(|said| *said == all[0]), "{all:?}");
        all[0].lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_forms_of_a_workloads_pods_fit_its_own_and_no_others() {
        let pods = [
            "agent-7xk2p",
            "agent-x-7xk2p",
            "agent-6d4cf56db6-x2bcd",
            "agent-x-6d4cf56db6-x2bcd",
            "agent-0",
            "agent-12",
            "agent-x-0",
            "agent-29401234-b2c4d",
            "agent-cp1",
            "agent",
            "agents-7xk2p",
            "agent-7xk2",
            "agent-7xk2pp",
        ];
        for (object, own) in [
            ("ds/ns/agent", &["agent-7xk2p"][..]),
            ("ds/ns/agent-x", &["agent-x-7xk2p"]),
            ("deploy/ns/agent", &["agent-6d4cf56db6-x2bcd"]),
            ("rs/ns/agent-6d4cf56db6", &["agent-6d4cf56db6-x2bcd"]),
            ("sts/ns/agent", &["agent-0", "agent-12"]),
            ("cj/ns/agent", &["agent-29401234-b2c4d"]),
        ] {
            assert_eq!(taken(object, &pods), own, "{object}");
            let kind = object.split('/').next().unwrap();
            if kind != "rs" {
                let told = ObjectRef::parse(object, None).unwrap();
                let back = own.iter().map(|pod| of(pod).unwrap());
                assert!(back.clone().all(|(kind, name)| kind == told.resource() && name == told.name), "{object}");
            }
        }
    }

    #[test]
    fn what_cannot_be_told_by_names_is_refused() {
        for (object, why) in [
            ("ds/ns/web-6d4cf56db6", "from those of deployments.apps/ns/web"),
            ("ds/ns/report-29401234", "from those of cronjobs.batch/ns/report"),
            ("po/ns/web", "makes no pods"),
            ("svc/ns/web", "makes no pods"),
        ] {
            let said = forms(&ObjectRef::parse(object, None).unwrap()).unwrap_err();
            assert!(said.contains(why), "{object}: {said}");
        }
    }

    #[test]
    fn the_workload_with_the_most_pods_stands_first() {
        let pods = ["a-7xk2p", "b-7xk2p", "b-7xk2q", "x"].map(str::to_owned);
        assert_eq!(workloads("ns", &pods), ["daemonsets.apps/ns/b", "daemonsets.apps/ns/a"]);
        assert!(workloads("ns", &[]).is_empty());
    }
}
