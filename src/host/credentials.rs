//! Credentials of the cluster that stand on its control-plane hosts, and one that is signed there.
//!
//! What is read is read over SSH and used from memory: it stands in no file of ours, in no journal and on no screen. A key that is
//! made for a certificate never leaves the operator's machine, and the cluster's CA key never leaves its host.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::order::{Order as _, Query, order};
use crate::script::{Answer, Script, quote};
use crate::yaml;

/// Where distributions keep a kubeconfig of an administrator, those with the most rights first.
pub const FILES: [&str; 8] = [
    "/etc/kubernetes/super-admin.conf",
    "/etc/kubernetes/admin.conf",
    "/etc/rancher/k3s/k3s.yaml",
    "/etc/rancher/rke2/rke2.yaml",
    "/var/snap/microk8s/current/credentials/client.config",
    "/var/lib/k0s/pki/admin.conf",
    "/etc/kubernetes/static-pod-resources/kube-apiserver-certs/secrets/node-kubeconfigs/localhost-recovery.kubeconfig",
    "/etc/kubernetes/static-pod-resources/kube-apiserver-certs/secrets/node-kubeconfigs/lb-int.kubeconfig",
];

/// Where distributions keep the CA that signs client certificates, as certificate and key.
const AUTHORITIES: [(&str, &str); 4] = [
    ("/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/pki/ca.key"),
    ("/var/lib/rancher/k3s/server/tls/client-ca.crt", "/var/lib/rancher/k3s/server/tls/client-ca.key"),
    ("/var/lib/rancher/rke2/server/tls/client-ca.crt", "/var/lib/rancher/rke2/server/tls/client-ca.key"),
    ("/var/lib/k0s/pki/ca.crt", "/var/lib/k0s/pki/ca.key"),
];

/// How we are known by what a file holds.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A client certificate and its key, PEM.
    Certificate {
        /// The chain.
        cert: Vec<u8>,
        /// The key.
        key: Vec<u8>,
    },
    /// A bearer token.
    Token(String),
}

/// Without what it holds.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate { .. } => "Certificate(..)",
            Self::Token(_) => "Token(..)",
        })
    }
}

/// One kubeconfig of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its path.
    pub path: String,
    /// The certificates that its cluster's API servers are verified against, PEM; empty where it does not hold them.
    pub authority: Vec<u8>,
    /// What it holds, or why that is nothing that can be used.
    pub secret: Result<Secret, String>,
}

/// What a host has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keeps {
    /// Its kubeconfigs of administrators, best first.
    pub held: Vec<Held>,
    /// The CA certificate whose key lies beside it, by path.
    pub authority: Option<String>,
    /// Why nothing can be signed there, where that is so.
    pub cannot_sign: Option<String>,
}

order! {
    /// Reads the credentials that a host has.
    CredentialsRead = "credentials.read" {} -> Result<Keeps, String>, |_, stdout| Some(keeps(stdout))
}

/// The script that reads them. It writes nothing.
pub fn read() -> Query<CredentialsRead> {
    let files = FILES.map(quote).join(" ");
    let authorities = AUTHORITIES.map(|(cert, key)| format!("{cert}:{key}")).join(" ");
    let body = format!(
        r#"for f in {files}; do
  [ -f "$f" ] || continue
  say file "$f"
  if [ -r "$f" ]; then say text "$(base64 <"$f" | tr -d '\n')"; else say text ''; fi
done
have openssl || say unsigned 'the host has no openssl'
for x in {authorities}; do
  cert=${{x%%:*}}; key=${{x#*:}}
  [ -f "$cert" ] || continue
  if [ ! -f "$key" ]; then say unsigned "the CA of $cert has no key on this host: an external CA signs here"; continue; fi
  if grep -q ENCRYPTED "$key"; then say unsigned "the CA key $key is encrypted"; continue; fi
  say authority "$cert"
done
say end yes
"#
    );
    CredentialsRead {}.query(body)
}

/// Reads what was printed. What broke off is said so, and never shown: it holds secrets.
fn keeps(stdout: &str) -> Result<Keeps, String> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return Err("the answer broke off".into());
    }
    let mut held = Vec::new();
    let mut pairs = answer.pairs().skip_while(|(key, _)| *key != "file");
    while let Some((key, path)) = pairs.next() {
        if key != "file" {
            break;
        }
        let text = pairs.next().map_or("", |(_, text)| text);
        held.push(one(path, text));
    }
    let text = |key: &str| answer.get(key).map(str::to_owned);
    let authority = text("authority");
    let cannot_sign = text("unsigned").filter(|why| authority.is_none() || why.contains("openssl"));
    Ok(Keeps { held, authority, cannot_sign })
}

fn one(path: &str, encoded: &str) -> Held {
    let text = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let read = text.filter(|text| !text.is_empty()).ok_or_else(|| "it cannot be read".to_owned());
    let (authority, secret) = match read.and_then(|text| kubeconfig(&text)) {
        Ok((authority, secret)) => (authority, secret),
        Err(why) => (Vec::new(), Err(why)),
    };
    Held { path: path.to_owned(), authority, secret }
}

/// What a kubeconfig's current context holds itself; a file that it only names is on the host, and not read.
fn kubeconfig(text: &str) -> Result<(Vec<u8>, Result<Secret, String>), String> {
    let mut faults = yaml::Faults::default();
    let root = yaml::parse_merged(text, &mut faults).ok_or("it is no YAML")?.to_json();
    let named = |list: &str, name: &str| {
        root[list].as_array().into_iter().flatten().find(|entry| entry["name"] == name).cloned().unwrap_or_default()
    };
    let current = root["current-context"].as_str().ok_or("it has no current context")?;
    let context = named("contexts", current)["context"].clone();
    let of = |list: &str, key: &str| named(list, context[key].as_str().unwrap_or_default());
    let (cluster, user) = (of("clusters", "cluster")["cluster"].clone(), of("users", "user")["user"].clone());
    let data = |map: &serde_json::Value, key: &str| STANDARD.decode(map[key].as_str()?.trim()).ok();
    let authority = data(&cluster, "certificate-authority-data").unwrap_or_default();
    let pair = (data(&user, "client-certificate-data"), data(&user, "client-key-data"));
    let secret = match (pair, user["token"].as_str()) {
        ((Some(cert), Some(key)), _) => Ok(Secret::Certificate { cert, key }),
        (_, Some(token)) if !token.is_empty() => Ok(Secret::Token(token.to_owned())),
        _ => Err("its user has neither a certificate with its key nor a token in it".into()),
    };
    Ok((authority, secret))
}

order! {
    /// Signs a request for a client certificate with the cluster's CA.
    CredentialsSign = "credentials.sign" { authority: String, request: String, seconds: u64 }
}

/// The script that signs `request`, PEM, with the key beside the CA certificate `authority`, for so long. It prints the
/// certificate in lines of base64, and leaves nothing.
pub fn sign(authority: &str, request: &str, seconds: u64) -> Script {
    let key = authority.strip_suffix(".crt").unwrap_or(authority);
    let body = format!(
        r#"C={cert}; K={key}
have openssl || fail "the host has no openssl" 3
[ -f "$K" ] || fail "there is no $K on this host" 3
T=$(mktemp -d /run/breakglass-sign.XXXXXX) || fail "cannot make a folder in /run" 3
trap 'rm -rf "$T"' EXIT HUP INT TERM
: >"$T/index"
cat >"$T/conf" <<BREAKGLASS_CONF
[ca]
default_ca = one
[one]
database = $T/index
new_certs_dir = $T
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = client
unique_subject = no
[any]
commonName = supplied
organizationName = optional
[client]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
BREAKGLASS_CONF
cat >"$T/request" <<'BREAKGLASS_REQUEST'
{request}
BREAKGLASS_REQUEST
now=$(date +%s)
# A moment back: the API servers' clocks differ.
from=$(date -u -d "@$((now - 60))" +%Y%m%d%H%M%SZ) && until=$(date -u -d "@$((now + {seconds}))" +%Y%m%d%H%M%SZ) || fail "date of this host cannot be told a moment" 3
said=$(openssl ca -batch -notext -preserveDN -config "$T/conf" -in "$T/request" -cert "$C" -keyfile "$K" -startdate "$from" -enddate "$until" -out "$T/cert" 2>&1 </dev/null) ||
  fail "openssl did not sign: $(printf '%s' "$said" | tail -n 2 | tr '\n' ' ' | cut -c 1-300)" 3
base64 <"$T/cert" | tr -d '\n' | fold -w 600 | while IFS= read -r line || [ -n "$line" ]; do say certificate "$line"; done
say signed yes
"#,
        cert = quote(authority),
        key = quote(&format!("{key}.key")),
        request = request.trim(),
    );
    CredentialsSign { authority: authority.to_owned(), request: request.to_owned(), seconds }
        .script(body)
        .words(format!("a client certificate for {} min, signed by the CA of {authority}", seconds.div_ceil(60)))
}

/// The certificate that `sign` printed, PEM.
pub fn signed(answer: &Answer) -> Option<Vec<u8>> {
    let lines: String = answer.all("certificate").collect();
    STANDARD.decode(lines).ok().filter(|pem| !pem.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(user: &str) -> String {
        let text = format!(
            "current-context: a\ncontexts:\n- name: a\n  context: {{cluster: c, user: u}}\nclusters:\n- name: c\n  cluster: {{certificate-authority-data: Q0E=}}\nusers:\n- name: u\n  user: {user}\n"
        );
        STANDARD.encode(text)
    }

    #[test]
    fn what_a_host_has_is_read_and_what_broke_off_is_never_shown() {
        let certificate = config("{client-certificate-data: Qw==, client-key-data: Sw==}");
        let token = config("{token: hush}");
        let plugin = config("{exec: {command: oidc}}");
        let said = format!(
            "file=/a\ntext={certificate}\nfile=/b\ntext={token}\nfile=/c\ntext={plugin}\nfile=/d\ntext=\nauthority=/etc/kubernetes/pki/ca.crt\nend=yes\n"
        );
        let keeps = read().read(&said).unwrap().unwrap();
        let secrets: Vec<_> = keeps.held.iter().map(|held| (held.path.as_str(), held.secret.is_ok())).collect();
        assert_eq!(secrets, [("/a", true), ("/b", true), ("/c", false), ("/d", false)]);
        assert_eq!(keeps.held[0].authority, b"CA");
        assert_eq!(keeps.held[0].secret, Ok(Secret::Certificate { cert: b"C".to_vec(), key: b"K".to_vec() }));
        assert_eq!((keeps.authority.as_deref(), keeps.cannot_sign), (Some("/etc/kubernetes/pki/ca.crt"), None));
        assert!(!format!("{:?}", keeps.held).contains("hush"));
        let torn = read().read(&said.replace("end=yes\n", "")).unwrap();
        assert_eq!(torn, Err("the answer broke off".into()));
    }

    /// With a CA of the test's own: by openssl's own word it is good for the purpose, and for the time.
    #[test]
    fn a_request_is_signed_for_its_time_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let sh = |text: &str| std::process::Command::new("sh").arg("-c").arg(text).output().unwrap();
        let (cert, key, request, signed_file) = (at("ca.crt"), at("ca.key"), at("request"), at("signed"));
        let made = sh(&format!(
            "openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {cert} -days 2 -subj /CN=kubernetes 2>&1 && \
             openssl req -newkey rsa:2048 -nodes -keyout {key}.client -out {request} -subj /O=system:masters/CN=breakglass:alice 2>&1"
        ));
        assert!(made.status.success(), "{made:?}");
        let request = std::fs::read_to_string(request).unwrap();
        // Other tests of this machine sign at the same time.
        let (script, own) = (sign(&cert, &request, 3600).text(), at("sign"));
        assert!(script.contains("/run/breakglass-sign."));
        let output = sh(&script.replace("/run/breakglass-sign", &own));
        let stdout = String::from_utf8_lossy(&output.stdout);
        let pem = signed(&Answer::parse(&stdout)).unwrap_or_else(|| panic!("{output:?}"));
        std::fs::write(&signed_file, &pem).unwrap();
        let good = sh(&format!(
            "openssl verify -CAfile {cert} -purpose sslclient {signed_file} && openssl x509 -in {signed_file} -noout -subject -nameopt RFC2253 && \
             openssl x509 -in {signed_file} -noout -checkend 3500 && ! openssl x509 -in {signed_file} -noout -checkend 3700; ls -d {own}.* 2>&1"
        ));
        let said = String::from_utf8_lossy(&good.stdout).into_owned();
        assert!(said.contains("CN=breakglass:alice") && said.contains("O=system:masters"), "{good:?}");
        assert!(said.contains("will not expire") && said.contains("will expire"), "{good:?}");
        assert!(said.contains("No such file"), "{said}");
    }
}
