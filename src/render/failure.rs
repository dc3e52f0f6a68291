//! A failure as the operator sees it: one sentence, numbered causes, hints.

use std::fmt;

use super::json;
use super::{Line, Output, Screen, Tone, told};
use crate::error::Failure;
use crate::refusal::Refusal;

/// Everything that was refused, together.
#[derive(Debug)]
pub(crate) struct Refusals {
    /// What is refused, as the subject of a sentence: `the plan`, `the kit`.
    pub of: &'static str,
    /// Why; never empty.
    pub all: Vec<Refusal>,
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.all.as_slice() {
            [one] => write!(f, "{}: {}", one.at, one.what),
            many => write!(f, "{} is refused for {} reasons", self.of, many.len()),
        }
    }
}

impl std::error::Error for Refusals {}

/// Prints a failure: text to standard error, and with JSON one object to standard output too.
pub(crate) fn show(screen: &Screen, output: Output, failure: &Failure) {
    let (sentence, causes) = (failure.source.to_string(), causes(failure));
    let hints = one_refusal_hint(failure).into_iter().chain(failure.hints.iter().cloned());
    let mut lines = vec![Line::new(Tone::Bad, "error: ", sentence.clone())];
    lines.extend(
        causes.iter().enumerate().map(|(i, cause)| Line::new(Tone::Plain, format!("  {}: ", i + 1), cause.clone())),
    );
    lines.extend(hints.map(Line::hint));
    screen.err_lines(&told(&lines, screen.err_paint(), screen.err_width()));
    if output == Output::Json {
        screen.out(&json::failure(failure, &sentence, &causes));
    }
}

fn causes(failure: &Failure) -> Vec<String> {
    match failure.source.downcast_ref::<Refusals>() {
        Some(Refusals { all, .. }) if all.len() > 1 => all.iter().map(ToString::to_string).collect(),
        _ => failure.source.chain().skip(1).map(ToString::to_string).collect(),
    }
}

/// A refusal that stands alone is the sentence itself, so its hint stands where hints stand.
fn one_refusal_hint(failure: &Failure) -> Option<String> {
    match failure.source.downcast_ref::<Refusals>()?.all.as_slice() {
        [one] => one.hint.clone(),
        _ => None,
    }
}
