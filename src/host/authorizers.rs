//! The file of an API server's authorizers, made in peace in the place of `--authorization-mode`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::genuine::GENUINE;
use super::order::{Order as _, Query, order};
use super::swap::LIB;
use crate::change::sha256_hex;
use crate::script::{Answer, Script, quote};

/// Where kubeadm's users keep it by custom.
pub const FILE: &str = "/etc/kubernetes/authorization/config.yaml";
/// The modes that are known to mean the same in the file as in the flag, and what they are called there.
const MODES: [(&str, &str); 2] = [("Node", "node"), ("RBAC", "rbac")];

/// The text that means what `--authorization-mode` says, for an API server of this release where that is known.
///
/// # Errors
/// One sentence: a mode that only a person can write down, or a release that does not know the file.
pub fn text(modes: &[String], release: Option<(u32, u32)>) -> Result<String, String> {
    let version = match release {
        Some(release) if release < (1, 30) => {
            return Err(format!(
                "it is of Kubernetes {}.{}, and only from 1.30 on does an API server read such a file again",
                release.0, release.1
            ));
        }
        Some(release) if release < (1, 32) => "v1beta1",
        _ => "v1",
    };
    let mut list = String::new();
    for mode in modes {
        let Some((known, name)) = MODES.iter().find(|(known, _)| known == mode) else {
            return Err(format!(
                "--authorization-mode has {mode}, whose own flags say more than its name: only Node and RBAC are written down here"
            ));
        };
        list.push_str(&format!("- type: {known}\n  name: {name}\n"));
    }
    if list.is_empty() {
        return Err("it has no --authorization-mode, which allows everybody everything".into());
    }
    Ok(format!(
        "# The authorizers of this host's kube-apiserver, in the order in which they are asked. It reads this file again at each change.\n\
         # Made by `breakglass prepare authorization-config`, in the place of --authorization-mode={}.\n\
         apiVersion: apiserver.config.k8s.io/{version}\nkind: AuthorizationConfiguration\nauthorizers:\n{list}",
        modes.join(",")
    ))
}

/// What a host has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The `--authorization-config` of each API server that runs there; empty where it was given none.
    pub configs: Vec<String>,
    /// The folder of the file is there.
    pub folder: bool,
    /// The file's SHA-256, where there is one.
    pub sha256: Option<String>,
    /// What stands in the way.
    pub no: Option<String>,
}

order! {
    /// Looks at the file, and at what the API servers that run were told.
    AuthorizersLook = "authorizers.look" { manifests: String, file: String } -> Seen, |_, stdout| seen(stdout)
}

/// The script that looks; it writes nothing.
pub fn look(manifests: &str, file: &str) -> Query<AuthorizersLook> {
    let body = format!(
        r#"{GENUINE}{LIB}manifests={}; F={}; D=${{F%/*}}
for x in $(processes kube-apiserver); do
  say config "$(tr '\000' '\n' <"/proc/${{x%%:*}}/cmdline" 2>/dev/null | sed -n -e '/^--authorization-config$/{{n;p;}}' -e 's/^--authorization-config=//p' | tail -n 1)."
done
if [ -L "$F" ] || [ -L "$D" ]; then say no "$F or its folder is a symbolic link"
elif [ -e "$F" ] && [ ! -f "$F" ]; then say no "$F is no file"
elif [ -e "$D" ] && [ ! -d "$D" ]; then say no "$D is no folder"
elif [ ! -d "${{D%/*}}/" ]; then say no "there is no folder ${{D%/*}}"
fi
if [ -d "$D" ]; then say folder yes; fi
if [ -f "$F" ]; then say sha256 "$(sum "$F")"; fi
say end yes
"#,
        quote(manifests),
        quote(file),
    );
    AuthorizersLook { manifests: manifests.to_owned(), file: file.to_owned() }.query(body)
}

fn seen(stdout: &str) -> Option<Seen> {
    let answer = Answer::parse(stdout);
    // A full stop ends each, so that nothing is something.
    let configs = answer.all("config").map(|text| text.trim_end_matches('.').to_owned()).collect();
    answer.yes("end").then(|| Seen {
        configs,
        folder: answer.yes("folder"),
        sha256: answer.get("sha256").map(str::to_owned),
        no: answer.get("no").map(str::to_owned),
    })
}

order! {
    /// Makes the file, and its folder where there is none.
    AuthorizersPut = "authorizers.put" { file: String, text: String, sha256: String }
}

/// The script that makes it, for everybody to read and for root to write; it may be repeated.
pub fn put(file: &str, text: &str) -> Script {
    let sha256 = sha256_hex(text.as_bytes());
    let body = format!(
        r#"{LIB}F={}; D=${{F%/*}}; T="$D/.breakglass.part"; sha={}
have sha256sum || fail "no sha256sum on this host" 3
if [ "$(sum "$F")" = "$sha" ]; then rm -f "$T"; say sha256 "$sha"; return 0; fi
[ ! -e "$F" ] && [ ! -L "$F" ] || fail "$F is there already, and nothing is written over it" 4
umask 022
[ -d "$D" ] || mkdir "$D" || fail "cannot make $D" 3
base64 -d >"$T" <<'BREAKGLASS_TEXT'
{}
BREAKGLASS_TEXT
[ "$(sum "$T")" = "$sha" ] || {{ rm -f "$T"; fail "cannot write $T (disk full?)" 3; }}
sync "$T" 2>/dev/null || sync
# A second name is given only where nothing has it yet.
ln "$T" "$F" || {{ rm -f "$T"; fail "$F cannot be made" 3; }}
rm -f "$T"
sync "$D" 2>/dev/null || sync
say sha256 "$(sum "$F")"
"#,
        quote(file),
        quote(&sha256),
        STANDARD.encode(text)
    );
    AuthorizersPut { file: file.to_owned(), text: text.to_owned(), sha256 }
        .script(body)
        .words(format!("the authorizers into {file}"))
}

/// The same before anything is known of the host.
pub fn announced(file: &str) -> Script {
    let own = str::to_owned;
    let order = AuthorizersPut { file: own(file), text: own("<its authorizers>"), sha256: own("<sha256>") };
    order.script(put(file, "").body).words(format!("the authorizers into {file}"))
}

order! {
    /// Takes the file away, and its folder where that was made with it.
    AuthorizersAway = "authorizers.away" { file: String, sha256: String, folder: String }
}

/// The script that takes it away; `with_folder`: its folder was not there before. It may be repeated.
pub fn away(file: &str, sha256: &str, with_folder: bool) -> Script {
    let folder = if with_folder { "made" } else { "there" };
    let body = format!(
        r#"{LIB}F={}; D=${{F%/*}}; sha={}; folder={folder}
if [ -e "$F" ] || [ -L "$F" ]; then
  [ "$(sum "$F")" = "$sha" ] || fail "$F is not what was put there: somebody else has changed it" 4
  rm -f "$F" || fail "cannot remove $F" 3
fi
rm -f "$D/.breakglass.part"
if [ "$folder" = made ] && [ -d "$D" ]; then rmdir "$D" || fail "$D is not empty: $(ls -A "$D" | tr '\n' ' ')" 4; fi
sync "${{D%/*}}" 2>/dev/null || sync
say file absent
"#,
        quote(file),
        quote(sha256)
    );
    AuthorizersAway { file: file.to_owned(), sha256: sha256.to_owned(), folder: folder.into() }
        .script(body)
        .words(format!("{file} away"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::script::said;

    fn run(shell: &str, script: &Script) -> (bool, Answer) {
        let mut words = shell.split(' ');
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(script.text().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let printed = String::from_utf8_lossy(said(&output.stdout).unwrap()).into_owned();
        (output.status.success(), Answer::parse(&printed))
    }

    fn modes(list: &str) -> Vec<String> {
        list.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn a_flag_is_written_down_in_its_own_order_or_refused() {
        let text_of = |list: &str, release| text(&modes(list), release);
        let good = text_of("RBAC,Node", Some((1, 34))).unwrap();
        assert!(good.ends_with("config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n- type: RBAC\n  name: rbac\n- type: Node\n  name: node\n"), "{good}");
        assert!(text_of("Node", Some((1, 31))).unwrap().contains("/v1beta1\n"));
        assert!(text_of("Node", None).unwrap().contains("/v1\n"));
        for (list, release, part) in [
            ("Node,RBAC", Some((1, 29)), "only from 1.30 on"),
            ("Node,Webhook", None, "has Webhook"),
            ("", None, "allows everybody everything"),
        ] {
            assert!(text_of(list, release).unwrap_err().contains(part), "{list}");
        }
        // A jail is put into what is written here.
        let jail = crate::host::jail::planned(&crate::host::jail::Whom {
            who: crate::host::jail::Who::User("jane".into()),
            called: "user/jane".into(),
            verbs: Vec::new(),
            resources: Vec::new(),
        });
        assert!(crate::host::jail::put_in_text(&good, &jail, "/a/b").is_ok());
    }

    #[test]
    fn the_file_is_made_with_its_folder_and_goes_with_it() {
        for shell in ["sh", "bash", "busybox sh"] {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join("it's/config.yaml");
            let file = path.to_str().unwrap();
            let ask = || look("/m", file).read(&run_text(shell, &look("/m", file))).unwrap();
            assert_eq!((ask().folder, ask().sha256, ask().no), (false, None, None), "{shell}");
            let there = put(file, "a: 1\n");
            for _ in 0..2 {
                assert!(run(shell, &there).0, "{shell}");
                assert_eq!(std::fs::read_to_string(&path).unwrap(), "a: 1\n");
            }
            assert_eq!(ask().sha256, Some(sha256_hex(b"a: 1\n")));
            let gone = away(file, &sha256_hex(b"a: 1\n"), true);
            // What somebody else wrote stays.
            std::fs::write(&path, "b: 2\n").unwrap();
            assert!(!run(shell, &gone).0 && !run(shell, &there).0, "{shell}");
            std::fs::write(&path, "a: 1\n").unwrap();
            for _ in 0..2 {
                assert!(run(shell, &gone).0, "{shell}");
                assert!(!path.parent().unwrap().exists(), "{shell}");
            }
            std::fs::create_dir(path.parent().unwrap()).unwrap();
            assert!(run(shell, &there).0 && run(shell, &away(file, &sha256_hex(b"a: 1\n"), false)).0);
            assert!(path.parent().unwrap().exists() && !path.exists(), "{shell}");
        }
    }

    fn run_text(shell: &str, query: &Query<AuthorizersLook>) -> String {
        let (_, answer) = run(shell, query.script());
        answer.pairs().map(|(key, value)| format!("{key}={value}\n")).collect()
    }

    #[test]
    fn what_a_server_was_told_is_read() {
        let read = |text: &str| look("/m", "/a/b").read(text);
        assert_eq!(read("config=/a/b.\nconfig=.\nend=yes\n").unwrap().configs, ["/a/b", ""]);
        assert!(read("config=/a/b.\n").is_err(), "it broke off");
    }
}
