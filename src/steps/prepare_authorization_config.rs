//! `prepare-authorization-config`: API servers read their authorizers from a file from now on, so that a jail is a matter of a second.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::static_pod::{Patience, Progress, StaticPod, Wanted, ready_again};
use super::{Announced, Fault, Kind, Look, Scope, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Change, Inverse, Keep, Op, Part, Target, sha256_hex};
use crate::host::authorizers::{self, FILE, Seen};
use crate::host::manifest::{self, Edit};
use crate::host::room::Ask;
use crate::kit::{Cluster, Host};

const LOOK_LIMIT: Duration = Duration::from_secs(30);
const PROGRAM: &str = "kube-apiserver";
const MODE: &str = "authorization-mode";
const CONFIG: &str = "authorization-config";

/// What would take it back without a word.
const UPGRADE: &str = "kubeadm writes the manifest anew at an upgrade: give it authorization-config as an extraArg of its apiServer, and \
                       the file's folder as an extraVolume, too (docs/jail.md)";

/// The step kind.
pub(super) struct PrepareAuthorizationConfig;

/// Where the file goes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// The file, on the host and as the API server sees it; its folder is mounted into the container.
    #[serde(default = "file")]
    file: String,
}

fn file() -> String {
    FILE.into()
}

impl Kind for PrepareAuthorizationConfig {
    fn name(&self) -> &'static str {
        "prepare-authorization-config"
    }

    fn doc(&self) -> &'static str {
        "Has API servers read their authorizers from a file, in peace, so that `jail` works at once in an incident.\n\n\
         One host at a time: the file is made (Node and RBAC, in the order of the flag), and the static-pod manifest exchanged for \
         one with `--authorization-config` in the place of `--authorization-mode` and the file's folder mounted. Who is allowed what \
         does not change. Refused before anything is written: another mode than Node and RBAC, `--authorization-webhook-*`, a release \
         before 1.30, a manifest that another program writes again, a file that is there and says something else. Costs no API request \
         but one GET /readyz per look; the API server on the host is away for the time of a restart (7 to 60 s), and its old manifest \
         comes back by itself where the new one does not answer. Undone by the same exchange backwards, to the same bytes, and not \
         while a jail stands in the file."
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
        let Params { file } = params(with)?;
        let parts: Vec<&str> = file.split('/').collect();
        let plain = |part: &&str| {
            !matches!(*part, "" | "." | "..") && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        match parts.as_slice() {
            ["", folders @ .., _] if folders.len() >= 2 && parts[1..].iter().all(plain) => {
                Ok(Box::new(Prepare { file }))
            }
            _ => Err(vec![Fault::at(
                "file",
                "it is the absolute path of a file, in a folder of its own, of plain letters",
            )]),
        }
    }
}

struct Prepare {
    file: String,
}

fn host_of<'a>(target: &Target, cluster: &'a Cluster) -> Option<&'a Host> {
    match &target.part {
        Part::Host(name) => cluster.host(name),
        Part::Cluster | Part::ApiServer(_) | Part::Local => None,
    }
}

impl Prepare {
    fn pod() -> StaticPod {
        StaticPod {
            program: PROGRAM,
            tag: "authorizers",
            health: "/livez",
            port: 6443,
            patience: Patience { exit: 60, asked: None, ready: 90 },
            lasting: true,
        }
    }

    fn folder(&self) -> &str {
        self.file.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// What the API server itself has to know.
    fn ask(&self) -> Ask {
        Ask { flags: vec![format!("--{CONFIG}={}", self.file)], names: Vec::new() }
    }

    /// What the manifest is to become, and the file's text; nothing where the manifest names a file already.
    fn wanted(&self, manifest: &str) -> Result<Option<(Edit, String)>, String> {
        let flag = |name: &str| manifest::flag(manifest, PROGRAM, name);
        if let Some(other) = flag(CONFIG)?.pop() {
            return if other == self.file { Ok(None) } else { Err(format!("it runs with --{CONFIG}={other} already")) };
        }
        for webhook in ["config-file", "version", "cache-authorized-ttl", "cache-unauthorized-ttl"] {
            let name = format!("authorization-webhook-{webhook}");
            if !flag(&name)?.is_empty() {
                return Err(format!(
                    "it has --{name}, which excludes a file: write the webhook into {} by hand, first",
                    self.file
                ));
            }
        }
        let given = flag(MODE)?;
        let modes: Vec<String> =
            given.iter().flat_map(|list| list.split(',')).map(|mode| mode.trim().to_owned()).collect();
        let release = manifest::release(&manifest::image(manifest, PROGRAM)?, PROGRAM);
        let text = authorizers::text(&modes, release)?;
        let flags = [(MODE.to_owned(), None), (CONFIG.to_owned(), Some(self.file.clone()))].into();
        let edit = Edit { flags, folders: vec![self.folder().to_owned()], ..Edit::default() };
        Ok(Some((edit, text)))
    }

    async fn look(&self, look: Look<'_>) -> Result<Survey, StepError> {
        let none = || StepError::refused(format!("{} is not a host of the kit", look.target));
        let host = look
            .reads
            .cluster(&look.target.cluster)
            .and_then(|cluster| host_of(look.target, cluster))
            .ok_or_else(none)?;
        // What the file has to say, as this host's manifest says it.
        let text = Mutex::new(None);
        let edit = |manifest: &str| {
            let Some((edit, says)) = self.wanted(manifest)? else { return Ok(Wanted::from(Edit::default())) };
            let back_only_while = Some((self.file.clone(), sha256_hex(says.as_bytes())));
            *text.lock().unwrap_or_else(PoisonError::into_inner) = Some(says);
            Ok(Wanted { edit, back_only_while })
        };
        let progress = Self::pod().survey(look, &self.ask(), edit).await?;
        let query = authorizers::look(&host.manifests, &self.file);
        let seen = look.reads.ask(look.target, &query, LOOK_LIMIT).await?;
        match progress {
            Progress::Open(survey) => {
                let text = text.into_inner().unwrap_or_else(PoisonError::into_inner);
                match text.filter(|_| !survey.changes.is_empty()) {
                    Some(text) => self.with_file(look, &seen, &text, survey),
                    None => Ok(survey),
                }
            }
            Progress::Settled { ours: false, .. } => {
                Ok(Survey::done().saw(format!("its manifest says --{CONFIG}={} already", self.file)))
            }
            Progress::Settled { seen: pod, .. } => {
                let survey = ready_again(look, &pod).await?;
                let runs = seen.configs.iter().all(|config| *config == self.file) && !seen.configs.is_empty();
                Ok(match survey.waiting_for {
                    None if runs => survey.saw(format!("it runs with --{CONFIG}={}", self.file)).saw(UPGRADE),
                    None => Survey::waiting(format!("a process of it that was told --{CONFIG}={}", self.file)),
                    Some(_) => survey,
                })
            }
        }
    }

    /// The file comes before the manifest that names it.
    fn with_file(&self, look: Look<'_>, seen: &Seen, text: &str, mut survey: Survey) -> Result<Survey, StepError> {
        let (target, file) = (look.target, &self.file);
        let sha256 = sha256_hex(text.as_bytes());
        let refused = |why: String| StepError::Refused {
            why: format!("{target}: {why}"),
            hint: Some(format!("on {}: ls -la {} {file}", target.short(), self.folder())),
        };
        if let Some(why) = &seen.no {
            return Err(refused(why.clone()));
        }
        match &seen.sha256 {
            Some(there) if *there == sha256 => {}
            Some(_) => {
                return Err(refused(format!(
                    "{file} is there already and says something else than --{MODE} does: what of both is meant, no program can know"
                )));
            }
            None => survey.changes.insert(0, self.change(text, &sha256, !seen.folder)),
        }
        Ok(survey)
    }

    fn change(&self, text: &str, sha256: &str, with_folder: bool) -> Change {
        let file = &self.file;
        Change {
            key: "authorizers".into(),
            note: None,
            op: Op::order(authorizers::put(file, text)),
            guard: format!("there is no {file}"),
            inverse: Inverse::By(Box::new(Op::order(authorizers::away(file, sha256, with_folder)))),
            because: "the API server has to find it as it starts".into(),
            by_hand: format!("mkdir -p {}; vi {file}", self.folder()),
            deadline_secs: 60,
            keep: Keep::Nothing,
        }
    }
}

impl Step for Prepare {
    fn intent(&self) -> String {
        format!(
            "have each API server read its authorizers from {}, one host at a time; who is allowed what stays as it is",
            self.file
        )
    }

    fn announce(&self, target: &Target, cluster: &Cluster) -> Vec<Announced> {
        let Some(host) = host_of(target, cluster) else { return Vec::new() };
        let query = authorizers::look(&host.manifests, &self.file);
        let every = Times::Every { interval: self.interval(), until: Duration::from_mins(2) };
        let mut sent =
            vec![Announced::look(query, every, "reads the file, and what the API server that runs was told")];
        let put = authorizers::announced(&self.file);
        sent.push(Announced::op(Op::order(put), Times::Once, "makes the file, and its folder where there is none"));
        sent.extend(Self::pod().announce(target, cluster, &self.ask()));
        sent.push(Announced::get("/readyz", every, "the new process is ready"));
        sent
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        Self::pod().refuse(target, cluster)
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        self.look(look).boxed()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(flags: &[&str], image: &str) -> String {
        let flags: String = flags.iter().map(|flag| format!("    - {flag}\n")).collect();
        format!(
            "kind: Pod\nspec:\n  containers:\n  - command:\n    - kube-apiserver\n{flags}    image: registry.k8s.io/{image}\n    \
             name: kube-apiserver\n    volumeMounts:\n    - mountPath: /etc/kubernetes/pki\n      name: k8s-certs\n      readOnly: true\n  \
             volumes:\n  - hostPath:\n      path: /etc/kubernetes/pki\n      type: DirectoryOrCreate\n    name: k8s-certs\n"
        )
    }

    fn prepare() -> Prepare {
        Prepare { file: FILE.into() }
    }

    #[test]
    fn the_flag_becomes_a_file_whose_folder_is_mounted() {
        let before = pod(&["--authorization-mode=Node,RBAC", "--v=2"], "kube-apiserver:v1.34.4");
        let (edit, text) = prepare().wanted(&before).unwrap().unwrap();
        assert!(text.contains("--authorization-mode=Node,RBAC"), "{text}");
        let after = manifest::edit(&before, PROGRAM, &edit).unwrap().text;
        let wanted = before
            .replace("    - --authorization-mode=Node,RBAC\n    - --v=2\n", &format!("    - --v=2\n    - --authorization-config={FILE}\n"))
            .replace("    volumeMounts:\n", "    volumeMounts:\n    - mountPath: /etc/kubernetes/authorization\n      name: authorization\n      readOnly: true\n")
            .replace("  volumes:\n", "  volumes:\n  - hostPath:\n      path: /etc/kubernetes/authorization\n      type: Directory\n    name: authorization\n");
        assert_eq!(after, wanted);
        assert!(prepare().wanted(&after).unwrap().is_none(), "a second time there is nothing to do");
        // A folder above it that is mounted already does.
        let whole = before.replace("/etc/kubernetes/pki", "/etc/kubernetes");
        let (edit, _) = prepare().wanted(&whole).unwrap().unwrap();
        assert!(!manifest::edit(&whole, PROGRAM, &edit).unwrap().text.contains("name: authorization"));
        // And one that is another folder of the host does not.
        let other = whole.replace("path: /etc/kubernetes\n", "path: /srv/k\n");
        assert!(manifest::edit(&other, PROGRAM, &edit).unwrap_err().contains("another folder"));
    }

    #[test]
    fn what_the_file_cannot_say_is_refused() {
        let refused = |flags: &[&str], image: &str, part: &str| {
            let why = prepare().wanted(&pod(flags, image)).unwrap_err();
            assert!(why.contains(part), "{why}");
        };
        refused(&["--authorization-mode=Node,RBAC,Webhook", "--v=2"], "kube-apiserver:v1.34.4", "has Webhook");
        refused(
            &["--authorization-mode=RBAC", "--authorization-webhook-version=v1"],
            "kube-apiserver:v1.34.4",
            "excludes a file",
        );
        refused(&["--authorization-mode=RBAC"], "kube-apiserver:v1.28.1", "only from 1.30 on");
        refused(&["--v=2"], "kube-apiserver:v1.34.4", "everybody everything");
        refused(&["--authorization-config=/a/b/c"], "kube-apiserver:v1.34.4", "already");
        for file in ["config.yaml", "/config.yaml", "/etc/config.yaml", "/etc/../a/b", "/etc/it's/b", "/etc/a/"] {
            assert!(PrepareAuthorizationConfig.build(json!({"file": file})).is_err(), "{file}");
        }
        assert!(PrepareAuthorizationConfig.build(json!({})).is_ok());
    }
}
