//! `recovery-apiserver-stop`: ends what `recovery-apiserver-start` began, before its time.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::recovery::{LOOK_LIMIT, ORDER_SECS, host, said, stop};
use super::{Announced, Fault, Kind, Look, Scope, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Change, Inverse, Keep, Part, Target};
use crate::host::recovery;
use crate::kit::Cluster;
use crate::world::Way;

const STOP: &str = "stop";

/// The kind.
pub(super) struct RecoveryStop;

/// Whose recovery API server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// Whose: a run's id, or `any`; none: this run's own, and another's is left alone.
    #[serde(default)]
    of: Option<String>,
}

impl Kind for RecoveryStop {
    fn name(&self) -> &'static str {
        "recovery-apiserver-stop"
    }

    fn doc(&self) -> &'static str {
        "Ends the recovery API server of a host before its time, and takes all away that it had there.\n\n\
         From then on requests go to the cluster's own API servers. Costs no API request. Nothing to take back: start \
         another one."
    }

    fn scope(&self) -> Scope {
        Scope::ApiHosts
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let Params { of } = params(with)?;
        Ok(Box::new(Stopping { of }))
    }
}

struct Stopping {
    of: Option<String>,
}

impl Stopping {
    fn change(run: &str) -> Change {
        Change {
            key: STOP.into(),
            note: None,
            op: stop(run),
            guard: format!("the recovery API server there is still that of run {run}"),
            inverse: Inverse::NotNeeded("breakglass recovery-apiserver start begins another".into()),
            because: "nobody needs it any more".into(),
            by_hand: "kill $(cat /run/breakglass-recovery/state)".into(),
            deadline_secs: ORDER_SECS,
            keep: Keep::Nothing,
        }
    }
}

impl Step for Stopping {
    fn intent(&self) -> String {
        "end the recovery API server, and take away what it had on its host".into()
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        vec![
            Announced::look(recovery::status(), Times::AtMost(2), "what stands there, and whose it is"),
            Announced::op(Self::change("<the run that started it>").op, Times::Once, "where one stands"),
        ]
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        match host(target, cluster) {
            Some(_) => Vec::new(),
            None => vec!["a recovery API server stands on a host, and this is none of the kit's hosts".into()],
        }
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let one = look.reads.ask(look.target, &recovery::status(), LOOK_LIMIT).await?;
            let gone = || {
                if let Part::Host(host) = &look.target.part {
                    look.reads.learn(&look.target.cluster, Way::NoRecovery { host: host.clone() });
                }
            };
            let Some(one) = one else {
                gone();
                return Ok(Survey::done());
            };
            let meant = match self.of.as_deref() {
                Some("any") => true,
                Some(run) => run == one.run,
                None => look.mark.run == one.run,
            };
            if !meant {
                let whose = format!("started by {} (run {})", one.operator, one.run);
                return Ok(Survey::done().saw(format!("left alone: one that was {whose} stands at {}", said(&one))));
            }
            // Nothing more is to be on its way there when it ends.
            gone();
            Ok(Survey::change(Self::change(&one.run)))
        }
        .boxed()
    }
}
