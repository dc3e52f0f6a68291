//! Who answers: an API server, or something on the way that speaks in its place.
//!
//! A login page says 200 to everything, a balancer without servers says 503, a portal sends one elsewhere. None of that
//! says anything about a cluster, and a write that was "answered" so may or may not have been made.

use http::{HeaderMap, header};
use serde_json::Value;

use super::ApiRequest;

/// The longest title of a page that is shown.
const TITLE: usize = 80;

/// An answer as it came.
pub(super) struct Came<'a> {
    pub(super) code: u16,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a str,
    /// The body came to its end.
    pub(super) whole: bool,
}

impl Came<'_> {
    fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A page for people.
    fn page(&self) -> Option<String> {
        let kind = self.header(header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
        let start = self.body.trim_start_matches('\u{feff}').trim_start();
        let html = kind.starts_with("text/html") || kind.starts_with("application/xhtml") || start.starts_with('<');
        html.then(|| {
            title(self.body).map_or_else(|| "a page of HTML".into(), |title| format!("a page of HTML, {title:?}"))
        })
    }

    /// Only an API server says no in these words, or with these headers: any web server has a `404 page not found`.
    fn signed(&self, said: &Value) -> bool {
        let headers = ["audit-id", "x-kubernetes-pf-flowschema-uid", "x-kubernetes-pf-prioritylevel-uid"];
        said["kind"] == "Status" || headers.iter().any(|name| self.headers.contains_key(*name))
    }

    /// What answered, when it was no API server; in one line.
    pub(super) fn stranger(&self, asked: &ApiRequest) -> Option<String> {
        let code = self.code;
        if (300..400).contains(&code) {
            let to = self.header(header::LOCATION).unwrap_or("nowhere");
            return Some(format!("{code}, a redirect to {to}: no API server sends one elsewhere"));
        }
        if let Some(page) = self.page() {
            let who = if code < 400 { "a login page or a proxy" } else { "a balancer or a proxy" };
            return Some(format!("{code} with {page}: {who}, no API server"));
        }
        let json = || serde_json::from_str::<Value>(self.body).unwrap_or_default();
        let path = asked.path.split('?').next().unwrap_or_default();
        let objects = path.starts_with("/api/") || path.starts_with("/apis/");
        if (200..300).contains(&code) && self.whole {
            let known = match path {
                "/livez" | "/readyz" | "/healthz" => health(self.body),
                _ if objects => json()["kind"].is_string(),
                _ => true,
            };
            if !known {
                return Some(format!(
                    "{code}, and what it says is not what an API server says there: {}",
                    start(self.body)
                ));
            }
        }
        if matches!(code, 400 | 401 | 403 | 404 | 405) && self.whole && !self.signed(&json()) {
            let said = start(self.body);
            return Some(format!("{code} and {said:?}: nothing in it shows that an API server said so"));
        }
        // No API server names itself; what stands before one does.
        let server = self.header(header::SERVER).filter(|_| matches!(code, 502..=504))?;
        let theirs = !json()["kind"].is_string() && !health(self.body);
        theirs.then(|| format!("{code} of {server}, a balancer or a proxy: {}", start(self.body)))
    }
}

/// What a health endpoint says: `ok`, or one line a check.
fn health(body: &str) -> bool {
    body.trim() == "ok" || body.lines().any(|line| line.starts_with("[+]") || line.starts_with("[-]"))
}

/// The title of a page, or its first heading.
fn title(body: &str) -> Option<String> {
    // ASCII only, so that places in it are places in the body.
    let lower = body.to_ascii_lowercase();
    let inside = |tag: &str| {
        let open = lower.find(&format!("<{tag}"))?;
        let from = open + lower[open..].find('>')? + 1;
        let to = from + lower[from..].find(&format!("</{tag}"))?;
        Some(start(&body[from..to])).filter(|text| !text.is_empty())
    };
    inside("title").or_else(|| inside("h1"))
}

/// The start of a text as one line.
fn start(text: &str) -> String {
    let words = text.chars().take(4 * TITLE).collect::<String>();
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TITLE) {
        Some((end, _)) => format!("{}\u{2026}", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DS: &str = "/apis/apps/v1/namespaces/telemetry/daemonsets/agent";

    fn came(path: &str, code: u16, headers: &[(&str, &str)], body: &str, whole: bool) -> Option<String> {
        let asked = ApiRequest::get(path, "*/*");
        let pairs = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers: HeaderMap = pairs.collect();
        Came { code, headers: &headers, body, whole }.stranger(&asked)
    }

    #[track_caller]
    fn stranger(path: &str, code: u16, headers: &[(&str, &str)], body: &str, part: &str) {
        let said = came(path, code, headers, body, true).unwrap_or_else(|| panic!("taken for an API server: {body}"));
        assert!(said.contains(part) && !said.contains('\n'), "{said}");
    }

    #[test]
    fn what_is_no_api_server_is_told_in_one_line() {
        let html = [("content-type", "text/html; charset=utf-8")];
        let page = "<!DOCTYPE html>\n<html><head><title>\n Sign in\n</title></head></html>";
        for path in ["/livez", DS, "/metrics", "/debug/api_priority_and_fairness/dump_requests"] {
            stranger(path, 200, &html, page, "a page of HTML, \"Sign in\"");
            stranger(path, 200, &[], page, "a login page");
            stranger(
                path,
                302,
                &[("location", "https://sso.example/login")],
                "",
                "a redirect to https://sso.example/login",
            );
        }
        let haproxy = "<html><body><h1>503 Service Unavailable</h1>\nNo server is available.\n</body></html>\n";
        stranger("/livez", 503, &html, haproxy, "\"503 Service Unavailable\": a balancer or a proxy");
        stranger(DS, 403, &html, "<html>no</html>", "403 with a page of HTML: a balancer");
        stranger("/readyz", 503, &[("server", "envoy")], "no healthy upstream", "503 of envoy");
        // Any web server says no; what an API server says no in, only an API server has.
        for path in ["/livez", DS] {
            stranger(
                path,
                404,
                &[("server", "nginx")],
                "404 page not found\n",
                "404 and \"404 page not found\": nothing in it",
            );
            stranger(path, 404, &[], "", "404 and \"\": nothing in it");
            stranger(path, 401, &[], "{\"error\":\"unauthorized\"}", "nothing in it");
            stranger(path, 403, &[], "Forbidden", "nothing in it");
        }
        // Other things say 200, too.
        stranger("/livez", 200, &[], "healthy", "not what an API server says");
        stranger("/readyz", 200, &[], "", "not what an API server says");
        stranger("/livez", 200, &[], "{\"status\":\"UP\"}", "not what an API server says");
        stranger(DS, 200, &[("content-type", "application/json")], "{\"error\":\"login_required\"}", "not what an API");
        stranger(DS, 200, &[], "", "not what an API");
        stranger(DS, 200, &[], "[]", "not what an API");
        // No place in it is taken for one in the lowered text.
        stranger("/livez", 200, &html, "<TITLE>\u{130}\u{130} Anmeldung</TITLE>", "Anmeldung");
        stranger("/livez", 200, &html, "<title", "a page of HTML: a login page");
    }

    #[test]
    fn an_api_server_is_known_by_what_it_says() {
        let json = [("content-type", "application/json")];
        for (path, code, body) in [
            ("/livez", 200, "ok"),
            ("/readyz?verbose", 200, "[+]ping ok\n[+]etcd ok\nreadyz check passed\n"),
            ("/readyz", 500, "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n"),
            (DS, 200, "{\"kind\":\"DaemonSet\",\"metadata\":{}}"),
            (DS, 404, "{\"kind\":\"Status\",\"code\":404}"),
            (DS, 429, "Too many requests, please try again later."),
            (DS, 503, "{\"kind\":\"Status\",\"code\":503}"),
            ("/version", 200, "{\"major\":\"1\"}"),
            ("/metrics", 200, "# HELP x\nx 1\n"),
        ] {
            assert_eq!(came(path, code, &json, body, true), None, "{path} {body}");
        }
        // A path that is not served, as each server in front of the resources says it.
        assert_eq!(came(DS, 404, &[("audit-id", "3b1")], "404 page not found\n", true), None);
        // A proxy that names itself hands on what the API server says.
        let nginx = [("server", "nginx")];
        assert_eq!(came("/readyz", 503, &nginx, "[-]etcd failed\n", true), None);
        assert_eq!(came(DS, 503, &nginx, "{\"kind\":\"Status\",\"code\":503}", true), None);
        // The head of a write counts although its words never end.
        assert_eq!(came(DS, 200, &json, "", false), None);
    }
}
