//! Equal news of many targets on one line: `cp[1-3]: ready`.
//!
//! News waits a moment for its like. What a target says never overtakes what it said before.

use std::time::{Duration, Instant};

use super::Line;
use super::paint::Tone;
use crate::words;

/// How long news waits for its like.
pub(super) const WAIT: Duration = Duration::from_millis(700);
/// Width of the word before the names.
const LABEL: usize = 9;

/// One piece of news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct News {
    /// What happened, in one word: `sent`, `done`, `saw`.
    pub(super) label: &'static str,
    /// Colour of the word.
    pub(super) tone: Tone,
    /// Names of the targets, folded.
    pub(super) who: String,
    /// What is told of them.
    pub(super) text: String,
    /// How long it took, in milliseconds.
    pub(super) took_ms: Option<u64>,
    /// Further lines below it.
    pub(super) below: Vec<String>,
}

/// The news that waits.
#[derive(Debug, Default)]
pub(super) struct Fold {
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    first: News,
    who: Vec<String>,
    took: Option<(u64, u64)>,
    since: Instant,
}

impl Group {
    fn takes(&self, news: &News) -> bool {
        let first = &self.first;
        (first.label, &first.text, &first.below) == (news.label, &news.text, &news.below)
    }
}

impl Fold {
    /// Takes a piece of news in.
    pub(super) fn add(&mut self, news: News, now: Instant) {
        let after_own = self.groups.iter().rposition(|g| g.who.contains(&news.who)).map_or(0, |at| at + 1);
        let took = news.took_ms.map(|ms| (ms, ms));
        if let Some(group) = self.groups[after_own..].iter_mut().find(|group| group.takes(&news)) {
            group.took = group.took.zip(took).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1))).or(group.took).or(took);
            group.who.push(news.who);
            return;
        }
        self.groups.push(Group { who: vec![news.who.clone()], took, since: now, first: news });
    }

    /// What has waited long enough, and all before it.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Line> {
        let due = self.groups.iter().take_while(|group| now.duration_since(group.since) >= WAIT).count();
        self.groups.drain(..due).flat_map(Group::lines).collect()
    }

    /// Everything.
    pub(super) fn all(&mut self) -> Vec<Line> {
        self.groups.drain(..).flat_map(Group::lines).collect()
    }
}

impl Group {
    fn lines(self) -> Vec<Line> {
        let took = self.took.map_or_else(String::new, |(least, most)| match (least, most) {
            (_, 0) => String::new(),
            (least, most) if least == most => format!(" ({})", words::millis(most)),
            (least, most) => format!(" ({} to {})", words::millis(least), words::millis(most)),
        });
        let News { label, tone, text, below, .. } = self.first;
        let head = format!("  {label:<LABEL$}");
        let line = Line::new(tone, head, format!("{}: {text}{took}", words::fold(&self.who)));
        let indent = format!("  {:<LABEL$}", "");
        let below = below.into_iter().map(|text| Line::new(Tone::Plain, indent.clone(), format!("  {text}")).whole());
        std::iter::once(line).chain(below).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(who: &str, text: &str, took_ms: u64) -> News {
        News {
            label: "done",
            tone: Tone::Good,
            who: who.into(),
            text: text.into(),
            took_ms: Some(took_ms),
            below: Vec::new(),
        }
    }

    fn texts(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn equal_news_of_many_hosts_is_one_line() {
        let (mut fold, now) = (Fold::default(), Instant::now());
        for (who, text, took) in [("cp1", "closed", 12), ("cp2", "closed", 30), ("cp3", "refused", 5)] {
            fold.add(news(who, text, took), now);
        }
        assert_eq!(texts(&fold.all()), ["cp[1-2]: closed (12 ms to 30 ms)", "cp3: refused (5 ms)"]);
        assert!(fold.all().is_empty());
    }

    #[test]
    fn what_a_target_says_never_overtakes_what_it_said_before() {
        let (mut fold, now) = (Fold::default(), Instant::now());
        for (who, text) in [("cp1", "a"), ("cp1", "b"), ("cp2", "b"), ("cp2", "a"), ("cp1", "a")] {
            fold.add(news(who, text, 0), now);
        }
        assert_eq!(texts(&fold.all()), ["cp1: a", "cp[1-2]: b", "cp[1-2]: a"]);
    }

    #[test]
    fn news_waits_only_a_moment() {
        let (mut fold, now) = (Fold::default(), Instant::now());
        fold.add(news("cp1", "a", 0), now);
        assert!(fold.due(now).is_empty());
        fold.add(news("cp2", "b", 0), now + WAIT);
        assert_eq!(texts(&fold.due(now + WAIT)), ["cp1: a"]);
    }
}
