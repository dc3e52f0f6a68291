//! What all test binaries come to, with those tests that needed a second try.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use crate::{
    binary::{Binary, Ended},
    said::Said,
};

/// How many of the slowest tests are named.
const SLOWEST: usize = 10;

/// Everything that ended, and what it comes to.
#[derive(Debug)]
pub(crate) struct Verdict {
    broken: Vec<String>,
    unchecked: Vec<String>,
    ended: Vec<Ended>,
    /// Whether a test that failed is green the second time, by binary and test.
    again: BTreeMap<(String, String), bool>,
}

impl Verdict {
    /// With the stages that failed before any test ran, and what could not be looked at here.
    pub(crate) fn new(broken: Vec<String>, unchecked: Vec<String>) -> Self {
        Self { broken, unchecked, ended: Vec::new(), again: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, ended: Ended) {
        self.ended.push(ended);
    }

    /// A busy machine can break on real parts what is not broken: what failed there, and nothing else, is run once more.
    pub(crate) fn second_tries(&self) -> Vec<(Binary, String)> {
        let real = self.ended.iter().filter(|ended| ended.binary.real_parts);
        real.flat_map(|ended| ended.said.red.iter().map(|test| (ended.binary.clone(), test.clone()))).collect()
    }

    /// What came of the second try of one test.
    pub(crate) fn tried_again(&mut self, binary: &str, test: &str, again: &Ended) {
        let green = again.code == 0 && again.said.passed == 1 && again.said.failed == 0;
        self.again.insert((binary.to_owned(), test.to_owned()), green);
    }

    fn is_flaky(&self, binary: &str, test: &str) -> bool {
        self.again.get(&(binary.to_owned(), test.to_owned())).copied().unwrap_or(false)
    }

    /// Whether a binary failed for nothing else than tests that are named and green now, or did not fail at all.
    fn is_good_now(&self, ended: &Ended) -> bool {
        let Said { has_result, failed, red, .. } = &ended.said;
        let named = *failed == red.len() && (ended.code == 0) == (*failed == 0);
        *has_result && named && red.iter().all(|test| self.is_flaky(&ended.binary.name, test))
    }

    /// Those that went wrong in another way than by a test that failed: each with its reason.
    fn broken_binaries(&self) -> Vec<String> {
        let broken = self.ended.iter().filter(|ended| !self.is_good_now(ended) && ended.said.red.is_empty());
        broken
            .map(|ended| {
                let what = if ended.said.has_result { "names no test that failed" } else { "gave no result" };
                format!("{}: ended with {} and {what}", ended.binary.name, ended.code)
            })
            .collect()
    }

    /// Passed, failed and skipped. What broke in another way than by a test counts as one that failed.
    fn counts(&self) -> [usize; 3] {
        let sum = |of: fn(&Said) -> usize| self.ended.iter().map(|ended| of(&ended.said)).sum::<usize>();
        let flaky = self.again.values().filter(|green| **green).count();
        let unnamed = self.broken.len() + self.broken_binaries().len();
        let (passed, failed, skipped) = (sum(|said| said.passed), sum(|said| said.failed), sum(|said| said.skipped));
        [passed + flaky, (failed + unnamed).saturating_sub(flaky), skipped]
    }

    /// Whether all is well; `all` is whether nothing may be skipped.
    pub(crate) fn is_good(&self, all: bool) -> bool {
        let [passed, failed, skipped] = self.counts();
        let good = self.ended.iter().all(|ended| self.is_good_now(ended));
        good && self.broken.is_empty() && passed > 0 && failed == 0 && !(all && skipped > 0)
    }

    fn slowest(&self) -> Vec<(Duration, String)> {
        let of = |ended: &Ended| -> Vec<(Duration, String)> {
            ended.said.times.iter().map(|(test, took)| (*took, format!("{} {test}", ended.binary.name))).collect()
        };
        let mut all: Vec<_> = self.ended.iter().flat_map(of).collect();
        all.sort_by(|a, b| b.cmp(a));
        all.truncate(SLOWEST);
        all
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (took, test) in self.slowest() {
            writeln!(f, "slow: {:6.1} s  {test}", took.as_secs_f64())?;
        }
        for ended in &self.ended {
            writeln!(f, "binary: {:<24} {ended}", ended.binary.name)?;
        }
        self.broken.iter().chain(&self.broken_binaries()).try_for_each(|what| writeln!(f, "failed: {what}"))?;
        for ended in &self.ended {
            for test in &ended.said.red {
                let how = if self.is_flaky(&ended.binary.name, test) { "flaky" } else { "failed" };
                writeln!(f, "{how}: {} {test}", ended.binary.name)?;
            }
        }
        self.unchecked.iter().try_for_each(|what| writeln!(f, "not checked: {what}"))?;
        let skips: BTreeSet<&String> = self.ended.iter().flat_map(|ended| &ended.said.skips).collect();
        skips.iter().try_for_each(|skip| writeln!(f, "{skip}"))?;
        for excerpt in self.ended.iter().flat_map(|ended| &ended.said.excerpts) {
            writeln!(f, "\n{}", excerpt.trim_end())?;
        }
        let [passed, failed, skipped] = self.counts();
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::said;

    fn ended(name: &str, code: i32, text: &str) -> Ended {
        Ended {
            binary: Binary::fake(name),
            code,
            said: said::read(text),
            text: text.to_owned(),
            took: Duration::from_secs(10),
            processor: Duration::from_secs(1),
            peak: 0,
        }
    }

    fn result(passed: usize, red: &[&str], skipped: usize) -> String {
        let names: String = red.iter().map(|name| format!("    {name}\n")).collect();
        let failures = if red.is_empty() { String::new() } else { format!("failures:\n{names}\n") };
        let (word, failed) = (if red.is_empty() { "ok" } else { "FAILED" }, red.len());
        format!("{failures}test result: {word}. {passed} passed; {failed} failed; {skipped} ignored; 0 measured\n")
    }

    fn of(all: Vec<Ended>) -> Verdict {
        let mut verdict = Verdict::new(Vec::new(), Vec::new());
        all.into_iter().for_each(|ended| verdict.add(ended));
        verdict
    }

    fn last_line(verdict: &Verdict) -> String {
        verdict.to_string().lines().last().unwrap_or_default().to_owned()
    }

    #[test]
    fn the_last_line_sums_up_all_binaries() {
        let verdict = of(vec![ended("lib", 0, &result(600, &[], 1)), ended("gate", 0, &result(9, &[], 0))]);
        assert_eq!(last_line(&verdict), "609 passed, 0 failed, 1 skipped");
        assert!(verdict.is_good(false));
        assert!(!verdict.is_good(true), "nothing may be skipped");
    }

    #[test]
    fn what_is_green_the_second_time_counts_as_passed_and_is_listed() {
        let mut verdict = of(vec![ended("gate", 101, &result(8, &["fleet"], 0))]);
        assert_eq!(verdict.second_tries().len(), 1);
        assert_eq!(last_line(&verdict), "8 passed, 1 failed, 0 skipped");
        verdict.tried_again("gate", "fleet", &ended("gate", 0, &result(1, &[], 0)));
        assert!(verdict.is_good(true));
        assert!(verdict.to_string().contains("flaky: gate fleet\n"));
        assert_eq!(last_line(&verdict), "9 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn what_is_red_the_second_time_is_red() {
        // The last two: a second try that ran no test at all, and one whose binary went wrong after its test.
        let none = (0, result(0, &[], 0));
        for (code, text) in [(101, result(0, &["fleet"], 0)), (134, String::new()), none, (134, result(1, &[], 0))] {
            let mut verdict = of(vec![ended("gate", 101, &result(8, &["fleet"], 0))]);
            verdict.tried_again("gate", "fleet", &ended("gate", code, &text));
            assert!(!verdict.is_good(false));
            assert!(verdict.to_string().contains("failed: gate fleet\n"));
            assert_eq!(last_line(&verdict), "8 passed, 1 failed, 0 skipped");
        }
    }

    #[test]
    fn units_get_no_second_try() {
        let verdict = of(vec![ended("lib", 101, &result(599, &["words::slips"], 0))]);
        assert!(verdict.second_tries().is_empty());
        assert!(!verdict.is_good(false));
    }

    #[test]
    fn a_binary_that_broke_off_is_red_whatever_else_is_green() {
        for (code, text) in [(139, ""), (0, ""), (1, result(3, &[], 0).as_str())] {
            let verdict = of(vec![ended("lib", 0, &result(600, &[], 0)), ended("gate", code, text)]);
            assert!(!verdict.is_good(false), "{code} {text}");
            assert!(last_line(&verdict).contains(" 1 failed, "), "{code} {text}: {verdict}");
            assert!(verdict.to_string().contains("failed: gate: ended with"), "{verdict}");
        }
        // One flaky test is no excuse for another that is not named.
        let text = result(3, &["fleet"], 0).replace("1 failed", "2 failed");
        let mut verdict = of(vec![ended("gate", 101, &text)]);
        verdict.tried_again("gate", "fleet", &ended("gate", 0, &result(1, &[], 0)));
        assert!(!verdict.is_good(false));
    }

    #[test]
    fn a_stage_that_failed_is_red_and_nothing_at_all_is_not_green() {
        let mut verdict = Verdict::new(vec!["cargo fmt".into()], vec!["no 1.91 here".into()]);
        verdict.add(ended("lib", 0, &result(600, &[], 0)));
        assert!(!verdict.is_good(false));
        assert!(verdict.to_string().contains("failed: cargo fmt\nnot checked: no 1.91 here\n"));
        assert_eq!(last_line(&verdict), "600 passed, 1 failed, 0 skipped");
        assert!(!of(vec![ended("lib", 0, &result(0, &[], 0))]).is_good(false));
    }

    #[test]
    fn the_slowest_come_first_and_are_ten() {
        let text: String = (0..15).map(|n| format!("testbed: took {n}.5 s: t{n}\n")).collect();
        let verdict = of(vec![ended("gate", 0, &(text + &result(15, &[], 0)))]);
        let shown = verdict.to_string();
        let slow: Vec<&str> = shown.lines().filter(|line| line.starts_with("slow:")).collect();
        assert_eq!(slow.len(), SLOWEST);
        assert_eq!(slow[0], "slow:   14.5 s  gate t14");
    }
}
