//! What a fake host does with the orders of the gate: whose it is, whether it was confirmed, whose hands set its fuses last,
//! and fuses that burn down by the runtime's clock, as a kernel's do, whoever is there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::host::ended;
use crate::change::Target;
use crate::host::gate::{BackEnd, Driver, GateArm, GateClose, GateOpen, GateRenew, Mark};
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

/// The gate of one host.
pub(super) struct Host<'a> {
    pub(super) gates: &'a mut Gates,
    pub(super) at: &'a Target,
}

/// Why an order is not carried out: the word for machines, and the sentence.
pub(super) struct No(&'static str, String);

impl No {
    /// As a renewal says it, which succeeds all the same.
    pub(super) fn lost(self) -> ScriptOutput {
        ended(0, format!("result={}\nlost={}\n", self.0, self.1))
    }
}

impl From<No> for ScriptOutput {
    fn from(No(result, why): No) -> Self {
        Self { status: 1, stdout: format!("result={result}\nfailed={why}\n"), stderr: why }
    }
}

impl Host<'_> {
    pub(super) fn survey(&self) -> ScriptOutput {
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

    pub(super) fn status(&self) -> ScriptOutput {
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

    pub(super) fn close(&mut self, GateClose { spec, back_end, .. }: &GateClose) -> Result<ScriptOutput, No> {
        if let Some(gate) = self.gates.get(self.at).filter(|gate| gate.stands()) {
            if gate.mark.run == spec.run {
                return Ok(ended(0, "result=already\n"));
            }
            return Err(No("held", format!("the gate of another run stands here: {}", gate.owner())));
        }
        let gone = Instant::now() + Duration::from_secs(spec.confirm_within.into());
        let until = vec![gone; spec.rungs().len()];
        let (mark, driver, back_end) = (spec.mark(), spec.driver(), *back_end);
        self.gates.insert(self.at.clone(), Gate { mark, back_end, driver, confirmed: false, armed: gone, until });
        Ok(ended(0, "result=closed\n"))
    }

    /// The gate of a run, alive or not, or what is said instead.
    fn of(&mut self, run: &str) -> Result<&mut Gate, No> {
        match self.gates.get_mut(self.at) {
            None => Err(No("open", "no gate stands here any more".into())),
            Some(gate) if gate.mark.run == run => Ok(gate),
            Some(gate) => Err(No("held", format!("the gate of another run stands here: {}", gate.owner()))),
        }
    }

    pub(super) fn arm(&mut self, arm: &GateArm) -> Result<ScriptOutput, No> {
        let GateArm { run, level, hold, step, was, by, operator, .. } = arm;
        let gate = self.of(run)?;
        let now = Instant::now();
        if !gate.stands() {
            return Err(No("open", "the gate has run out in the meantime: close it again".into()));
        }
        if ![was, by].contains(&&gate.driver.run) {
            return Err(No("moved", format!("another run sets its fuses now: {}", gate.driver.comment())));
        }
        let after = |n: u64| now + Duration::from_secs(hold + step * n);
        let rungs = gate.until.len() as u64;
        gate.until = (0..rungs).map(|k| if k < *level { now } else { after(k - level) }).collect();
        gate.armed = after(rungs.saturating_sub(*level));
        gate.confirmed = true;
        gate.driver = Driver { run: by.clone(), operator: operator.clone() };
        Ok(ended(0, "result=armed\n"))
    }

    pub(super) fn renew(&mut self, renew: &GateRenew) -> Result<ScriptOutput, No> {
        let GateRenew { run, back_end, level, hold, step, was, by, operator } = renew.clone();
        let gate = self.of(&run)?;
        if gate.stands() && gate.driver.run == by && gate.until.first().is_some_and(|until| *until <= Instant::now()) {
            return Err(No("moved", "its first stage has come by the kernel's timetable".into()));
        }
        self.arm(&GateArm { run, back_end, level, hold, step, was, by, operator })
    }

    pub(super) fn open(&mut self, open: &GateOpen) -> Result<ScriptOutput, No> {
        if self.gates.contains_key(self.at) {
            self.of(&open.run)?;
            self.gates.remove(self.at);
        }
        Ok(ended(0, "result=open\n"))
    }
}
