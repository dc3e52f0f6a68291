//! Which credential plugins the operator lets kubectl run: `credentialPluginPolicy` of kubectl's own preferences.

use std::path::{Path, PathBuf};

use super::read;
use crate::bounded;
use crate::process::Process;
use crate::yaml::{self, Faults, Node};

/// Preferences are short.
const LONGEST: usize = 1 << 20;

/// Whether a plugin may be run; `name` is how the kubeconfig calls it.
///
/// # Errors
/// One sentence, with the file that says so. What cannot be read allows nothing: it may forbid.
pub(super) fn allows(program: &Path, name: &str, process: &Process) -> Result<(), String> {
    let path = match process.var("KUBERC") {
        Some("off") => return Ok(()),
        Some(path) => process.cwd.join(path),
        None => process.home().join(".kube/kuberc"),
    };
    let refuse = |why: String| Err(format!("exec: plugin {name} is not run: {}: {why}", path.display()));
    let bytes = match bounded::file(&path, LONGEST) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return refuse(format!("cannot be read: {error}")),
    };
    let mut faults = Faults::new("");
    let root = match read::text(bytes) {
        Ok(text) => yaml::parse_as_kubectl(&text, &mut faults, &mut |_| {}),
        Err(fault) => return refuse(fault.into()),
    };
    if let Some(fault) = faults.into_vec().first() {
        return refuse(fault.what.clone());
    }
    let get = |key: &str| root.as_ref().and_then(|root| root.get(key));
    let list = get("credentialPluginAllowlist").map(Node::items).unwrap_or_default();
    match get("credentialPluginPolicy").and_then(Node::text).unwrap_or("AllowAll") {
        "AllowAll" if list.is_empty() => Ok(()),
        "AllowAll" => refuse("a credentialPluginAllowlist needs credentialPluginPolicy: Allowlist".into()),
        "DenyAll" => refuse("credentialPluginPolicy is DenyAll".into()),
        "Allowlist" => {
            let program = found(program, process);
            // Its first form called the field `name`.
            let named = |entry: &Node| {
                entry.get("command").or_else(|| entry.get("name")).and_then(Node::text).map(PathBuf::from)
            };
            let listed = list.iter().filter_map(named).any(|entry| found(&entry, process) == program);
            if listed { Ok(()) } else { refuse("it is not in the credentialPluginAllowlist".into()) }
        }
        other => refuse(format!("credentialPluginPolicy {other:?} is not known")),
    }
}

/// Where a program is: as written when it is a path, else where the search path has it.
fn found(program: &Path, process: &Process) -> PathBuf {
    if program.components().count() > 1 {
        return process.cwd.join(program);
    }
    let folders = process.var("PATH").unwrap_or_default().split(':').filter(|folder| !folder.is_empty());
    folders
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.is_file())
        .unwrap_or_else(|| program.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{process, put};
    use super::*;

    #[test]
    fn what_kubectl_may_not_run_is_not_run_here() {
        let dir = tempfile::TempDir::new().unwrap();
        std::fs::create_dir_all(dir.path().join(".kube")).unwrap();
        put(dir.path(), "login", "", 0o755);
        put(dir.path(), "other", "", 0o755);
        let mut process = process(dir.path());
        let here = dir.path().display().to_string();
        process.env.insert("PATH".into(), format!("/nonexistent:{here}"));
        let whole = format!("credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{{name: {here}/login}}]\n");
        for (text, expected) in [
            ("", Ok(())),
            ("kind: Preference\naliases: []\n", Ok(())),
            ("credentialPluginPolicy: AllowAll", Ok(())),
            ("credentialPluginPolicy: DenyAll", Err("is DenyAll")),
            ("credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{name: login}]\n", Ok(())),
            ("credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{command: login}]\n", Ok(())),
            (&*whole, Ok(())),
            ("credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{name: other}]\n", Err("not in the")),
            (
                "credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{name: /usr/bin/login}]\n",
                Err("not in the"),
            ),
            ("credentialPluginPolicy: Allowlist\n", Err("not in the")),
            ("credentialPluginAllowlist: [{name: login}]\n", Err("needs credentialPluginPolicy")),
            ("credentialPluginPolicy: Never", Err("\"Never\" is not known")),
            ("credentialPluginPolicy: [", Err("not readable as YAML")),
        ] {
            put(dir.path(), ".kube/kuberc", text, 0o600);
            for program in [Path::new("login"), &dir.path().join("login")] {
                let said = allows(program, "login", &process);
                match expected {
                    Ok(()) => assert_eq!(said, Ok(()), "{text}"),
                    Err(why) => {
                        let said = said.expect_err(text);
                        assert!(said.contains(why) && said.contains("/.kube/kuberc: "), "{text}: {said}");
                    }
                }
            }
        }
        put(dir.path(), "rc", "credentialPluginPolicy: DenyAll", 0o600);
        for (variable, allowed) in [("off", true), ("rc", false), ("gone", true)] {
            process.env.insert("KUBERC".into(), variable.into());
            assert_eq!(allows(Path::new("login"), "login", &process).is_ok(), allowed, "{variable}");
        }
    }
}
