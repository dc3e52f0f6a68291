//! kubectl's exec credential plugins: run once, with a deadline, never asked twice and never waited for. What they say is
//! shown as they say it: it may be an address and a code that a person has to type somewhere.

use std::sync::Mutex;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::read::Place;
use super::{Credential, kuberc, pem};
use crate::bounded::{self, Hear, NoOutput};
use crate::words;
use crate::yaml::Node;

/// What may be done to find a cluster.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// Names are looked up and plugins waited for until then.
    pub deadline: Instant,
    /// What is done with credential plugins.
    pub plugins: Plugins,
    /// Hears what a plugin says while it waits.
    pub hear: Hear<'a>,
}

/// What is done with credential plugins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plugins {
    /// They are run: once, for a credential.
    Run,
    /// They are named in a note: there will be no credential.
    Named,
}

/// More than any certificate with its key and chain.
const LONGEST: usize = 1 << 20;

/// More of one line than a person reads.
const LINE: usize = 500;

/// What a plugin gave.
pub(super) struct Given {
    pub(super) credential: Credential,
    /// When it ends, where it does not say so itself.
    pub(super) ends: Option<Timestamp>,
}

/// The command of a plugin, as it is written.
///
/// # Errors
/// When there is none.
pub(super) fn command_of(plugin: &Node) -> Result<&str, String> {
    plugin.get("command").and_then(Node::text).ok_or_else(|| "exec: no command".into())
}

/// Runs the plugin of a user and takes the certificate or token that it prints.
///
/// # Errors
/// One sentence: which command, how long, what it said.
pub(super) async fn run(
    plugin: &Node,
    cluster: &Value,
    place: &Place<'_>,
    deadline: Instant,
    hear: Hear<'_>,
) -> Result<Given, String> {
    let text = |key: &str| plugin.get(key).and_then(Node::text);
    let name = command_of(plugin)?;
    let version = text("apiVersion").unwrap_or("client.authentication.k8s.io/v1");
    // As kubectl does: a command with a slash is relative to the file, one without is looked for in PATH.
    let program = if name.contains('/') { place.path(name) } else { name.into() };
    kuberc::allows(&program, name, place.process)?;
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
    let last = Mutex::new(String::new());
    let hear = |line: &str| {
        let line: String = line.chars().take(LINE).collect();
        hear(&format!("{name}: {line}"));
        *last.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = line;
    };
    let output = match bounded::output_heard(&mut command, LONGEST, deadline, &hear).await {
        Err(NoOutput::Late) => {
            let took = started.elapsed().as_secs_f64();
            let last = last.into_inner().unwrap_or_default();
            let last = if last.is_empty() { String::new() } else { format!("; its last words: {last}") };
            return Err(format!("exec: plugin {name} did not answer within {took:.1} s and was killed{last}"));
        }
        Err(NoOutput::Long(most)) => {
            let most = words::bytes(most as u64);
            return Err(format!(
                "exec: plugin {name} printed more than {most}, which is no credential, and was killed"
            ));
        }
        Err(NoOutput::NotRun(error)) => {
            // What kubectl shows, too: whoever wrote the file knows where it comes from.
            let hint =
                text("installHint").map(|hint| format!("; the kubeconfig says: {}", hint.trim())).unwrap_or_default();
            return Err(format!("exec: plugin {name} cannot be run: {error}{hint}"));
        }
        Ok(output) => output,
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().take(300).collect();
        return Err(format!("exec: plugin {name} failed ({}): {said}", output.status));
    }
    let credential = credential(&output.stdout).map_err(|why| format!("exec: plugin {name} printed {why}"))?;
    let ends = end(&output.stdout).map_err(|why| format!("exec: plugin {name}: {why}"))?;
    let says_itself = match &credential {
        Credential::Token(token) => pem::token_end(token).is_some(),
        Credential::Certificate { .. } | Credential::Anonymous => true,
    };
    Ok(Given { credential, ends: ends.filter(|_| !says_itself) })
}

/// When what a plugin printed ends, where it says so.
fn end(printed: &[u8]) -> Result<Option<Timestamp>, String> {
    let answer: Value = serde_json::from_slice(printed).unwrap_or_default();
    let text = answer.pointer("/status/expirationTimestamp").and_then(Value::as_str);
    text.map(|text| text.parse().map_err(|error| format!("expirationTimestamp {text:?}: {error}"))).transpose()
}

/// What a plugin printed.
///
/// # Errors
/// What it printed instead.
pub(super) fn credential(printed: &[u8]) -> Result<Credential, String> {
    let answer: Value = serde_json::from_slice(printed).map_err(|_| "no ExecCredential in JSON".to_owned())?;
    // What is empty is not there, as for kubectl: some plugins print every key.
    let status = |key: &str| {
        let text = answer.pointer(&format!("/status/{key}")).and_then(Value::as_str);
        text.filter(|text| !text.is_empty())
    };
    match (status("clientCertificateData"), status("clientKeyData"), status("token").map(str::trim)) {
        // In the forms that kubectl takes, as where they stand in a file.
        (Some(cert), Some(key), _) => {
            let facts = pem::certificates(cert.as_bytes()).map_err(|why| format!("a client certificate: {why}"))?;
            let first = facts.first().ok_or("a client certificate that is empty")?;
            let key = pem::key_of(key.as_bytes(), first).map_err(|why| format!("a client key: {why}"))?;
            Ok(Credential::Certificate { cert: cert.into(), key })
        }
        (_, _, Some(token)) if token.is_empty() || token.chars().any(|c| c.is_whitespace() || c.is_control()) => {
            Err("a token that is not one word without spaces".into())
        }
        (_, _, Some(token)) => Ok(Credential::Token(token.to_owned())),
        _ => Err("neither a certificate with its key nor a token".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_in_an_answer_is_not_there() {
        let answer = |status: Value| credential(json!({ "status": status }).to_string().as_bytes());
        let given = answer(json!({ "clientCertificateData": "", "clientKeyData": "", "token": "t" }));
        assert!(matches!(given, Ok(Credential::Token(token)) if token == "t"));
        let (cert, key) = super::super::tests::pair("me", 2020, 2030);
        let given = answer(json!({ "clientCertificateData": cert, "clientKeyData": key, "token": "" }));
        assert!(matches!(given, Ok(Credential::Certificate { .. })));
        for none in [json!({}), json!({ "clientCertificateData": "", "clientKeyData": "", "token": "" })] {
            assert_eq!(answer(none).unwrap_err(), "neither a certificate with its key nor a token");
        }
    }
}
