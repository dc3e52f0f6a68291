//! What else hangs on a service that is dead: aggregated APIs, which discovery waits for, and conversion webhooks of custom
//! resources. Told, with what to do; an aggregated API is disarmed where it is named.

use std::time::Duration;

use serde_json::Value;

use super::chain::{Chains, Verdict};
use super::webhook::{Configuration, Service, short};
use crate::finding::Finding;
use crate::steps::kube_object::{self, text};
use crate::steps::{Look, StepError};
use crate::world::Accept;

/// Where aggregated APIs are listed.
pub(super) const API_SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices?limit=500";
/// Where custom resources are listed: whole, so that it is asked for.
pub(super) const RESOURCES: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?limit=500";

/// The aggregated APIs that are not available, each with what to do.
///
/// # Errors
/// When nobody answers.
pub(super) async fn api_services(look: Look<'_>, limit: Duration) -> Result<Vec<Finding>, StepError> {
    let list = kube_object::list(look, API_SERVICES, Accept::Json, limit).await?;
    let dead = kube_object::items(&list).iter().filter(|item| unavailable(item).is_some());
    Ok(dead.map(|item| Finding::Note(says(item))).collect())
}

/// Whether an aggregated API is served by the API server itself, so that taking it away would take its resources away.
pub(super) fn is_local(object: &Value) -> bool {
    object.pointer("/spec/service").is_none_or(Value::is_null)
}

/// Why an aggregated API is not available; `None`: it is.
pub(super) fn unavailable(object: &Value) -> Option<String> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let no = conditions.iter().find(|one| text(one, "/type") == "Available" && text(one, "/status") == "False")?;
    Some(format!("{}: {}", text(no, "/reason"), text(no, "/message")))
}

fn says(object: &Value) -> String {
    let name = text(object, "/metadata/name");
    let behind = object.pointer("/spec/service").and_then(Service::read);
    let behind = behind.map_or_else(|| "the API server itself".to_owned(), |service| service.to_string());
    let why = unavailable(object).unwrap_or_default();
    format!(
        "apiservice/{name} -> {behind}: not available ({why}); discovery waits for it, and namespaces do not end; next: \
         breakglass disarm apiservice/{name}"
    )
}

/// The custom resources whose conversion webhook cannot answer, each with what to do.
///
/// # Errors
/// When nobody answers.
pub(super) async fn conversions(
    look: Look<'_>,
    chains: &mut Chains,
    limit: Duration,
) -> Result<Vec<Finding>, StepError> {
    let list = kube_object::list(look, RESOURCES, Accept::Json, limit).await?;
    let mut all = Vec::new();
    for item in kube_object::items(&list) {
        let service = item.pointer("/spec/conversion/webhook/clientConfig/service").and_then(Service::read);
        chains.follow(look, service.clone(), limit).await?;
        let Some((service, backing)) = chains.of(service) else { continue };
        if backing.judge() == Verdict::CannotAnswer {
            let name = text(item, "/metadata/name");
            all.push(Finding::Note(format!(
                "customresourcedefinition/{name} -> conversion webhook -> {service}: {backing}; its objects cannot be read or \
                 written in any version but the stored one; next: bring that service back (breakglass disarm, where a webhook \
                 keeps its pods away)"
            )));
        }
    }
    Ok(all)
}

/// What is worth knowing before an aggregated API is taken away.
pub(super) fn before_deletion(seen: &Configuration) -> String {
    match unavailable(&seen.object) {
        Some(why) => format!("{} is not available ({why})", short(&seen.at)),
        None => format!("{} is available: what it serves goes with it, until undo", short(&seen.at)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_aggregated_api_that_is_away_is_told_with_what_to_do() {
        let object = |status: &str| {
            json!({"metadata": {"name": "v1beta1.metrics.k8s.io"},
                "spec": {"service": {"namespace": "kube-system", "name": "metrics-server"}},
                "status": {"conditions": [{"type": "Available", "status": status, "reason": "MissingEndpoints",
                    "message": "no endpoints"}]}})
        };
        let said = says(&object("False"));
        assert!(
            said.starts_with("apiservice/v1beta1.metrics.k8s.io -> service kube-system/metrics-server:443: "),
            "{said}"
        );
        assert!(said.contains("MissingEndpoints: no endpoints"), "{said}");
        assert_eq!(unavailable(&object("True")), None);
        assert!(!is_local(&object("True")) && is_local(&json!({"spec": {"service": null}})));
    }
}
