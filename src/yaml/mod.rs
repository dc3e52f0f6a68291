//! YAML as a tree that knows its lines, and its check against a JSON Schema: every fault at once, each with its place.

mod check;
mod faults;
mod tree;

pub(crate) use check::check;
pub(crate) use faults::Faults;
pub(crate) use tree::{
    KUBECTL_BYTES, Key, Node, Tree, first_document, parse, parse_as_kubectl, parse_merged, second_document,
};

// The version of the format of a file that people write, a kit or a runbook. No word of its schema.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[schemars(inline)]
pub(crate) enum ApiVersion {
    #[serde(rename = "breakglass/v1")]
    V1,
}

/// The schema of a parameter struct.
pub fn schema_of<P: schemars::JsonSchema>() -> serde_json::Value {
    let generator =
        schemars::generate::SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true).into_generator();
    generator.into_root_schema_for::<P>().to_value()
}
