//! The flags in a container's command line, as its program's parser (pflag) reads them.

use serde_json::Value;

/// What makes a script of the words after it, so that flags in there are no words of their own.
const SHELLS: [&str; 6] = ["sh", "bash", "ash", "dash", "busybox", "ksh"];

/// What starts the program that is named after it, beside shells.
pub(super) const WRAPPERS: [&str; 10] =
    ["go-runner", "hyperkube", "env", "nice", "numactl", "taskset", "chrt", "tini", "dumb-init", "catatonit"];

/// One word of the command line, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// `command` or `args`.
    pub(super) list: &'static str,
    /// From 0, in that list.
    pub(super) index: usize,
    pub(super) text: String,
}

/// One time that a flag is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    /// Which of the words it is.
    pub(super) at: usize,
    pub(super) value: String,
    pub(super) form: Form,
}

/// How a flag is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `--flag=value`.
    Joined,
    /// `--flag` and `value`, an item each.
    Apart,
    /// `--flag` alone: true.
    Bare,
}

pub(super) fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Whether a word is a shell.
pub(super) fn is_shell(word: &str) -> bool {
    SHELLS.contains(&base(word)) && !word.contains(char::is_whitespace)
}

/// Whether a word starts the program: its name or a path that ends in it, and no script.
pub(super) fn starts(word: &str, program: &str) -> bool {
    base(word) == program && !word.starts_with('-') && !word.contains(char::is_whitespace)
}

/// Which word starts the program: the first, or one behind what starts others. A folder that is named after it does not.
pub(super) fn program_at(words: &[Word], program: &str) -> Option<usize> {
    let first = words.first()?;
    let wraps = WRAPPERS.contains(&base(&first.text)) || is_shell(&first.text);
    let reach = if wraps { words.len() } else { 1 };
    // hyperkube has all components in one file, and knows each without `kube-`, too.
    let short = program.strip_prefix("kube-").unwrap_or(program);
    let of_all = |at: usize| at > 0 && words[at].text == short && base(&words[at - 1].text) == "hyperkube";
    (0..reach).find(|at| starts(&words[*at].text, program) || of_all(*at))
}

/// All words, those of `command` first: a container runs both as one command line.
pub(super) fn all(container: &Value) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    for list in ["command", "args"] {
        let items = match container.get(list) {
            None | Some(Value::Null) => continue,
            Some(Value::Array(items)) => items,
            Some(_) => return Err(format!("its {list} is no list")),
        };
        for (index, item) in items.iter().enumerate() {
            let text = item.as_str().ok_or_else(|| format!("item {} of its {list} is no text", index + 1))?;
            words.push(Word { list, index, text: text.to_owned() });
        }
    }
    Ok(words)
}

/// The words that the program gets.
///
/// # Errors
/// One sentence: it is started by a script, or in a way that does not show its words.
pub(super) fn of_program(container: &Value, program: &str) -> Result<Vec<Word>, String> {
    let words = all(container)?;
    let runs = |word: &Word| word.text.starts_with('-') && !word.text.starts_with("--") && word.text.contains('c');
    if let Some(shell) = words.iter().position(|word| is_shell(&word.text))
        && words[shell + 1..].iter().any(runs)
    {
        return Err(format!("{program} is started by a shell script, whose flags only a person can edit"));
    }
    match program_at(&words, program) {
        Some(at) => Ok(words[at + 1..].to_vec()),
        None if words.iter().all(|word| word.list == "args") => Ok(words),
        None => Err(format!("no word of its command is {program}, so its flags cannot be told")),
    }
}

/// The names of flags are compared as the components do: `_` is `-`.
fn same(name: &str, flag: &str) -> bool {
    name.len() == flag.len() && name.chars().zip(flag.chars()).all(|(a, b)| a == b || (a == '_' && b == '-'))
}

/// Every time that a flag is given, in order.
///
/// # Errors
/// One sentence: it cannot be told whether the next word is its value, or what is a flag at all.
pub(super) fn given(words: &[Word], flag: &str) -> Result<Vec<Given>, String> {
    let mut found = Vec::new();
    let flag = flag.replace('_', "-");
    for (at, word) in words.iter().enumerate() {
        // A flag may take it as its value; else all that follows is none.
        if word.text == "--" {
            return Err("a bare -- stands among its words, so it cannot be told which of them are flags".into());
        }
        let Some(rest) = word.text.strip_prefix("--") else {
            if flag.len() == 1 && word.text.starts_with(&format!("-{flag}")) {
                return Err(format!("its flag --{flag} stands in the short form {}", word.text));
            }
            continue;
        };
        if let Some((name, value)) = rest.split_once('=') {
            if same(name, &flag) {
                found.push(Given { at, value: value.to_owned(), form: Form::Joined });
            }
            continue;
        }
        if !same(rest, &flag) {
            continue;
        }
        // None of the components takes a word that belongs to no flag, so a word without a dash is the value.
        match words.get(at + 1).map(|word| word.text.as_str()) {
            Some(next) if next.starts_with('-') && !next.starts_with("--") => {
                return Err(format!("it cannot be told whether {next} is the value of --{flag}"));
            }
            Some(next) if !next.starts_with("--") => {
                found.push(Given { at, value: next.to_owned(), form: Form::Apart });
            }
            _ => found.push(Given { at, value: "true".into(), form: Form::Bare }),
        }
    }
    Ok(found)
}

/// A word behind a flag that is the value of none: taking out what stands before it would make it the value of another.
pub(super) fn stray(words: &[Word]) -> Option<&Word> {
    let flag = |word: &Word| word.text.starts_with('-');
    let takes = |word: &Word| flag(word) && !word.text.contains('=');
    let first = words.iter().position(flag)?;
    (first + 1..words.len()).find(|at| !flag(&words[*at]) && !takes(&words[*at - 1])).map(|at| &words[at])
}

/// Whether a flag with this value counts once, the last time that it is given: numbers, durations, true and false do. Of
/// texts nobody outside can tell; many are lists, of which each entry counts.
pub(super) fn counts_once(value: &str) -> bool {
    let number = value.trim_end_matches(|c: char| c.is_ascii_lowercase());
    matches!(value, "true" | "false") || (!number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.'))
}
