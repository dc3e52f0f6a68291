//! A stage that is a number of sources: whoever knocks first from then on is let in, and stays in while the gate stands.
//!
//! Each such stage has a set per address family that the packets fill themselves, as large as what the stage adds to those
//! before it. So the first of "1 source, 5 sources" has one place and the second has four, and together they hold five,
//! whoever came when. A full set lets the packet go on to the next rule. Setting the fuses to a level below a stage empties
//! its set: a source that has died since would hold a place for ever otherwise.

use super::{GateSpec, Mark, Rung, Stage, Times};

/// The most sources that a stage can count. An ipset of up to so many is one region of the kernel's table, which it counts
/// as a whole; what is more is a share.
pub(super) const MOST: u32 = 1000;

/// The kernel logs each knock at an ipset that is full. So many knocks of strangers are looked at per opening of a stage: one
/// source that knocks on many processors at once may use up a few of them for one place.
pub(super) fn knocks(places: u32) -> u32 {
    2 * places + 64
}

impl GateSpec {
    /// The stages that are a number of sources: their indices, and the places that each adds to those before it.
    pub(super) fn places(&self) -> Vec<(usize, u32)> {
        let (mut before, mut all) = (0, Vec::new());
        for (k, stage) in self.rungs().iter().enumerate() {
            match stage {
                Stage::Count(sources) => {
                    all.push((k, sources.saturating_sub(before).max(1)));
                    before = before.max(*sources);
                }
                Stage::Share(_) | Stage::Set { .. } | Stage::Rate(_) => {}
            }
        }
        all
    }
}

/// The sets that are emptied when the fuses are set so, by the ends of their names: those of the stages that are closed then.
pub(super) fn emptied(mark: &Mark, times: &Times) -> Vec<String> {
    let closed = mark.rungs.iter().zip(&times.until).enumerate().filter(|(_, (_, until))| until.is_some());
    let counted = closed.filter(|(_, (rung, _))| match rung {
        Rung::Count(_) => true,
        Rung::Share(_) | Rung::Set(_) | Rung::Rate(_) => false,
    });
    counted.flat_map(|(k, _)| ['4', '6'].map(|family| format!("{}_{family}", k + 1))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::gate::{iptables, nft, sample};

    /// The gate of the section "A number of sources".
    fn counting() -> GateSpec {
        GateSpec { stages: [1, 5].map(Stage::Count).into_iter().chain([Stage::Share(25)]).collect(), ..sample() }
    }

    #[test]
    fn later_stages_have_the_places_that_earlier_ones_have_not() {
        assert_eq!(counting().places(), [(0, 1), (1, 4)]);
        assert_eq!(sample().places(), []);
    }

    #[test]
    fn closing_a_stage_again_empties_its_set_and_those_of_the_stages_after_it() {
        let at = |level| emptied(&counting().mark(), &Times::confirmed(3, level, 60, 60));
        assert_eq!(at(0), ["1_4", "1_6", "2_4", "2_6"]);
        assert_eq!(at(1), ["2_4", "2_6"]);
        assert_eq!((at(2).len(), at(3).len()), (0, 0));
    }

    /// One chain of a table, as it is written.
    fn chain(rules: &str, name: &str) -> String {
        let head = format!("\tchain {name} {{");
        let lines = rules.lines().skip_while(|line| *line != head).take_while(|line| *line != "\t}");
        lines.chain(["\t}"]).collect::<Vec<_>>().join("\n")
    }

    fn having(rules: &str, parts: &[&str]) -> String {
        let lines = rules.lines().filter(|line| parts.iter().any(|part| line.contains(part)));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What is documented is what is written.
    #[test]
    fn the_documentation_shows_these_very_rules() {
        let docs = include_str!("../../../docs/gate.md");
        let spec = counting();
        let (mark, by, times) = (spec.mark(), spec.driver(), Times::confirmed(3, 1, 110, 60));
        let rules = nft::ruleset(&spec);
        let chains = ["level_2", "level_3", "back_level_2"].map(|name| chain(&rules, name));
        let ipsets = having(&iptables::sets(&spec), &["_1_4", "_2_4"]);
        let level = having(&iptables::table(&spec, false), &["-A BREAKGLASS-L2 ", "-A BREAKGLASS-B2 "]);
        for text in [
            format!("{}\n{}", having(&rules, &["set stage_"]), chains.join("\n")),
            nft::rearm(&mark, &times, &mark.run, &by, false),
            ipsets,
            level,
            having(&iptables::rearm(&mark, &times, &mark.run, &by), &["_2_4"]),
        ] {
            assert!(docs.contains(&format!("```\n{}\n```", text.trim_end())), "docs/gate.md:\n{text}");
        }
    }
}
