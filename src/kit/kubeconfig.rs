//! kubectl's configuration: read as kubectl reads it, several files merged by name, the first one counts.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Instant;

use base64::Engine as _;
use jiff::Timestamp;
use serde_json::Value;

use super::exec_plugin::{Asking, Plugins};
use super::read::{self, Either, Place, Whose};
use super::{ActingAs, Credential, exec_plugin};
use crate::bounded;
use crate::host::apiserver::API_PORT;
use crate::process::Process;
use crate::refusal::{Location, Refusal};
use crate::words;
use crate::yaml::{self, Faults, Node, Tree};

/// The files, in kubectl's order.
#[derive(Debug)]
pub struct Kubeconfig {
    files: Vec<File>,
    /// What should be known about them: one sentence each.
    notes: Vec<String>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    root: Node,
}

/// A map of one of the files: a cluster or a user.
#[derive(Clone, Copy)]
struct Entry<'a> {
    file: &'a File,
    map: &'a Node,
}

/// What a context stands for.
pub struct Context<'a> {
    /// Its name.
    pub name: String,
    /// What should be known about it: one sentence each.
    pub notes: Vec<String>,
    cluster: Entry<'a>,
    /// A fault of it counts only when it is asked: flags may stand in its place.
    user: Result<Option<Entry<'a>>, Refusal>,
}

/// Flags that stand in the place of a user.
pub(super) const BY_FLAGS: &str = "--token, or --client-certificate FILE --client-key FILE";
/// The keys of a cluster or a user whose values are paths, beside the command of a plugin.
const PATHS: [&str; 4] = ["certificate-authority", "client-certificate", "client-key", "tokenFile"];
/// The extension of a cluster that plugins are told.
const FOR_PLUGINS: &str = "client.authentication.k8s.io/exec";

/// Where an API server is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// An IP address or a name.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Server {
    /// From `https://host:port`, `host:port` or an address alone.
    ///
    /// # Errors
    /// One sentence, beginning in lower case.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || format!("expected an address like https://10.0.0.1:6443, found {text:?}");
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self { host: ip.to_string(), port: API_PORT });
        }
        let url = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let uri: http::Uri = url.parse().map_err(|_| expected())?;
        if uri.scheme_str() != Some("https") {
            return Err(format!("{text:?}: only https is spoken to API servers"));
        }
        if !matches!(uri.path(), "" | "/") {
            return Err(format!(
                "{text:?} is a proxy before the API server (it has a path); give the API server's own"
            ));
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(expected)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(expected());
        }
        let default = if text.contains("://") { 443 } else { API_PORT };
        Ok(Self { host, port: uri.port_u16().unwrap_or(default) })
    }

    /// Its IP address; a name is looked up once, which is said in `notes`.
    ///
    /// # Errors
    /// One sentence, beginning in lower case.
    pub async fn address(&self, deadline: Instant, notes: &mut Vec<String>) -> Result<SocketAddr, String> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok(SocketAddr::new(ip, self.port));
        }
        let started = Instant::now();
        let found = tokio::time::timeout_at(deadline.into(), tokio::net::lookup_host((&*self.host, self.port))).await;
        let took = started.elapsed().as_secs_f64();
        let why = match found {
            Err(_) => "the name service did not answer".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Ok(Ok(mut addresses)) => match addresses.next() {
                Some(address) => {
                    notes.push(format!("{} was looked up: {}; that needs DNS to be up", self.host, address.ip()));
                    return Ok(address);
                }
                None => "it has no address".to_owned(),
            },
        };
        Err(format!("{} has no address after {took:.1} s: {why}", self.host))
    }
}

impl Kubeconfig {
    /// Reads the given file, or those of `$KUBECONFIG`, or `~/.kube/config`.
    ///
    /// # Errors
    /// Every file that cannot be read.
    pub fn open(given: Option<&Path>, process: &Process) -> Result<Self, Vec<Refusal>> {
        let (paths, may_miss) = match (given, process.var("KUBECONFIG")) {
            (Some(path), _) => (vec![process.cwd.join(path)], false),
            (None, Some(list)) => {
                (list.split(':').filter(|p| !p.is_empty()).map(|p| process.cwd.join(p)).collect(), true)
            }
            (None, None) => (vec![process.home().join(".kube/config")], true),
        };
        let mut files = Vec::new();
        let mut notes = Vec::new();
        let mut refusals = Vec::new();
        for path in &paths {
            let mut faults = Faults::new(path.display().to_string());
            match bounded::file(path, yaml::KUBECTL_BYTES).map(read::text) {
                Ok(Ok(text)) => {
                    if let Some(line) = yaml::second_document(&text) {
                        let place = format!("{}:{line}", path.display());
                        notes.push(format!("{place}: a second document begins; the first one counts, as for kubectl"));
                    }
                    let mut repeated = |key: &yaml::Key| {
                        let place = format!("{}:{}", path.display(), key.line);
                        notes.push(format!("{place}: {} is given again; this one counts, as for kubectl", key.word));
                    };
                    if let Some(root) = yaml::parse_as_kubectl(&text, &mut faults, &mut repeated)
                        && read::trusted(path, &root, &mut faults).is_some()
                    {
                        texts(&root, &mut faults);
                        files.push(File { path: path.clone(), root });
                    }
                }
                Ok(Err(fault)) => faults.place(0, 0, fault, None),
                Err(error) if may_miss && error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => faults.place(0, 0, format!("cannot be read: {error}"), None),
            }
            refusals.extend(faults.into_vec());
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        if files.is_empty() {
            let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            let what = if names.is_empty() {
                format!("no kubeconfig: KUBECONFIG={:?} names no file", process.var("KUBECONFIG").unwrap_or_default())
            } else {
                format!("no kubeconfig: {} is not there", names.join(" nor "))
            };
            return Err(vec![command_line(what, Some("--kubeconfig FILE, or a kit: breakglass kit import".into()))]);
        }
        Ok(Self { files, notes })
    }

    /// A context: the named one, or the current one.
    ///
    /// # Errors
    /// When it, its cluster or its user is not there.
    pub fn context(&self, name: Option<&str>) -> Result<Context<'_>, Refusal> {
        let current =
            || self.files.iter().filter_map(|f| f.root.get("current-context")?.text()).find(|name| !name.is_empty());
        let known = self.names("contexts");
        if known.is_empty() {
            let files: Vec<String> = self.files.iter().map(|file| file.path.display().to_string()).collect();
            let what = format!("no context stands in {}", files.join(" nor in "));
            return Err(command_line(what, Some("--kubeconfig FILE".into())));
        }
        let list = || Some(format!("there is {}", known.join(", ")));
        let Some(name) = name.or_else(current) else {
            let what = "the kubeconfig has no current context".to_owned();
            return Err(command_line(what, list().map(|list| format!("--context NAME; {list}"))));
        };
        let all = self.entries("contexts", "context", name);
        let Some(context) = all.first().copied() else {
            let hint = words::nearest(name, known.iter().copied()).map(|near| format!("did you mean {near:?}?"));
            return Err(command_line(format!("the kubeconfig has no context {name:?}"), hint.or_else(list)));
        };
        let part = |list: &str, key: &str| -> Result<Option<Entry<'_>>, Refusal> {
            context.get(key).map(|node| self.meant(context, name, (list, key), node)).transpose()
        };
        let cluster = part("clusters", "cluster")?.ok_or_else(|| Refusal {
            at: context.file.at(context.map),
            what: format!("context {name:?} names no cluster"),
            hint: None,
        })?;
        let user = part("users", "user");
        let mut notes = self.notes.clone();
        if all.len() > 1 {
            let places: Vec<String> = all.iter().map(Entry::place_said).collect();
            notes.push(format!("context {name:?} stands in {}; the first one is used", places.join(" and in ")));
        }
        Ok(Context { name: name.to_owned(), notes, cluster, user })
    }

    /// The cluster or user that a context names. kubectl takes the first of that name, whatever file it stands in. Where
    /// the context's own file has another, that would be a stranger's address or credential, so it is refused.
    fn meant<'a>(
        &'a self,
        context: Entry<'a>,
        name: &str,
        (list, key): (&str, &str),
        node: &Node,
    ) -> Result<Entry<'a>, Refusal> {
        let named = node.text().unwrap_or_default();
        let refuse = |what: String, hint: Option<String>| Refusal { at: context.file.at(node), what, hint };
        let all = self.entries(list, key, named);
        let Some(first) = all.first().copied() else {
            let what = format!("context {name:?} names a {key} that is not there: {named}");
            return Err(refuse(what, (key == "user").then(|| BY_FLAGS.to_owned())));
        };
        let here = |entry: &&Entry<'_>| std::ptr::eq(entry.file, context.file);
        let mut own = all.iter().filter(here).peekable();
        if own.peek().is_none() {
            // The context stands in a file of its own: nothing says which of several it means.
            if all.iter().all(|entry| entry.same(&first)) {
                return Ok(first);
            }
            let places: Vec<String> = all.iter().map(Entry::place_said).collect();
            let what = format!(
                "context {name:?} names the {key} {named:?}, and different ones stand in {}",
                places.join(" and in ")
            );
            let hint =
                format!("KUBECONFIG with the one of these files that is meant, and {}", context.file.path.display());
            return Err(refuse(what, Some(hint)));
        }
        if own.all(|own| own.same(&first)) {
            return Ok(first);
        }
        let what = format!(
            "context {name:?}: another {key} {named:?} stands in {}: kubectl would not tell them apart",
            first.place_said()
        );
        let hint = if here(&&first) {
            format!("give each {key} of the file a name of its own")
        } else {
            format!("--kubeconfig {}", context.file.path.display())
        };
        Err(refuse(what, Some(hint)))
    }

    /// Every entry of this name, in the order of the files.
    fn entries(&self, list: &str, key: &str, name: &str) -> Vec<Entry<'_>> {
        let of = |file| {
            let items = File::list(file, list).iter();
            let named = items.filter(|item| item.get("name").and_then(Node::text) == Some(name));
            named.filter_map(move |item| Some(Entry { file, map: item.get(key)? }))
        };
        self.files.iter().flat_map(of).collect()
    }

    fn names(&self, list: &str) -> Vec<&str> {
        let lists = self.files.iter().filter_map(|file| file.root.get(list));
        lists.flat_map(Node::items).filter_map(|item| item.get("name")?.text()).collect()
    }
}

/// Refuses what is a number or a switch where a text must stand, as kubectl does: it would be passed over, and another
/// credential used.
fn texts(root: &Node, faults: &mut Faults) {
    let mut text = |map: &Node, key: &str| {
        let Some(node) = map.get(key) else { return };
        let found = match &node.tree {
            Tree::Number(_) => "a number",
            Tree::Bool(_) => "a switch",
            Tree::Null | Tree::String(_) | Tree::List(_) | Tree::Map(_) | Tree::Hole => return,
        };
        faults.refuse(node, format!("{key}: expected text, found {found}"), Some("put it in quotes".to_owned()));
    };
    text(root, "current-context");
    for (list, key, texts) in TEXTS {
        for item in root.get(list).map(Node::items).unwrap_or_default() {
            text(item, "name");
            let map = item.get(key);
            map.iter().for_each(|map| texts.iter().for_each(|key| text(map, key)));
        }
    }
}

/// The lists of a kubeconfig, what stands in their items beside a name, and the keys of that whose values are texts.
const TEXTS: [(&str, &str, &[&str]); 3] = [
    ("contexts", "context", &["cluster", "user", "namespace"]),
    (
        "clusters",
        "cluster",
        &["server", "tls-server-name", "certificate-authority", "certificate-authority-data", "proxy-url"],
    ),
    (
        "users",
        "user",
        &[
            "client-certificate",
            "client-certificate-data",
            "client-key",
            "client-key-data",
            "token",
            "tokenFile",
            "as",
            "as-uid",
            "username",
            "password",
        ],
    ),
];

impl File {
    fn list(&self, list: &str) -> &[Node] {
        self.root.get(list).map(Node::items).unwrap_or_default()
    }

    fn at(&self, node: &Node) -> Location {
        Location { file: self.path.display().to_string(), line: node.line, column: node.column }
    }
}

impl Entry<'_> {
    fn place_said(&self) -> String {
        format!("{}:{}", self.file.path.display(), self.map.line)
    }

    /// Whether both mean the same: a relative path means another file in another folder.
    fn same(&self, other: &Self) -> bool {
        let command = self.map.get("exec").and_then(|exec| exec.get("command"));
        let mut paths = PATHS.iter().filter_map(|key| self.map.get(key)).chain(command).filter_map(Node::text);
        let by_folder = paths.any(|path| Path::new(path).is_relative());
        self.map.to_json() == other.map.to_json() && (!by_folder || self.file.path.parent() == other.file.path.parent())
    }

    fn get(&self, key: &str) -> Option<&Node> {
        self.map.get(key).filter(|node| node.tree != Tree::Null && node.text() != Some(""))
    }

    fn either(&self, key: &str) -> Either<'_> {
        // In kubectl's files the data goes before the path when both are there.
        let data = self.map.get(&format!("{key}-data")).filter(|node| node.text().is_some_and(|text| !text.is_empty()));
        Either { path: if data.is_some() { None } else { self.get(key) }, data }
    }

    fn place<'a>(&self, process: &'a Process) -> Place<'a> {
        let folder = self.file.path.parent().map(Path::to_path_buf).unwrap_or_default();
        Place { folder, process, whose: Whose::Kubectl }
    }

    fn faults(&self) -> Faults {
        Faults::new(self.file.path.display().to_string())
    }

    /// A user's token. Beside one in place a file goes first, as for kubectl, as long as it can be read.
    fn token(&self, place: &Place<'_>, faults: &mut Faults, notes: &mut Vec<String>) -> Option<Credential> {
        let (file, inline) = (self.get("tokenFile"), self.get("token"));
        let (Some(node), Some(_)) = (file, inline) else { return place.token(file, inline, faults) };
        let path = place.path(node.text().unwrap_or_default());
        let (file, inline, counts) = match read::read(&path) {
            Ok(_) => (file, None, "tokenFile counts and token does not, as for kubectl".to_owned()),
            Err(error) => {
                (None, inline, format!("tokenFile {} cannot be read ({error}), so token counts", path.display()))
            }
        };
        notes.push(format!("{}:{}: {counts}", self.file.path.display(), node.line));
        place.token(file, inline, faults)
    }
}

impl Context<'_> {
    /// Where the API server is said to be.
    ///
    /// # Errors
    /// When there is none, or none that can be used.
    pub fn server(&self) -> Result<Server, Refusal> {
        let at = |node: &Node| self.cluster.file.at(node);
        let Some(node) = self.cluster.get("server") else {
            let what = format!("the cluster of context {:?} has no server", self.name);
            return Err(Refusal { at: at(self.cluster.map), what, hint: Some("--server ADDRESS".into()) });
        };
        Server::parse(node.text().unwrap_or_default()).map_err(|fault| Refusal {
            at: at(node),
            what: format!("server: {fault}"),
            hint: Some("--server ADDRESS".into()),
        })
    }

    /// The same, when it is to be dialled: only a proxy leads to some, and nothing here goes through one.
    ///
    /// # Errors
    /// When there is none, or one behind a proxy.
    pub fn server_without_proxy(&self) -> Result<Server, Refusal> {
        let server = self.server()?;
        let Some(node) = self.cluster.get("proxy-url") else { return Ok(server) };
        let hint = "--via HOST leads through SSH to a host; where it can be reached without, --server ADDRESS says so";
        let what = format!(
            "proxy-url: {} is said to be reached through {}, and API servers are dialled without a proxy here",
            server.host,
            node.text().unwrap_or("a proxy")
        );
        Err(Refusal { at: self.cluster.file.at(node), what, hint: Some(hint.into()) })
    }

    /// Where the file names a proxy, if it does.
    pub fn proxy(&self) -> Option<String> {
        let node = self.cluster.get("proxy-url")?;
        Some(format!("{}:{}: proxy-url", self.cluster.file.path.display(), node.line))
    }

    /// Whom the user's requests are made as, when that is somebody else.
    ///
    /// # Errors
    /// When it cannot be said to an API server.
    pub fn acting_as(&self) -> Result<Option<ActingAs>, Refusal> {
        let Ok(Some(user)) = &self.user else { return Ok(None) };
        let at = |key: &str| user.get(key).unwrap_or(user.map);
        let refuse = |key: &str, what: String| Refusal { at: user.file.at(at(key)), what, hint: None };
        let text = |key: &str| match user.get(key) {
            None => Ok(None),
            Some(node) => node
                .text()
                .map(|text| Some(text.to_owned()))
                .ok_or_else(|| refuse(key, format!("{key}: expected text"))),
        };
        let words = |key: &str, node: &Node| -> Result<Vec<String>, Refusal> {
            let Tree::List(items) = &node.tree else { return Err(refuse(key, format!("{key}: expected a list"))) };
            let word = |item: &Node| item.text().map(str::to_owned);
            items.iter().map(word).collect::<Option<_>>().ok_or_else(|| refuse(key, format!("{key}: expected texts")))
        };
        let groups = user.get("as-groups").map(|node| words("as-groups", node)).transpose()?.unwrap_or_default();
        let of = |(key, node): &(yaml::Key, Node)| Ok((key.word.clone(), words("as-user-extra", node)?));
        let extra = user.get("as-user-extra").map(Node::entries).unwrap_or_default();
        let extra = extra.iter().map(of).collect::<Result<_, Refusal>>()?;
        let acting_as = ActingAs { user: text("as")?.unwrap_or_default(), groups, uid: text("as-uid")?, extra };
        if acting_as == ActingAs::default() {
            return Ok(None);
        }
        acting_as.fault().map_or(Ok(Some(acting_as)), |fault| Err(refuse("as", fault)))
    }

    /// The name that certificates are verified against, when the file says one.
    pub fn tls_server_name(&self) -> Option<String> {
        self.cluster.get("tls-server-name")?.text().map(str::to_owned)
    }

    /// The certificates that API servers are verified against.
    ///
    /// # Errors
    /// When there are none: verification is never turned off.
    pub fn authority(&self, process: &Process) -> Result<Vec<u8>, Vec<Refusal>> {
        let mut faults = self.cluster.faults();
        let either = self.cluster.either("certificate-authority");
        let found = self.cluster.place(process).authority(either, &mut faults);
        if found.is_none() && faults.is_empty() {
            let insecure = self.cluster.get("insecure-skip-tls-verify").is_some();
            let what = if insecure {
                "insecure-skip-tls-verify: the API server's certificate is always verified here"
            } else {
                "no certificate authority to verify the API server with"
            };
            faults.refuse(self.cluster.map, what, Some("--certificate-authority FILE".into()));
        }
        faults.or(found.unwrap_or_default())
    }

    /// The cluster as kubectl tells it a plugin that asks for it: its authorities as data, since a path would be relative to
    /// the kubeconfig, and what its extensions have for plugins.
    fn told(&self, process: &Process) -> Value {
        let mut told = serde_json::Map::new();
        for key in ["server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url", "disable-compression"] {
            told.extend(self.cluster.get(key).map(|node| (key.to_owned(), node.to_json())));
        }
        let ca = self.cluster.either("certificate-authority");
        let ca = self.cluster.place(process).bytes(ca, false, &mut self.cluster.faults());
        told.extend(ca.map(|ca| {
            let data = base64::engine::general_purpose::STANDARD.encode(ca);
            ("certificate-authority-data".to_owned(), data.into())
        }));
        let extensions = self.cluster.get("extensions").map(Node::items).unwrap_or_default();
        let ours = extensions.iter().find(|one| one.get("name").and_then(Node::text) == Some(FOR_PLUGINS));
        told.extend(ours.and_then(|one| Some(("config".to_owned(), one.get("extension")?.to_json()))));
        told.into()
    }

    /// Who we are, and when that ends where it does not say so itself: the certificate or token of the file; an exec plugin
    /// is run once, until the deadline, if it may be, which is said in `notes`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub async fn credential(
        &self,
        process: &Process,
        asking: &Asking<'_>,
        notes: &mut Vec<String>,
    ) -> Result<(Credential, Option<Timestamp>), Vec<Refusal>> {
        let nobody = (Credential::Anonymous, None);
        let Some(user) = self.user.clone().map_err(|refusal| vec![refusal])? else { return Ok(nobody) };
        let mut faults = user.faults();
        let place = user.place(process);
        let found = place
            .certificate(user.either("client-certificate"), user.either("client-key"), &mut faults)
            .or_else(|| user.token(&place, &mut faults, notes));
        if found.is_some() {
            // Notes and no more: kubectl has always read such files, and the incident is now.
            let key = |key: &str| user.either(key).path.and_then(Node::text).map(|path| place.path(path));
            let in_place = user.get("client-key-data").or_else(|| user.get("token")).map(|_| user.file.path.clone());
            let token = key("tokenFile");
            let files = [in_place, key("client-key"), token].into_iter().flatten();
            notes.extend(files.filter_map(|path| read::open_note(&path)));
        }
        if found.is_some() || !faults.is_empty() {
            return faults.or((found.unwrap_or(Credential::Anonymous), None));
        }
        if let Some(plugin) = user.get("exec") {
            let server = self.told(process);
            let command = exec_plugin::command_of(plugin).unwrap_or_default();
            if asking.plugins == Plugins::Named {
                notes.push(format!("the plugin {command} would be run for the credential; a plan runs nothing"));
                return Ok(nobody);
            }
            return match exec_plugin::run(plugin, &server, &place, asking.deadline, asking.hear).await {
                Ok(given) => {
                    let ends = given.ends.map(|end| format!(" and ends on {end}")).unwrap_or_default();
                    notes.push(format!(
                        "the credential came from the plugin {command}, run once{ends}; in an incident it may not answer: \
                         put a client certificate into the kit"
                    ));
                    Ok((given.credential, given.ends))
                }
                Err(fault) => {
                    faults.refuse(plugin, fault, Some(BY_FLAGS.into()));
                    Err(faults.into_vec())
                }
            };
        }
        for key in ["auth-provider", "username", "password"] {
            if let Some(node) = user.get(key) {
                let what = format!("{key} is not supported any more, by API servers neither");
                faults.refuse(node, what, Some(BY_FLAGS.into()));
            }
        }
        faults.or(nobody)
    }
}

/// A refusal that no file can be blamed for.
pub(super) fn command_line(what: String, hint: Option<String>) -> Refusal {
    Refusal { at: Location { file: "command line".into(), ..Location::default() }, what, hint }
}
