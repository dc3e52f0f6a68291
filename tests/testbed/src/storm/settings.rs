//! The exact settings of the storms.

use std::time::Duration;

/// What the collectors say who they are with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// The token that the kubelet puts into each pod, as it does by default: the API server refuses it once the pod's
    /// object is gone.
    Bound,
    /// The token of a Secret, which each pod mounts: it outlives every pod, and ends with the Secret or the account.
    Secret,
    /// A client certificate of `system:masters` instead: no right of it can be taken away, and priority and fairness does not
    /// count it.
    Masters,
}

/// The exact settings of a storm.
#[derive(Clone, Debug)]
pub struct Settings {
    pub name: &'static str,
    pub priority_and_fairness: bool,
    /// How much the API servers log: see `ApiFlags`.
    pub verbosity: u8,
    /// What each API server may use of one processor.
    pub cpu_percent: u32,
    /// Hollow nodes; each runs one pod of the telemetry service.
    pub nodes: u8,
    /// Collectors of one pod; they speak from their node's address, and each has a connection of its own.
    pub collectors: u64,
    pub tokens: Tokens,
    /// From one answered list of a collector to its next; zero: as soon as it can.
    pub every: Duration,
    /// After a list that was not answered, or with a 401 or a 429.
    pub pause: Duration,
    /// What the collectors list, in turn.
    pub lists: &'static [&'static str],
    /// Objects that make the lists long, pods of 10 KB and configmaps of 4 KB; and daemonsets that run nowhere, for whoever tries
    /// to delete one in the storm. Few of these: their controller writes two objects for each, 20 a second, before it gets to
    /// the telemetry service.
    pub ballast: [usize; 3],
    /// The storm has risen when a bare request over a new connection takes longer, three times in a row.
    pub slow: Duration,
    /// What else may blow on this machine beside it.
    pub beside: Beside,
    /// What its story takes on a quiet machine: of those who wait for a place the longest comes first, so an order and no promise.
    pub story: Duration,
}

/// What else may blow on the machine beside a storm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// It needs little, and takes no place from others.
    Whatever,
    /// It needs much of a processor: as many of its kind as there are processors.
    Others,
    /// Another would change what is measured in it: it waits for those that blow, and the others for it.
    Nothing,
}

/// A server starved of processor time without priority and fairness: a lone kubectl fails or takes more than 20 seconds.
pub const STORM: Settings = Settings {
    name: "storm",
    priority_and_fairness: false,
    verbosity: 0,
    cpu_percent: 15,
    nodes: 25,
    collectors: 8,
    tokens: Tokens::Bound,
    every: Duration::ZERO,
    pause: Duration::from_millis(100),
    lists: &["/api/v1/pods", "/api/v1/pods?resourceVersion=0", "/api/v1/configmaps"],
    ballast: [2000, 500, 30],
    slow: Duration::from_secs(5),
    beside: Beside::Others,
    story: Duration::from_secs(100),
};

/// The same storm of an older kind of service, whose right to list does not end with its pods.
pub const STORM_UNBOUND: Settings = Settings { name: "storm-unbound", tokens: Tokens::Secret, ..STORM };

/// Three such servers with half as much of a processor each, and 96 collectors: when one dies, the two others have its share,
/// too.
pub const STORM_HA: Settings = Settings {
    name: "storm-ha",
    cpu_percent: 8,
    nodes: 24,
    collectors: 12,
    ballast: [1500, 300, 30],
    story: Duration::from_secs(300),
    ..STORM
};

/// The same server under collectors that keep a rhythm, and shorter lists: what all of them ask for drowns a server of five
/// times that size, too (a round of theirs takes it longer than the pause between two), and a few of them are no burden.
pub const STORM_RHYTHM: Settings = Settings {
    name: "storm-rhythm",
    every: Duration::from_secs(6),
    pause: Duration::from_secs(3),
    ballast: [250, 50, 30],
    story: Duration::from_secs(130),
    ..STORM
};

/// The same server with priority and fairness, which queues or sheds most of 80 collectors: slow, but open.
pub const STORM_APF: Settings = Settings {
    name: "storm-apf",
    priority_and_fairness: true,
    verbosity: 2,
    cpu_percent: 25,
    nodes: 20,
    collectors: 4,
    slow: Duration::from_secs(1),
    ..STORM
};

/// The same server, and collectors that watch from the start instead of listing, as client-go does since 1.35: each watch sends all
/// objects, goes on for some seconds, and begins anew.
pub const STORM_WATCH: Settings = Settings {
    name: "storm-watch",
    lists: &[
        "/api/v1/pods?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=3",
        "/api/v1/configmaps?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=3",
    ],
    ..STORM_APF
};

/// The same collectors with the certificate of all certificates, on a smaller server: whoever is in `system:masters` neither waits
/// nor is turned away, and priority and fairness is of no help.
pub const STORM_MASTERS: Settings = Settings {
    name: "storm-masters",
    tokens: Tokens::Masters,
    cpu_percent: 15,
    slow: Duration::from_secs(3),
    ..STORM_APF
};
