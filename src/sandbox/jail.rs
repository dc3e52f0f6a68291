//! Simulated API servers that read their authorizers from a file, and know a jail when they see it.

use std::fmt::Write as _;

use base64::Engine as _;

use super::said::Said;
use super::world::{APISERVER, SimHost};
use crate::change::sha256_hex;
use crate::host::authorizers::{AuthorizersAway, AuthorizersLook, AuthorizersPut};
use crate::host::jail::{BEGINS, JailLook, JailPut, JailTakeOut, kubeconfig_beside};
use crate::host::manifest::{self, MANIFESTS};

/// What each pod of the offender tries in the seconds that a look takes into account.
const REFUSED: u64 = 12;

/// The value of a flag of its API server.
fn flag(host: &SimHost, name: &str) -> String {
    let text = host.files.get(&format!("{MANIFESTS}/{APISERVER}.yaml"));
    text.and_then(|text| manifest::flag(text, APISERVER, name).ok()?.pop()).unwrap_or_default()
}

pub(super) fn look(host: &SimHost, pods: u32, order: &JailLook) -> String {
    let (mode, config) = (flag(host, "authorization-mode"), flag(host, "authorization-config"));
    let mut out = format!("process={}\nmode={mode}\nconfig={config}\n", host.pid(APISERVER));
    if let Some(text) = host.files.get(&config) {
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        let _ = write!(
            out,
            "file={config}\nsha256={}\ntext={encoded}\nage=3\nlog=/var/log/audit.log\n",
            sha256_hex(text.as_bytes())
        );
        let stands = text.contains(&format!("# breakglass jail {}: begin", order.jail));
        let refused = if stands && pods > 0 { REFUSED } else { 0 };
        let _ = writeln!(out, "refused={refused}\nserved=0\nwatches=0");
        if host.files.keys().any(|path| path.ends_with(".kubeconfig")) {
            out.push_str("kubeconfig=yes\n");
        }
    } else if !config.is_empty() {
        let _ = writeln!(out, "no=there is no file {config}");
    }
    out + "end=yes\n"
}

/// The marks of all that stand.
pub(super) fn stands(host: &SimHost) -> String {
    let config = flag(host, "authorization-config");
    let Some(text) = host.files.get(&config) else { return "end=yes\n".into() };
    let mut out = format!("file={config}\n");
    let mut lines = text.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        if line.starts_with(BEGINS) && line.ends_with(": begin") {
            let _ = writeln!(out, "begin={line}\nabout={}", lines.peek().unwrap_or(&""));
        }
    }
    out + "end=yes\n"
}

pub(super) fn put(host: &mut SimHost, order: &JailPut) -> Said {
    let JailPut { file, name, from, at, block, to } = order;
    let text = host.files.get(file).cloned().unwrap_or_default();
    if text.contains(block.as_str()) {
        return Said::ok(format!("jailed={file}\n"));
    }
    let at: usize = at.parse().unwrap_or(usize::MAX);
    let Some((before, after)) = text.split_at_checked(at).filter(|_| sha256_hex(text.as_bytes()) == *from) else {
        return Said::failed(4, &format!("{file} is not what was seen before: somebody else has changed it"));
    };
    let new = [before, block, after].concat();
    if sha256_hex(new.as_bytes()) != *to {
        return Said::failed(3, "the new text was not written whole");
    }
    host.files.insert(kubeconfig_beside(file, name), String::new());
    host.files.insert(file.clone(), new);
    Said::ok(format!("jailed={file}\n"))
}

pub(super) fn take_out(host: &mut SimHost, order: &JailTakeOut) -> Said {
    let JailTakeOut { file, name, block } = order;
    let Some(text) = host.files.get(file) else { return Said::failed(4, &format!("{file} is gone")) };
    let without = text.replacen(block.as_str(), "", 1);
    if without.contains(name.as_str()) {
        return Said::failed(4, &format!("somebody has changed the lines of this jail in {file}"));
    }
    host.files.insert(file.clone(), without);
    host.files.remove(&kubeconfig_beside(file, name));
    Said::ok(format!("free={file}\n"))
}

pub(super) fn authorizers(host: &SimHost, order: &AuthorizersLook) -> String {
    let mut out = format!("config={}.\n", flag(host, "authorization-config"));
    let folder = order.file.rsplit_once('/').map_or("", |(folder, _)| folder);
    if host.files.keys().any(|path| path.starts_with(&format!("{folder}/"))) {
        out.push_str("folder=yes\n");
    }
    if let Some(text) = host.files.get(&order.file) {
        let _ = writeln!(out, "sha256={}", sha256_hex(text.as_bytes()));
    }
    out + "end=yes\n"
}

pub(super) fn authorizers_put(host: &mut SimHost, order: &AuthorizersPut) -> Said {
    let AuthorizersPut { file, text, sha256 } = order;
    match host.files.get(file) {
        Some(there) if there != text => {
            Said::failed(4, &format!("{file} is there already, and nothing is written over it"))
        }
        _ => {
            host.files.insert(file.clone(), text.clone());
            Said::ok(format!("sha256={sha256}\n"))
        }
    }
}

pub(super) fn authorizers_away(host: &mut SimHost, order: &AuthorizersAway) -> Said {
    let AuthorizersAway { file, sha256, .. } = order;
    match host.files.get(file) {
        Some(there) if sha256_hex(there.as_bytes()) != *sha256 => {
            Said::failed(4, &format!("{file} is not what was put there"))
        }
        _ => {
            host.files.remove(file);
            Said::ok("file=absent\n".into())
        }
    }
}
