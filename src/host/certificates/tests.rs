//! The scripts on files of the tests' own, in the shells that hosts have.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;
use crate::change::sha256_hex;
use crate::script::said;

const SHELLS: [&[&str]; 3] = [&["sh", "-s"], &["bash", "-s"], &["busybox", "sh", "-s"]];

/// A host's `/etc/kubernetes`, under another name.
struct Place {
    dir: tempfile::TempDir,
    shell: &'static [&'static str],
}

impl Place {
    fn new(shell: &'static [&'static str]) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), shell }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches("/etc/kubernetes").trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &[u8], mode: u32) {
        let file = self.at(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.at(path)).unwrap()
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let all = std::fs::read_dir(self.at(folder)).into_iter().flatten();
        let mut names: Vec<_> = all.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn sh(&self, text: &str) {
        let output = Command::new("sh").arg("-ec").arg(text).current_dir(self.dir.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// What a script prints that works here, as if it were there.
    fn run(&self, script: &Script) -> Result<String, String> {
        let here = self.dir.path().to_str().unwrap();
        // Where it signs, too: other tests of this machine sign at the same time.
        let text =
            script.text().replace("/etc/kubernetes", here).replace("/run/breakglass-", &format!("{here}/breakglass-"));
        let mut command = Command::new(self.shell[0]);
        command.args(&self.shell[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let printed =
            String::from_utf8_lossy(said(&output.stdout).unwrap_or_default()).replace(here, "/etc/kubernetes");
        let failed = Answer::parse(&printed).get("failed").map(str::to_owned);
        if output.status.success() { Ok(printed) } else { Err(failed.unwrap_or_else(|| format!("{output:?}"))) }
    }

    fn look(&self) -> (Survey, String) {
        let query = look("/etc/kubernetes/manifests", BESIDE);
        let printed = self.run(query.script()).unwrap();
        (query.read(&printed).unwrap(), printed)
    }
}

const BESIDE: &str = "/etc/kubernetes/breakglass-r1-1-certificates";
const ADMIN: &str = "/etc/kubernetes/admin.conf";

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn certificates_are_read_and_of_a_key_only_its_public_half() {
    for shell in SHELLS {
        let place = Place::new(shell);
        place.sh(
            "mkdir -p pki/etcd
             for x in pki/ca pki/etcd/ca pki/apiserver pki/front-proxy-client pki/etcd/server; do
               openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $x.key -out $x.crt -days 2 -subj /CN=$(basename $x) 2>/dev/null
             done
             openssl pkey -in pki/etcd/ca.key -aes128 -passout pass:x -out enc && mv enc pki/etcd/ca.key
             rm pki/apiserver.key; echo torn >pki/front-proxy-client.key
             ln -s server.crt pki/etcd/peer.crt; : >pki/front-proxy-ca.crt
             cat pki/etcd/server.crt pki/etcd/server.key >pki/apiserver-etcd-client.crt
             d=$(base64 -w0 <pki/ca.crt); k=$(base64 -w0 <pki/ca.key)
             printf 'clusters:\\n- cluster:\\n    certificate-authority-data: %s\\nusers:\\n- name: a\\n  user:\\n    client-certificate-data: \"%s\"\\n    client-key-data: %s\\n' $d $d $k >admin.conf
             printf 'users: [{user: {client-certificate: /a/b.crt}}]\\n' >scheduler.conf",
        );
        let keys: String = ["pki/ca.key", "pki/etcd/ca.key", "pki/etcd/server.key"]
            .map(|file| String::from_utf8(place.read(file)).unwrap())
            .join("\n");
        let (survey, printed) = place.look();
        for line in keys.lines().filter(|line| line.len() > 20 && !line.starts_with('-')) {
            assert!(
                !printed.contains(line) && !printed.contains(&STANDARD.encode(line)[..line.len() - 4]),
                "{shell:?}: a key was printed"
            );
        }
        let of = |path: &str| survey.all.iter().find(|seen| seen.item.path.ends_with(path)).cloned();
        let odd = |path: &str| of(path).and_then(|seen| seen.odd).unwrap_or_default();
        let ca = of("pki/ca.crt").unwrap();
        assert_eq!((&ca.text, ca.sha256.clone()), (&place.read("pki/ca.crt"), sha256_hex(&place.read("pki/ca.crt"))));
        let admin = of("admin.conf").unwrap();
        assert_eq!((&admin.text, &admin.key, &admin.data), (&ca.text, &ca.key, &admin.authority_data), "{shell:?}");
        assert!(matches!(&ca.key, Key::Public(key) if key.len() == 91), "{shell:?}: {:?}", ca.key);
        assert_eq!(of("pki/etcd/ca.crt").unwrap().key, Key::Encrypted);
        assert_eq!(of("pki/apiserver.crt").unwrap().key, Key::Absent);
        assert_eq!(of("pki/front-proxy-client.crt").unwrap().key, Key::Unread);
        for (path, part) in [
            ("etcd/peer.crt", "a symbolic link to server.crt"),
            ("front-proxy-ca.crt", "an empty file"),
            ("apiserver-etcd-client.crt", "a private key in it"),
            ("scheduler.conf", "without a certificate of its own"),
        ] {
            assert!(odd(path).contains(part), "{shell:?} {path}: {:?}", of(path));
            // When it ends is known all the same, where there is something to read.
            let read = of(path).unwrap().text.starts_with(b"-----BEGIN CERTIFICATE");
            assert_eq!(read, path.contains("etcd"), "{shell:?} {path}");
        }
        assert!(survey.now.is_some() && !survey.no_openssl && survey.distribution.is_none());
    }
}

fn config(data: &str, end: &str) -> String {
    format!(
        "# said Ann: +/=\nusers:\n- name: a\n  user:\n    client-certificate-data: {data}\n    client-key-data: c2VjcmV0{end}"
    )
}

#[test]
fn one_value_of_a_kubeconfig_is_put_in_and_comes_back_to_the_byte() {
    for shell in SHELLS {
        for (line, end) in [("\n", "\n"), ("\n", ""), ("\r\n", "\r\n")] {
            let place = Place::new(shell);
            let [old, new] =
                ["ab+/c=", "x+y/z=="].map(|data| config(data, end).replace('\n', line).replace("\r\r", "\r"));
            place.write(ADMIN, old.as_bytes(), 0o640);
            let files = [(sha256_hex(old.as_bytes()), ADMIN.to_owned())];
            place.run(&keep(BESIDE, &files, ("r1", "eve"))).unwrap();
            place.run(&keep(BESIDE, &files, ("r1", "eve"))).unwrap();
            let mut kept = ["mark".to_owned(), kept_as(place.at(ADMIN).to_str().unwrap())];
            kept.sort();
            assert_eq!((place.names(BESIDE), mode(&place.at(BESIDE))), (kept.to_vec(), 0o700));
            assert_eq!(place.read(&format!("{BESIDE}/mark")), b"r1\neve\ncertificates\n");
            let splice = Splice {
                path: ADMIN.into(),
                from: "ab+/c=".into(),
                to: "x+y/z==".into(),
                sha256: files[0].0.clone(),
                beside: BESIDE.into(),
            };
            // One that died between the write and the rename left its part.
            place.write(&format!("{BESIDE}/etc_kubernetes_admin.conf.part"), b"half", 0o600);
            for _ in 0..2 {
                place.run(&splice.there()).unwrap_or_else(|why| panic!("{shell:?}: {why}"));
                assert_eq!((place.read(ADMIN), mode(&place.at(ADMIN))), (new.clone().into_bytes(), 0o640), "{shell:?}");
            }
            assert!(place.run(&keep_away(BESIDE, &files)).unwrap_err().contains("is not what it was before the run"));
            for _ in 0..2 {
                place.run(&splice.back()).unwrap_or_else(|why| panic!("{shell:?}: {why}"));
                assert_eq!((place.read(ADMIN), mode(&place.at(ADMIN))), (old.clone().into_bytes(), 0o640), "{shell:?}");
            }
            place.run(&keep_away(BESIDE, &files)).unwrap();
            place.run(&keep_away(BESIDE, &files)).unwrap();
            assert_eq!(place.names(""), ["admin.conf"], "{shell:?}");
        }
    }
}

#[test]
fn what_somebody_else_wrote_is_left_alone_and_a_keep_that_fails_leaves_nothing() {
    for shell in SHELLS {
        let place = Place::new(shell);
        let (old, theirs) = (config("ab", "\n"), config("ab", "\n# theirs\n"));
        let sum = sha256_hex(old.as_bytes());
        place.write(ADMIN, theirs.as_bytes(), 0o600);
        place.write("/etc/kubernetes/pki/ca.crt", b"CA", 0o644);
        let splice = Splice {
            path: ADMIN.into(),
            from: "ab".into(),
            to: "cd".into(),
            sha256: sum.clone(),
            beside: BESIDE.into(),
        };
        let files = [(sha256_hex(b"CA"), "/etc/kubernetes/pki/ca.crt".to_owned()), (sum, ADMIN.to_owned())];
        for script in [splice.there(), splice.back(), keep(BESIDE, &files, ("r1", "eve"))] {
            let why = place.run(&script).unwrap_err();
            assert!(why.contains("somebody else has changed it"), "{shell:?}: {why}");
            assert_eq!(
                (place.read(ADMIN), place.names("")),
                (theirs.clone().into_bytes(), vec!["admin.conf".into(), "pki".to_owned()])
            );
        }
    }
}

#[test]
fn a_key_signs_and_nothing_is_left() {
    for shell in SHELLS {
        let place = Place::new(shell);
        place.sh("mkdir pki; openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out pki/ca.key 2>/dev/null");
        let script = sign(CLUSTER, "/etc/kubernetes/pki/apiserver.crt", &[7; 1500]);
        let printed = place.run(&script).unwrap();
        let (text, signature) = signed(&script, &Answer::parse(&printed)).unwrap();
        assert_eq!((text, signature.len()), (vec![7; 1500], 512), "{shell:?}");
        place.sh("openssl pkey -in pki/ca.key -aes128 -passout pass:x -out enc && mv enc pki/ca.key");
        assert!(place.run(&script).unwrap_err().contains("openssl did not sign"));
        assert!(script.text().contains("/run/breakglass-sign."));
        place.sh("rm pki/ca.key; ! ls -d breakglass-sign.*");
        assert!(place.run(&script).unwrap_err().contains("there is no /etc/kubernetes/pki/ca.key"));
    }
}

#[test]
fn an_answer_that_broke_off_is_none() {
    assert_eq!(survey("file=/etc/kubernetes/pki/ca.crt\nsha256=0\n"), None);
    let found =
        survey("sha256=0\nfile=/nobody\nfile=/etc/kubernetes/admin.conf\nkey=YQ==\nkept=1 x\nshown=/a b\nend=yes\n")
            .unwrap();
    assert_eq!((found.all.len(), found.all[0].key.clone()), (1, Key::Public(b"a".to_vec())));
    assert_eq!((found.kept.len(), found.shown.len()), (1, 1));
}
