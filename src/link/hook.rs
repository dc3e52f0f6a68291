//! Calls to what is not an API server: a traffic manager, a pager, a load balancer.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Url};

use crate::bounded;

/// TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(10);
/// Read of an answer.
const BODY_LIMIT: usize = 64 << 10;

/// Of a file with a secret in it: a token, a path, a body.
const SECRET_LIMIT: usize = 1 << 20;

/// One call.
#[derive(Debug)]
pub struct Call<'a> {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// The whole URL.
    pub url: &'a str,
    /// Addresses to dial instead of looking the host up; a port in the URL goes before theirs.
    pub dial: &'a [SocketAddr],
    /// Headers.
    pub headers: &'a [(String, String)],
    /// Headers whose value is read from a file now.
    pub secret_headers: &'a [(String, String)],
    /// A file whose text follows the URL.
    pub secret_path: Option<&'a str>,
    /// The body; JSON, unless a header says otherwise.
    pub body: Vec<u8>,
    /// A file that is sent instead of the body.
    pub secret_body: Option<&'a str>,
    /// The longest that it may take.
    pub limit: Duration,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing was sent.
    NotSent(String),
    /// It may have been received.
    Lost(String),
}

/// Makes one call, once: status code, and how many bytes of a body were read. The body itself is given to nobody: what a
/// hook answers may be a secret, and what it means is in its status code.
///
/// Redirects are not followed: a hook is called where the plan says.
///
/// # Errors
/// See [`NoAnswer`].
pub async fn call(mut call: Call<'_>) -> Result<(u16, usize), NoAnswer> {
    if let Some(path) = call.secret_body {
        call.body = secret(path, call.limit).await?;
    }
    let rest = match call.secret_path {
        Some(path) => secret_text(path, call.limit).await?,
        None => String::new(),
    };
    let url: Url = format!("{}{}", call.url, rest.trim()).parse().map_err(|error| not_sent(call.url, &error))?;
    // What is in a file decides on the path alone, never on where the call goes.
    let planned: Url = call.url.parse().map_err(|error| not_sent(call.url, &error))?;
    if url.origin() != planned.origin() {
        return Err(not_sent(call.secret_path.unwrap_or_default(), &"leads to another host than the URL says"));
    }
    let headers = headers(&call).await?;
    let client = client(&url, call.dial, call.limit).map_err(|error| not_sent("no HTTP client", &error))?;
    let method = Method::from_bytes(call.method.as_bytes()).map_err(|error| not_sent(call.method, &error))?;
    let mut response = client.request(method, url).headers(headers).body(call.body).send().await.map_err(|error| {
        if error.is_connect() { NoAnswer::NotSent(chain(&error)) } else { NoAnswer::Lost(chain(&error)) }
    })?;
    let code = response.status().as_u16();
    let mut length = 0;
    // The status line says what became of the call; a torn body changes nothing.
    while let Ok(Some(chunk)) = response.chunk().await {
        length += chunk.len();
        if length > BODY_LIMIT {
            break;
        }
    }
    Ok((code, length))
}

/// What a file holds: a file, not too long, and read in time, or nothing is sent.
async fn secret(path: &str, limit: Duration) -> Result<Vec<u8>, NoAnswer> {
    let file = std::path::PathBuf::from(path);
    let read = tokio::task::spawn_blocking(move || bounded::file(&file, SECRET_LIMIT));
    match tokio::time::timeout(limit, read).await {
        Ok(Ok(read)) => read.map_err(|error| not_sent(path, &error)),
        Ok(Err(error)) => Err(not_sent(path, &error)),
        Err(_) => Err(not_sent(path, &format!("it could not be read within {:.1} s", limit.as_secs_f64()))),
    }
}

async fn secret_text(path: &str, limit: Duration) -> Result<String, NoAnswer> {
    String::from_utf8(secret(path, limit).await?).map_err(|_| not_sent(path, &"not text in UTF-8"))
}

fn not_sent(what: &str, why: &dyn std::fmt::Display) -> NoAnswer {
    NoAnswer::NotSent(format!("{what}: {why}"))
}

async fn headers(call: &Call<'_>) -> Result<HeaderMap, NoAnswer> {
    let mut headers = HeaderMap::new();
    if !call.body.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in call.headers {
        headers.insert(header_name(name)?, HeaderValue::from_str(value).map_err(|error| not_sent(name, &error))?);
    }
    for (name, path) in call.secret_headers {
        let value = secret_text(path, call.limit).await?;
        // The error would not show the value, but its place says enough.
        let mut value =
            HeaderValue::from_str(value.trim_end()).map_err(|_| not_sent(path, &"is not a header's value"))?;
        value.set_sensitive(true);
        headers.insert(header_name(name)?, value);
    }
    Ok(headers)
}

fn header_name(name: &str) -> Result<HeaderName, NoAnswer> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|error| NoAnswer::NotSent(format!("header {name:?}: {error}")))
}

#[expect(clippy::disallowed_methods, reason = "the one place where a client for hooks is made")]
fn client(url: &Url, dial: &[SocketAddr], limit: Duration) -> reqwest::Result<Client> {
    super::use_ring();
    let mut builder = Client::builder()
        // The environment's proxy may hang on what is broken.
        .no_proxy()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .user_agent(concat!("breakglass/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .timeout(limit);
    if let Some(host) = url.host_str().filter(|_| !dial.is_empty()) {
        builder = builder.resolve_to_addrs(host, dial);
    }
    builder.build()
}

/// The error and its causes; without the URL, whose query may hold what is nobody's business.
fn chain(error: &reqwest::Error) -> String {
    let mut line = if error.is_timeout() { "no answer in time".to_owned() } else { "no answer".to_owned() };
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        line = format!("{line}: {cause}");
        next = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn content_type(headers: &[(String, String)], body: &str) -> Option<String> {
        let call = Call {
            method: "POST",
            url: "http://pager.invalid/1",
            dial: &[],
            headers,
            secret_headers: &[],
            secret_path: None,
            secret_body: None,
            body: body.into(),
            limit: CONNECT,
        };
        let all = super::headers(&call).await.unwrap();
        all.get(CONTENT_TYPE).map(|value| value.to_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn a_secret_is_a_file_of_a_bounded_length_or_nothing_is_sent() {
        let long = tempfile::NamedTempFile::new().unwrap();
        long.as_file().set_len(SECRET_LIMIT as u64 + 1).unwrap();
        let long = long.path().to_str().unwrap();
        let header = |path: &str| [("Authorization".to_owned(), path.to_owned())];
        for (path, why) in [("/dev/zero", "not a file"), (long, "longer than 1.0 MB, the most that is read")] {
            let secret_headers = header(path);
            for (secret_headers, secret_path, secret_body) in
                [(&secret_headers[..], None, None), (&[][..], Some(path), None), (&[][..], None, Some(path))]
            {
                let call = Call {
                    method: "POST",
                    url: "http://pager.invalid/1",
                    dial: &[],
                    headers: &[],
                    secret_headers,
                    secret_path,
                    secret_body,
                    body: Vec::new(),
                    limit: CONNECT,
                };
                assert_eq!(super::call(call).await, Err(NoAnswer::NotSent(format!("{path}: {why}"))));
            }
        }
    }

    #[tokio::test]
    async fn a_body_is_json_unless_a_header_says_otherwise() {
        assert_eq!(content_type(&[], "{}").await.as_deref(), Some("application/json"));
        let own = [("content-TYPE".to_owned(), "application/cloudevents+json".to_owned())];
        assert_eq!(content_type(&own, "{}").await.as_deref(), Some("application/cloudevents+json"));
        assert_eq!(content_type(&[], "").await, None);
    }
}
