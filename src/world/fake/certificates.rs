//! What a fake host does about certificates: keys that sign, files that are looked at, and an API server that shows what lies there.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    PublicKeyData as _, SigningKey as _, date_time_ymd,
};

use super::host::{Host, ended};
use crate::change::sha256_hex;
use crate::host::certificates::{
    CertificatesKeep, CertificatesKeepAway, CertificatesLook, CertificatesSign, CertificatesSplice, Form, LAYOUT,
    kept_as, key_of,
};
use crate::world::ScriptOutput;

/// A key that makes the same signature twice, as these do not by themselves.
static SIGNED: Mutex<BTreeMap<Vec<u8>, Vec<u8>>> = Mutex::new(BTreeMap::new());

/// What one control-plane host has, by path: all of it ended with the year 2020.
pub(crate) static ENDED: LazyLock<Vec<(&'static str, String)>> = LazyLock::new(|| {
    let params = |name: &str| {
        let mut params = CertificateParams::new(vec!["kubernetes".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 12, 31));
        params
    };
    let mut own = params("kubernetes");
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(own, KeyPair::generate().unwrap()).unwrap();
    let signed = |name: &str, usage| {
        let key = KeyPair::generate().unwrap();
        let mut params = params(name);
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        (params.signed_by(&key, &authority).unwrap().pem(), key.serialize_pem())
    };
    let (server, server_key) = signed("kube-apiserver", ExtendedKeyUsagePurpose::ServerAuth);
    let (client, client_key) = signed("kubernetes-admin", ExtendedKeyUsagePurpose::ClientAuth);
    let [ca, client, client_key] = [authority.pem(), client, client_key].map(|text| STANDARD.encode(text));
    let config = format!(
        "# said Ann\nclusters:\n- cluster:\n    certificate-authority-data: {ca}\n    server: https://10.0.0.1:6443\n  name: east\n\
         users:\n- name: admin\n  user:\n    client-certificate-data: {client}\n    client-key-data: {client_key}"
    );
    vec![
        ("/etc/kubernetes/pki/ca.crt", authority.pem()),
        ("/etc/kubernetes/pki/ca.key", authority.key().serialize_pem()),
        ("/etc/kubernetes/pki/apiserver.crt", server),
        ("/etc/kubernetes/pki/apiserver.key", server_key),
        ("/etc/kubernetes/admin.conf", config),
    ]
});

/// The permission bits that kubeadm gives it.
pub(crate) fn mode_of(path: &str) -> u32 {
    if path.contains(".crt") { 0o644 } else { 0o600 }
}

fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": "))
}

/// The public half of a key.
fn public(pem: &str) -> String {
    match KeyPair::from_pem(pem) {
        Ok(key) => STANDARD.encode(key.subject_public_key_info()),
        Err(_) if pem.contains("ENCRYPTED") => "encrypted".into(),
        Err(_) => "unread".into(),
    }
}

impl Host<'_> {
    fn read(&self, path: &str) -> Option<String> {
        self.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub(super) fn certificates(&self, CertificatesLook { beside, .. }: &CertificatesLook) -> ScriptOutput {
        let mut out = String::new();
        for item in LAYOUT {
            let Some(text) = self.read(item.path) else { continue };
            let mode = self.mode(item.path);
            out.push_str(&format!("file={}\nsha256={}\nmode={mode:o}\n", item.path, sha256_hex(text.as_bytes())));
            if let Some(to) = text.strip_prefix("->") {
                out.push_str(&format!("odd=a symbolic link to {to}\n"));
            } else if item.form == Form::Kubeconfig {
                let [data, authority, key] =
                    ["client-certificate-data", "certificate-authority-data", "client-key-data"]
                        .map(|key| value(&text, key));
                let key = key.map_or_else(
                    || "absent".into(),
                    |key| public(&String::from_utf8_lossy(&STANDARD.decode(key).unwrap())),
                );
                let [data, authority] = [data, authority].map(Option::unwrap_or_default);
                out.push_str(&format!("data={data}\nauthority={authority}\nkey={key}\n"));
            } else {
                let key = self.read(&key_of(item.path)).map_or_else(|| "absent".into(), |pem| public(&pem));
                out.push_str(&format!("text={}\nkey={key}\n", STANDARD.encode(text)));
            }
        }
        for (path, text) in self.under(&format!("{beside}/")) {
            out.push_str(&format!("kept={} {}\n", sha256_hex(&text), path.rsplit('/').next().unwrap_or_default()));
        }
        let api = "/etc/kubernetes/pki/apiserver.crt";
        let shown = self.read(api).map(|text| format!("shown={api} 127.0.0.1:6443 {}\n", STANDARD.encode(text)));
        ended(0, out + &shown.unwrap_or_default() + "end=yes\n")
    }

    pub(super) fn keep_certificates(
        &mut self,
        CertificatesKeep { beside, files, .. }: &CertificatesKeep,
    ) -> ScriptOutput {
        for (sum, path) in files.lines().filter_map(|line| line.split_once(' ')) {
            let copy = format!("{beside}/{}", kept_as(path));
            if self.get(&copy).is_some() {
                continue;
            }
            if self.sum(path).as_deref() != Some(sum) {
                return ended(4, "failed=it is not what was seen before\n");
            }
            let text = self.get(path).cloned().unwrap_or_default();
            self.put(&copy, &text);
        }
        ended(0, "")
    }

    pub(super) fn keep_certificates_away(
        &mut self,
        CertificatesKeepAway { beside, files }: &CertificatesKeepAway,
    ) -> ScriptOutput {
        for (_, path) in files.lines().filter_map(|line| line.split_once(' ')) {
            let copy = format!("{beside}/{}", kept_as(path));
            if self.get(&copy).is_some() && self.sum(&copy) != self.sum(path) {
                return ended(4, "failed=it is not what it was before\n");
            }
            self.take(&copy);
        }
        ended(0, "")
    }

    pub(super) fn sign_certificate(&self, CertificatesSign { authority, text, .. }: &CertificatesSign) -> ScriptOutput {
        let Some(key) = self.read(&key_of(authority)) else { return ended(3, "failed=there is no key\n") };
        let Ok(key) = KeyPair::from_pem(&key) else { return ended(3, "failed=openssl did not sign\n") };
        let text = STANDARD.decode(text).unwrap();
        let mut signed = SIGNED.lock().unwrap_or_else(PoisonError::into_inner);
        let signature = signed.entry(text.clone()).or_insert_with(|| key.sign(&text).unwrap());
        ended(0, format!("signature={}\nsigned=yes\n", STANDARD.encode(signature)))
    }

    pub(super) fn splice(&mut self, order: &CertificatesSplice) -> ScriptOutput {
        let CertificatesSplice { path, from, to, sha256, back, .. } = order;
        let Some(text) = self.read(path) else { return ended(4, "failed=it is gone\n") };
        let plain = if sha256_hex(text.as_bytes()) == *sha256 { text } else { text.replace(to.as_str(), from) };
        if sha256_hex(plain.as_bytes()) != *sha256 {
            return ended(4, "failed=it is not what was seen before\n");
        }
        let new = if back == "yes" { plain } else { plain.replace(from.as_str(), to) };
        let mode = self.mode(path);
        self.files.insert((self.at.clone(), path.clone()), (mode, new.into_bytes()));
        ended(0, "")
    }
}
