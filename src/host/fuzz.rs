//! What hosts answer, broken in every way: nothing panics, what a host says in numbers that nobody can mean is not known, and
//! marks are read back as they were written.

use std::fmt::Display;

use proptest::prelude::*;

use super::gate::{self, BackEnd, Driver, GateClose, GateState, Mark, Rung, Side, Stage, Survey};
use super::manifest::{self, Edit};
use super::order::Order as _;
use super::{Net, apiserver, left, offender, pods, ranking, swap};
use crate::fuzz::{each, mangled};
use crate::script::{self, Answer, Head, Script};

/// What can be printed, printed.
fn say(what: impl Display) -> String {
    what.to_string()
}

const ANSWERS: &[&str] =
    &["failed=cannot write /a: No space left on device\n", "port=6443\nport=8443\nempty=\nraw=a=b c\nend=yes\n", ""];

#[test]
fn an_answer_is_read_line_by_line_and_a_script_s_head_reads_back() {
    each(8_000, &mangled(ANSWERS), |text| {
        let answer = Answer::parse(&text);
        for (key, value) in answer.pairs() {
            prop_assert!(text.contains(key) && text.contains(value) && !value.contains('\n'));
            if let Some(number) = answer.number(key) {
                // Whoever adds, multiplies or makes a time of it stays within what numbers can hold.
                prop_assert!(number.checked_mul(1000).is_some(), "{number}");
            }
        }
        let sent = Script::new("gate.close", "true").arg("k", &text).arg("l", "").text();
        let told = [("k", text.as_str()), ("l", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        prop_assert_eq!(Head::parse(&sent).map(|head| head.args), Some(told.to_vec()));
        let _ = Head::parse(&format!("# breakglass {text}"));
        // Only what comes after the mark is an answer.
        let heard = format!("{text}{}{text}", script::MARK);
        prop_assert_eq!(script::said(heard.as_bytes()), Some(text.as_bytes()));
        Ok(())
    });
}

const SURVEYS: &[&str] = &[
    "uid=0\nnow=1790000000\nkernel=6.8.0-40-generic\nssh=192.0.2.10 51234 10.0.0.1 22\nnft.version=nftables v1.0.9 (Old Doc Yak #3)\n\
     nft=yes\nipset=yes\niptables_nft=yes\niptables_nft.v6=yes\niptables_legacy.error=modprobe: FATAL: Module ip_tables not found\n\
     api=1234 6443 10.0.0.1\netcd_servers=https://10.0.0.1:2379,https://10.0.0.2:2379,https://[fd90::3]:2379\n\
     etcd_cluster=cp1=https://10.0.0.1:2380,cp2=https://10.0.0.2:2380\nproc=77 etcd\nproc=78 kube-controller-manager\n\
     proc=0 ufw\nproc=99 haproxy\nkubelet_cgroup=system.slice/kubelet.service\nmanifest=6443 /etc/kubernetes/manifests/kube-apiserver.yaml\n\
     cgroup2=yes\ntable=inet firewalld\ntable=ip kube-proxy\nlisten=*:6443 kube-apiserver\nlisten=[::]:22 sshd\n\
     listen=[::ffff:10.0.0.1]:6443 haproxy\nlisten=127.0.0.1:2381 etcd\nss=yes\nown=10.0.0.1/24\nown=fd90::1/64\ndestroy=yes\n\
     gate=nft\ngate_owner=run=r1 by=alice at=7 ports=6443 hold=900 step=60 stage=share:5 why=x%20y \ngate_alive=yes\nend=yes\n",
    "uid=1000\nnow=\nkernel=5.4\nssh=\nnft.error=not on this host\nlegacy_in_use=yes\niptables_legacy=yes\nk3s=1 6444\nlisten_hex=192B\n\
     listen_hex=0016\ngate=iptables-legacy\ngate_owner=\nend=yes\n",
];

fn tell(survey: &Survey) -> Result<(), TestCaseError> {
    for side in [Side::Server { ports: vec![6443] }, gate::sample().side] {
        let spec = gate::GateSpec { side, ..gate::sample() };
        for back_end in [BackEnd::Nft, BackEnd::IptablesNft, BackEnd::IptablesLegacy] {
            let _ = gate::v6_hole(&spec, survey, back_end);
            prop_assert!(survey.choose() != Some(back_end) || survey.usable(back_end));
        }
        gate::refuse(&spec, survey, &[6443]).iter().for_each(|refusal| drop(say(refusal)));
    }
    let _ = (survey.api_ports(), survey.balancers(), survey.reached_by_v6());
    // It is kept in journals.
    let kept = serde_json::to_string(survey).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(serde_json::from_str::<Survey>(&kept).ok(), Some(survey.clone()));
    Ok(())
}

#[test]
fn a_survey_is_whole_or_none() {
    let query = gate::survey(&[]);
    each(3_000, &mangled(SURVEYS), |text| match query.read(&text) {
        Ok(survey) => {
            prop_assert!(Answer::parse(&text).yes("end"));
            tell(&survey)
        }
        Err(_) => Ok(()),
    });
}

const STATES: &[&str] = &[
    "uptime=100.50\nlisten=0016 192B\nback_end=nft\n\
     owner=run=r1 by=alice at=7 ports=6443,8443 hold=900 step=60 stage=set:web stage=count:5 stage=share:25 stage=rate:50 why=x \n\
     driver=run=r2 by=bob \n\
     set.armed=table inet breakglass { set armed { elements = { 6443 timeout 15m expires 14m59s984ms } } }\n\
     set.confirmed=table inet breakglass { set confirmed { type inet_service elements = { 6443 } } }\n\
     set.until_1=table inet breakglass { set until_1 { type inet_service flags timeout } }\n\
     set.until_2=table inet breakglass { set until_2 { elements = { 6443 timeout 1d2h expires 13m } } }\n\
     counters=table inet breakglass { counter attempts { packets 7 bytes 1 } counter refused { packets 5 bytes 1 } }\n\
     talkers=2\ntalker=5 10.0.0.9\ntalker=2 fd90::9\n",
    "uptime=3.1\nback_end=iptables-legacy\nowner=run=r1 by=a at=7 ports=6443 hold=900 step=60 stage=share:5 why=x\nv6=no\n\
     set.armed=6443 timeout 27 8443 timeout 26\nset.until_1=6443 timeout 20\ncount.attempts=9\ncount.attempts=4\ncount.refused=3\n\
     talkers=1\ntalker=9 10.0.0.9\n",
    "uptime=1.00\nback_end=none\n",
];

fn tell_state(state: &GateState) -> Result<(), TestCaseError> {
    prop_assert!(state.level() <= state.fuses.len() + 1);
    prop_assert_eq!(state.stands(), state.armed_ms > 0);
    prop_assert!(!state.now().is_empty() && state.stands() != state.then().is_empty());
    let _ = (say(state), state.taken_over(), state.driven_by(), state.nobody_listens());
    // Times are added to clocks.
    let ends = jiff::Timestamp::from_second(1_790_000_000)
        .unwrap()
        .checked_add(std::time::Duration::from_millis(state.next_ms()));
    prop_assert!(ends.is_ok(), "{}", state.next_ms());
    prop_assert!(state.counters.attempts.checked_mul(1000).is_some());
    Ok(())
}

#[test]
fn a_gate_is_read_or_unknown() {
    let query = gate::status();
    each(6_000, &mangled(STATES), |text| match query.read(&text) {
        Ok(Some(state)) => tell_state(&state),
        Ok(None) => {
            prop_assert!(Answer::parse(&text).get("back_end") == Some("none"));
            Ok(())
        }
        Err(_) => Ok(()),
    });
}

const SMALL: &[&str] = &[
    "total=8000000\navailable=400000\napi=4000000 4294967296\napi=5000000 9223372036854771712\nend=yes\n",
    "with=curl\nknock=refused\n",
    "unable=none of curl, bash and nc is on this host\n",
    "before=12\nafter=0\n",
    "connections=9\nsources=1\nsource=5 10.0.0.9\nsource=4 fd90::9\nlog=/proc/7/root/var/log/audit.log\nsize=900\nserved=900\nrefused=1\nunknown=0\nend=yes\n",
    "process=7 4000\nprocess=8 3\nstarted=0\nstarted=12\nend=yes\n",
];

#[test]
fn what_a_host_says_of_memory_connections_and_processes_is_a_number_that_can_be_meant_or_unknown() {
    let (memory, knock) = (gate::memory(), gate::knock("192.0.2.1:6443".parse().unwrap()));
    let (offender, presence) = (offender::look(&[6443], None, None), apiserver::presence());
    each(8_000, &(mangled(SMALL), any::<u8>()), |(text, percent)| {
        if let Ok(memory) = memory.read(&text) {
            drop(memory.heavy(percent).map(|heavy| say(heavy.on("cp1"))));
        }
        drop(knock.read(&text));
        drop(gate::parse_cut(&Answer::parse(&text)).map(say));
        if let Ok(seen) = offender.read(&text) {
            let sum = seen.loudest.iter().map(|(_, count)| *count).try_fold(0_u64, u64::checked_add);
            prop_assert!(sum.is_some_and(|sum| sum.checked_mul(1000).is_some()), "{seen:?}");
        }
        drop(presence.read(&text).map(say));
        Ok(())
    });
}

const PODS: &[&str] = &[
    "frozen.folder=/run/breakglass-frozen-r1-2\nfrozen.run=r1\nfrozen.by=alice\nfrozen.object=ds/a/b\nfrozen.why=x\nfrozen.age=7\n\
     frozen.left=900\nfrozen.watched=yes\nfrozen.held=2\npod=25100346-8177-4ea8-95c8-4a40b468054f agent-7xk2p 2 yes\nlogs=none\nend=yes\n",
    "pod=agent-7xk2p\naddress=10.0.0.9\naddress=fd90:0000:0000:0000:0000:0000:0000:0009\npod=b\nhost=yes\ngroup=kubepods/x\nend=yes\n",
];

#[test]
fn what_a_host_says_of_pods_is_whole_or_none() {
    let which = pods::Which { object: String::new(), namespace: "ns".into(), forms: vec!["agent-[a-z]".into()] };
    let (look, frozen, network) = (pods::look(&which), pods::frozen(), pods::network(&which));
    each(8_000, &mangled(PODS), |text| {
        let whole = Answer::parse(&text).yes("end");
        prop_assert_eq!((look.read(&text).is_ok(), network.read(&text).is_ok()), (whole, whole));
        for one in frozen.read(&text).into_iter().flatten() {
            let ends = jiff::Timestamp::from_second(1_790_000_000).unwrap().checked_add(one.left.min(pods::MOST));
            prop_assert!(ends.is_ok() && one.held.checked_mul(1000).is_some(), "{one:?}");
        }
        Ok(())
    });
}

const RANKED: &[&str] = &[
    "now=1795850000\nlog=/a\nlines=3\nevents=3\nskipped=0\nother=0\nbeyond=0\ncut=no\nstages=1 0 2\n\
     row=:\tsystem:serviceaccount:a:b\tb/1\tlist\tpods\t1\t0\t2\t1\t1500\t2026-11-28T07:00:01\t2026-11-28T07:00:03\t1\t1\t b-7xk2p\t 10.0.0.9=2 fd90::9=1\t.\n\
     row=:\tjane\tx\\u0041\twatch\tpods\t9\t900\t2\t1\t0\t2026-11-28T07:00:01\t2026-11-28T07:00:03\t1\t0\t\t 10.0.0.9=2\t.\n\
     bytes=900\nwhole=yes\nend=yes\n",
    "peer=10.0.0.9 3 3000 yes 192.168.0.5\npeer=fd90::9 1 0 no \nend=yes\n",
    "log=none\nend=yes\n",
];

#[test]
fn what_a_host_tells_of_clients_is_bounded_and_can_be_counted_with() {
    let (audit, log) = (ranking::audit("", 300, 1000), ranking::server_log("", 300, 1000));
    let sockets = ranking::sockets(&[6443]);
    each(8_000, &mangled(RANKED), |text| {
        let audited = match audit.read(&text) {
            Ok(ranking::Audited::Ranked(ranked)) => ranked.rows,
            _ => Vec::new(),
        };
        let logged = log.read(&text).ok().flatten().map(|ranked| ranked.rows).unwrap_or_default();
        for row in audited.iter().chain(&logged).chain(&sockets.read(&text).unwrap_or_default()) {
            let counts = [row.requests, row.watches, row.refused, row.millis.unwrap_or(0), row.bytes.unwrap_or(0)];
            prop_assert!(counts.iter().all(|count| count.checked_mul(1000).is_some()), "{row:?}");
            prop_assert!(row.pods.len() <= 5 && row.sources.len() <= 1000, "{row:?}");
        }
        Ok(())
    });
}

const LOOKS: &[&str] = &[
    "file=/etc/kubernetes/manifests/kube-apiserver.yaml\nsha256=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n\
     mode=600\ntext=YXBpVmVyc2lvbjogdjEKa2luZDogUG9kCg==\nprocess=7:4000\nprocess=8:4100\nbefore=aa\nnext=bb\n\
     folder=/etc/kubernetes/breakglass-r1-scale\nstate=out\nlooked=yes\n",
    "failed=there is no folder /etc/kubernetes/manifests\n",
    "state=ready\n",
];

#[test]
fn a_look_at_a_manifest_is_whole_or_says_why_not() {
    let [manifests, program, run, operator, tag] =
        ["/etc/kubernetes/manifests", "kube-apiserver", "r1", "alice", "1-room"].map(str::to_owned);
    let query = swap::look(&swap::Place { manifests, program, run, operator, tag });
    each(8_000, &mangled(LOOKS), |text| {
        match query.read(&text).flatten() {
            Ok(seen) => {
                prop_assert!(
                    Answer::parse(&text).yes("looked") && seen.files.iter().all(|file| text.contains(&**file))
                );
            }
            Err(why) => prop_assert!(!why.is_empty()),
        }
        Ok(())
    });
}

fn any_mark() -> impl Strategy<Value = Mark> {
    let word = || mangled(&["20261122-134228-k3v9", "alice@example.com", "telemetry agent; 100% of \"LIST\"s é"]);
    let rung = prop_oneof![
        any::<u8>().prop_map(Rung::Share),
        "[a-z0-9-]{1,12}".prop_map(Rung::Set),
        any::<u32>().prop_map(Rung::Rate),
        any::<u32>().prop_map(Rung::Count),
    ];
    let numbers = (any::<u64>(), any::<u32>(), any::<u32>());
    let ports = prop::collection::vec(1_u16.., 1..4);
    (word(), word(), word(), numbers, ports, prop::collection::vec(rung, 0..6)).prop_map(
        |(run, operator, reason, (at, hold, step), ports, rungs)| Mark {
            run,
            operator,
            reason,
            at,
            ports,
            hold,
            step,
            rungs,
            number: format!("{hold:08x}"),
        },
    )
}

/// What stands in rules is no rule, and reads back: as it was, or cut at its end.
#[test]
fn a_mark_reads_back_from_what_stands_in_the_rules() {
    each(3_000, &any_mark(), |mark| {
        let comments = mark.comments();
        for comment in &comments {
            prop_assert!(comment.len() <= 120, "{comment}");
            prop_assert!(
                comment.chars().all(|c| c.is_ascii_alphanumeric() || " ._:@+-,<>%=/".contains(c)),
                "{comment}"
            );
        }
        let fields: Vec<&str> = comments.iter().filter_map(|comment| comment.strip_prefix("breakglass/1 ")).collect();
        prop_assert_eq!(fields.len(), comments.len());
        let read = Mark::read(&fields.join(" "));
        prop_assert_eq!(read.is_none(), mark.run.is_empty());
        if let Some(read) = read {
            let cut = |whole: &str, part: &str| whole.starts_with(part) && (part == whole || part.len() > 25);
            prop_assert!(cut(&mark.run, &read.run) && cut(&mark.operator, &read.operator), "{read:?}");
            prop_assert!(cut(&mark.reason, &read.reason), "{read:?}");
            prop_assert_eq!((read.at, read.hold, read.step, &read.rungs), (mark.at, mark.hold, mark.step, &mark.rungs));
            prop_assert_eq!(read.ports, mark.ports);
        }
        Ok(())
    });
}

const MARKS: &[&str] = &[
    "run=20261122-134228-k3v9 by=alice@example.com at=1790000000 ports=6443,8443 hold=900 step=60 stage=set:kubelets stage=count:5 \
     stage=share:25 stage=rate:50 why=telemetry%20agent%3B%20100%25%20of%20%C3%A9",
    "run=r2 by=bob",
];

#[test]
fn any_mark_is_ours_or_not() {
    each(8_000, &mangled(MARKS), |text| {
        prop_assert!(Mark::read(&text).is_none_or(|mark| !mark.run.is_empty()));
        if let Some(driver) = Driver::read(&text) {
            prop_assert!(driver.comment().len() <= 120 && driver.comment().is_ascii());
        }
        if let Ok(net) = text.trim().parse::<Net>() {
            prop_assert_eq!(say(net).parse(), Ok(net));
        }
        Ok(())
    });
}

const PREFIXES: &[&str] = &["10.0.0.0/24", "fd90::11", "::ffff:10.0.0.7/120", "0.0.0.0/0"];

#[test]
fn a_prefix_reads_back() {
    each(8_000, &(mangled(PREFIXES), any::<std::net::IpAddr>()), |(text, address)| {
        if let Ok(net) = text.parse::<Net>() {
            prop_assert_eq!(say(net).parse(), Ok(net));
            let _ = net.contains(address);
            prop_assert!(
                !net.is_everything() || net.contains(address) || net.is_v6() != address.to_canonical().is_ipv6()
            );
        }
        Ok(())
    });
}

const MANIFESTS: &[&str] = &[
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\n  namespace: kube-system\nspec:\n  containers:\n  - command:\n\
     \u{20}   - kube-apiserver\n    - --advertise-address=10.0.0.1\n    - --secure-port=6443 # why\n    - --m=1\n    image: registry.k8s.io/kube-apiserver:v1.31.0\n\
     \u{20}   livenessProbe:\n      httpGet:\n        host: 10.0.0.1\n        path: /livez\n        port: 6443\n        scheme: HTTPS\n    name: kube-apiserver\n\
     \u{20}   resources:\n      limits:\n        memory: 4Gi\n      requests:\n        cpu: 250m\n",
    "{\"kind\": \"Pod\", \"spec\": {\"containers\": [{\"name\": \"a\", \"command\": [\"kube-apiserver\", \"--m\", \"1\"], \"image\": \"x:v1.29.0@sha256:00\"}]}}\n",
];

/// Beside the manifests that are made piece by piece: real ones, broken.
#[test]
fn a_broken_manifest_is_refused_or_edited_and_then_says_what_was_wanted() {
    let edit = Edit {
        flags: [("m".to_owned(), Some("7".to_owned()))].into(),
        limits: [("memory".to_owned(), Some("8Gi".to_owned()))].into(),
        ..Edit::default()
    };
    each(300, &mangled(MANIFESTS), |text| {
        let _ = (manifest::image(&text, "kube-apiserver"), manifest::listens(&text, "kube-apiserver", 6443).map(say));
        match manifest::edit(&text, "kube-apiserver", &edit) {
            Ok(edited) => {
                let now = manifest::flag(&edited.text, "kube-apiserver", "m").map_err(TestCaseError::fail)?;
                prop_assert_eq!(now.last().map(String::as_str), Some("7"), "{} became {}", text, edited.text);
                let again = manifest::edit(&edited.text, "kube-apiserver", &edit);
                prop_assert_eq!(again.map(|again| again.text), Ok(edited.text), "{}", text);
            }
            Err(why) => prop_assert!(!why.is_empty()),
        }
        Ok(())
    });
}

const AMOUNTS: &[&str] = &["8Gi", "1500Mi", "250m", "0.5", "4", "100e3Ki"];

#[test]
fn an_amount_is_read_or_refused() {
    each(8_000, &mangled(AMOUNTS), |text| {
        let amount = manifest::quantity(&text);
        prop_assert!(amount.is_none_or(|amount| amount >= 0.0 && !amount.is_nan()), "{text:?}");
        for name in ["cpu", "memory"] {
            let refused = manifest::absurd(name, &text);
            prop_assert!(amount.is_some() || refused.is_some(), "{text:?}");
        }
        Ok(())
    });
}

/// What a script was given is what a simulated host acts on.
#[test]
fn the_order_to_close_reads_back_and_what_is_no_order_is_none() {
    let spec = gate::GateSpec { stages: vec![Stage::Count(5), Stage::Share(25)], ..gate::sample() };
    let text = serde_json::to_string(&spec).unwrap();
    each(2_000, &mangled(&[text]), |text| {
        let script = Script::new("gate.close", "").arg("run", "r").arg("spec", &text).arg("back_end", "nft");
        if let Some(read) = GateClose::of(&script) {
            let again = gate::close(&read.spec, read.back_end);
            let run = read.spec.run.clone();
            prop_assert_eq!(GateClose::of(&again), Some(GateClose { run, ..read }));
        }
        Ok(())
    });
}

const LEFT: &[&str] = &[
    "folder=/etc/kubernetes/breakglass-20261128-031204.085-a4da-1-room\nrun=20261128-031204.085-a4da\nby=alice\nprogram=kube-apiserver\n\
     file=/etc/kubernetes/manifests/kube-apiserver.yaml\nage=12\nstate=ready\nmarked=7\nbefore=aa\nnext=bb\nnext=cc\n\
     folder=/etc/kubernetes/breakglass-r2-3-rescue\nchanged=yes\nstray=old.yaml\nout=yes\nage=999999\n\
     folder=/etc/kubernetes/breakglass-r3-1-certificates\nunread=yes\nkept=/etc/kubernetes/pki/ca.crt\nrenewed=/b\n\
     manifest=cc /etc/kubernetes/manifests/kube-apiserver.yaml\ncontrollers=a2luZDogUG9kCg==\nend=yes\n",
    "end=yes\n",
];

#[test]
fn what_is_left_beside_manifests_is_read_whole_or_not_at_all() {
    let query = left::look("/etc/kubernetes/manifests");
    each(3_000, &mangled(LEFT), |text| {
        let Ok(found) = query.read(&text) else { return Ok(()) };
        prop_assert!(Answer::parse(&text).yes("end"));
        for folder in &found.folders {
            let _ = (folder.stands(&found), folder.is_back(&found), folder.followed_by(&found));
            // A time before now, on any clock.
            prop_assert!(folder.age.is_none_or(|age| age < 400_000_000));
        }
        Ok(())
    });
}
