//! Simulated static pods that are looked at because they should be down: here they answer, and their files move as they are told.

use base64::Engine as _;

use super::said::Said;
use super::world::SimHost;
use crate::change::sha256_hex;
use crate::host::rescue::copy::ManifestCopy;
use crate::host::rescue::{ManifestEvidence, ManifestMove, ManifestReplace};

pub(super) fn evidence(host: &SimHost, order: &ManifestEvidence) -> String {
    let pid = host.pid(&order.program);
    format!("process={pid} 3600\nlistens=yes\nanswers=yes\nruns=kubelet\nend=yes\n")
}

pub(super) fn copy(host: &SimHost, order: &ManifestCopy) -> String {
    let encoded = |key: &str, path: &str| {
        let text = host.files.get(path).map(|text| base64::engine::general_purpose::STANDARD.encode(text));
        text.map(|text| format!("{key}={text}\n"))
    };
    let missing = || format!("no=there is no file {}\n", order.from);
    let text = if order.from.is_empty() { String::new() } else { encoded("text", &order.from).unwrap_or_else(missing) };
    text + &encoded("there=yes\nold", &order.file).unwrap_or_default() + "end=yes\n"
}

fn sum(host: &SimHost, path: &str) -> Option<String> {
    host.files.get(path).map(|text| sha256_hex(text.as_bytes()))
}

pub(super) fn replace(host: &mut SimHost, order: &ManifestReplace) -> Said {
    let ManifestReplace { file, from, staged, to, .. } = order;
    if sum(host, file).as_ref() == Some(to) {
        return Said::ok(format!("sha256={to}\n"));
    }
    if sum(host, file).as_ref() != Some(from) || sum(host, staged).as_ref() != Some(to) {
        return Said::failed(4, &format!("{file} is not what was seen before: somebody else has changed it"));
    }
    let text = host.files.get(staged).cloned().unwrap_or_default();
    host.files.insert(file.clone(), text);
    Said::ok(format!("sha256={to}\n"))
}

pub(super) fn moved(host: &mut SimHost, order: &ManifestMove) -> Said {
    let ManifestMove { file, to, sha256, .. } = order;
    if sum(host, to).as_ref() == Some(sha256) && !host.files.contains_key(file) {
        return Said::ok(format!("moved={to}\n"));
    }
    if sum(host, file).as_ref() != Some(sha256) || host.files.contains_key(to) {
        return Said::failed(4, &format!("{file} is not what was seen before: somebody else has changed it"));
    }
    if let Some(text) = host.files.remove(file) {
        host.files.insert(to.clone(), text);
    }
    Said::ok(format!("moved={to}\n"))
}
