//! What a fake host does with the exchange of a manifest: its files are the fake's, its process lives for ever.

use base64::Engine as _;

use crate::change::{Target, sha256_hex};
use crate::host::certificates::{LAYOUT, kept_as};
use crate::host::pods::{PodsFreeze, PodsLook};
use crate::host::recovery::{RecoveryStart, RecoverySurvey};
use crate::host::swap::{ManifestFolder, ManifestLook, ManifestSwap, ManifestUnderWay};
use crate::world::ScriptOutput;

/// Files by host and path, as the fake holds them.
pub(super) type Files = std::collections::BTreeMap<(Target, String), (u32, Vec<u8>)>;

const RECOVERY: &str = "/run/breakglass-recovery/mark";
const FROZEN: &str = "/run/breakglass-frozen-";

/// What becomes of the next exchange on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exchange {
    /// What exchanges dies with the manifest out.
    Dies,
    /// What exchanges dies with the new manifest in.
    DiesIn,
    /// The new process does not answer, and the old manifest comes back.
    Reverts,
    /// The old manifest is in its place in the end, and the host noted it in this word.
    Ends(&'static str),
}

pub(super) fn ended(status: i32, stdout: impl Into<String>) -> ScriptOutput {
    ScriptOutput { status, stdout: stdout.into(), stderr: String::new() }
}

/// The files of one host.
pub(super) struct Host<'a> {
    pub(super) files: &'a mut Files,
    /// The client certificates of our own that its recovery API server takes.
    pub(super) own: &'a mut String,
    pub(super) at: &'a Target,
}

impl Host<'_> {
    pub(super) fn get(&self, path: &str) -> Option<&Vec<u8>> {
        self.files.get(&(self.at.clone(), path.to_owned())).map(|(_, bytes)| bytes)
    }

    pub(super) fn sum(&self, path: &str) -> Option<String> {
        self.get(path).map(|bytes| sha256_hex(bytes))
    }

    pub(super) fn mode(&self, path: &str) -> u32 {
        self.files.get(&(self.at.clone(), path.to_owned())).map_or(0o600, |(mode, _)| *mode)
    }

    /// The files in a folder, the folder's path with a slash at its end.
    pub(super) fn under(&self, folder: &str) -> Vec<(String, Vec<u8>)> {
        let here = self.files.iter().filter(|((at, path), _)| at == self.at && path.starts_with(folder));
        here.map(|((_, path), (_, bytes))| (path.clone(), bytes.clone())).collect()
    }

    pub(super) fn put(&mut self, path: &str, bytes: &[u8]) {
        self.files.insert((self.at.clone(), path.to_owned()), (0o600, bytes.to_vec()));
    }

    pub(super) fn take(&mut self, path: &str) -> Option<Vec<u8>> {
        self.files.remove(&(self.at.clone(), path.to_owned())).map(|(_, bytes)| bytes)
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) {
        if let Some(bytes) = self.take(from) {
            self.put(to, &bytes);
        }
    }

    pub(super) fn look(&self, ManifestLook { manifests, program, beside }: &ManifestLook) -> ScriptOutput {
        let mut out = String::from("process=1:1\n");
        for file in self.manifests(manifests, program) {
            let bytes = self.get(&file).map(Vec::as_slice).unwrap_or_default();
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            out.push_str(&format!("file={file}\nsha256={}\nmode=600\ntext={text}\n", sha256_hex(bytes)));
        }
        for name in ["before", "next"] {
            if let Some(sum) = self.sum(&format!("{beside}/{name}.yaml")) {
                out.push_str(&format!("{name}={sum}\n"));
            }
        }
        if self.get(&format!("{beside}/.")).is_some() {
            out.push_str(&format!("folder={beside}\n"));
        }
        if self.get(&format!("{beside}/mark")).is_some() {
            out.push_str("marked=0\n");
        }
        if let Some(state) = self.text(&format!("{beside}/state")) {
            out.push_str(&format!("state={state}\n"));
        }
        ended(0, out + &self.others(manifests, beside) + "looked=yes\n")
    }

    /// The files of a folder that name a program, in the order in which a kubelet reads them.
    pub(super) fn manifests(&self, manifests: &str, program: &str) -> Vec<String> {
        let folder = format!("{manifests}/");
        let names = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(program);
        let ours = self.files.iter().filter(|((at, path), (_, bytes))| {
            at == self.at && path.strip_prefix(&folder).is_some_and(|name| !name.contains('/')) && names(bytes)
        });
        ours.map(|((_, path), _)| path.clone()).collect()
    }

    pub(super) fn under_way(&self, look: &ManifestUnderWay) -> ScriptOutput {
        ended(0, self.others(&look.manifests, "") + "looked=yes\n")
    }

    /// What runs have left beside the manifests.
    pub(super) fn left(&self, manifests: &str) -> ScriptOutput {
        let parent = manifests.rsplit_once('/').map_or("", |(parent, _)| parent);
        let mut out = String::new();
        for (path, _) in self.under(&format!("{parent}/breakglass-")).iter().filter(|(path, _)| path.ends_with("/.")) {
            let folder = path.trim_end_matches("/.");
            out.push_str(&format!("folder={folder}\nage=1\n"));
            for (path, bytes) in self.under(&format!("{folder}/")) {
                let name = path.rsplit('/').next().unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes).into_owned();
                match name {
                    "before.yaml" => out.push_str(&format!("before={}\n", sha256_hex(&bytes))),
                    "state" => out.push_str(&format!("state={text}\n")),
                    _ if name.starts_with("next") => out.push_str(&format!("next={}\n", sha256_hex(&bytes))),
                    _ if name.starts_with("stray-") => out.push_str(&format!("stray={}\n", &name[6..])),
                    _ => {}
                }
            }
        }
        // Copies of certificates need no folder here.
        let kept = self.under("/etc/kubernetes/breakglass-");
        let mut last = String::new();
        for (path, bytes) in &kept {
            let (folder, name) = path.rsplit_once('/').unwrap_or_default();
            let Some(item) = LAYOUT.iter().find(|item| kept_as(item.path) == name) else { continue };
            if last != folder {
                out.push_str(&format!("folder={folder}\n"));
                folder.clone_into(&mut last);
            }
            let same = self.get(item.path) == Some(bytes);
            out.push_str(&format!("{}={}\n", if same { "kept" } else { "renewed" }, item.path));
        }
        for (path, text) in self.under(&format!("{manifests}/")) {
            out.push_str(&format!("manifest={} {path}\n", sha256_hex(&text)));
        }
        ended(0, out + "end=yes\n")
    }

    pub(super) fn folder(&mut self, ManifestFolder { path, run, operator, program }: &ManifestFolder) -> ScriptOutput {
        self.put(&format!("{path}/."), b"");
        self.put(&format!("{path}/mark"), format!("{run}\n{operator}\n{program}\n").as_bytes());
        ended(0, "")
    }

    fn text(&self, path: &str) -> Option<String> {
        self.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// What stands in the other folders beside the manifests. The age of a mark is its fourth line.
    fn others(&self, manifests: &str, own: &str) -> String {
        let parent = manifests.rsplit_once('/').map_or("", |(parent, _)| parent);
        let beside = format!("{parent}/breakglass-");
        let ours = self.files.keys().filter(|(at, path)| at == self.at && path.starts_with(&beside));
        let folders: std::collections::BTreeSet<&str> =
            ours.filter_map(|(_, path)| path.rsplit_once('/')).map(|(folder, _)| folder).collect();
        let mut out = String::new();
        for folder in folders.into_iter().filter(|folder| *folder != own) {
            let text = |name: &str| self.text(&format!("{folder}/{name}")).unwrap_or_default();
            let (order, mark) = (text("order"), text("mark"));
            let line = |text: &str, number: usize| text.lines().nth(number).unwrap_or_default().to_owned();
            let file = line(&order, 0);
            let (run, by) =
                if order.is_empty() { (line(&mark, 0), line(&mark, 1)) } else { (line(&order, 2), line(&order, 3)) };
            let gone = !file.is_empty() && self.get(&file).is_none() && !text("out.yaml").is_empty();
            let (is, age) = match text("state").as_str() {
                "out" | "in" => ("moving", "1".to_owned()),
                _ if gone => ("out", "1".to_owned()),
                "broken" => ("broken", "1".to_owned()),
                _ if !mark.is_empty() => ("marked", line(&mark, 3)),
                _ => continue,
            };
            out.push_str(&format!(
                "other.folder={folder}\nother.is={is}\nother.age={age}\nother.file={file}\nother.run={run}\nother.by={by}\n"
            ));
        }
        out
    }

    pub(super) fn folder_away(&mut self, folder: &str) -> ScriptOutput {
        if matches!(self.text(&format!("{folder}/state")).as_deref(), Some("out" | "in" | "broken")) {
            return ended(5, "failed=an exchange is under way or broke off\n");
        }
        for name in ["state", "order", "mark", "refused.yaml"] {
            self.take(&format!("{folder}/{name}"));
        }
        let inside = |path: &String| path.starts_with(&format!("{folder}/")) && !path.ends_with("/.");
        if self.files.keys().any(|(at, path)| at == self.at && inside(path)) {
            return ended(1, "failed=it is not empty\n");
        }
        self.take(&format!("{folder}/."));
        ended(0, "folder=absent\n")
    }

    pub(super) fn mend(&mut self, beside: &str) -> ScriptOutput {
        let order = self.text(&format!("{beside}/order")).filter(|_| self.is_broken(beside));
        if let Some(order) = order {
            let file = order.lines().next().unwrap_or_default();
            if self.get(file).is_none() {
                self.rename(&format!("{beside}/out.yaml"), file);
            }
            self.take(&format!("{beside}/out.yaml"));
            self.take(&format!("{beside}/state"));
        }
        ended(0, "mended=yes\n")
    }

    /// Its recovery API server is a file here: who started it, and its port.
    pub(super) fn recovery(&self) -> String {
        let Some(mark) = self.text(RECOVERY) else { return String::new() };
        let mut words = mark.split_whitespace();
        let (run, port) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let own = base64::engine::general_purpose::STANDARD.encode(&self.own);
        format!(
            "recovery.run={run}\nrecovery.by=alice\nrecovery.port={port}\nrecovery.age=1\nrecovery.left=899\nrecovery.watched=yes\n\
             recovery.server=77\nrecovery.listens=yes\nrecovery.trust=YQ==\nrecovery.own={own}\n"
        )
    }

    /// One pod of the workload on each host, at rest where a freeze stands.
    pub(super) fn pods(&self, look: &PodsLook) -> ScriptOutput {
        let name = look.forms.split('[').next().unwrap_or_default();
        let still = if self.under(FROZEN).is_empty() { "no" } else { "yes" };
        let uid = "25100346-8177-4ea8-95c8-4a40b468054f";
        ended(0, format!("{}pod={uid} {name}7xk2p 2 {still}\nend=yes\n", self.frozen()))
    }

    /// The freezes that stand, each a file.
    pub(super) fn frozen(&self) -> String {
        let one =
            |(folder, mark): (String, Vec<u8>)| format!("frozen.folder={folder}\n{}", String::from_utf8_lossy(&mark));
        self.under(FROZEN).into_iter().map(one).collect()
    }

    pub(super) fn freeze(&mut self, order: &PodsFreeze) -> ScriptOutput {
        let PodsFreeze { folder, run, operator, reason, object, .. } = order;
        let mark = format!(
            "frozen.run={run}\nfrozen.by={operator}\nfrozen.object={object}\nfrozen.why={reason}\nfrozen.age=1\nfrozen.left=1799\n\
             frozen.watched=yes\nfrozen.held=1\n"
        );
        self.put(folder, mark.as_bytes());
        ended(0, "pods=1\nfrozen=1\n")
    }

    pub(super) fn thaw(&mut self, folder: &str) -> ScriptOutput {
        let thawed = if self.take(folder).is_some() { "1" } else { "absent" };
        ended(0, format!("thawed={thawed}\n"))
    }

    pub(super) fn recovery_survey(&self, RecoverySurvey { manifests }: &RecoverySurvey) -> ScriptOutput {
        let file = format!("{manifests}/kube-apiserver.yaml");
        let text = self.get(&file).map(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes));
        let text = text.map_or_else(String::new, |text| format!("file={file}\ntext={text}\n"));
        ended(0, self.recovery() + &text + "available=9000000\nend=yes\n")
    }

    pub(super) fn recovery_start(&mut self, RecoveryStart { run, port, own, .. }: &RecoveryStart) -> ScriptOutput {
        self.put(RECOVERY, format!("{run} {port}").as_bytes());
        own.clone_into(self.own);
        ended(0, "started=yes\n")
    }

    pub(super) fn recovery_extend(&mut self, own: &str) -> ScriptOutput {
        self.own.push_str(own);
        ended(0, "")
    }

    pub(super) fn recovery_stop(&mut self) -> ScriptOutput {
        self.take(RECOVERY);
        ended(0, "recovery=absent\n")
    }

    fn is_broken(&self, beside: &str) -> bool {
        self.text(&format!("{beside}/state")).as_deref() == Some("broken")
    }

    pub(super) fn swap(&mut self, swap: &ManifestSwap, next: &mut Option<Exchange>) -> ScriptOutput {
        let ManifestSwap { file, staged, from, to, beside, run, operator, program, only_while, .. } = swap;
        let mark = format!("{beside}/mark");
        self.mend(beside);
        if self.sum(file).as_ref() == Some(to) {
            self.take(&mark);
            return ended(0, "state=ready\n");
        }
        if self.sum(file).as_ref() != Some(from) {
            return ended(4, "failed=it is not what was seen before\n");
        }
        if self.sum(staged).as_ref() != Some(to) {
            return ended(4, "failed=it is not what was staged\n");
        }
        if let Some((path, sha256)) = only_while.as_ref().and_then(|file| file.rsplit_once(' '))
            && self.sum(path).as_deref() != Some(sha256)
        {
            return ended(4, "failed=another file is not what was put there\n");
        }
        let new = self.get(staged).cloned().unwrap_or_default();
        let order = format!("{file}\n{from}-{to}\n{run}\n{operator}\n{program}\n");
        self.put(&format!("{beside}/order"), order.as_bytes());
        self.take(&mark);
        let out = format!("{beside}/out.yaml");
        let (state, output) = match next.take() {
            None => {
                self.put(file, &new);
                ("ready", ended(0, "state=ready\n"))
            }
            Some(Exchange::Dies) => {
                self.rename(file, &out);
                ("broken", ended(7, "unknown=it did not end well\n"))
            }
            Some(Exchange::DiesIn) => {
                self.rename(file, &out);
                self.put(file, &new);
                ("broken", ended(7, "unknown=it did not end well\n"))
            }
            Some(Exchange::Reverts) => ("reverted", ended(6, "failed=the new process did not answer\n")),
            Some(Exchange::Ends(state)) => (state, ended(6, "failed=the old manifest is in its place\n")),
        };
        self.put(&format!("{beside}/state"), state.as_bytes());
        output
    }
}

/// What each host has: a kubeconfig with a token.
pub(super) fn credentials() -> String {
    let config = "current-context: a\ncontexts:\n- name: a\n  context: {cluster: c, user: u}\nusers:\n- name: u\n  user: {token: hush}\n";
    let text = base64::engine::general_purpose::STANDARD.encode(config);
    format!("file=/etc/kubernetes/super-admin.conf\ntext={text}\nauthority=/etc/kubernetes/pki/ca.crt\nend=yes\n")
}
