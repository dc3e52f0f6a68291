//! Files, programs and agents that we read but did not write: whatever they hold, nothing panics, and nothing is believed that
//! does not stand there.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::identity::name_of_blob;
use super::{HostKeys, KnownHosts};
use crate::fuzz::each;

/// The wire form of one of a few keys.
fn blob(kind: &str, key: u8) -> Vec<u8> {
    let mut blob = u32::try_from(kind.len()).unwrap().to_be_bytes().to_vec();
    blob.extend(kind.bytes());
    blob.extend([0, 0, 0, 4, key, key, key, key]);
    blob
}

/// A line of a known_hosts file that is right, nearly right, or anything.
fn line() -> impl Strategy<Value = String> {
    let marker = prop_oneof![6 => Just(""), 1 => Just("@revoked "), 1 => Just("@cert-authority "), 1 => Just("@odd ")];
    let name = prop_oneof![
        4 => prop::sample::select(vec!["cp1", "CP1", "10.0.0.1", "[cp1]:2222", "[10.0.0.1]:2222", "*", "!cp1", "cp?", "!*", ""]).prop_map(str::to_owned),
        1 => "[\\[\\]!*?,|1a:=/+ -]{0,12}",
        1 => "\\|1\\|[A-Za-z0-9+/=]{0,30}\\|[A-Za-z0-9+/=]{0,30}",
    ];
    let names = prop::collection::vec(name, 1..3).prop_map(|names| names.join(","));
    let key = (prop::sample::select(vec!["ssh-ed25519", "ssh-rsa", "x", ""]), 0_u8..3, 0_usize..40).prop_map(
        |(kind, key, cut)| {
            let text = STANDARD.encode(blob(kind, key));
            // Most are whole.
            format!("{kind} {}", if cut < text.len() && cut > 30 { &text[..cut] } else { &text })
        },
    );
    let right = (marker, names, key).prop_map(|(marker, names, key)| format!("{marker}{names} {key}"));
    prop_oneof![8 => right, 1 => "\\PC{0,40}", 1 => "[ -~\t\r]{0,60}"]
}

#[test]
fn known_hosts_never_vouch_for_a_key_that_they_do_not_hold() {
    let file = prop::collection::vec(line(), 0..6).prop_map(|lines| lines.join("\n"));
    let way = (any::<bool>(), any::<bool>(), prop::sample::select(vec![22_u16, 2222]), 0_u8..3);
    each(40_000, &(file, way), |(text, (host, alias, port, key))| {
        let mut known = KnownHosts::default();
        known.add("fuzz", &text);
        let keys = HostKeys {
            known: Arc::new(known),
            alias: alias.then(|| "cp1".to_owned()),
            host: host.then(|| "cp1".to_owned()),
        };
        let shown = blob("ssh-ed25519", key);
        let good = keys.expect("10.0.0.1", port).judge(&shown, 0).is_ok();
        let written = STANDARD.encode(&shown);
        prop_assert!(!good || text.lines().any(|line| line.contains(&written) && !line.trim_start().starts_with('@')));
        let revoked = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            matches!(words[..], ["@revoked", "*", _, key, ..] if key == written)
        };
        prop_assert!(!good || !text.lines().any(revoked), "a key that is revoked for all");
        // What is copied into a kit says the same there.
        let name = if keys.alias.is_some() { "cp1".to_owned() } else { super::lookup_name("10.0.0.1", port) };
        let mut copied = KnownHosts::default();
        copied.add("kit", &keys.lines_as(&name, "10.0.0.1", port).join("\n"));
        prop_assert_eq!(copied.damaged().len(), 0);
        let kit = HostKeys { known: Arc::new(copied), alias: keys.alias.clone(), host: None };
        prop_assert_eq!(kit.expect("10.0.0.1", port).judge(&shown, 0).is_ok(), good);
        Ok(())
    });
}

/// What an agent may say when it is asked for its keys: right, nearly right, or anything; then it hangs up.
fn answer() -> impl Strategy<Value = Vec<u8>> {
    let field =
        (prop::collection::vec(any::<u8>(), 0..40), prop_oneof![8 => Just(None), 1 => any::<u32>().prop_map(Some)]);
    let string = field.prop_map(|(bytes, said)| {
        let length = said.unwrap_or_else(|| u32::try_from(bytes.len()).unwrap());
        [&length.to_be_bytes()[..], &bytes].concat()
    });
    let count = prop_oneof![4 => Just(None), 1 => (0_u32..4).prop_map(Some), 1 => any::<u32>().prop_map(Some)];
    let kind = prop_oneof![8 => Just(12_u8), 1 => any::<u8>()];
    let length = prop_oneof![8 => Just(None), 1 => any::<u32>().prop_map(Some), 1 => (0_u32..200).prop_map(Some)];
    let right =
        (kind, count, prop::collection::vec(string, 0..6), length).prop_map(|(kind, count, strings, length)| {
            let keys = count.unwrap_or_else(|| u32::try_from(strings.len() / 2).unwrap());
            let body = [&[kind][..], &keys.to_be_bytes(), &strings.concat()].concat();
            let length = length.unwrap_or_else(|| u32::try_from(body.len()).unwrap());
            [&length.to_be_bytes()[..], &body].concat()
        });
    prop_oneof![6 => right, 1 => prop::collection::vec(any::<u8>(), 0..64)]
}

#[test]
fn an_agent_gives_no_key_that_it_did_not_send() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("agent");
    let listener = UnixListener::bind(&socket).unwrap();
    let (next, answers) = std::sync::mpsc::channel::<Vec<u8>>();
    std::thread::spawn(move || {
        while let Ok(answer) = answers.recv() {
            let (mut stream, _) = listener.accept().unwrap();
            // The question is five bytes; what is answered to it before the end does not matter.
            let _ = stream.read_exact(&mut [0; 5]);
            let _ = stream.write_all(&answer);
        }
    });
    each(15_000, &answer(), |answer| {
        next.send(answer.clone()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the agent's client alone; no session is made")]
        let session = ssh2::Session::new().unwrap();
        let mut agent = session.agent().unwrap();
        agent.set_identity_path(&socket).unwrap();
        agent.connect().unwrap();
        if agent.list_identities().is_err() {
            return Ok(());
        }
        for key in agent.identities().unwrap_or_default() {
            let blob = key.blob();
            prop_assert!(blob.is_empty() || answer.windows(blob.len()).any(|window| window == blob));
            // What is not text is replaced by a sign of three bytes.
            prop_assert!(key.comment().len() <= 3 * answer.len());
            prop_assert!(!name_of_blob(blob).contains('\0') || blob.contains(&0));
        }
        Ok(())
    });
}

#[test]
fn any_bytes_have_a_name_as_a_key() {
    each(40_000, &prop::collection::vec(any::<u8>(), 0..80), |mut blob| {
        let _ = name_of_blob(&blob);
        // A kind that the reader knows gets further.
        blob.splice(0..0, self::blob("ssh-ed25519", 1));
        let _ = name_of_blob(&blob);
        Ok(())
    });
}
