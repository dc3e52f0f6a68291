//! The flags of a recovery API server: those of the host's own, changed in what would make it a second one of the same.

use std::collections::BTreeMap;

use super::text::FOLDER;
use crate::host::manifest::Launch;

/// What is wanted of it beside what it has to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Flags that are set, without their dashes, whatever else was said.
    pub set: BTreeMap<String, String>,
    /// Flags that are left out.
    pub unset: Vec<String>,
    /// No webhook has a say in what is admitted.
    pub without_webhooks: bool,
}

/// What belongs to the host's own API server alone: where it listens and is announced, whom it shows itself as, what it writes to,
/// how it ends, and what costs memory that this one has to spare.
const ITS_OWN: [&str; 24] = [
    "secure-port",
    "bind-address",
    "advertise-address",
    "peer-advertise-ip",
    "peer-advertise-port",
    "endpoint-reconciler-type",
    "apiserver-count",
    "external-hostname",
    "tls-cert-file",
    "tls-private-key-file",
    "tls-sni-cert-key",
    "cert-dir",
    "tracing-config-file",
    "log-file",
    "log-dir",
    "anonymous-auth",
    "enable-priority-and-fairness",
    "watch-cache",
    "watch-cache-sizes",
    "goaway-chance",
    "shutdown-delay-duration",
    "shutdown-send-retry-after",
    "permit-port-sharing",
    "permit-address-sharing",
];

/// One flag as it is given: its name and its value, if it has one.
type Flag = (String, Option<String>);

/// Reads words as the components do: `_` is `-` in names, and a word without dashes is the value of the flag before it.
fn read(words: &[String]) -> Result<Vec<Flag>, String> {
    let mut flags: Vec<Flag> = Vec::new();
    let mut open = false;
    for word in words {
        // The one short form that the components have and anybody uses.
        let long = word.strip_prefix("-v").filter(|rest| rest.chars().all(|c| c == '=' || c.is_ascii_digit()));
        if let Some(level) = long {
            let level = level.trim_start_matches('=');
            open = level.is_empty();
            flags.push(("v".into(), (!open).then(|| level.to_owned())));
            continue;
        }
        match (word.strip_prefix("--"), open) {
            (Some(""), _) => return Err("a bare -- stands among its words".into()),
            (Some(rest), _) => {
                let (name, value) = match rest.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (rest, None),
                };
                open = value.is_none();
                flags.push((name.replace('_', "-"), value));
            }
            (None, true) if !word.starts_with('-') => {
                if let Some(last) = flags.last_mut() {
                    last.1 = Some(word.clone());
                }
                open = false;
            }
            (None, _) => return Err(format!("{word:?} stands among its flags and is the value of none")),
        }
    }
    Ok(flags)
}

/// The flags, one word each.
///
/// # Errors
/// One sentence: words that cannot be told, or a wish that does not go together with them.
pub fn flags(launch: &Launch, wish: &Wish) -> Result<Vec<String>, String> {
    let mut flags = read(&launch.words)?;
    let has = |flags: &[Flag], name: &str| flags.iter().any(|(known, _)| known == name);
    let audit = audit(&flags);
    flags.retain(|(name, _)| !ITS_OWN.contains(&name.as_str()) && !name.starts_with("audit-"));
    flags.extend(audit);
    let file = |(name, value): Flag| {
        let value = value.map(|value| if value.starts_with('/') { launch.on_host(&value) } else { value });
        (name, value)
    };
    let mut flags: Vec<Flag> = flags.into_iter().map(file).collect();
    let mut put = |name: &str, value: String| flags.push((name.to_owned(), Some(value)));
    put("secure-port", wish.port.to_string());
    put("bind-address", "127.0.0.1".into());
    put("advertise-address", "127.0.0.1".into());
    put("endpoint-reconciler-type", "none".into());
    put("cert-dir", format!("{FOLDER}/cert"));
    put("watch-cache", "false".into());
    put("enable-priority-and-fairness", "false".into());
    // Where a file says who may come without a name, a flag may not say it, too.
    if !has(&flags, "authentication-config") {
        flags.push(("anonymous-auth".into(), Some("false".into())));
    }
    if wish.without_webhooks {
        without_webhooks(&mut flags);
    }
    for name in wish.unset.iter().chain(wish.set.keys()) {
        flags.retain(|(known, _)| *known != name.replace('_', "-"));
    }
    flags.extend(wish.set.iter().map(|(name, value)| (name.replace('_', "-"), Some(value.clone()))));
    let word = |(name, value): Flag| match value {
        Some(value) => format!("--{name}={value}"),
        None => format!("--{name}"),
    };
    let words: Vec<String> = flags.into_iter().map(word).collect();
    match words.iter().find(|word| word.contains(['\n', '\0'])) {
        Some(word) => Err(format!("{word:?} has a line break in it")),
        None => Ok(words),
    }
}

/// What is asked of it is recorded by the rules of the host's own, in a file beside that one's: two that wrote to one file would turn it
/// away under each other. That file stays. Where the host's own keeps none, neither does it.
fn audit(flags: &[Flag]) -> Vec<Flag> {
    let value = |name: &str| flags.iter().rev().find(|(known, _)| known == name)?.1.clone();
    let path = value("audit-log-path").filter(|path| path.starts_with('/'));
    let (Some(policy), Some(path)) = (value("audit-policy-file"), path) else { return Vec::new() };
    [
        ("policy-file", policy),
        ("log-path", format!("{path}.breakglass")),
        ("log-maxsize", "10".into()),
        ("log-maxbackup", "1".into()),
    ]
    .map(|(name, value)| (format!("audit-{name}"), Some(value)))
    .into()
}

/// The list of what is off gains the two, and the list of what is on loses them: the server refuses what stands in both.
fn without_webhooks(flags: &mut Vec<Flag>) {
    const TWO: [&str; 2] = ["MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"];
    let mut off = String::new();
    for (name, value) in flags.iter_mut() {
        let Some(value) = value.as_mut() else { continue };
        match name.as_str() {
            "enable-admission-plugins" => {
                *value = value.split(',').filter(|plugin| !TWO.contains(plugin)).collect::<Vec<_>>().join(",");
            }
            "disable-admission-plugins" => off.push_str(&format!("{value},")),
            _ => {}
        }
    }
    flags.retain(|(name, value)| {
        name != "disable-admission-plugins" && !(name == "enable-admission-plugins" && value.as_deref() == Some(""))
    });
    flags.push(("disable-admission-plugins".into(), Some(format!("{off}{}", TWO.join(",")))));
}

/// Flags whose value may begin as a path does, and that name no file which has to be there.
const OF_NO_FILE: [&str; 2] = ["cors-allowed-origins", "audit-log-path"];

/// Those of its flags that name a file of the host, with that file.
pub(super) fn files(flags: &[String]) -> Vec<(&str, &str)> {
    flags
        .iter()
        .filter_map(|word| word.strip_prefix("--")?.split_once('='))
        .filter(|(name, value)| value.starts_with('/') && !OF_NO_FILE.contains(name) && !value.starts_with(FOLDER))
        .collect()
}

const CLIENTS: &str = "--client-ca-file=";

/// The file with those whose client certificates it takes.
pub(super) fn clients(flags: &[String]) -> Option<&str> {
    flags.iter().rev().find_map(|word| word.strip_prefix(CLIENTS))
}

/// The flags, with a file of its own in the place of that one.
pub(super) fn known_by(flags: &[String], own: &str) -> Vec<String> {
    let known = !own.is_empty() || clients(flags).is_some();
    let rest = flags.iter().filter(|word| !word.starts_with(CLIENTS)).cloned();
    rest.chain(known.then(|| format!("{CLIENTS}{FOLDER}/clients.crt"))).collect()
}

/// Where its etcd answers, and by what it is known there.
pub(super) fn etcd(flags: &[String]) -> Etcd {
    let last = |name: &str| {
        let of = |word: &String| word.strip_prefix("--")?.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        flags.iter().rev().find_map(of).unwrap_or_default()
    };
    Etcd {
        servers: last("etcd-servers"),
        ca: last("etcd-cafile"),
        cert: last("etcd-certfile"),
        key: last("etcd-keyfile"),
    }
}

/// How etcd is asked; what is not said is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Etcd {
    /// Its addresses, between commas.
    pub servers: String,
    /// The file of its authority.
    pub ca: String,
    /// The file of the client certificate.
    pub cert: String,
    /// The file of its key.
    pub key: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str], wish: &Wish) -> Result<Vec<String>, String> {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let mounts = vec![("/pki".to_owned(), "/etc/kubernetes/pki".to_owned())];
        flags(&Launch { words, mounts, image: String::new() }, wish)
    }

    const OWN: [&str; 8] = [
        "--secure-port=16443",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        "--cert-dir=/run/breakglass-recovery/cert",
        "--watch-cache=false",
        "--enable-priority-and-fairness=false",
        "--anonymous-auth=false",
    ];

    fn wish() -> Wish {
        Wish { port: 16443, ..Wish::default() }
    }

    #[test]
    fn what_would_make_it_a_second_one_of_the_same_is_left_out_and_the_rest_stays() {
        let words = [
            "--advertise-address=10.0.0.1",
            "--etcd_servers",
            "https://127.0.0.1:2379",
            "--etcd-cafile=/pki/etcd/ca.crt",
            "--tls-cert-file=/pki/apiserver.crt",
            "--tls-private-key-file",
            "/pki/apiserver.key",
            "--audit-log-path=/var/log/a.log",
            "--audit-policy-file=/pki/policy.yaml",
            "--allow-privileged",
            "-v",
            "2",
            "--watch-cache=true",
            "--runtime-config=api/all=true",
        ];
        let rest = [
            "--etcd-servers=https://127.0.0.1:2379",
            "--etcd-cafile=/etc/kubernetes/pki/etcd/ca.crt",
            "--allow-privileged",
            "--v=2",
            "--runtime-config=api/all=true",
            "--audit-policy-file=/etc/kubernetes/pki/policy.yaml",
            "--audit-log-path=/var/log/a.log.breakglass",
            "--audit-log-maxsize=10",
            "--audit-log-maxbackup=1",
        ];
        let all: Vec<&str> = rest.into_iter().chain(OWN).collect();
        assert_eq!(of(&words, &wish()).unwrap(), all);
        let etcd = etcd(&of(&words, &wish()).unwrap());
        assert_eq!(
            (etcd.servers.as_str(), etcd.ca.as_str(), etcd.key.as_str()),
            ("https://127.0.0.1:2379", "/etc/kubernetes/pki/etcd/ca.crt", "")
        );
        let flags = of(&words, &wish()).unwrap();
        let there = [
            ("etcd-cafile", "/etc/kubernetes/pki/etcd/ca.crt"),
            ("audit-policy-file", "/etc/kubernetes/pki/policy.yaml"),
        ];
        assert_eq!(files(&flags), there);
        let unruled: Vec<_> = words.into_iter().filter(|word| !word.starts_with("--audit-policy")).collect();
        assert!(!of(&unruled, &wish()).unwrap().iter().any(|word| word.contains("audit")));
        assert!(of(&["--a=b", "stray"], &wish()).unwrap_err().contains("stray"));
    }

    #[test]
    fn whom_it_knows_stands_in_a_file_of_its_own_where_the_cluster_knows_somebody_or_we_are_to_be_known() {
        let word = |word: &str| vec!["--a=b".to_owned(), word.to_owned()];
        let (theirs, none) = (word("--client-ca-file=/pki/ca.crt"), word("--c=d"));
        let ours = "--client-ca-file=/run/breakglass-recovery/clients.crt";
        assert_eq!((clients(&theirs), clients(&none)), (Some("/pki/ca.crt"), None));
        assert_eq!(known_by(&theirs, ""), ["--a=b", ours]);
        assert_eq!(known_by(&none, "CERT"), ["--a=b", "--c=d", ours]);
        assert_eq!(known_by(&none, ""), none);
    }

    #[test]
    fn webhooks_have_no_say_where_that_is_wanted_and_a_flag_that_breaks_it_can_be_left_out_or_set() {
        let wish = Wish {
            without_webhooks: true,
            set: BTreeMap::from([("watch_cache".to_owned(), "true".to_owned())]),
            unset: vec!["bad-flag".into()],
            ..wish()
        };
        let words = [
            "--enable-admission-plugins=NodeRestriction,ValidatingAdmissionWebhook",
            "--disable-admission-plugins=X",
            "--bad-flag=1",
        ];
        let said = of(&words, &wish).unwrap();
        for word in [
            "--enable-admission-plugins=NodeRestriction",
            "--disable-admission-plugins=X,MutatingAdmissionWebhook,ValidatingAdmissionWebhook",
            "--watch-cache=true",
        ] {
            assert!(said.iter().any(|said| said == word), "{word}: {said:?}");
        }
        assert_eq!(
            said.iter().filter(|word| word.contains("watch-cache") || word.contains("bad-flag")).count(),
            1,
            "{said:?}"
        );
    }
}
