//! Whether a manifest starts a program at all, or only names it: a balancer's pod names the API server, too.

use serde_json::Value;

use super::{container, quantity, read, shown, words};
use crate::duration::HumanDuration;

/// The kubelet lets a pod's processes take so long to end, in seconds, where its manifest says nothing.
const GRACE: u64 = 30;
/// So long may it take the kubelet to begin, in seconds.
const BEGINS: u64 = 10;

/// Whether a manifest starts `program`: as the first word of a container, behind what starts others, or by the name of the
/// container, the pod or the image. One that cannot be read counts: what it starts is not known.
pub fn starts(text: &str, program: &str) -> bool {
    let Ok((root, _)) = read(text) else { return true };
    let manifest = root.to_json();
    let named = |name: &Value| {
        let rest = name.as_str().and_then(|name| name.strip_prefix(program));
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    };
    let containers = manifest["spec"]["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let runs = |container: &Value| {
        let image = container["image"].as_str().unwrap_or_default();
        let image = image.split('@').next().unwrap_or_default();
        if named(&container["name"]) || named(&Value::from(image.rsplit('/').next().unwrap_or_default())) {
            return true;
        }
        let Ok(words) = words::all(container) else { return true };
        let Some(first) = words.first() else { return false };
        let wraps = words::WRAPPERS.contains(&words::base(&first.text)) || words::is_shell(&first.text);
        words::program_at(&words, program).is_some() || (wraps && words.iter().any(|word| word.text.contains(program)))
    };
    // A mirror of the pod's name is not enough where nothing in there runs anything.
    containers.iter().any(runs) || (named(&manifest["metadata"]["name"]) && !containers.is_empty())
}

/// The namespace and the name of the pod, by which its kubelet knows it: of two files with the same pod it obeys one. `None`: no
/// manifest, or one without a name.
pub fn pod(text: &str) -> Option<String> {
    let metadata = read(text).ok()?.0.to_json()["metadata"].take();
    let namespace = metadata["namespace"].as_str().unwrap_or("default");
    Some(format!("{namespace}/{}", metadata["name"].as_str()?))
}

/// An amount in the container of `program`: `kind` is `limits` or `requests`. `None`: not said, or no quantity.
///
/// # Errors
/// One sentence: no manifest, or no such container.
pub fn amount(text: &str, program: &str, kind: &str, name: &str) -> Result<Option<f64>, String> {
    let manifest = read(text)?.0.to_json();
    let container = &manifest["spec"]["containers"][container(&manifest, program)?];
    Ok(quantity(&shown(container["resources"][kind].get(name))))
}

/// How long a pod's process may take to end, as its manifest says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ending {
    /// After that its kubelet kills it, in seconds.
    pub grace: u64,
    /// It goes on answering for so long before it ends, in seconds; 0 where that is not said.
    pub delay: u64,
}

impl Ending {
    /// How long it has to be waited for, in seconds, from the moment its manifest is taken out.
    pub fn longest(self) -> u64 {
        self.grace.saturating_add(self.delay.max(BEGINS))
    }
}

/// How long the process of `program` may take to end.
///
/// # Errors
/// One sentence: no manifest, or no such container.
pub fn ending(text: &str, program: &str) -> Result<Ending, String> {
    let manifest = read(text)?.0.to_json();
    let container = &manifest["spec"]["containers"][container(&manifest, program)?];
    let grace = manifest["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(GRACE);
    // What a script gives it, or what a file says, is not known.
    let given = words::of_program(container, program).and_then(|words| words::given(&words, "shutdown-delay-duration"));
    let said = given.ok().and_then(|mut given| given.pop()).and_then(|given| given.value.parse::<HumanDuration>().ok());
    Ok(Ending { grace, delay: said.map_or(0, |delay| delay.0.as_secs()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_process_may_take_to_end_is_read() {
        #[track_caller]
        fn case(spec: &str, lines: &str, grace: u64, delay: u64) {
            let text = format!(
                "kind: Pod\nspec:\n{spec}  containers:\n  - name: a\n    command:\n    - kube-apiserver\n{lines}    image: x\n"
            );
            assert_eq!(ending(&text, "kube-apiserver"), Ok(Ending { grace, delay }), "{text}");
        }
        case("", "", 30, 0);
        case("  terminationGracePeriodSeconds: 135\n", "    - --shutdown-delay-duration=70s\n", 135, 70);
        case("", "    - --shutdown-delay-duration\n    - 1m10s\n", 30, 70);
        case("  # terminationGracePeriodSeconds: 9\n", "    # - --shutdown-delay-duration=9s\n", 30, 0);
        case("  terminationGracePeriodSeconds: null\n", "    - --shutdown-delay-duration=soon\n", 30, 0);
        assert_eq!(
            [(30, 0), (135, 70), (30, 5)].map(|(grace, delay)| Ending { grace, delay }.longest()),
            [40, 205, 40]
        );
        let script = "spec: {terminationGracePeriodSeconds: 60, containers: [{name: kube-apiserver, command: [sh, -c, \"kube-apiserver --shutdown-delay-duration=9s\"]}]}";
        assert_eq!(ending(script, "kube-apiserver"), Ok(Ending { grace: 60, delay: 0 }));
    }

    #[test]
    fn a_pod_that_only_names_the_program_does_not_start_it() {
        let pod = |name: &str, container: &str| {
            format!(
                "kind: Pod\nmetadata:\n  name: {name}\n  labels: {{for: \"kube-apiserver\"}}\nspec:\n  containers:\n  - {container}\n"
            )
        };
        for container in [
            "{name: haproxy, image: haproxy:2.6, command: [haproxy, -f, /etc/haproxy.cfg]}",
            "{name: haproxy, image: haproxy:2.6, args: [--backend, \"kube-apiserver\"]}",
            "{name: kube-apiserver_x, image: \"x/kube-apiserverproxy:1\", command: [proxy, kube-apiserver]}",
            "{name: keepalived, image: k, command: [sh, -c, \"keepalived -l\"]}",
            "{name: none, image: \"10.0.0.1:5000/none\"}",
        ] {
            assert!(!starts(&pod("haproxy", container), "kube-apiserver"), "{container}");
        }
        for container in [
            "{name: a, command: [kube-apiserver, --x=1]}",
            "{name: a, args: [/k/kube-apiserver]}",
            "{name: a, command: [/go-runner, --log-file=x, /k/kube-apiserver]}",
            "{name: a, command: [/bin/sh, -c, \"exec /k/kube-apiserver --x=1\"]}",
            "{name: kube-apiserver, command: [/start-it, kube-apiserver]}",
            "{name: a, image: \"10.0.0.1:5000/k/kube-apiserver-amd64:v1@sha256:ab\", command: [/start, kube-apiserver]}",
            "{name: a, command: {}}",
        ] {
            assert!(starts(&pod("p", container), "kube-apiserver"), "{container}");
        }
        assert!(starts(&pod("kube-apiserver-cp1", "{name: a, command: [/start-it]}"), "kube-apiserver"));
        assert!(starts("kind: Pod\n a: [\n", "kube-apiserver"), "it cannot be read");
        assert!(!starts("kind: Pod\n", "kube-apiserver"));
    }
}
