//! A host's files and firewall rules at one moment, and what changed until another.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::{self, Metadata},
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};

use crate::{command::run, host::Host, host_init::OVERLAID};

/// What a login or the firewall tools leave behind by themselves, whoever calls them.
const NOISE: &[&str] = &[
    "/run/lock",
    "/run/mount",
    "/run/sshd",
    "/run/sshd.pid",
    "/run/sudo",
    "/run/testbed",
    "/run/utmp",
    "/run/xtables.lock",
    "/var/lib/sudo",
    "/var/log/btmp",
    "/var/log/lastlog",
    "/var/log/wtmp",
];

/// Files up to this many bytes are kept whole, so that a difference can be shown; larger ones as a hash.
const SHOWN: u64 = 256 * 1024;

/// How each kind of rule is listed. Read with the machine's own tools in the host's network namespace.
const FIREWALLS: &[&[&str]] = &[
    &["nft", "-s", "list", "ruleset"],
    &["iptables-nft-save"],
    &["ip6tables-nft-save"],
    &["iptables-legacy-save"],
    &["ip6tables-legacy-save"],
    &["ipset", "save"],
];

/// Every file that differs from the machine's own, and every firewall rule, without counters and remaining times.
///
/// Files are those below `/etc` (with `/etc/kubernetes`), `/home`, `/opt`, `/root`, `/run`, `/tmp`, `/usr` and `/var`: path,
/// kind, mode, owner and contents. What each login leaves (`/run/sudo`, `/var/log/lastlog`, …) is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    items: BTreeMap<String, String>,
}

impl Host {
    /// Looks at the whole host; nothing on it is started or changed for that.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let mut items = firewall(self)?;
        for name in OVERLAID {
            let machine = Path::new("/").join(name);
            walk(&self.dir().join("upper").join(name), &machine, Some(&machine), &mut items)?;
        }
        walk(&self.etc_kubernetes(), Path::new("/etc/kubernetes"), None, &mut items)?;
        walk(&self.dir().join("run"), Path::new("/run"), None, &mut items)?;
        Ok(Snapshot { items })
    }
}

impl Snapshot {
    /// The firewall rules alone.
    #[must_use]
    pub fn firewall(&self) -> Self {
        self.keep(|name| !name.starts_with('/'))
    }

    /// The files alone.
    #[must_use]
    pub fn files(&self) -> Self {
        self.keep(|name| name.starts_with('/'))
    }

    /// Without the files at and below `path`.
    #[must_use]
    pub fn without(&self, path: &str) -> Self {
        self.keep(|name| !Path::new(name).starts_with(path))
    }

    /// What happened between this snapshot and a later one.
    #[must_use]
    pub fn changes_until(&self, later: &Self) -> Changes {
        let names: BTreeSet<_> = self.items.keys().chain(later.items.keys()).collect();
        let changes = names.into_iter().filter_map(|name| {
            let (before, after) = (self.items.get(name), later.items.get(name));
            (before != after).then(|| Change {
                name: name.clone(),
                removed: lines_missing(before, after),
                added: lines_missing(after, before),
            })
        });
        Changes(changes.collect())
    }

    fn keep(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let kept = self.items.iter().filter(|(name, _)| wanted(name));
        Self { items: kept.map(|(name, text)| (name.clone(), text.clone())).collect() }
    }
}

/// The differences between two snapshots; its `Display` is a list that a person can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes(Vec<Change>);

/// One file, or the rules of one kind of firewall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// A path on the host, or the command that lists the rules.
    pub name: String,
    pub removed: Vec<String>,
    pub added: Vec<String>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Change> {
        self.0.iter()
    }

    /// # Errors
    /// If anything changed: all of it.
    pub fn expect_none(&self) -> Result<()> {
        anyhow::ensure!(self.is_empty(), "the host changed:\n{self}");
        Ok(())
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Change { name, removed, added } in &self.0 {
            writeln!(out, "{name}")?;
            removed.iter().try_for_each(|line| writeln!(out, "  - {line}"))?;
            added.iter().try_for_each(|line| writeln!(out, "  + {line}"))?;
        }
        Ok(())
    }
}

/// The lines of `all` that `other` lacks, each as often as it lacks them. When only the order differs, the first line out
/// of place, so that no difference is shown as nothing.
fn lines_missing(all: Option<&String>, other: Option<&String>) -> Vec<String> {
    let (all, other) = (all.map_or("", String::as_str), other.map_or("", String::as_str));
    let mut spare: Vec<&str> = other.lines().collect();
    let missing: Vec<String> = all
        .lines()
        .filter(|line| spare.iter().position(|known| known == line).map(|at| spare.swap_remove(at)).is_none())
        .map(str::to_owned)
        .collect();
    if missing.is_empty() && spare.is_empty() {
        let moved = all.lines().zip(other.lines()).find(|(a, b)| a != b);
        return moved.into_iter().map(|(line, _)| format!("{line} (in another place)")).collect();
    }
    missing
}

fn firewall(host: &Host) -> Result<BTreeMap<String, String>> {
    let list = |argv: &&[&str]| -> Result<(String, String)> {
        let listed = run(Command::new(argv[0]).args(&argv[1..]), b"", Duration::from_secs(30))?.ok()?;
        Ok((argv.join(" "), listed.lines().filter_map(steady).collect::<Vec<_>>().join("\n")))
    };
    host.in_network(|| FIREWALLS.iter().map(list).collect::<Result<_>>())
        .with_context(|| format!("the rules of host {} could not be listed", host.name()))
}

/// A rule as its author wrote it: no counters, no time left, no comment with the time of the listing.
fn steady(line: &str) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let words = line.split(' ').filter(|word| !(word.starts_with('[') && word.ends_with(']') && word.contains(':')));
    let mut kept: Vec<&str> = words.collect();
    if line.starts_with("add ") {
        for counted in ["timeout", "packets", "bytes"] {
            if let Some(at) = kept.iter().position(|word| *word == counted) {
                kept.drain(at..(at + 2).min(kept.len()));
            }
        }
    }
    Some(kept.join(" "))
}

/// Describes everything in `folder`, which the host has at `path`, unless the machine has the very same at `machine`.
fn walk(folder: &Path, path: &Path, machine: Option<&Path>, items: &mut BTreeMap<String, String>) -> Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry?;
        let path = path.join(entry.file_name());
        if NOISE.iter().any(|noise| path == Path::new(noise)) {
            continue;
        }
        let machine: Option<PathBuf> = machine.map(|machine| machine.join(entry.file_name()));
        // A file that the host removed meanwhile is simply not there any more.
        let Ok(described) = describe(&entry.path()) else { continue };
        if machine.as_ref().and_then(|machine| describe(machine).ok()).as_ref() != Some(&described) {
            items.insert(path.to_string_lossy().into_owned(), described);
        }
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &path, machine.as_deref(), items)?;
        }
    }
    Ok(())
}

fn describe(path: &Path) -> Result<String> {
    let meta = fs::symlink_metadata(path)?;
    let kind = meta.file_type();
    let head = format!("mode {:o}, owner {}:{}", meta.mode() & 0o7777, meta.uid(), meta.gid());
    Ok(if kind.is_file() {
        format!("{head}\n{}", contents(path, &meta)?)
    } else if kind.is_symlink() {
        format!("a link to {}", fs::read_link(path)?.display())
    } else if kind.is_char_device() && meta.rdev() == 0 {
        // An overlay's mark for a file of the machine that the host has removed.
        "removed".to_owned()
    } else if kind.is_dir() {
        format!("a folder, {head}")
    } else {
        format!("a special file, {head}")
    })
}

fn contents(path: &Path, meta: &Metadata) -> Result<String> {
    let bytes = fs::read(path)?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) if meta.len() <= SHOWN => text,
        other => {
            let bytes = other.map_or_else(std::string::FromUtf8Error::into_bytes, String::into_bytes);
            let mut hash = DefaultHasher::new();
            bytes.hash(&mut hash);
            format!("{} bytes with hash {:016x}", bytes.len(), hash.finish())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_compared_without_what_counts_by_itself() {
        for (line, kept) in [
            ("# Generated by iptables-save v1.8.9 on Sun Nov 22 13:00:00 2026", None),
            (":INPUT ACCEPT [12:3456]", Some(":INPUT ACCEPT")),
            ("[3:180] -A INPUT -p tcp -j DROP", Some("-A INPUT -p tcp -j DROP")),
            ("create allow hash:ip timeout 4", Some("create allow hash:ip timeout 4")),
            ("add allow 10.90.0.1 timeout 3 packets 1 bytes 60", Some("add allow 10.90.0.1")),
            ("\t\ttcp dport 22 accept", Some("\t\ttcp dport 22 accept")),
        ] {
            assert_eq!(steady(line).as_deref(), kept, "{line}");
        }
    }

    #[test]
    fn a_change_of_order_is_shown() {
        let of = |text: &str| Snapshot { items: [("nft".to_owned(), text.to_owned())].into() };
        assert!(of("a\nb").changes_until(&of("a\nb")).is_empty());
        assert_eq!(of("a\nb").changes_until(&of("a\nb\nc")).to_string(), "nft\n  + c\n");
        let moved = of("a\nb").changes_until(&of("b\na")).to_string();
        assert!(moved.contains("a (in another place)"), "{moved}");
    }
}
