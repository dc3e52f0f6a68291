//! The gate of a simulated host.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::said::Said;
use super::world::{APISERVER, Gate, SimHost};
use crate::host::gate::{Driver, GateArm, GateOpen, GateRenew, GateSpec, Rung};

/// Why fuses are not set: the result and the reason.
type NotSet = (&'static str, String);

pub(super) fn survey(host: &SimHost, peer: SocketAddr) -> String {
    let mut out = format!(
        "uid=0\nnow=1733958960\nkernel=6.1.0-sandbox\nssh={} {} 127.0.0.1 22\nnft=yes\nss=yes\ndestroy=yes\n\
         api={} 6443\nlisten=*:6443 kube-apiserver\nlisten=0.0.0.0:22 sshd\nlisten=127.0.0.1:2379 etcd\n\
         proc=900 etcd\nproc=901 kubelet\nproc=902 kube-controller-manager\nown=127.0.0.1/8\n",
        peer.ip(),
        peer.port(),
        host.pid(APISERVER)
    );
    if let Some(gate) = &host.gate {
        let _ = write!(out, "gate=nft\ngate_owner={}\n", owner(gate));
        if gate.armed > Instant::now() {
            out.push_str("gate_alive=yes\n");
        }
    }
    out.push_str("end=yes\n");
    out
}

/// The mark as the rules' comments hold it.
fn owner(gate: &Gate) -> String {
    let word = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric() && !"._:@+-,".contains(c), "_");
    let mark = &gate.mark;
    let ports: Vec<String> = mark.ports.iter().map(ToString::to_string).collect();
    let stages: String = mark
        .rungs
        .iter()
        .map(|rung| match rung {
            Rung::Share(percent) => format!(" stage=share:{percent}"),
            Rung::Set(name) => format!(" stage=set:{}", word(name)),
            Rung::Rate(rate) => format!(" stage=rate:{rate}"),
            Rung::Count(sources) => format!(" stage=count:{sources}"),
        })
        .collect();
    format!(
        "run={} by={} at={} ports={} hold={} step={} is={}{stages} why={}",
        word(&mark.run),
        word(&mark.operator),
        mark.at,
        ports.join(","),
        mark.hold,
        mark.step,
        mark.number,
        word(&mark.reason)
    )
}

pub(super) fn close(host: &mut SimHost, spec: &GateSpec) -> Said {
    let now = Instant::now();
    if let Some(gate) = host.gate.as_ref().filter(|gate| gate.armed > now) {
        if gate.mark.run == spec.run && gate.mark.number == spec.number() {
            return Said::ok("result=already\n".into());
        }
        let why = format!("result=held\nowner={}\nfailed=the gate of another run stands here\n", owner(gate));
        return Said { status: 1, stdout: why, stderr: String::new() };
    }
    let gone = now + Duration::from_secs(u64::from(spec.confirm_within));
    let until = vec![gone; spec.rungs().len()];
    host.gate = Some(Gate {
        mark: spec.mark(),
        driver: spec.driver(),
        spec: spec.clone(),
        confirmed: false,
        armed: gone,
        until,
        closed: now,
    });
    Said::ok("result=closed\n".into())
}

/// The gate of a run, or what to say instead.
fn ours<'a>(host: &'a mut SimHost, run: &str) -> Result<&'a mut Gate, Said> {
    let refused = |stdout: String| Said { status: 1, stdout, stderr: String::new() };
    let Some(gate) = &mut host.gate else {
        return Err(refused("result=open\nfailed=no gate stands here any more\n".into()));
    };
    if run == gate.mark.run {
        return Ok(gate);
    }
    Err(refused(format!("result=held\nowner={}\nfailed=the gate of another run stands here\n", owner(gate))))
}

impl Gate {
    fn set(&mut self, was: &str, by: Driver, (level, hold, step): (u64, u64, u64)) -> Result<(), NotSet> {
        let now = Instant::now();
        if self.armed <= now {
            return Err(("open", "the gate has run out".into()));
        }
        if was != self.driver.run && by.run != self.driver.run {
            return Err(("moved", format!("another run sets its fuses now: {}", self.driver.comment())));
        }
        self.driver = by;
        let after = |n: u64| now + Duration::from_secs(hold + step * n);
        let rungs = self.until.len() as u64;
        self.until = (0..rungs).map(|k| if k < level { now } else { after(k - level) }).collect();
        self.armed = after(rungs.saturating_sub(level));
        self.confirmed = true;
        Ok(())
    }
}

pub(super) fn arm(host: &mut SimHost, order: &GateArm) -> Said {
    let by = Driver { run: order.by.clone(), operator: order.operator.clone() };
    let gate = match ours(host, &order.run) {
        Ok(gate) => gate,
        Err(said) => return said,
    };
    match gate.set(&order.was, by, (order.level, order.hold, order.step)) {
        Ok(()) => Said::ok("result=armed\n".into()),
        Err((result, why)) => {
            Said { status: 1, stdout: format!("result={result}\nfailed={why}\n"), stderr: String::new() }
        }
    }
}

pub(super) fn renew(host: &mut SimHost, order: &GateRenew) -> Said {
    let by = Driver { run: order.by.clone(), operator: order.operator.clone() };
    let gate = match ours(host, &order.run) {
        Ok(gate) => gate,
        Err(said) => return said,
    };
    let came = gate.until.first().is_some_and(|until| *until <= Instant::now()) && gate.armed > Instant::now();
    let set = if came && [&order.was, &order.by].contains(&&gate.driver.run) {
        Err(("moved", "its first stage has come by the kernel's timetable".to_owned()))
    } else {
        gate.set(&order.was, by, (order.level, order.hold, order.step))
    };
    match set {
        Ok(()) => Said::ok("result=armed\n".into()),
        Err((result, why)) => Said::ok(format!("result={result}\nlost={why}\n")),
    }
}

pub(super) fn open(host: &mut SimHost, order: &GateOpen) -> Said {
    if host.gate.is_none() {
        return Said::ok("result=open\n".into());
    }
    let gate = match ours(host, &order.run) {
        Ok(gate) => gate,
        Err(said) => return said,
    };
    if gate.armed > Instant::now() && ![&order.was, &order.by].contains(&&gate.driver.run) {
        let why = format!("another run sets the fuses of this gate now: {}", gate.driver.comment());
        return Said { status: 1, stdout: format!("result=moved\nfailed={why}\n"), stderr: String::new() };
    }
    host.gate = None;
    Said::ok("result=open\n".into())
}

pub(super) fn status(host: &SimHost, began: Instant, pods: u32) -> String {
    let mut out = format!("uptime={:.2}\nlisten=0016 094B 192B\n", 86_400.0 + began.elapsed().as_secs_f64());
    let Some(gate) = &host.gate else {
        out.push_str("back_end=none\n");
        return out;
    };
    let now = Instant::now();
    let set = |name: &str, until: Instant| {
        let left = until.saturating_duration_since(now).as_millis();
        let element =
            if left > 0 { format!(" elements = {{ 6443 timeout 900s expires {left}ms }}") } else { String::new() };
        format!("set.{name}=table inet breakglass {{ set {name} {{ flags timeout{element} }} }}\n")
    };
    let _ = write!(out, "back_end=nft\nowner={}\ndriver={}\n", owner(gate), gate.driver.comment());
    out.push_str(&set("armed", gate.armed));
    if gate.confirmed {
        out.push_str("set.confirmed=set confirmed { elements = { 6443 } }\n");
    }
    for (k, until) in gate.until.iter().enumerate() {
        out.push_str(&set(&format!("until_{}", k + 1), *until));
    }
    // Each agent tries twice a second; what is not admitted is refused.
    let tries = gate.closed.elapsed().as_secs() * 2 * u64::from(pods);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a share")]
    let admitted = (tries as f64 * gate.admitted(now)) as u64;
    let _ = writeln!(
        out,
        "counters=table inet breakglass {{ counter attempts {{ packets {tries} bytes 0 }} counter admitted {{ packets \
         {admitted} bytes 0 }} counter refused {{ packets {} bytes 0 }} counter returned {{ packets 0 bytes 0 }} }}",
        tries - admitted
    );
    let _ = writeln!(out, "talkers={pods}");
    for n in 0..pods.min(20) {
        let _ = writeln!(out, "talker={} 10.64.{}.{}", tries / u64::from(pods.max(1)), n / 250, n % 250 + 1);
    }
    out
}

/// A connection as a node makes it: an address that is not let through meets the gate of the host that it is on.
pub(super) fn knock(host: &SimHost) -> String {
    let shut = host.gate.as_ref().is_some_and(|gate| gate.admitted(Instant::now()) < 1.0);
    format!("with=curl\nknock={}\n", if shut { "refused" } else { "open" })
}
