//! A component that its static pod keeps down, through the whole loop: mended, left alone, and taken back.

use serde_json::json;

use super::support::*;
use crate::change::Target;
use crate::error::Class;
use crate::journal::Entry;
use crate::kit::Cluster;

const FILE: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";

fn pod(lines: &str) -> String {
    format!(
        "kind: Pod\nmetadata: {{name: kube-apiserver}}\nspec:\n  containers:\n  - name: api\n    command:\n    - kube-apiserver\n    # said Ann: --bad\n{lines}    image: x\n"
    )
}

fn host() -> Target {
    Target::host("east", "cp1")
}

/// One control-plane host with these files.
fn bench(files: &[(&str, &str)], with: serde_json::Value) -> Bench {
    let cluster = Cluster { hosts: cluster("east").hosts[..1].to_vec(), ..cluster("east") };
    let fake = world_of(vec![cluster.clone()]);
    for (path, text) in files {
        fake.write(&host(), path, text);
    }
    Bench::new(fake, plan_over(vec![cluster], &[("rescue", "rescue-manifest", with)], &policy()))
}

fn saw(bench: &Bench) -> String {
    let all = bench.lines().into_iter().filter_map(|line| match line.entry {
        Entry::Saw { what, .. } => Some(what.to_string()),
        _ => None,
    });
    all.collect::<Vec<_>>().join("\n")
}

#[test]
fn bad_flags_go_one_after_another_and_come_back_to_the_same_bytes() {
    paused(async {
        for end in ["\n", "\r\n"] {
            let good = pod("    - --v=2 # INC-7\n").replace('\n', end);
            let bad =
                pod("    - --bad-one=1\n    - --v=2 # INC-7\n    - --bad-two\n    - x # so\n    - \"--bad_one=y,z\"\n");
            let bench = bench(&[(FILE, &bad.replace('\n', end))], json!({}));
            let before = bench.fake.files(&host());
            let report = bench.run().await;
            assert_eq!(report.class, None, "{}", report.why);
            assert_eq!(bench.fake.files(&host())[FILE], good);
            let said = saw(&bench);
            assert!(said.contains("answers again (bad flag --bad-one, then bad flag --bad-two)"), "{said}");
            assert_eq!(bench.undo().await.class, None);
            assert_eq!(bench.fake.files(&host()), before);
        }
    });
}

#[test]
fn what_answers_is_left_alone() {
    paused(async {
        let bench = bench(&[(FILE, &pod("    - --v=2\n"))], json!({}));
        assert_eq!(bench.run().await.class, None);
        assert_eq!(bench.fake.ops(), 0);
        assert!(saw(&bench).contains("kube-apiserver answers: nothing to do"));
    });
}

#[test]
fn a_stray_file_is_moved_out_and_back() {
    paused(async {
        let (good, stray) = (pod("    - --v=2\n"), pod("    - --bad-one=1\n"));
        let bak = format!("{FILE}.bak");
        let bench = bench(&[(FILE, &good), (&bak, &stray)], json!({"stray": ""}));
        let before = bench.fake.files(&host());
        assert_eq!(bench.run().await.class, None);
        let after = bench.fake.files(&host());
        assert!(after[FILE] == good && !after.contains_key(&bak), "{after:?}");
        assert!(saw(&bench).contains("a stray file that wins"));
        assert_eq!(bench.undo().await.class, None);
        assert_eq!(bench.fake.files(&host()), before);
    });
}

#[test]
fn undo_leaves_alone_what_somebody_wrote_since() {
    paused(async {
        let bench = bench(&[(FILE, &pod("    - --bad-one=1\n"))], json!({}));
        assert_eq!(bench.run().await.class, None);
        bench.fake.write(&host(), FILE, &pod("    - --v=4\n"));
        assert!(bench.undo().await.class.is_some());
        assert_eq!(bench.fake.files(&host())[FILE], pod("    - --v=4\n"));
    });
}

#[test]
fn what_nobody_can_tell_is_refused_with_nothing_sent() {
    paused(async {
        let bad = pod("    - --bad-one=1\n");
        let twin = FILE.replace("kube-apiserver.yaml", "z.yaml");
        for (files, part) in [
            (vec![(FILE, bad.as_str()), (twin.as_str(), bad.as_str())], "the kubelet obeys the last by name"),
            (vec![], "manifest gone"),
            (vec![(FILE, "kind: Pod # kube-apiserver bad-one\n a: [\n")], "manifest unreadable"),
        ] {
            let bench = bench(&files, json!({}));
            let report = bench.run().await;
            assert_eq!(report.class, Some(Class::Refused), "{}", report.why);
            assert!(report.why.contains(part), "{}", report.why);
            assert_eq!(bench.fake.ops(), 0);
        }
    });
}

#[test]
fn a_text_that_was_named_takes_the_place_of_one_that_is_gone_or_cannot_be_read_and_goes_by_undo() {
    const COPY: &str = "/etc/kubernetes/before.yaml";
    paused(async {
        let good = pod("    - --v=2\n");
        let bad = pod("    - --bad-one=1\n");
        for there in [None, Some(""), Some("- no pod\n"), Some(bad.as_str())] {
            let files: Vec<(&str, &str)> =
                there.map(|text| (FILE, text)).into_iter().chain([(COPY, good.as_str())]).collect();
            let bench = bench(&files, json!({"from": COPY}));
            let before = bench.fake.files(&host());
            let report = bench.run().await;
            assert_eq!(report.class, None, "{there:?}: {}", report.why);
            assert_eq!(bench.fake.files(&host())[FILE], good, "{there:?}");
            assert!(saw(&bench).contains("answers again (a text that was named"), "{there:?}: {}", saw(&bench));
            assert_eq!(bench.undo().await.class, None, "{there:?}");
            assert_eq!(bench.fake.files(&host()), before, "{there:?}");
        }
        // What is no text of it, what is worse, and what is not needed.
        for (text, there, part) in [
            (None, None, "there is no file"),
            (Some("kind: Pod\n"), None, "cannot be put in"),
            (Some(bad.as_str()), Some(bad.as_str()), "stands in"),
            (Some(bad.as_str()), None, "has a bad flag, too: --bad-one"),
        ] {
            let copy = text.map(|text| (COPY, text));
            let files: Vec<(&str, &str)> = there.map(|text| (FILE, text)).into_iter().chain(copy).collect();
            let bench = bench(&files, json!({"from": COPY}));
            let report = bench.run().await;
            assert!(report.class.is_some() && report.why.contains(part), "{part}: {}", report.why);
        }
        let bench = bench(&[(FILE, &good), (COPY, &bad)], json!({"from": COPY}));
        assert_eq!(bench.run().await.class, None);
        assert_eq!(bench.fake.files(&host())[FILE], good, "one that answers is left alone");
    });
}
