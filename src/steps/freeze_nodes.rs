//! `freeze-nodes` and its counterpart: the controllers that mark nodes as lost and evict their pods are switched off
//! before a cut, and on again once the nodes report.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::controllers::{CONTROLLERS, ask, controller_manager, controllers, too_old, wanted};
use super::static_pod::Progress;
use super::{Announced, Fault, Kind, Look, Scope, Step, StepError, Survey, params, schema_of};
use crate::change::Target;
use crate::host::manifest::Edit;
use crate::kit::Cluster;

/// The step kind.
pub(super) struct FreezeNodes;

/// Whether it is done or only looked at.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// Only look whether it could be done, before a gate is closed that needs it; a host that cannot be asked is said.
    #[serde(default)]
    check: bool,
}

impl Kind for FreezeNodes {
    fn name(&self) -> &'static str {
        "freeze-nodes"
    }

    fn doc(&self) -> &'static str {
        "Switches off, in every controller manager, what marks nodes as lost and evicts their pods.\n\n\
         For a gate that keeps kubelets out for more than four minutes: nodes that cannot report are not lost. Edits the \
         static-pod manifest of kube-controller-manager (`--controllers`), one host at a time; costs no API request. \
         Takes Kubernetes 1.29 or newer, and is refused where the image's tag says an older one or where the program's help does \
         not name the controllers. While frozen, nodes that really die are not noticed. `thaw-nodes` ends it, `undo` puts the old text back."
    }

    fn scope(&self) -> Scope {
        Scope::ApiHosts
    }

    fn one_at_a_time(&self) -> bool {
        true
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let Params { check } = params(with)?;
        Ok(Box::new(Freeze { check }))
    }
}

struct Freeze {
    check: bool,
}

impl Freeze {
    fn edit(manifest: &str) -> Result<Edit, String> {
        if let Some(why) = too_old(manifest)? {
            return Err(why);
        }
        let mut list = controllers(manifest)?.unwrap_or_else(|| vec!["*".to_owned()]);
        for controller in CONTROLLERS {
            list.retain(|word| word != controller);
            let off = format!("-{controller}");
            if !list.contains(&off) {
                list.push(off);
            }
        }
        Ok(wanted(&list))
    }
}

impl Step for Freeze {
    fn intent(&self) -> String {
        if self.check {
            return "see whether the node lifecycle could be frozen; change nothing".into();
        }
        "freeze the node lifecycle: nodes that cannot report are not lost, and nothing is evicted".into()
    }

    fn announce(&self, target: &Target, cluster: &Cluster) -> Vec<Announced> {
        let mut all = controller_manager("freeze").announce(target, cluster, &ask());
        all.retain(|sent| !self.check || !sent.writes());
        all
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        controller_manager("freeze").refuse(target, cluster)
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let looked =
                controller_manager("freeze").survey(look, &ask(), |text| Self::edit(text).map(Into::into)).await;
            if self.check {
                return match looked {
                    Ok(_) => Ok(Survey::done().saw("its node lifecycle can be frozen")),
                    // What cannot be reached keeps no gate from being closed elsewhere.
                    Err(StepError::Read(error)) => {
                        Ok(Survey::done().saw(format!("not known whether its node lifecycle can be frozen: {error}")))
                    }
                    Err(error) => Err(error),
                };
            }
            match looked? {
                Progress::Open(survey) => Ok(survey),
                Progress::Settled { ours: true, .. } => {
                    Ok(Survey::done().saw("frozen; thaw-nodes switches the node lifecycle on again"))
                }
                Progress::Settled { .. } => Ok(Survey::done().saw("it was frozen already, and not by this step")),
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(command: &str, image: &str) -> String {
        let image = format!("registry.k8s.io/kube-controller-manager:{image}");
        format!(
            "kind: Pod\nspec:\n  containers:\n  - image: {image}\n    command:\n    - kube-controller-manager\n{command}"
        )
    }

    #[track_caller]
    fn case(command: &str, wanted: &str) {
        let edit = Freeze::edit(&pod(command, "v1.29.0")).unwrap();
        assert_eq!(edit.flags["controllers"].as_deref(), Some(wanted));
    }

    #[test]
    fn what_else_is_said_of_controllers_stays() {
        case("", "*,-node-lifecycle-controller,-taint-eviction-controller");
        for said in [
            "    - --controllers=*,bootstrapsigner # -x,y\n",
            "    # --controllers=-x\n    - \"--controllers=*,bootstrapsigner\"\n",
            "    - --controllers\n    - \"*,bootstrapsigner\"\n",
        ] {
            case(said, "*,bootstrapsigner,-node-lifecycle-controller,-taint-eviction-controller");
        }
        case(
            "    - --controllers=-taint-eviction-controller,*\n",
            "-taint-eviction-controller,*,-node-lifecycle-controller",
        );
    }

    #[test]
    fn a_controller_manager_that_would_not_start_is_refused() {
        let why = Freeze::edit(&pod("", "v1.28.15")).unwrap_err();
        assert!(why.contains("v1.28.15") && why.contains("1.29 or newer"), "{why}");
        assert!(Freeze::edit(&pod("", "latest")).is_ok());
    }
}
