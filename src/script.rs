//! The one form in which a host is spoken to: a sh text on standard input, `key=value` lines back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use crate::shell::quote;

/// First words of every script; what follows on that line is read by machines too (see [`Head::parse`]).
const BANNER: &str = "# breakglass ";

/// What a script prints before anything else. A login's start-up files print on the same stream, and before it: what stands
/// there is no answer, whatever it looks like.
pub const MARK: &str = "::breakglass answers::\n";

/// What every script begins with, and whatever one starts on a host that runs on by itself: the same ground, whatever the login
/// has set. No tool beyond sh, env and sed is needed for it, and the last two may be missing.
///
/// `sudo` and bare daemons hand over a short PATH or none, a translated message cannot be parsed, and tools obey variables
/// (`GREP_OPTIONS`, `http_proxy`, `POSIXLY_CORRECT`, …) that nobody can list: so only those stay that say who logged in and how. Where
/// sh is bash, functions come by the environment too, under the names of tools, and so do its options.
pub const HEAD: &str = r#"set +aeuvxC
set -f
IFS=' 	
'
case ${BASH_VERSION:-} in ?*)
  unset -f declare
  for v in $(declare -F); do case $v in declare | -* | main) ;; *) unset -f "$v" ;; esac; done
  shopt -u failglob nullglob dotglob nocaseglob nocasematch expand_aliases
  ;;
esac
PATH=/usr/sbin:/usr/bin:/sbin:/bin${PATH:+:$PATH}
LC_ALL=C
export PATH LC_ALL
unset LD_PRELOAD LD_LIBRARY_PATH
for v in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
  case $v in
  PATH | LC_ALL | HOME | USER | LOGNAME | SHELL | PWD | SSH_CONNECTION | SSH_CLIENT | SUDO_*) ;;
  SHELLOPTS | BASHOPTS | BASH_VERSINFO | PPID | UID | EUID) ;;
  *) unset "$v" ;;
  esac
done
set +f
umask 022
have() { command -v "$1" >/dev/null 2>&1; }
say() { printf '%s=%s\n' "$1" "$(printf '%s' "$2" | tr '\n\t' '  ')"; }
fail() { say failed "$1"; exit "${2:-1}"; }
"#;

/// One POSIX sh text run on a host through `sh -s` (or `sudo -n sh -s`), the text arriving on standard input.
///
/// Bodies run under dash, busybox ash and bash, quote all that comes from outside, and print results as
/// `key=value` lines. Name and arguments say everything that the body says, so that a simulated host can act on them alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// What the script does, as dotted words: `gate.close`.
    pub name: String,
    /// What it does it with, in order.
    pub args: Vec<(String, String)>,
    /// The same for a person, where name and arguments are hard to read: `stage 2 of 5 is in`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// The statements; they run inside a function.
    pub body: String,
    /// Texts that the statements hand to programs of the host, each with the command that reads it, for plans and drills to
    /// show as they are. Not in the journal: the statements are, and these texts stand in them.
    #[serde(skip)]
    pub loads: Arc<[(String, String)]>,
}

impl Script {
    /// A script by name and body, with no arguments yet.
    pub fn new(name: &str, body: impl Into<String>) -> Self {
        Self { name: name.to_owned(), args: Vec::new(), words: String::new(), body: body.into(), loads: Arc::default() }
    }

    /// Whether its text is a runbook's: what it does before it fails is its author's to know.
    pub fn is_a_runbook_s(&self) -> bool {
        self.name.starts_with("exec.")
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, key: &str, value: impl Into<String>) -> Self {
        self.args.push((key.to_owned(), value.into()));
        self
    }

    /// Says it in words, which stand in plans and reports in place of the arguments.
    #[must_use]
    pub fn words(mut self, words: impl Into<String>) -> Self {
        self.words = words.into();
        self
    }

    /// Says which texts it hands to programs of the host.
    #[must_use]
    pub fn loads(mut self, loads: Vec<(String, String)>) -> Self {
        self.loads = loads.into();
        self
    }

    /// The text to send: a machine-readable first line, the body inside a function, and the call of it as the last line.
    ///
    /// The shell runs nothing before it has read the last line, so a transfer that breaks off runs nothing at all. The
    /// body's own standard input is empty, so that no tool in it eats the script.
    pub fn text(&self) -> String {
        let mut text = format!("{BANNER}{}", self.name);
        for (key, value) in &self.args {
            // A JSON string has no line break in it and is read back without loss.
            text.push_str(&format!(" {key}={}", serde_json::Value::from(value.as_str())));
        }
        text.push_str(&format!("\nmain() {{\n{HEAD}printf '%s\\n' '{}'\n", MARK.trim_end()));
        text.push_str(self.body.trim_end());
        text.push_str("\n}\nmain </dev/null\n");
        text
    }
}

/// What a script itself printed, out of all that came back on standard output; `None` when it did not begin to run.
pub fn said(stdout: &[u8]) -> Option<&[u8]> {
    let at = stdout.windows(MARK.len()).position(|part| part == MARK.as_bytes())?;
    Some(&stdout[at + MARK.len()..])
}

/// Name and arguments of a script, read back from its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// See [`Script::name`].
    pub name: String,
    /// See [`Script::args`].
    pub args: Vec<(String, String)>,
}

impl Head {
    /// Reads the first line of a script's text; `None` if this is no text of ours or it broke off.
    pub fn parse(text: &str) -> Option<Self> {
        let line = text.strip_prefix(BANNER)?.split('\n').next()?;
        let (name, mut rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut args = Vec::new();
        while !rest.is_empty() {
            let (key, value) = rest.split_once('=')?;
            let mut values = serde_json::Deserializer::from_str(value).into_iter::<String>();
            let text = values.next()?.ok()?;
            let used = values.byte_offset();
            args.push((key.to_owned(), text));
            rest = value.get(used..)?.trim_start_matches(' ');
        }
        (!name.is_empty()).then(|| Self { name: name.to_owned(), args })
    }
}

/// More than any count, number of bytes or of seconds that a host can mean; sums and shares of such are numbers still.
pub const MOST: u64 = 1_000_000_000_000_000;

/// A number as a host says it. One that nobody can mean is not known.
pub fn amount(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number| *number <= MOST)
}

/// The `key=value` lines that a script printed, in order; lines of any other form are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer(Vec<(String, String)>);

impl Answer {
    /// Reads a script's standard output.
    pub fn parse(stdout: &str) -> Self {
        let pair = |line: &str| {
            let (key, value) = line.split_once('=')?;
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
            (!key.is_empty() && key.chars().all(word)).then(|| (key.to_owned(), value.trim().to_owned()))
        };
        Self(stdout.lines().filter_map(pair).collect())
    }

    /// Nothing was answered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The beginning of it: so many pairs, and so many characters of each value.
    #[must_use]
    pub fn start(&self, pairs: usize, chars: usize) -> Self {
        Self(self.0.iter().take(pairs).map(|(k, v)| (k.clone(), v.chars().take(chars).collect())).collect())
    }

    /// The first value under a key, if it is there and not empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, v)| k == key && !v.is_empty()).map(|(_, v)| v.as_str())
    }

    /// Every value under a key that is not empty.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(k, v)| k == key && !v.is_empty()).map(|(_, v)| v.as_str())
    }

    /// The first value under a key, read as a number.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.get(key).and_then(amount)
    }

    /// Whether a key was answered with `yes`.
    pub fn yes(&self, key: &str) -> bool {
        self.get(key) == Some("yes")
    }

    /// Every pair, in the order printed.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_read_back_whatever_the_values_hold() {
        let nasty = ["", "a b=c", "it's \"quoted\" \\ $(x) `y`", "two\nlines\ttab", "ü€"];
        let script = nasty.iter().fold(Script::new("gate.close", "true"), |s, v| s.arg("k", *v));
        let text = script.text();
        assert!(text.lines().next().unwrap().is_ascii() || text.contains("ü€"));
        let head = Head::parse(&text).unwrap();
        assert_eq!((head.name, head.args), (script.name, script.args));
        assert_eq!(Head::parse("#!/bin/sh\n"), None);
        assert_eq!(Head::parse("# breakglass x k=\"torn"), None);
        assert_eq!(Head::parse("# breakglass bare\n").unwrap().args, []);
    }

    /// What a shell prints to which only so much of a text arrives.
    fn arrived(shell: &str, part: &[u8]) -> Vec<u8> {
        use std::io::Write as _;
        use std::process::{Command, Stdio};
        let mut words = shell.split(' ');
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(part).unwrap();
        child.wait_with_output().unwrap().stdout
    }

    #[test]
    fn only_the_last_line_runs_anything() {
        let text = Script::new("x", "echo hello\nfor x in 1 2; do echo $x; done").text();
        assert!(!text.contains(MARK), "what echoes the text is not taken for the script");
        let last = text.trim_end().rfind('\n').unwrap() + 1;
        for shell in ["sh", "bash", "busybox sh"] {
            // Wherever a line ends, and at each byte of the last one up to the word that runs it all.
            let cuts = text[..last].match_indices('\n').map(|(at, _)| at + 1).chain(last..=last + "mai".len());
            for cut in cuts {
                let part = &text.as_bytes()[..cut];
                assert_eq!(arrived(shell, part), b"", "{shell}, cut off after {:?}", String::from_utf8_lossy(part));
            }
            assert!(arrived(shell, text.as_bytes()).ends_with(b"hello\n1\n2\n"), "{shell}");
        }
    }

    #[test]
    fn what_start_up_files_print_is_no_answer() {
        use std::io::Write as _;
        use std::process::{Command, Stdio};
        for noise in
            ["", "echo failed=0 updates=3; ", "printf 'gate=nft no line break'; ", "printf 'end=yes\\r\\n\\377'; "]
        {
            for shell in ["sh", "bash", "busybox sh"] {
                let login = format!("{noise}exec {shell} -s");
                let mut command = Command::new("sh");
                command.args(["-c", &login]).stdin(Stdio::piped()).stdout(Stdio::piped());
                let mut child = command.spawn().unwrap();
                let text = Script::new("x", "say port 6443\ncat\nsay end yes").text();
                child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
                let output = child.wait_with_output().unwrap();
                assert_eq!(said(&output.stdout), Some(b"port=6443\nend=yes\n".as_slice()), "{noise} {shell}");
            }
        }
        assert_eq!(said(b"failed=0 updates=3\n"), None);
    }

    #[test]
    fn quoting_survives_quotes() {
        assert_eq!(quote("a'b"), r"'a'\''b'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn answers_keep_order_and_skip_noise() {
        let answer = Answer::parse("Warning: x = y\nport=6443\nport=8443\nempty=\nraw=a=b c\n");
        assert_eq!(answer.all("port").collect::<Vec<_>>(), ["6443", "8443"]);
        assert_eq!((answer.get("empty"), answer.get("raw")), (None, Some("a=b c")));
        assert_eq!(answer.pairs().count(), 4);
    }
}
