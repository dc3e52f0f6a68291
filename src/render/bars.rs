//! Live progress: one line per cluster, one below it per target that is at work.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::clean;
use crate::change::Target;
use crate::duration::HumanDuration;
use crate::event::Event;

/// Targets drawn at a time; further ones are at work all the same.
const TARGETS_AT_MOST: usize = 12;
/// Clusters drawn at a time.
const CLUSTERS_AT_MOST: usize = 12;
/// No wait is shown as longer, in seconds.
const FOREVER: u64 = 100 * 86_400;
/// How often the spinner moves.
const TICK: Duration = Duration::from_millis(120);

/// What is drawn.
pub(super) struct Bars {
    multi: MultiProgress,
    steps: usize,
    lanes: BTreeMap<String, Lane>,
}

struct Lane {
    bar: ProgressBar,
    title: String,
    targets: usize,
    ended: usize,
    rows: BTreeMap<Target, Row>,
}

struct Row {
    bar: ProgressBar,
    /// What is waited for, and until when at most.
    waits: Option<(String, Instant)>,
}

impl Bars {
    /// Draws nothing yet.
    pub(super) fn new(multi: MultiProgress) -> Self {
        Self { multi, steps: 0, lanes: BTreeMap::new() }
    }

    /// Draws what an event says.
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::RunStarted { steps, .. } => self.steps = *steps,
            Event::StepStarted { cluster, step, name, targets, .. } => {
                self.close(cluster);
                if self.lanes.len() < CLUSTERS_AT_MOST {
                    let title = clean::one_line(&format!(
                        "{cluster} [{}/{}] {name}",
                        step.saturating_add(1),
                        self.steps.max(step.saturating_add(1))
                    ));
                    let bar = self.multi.add(row("{spinner} {prefix} {msg} {elapsed}", title.clone()));
                    bar.enable_steady_tick(TICK);
                    let rows = BTreeMap::new();
                    self.lanes.insert(cluster.clone(), Lane { bar, title, targets: *targets, ended: 0, rows });
                }
            }
            Event::Saw { target, what, .. } => self.say(target, what.to_string()),
            Event::ChangeSent { target, what, .. } => self.say(target, what.clone()),
            Event::Waiting { target, what, left_secs, .. } => {
                self.say(target, String::new());
                if let Some(row) = self.lanes.get_mut(&target.cluster).and_then(|lane| lane.rows.get_mut(target)) {
                    let until = Instant::now() + Duration::from_secs((*left_secs).min(FOREVER));
                    row.waits = Some((clean::one_line(what), until));
                }
                self.tick(Instant::now());
            }
            Event::Trouble { target, what, again: true, .. } => self.say(target, format!("tries again: {what}")),
            Event::TargetEnded { target, .. } => self.target_ended(target),
            Event::StepEnded { cluster, .. } => self.close(cluster),
            Event::RunEnded { .. } => {
                let clusters: Vec<String> = self.lanes.keys().cloned().collect();
                clusters.iter().for_each(|cluster| self.close(cluster));
            }
            _ => {}
        }
    }

    /// Counts down what is left of each wait.
    pub(super) fn tick(&mut self, now: Instant) {
        for row in self.lanes.values().flat_map(|lane| lane.rows.values()) {
            if let Some((what, until)) = &row.waits {
                let left = HumanDuration(Duration::from_secs(until.saturating_duration_since(now).as_secs()));
                row.bar.set_message(format!("{left} left, waits for {what}"));
            }
        }
    }

    fn say(&mut self, target: &Target, what: String) {
        let Some(lane) = self.lanes.get_mut(&target.cluster) else { return };
        if !lane.rows.contains_key(target) {
            if lane.rows.len() >= TARGETS_AT_MOST {
                return;
            }
            let last = lane.rows.values().next_back().map_or(&lane.bar, |row| &row.bar);
            let bar = self.multi.insert_after(last, row("    {prefix}: {wide_msg}", clean::one_line(target.short())));
            bar.enable_steady_tick(TICK);
            lane.rows.insert(target.clone(), Row { bar, waits: None });
        }
        if let Some(row) = lane.rows.get_mut(target) {
            row.waits = None;
            row.bar.set_message(clean::one_line(&what));
        }
    }

    fn target_ended(&mut self, target: &Target) {
        let Some(lane) = self.lanes.get_mut(&target.cluster) else { return };
        lane.ended += 1;
        if lane.targets > 1 {
            lane.bar.set_prefix(format!("{} {}/{}", lane.title, lane.ended, lane.targets));
        }
        if let Some(row) = lane.rows.remove(target) {
            row.bar.finish_and_clear();
            self.multi.remove(&row.bar);
        }
    }

    fn close(&mut self, cluster: &str) {
        if let Some(lane) = self.lanes.remove(cluster) {
            for bar in lane.rows.values().map(|row| &row.bar).chain([&lane.bar]) {
                bar.finish_and_clear();
                self.multi.remove(bar);
            }
        }
    }
}

/// A line that draws nothing before it has its place among the others: on its own it would draw where the cursor stands, and
/// the others, which count the lines from there, would leave one behind.
fn row(template: &str, prefix: String) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.tick_chars("|/-\\ "));
    }
    bar.set_prefix(prefix);
    bar
}
