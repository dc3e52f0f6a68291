//! The certificates of a control plane in kubeadm's layout: what a host has, the one signature that its CA's key has to make, and
//! what of it is put in the place of what.
//!
//! Certificates are read home, for they are no secrets. A private key never is: of each its host tells the public half, by which it is
//! seen to belong, and a file with a key in it (a kubeconfig) is changed on its host alone.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use self::text::{KEEP, KEEP_AWAY, LIB, LOOKS, SIGNS, SPLICES};
use super::order::{Order as _, Query, order};
use crate::script::{Answer, Script, quote};

#[cfg(test)]
mod tests;
mod text;

/// In what form a certificate is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A CA's, by itself in a file, its key in another.
    Authority,
    /// By itself in a file, its key in another.
    Pem,
    /// Inside a kubeconfig, with its key.
    Kubeconfig,
    /// A kubelet's, which it renews by itself.
    Kubelet,
}

/// One certificate of the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Where it is.
    pub path: &'static str,
    /// The CA that signs it.
    pub authority: &'static str,
    /// How it is kept.
    pub form: Form,
}

/// The cluster's CA.
pub const CLUSTER: &str = "/etc/kubernetes/pki/ca.crt";
/// etcd's.
pub const ETCD: &str = "/etc/kubernetes/pki/etcd/ca.crt";
/// That of whoever speaks for others to aggregated APIs.
pub const FRONT_PROXY: &str = "/etc/kubernetes/pki/front-proxy-ca.crt";

const fn item(path: &'static str, authority: &'static str, form: Form) -> Item {
    Item { path, authority, form }
}

/// All of them, in the order in which they are renewed: what others hang on first.
pub const LAYOUT: [Item; 16] = [
    item(ETCD, ETCD, Form::Authority),
    item(CLUSTER, CLUSTER, Form::Authority),
    item(FRONT_PROXY, FRONT_PROXY, Form::Authority),
    item("/etc/kubernetes/pki/etcd/server.crt", ETCD, Form::Pem),
    item("/etc/kubernetes/pki/etcd/peer.crt", ETCD, Form::Pem),
    item("/etc/kubernetes/pki/etcd/healthcheck-client.crt", ETCD, Form::Pem),
    item("/etc/kubernetes/pki/apiserver-etcd-client.crt", ETCD, Form::Pem),
    item("/etc/kubernetes/pki/apiserver-kubelet-client.crt", CLUSTER, Form::Pem),
    item("/etc/kubernetes/pki/front-proxy-client.crt", FRONT_PROXY, Form::Pem),
    item("/etc/kubernetes/pki/apiserver.crt", CLUSTER, Form::Pem),
    item("/etc/kubernetes/admin.conf", CLUSTER, Form::Kubeconfig),
    item("/etc/kubernetes/super-admin.conf", CLUSTER, Form::Kubeconfig),
    item("/etc/kubernetes/controller-manager.conf", CLUSTER, Form::Kubeconfig),
    item("/etc/kubernetes/scheduler.conf", CLUSTER, Form::Kubeconfig),
    item("/etc/kubernetes/kubelet.conf", CLUSTER, Form::Kubelet),
    item("/var/lib/kubelet/pki/kubelet-client-current.pem", CLUSTER, Form::Kubelet),
];

/// Where the key of a certificate is that has a file of its own.
pub fn key_of(path: &str) -> String {
    format!("{}.key", path.strip_suffix(".crt").unwrap_or(path))
}

/// What a host knows of a private key; never the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// It is not there.
    Absent,
    /// It takes a passphrase.
    Encrypted,
    /// No key can be read out of it.
    Unread,
    /// Its public half, DER.
    Public(Vec<u8>),
}

/// One file of the layout, as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it is.
    pub item: Item,
    /// Why it is none to work on, where that is so: `a symbolic link to /x`.
    pub odd: Option<String>,
    /// Of the whole file.
    pub sha256: String,
    /// Its permission bits.
    pub mode: u32,
    /// The whole text of a file that has no key in it; of another, its certificate alone. PEM.
    pub text: Vec<u8>,
    /// The same as it stands in a kubeconfig.
    pub data: String,
    /// The certificates that a kubeconfig's API server is verified against, as they stand in it; empty where it has none in it.
    pub authority_data: String,
    /// Its key.
    pub key: Key,
}

/// What a port shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The certificate that it should show, as its program is told.
    pub path: String,
    /// Where it was asked.
    pub address: String,
    /// What it showed, PEM; empty: nobody answered.
    pub text: Vec<u8>,
}

/// What a host has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// What its clock says, in seconds since 1970.
    pub now: Option<i64>,
    /// There is no openssl.
    pub no_openssl: bool,
    /// Another distribution's folder, where kubeadm's is not there.
    pub distribution: Option<String>,
    /// What is there of the layout.
    pub all: Vec<Seen>,
    /// What is kept beside, by path: SHA-256.
    pub kept: Vec<(String, String)>,
    /// What its servers show.
    pub shown: Vec<Shown>,
}

order! {
    /// Looks at the certificates of a control plane.
    CertificatesLook = "certificates.look" { manifests: String, beside: String } -> Survey, |_, stdout| survey(stdout)
}

/// The script that looks; it writes nothing. `manifests` is the folder of the static pods, `beside` where a run keeps what was there.
pub fn look(manifests: &str, beside: &str) -> Query<CertificatesLook> {
    let manifests = manifests.trim_end_matches('/');
    let mut body = LIB.to_owned();
    let _ = writeln!(body, "M={}; B={}", quote(manifests), quote(beside));
    body.push_str(LOOKS);
    for Item { path, form, .. } in LAYOUT {
        let how = match form {
            Form::Authority | Form::Pem => "file",
            Form::Kubeconfig => "config",
            Form::Kubelet => "kubelet",
        };
        let _ = writeln!(body, "{how} {path}");
    }
    body.push_str("kept\nservers\nsay end yes\n");
    CertificatesLook { manifests: manifests.to_owned(), beside: beside.to_owned() }.query(body)
}

/// Reads what `look` printed; `None` if it broke off.
fn survey(stdout: &str) -> Option<Survey> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    let mut found = Survey {
        now: answer.get("now").and_then(|now| now.parse().ok()),
        no_openssl: answer.get("openssl") == Some("missing"),
        distribution: answer.get("distribution").map(str::to_owned),
        ..Survey::default()
    };
    let bytes = |text: &str| STANDARD.decode(text.trim()).unwrap_or_default();
    for (key, value) in answer.pairs() {
        let last = found.all.last_mut();
        match (key, last) {
            ("file", _) => found.all.extend(LAYOUT.iter().find(|item| item.path == value).map(|item| Seen {
                item: *item,
                odd: None,
                sha256: String::new(),
                mode: 0o600,
                text: Vec::new(),
                data: String::new(),
                authority_data: String::new(),
                key: Key::Absent,
            })),
            // The first says why nothing else of it is looked at.
            ("odd", Some(last)) => last.odd = Some(last.odd.take().unwrap_or_else(|| value.to_owned())),
            ("sha256", Some(last)) => value.clone_into(&mut last.sha256),
            ("mode", Some(last)) => last.mode = u32::from_str_radix(value, 8).unwrap_or(0o600),
            ("text", Some(last)) => last.text = bytes(value),
            ("data", Some(last)) => {
                value.clone_into(&mut last.data);
                last.text = bytes(value);
            }
            ("authority", Some(last)) => value.clone_into(&mut last.authority_data),
            ("key", Some(last)) => {
                last.key = match value {
                    "absent" => Key::Absent,
                    "encrypted" => Key::Encrypted,
                    "unread" => Key::Unread,
                    public => Key::Public(bytes(public)),
                }
            }
            ("kept", _) => {
                found.kept.extend(value.split_once(' ').map(|(sum, name)| (name.to_owned(), sum.to_owned())));
            }
            ("shown", _) => {
                let mut words = value.splitn(3, ' ').map(str::to_owned);
                if let (Some(path), Some(address)) = (words.next(), words.next()) {
                    found.shown.push(Shown { path, address, text: bytes(&words.next().unwrap_or_default()) });
                }
            }
            _ => {}
        }
    }
    Some(found)
}

/// The name under which a file is kept in the folder beside: its path without folders.
pub fn kept_as(path: &str) -> String {
    path.trim_start_matches('/').replace('/', "_")
}

order! {
    /// Keeps what is there, beside.
    CertificatesKeep = "certificates.keep" { beside: String, files: String, run: Option<String>, operator: Option<String> }
}

/// The script that copies files into the folder beside, with owner and mode; `files` are SHA-256 and path of each. One that was
/// kept before stays. It may be repeated. `by`: the run and its operator, who are noted there.
pub fn keep(beside: &str, files: &[(String, String)], by: (&str, &str)) -> Script {
    let files = listed(files);
    let [run, operator] = [by.0, by.1].map(super::swap::line);
    // The third line keeps it from being taken for the mark of an exchange.
    let mark = format!("printf '%s\\n' {} {} certificates >\"$B/mark\"\n", quote(&run), quote(&operator));
    let body = format!("{LIB}B={}\n{}", quote(beside), KEEP.replace("@MARK", &mark).replace("@FILES", &files));
    CertificatesKeep { beside: beside.to_owned(), files, run: Some(run), operator: Some(operator) }
        .script(body)
        .words(format!("copies of what is there now, in {beside}"))
}

fn listed(files: &[(String, String)]) -> String {
    files.iter().map(|(sha256, path)| format!("{sha256} {path}")).collect::<Vec<_>>().join("\n")
}

order! {
    /// Takes away what was kept of files that are what they were.
    CertificatesKeepAway = "certificates.keep-away" { beside: String, files: String }
}

/// The inverse of [`keep`]: takes a copy away whose file is the same, and the folder once nothing is in it.
pub fn keep_away(beside: &str, files: &[(String, String)]) -> Script {
    let files = listed(files);
    let body = format!("{LIB}B={}\n{}", quote(beside), KEEP_AWAY.replace("@FILES", &files));
    CertificatesKeepAway { beside: beside.to_owned(), files }
        .script(body)
        .words(format!("the copies in {beside} of files that are what they were, taken away"))
}

order! {
    /// Has a CA's key sign a certificate's text.
    CertificatesSign = "certificates.sign" { authority: String, path: String, text: String }
}

/// The script that signs, with SHA-256, the text of a certificate for `path` by the key of a CA. It prints the signature in lines of base64, and
/// leaves nothing.
pub fn sign(authority: &str, path: &str, text: &[u8]) -> Script {
    let text = STANDARD.encode(text);
    let lines: Vec<&str> = text.as_bytes().chunks(76).filter_map(|line| str::from_utf8(line).ok()).collect();
    let body = format!("{LIB}K={}\n{}", quote(&key_of(authority)), SIGNS.replace("@TEXT", &lines.join("\n")));
    CertificatesSign { authority: authority.to_owned(), path: path.to_owned(), text }
        .script(body)
        .words(format!("for {path}: the same certificate with a new time, signed by {}", key_of(authority)))
}

/// What `sign` was told to sign, and what it printed.
pub fn signed(script: &Script, answer: &Answer) -> Option<(Vec<u8>, Vec<u8>)> {
    let text = STANDARD.decode(CertificatesSign::of(script)?.text).ok()?;
    let lines: String = answer.all("signature").collect();
    let signature = STANDARD.decode(lines).ok().filter(|bytes| !bytes.is_empty())?;
    Some((text, signature))
}

order! {
    /// Puts one value of a kubeconfig in the place of another.
    CertificatesSplice = "certificates.splice" { path: String, from: String, to: String, sha256: String, back: String, beside: String }
}

/// One value of a kubeconfig in the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splice {
    /// The kubeconfig.
    pub path: String,
    /// The base64 that stands in it.
    pub from: String,
    /// The one that is to stand there.
    pub to: String,
    /// The file's SHA-256 with `from` in it: whatever else is in the file is held by that, too, there and back.
    pub sha256: String,
    /// The folder beside, where the new text is written first.
    pub beside: String,
}

impl Splice {
    /// The script that does it.
    pub fn there(&self) -> Script {
        self.script(false).words(format!("{}: its certificate alone, one value for another", self.path))
    }

    /// The script that takes it back, to the byte.
    pub fn back(&self) -> Script {
        self.script(true).words(format!("{}: the value that stood there before", self.path))
    }

    fn script(&self, back: bool) -> Script {
        let back = if back { "yes" } else { "no" };
        let Self { path, from, to, sha256, beside } = self;
        let body = format!(
            "{LIB}F={}; B={}; N={}; plain={}; back={back}\nfrom={}\nto={}\n{SPLICES}",
            quote(path),
            quote(beside),
            quote(&kept_as(path)),
            quote(sha256),
            quote(from),
            quote(to),
        );
        let own = |text: &str| text.to_owned();
        CertificatesSplice {
            path: own(path),
            from: own(from),
            to: own(to),
            sha256: own(sha256),
            back: own(back),
            beside: own(beside),
        }
        .script(body)
    }
}
