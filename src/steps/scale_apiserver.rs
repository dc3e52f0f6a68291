//! `scale-apiserver`: give API servers more room, one static-pod manifest at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Announced, Kind, Look, Scope, Sends, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Blob, Change, Expect, FilePut, HostCommand, Inverse, Keep, Op, Part, Target};
use crate::host::manifest::{self, Edit};
use crate::host::swap::{self, Place, Seen, State, Swap};
use crate::kit::{ApiServer, Cluster};
use crate::world::{Accept, KubeRead};

const PROGRAM: &str = "kube-apiserver";
const LOOK_LIMIT: Duration = Duration::from_secs(30);
const READY_LIMIT: Duration = Duration::from_secs(10);

/// The step kind.
pub(super) struct ScaleApiserver;

/// Resources and flags of the kube-apiserver container. An entry of `null` is removed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// Resource limits: `memory: 8Gi`, `cpu: "4"`.
    #[serde(default)]
    limits: BTreeMap<String, Option<String>>,
    /// Resource requests.
    #[serde(default)]
    requests: BTreeMap<String, Option<String>>,
    /// Command-line flags without the dashes: `max-requests-inflight: "800"`.
    #[serde(default)]
    flags: BTreeMap<String, Option<String>>,
    /// How long the old process may take to exit, in seconds.
    #[serde(default = "exit_seconds")]
    exit_seconds: u64,
    /// How long the new process may take to answer before the old manifest comes back, in seconds.
    #[serde(default = "ready_seconds")]
    ready_seconds: u64,
}

fn exit_seconds() -> u64 {
    60
}

fn ready_seconds() -> u64 {
    90
}

impl Kind for ScaleApiserver {
    fn name(&self) -> &'static str {
        "scale-apiserver"
    }

    fn doc(&self) -> &'static str {
        "Gives API servers more room by editing their static-pod manifest: limits, requests, flags.\n\n\
         One host at a time. The manifest is taken out, the process's exit awaited, the edited one put in, its answer \
         awaited; when none comes the old text is put back by the host itself. Copies stand beside the manifests' \
         folder, never inside. Costs no API request but one GET /readyz per look; the API server on the host is away \
         for the time of a restart (7 to 60 s). Undone by the same exchange backwards, to the same bytes."
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

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<String>> {
        let params: Params = params(with)?;
        let mut faults = Vec::new();
        if params.limits.is_empty() && params.requests.is_empty() && params.flags.is_empty() {
            faults.push("nothing to change: give limits, requests or flags".to_owned());
        }
        for (name, value) in params.limits.iter().chain(&params.requests) {
            if !matches!(name.as_str(), "cpu" | "memory") {
                faults.push(format!("{name}: only cpu and memory can be set"));
            }
            if let Some(value) = value.as_ref().filter(|value| !is_quantity(value)) {
                faults.push(format!("{name}: {value:?} is not a quantity like 8Gi or 500m"));
            }
        }
        for name in params.flags.keys().filter(|name| name.starts_with('-') || name.contains('=') || name.is_empty()) {
            faults.push(format!("flags: {name:?} must stand without dashes and without a value"));
        }
        if faults.is_empty() { Ok(Box::new(Scale { params })) } else { Err(faults) }
    }
}

/// Digits with an optional fraction and one of Kubernetes' suffixes.
fn is_quantity(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &text[digits.len()..];
    digits.parse::<f64>().is_ok_and(|n| n > 0.0)
        && matches!(suffix, "" | "m" | "k" | "M" | "G" | "T" | "Ki" | "Mi" | "Gi" | "Ti")
}

struct Scale {
    params: Params,
}

impl Scale {
    fn edit(&self) -> Edit {
        Edit {
            requests: self.params.requests.clone(),
            limits: self.params.limits.clone(),
            flags: self.params.flags.clone(),
        }
    }

    fn exchange(&self, place: &Place, file: &str, from: &str, to: &str, staged: String, port: u16) -> Swap {
        Swap {
            place: place.clone(),
            file: file.to_owned(),
            from: from.to_owned(),
            staged,
            to: to.to_owned(),
            port,
            exit_secs: self.params.exit_seconds,
            ready_secs: self.params.ready_seconds,
        }
    }

    fn changes(&self, place: &Place, seen: &Seen, file: &str, edited: &manifest::Edited) -> Vec<Change> {
        let (old, new) = (Blob::new(seen.text.as_bytes()), Blob::new(edited.text.as_bytes()));
        let port = secure_port(&seen.text);
        let because = edited.changes.join(", ");
        let mut changes = Vec::new();
        if !seen.folder {
            changes.push(folder(place, &because));
        }
        for (key, path, blob, there) in
            [("keep", place.before(), &old, &seen.before), ("stage", place.next(), &new, &seen.next)]
        {
            if there.as_ref() != Some(&blob.sha256) {
                changes.push(put(key, path, blob, there.as_deref(), &because));
            }
        }
        let forward = self.exchange(place, file, &old.sha256, &new.sha256, place.next(), port);
        let back = self.exchange(place, file, &new.sha256, &old.sha256, place.before(), port);
        changes.push(Change {
            key: "swap".into(),
            op: command(&forward),
            guard: format!("{file} still has sha256 {}", seen.sha256),
            inverse: Inverse::By(Box::new(command(&back))),
            because,
            by_hand: format!(
                "mv {file} {}/out.yaml; wait until {PROGRAM} has exited; cp {} {file}",
                place.beside(),
                place.next()
            ),
            deadline_secs: swap::patience(&forward) + 15,
            keep: Keep::Nothing,
        });
        changes
    }

    async fn after(&self, look: Look<'_>, seen: &Seen) -> Result<Survey, StepError> {
        if !look.history.done("swap") {
            return Ok(Survey::done().saw("its manifest says so already"));
        }
        let Some(server) = server_on(look) else {
            let why = "the new process answers on the host; no API server of the kit stands for this host to ask";
            return Ok(Survey::done().saw(why));
        };
        let target = Target::api_server(&look.target.cluster, &server.name);
        let read = KubeRead { path: "/readyz".into(), accept: Accept::Text, limit: READY_LIMIT };
        let waiting = match look.reads.kube(&target, &read).await {
            Ok(answer) if answer.code == 200 => {
                let pid = seen.processes.first().map_or(0, |(pid, _)| *pid);
                return Ok(Survey::done().saw(format!("ready with the new manifest, process {pid}")));
            }
            Ok(answer) => format!("/readyz of {} to answer 200 (now {})", server.name, answer.code),
            Err(error) => format!("/readyz of {} to answer ({error})", server.name),
        };
        Ok(Survey::waiting(waiting))
    }
}

impl Step for Scale {
    fn intent(&self) -> String {
        let parts = [("limits.", &self.params.limits), ("requests.", &self.params.requests), ("--", &self.params.flags)];
        let words: Vec<String> = parts
            .iter()
            .flat_map(|(before, map)| {
                map.iter().map(move |(name, value)| format!("{before}{name}={}", value.as_deref().unwrap_or("(removed)")))
            })
            .collect();
        format!("give each API server room, one host at a time: {}", words.join(", "))
    }

    fn announce(&self, target: &Target, cluster: &Cluster) -> Vec<Announced> {
        let Some(place) = place(target, cluster, "<run>") else { return Vec::new() };
        let file = format!("{}/{PROGRAM}.yaml", place.manifests.trim_end_matches('/'));
        let unknown = |sha256: &str| Blob { sha256: sha256.to_owned(), len: 0, bytes: None };
        let (old, new) = (unknown("<sha256 of the manifest>"), unknown("<sha256 of the edited manifest>"));
        let swap = self.exchange(&place, &file, &old.sha256, &new.sha256, place.next(), 6443);
        let once = |op: Op, why: &str| Announced {
            what: Sends::Op(Box::new(op)),
            writes: true,
            times: Times::Once,
            why: why.to_owned(),
        };
        let mut sent = vec![Announced {
            what: Sends::Look(swap::look(&place)),
            writes: false,
            times: Times::AtMost(4),
            why: "reads the manifest and the process".into(),
        }];
        sent.push(once(folder(&place, "").op, "makes a folder for the copies, beside the manifests' folder"));
        sent.push(once(put("keep", place.before(), &old, None, "").op, "keeps the old text beside the folder"));
        sent.push(once(put("stage", place.next(), &new, None, "").op, "puts the edited text beside the folder"));
        sent.push(once(command(&swap), "takes the old manifest out, awaits the exit, puts the new one in"));
        sent.push(Announced {
            what: Sends::Get("/readyz".into()),
            writes: false,
            times: Times::Every { interval: self.interval(), until: Duration::from_secs(self.params.ready_seconds) },
            why: "the new process is ready".into(),
        });
        sent
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        match place(target, cluster, "") {
            Some(_) => Vec::new(),
            None => vec!["the manifest of an API server is edited on its host, and this is none of the kit's hosts".into()],
        }
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        async move {
            let cluster = look.reads.cluster(&look.target.cluster);
            let place = cluster
                .and_then(|cluster| place(look.target, cluster, &look.mark.run))
                .ok_or_else(|| StepError::refused(format!("{} is not a host of the kit", look.target)))?;
            let output = look.reads.script(look.target, &swap::look(&place), LOOK_LIMIT).await?;
            let seen = swap::seen(&output.stdout).map_err(|why| StepError::Refused {
                why: format!("{}: {why}", look.target),
                hint: Some(format!("ls -l {} on {}", place.manifests, look.target.short())),
            })?;
            if seen.state == Some(State::Moving) {
                return Ok(Survey::waiting("the exchange of the manifest on the host"));
            }
            let [file] = seen.files.as_slice() else { return Err(not_one_file(look.target, &place, &seen.files)) };
            let edited = manifest::edit(&seen.text, PROGRAM, &self.edit())
                .map_err(|why| StepError::refused(format!("{}: {file}: {why}", look.target)))?;
            if edited.changes.is_empty() {
                return self.after(look, &seen).await;
            }
            if seen.state == Some(State::Reverted) {
                return Err(StepError::Refused {
                    why: format!("{}: the new process did not answer, and the old manifest is back", look.target),
                    hint: Some(format!("the text that failed is in {}/refused.yaml", place.beside())),
                });
            }
            let survey = Survey { changes: self.changes(&place, &seen, file, &edited), ..Survey::default() };
            Ok(if edited.kept_layout {
                survey
            } else {
                survey.saw("the manifest's layout could not be kept: its comments are lost until undo")
            })
        }
        .boxed()
    }
}

fn not_one_file(target: &Target, place: &Place, files: &[String]) -> StepError {
    let (why, hint) = if files.is_empty() {
        (format!("{target}: no manifest in {} starts {PROGRAM}", place.manifests), "set `manifests` of this host in the kit")
    } else {
        let why = format!("{target}: {} files start {PROGRAM}, and the kubelet may obey any of them", files.join(", "));
        (why, "move all but one of them out of the folder")
    };
    StepError::Refused { why, hint: Some(hint.to_owned()) }
}

fn place(target: &Target, cluster: &Cluster, run: &str) -> Option<Place> {
    let Part::Host(name) = &target.part else { return None };
    let host = cluster.host(name)?;
    Some(Place { manifests: host.manifests.clone(), program: PROGRAM.into(), run: run.to_owned() })
}

fn server_on(look: Look<'_>) -> Option<&ApiServer> {
    let Part::Host(name) = &look.target.part else { return None };
    look.reads.cluster(&look.target.cluster)?.api_servers.iter().find(|server| server.host.as_ref() == Some(name))
}

fn put(key: &str, path: String, blob: &Blob, there: Option<&str>, because: &str) -> Change {
    let expect = there.map_or(Expect::Absent, |sha| Expect::Sha256(sha.to_owned()));
    let back = FilePut { path: path.clone(), mode: 0o600, content: None, expect: Expect::Sha256(blob.sha256.clone()) };
    Change {
        key: key.to_owned(),
        guard: format!("{path} is what was seen"),
        by_hand: format!("write {path} by hand"),
        op: Op::File(FilePut { path, mode: 0o600, content: Some(blob.clone()), expect }),
        inverse: Inverse::By(Box::new(Op::File(back))),
        because: because.to_owned(),
        deadline_secs: 60,
        keep: Keep::Nothing,
    }
}

fn folder(place: &Place, because: &str) -> Change {
    let command =
        |script| Op::Host(HostCommand { script, fresh_connection: false, idempotent: true });
    Change {
        key: "folder".into(),
        op: command(swap::folder(place)),
        guard: format!("{} is for this run alone", place.beside()),
        inverse: Inverse::By(Box::new(command(swap::folder_away(place)))),
        because: because.to_owned(),
        by_hand: format!("mkdir -m 700 {}", place.beside()),
        deadline_secs: 30,
        keep: Keep::Nothing,
    }
}

fn command(swap: &Swap) -> Op {
    Op::Host(HostCommand { script: swap::swap(swap), fresh_connection: false, idempotent: true })
}

/// The port the API server listens on, as its manifest says it.
fn secure_port(text: &str) -> u16 {
    let flag = text.split_once("--secure-port=").map(|(_, rest)| rest);
    let digits = flag.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(6443)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(with: Value, part: &str) {
        let faults = ScaleApiserver.build(with).err().unwrap_or_default();
        assert!(faults.iter().any(|fault| fault.contains(part)), "{faults:?}");
    }

    #[test]
    fn bad_parameters_are_refused_by_name() {
        use serde_json::json;
        refused(json!({}), "nothing to change");
        refused(json!({ "limits": { "memory": "8 gigs" } }), "memory");
        refused(json!({ "limits": { "disk": "8Gi" } }), "disk");
        refused(json!({ "flags": { "--v": "4" } }), "without dashes");
        refused(json!({ "limit": {} }), "unknown field");
        assert!(ScaleApiserver.build(json!({ "limits": { "memory": "8Gi", "cpu": null } })).is_ok());
    }

    #[test]
    fn the_port_is_read_from_the_manifest() {
        assert_eq!(secure_port("    - --secure-port=7443\n"), 7443);
        assert_eq!(secure_port("- kube-apiserver"), 6443);
    }
}
