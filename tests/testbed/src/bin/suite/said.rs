//! What a test binary printed, read. Both harnesses are understood, that of the standard library and `libtest-mimic`.

use std::{collections::BTreeSet, time::Duration};

/// Lines of a failure that its excerpt has, and characters of a line.
const EXCERPT: (usize, usize) = (12, 600);

/// What a test binary said of its tests.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    /// It came to its end and gave its counts.
    pub(crate) has_result: bool,
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
    /// The names of those that failed.
    pub(crate) red: BTreeSet<String>,
    /// How long each took that told it.
    pub(crate) times: Vec<(String, Duration)>,
    /// `skipped: …`, each reason once.
    pub(crate) skips: BTreeSet<String>,
    /// The first lines of each failure.
    pub(crate) excerpts: Vec<String>,
}

/// Reads all that a test binary printed.
pub(crate) fn read(text: &str) -> Said {
    let mut said = Said::default();
    let mut part = Part::Tests;
    for line in text.lines() {
        if let Some(counts) = line.strip_prefix("test result: ") {
            part = Part::Tests;
            if let Some([passed, failed, skipped]) = counts_of(counts) {
                said.has_result = true;
                said.passed += passed;
                said.failed += failed;
                said.skipped += skipped;
            }
        } else if line == "failures:" {
            part = Part::Names;
        } else if line.starts_with("---- ") && line.ends_with(" ----") {
            part = Part::Excerpt(1);
            said.excerpts.push(cut(line));
        } else {
            part = read_in(part, line, &mut said);
        }
    }
    said
}

/// Where in the output a line is.
#[derive(Clone, Copy)]
enum Part {
    /// Where the tests run: their results, and whatever they print.
    Tests,
    /// After `failures:`, where the names are that failed, one a line.
    Names,
    /// In what is told of one failure, with so many lines of it taken.
    Excerpt(usize),
}

fn read_in(part: Part, line: &str, said: &mut Said) -> Part {
    match part {
        Part::Tests => {
            if let Some(reason) = line.strip_prefix("testbed: skipped: ") {
                said.skips.insert(format!("skipped: {reason}"));
            } else if let Some((secs, name)) =
                line.rsplit_once("testbed: took ").and_then(|(_, told)| told.split_once(" s: "))
            {
                said.times.extend(secs.parse().ok().map(|secs| (name.to_owned(), Duration::from_secs_f64(secs))));
            } else if let Some((name, result)) = line.strip_prefix("test ").and_then(|line| line.rsplit_once(" ... ")) {
                let (name, result) = (name.trim_end(), result.trim_end());
                if result.starts_with("ignored") {
                    said.skips.insert(format!("skipped: {name}: {result}"));
                }
                let took = result.rsplit_once(" <").and_then(|(_, took)| took.strip_suffix("s>")?.parse().ok());
                said.times.extend(took.map(|secs| (name.to_owned(), Duration::from_secs_f64(secs))));
            }
            part
        }
        Part::Names => {
            if let Some(name) = line.strip_prefix("    ") {
                said.red.insert(name.trim().to_owned());
            }
            part
        }
        Part::Excerpt(taken) => {
            if taken < EXCERPT.0
                && let Some(last) = said.excerpts.last_mut()
            {
                last.push('\n');
                last.push_str(&cut(line));
            }
            Part::Excerpt(taken + 1)
        }
    }
}

/// Passed, failed and ignored of `ok. 16 passed; 0 failed; 2 ignored; …`.
fn counts_of(counts: &str) -> Option<[usize; 3]> {
    let of = |what: &str| {
        let words: Vec<&str> = counts.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
        words.windows(2).find(|pair| pair[1] == what).and_then(|pair| pair[0].parse().ok())
    };
    Some([of("passed")?, of("failed")?, of("ignored")?])
}

fn cut(line: &str) -> String {
    line.chars().take(EXCERPT.1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDARD: &str = "
running 3 tests
test words::names_fold ... ok <0.002s>
test words::slips ... FAILED <1.500s>
test words::later ... ignored, not yet

failures:

---- words::slips stdout ----
thread 'words::slips' panicked at src/words.rs:1:1:
left is not right

failures:
    words::slips

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 621 filtered out; finished in 0.98s
";

    #[test]
    fn the_harness_of_the_standard_library_is_read() {
        let said = read(STANDARD);
        assert_eq!((said.has_result, said.passed, said.failed, said.skipped), (true, 1, 1, 1));
        assert_eq!(said.red, ["words::slips".to_owned()].into());
        assert_eq!(said.skips, ["skipped: words::later: ignored, not yet".to_owned()].into());
        let times: Vec<_> = said.times.iter().map(|(name, took)| (name.as_str(), took.as_millis())).collect();
        assert_eq!(times, [("words::names_fold", 2), ("words::slips", 1500)]);
        assert_eq!(said.excerpts.len(), 1);
        assert!(said.excerpts[0].ends_with("left is not right\n"), "{:?}", said.excerpts);
    }

    /// One after another: a name stands alone on its line's beginning, and what the test prints comes between.
    #[test]
    fn the_testbeds_harness_is_read_whatever_its_tests_print() {
        let said = read(
            "running 2 tests\ntest a_closing_broken_off ... Point { way: Host }: fine\n11 of 12 are fine\n\
             testbed: took 81.25 s: a_closing_broken_off\nFAILED\ntest whole ... testbed: took 3.00 s: whole\nok\n\n\
             failures:\n\n---- a_closing_broken_off ----\nundo: it stands\n\n\nfailures:\n    a_closing_broken_off\n\n\
             test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 84.25s\n",
        );
        assert_eq!((said.passed, said.failed), (1, 1));
        assert_eq!(said.red, ["a_closing_broken_off".to_owned()].into());
        let times: Vec<_> = said.times.iter().map(|(name, took)| (name.as_str(), took.as_millis())).collect();
        assert_eq!(times, [("a_closing_broken_off", 81_250), ("whole", 3000)]);
    }

    #[test]
    fn what_could_not_run_says_why_once() {
        let said = read(
            "testbed: skipped: `nft` is not on the PATH: apt-get install nftables\n\
             test a ... ignored\ntest b ... ignored\n\ntest result: ok. 0 passed; 0 failed; 2 ignored; 0 measured\n",
        );
        assert_eq!(said.skipped, 2);
        assert_eq!(said.skips.len(), 3);
        assert!(said.skips.contains("skipped: `nft` is not on the PATH: apt-get install nftables"));
    }

    #[test]
    fn one_that_broke_off_has_no_result() {
        let said = read("running 2 tests\ntest a ... ok\nfatal runtime error: stack overflow\n");
        assert_eq!(said, Said::default());
        assert!(!read("test result: odd\n").has_result);
    }

    #[test]
    fn an_excerpt_is_short() {
        let long = format!("---- a ----\n{}{}\nfailures:\n    a\n", "x".repeat(5000), "\nmore".repeat(50));
        let said = read(&long);
        assert_eq!(said.excerpts[0].lines().count(), EXCERPT.0);
        assert!(said.excerpts[0].lines().all(|line| line.len() <= EXCERPT.1));
    }
}
