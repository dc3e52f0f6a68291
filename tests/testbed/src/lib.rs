//! Real hosts, firewalls and control planes on one machine, for the tests.
//!
//! | file | what it holds |
//! |---|---|
//! | `isolate` | the test process moves into its own namespaces before the first test |
//! | `lab` | the operator's side: the bridge, the work folder, the keys |
//! | `host` | one host: its own network, mounts, processes, name, `/etc/kubernetes` and OpenSSH server |
//! | `ssh` | client keys, `known_hosts`, ssh configuration |
//! | `fault` | what can be broken on a host, and is mended when its guard is dropped |
//! | `snapshot`, `process`, `socket`, `probe` | what really happened, seen from outside the program under test |
//! | `command` | child processes whose wait always ends |
//!
//! A test binary has `harness = false` and hands its tests to [`main`]; inside a test [`Lab::shared`] is the lab.

mod command;
mod host;
mod host_init;
mod isolate;
mod lab;
mod net;
mod probe;
mod process;
mod ssh;

pub use command::{Output, Running};
pub use host::Host;
pub use isolate::{main, run_isolated};
pub use lab::{Lab, OPERATOR_IP4, OPERATOR_IP6};
pub use probe::Probe;
pub use process::Process;
pub use ssh::Identity;
