//! Ranking the clients in an audit log on its host, beside `jq` and `mlr` that group the same fields.
//!
//!     cargo bench --bench ranking
//!     cargo bench --bench ranking -- MB ROUNDS
//!
//! The log is made anew, in the temporary folder, and read once before anything is counted. What the peers do is less: they count
//! requests by user, agent, verb and resource; the script counts watches, refusals, addresses, nodes, pods and times, too.

#![expect(clippy::disallowed_macros, reason = "a benchmark prints its result")]
#![expect(clippy::unwrap_used, reason = "a benchmark may stop where it stands")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use breakglass::host::ranking::{self, Audited};
use breakglass::script::Script;

const JQ: &str = "jq -rc '[.user.username,.userAgent,.verb,.objectRef.resource]|@tsv' \"$1\" | LC_ALL=C sort | uniq -c | sort -rn | head -n 60";
const MLR: &str = "mlr --ijsonl --otsv flatten then count -g user.username,userAgent,verb,objectRef.resource then sort -nr count then head -n 60 \"$1\"";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = |at: usize, usual: u64| words.get(at).map_or(usual, |word| word.parse().unwrap());
    let (megabytes, rounds) = (number(0, 100), number(1, 5));
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("audit.log");
    let lines = fill(&std::fs::File::create(&log).unwrap(), megabytes << 20);
    let path = log.display().to_string();
    let query = ranking::audit(&path, 0, u64::MAX >> 16);
    let script = Script::from(query.clone()).text();
    println!("{megabytes} MB, {lines} events, {rounds} rounds; seconds of wall time");
    let mut all: [Vec<f64>; 3] = Default::default();
    let mut home = 0;
    for _ in 0..rounds {
        let (took, answer) = timed(Command::new("sh").arg("-s"), script.as_bytes());
        let Ok(Audited::Ranked(ranked)) = query.read(&answer) else { panic!("{answer}") };
        assert_eq!((ranked.lines, ranked.skipped), (lines, 0));
        home = answer.len();
        all[0].push(took.as_secs_f64());
        for (peer, command) in [(1, JQ), (2, MLR)] {
            let program = command.split(' ').next().unwrap();
            if Command::new(program).arg("--version").output().is_err() {
                continue;
            }
            let (took, said) = timed(Command::new("sh").args(["-c", command, "sh", &path]), b"");
            assert!(said.lines().count() > 2, "{program}: {said}");
            all[peer].push(took.as_secs_f64());
        }
    }
    let ours = median(&mut all[0]);
    println!("breakglass {ours:.2}, {home} bytes of answer");
    for (peer, name) in [(1, "jq"), (2, "mlr")] {
        if all[peer].is_empty() {
            println!("{name}: it is not here (Debian: jq, miller)");
            continue;
        }
        let theirs = median(&mut all[peer]);
        println!("{name} {theirs:.2}: {:.1} times as long", theirs / ours);
    }
}

fn median(all: &mut [f64]) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn timed(command: &mut Command, input: &[u8]) -> (Duration, String) {
    let began = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    (began.elapsed(), String::from_utf8(output.stdout).unwrap())
}

/// Half of the events are lists of a DaemonSet on 200 nodes, the rest leases of kubelets and watches; how many there are.
fn fill(file: &std::fs::File, size: u64) -> u64 {
    let mut file = std::io::BufWriter::new(file);
    let (mut written, mut lines, mut line) = (0, 0, String::new());
    while written < size {
        line.clear();
        let (node, minute, second) = (lines * 7919 % 200, lines / 60 % 60, lines % 60);
        let times = format!(
            "\"requestReceivedTimestamp\":\"2026-11-28T07:{minute:02}:{second:02}.100000Z\",\"stageTimestamp\":\"2026-11-28T07:{minute:02}:{second:02}.900000Z\",\
             \"annotations\":{{\"authorization.k8s.io/decision\":\"allow\",\"authorization.k8s.io/reason\":\"RBAC: allowed by ClusterRoleBinding \\\"telemetry-agent\\\" of \
             ClusterRole \\\"cluster-admin\\\" to ServiceAccount \\\"agent/telemetry\\\"\"}}}}"
        );
        let head = |stage: &str, uri: &str, verb: &str, user: &str| {
            format!(
                "{{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\",\"auditID\":\"{lines:08x}-0000-4000-8000-{lines:012x}\",\"stage\":\"{stage}\",\
                 \"requestURI\":\"{uri}\",\"verb\":\"{verb}\",\"user\":{{\"username\":\"{user}\",\"uid\":\"5a5\",\"groups\":[\"system:serviceaccounts\",\"system:authenticated\"]"
            )
        };
        let status = "\"responseStatus\":{\"metadata\":{},\"code\":200}";
        match lines % 10 {
            0..5 => write!(
                line,
                "{},\"extra\":{{\"authentication.kubernetes.io/credential-id\":[\"JTI={node}\"],\"authentication.kubernetes.io/node-name\":[\"n{node}\"],\
                 \"authentication.kubernetes.io/pod-name\":[\"agent-{node:05}\"],\"authentication.kubernetes.io/pod-uid\":[\"u{node}\"]}}}},\"sourceIPs\":[\"10.0.0.{node}\"],\
                 \"userAgent\":\"telemetry-agent/v1.2\",\"objectRef\":{{\"resource\":\"pods\",\"apiVersion\":\"v1\"}},{status},{times}",
                head("ResponseComplete", "/api/v1/pods?resourceVersion=0", "list", "system:serviceaccount:telemetry:agent")
            ),
            5..9 => write!(
                line,
                "{}}},\"sourceIPs\":[\"10.0.1.{node}\"],\"userAgent\":\"kubelet/v1.34.4\",\"objectRef\":{{\"resource\":\"leases\",\"namespace\":\"kube-node-lease\",\
                 \"name\":\"n{node}\",\"apiGroup\":\"coordination.k8s.io\",\"apiVersion\":\"v1\"}},{status},{times}",
                head(
                    "ResponseComplete",
                    &format!("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n{node}?timeout=10s"),
                    "update",
                    &format!("system:node:n{node}")
                )
            ),
            _ => write!(
                line,
                "{}}},\"sourceIPs\":[\"10.0.9.9\"],\"userAgent\":\"runner/1\",\"objectRef\":{{\"resource\":\"configmaps\",\"apiVersion\":\"v1\"}},{status},{times}",
                head("ResponseStarted", "/api/v1/configmaps?watch=true", "watch", "system:serviceaccount:ci:runner")
            ),
        }
        .unwrap();
        line.push('\n');
        file.write_all(line.as_bytes()).unwrap();
        written += line.len() as u64;
        lines += 1;
    }
    file.flush().unwrap();
    lines
}
