//! The one flag that a component would not start with, in the words of its parser.

use crate::host::manifest::{self, Edit};

/// Left out, these let in whom they were given to keep out: a value of theirs that cannot be read is a person's to put right.
const LAX: [&str; 3] = ["anonymous-auth", "client-cert-auth", "peer-client-cert-auth"];

/// A flag that keeps a component from starting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad {
    /// Its name, without dashes.
    pub(super) flag: String,
    /// What is wrong with it.
    pub(super) fault: Fault,
    /// The line that says so.
    pub(super) said: String,
}

/// What is wrong with a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// This version does not know it.
    Unknown,
    /// Its value cannot be read, or is missing.
    Value,
    /// It names a feature gate that this version does not have.
    Gate(String),
}

/// Reads it out of a container's last words; pflag's for what is built like Kubernetes, and those of Go's own parser for etcd.
pub(super) fn bad(log: &[String]) -> Option<Bad> {
    log.iter().rev().find_map(|line| of_line(line))
}

fn of_line(line: &str) -> Option<Bad> {
    let after = |mark: &str| line.split_once(mark).map(|(_, rest)| rest);
    let found = |flag: &str, fault| {
        let said = line.trim().to_owned();
        let name: String = flag
            .trim_start_matches('-')
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
            .collect();
        (!name.is_empty()).then_some(Bad { flag: name, fault, said })
    };
    if let Some(rest) = after("unknown flag: --").or_else(|| after("flag provided but not defined: -")) {
        return found(rest, Fault::Unknown);
    }
    if let Some(rest) = after("flag needs an argument: -") {
        return found(rest, Fault::Value);
    }
    if let Some(rest) = after("invalid argument \"").and_then(|rest| rest.split_once("\" for \"")) {
        // A short form stands before the long one.
        let (names, why) = rest.1.split_once("\" flag")?;
        let long = names.rsplit(", ").next().filter(|name| name.starts_with("--"))?;
        let gate = why.split_once("unrecognized feature gate: ").map(|(_, gate)| gate);
        let gate = gate
            .and_then(|gate| gate.split(|c: char| !c.is_ascii_alphanumeric()).next())
            .filter(|gate| !gate.is_empty());
        return found(long, gate.map_or(Fault::Value, |gate| Fault::Gate(gate.to_owned())));
    }
    let rest = after("invalid value \"").or_else(|| after("invalid boolean value \""))?;
    let (_, rest) = rest.split_once("\" for ")?;
    found(rest.trim_start_matches("flag "), Fault::Value)
}

impl Bad {
    /// The least that has to change so that it starts.
    ///
    /// # Errors
    /// One sentence: it is a person's to put right.
    pub(super) fn edit(&self, text: &str, program: &str) -> Result<Edit, String> {
        let value = match &self.fault {
            Fault::Unknown => return Ok(Edit { unknown: vec![self.flag.clone()], ..Edit::default() }),
            Fault::Value if LAX.contains(&self.flag.replace('_', "-").as_str()) => {
                return Err(format!(
                    "without --{} it would let in whom that was given to keep out: give it a value that it can read",
                    self.flag
                ));
            }
            Fault::Value => None,
            Fault::Gate(gate) => {
                let rest = |value: &String| {
                    let own = |entry: &&str| entry.split('=').next().map(str::trim) != Some(gate);
                    value.split(',').filter(own).collect::<Vec<_>>().join(",")
                };
                let given = manifest::flag(text, program, &self.flag)?;
                given.last().map(rest).filter(|rest| !rest.is_empty())
            }
        };
        Ok(Edit { flags: [(self.flag.clone(), value)].into(), ..Edit::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<(String, Fault)> {
        bad(&["last".to_owned(), line.to_owned(), "See --help".to_owned()]).map(|bad| (bad.flag, bad.fault))
    }

    #[test]
    fn the_bad_flag_is_read_out_of_the_words_of_each_parser() {
        for (line, flag, fault) in [
            ("Error: unknown flag: --no-such-flag", "no-such-flag", Fault::Unknown),
            ("Error: unknown flag: --no_such_flag", "no_such_flag", Fault::Unknown),
            (
                "Error: invalid argument \"many\" for \"--max-requests-inflight\" flag: strconv.ParseInt: parsing \"many\": invalid syntax",
                "max-requests-inflight",
                Fault::Value,
            ),
            ("Error: invalid argument \"x\" for \"-v, --v\" flag: strconv", "v", Fault::Value),
            ("Error: flag needs an argument: --etcd-servers", "etcd-servers", Fault::Value),
            (
                "Error: invalid argument \"A=true,Gone=true\" for \"--feature-gates\" flag: unrecognized feature gate: Gone",
                "feature-gates",
                Fault::Gate("Gone".into()),
            ),
            (
                "error verifying flags, flag provided but not defined: -nosuch. See 'etcd --help'.",
                "nosuch",
                Fault::Unknown,
            ),
            (
                "{\"level\":\"warn\",\"msg\":\"failed to verify flags\",\"error\":\"flag provided but not defined: -nosuch\"}",
                "nosuch",
                Fault::Unknown,
            ),
            (
                "error verifying flags, invalid value \"x\" for flag -heartbeat-interval: parse error. See 'etcd --help'.",
                "heartbeat-interval",
                Fault::Value,
            ),
            ("invalid boolean value \"maybe\" for -client-cert-auth: parse error", "client-cert-auth", Fault::Value),
        ] {
            assert_eq!(read(line), Some((flag.to_owned(), fault)), "{line}");
        }
        for none in [
            "Error: unknown shorthand flag: 'x' in -xyz",
            "Error: unknown flag: --",
            "E0101 run.go:72] \"command failed\" err=\"context deadline exceeded\"",
            "invalid argument \"",
            "",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    fn pod(lines: &str) -> String {
        format!(
            "kind: Pod\nspec:\n  containers:\n  - name: a\n    command:\n    - kube-apiserver\n{lines}    image: x\n"
        )
    }

    #[test]
    fn only_the_bad_flag_is_taken_out_in_whatever_form_it_is_given() {
        let unknown = Bad { flag: "bad".into(), fault: Fault::Unknown, said: String::new() };
        for lines in [
            "    - --bad=one\n",
            "    - --bad # --v=3\n    - one\n",
            "    - --bad=one\n    - --bad\n    - two\n",
            "    - --bad=a,b\n    - --bad=\"c\"\n",
            "    - --bad\n",
        ] {
            let keeps = "    # --bad=9, said Ann\n    - --v=2 # INC-7\n";
            for (text, wanted) in [
                (pod(&format!("{keeps}{lines}")), pod(keeps)),
                (pod(&format!("    - --a=1\n{lines}{keeps}")), pod(&format!("    - --a=1\n{keeps}"))),
            ] {
                for end in ["\n", "\r\n"] {
                    let [text, wanted] = [&text, &wanted].map(|text| text.replace('\n', end));
                    let edit = unknown.edit(&text, "kube-apiserver").unwrap();
                    let edited = manifest::edit(&text, "kube-apiserver", &edit);
                    assert_eq!(edited.map(|edited| edited.text), Ok(wanted), "{text}");
                }
            }
        }
    }

    #[test]
    fn of_feature_gates_only_the_one_that_is_gone_goes() {
        let gate = Bad { flag: "feature-gates".into(), fault: Fault::Gate("Gone".into()), said: String::new() };
        let edit = |value: &str| {
            let edit = gate.edit(&pod(&format!("    - --feature-gates={value}\n")), "kube-apiserver").unwrap();
            edit.flags["feature-gates"].clone()
        };
        assert_eq!(edit("A=true,Gone=true,Goner=false").as_deref(), Some("A=true,Goner=false"));
        assert_eq!(edit("Gone=true"), None);
    }

    #[test]
    fn a_flag_without_which_strangers_get_in_is_left_to_a_person() {
        let lax = |fault| Bad { flag: "anonymous-auth".into(), fault, said: String::new() };
        let why = lax(Fault::Value).edit(&pod("    - --anonymous-auth=flase\n"), "kube-apiserver").unwrap_err();
        assert!(why.contains("--anonymous-auth") && why.contains("keep out"), "{why}");
    }
}
