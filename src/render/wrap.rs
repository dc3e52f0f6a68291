//! Lines as long as the terminal is wide: broken between words, what goes on stands under the text it belongs to.

/// No line is made shorter than this, however narrow the terminal says it is.
const NARROWEST: usize = 40;
/// What goes on is never set further in than this.
const DEEPEST: usize = 24;

/// A cleaned line in pieces of at most `width` characters; `head` is how many of its characters are the head, under whose end
/// the rest goes on. A word that is longer stays whole, and so does what stands in backticks: it may be a command to copy.
pub(super) fn wrap(line: &str, head: usize, width: Option<usize>) -> Vec<String> {
    let Some(width) = width.map(|width| width.max(NARROWEST)) else { return vec![line.to_owned()] };
    if line.chars().count() <= width {
        return vec![line.to_owned()];
    }
    let blanks = line.chars().take_while(|c| *c == ' ').count();
    let hang = if (1..=DEEPEST).contains(&head) { head } else { (blanks + 2).min(DEEPEST) };
    let (before, rest) = line.split_at(line.len() - line.trim_start_matches(' ').len());
    let mut pieces = Vec::new();
    let (mut piece, mut length, mut fresh) = (before.to_owned(), blanks, true);
    for word in words(rest) {
        let long = word.chars().count();
        let shown = word.trim_end().chars().count();
        if !fresh && length + shown > width {
            pieces.push(std::mem::replace(&mut piece, " ".repeat(hang)));
            length = hang;
        }
        piece.push_str(word);
        (length, fresh) = (length + long, false);
    }
    pieces.push(piece);
    pieces.iter().map(|piece| piece.trim_end().to_owned()).collect()
}

/// Words with the blanks that follow them; what stands in backticks is one.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (mut quoted, mut blank) = (false, false);
        let end = rest.char_indices().find_map(|(at, c)| {
            if blank && c != ' ' {
                return Some(at);
            }
            quoted ^= c == '`';
            blank = c == ' ' && !(quoted && rest[at..].contains('`'));
            None
        });
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_goes_on_under_its_text() {
        let line = "  saw      cp1: the kubelets are refused, too, and so is everybody else";
        let lines =
            ["  saw      cp1: the kubelets are", "           refused, too, and so is", "           everybody else"];
        assert_eq!(wrap(line, 11, Some(40)), lines);
        assert_eq!(wrap(line, 11, None), [line]);
        assert_eq!(wrap(line, 11, Some(200)), [line]);
    }

    #[test]
    fn what_is_to_be_copied_stays_whole() {
        let hint = "hint: type `breakglass undo 20261127-002514.966-0aa3 --kit /a/folder` or leave it";
        let lines = wrap(hint, 6, Some(40));
        assert!(lines.iter().any(|line| line.contains("`breakglass undo 20261127-002514.966-0aa3 --kit /a/folder`")));
        let word = "x".repeat(100);
        assert_eq!(wrap(&word, 0, Some(40)), [word.as_str()]);
        assert_eq!(wrap(&format!("a {word} b"), 0, Some(40)).len(), 3);
    }

    #[test]
    fn nothing_but_blanks_is_lost() {
        let text = "one `two three` four` five  six                                             seven";
        let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for width in 0..90 {
            let lines = wrap(text, 0, Some(width));
            assert_eq!(joined(&lines.join(" ")), joined(text), "{width}");
        }
    }
}
