//! What is said to hosts, as pure text: nothing in here opens a connection, reads a file or knows the time.
//!
//! A host is spoken to in one form only, a [`Script`](crate::script::Script): a named POSIX sh text that arrives on a shell's standard input
//! and answers with `key=value` lines, which a parser beside the script's text reads into a typed value.

pub mod apiserver;
pub mod audit;
pub mod authorizers;
pub mod certificates;
pub mod credentials;
#[cfg(test)]
mod environments;
pub mod file;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod fuzz;
pub mod gate;
mod genuine;
pub mod jail;
pub mod left;
pub mod manifest;
pub mod net;
pub mod offender;
pub mod order;
pub mod orders;
pub mod pods;
mod program;
pub mod ranking;
pub mod recovery;
pub mod rescue;
pub mod rewriter;
pub mod room;
pub mod swap;
#[cfg(test)]
mod texts;
pub mod why;

pub use net::Net;
