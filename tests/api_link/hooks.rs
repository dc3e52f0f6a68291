//! Hooks and local commands, as the live world performs them.

use std::net::SocketAddr;
use std::time::Duration;

use breakglass::change::{Body, HttpCall, LocalCommand, Method, Op, Outcome, Target};
use breakglass::world::Writes as _;
use breakglass::world::live::{Live, Options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A plain HTTP server that gives one answer to everything (none: it hangs) and hands on what it heard.
async fn hook(answer: Option<&'static str>) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (heard, hears) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut hanging = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = vec![0; 16 << 10];
            let mut length = 0;
            while !String::from_utf8_lossy(&text[..length]).contains("\r\n\r\n{") {
                match stream.read(&mut text[length..]).await {
                    Ok(count) if count > 0 => length += count,
                    _ => break,
                }
            }
            let _ = heard.send(String::from_utf8_lossy(&text[..length]).into_owned());
            match answer {
                Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                None => hanging.push(stream),
            }
        }
    });
    (address, hears)
}

fn call(address: SocketAddr) -> HttpCall {
    HttpCall {
        method: Method::Post,
        // A name that nobody knows: only the address given beside it leads anywhere.
        url: format!("http://traffic.invalid:{}/v1/drain?pool=a", address.port()),
        dial: vec![address],
        headers: vec![("X-Who".into(), "oncall".into())],
        secret_headers: Vec::new(),
        secret_path: None,
        secret_body: None,
        body: Body::Json(serde_json::json!({"drain": true})),
        expect: Vec::new(),
        idempotent: false,
    }
}

async fn perform(op: Op, limit: Duration) -> Outcome {
    let live = Live::new([], &Options::default());
    live.perform(&Target::local("prod"), &op, limit).await
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_hook_is_called_once_by_address_with_a_secret_from_a_file() {
    let (address, mut hears) = hook(Some("HTTP/1.1 202 Accepted\r\ncontent-length: 7\r\n\r\ndrained")).await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("token");
    std::fs::write(&secret, "Bearer hush\n").unwrap();
    let mut call = call(address);
    call.secret_headers = vec![("Authorization".into(), secret.to_str().unwrap().into())];
    let outcome = perform(Op::Http(call), LONG).await;
    assert_eq!(outcome, Outcome::done("202, 7 bytes"));
    let heard = hears.recv().await.unwrap().to_lowercase();
    assert!(heard.starts_with("post /v1/drain?pool=a http/1.1\r\n"), "{heard}");
    for line in [
        "authorization: bearer hush\r\n",
        "x-who: oncall\r\n",
        "content-type: application/json\r\n",
        "host: traffic.invalid:",
        "\r\n\r\n{\"drain\":true}",
    ] {
        assert!(heard.contains(line), "{line:?} in {heard}");
    }
    assert!(hears.try_recv().is_err(), "once");
}

#[tokio::test]
async fn what_a_hook_says_decides_and_redirects_are_not_followed() {
    for (answer, expect, done) in [
        ("HTTP/1.1 409 Conflict\r\ncontent-length: 0\r\n\r\n", vec![], false),
        ("HTTP/1.1 409 Conflict\r\ncontent-length: 0\r\n\r\n", vec![409], true),
        ("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n", vec![], false),
    ] {
        let (address, mut hears) = hook(Some(answer)).await;
        let outcome = perform(Op::Http(HttpCall { expect, ..call(address) }), LONG).await;
        assert_eq!(matches!(outcome, Outcome::Done(_)), done, "{outcome:?}");
        assert_eq!(matches!(outcome, Outcome::Failed(_)), !done, "{outcome:?}");
        assert!(hears.recv().await.is_some() && hears.try_recv().is_err());
    }
    let (address, _hears) = hook(Some("HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 0\r\n\r\n")).await;
    let outcome = perform(Op::Http(call(address)), LONG).await;
    assert_eq!(outcome, Outcome::Unknown("the hook answered 504".into()));
}

#[tokio::test]
async fn a_hook_that_hangs_is_unknown_and_one_that_is_not_there_has_failed() {
    let (address, _hears) = hook(None).await;
    let outcome = perform(Op::Http(call(address)), Duration::from_secs(2)).await;
    assert!(matches!(&outcome, Outcome::Unknown(said) if said.starts_with("no answer in time")), "{outcome:?}");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let outcome = perform(Op::Http(call(closed)), LONG).await;
    assert!(matches!(&outcome, Outcome::Failed(said) if said.starts_with("not sent: ")), "{outcome:?}");
    let mut unreadable = call(closed);
    unreadable.secret_headers = vec![("Authorization".into(), "/no/such/file".into())];
    let outcome = perform(Op::Http(unreadable), LONG).await;
    assert!(matches!(&outcome, Outcome::Failed(said) if said.contains("/no/such/file")), "{outcome:?}");
}

#[tokio::test]
async fn local_commands_end_in_time_and_say_how() {
    let command = |line: &str| {
        let argv = ["sh", "-c", line].map(str::to_owned).to_vec();
        Op::Local(LocalCommand { argv, idempotent: false, quiet: false })
    };
    assert_eq!(perform(command("echo all is well"), LONG).await, Outcome::done("all is well"));
    let outcome = perform(command("echo no such pool >&2; exit 4"), LONG).await;
    assert_eq!(outcome, Outcome::Unknown("exit status 4: no such pool; what it did before that is not known".into()));
    let argv = vec!["/no/such/program".to_owned()];
    let outcome = perform(Op::Local(LocalCommand { argv, idempotent: false, quiet: false }), LONG).await;
    assert!(matches!(&outcome, Outcome::Failed(said) if said.starts_with("not started: ")), "{outcome:?}");
    let outcome = perform(command("exec tail -f /dev/null"), Duration::from_secs(1)).await;
    assert_eq!(outcome, Outcome::Unknown("killed after 1 s".into()));
}

#[tokio::test]
async fn of_a_quiet_command_only_the_end_and_the_amount_are_told() {
    let command = |line: &str| {
        let argv = ["sh", "-c", line].map(str::to_owned).to_vec();
        Op::Local(LocalCommand { argv, idempotent: false, quiet: true })
    };
    assert_eq!(perform(command("true"), LONG).await, Outcome::done("exit status 0"));
    let outcome = perform(command("echo hush; echo hush >&2; exit 4"), LONG).await;
    let told = "exit status 4, 5 B on standard output, 5 B on standard error; not kept: it may hold secrets; \
                what it did before that is not known";
    assert_eq!(outcome, Outcome::Unknown(told.into()));
}

#[tokio::test]
async fn a_secret_path_and_a_secret_body_come_from_files_and_stand_nowhere_else() {
    let (address, mut hears) = hook(Some("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path.to_str().unwrap().to_owned())
    };
    let url = format!("http://traffic.invalid:{}/services/", address.port());
    let call = HttpCall {
        url: url.clone(),
        secret_path: file("path", "T0/hush-path\n"),
        secret_body: file("body", "{\"routing_key\": \"hush-body\"}"),
        body: Body::Empty,
        ..call(address)
    };
    assert!(!serde_json::to_string(&call).unwrap().contains("hush"));
    assert_eq!(perform(Op::Http(call.clone()), LONG).await, Outcome::done("200"));
    let heard = hears.recv().await.unwrap();
    assert!(heard.starts_with("POST /services/T0/hush-path HTTP/1.1\r\n"), "{heard}");
    assert!(heard.ends_with("{\"routing_key\": \"hush-body\"}"), "{heard}");
    // A file cannot lead the call elsewhere.
    let astray = HttpCall { url: "http://traffic.invalid".into(), secret_path: file("path", ".evil.test/x"), ..call };
    let outcome = perform(Op::Http(astray), LONG).await;
    assert!(
        matches!(&outcome, Outcome::Failed(said) if said.contains("another host") && !said.contains("evil")),
        "{outcome:?}"
    );
}
