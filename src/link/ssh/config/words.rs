//! What `ssh -G` leaves in the values of options: `~`, tokens (`%h`) and variables (`${HOME}`).

use std::path::PathBuf;

use super::{AGENT, Surroundings};

/// What the words of one host stand for.
pub(super) struct Words<'a> {
    pub(super) around: &'a Surroundings,
    pub(super) alias: &'a str,
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) user: &'a str,
    pub(super) key_alias: &'a str,
    pub(super) jump: &'a str,
}

impl Words<'_> {
    /// A path as ssh would open it.
    pub(super) fn path(&self, text: &str) -> Result<PathBuf, String> {
        let home = || self.around.home.display().to_string();
        let text = match text.strip_prefix('~') {
            Some("") => home(),
            Some(rest) if rest.starts_with('/') => home() + rest,
            Some(_) => return Err(format!("{text}: the folders of other users are not looked up; write it out")),
            None => text.to_owned(),
        };
        self.expand(&text).map(PathBuf::from)
    }

    /// The agent's socket by `IdentityAgent`; none is meant by `none`, and by a variable that is not set.
    pub(super) fn agent(&self, text: &str) -> Result<Option<PathBuf>, String> {
        if text.eq_ignore_ascii_case("none") {
            return Ok(None);
        }
        let variable = if text == AGENT { Some(AGENT) } else { text.strip_prefix('$').filter(|n| !n.starts_with('{')) };
        match variable {
            Some(name) if is_variable(name) => Ok(self.around.env.get(name).map(PathBuf::from)),
            Some(_) => Err(format!("{text} is no name of a variable; ssh refuses it too")),
            None => self.path(text).map(Some),
        }
    }

    fn expand(&self, text: &str) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['%', '$']) {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix("${") {
                let (name, after) = after.split_once('}').ok_or_else(|| format!("{text}: there is no }} to ${{"))?;
                let value = self.around.env.get(name);
                out.push_str(
                    value.ok_or_else(|| format!("{text}: the variable {name} is not set; ssh refuses it too"))?,
                );
                rest = after;
                continue;
            }
            let mut chars = rest.chars();
            let sign = chars.next();
            if sign == Some('$') {
                out.push('$');
                rest = chars.as_str();
                continue;
            }
            let token = chars.next();
            let value = match token {
                Some('%') => "%".to_owned(),
                Some('d') => self.around.home.display().to_string(),
                Some('h') => self.host.to_owned(),
                Some('i') => self.around.uid.to_string(),
                Some('j') => self.jump.to_owned(),
                Some('k') => self.key_alias.to_owned(),
                Some('L') => self.around.machine.split('.').next().unwrap_or_default().to_owned(),
                Some('l') => self.around.machine.clone(),
                Some('n') => self.alias.to_owned(),
                Some('p') => self.port.to_string(),
                Some('r') => self.user.to_owned(),
                Some('u') => self.around.user.clone(),
                Some(other) => return Err(format!("{text}: %{other} is not known here; write it out")),
                None => return Err(format!("{text} ends in a lone %")),
            };
            out.push_str(&value);
            rest = chars.as_str();
        }
        Ok(out + rest)
    }
}

/// The files of an option that may have several. `ssh -G` prints them without the quotes that one with blanks in it had, so
/// what begins as no path begins goes with what stands before it.
pub(super) fn files(value: &str) -> Vec<String> {
    let mut files: Vec<String> = Vec::new();
    for word in value.split(' ') {
        match files.last_mut() {
            Some(last) if !word.starts_with(['/', '~', '%', '$']) && word != "none" => {
                last.push(' ');
                last.push_str(word);
            }
            _ => files.push(word.to_owned()),
        }
    }
    files.retain(|file| !file.is_empty());
    files
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around() -> Surroundings {
        let env = [("HOME", "/elsewhere"), ("MYSOCK", "/run/my"), (AGENT, "/run/agent"), ("EMPTY", "")];
        Surroundings {
            home: "/home/joe".into(),
            user: "joe".into(),
            uid: 1000,
            machine: "desk.example".into(),
            env: env.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            ..Surroundings::default()
        }
    }

    fn words(around: &Surroundings) -> Words<'_> {
        Words { around, alias: "cp1", host: "10.0.0.1", port: 2222, user: "ops", key_alias: "key", jump: "hop" }
    }

    #[test]
    fn paths_are_those_that_ssh_opens() {
        let around = around();
        let table: &[(&str, Option<&str>)] = &[
            ("~/.ssh/id", Some("/home/joe/.ssh/id")),
            ("~", Some("/home/joe")),
            ("/a/~/b", Some("/a/~/b")),
            ("${HOME}/.ssh/id", Some("/elsewhere/.ssh/id")),
            ("/x/${MYSOCK}${EMPTY}y", Some("/x//run/myy")),
            (
                "%d/%i/%h-%n-%p-%r-%u-%k-%L-%l-%j",
                Some("/home/joe/1000/10.0.0.1-cp1-2222-ops-joe-key-desk-desk.example-hop"),
            ),
            ("/a%%b$c", Some("/a%b$c")),
            ("/ü/%hü", Some("/ü/10.0.0.1ü")),
            ("${NOT_SET}/id", None),
            ("${HOME/id", None),
            ("~root/id", None),
            ("/a%", None),
            ("/a%é", None),
        ];
        for (text, want) in table {
            assert_eq!(words(&around).path(text).ok(), want.map(PathBuf::from), "{text}");
        }
    }

    #[test]
    fn files_with_blanks_in_their_names_are_one_each() {
        let table: &[(&str, &[&str])] = &[
            ("/a/known /b/known", &["/a/known", "/b/known"]),
            ("\"/a/my known\" /b", &["/a/my known", "/b"]),
            ("\"/a/one  two three\"", &["/a/one  two three"]),
            ("/a \"/b/x y\" /c", &["/a", "/b/x y", "/c"]),
        ];
        for (config, want) in table {
            // As it stands in ssh_config, and as ssh prints it.
            let folder = tempfile::TempDir::new().unwrap();
            let file = folder.path().join("config");
            std::fs::write(&file, format!("UserKnownHostsFile {config}\n")).unwrap();
            let done = std::process::Command::new("ssh").arg("-G").arg("-F").arg(&file).arg("cp1").output().unwrap();
            let printed = String::from_utf8(done.stdout).unwrap();
            let line = printed.lines().find_map(|line| line.strip_prefix("userknownhostsfile ")).unwrap();
            assert_eq!(files(line), *want, "{config}");
        }
        assert_eq!(files("~/a %d/b ${HOME}/c d none"), ["~/a", "%d/b", "${HOME}/c d", "none"]);
        assert_eq!(files(""), Vec::<String>::new());
    }

    #[test]
    fn the_agent_is_a_path_or_a_variable_or_none() {
        let around = around();
        let table: &[(&str, Option<Option<&str>>)] = &[
            ("none", Some(None)),
            ("SSH_AUTH_SOCK", Some(Some("/run/agent"))),
            ("$SSH_AUTH_SOCK", Some(Some("/run/agent"))),
            ("$MYSOCK", Some(Some("/run/my"))),
            ("${MYSOCK}", Some(Some("/run/my"))),
            ("$NOT_SET", Some(None)),
            ("~/agent.sock", Some(Some("/home/joe/agent.sock"))),
            ("%d/%i", Some(Some("/home/joe/1000"))),
            ("${NOT_SET}", None),
            ("$not-one", None),
        ];
        for (text, want) in table {
            assert_eq!(words(&around).agent(text).ok(), want.map(|w| w.map(PathBuf::from)), "{text}");
        }
    }
}
