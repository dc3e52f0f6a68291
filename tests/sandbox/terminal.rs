//! What a person has seen at a terminal of 80 columns and 24 lines, the scrollback with it.

use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::{BIN, Home};

/// The longest that it may take to ask, and then to end.
const GUARD: Duration = Duration::from_secs(120);

/// Does not outlive a test that failed.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for this, and no longer than the guard.
fn wait<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        match there() {
            Some(there) => return there,
            None => assert!(begin.elapsed() < GUARD, "{what} has not come"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Runs it at a terminal of its own and types the answer once this question is there; every line that was left there.
fn seen(home: &Home, args: &str, question: &str, answer: &str) -> Vec<String> {
    let mut script = home.of("script");
    script.args(["-qefc", &format!("stty rows 24 cols 80; exec {BIN} {args}"), "/dev/null"]).env("TERM", "xterm");
    let mut child = Ended(script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let came = Arc::new(Mutex::new(Vec::new()));
    let mut out = child.0.stdout.take().unwrap();
    let reader = std::thread::spawn({
        let came = Arc::clone(&came);
        move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = out.read(&mut bytes) {
                came.lock().unwrap().extend_from_slice(&bytes[..length]);
            }
        }
    });
    wait(question, || String::from_utf8_lossy(&came.lock().unwrap()).contains(question).then_some(()));
    let mut keyboard = child.0.stdin.take().unwrap();
    writeln!(keyboard, "{answer}").unwrap();
    let code = wait("its end", || child.0.try_wait().unwrap());
    reader.join().unwrap();
    // So many lines that none is scrolled out.
    let mut terminal = vt100::Parser::new(2000, 80, 0);
    terminal.process(&came.lock().unwrap());
    let lines: Vec<String> = terminal.screen().contents().lines().map(str::to_owned).collect();
    assert!(code.success(), "{code}: {lines:#?}");
    lines
}

/// A live line is drawn again and again, and none of it stays between the lines that do.
#[test]
fn nothing_of_the_live_lines_stays_behind() {
    let lines = seen(&Home::new(), "run --sandbox api-overload", "[yes/no/explain]", "yes");
    let asked = lines.iter().position(|line| line.contains("[yes/no/explain]")).unwrap();
    let told = &lines[asked + 1..];
    assert!(told.iter().any(|line| line.contains("every step is done")), "{lines:#?}");
    let live = |line: &&String| ["| ", "/ ", "- ", "\\ "].iter().any(|tick| line.starts_with(tick));
    let waits = |line: &&String| line.contains(" left, waits for ");
    let stale: Vec<_> = told.iter().filter(|line| live(line) || waits(line)).collect();
    assert!(stale.is_empty(), "{stale:#?} in {lines:#?}");
}
