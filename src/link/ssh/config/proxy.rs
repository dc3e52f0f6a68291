//! A `ProxyCommand` that is an older way to write `ProxyJump`.

use super::parse_hop;

/// Options of ssh that change nothing about where a connection goes and who makes it.
const HARMLESS: [&str; 15] = ["-q", "-a", "-x", "-X", "-T", "-t", "-C", "-k", "-4", "-6", "-v", "-N", "-n", "-A", "-y"];
/// The same by `-o`.
const HARMLESS_NAMED: [&str; 11] = [
    "batchmode",
    "compression",
    "connectionattempts",
    "connecttimeout",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "forwardagent",
    "loglevel",
    "serveralivecountmax",
    "serveraliveinterval",
];

/// `[user@]host[:port]` for `ssh -W %h:%p host`, `ssh host nc %h %p` and their like; `None` for anything else.
pub(super) fn as_jump(command: &str) -> Option<String> {
    let words = split(command)?;
    let mut words = words.iter().map(String::as_str).peekable();
    words.next_if_eq(&"exec");
    let program = words.next()?;
    if program.rsplit('/').next() != Some("ssh") {
        return None;
    }
    let (mut host, mut user, mut port, mut forwards) = (None, None, None, false);
    let mut rest: Vec<&str> = Vec::new();
    while let Some(word) = words.next() {
        if !rest.is_empty() || (host.is_some() && !word.starts_with('-')) {
            rest.push(word);
            continue;
        }
        let mut value = |short: &str| {
            let joined = word.strip_prefix(short)?;
            if joined.is_empty() { words.next() } else { Some(joined) }
        };
        if !word.starts_with('-') {
            host = Some(word);
        } else if word.starts_with("-W") {
            forwards = matches!(value("-W")?, "%h:%p" | "[%h]:%p");
            if !forwards {
                return None;
            }
        } else if word.starts_with("-l") {
            user = Some(value("-l")?);
        } else if word.starts_with("-p") {
            port = Some(value("-p")?.parse::<u16>().ok().filter(|port| *port > 0)?);
        } else if word.starts_with("-o") {
            let option = value("-o")?;
            let (name, given) = option.split_once(['=', ' '])?;
            match name.trim().to_ascii_lowercase().as_str() {
                "user" => user = Some(given.trim()),
                "port" => port = Some(given.trim().parse::<u16>().ok().filter(|port| *port > 0)?),
                name if HARMLESS_NAMED.contains(&name) => {}
                _ => return None,
            }
        } else if !HARMLESS.contains(&word) && word.trim_end_matches('v') != "-" {
            return None;
        }
    }
    if !forwards && !is_netcat(&rest) || forwards && !rest.is_empty() {
        return None;
    }
    // What is written with the host goes before what the options say, as with ssh.
    let (said_user, name, said_port) = parse_hop(host?)?;
    let user = said_user.as_deref().or(user);
    let plain = |text: &str, more: &str| text.chars().all(|c| c.is_alphanumeric() || more.contains(c));
    if !plain(&name, "-._:") || !user.is_none_or(|user| !user.is_empty() && plain(user, "-._+@")) {
        return None;
    }
    let name = if name.contains(':') { format!("[{name}]") } else { name };
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    let port = said_port.or(port).map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{user}{name}{port}"))
}

/// `nc %h %p`, with a time or without.
fn is_netcat(words: &[&str]) -> bool {
    let mut words = words.iter().copied().peekable();
    words.next_if_eq(&"exec");
    let program = words.next().and_then(|program| program.rsplit('/').next());
    if !matches!(program, Some("nc" | "netcat" | "ncat")) {
        return false;
    }
    let mut last: Vec<&str> = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "-w" | "-q" if words.next().is_some_and(|time| time.parse::<u32>().is_ok()) => {}
            "2>/dev/null" => {}
            _ if word.starts_with("-w") && word[2..].parse::<u32>().is_ok() => {}
            _ => last.push(word),
        }
    }
    last == ["%h", "%p"]
}

/// The words of a shell command that has nothing but words and quotes in it.
fn split(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        end if end == c => break,
                        '$' | '`' | '\\' if c == '"' => return None,
                        inner => word.push(inner),
                    }
                }
            }
            '$' | '`' | '\\' | ';' | '&' | '|' | '(' | ')' | '<' | '#' | '*' | '?' | '~' => return None,
            '>' if word.as_deref() != Some("2") => return None,
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_only_go_through_a_host_are_jumps() {
        for (command, want) in [
            ("ssh -W %h:%p bastion", Some("bastion")),
            ("ssh bastion -W %h:%p", Some("bastion")),
            ("ssh -W [%h]:%p bastion", Some("bastion")),
            ("exec /usr/bin/ssh -q -W '%h:%p' joe@bastion", Some("joe@bastion")),
            ("ssh -W%h:%p -l joe -p 2222 bastion", Some("joe@bastion:2222")),
            ("ssh -l nobody -W %h:%p joe@bastion", Some("joe@bastion")),
            ("ssh -o Port=2222 -oUser=joe -o \"ConnectTimeout 5\" -W %h:%p bastion", Some("joe@bastion:2222")),
            ("ssh -vv -W %h:%p ssh://joe@[fd00::1]:2222", Some("joe@[fd00::1]:2222")),
            ("ssh bastion nc %h %p", Some("bastion")),
            ("ssh -q joe@bastion exec nc -w 10 %h %p 2>/dev/null", Some("joe@bastion")),
            ("ssh bastion /usr/bin/ncat -w5 %h %p", Some("bastion")),
            ("nc %h %p", None),
            ("ssh bastion", None),
            ("ssh bastion nc other %p", None),
            ("ssh bastion nc -x proxy:1080 %h %p", None),
            ("ssh -W %h:22 bastion", None),
            ("ssh -W %h:%p %r@bastion-%h", None),
            ("ssh -F other -W %h:%p bastion", None),
            ("ssh -i key -W %h:%p bastion", None),
            ("ssh -o ProxyCommand=x -W %h:%p bastion", None),
            ("ssh -W %h:%p bastion; id", None),
            ("ssh -W %h:%p $(pick)", None),
            ("ssh -W %h:%p 'bastion", None),
            ("ssh -W %h:%p ' ; '", None),
            ("ssh -W %h:%p -l ' ' bastion", None),
            ("sh -c 'ssh -W %h:%p bastion'", None),
            ("aws ssm start-session --target %h", None),
            ("ssh -W %h:%p", None),
            ("", None),
        ] {
            assert_eq!(as_jump(command).as_deref(), want, "{command}");
        }
    }
}
