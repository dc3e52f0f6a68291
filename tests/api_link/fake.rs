//! An API server that counts what arrives and does to it what a test says. TLS, HTTP and the bytes are real.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::stream;
use http::{HeaderMap, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The name in the certificates of the fake servers.
pub(crate) const NAME: &str = "kube.example.internal";

/// What becomes of one request.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// An answer with this code and body.
    Says(u16, &'static str),
    /// The same with one header more.
    With(u16, (&'static str, &'static str)),
    /// The same, but nothing to `/readyz`: one of its checks hangs.
    Drowns(u16, &'static str),
    /// Nothing, as long as the client waits.
    Hangs,
    /// The head of a 200 and then a byte each 200 ms.
    Trickles,
    /// The head of a 200, and then megabytes without an end.
    Floods,
    /// The connection is closed.
    Closes,
    /// The connection is reset.
    Resets,
}

/// What becomes of connections before a request could arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// TLS, and no certificate asked for.
    Open,
    /// TLS, and a client certificate of an authority that nobody has is demanded.
    Demands,
    /// Closed after the client's first bytes.
    Slams,
    /// Never a byte.
    Silent,
    /// Not TLS at all.
    Plain,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) at: Instant,
}

#[derive(Default)]
pub(crate) struct Seen {
    requests: Mutex<Vec<Request>>,
    pub(crate) connections: AtomicUsize,
    pub(crate) resumed: AtomicUsize,
    open: AtomicUsize,
    pub(crate) most_open: AtomicUsize,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
}

impl Seen {
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.line).collect()
    }
}

/// A certificate authority with servers.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// Certificate and key for a name, PEM.
    pub(crate) fn issue(&self, name: &str) -> (String, String) {
        let (cert, key) = self.pair(name);
        (cert.pem(), key.serialize_pem())
    }

    /// The same, ended on the first day of 2021.
    pub(crate) fn issue_ended(&self, name: &str) -> (String, String) {
        let (cert, key) = self.pair_until(name, Some(2021));
        (cert.pem(), key.serialize_pem())
    }

    fn pair(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        self.pair_until(name, None)
    }

    fn pair_until(&self, name: &str, year: Option<i32>) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.not_after = year.map_or(params.not_after, |year| rcgen::date_time_ymd(year, 1, 1));
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn config(&self, name: &str, door: Door) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = builder.unwrap();
        let builder = if door == Door::Demands {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from(Self::new().0.der().to_vec())).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let (cert, key) = self.pair(name);
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        builder.with_single_cert(vec![cert.der().clone()], key).unwrap()
    }
}

/// Serves on a port of loopback until the test's runtime ends.
pub(crate) struct FakeServer {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
}

impl FakeServer {
    /// The script's last entry repeats.
    pub(crate) async fn start(authority: &Authority, script: &[Does]) -> Self {
        Self::with(authority, NAME, Door::Open, script).await
    }

    pub(crate) async fn with(authority: &Authority, name: &str, door: Door, script: &[Does]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let acceptor = TlsAcceptor::from(Arc::new(authority.config(name, door)));
        let script = Arc::new(Mutex::new(VecDeque::from(script.to_vec())));
        let there = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, acceptor.clone(), door, Arc::clone(&there), Arc::clone(&script)));
            }
        });
        Self { address, seen }
    }
}

type Script = Arc<Mutex<VecDeque<Does>>>;

async fn serve(mut stream: TcpStream, acceptor: TlsAcceptor, door: Door, seen: Arc<Seen>, script: Script) {
    seen.connections.fetch_add(1, Ordering::SeqCst);
    let _open = Open::new(&seen);
    match door {
        Door::Slams => {
            let _ = stream.read(&mut [0; 16]).await;
            return;
        }
        Door::Silent => return futures::future::pending().await,
        Door::Plain => {
            use tokio::io::AsyncWriteExt as _;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
            let _ = stream.read(&mut [0; 1024]).await;
            return;
        }
        Door::Open | Door::Demands => {}
    }
    // A second handle, because only the first owner of a socket can make its end a reset.
    let socket = Arc::new(rustix::io::dup(&stream).unwrap());
    let Ok(tls) = acceptor.accept(stream).await else { return };
    if tls.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed) {
        seen.resumed.fetch_add(1, Ordering::SeqCst);
    }
    let io = TokioIo::new(Counted { stream: tls, seen: Arc::clone(&seen) });
    let service = service_fn(|request| answer(request, Arc::clone(&seen), Arc::clone(&script), Arc::clone(&socket)));
    let _ = http1::Builder::new().serve_connection(io, service).await;
}

async fn answer(
    request: hyper::Request<Incoming>,
    seen: Arc<Seen>,
    script: Script,
    socket: Arc<std::os::fd::OwnedFd>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes().to_vec();
    let line = format!("{} {}", head.method, head.uri);
    let of_health = head.uri.path() == "/readyz";
    seen.requests.lock().unwrap().push(Request { line, headers: head.headers, body, at: Instant::now() });
    let does = {
        let mut script = script.lock().unwrap();
        let does = script.front().cloned().unwrap();
        if script.len() > 1 {
            script.pop_front();
        }
        does
    };
    let full = |text: &'static str| Full::new(Bytes::from_static(text.as_bytes())).boxed();
    let say = |code: u16| Response::builder().status(code);
    match does {
        Does::Says(code, text) => Ok(say(code).body(full(text)).unwrap()),
        Does::With(code, (name, value)) => Ok(say(code).header(name, value).body(full(super::OK)).unwrap()),
        Does::Drowns(..) if of_health => futures::future::pending().await,
        Does::Drowns(code, text) => Ok(say(code).body(full(text)).unwrap()),
        Does::Hangs => futures::future::pending().await,
        Does::Trickles => {
            let bytes = stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(b" "))), ()))
            });
            Ok(say(200).body(StreamBody::new(Box::pin(bytes)).boxed()).unwrap())
        }
        Does::Floods => {
            let megabyte = Bytes::from(vec![b' '; 1 << 20]);
            let bytes = stream::repeat_with(move || Ok::<_, Infallible>(Frame::data(megabyte.clone())));
            Ok(say(200).body(StreamBody::new(bytes).boxed()).unwrap())
        }
        Does::Closes => Err(io::Error::other("the test says so")),
        Does::Resets => {
            rustix::net::sockopt::set_socket_linger(&*socket, Some(Duration::ZERO)).unwrap();
            Err(io::Error::other("the test says so"))
        }
    }
}

struct Open<'a>(&'a Seen);

impl<'a> Open<'a> {
    fn new(seen: &'a Seen) -> Self {
        let open = seen.open.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most_open.fetch_max(open, Ordering::SeqCst);
        Self(seen)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Counts plain text on the server's side, to compare with what the client says.
struct Counted<S> {
    stream: S,
    seen: Arc<Seen>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.seen.bytes_in.fetch_add((buf.filled().len() - before) as u64, Ordering::SeqCst);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = &polled {
            self.seen.bytes_out.fetch_add(*count as u64, Ordering::SeqCst);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
