//! Each class out of what a host says.

use std::time::Duration;

use super::cause::{Case, Verdict};
use super::from::From;
use crate::change::Target;
use crate::host::rescue::Evidence;
use crate::host::swap::{File, Seen};
use crate::kit::kept::Kept;

const PROGRAM: &str = "kube-apiserver";
const OWN: &str = "/m/kube-apiserver.yaml";

fn pod(lines: &str) -> String {
    format!(
        "kind: Pod\nmetadata: {{name: kube-apiserver, namespace: kube-system}}\nspec:\n  containers:\n  - name: kube-apiserver\n    \
         command:\n    - kube-apiserver\n{lines}    image: r/kube-apiserver:v1.34.4\n"
    )
}

fn seen(files: &[(&str, String)]) -> Seen {
    let file = |(path, text): &(&str, String)| File {
        path: (*path).to_owned(),
        sha256: crate::change::sha256_hex(text.as_bytes()),
        text: Ok(text.clone()),
    };
    Seen {
        files: files.iter().map(|(path, _)| (*path).to_owned()).collect(),
        all: files.iter().map(file).collect(),
        namesakes: Vec::new(),
        sha256: String::new(),
        text: String::new(),
        mode: 0o600,
        processes: Vec::new(),
        before: None,
        next: None,
        folder: false,
        marked: None,
        state: None,
        others: Vec::new(),
    }
}

fn log(lines: &[&str]) -> Evidence {
    let log = lines.iter().map(|line| (*line).to_owned()).collect();
    Evidence { log, restarts: Some(3), has_kubelet: true, file: Some("/var/log/x/3.log".into()), ..Evidence::default() }
}

fn runs(age: u64) -> Evidence {
    Evidence { processes: vec![(7, Duration::from_secs(age))], has_kubelet: true, ..Evidence::default() }
}

/// What is said of it; a flag and a stray by their names.
fn judged(
    files: &[(&str, String)],
    evidence: &Evidence,
    asked: Option<&str>,
    before: Option<&[u32]>,
    waited: u64,
) -> String {
    let seen = seen(files);
    let waited = Duration::from_secs(waited);
    let case = Case { program: PROGRAM, manifests: "/m", seen: &seen, evidence, asked, before, kept: None, waited };
    said(case)
}

fn said(case: Case<'_>) -> String {
    match case.verdict() {
        Verdict::Well(more) => format!("well {}", more.unwrap_or_default()),
        Verdict::Flag(bad, _) => format!("flag {}", bad.flag),
        Verdict::Stray(stray) => format!("stray {}", stray.goes.path),
        Verdict::Waits(what) => format!("waits {what}"),
        Verdict::Told(why, next) => format!("told {why} => {next}"),
    }
}

#[track_caller]
fn case(files: &[(&str, String)], evidence: &Evidence, waited: u64, parts: &[&str]) {
    let said = judged(files, evidence, None, None, waited);
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in: {said}");
    }
}

#[test]
fn each_class_is_told_from_the_others_by_what_the_host_says() {
    let own = || [(OWN, pod("    - --v=2\n"))];
    let copies = |evidence: Evidence| Evidence { copies: vec![(7200, "/etc/k/b/before.yaml".into())], ..evidence };
    case(&[(OWN, pod("    - --bad=1\n"))], &log(&["Error: unknown flag: --bad"]), 0, &["flag bad"]);
    case(&own(), &log(&["Error: unknown flag: --bad"]), 0, &["told bad flag: --bad, which", "does not give"]);
    case(
        &[(OWN, pod("    - --anonymous-auth=no-way\n"))],
        &log(&["Error: invalid argument \"no-way\" for \"--anonymous-auth\" flag: parse"]),
        0,
        &["told bad flag: --anonymous-auth", "keep out"],
    );
    case(
        &own(),
        &log(&["panic: it broke"]),
        0,
        &["told crash loop", "started 4 times", "panic: it broke", "no other text"],
    );
    case(
        &own(),
        &copies(log(&["F0101 main.go] no"])),
        0,
        &["crash loop", "another text of it, 2h old, is /etc/k/b/before.yaml"],
    );
    case(&own(), &log(&["listen tcp :6443: bind: address already in use"]), 0, &["told port taken"]);
    let taken = Evidence { listens: true, holder: Some("\"nginx\",pid=9".into()), ..log(&[]) };
    case(&own(), &taken, 90, &["told port taken by \"nginx\"", "somebody else listens"]);
    case(&own(), &log(&["x509: certificate has expired or is not yet valid"]), 0, &["told certificate ended"]);
    let ended = Evidence {
        ended: vec!["/pki/e.crt Jan 1".into()],
        ..log(&["E0101 run.go:72] \"command failed\" err=\"deadline\""])
    };
    case(&own(), &ended, 0, &["told certificate ended: /pki/e.crt Jan 1"]);
    let none = || Evidence { has_kubelet: true, ..Evidence::default() };
    let pulls = Evidence { kubelet: vec!["ErrImagePull: kube-apiserver".into()], ..none() };
    case(&own(), &pulls, 0, &["told image cannot be pulled: r/kube-apiserver:v1.34.4", "ErrImagePull"]);
    case(&own(), &Evidence { no_image: true, ..none() }, 0, &["image cannot be pulled", "does not have it"]);
    case(&[], &copies(none()), 0, &["told manifest gone", "breakglass rescue-manifest --from /etc/k/b/before.yaml"]);
    case(
        &[],
        &Evidence { named: vec![OWN.into()], ..none() },
        0,
        &["told manifest unreadable: /m/kube-apiserver.yaml: it is empty"],
    );
    case(&[(OWN, "kind: Pod\n a: [\n".into())], &none(), 0, &["told manifest unreadable", "line "]);
    case(&[(OWN, format!("{}{{{{ .Flags }}}}\n", pod("")))], &none(), 0, &["told manifest unreadable"]);
    case(&own(), &Evidence::default(), 90, &["no kubelet is seen"]);
    case(&own(), &none(), 90, &["told not known", "no log of a container was found"]);
    case(
        &own(),
        &Evidence { stale: true, ..none() },
        90,
        &["told its kubelet does not start it", "since its manifest was changed", "=> systemctl restart kubelet"],
    );
    case(&own(), &runs(900), 90, &["came up well", "no matter of its manifest => breakglass probe"]);
}

#[test]
fn what_may_still_come_or_say_why_is_waited_for() {
    let own = [(OWN, pod("    - --bad=1\n"))];
    case(&own, &runs(3), 5, &["waits kube-apiserver to answer"]);
    case(&own, &Evidence { has_kubelet: true, ..Evidence::default() }, 5, &["waits"]);
    // Soon after the change a kubelet is not suspected, and later it is.
    let stale = Evidence { stale: true, has_kubelet: true, ..Evidence::default() };
    for (waited, suspected) in [(30, false), (50, true)] {
        let said = judged(&own, &stale, None, Some(&[]), waited);
        assert!(said.starts_with("waits") && said.contains("kubernetes#105543") == suspected, "{waited}: {said}");
    }
    let pulls = judged(&own, &Evidence { no_image: true, ..stale }, None, Some(&[]), 90);
    assert!(!pulls.contains("kubernetes#105543"), "{pulls}");
    // After its own change for as long as the step lasts, unless a container says that it is something else.
    let waits = judged(&own, &Evidence::default(), None, Some(&[]), 500);
    assert!(waits.starts_with("waits"), "{waits}");
    assert!(judged(&own, &log(&["panic: x"]), None, Some(&[]), 5).starts_with("told crash loop"));
}

#[test]
fn what_answers_is_left_alone_and_a_process_from_before_a_change_does_not_count() {
    let two = [(OWN, pod("")), ("/m/kube-apiserver.yaml.bak", pod("    - --v=3\n"))];
    let well = Evidence { answers: true, listens: true, ..runs(900) };
    assert_eq!(judged(&two[..1], &well, None, None, 0), "well ");
    let said = judged(&two, &well, None, None, 0);
    assert!(said.starts_with("well ") && said.contains("by their names /m/kube-apiserver.yaml.bak"), "{said}");
    assert!(judged(&two[..1], &well, None, Some(&[7]), 0).starts_with("waits"));
    assert!(judged(&two[..1], &well, None, Some(&[6]), 0).starts_with("well"));
    // Named by somebody, it goes; once.
    assert_eq!(judged(&two, &well, Some("kube-apiserver.yaml.bak"), None, 0), "stray /m/kube-apiserver.yaml.bak");
    assert!(judged(&two[..1], &well, Some("kube-apiserver.yaml.bak"), Some(&[6]), 0).starts_with("well"));
    // Nobody can ask it: that it listens has to do.
    assert!(
        judged(&two[..1], &Evidence { unasked: true, listens: true, ..runs(3) }, None, None, 0).starts_with("well")
    );
}

#[test]
fn a_stray_file_goes_unless_the_server_is_drowned_rather_than_down() {
    let two = [(OWN, pod("")), ("/m/kube-apiserver.yaml.bak", pod("    - --v=3\n"))];
    assert_eq!(judged(&two, &log(&["panic: x"]), None, None, 0), "stray /m/kube-apiserver.yaml.bak");
    let elsewhere = runs(900);
    assert_eq!(judged(&two, &elsewhere, None, None, 0), "stray /m/kube-apiserver.yaml.bak", "it listens elsewhere");
    let drowned = Evidence { listens: true, ..runs(900) };
    let said = judged(&two, &drowned, None, None, 0);
    assert!(said.contains("drowned or hangs") && said.contains("nothing was touched"), "{said}");
    let twins = [(OWN, pod("")), ("/m/z.yaml", pod(""))];
    let said = judged(&twins, &log(&["panic: x"]), None, None, 0);
    assert!(said.contains("told /m/kube-apiserver.yaml, /m/z.yaml start") && said.contains("--stray PATH"), "{said}");
}

#[test]
fn killed_for_its_memory_is_told_at_once_and_not_of_one_that_says_why_it_ends_or_lives() {
    let files = [(OWN, pod(""))];
    let killed = |evidence: Evidence| Evidence { killed: 4, ..evidence };
    let quiet = ["I0101 serving", "I0101 more"];
    case(
        &files,
        &killed(log(&quiet)),
        0,
        &["told killed for its memory by the kernel, 4 times in its pod", "apiserver-oom-loop"],
    );
    let young = Evidence { processes: runs(9).processes, ..killed(log(&quiet)) };
    case(&files, &young, 0, &["told killed for its memory"]);
    case(&files, &killed(log(&["Error: unknown flag: --x"])), 0, &["bad flag"]);
    case(&files, &killed(log(&["panic: so"])), 0, &["told crash loop"]);
    case(&files, &killed(runs(7200)), 0, &["waits"]);
    case(&files, &log(&quiet), 0, &["waits"]);
}

/// A text that was seen to be good, before others that happen to lie on the host.
#[test]
fn the_kits_copy_is_named_where_another_text_is_what_is_needed() {
    let text = pod("    - --v=2\n");
    let kept = Kept { text, seen: "2026-11-20T14:03:00Z".parse().unwrap(), path: "/kit/prod.kept/cp1.yaml".into() };
    let evidence = |log: Evidence| Evidence { copies: vec![(7200, "/etc/k/b/before.yaml".into())], ..log };
    for (files, evidence, parts) in [
        (
            seen(&[]),
            evidence(Evidence::default()),
            ["manifest gone", "look at /kit/prod.kept/cp1.yaml here, then: breakglass rescue-manifest --from kit"],
        ),
        (seen(&[(OWN, "kind: Pod\n a: [\n".into())]), evidence(Evidence::default()), ["unreadable", "--from kit"]),
        (
            seen(&[(OWN, pod("    - --v=3\n"))]),
            evidence(log(&["panic: it broke"])),
            ["crash loop", "the kit's copy, a file of 2026-11-20 14:03 UTC (--from kit); another text"],
        ),
    ] {
        let waited = Duration::ZERO;
        let (seen, evidence, kept) = (&files, &evidence, Some(&kept));
        let case = Case { program: PROGRAM, manifests: "/m", seen, evidence, asked: None, before: None, kept, waited };
        let said = said(case);
        assert!(parts.iter().all(|part| said.contains(part)), "{parts:?}: {said}");
    }
}

#[test]
fn a_text_is_a_file_of_the_host_or_the_kits_copy_and_the_kit_has_to_have_one() {
    for word in ["here.yaml", "Kit", "/a\nb", ""] {
        assert!(From::parse(word).is_err(), "{word:?}");
    }
    assert_eq!(From::parse("/a b"), Ok(From::Host("/a b".into())));
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = crate::kit::sample::cluster("prod", 2);
    let refused = |cluster: &crate::kit::Cluster| From::Kit.refuse(&Target::host("prod", "cp1"), cluster, PROGRAM);
    assert!(refused(&cluster).unwrap().contains("breakglass kit refresh"));
    cluster.kept = Some(dir.path().join("prod.kept"));
    assert!(refused(&cluster).is_some());
    crate::kit::kept::keep(&crate::kit::kept::path(&cluster, "cp2", PROGRAM).unwrap(), "a").unwrap();
    assert_eq!(refused(&cluster), None);
    cluster.kept = None;
    assert_eq!(From::Host("/a".into()).refuse(&Target::host("prod", "cp1"), &cluster, PROGRAM), None);
}
