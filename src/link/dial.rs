//! Ways to an API server: straight, or through a host. What opens one knows nothing of what is sent over it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::fault::{Fault, Stage};

/// Three SYNs (at 0, 1 and 3 s) and a little: what is not reached by then is dead or drops us.
pub(in crate::link) const TCP: Duration = Duration::from_secs(5);

/// One way to one API server.
pub trait Dial: Send + Sync {
    /// Opens a byte stream to it. Has a deadline of its own.
    fn dial(&self) -> BoxFuture<'_, Result<Stream, Fault>>;
}

/// A byte stream, before TLS.
#[derive(Debug)]
pub enum Stream {
    /// Straight to the address.
    Tcp(TcpStream),
    /// Our end of an SSH tunnel.
    Tunnel(UnixStream),
}

/// Straight to an address.
#[derive(Debug)]
pub struct Direct(pub SocketAddr);

impl Dial for Direct {
    fn dial(&self) -> BoxFuture<'_, Result<Stream, Fault>> {
        async move {
            let stream = timeout(TCP, TcpStream::connect(self.0))
                .await
                .map_err(|_| Fault::timed_out(Stage::Connect, TCP))?
                .map_err(|error| Fault::from_io(&error))?;
            stream.set_nodelay(true).map_err(|error| Fault::from_io(&error))?;
            Ok(Stream::Tcp(stream))
        }
        .boxed()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tunnel(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tunnel(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tunnel(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tunnel(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
