//! A flag of a verb, the parameter of its step and the schema of that say the same: every parameter has its flag, or a reason
//! why it has none, and every flag is a parameter, or says what else it is for.

use std::collections::BTreeSet;

use serde_json::Value;

/// A verb that is one step.
struct Verb {
    /// As typed.
    words: &'static [&'static str],
    kind: &'static str,
    /// Which flag or argument gives which parameter; one inside another after a dot.
    gives: &'static [(&'static str, &'static str)],
    /// Parameters that have no flag: what a runbook needs and a hurried person does not.
    runbooks_only: &'static [&'static str],
    /// Flags that are no parameters: how the step is run, and where.
    other: &'static [&'static str],
}

/// How long what may take has the same answer for a whole run on the command line: `--request-timeout`.
const TIMES: [&str; 2] = ["deadline", "lookWithin"];
/// How every verb of a step is run.
const HOW: [&str; 2] = ["plan", "drill"];

const VERBS: &[Verb] = &[
    Verb {
        words: &["probe"],
        kind: "probe",
        gives: &[("require", "require"), ("at_least", "atLeast")],
        runbooks_only: &["within"],
        other: &["targets"],
    },
    Verb {
        words: &["park"],
        kind: "park",
        gives: &[("object", "object"), ("namespace", "namespace"), ("accept_critical", "acceptCritical")],
        runbooks_only: &[],
        other: &[],
    },
    Verb {
        words: &["release"],
        kind: "release",
        gives: &[
            ("object", "object"),
            ("namespace", "namespace"),
            ("stages", "stages"),
            ("replicas", "replicas"),
            ("window", "window"),
            ("pods_within", "podsWithin"),
            ("p99", "p99"),
            ("rejects", "rejectsPerSecond"),
            ("memory", "memoryPercent"),
            ("without", "without"),
        ],
        runbooks_only: &["samples"],
        other: &[],
    },
    Verb {
        words: &["rollback"],
        kind: "rollback",
        gives: &[
            ("object", "object"),
            ("namespace", "namespace"),
            ("to_revision", "toRevision"),
            ("uid", "uid"),
            ("wait", "wait"),
            ("accept_critical", "acceptCritical"),
        ],
        runbooks_only: &[],
        other: &[],
    },
    Verb {
        words: &["delete"],
        kind: "delete",
        gives: &[
            ("object", "object"),
            ("namespace", "namespace"),
            ("no_save", "save"),
            ("uid", "uid"),
            ("accept_data_loss", "acceptDataLoss"),
            ("propagation", "propagation"),
            ("grace", "gracePeriodSeconds"),
            ("gone_within", "goneWithin"),
        ],
        runbooks_only: &["whenUnsaved", "saveWithin"],
        other: &[],
    },
    Verb {
        words: &["remove-finalizers"],
        kind: "remove-finalizers",
        gives: &[
            ("object", "object"),
            ("namespace", "namespace"),
            ("finalizer", "finalizers"),
            ("before_delete", "beforeDelete"),
            ("uid", "uid"),
        ],
        runbooks_only: &["goneWithin"],
        other: &[],
    },
    Verb {
        words: &["end-pods"],
        kind: "end-pods",
        gives: &[
            ("object", "workload"),
            ("namespace", "namespace"),
            ("force", "force"),
            ("grace", "grace"),
            ("selector", "selector"),
        ],
        runbooks_only: &["page"],
        other: &[],
    },
    Verb {
        words: &["freeze-pods"],
        kind: "freeze-pods",
        gives: &[
            ("object", "object"),
            ("namespace", "namespace"),
            ("time", "for"),
            ("accept_critical", "acceptCritical"),
        ],
        runbooks_only: &[],
        other: &["targets"],
    },
    Verb {
        words: &["revoke"],
        kind: "revoke",
        gives: &[
            ("subject", "subject"),
            ("workload", "workload"),
            ("namespace", "namespace"),
            ("bindings", "bindings"),
            ("at_most", "atMost"),
        ],
        runbooks_only: &[],
        other: &[],
    },
    Verb {
        words: &["revoke-tokens"],
        kind: "revoke-tokens",
        gives: &[("subject", "subject"), ("namespace", "namespace"), ("uid", "uid"), ("within", "within")],
        runbooks_only: &[],
        other: &[],
    },
    Verb {
        words: &["jail"],
        kind: "jail",
        gives: &[
            ("subject", "subject"),
            ("namespace", "namespace"),
            ("verbs", "verbs"),
            ("resources", "resources"),
            ("within", "within"),
        ],
        runbooks_only: &[],
        other: &["targets"],
    },
    Verb {
        words: &["throttle"],
        kind: "throttle",
        gives: &[
            ("subject", "subject"),
            ("namespace", "namespace"),
            ("verbs", "verbs"),
            ("resources", "resources"),
            ("within", "within"),
        ],
        runbooks_only: &[],
        other: &[],
    },
    Verb {
        words: &["restore-rights"],
        kind: "restore-rights",
        gives: &[("binding", "binding"), ("role", "role"), ("groups", "groups"), ("users", "users")],
        runbooks_only: &[],
        other: &[],
    },
    Verb {
        words: &["disarm"],
        kind: "disarm",
        gives: &[
            ("object", "object"),
            ("webhook", "webhook"),
            ("namespaces", "namespaces"),
            ("delete", "how"),
            ("at_most", "atMost"),
            ("conversions", "conversions"),
        ],
        runbooks_only: &[],
        other: &[],
    },
    Verb {
        words: &["freeze-automation"],
        kind: "freeze-automation",
        gives: &[
            ("object", "object"),
            ("namespace", "namespace"),
            ("all", "all"),
            ("at_most", "atMost"),
            ("argocd_namespace", "argocdNamespace"),
        ],
        runbooks_only: &[],
        other: &[],
    },
    Verb {
        words: &["thaw-automation"],
        kind: "thaw-automation",
        gives: &[
            ("object", "object"),
            ("namespace", "namespace"),
            ("all", "all"),
            ("at_most", "atMost"),
            ("argocd_namespace", "argocdNamespace"),
        ],
        runbooks_only: &[],
        other: &[],
    },
    Verb {
        words: &["refuse-return"],
        kind: "refuse-return",
        gives: &[("object", "object"), ("namespace", "namespace"), ("lasts", "lasts"), ("ask", "ask")],
        runbooks_only: &[],
        other: &[],
    },
    Verb {
        words: &["scale-apiserver"],
        kind: "scale-apiserver",
        gives: &[("limits", "limits"), ("requests", "requests"), ("flags", "flags")],
        runbooks_only: &["exitSeconds", "readySeconds"],
        other: &["targets"],
    },
    Verb {
        words: &["prepare", "authorization-config"],
        kind: "prepare-authorization-config",
        gives: &[("file", "file")],
        runbooks_only: &[],
        other: &["targets"],
    },
    Verb {
        words: &["rescue-manifest"],
        kind: "rescue-manifest",
        gives: &[("program", "program"), ("stray", "stray"), ("from", "from")],
        runbooks_only: &[],
        other: &["targets"],
    },
    Verb {
        words: &["renew-certificates"],
        kind: "renew-certificates",
        gives: &[("within", "within"), ("ca", "ca")],
        runbooks_only: &[],
        other: &["targets"],
    },
    Verb {
        words: &["access"],
        kind: "access",
        gives: &[("mint", "mint"), ("group", "group"), ("time", "for")],
        runbooks_only: &[],
        other: &["write_kubeconfig", "targets"],
    },
    Verb {
        words: &["recovery-apiserver", "start"],
        kind: "recovery-apiserver-start",
        gives: &[
            ("time", "for"),
            ("port", "port"),
            ("set", "set"),
            ("unset", "unset"),
            ("without_webhooks", "withoutWebhooks"),
            ("mint", "mint"),
            ("program", "program"),
        ],
        // Whoever types it goes on with something else, and wants it to be there.
        runbooks_only: &["wait"],
        other: &["write_kubeconfig", "targets"],
    },
    Verb {
        words: &["recovery-apiserver", "stop"],
        kind: "recovery-apiserver-stop",
        gives: &[("of", "of")],
        runbooks_only: &[],
        other: &["targets"],
    },
    Verb {
        words: &["gate", "close"],
        kind: "gate-close",
        gives: &[
            ("ports", "ports"),
            ("allow", "allow"),
            ("allow_operator", "allowOperator"),
            ("allow_kubelets", "allowKubelets"),
            ("balancer", "balancer.addresses"),
            ("balancer_rate", "balancer.perSecond"),
            ("confirm_within", "confirmWithin"),
            ("hold", "for"),
            ("step", "step"),
            ("stages", "stages"),
            ("sets", "sets"),
            ("drop", "answer"),
            ("ssh_only", "sshOnly"),
            ("ipv4_only", "ipv4Only"),
            ("back_end", "backEnd"),
            ("nodes", "nodes"),
            ("service", "nodes.service"),
            ("source", "nodes.sources"),
            ("cgroup", "nodes.cgroup"),
            ("offender", "nodes.offender"),
            ("namespace", "nodes.namespace"),
            ("probe_from", "probeFrom"),
        ],
        runbooks_only: &[],
        other: &["host_canary", "targets"],
    },
    Verb {
        words: &["gate", "confirm"],
        kind: "gate-confirm",
        gives: &[("of", "of"), ("hold", "for")],
        runbooks_only: &[],
        other: &["targets"],
    },
    Verb {
        words: &["gate", "open"],
        kind: "gate-open",
        gives: &[
            ("of", "of"),
            ("window", "window"),
            ("p99", "p99"),
            ("rejects", "rejectsPerSecond"),
            ("memory", "memoryPercent"),
            ("max_tries", "maxTries"),
            ("offender", "offender.workload"),
            ("namespace", "offender.namespace"),
            ("offender_user", "offender.user"),
            ("without", "without"),
            ("at_once", "atOnce"),
            // Whoever names hosts means each for itself.
            ("targets", "each"),
        ],
        runbooks_only: &["samples"],
        other: &[],
    },
];

/// The parameters of a schema, those of a parameter that has its own after a dot.
fn parameters(schema: &Value) -> BTreeSet<String> {
    let inner = |of: &Value| {
        let forms = of["anyOf"].as_array().cloned().unwrap_or_else(|| vec![of.clone()]);
        forms.iter().filter_map(|form| form["properties"].as_object()).flat_map(|all| all.keys().cloned()).collect()
    };
    let all = schema["properties"].as_object().into_iter().flatten();
    all.flat_map(|(name, of)| {
        let inside: Vec<String> = inner(of);
        if inside.is_empty() { vec![name.clone()] } else { inside.iter().map(|it| format!("{name}.{it}")).collect() }
    })
    .collect()
}

#[test]
fn every_parameter_has_its_flag_and_every_flag_its_parameter() {
    let root = super::command("breakglass");
    for verb in VERBS {
        let name = verb.words.join(" ");
        let command = verb.words.iter().fold(&root, |at, word| at.find_subcommand(word).unwrap());
        let own: BTreeSet<&str> = command.get_arguments().map(|arg| arg.get_id().as_str()).collect();
        let flags: BTreeSet<&str> = verb.gives.iter().map(|(flag, _)| *flag).collect();
        let everywhere = |flag: &str| root.get_arguments().any(|arg| arg.get_id() == flag);
        for flag in &flags {
            assert!(own.contains(flag) || everywhere(flag), "{name} has no flag {flag}");
        }
        let known: BTreeSet<&str> = flags.iter().copied().chain(HOW).chain(verb.other.iter().copied()).collect();
        let unknown: Vec<&&str> = own.iter().filter(|flag| !known.contains(**flag)).collect();
        assert!(unknown.is_empty(), "{name}: what are {unknown:?} for?");

        let schema = crate::steps::kind(verb.kind).unwrap().schema();
        let parameters = parameters(&schema);
        let given: BTreeSet<&str> = verb.gives.iter().map(|(_, parameter)| *parameter).collect();
        let whole = |parameter: &str| parameters.iter().any(|it| it.starts_with(&format!("{parameter}.")));
        for parameter in &given {
            assert!(parameters.contains(*parameter) || whole(parameter), "{name}: there is no parameter {parameter}");
        }
        let without: Vec<&String> = parameters
            .iter()
            .filter(|it| {
                ![&given, &verb.runbooks_only.iter().copied().chain(TIMES).collect()]
                    .iter()
                    .any(|all| all.contains(it.as_str()))
            })
            .collect();
        assert!(without.is_empty(), "{name}: no flag gives {without:?}");
        for parameter in verb.runbooks_only {
            assert!(parameters.contains(*parameter) && !given.contains(parameter), "{name}: {parameter}");
        }
    }
}

/// A verb that is new and one step has to be added above.
#[test]
fn every_verb_that_is_a_kind_is_looked_at() {
    let root = super::command("breakglass");
    for kind in crate::steps::KINDS {
        let alone = root.find_subcommand(kind.name()).is_some();
        let splits = kind.name().match_indices('-').map(|(at, _)| (&kind.name()[..at], &kind.name()[at + 1..]));
        let inside = splits.filter_map(|(outer, inner)| root.find_subcommand(outer)?.find_subcommand(inner)).count();
        let known = VERBS.iter().any(|verb| verb.kind == kind.name());
        assert_eq!(alone || inside > 0, known, "{}", kind.name());
    }
}
