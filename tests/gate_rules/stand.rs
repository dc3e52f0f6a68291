//! A host with something that listens, and the shell that runs our texts on it.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use breakglass::host::gate::{self, Allow, BackEnd, GateSpec, GateState, Reply, Side, Stage, Turn, Why};
use breakglass::script::{self, Answer, Script};
use libtest_mimic::Trial;
use testbed::{Host, Lab, OPERATOR_IP4, OPERATOR_IP6, Output, Probe};

pub(crate) const PORT: u16 = 6443;
/// More than any of our scripts takes, on two busy cores.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// One test per back end.
pub(crate) fn each(name: &str, test: fn(BackEnd) -> Result<()>) -> Vec<Trial> {
    let one = |back_end: BackEnd| {
        testbed::test(format!("{name}::{}", back_end.word().replace('-', "_")), move || test(back_end))
    };
    BackEnd::ALL.into_iter().map(one).collect()
}

/// One test.
pub(crate) fn once(name: &str, test: fn() -> Result<()>) -> Trial {
    testbed::test(name, test)
}

/// An API host with an echo server in the place of the API server, and a client host.
pub(crate) struct Stand {
    pub(crate) api: Host,
    pub(crate) client: Host,
}

impl Stand {
    pub(crate) fn new(name: &str, back_end: BackEnd) -> Result<Self> {
        let tag = back_end.word().replace("iptables-", "i");
        let names = [format!("{name}-{tag}-a"), format!("{name}-{tag}-c")];
        let mut hosts = Lab::shared()?.hosts(names)?;
        let (Some(client), Some(api)) = (hosts.pop(), hosts.pop()) else { bail!("two hosts were asked for") };
        echo(&api, PORT)?;
        Ok(Self { api, client })
    }

    pub(crate) fn addresses(&self) -> [IpAddr; 2] {
        [self.api.ip4().into(), self.api.ip6().into()]
    }

    /// A spec that lets the operator in and nobody else.
    pub(crate) fn spec(&self, stages: Vec<Stage>) -> GateSpec {
        let operator = [IpAddr::from(OPERATOR_IP4), IpAddr::from(OPERATOR_IP6)];
        GateSpec {
            run: "20261122-1342-k3v9".into(),
            operator: "alice@example.com".into(),
            reason: "telemetry agent".into(),
            at: 1_790_000_000,
            side: Side::Server { ports: vec![PORT] },
            allow: operator.into_iter().map(|a| Allow { net: a.into(), why: Why::Operator }).collect(),
            balancer: None,
            answer: Reply::Reset,
            confirm_within: 60,
            hold: 60,
            step: 60,
            stages,
            seed: 0xbeef,
        }
    }

    /// Runs a script on the API host and returns what it printed, whatever its code.
    pub(crate) fn say(&self, script: &Script) -> Result<Output> {
        say(&self.api, "dash", script)
    }

    pub(crate) fn outcome(&self, script: &Script) -> Result<Standing> {
        let output = self.say(script)?;
        Standing::read(&output.stdout).with_context(|| format!("no result in {output:?}"))
    }

    /// Sets the fuses as the run that closed the gate.
    pub(crate) fn arm(&self, spec: &GateSpec, back_end: BackEnd, level: usize, hold: u32) -> Result<Standing> {
        self.outcome(&gate::arm(&spec.mark(), back_end, &turn(spec, level, hold)))
    }

    pub(crate) fn close(&self, spec: &GateSpec, back_end: BackEnd) -> Result<()> {
        let output = self.say(&gate::close(spec, back_end))?;
        ensure!(output.stdout == "result=closed\n" && output.success(), "closing said {output:?}");
        Ok(())
    }

    pub(crate) fn status(&self) -> Result<Option<GateState>> {
        let output = self.say(gate::status().script())?;
        gate::status().read(&output.stdout).map_err(|why| anyhow!("no status in {output:?}: {why}"))
    }

    /// What the blocked client meets, over IPv4 and IPv6.
    pub(crate) fn client_meets(&self) -> Result<[Probe; 2]> {
        let [v4, v6] = self.addresses();
        Ok([self.client.probe(v4, PORT, LIMIT)?, self.client.probe(v6, PORT, LIMIT)?])
    }

    /// What the operator meets, over IPv4 and IPv6.
    pub(crate) fn operator_meets(&self) -> Result<[Probe; 2]> {
        let [v4, v6] = self.addresses();
        let lab = Lab::shared()?;
        Ok([lab.probe(v4, PORT, LIMIT)?, lab.probe(v6, PORT, LIMIT)?])
    }
}

/// What a host answers to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    Closed,
    Already,
    Armed,
    Open,
    /// Another run's gate; what is said of whose.
    Held(String),
    /// Our gate in another's hands, or gone on by itself; what is said of whose.
    Moved(String),
    Failed(String),
}

impl Standing {
    /// `None` where the script broke off before it said anything.
    pub(crate) fn read(stdout: &str) -> Option<Self> {
        let answer = Answer::parse(stdout);
        let said = |key: &str| answer.get(key).unwrap_or_default().to_owned();
        Some(match answer.get("result")? {
            "closed" => Self::Closed,
            "already" => Self::Already,
            "armed" => Self::Armed,
            "open" => Self::Open,
            "held" => Self::Held(said("owner")),
            "moved" => Self::Moved(said("driver")),
            _ => Self::Failed(said("failed")),
        })
    }
}

/// A setting of the fuses by the run that closed the gate.
pub(crate) fn turn(spec: &GateSpec, level: usize, hold: u32) -> Turn {
    Turn { level, hold, was: spec.run.clone(), by: spec.driver() }
}

/// The opening by the run that closed the gate.
pub(crate) fn opening(spec: &GateSpec, back_end: BackEnd) -> Script {
    gate::open(&spec.run, back_end, &spec.run, &spec.driver())
}

/// Runs a text of ours in a shell of the host.
pub(crate) fn say(host: &Host, shell: &str, script: &Script) -> Result<Output> {
    let argv: Vec<&str> = shell.split(' ').chain(["-s"]).collect();
    let mut output = host.command_within(&argv, script.text().as_bytes(), LIMIT)?;
    // As the link does it.
    if let Some(said) = script::said(output.stdout.as_bytes()) {
        output.stdout = String::from_utf8_lossy(said).into_owned();
    }
    Ok(output)
}

/// Answers every byte with the same byte, on both families, for as long as the test runs.
pub(crate) fn echo(host: &Host, port: u16) -> Result<()> {
    let listener = host.in_network(|| Ok(TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))?))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    Ok(())
}

fn serve(mut stream: TcpStream) {
    let mut buffer = [0; 64];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
}

/// A connection that has already worked.
pub(crate) fn connect(from: &Host, to: IpAddr) -> Result<TcpStream> {
    let mut stream = from.in_network(|| Ok(TcpStream::connect_timeout(&(to, PORT).into(), LIMIT)?))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_nodelay(true)?;
    ping(&mut stream).context("a fresh connection does not answer")?;
    Ok(stream)
}

/// One byte there and back.
pub(crate) fn ping(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0])
}

/// Looks again every 20 ms until `done`: it came after the beginning of the last look that had not seen it, and before the
/// end of the first that had, however slow the machine is with either.
pub(crate) fn until(mut done: impl FnMut() -> Result<bool>) -> Result<Came> {
    let started = Instant::now();
    let mut after = started;
    loop {
        let looked = Instant::now();
        if done()? {
            return Ok(Came { after, before: Instant::now() });
        }
        after = looked;
        ensure!(started.elapsed() < LIMIT, "not so within {LIMIT:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// When something came that is only seen by looking.
#[derive(Debug)]
pub(crate) struct Came {
    pub(crate) after: Instant,
    pub(crate) before: Instant,
}

impl Came {
    /// Not before so many seconds were over since `from`, and within two more since `to`: what it is counted from lies
    /// between these.
    pub(crate) fn in_time(&self, from: Instant, to: Instant, secs: u64) -> Result<()> {
        let (early, late) = (self.before.duration_since(from), self.after.saturating_duration_since(to));
        let due = Duration::from_secs(secs);
        ensure!(early + Duration::from_millis(100) > due, "after {early:?}, before its {due:?}");
        ensure!(late < due + Duration::from_secs(2), "not yet after {late:?}, and due after {due:?}");
        Ok(())
    }
}
