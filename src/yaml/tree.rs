//! Text to a tree in which every value and every key knows its line and column.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;
use serde_saphyr::options::MergeKeyPolicy;

use super::Faults;
use crate::refusal::Location;

/// How much is read.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Longer files are refused unread.
    bytes: usize,
    /// Values in one file, those repeated by aliases counted each time.
    nodes: usize,
}

/// What people write by hand is far below, and a fleet has one file per cluster.
const OURS: Limits = Limits { bytes: 1 << 20, nodes: 50_000 };
/// One file for a whole fleet: thousands of clusters, with their certificates in place.
const KUBECTL: Limits = Limits { bytes: KUBECTL_BYTES, nodes: 400_000 };
/// The most that is read of a file of kubectl's.
pub(crate) const KUBECTL_BYTES: usize = 16 << 20;
/// Folds in folds.
const DEPTH: usize = 32;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// Where it is used: its bytes in the text, with its quotes; of an alias the alias, of a map or list its beginning.
    pub bytes: Range<usize>,
    /// What stands there.
    pub tree: Tree,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    /// Nothing.
    Null,
    /// `true` or `false`; `yes` and `on` are strings.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in its order, without duplicates once [`parse`] has returned.
    Map(Vec<(Key, Node)>),
    /// A value that is not known yet: it fits everything.
    Hole,
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// Its bytes in the text, with its quotes.
    pub bytes: Range<usize>,
    /// The word.
    pub word: String,
}

impl Node {
    /// A node with another tree, at the same place.
    #[must_use]
    pub(crate) fn with(&self, tree: Tree) -> Self {
        Self { line: self.line, column: self.column, bytes: self.bytes.clone(), tree }
    }

    /// A JSON value as a node, all of it at the same place.
    #[must_use]
    pub(crate) fn of(&self, value: &Value) -> Self {
        self.with(match value {
            Value::Null => Tree::Null,
            Value::Bool(bool) => Tree::Bool(*bool),
            Value::Number(number) => Tree::Number(number.clone()),
            Value::String(text) => Tree::String(text.clone()),
            Value::Array(items) => Tree::List(items.iter().map(|item| self.of(item)).collect()),
            Value::Object(map) => Tree::Map(
                map.iter()
                    .map(|(word, value)| {
                        let bytes = self.bytes.clone();
                        (Key { line: self.line, column: self.column, bytes, word: word.clone() }, self.of(value))
                    })
                    .collect(),
            ),
        })
    }

    /// Without the places. Holes are left out.
    pub(crate) fn to_json(&self) -> Value {
        match &self.tree {
            Tree::Null | Tree::Hole => Value::Null,
            Tree::Bool(bool) => Value::Bool(*bool),
            Tree::Number(number) => Value::Number(number.clone()),
            Tree::String(text) => Value::String(text.clone()),
            Tree::List(items) => {
                Value::Array(items.iter().filter(|item| item.tree != Tree::Hole).map(Self::to_json).collect())
            }
            Tree::Map(entries) => Value::Object(
                entries
                    .iter()
                    .filter(|(_, node)| node.tree != Tree::Hole)
                    .map(|(key, node)| (key.word.clone(), node.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// The value under a key of a map.
    pub(crate) fn get(&self, word: &str) -> Option<&Self> {
        self.entries().iter().find(|(key, _)| key.word == word).map(|(_, node)| node)
    }

    /// The entries of a map; none when it is no map.
    pub(crate) fn entries(&self) -> &[(Key, Self)] {
        if let Tree::Map(entries) = &self.tree { entries } else { &[] }
    }

    /// The items of a list; none when it is no list.
    pub(crate) fn items(&self) -> &[Self] {
        if let Tree::List(items) = &self.tree { items } else { &[] }
    }

    /// The text, when it is text.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Tree::String(text) = &self.tree { Some(text) } else { None }
    }
}

/// Reads one YAML document. Aliases are followed within limits. A repeated key is a fault, and its first value counts,
/// so that the rest can still be checked.
pub(crate) fn parse(text: &str, faults: &mut Faults) -> Option<Node> {
    // Merged keys would have two places, and the file would no longer say what it means.
    let mut root = read(text, OURS, MergeKeyPolicy::Error, faults)?;
    drop_repeated(&mut root, faults);
    Some(root)
}

/// The same with `<<`, which takes the keys of other maps in: those have the places of the others.
pub(crate) fn parse_merged(text: &str, faults: &mut Faults) -> Option<Node> {
    let mut root = read(text, OURS, MergeKeyPolicy::AsOrdinary, faults)?;
    drop_repeated(&mut root, faults);
    merge(&mut root, &mut |_| {});
    Some(root)
}

/// The line on which a second document with something in it begins, if there is one.
pub(crate) fn second_document(text: &str) -> Option<usize> {
    let rest = &text[first_document(text).len()..];
    let something = |line: &str| !is_empty(line) && !is_mark(line);
    rest.lines().any(something).then(|| text[..text.len() - rest.len()].lines().count() + 1)
}

/// The first document of a text. Its marks stand at the beginning of a line, where nothing else can look like one.
pub(crate) fn first_document(text: &str) -> &str {
    let (mut at, mut begun) = (0, false);
    for line in text.split_inclusive('\n') {
        if begun && is_mark(line) {
            return &text[..at];
        }
        begun |= !is_empty(line) && !line.starts_with('%');
        at += line.len();
    }
    text
}

fn is_mark(line: &str) -> bool {
    let rest = line.strip_prefix("---").or_else(|| line.strip_prefix("..."));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

fn is_empty(line: &str) -> bool {
    let line = line.trim_start_matches('\u{feff}').trim_start();
    line.is_empty() || line.starts_with('#')
}

/// Reads a file as kubectl reads its own: longer; of several documents the first; `<<` takes the keys of other maps in; and
/// of a repeated key the last value
/// counts. Where the values differ, `repeated` hears of it.
pub(crate) fn parse_as_kubectl(text: &str, faults: &mut Faults, repeated: &mut dyn FnMut(&Key)) -> Option<Node> {
    let mut root = read(first_document(text), KUBECTL, MergeKeyPolicy::AsOrdinary, faults)?;
    merge(&mut root, repeated);
    Some(root)
}

fn read(text: &str, limits: Limits, merge_keys: MergeKeyPolicy, faults: &mut Faults) -> Option<Node> {
    let Limits { bytes, nodes } = limits;
    if text.len() > bytes {
        faults.place(0, 0, format!("the file has {} bytes; at most {bytes} are read", text.len()), None);
        return None;
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 4 * nodes,
            max_nodes: nodes,
            max_depth: DEPTH,
            flow_nesting_limit: DEPTH,
            max_documents: 1,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_recorded_anchor_events: nodes,
            max_recorded_anchor_bytes: bytes,
            max_total_scalar_bytes: bytes,
            max_inclusion_depth: 0,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: nodes,
            max_replay_stack_depth: 8,
        },
        // All repeated keys are collected below instead of ending at the first.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        merge_keys: merge_keys,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options::<Node>(text, options) {
        Ok(node) => Some(node),
        Err(error) => {
            let error = error.without_snippet();
            let (line, column) = error.location().map_or((0, 0), |at| (number(at.line()), number(at.column())));
            faults.place(line, column, format!("not readable as YAML: {}", plain(&error.to_string())), None);
            None
        }
    }
}

/// The message without the place that the reader appends, since the refusal has it already.
fn plain(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    first.find(" at line ").map_or(first, |at| &first[..at]).trim_end_matches([',', ' ', ':']).to_owned()
}

fn number(wide: u64) -> usize {
    usize::try_from(wide).unwrap_or(0)
}

fn bytes(at: &serde_saphyr::Location) -> Range<usize> {
    let start = number(at.span().byte_offset().unwrap_or(0));
    start..start + number(at.span().byte_len().unwrap_or(0))
}

fn drop_repeated(node: &mut Node, faults: &mut Faults) {
    match &mut node.tree {
        Tree::List(items) => items.iter_mut().for_each(|item| drop_repeated(item, faults)),
        Tree::Map(entries) => {
            let mut seen = BTreeMap::new();
            entries.retain_mut(|(key, value)| {
                drop_repeated(value, faults);
                let first = *seen.entry(key.word.clone()).or_insert((key.line, key.column));
                if first != (key.line, key.column) {
                    let what = format!("key {:?} is given twice; the first is on line {}", key.word, first.0);
                    faults.place(key.line, key.column, what, None);
                }
                first == (key.line, key.column)
            });
        }
        _ => {}
    }
}

/// Takes in what `<<` names, behind the map's own keys, and leaves the last of those that are repeated.
fn merge(node: &mut Node, repeated: &mut dyn FnMut(&Key)) {
    match &mut node.tree {
        Tree::List(items) => items.iter_mut().for_each(|item| merge(item, repeated)),
        Tree::Map(entries) => {
            let mut places: BTreeMap<String, usize> = BTreeMap::new();
            let mut own: Vec<(Key, Node)> = Vec::new();
            let mut taken_in = Vec::new();
            for (key, mut value) in std::mem::take(entries) {
                merge(&mut value, repeated);
                match (key.word == "<<", value.tree) {
                    (true, Tree::Map(others)) => taken_in.extend(others),
                    (true, Tree::List(maps)) => taken_in.extend(maps.into_iter().flat_map(|map| match map.tree {
                        Tree::Map(others) => others,
                        _ => Vec::new(),
                    })),
                    (_, tree) => {
                        value.tree = tree;
                        match places.get(&key.word) {
                            Some(&at) => {
                                if own[at].1.to_json() != value.to_json() {
                                    repeated(&key);
                                }
                                own[at] = (key, value);
                            }
                            None => {
                                places.insert(key.word.clone(), own.len());
                                own.push((key, value));
                            }
                        }
                    }
                }
            }
            for (key, value) in taken_in {
                if !places.contains_key(&key.word) {
                    places.insert(key.word.clone(), own.len());
                    own.push((key, value));
                }
            }
            *entries = own;
        }
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::String(_) | Tree::Hole => {}
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Tree>::deserialize(deserializer)?;
        // `defined` is where an alias's anchor stands: that is where it has to be mended.
        Ok(Self {
            line: number(spanned.defined.line()),
            column: number(spanned.defined.column()),
            bytes: bytes(&spanned.referenced),
            tree: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, bool: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(bool))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Tree, E> {
        Ok(Tree::Number(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Tree, E> {
        Ok(Tree::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Tree, E> {
        Ok(Number::from_f64(number).map_or_else(|| Tree::String(number.to_string()), Tree::Number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Tree, E> {
        Ok(Tree::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut map = Vec::new();
        while let Some((key, node)) = entries.next_entry::<Spanned<String>, Node>()? {
            let key = Key {
                line: number(key.referenced.line()),
                column: number(key.referenced.column()),
                bytes: bytes(&key.referenced),
                word: key.value,
            };
            map.push((key, node));
        }
        Ok(Tree::Map(map))
    }
}
impl Faults {
    /// The place of a node in this file.
    pub(crate) fn at(&self, node: &Node) -> Location {
        Location { file: self.file().to_owned(), line: node.line, column: node.column }
    }

    /// Something is wrong with a node.
    pub(crate) fn refuse(&mut self, node: &Node, what: impl Into<String>, hint: Option<String>) {
        self.place(node.line, node.column, what, hint);
    }
}
