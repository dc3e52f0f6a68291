//! Why an attempt brought no answer, and what that means for the next one.

pub(in crate::link) mod tls;

use std::error::Error as StdError;
use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

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
    /// It and this program have no TLS in common.
    NoTls,
    /// SSH, which leads there, did not get through this time.
    Ssh,
    /// The way there is shut for good: host key, login, key file.
    NoWay,
    /// What answers does not speak TLS or HTTP, says too much, or says yes and is no API server.
    Malformed,
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
        use FaultKind::{Certificate, Local, Malformed, NoTls, NoWay, Rejected, TurnedAway};
        matches!(self.kind, Certificate | Rejected | NoTls | NoWay | Local | Malformed | TurnedAway)
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
            | FaultKind::NoTls
            | FaultKind::Malformed
            | FaultKind::TurnedAway => true,
        }
    }

    /// It was there, and hung up: no time had passed in vain.
    pub fn hung_up(&self) -> bool {
        matches!(self.kind, FaultKind::Reset | FaultKind::Closed)
    }

    /// What a process that just died or just starts looks like from outside.
    pub fn looks_like_restart(&self) -> bool {
        matches!(self.kind, FaultKind::Refused | FaultKind::Reset | FaultKind::Closed)
    }

    /// Sorts an error of the socket, or of TLS on it.
    pub(in crate::link) fn from_io(error: &std::io::Error) -> Self {
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return tls::fault(error);
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
                return Self::new(FaultKind::Malformed, http.to_string());
            }
            next = cause.source();
        }
        Self::new(FaultKind::Closed, format!("({error})"))
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
            FaultKind::NoTls => "no TLS with it",
            // Their detail is the whole sentence.
            FaultKind::Ssh | FaultKind::NoWay => return f.write_str(&self.detail),
            FaultKind::Malformed => "what answers makes no sense",
            FaultKind::TurnedAway => "turned away on the way",
            FaultKind::Local => "on this machine",
        };
        // Their detail goes on with the sentence: for how long, or during what.
        let goes_on = matches!(self.kind, FaultKind::TimedOut(_) | FaultKind::Reset | FaultKind::Closed);
        match self.detail.as_str() {
            "" => f.write_str(what),
            detail if goes_on => write!(f, "{what} {detail}"),
            detail => write!(f, "{what}: {detail}"),
        }
    }
}

impl StdError for Fault {}
