//! What a fake host does with the orders of the gate: whose it is, whether it was confirmed, whose hands set its fuses last,
//! and fuses that burn down by the runtime's clock, as a kernel's do, whoever is there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::host::ended;
use crate::change::Target;
use crate::host::gate::{BackEnd, Driver, GateClose, Mark};
use crate::host::order::Order as _;
use crate::script::Script;
use crate::world::ScriptOutput;

/// The gates of all hosts.
pub(super) type Gates = BTreeMap<Target, Gate>;

/// One gate, or what is left of one that has run out.
pub(super) struct Gate {
    mark: Mark,
    back_end: BackEnd,
    driver: Driver,
    confirmed: bool,
    armed: Instant,
    until: Vec<Instant>,
}

impl Gate {
    fn stands(&self) -> bool {
        self.armed > Instant::now()
    }

    /// The mark as the rules hold it.
    fn owner(&self) -> String {
        let comments = self.mark.comments();
        let fields: Vec<&str> = comments.iter().filter_map(|comment| comment.split_once(' ')).map(|it| it.1).collect();
        fields.join(" ")
    }

    /// All of it that does not move with the time.
    pub(super) fn snapshot(&self) -> Value {
        let now = Instant::now();
        let level = self.until.iter().filter(|until| **until <= now).count();
        json!([self.mark.run, self.stands(), self.confirmed, level, self.driver.run])
    }
}

/// One host and one script.
struct Host<'a> {
    gates: &'a mut Gates,
    at: &'a Target,
    script: &'a Script,
}

/// Runs a script of the gate; `None`: it is none.
pub(super) fn run(gates: &mut Gates, at: &Target, script: &Script) -> Option<ScriptOutput> {
    let mut host = Host { gates, at, script };
    Some(match script.name.as_str() {
        "gate.survey" => host.survey(),
        "gate.status" => host.status(),
        "gate.close" => host.close(),
        "gate.arm" | "gate.renew" => host.arm(),
        "gate.open" => host.open(),
        "gate.cut" => ended(0, "before=80\nafter=0\n"),
        "gate.memory" => ended(0, "total=16384000\navailable=9000000\napi=2500000 \nend=yes\n"),
        "apiserver.presence" => ended(0, "process=900 3600\nstarted=0\nend=yes\n"),
        _ => return None,
    })
}

impl Host<'_> {
    fn arg(&self, key: &str) -> &str {
        self.script.args.iter().find(|(known, _)| known == key).map_or("", |(_, value)| value.as_str())
    }

    fn number(&self, key: &str) -> u64 {
        self.arg(key).parse().expect("a number")
    }

    /// An order that is not carried out; a renewal then only says so.
    fn no(&self, result: &str, why: &str) -> ScriptOutput {
        if self.script.name == "gate.renew" {
            return ended(0, format!("result={result}\nlost={why}\n"));
        }
        let (stdout, stderr) = (format!("result={result}\nfailed={why}\n"), why.to_owned());
        ScriptOutput { status: 1, stdout, stderr }
    }

    fn survey(&self) -> ScriptOutput {
        let mut out = "uid=0\nnow=1735689600\nkernel=6.1.0\nssh=192.0.2.10 50000 10.0.0.1 22\nnft=yes\nss=yes\n\
             destroy=yes\napi=900 6443\nlisten=*:6443 kube-apiserver\nlisten=0.0.0.0:22 sshd\nproc=900 kube-apiserver\n\
             own=127.0.0.1/8\n"
            .to_owned();
        if let Some(gate) = self.gates.get(self.at) {
            let _ = write!(out, "gate={}\ngate_owner={}\n", gate.back_end, gate.owner());
            if gate.stands() {
                out.push_str("gate_alive=yes\n");
            }
        }
        ended(0, out + "end=yes\n")
    }

    fn status(&self) -> ScriptOutput {
        let mut out = "uptime=86400.00\nlisten=0016 192B\n".to_owned();
        let Some(gate) = self.gates.get(self.at) else { return ended(0, out + "back_end=none\n") };
        let _ = write!(out, "back_end={}\nowner={}\ndriver={}\n", gate.back_end, gate.owner(), gate.driver.comment());
        let now = Instant::now();
        let mut set = |name: &str, until: Instant| {
            let left = until.saturating_duration_since(now).as_millis();
            let element = if left > 0 { format!("elements = {{ 6443 expires {left}ms }}") } else { "empty".to_owned() };
            let _ = writeln!(out, "set.{name}=set {name} {{ {element} }}");
        };
        set("armed", gate.armed);
        for (k, until) in gate.until.iter().enumerate() {
            set(&format!("until_{}", k + 1), *until);
        }
        if gate.confirmed {
            out.push_str("set.confirmed=set confirmed { elements = { 6443 } }\n");
        }
        ended(0, out)
    }

    fn close(&mut self) -> ScriptOutput {
        let GateClose { spec, back_end, .. } = GateClose::of(self.script).expect("a gate");
        if let Some(gate) = self.gates.get(self.at).filter(|gate| gate.stands()) {
            if gate.mark.run == spec.run {
                return ended(0, "result=already\n");
            }
            return self.no("held", &format!("the gate of another run stands here: {}", gate.owner()));
        }
        let gone = Instant::now() + Duration::from_secs(spec.confirm_within.into());
        let until = vec![gone; spec.rungs().len()];
        let (mark, driver) = (spec.mark(), spec.driver());
        self.gates.insert(self.at.clone(), Gate { mark, back_end, driver, confirmed: false, armed: gone, until });
        ended(0, "result=closed\n")
    }

    /// Our own gate, alive or not, or what is said instead.
    fn ours(&self) -> Result<&Gate, ScriptOutput> {
        match self.gates.get(self.at) {
            None => Err(self.no("open", "no gate stands here any more")),
            Some(gate) if gate.mark.run == self.arg("run") => Ok(gate),
            Some(gate) => Err(self.no("held", &format!("the gate of another run stands here: {}", gate.owner()))),
        }
    }

    fn arm(&mut self) -> ScriptOutput {
        let gate = match self.ours() {
            Ok(gate) => gate,
            Err(said) => return said,
        };
        let now = Instant::now();
        let by = Driver { run: self.arg("by").to_owned(), operator: self.arg("operator").to_owned() };
        if !gate.stands() {
            return self.no("open", "the gate has run out in the meantime: close it again");
        }
        if ![self.arg("was"), &by.run].contains(&gate.driver.run.as_str()) {
            return self.no("moved", &format!("another run sets its fuses now: {}", gate.driver.comment()));
        }
        if self.script.name == "gate.renew" && gate.until.first().is_some_and(|until| *until <= now) {
            return self.no("moved", "its first stage has come by the kernel's timetable");
        }
        let (level, hold, step) = (self.number("level"), self.number("hold"), self.number("step"));
        let after = |n: u64| now + Duration::from_secs(hold + step * n);
        let gate = self.gates.get_mut(self.at).expect("seen above");
        let rungs = gate.until.len() as u64;
        gate.until = (0..rungs).map(|k| if k < level { now } else { after(k - level) }).collect();
        gate.armed = after(rungs.saturating_sub(level));
        (gate.confirmed, gate.driver) = (true, by);
        ended(0, "result=armed\n")
    }

    fn open(&mut self) -> ScriptOutput {
        if self.gates.contains_key(self.at) {
            if let Err(said) = self.ours() {
                return said;
            }
            self.gates.remove(self.at);
        }
        ended(0, "result=open\n")
    }
}
