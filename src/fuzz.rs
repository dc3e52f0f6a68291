//! Real-looking text, broken in the ways in which files, lines and answers get broken: what every test of a reader of
//! foreign bytes draws from. `FUZZ_CASES=1000000 cargo test --lib fuzz -- --test-threads 1` makes as many cases of each
//! kind as it says, and then holds the whole process to a bound of memory, too. `FUZZ_TIMES=4`, as `tests/run` says, makes
//! four times as many of each as usual: more than a million of all.

use std::cell::Cell;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// No case may take longer, in processor time: what takes longer for a few kilobytes hangs for a few megabytes.
const CASE: Duration = Duration::from_secs(2);
/// More than any of these tests needs, in kB, where it runs alone.
const MEMORY: u64 = 256 << 10;

/// Runs `test` on `usual` cases, or as many as are asked for.
#[expect(clippy::disallowed_methods, clippy::disallowed_macros, reason = "the switch of a test and what it found")]
pub(crate) fn each<S: Strategy>(usual: u32, strategy: &S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let number = |name: &str| std::env::var(name).ok().and_then(|count| count.parse::<u32>().ok());
    let asked = number("FUZZ_CASES");
    let config = Config {
        cases: asked.unwrap_or(usual * number("FUZZ_TIMES").unwrap_or(1)),
        failure_persistence: None,
        ..Config::default()
    };
    let (slowest, all) = (Cell::new(Duration::ZERO), Cell::new(Duration::ZERO));
    let outcome = TestRunner::new(config).run(strategy, |value| {
        let began = processor_time();
        let result = test(value);
        let took = processor_time().saturating_sub(began);
        slowest.set(slowest.get().max(took));
        all.set(all.get() + took);
        prop_assert!(took < CASE, "one case took {took:?} of processor time");
        result
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    if let Some(cases) = asked {
        let (peak, slowest, all) = (peak_memory(), slowest.get(), all.get());
        println!(
            "{cases} cases in {all:.1?} of processor time, the slowest in {slowest:.1?}; the process had up to {peak} kB"
        );
        assert!(peak < MEMORY, "{peak} kB of memory for {cases} cases");
    }
}

/// Of this thread.
fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let one = |time: nix::sys::time::TimeVal| {
        Duration::new(time.tv_sec().unsigned_abs(), 0) + Duration::from_micros(time.tv_usec().unsigned_abs())
    };
    one(usage.user_time()) + one(usage.system_time())
}

/// Of this process, in kB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// What stands where it should not.
const WORDS: &[&str] = &[
    "",
    " ",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "=",
    ":",
    ": ",
    ",",
    "/",
    "//",
    "-",
    "--",
    "- ",
    "'",
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "(",
    "%",
    "%ff",
    "%FF%FE",
    "%zz",
    "#",
    " # ",
    "&a ",
    "*a",
    "<<: ",
    "!!binary ",
    "!!int ",
    "|\n",
    ">-\n",
    "? ",
    "---\n",
    "...",
    "null",
    "~",
    "true",
    "no",
    "yes",
    "NaN",
    ".inf",
    "é",
    "漢字",
    "👍",
    "e\u{301}",
    "\u{85}",
    "\u{2028}",
    "\u{202e}",
    "\u{200b}",
    "\u{feff}",
    "\u{fffd}",
    "\x1b[2J",
    "\x07",
    "\x7f",
    "..",
    "../../etc/passwd",
    "::",
    "::1",
    "fe80::1%eth0",
    "[::]",
    "10.0.0.300",
    "255.255.255.255",
    "${x}",
    "${",
    "$(id)",
    "`id`",
    ";",
    "\\u0000",
    "\\ud800",
    "kind",
    "name",
    "metadata",
    "items",
];

/// What stands where a number should be.
const NUMBERS: &[&str] = &[
    "0",
    "-1",
    "1",
    "-0",
    "+7",
    "007",
    "0x10",
    "1e3",
    "1e999",
    "1.5",
    ".5",
    "65535",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999999999999999999",
    "",
];

/// One of these texts with up to four wounds.
pub(crate) fn mangled<T: AsRef<str>>(samples: &[T]) -> impl Strategy<Value = String> + use<T> {
    let samples: Vec<String> = samples.iter().map(|sample| sample.as_ref().to_owned()).collect();
    let wound = (0..12_u8, any::<u16>(), any::<u16>(), prop::sample::select(WORDS), prop::sample::select(NUMBERS));
    let wounds = prop::collection::vec(wound, 0..5);
    (prop::sample::select(samples), wounds).prop_map(|(text, wounds)| wounds.into_iter().fold(text, hurt))
}

/// The same as bytes, some of which are others.
pub(crate) fn mangled_bytes<T: AsRef<str>>(samples: &[T]) -> impl Strategy<Value = Vec<u8>> + use<T> {
    let others = prop::collection::vec((any::<u16>(), any::<u8>()), 0..3);
    (mangled(samples), others).prop_map(|(text, others)| {
        let mut bytes = text.into_bytes();
        for (at, byte) in others {
            let length = bytes.len().max(1);
            if let Some(one) = bytes.get_mut(usize::from(at) % length) {
                *one = byte;
            }
        }
        bytes
    })
}

fn hurt(mut text: String, (kind, at, by, word, number): (u8, u16, u16, &str, &str)) -> String {
    let at = text.floor_char_boundary(usize::from(at) % (text.len() + 1));
    let end = text.floor_char_boundary((at + usize::from(by) % 24).min(text.len())).max(at);
    match kind {
        0 => text.truncate(at),
        1 => text.replace_range(at..end, ""),
        2 => text.insert_str(at, word),
        3 => text.replace_range(at..end, word),
        4 => text.insert_str(at, number),
        5 | 6 => {
            let digit = |c: char| c.is_ascii_digit();
            if let Some(start) = text[at..].find(digit).map(|start| at + start) {
                let end = text[start..].find(|c| !digit(c)).map_or(text.len(), |length| start + length);
                text.replace_range(start..end, number);
            }
        }
        7 => {
            if let Some(start) = text[at..].find(['=', ':']).map(|start| at + start + 1) {
                let end = text[start..].find(['\n', ',', ' ']).map_or(text.len(), |length| start + length);
                text.replace_range(start..end, if by % 2 == 0 { word } else { number });
            }
        }
        // Now and then long.
        8 if by % 16 == 0 && text.len() < 1 << 14 => text.insert_str(at, &text[at..end].repeat(usize::from(by) % 2048)),
        // Whole lines: doubled, gone, moved.
        _ => {
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            let (one, other) = (at % lines.len().max(1), usize::from(by) % lines.len().max(1));
            match (kind, lines.get(one).copied()) {
                (_, None) => {}
                (8 | 9, Some(line)) => lines.insert(other, line),
                (10, Some(_)) => drop(lines.remove(one)),
                (_, Some(_)) => lines.swap(one, other),
            }
            text = lines.concat();
        }
    }
    text
}
