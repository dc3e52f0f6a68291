//! Grammar of the messages: plurals, folded names, lists.

use std::time::Duration;

/// `1 change`, `3 changes`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// What an undo came to: `2 changes taken back, 4 needed none`. What needed nothing is no change that was taken back.
pub(crate) fn taken_back(undone: usize, needless: usize) -> String {
    match (undone, needless) {
        (_, 0) => format!("{} taken back", count(undone, "change")),
        (0, _) => format!("{} needed no taking back", count(needless, "change")),
        _ => format!("{} taken back, {needless} needed none", count(undone, "change")),
    }
}

/// A number of bytes as people say it: `812 B`, `4.5 kB`.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 3] = ["kB", "MB", "GB"];
    if number < 1000 {
        return format!("{number} B");
    }
    let (mut tenths, mut unit) = (number / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        (tenths, unit) = (tenths / 1000, unit + 1);
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A length of time in milliseconds as people say it: `34 ms`, `1.2 s`, `3 min 20 s`.
pub(crate) fn millis(number: u64) -> String {
    match number {
        0..1000 => format!("{number} ms"),
        1000..60_000 => format!("{}.{} s", number / 1000, number % 1000 / 100),
        _ => format!("{} min {} s", number / 60_000, number % 60_000 / 1000),
    }
}

/// Whole milliseconds of a length of time.
pub(crate) fn as_millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Text of several lines as one: `the first / the second`.
pub(crate) fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" / ")
}

/// Folds names that differ in one number: `cp1 cp2 cp3 db` to `cp[1-3],db`.
pub(crate) fn fold(names: &[String]) -> String {
    let mut groups: Vec<((String, String), Vec<u64>)> = Vec::new();
    let mut plain = Vec::new();
    for name in names {
        match split(name) {
            Some((key, number)) => match groups.iter_mut().find(|(k, _)| *k == key) {
                Some((_, numbers)) => numbers.push(number),
                None => groups.push((key, vec![number])),
            },
            None => plain.push(name.clone()),
        }
    }
    let folded = groups.into_iter().map(|((before, after), mut numbers)| {
        numbers.sort_unstable();
        numbers.dedup();
        match numbers.as_slice() {
            [one] => format!("{before}{one}{after}"),
            many => format!("{before}[{}]{after}", ranges(many)),
        }
    });
    folded.chain(plain).collect::<Vec<_>>().join(",")
}

/// Text before the last number, text after it, and the number; numbers with leading zeros are left alone.
fn split(name: &str) -> Option<((String, String), u64)> {
    let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = name[..end].trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let digits = &name[start..end];
    if digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    Some(((name[..start].to_owned(), name[end..].to_owned()), digits.parse().ok()?))
}

fn ranges(sorted: &[u64]) -> String {
    let mut out: Vec<(u64, u64)> = Vec::new();
    for number in sorted {
        match out.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => out.push((*number, *number)),
        }
    }
    let show = |(first, last): &(u64, u64)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    out.iter().map(show).collect::<Vec<_>>().join(",")
}

/// The nearest of some words to what was typed, when it is near enough to be a slip.
pub(crate) fn nearest<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = words.into_iter().map(|word| (strsim::levenshtein(typed, word), word)).min()?;
    (near.0 <= typed.len().max(3) / 3 + 1).then_some(near.1)
}

/// A number that a text always has, in this program and the next (FNV-1a, 32 bits).
pub(crate) fn fnv(bytes: impl IntoIterator<Item = u8>) -> u32 {
    bytes.into_iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needed_nothing_does_not_count_as_taken_back() {
        let table = [
            ((2, 4), "2 changes taken back, 4 needed none"),
            ((1, 0), "1 change taken back"),
            ((0, 1), "1 change needed no taking back"),
            ((0, 0), "0 changes taken back"),
        ];
        for ((undone, needless), told) in table {
            assert_eq!(taken_back(undone, needless), told);
        }
    }

    #[test]
    fn names_fold() {
        let fold_all = |names: &[&str]| fold(&names.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        assert_eq!(fold_all(&["cp1", "cp2", "cp3", "db"]), "cp[1-3],db");
        assert_eq!(fold_all(&["a1.x", "a3.x", "b1"]), "a[1,3].x,b1");
        assert_eq!(fold_all(&["n01", "n02"]), "n01,n02");
        assert_eq!(fold_all(&["nœud1", "nœud2", "ü3"]), "nœud[1-2],ü3");
        assert_eq!(fold_all(&[]), "");
    }

    #[test]
    fn several_lines_become_one() {
        assert_eq!(one_line("<html>\r\n  <b>503</b>\n\n</html>\n"), "<html> / <b>503</b> / </html>");
    }

    #[test]
    fn amounts_are_said_as_people_say_them() {
        assert_eq!([bytes(999), bytes(4_567), bytes(12_345_678), bytes(0)], ["999 B", "4.5 kB", "12.3 MB", "0 B"]);
        assert_eq!([millis(34), millis(1_270), millis(200_000)], ["34 ms", "1.2 s", "3 min 20 s"]);
    }

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        assert_eq!(nearest("gate-clsoe", ["gate-close", "gate-open"]), Some("gate-close"));
        assert_eq!(nearest("frobnicate", ["gate-close", "park"]), None);
    }
}
