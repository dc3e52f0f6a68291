//! Certificates that have ended, through the whole loop: renewed, left alone, refused, and taken back.

use serde_json::json;

use super::support::*;
use crate::change::Target;
use crate::error::Class;
use crate::host::certificates::{CertificatesLook, kept_as};
use crate::host::order::Order as _;
use crate::journal::Entry;
use crate::kit::Cluster;
use crate::kit::reissue::Paper;
use crate::world::fake::certificates::{ENDED, mode_of};

const CA: &str = "/etc/kubernetes/pki/ca.crt";
const API: &str = "/etc/kubernetes/pki/apiserver.crt";
const ADMIN: &str = "/etc/kubernetes/admin.conf";

fn host() -> Target {
    Target::host("east", "cp1")
}

fn ended(path: &str) -> &'static str {
    ENDED.iter().find(|(own, _)| *own == path).map(|(_, text)| text.as_str()).unwrap()
}

/// One control-plane host of which everything has ended, but for what stands in these files instead; an empty one is not there.
fn bench(instead: &[(&str, &str)], with: serde_json::Value) -> Bench {
    let cluster = Cluster { hosts: cluster("east").hosts[..1].to_vec(), ..cluster("east") };
    let fake = world_of(vec![cluster.clone()]);
    let other = |path: &str| instead.iter().find(|(own, _)| *own == path).map(|(_, text)| *text);
    for (path, text) in ENDED.iter() {
        let text = other(path).unwrap_or(text);
        if !text.is_empty() {
            fake.write_as(&host(), path, mode_of(path), text);
        }
    }
    Bench::new(fake, plan_over(vec![cluster], &[("renew", "renew-certificates", with)], &policy()))
}

fn saw(bench: &Bench) -> String {
    let all = bench.lines().into_iter().filter_map(|line| match line.entry {
        Entry::Saw { what, .. } => Some(what.to_string()),
        _ => None,
    });
    all.collect::<Vec<_>>().join("\n")
}

fn paper(bench: &Bench, path: &str) -> Paper {
    Paper::one(bench.fake.files(&host())[path].as_bytes()).unwrap()
}

#[test]
fn what_has_ended_is_signed_anew_by_its_own_ca_and_comes_back_to_the_same_bytes() {
    paused(async {
        let bench = bench(&[], json!({"ca": true}));
        let before = bench.fake.files(&host());
        let report = bench.run().await;
        assert_eq!(report.class, None, "{}", report.why);
        let [ca, api] = [CA, API].map(|path| paper(&bench, path));
        for (paper, path) in [(&ca, CA), (&api, API)] {
            let old = Paper::one(ended(path).as_bytes()).unwrap();
            assert!(paper.issued_by(&ca) && paper.not_after > old.not_after && paper.public_key == old.public_key);
            assert_eq!(paper.subject, old.subject);
        }
        assert_eq!(api.not_after, ca.not_after.min(api.not_after), "none outlives its CA");
        // Of the kubeconfig nothing else moved: with the old values back in it, it is what it was.
        let files = bench.fake.files(&host());
        let lines =
            |text: &str| text.lines().filter(|line| !line.contains("cert")).map(str::to_owned).collect::<Vec<_>>();
        assert!(files[ADMIN] != before[ADMIN] && lines(&files[ADMIN]) == lines(&before[ADMIN]));
        let said = saw(&bench);
        for part in [
            "2 certificates to renew: pki/apiserver.crt, admin.conf; pki/apiserver.crt ended on 2020-12-31",
            "the new ones are shown at 127.0.0.1:6443",
            "renewed: pki/ca.crt, pki/apiserver.crt, admin.conf",
            "kube-root-ca.crt",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.files(&host()), before);
    });
}

#[test]
fn a_second_run_changes_nothing() {
    paused(async {
        let first = bench(&[], json!({"ca": true}));
        assert_eq!(first.run().await.class, None);
        let files = first.fake.files(&host());
        let instead: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let again = bench(&instead, json!({"ca": true}));
        assert_eq!(again.run().await.class, None);
        assert_eq!(again.fake.ops(), 0);
        let said = saw(&again);
        assert!(said.contains("none has ended; the first to end is "), "{said}");
    });
}

#[test]
fn what_the_host_cannot_sign_is_said_with_what_to_type_and_nothing_is_sent() {
    let other = |name: &str| {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    };
    let (foreign, foreign_key) = other("kubernetes");
    let key = "/etc/kubernetes/pki/ca.key";
    let two = format!("{}{foreign}", ended(CA));
    let chain = format!("{}{foreign}", ended(API));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let rows: Vec<(Vec<(&str, &str)>, bool, &str)> = vec![
        (vec![], false, "breakglass renew-certificates --ca"),
        (vec![(key, "")], true, "ca.key, is not on this host: an external CA signs here"),
        (vec![(key, encrypted)], true, "ca.key, is encrypted"),
        (vec![(key, "torn")], true, "no key can be read out of /etc/kubernetes/pki/ca.key"),
        (vec![(key, &foreign_key)], true, "ca.key is not the key of /etc/kubernetes/pki/ca.crt"),
        (vec![(CA, &foreign), (key, &foreign_key)], false, "is not its CA: it was issued by CN=kubernetes"),
        (vec![(CA, &two)], true, "it holds 2 certificates"),
        (vec![(CA, "->/mnt/ca.crt")], true, "a symbolic link to /mnt/ca.crt"),
        (vec![(CA, "")], true, "is not on this host"),
        (vec![(CA, ""), (API, &chain), (ADMIN, "")], true, "a file with 2 certificates"),
    ];
    for (instead, ca, part) in rows {
        paused(async {
            let bench = bench(&instead, json!({"ca": ca}));
            let how = trap(Trap::Never);
            let report = bench.go(Verb::Run, &how).await.unwrap();
            assert_eq!(report.class, Some(Class::Refused), "{part}: {}", report.why);
            let hint = format!("{:?}", how.ears.heard.lock().unwrap());
            assert!(report.why.contains(part) || hint.contains(part), "{part}: {} {hint}", report.why);
            assert_eq!(bench.fake.ops(), 0, "{part}");
        });
    }
}

#[test]
fn one_that_cannot_be_renewed_keeps_no_other_from_it_and_is_the_end_of_the_step() {
    paused(async {
        // Its key is another's.
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let bench = bench(&[("/etc/kubernetes/pki/apiserver.key", &key)], json!({"ca": true}));
        let report = bench.run().await;
        assert_eq!(report.class, Some(Class::Partial), "{}", report.why);
        assert!(
            report.why.contains("the key /etc/kubernetes/pki/apiserver.key is not that of this certificate"),
            "{}",
            report.why
        );
        assert_eq!(bench.fake.files(&host())[API], ended(API));
        assert!(saw(&bench).contains("renewed: pki/ca.crt, admin.conf"));
    });
}

#[test]
fn a_host_whose_clock_is_off_or_that_has_no_openssl_or_is_of_another_distribution_is_refused() {
    for (line, part) in [
        ("now=1577836800", "1827 days behind ours"),
        ("now=1900000000", "ahead of ours"),
        ("openssl=missing", "no openssl"),
        ("distribution=/var/lib/rancher/k3s", "another distribution keeps its certificates there"),
    ] {
        paused(async {
            let bench = bench(&[], json!({}));
            bench.fake.on_script(Box::new(move |_, script| {
                CertificatesLook::of(script)?;
                let text = "file=/etc/kubernetes/pki/ca.crt\nsha256=0\ntext=\n";
                Some(crate::world::ScriptOutput {
                    status: 0,
                    stdout: format!("{line}\n{text}end=yes\n"),
                    stderr: String::new(),
                })
            }));
            let report = bench.run().await;
            assert!(report.class == Some(Class::Refused) && report.why.contains(part), "{part}: {}", report.why);
            assert_eq!(bench.fake.ops(), 0);
        });
    }
}

#[test]
fn undo_leaves_alone_what_somebody_wrote_since_and_keeps_the_old_text_on_the_host() {
    paused(async {
        let bench = bench(&[], json!({"ca": true}));
        assert_eq!(bench.run().await.class, None);
        let theirs = format!("{}# by hand\n", bench.fake.files(&host())[API]);
        bench.fake.write_as(&host(), API, 0o644, &theirs);
        assert!(bench.undo().await.class.is_some());
        let files = bench.fake.files(&host());
        assert_eq!(files[API], theirs);
        assert!(
            files.iter().any(|(path, text)| path.ends_with(&kept_as(API)) && text == ended(API)),
            "{:?}",
            files.keys()
        );
        // Once it is as the run left it, the next try takes all of it back.
        assert_ne!(files[CA], ended(CA));
    });
}

#[test]
fn no_byte_of_a_key_comes_home() {
    paused(async {
        let bench = bench(&[], json!({"ca": true}));
        assert_eq!(bench.run().await.class, None);
        let journal = bench.lines().iter().map(|line| serde_json::to_string(line).unwrap()).collect::<String>();
        for (path, text) in ENDED.iter().filter(|(path, _)| path.contains(".key")) {
            let key = text.lines().nth(1).unwrap();
            assert!(!journal.contains(key), "{path}");
        }
        let key = ended(ADMIN).lines().find_map(|line| line.trim().strip_prefix("client-key-data: ")).unwrap();
        assert!(!journal.contains(&key[100..140]), "the key of {ADMIN}");
    });
}
