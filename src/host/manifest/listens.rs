//! Where a component answers, as its manifest says.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::Value;

use super::{container, read, words};

/// Where a component answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listens {
    /// As the host itself can ask it.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// How it is asked.
    pub scheme: Scheme,
}

/// How a component is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear, as old controller managers.
    Http,
    /// By TLS.
    Https,
}

impl Listens {
    /// Where a component answers whose manifest says nothing.
    pub fn by_default(port: u16) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port, scheme: Scheme::Https }
    }
}

/// As the beginning of a URL, without the port.
impl fmt::Display for Listens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        match self.address {
            IpAddr::V4(address) => write!(f, "{scheme}://{address}"),
            IpAddr::V6(address) => write!(f, "{scheme}://[{address}]"),
        }
    }
}

/// Where `program` answers: by its flags, else by its liveness probe, else on loopback at `port` by TLS.
///
/// # Errors
/// One sentence: no manifest, or what it says cannot be asked.
pub fn listens(text: &str, program: &str, port: u16) -> Result<Listens, String> {
    let (root, _) = read(text)?;
    let manifest = root.to_json();
    let container = &manifest["spec"]["containers"][container(&manifest, program)?];
    let probe = Probe::of(container);
    // What a script does is not known; its probe may be.
    let words = words::of_program(container, program).ok();
    let flag = |name: &str| -> Result<Option<String>, String> {
        let given = words.as_ref().map(|words| words::given(words, name)).transpose()?;
        Ok(given.and_then(|mut given| given.pop()).map(|given| given.value))
    };
    // etcd alone has one, for this: its other ports ask for a client certificate.
    if let Some(urls) = flag("listen-metrics-urls")? {
        let first = urls.split(',').next().unwrap_or_default();
        return metrics(first)
            .ok_or_else(|| format!("--listen-metrics-urls is {first:?}, which is no address and port"));
    }
    let said = flag("secure-port")?;
    let (port, scheme) = match said.as_deref().map(|port| (port, port.parse::<u16>())) {
        Some((_, Ok(port))) if port > 0 => (port, Scheme::Https),
        None | Some((_, Ok(_))) => match (probe.port, &said) {
            (Some(port), _) => (port, probe.scheme),
            (None, None) => (port, Scheme::Https),
            (None, Some(_)) => return Err("--secure-port is 0, so nobody can ask whether it answers".into()),
        },
        Some((said, Err(_))) => return Err(format!("--secure-port is {said:?}, which is no port")),
    };
    let said = if words.is_some() { flag("bind-address")? } else { probe.host };
    let address = match said.as_deref().map(|said| (said, said.parse::<IpAddr>())) {
        Some((_, Ok(address))) if !address.is_unspecified() => address,
        // Every address, and `::` takes IPv4 as well.
        None | Some((_, Ok(_)) | ("", _)) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        Some((said, Err(_))) => return Err(format!("--bind-address is {said:?}, which is no IP address")),
    };
    Ok(Listens { address, port, scheme })
}

fn metrics(url: &str) -> Option<Listens> {
    let (scheme, rest) = url.trim().trim_end_matches('/').split_once("://")?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return None,
    };
    let at: SocketAddr = rest.parse().ok()?;
    let address = if at.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { at.ip() };
    Some(Listens { address, port: at.port(), scheme })
}

/// What the liveness probe asks.
struct Probe {
    host: Option<String>,
    port: Option<u16>,
    scheme: Scheme,
}

impl Probe {
    fn of(container: &Value) -> Self {
        let get = &container["livenessProbe"]["httpGet"];
        let named = |name: &str| {
            let ports = container["ports"].as_array()?;
            ports.iter().find(|port| port["name"].as_str() == Some(name))?["containerPort"].as_u64()
        };
        let port = get["port"].as_u64().or_else(|| named(get["port"].as_str()?));
        Self {
            host: get["host"].as_str().map(str::to_owned),
            port: port.and_then(|port| u16::try_from(port).ok()),
            scheme: if get["scheme"].as_str() == Some("HTTPS") { Scheme::Https } else { Scheme::Http },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(lines: &str, more: &str) -> String {
        format!(
            "kind: Pod\nspec:\n  containers:\n  - name: api\n    command:\n    - kube-apiserver\n{lines}{more}    image: x\n"
        )
    }

    #[track_caller]
    fn case(text: &str, wanted: &str) {
        let found = listens(text, "kube-apiserver", 6443).map(|at| format!("{at}:{}", at.port));
        assert_eq!(found.unwrap_or_else(|why| why), wanted, "{text}");
    }

    #[test]
    fn it_is_read_from_the_flags_and_from_no_remark() {
        case(&pod("", ""), "https://127.0.0.1:6443");
        case(
            &pod("    # was --secure-port=8443\n    - --secure-port=7443 # --secure-port=1\n", ""),
            "https://127.0.0.1:7443",
        );
        case(&pod("    - --secure-port\n    - \"7443\"\n", ""), "https://127.0.0.1:7443");
        case(&pod("    - --secure-port=1\n    - --secure_port=7443\n", ""), "https://127.0.0.1:7443");
        case(&pod("    - --bind-address=127.0.0.2\n", ""), "https://127.0.0.2:6443");
        case(&pod("    - --bind-address\n    - fd00::1\n", ""), "https://[fd00::1]:6443");
        for everywhere in ["0.0.0.0", "\"::\"", "\"\""] {
            case(&pod(&format!("    - --bind-address\n    - {everywhere}\n"), ""), "https://127.0.0.1:6443");
        }
        case(&pod("    - --secure-port=https\n", ""), "--secure-port is \"https\", which is no port");
        case(&pod("    - --bind-address=cp1\n", ""), "--bind-address is \"cp1\", which is no IP address");
    }

    #[test]
    fn etcd_answers_where_its_metrics_are() {
        let etcd = |flags: &str| {
            let text = pod(flags, "").replace("kube-apiserver", "etcd");
            listens(&text, "etcd", 2381).map_or_else(|why| why, |at| format!("{at}:{}", at.port))
        };
        for (urls, at) in [
            ("http://127.0.0.1:2381", "http://127.0.0.1:2381"),
            ("http://0.0.0.0:9979,http://10.0.0.1:9979", "http://127.0.0.1:9979"),
            ("https://[fd00::1]:2381/", "https://[fd00::1]:2381"),
        ] {
            assert_eq!(etcd(&format!("    - --listen-metrics-urls={urls}\n")), at);
        }
        assert!(etcd("    - --listen-metrics-urls=unix://x\n").contains("no address and port"));
        assert_eq!(etcd(""), "https://127.0.0.1:2381");
    }

    #[test]
    fn the_probe_counts_where_the_flags_say_nothing() {
        let probe = |get: &str| {
            format!("    ports: [{{name: p, containerPort: 7443}}]\n    livenessProbe:\n      httpGet: {get}\n")
        };
        // The probe of kubeadm asks the advertised address; the process answers on every one.
        let advertised = probe("{host: 10.0.0.2, port: 7443, scheme: HTTPS, path: /livez}");
        case(&pod("", &advertised), "https://127.0.0.1:7443");
        case(&pod("    - --secure-port=6444\n", &advertised), "https://127.0.0.1:6444");
        case(&pod("", &probe("{port: p, scheme: HTTPS}")), "https://127.0.0.1:7443");
        case(&pod("    - --secure-port=0\n", &probe("{port: 8080}")), "http://127.0.0.1:8080");
        case(&pod("    - --secure-port=0\n", ""), "--secure-port is 0, so nobody can ask whether it answers");
        let script = format!(
            "spec:\n  containers:\n  - name: kube-apiserver\n    command: [sh, -c, \"kube-apiserver --secure-port=1\"]\n{advertised}"
        );
        case(&script, "https://10.0.0.2:7443");
    }
}
