//! One way from a plan to its end, for runbooks and single verbs, for real and in a drill.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use super::clusters::Chosen;
use super::operator::{Answers, AtTerminal, Turn};
use super::{clusters, failure, inputs, signals, trust, ways};
use crate::cli::App;
use crate::engine::{self, Consent, Engine, Operator as _, Record, cancel_pair};
use crate::error::{Class, Failure};
use crate::journal::{Entry, FORMAT, Header, MINOR, Run, Store, Writer};
use crate::kit::Cluster;
use crate::limits::Limits;
use crate::plan::{self, Plan, PlannedStep};
use crate::render::{Output, Renderer, plan_json, plan_outline, plan_text, standing_text, undo_question};
use crate::runbook::{Later, Resolved};
use crate::sandbox::Weather;
use crate::steps::{Mark, Question};
use crate::world::drill::Drill;
use crate::world::live::{Live, Options, Tell};
use crate::world::{Reads, World};

/// How news that waited for its like gets out.
const TICK: Duration = Duration::from_millis(250);

/// Whether the writes are made or pretended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Mode {
    Run,
    Drill,
}

impl Mode {
    /// A drill is for quiet days; with its writes pretended, it could never end a storm. Nor is what admission refuses one:
    /// the API servers answer, and say no. What is prepared is prepared in peace.
    pub(in crate::cli) fn weather(self, resolved: &Resolved) -> Weather {
        match self {
            Self::Run
                if resolved
                    .steps
                    .iter()
                    .any(|step| matches!(step.kind.name(), "disarm" | "prepare-authorization-config")) =>
            {
                Weather::Peace
            }
            Self::Run => Weather::Storm,
            Self::Drill => Weather::Peace,
        }
    }
}

/// Waits for a future on a runtime that is built now. Threads that still wait for a name or a terminal are left behind.
pub(in crate::cli) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::from_error(Class::Bug, anyhow::Error::from(error).context("cannot start threads")))?;
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    result
}

/// The plan, or every refusal.
pub(in crate::cli) fn build(resolved: Resolved, clusters: &[Cluster], fleet: Limits) -> Result<Plan, Failure> {
    plan::build(resolved, clusters.to_vec(), fleet).map_err(|all| failure::refused("the plan", all))
}

/// Prints a plan as data.
pub(in crate::cli) fn print(app: &App, plan: &Plan) {
    app.screen.out(&match app.output {
        Output::Json => plan_json(plan).to_string(),
        Output::Text => plan_text(plan, app.screen.out_paint()),
    });
}

/// Shows the plan, asks, and drives it to its end.
pub(in crate::cli) async fn begin(
    app: &App<'_>,
    resolved: Resolved,
    chosen: &Chosen,
    mode: Mode,
) -> Result<ExitCode, Failure> {
    begin_then(app, resolved, chosen, mode, |_| Ok(())).await
}

/// The same; after a good end, what is done with the ways in that were won.
pub(in crate::cli) async fn begin_then(
    app: &App<'_>,
    resolved: Resolved,
    chosen: &Chosen,
    mode: Mode,
    then: impl FnOnce(&dyn Reads) -> Result<(), Failure>,
) -> Result<ExitCode, Failure> {
    let plan = build(resolved, &chosen.clusters, app.flags.safety.fleet())?;
    if mode == Mode::Run && app.flags.safety.yes {
        nobody_types(&plan)?;
    }
    let typed = typed(app, &plan)?;
    let paint = app.screen.err_paint();
    let looks = (mode == Mode::Run).then(|| Consent::to_look(&plan)).flatten();
    if app.output == Output::Text && looks.is_none() {
        app.screen.err_lines(&plan_outline(&plan, paint, app.screen.err_width()));
    }
    let explained = Some(plan_text(&plan, paint));
    let who = if looks.is_some() { Answers::Unattended } else { answers(app, mode)? };
    let operator = operator(app, who, explained);
    let consent = match (mode, typed.or(looks)) {
        (Mode::Drill, _) => Consent::for_drill(&plan),
        (Mode::Run, Some(given)) => given,
        (Mode::Run, None) => Consent::ask(&plan, &operator).await.ok_or_else(|| declined(app, &plan))?,
    };
    let store = Store::at(app.process.runs_dir());
    let run = store.next_id(app.process.clock.now()).map_err(failure::store)?;
    let header = header(app, run, &plan, chosen, mode);
    let mark = mark(app, &header);
    let folder = store.create(&header.run).map_err(failure::store)?;
    // What `undo` would refuse later is said while it can be mended in peace.
    trust::tell(app, [&folder]);
    let writer = Writer::create(folder, header, app.process.clock).map_err(failure::journal)?;
    let driven = Driven::new(app, writer, &chosen.clusters, mode, mark, operator)?;
    let code = driven.to_the_end(app, Way::Forward(&plan), &consent).await?;
    if code == ExitCode::SUCCESS {
        then(&*driven.world)?;
    }
    Ok(code)
}

/// Refuses a plan that changes something by what only the run will find: nobody would be there to look at it first.
fn nobody_types(plan: &Plan) -> Result<(), Failure> {
    let Some((planned, unfilled)) = plan.write_what_is_found().next() else { return Ok(()) };
    let Some(hole) = unfilled.holes.first() else { return Ok(()) };
    let hint = match &hole.param {
        Some(param) => format!("give it: --param {param}=VALUE; or leave --yes out"),
        None => format!("write it into the runbook, as {}; or leave --yes out", hole.at.join(".")),
    };
    Err(unasked(planned, hole, hint))
}

fn unasked(planned: &PlannedStep, hole: &Later, hint: String) -> Failure {
    let what = format!(
        "step {:?} changes something by the {} that step {:?} finds during the run, and with --yes nobody is asked whether it is \
         the right one; nothing was contacted or changed",
        planned.name, hole.result, hole.step
    );
    inputs::refuse(what, hint)
}

/// The consent that `--consent` gives to a plan that wants a word typed, if it was given. Where no plan wants one, the words
/// answer the questions of its steps.
fn typed(app: &App<'_>, plan: &Plan) -> Result<Option<Consent>, Failure> {
    let words = &app.flags.safety.consent;
    if words.is_empty() {
        return Ok(None);
    }
    if plan.runbook.typed_consent.is_none() {
        if plan.asks() {
            return Ok(None);
        }
        return Err(inputs::refuse("nothing here asks for a word to be typed", "leave --consent out"));
    }
    words.iter().find_map(|word| Consent::typed(plan, word)).map(Some).ok_or_else(|| {
        let words = words.join(", ");
        let what =
            format!("--consent {words}: this runbook wants another word typed; nothing was contacted or changed");
        Failure::new(Class::Declined, what)
            .hint("its `typedConsent` says which; ${cluster} there is the cluster's name")
    })
}

fn declined(app: &App<'_>, plan: &Plan) -> Failure {
    if plan.runbook.typed_consent.is_some() && app.flags.safety.yes {
        let what = "this runbook wants a word typed, which --yes does not answer; nothing was contacted or changed";
        return Failure::new(Class::Declined, what).hint("add --consent WORD, with the word of its `typedConsent`");
    }
    Failure::new(Class::Declined, "the operator said no; nothing was contacted or changed")
}

/// Takes a run up again where its journal ends.
pub(in crate::cli) async fn resume(
    app: &App<'_>,
    writer: Writer,
    run: &Run,
    chosen: &Chosen,
) -> Result<ExitCode, Failure> {
    let resolved = inputs::again(&run.header).map_err(|all| failure::refused("the runbook of the run", all))?;
    let plan = again(app, resolved, chosen, run)?;
    let consent = Consent::resumed(&plan, run).ok_or_else(|| {
        let (id, then, now) = (&run.header.run, &run.header.version, env!("CARGO_PKG_VERSION"));
        let cause = if then == now {
            "the hosts, addresses or users in the kit have changed since".to_owned()
        } else {
            format!("the kit has changed since, or breakglass {now} reads it otherwise than {then}, which made the run")
        };
        inputs::refuse(
            format!("the plan of run {id} comes out differently now ({cause}), so the consent to it does not count"),
            format!(
                "`breakglass undo {id}` takes back what stands, whatever the version; then run again. Or resume with the kit \
                 as it was: --kit FOLDER"
            ),
        )
    })?;
    let mode = if run.header.drill { Mode::Drill } else { Mode::Run };
    if mode == Mode::Run
        && app.flags.safety.yes
        && let Some((planned, hole)) = engine::left_to_type(&plan, run)
    {
        return Err(unasked(planned, hole, format!("leave --yes out: `breakglass resume {}`", run.header.run)));
    }
    let operator = operator(app, answers(app, mode)?, None);
    let mark = mark(app, &run.header);
    let driven = Driven::new(app, writer, &chosen.clusters, mode, mark, operator)?;
    let entry = Entry::Resumed { operator: app.process.operator() };
    driven.record.append(entry).await.map_err(failure::journal)?;
    driven.to_the_end(app, Way::Forward(&plan), &consent).await
}

/// The plan of a run that is taken up again, with the limits that were consented to.
fn again(app: &App, resolved: Resolved, chosen: &Chosen, run: &Run) -> Result<Plan, Failure> {
    let now = app.flags.safety.fleet();
    let Some(then) = run.header.fleet else {
        return Ok(build(resolved, &chosen.clusters, now)?.as_before_fleets());
    };
    if now != then && now != Limits::CLUSTERS && chosen.clusters.len() > 1 {
        let run = &run.header.run;
        app.screen.err(&format!("run {run} goes on with the limits that it was consented to: {then}"));
    }
    build(resolved, &chosen.clusters, then)
}

/// Shows what stands of a run, asks, and takes it back.
pub(in crate::cli) async fn undo(
    app: &App<'_>,
    writer: Writer,
    run: &Run,
    chosen: &Chosen,
) -> Result<ExitCode, Failure> {
    let standing: Vec<_> =
        run.standing().filter(|record| !chosen.left_out.contains_key(&record.target.cluster)).collect();
    let stands = standing.len();
    if stands > 0 && app.output == Output::Text {
        let how = (app.flags.output.verbose, app.screen.err_paint(), app.screen.err_width());
        app.screen.err_lines(&standing_text(run, &chosen.left_out, how));
    }
    let answers = if stands == 0 { Answers::Unattended } else { answers(app, Mode::Run)? };
    let operator = operator(app, answers, None);
    if stands > 0 {
        let text = undo_question(&run.header.run, standing.into_iter());
        let question = Question { id: "undo".into(), text, typed: None, unattended: true, otherwise: None };
        if operator.ask(&question).await != Some(true) {
            return Err(Failure::new(Class::Declined, "the operator said no; nothing was taken back"));
        }
    }
    let mark = mark(app, &run.header);
    let driven = Driven::new(app, writer, &chosen.clusters, Mode::Run, mark, operator)?;
    driven.to_the_end(app, Way::Back(&chosen.left_out), &Consent::to_undo(run)).await
}

/// Which way the engine is driven.
enum Way<'a> {
    Forward(&'a Plan),
    /// All but these clusters.
    Back(&'a BTreeMap<String, String>),
}

/// Everything an engine is made of.
struct Driven {
    world: Box<dyn World>,
    record: Record,
    operator: AtTerminal,
    mark: Mark,
    clusters: Vec<String>,
}

impl Driven {
    fn new(
        app: &App,
        writer: Writer,
        clusters: &[Cluster],
        mode: Mode,
        mark: Mark,
        operator: AtTerminal,
    ) -> Result<Self, Failure> {
        let teller = Arc::clone(&operator.renderer);
        let tell: Tell = Arc::new(move |text: &str| teller.note(text));
        let options = Options { run: mark.run.clone(), tell: app.flags.output.verbose.then_some(tell) };
        let live = Live::new(clusters.to_vec(), &options);
        let world: Box<dyn World> = match mode {
            Mode::Run => Box::new(live),
            Mode::Drill => Box::new(Drill::new(live)),
        };
        let record = Record::new(writer, app.process.clock).map_err(failure::journal)?;
        let clusters = clusters.iter().map(|cluster| cluster.name.clone()).collect();
        Ok(Self { world, record, operator, mark, clusters })
    }

    /// Drives, watches for signals, lets news out, and says how it ended.
    async fn to_the_end(&self, app: &App<'_>, way: Way<'_>, consent: &Consent) -> Result<ExitCode, Failure> {
        let (canceller, cancel) = cancel_pair();
        let engine = Engine {
            world: &*self.world,
            record: &self.record,
            events: &*self.operator.renderer,
            operator: &self.operator,
            cancel: &cancel,
            mark: &self.mark,
        };
        let drive = async {
            ways::find(app, &*self.world, &self.clusters).await;
            match way {
                Way::Forward(plan) => engine::forward(engine, plan, consent).await,
                Way::Back(left_out) => engine::undo(engine, consent, left_out).await,
            }
        };
        let report = tokio::select! {
            report = drive => report,
            never = self.let_out() => match never {},
            watched = signals::watch(canceller, Arc::clone(&app.screen)) => {
                return Err(match watched {
                    Ok(()) => Failure::new(Class::Interrupted, "stopped at once; the journal has what was sent")
                        .hint(self.after_all()),
                    Err(error) => Failure::from_error(Class::Bug, error),
                });
            }
        };
        Ok(report.class.map_or(ExitCode::SUCCESS, |class| ExitCode::from(class.exit_code())))
    }

    /// What to type after a run was stopped in the middle.
    fn after_all(&self) -> String {
        let run = &self.mark.run;
        if self.record.read(|run| run.header.is_practice()) {
            return format!("`breakglass show {run}` tells what it did; its practice cluster is gone");
        }
        format!("`breakglass resume {run}` looks again and goes on")
    }

    async fn let_out(&self) -> std::convert::Infallible {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            ticks.tick().await;
            self.operator.renderer.tick();
        }
    }
}

fn operator(app: &App, answers: Answers, explained: Option<String>) -> AtTerminal {
    let verbose = app.flags.output.verbose;
    let renderer = Arc::new(Renderer::new(Arc::clone(&app.screen), app.output, verbose, app.process.clock));
    let words = app.flags.safety.consent.clone();
    AtTerminal { screen: Arc::clone(&app.screen), renderer, answers, words, explained, turn: Turn::default() }
}

/// Who answers. Without a terminal nobody can: only `--yes` starts anything then.
fn answers(app: &App, mode: Mode) -> Result<Answers, Failure> {
    if mode == Mode::Run && !app.flags.safety.consent.is_empty() && !app.flags.safety.yes {
        return Err(inputs::refuse("--consent goes with --yes", "without both you are asked"));
    }
    if mode == Mode::Drill || app.flags.safety.yes {
        return Ok(Answers::Unattended);
    }
    if app.process.interactive {
        return Ok(Answers::Person);
    }
    let what = "nobody can be asked for consent: standard input and standard error must be a terminal";
    Err(Failure::new(Class::Declined, what).hint("look at what is shown above; `--yes` consents to it"))
}

fn header(app: &App, run: String, plan: &Plan, chosen: &Chosen, mode: Mode) -> Header {
    Header {
        format: FORMAT,
        minor: MINOR,
        run,
        operator: app.process.operator(),
        machine: app.process.hostname(),
        version: env!("CARGO_PKG_VERSION").into(),
        reason: app.flags.safety.reason.clone(),
        drill: mode == Mode::Drill,
        writes: plan.writes(),
        runbook: plan.runbook.text.clone(),
        name: plan.name.clone(),
        params: plan.runbook.params.clone(),
        clusters: plan.clusters.iter().map(|cluster| cluster.name.clone()).collect(),
        kit: chosen.source.clone(),
        plan: plan.digest.clone(),
        fleet: Some(plan.fleet),
        identities: chosen.clusters.iter().map(clusters::identity).collect(),
    }
}

fn mark(app: &App, header: &Header) -> Mark {
    Mark {
        run: header.run.clone(),
        operator: app.process.operator(),
        reason: header.reason.clone().unwrap_or_default(),
    }
}
