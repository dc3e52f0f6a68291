//! Kubernetes quantities, and which of them somebody can have meant.

const SUFFIXES: [(&str, f64); 16] = [
    ("", 1.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
];

/// Less memory than any control-plane process starts with, in bytes.
const LEAST_MEMORY: f64 = 32.0 * 1_048_576.0;
/// More memory than any host has.
const MOST_MEMORY: f64 = 64.0 * 1_099_511_627_776.0;
/// In cores.
const LEAST_CPU: f64 = 0.01;
const MOST_CPU: f64 = 1024.0;

/// A quantity as a number, by Kubernetes' grammar: digits with an optional fraction, and a suffix or an exponent of ten.
pub fn quantity(text: &str) -> Option<f64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    let number = digits.parse::<f64>().ok().filter(|_| digits.contains(|c: char| c.is_ascii_digit()))?;
    if let Some(power) = suffix.strip_prefix(['e', 'E']).filter(|power| !power.is_empty() && *power != "i") {
        let power = power.parse::<i16>().ok()?;
        // 10 to such a power may be no number, and 0 times it none either.
        return Some(if number == 0.0 { 0.0 } else { number * 10_f64.powi(power.into()) });
    }
    let (_, factor) = SUFFIXES.iter().find(|(known, _)| *known == suffix)?;
    Some(number * factor)
}

/// Bytes as a quantity that can be compared with one of a manifest, rounded up: `3.2Gi`, `800Mi`.
pub fn as_quantity(bytes: f64) -> String {
    let mebi = (bytes / 1_048_576.0).ceil();
    if mebi < 1024.0 {
        format!("{mebi}Mi")
    } else {
        format!("{:.1}Gi", (mebi / 102.4).ceil() / 10.0).replace(".0Gi", "Gi")
    }
}

/// Why nobody can have meant this much `cpu` or `memory`, and what was probably meant.
pub fn absurd(name: &str, text: &str) -> Option<String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let suffix = &text[digits.len()..];
    let (least, most, like) = match name {
        "memory" => (LEAST_MEMORY, MOST_MEMORY, "8Gi or 1500Mi"),
        _ => (LEAST_CPU, MOST_CPU, "4 or 500m"),
    };
    let Some(amount) = quantity(text) else {
        let meant = match suffix.to_ascii_lowercase().chars().next() {
            Some(first @ ('k' | 'm' | 'g' | 't')) if name == "memory" && quantity(digits).is_some() => {
                format!("; {digits}{}i was probably meant", first.to_ascii_uppercase())
            }
            _ => String::new(),
        };
        return Some(format!("{text:?} is not a quantity like {like}{meant}"));
    };
    if (least..=most).contains(&amount) {
        return None;
    }
    let (size, unit) = match (name, amount < least) {
        ("memory", true) => ("less than 32Mi", format!("{amount} bytes")),
        ("memory", false) => ("more than 64Ti", format!("{amount:e} bytes")),
        (_, true) => ("less than 10m", format!("{amount} cores")),
        (_, false) => ("more than 1024 cores", format!("{amount:e} cores")),
    };
    // The same digits with the unit that makes sense of them.
    let candidates: &[&str] = if name == "memory" { &["Mi", "Gi"] } else { &["", "m"] };
    let meant = candidates
        .iter()
        .map(|suffix| format!("{digits}{suffix}"))
        .find(|text| quantity(text).is_some_and(|amount| (least..=most).contains(&amount)));
    let meant =
        meant.map_or_else(|| format!("expected one like {like}"), |meant| format!("{meant} was probably meant"));
    Some(format!("{text:?} is {unit}, {size}; {meant}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(name: &str, text: &str, part: &str) {
        let why = absurd(name, text).unwrap_or_default();
        assert!(why.contains(part), "{why}");
    }

    #[test]
    fn bytes_are_said_in_the_units_of_a_manifest() {
        for (bytes, said) in
            [(0.0, "0Mi"), (1.0, "1Mi"), (1_073_741_824.0, "1Gi"), (3.35e9, "3.2Gi"), (1.07e9, "1021Mi")]
        {
            assert_eq!(as_quantity(bytes), said);
        }
    }

    #[test]
    fn every_form_that_kubernetes_takes_is_read() {
        for (text, amount) in [
            ("8e9", 8e9),
            ("8E9", 8e9),
            ("1e-3", 1e-3),
            ("+1Ki", 1024.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("3u", 3e-6),
            ("3n", 3e-9),
            ("2Pi", 2.0 * 1_125_899_906_842_624.0),
            ("2E", 2e18),
            ("1Ei", 1_152_921_504_606_846_976.0),
            ("0e999", 0.0),
        ] {
            let read = quantity(text).unwrap_or_default();
            assert!((read - amount).abs() <= amount * 1e-12, "{text}: {read}");
        }
        for text in ["", ".", "1e", "1ei", "1e1.5", "-1", "1 Gi", "1gi", "Gi", "0x10", "1e99999"] {
            assert_eq!(quantity(text), None, "{text}");
        }
    }

    #[test]
    fn what_nobody_means_is_refused_with_what_was_meant() {
        refused("memory", "512m", "\"512m\" is 0.512 bytes, less than 32Mi; 512Mi was probably meant");
        refused("memory", "8192", "8192Mi was probably meant");
        refused("memory", "8", "8Gi was probably meant");
        refused("memory", "8Ki", "8Gi was probably meant");
        refused("memory", "8gi", "8Gi was probably meant");
        refused("memory", "8GB", "8Gi was probably meant");
        refused("memory", "900Ti", "more than 64Ti; 900Mi was probably meant");
        refused("memory", "8 gigs", "not a quantity like 8Gi or 1500Mi");
        refused("memory", "0", "expected one like 8Gi");
        refused("memory", "-1Gi", "not a quantity");
        refused("cpu", "4Gi", "4 was probably meant");
        refused("cpu", "4m", "4 was probably meant");
        refused("cpu", "4000", "4000m was probably meant");
        refused("cpu", "many", "not a quantity like 4 or 500m");
        for text in ["8Gi", "1500Mi", "8G", "8589934592", "0.5Gi"] {
            assert_eq!(absurd("memory", text), None);
        }
        for text in ["4", "0.5", "500m", "10m"] {
            assert_eq!(absurd("cpu", text), None);
        }
    }
}
