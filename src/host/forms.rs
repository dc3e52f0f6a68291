//! Manifests of API servers as the tools write them that people have, and as people change them: each is found in its folder,
//! is edited in what was wanted and in nothing else, or is refused by a sentence that says why.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use super::manifest::{self, Edit};
use super::swap::{self, Place};

const PROGRAM: &str = "kube-apiserver";

/// What becomes of an edit: it is made, or refused by a sentence with this part.
type End = Result<(), &'static str>;

struct Form {
    name: &'static str,
    text: String,
    /// `--max-requests-inflight` set to 800.
    flag: End,
    /// `limits.memory` set to 8Gi.
    memory: End,
}

fn form(name: &'static str, text: impl Into<String>, flag: End, memory: End) -> Form {
    Form { name, text: text.into(), flag, memory }
}

/// As kubeadm 1.29 to 1.34 writes it, with this in the place of the resources, and this behind the flags.
fn kubeadm(resources: &str, more: &str) -> String {
    format!(
        "apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: 10.0.0.2:6443
  creationTimestamp: null
  labels:
    component: kube-apiserver
    tier: control-plane
  name: kube-apiserver
  namespace: kube-system
spec:
  containers:
  - command:
    - kube-apiserver
    - --advertise-address=10.0.0.2
    - --etcd-servers=https://127.0.0.1:2379
    - --service-cluster-ip-range=10.96.0.0/12
{more}    image: registry.k8s.io/kube-apiserver:v1.34.0
    imagePullPolicy: IfNotPresent
    livenessProbe:
      failureThreshold: 8
      httpGet:
        host: 10.0.0.2
        path: /livez
        port: probe-port
        scheme: HTTPS
    name: kube-apiserver
    ports:
    - containerPort: 6443
      name: probe-port
      protocol: TCP
{resources}    startupProbe:
      failureThreshold: 24
    volumeMounts:
    - mountPath: /etc/ssl/certs
      name: ca-certs
      readOnly: true
  hostNetwork: true
  priority: 2000001000
  priorityClassName: system-node-critical
  securityContext:
    seccompProfile:
      type: RuntimeDefault
  volumes:
  - hostPath:
      path: /etc/ssl/certs
      type: DirectoryOrCreate
    name: ca-certs
status: {{}}
"
    )
}

const REQUESTS: &str = "    resources:\n      requests:\n        cpu: 250m\n";
const SCRIPT: End = Err("shell script");
const UNTOLD: End = Err("cannot be told");

/// A pod of one container whose lines are these.
fn pod(container: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\nspec:\n  containers:\n{container}  hostNetwork: true\n"
    )
}

#[expect(clippy::too_many_lines, reason = "a table, one row a form")]
fn forms() -> Vec<Form> {
    let plain = kubeadm(REQUESTS, "    - --max-requests-inflight=400\n");
    vec![
        form("kubeadm", kubeadm(REQUESTS, ""), Ok(()), Ok(())),
        form(
            "kubespray, with a flag and a remark",
            kubeadm(REQUESTS, "    - --max-requests-inflight=400 # tuned\n"),
            Ok(()),
            Ok(()),
        ),
        form("no resources", kubeadm("", ""), Ok(()), Ok(())),
        form("resources: null", kubeadm("    resources: null\n", ""), Ok(()), Ok(())),
        form("resources: ~ # why", kubeadm("    resources: ~ # why\n", ""), Ok(()), Ok(())),
        form("resources: nothing", kubeadm("    resources:\n", ""), Ok(()), Ok(())),
        form("resources: nothing but a remark", kubeadm("    resources: # none yet\n", ""), Ok(()), Ok(())),
        form("resources: {}", kubeadm("    resources: {}\n", ""), Ok(()), Ok(())),
        form("resources: { }", kubeadm("    resources: { }\n", ""), Ok(()), Ok(())),
        form(
            "limits: null",
            kubeadm("    resources:\n      limits: null\n      requests:\n        cpu: 1\n", ""),
            Ok(()),
            Ok(()),
        ),
        form("limits: {} first", kubeadm("    resources:\n      limits: {}\n", ""), Ok(()), Ok(())),
        form(
            "resources in brackets",
            kubeadm("    resources: {requests: {cpu: 250m}, limits: {cpu: 2}}\n", ""),
            Ok(()),
            Ok(()),
        ),
        form(
            "brackets over several lines",
            kubeadm(
                "    resources: {\n      requests: {cpu: 250m},\n      limits: {\n        memory: 4Gi\n      }\n    }\n",
                "",
            ),
            Ok(()),
            Ok(()),
        ),
        form(
            "claims",
            kubeadm("    resources:\n      claims: []\n      limits:\n        memory: \"4Gi\"\n", ""),
            Ok(()),
            Ok(()),
        ),
        form(
            "bytes as a number",
            kubeadm("    resources:\n      limits:\n        memory: 4294967296\n", ""),
            Ok(()),
            Ok(()),
        ),
        form(
            "bytes as a text",
            kubeadm("    resources:\n      limits:\n        memory: '4294967296'\n", ""),
            Ok(()),
            Ok(()),
        ),
        form("a power of ten", kubeadm("    resources:\n      limits:\n        memory: 4e9\n", ""), Ok(()), Ok(())),
        form("Windows' line ends", plain.replace('\n', "\r\n"), Ok(()), Ok(())),
        form("no end of the last line", plain.trim_end(), Ok(()), Ok(())),
        form("blanks at the ends of lines", plain.replace(":\n", ":  \n"), Ok(()), Ok(())),
        form("a byte order mark", format!("\u{feff}{plain}"), Ok(()), Ok(())),
        form("Ansible's head and foot", format!("# Ansible managed\n---\n{plain}...\n# end\n"), Ok(()), Ok(())),
        form("a second document", format!("{plain}---\n# nothing\n"), Ok(()), Ok(())),
        form(
            "lists set in",
            "kind: Pod\nspec:\n    containers:\n        - name: kube-apiserver\n          command:\n              - kube-apiserver\n              - --v=2\n          \
             resources:\n              requests:\n                  cpu: 250m\n          image: x\n    hostNetwork: true\n",
            Ok(()),
            Ok(()),
        ),
        // It goes on with the line above, and the kubelet reads it so.
        form("a dash too far in", plain.replace("\n    - --etcd", "\n     - --etcd"), Ok(()), Ok(())),
        form(
            "a tab in remarks",
            plain.replace("    image:", "    #\ta tab\n    image:").replace("=400\n", "=400\t# tab\n"),
            Ok(()),
            Ok(()),
        ),
        form("a tab before a remark", plain.replace("    image:", "\t# a tab\n    image:"), Ok(()), Ok(())),
        form(
            "remarks between the flags",
            plain.replace("    - --etcd", "\n    # - --max-requests-inflight=1\n\n    - --etcd"),
            Ok(()),
            Ok(()),
        ),
        form(
            "a flag in two lines",
            kubeadm(REQUESTS, "    - --max-requests-inflight\n    - \"400\"\n"),
            Ok(()),
            Ok(()),
        ),
        form("a flag in quotes", kubeadm(REQUESTS, "    - '--max-requests-inflight=400'\n"), Ok(()), Ok(())),
        form("a flag with underscores", kubeadm(REQUESTS, "    - --max_requests_inflight=400\n"), Ok(()), Ok(())),
        form(
            "a flag given twice",
            kubeadm(REQUESTS, "    - --max-requests-inflight=400\n    - --max-requests-inflight=500\n"),
            Ok(()),
            Ok(()),
        ),
        form("a flag with an anchor", kubeadm(REQUESTS, "    - &flag --max-requests-inflight=400\n"), Ok(()), Ok(())),
        form(
            "a flag from the environment",
            kubeadm(REQUESTS, "    - --max-requests-inflight=$(MOST)\n"),
            Ok(()),
            Ok(()),
        ),
        form(
            "a flag over two lines",
            kubeadm(REQUESTS, "    - --enable-admission-plugins=NodeRestriction,\n      PodSecurity\n"),
            Ok(()),
            Ok(()),
        ),
        form(
            "the last flag a folded text",
            kubeadm(REQUESTS, "    - >-\n      --runtime-config=api/all=true\n"),
            Err("by hand"),
            Ok(()),
        ),
        form(
            "the flag a literal text",
            kubeadm(REQUESTS, "    - |-\n      --max-requests-inflight=400\n"),
            Ok(()),
            Ok(()),
        ),
        form(
            "a number among the flags",
            kubeadm(REQUESTS, "    - --max-requests-inflight\n    - 400\n"),
            Err("no text"),
            Ok(()),
        ),
        form(
            "a key given twice",
            plain.replace("    name: kube-apiserver\n", "    name: kube-apiserver\n    name: a\n"),
            Err("given twice"),
            Err("given twice"),
        ),
        form(
            "RKE2",
            pod(
                "  - args:\n    - --allow-privileged=true\n    - --max-requests-inflight=400\n    - --secure-port=6443\n    command:\n    - kube-apiserver\n    \
                 env:\n    - name: FILE_HASH\n      value: ab\n    image: index.docker.io/rancher/hardened-kubernetes:v1.31.1-rke2r1\n    \
                 name: kube-apiserver\n    resources:\n      requests:\n        cpu: 250m\n        memory: 1Gi\n    securityContext:\n      privileged: false\n",
            ),
            Ok(()),
            Ok(()),
        ),
        form(
            "RKE1's entry point",
            pod(
                "  - name: kube-apiserver\n    image: rancher/hyperkube:v1.28.1\n    command:\n    - /opt/rke-tools/entrypoint.sh\n    - kube-apiserver\n    - --max-requests-inflight=400\n",
            ),
            UNTOLD,
            Ok(()),
        ),
        form(
            "kOps, a script with a pipe",
            pod(
                "  - command:\n    - /bin/sh\n    - -c\n    - mkfifo /tmp/pipe; (tee -a /var/log/kube-apiserver.log < /tmp/pipe & ) ; exec /usr/local/bin/kube-apiserver\n      \
                 --allow-privileged=true --max-requests-inflight=400 > /tmp/pipe 2>&1\n    image: k8s.gcr.io/kube-apiserver:v1.17.1\n    \
                 name: kube-apiserver\n    resources:\n      requests:\n        cpu: 150m\n",
            ),
            SCRIPT,
            Ok(()),
        ),
        form(
            "kOps, go-runner",
            pod(
                "  - args:\n    - --log-file=/var/log/kube-apiserver.log\n    - --also-stdout\n    - /usr/local/bin/kube-apiserver\n    - --max-requests-inflight=400\n    \
                 command:\n    - /go-runner\n    image: registry.k8s.io/kube-apiserver:v1.28.1\n    name: kube-apiserver\n",
            ),
            Ok(()),
            Ok(()),
        ),
        form(
            "kOps, a script that logs",
            pod(
                "  - name: kube-apiserver\n    command: [\"/bin/sh\", \"-c\", \"/usr/local/bin/kube-apiserver --v=2 2>&1 | /usr/bin/tee /var/log/kube-apiserver.log\"]\n",
            ),
            SCRIPT,
            Ok(()),
        ),
        form(
            "Talos",
            pod(
                "  - command:\n    - /usr/local/bin/kube-apiserver\n    - --max-requests-inflight=400\n    env:\n    - name: GOMEMLIMIT\n      value: \"1\"\n    \
                 image: registry.k8s.io/kube-apiserver:v1.30.1\n    name: kube-apiserver\n    resources:\n      limits: {}\n      requests:\n        cpu: 200m\n        memory: 512Mi\n",
            ),
            Ok(()),
            Ok(()),
        ),
        form(
            "OpenShift",
            r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"kube-apiserver","namespace":"openshift-kube-apiserver","labels":{"apiserver":"true"}},"spec":{"initContainers":[{"name":"setup","image":"x","command":["/usr/bin/timeout","100","/bin/bash","-ec"],"args":["while [ -n \"$(ss -Htan '( sport = 6443 )')\" ]; do sleep 1; done # wait"],"resources":{"requests":{"cpu":"5m","memory":"50Mi"}}}],"containers":[{"name":"kube-apiserver","image":"x","command":["/bin/bash","-ec"],"args":["LOCK=/var/log/kube-apiserver/.lock\nexec watch-termination --termination-touch-file=x -- hyperkube kube-apiserver --openshift-config=/c.yaml -v=2"],"resources":{"requests":{"cpu":"265m","memory":"1Gi"}}},{"name":"kube-apiserver-cert-syncer","image":"x","command":["cluster-kube-apiserver-operator","cert-syncer"]}],"terminationGracePeriodSeconds":135}}"#,
            SCRIPT,
            Ok(()),
        ),
        form(
            "hyperkube",
            pod("  - name: a\n    command:\n    - /hyperkube\n    - apiserver\n    - --max-requests-inflight=400\n"),
            Ok(()),
            Ok(()),
        ),
        form(
            "hyperkube, the whole name",
            pod("  - name: a\n    command: [hyperkube, kube-apiserver, --max-requests-inflight=400]\n"),
            Ok(()),
            Ok(()),
        ),
        form(
            "hyperkube behind another",
            pod(
                "  - name: a\n    command: [/go-runner, --log-file=/l, /hyperkube, apiserver, --max-requests-inflight=400]\n",
            ),
            Ok(()),
            Ok(()),
        ),
        form(
            "tini",
            pod(
                "  - name: a\n    command: [/sbin/tini, --, kube-apiserver]\n    args: [--max-requests-inflight=400]\n",
            ),
            Ok(()),
            Ok(()),
        ),
        form(
            "a relative path",
            pod(
                "  - name: a\n    command: [kubernetes/kube-apiserver]\n    args:\n    - --max-requests-inflight=400\n",
            ),
            Ok(()),
            Ok(()),
        ),
        form(
            "an image's own entry point",
            pod("  - name: kube-apiserver\n    image: x\n    args:\n    - --max-requests-inflight=400\n"),
            Ok(()),
            Ok(()),
        ),
        form(
            "a shell that starts it",
            pod(
                "  - name: a\n    command: [sh, -c]\n    args:\n    - |\n      exec kube-apiserver \\\n        --max-requests-inflight=400\n",
            ),
            SCRIPT,
            Ok(()),
        ),
        form(
            "a text instead of a list",
            pod("  - name: kube-apiserver\n    command: kube-apiserver --max-requests-inflight=400\n"),
            Err("is no list"),
            Ok(()),
        ),
        form(
            "containers before it",
            pod(
                "  - name: proxy\n    image: x\n    command: [haproxy]\n    resources: {limits: {memory: 64Mi}}\n  - name: a\n    command: [kube-apiserver, --max-requests-inflight=400]\n",
            ),
            Ok(()),
            Ok(()),
        ),
        form(
            "one to begin with that has its name",
            "kind: Pod\nspec:\n  initContainers:\n  - name: kube-apiserver\n    command: [kube-apiserver, --version]\n    resources: {limits: {memory: 64Mi}}\n  containers:\n  - name: kube-apiserver\n    command: [kube-apiserver]\n",
            Ok(()),
            Ok(()),
        ),
        form(
            "a container named after it beside it",
            pod(
                "  - name: kube-apiserver\n    command: [kube-apiserver]\n  - name: kube-apiserver-proxy\n    command: [proxy, kube-apiserver]\n",
            ),
            Ok(()),
            Ok(()),
        ),
        form(
            "shared resources",
            "kind: Pod\nx-room: &room\n  limits: {memory: 4Gi}\nspec:\n  containers:\n  - name: a\n    command: [kube-apiserver]\n    resources: *room\n",
            Ok(()),
            Ok(()),
        ),
        form(
            "merged resources",
            "kind: Pod\nx-room: &room\n  limits:\n    memory: 4Gi\nspec:\n  containers:\n  - name: a\n    command: [kube-apiserver]\n    resources:\n      <<: *room\n      requests: {cpu: 1}\n",
            Ok(()),
            Err("by hand"),
        ),
        form(
            "a list of pods",
            format!("kind: List\nitems:\n- {}\n", plain.trim_end().replace('\n', "\n  ")),
            Err("spec.containers"),
            Err("spec.containers"),
        ),
    ]
}

fn set(name: &str, value: &str) -> BTreeMap<String, Option<String>> {
    BTreeMap::from([(name.to_owned(), Some(value.to_owned()))])
}

/// Lines of one text that are not in the other.
fn lines_without<'a>(text: &'a str, other: &str) -> Vec<&'a str> {
    text.lines().filter(|line| !other.lines().any(|one| one == *line)).collect()
}

#[test]
fn manifests_of_every_tool_are_edited_in_what_was_wanted_or_refused() {
    let mut wrong = Vec::new();
    for Form { name, text, flag, memory } in forms() {
        if !manifest::starts(&text, PROGRAM) && memory != Err("spec.containers") {
            wrong.push(format!("{name}: it is taken for one that does not start it"));
        }
        let flags = Edit { flags: set("max-requests-inflight", "800"), ..Edit::default() };
        let limits = Edit { limits: set("memory", "8Gi"), ..Edit::default() };
        for (what, change, wanted) in [("flag", flags, flag), ("memory", limits, memory)] {
            match (manifest::edit(&text, PROGRAM, &change), wanted) {
                (Err(why), Err(part)) if why.contains(part) && !why.contains('\n') => {}
                (Ok(edited), Ok(())) => {
                    let again = manifest::edit(&edited.text, PROGRAM, &change).map(|again| again.changes.len());
                    if edited.changes.len() != 1 || again != Ok(0) {
                        wrong.push(format!("{name}, {what}: {:?}, and again {again:?}", edited.changes));
                    }
                    // Of the lines that were there only one may go, and three may come, all of them about what was wanted.
                    let (gone, came) = (lines_without(&text, &edited.text), lines_without(&edited.text, &text));
                    let about = |line: &&str| {
                        ["inflight", "800", "memory", "limits", "resources", "400"]
                            .iter()
                            .any(|word| line.contains(word))
                    };
                    if text.lines().count() > 1 && (gone.len() > 1 || came.len() > 3 || !came.iter().all(about)) {
                        wrong.push(format!("{name}, {what}: {gone:?} became {came:?}"));
                    }
                    if text.contains('\r') != edited.text.contains('\r')
                        || text.ends_with('\n') != edited.text.ends_with('\n') && what == "memory"
                    {
                        wrong.push(format!("{name}, {what}: the line ends are others"));
                    }
                }
                (found, wanted) => {
                    wrong.push(format!("{name}, {what}: {wanted:?} was wanted: {:?}", found.map(|edited| edited.text)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is not found cannot be edited, and what is found besides may be moved away.
#[test]
fn manifests_of_every_tool_are_found_in_their_folder() {
    let dir = tempfile::tempdir().unwrap();
    let all = forms();
    let mut places = Vec::new();
    for (number, form) in all.iter().enumerate() {
        let manifests = dir.path().join(number.to_string());
        std::fs::create_dir(&manifests).unwrap();
        std::fs::write(manifests.join("api.yaml"), &form.text).unwrap();
        let manifests = manifests.to_str().unwrap().to_owned();
        let [program, run, operator, tag] = [PROGRAM, "r1", "alice", "1-room"].map(str::to_owned);
        places.push(Place { manifests, program, run, operator, tag });
    }
    let mut wrong = Vec::new();
    for (form, place) in all.iter().zip(&places) {
        use std::io::Write as _;
        let mut child = Command::new("sh").arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let look = swap::look(place);
        child.stdin.take().unwrap().write_all(look.script().text().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let seen = look.read(&String::from_utf8_lossy(&output.stdout)).unwrap().unwrap();
        let wanted = usize::from(form.memory != Err("spec.containers"));
        if seen.files.len() != wanted || (wanted == 1 && seen.text != form.text) {
            wrong.push(format!("{}: {:?} {:?}", form.name, seen.files, seen.namesakes));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
