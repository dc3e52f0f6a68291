//! Quoting for a POSIX shell: from an argument vector to one line that it splits back into the same vector.

/// Characters that no shell treats specially anywhere in a word.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | ',' | '@' | '%' | '+')
}

/// One word that a POSIX shell reads as exactly `text`.
///
/// Plain words stay as they are, so that what is shown to an operator looks like what he would type. A NUL can't be
/// an argument of any process; callers refuse it before they come here.
pub(crate) fn word(text: &str) -> String {
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    quote(text)
}

/// A text between single quotes, whatever is in it.
pub fn quote(text: &str) -> String {
    // Inside single quotes only the single quote itself is special: close, add an escaped one, open again.
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The whole command: every argument quoted, one blank between them.
pub(crate) fn line<S: AsRef<str>>(argv: &[S]) -> String {
    argv.iter().map(|arg| word(arg.as_ref())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    #[test]
    fn plain_words_stay_readable() {
        assert_eq!(line(&["systemctl", "stop", "etcd.service"]), "systemctl stop etcd.service");
        assert_eq!(line(&["echo", "", "a b", "it's", "$HOME", "~"]), r"echo '' 'a b' 'it'\''s' '$HOME' '~'");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_real_shell_gives_the_arguments_back(argv in prop::collection::vec("[^\0]{0,12}", 1..6)) {
            let script = format!(r"printf '%s\0' {}", line(&argv));
            let out = Command::new("sh").arg("-c").arg(script).output().expect("sh runs");
            let back: Vec<_> = out.stdout.split(|b| *b == 0).map(<[u8]>::to_vec).collect();
            let mut want: Vec<_> = argv.iter().map(|a| a.as_bytes().to_vec()).collect();
            want.push(Vec::new());
            prop_assert_eq!(back, want);
        }
    }
}
