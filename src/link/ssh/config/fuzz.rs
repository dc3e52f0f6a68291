//! What `ssh -G` may print, and proxy commands that people may have written.

use proptest::prelude::*;

use super::{Options, Overrides, Resolver, Surroundings, parse_hop, proxy};
use crate::fuzz::each;

fn resolver() -> Resolver {
    let env = [("HOME".to_owned(), "/home/joe".to_owned()), ("EMPTY".to_owned(), String::new())].into();
    Resolver::new(Surroundings { home: "/home/joe".into(), user: "joe".into(), env, ..Surroundings::default() })
}

/// A line with an option that is looked at, and a value that is right, nearly right, or anything.
fn line() -> impl Strategy<Value = String> {
    let option = prop::sample::select(vec![
        "hostname",
        "port",
        "user",
        "identityfile",
        "identityagent",
        "certificatefile",
        "userknownhostsfile",
        "globalknownhostsfile",
        "hostkeyalias",
        "proxyjump",
        "proxycommand",
        "identitiesonly",
        "checkhostip",
        "",
    ]);
    let word = prop_oneof![
        prop::sample::select(vec![
            "~/.ssh/id",
            "${HOME}/id",
            "$HOME",
            "${",
            "$",
            "%h",
            "%",
            "%%",
            "%d/%u",
            "none",
            "/dev/null",
            "22",
            "0",
            "99999",
            "10.0.0.1",
            "a,b",
            "[::1]:22",
            "ssh://",
            "@",
            ":",
            "\u{e9}",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,10}",
    ];
    (option, prop::collection::vec(word, 0..3)).prop_map(|(option, words)| format!("{option} {}", words.join(" ")))
}

#[test]
fn whatever_ssh_prints_is_read_or_refused() {
    let resolver = resolver();
    let printed = prop::collection::vec(prop_oneof![9 => line(), 1 => "\\PC{0,30}"], 0..8);
    each(40_000, &printed, |lines| {
        // Files are read elsewhere.
        let files = |line: &String| line.contains("knownhostsfile ") || line.contains("revokedhostkeys");
        let text: Vec<String> = lines.into_iter().filter(|line| !files(line)).collect();
        let options = Options::parse(&text.join("\n"));
        if let Ok(endpoint) = resolver.endpoint("cp1", &options, &Overrides::default()) {
            let paths = endpoint.identities.iter().chain(&endpoint.certificates).chain(&endpoint.agent);
            for path in paths.filter_map(|path| path.to_str()) {
                let named = text.iter().any(|line| line.starts_with("hostname") || line.starts_with("hostkey"));
                let mixed = named || text.iter().any(|line| line.starts_with("user ") || line.starts_with("proxyjump"));
                prop_assert!(mixed || !(path.starts_with("~/") || path.contains("${HOME}")), "{path}");
            }
            prop_assert!(endpoint.agent.is_none_or(|socket| !socket.as_os_str().is_empty()));
        }
        for jump in options.all("proxyjump") {
            if let Some((_, host, port)) = parse_hop(jump) {
                prop_assert!(!host.is_empty() && port != Some(0), "{jump}");
            }
        }
        Ok(())
    });
}

#[test]
fn a_proxy_command_is_a_jump_host_or_refused() {
    let word = prop_oneof![
        4 => prop::sample::select(vec![
            "ssh", "/usr/bin/ssh", "exec", "-W", "%h:%p", "[%h]:%p", "-W%h:%p", "bastion", "joe@bastion:2222", "-q", "-l", "joe",
            "-p", "2222", "-o", "Port=1", "-oUser=x", "nc", "%h", "%p", "-w", "5", "'", "\"", ";", "$(id)", "2>/dev/null", "-vv",
        ]).prop_map(str::to_owned),
        1 => "[!-~]{1,6}",
    ];
    each(40_000, &prop::collection::vec(word, 0..9), |words| {
        let command = words.join(" ");
        if let Some(jump) = proxy::as_jump(&command) {
            // A program that is run by a shell must never be taken for a jump host, and what comes out is one.
            let unquoted: String = command.split(['\'', '"']).step_by(2).collect();
            prop_assert!(command.contains("ssh") && !unquoted.contains([';', '$', '`', '|', '&']), "{command}");
            prop_assert!(!jump.contains([';', '$', '`', '|', '&', '%', ' ', '\'', '"']), "{command}: {jump}");
            prop_assert!(parse_hop(&jump).is_some(), "{command}: {jump}");
        }
        Ok(())
    });
}
