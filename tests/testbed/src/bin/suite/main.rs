//! `tests/run` calls this once everything is built: it runs the test binaries side by side, as many as the machine bears,
//! and says what came of them. Its last line is `N passed, N failed, N skipped`.
//!
//! | file | what it holds |
//! |---|---|
//! | `binary` | the test binaries, and one of them running in a group of processes of its own |
//! | `kernel` | what the kernel grants one user, while labs run side by side |
//! | `budget` | what each takes of the machine, and which of those that wait may start |
//! | `said` | what a test binary printed, read |
//! | `verdict` | what all of it comes to |

mod binary;
mod budget;
mod kernel;
mod said;
mod verdict;

use std::{
    collections::VecDeque,
    env,
    ffi::OsString,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use binary::{Binary, Ended, Processes, Running};
use budget::Budget;
use verdict::Verdict;

/// Set by whoever wants a test that cannot run here to fail the whole run.
const REQUIRE_ALL: &str = "BREAKGLASS_TESTS_REQUIRE_ALL";
/// How often the running binaries are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How often their memory is.
const SAMPLE: Duration = Duration::from_secs(5);

const USAGE: &str = "usage: tests/run                   everything
       tests/run BINARY [TEST]     one test binary, or those of its tests whose name contains TEST
       tests/run TEST              the tests of whatever binary whose name contains TEST";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == binary::LEASH
    {
        return binary::hold(rest);
    }
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tests/run: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// What the command line asks for.
#[derive(Debug, Default)]
struct Order {
    /// Stages before this that failed, in words.
    broken: Vec<String>,
    /// What could not be looked at on this machine, in words.
    unchecked: Vec<String>,
    /// Seconds since the beginning of `tests/run`.
    since: u64,
    /// Which test binaries cargo is asked for, as its arguments.
    build: Vec<String>,
    words: Vec<String>,
}

impl Order {
    fn read(arguments: Vec<OsString>) -> Result<Self> {
        let mut order = Self::default();
        let mut arguments = arguments.into_iter().map(|word| word.to_string_lossy().into_owned());
        while let Some(word) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{word} takes a value"));
            match word.as_str() {
                "--broken" => order.broken.push(value()?),
                "--unchecked" => order.unchecked.push(value()?),
                "--build" => order.build = value()?.split_whitespace().map(str::to_owned).collect(),
                "--since" => order.since = value()?.parse()?,
                flag if flag.starts_with('-') => bail!("there is no {flag} here\n{USAGE}"),
                _ => order.words.push(word),
            }
        }
        Ok(order)
    }
}

/// One binary to run, whole or in part.
#[derive(Debug, Clone)]
struct Task {
    binary: Binary,
    filter: Option<String>,
}

fn run(arguments: Vec<OsString>) -> Result<ExitCode> {
    let order = Order::read(arguments)?;
    let clock = Clock { began: Instant::now(), since: order.since };
    let all = binary::all(&order.build)?;
    let whole = order.words.is_empty();
    let tasks = chosen(all, &order.words)?;
    let live = tasks.len() == 1 && !whole;
    let budget = Budget::of_this_machine();
    if whole {
        clock.title(&format!("{} test binaries, {budget}", tasks.len()));
    }
    let _raised = kernel::Raised::for_labs_side_by_side();
    let mut verdict = Verdict::new(order.broken, order.unchecked);
    side_by_side(tasks, budget, whole, live, &clock, &mut verdict)?;
    for (binary, test) in verdict.second_tries() {
        clock.title(&format!("once more, alone: {} {test}", binary.name));
        let again = Running::start(&binary, Some(&test), true, whole)?.wait(true)?;
        verdict.tried_again(&binary.name, &test, &again);
    }
    println!("\n{verdict}");
    Ok(if verdict.is_good(env::var_os(REQUIRE_ALL).is_some()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What to run for these words.
fn chosen(all: Vec<Binary>, words: &[String]) -> Result<Vec<Task>> {
    let named = |word: &String| all.iter().find(|binary| binary.name == *word).cloned();
    match words {
        [] => Ok(all.into_iter().map(|binary| Task { binary, filter: None }).collect()),
        [word] if named(word).is_some() => {
            Ok(named(word).map(|binary| Task { binary, filter: None }).into_iter().collect())
        }
        [word] => {
            let mut tasks = Vec::new();
            for binary in &all {
                if binary.tests()?.iter().any(|test| test.contains(word.as_str())) {
                    tasks.push(Task { binary: binary.clone(), filter: Some(word.clone()) });
                }
            }
            if tasks.is_empty() {
                bail!("`{word}` is in the name of no test, and of no test binary:\n  {}", names(&all));
            }
            Ok(tasks)
        }
        [binary, test] => {
            let Some(found) = named(binary) else {
                bail!("there is no test binary `{binary}`, but these:\n  {}", names(&all));
            };
            Ok(vec![Task { binary: found, filter: Some(test.clone()) }])
        }
        _ => bail!("{USAGE}"),
    }
}

fn names(all: &[Binary]) -> String {
    all.iter().map(|binary| binary.name.as_str()).collect::<Vec<_>>().join(" ")
}

/// Runs all of them, longest first, each as soon as the budget has room for it.
fn side_by_side(
    mut tasks: Vec<Task>,
    budget: Budget,
    whole: bool,
    live: bool,
    clock: &Clock,
    verdict: &mut Verdict,
) -> Result<()> {
    tasks.sort_by_key(|task| std::cmp::Reverse(task.binary.needs().seconds));
    let mut waiting: VecDeque<Task> = tasks.into();
    let mut running: Vec<Running> = Vec::new();
    let mut sampled = Instant::now();
    // Beside all others one storm less is enough for this machine. Without Kubernetes there is none.
    let mut kept = if whole { testbed::place_to_spare().ok().flatten() } else { None };
    while !waiting.is_empty() || !running.is_empty() {
        let busy: Vec<_> = running.iter().map(|running| running.binary().needs()).collect();
        let wants: Vec<_> = waiting.iter().map(|task| task.binary.needs()).collect();
        if let Some(task) = budget.next(&wants, &busy).and_then(|next| waiting.remove(next)) {
            clock.title(&format!("{} starts", task.binary.name));
            running.push(Running::start(&task.binary, task.filter.as_deref(), false, whole)?);
            continue;
        }
        let mut left = waiting.iter().map(|task| &task.binary).chain(running.iter().map(Running::binary));
        if !left.any(Binary::is_beside_storms) {
            drop(kept.take());
        }
        let mut on = Vec::new();
        for mut one in std::mem::take(&mut running) {
            if live {
                one.show_new()?;
            }
            if one.has_ended()? { report(one.finish(live)?, live, clock, verdict) } else { on.push(one) }
        }
        running = on;
        if sampled.elapsed() >= SAMPLE {
            let processes = Processes::now();
            running.iter_mut().for_each(|one| one.sample(&processes));
            sampled = Instant::now();
        }
        thread::sleep(LOOK);
    }
    Ok(())
}

fn report(ended: Ended, live: bool, clock: &Clock, verdict: &mut Verdict) {
    clock.title(&format!("{}: {ended}", ended.binary.name));
    if !live {
        println!("{}", ended.text.trim_end());
    }
    verdict.add(ended);
}

/// Titles with the time since the beginning.
struct Clock {
    began: Instant,
    since: u64,
}

impl Clock {
    fn title(&self, text: &str) {
        let seconds = self.since + self.began.elapsed().as_secs();
        println!("== {}:{:02} {text}", seconds / 60, seconds % 60);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_read_or_refused() {
        let read = |line: &str| Order::read(line.split(' ').map(OsString::from).collect());
        let order = read("--broken clippy --since 75 --build --lib --unchecked msrv gate a_test").unwrap();
        assert_eq!(order.build, ["--lib"]);
        assert_eq!((order.broken, order.unchecked, order.since), (vec!["clippy".into()], vec!["msrv".into()], 75));
        assert_eq!(order.words, ["gate", "a_test"]);
        assert!(read("--brocken x").unwrap_err().to_string().contains("--brocken"));
        assert!(read("--broken").unwrap_err().to_string().contains("takes a value"));
    }

    #[test]
    fn a_word_is_a_binary_first_and_a_test_else() {
        let all = || vec![Binary::fake("lib"), Binary::fake("gate")];
        let of = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            let tasks = chosen(all(), &words)?;
            Ok::<_, anyhow::Error>(tasks.into_iter().map(|task| (task.binary.name, task.filter)).collect::<Vec<_>>())
        };
        assert_eq!(of(&[]).unwrap(), [("lib".into(), None), ("gate".into(), None)]);
        assert_eq!(of(&["gate"]).unwrap(), [("gate".into(), None)]);
        assert_eq!(of(&["lib", "words"]).unwrap(), [("lib".into(), Some("words".into()))]);
        assert!(of(&["gait", "x"]).unwrap_err().to_string().contains("lib gate"));
        assert!(of(&["a", "b", "c"]).unwrap_err().to_string().contains("usage"));
    }
}
