//! YAML as a tree that knows its lines, and its check against a JSON Schema: every fault at once, each with its place.

mod check;
mod faults;
mod tree;

pub use check::check;
pub use faults::Faults;
pub use tree::{
    KUBECTL_BYTES, Key, Node, Tree, first_document, parse, parse_as_kubectl, parse_merged, second_document,
};

/// Where the files' format is named.
pub const API_VERSION: &str = "breakglass/v1";
