//! One API server's client: the only place where a kube `Client` is built.
//!
//! kube would retry 429, 503 and 504 up to fifteen times by itself, wait without end for an answer, and run credential
//! plugins; none of that is on this path. It gives the TLS configuration, the bearer header and the base address.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, Client, ConfigExt as _};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tower::ServiceBuilder;

use super::attempts::View;
use super::connect::Connector;
use super::stranger::Came;
use super::verify::Authorities;
use super::{Answer, ApiRequest};
use crate::kit::held::{Entrance, Won};
use crate::kit::{ActingAs, ApiServer, Cluster, Credential};
use crate::link::dial::{Dial, TCP};
use crate::link::fault::{Fault, FaultKind, Stage};
use crate::link::meter::Meter;
use crate::words;

/// More than any answer that a step asks for; keeps a runaway LIST out of memory, also while several are under way.
const BODY_LIMIT: usize = 32 << 20;
/// An SSH login and a tunnel, with jump hosts on the way.
const LOGIN: Duration = Duration::from_secs(20);
/// How long the body of a write that was made is waited for.
const WORDS: Duration = Duration::from_secs(5);
/// A kept connection is used again within this time; a server or a balancer may close it after.
const KEPT: Duration = Duration::from_secs(30);

/// One API server. Nothing is parsed, built or dialled before the first request.
pub(super) struct Server {
    pub(super) name: String,
    /// As shown in sentences: address and way.
    pub(super) label: String,
    pub(super) meter: Arc<Meter>,
    pub(super) facts: ApiServer,
    dial: Arc<dyn Dial>,
    us: Arc<Us>,
    /// Of a recovery API server: what it is verified against, PEM, in place of the cluster's authorities.
    trust: Option<Vec<u8>>,
    /// It is there no more.
    closed: AtomicBool,
    client: Mutex<Option<Result<Client, Fault>>>,
    /// Connections that came about so far, before TLS.
    connected: Arc<AtomicU64>,
    /// Held by whoever asks it whether it is starting: of several that it refuses at once, one does.
    pub(super) asking: tokio::sync::Mutex<()>,
}

/// Who we are to all API servers of a cluster.
pub(super) struct Us {
    cluster: Arc<Cluster>,
    user_agent: Arc<str>,
    /// Won during the run, in place of the kit's.
    won: RwLock<Option<Won>>,
}

impl Us {
    pub(super) fn new(cluster: Arc<Cluster>, user_agent: Arc<str>) -> Self {
        Self { cluster, user_agent, won: RwLock::default() }
    }

    /// The same, but for this credential.
    pub(super) fn known_as(&self, own: Won) -> Self {
        Self {
            cluster: Arc::clone(&self.cluster),
            user_agent: Arc::clone(&self.user_agent),
            won: RwLock::new(Some(own)),
        }
    }

    pub(super) fn known_by(&self, won: Won) {
        *self.won.write().unwrap_or_else(PoisonError::into_inner) = Some(won);
    }

    pub(super) fn won(&self) -> Option<Won> {
        self.won.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn credential(&self) -> Credential {
        let won = self.won.read().unwrap_or_else(PoisonError::into_inner);
        won.as_ref().map_or(&self.cluster.credential, |won| &won.credential).clone()
    }

    /// As whom our requests are made, when that is somebody else. What was won has its own rights.
    fn acting_as(&self) -> Option<&ActingAs> {
        let won = self.won.read().unwrap_or_else(PoisonError::into_inner).is_some();
        self.cluster.acting_as.as_ref().filter(|_| !won)
    }

    /// Why our credential is none at this moment, by the clock that TLS goes by.
    fn void(&self) -> Option<String> {
        let now = i64::try_from(UnixTime::now().as_secs()).ok()?;
        self.credential().void(jiff::Timestamp::from_second(now).ok()?, self.cluster.credential_ends)
    }
}

impl Server {
    pub(super) fn new(facts: ApiServer, us: Arc<Us>, dial: Arc<dyn Dial>, trust: Option<Vec<u8>>) -> Self {
        let label = match &facts.via {
            Some(host) => format!("{} ({} through {host} by SSH)", facts.name, facts.address),
            None => format!("{} ({})", facts.name, facts.address),
        };
        let (name, meter, client, connected) = (facts.name.clone(), Arc::default(), Mutex::default(), Arc::default());
        let asking = tokio::sync::Mutex::default();
        let closed = AtomicBool::new(false);
        Self { name, label, meter, facts, dial, us, trust, closed, client, connected, asking }
    }

    /// Is it one that was started for this run, and is there?
    pub(super) fn is_recovery(&self) -> bool {
        self.trust.is_some() && !self.is_closed()
    }

    /// Is it the one that is verified against this, and does it know us by this, where that is said?
    pub(super) fn is(&self, trust: &[u8], own: Option<&Won>) -> bool {
        self.trust.as_deref() == Some(trust) && own.is_none_or(|own| self.us.won().as_ref() == Some(own))
    }

    /// The way in to it by what was won, if something was.
    pub(super) fn entrance(&self) -> Option<Entrance> {
        let (won, cluster) = (self.us.won()?, &self.us.cluster);
        let name = cluster.tls_server_name.clone().filter(|_| self.trust.is_none());
        let trust = self.trust.as_ref().unwrap_or(&cluster.ca).clone();
        Some(Entrance { server: self.facts.clone(), trust, name, won })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// It is there no more, and asked nothing more.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.rest();
    }

    fn kept(&self) -> MutexGuard<'_, Option<Result<Client, Fault>>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of the client and of the connections that it keeps.
    pub(super) fn rest(&self) {
        drop(self.kept().take());
    }

    /// What the attempts have to know of it.
    pub(super) fn view(&self) -> View<'_> {
        let patience = if self.facts.via.is_some() { LOGIN } else { TCP };
        View { label: &self.label, patience, recovery: self.is_recovery() }
    }

    /// Whether we have a credential, which it may know.
    pub(super) fn has_our_credential(&self) -> bool {
        !matches!(self.us.credential(), Credential::Anonymous)
    }

    /// Sends a request once and waits for the whole answer until `deadline`.
    ///
    /// `received` is set before the first byte of the request goes out: from then on the server may have got it.
    pub(super) async fn send(
        &self,
        asked: &ApiRequest,
        deadline: Instant,
        received: &AtomicBool,
    ) -> Result<Answer, Fault> {
        let client = if asked.anonymous {
            self.build(&Credential::Anonymous)?
        } else {
            self.kept().get_or_insert_with(|| self.build(&self.us.credential())).clone()?
        };
        let connected = self.connected.load(Ordering::Relaxed);
        let mut request = self.request(asked)?;
        let mut connection = capture_connection(&mut request);
        let life = deadline.saturating_duration_since(Instant::now());
        let note = || {
            if !received.swap(true, Ordering::Relaxed) {
                self.meter.request();
            }
        };
        let sending = client.send(request);
        tokio::pin!(sending);
        let exchange = async {
            let held = async { connection.wait_for_connection_metadata().await.is_some() };
            tokio::select! {
                biased;
                response = &mut sending => response,
                held = held => {
                    if held {
                        note();
                    }
                    sending.await
                }
            }
        };
        let response = timeout_at(deadline, exchange).await;
        if connection.connection_metadata().is_some() {
            note();
        }
        let response =
            response.map_err(|_| self.late(received, connected, life))?.map_err(|error| self.named(&error, asked))?;
        let (parts, body) = response.into_parts();
        let mut answer = Answer {
            code: parts.status.as_u16(),
            text: String::new(),
            retry_after: retry_after(&parts.headers),
            date: date(&parts.headers),
            flow_schema: text_of(&parts.headers, "x-kubernetes-pf-flowschema-uid"),
            stranger: None,
            void: self.us.void().filter(|_| parts.status == StatusCode::UNAUTHORIZED && !asked.anonymous),
        };
        // The status line says what became of a write; the body is only words about it, and a failure's are worth a wait.
        let made = asked.writes && parts.status.is_success();
        let patience = if made { deadline.min(Instant::now() + WORDS) } else { deadline };
        let whole = match timeout_at(patience, Limited::new(body, BODY_LIMIT).collect()).await {
            Ok(Ok(bytes)) => {
                answer.text = String::from_utf8_lossy(&bytes.to_bytes()).into_owned();
                true
            }
            _ if asked.writes => false,
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                let why =
                    format!("its answer is longer than {}, the most that is read", words::bytes(BODY_LIMIT as u64));
                return Err(Fault::new(FaultKind::Malformed, why));
            }
            Ok(Err(error)) => return Err(Fault::from_client(error.as_ref())),
            Err(_) => return Err(Fault::timed_out(Stage::Body, life)),
        };
        let came = Came { code: answer.code, headers: &parts.headers, body: &answer.text, whole };
        let Some(stranger) = came.stranger(asked) else { return Ok(answer) };
        let kind = match answer.code {
            // Whether it was handed on is anybody's guess: for a write the outcome is not known.
            ..300 => FaultKind::Malformed,
            // It may do better the next time.
            408 | 429 | 500.. => {
                answer.stranger = Some(stranger);
                return Ok(answer);
            }
            300.. => FaultKind::TurnedAway,
        };
        let hint = "go past what answers there: --via HOST, or --server with an API server's own address";
        Err(Fault { hint: Some(hint.into()), ..Fault::new(kind, stranger) })
    }

    /// What happened on the connection; where the server refused our certificate and that one has ended, that it has.
    fn named(&self, error: &(dyn std::error::Error + 'static), asked: &ApiRequest) -> Fault {
        let fault = Fault::from_client(error);
        match self.us.void().filter(|_| fault.kind == FaultKind::Rejected && !asked.anonymous) {
            Some(why) => {
                Fault { detail: format!("{}: {why}", fault.detail), hint: Some(crate::kit::RENEW.to_owned()), ..fault }
            }
            None => fault,
        }
    }

    /// The time was used up: at which stage?
    fn late(&self, received: &AtomicBool, connected: u64, life: Duration) -> Fault {
        if received.load(Ordering::Relaxed) {
            return Fault::timed_out(Stage::Answer, life);
        }
        match &self.facts.via {
            _ if self.connected.load(Ordering::Relaxed) > connected => Fault::timed_out(Stage::Handshake, life),
            Some(host) => {
                Fault::new(FaultKind::Ssh, format!("SSH to {host}: no way on in {:.1} s", life.as_secs_f64()))
            }
            None => Fault::timed_out(Stage::Connect, life),
        }
    }

    fn request(&self, asked: &ApiRequest) -> Result<Request<Body>, Fault> {
        let mut request = Request::builder()
            .method(asked.method)
            .uri(&asked.path)
            .header(header::ACCEPT, asked.accept)
            .header(header::USER_AGENT, &*self.us.user_agent)
            // Compressing a large answer costs a starving server more than sending it.
            .header(header::ACCEPT_ENCODING, "identity");
        // As somebody else, or not at all: who answers as our own self has more rights than was meant.
        for (name, value) in self.us.acting_as().into_iter().filter(|_| !asked.anonymous).flat_map(ActingAs::headers) {
            request = request.header(name, value.as_bytes());
        }
        if !asked.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, &asked.content_type);
        }
        request
            .body(Body::from(asked.body.to_vec()))
            .map_err(|error| Fault::new(FaultKind::Local, format!("the request can't be written: {error}")))
    }

    /// Whom a server is verified against. Without any, the TLS library would take the machine's own list.
    fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, Fault> {
        let local = |why: String| Fault::new(FaultKind::Local, format!("{why} ({})", self.us.cluster.source));
        let trusted = self.trust.as_ref().unwrap_or(&self.us.cluster.ca);
        let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(trusted).collect();
        let certs = certs.map_err(|error| local(format!("the cluster's CA can't be read: {error}")))?;
        if certs.is_empty() {
            return Err(local("there is no certificate authority to verify the API server with".into()));
        }
        Ok(certs)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place where a client for an API server is made")]
    fn build(&self, credential: &Credential) -> Result<Client, Fault> {
        let local = |what: &str, why: &dyn std::fmt::Display| {
            Fault::new(FaultKind::Local, format!("{what} ({}): {why}", self.us.cluster.source))
        };
        crate::link::use_ring();
        let address = self.facts.address;
        let uri = format!("https://{address}").parse().map_err(|error| local("the address can't be used", &error))?;
        let mut config = kube::Config::new(uri);
        let authorities = self.authorities()?;
        config.root_cert = Some(authorities.iter().map(|der| der.to_vec()).collect());
        match credential {
            Credential::Certificate { cert, key } => {
                config.auth_info.client_certificate_data = Some(STANDARD.encode(cert));
                config.auth_info.client_key_data = Some(STANDARD.encode(key).into());
            }
            Credential::Token(token) => config.auth_info.token = Some(token.clone().into()),
            Credential::Anonymous => {}
        }
        let mut tls = config.rustls_client_config().map_err(|error| local("the credential can't be used", &error))?;
        let verifier =
            Authorities::new(authorities).map_err(|error| local("the cluster's CA can't be used", &error))?;
        // Named as dangerous by the library: what it is given decides. It verifies no less than the one it takes the place of.
        tls.dangerous().set_certificate_verifier(Arc::new(verifier));
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = match self.us.cluster.tls_server_name.as_ref().filter(|_| self.trust.is_none()) {
            Some(name) => ServerName::try_from(name.clone()).map_err(|error| local("tlsServerName", &error))?,
            None => ServerName::from(address.ip()),
        };
        let connector = Connector {
            dial: Arc::clone(&self.dial),
            tls: TlsConnector::from(Arc::new(tls)),
            name,
            meter: Arc::clone(&self.meter),
            connected: Arc::clone(&self.connected),
        };
        let http = HttpClient::builder(TokioExecutor::new())
            .pool_idle_timeout(KEPT)
            .pool_max_idle_per_host(2)
            .retry_canceled_requests(false)
            .build::<_, Body>(connector);
        let service = ServiceBuilder::new()
            .layer(config.base_uri_layer())
            .option_layer(config.auth_layer().map_err(|error| local("the credential can't be used", &error))?)
            .map_err(tower::BoxError::from)
            .service(http);
        Ok(Client::new(service, "default"))
    }
}

/// Whole seconds only: API servers send no dates here.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn date(headers: &HeaderMap) -> Option<jiff::Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
