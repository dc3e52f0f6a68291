//! Real hosts, firewalls and control planes on one machine, for the tests.
//!
//! | file | what it holds |
//! |---|---|
//! | `isolate` | the test process moves into its own namespaces before the first test |
//! | `machine` | what the lab needs of the machine, found out first |
//! | `lab` | the operator's side: the bridge, the work folder, the keys |
//! | `host` | one host: its own network, mounts, processes, name, `/etc/kubernetes` and OpenSSH server |
//! | `ssh` | client keys, `known_hosts`, ssh configuration |
//! | `fault` | what can be broken on a host, and is mended when its guard is dropped |
//! | `snapshot`, `process`, `socket`, `probe` | what really happened, seen from outside the program under test |
//! | `control_plane` | etcd, API servers, controllers, users, hollow nodes and a load balancer |
//! | `name_server` | CoreDNS, whose names come from the API servers |
//! | `components`, `component`, `binaries` | each server's flags, its process, and how its program gets built |
//! | `access`, `pki`, `kubectl` | users with their certificates, and their clients |
//! | `audit`, `meter` | what an API server wrote down, and what really went to it over the wire |
//! | `kubelet`, `manifests`, `image` | control planes of static pods on containerd, and workers |
//! | `storm`, `limits` | named overloads with their exact settings |
//! | `turn` | what tests share by turns, and how long each took without its wait |
//! | `cgroup` | control groups, and the janitor that removes them |
//! | `kit` | the program's own file about the hosts of a lab |
//! | `scenario` | the scenes that a person can walk into with `tests/testbed/enter` |
//! | `command` | child processes whose wait always ends |
//!
//! A test binary has `harness = false` and hands its tests, each a [`test()`], to [`main`]; inside a test [`Lab::shared`] is the lab.

mod access;
pub mod audit;
mod binaries;
mod cgroup;
mod command;
mod component;
mod components;
mod control_plane;
mod fault;
mod host;
mod host_init;
mod image;
mod isolate;
mod kit;
mod kubectl;
mod kubelet;
mod lab;
mod limits;
mod machine;
mod manifests;
mod meter;
mod name_server;
mod net;
pub mod pki;
mod probe;
mod process;
pub mod scenario;
mod snapshot;
mod socket;
mod ssh;
mod storm;
mod turn;

pub use access::Access;
pub use binaries::{flux, main_with_kubernetes, prepare};
pub use command::{Output, Running, exit_code};
pub use component::{Component, wait_until};
pub use components::{API_PORT, AUTHORIZERS, ApiFlags};
pub use control_plane::{ApiServer, ControlPlane, Options, WrongCertificate, hollow_nodes};
pub use fault::{Fault, FaultGuard};
pub use host::Host;
pub use isolate::{is_outside, main, play_role, run_isolated, test};
pub use kit::{Kit, unknown_authority};
pub use kubectl::{Curl, Kubectl};
pub use kubelet::{KubeletPlane, pod_process, watch_restarts};
pub use lab::{Lab, OPERATOR_IP4, OPERATOR_IP6};
pub use limits::CpuLimit;
pub use meter::{Meter, Traffic};
pub use name_server::{CONTROL_PLANE, NameServer};
pub use pki::{User, Validity};
pub use probe::Probe;
pub use process::Process;
pub use snapshot::{Change, Changes, Snapshot};
pub use socket::Socket;
pub use ssh::Identity;
pub use storm::{
    Agents, Beside, Lull, OFFENDER, OomSettings, STORM, STORM_APF, STORM_HA, STORM_MASTERS, STORM_OOM, STORM_RHYTHM,
    STORM_UNBOUND, STORM_WATCH, Settings, Storm, Tokens, ballast, place_for_a_storm, place_to_spare, start_storm_oom,
};
pub use turn::{Lent, Place, Pool, timed, turn};
