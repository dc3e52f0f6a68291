//! The runbooks inside the binary: they are there without a network and without a checkout.

use super::parse::Runbook;
use crate::refusal::{Location, Refusal};
use crate::words;

/// A runbook inside the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    /// Its name.
    pub name: &'static str,
    /// Its text, which opens with its purpose, its worst case and how it is undone.
    pub text: &'static str,
}

/// All of them.
pub const BUILTINS: &[Builtin] = &[
    Builtin { name: "regain-access", text: include_str!("../../runbooks/regain-access.yaml") },
    Builtin { name: "api-overload", text: include_str!("../../runbooks/api-overload.yaml") },
    Builtin { name: "jail-client", text: include_str!("../../runbooks/jail-client.yaml") },
    Builtin { name: "find-offender", text: include_str!("../../runbooks/find-offender.yaml") },
    Builtin { name: "remove-workload", text: include_str!("../../runbooks/remove-workload.yaml") },
    Builtin { name: "apiserver-oom-loop", text: include_str!("../../runbooks/apiserver-oom-loop.yaml") },
    Builtin { name: "masters-offender", text: include_str!("../../runbooks/masters-offender.yaml") },
    Builtin { name: "roll-back", text: include_str!("../../runbooks/roll-back.yaml") },
    Builtin { name: "bad-manifest", text: include_str!("../../runbooks/bad-manifest.yaml") },
    Builtin { name: "stray-manifest", text: include_str!("../../runbooks/stray-manifest.yaml") },
    Builtin { name: "certificates-expired", text: include_str!("../../runbooks/certificates-expired.yaml") },
    Builtin { name: "sso-gone", text: include_str!("../../runbooks/sso-gone.yaml") },
    Builtin { name: "admin-certificate-expired", text: include_str!("../../runbooks/admin-certificate-expired.yaml") },
    Builtin { name: "rbac-deleted", text: include_str!("../../runbooks/rbac-deleted.yaml") },
    Builtin { name: "webhook-deadlock", text: include_str!("../../runbooks/webhook-deadlock.yaml") },
];

impl Builtin {
    /// The one with this name.
    ///
    /// # Errors
    /// When there is none, with the nearest name.
    pub fn find(name: &str) -> Result<&'static Self, Refusal> {
        BUILTINS.iter().find(|builtin| builtin.name == name).ok_or_else(|| {
            let names = || BUILTINS.iter().map(|builtin| builtin.name);
            let near = words::nearest(name, names()).map(|near| format!("did you mean {near:?}?"));
            Refusal {
                at: Location { file: "command line".into(), ..Location::default() },
                what: format!("no runbook {name:?} in the binary, and no file of that name"),
                hint: near.or_else(|| Some(format!("there is {}", names().collect::<Vec<_>>().join(", ")))),
            }
        })
    }

    /// Reads it.
    ///
    /// # Errors
    /// None in a build that passed its tests.
    pub fn runbook(&self) -> Result<Runbook, Vec<Refusal>> {
        Runbook::parse(self.text, &format!("built-in {}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::runbook::On;

    #[test]
    fn every_builtin_says_what_it_is_for_and_what_it_may_cost() {
        for builtin in BUILTINS {
            let comment = builtin.text.lines().take_while(|line| line.starts_with('#'));
            let opening = comment.collect::<Vec<_>>().join("\n");
            for word in ["Purpose:", "Worst case:", "Undo:"] {
                assert!(opening.contains(word), "{}: its opening comment has no {word:?}", builtin.name);
            }
        }
    }

    #[test]
    fn every_builtin_can_be_planned_with_its_required_parameters() {
        for builtin in BUILTINS {
            let runbook = builtin.runbook().unwrap_or_else(|faults| panic!("{faults:#?}"));
            assert_eq!(runbook.name, builtin.name);
            let value = |name: &str| if name == "memory" { "8Gi" } else { "daemonsets.apps/telemetry/agent" };
            let needed = runbook.params.iter().filter(|param| param.required);
            let given: BTreeMap<String, String> =
                needed.map(|param| (param.name.clone(), value(&param.name).to_owned())).collect();
            let resolved = runbook.resolve(&given, On::One("prod")).unwrap_or_else(|faults| panic!("{faults:#?}"));
            assert!(!resolved.steps.is_empty());
            for param in &runbook.params {
                assert!(!param.help.is_empty(), "{}: parameter {} has no help", builtin.name, param.name);
            }
        }
    }

    #[test]
    fn every_step_of_the_recovery_is_there_when_it_is_asked_for() {
        let runbook = Builtin::find("api-overload").and_then(|b| b.runbook().map_err(|mut f| f.remove(0))).unwrap();
        let given = [("offender", "ds/telemetry/agent"), ("memory", "8Gi"), ("delete", "true")];
        let given = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let resolved = runbook.resolve(&given, On::One("prod")).unwrap();
        let kinds: Vec<&str> = resolved.steps.iter().map(|step| step.kind.name()).collect();
        for kind in ["probe", "park", "delete", "scale-apiserver"] {
            assert!(kinds.contains(&kind), "{kind} is not in {kinds:?}");
        }
        let place = |kind: &str| kinds.iter().position(|k| *k == kind);
        assert!(place("park") < place("delete"), "what can be taken back goes first");
    }

    #[test]
    fn a_slip_is_met_with_the_nearest_name() {
        let refusal = Builtin::find("api-overlod").unwrap_err();
        assert_eq!(refusal.hint.as_deref(), Some("did you mean \"api-overload\"?"));
    }
}
