//! Scripts in the login environments that hosts have, and in those that nobody should: each answers the same in all of them.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::swap::{self, Place};
use super::{apiserver, file, gate, left, offender, ranking};
use crate::change::{Blob, Expect, FilePut};
use crate::script::{Answer, Script, said};

/// A login: what it runs before it becomes the shell that reads the script, that shell, and its variables.
struct Login {
    before: &'static str,
    shell: &'static str,
    variables: Vec<(&'static str, String)>,
}

fn login(shell: &'static str, before: &'static str, variables: &[(&'static str, &str)]) -> Login {
    let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Login { before, shell, variables }
}

/// `home` has a `.curlrc` that sends every call astray, and `rc` a start-up file that prints, and puts functions and aliases in
/// place of tools.
fn logins(home: &Path, rc: &Path) -> Vec<Login> {
    let (home, rc) = (home.to_str().unwrap(), rc.to_str().unwrap());
    let mut all = Vec::new();
    for shell in ["sh", "bash", "bash --posix", "busybox sh"] {
        all.push(login(shell, "", &[]));
        all.push(login(shell, "umask 077", &[("HOME", home)]));
        all.push(login(
            shell,
            "umask 000; alias grep=false sed=false",
            &[("CURL_HOME", home), ("XDG_CONFIG_HOME", home)],
        ));
        all.push(login(
            shell,
            "umask 777; cd /",
            &[("PATH", "/usr/bin:/bin"), ("CDPATH", "/etc:/tmp"), ("IFS", "/a.:")],
        ));
        all.push(login(
            shell,
            "",
            &[
                ("GREP_OPTIONS", "-v --color=always"),
                ("GREP_COLORS", "mt=31"),
                ("POSIXLY_CORRECT", "1"),
                ("TMPDIR", "/nonexistent"),
                ("BLOCK_SIZE", "human-readable"),
                ("QUOTING_STYLE", "c"),
            ],
        ));
        all.push(login(
            shell,
            "echo end=yes; printf 'looked=no'",
            &[("LC_ALL", "tr_TR.UTF-8"), ("LANG", "de_DE.UTF-8"), ("LANGUAGE", "de"), ("LC_NUMERIC", "de_DE.UTF-8")],
        ));
        let proxy = "http://127.0.0.1:9";
        all.push(login(
            shell,
            "",
            &[
                ("http_proxy", proxy),
                ("https_proxy", proxy),
                ("HTTPS_PROXY", proxy),
                ("ALL_PROXY", proxy),
                ("NO_PROXY", ""),
            ],
        ));
        all.push(login(
            shell,
            "",
            &[("ENV", rc), ("BASH_ENV", rc), ("PS4", "$(echo x=y)"), ("odd", "two\nlines=here\n")],
        ));
        all.push(login(
            shell,
            "",
            &[("SHELLOPTS", "braceexpand:noclobber:noglob:nounset:errexit:allexport"), ("BASHOPTS", "failglob")],
        ));
        all.push(login(
            shell,
            "",
            &[("LD_PRELOAD", "/nonexistent.so"), ("v", "1"), ("F", "x"), ("i", "9"), ("run", "z")],
        ));
        all.push(login(
            shell,
            "",
            &[
                ("BASH_FUNC_grep%%", "() {  echo other.folder=/x\n}"),
                ("BASH_FUNC_sed%%", "() {  echo sha256=0\n}"),
                ("BASH_FUNC_printf%%", "() {  echo looked=yes\n}"),
                ("BASH_FUNC_command%%", "() {  false\n}"),
                ("BASH_FUNC_env%%", "() {  false\n}"),
                ("BASH_FUNC_[%%", "() {  true\n}"),
                ("BASH_FUNC_stat%%", "() {  false\n}"),
                ("BASH_FUNC_curl%%", "() {  false\n}"),
            ],
        ));
    }
    all
}

fn run(login: &Login, script: &Script) -> (Option<i32>, Vec<(String, String)>) {
    let mut command = Command::new("sh");
    let become_it = format!("{}\nexec {} -s", login.before, login.shell);
    command.args(["-c", "exec env \"$@\" sh -c \"$become\"", "login"]);
    for (name, value) in &login.variables {
        command.arg(format!("{name}={value}"));
    }
    command.env("become", become_it).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.text().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let answer = said(&output.stdout).unwrap_or_else(|| panic!("{} {:?}: {output:?}", login.shell, login.variables));
    let answer = Answer::parse(&String::from_utf8_lossy(answer));
    (output.status.code(), answer.pairs().map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

/// A folder as a host has it, and the scripts that are run there one after another; each leaves it as the first found it, when
/// all of them have run.
struct Host {
    root: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let host = Self { root: tempfile::tempdir().unwrap() };
        let manifests = host.path("manifests");
        std::fs::create_dir(&manifests).unwrap();
        let pod = "kind: Pod\nspec:\n  containers:\n  - command:\n    - kube-apiserver\n    - --secure-port=6443\n";
        std::fs::write(manifests.join("kube-apiserver.yaml"), pod).unwrap();
        std::fs::write(manifests.join(".hidden.yaml"), "kind: List\n").unwrap();
        let other = host.path("breakglass-r0-1-room");
        std::fs::create_dir(&other).unwrap();
        let order = format!("{}/gone.yaml\nx-y\nr0\nbob\nkube-apiserver\n", manifests.display());
        std::fs::write(other.join("order"), order).unwrap();
        std::fs::write(other.join("out.yaml"), pod).unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A `.curlrc` that no call must obey, and a start-up file.
    fn home(&self) -> (PathBuf, PathBuf) {
        let home = self.path("home");
        std::fs::create_dir(&home).unwrap();
        for name in [".curlrc", "curlrc"] {
            std::fs::write(home.join(name), "proxy = http://127.0.0.1:9\nfail\n").unwrap();
        }
        let rc = home.join("rc");
        std::fs::write(&rc, "echo sha256=no\nalias sha256sum=false\nbase64() { false; }\n").unwrap();
        (home, rc)
    }

    fn scripts(&self) -> Vec<Script> {
        let place = Place {
            manifests: self.path("manifests").display().to_string(),
            program: "kube-apiserver".into(),
            run: "r1".into(),
            operator: "a b's".into(),
            tag: "1-room".into(),
        };
        let put = |content: Option<&[u8]>, expect| {
            let path = format!("{}/kept.yaml", place.beside());
            file::put(&FilePut { path, mode: 0o640, content: content.map(Blob::new), expect }).unwrap()
        };
        let bytes: Vec<u8> = (0..=255).cycle().take(3000).collect();
        let kept = Expect::Sha256(crate::change::sha256_hex(&bytes));
        vec![
            swap::look(&place).into(),
            swap::folder(&place),
            put(Some(&bytes), Expect::Absent),
            swap::look(&place).into(),
            swap::folder_away(&place),
            put(None, kept),
            swap::under_way(&place.manifests, &place.program).into(),
            swap::folder_away(&place),
            // Nobody listens there.
            gate::knock(SocketAddr::from(([127, 0, 0, 1], 9))).into(),
            gate::memory().into(),
            apiserver::presence().into(),
            offender::look(&[6443], Some("a"), None).into(),
            ranking::audit("/nowhere/audit.log", 0, 1000).into(),
            ranking::server_log("/nowhere/kube-apiserver.log", 0, 1000).into(),
            ranking::sockets(&[6443]).into(),
            left::look(&place.manifests).into(),
        ]
    }
}

/// What is not the same at two moments.
fn steady(answers: Vec<(String, String)>) -> Vec<(String, String)> {
    let moves = |key: &str| {
        matches!(
            key,
            "available"
                | "process"
                | "age"
                | "other.age"
                | "marked"
                | "now"
                | "listen"
                | "listen_hex"
                | "proc"
                | "ssh"
                | "own"
        )
    };
    answers.into_iter().filter(|(key, _)| !moves(key)).collect()
}

#[test]
fn every_script_answers_the_same_in_every_login_environment() {
    let host = Host::new();
    let (home, rc) = host.home();
    let all = |login: &Login| -> Vec<_> {
        let answered = host.scripts().into_iter().map(|script| (run(login, &script), script.name));
        answered.map(|((code, answers), name)| (name, code, steady(answers))).collect()
    };
    let plain = all(&login("sh", "", &[]));
    let code = |at: usize| plain[at].1;
    assert_eq!((code(0), code(2), code(4), code(7)), (Some(0), Some(0), Some(1), Some(0)), "{plain:?}");
    assert!(plain[0].2.iter().any(|(key, value)| key == "other.is" && value == "out"), "{plain:?}");
    assert!(plain[8].2.iter().any(|(key, _)| key == "knock"), "{plain:?}");
    for login in logins(&home, &rc) {
        let answered = all(&login);
        for (one, wanted) in answered.iter().zip(&plain) {
            assert_eq!(one, wanted, "{} after {:?} with {:?}", login.shell, login.before, login.variables);
        }
    }
}

/// The look that takes longest, under the shells that are least alike.
#[test]
fn a_host_is_surveyed_the_same_in_every_login_environment() {
    let host = Host::new();
    let (home, rc) = host.home();
    let survey = gate::survey(&[host.path("manifests").display().to_string()]).into();
    let (code, wanted) = run(&login("sh", "", &[]), &survey);
    let wanted = steady(wanted);
    assert!(
        code == Some(0) && wanted.iter().any(|(key, value)| key == "manifest" && value.starts_with("6443 ")),
        "{wanted:?}"
    );
    for login in logins(&home, &rc).iter().filter(|login| ["bash --posix", "busybox sh"].contains(&login.shell)) {
        let (code, answers) = run(login, &survey);
        let answers = steady(answers);
        assert_eq!(
            (code, &answers),
            (Some(0), &wanted),
            "{} after {:?} with {:?}",
            login.shell,
            login.before,
            login.variables
        );
    }
}

/// The whole kit of variables that a shell could hand over is gone when a tool starts, but for who logged in.
#[test]
fn a_tool_sees_no_variable_of_the_login() {
    for shell in ["sh", "bash", "bash --posix", "busybox sh"] {
        let login =
            login(shell, "", &[("ANYTHING", "1"), ("SSH_CONNECTION", "10.0.0.9 1 10.0.0.1 22"), ("HOME", "/root")]);
        let script = Script::new("x", "env | sed -n 's/^\\([A-Za-z_]*\\)=.*/name=\\1/p'\nsay umask \"$(umask)\"");
        let (_, answers) = run(&login, &script);
        let names: Vec<&str> = answers.iter().filter(|(key, _)| key == "name").map(|(_, name)| name.as_str()).collect();
        assert!(names.contains(&"SSH_CONNECTION") && names.contains(&"LC_ALL"), "{shell}: {names:?}");
        let known = ["PATH", "LC_ALL", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "SSH_CONNECTION", "_", "SHLVL"];
        assert!(names.iter().all(|name| known.contains(name)), "{shell}: {names:?}");
        assert!(answers.contains(&("umask".into(), "0022".into())), "{shell}: {answers:?}");
    }
}
