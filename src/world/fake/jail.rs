//! What a fake host does with the file of its API server's authorizers, where it has one.

use base64::Engine as _;

use super::host::{Host, ended};
use crate::change::sha256_hex;
use crate::host::authorizers::{AuthorizersAway, AuthorizersLook, AuthorizersPut};
use crate::host::jail::{BEGINS, JailLook, JailPut, JailTakeOut, kubeconfig_beside};
use crate::world::ScriptOutput;

/// The file that a fake API server reads its authorizers from, where it is there.
pub(crate) const AUTHORIZERS: &str = "/etc/kubernetes/authorization/config.yaml";

impl Host<'_> {
    pub(super) fn jail_look(&self, order: &JailLook) -> ScriptOutput {
        let Some(text) = self.get(AUTHORIZERS).map(|bytes| String::from_utf8_lossy(bytes).into_owned()) else {
            return ended(0, "process=900\nmode=Node,RBAC\nconfig=\nlog=none\nend=yes\n");
        };
        let encoded = base64::engine::general_purpose::STANDARD.encode(&text);
        let stands = text.contains(&format!("# breakglass jail {}: begin", order.jail));
        let refused = if stands { 3 } else { 0 };
        let names = self.under("/etc/kubernetes/authorization/breakglass-jail-");
        let kubeconfig = if names.is_empty() { "" } else { "kubeconfig=yes\n" };
        ended(
            0,
            format!(
                "process=900\nmode=\nconfig={AUTHORIZERS}\nfile={AUTHORIZERS}\nsha256={}\ntext={encoded}\n{kubeconfig}age=4\n\
                 log=/var/log/audit.log\nrefused={refused}\nserved=0\nwatches=1\nend=yes\n",
                sha256_hex(text.as_bytes())
            ),
        )
    }

    pub(super) fn jails(&self) -> ScriptOutput {
        let Some(text) = self.get(AUTHORIZERS).map(|bytes| String::from_utf8_lossy(bytes).into_owned()) else {
            return ended(0, "end=yes\n");
        };
        let mut out = format!("file={AUTHORIZERS}\n");
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2).filter(|pair| pair[0].starts_with(BEGINS) && pair[0].ends_with("begin")) {
            out.push_str(&format!("begin={}\nabout={}\n", pair[0], pair[1]));
        }
        ended(0, out + "end=yes\n")
    }

    pub(super) fn jail_put(&mut self, order: &JailPut) -> ScriptOutput {
        let JailPut { file, name, from, at, block, to } = order;
        let text = self.get(file).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        if text.contains(block.as_str()) {
            return ended(0, "");
        }
        if sha256_hex(text.as_bytes()) != *from {
            return ended(4, "failed=it is not what was seen before\n");
        }
        let (before, after) = text.split_at(at.parse().unwrap());
        let new = [before, block, after].concat();
        assert_eq!(sha256_hex(new.as_bytes()), *to);
        self.put(&kubeconfig_beside(file, name), b"nowhere");
        self.put(file, new.as_bytes());
        ended(0, "")
    }

    pub(super) fn jail_take_out(&mut self, order: &JailTakeOut) -> ScriptOutput {
        let JailTakeOut { file, name, block } = order;
        let text = self.get(file).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        let without = text.replacen(block.as_str(), "", 1);
        if without.contains(name.as_str()) || text.is_empty() {
            return ended(4, "failed=somebody has changed the lines\n");
        }
        self.put(file, without.as_bytes());
        self.take(&kubeconfig_beside(file, name));
        ended(0, "")
    }

    pub(super) fn authorizers(&self, order: &AuthorizersLook) -> ScriptOutput {
        let folder = order.file.rsplit_once('/').unwrap().0;
        let there = if self.under(&format!("{folder}/")).is_empty() { "" } else { "folder=yes\n" };
        let sum = self.sum(&order.file).map_or_else(String::new, |sum| format!("sha256={sum}\n"));
        let manifest = self.get(&format!("{}/kube-apiserver.yaml", order.manifests)).cloned().unwrap_or_default();
        let config = if String::from_utf8_lossy(&manifest).contains(&order.file) { &order.file } else { "" };
        ended(0, format!("config={config}.\n{there}{sum}end=yes\n"))
    }

    pub(super) fn authorizers_put(&mut self, order: &AuthorizersPut) -> ScriptOutput {
        match self.sum(&order.file) {
            Some(sum) if sum == order.sha256 => {}
            Some(_) => return ended(4, "failed=it is there already\n"),
            None => self.put(&order.file, order.text.as_bytes()),
        }
        ended(0, "")
    }

    pub(super) fn authorizers_away(&mut self, order: &AuthorizersAway) -> ScriptOutput {
        if self.sum(&order.file).is_some_and(|sum| sum != order.sha256) {
            return ended(4, "failed=it is not what was put there\n");
        }
        self.take(&order.file);
        ended(0, "")
    }
}
