//! The map.

pub mod link;
