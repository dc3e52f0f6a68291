//! The little grammar for targets: `cp1`, `cp[1-3]`, `n[01-12,20].rack2`, `role:control-plane`, `role:node`, `all`,
//! `!cp2`, separated by commas. Words add in their order, each target once; words with `!` take away, wherever they
//! stand; only words with `!` take away from all.

use crate::change::Target;
use crate::kit::{Cluster, Role};
use crate::words;

/// One pair of brackets stands for at most this many names.
const RANGE: u64 = 10_000;
/// The longest word, in bytes; a name of DNS has at most 253.
const LONGEST: usize = 1_000;

/// Where a kind of step is at home when the runbook names no targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every host that runs an API server.
    ApiHosts,
    /// Every API server.
    ApiServers,
    /// The cluster as a whole.
    Cluster,
    /// The operator's machine.
    Local,
}

/// Something that can be chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thing<'a> {
    pub(super) name: &'a str,
    pub(super) roles: &'a [Role],
}

/// The targets that a scope stands for on a cluster.
fn scope_targets(cluster: &Cluster, scope: Scope) -> Vec<Target> {
    match scope {
        Scope::ApiHosts => cluster.api_hosts().map(|host| Target::host(&cluster.name, &host.name)).collect(),
        Scope::ApiServers => {
            cluster.api_servers.iter().map(|server| Target::api_server(&cluster.name, &server.name)).collect()
        }
        Scope::Cluster => vec![Target::cluster(&cluster.name)],
        Scope::Local => vec![Target::local(&cluster.name)],
    }
}

/// The targets of a step on a cluster. A step that is at home on the hosts of the API servers can be sent to any host.
///
/// # Errors
/// One sentence.
pub fn targets(cluster: &Cluster, scope: Scope, words: Option<&str>) -> Result<Vec<Target>, String> {
    let Some(words) = words else { return Ok(scope_targets(cluster, scope)) };
    match scope {
        Scope::ApiHosts => {
            let hosts: Vec<Thing<'_>> =
                cluster.hosts.iter().map(|host| Thing { name: &host.name, roles: &host.roles }).collect();
            let chosen = choose(&hosts, words).map_err(|fault| format!("host {fault} in cluster {}", cluster.name))?;
            Ok(chosen.into_iter().map(|at| Target::host(&cluster.name, hosts[at].name)).collect())
        }
        Scope::ApiServers => {
            let servers: Vec<Thing<'_>> = cluster
                .api_servers
                .iter()
                .map(|server| Thing { name: &server.name, roles: &[Role::ControlPlane] })
                .collect();
            let chosen =
                choose(&servers, words).map_err(|fault| format!("API server {fault} in cluster {}", cluster.name))?;
            Ok(chosen.into_iter().map(|at| Target::api_server(&cluster.name, servers[at].name)).collect())
        }
        Scope::Cluster if words.trim() == "all" => Ok(scope_targets(cluster, scope)),
        Scope::Cluster => {
            Err(format!("targets {words:?}: this kind acts on the cluster as a whole; leave targets out"))
        }
        Scope::Local => Err(format!("targets {words:?}: this kind acts on this machine; leave targets out")),
    }
}

/// The places of the chosen things, in the order of the words.
pub(super) fn choose(things: &[Thing<'_>], words: &str) -> Result<Vec<usize>, String> {
    let mut chosen = Vec::new();
    let mut without = Vec::new();
    let mut only_without = true;
    for word in split(words)? {
        match word.strip_prefix('!') {
            Some(word) => without.extend(one(things, word.trim())?),
            None => {
                only_without = false;
                chosen.extend(one(things, word)?);
            }
        }
    }
    if only_without {
        chosen = (0..things.len()).collect();
    }
    let mut seen = std::collections::BTreeSet::new();
    chosen.retain(|at| !without.contains(at) && seen.insert(*at));
    if chosen.is_empty() { Err(format!("{words:?} chooses nothing")) } else { Ok(chosen) }
}

/// What one word stands for.
fn one(things: &[Thing<'_>], word: &str) -> Result<Vec<usize>, String> {
    if word == "all" {
        return Ok((0..things.len()).collect());
    }
    if let Some(role) = word.strip_prefix("role:") {
        let role = match role {
            "control-plane" => Role::ControlPlane,
            "node" => Role::Node,
            _ => return Err(format!("role {role:?} is unknown: expected control-plane or node")),
        };
        let having: Vec<usize> = (0..things.len()).filter(|at| things[*at].roles.contains(&role)).collect();
        return if having.is_empty() { Err(format!("of {word} is not there")) } else { Ok(having) };
    }
    expand(word)?
        .iter()
        .map(|name| {
            things.iter().position(|thing| thing.name == name).ok_or_else(|| {
                let near = words::nearest(name, things.iter().map(|thing| thing.name));
                let near = near.map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"));
                format!("{name:?} is unknown{near}")
            })
        })
        .collect()
}

/// Words between commas that stand outside brackets.
fn split(words: &str) -> Result<Vec<&str>, String> {
    let mut inside = false;
    let mut out = Vec::new();
    let mut start = 0;
    for (at, c) in words.char_indices() {
        match c {
            '[' if !inside => inside = true,
            ']' if inside => inside = false,
            '[' | ']' => return Err(format!("{words:?}: brackets do not match")),
            ',' if !inside => {
                out.push(words[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(words[start..].trim());
    if inside {
        return Err(format!("{words:?}: brackets do not match"));
    }
    if out.iter().any(|word| word.trim_start_matches('!').trim().is_empty()) {
        return Err(format!("{words:?}: a word is missing; expected names like cp1, cp[1-3], role:node, all, !cp2"));
    }
    Ok(out)
}

/// `n[01-03,7].x` to its names. Leading zeros of a range's first number give the width.
fn expand(word: &str) -> Result<Vec<String>, String> {
    if word.len() > LONGEST {
        return Err(format!(
            "a word of {} bytes is no name; it begins with {:?}",
            word.len(),
            word.chars().take(40).collect::<String>()
        ));
    }
    let Some((before, rest)) = word.split_once('[') else { return Ok(vec![word.to_owned()]) };
    let (inner, after) = rest.split_once(']').ok_or_else(|| format!("{word:?}: brackets do not match"))?;
    let mut numbers = Vec::new();
    for part in inner.split(',').map(str::trim) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let bad = || format!("{word:?}: expected numbers in the brackets, like [1-3] or [1,5]");
        let number = |text: &str| text.chars().all(|c| c.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
        let (low, high) = number(first).zip(number(last)).filter(|(low, high)| low <= high).ok_or_else(bad)?;
        if high - low >= RANGE || numbers.len() as u64 + (high - low) >= RANGE {
            return Err(format!("{word:?}: stands for more than {RANGE} names"));
        }
        let width = if first.starts_with('0') { first.len() } else { 0 };
        numbers.extend((low..=high).map(|number| format!("{number:0width$}")));
    }
    let tails = expand(after)?;
    if numbers.len().saturating_mul(tails.len()) as u64 > RANGE {
        return Err(format!("{word:?}: stands for more than {RANGE} names"));
    }
    Ok(numbers.iter().flat_map(|number| tails.iter().map(move |tail| format!("{before}{number}{tail}"))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CP: &[Role] = &[Role::ControlPlane];
    const NODE: &[Role] = &[Role::Node];
    const THINGS: &[Thing<'static>] = &[
        Thing { name: "cp1", roles: CP },
        Thing { name: "cp2", roles: CP },
        Thing { name: "cp3", roles: &[Role::ControlPlane, Role::Node] },
        Thing { name: "n01.a", roles: NODE },
        Thing { name: "n02.a", roles: NODE },
        Thing { name: "n10.b", roles: NODE },
    ];

    fn names(words: &str) -> Result<Vec<&'static str>, String> {
        Ok(choose(THINGS, words)?.into_iter().map(|at| THINGS[at].name).collect())
    }

    #[test]
    fn words_choose() {
        for (words, expected) in [
            ("cp2", vec!["cp2"]),
            ("cp3, cp1", vec!["cp3", "cp1"]),
            ("cp[1-3]", vec!["cp1", "cp2", "cp3"]),
            ("cp[1,3]", vec!["cp1", "cp3"]),
            ("cp[1,2-3]", vec!["cp1", "cp2", "cp3"]),
            ("n[01-02].a", vec!["n01.a", "n02.a"]),
            ("n[10].b", vec!["n10.b"]),
            ("role:control-plane", vec!["cp1", "cp2", "cp3"]),
            ("role:node", vec!["cp3", "n01.a", "n02.a", "n10.b"]),
            ("role:node,!cp3", vec!["n01.a", "n02.a", "n10.b"]),
            ("!cp[2-3],role:control-plane", vec!["cp1"]),
            ("!role:node", vec!["cp1", "cp2"]),
            ("all,!cp1,cp1", vec!["cp2", "cp3", "n01.a", "n02.a", "n10.b"]),
            ("cp1,cp1,cp[1-2]", vec!["cp1", "cp2"]),
        ] {
            assert_eq!(names(words), Ok(expected), "{words}");
        }
    }

    #[test]
    fn wrong_words_are_refused() {
        for (words, expected) in [
            ("cp4", "\"cp4\" is unknown (did you mean \"cp1\"?)"),
            ("cp[1-4]", "\"cp4\" is unknown"),
            ("n[1-2].a", "\"n1.a\" is unknown"),
            ("all,!cp9", "\"cp9\" is unknown"),
            ("role:master", "expected control-plane or node"),
            ("cp1,!cp1", "chooses nothing"),
            ("cp[3-1]", "expected numbers in the brackets"),
            ("cp[a]", "expected numbers in the brackets"),
            ("cp[+1]", "expected numbers in the brackets"),
            ("cp[0-99999999999]", "more than 10000 names"),
            ("x[1-9999][1-9999]", "more than 10000 names"),
            ("cp[1", "brackets do not match"),
            ("cp1]", "brackets do not match"),
            ("", "a word is missing"),
            ("cp1,,cp2", "a word is missing"),
            ("!", "a word is missing"),
        ] {
            let fault = names(words).expect_err(words);
            assert!(fault.contains(expected), "{words}: {fault}");
        }
    }

    #[test]
    fn folded_names_can_be_typed_again() {
        let all: Vec<String> = THINGS.iter().map(|thing| thing.name.to_owned()).collect();
        assert_eq!(
            choose(THINGS, &words::fold(&all)).map(|mut chosen| {
                chosen.sort_unstable();
                chosen.len()
            }),
            Ok(6)
        );
    }
}
