//! The only users of kube, reqwest and ssh2: API calls, SSH sessions, tunnels, quoting. Nothing here knows of steps or plans.

pub mod shell;
pub mod ssh;
