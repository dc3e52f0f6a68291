//! Static-pod manifest surgery: resources and flags of one container, and what a manifest says of its program.
//!
//! Only the bytes of the wanted values are touched, so comments, order and line endings stay. What comes out is parsed and
//! compared with what was wanted, value by value: an edit that did not come out exactly so is refused.

#[cfg(test)]
mod fuzz;
mod launch;
mod listens;
mod quantity;
mod splice;
mod starts;
mod words;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use self::launch::{Launch, launch, release};
pub use self::listens::{Listens, Scheme, listens};
pub use self::quantity::{absurd, as_quantity, quantity};
pub use self::starts::{Ending, amount, ending, pod, starts};
use self::words::{Form, Given, Word};
use crate::yaml::{self, Faults, Node};

/// Where kubeadm and its kin keep static pods, unless the kit says otherwise.
pub const MANIFESTS: &str = "/etc/kubernetes/manifests";

/// What to change in a container. `None` as a value removes the entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// Resource requests: `cpu`, `memory` to a quantity.
    pub requests: BTreeMap<String, Option<String>>,
    /// Resource limits.
    pub limits: BTreeMap<String, Option<String>>,
    /// Command-line flags without the dashes.
    pub flags: BTreeMap<String, Option<String>>,
    /// Flags that go wholly, each time that they are given: of one that its program does not know none counts.
    pub unknown: Vec<String>,
    /// Folders of the host that the container is to see under the same path, to read only; each has to be there.
    pub folders: Vec<String>,
}

/// An edited manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// The new text.
    pub text: String,
    /// What changed, one phrase each (`limits.memory 2Gi -> 8Gi`); empty when everything was so already.
    pub changes: Vec<String>,
}

/// Edits the container that runs `program`.
///
/// # Errors
/// One sentence: no manifest, no such container, or an edit that only a person can make.
pub fn edit(text: &str, program: &str, edit: &Edit) -> Result<Edited, String> {
    let (root, _) = read(text)?;
    let before = root.to_json();
    let index = container(&before, program)?;
    let mut draft = Draft { text: text.to_owned(), wanted: before, index: index.to_string(), changes: Vec::new() };
    for (kind, values) in [("requests", &edit.requests), ("limits", &edit.limits)] {
        for (name, value) in values {
            draft.resource(kind, name, value.as_deref())?;
        }
    }
    for (flag, value) in &edit.flags {
        draft.flag(program, flag, value.as_deref())?;
    }
    for flag in &edit.unknown {
        draft.unknown(program, flag)?;
    }
    for folder in &edit.folders {
        draft.folder(program, folder)?;
    }
    draft.checked(program, edit)
}

/// Each value that a flag of `program` is given, in order; the last one counts, or all where the flag is a list.
///
/// # Errors
/// One sentence: no manifest, no such container, or flags that cannot be told.
pub fn flag(text: &str, program: &str, name: &str) -> Result<Vec<String>, String> {
    let manifest = read(text)?.0.to_json();
    let container = &manifest["spec"]["containers"][container(&manifest, program)?];
    let given = words::given(&words::of_program(container, program)?, name)?;
    Ok(given.into_iter().map(|given| given.value).collect())
}

/// The image of the container that runs `program`; empty when it has none.
///
/// # Errors
/// One sentence: no manifest, or no such container.
pub fn image(text: &str, program: &str) -> Result<String, String> {
    let manifest = read(text)?.0.to_json();
    let container = &manifest["spec"]["containers"][container(&manifest, program)?];
    Ok(container["image"].as_str().unwrap_or_default().to_owned())
}

/// The manifest as its kubelet reads it, and where it ends: of several documents only the first counts.
fn read(text: &str) -> Result<(Node, usize), String> {
    let end = yaml::first_document(text).len();
    let mut faults = Faults::default();
    match (yaml::parse_merged(&text[..end], &mut faults), faults.into_vec().first()) {
        (Some(root), None) => Ok((root, end)),
        (_, Some(fault)) if fault.at.line > 0 => Err(format!("line {}: {}", fault.at.line, fault.what)),
        (_, fault) => Err(fault.map_or_else(|| "it is not YAML".into(), |fault| fault.what.clone())),
    }
}

/// The container that runs a program: by a word of its command, else by its name, else by the script that its shell runs.
fn container(manifest: &Value, program: &str) -> Result<usize, String> {
    let containers =
        manifest.pointer("/spec/containers").and_then(Value::as_array).ok_or("it has no spec.containers")?;
    let runs =
        |container: &Value| words::all(container).is_ok_and(|words| words::program_at(&words, program).is_some());
    let named = |container: &Value| container.get("name").and_then(Value::as_str) == Some(program);
    let which = |fits: &dyn Fn(&Value) -> bool| -> Vec<usize> {
        containers.iter().enumerate().filter(|(_, container)| fits(container)).map(|(index, _)| index).collect()
    };
    let script = |container: &Value| {
        let words = words::all(container).unwrap_or_default();
        words.iter().any(|word| words::is_shell(&word.text)) && words.iter().any(|word| word.text.contains(program))
    };
    match (which(&runs).as_slice(), which(&named).as_slice()) {
        ([index], _) | ([], [index]) => Ok(*index),
        (several, [index]) if several.contains(index) => Ok(*index),
        ([], []) => match which(&script).as_slice() {
            [index] => Ok(*index),
            [] => Err(format!("none of its containers runs {program}")),
            several => Err(format!("{} of its containers may run {program} by a script", several.len())),
        },
        (several, _) => Err(format!("{} of its containers run {program}", several.len().max(2))),
    }
}

/// A manifest on its way from what it is to what is wanted: the text, and beside it the values that must come out.
struct Draft {
    text: String,
    wanted: Value,
    /// Which container, as a word of a path.
    index: String,
    changes: Vec<String>,
}

impl Draft {
    fn container(&mut self) -> &mut Value {
        let at = self.index.parse::<usize>().unwrap_or_default();
        &mut self.wanted["spec"]["containers"][at]
    }

    /// One splice of the text, at a path in the container.
    fn splice(
        &mut self,
        path: &[&str],
        what: &str,
        with: impl FnOnce(&str, &Node, &[&str]) -> Option<String>,
    ) -> Result<(), String> {
        let (root, end) = read(&self.text).map_err(|_| strange(what))?;
        let path: Vec<&str> = ["spec", "containers", self.index.as_str()].iter().chain(path).copied().collect();
        let first = with(&self.text[..end], &root, &path).ok_or_else(|| strange(what))?;
        self.text = first + &self.text[end..];
        Ok(())
    }

    fn resource(&mut self, kind: &str, name: &str, value: Option<&str>) -> Result<(), String> {
        let container = self.container();
        let now = container.pointer(&format!("/resources/{kind}/{name}")).cloned();
        let amounts = (quantity(&shown(now.as_ref())), value.and_then(quantity));
        let same = |value| shown(now.as_ref()) == value || (amounts.0.is_some() && amounts.0 == amounts.1);
        if value.map_or(now.is_none(), same) {
            return Ok(());
        }
        if let Some(now) = now.as_ref().filter(|now| !now.is_null() && amounts.0.is_none()) {
            return Err(format!("its {kind}.{name} is {now}, which is no quantity"));
        }
        if let (Some(old), Some(new)) = amounts
            && kind == "limits"
            && new < old
        {
            return Err(format!(
                "limits.{name} would shrink from {} to {}, and this is for giving room (a process that has outgrown its \
                 memory limit is killed at once); if that is meant, edit the file by hand",
                shown(now.as_ref()),
                value.unwrap_or_default()
            ));
        }
        if let Value::Object(map) = entry(entry(container, "resources"), kind) {
            match value {
                Some(value) => drop(map.insert(name.to_owned(), Value::from(value))),
                None => drop(map.remove(name)),
            }
        }
        let what = format!("{kind}.{name} {} -> {}", shown(now.as_ref()), value.unwrap_or("unset"));
        let path = ["resources", kind, name];
        self.splice(&path, &what, |text, root, path| match value {
            Some(value) => splice::set(text, root, path, value),
            None => splice::remove(text, root, path),
        })?;
        self.changes.push(what);
        Ok(())
    }

    fn flag(&mut self, program: &str, flag: &str, value: Option<&str>) -> Result<(), String> {
        let words = words::of_program(self.container(), program)?;
        if let Some(word) = words::stray(&words) {
            return Err(format!("{:?} stands among its flags and is the value of none: edit it by hand", word.text));
        }
        let given = words::given(&words, flag)?;
        let now = given.last().map(|given| given.value.clone());
        if now.as_deref() == value {
            return Ok(());
        }
        if given.len() > 1
            && let Some(text) = given.iter().map(|given| &given.value).find(|value| !words::counts_once(value))
        {
            return Err(format!(
                "--{flag} is given {} times, and each of them may count ({text:?} can be an entry of a list): edit it by hand",
                given.len()
            ));
        }
        let what = format!("--{flag} {} -> {}", now.as_deref().unwrap_or("unset"), value.unwrap_or("unset"));
        match (given.last(), value) {
            (Some(last), Some(value)) => self.set_flag(&words, last, value, &what)?,
            (None, Some(value)) => self.push_flag(&format!("--{flag}={value}"), &what)?,
            (_, None) => self.take_out(&words, &given, &what)?,
        }
        self.changes.push(what);
        Ok(())
    }

    /// Mounts a folder before all others, unless it is seen under its path already.
    fn folder(&mut self, program: &str, path: &str) -> Result<(), String> {
        let mounts = launch(&self.text, program)?.mounts;
        let above = |there: &str| {
            path.strip_prefix(there.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if let Some((there, here)) = mounts.iter().find(|(there, _)| above(there)) {
            let rest = &path[there.trim_end_matches('/').len()..];
            if format!("{}{rest}", here.trim_end_matches('/')) == path {
                return Ok(());
            }
            return Err(format!(
                "its container sees {here} of the host at {there}, so that {path} is another folder there"
            ));
        }
        let taken = |name: &str| {
            self.wanted
                .pointer("/spec/volumes")
                .and_then(Value::as_array)
                .is_some_and(|all| all.iter().any(|it| it["name"] == name))
        };
        let own = path.rsplit('/').next().unwrap_or_default().to_lowercase();
        let own: String = own.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let name = [own.clone(), format!("breakglass-{own}")]
            .into_iter()
            .find(|name| !taken(name))
            .ok_or_else(|| strange(path))?;
        let what = format!("a mount of {path}");
        let mount = json!({"mountPath": path, "name": name, "readOnly": true});
        let volume = json!({"hostPath": {"path": path, "type": "Directory"}, "name": name});
        if let Value::Array(list) = &mut self.container()["volumeMounts"] {
            list.insert(0, mount.clone());
        }
        self.splice(&["volumeMounts"], &what, |all, root, at| splice::put_first(all, root, at, &mount))?;
        if let Some(Value::Array(list)) = self.wanted.pointer_mut("/spec/volumes") {
            list.insert(0, volume.clone());
        }
        let (root, end) = read(&self.text).map_err(|_| strange(&what))?;
        let first =
            splice::put_first(&self.text[..end], &root, &["spec", "volumes"], &volume).ok_or_else(|| strange(&what))?;
        self.text = first + &self.text[end..];
        self.changes.push(what);
        Ok(())
    }

    /// Takes out every word of a flag, whatever it is given.
    fn unknown(&mut self, program: &str, flag: &str) -> Result<(), String> {
        let words = words::of_program(self.container(), program)?;
        if let Some(word) = words::stray(&words) {
            return Err(format!("{:?} stands among its flags and is the value of none: edit it by hand", word.text));
        }
        let given = words::given(&words, flag)?;
        if given.is_empty() {
            return Ok(());
        }
        let values: Vec<&str> = given.iter().map(|given| given.value.as_str()).collect();
        let what = format!("--{flag} {} -> unset", values.join(" and "));
        self.take_out(&words, &given, &what)?;
        self.changes.push(what);
        Ok(())
    }

    fn take_out(&mut self, words: &[Word], given: &[Given], what: &str) -> Result<(), String> {
        let mut gone: Vec<&Word> = Vec::new();
        for given in given {
            gone.push(&words[given.at]);
            gone.extend((given.form == Form::Apart).then(|| &words[given.at + 1]));
        }
        for word in gone.into_iter().rev() {
            if let Value::Array(list) = &mut self.container()[word.list] {
                list.remove(word.index);
            }
            self.splice(&[word.list, &word.index.to_string()], what, splice::remove)?;
        }
        Ok(())
    }

    fn set_flag(&mut self, words: &[Word], last: &Given, value: &str, what: &str) -> Result<(), String> {
        let word = &words[last.at];
        let (word, text) = match last.form {
            Form::Apart => (&words[last.at + 1], value.to_owned()),
            Form::Bare => (word, format!("{}={value}", word.text)),
            Form::Joined => (word, format!("{}={value}", word.text.split_once('=').map_or("", |(name, _)| name))),
        };
        self.container()[word.list][word.index] = Value::from(text.as_str());
        self.splice(&[word.list, &word.index.to_string()], what, |all, root, path| splice::set(all, root, path, &text))
    }

    fn push_flag(&mut self, text: &str, what: &str) -> Result<(), String> {
        let container = self.container();
        let has = |key: &&str| container[*key].as_array().is_some_and(|list| !list.is_empty());
        let list = ["args", "command"].into_iter().find(has).ok_or("its container has neither command nor args")?;
        if let Value::Array(items) = &mut container[list] {
            items.push(Value::from(text));
        }
        self.splice(&[list], what, |all, root, path| splice::push(all, root, path, text))
    }

    /// The new text, when its values are the wanted ones and no others.
    fn checked(mut self, program: &str, edit: &Edit) -> Result<Edited, String> {
        // It was read before: what cannot be read now was not written right.
        let after = read(&self.text).map_err(|_| strange(&self.changes.join(", ")))?.0.to_json();
        let container = self.container().clone();
        let any = !edit.flags.is_empty() || !edit.unknown.is_empty();
        let words = if any { words::of_program(&container, program)? } else { Vec::new() };
        for flag in &edit.unknown {
            if !words::given(&words, flag)?.is_empty() {
                return Err(strange(&format!("--{flag}")));
            }
        }
        for (flag, value) in &edit.flags {
            if words::given(&words, flag)?.last().map(|given| &given.value) != value.as_ref() {
                return Err(strange(&format!("--{flag}")));
            }
        }
        for name in edit.limits.keys().chain(edit.requests.keys()) {
            let [limit, request] = ["limits", "requests"].map(|kind| shown(container["resources"][kind].get(name)));
            if let Some(odd) = [&limit, &request].into_iter().find(|text| *text != "unset" && quantity(text).is_none())
            {
                return Err(format!("its {name} is {odd:?} in one place, which is no quantity"));
            }
            if let (Some(most), Some(least)) = (quantity(&limit), quantity(&request))
                && most < least
            {
                return Err(format!(
                    "limits.{name} {limit} would be less than requests.{name} {request}, and the kubelet starts no such \
                     pod: set both"
                ));
            }
        }
        if after != self.wanted {
            return Err(strange(&self.changes.join(", ")));
        }
        Ok(Edited { text: self.text, changes: self.changes })
    }
}

fn strange(what: &str) -> String {
    format!(
        "it is laid out in a way that keeps {what} from being written without touching anything else: edit it by hand"
    )
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "unset".into(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn entry<'a>(value: &'a mut Value, key: &str) -> &'a mut Value {
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(map) => {
            let slot = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
            if slot.is_null() {
                *slot = Value::Object(Map::new());
            }
            slot
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
