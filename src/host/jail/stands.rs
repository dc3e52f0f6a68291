//! Which jails stand in the file that a host's API server reads its authorizers from, whoever's they are.

use super::sh::FIND;
use crate::host::genuine::GENUINE;
use crate::host::order::{Order as _, Query, order};
use crate::host::swap::LIB;
use crate::script::{Answer, quote};

order! {
    /// Looks at the jails that stand.
    JailsStand = "jail.stands" { manifests: String } -> Standing, |_, stdout| stands(stdout)
}

/// What stands in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The file, as the host sees it; empty where there is none.
    pub file: String,
    /// The jails in it, the first one first.
    pub jails: Vec<Held>,
}

/// One jail, by its marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Whose run.
    pub run: String,
    /// Which step of it.
    pub step: String,
    /// By whom; empty where the mark does not say.
    pub operator: String,
    /// Why; empty where nothing was said.
    pub reason: String,
    /// Since when, as it was written down.
    pub at: String,
    /// Whom, in words.
    pub whom: String,
}

impl Held {
    /// What it is called: its authorizer, and its kubeconfig.
    pub fn name(&self) -> String {
        super::name(&self.run, &self.step)
    }

    /// What takes it out without the program, typed on its host: first the lines, then the kubeconfig that they name.
    pub fn by_hand(&self, file: &str) -> String {
        let (folder, base) = file.rsplit_once('/').unwrap_or_default();
        let mark = |word: &str| {
            let line = format!("# breakglass jail {} step {}: {word}", self.run, self.step);
            // What means something to sed.
            line.chars().flat_map(|c| if r"/\.*[]^$".contains(c) { vec!['\\', c] } else { vec![c] }).collect::<String>()
        };
        let (base, name) = (quote(base), quote(&format!("{}.kubeconfig", self.name())));
        let lines = quote(&format!("/{}/,/{}/d", mark("begin"), mark("end")));
        format!(
            "cd {} && cp -p {base} new.yaml && sed -i {lines} new.yaml && mv new.yaml {base} && rm -f {name}",
            quote(folder)
        )
    }
}

/// The script that looks; it writes nothing. Where no API server runs, its manifest says where the file is.
pub fn standing(manifests: &str) -> Query<JailsStand> {
    let manifests = manifests.trim_end_matches('/');
    let body = format!("{GENUINE}{LIB}{FIND}manifests={}\n{LOOKS}", quote(manifests));
    JailsStand { manifests: manifests.to_owned() }.query(body)
}

const LOOKS: &str = r#"F=
for x in $(processes kube-apiserver); do
  path=$(flag "${x%%:*}" authorization-config | tail -n 1)
  [ -n "$path" ] || continue
  place "${x%%:*}" "$path"
  [ -z "$host" ] || F=$host
done
if [ -z "$F" ]; then
  for x in "$manifests"/*; do
    [ -f "$x" ] || continue
    [ -r "$x" ] || fail "$x cannot be read by whom we log in as" 3
    path=$(sed -n 's/^[^#]*--authorization-config[= ]["'\'']\{0,1\}\(\/[^ "'\'',]*\).*$/\1/p' "$x" | tail -n 1)
    if [ -n "$path" ] && [ -f "$path" ]; then F=$path; fi
  done
fi
if [ -n "$F" ]; then
  [ -r "$F" ] || fail "$F cannot be read by whom we log in as" 3
  say file "$F"
  sed -n '/^ *# breakglass[ ]jail .*: begin *$/{s/^ *//;s/^/begin=/p;n;s/^ *//;s/^/about=/p;}' "$F" | head -n 200
fi
say end yes
"#;

/// What the mark of a jail begins with.
pub(crate) const BEGINS: &str = concat!("# breakglass", " jail ");

/// Reads what the script printed; `None` if it broke off.
fn stands(stdout: &str) -> Option<Standing> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    let Some(file) = answer.get("file") else { return Some(Standing::default()) };
    let mut jails: Vec<Held> = Vec::new();
    for (key, value) in answer.pairs() {
        match (key, jails.last_mut()) {
            ("begin", _) => jails.extend(begun(value)),
            ("about", Some(last)) => about(value, last),
            _ => {}
        }
    }
    Some(Standing { file: file.to_owned(), jails })
}

/// `# breakglass jail RUN step N: begin`.
fn begun(line: &str) -> Option<Held> {
    let id = line.strip_prefix(BEGINS)?.strip_suffix(": begin")?;
    let (run, step) = id.rsplit_once(" step ")?;
    Some(Held {
        run: run.to_owned(),
        step: step.to_owned(),
        operator: String::new(),
        reason: String::new(),
        at: String::new(),
        whom: String::new(),
    })
}

/// `# WHOM; by OPERATOR at TIME: REASON`.
fn about(line: &str, jail: &mut Held) {
    let Some((whom, who)) = line.trim_start_matches("# ").split_once("; by ") else { return };
    whom.clone_into(&mut jail.whom);
    let (who, reason) = who.split_once(": ").unwrap_or((who, ""));
    let (operator, at) = who.split_once(" at ").unwrap_or((who, ""));
    operator.clone_into(&mut jail.operator);
    at.clone_into(&mut jail.at);
    reason.clone_into(&mut jail.reason);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::super::{Jail, Who, Whom, put_in_text};
    use super::*;

    fn run(shell: &str, text: &str) -> String {
        let mut words = shell.split(' ');
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn jail(run: &str) -> Jail {
        let who = Who::User("system:serviceaccount:a:b".into());
        let whom = Whom { called: who_called(&who), who, verbs: Vec::new(), resources: Vec::new() };
        let own = str::to_owned;
        Jail {
            run: own(run),
            step: own("1"),
            operator: own("alice"),
            reason: own("it drowns: INC-1"),
            at: own("2026-11-28T03:12:00Z"),
            whom,
        }
    }

    fn who_called(who: &Who) -> String {
        format!("{who:?}").chars().filter(char::is_ascii_alphanumeric).collect()
    }

    /// Where no API server runs, by its manifest; and the words that are told to be typed take out just that one.
    #[test]
    fn each_jail_is_found_with_whose_it_is_and_taken_out_by_hand_to_the_byte() {
        for shell in ["sh", "bash", "busybox sh"] {
            let dir = tempfile::tempdir().unwrap();
            let at = |name: &str| dir.path().join(name).display().to_string();
            let (manifests, file) = (at("manifests"), at("it's.yaml"));
            fs::create_dir(&manifests).unwrap();
            let plain = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n\
                         - {type: Node, name: node}\n";
            let one = put_in_text(plain, &jail("r1"), "/x.kubeconfig").unwrap().text;
            let two = put_in_text(&one, &jail("20261128-031204.085-a4da"), "/y.kubeconfig").unwrap().text;
            fs::write(&file, &two).unwrap();
            let looked = |path: &str| {
                let text =
                    format!("kind: Pod\n# --authorization-config=/nowhere\n    - \"--authorization-config={path}\"\n");
                fs::write(format!("{manifests}/kube-apiserver.yaml"), text).unwrap();
                let query = standing(&manifests);
                query.read(&run(shell, &query.script().text())).unwrap()
            };
            // The path in a manifest has no quotes in it.
            let plainly = at("plain.yaml");
            fs::copy(&file, &plainly).unwrap();
            let stands = looked(&plainly);
            assert_eq!(stands.file, plainly, "{shell}");
            let runs: Vec<&str> = stands.jails.iter().map(|held| held.run.as_str()).collect();
            assert_eq!(runs, ["20261128-031204.085-a4da", "r1"], "{shell}");
            let held = &stands.jails[1];
            assert_eq!(
                (held.operator.as_str(), held.at.as_str()),
                ("alice", "2026-11-28T03:12:00Z"),
                "{shell}: {held:?}"
            );
            assert_eq!((held.reason.as_str(), held.name()), ("it drowns: INC-1", jail("r1").name()));
            assert!(!held.whom.is_empty(), "{held:?}");
            run(shell, &stands.jails[0].by_hand(&file));
            assert_eq!(fs::read_to_string(&file).unwrap(), one, "{shell}");
            run(shell, &stands.jails[1].by_hand(&file));
            assert_eq!(fs::read_to_string(&file).unwrap(), plain, "{shell}");
            assert_eq!(looked(&at("gone.yaml")), Standing::default(), "{shell}");
        }
        assert_eq!(stands("file=/a\nbegin=# breakglass jail r1 step 1: begin\n"), None);
    }
}
