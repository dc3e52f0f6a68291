//! kubectl's exec credential plugins: run once, with a deadline, never asked twice and never waited for.

use std::time::Instant;

use serde_json::{Value, json};

use super::Credential;
use super::read::Place;
use crate::bounded::{self, NoOutput};
use crate::words;
use crate::yaml::Node;

/// More than any certificate with its key and chain.
const LONGEST: usize = 1 << 20;

/// Runs the plugin of a user and takes the certificate or token that it prints; also says its command, for notes.
///
/// # Errors
/// One sentence: which command, how long, what it said.
pub(super) async fn run(
    plugin: &Node,
    cluster: &Value,
    place: &Place<'_>,
    deadline: Instant,
) -> Result<(Credential, String), String> {
    let text = |key: &str| plugin.get(key).and_then(Node::text);
    let Some(name) = text("command") else { return Err("exec: no command".into()) };
    let version = text("apiVersion").unwrap_or("client.authentication.k8s.io/v1");
    // As kubectl does: a command with a slash is relative to the file, one without is looked for in PATH.
    let program = if name.contains('/') { place.path(name) } else { name.into() };
    let mut spec = json!({ "interactive": false });
    if plugin.get("provideClusterInfo").is_some_and(|node| node.to_json() == json!(true)) {
        spec["cluster"] = cluster.clone();
    }
    let info = json!({ "apiVersion": version, "kind": "ExecCredential", "spec": spec });
    let args = plugin.get("args").map(Node::items).unwrap_or_default().iter().filter_map(Node::text);
    let mut command = crate::descriptors::command(&program);
    command.args(args).env_clear().envs(&place.process.env).env("KUBERNETES_EXEC_INFO", info.to_string());
    for entry in plugin.get("env").map(Node::items).unwrap_or_default() {
        if let (Some(name), Some(value)) =
            (entry.get("name").and_then(Node::text), entry.get("value").and_then(Node::text))
        {
            command.env(name, value);
        }
    }
    let started = Instant::now();
    let output = match bounded::output(&mut command, LONGEST, deadline).await {
        Err(NoOutput::Late) => {
            let took = started.elapsed().as_secs_f64();
            return Err(format!("exec: plugin {name} did not answer within {took:.1} s and was killed"));
        }
        Err(NoOutput::Long(most)) => {
            let most = words::bytes(most as u64);
            return Err(format!(
                "exec: plugin {name} printed more than {most}, which is no credential, and was killed"
            ));
        }
        Err(NoOutput::NotRun(error)) => return Err(format!("exec: plugin {name} cannot be run: {error}")),
        Ok(output) => output,
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().take(300).collect();
        return Err(format!("exec: plugin {name} failed ({}): {said}", output.status));
    }
    let credential = credential(&output.stdout).map_err(|why| format!("exec: plugin {name} printed {why}"))?;
    Ok((credential, name.to_owned()))
}

/// What a plugin printed.
///
/// # Errors
/// What it printed instead.
pub(super) fn credential(printed: &[u8]) -> Result<Credential, &'static str> {
    let answer: Value = serde_json::from_slice(printed).map_err(|_| "no ExecCredential in JSON")?;
    let status = |key: &str| answer.pointer(&format!("/status/{key}")).and_then(Value::as_str);
    match (status("clientCertificateData"), status("clientKeyData"), status("token").map(str::trim)) {
        (Some(cert), Some(key), _) => Ok(Credential::Certificate { cert: cert.into(), key: key.into() }),
        (_, _, Some(token)) if token.is_empty() || token.chars().any(|c| c.is_whitespace() || c.is_control()) => {
            Err("a token that is not one word without spaces")
        }
        (_, _, Some(token)) => Ok(Credential::Token(token.to_owned())),
        _ => Err("neither a certificate with its key nor a token"),
    }
}
