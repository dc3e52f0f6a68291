//! What a run cost each API server and host.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::change::{Part, Target};

/// What was spent on one API server or host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Requests sent to an API server, or scripts to a host, that may have been received.
    pub requests: u64,
    /// Bytes sent, without TLS and SSH framing.
    pub bytes_out: u64,
    /// Bytes received, likewise.
    pub bytes_in: u64,
}

impl Cost {
    /// What was added since it was `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(before.requests),
            bytes_out: self.bytes_out.saturating_sub(before.bytes_out),
            bytes_in: self.bytes_in.saturating_sub(before.bytes_in),
        }
    }
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, more: Self) {
        self.requests = self.requests.saturating_add(more.requests);
        self.bytes_out = self.bytes_out.saturating_add(more.bytes_out);
        self.bytes_in = self.bytes_in.saturating_add(more.bytes_in);
    }
}

/// What was spent, by API server and host; who cost nothing is not in it.
///
/// Written as an object whose keys are targets as people read them: `{"prod/api/cp1": {..}, "prod/cp1": {..}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Costs(BTreeMap<Target, Cost>);

impl Costs {
    /// What was spent on one of them.
    pub fn of(&self, target: &Target) -> Cost {
        self.0.get(target).copied().unwrap_or_default()
    }

    /// One after another, in the order of their clusters.
    pub fn iter(&self) -> impl Iterator<Item = (&Target, Cost)> {
        self.0.iter().map(|(target, cost)| (target, *cost))
    }

    /// Nothing was spent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those who sent a byte back: they have answered.
    pub fn answered(&self) -> impl Iterator<Item = &Target> {
        self.0.iter().filter(|(_, cost)| cost.bytes_in > 0).map(|(target, _)| target)
    }

    /// What was added on one cluster since it was `before`.
    #[must_use]
    pub fn on_since(&self, cluster: &str, before: &Self) -> Self {
        let ours = self.0.iter().filter(|(target, _)| target.cluster == cluster);
        ours.map(|(target, cost)| (target.clone(), cost.since(before.of(target)))).collect()
    }
}

impl FromIterator<(Target, Cost)> for Costs {
    fn from_iter<I: IntoIterator<Item = (Target, Cost)>>(all: I) -> Self {
        Self(all.into_iter().filter(|(_, cost)| *cost != Cost::default()).collect())
    }
}

impl Serialize for Costs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(target, cost)| (target.to_string(), cost)))
    }
}

impl<'de> Deserialize<'de> for Costs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = BTreeMap::<String, Cost>::deserialize(deserializer)?;
        Ok(Self(written.into_iter().map(|(name, cost)| (named(&name), cost)).collect()))
    }
}

/// The target that is written like this. A name has no slash in it.
fn named(name: &str) -> Target {
    let Some((before, last)) = name.rsplit_once('/') else { return Target::cluster(name) };
    match before.strip_suffix("/api") {
        Some(cluster) => Target::api_server(cluster, last),
        None if last == "local" => Target { cluster: before.to_owned(), part: Part::Local },
        None => Target::host(before, last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(requests: u64, bytes_in: u64) -> Cost {
        Cost { requests, bytes_out: 0, bytes_in }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let targets = [
            Target::api_server("prod", "cp1"),
            Target::host("prod", "cp1"),
            Target::host("prod", "api"),
            Target::cluster("prod"),
            Target::local("prod"),
        ];
        let costs: Costs = targets.into_iter().map(|target| (target, cost(1, 2))).collect();
        let text = serde_json::to_string(&costs).unwrap();
        assert!(text.contains(r#""prod/api/cp1":{"requests":1,"bytes_out":0,"bytes_in":2}"#), "{text}");
        assert_eq!(serde_json::from_str::<Costs>(&text).unwrap(), costs);
    }

    #[test]
    fn a_cluster_is_told_from_one_whose_name_begins_alike() {
        let [eu, eu1] = ["eu", "eu1"].map(|cluster| Target::host(cluster, "cp1"));
        let before: Costs = [(eu.clone(), cost(1, 0)), (eu1.clone(), cost(1, 0))].into_iter().collect();
        let after: Costs = [(eu.clone(), cost(3, 9)), (eu1, cost(5, 0))].into_iter().collect();
        let since = after.on_since("eu", &before);
        assert_eq!(since.iter().collect::<Vec<_>>(), [(&eu, cost(2, 9))]);
        assert_eq!(since.answered().collect::<Vec<_>>(), [&eu]);
        assert!(after.on_since("eu", &after).is_empty());
    }
}
