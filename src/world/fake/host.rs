//! What a fake host does with the exchange of a manifest: its files are the fake's, its process lives for ever.

use base64::Engine as _;

use crate::change::{Target, sha256_hex};
use crate::script::Script;
use crate::world::ScriptOutput;

/// Files by host and path, as the fake holds them.
type Files = std::collections::BTreeMap<(Target, String), (u32, Vec<u8>)>;

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

/// One host and one script of the exchange.
struct Host<'a> {
    files: &'a mut Files,
    at: &'a Target,
    script: &'a Script,
}

/// Runs a script of the exchange; `None`: it is none.
pub(super) fn run(
    files: &mut Files,
    next: &mut Option<Exchange>,
    at: &Target,
    script: &Script,
) -> Option<ScriptOutput> {
    let mut host = Host { files, at, script };
    match script.name.as_str() {
        "manifest.look" => Some(ended(0, host.look())),
        "manifest.folder" => {
            let mark = format!("{}\n{}\n{}\n", host.arg("run"), host.arg("operator"), host.arg("program"));
            host.put(&format!("{}/.", host.arg("path")), b"");
            host.put(&format!("{}/mark", host.arg("path")), mark.as_bytes());
            Some(ended(0, ""))
        }
        "manifest.folder-away" => Some(host.folder_away()),
        "manifest.mend" => {
            host.mend();
            Some(ended(0, "mended=yes\n"))
        }
        "manifest.swap" => Some(host.swap(next)),
        "manifest.room" => {
            Some(ended(0, "total=16384000\navailable=9000000\ncpus=8\nmemory=2500000 2600000\nend=yes\n"))
        }
        "manifest.why" => Some(ended(0, "said=HTTP 500\nlog=Error: it did not like it\nend=yes\n")),
        "manifest.under-way" => Some(ended(0, host.others() + "looked=yes\n")),
        _ => None,
    }
}

impl Host<'_> {
    fn arg(&self, key: &str) -> String {
        self.script.args.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone()).unwrap_or_default()
    }

    fn beside(&self, name: &str) -> String {
        format!("{}/{name}", self.arg("beside"))
    }

    fn get(&self, path: &str) -> Option<&Vec<u8>> {
        self.files.get(&(self.at.clone(), path.to_owned())).map(|(_, bytes)| bytes)
    }

    fn sum(&self, path: &str) -> Option<String> {
        self.get(path).map(|bytes| sha256_hex(bytes))
    }

    fn put(&mut self, path: &str, bytes: &[u8]) {
        self.files.insert((self.at.clone(), path.to_owned()), (0o600, bytes.to_vec()));
    }

    fn take(&mut self, path: &str) -> Option<Vec<u8>> {
        self.files.remove(&(self.at.clone(), path.to_owned())).map(|(_, bytes)| bytes)
    }

    fn rename(&mut self, from: &str, to: &str) {
        if let Some(bytes) = self.take(from) {
            self.put(to, &bytes);
        }
    }

    fn look(&self) -> String {
        let mut out = String::from("process=1:1\n");
        let file = format!("{}/{}.yaml", self.arg("manifests"), self.arg("program"));
        if let Some(bytes) = self.get(&file) {
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            out.push_str(&format!("file={file}\nsha256={}\nmode=600\ntext={text}\n", sha256_hex(bytes)));
        }
        for name in ["before", "next"] {
            if let Some(sum) = self.sum(&self.beside(&format!("{name}.yaml"))) {
                out.push_str(&format!("{name}={sum}\n"));
            }
        }
        if self.get(&self.beside(".")).is_some() {
            out.push_str(&format!("folder={}\n", self.arg("beside")));
        }
        if self.get(&self.beside("mark")).is_some() {
            out.push_str("marked=0\n");
        }
        if let Some(state) = self.get(&self.beside("state")) {
            out.push_str(&format!("state={}\n", String::from_utf8_lossy(state)));
        }
        out + &self.others() + "looked=yes\n"
    }

    fn text(&self, path: &str) -> Option<String> {
        self.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// What stands in the other folders beside the manifests. The age of a mark is its fourth line.
    fn others(&self) -> String {
        let manifests = self.arg("manifests");
        let parent = manifests.rsplit_once('/').map_or("", |(parent, _)| parent);
        let beside = format!("{parent}/breakglass-");
        let ours = self.files.keys().filter(|(at, path)| at == self.at && path.starts_with(&beside));
        let folders: std::collections::BTreeSet<&str> =
            ours.filter_map(|(_, path)| path.rsplit_once('/')).map(|(folder, _)| folder).collect();
        let mut out = String::new();
        for folder in folders.into_iter().filter(|folder| *folder != self.arg("beside")) {
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

    fn folder_away(&mut self) -> ScriptOutput {
        let folder = self.arg("path");
        let state = self.get(&format!("{folder}/state")).map(|state| String::from_utf8_lossy(state).into_owned());
        if matches!(state.as_deref(), Some("out" | "in" | "broken")) {
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

    fn mend(&mut self) {
        if self.get(&self.beside("state")).map(Vec::as_slice) != Some(b"broken") {
            return;
        }
        let Some(order) = self.get(&self.beside("order")) else { return };
        let file = String::from_utf8_lossy(order).lines().next().unwrap_or_default().to_owned();
        if self.get(&file).is_none() {
            self.rename(&self.beside("out.yaml"), &file);
        }
        self.take(&self.beside("out.yaml"));
        self.take(&self.beside("state"));
    }

    fn swap(&mut self, next: &mut Option<Exchange>) -> ScriptOutput {
        self.mend();
        let (file, staged, from, to) = (self.arg("file"), self.arg("staged"), self.arg("from"), self.arg("to"));
        if self.sum(&file).as_ref() == Some(&to) {
            self.take(&self.beside("mark"));
            return ended(0, "state=ready\n");
        }
        if self.sum(&file).as_ref() != Some(&from) {
            return ended(4, "failed=it is not what was seen before\n");
        }
        if self.sum(&staged).as_ref() != Some(&to) {
            return ended(4, "failed=it is not what was staged\n");
        }
        let new = self.get(&staged).cloned().unwrap_or_default();
        let (run, operator, program) = (self.arg("run"), self.arg("operator"), self.arg("program"));
        let order = format!("{file}\n{from}-{to}\n{run}\n{operator}\n{program}\n");
        self.put(&self.beside("order"), order.as_bytes());
        self.take(&self.beside("mark"));
        let (state, output) = match next.take() {
            None => {
                self.put(&file, &new);
                ("ready", ended(0, "state=ready\n"))
            }
            Some(Exchange::Dies) => {
                self.rename(&file, &self.beside("out.yaml"));
                ("broken", ended(7, "unknown=it did not end well\n"))
            }
            Some(Exchange::DiesIn) => {
                self.rename(&file, &self.beside("out.yaml"));
                self.put(&file, &new);
                ("broken", ended(7, "unknown=it did not end well\n"))
            }
            Some(Exchange::Reverts) => ("reverted", ended(6, "failed=the new process did not answer\n")),
            Some(Exchange::Ends(state)) => (state, ended(6, "failed=the old manifest is in its place\n")),
        };
        self.put(&self.beside("state"), state.as_bytes());
        output
    }
}
