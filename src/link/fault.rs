//! Why an attempt brought no answer, and what that means for the next one.

use std::error::Error as StdError;
use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use rustls::CertificateError;

/// Why an attempt brought no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What happened.
    pub kind: FaultKind,
    /// More of it, in the words of whoever noticed; may be empty.
    pub detail: String,
    /// The next command to type, when the way itself knows one better than the caller.
    pub hint: Option<String>,
}

/// The ways to get no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Nobody listens there.
    Refused,
    /// The network, or the host on the way, said no.
    Unreachable,
    /// The connection was cut.
    Reset,
    /// The connection was closed without an answer.
    Closed,
    /// A deadline passed at this stage.
    TimedOut(Stage),
    /// The server's certificate is not one we may trust. Nothing was sent.
    Certificate,
    /// The server refused our client certificate.
    Rejected,
    /// SSH, which leads there, did not get through this time.
    Ssh,
    /// The way there is shut for good: host key, login, key file.
    NoWay,
    /// What answers does not speak TLS or HTTP, says too much, or says yes and is no API server.
    Nonsense,
    /// Something on the way answered instead, and handed nothing on: a redirect, a balancer's no.
    TurnedAway,
    /// Something on this machine.
    Local,
}

/// Where an attempt is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// TCP, or the SSH tunnel.
    Connect,
    /// The TLS handshake.
    Handshake,
    /// The request was sent, or was about to be.
    Answer,
    /// The answer had begun.
    Body,
}

impl Fault {
    /// A fault with a detail.
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), hint: None }
    }

    /// A deadline that passed.
    pub fn timed_out(stage: Stage, after: Duration) -> Self {
        Self::new(FaultKind::TimedOut(stage), format!("{:.1} s", after.as_secs_f64()))
    }

    /// Trying this server again would bring the same.
    pub fn is_final(&self) -> bool {
        use FaultKind::{Certificate, Local, NoWay, Nonsense, Rejected, TurnedAway};
        matches!(self.kind, Certificate | Rejected | NoWay | Local | Nonsense | TurnedAway)
    }

    /// Whether anything was there at the API server's port. Only what is there can be drowning.
    pub fn reached(&self) -> bool {
        match self.kind {
            FaultKind::Refused
            | FaultKind::Unreachable
            | FaultKind::TimedOut(Stage::Connect)
            | FaultKind::Ssh
            | FaultKind::NoWay
            | FaultKind::Local => false,
            FaultKind::Reset
            | FaultKind::Closed
            | FaultKind::TimedOut(Stage::Handshake | Stage::Answer | Stage::Body)
            | FaultKind::Certificate
            | FaultKind::Rejected
            | FaultKind::Nonsense
            | FaultKind::TurnedAway => true,
        }
    }

    /// What a process that just died or just starts looks like from outside.
    pub fn looks_like_restart(&self) -> bool {
        matches!(self.kind, FaultKind::Refused | FaultKind::Reset | FaultKind::Closed)
    }

    /// Sorts an error of the socket, or of TLS on it.
    pub(in crate::link) fn from_io(error: &std::io::Error) -> Self {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::from_tls(tls);
        }
        let kind = match error.kind() {
            ErrorKind::ConnectionRefused => FaultKind::Refused,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => FaultKind::Reset,
            ErrorKind::UnexpectedEof => FaultKind::Closed,
            ErrorKind::TimedOut => FaultKind::TimedOut(Stage::Connect),
            _ => FaultKind::Unreachable,
        };
        let told_by_kind = matches!(kind, FaultKind::Refused | FaultKind::Reset | FaultKind::Closed);
        Self::new(kind, if told_by_kind { String::new() } else { error.to_string() })
    }

    fn from_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(why) => {
                let (detail, hint) = distrust(why);
                Self { hint, ..Self::new(FaultKind::Certificate, detail) }
            }
            rustls::Error::AlertReceived(alert) => {
                let hint = "breakglass kit check says when our certificate ends; on a control-plane host: \
                            sudo kubeadm certs check-expiration";
                Self { hint: Some(hint.into()), ..Self::new(FaultKind::Rejected, format!("TLS alert {alert:?}")) }
            }
            other => Self::new(FaultKind::Nonsense, other.to_string()),
        }
    }

    /// Sorts what the HTTP client gave up with: our own fault from the connector, or what happened on the connection.
    pub(in crate::link) fn from_client(error: &(dyn StdError + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            if let Some(fault) = cause.downcast_ref::<Self>() {
                return fault.clone();
            }
            if let Some(io) = cause.downcast_ref::<std::io::Error>() {
                return Self::from_io(io);
            }
            if let Some(http) = cause.downcast_ref::<hyper::Error>()
                && (http.is_incomplete_message() || http.is_canceled())
                && http.source().is_none()
            {
                return Self::new(FaultKind::Closed, "");
            }
            if let Some(http) = cause.downcast_ref::<hyper::Error>()
                && http.is_parse()
            {
                return Self::new(FaultKind::Nonsense, http.to_string());
            }
            next = cause.source();
        }
        Self::new(FaultKind::Closed, error.to_string())
    }
}

/// What is wrong with the server's certificate, in words, and what to type next where that is known.
fn distrust(why: &CertificateError) -> (String, Option<String>) {
    const RENEW: &str = "is this machine's clock right (date -u)? If it is, on the control-plane host: \
                         sudo kubeadm certs renew apiserver, then restart kube-apiserver";
    let renew = || Some(RENEW.to_owned());
    match why {
        CertificateError::UnknownIssuer => ("it is signed by an authority that the kit does not name".into(), None),
        // Most clusters' authorities are called `kubernetes`, so a foreign one has the right name and the wrong key.
        CertificateError::BadSignature => ("it is signed by another authority of the same name".into(), None),
        CertificateError::NotValidForNameContext { expected, presented } => misnamed(&expected.to_str(), presented),
        CertificateError::ExpiredContext { time, not_after } => {
            let ago = days(time.as_secs().saturating_sub(not_after.as_secs()));
            (format!("it ended on {}, {ago} ago; this machine's clock says {}", date(*not_after), date(*time)), renew())
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            let to_come = days(not_before.as_secs().saturating_sub(time.as_secs()));
            let (from, now) = (date(*not_before), date(*time));
            (format!("it begins on {from}, in {to_come}; this machine's clock says {now}"), renew())
        }
        CertificateError::Expired => ("it has ended".into(), renew()),
        CertificateError::NotValidYet => ("it has not begun".into(), renew()),
        other => (other.to_string(), None),
    }
}

/// The names that a certificate has, and which of them to verify it against.
fn misnamed(expected: &str, presented: &[String]) -> (String, Option<String>) {
    // As the verifier writes them: DnsName("kubernetes"), IpAddress(10.0.0.1).
    let inner = |name: &String| {
        let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        inside.unwrap_or(name).trim_matches('"').to_owned()
    };
    let names: Vec<String> = presented.iter().map(inner).collect();
    if names.is_empty() {
        let hint = "sudo kubeadm certs renew apiserver on the host makes one with names; nothing is sent without one";
        return (format!("it is for {expected} neither, nor for any other name: it has none"), Some(hint.into()));
    }
    let plain = |name: &&String| !name.contains('*') && name.parse::<std::net::IpAddr>().is_err();
    let best = names.iter().find(|name| *name == "kubernetes").or_else(|| names.iter().find(plain));
    let hint = best.or_else(|| names.iter().find(|name| !name.contains('*'))).map(|name| {
        format!(
            "if this is the right cluster: --tls-server-name {name}; in a kit: `tlsServerName: {name}` of the cluster"
        )
    });
    (format!("it is for {}, not for {expected}", names.join(", ")), hint)
}

fn date(at: rustls_pki_types::UnixTime) -> String {
    let at = i64::try_from(at.as_secs()).ok().and_then(|secs| jiff::Timestamp::from_second(secs).ok());
    at.map_or_else(|| "a date out of range".into(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// A time in whole days; what is shorter, in hours or minutes.
fn days(secs: u64) -> String {
    let (amount, unit) = match secs {
        ..7200 => (secs / 60, "minute"),
        7200..172_800 => (secs / 3600, "hour"),
        172_800.. => (secs / 86_400, "day"),
    };
    crate::words::count(usize::try_from(amount).unwrap_or(usize::MAX), unit)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            FaultKind::Refused => "connection refused",
            FaultKind::Unreachable => "not reached",
            FaultKind::Reset => "the connection was reset",
            FaultKind::Closed => "the connection was closed without an answer",
            FaultKind::TimedOut(Stage::Connect) => "no connection in",
            FaultKind::TimedOut(Stage::Handshake) => "connected, but no TLS handshake in",
            FaultKind::TimedOut(Stage::Answer) => "no answer in",
            FaultKind::TimedOut(Stage::Body) => "the answer began and did not end in",
            FaultKind::Certificate => "its certificate is not trusted, nothing was sent",
            FaultKind::Rejected => "it refused our client certificate",
            FaultKind::Ssh | FaultKind::NoWay => "no way in",
            FaultKind::Nonsense => "what answers makes no sense",
            FaultKind::TurnedAway => "turned away on the way",
            FaultKind::Local => "on this machine",
        };
        let timed_out = matches!(self.kind, FaultKind::TimedOut(_));
        match self.detail.as_str() {
            "" => f.write_str(what),
            detail if timed_out => write!(f, "{what} {detail}"),
            detail => write!(f, "{what}: {detail}"),
        }
    }
}

impl StdError for Fault {}

#[cfg(test)]
mod tests {
    use rustls_pki_types::{ServerName, UnixTime};

    use super::*;

    #[track_caller]
    fn distrusts(why: CertificateError, detail: &str, hint: &str) {
        let fault = Fault::from_tls(&rustls::Error::InvalidCertificate(why));
        assert_eq!((fault.kind, fault.detail.as_str()), (FaultKind::Certificate, detail));
        assert!(fault.hint.as_deref().unwrap_or_default().contains(hint), "{:?}", fault.hint);
    }

    #[test]
    fn a_certificate_without_the_right_name_says_which_it_has_and_what_to_type() {
        let not_for = |presented: &[&str]| CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("10.0.0.1").unwrap(),
            presented: presented.iter().map(|name| (*name).to_owned()).collect(),
        };
        let names = [r#"DnsName("api.example")"#, r#"DnsName("kubernetes")"#, "IpAddress(10.9.9.9)"];
        let said = "it is for api.example, kubernetes, 10.9.9.9, not for 10.0.0.1";
        distrusts(not_for(&names), said, "--tls-server-name kubernetes");
        distrusts(not_for(&names[2..]), "it is for 10.9.9.9, not for 10.0.0.1", "--tls-server-name 10.9.9.9");
        let wild = [r#"DnsName("*.example")"#, r#"DnsName("api.example")"#];
        distrusts(
            not_for(&wild),
            "it is for *.example, api.example, not for 10.0.0.1",
            "--tls-server-name api.example",
        );
        distrusts(not_for(&wild[..1]), "it is for *.example, not for 10.0.0.1", "");
        distrusts(not_for(&[]), "it is for 10.0.0.1 neither, nor for any other name: it has none", "renew apiserver");
    }

    #[test]
    fn a_certificate_out_of_its_time_says_the_dates_and_asks_about_the_clock() {
        let at = |text: &str| {
            let at: jiff::Timestamp = text.parse().unwrap();
            UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.as_second()).unwrap()))
        };
        let (time, not_after) = (at("2026-11-26T08:00:00Z"), at("2026-10-25T07:00:00Z"));
        let ended = "it ended on 2026-10-25 07:00 UTC, 32 days ago; this machine's clock says 2026-11-26 08:00 UTC";
        distrusts(CertificateError::ExpiredContext { time, not_after }, ended, "is this machine's clock right");
        let not_before = at("2026-11-26T08:30:00Z");
        let begins = "it begins on 2026-11-26 08:30 UTC, in 30 minutes; this machine's clock says 2026-11-26 08:00 UTC";
        distrusts(CertificateError::NotValidYetContext { time, not_before }, begins, "kubeadm certs renew");
    }
}
