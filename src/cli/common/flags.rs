//! The flags that every verb takes, before or after its name. kubectl's names where kubectl has one.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, ValueEnum};

use crate::duration::HumanDuration;
use crate::kit::{Host, adhoc};
use crate::limits::Limits;
use crate::render::{Color, Output};

/// All of them.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Flags {
    #[command(flatten)]
    pub(in crate::cli) clusters: Clusters,
    #[command(flatten)]
    pub(in crate::cli) connection: Connection,
    #[command(flatten)]
    pub(in crate::cli) safety: Safety,
    #[command(flatten)]
    pub(in crate::cli) output: OutputFlags,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Clusters")]
pub(in crate::cli) struct Clusters {
    /// The kit's folder [default: ~/.config/breakglass/kit].
    #[arg(long, global = true, env = "BREAKGLASS_KIT", hide_env_values = true, value_name = "DIR")]
    pub(in crate::cli) kit: Option<PathBuf>,

    /// A cluster of the kit; may be given several times, the first one is the canary. `all` stands for every cluster.
    #[arg(long, global = true, env = "BREAKGLASS_CLUSTER", hide_env_values = true, value_name = "NAME")]
    #[arg(value_delimiter = ',')]
    pub(in crate::cli) cluster: Vec<String>,

    /// Work on the embedded practice cluster: real TLS and SSH on loopback, simulated state and load behind them.
    #[arg(long, global = true, conflicts_with_all = ["cluster", "server", "via", "context", "kubeconfig"])]
    pub(in crate::cli) sandbox: bool,
}

/// The way to one API server when there is no kit, or instead of what the kit says.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(in crate::cli) struct Connection {
    /// The kubeconfig, when there is no kit [default: $KUBECONFIG, ~/.kube/config].
    #[arg(long, global = true, env = "BREAKGLASS_KUBECONFIG", hide_env_values = true, value_name = "FILE")]
    #[arg(hide_short_help = true)]
    pub(in crate::cli) kubeconfig: Option<PathBuf>,

    /// The context of the kubeconfig.
    #[arg(long, global = true, env = "BREAKGLASS_CONTEXT", hide_env_values = true, value_name = "NAME")]
    #[arg(hide_short_help = true)]
    pub(in crate::cli) context: Option<String>,

    #[arg(help = "The API server by its IP address: 10.0.0.1, 10.0.0.1:6443 or https://10.0.0.1:6443")]
    #[arg(short, long, global = true, env = "BREAKGLASS_SERVER", hide_env_values = true, value_name = "ADDRESS")]
    #[arg(hide_short_help = true)]
    pub(in crate::cli) server: Option<String>,

    /// The name its certificate is verified against.
    #[arg(long, global = true, env = "BREAKGLASS_TLS_SERVER_NAME", hide_env_values = true, value_name = "NAME")]
    #[arg(hide_short_help = true)]
    pub(in crate::cli) tls_server_name: Option<String>,

    /// The certificates it is verified with, PEM.
    #[arg(long, global = true, env = "BREAKGLASS_CERTIFICATE_AUTHORITY", hide_env_values = true, value_name = "FILE")]
    #[arg(hide_short_help = true)]
    pub(in crate::cli) certificate_authority: Option<PathBuf>,

    /// Our certificate, PEM.
    #[arg(long, global = true, env = "BREAKGLASS_CLIENT_CERTIFICATE", hide_env_values = true, value_name = "FILE")]
    #[arg(hide_short_help = true)]
    pub(in crate::cli) client_certificate: Option<PathBuf>,

    /// The key of our certificate, PEM; only its owner may be able to read it.
    #[arg(long, global = true, env = "BREAKGLASS_CLIENT_KEY", hide_env_values = true, value_name = "FILE")]
    #[arg(hide_short_help = true)]
    pub(in crate::cli) client_key: Option<PathBuf>,

    /// Our bearer token. A flag is seen by everybody on the machine: rather set the variable.
    #[arg(long, global = true, env = "BREAKGLASS_TOKEN", hide_env_values = true)]
    #[arg(hide_short_help = true)]
    pub(in crate::cli) token: Option<String>,

    /// The namespace of the object that a verb names.
    #[arg(short, long, global = true, env = "BREAKGLASS_NAMESPACE", hide_env_values = true)]
    #[arg(hide_short_help = true)]
    pub(in crate::cli) namespace: Option<String>,

    /// The longest that one step waits, like 90s or 5m; a bare number is seconds.
    #[arg(long, global = true, env = "BREAKGLASS_REQUEST_TIMEOUT", hide_env_values = true, value_name = "TIME")]
    #[arg(value_parser = timeout, hide_short_help = true)]
    pub(in crate::cli) request_timeout: Option<Duration>,

    /// Reach the API server through SSH to this host, on the host's loopback: HOST or CLUSTER/HOST of the kit, or a name of
    /// `ssh_config` that the kit does not have.
    #[arg(long, global = true, env = "BREAKGLASS_VIA", hide_env_values = true, value_name = "HOST")]
    #[arg(hide_short_help = true)]
    pub(in crate::cli) via: Option<String>,

    /// Look for recovery API servers on the control-plane hosts first, and send requests to them before all others.
    #[arg(long, global = true, env = "BREAKGLASS_RECOVERY", hide_env_values = true, hide_short_help = true)]
    #[arg(value_parser = consent, action = ArgAction::SetTrue)]
    pub(in crate::cli) recovery: bool,

    /// Be known to the API by a credential that lies on a control-plane host, as `access` finds it, in place of our own.
    #[arg(long, global = true, env = "BREAKGLASS_ACCESS", hide_env_values = true, hide_short_help = true)]
    #[arg(value_parser = consent, action = ArgAction::SetTrue)]
    pub(in crate::cli) access: bool,
}

impl Connection {
    /// Whether a way to one API server is given, instead of the kit's.
    pub(in crate::cli) fn names_a_server(&self) -> bool {
        self.kubeconfig.is_some() || self.context.is_some() || self.server.is_some() || self.via.is_some()
    }

    /// The flags that were given and say where a cluster is, who we are to it or whom we trust: what a kit says itself.
    pub(in crate::cli) fn beside_a_kit(&self) -> Vec<&'static str> {
        // Each by its name, so that a new one is decided on here. The last four are about a verb's object and patience, and about what hosts have.
        let Self {
            kubeconfig,
            context,
            server,
            tls_server_name,
            certificate_authority,
            client_certificate,
            client_key,
            token,
            via,
            namespace: _,
            request_timeout: _,
            recovery: _,
            access: _,
        } = self;
        let given = [
            ("--kubeconfig", kubeconfig.is_some()),
            ("--context", context.is_some()),
            ("--server", server.is_some()),
            ("--tls-server-name", tls_server_name.is_some()),
            ("--certificate-authority", certificate_authority.is_some()),
            ("--client-certificate", client_certificate.is_some()),
            ("--client-key", client_key.is_some()),
            ("--token", token.is_some()),
            ("--via", via.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag).collect()
    }

    /// As the kit's room takes them.
    pub(in crate::cli) fn flags(&self, via: Option<Host>) -> adhoc::Flags {
        adhoc::Flags {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            server: self.server.clone(),
            tls_server_name: self.tls_server_name.clone(),
            certificate_authority: self.certificate_authority.clone(),
            client_certificate: self.client_certificate.clone(),
            client_key: self.client_key.clone(),
            token: self.token.clone(),
            via,
        }
    }
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Safety")]
pub(in crate::cli) struct Safety {
    /// Why this is done; stands in the journal and in the marks left on hosts.
    #[arg(long, global = true, env = "BREAKGLASS_REASON", hide_env_values = true, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,

    /// Yes to the plan and to every question that a runbook lets a script answer.
    #[arg(short, long, global = true, env = "BREAKGLASS_YES", hide_env_values = true)]
    #[arg(value_parser = consent, action = ArgAction::SetTrue)]
    pub(in crate::cli) yes: bool,

    /// With --yes: a word that a question wants typed (a runbook's `typedConsent`, or a step before what cannot be taken
    /// back), which --yes alone does not answer; may be given several times.
    #[arg(long, global = true, value_name = "WORD")]
    pub(in crate::cli) consent: Vec<String>,

    /// At most this many clusters at a time.
    #[arg(long, global = true, env = "BREAKGLASS_FANOUT", hide_env_values = true, value_name = "N")]
    #[arg(default_value_t = Limits::CLUSTERS.at_once, value_parser = at_least_one, hide_short_help = true)]
    pub(in crate::cli) fanout: usize,

    /// After the canary, clusters in groups of this many, each done before the next begins; 0 is one group.
    #[arg(long, global = true, env = "BREAKGLASS_BATCH", hide_env_values = true, value_name = "N")]
    #[arg(default_value_t = Limits::CLUSTERS.batch, hide_short_help = true)]
    pub(in crate::cli) batch: usize,

    /// The first cluster alone, through all its steps, before the others (this is the default).
    #[arg(long, global = true, overrides_with = "no_canary", hide_short_help = true)]
    pub(in crate::cli) canary: bool,

    /// All clusters from the beginning.
    #[arg(long, global = true, env = "BREAKGLASS_NO_CANARY", hide_env_values = true, overrides_with = "canary")]
    #[arg(value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue, hide_short_help = true)]
    pub(in crate::cli) no_canary: bool,

    /// Begin no new cluster once this many have failed.
    #[arg(long, global = true, env = "BREAKGLASS_MAX_FAILURES", hide_env_values = true, value_name = "N")]
    #[arg(default_value_t = Limits::CLUSTERS.max_failures, value_parser = at_least_one, hide_short_help = true)]
    pub(in crate::cli) max_failures: usize,
}

impl Safety {
    pub(in crate::cli) fn fleet(&self) -> Limits {
        Limits {
            at_once: self.fanout,
            canary: self.canary || !self.no_canary,
            batch: self.batch,
            max_failures: self.max_failures,
        }
    }
}

#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub(in crate::cli) struct OutputFlags {
    /// `json`: one object a line, for machines.
    #[arg(short, long, global = true, env = "BREAKGLASS_OUTPUT", hide_env_values = true, value_name = "FORM")]
    #[arg(value_enum, default_value_t = OutputForm::Text)]
    pub(in crate::cli) output: OutputForm,

    /// When to use colour; `NO_COLOR` and `CLICOLOR_FORCE` are heeded too.
    #[arg(long, global = true, env = "BREAKGLASS_COLOR", hide_env_values = true, value_name = "WHEN")]
    #[arg(value_enum, default_value_t = ColorWhen::Auto)]
    pub(in crate::cli) color: ColorWhen,

    /// Say all that is sent and done, host by host, and every attempt.
    #[arg(short, long, global = true, env = "BREAKGLASS_VERBOSE", hide_env_values = true)]
    #[arg(value_parser = FalseyValueParser::new(), action = ArgAction::SetTrue)]
    pub(in crate::cli) verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OutputForm {
    Text,
    Json,
}

impl From<OutputForm> for Output {
    fn from(form: OutputForm) -> Self {
        match form {
            OutputForm::Text => Self::Text,
            OutputForm::Json => Self::Json,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ColorWhen {
    Auto,
    Always,
    Never,
}

impl From<ColorWhen> for Color {
    fn from(when: ColorWhen) -> Self {
        match when {
            ColorWhen::Auto => Self::Auto,
            ColorWhen::Always => Self::Always,
            ColorWhen::Never => Self::Never,
        }
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    let time = match text.parse::<u64>() {
        Ok(secs) => Duration::from_secs(secs),
        Err(_) => text.parse::<HumanDuration>()?.into(),
    };
    if time.is_zero() { Err("every wait has an end here: give a time above zero".into()) } else { Ok(time) }
}

/// Consent by a variable: only a word that says yes is one, and one that is neither is asked about.
fn consent(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "y" | "on" => Ok(true),
        "" | "0" | "false" | "no" | "n" | "off" => Ok(false),
        _ => Err("expected yes or no (BREAKGLASS_YES)".into()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) | Err(_) => Err("expected a whole number from 1".into()),
        Ok(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::consent;

    #[test]
    fn only_a_yes_is_consent() {
        assert!(["1", "true", "YES", "on"].iter().all(|word| consent(word) == Ok(true)));
        assert!(["", "0", "no", "False", "off"].iter().all(|word| consent(word) == Ok(false)));
        assert!(["never", "maybe", " yes", "2"].iter().all(|word| consent(word).is_err()));
    }
}
