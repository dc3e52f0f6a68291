//! The kit's file: one cluster, as people write it. Paths are relative to the file; `~/` is the operator's home.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ActingAs, Role};
use crate::yaml::{ApiVersion, schema_of};

/// A cluster: its API servers, its hosts, and who we are to them. Addresses are IP addresses: there may be no DNS.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ClusterFile {
    /// The version of this format.
    pub(super) api_version: ApiVersion,
    /// What this file is.
    pub(super) kind: FileKind,
    /// What it is called.
    pub(super) metadata: Metadata,
    /// What is known of it.
    pub(super) spec: ClusterSpec,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(super) enum FileKind {
    Cluster,
}

/// What it is called.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct Metadata {
    /// Its name; the file is called NAME.yaml.
    #[schemars(regex(pattern = "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"), example = "prod-eu1")]
    pub(super) name: String,
}

/// What is known of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct ClusterSpec {
    /// The name in the API servers' certificates, when it is not the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tls_server_name: Option<String>,
    /// The file with the certificates that API servers are verified against, PEM. This or the data must be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) certificate_authority: Option<String>,
    /// The same in the file itself, base64 of PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) certificate_authority_data: Option<String>,
    /// Who we are to the API. Nobody when not given: health endpoints and hosts only.
    #[serde(default, skip_serializing_if = "UserFile::is_nobody")]
    pub(super) user: UserFile,
    /// The API servers, in the order they are tried when nothing is known of them.
    #[schemars(length(min = 1))]
    pub(super) api_servers: Vec<ApiServerFile>,
    /// How SSH gets into every host; a host says what is different there.
    #[serde(default, skip_serializing_if = "SshFile::is_empty")]
    pub(super) ssh: SshFile,
    /// Named addresses and prefixes, for the stages of a gate: a node pool, the egress addresses of a namespace.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) sets: BTreeMap<String, Vec<String>>,
    /// Hosts on the way to others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) jumps: Vec<JumpFile>,
    /// The hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) hosts: Vec<HostFile>,
}

/// Who we are to the API.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct UserFile {
    /// The file with our certificate, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client_certificate: Option<String>,
    /// The same in the file itself, base64 of PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client_certificate_data: Option<String>,
    /// The file with its key, PEM; only its owner may be able to read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client_key: Option<String>,
    /// The same in the file itself, base64 of PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client_key_data: Option<String>,
    /// The file with a bearer token; only its owner may be able to read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token_file: Option<String>,
    /// The same in the file itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
    /// When the token ends, where it does not say so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = "2026-12-01T12:00:00Z")]
    pub(super) token_ends: Option<String>,
    /// The user that requests are made as, when that is somebody else. It has to be allowed by RBAC (impersonate).
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub(super) acting_as: Option<String>,
    /// The groups of that user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) as_groups: Vec<String>,
    /// The uid of that user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) as_uid: Option<String>,
    /// What else that user has, each key with its values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) as_user_extra: BTreeMap<String, Vec<String>>,
}

impl std::fmt::Debug for UserFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UserFile(..)")
    }
}

impl UserFile {
    fn is_nobody(&self) -> bool {
        *self == Self::default()
    }

    /// Whom requests are made as, when that is somebody else.
    pub(super) fn acting_as(&self) -> Option<ActingAs> {
        let acting_as = ActingAs {
            user: self.acting_as.clone().unwrap_or_default(),
            groups: self.as_groups.clone(),
            uid: self.as_uid.clone(),
            extra: self.as_user_extra.clone(),
        };
        (acting_as != ActingAs::default()).then_some(acting_as)
    }

    /// Whether the file itself holds what only its owner may read.
    pub(super) fn holds_secret(&self) -> bool {
        self.client_key_data.is_some() || self.token.is_some()
    }
}

/// One API server and the way to it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct ApiServerFile {
    /// Its name.
    pub(super) name: String,
    /// Its IP address and port; 6443 when no port is given. Dialled by the host itself when `via` is given.
    #[schemars(example = "10.0.0.1:6443")]
    pub(super) address: String,
    /// The host whose loopback or network it is reached through, by SSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) via: Option<String>,
    /// The host it runs on. When not given: `via`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<String>,
}

/// How SSH gets into a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct SshFile {
    /// The port of its SSH server; 22 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub(super) port: Option<u16>,
    /// The user; root when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    /// Files with private keys; only their owner may be able to read them. None: the agent only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) identities: Option<Vec<String>>,
    /// Only those keys are tried, also from the agent; true when there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) identities_only: Option<bool>,
    /// Files with user certificates, beside those that stand next to the identities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) certificates: Option<Vec<String>>,
    /// The agent's socket, or `none`; $SSH_AUTH_SOCK when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) agent: Option<String>,
    /// Its host keys: lines of a known_hosts file, or only type and key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) host_keys: Option<Vec<String>>,
    /// Files with host keys. When neither these nor `hostKeys` are given: the operator's and the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) known_hosts: Option<Vec<String>>,
    /// The name its key stands under, when it is not the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) host_key_alias: Option<String>,
    /// Names under `jumps`, the first one first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) jumps: Option<Vec<String>>,
    /// Commands need `sudo -n`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sudo: Option<bool>,
}

impl SshFile {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What this says, and where it says nothing, what `base` says.
    pub(super) fn over(&self, base: &Self) -> Self {
        Self {
            port: self.port.or(base.port),
            user: self.user.clone().or_else(|| base.user.clone()),
            identities: self.identities.clone().or_else(|| base.identities.clone()),
            identities_only: self.identities_only.or(base.identities_only),
            certificates: self.certificates.clone().or_else(|| base.certificates.clone()),
            agent: self.agent.clone().or_else(|| base.agent.clone()),
            host_keys: self.host_keys.clone().or_else(|| base.host_keys.clone()),
            known_hosts: self.known_hosts.clone().or_else(|| base.known_hosts.clone()),
            host_key_alias: self.host_key_alias.clone().or_else(|| base.host_key_alias.clone()),
            jumps: self.jumps.clone().or_else(|| base.jumps.clone()),
            sudo: self.sudo.or(base.sudo),
        }
    }
}

/// A host on the way to others.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct JumpFile {
    /// Its name.
    pub(super) name: String,
    /// Its IP address.
    #[schemars(extend("format" = "ip"))]
    pub(super) address: String,
    /// How SSH gets in, where it is different.
    #[serde(default, skip_serializing_if = "SshFile::is_empty")]
    pub(super) ssh: SshFile,
}

/// One host.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(inline)]
pub(super) struct HostFile {
    /// Its name.
    pub(super) name: String,
    /// Its IP address.
    #[schemars(extend("format" = "ip"))]
    pub(super) address: String,
    /// What it is for. When not given: `control-plane` for a host that an API server names, else `node`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) roles: Option<Vec<Role>>,
    /// The folder of its static pods; /etc/kubernetes/manifests when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) manifests: Option<String>,
    /// A file of the host that is kube-apiserver, for a recovery API server where no process and no container has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) recovery_program: Option<String>,
    /// How SSH gets in, where it is different.
    #[serde(default, skip_serializing_if = "SshFile::is_empty")]
    pub(super) ssh: SshFile,
}

/// The JSON Schema of the file (draft 2020-12).
pub fn schema() -> Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA
        .get_or_init(|| {
            let mut schema = schema_of::<ClusterFile>();
            schema["title"] = "breakglass cluster".into();
            schema
        })
        .clone()
}
