//! What a fake host does about a component that is down: it is so while the last of its manifests gives a flag that begins with `bad`.

use base64::Engine as _;

use super::host::{Host, ended};
use crate::host::rescue::copy::ManifestCopy;
use crate::host::rescue::{ManifestEvidence, ManifestMove, ManifestReplace};
use crate::world::ScriptOutput;

impl Host<'_> {
    pub(super) fn evidence(&self, order: &ManifestEvidence) -> ScriptOutput {
        let last = self.manifests(&order.manifests, &order.program).pop();
        let text = last.and_then(|file| self.get(&file).cloned()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let word = |rest: &str| rest.split(['=', '\n', '\r', '"', ' ']).next().unwrap_or_default().to_owned();
        let bad = text.find("bad-").map(|at| word(&text[at..]));
        let said = match bad {
            Some(flag) => format!("started=3\nlog.file=/var/log/pods/x/3.log\nlog=Error: unknown flag: --{flag}\n"),
            None if text.is_empty() => String::new(),
            // Another text is another process.
            None => format!("answers=yes\nlistens=yes\nprocess={} 300\n", crate::words::fnv(text.bytes())),
        };
        ended(0, said + "runs=kubelet\nend=yes\n")
    }

    pub(super) fn copy(&self, order: &ManifestCopy) -> ScriptOutput {
        let encoded = |key: &str, path: &str| {
            let text = self.get(path).map(|bytes| base64::engine::general_purpose::STANDARD.encode(bytes));
            text.map(|text| format!("{key}={text}\n"))
        };
        let missing = || format!("no=there is no file {}\n", order.from);
        let text =
            if order.from.is_empty() { String::new() } else { encoded("text", &order.from).unwrap_or_else(missing) };
        ended(0, text + &encoded("there=yes\nold", &order.file).unwrap_or_default() + "end=yes\n")
    }

    pub(super) fn replace(&mut self, order: &ManifestReplace) -> ScriptOutput {
        let ManifestReplace { file, from, staged, to, .. } = order;
        if self.sum(file).as_ref() == Some(to) {
            return ended(0, "");
        }
        if self.sum(file).as_ref() != Some(from) {
            return ended(4, "failed=it is not what was seen before\n");
        }
        if self.sum(staged).as_ref() != Some(to) {
            return ended(4, "failed=it is not what was staged\n");
        }
        let new = self.get(staged).cloned().unwrap_or_default();
        self.put(file, &new);
        ended(0, "")
    }

    pub(super) fn moved(&mut self, order: &ManifestMove) -> ScriptOutput {
        let ManifestMove { file, to, sha256, stays, .. } = order;
        if self.sum(to).as_ref() == Some(sha256) && self.get(file).is_none() {
            return ended(0, "");
        }
        if self.sum(file).as_ref() != Some(sha256) || self.get(to).is_some() {
            return ended(4, "failed=it is not what was seen before\n");
        }
        if !stays.is_empty() && self.get(stays).is_none() {
            return ended(4, "failed=it would be the last one\n");
        }
        self.rename(file, to);
        ended(0, "")
    }
}
