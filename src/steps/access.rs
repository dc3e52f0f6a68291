//! `access`: a credential of the cluster from one of its own hosts, for all that the run asks of the API after it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Announced, Fault, Kind, Look, Question, Scope, Sends, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Change, Inverse, Keep, Op, Part, Target};
use crate::duration::HumanDuration;
use crate::host::credentials::{self, Keeps};
use crate::kit::held::{Won, best};
use crate::kit::request::Request;
use crate::kit::{Cluster, Credential};
use crate::world::Way;

const LOOK_LIMIT: Duration = Duration::from_secs(30);
/// How long a host may take to say again what it has, before a run goes on without.
const AGAIN_LIMIT: Duration = Duration::from_secs(10);
const ORDER_SECS: u64 = 30;
const SIGN: &str = "sign";
/// The word that has to be typed before a certificate is signed.
const WORD: &str = "sign";
/// Whoever is in it may do everything, whatever RBAC says.
const MASTERS: &str = "system:masters";
/// A day: nobody needs one that was won in an incident for longer.
const LONGEST: Duration = Duration::from_hours(24);

/// The kind.
pub(super) struct Access;

/// Which credential.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// Have a new client certificate signed by the cluster's CA on its host, in place of one that lies there. Asks for a typed word.
    #[serde(default)]
    mint: bool,
    /// The group that such a certificate is of. What it may do is what the cluster's bindings give to that group; only
    /// `system:masters` is asked for none.
    #[serde(default = "masters")]
    group: String,
    /// How long such a certificate is good: at most a day.
    #[serde(rename = "for", default = "hour")]
    time: HumanDuration,
}

fn masters() -> String {
    MASTERS.into()
}

fn hour() -> HumanDuration {
    HumanDuration(Duration::from_hours(1))
}

impl Kind for Access {
    fn name(&self) -> &'static str {
        "access"
    }

    fn doc(&self) -> &'static str {
        "Takes a credential of the cluster from a control-plane host, for the rest of the run.\n\n\
         Reads, over SSH, the kubeconfigs of administrators that kubeadm, k3s, RKE2, MicroK8s, k0s and OpenShift keep on their \
         hosts, those with the most rights first, and takes the first that is good now and of this cluster. It is used from \
         memory, and stands in no file, no journal and on no screen. With `mint`: a key is made here, the cluster's CA on its \
         host signs a client certificate of system:masters, or of another `group`, for it, and neither key leaves its machine; that takes openssl \
         there. A certificate that was signed cannot be taken back: it ends by itself."
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
        let Params { mint, group, time } = params(with)?;
        if time.0 < Duration::from_mins(1) || time.0 > LONGEST {
            return Err(vec![Fault::at("for", format!("{time}: take 1 minute to 1 day"))]);
        }
        if group.trim().is_empty() || group.contains(char::is_control) {
            return Err(vec![Fault::at("group", "expected the name of a group")]);
        }
        Ok(Box::new(Taking { mint, group, time, request: Mutex::default() }))
    }
}

struct Taking {
    mint: bool,
    group: String,
    time: HumanDuration,
    /// The key of the certificate that was asked for, and the request as it was sent.
    request: Mutex<Option<Request>>,
}

impl Taking {
    fn request(&self) -> MutexGuard<'_, Option<Request>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, authority: &str, request: &str) -> Change {
        let script = credentials::sign(authority, request, self.time.0.as_secs());
        Change {
            key: SIGN.into(),
            note: None,
            op: Op::order(script),
            guard: format!("the key of {authority} lies beside it"),
            inverse: Inverse::NotNeeded(format!(
                "its key is in this process alone, and it ends by itself after {}",
                self.time
            )),
            because: "nobody is known to the API by what the kit has".into(),
            by_hand: format!(
                "sudo kubeadm kubeconfig user --org {} --client-name breakglass --validity-period {}",
                crate::shell::quote(&self.group),
                self.time
            ),
            deadline_secs: ORDER_SECS,
            keep: Keep::Nothing,
        }
    }

    /// Has one signed, or takes the one that was.
    fn minted(&self, look: Look<'_>, cluster: &Cluster, keeps: &Keeps) -> Result<Survey, StepError> {
        let refused = |why: &str, hint: &str| StepError::Refused {
            why: format!("{}: nothing can be signed here: {why}", look.target),
            hint: Some(hint.to_owned()),
        };
        if let Some(record) = look.history.last(SIGN).filter(|record| look.history.here(record))
            && let Some(request) = &*self.request()
            && let Some(cert) = credentials::signed(&record.facts.answer)
        {
            let of = format!("a certificate of {}, signed on {} for {}", self.group, look.target.short(), self.time);
            let credential = Credential::Certificate { cert, key: request.key.clone() };
            return Ok(take(look, Won { credential, of }));
        }
        let hint = "breakglass recovery-apiserver start --mint needs no key of the CA; breakglass access reads one that lies on a host";
        if let Some(why) = &keeps.cannot_sign {
            return Err(refused(why, hint));
        }
        let Some(authority) = &keeps.authority else {
            return Err(refused("no CA of a known distribution lies there", hint));
        };
        if look.history.answer(SIGN) != Some(true) {
            let text = format!(
                "the CA of {} signs a client certificate of {} for {}; nothing can take it back before. Type {WORD} if that is meant",
                cluster.name, self.group, self.time
            );
            let typed = Some(WORD.to_owned());
            let ask = Question { id: SIGN.into(), text, typed, unattended: false, otherwise: None };
            return Ok(Survey { ask: Some(ask), ..Survey::default() });
        }
        let mut request = self.request();
        if request.is_none() {
            let user = format!("breakglass:{}", look.mark.operator);
            *request = Some(Request::new(&user, &self.group).map_err(StepError::refused)?);
        }
        let text = request.as_ref().map(|request| request.text.clone()).unwrap_or_default();
        Ok(Survey::change(self.change(authority, &text)))
    }
}

/// From now on the run is known by it.
fn take(look: Look<'_>, won: Won) -> Survey {
    let said = format!("known to the API by {} from now on", won.of);
    look.reads.learn(&look.target.cluster, Way::Credential(won));
    Survey::done().saw(said)
}

impl Step for Taking {
    fn intent(&self) -> String {
        if self.mint {
            return format!(
                "have the cluster's CA sign a client certificate of {} for {}, and use it from then on",
                self.group, self.time
            );
        }
        "take a credential of the cluster from a control-plane host, and use it from then on".into()
    }

    fn announce(&self, _: &Target, _: &Cluster) -> Vec<Announced> {
        let mut all = vec![Announced::look(
            credentials::read(),
            Times::AtMost(2),
            "which credentials lie there; they are used from memory",
        )];
        if self.mint {
            all.push(Announced::new(
                Sends::Ask(format!("type {WORD}")),
                Times::Once,
                "what was signed cannot be taken back",
            ));
            let op = self.change("<the CA certificate that lies there>", "<a request for a key that stays here>").op;
            all.push(Announced::op(op, Times::Once, "on the first host that can"));
        }
        all
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        match &target.part {
            Part::Host(name) if cluster.host(name).is_some() => Vec::new(),
            _ => vec!["credentials lie on hosts, and this is none of the kit's".into()],
        }
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let cluster = look.reads.cluster(&look.target.cluster);
            let cluster = cluster.ok_or_else(|| StepError::refused(format!("the kit has no {}", look.target)))?;
            if let Some(of) = look.reads.known_by(&cluster.name) {
                return Ok(Survey::done().saw(format!("known by {of} already")));
            }
            let keeps = look.reads.ask(look.target, &credentials::read(), LOOK_LIMIT).await?;
            let by_hand = || {
                let host = cluster.host(look.target.short());
                host.map(|host| host.by_hand("ls -l /etc/kubernetes/*.conf /etc/kubernetes/pki/ca.*"))
            };
            let keeps =
                keeps.map_err(|why| StepError::Refused { why: format!("{}: {why}", look.target), hint: by_hand() })?;
            if self.mint {
                return self.minted(look, cluster, &keeps);
            }
            match best(&keeps, cluster, look.target.short(), look.history.now) {
                Ok(good) => Ok(take(look, good)),
                Err(faults) => {
                    let why = if faults.is_empty() {
                        "no kubeconfig of an administrator lies there".into()
                    } else {
                        faults.join("; ")
                    };
                    let mint = match (&keeps.authority, &keeps.cannot_sign) {
                        (Some(_), None) => "breakglass access --mint has the CA there sign one".to_owned(),
                        (_, Some(why)) => format!(
                            "nothing can be signed there ({why}); breakglass recovery-apiserver start --mint has a private API server know us"
                        ),
                        (None, None) => by_hand().unwrap_or_default(),
                    };
                    Err(StepError::Refused { why: format!("{}: {why}", look.target), hint: Some(mint) })
                }
            }
        }
        .boxed()
    }

    fn win_again<'a>(&'a self, look: Look<'a>) -> Option<BoxFuture<'a, ()>> {
        let again = async move {
            // The key of one that was signed went with its process; one that lies there is as good.
            if look.reads.known_by(&look.target.cluster).is_none()
                && let Some(cluster) = look.reads.cluster(&look.target.cluster)
                && let Ok(Ok(keeps)) = look.reads.ask(look.target, &credentials::read(), AGAIN_LIMIT).await
                && let Ok(good) = best(&keeps, cluster, look.target.short(), look.history.now)
            {
                take(look, good);
            }
        };
        Some(again.boxed())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bad_parameters_are_refused_by_name() {
        for with in [
            json!({"for": "2d"}),
            json!({"for": "1s"}),
            json!({"level": "reader"}),
            json!({"mint": true, "group": " "}),
        ] {
            assert!(Access.build(with).is_err());
        }
        assert!(Access.build(json!({"mint": true, "for": "2h"})).is_ok());
    }
}
