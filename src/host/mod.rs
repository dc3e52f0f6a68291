//! What is said to hosts, as pure text.
pub mod script;
pub use script::Script;
