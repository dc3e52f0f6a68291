//! From a way to a TLS stream: dial, verify, count what flows.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::link::dial::{Dial, Stream};
use crate::link::fault::{Fault, Stage};
use crate::link::meter::Meter;

/// A drowning server was seen to take 10 to 45 s for its half of the handshake, so this is not meant to be short.
const TLS: Duration = Duration::from_secs(25);

/// Makes the streams that the HTTP client asks for.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) dial: Arc<dyn Dial>,
    pub(super) tls: TlsConnector,
    /// What the certificate is verified against, whatever is dialled.
    pub(super) name: ServerName<'static>,
    pub(super) meter: Arc<Meter>,
    /// Counts the connections that came about, before TLS.
    pub(super) connected: Arc<AtomicU64>,
}

impl tower::Service<http::Uri> for Connector {
    type Response = TokioIo<Metered>;
    type Error = Fault;
    type Future = BoxFuture<'static, Result<Self::Response, Fault>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    /// The URI is not looked at: a connector leads to one server only.
    fn call(&mut self, _uri: http::Uri) -> Self::Future {
        let Self { dial, tls, name, meter, connected } = self.clone();
        async move {
            let stream = dial.dial().await?;
            connected.fetch_add(1, Ordering::Relaxed);
            let stream = timeout(TLS, tls.connect(name, stream))
                .await
                .map_err(|_| Fault::timed_out(Stage::Handshake, TLS))?
                .map_err(|error| handshake_fault(&error))?;
            Ok(TokioIo::new(Metered { stream, meter }))
        }
        .boxed()
    }
}

fn handshake_fault(error: &io::Error) -> Fault {
    let mut fault = Fault::from_io(error);
    if fault.hung_up() && fault.detail.is_empty() {
        fault.detail = "during the TLS handshake".into();
    }
    fault
}

/// Counts the plain text inside TLS: request lines, headers and bodies.
pub(super) struct Metered {
    stream: TlsStream<Stream>,
    meter: Arc<Meter>,
}

impl Connection for Metered {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Metered {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.meter.received((buf.filled().len() - before) as u64);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.meter.sent(wrote as u64);
        Poll::Ready(Ok(wrote))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
