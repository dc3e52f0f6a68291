//! The surgery on manifests as people really write them.

use super::*;

const KUBEADM: &str = r#"apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: 10.0.0.2:6443
  name: kube-apiserver # the one
spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=10.0.0.2
    # tuned last winter
    - --max-requests-inflight=400
    image: registry.k8s.io/kube-apiserver:v1.34.4
    name: kube-apiserver
    resources:
      requests:
        cpu: 250m
    volumeMounts:
    - mountPath: /etc/ssl/certs
      name: ca-certs
  - name: other
    command: ["sleep", "1"]
  hostNetwork: true
"#;

fn set(pairs: &[(&str, &str)]) -> BTreeMap<String, Option<String>> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned()))).collect()
}

fn flags(pairs: &[(&str, &str)]) -> Edit {
    Edit { flags: set(pairs), ..Edit::default() }
}

fn memory(value: &str) -> Edit {
    Edit { limits: set(&[("memory", value)]), ..Edit::default() }
}

fn without(flag: &str) -> Edit {
    Edit { flags: BTreeMap::from([(flag.to_owned(), None)]), ..Edit::default() }
}

/// A manifest whose command is these lines, each with its dash.
fn pod(lines: &[&str]) -> String {
    let command: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    format!(
        "kind: Pod\nspec:\n  containers:\n  - name: api\n    command:\n    - kube-apiserver\n{command}    image: x:v1\n"
    )
}

/// The edit turns the lines into the others, and changes nothing else.
#[track_caller]
fn turns(lines: &[&str], change: &Edit, into: &[&str]) {
    let edited = edit(&pod(lines), "kube-apiserver", change).unwrap();
    assert_eq!(edited.text, pod(into));
    let crlf = edit(&pod(lines).replace('\n', "\r\n"), "kube-apiserver", change).unwrap();
    assert_eq!(crlf.text, pod(into).replace('\n', "\r\n"));
}

#[track_caller]
fn refused(text: &str, change: &Edit, part: &str) {
    let why = edit(text, "kube-apiserver", change).expect_err("refused");
    assert!(why.contains(part) && !why.contains('\n'), "{why}");
}

#[test]
fn only_the_wanted_lines_change() {
    let change = Edit {
        requests: set(&[("cpu", "4")]),
        limits: set(&[("memory", "8Gi")]),
        flags: set(&[("max-requests-inflight", "800"), ("goaway-chance", "0.001")]),
        ..Edit::default()
    };
    let edited = edit(KUBEADM, "kube-apiserver", &change).unwrap();
    let before: Vec<&str> = KUBEADM.lines().collect();
    let after: Vec<&str> = edited.text.lines().collect();
    let added: Vec<&&str> = after.iter().filter(|l| !before.contains(l)).collect();
    let gone: Vec<&&str> = before.iter().filter(|l| !after.contains(l)).collect();
    assert_eq!(
        added,
        [
            &"    - --max-requests-inflight=800",
            &"    - --goaway-chance=0.001",
            &"      limits:",
            &"        memory: 8Gi",
            &"        cpu: \"4\"",
        ]
    );
    assert_eq!(gone, [&"    - --max-requests-inflight=400", &"        cpu: 250m"]);
    assert_eq!(edited.changes.len(), 4);
}

#[test]
fn what_is_so_already_changes_nothing() {
    let change = Edit { requests: set(&[("cpu", "250m")]), ..flags(&[("max-requests-inflight", "400")]) };
    let edited = edit(KUBEADM, "kube-apiserver", &change).unwrap();
    assert_eq!((edited.text.as_str(), edited.changes.len()), (KUBEADM, 0));
}

#[test]
fn entries_can_be_removed() {
    let edited = edit(KUBEADM, "kube-apiserver", &without("max-requests-inflight")).unwrap();
    assert_eq!(edited.text, KUBEADM.replace("    - --max-requests-inflight=400\n", ""));
    let change = Edit { requests: BTreeMap::from([("cpu".into(), None)]), ..Edit::default() };
    let edited = edit(KUBEADM, "kube-apiserver", &change).unwrap();
    assert_eq!(edited.text, KUBEADM.replace("requests:\n        cpu: 250m\n", "requests: {}\n"));
}

#[test]
fn a_flag_in_two_items_keeps_its_form() {
    turns(&["- --v", "- \"400\"", "- --x=1"], &flags(&[("v", "800")]), &["- --v", "- \"800\"", "- --x=1"]);
    turns(&["- --v", "- '400' # why", "- --x=1"], &flags(&[("v", "800")]), &["- --v", "- \"800\" # why", "- --x=1"]);
    turns(&["- --y=0", "- --v", "- \"400\"", "- --x=1"], &without("v"), &["- --y=0", "- --x=1"]);
    // A flag alone is true, and a word that begins with one dash can be its value or another flag.
    turns(&["- --profiling", "- --x=1"], &flags(&[("profiling", "false")]), &["- --profiling=false", "- --x=1"]);
    refused(&pod(&["- --list", "- -a,*"]), &flags(&[("list", "b")]), "cannot be told whether -a,* is the value");
    refused(&pod(&["- -v=2"]), &flags(&[("v", "4")]), "short form -v=2");
}

#[test]
fn of_a_flag_given_twice_the_last_one_is_edited() {
    turns(&["- --m=400", "- --x=1", "- --m=600"], &flags(&[("m", "800")]), &["- --m=400", "- --x=1", "- --m=800"]);
    turns(
        &["- --max_in=400", "- --max-in", "- \"600\""],
        &flags(&[("max-in", "800")]),
        &["- --max_in=400", "- --max-in", "- \"800\""],
    );
    turns(&["- --m=400", "- --x=1", "- --m=600"], &without("m"), &["- --x=1"]);
    let same = edit(&pod(&["- --m=400", "- --m=800"]), "kube-apiserver", &flags(&[("m", "800")])).unwrap();
    assert!(same.changes.is_empty());
    let lists = pod(&["- --service-account-issuer=https://a", "- --service-account-issuer=https://b"]);
    refused(&lists, &flags(&[("service-account-issuer", "https://c")]), "given 2 times");
    refused(&lists, &without("service-account-issuer"), "by hand");
}

#[test]
fn a_remark_and_the_line_endings_stay() {
    turns(&["- --m=400 # INC-1"], &flags(&[("m", "800")]), &["- --m=800 # INC-1"]);
    turns(
        &["- \"--m=400\"   # INC-1", "# end"],
        &flags(&[("m", "8"), ("n", "a b")]),
        &["- \"--m=8\"   # INC-1", "- \"--n=a b\"", "# end"],
    );
    let text = "spec:\n  containers:\n  - name: kube-apiserver\n    resources: # RFC-17\n      limits: # below\n\n        memory: 4Gi # RFC-18\n";
    for text in [text.to_owned(), text.replace('\n', "\r\n"), text.trim_end().to_owned()] {
        let edited = edit(&text, "kube-apiserver", &memory("8Gi")).unwrap();
        assert_eq!(edited.text, text.replace("4Gi", "8Gi"));
    }
}

#[test]
fn brackets_anchors_and_empty_values_are_edited_in_their_place() {
    #[track_caller]
    fn case(text: &str, change: &Edit, into: &str) {
        assert_eq!(edit(text, "kube-apiserver", change).unwrap().text, into);
    }
    let json = r#"{"kind":"Pod","spec":{"containers":[{"name":"a","command":["/k/kube-apiserver","--x=1"]}]}}"#;
    let change = Edit { limits: set(&[("cpu", "2")]), ..flags(&[("x", "2"), ("y", "3")]) };
    case(
        json,
        &change,
        r#"{"kind":"Pod","spec":{"containers":[{"resources": {"limits": {"cpu": "2"}}, "name":"a","command":["/k/kube-apiserver","--x=2", "--y=3"]}]}}"#,
    );
    case(json, &without("x"), &json.replace(r#","--x=1""#, ""));
    let flow = "spec:\n  containers:\n  - command: [kube-apiserver, --x=1, --y] # all\n    name: a\n";
    case(flow, &flags(&[("x", "a,b")]), &flow.replace("--x=1", "\"--x=a,b\""));
    case(flow, &without("x"), &flow.replace("--x=1, ", ""));
    let head = "spec:\n  containers:\n  - name: kube-apiserver\n    image: x\n";
    case(
        &format!("{head}    resources: {{}} # none\n"),
        &memory("8Gi"),
        &format!("{head}    resources: {{\"limits\": {{\"memory\": \"8Gi\"}}}} # none\n"),
    );
    case(
        &format!("{head}    resources:\n"),
        &memory("8Gi"),
        &format!("{head}    resources: {{\"limits\": {{\"memory\": \"8Gi\"}}}}\n"),
    );
    case(
        &format!("{head}    resources: null\n"),
        &memory("8Gi"),
        &format!("{head}    resources: {{\"limits\": {{\"memory\": \"8Gi\"}}}}\n"),
    );
    let shared = "x: &r\n  limits: {memory: 1Gi}\nspec:\n  containers:\n  - name: kube-apiserver\n    resources: *r\n";
    case(shared, &memory("8Gi"), &shared.replace("*r", "{\"limits\":{\"memory\":\"8Gi\"}}"));
    // Whoever uses the value elsewhere would get the new one.
    let anchored =
        "spec:\n  containers:\n  - name: kube-apiserver\n    resources:\n      limits: {memory: &m 1Gi, x: *m}\n";
    refused(anchored, &memory("8Gi"), "by hand");
}

#[test]
fn flags_in_a_script_are_refused_and_resources_are_not() {
    for command in [
        r#"[sh, -c, "kube-apiserver --m=400"]"#,
        r#"[/bin/bash, -ec, "exec /usr/local/bin/kube-apiserver --m=400"]"#,
        r#"[sh, -c, "exec \"$0\" \"$@\"", kube-apiserver, --m=400]"#,
    ] {
        let text = format!("spec:\n  containers:\n  - name: kube-apiserver\n    command: {command}\n    image: x\n");
        refused(&text, &flags(&[("m", "800")]), "shell script");
        assert!(edit(&text, "kube-apiserver", &memory("8Gi")).is_ok());
    }
    let other = "spec:\n  containers:\n  - name: kube-apiserver\n    command: [/start-it, --m=400]\n";
    refused(other, &flags(&[("m", "800")]), "cannot be told");
    // What is a flag behind a bare `--` is the program's to say; no word of it is moved.
    for (lines, flag) in [(["- --m", "- \"--\"", "- --m=0"], "m"), (["- --x=1", "- --", "- --m=400"], "n")] {
        for change in [without(flag), flags(&[(flag, "800")])] {
            refused(&pod(&lines), &change, "a bare --");
        }
    }
    // What belongs to no flag would become the value of one.
    refused(&pod(&["- --max_in", "- --m=0", "- a"]), &without("m"), "\"a\" stands among its flags");
    // What stands before the program is for the one that starts it.
    let runner = "spec:\n  containers:\n  - name: a\n    args: [/go-runner, --m=1, /k/kube-apiserver, --m=400]\n";
    let edited = edit(runner, "kube-apiserver", &flags(&[("m", "800")])).unwrap();
    assert_eq!(edited.text, runner.replace("--m=400", "\"--m=800\""));
}

#[test]
fn of_several_documents_the_first_is_edited() {
    for (before, after) in
        [("", "---\n"), ("---\n", "---\n---\nkind: Pod\n"), ("# x\n---\n", "...\n"), ("", "--- # end")]
    {
        let text = format!("{before}{KUBEADM}{after}");
        let edited = edit(&text, "kube-apiserver", &memory("8Gi")).unwrap();
        assert!(edited.text.starts_with(before) && edited.text.ends_with(&format!("hostNetwork: true\n{after}")));
    }
    refused(&format!("kind: List\n---\n{KUBEADM}"), &memory("8Gi"), "spec.containers");
    refused(&format!("---\n---\n{KUBEADM}"), &memory("8Gi"), "spec.containers");
}

#[test]
fn a_strange_manifest_is_refused() {
    refused("kind: Pod\na: [\n", &Edit::default(), "line ");
    refused("a: 1\na: 2\n", &Edit::default(), "line 2: key \"a\" is given twice");
    refused("a: 1", &Edit::default(), "spec.containers");
    assert!(edit(KUBEADM, "etcd", &Edit::default()).unwrap_err().contains("etcd"));
    let two = "spec:\n  containers:\n  - command: [kube-apiserver]\n  - command: [/k/kube-apiserver]\n";
    refused(two, &memory("8Gi"), "2 of its containers run");
}

#[test]
fn room_is_given_and_not_taken() {
    let text = "spec:\n  containers:\n  - name: kube-apiserver\n    resources:\n      limits: {memory: 16Gi, cpu: 4}\n      requests: {memory: 8Gi}\n";
    refused(text, &memory("2Gi"), "would shrink from 16Gi to 2Gi");
    let cpu = Edit { limits: set(&[("cpu", "500m")]), ..Edit::default() };
    refused(text, &cpu, "would shrink from 4 to 500m");
    let request = Edit { requests: set(&[("memory", "20Gi")]), ..Edit::default() };
    refused(text, &request, "limits.memory 16Gi would be less than requests.memory 20Gi");
    refused(
        &text.replace("memory: 16Gi, ", ""),
        &memory("4Gi"),
        "limits.memory 4Gi would be less than requests.memory 8Gi",
    );
    let both = Edit { requests: set(&[("memory", "20Gi")]), ..memory("32Gi") };
    assert_eq!(edit(text, "kube-apiserver", &both).unwrap().changes.len(), 2);
    assert!(edit(text, "kube-apiserver", &memory("16384Mi")).is_ok());
    let gone = Edit { limits: BTreeMap::from([("memory".to_owned(), None)]), ..Edit::default() };
    assert!(edit(text, "kube-apiserver", &gone).is_ok());
}

#[test]
fn a_flag_is_read_in_every_form() {
    #[track_caller]
    fn case(lines: &[&str], values: &[&str]) {
        assert_eq!(flag(&pod(lines), "kube-apiserver", "x").unwrap(), values);
    }
    case(&["# --x=0", "- --x=1 # --x=2"], &["1"]);
    case(&["- --x", "- '7'", "- \"--x=8\""], &["7", "8"]);
    case(&["- --xx=1"], &[]);
}

#[test]
fn an_amount_is_compared_however_it_is_written() {
    let pod = |resources: &str| {
        format!(
            "spec:\n  containers:\n  - name: kube-apiserver\n    command: [kube-apiserver]\n    resources: {resources}\n"
        )
    };
    let memory = |amount: &str| Edit { limits: set(&[("memory", amount)]), ..Edit::default() };
    refused(&pod("{limits: {memory: \"8e9\"}}"), &memory("4Gi"), "would shrink");
    refused(&pod("{limits: {memory: 1Pi}}"), &memory("4Gi"), "would shrink");
    refused(&pod("{requests: {memory: \"6e9\"}}"), &memory("4Gi"), "would be less than requests.memory");
    refused(&pod("{limits: {memory: lots}}"), &memory("4Gi"), "which is no quantity");
    refused(&pod("{requests: {memory: lots}}"), &memory("4Gi"), "which is no quantity");
    // The same amount in other words is no reason for a restart.
    assert_eq!(edit(&pod("{limits: {memory: 8192Mi}}"), "kube-apiserver", &memory("8Gi")).unwrap().changes, [""; 0]);
}

#[test]
fn a_folder_named_after_the_program_does_not_start_it() {
    let args = "spec:\n  containers:\n  - name: kube-apiserver\n    args:\n    - --x=1\n    - --cert-dir=/var/run/kube-apiserver\n\
                \x20   - --log-dir\n    - /var/log/kube-apiserver\n    - --y=2\n";
    assert_eq!(flag(args, "kube-apiserver", "x").unwrap(), ["1"]);
    assert_eq!(edit(args, "kube-apiserver", &flags(&[("x", "3")])).unwrap().text, args.replace("--x=1", "--x=3"));
    let beside = "spec:\n  containers:\n  - name: rotate\n    command: [logrotate-loop, /var/log/kube-apiserver]\n\
                  \x20 - name: api\n    command: [kube-apiserver, --x=1]\n";
    assert_eq!(flag(beside, "kube-apiserver", "x").unwrap(), ["1"]);
    let wrapped = "spec:\n  containers:\n  - name: api\n    command: [/go-runner, --log-file=/var/log/kube-apiserver, /k/kube-apiserver, --x=1]\n";
    assert_eq!(flag(wrapped, "kube-apiserver", "x").unwrap(), ["1"]);
}

/// However its lists are laid out, a folder is mounted before all that is there, and every other byte stays.
#[test]
fn a_folder_is_mounted_before_what_is_mounted_already() {
    let folder = Edit { folders: vec!["/etc/kubernetes/authorization".into()], ..Edit::default() };
    let head = "kind: Pod\nspec:\n  containers:\n  - command: [kube-apiserver]\n    name: a\n";
    for (mounts, volumes) in [
        (
            "    volumeMounts:\n    - {name: k, mountPath: /pki}\n",
            "  volumes:\n  - {name: k, hostPath: {path: /pki}}\n",
        ),
        (
            "    volumeMounts: # so\n      # the keys\n      - mountPath: /pki\n        name: k\n",
            "  volumes:\n    - name: k\n      hostPath:\n        path: /pki\n",
        ),
        (
            "    volumeMounts: [{name: k, mountPath: /pki}]\n",
            "  volumes: [{name: k, hostPath: {path: /pki}}, {name: authorization, emptyDir: {}}]\n",
        ),
    ] {
        let text = format!("{head}{mounts}{volumes}");
        for text in [text.clone(), text.replace('\n', "\r\n")] {
            let edited = edit(&text, "kube-apiserver", &folder).unwrap_or_else(|why| panic!("{why}: {text}"));
            let launch = launch(&edited.text, "kube-apiserver").unwrap();
            assert_eq!(launch.on_host("/etc/kubernetes/authorization/a"), "/etc/kubernetes/authorization/a");
            assert!(launch.mounts.iter().any(|(there, _)| there == "/etc/kubernetes/authorization"), "{}", edited.text);
            assert!(edited.text.lines().count() >= text.lines().count() && edited.text.contains("Directory"));
            assert_eq!(edit(&edited.text, "kube-apiserver", &folder).unwrap().changes, [""; 0]);
        }
    }
    let none = edit(&format!("{head}    image: x\n"), "kube-apiserver", &folder).unwrap_err();
    assert!(none.contains("edit it by hand"), "{none}");
}
