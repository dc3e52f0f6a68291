//! Sentences that are alike but for their amounts, told once with the span of each amount and the names of all who said them.

use std::collections::{BTreeMap, HashMap};

use crate::change::{Part, Target};
use crate::finding::Piece;
use crate::words;

/// Units that an amount may stand before.
const UNITS: [&str; 12] = ["ms", "s", "min", "m", "h", "d", "B", "kB", "MB", "GB", "Gi", "Mi"];
/// Stands for an amount in a pattern; no sentence that is told has it, for it is escaped.
const HOLE: char = '\u{1}';
/// Stands for the target's own name.
const OWN: char = '\u{2}';

/// What an amount comes to, to compare it with others of its kind, and as it was written.
type Amount = (f64, String);

/// One sentence, and those of others that are alike.
#[derive(Debug, Clone)]
pub(super) struct Alike {
    pattern: String,
    /// The least and the most of each amount.
    spans: Vec<(Amount, Amount)>,
    targets: Vec<Target>,
}

impl Alike {
    /// Who said it, each once.
    pub(super) fn targets(&self) -> &[Target] {
        &self.targets
    }

    fn widen(&mut self, spans: &[(Amount, Amount)]) {
        for (mine, (least, most)) in self.spans.iter_mut().zip(spans) {
            if least.0 < mine.0.0 {
                mine.0.clone_from(least);
            }
            if most.0 > mine.1.0 {
                mine.1.clone_from(most);
            }
        }
    }

    /// The sentence with the spans of its amounts.
    pub(super) fn text(&self) -> String {
        let (mut spans, mut text) = (self.spans.iter(), String::with_capacity(self.pattern.len()));
        for c in self.pattern.chars() {
            match c {
                HOLE => text.extend(spans.next().map(|(least, most)| span(&least.1, &most.1))),
                OWN => {
                    let own: Vec<String> = self.targets.iter().map(|target| target.short().to_owned()).collect();
                    text.push_str(&words::fold(&own));
                }
                c => text.push(c),
            }
        }
        text
    }
}

/// Sentences in the order in which each was first said, alike ones together.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    all: Vec<Alike>,
    known: HashMap<String, usize>,
}

impl Gathered {
    /// Takes in what a target said in words of its own; the same again from the same target counts once.
    pub(super) fn add(&mut self, target: &Target, said: &str) {
        let (pattern, amounts, units) = pattern(said, target.short());
        let amounts = amounts.into_iter().map(|amount| (value(&amount), amount)).collect();
        let key = format!("{pattern}{HOLE}{}", units.join(" "));
        self.take(target, key, pattern, amounts);
    }

    /// Takes in what was found on a target: what an amount or a name is, is known. A note is in words of its own.
    pub(super) fn add_pieces(&mut self, target: &Target, pieces: &[Piece]) {
        if let [Piece::Text(note)] = pieces {
            return self.add(target, note);
        }
        let (mut pattern, mut amounts) = (String::new(), Vec::new());
        for piece in pieces {
            match piece {
                Piece::Name(name) if name == target.short() => pattern.push(OWN),
                Piece::Text(text) | Piece::Name(text) => pattern.push_str(text),
                Piece::Amount(value, text) => {
                    pattern.push(HOLE);
                    amounts.push((*value, text.clone()));
                }
            }
        }
        self.take(target, pattern.clone(), pattern, amounts);
    }

    fn take(&mut self, target: &Target, key: String, pattern: String, amounts: Vec<Amount>) {
        let spans: Vec<(Amount, Amount)> = amounts.into_iter().map(|one| (one.clone(), one)).collect();
        let Some(at) = self.known.get(&key) else {
            self.known.insert(key, self.all.len());
            self.all.push(Alike { pattern, spans, targets: vec![target.clone()] });
            return;
        };
        let alike = &mut self.all[*at];
        alike.widen(&spans);
        if !alike.targets.contains(target) {
            alike.targets.push(target.clone());
        }
    }

    /// Takes in what was gathered elsewhere.
    pub(super) fn join(&mut self, other: Self) {
        let keys: HashMap<usize, String> = other.known.into_iter().map(|(key, at)| (at, key)).collect();
        for (at, alike) in other.all.into_iter().enumerate() {
            let Some(key) = keys.get(&at) else { continue };
            let Some(known) = self.known.get(key) else {
                self.known.insert(key.clone(), self.all.len());
                self.all.push(alike);
                continue;
            };
            let mine = &mut self.all[*known];
            mine.widen(&alike.spans);
            // Each target is of one cluster, and each cluster ends once: nobody is there twice.
            mine.targets.extend(alike.targets);
        }
    }

    /// Whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of it.
    pub(super) fn all(&self) -> &[Alike] {
        &self.all
    }
}

/// The names of targets, folded: `cp[1-3]`, in a fleet `c[1-300]/cp[1-3]`, and nothing for a cluster as a whole that is alone.
pub(super) fn names(targets: &[Target], fleet: bool) -> String {
    let short = |target: &Target| match &target.part {
        Part::Cluster => String::new(),
        _ => target.short().to_owned(),
    };
    let mut clusters: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for target in targets {
        clusters.entry(&target.cluster).or_default().push(short(target));
    }
    let mut alike: Vec<(String, Vec<String>)> = Vec::new();
    for (cluster, parts) in clusters {
        let parts = words::fold(&parts);
        match alike.iter_mut().find(|(same, _)| *same == parts) {
            Some((_, all)) => all.push(cluster.to_owned()),
            None => alike.push((parts, vec![cluster.to_owned()])),
        }
    }
    let one = |(parts, clusters): &(String, Vec<String>)| match (fleet, parts.is_empty()) {
        (false, _) => parts.clone(),
        (true, true) => words::fold(clusters),
        (true, false) => format!("{}/{parts}", words::fold(clusters)),
    };
    alike.iter().map(one).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(",")
}

/// The sentence with holes for its amounts and for the target's own name; the amounts; their units.
fn pattern<'a>(said: &'a str, own: &str) -> (String, Vec<String>, Vec<&'a str>) {
    let (mut pattern, mut amounts, mut units) = (String::with_capacity(said.len()), Vec::new(), Vec::new());
    let mut rest = said;
    // Whether what stands before is part of a name, or of a length of time that goes on.
    let (mut in_name, mut in_time) = (false, false);
    while let Some(c) = rest.chars().next() {
        if !in_name
            && let Some(after) = rest.strip_prefix(own)
            && !own.is_empty()
            && !after.starts_with(is_of_name)
        {
            pattern.push(OWN);
            (rest, in_name, in_time) = (after, false, false);
            continue;
        }
        let digits = number(rest);
        if digits == 0 || (in_name && !in_time) {
            pattern.push(c);
            in_name = is_of_name(c);
            in_time = false;
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (figure, after) = rest.split_at(digits);
        let (length, unit) = amount(figure, after, &pattern);
        if length == 0 {
            pattern.push_str(figure);
            (rest, in_name, in_time) = (after, true, false);
            continue;
        }
        let (whole, after) = rest.split_at(length);
        pattern.push(HOLE);
        amounts.push(whole.to_owned());
        units.push(if matches!(unit, "ms" | "s") { "time" } else { unit });
        (rest, in_name, in_time) = (after, true, !unit.is_empty());
    }
    (pattern, amounts, units)
}

/// How long the number is that a text begins with, in bytes.
fn number(text: &str) -> usize {
    let whole = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let fraction = text[whole..].strip_prefix('.').map_or(0, |after| {
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 { 0 } else { digits + 1 }
    });
    if whole == 0 { 0 } else { whole + fraction }
}

/// How much of a text is an amount: the number and its unit, or the number before what is counted; 0 when it is part of a
/// name, a code or an address.
fn amount<'a>(figure: &str, after: &'a str, before: &str) -> (usize, &'a str) {
    let spaced = after.strip_prefix(' ');
    let unit_of = |text: &'a str| {
        let letters = text.len() - text.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, end) = text.split_at(letters);
        (UNITS.contains(&unit) && !end.starts_with(['-', '_', '/'])).then_some(unit)
    };
    if after.starts_with('%') || after.starts_with(" %") {
        return (figure.len(), "");
    }
    if let Some(unit) = unit_of(after) {
        return (figure.len() + unit.len(), unit);
    }
    if let Some(unit) = spaced.and_then(unit_of) {
        return (figure.len() + 1 + unit.len(), unit);
    }
    let counted = spaced.is_some_and(|text| {
        let plain = |word: &str| word.len() > 2 && word.chars().all(|c| c.is_ascii_lowercase());
        let mut next = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').take(2);
        let first = next.next().unwrap_or_default();
        let second = next.next().unwrap_or_default();
        let plural =
            |word: &str| plain(word) && word.ends_with('s') && word != "says" && word != "was" && word != "has";
        plural(first) || (plain(first) && plural(second))
    });
    if counted || before.ends_with("process ") { (figure.len(), "") } else { (0, "") }
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.' | ':')
}

/// What an amount comes to, to compare it with others of its kind.
fn value(amount: &str) -> f64 {
    let digits = &amount[..number(amount)];
    let number: f64 = digits.parse().unwrap_or_default();
    if amount.ends_with("ms") || !amount.ends_with('s') { number } else { number * 1000.0 }
}

/// `13 ms`, `13-214 ms`, `80-82`, `14m58-59s`, `13 ms to 1.2 s`.
fn span(least: &str, most: &str) -> String {
    if least == most {
        return least.to_owned();
    }
    let same = least.bytes().zip(most.bytes()).take_while(|(a, b)| a == b).count();
    let same = least[..same].trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (from, to) = (same + number(&least[same..]), same + number(&most[same..]));
    if least[from..] == most[to..] {
        format!("{}-{}", &least[..from], &most[same..])
    } else {
        format!("{least} to {most}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(said: &[(&str, &str)]) -> Vec<String> {
        let mut all = Gathered::default();
        said.iter().for_each(|(host, said)| all.add(&Target::host("prod", *host), said));
        all.all().iter().map(|alike| format!("{}: {}", names(alike.targets(), false), alike.text())).collect()
    }

    #[test]
    fn amounts_are_told_as_a_span() {
        let table = [
            (
                ["82 open connections cut, none left", "80 open connections cut, none left"],
                "80-82 open connections cut, none left",
            ),
            (["/livez ok in 13 ms", "/livez ok in 170 ms"], "/livez ok in 13-170 ms"),
            (["/livez ok in 900 ms", "/livez ok in 1.2 s"], "/livez ok in 900 ms to 1.2 s"),
            (["ready, process 1101", "ready, process 1100"], "ready, process 1100-1101"),
            (
                ["closed, 1 source in 14m59s by itself", "closed, 1 source in 14m58s by itself"],
                "closed, 1 source in 14m58-59s by itself",
            ),
            (
                ["/livez of cp1 says 200 in 468 ms", "/livez of cp2 says 200 in 582 ms"],
                "/livez of cp[1-2] says 200 in 468-582 ms",
            ),
            (["3 new connections tried", "12 new connections tried"], "3-12 new connections tried"),
            (["open for 10 %", "open for 50 %"], "open for 10-50 %"),
        ];
        for ([one, other], both) in table {
            assert_eq!(gathered(&[("cp1", one), ("cp2", other)]), [format!("cp[1-2]: {both}")]);
        }
    }

    /// Each cluster gathers for itself until its step has ended.
    #[test]
    fn what_clusters_gathered_apart_becomes_one_with_the_span_of_all() {
        let on = |cluster: &str, amounts: [u32; 2]| {
            let mut all = Gathered::default();
            for (host, amount) in ["cp1", "cp2"].into_iter().zip(amounts) {
                let said = format!("{amount} open connections cut");
                [&said, &said].into_iter().for_each(|said| all.add(&Target::host(cluster, host), said));
            }
            all
        };
        let mut all = on("c1", [80, 82]);
        all.join(on("c2", [7, 81]));
        let told: Vec<_> =
            all.all().iter().map(|alike| (names(alike.targets(), true), alike.text(), alike.targets().len())).collect();
        assert_eq!(told, [("c[1-2]/cp[1-2]".to_owned(), "7-82 open connections cut".to_owned(), 4)]);
    }

    #[test]
    fn codes_names_and_addresses_are_no_amounts() {
        for [one, other] in [
            ["503 from cp9 in 10 ms", "200 from cp9 in 10 ms"],
            ["exit code 1", "exit code 2"],
            ["node-1 is away", "node-2 is away"],
            ["10.0.0.1:6443 is closed", "10.0.0.2:6443 is closed"],
            ["it says 500 and is lost", "it says 404 and is lost"],
            ["stage 1 of 3 is in", "stage 2 of 3 is in"],
            ["sha256 87cb3a73", "sha256 af6c9563"],
        ] {
            let all = gathered(&[("a", one), ("b", other)]);
            assert_eq!(all, [format!("a: {one}"), format!("b: {other}")]);
        }
    }

    #[test]
    fn the_names_of_a_fleet_fold_twice() {
        let targets: Vec<Target> =
            (1..=40).flat_map(|c| (1..=3).map(move |h| Target::host(format!("c{c}"), format!("cp{h}")))).collect();
        assert_eq!(names(&targets, true), "c[1-40]/cp[1-3]");
        assert_eq!(names(&[Target::cluster("c1"), Target::cluster("c2")], true), "c[1-2]");
        assert_eq!(names(&[Target::cluster("c1")], false), "");
    }
}
