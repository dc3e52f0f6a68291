//! Lists and whole collections: what a query selects, page by page, at a revision.

use serde_json::{Value, json};

use super::api::Objects;
use super::{QUICK, kube_answer};
use crate::world::{Accept, KubeAnswer};

/// What stands behind the question mark.
#[derive(Debug, Default)]
struct Query {
    requirements: Vec<String>,
    limit: Option<usize>,
    /// Nothing that was made later.
    revision: Option<u64>,
    /// Nothing up to this path.
    after: String,
}

impl Query {
    fn read(text: &str) -> Self {
        let mut query = Self::default();
        for (key, value) in text.split('&').filter_map(|one| one.split_once('=')) {
            let value = decode(value);
            match key {
                "labelSelector" => query.requirements = requirements(&value),
                "limit" => query.limit = value.parse().ok(),
                "resourceVersion" => query.revision = value.parse().ok(),
                "resourceVersionMatch" => assert_eq!(value, "Exact", "nothing else is understood"),
                "continue" => {
                    let (revision, after) = value.split_once(':').expect("one of our tokens");
                    (query.revision, query.after) = (revision.parse().ok(), after.into());
                }
                // Of a dump, and no list.
                "includeRequestDetails" => {}
                other => panic!("{other} is not understood in a query"),
            }
        }
        query
    }

    fn fits(&self, object: &Value) -> bool {
        self.requirements.iter().all(|one| {
            let (key, values, wanted) = split(one);
            let label = object["metadata"]["labels"].get(key).and_then(Value::as_str);
            match values {
                Some(values) => label.is_some_and(|label| values.contains(&label)) == wanted,
                None => label.is_some() == wanted,
            }
        })
    }
}

/// `key`, `!key`, `key=a`, `key!=a`, `key in (a,b)`, `key notin (a,b)`: the key, the values, and whether it must be so.
fn split(one: &str) -> (&str, Option<Vec<&str>>, bool) {
    let set = |text: &'static str| one.split_once(text).map(|(key, rest)| (key, rest.trim_end_matches(')')));
    if let Some((key, values)) = set(" notin (") {
        return (key, Some(values.split(',').collect()), false);
    }
    if let Some((key, values)) = set(" in (") {
        return (key, Some(values.split(',').collect()), true);
    }
    match (one.split_once("!="), one.split_once('='), one.strip_prefix('!')) {
        (Some((key, value)), ..) => (key, Some(vec![value]), false),
        (None, Some((key, value)), _) => (key, Some(vec![value]), true),
        (None, None, Some(key)) => (key, None, false),
        _ => (one, None, true),
    }
}

fn requirements(selector: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for part in selector.split(',') {
        match all.last_mut() {
            Some(open) if open.contains('(') && !open.ends_with(')') => *open = format!("{open},{part}"),
            _ => all.push(part.into()),
        }
    }
    all
}

fn decode(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let hex: String = bytes.by_ref().take(2).map(char::from).collect();
                out.push(u8::from_str_radix(&hex, 16).expect("two hex digits"));
            }
            other => out.push(other),
        }
    }
    String::from_utf8(out).expect("text")
}

/// An object with the names that its path gives it, as every server says them.
fn placed(path: &str, object: &Value) -> Value {
    let mut object = object.clone();
    let words: Vec<&str> = path.split('/').collect();
    if let [.., "namespaces", namespace, _, _] = words.as_slice()
        && object["metadata"]["namespace"].is_null()
    {
        object["metadata"]["namespace"] = json!(namespace);
    }
    if object["metadata"]["name"].is_null() {
        object["metadata"]["name"] = json!(words.last());
    }
    object
}

impl Objects {
    /// What a query selects of a collection: the paths, the revision they are seen at, and where the next page begins.
    fn select(&self, collection: &str, query: &str) -> (Vec<String>, u64, Option<String>) {
        let query = Query::read(query);
        let revision = query.revision.unwrap_or(self.version);
        // Of a list that names no namespace there is what is in all of them.
        let everywhere = collection.rsplit_once('/').filter(|_| !collection.contains("/namespaces/"));
        let everywhere = everywhere.map(|(base, plural)| (format!("{base}/namespaces/"), plural));
        let inside = |path: &str| {
            path.rsplit_once('/').is_some_and(|(parent, _)| {
                parent == collection
                    || everywhere.as_ref().is_some_and(|(base, plural)| {
                        let inside = parent.strip_prefix(base.as_str()).and_then(|rest| rest.split_once('/'));
                        inside.is_some_and(|(_, resource)| resource == *plural)
                    })
            })
        };
        let mut paths: Vec<String> = self
            .by_path
            .iter()
            .filter(|(path, object)| {
                inside(path)
                    && **path > query.after
                    && self.born.get(*path).is_none_or(|born| *born <= revision)
                    && query.fits(object)
            })
            .map(|(path, _)| path.clone())
            .collect();
        let limit = query.limit.unwrap_or(usize::MAX);
        let more = paths.len() > limit;
        paths.truncate(limit);
        let next = paths.last().filter(|_| more).map(|last| format!("{revision}:{last}"));
        (paths, revision, next)
    }

    pub(super) fn list(&self, collection: &str, query: &str, accept: Accept) -> KubeAnswer {
        let (paths, revision, next) = self.select(collection, query);
        let items: Vec<Value> = paths
            .iter()
            .map(|path| match accept {
                Accept::MetadataList => json!({"metadata": placed(path, &self.by_path[path])["metadata"]}),
                _ => placed(path, &self.by_path[path]),
            })
            .collect();
        let metadata = json!({"resourceVersion": revision.to_string(), "continue": next});
        // As a real one says that there is nothing.
        let items = if items.is_empty() { Value::Null } else { items.into() };
        let text = json!({"kind": "List", "metadata": metadata, "items": items}).to_string();
        kube_answer(200, text, QUICK)
    }

    /// Deletes what a query selects, as a real server does: one by one, by name.
    pub(super) fn delete_collection(&mut self, collection: &str, query: &str, options: &Value) -> (u16, String) {
        let (paths, ..) = self.select(collection, query);
        for path in &paths {
            match options.get("gracePeriodSeconds").and_then(Value::as_u64) {
                Some(0) => drop(self.delete(path, options)),
                seconds => self.end(path, seconds.unwrap_or(30)),
            }
        }
        (200, "deleted".into())
    }

    /// Marks a pod as ending; that its kubelet hears of it never happens here.
    fn end(&mut self, path: &str, seconds: u64) {
        if self.by_path[path]["metadata"].get("deletionTimestamp").is_none() {
            self.edit(path, |pod| {
                pod["metadata"]["deletionTimestamp"] = json!("2025-01-02T00:00:00Z");
                pod["metadata"]["deletionGracePeriodSeconds"] = json!(seconds);
            });
        }
    }
}
