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
    /// The way there is shut for good: host key, login, key file.
    NoWay,
    /// What answers does not speak TLS or HTTP, or says too much.
    Nonsense,
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
        matches!(
            self.kind,
            FaultKind::Certificate | FaultKind::Rejected | FaultKind::NoWay | FaultKind::Local | FaultKind::Nonsense
        )
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
            rustls::Error::InvalidCertificate(why) => Self::new(FaultKind::Certificate, distrust(why)),
            rustls::Error::AlertReceived(alert) => Self::new(FaultKind::Rejected, format!("TLS alert {alert:?}")),
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

/// What is wrong with the server's certificate, in words.
fn distrust(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => "it is signed by an authority that the kit does not name".into(),
        // Most clusters' authorities are called `kubernetes`, so a foreign one has the right name and the wrong key.
        CertificateError::BadSignature => "it is signed by another authority of the same name".into(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("it is for {}, not for {}", presented.join(", "), expected.to_str())
        }
        other => other.to_string(),
    }
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
            FaultKind::NoWay => "no way in",
            FaultKind::Nonsense => "what answers makes no sense",
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
