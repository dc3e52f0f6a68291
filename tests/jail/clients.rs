//! Clients that ask again and again, each answer noted with when it was asked for and what came.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, anyhow, ensure};
use testbed::{Access, User, wait_until};

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Where: the number of its API server.
    pub(super) server: usize,
    pub(super) at: SystemTime,
    /// The status, or why none came.
    pub(super) code: Result<u16, String>,
}

/// Who asks, what, and how often.
pub(super) struct Client {
    pub(super) who: Who,
    pub(super) path: &'static str,
    pub(super) pause: Duration,
}

pub(super) enum Who {
    Token(String),
    Certificate(User),
    Nobody,
}

/// A client on each API server, until it is dropped.
pub(super) struct Asking {
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

fn lock(asked: &Mutex<Vec<Asked>>) -> MutexGuard<'_, Vec<Asked>> {
    asked.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Asking {
    pub(super) fn start(access: &Access, urls: &[String], client: &Client) -> Result<Self> {
        // Whoever was first has done it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (asked, stop) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::new(AtomicBool::new(false)));
        let mut threads = Vec::new();
        for (server, url) in urls.iter().enumerate() {
            let http = http(access, &client.who)?;
            let url = format!("{url}{}", client.path);
            let token = if let Who::Token(token) = &client.who { Some(token.clone()) } else { None };
            let (asked, stop, pause) = (Arc::clone(&asked), Arc::clone(&stop), client.pause);
            threads.push(thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                while !stop.load(Ordering::Relaxed) {
                    let at = SystemTime::now();
                    let request = token.iter().fold(http.get(&url), reqwest::RequestBuilder::bearer_auth);
                    let code = runtime.block_on(async {
                        let answer = request.send().await?;
                        let code = answer.status().as_u16();
                        answer.bytes().await.map(|_| code)
                    });
                    lock(&asked).push(Asked {
                        server,
                        at,
                        code: code.map_err(|error: reqwest::Error| format!("{error:?}")),
                    });
                    thread::sleep(pause);
                }
            }));
        }
        let all = Self { asked, stop, threads };
        wait_until("a client that is served everywhere", super::LONG, || {
            let asked = all.so_far();
            Ok((0..urls.len()).all(|server| asked.iter().any(|one| one.server == server && one.code == Ok(200))))
        })?;
        Ok(all)
    }

    pub(super) fn so_far(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }

    /// Waits until what is asked now is answered so, on every server.
    pub(super) fn answered(&self, code: u16) -> Result<()> {
        let since = SystemTime::now();
        wait_until(&format!("a {code} from every server"), super::LONG, || {
            let asked = self.so_far();
            let servers = asked.iter().map(|one| one.server).max().unwrap_or(0);
            Ok((0..=servers)
                .all(|server| asked.iter().any(|one| one.server == server && one.at > since && one.code == Ok(code))))
        })
    }

    /// Everything since then was answered with 200.
    pub(super) fn always_served(&self, who: &str) -> Result<usize> {
        let asked = self.so_far();
        let other = asked.iter().find(|one| one.code != Ok(200));
        ensure!(other.is_none(), "{who} was answered: {other:?}");
        Ok(asked.len())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It holds nothing that its panic would break.
            let _ = thread.join();
        }
    }
}

fn http(access: &Access, who: &Who) -> Result<reqwest::Client> {
    let read = |path: &std::path::Path| std::fs::read(path).with_context(|| path.display().to_string());
    let user = if let Who::Certificate(user) = who { *user } else { User::Nobody };
    let [ca, certificate, key] = access.credential_files(user)?;
    let ca = reqwest::Certificate::from_pem(&read(&ca)?)?;
    let mut builder = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).timeout(Duration::from_secs(60));
    if matches!(who, Who::Certificate(_)) {
        let pem = [read(&certificate)?, read(&key)?].concat();
        builder = builder.identity(reqwest::Identity::from_pem(&pem)?);
    }
    builder.build().map_err(|error| anyhow!("no client: {error}"))
}

/// Asks so often in a row, over one connection; each has to be answered so.
pub(super) fn asks_in_a_row(access: &Access, url: &str, token: &str, (times, code): (u32, u16)) -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = http(access, &Who::Nobody)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        for _ in 0..times {
            let answer = http.get(url).bearer_auth(token).send().await?;
            ensure!(answer.status().as_u16() == code, "{} instead of {code}", answer.status());
            answer.bytes().await?;
        }
        Ok(())
    })
}
