//! The certificates of a simulated control plane: they live as long as the process, and have not ended.

use base64::Engine as _;

use crate::change::sha256_hex;

/// What a host of kubeadm's has, of which only the CA's certificate is real.
pub(super) fn look(authority: &str) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(authority);
    let sum = sha256_hex(authority.as_bytes());
    format!("file=/etc/kubernetes/pki/ca.crt\nsha256={sum}\nmode=644\ntext={text}\nkey=absent\nend=yes\n")
}
