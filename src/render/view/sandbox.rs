//! The practice cluster, and what to do with it.

use serde_json::{Value, json};

use crate::duration::HumanDuration;
use crate::kit::Cluster;
use crate::render::VERSION;
use crate::sandbox::{NAME, OFFENDER, Weather};

/// What is said once it is up.
pub(crate) fn text(kit: &str, cluster: &Cluster, weather: Weather, end_after: Option<HumanDuration>) -> String {
    let (servers, hosts) = (cluster.api_servers.len(), cluster.hosts.len());
    let weather = match weather {
        Weather::Peace => "quiet",
        Weather::Storm => "drowning",
    };
    let until = end_after.map_or_else(String::new, |time| format!(", at most {time}"));
    format!(
        "the practice cluster is up and {weather}: {servers} API servers and {hosts} hosts on loopback; its state and \
         load are simulated\n\
         in another terminal:\n\
         \x20 export BREAKGLASS_KIT={kit}\n\
         \x20 breakglass probe\n\
         \x20 breakglass run api-overload -p offender={OFFENDER} -p window=3s\n\
         \x20 breakglass undo last\n\
         it stays until Ctrl-C{until}\n"
    )
}

/// The same.
pub(crate) fn json(kit: &str) -> Value {
    json!({ "v": VERSION, "kit": kit, "cluster": NAME, "offender": OFFENDER })
}
