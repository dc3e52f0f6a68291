//! A jail: an authorizer before all others in the file that an API server reads its authorizers from, by itself and again at each change.
//!
//! The authorizer is a webhook that is never called. Of its two conditions the first is true for who is held, and the second always
//! fails; where one fails and none is false, `failurePolicy: Deny` decides (`webhook.go`, `matcher.go` of Kubernetes 1.30 to 1.34). A
//! server that does not take the new text goes by the old one.

use serde::{Deserialize, Serialize};

use self::sh::{EFFECT, FIND, LOOKS, PUT, TAKE_OUT};
use super::genuine::GENUINE;
use super::offender::AUDIT_LOG;
use super::order::{Order as _, Query, order};
use super::swap::LIB;
use crate::change::sha256_hex;
use crate::script::{Answer, Script, quote};

mod answers;
mod cel;
mod sh;
mod stands;
#[cfg(test)]
mod tests;
mod text;

pub use self::answers::{Effect, Seen, Server};
pub use self::cel::{Resource, Who, Whom, which};
pub(crate) use self::stands::BEGINS;
pub use self::stands::{Held, JailsStand, standing};
pub use self::text::{OLDEST, Put, put as put_in_text, version};

/// So many seconds after the change a request that came then and was served counts against the jail.
pub const GRACE_SECS: u64 = 2;
/// The most of a log that one look reads, in bytes.
const MOST: u64 = 4 << 20;
/// More than any such file has, in bytes.
const LONGEST: u64 = 262_144;
const LINE: usize = 76;

/// One jail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jail {
    /// Whose run.
    pub run: String,
    /// Which step of it, from 1.
    pub step: String,
    /// By whom.
    pub operator: String,
    /// Why, in the operator's words; empty when not given.
    pub reason: String,
    /// Since when, to the second; empty where that is not known.
    pub at: String,
    /// Whom.
    pub whom: Whom,
}

impl Jail {
    /// The authorizer's name, and the first word of its files': a DNS name.
    pub fn name(&self) -> String {
        name(&self.run, &self.step)
    }

    /// The first line of its own.
    pub fn begin(&self) -> String {
        begin(&self.id())
    }

    fn end(&self) -> String {
        format!("# breakglass jail {}: end", self.id())
    }

    /// What tells it from all others, in marks and answers.
    fn id(&self) -> String {
        format!("{} step {}", text::plain(&self.run), self.step)
    }

    fn who(&self) -> String {
        let at = if self.at.is_empty() { String::new() } else { format!(" at {}", self.at) };
        let why = if self.reason.is_empty() { String::new() } else { format!(": {}", text::plain(&self.reason)) };
        format!("by {}{at}{why}", text::plain(&self.operator))
    }

    /// The condition that always fails. Whoever is refused, and the server's log, are told these words.
    fn fails(&self) -> String {
        format!("[{}][1] == ''", cel::string(&said(&self.id())))
    }
}

/// A placeholder of a plan stays whole.
fn name(run: &str, step: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || ".<>".contains(c) { c.to_ascii_lowercase() } else { '-' };
    format!("breakglass-jail-{}-{step}", run.chars().map(fits).collect::<String>().trim_matches(['.', '-']))
}

fn begin(id: &str) -> String {
    format!("# breakglass jail {id}: begin")
}

/// What a request that is held is answered with.
fn said(id: &str) -> String {
    format!("jailed by breakglass, run {id}")
}

/// The kubeconfig that an authorizer must name, and that leads nowhere; nothing is ever asked there.
fn kubeconfig(name: &str) -> String {
    format!(
        "# {name}: an authorizer must name a kubeconfig, and this one leads nowhere. It goes with the lines that name it, and not before.\n\
         apiVersion: v1\nkind: Config\ncurrent-context: nowhere\nclusters:\n- {{name: nowhere, cluster: {{server: 'https://127.0.0.1:1'}}}}\n\
         contexts:\n- {{name: nowhere, context: {{cluster: nowhere, user: nobody}}}}\nusers:\n- {{name: nobody, user: {{}}}}\n"
    )
}

/// The kubeconfig's path beside the file, on the host or as the API server sees it.
pub fn kubeconfig_beside(file: &str, name: &str) -> String {
    format!("{}/{name}.kubeconfig", file.rsplit_once('/').map_or("", |(folder, _)| folder))
}

/// Whose requests are looked for in an audit log, by how its lines name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Lines {
    /// A text that each has.
    has: String,
    /// An extended regular expression that each fits.
    fits: String,
}

impl Lines {
    fn of(whom: &Whom) -> Self {
        let (has, who) = match &whom.who {
            Who::User(name) => (format!("\"user\":{{\"username\":{}", as_go(name)), String::new()),
            Who::Group(name) => {
                let name = as_go(name);
                let sign = |c: char| if r".[]()*+?{}^$|\".contains(c) { vec!['\\', c] } else { vec![c] };
                let escaped: String = name.chars().flat_map(sign).collect();
                (name, format!("\"groups\":\\[[^]]*{escaped}.*"))
            }
        };
        let verbs =
            if whom.verbs.is_empty() { String::new() } else { format!("\"verb\":\"({})\".*", whom.verbs.join("|")) };
        let one = |it: &Resource| {
            let group = if it.group.is_empty() {
                String::new()
            } else {
                format!("[^}}]*\"apiGroup\":\"{}\"", it.group.replace('.', "[.]"))
            };
            format!("\"resource\":\"{}\"{group}", it.plural)
        };
        let resources = match whom.resources.as_slice() {
            [] if whom.is_whole() => String::new(),
            [] => "\"objectRef\":".into(),
            some => format!("\"objectRef\":\\{{({})", some.iter().map(one).collect::<Vec<_>>().join("|")),
        };
        Self { has, fits: format!("{verbs}{who}{resources}") }
    }
}

/// A text as Go's JSON writes it.
fn as_go(text: &str) -> String {
    let written = serde_json::Value::from(text).to_string();
    let signs =
        [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];
    signs.iter().fold(written, |text, (sign, escape)| text.replace(*sign, escape))
}

order! {
    /// Looks at an API server, the file that it reads its authorizers from, and what is seen of a jail.
    JailLook = "jail.look" { manifests: String, jail: String, has: String, fits: String } -> Seen, |_, stdout| answers::seen(stdout)
}

/// The script that looks; it writes nothing.
pub fn look(manifests: &str, jail: &Jail) -> Query<JailLook> {
    let (id, whom) = (jail.id(), &jail.whom);
    let Lines { has, fits } = Lines::of(whom);
    let manifests = manifests.trim_end_matches('/');
    let body = format!(
        "{GENUINE}{LIB}{FIND}manifests={}; begin={}; name={}; said={}; needle={}; pattern={}; most={MOST}; longest={LONGEST}; \
         grace={GRACE_SECS}\n{LOOKS}{AUDIT_LOG}\n{EFFECT}",
        quote(manifests),
        quote(&begin(&id)),
        quote(&jail.name()),
        quote(&said(&id)),
        quote(&has),
        quote(&fits),
    );
    JailLook { manifests: manifests.to_owned(), jail: id, has, fits }.query(body).words(format!(
        "the API server, its --authorization-config, and what its logs show of {}",
        text::plain(&whom.called)
    ))
}

order! {
    /// Puts a jail's lines into the file, before the byte of this number.
    JailPut = "jail.put" { file: String, name: String, from: String, at: String, block: String, to: String }
}

/// The script that puts it there; it may be repeated.
pub fn put(file: &str, jail: &Jail, from: &str, put: &Put) -> Script {
    let script = put_script(file, jail, from, put, &sha256_hex(put.text.as_bytes()), &put.at.to_string());
    script.loads(loads(file, &put.block))
}

/// What plans and drills show: who reads the lines.
fn loads(file: &str, block: &str) -> Vec<(String, String)> {
    vec![(format!("kube-apiserver --authorization-config={file}"), block.to_owned())]
}

fn put_script(file: &str, jail: &Jail, from: &str, put: &Put, to: &str, at: &str) -> Script {
    let name = jail.name();
    let body = format!(
        "{}from={}; to={}; at={}\n{}",
        place(file, &name, &put.block),
        quote(from),
        quote(to),
        quote(at),
        PUT.replace("@KUBECONFIG", kubeconfig(&name).trim_end()).replace("@BLOCK", &encoded(&put.block)),
    );
    let own = str::to_owned;
    JailPut { file: own(file), name, from: own(from), at: own(at), block: put.block.clone(), to: own(to) }
        .script(body)
        .words(format!("{} before the authorizers of {file}", jail.whom))
}

/// A jail of a run that has not begun: what stands in angle brackets only the run can tell.
pub fn planned(whom: &Whom) -> Jail {
    let own = str::to_owned;
    Jail {
        run: own("<run>"),
        step: own("<step>"),
        operator: own("<operator, time and reason>"),
        reason: String::new(),
        at: String::new(),
        whom: whom.clone(),
    }
}

/// The script that puts it there, before anything is known of the host.
pub fn announced(jail: &Jail) -> Script {
    let file = "<the file behind --authorization-config>";
    let block = text::block(jail, &format!("<its folder>/{}.kubeconfig", jail.name()), "<indent>");
    let put = Put { block, at: 0, text: String::new() };
    let script = put_script(file, jail, "<sha256 of the file>", &put, "<sha256 with these lines>", "<byte>");
    script.loads(loads(file, &put.block))
}

order! {
    /// Takes a jail's lines out of the file.
    JailTakeOut = "jail.take-out" { file: String, name: String, block: String }
}

/// The script that takes just these lines out, wherever they stand by now; it may be repeated.
pub fn take_out(file: &str, jail: &Jail, block: &str) -> Script {
    let name = jail.name();
    let body = format!("{}{TAKE_OUT}", place(file, &name, block));
    JailTakeOut { file: file.to_owned(), name, block: block.to_owned() }
        .script(body)
        .words(format!("{} out of {file}", jail.whom))
}

fn place(file: &str, name: &str, block: &str) -> String {
    let begin = block.lines().next().unwrap_or_default();
    format!(
        "{LIB}F={}; D=${{F%/*}}; N={}; K=\"$D/$N.kubeconfig\"; T=\"$D/.$N.part\"; begin={}; lines={}; own={}\n{}",
        quote(file),
        quote(name),
        quote(begin),
        block.lines().count(),
        quote(&sha256_hex(block.as_bytes())),
        sh::TURN,
    )
}

fn encoded(text: &str) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(text);
    let lines: Vec<&str> = text.as_bytes().chunks(LINE).filter_map(|line| str::from_utf8(line).ok()).collect();
    lines.join("\n")
}

/// Reads a text that a host wrote in base64.
fn decoded(answer: &Answer, key: &str) -> Option<Result<String, String>> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(answer.get(key)?);
    let bytes = bytes.map_err(|error| format!("its text did not arrive whole: {error}"));
    Some(bytes.and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".into())))
}
