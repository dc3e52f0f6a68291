//! What others say, made fit for a terminal: whatever would move the cursor, colour, hide or reorder text is shown instead
//! as an escape, `\x1b` or `\u202e`.

use super::tone::own_code;
use crate::words;

/// A value as a part of one line: nothing in it can change the screen, or begin a line of its own.
pub(crate) fn one_line(text: &str) -> String {
    // What a block of YAML ends in is no part of what it says.
    escaped(text.trim_end_matches('\n'), |_| 0)
}

/// The most of one value that is told, in bytes.
const MOST: usize = 8_000;

/// A value of a length that a person reads.
pub(super) fn cut(text: &str) -> String {
    if text.len() <= MOST {
        return text.to_owned();
    }
    let kept = &text[..text.floor_char_boundary(MOST)];
    format!("{kept}… ({} more)", words::bytes((text.len() - kept.len()) as u64))
}

/// Text of several lines that was put together here: line breaks and our own colours stand, all else is escaped.
pub(super) fn lines(text: &str) -> String {
    escaped(text, |rest| if rest.starts_with('\n') { 1 } else { own_code(rest).map_or(0, str::len) })
}

/// The same text without our own colours.
pub(crate) fn without_color(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        out.push_str(&rest[..at]);
        let code = own_code(&rest[at..]).map_or(0, str::len);
        out.push_str(if code == 0 { "\x1b" } else { "" });
        rest = &rest[at + code.max(1)..];
    }
    out + rest
}

/// Escapes what is unfit, but for as many bytes as `stands` says of the text that begins there.
fn escaped(text: &str, stands: impl Fn(&str) -> usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(unfit) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut chars = rest.chars();
        match (stands(rest), chars.next()) {
            (0, Some(c)) => {
                escape(c, &mut out);
                rest = chars.as_str();
            }
            (length, _) => {
                out.push_str(&rest[..length]);
                rest = &rest[length..];
            }
        }
    }
    out + rest
}

/// Control characters, and those that are not seen themselves but change how others are.
fn unfit(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn escape(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if c < ' ' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
        // As in JSON, where these may stand raw: what is printed reads back as it was.
        c => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{Paint, Tone};

    #[test]
    fn a_value_is_one_line_in_which_everything_is_seen() {
        let table = [
            ("plain ü€ 漢字 👍", "plain ü€ 漢字 👍"),
            ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
            ("\x1b[32mok\x1b[0m", r"\x1b[32mok\x1b[0m"),
            ("a\r\nerror: b\tc\0", r"a\r\nerror: b\tc\x00"),
            ("\u{7f}\u{9b}31m", r"\u007f\u009b31m"),
            ("evil\u{202e}txt.exe\u{2066}\u{200b}\u{feff}\u{2028}", r"evil\u202etxt.exe\u2066\u200b\ufeff\u2028"),
            ("\u{e0041}", r"\udb40\udc41"),
            ("a block of YAML\n", "a block of YAML"),
        ];
        for (said, shown) in table {
            assert_eq!(one_line(said), shown);
            assert_eq!(one_line(shown), shown, "cleaning twice changes nothing");
        }
    }

    #[test]
    fn our_own_colours_and_line_breaks_stand_and_nothing_else() {
        let paint = Paint::new(true);
        for tone in [Tone::Plain, Tone::Head, Tone::Good, Tone::Warn, Tone::Bad, Tone::Dim] {
            let text = format!("{}\nnext\n", paint.tone(tone, "x"));
            assert_eq!(lines(&text), text);
            assert_eq!(without_color(&text), "x\nnext\n");
        }
        assert_eq!(lines("\x1b[8mhidden\x1b[1A\x1b[2K\r\t"), r"\x1b[8mhidden\x1b[1A\x1b[2K\r\t");
        assert_eq!(without_color("\x1b[8mhidden\x1b"), "\x1b[8mhidden\x1b");
    }

    #[test]
    fn json_reads_back_as_it_was() {
        let said: String =
            (0..0x300).chain(0x2000..0x2100).chain([0xfeff, 0xe0041]).filter_map(char::from_u32).collect();
        let printed = lines(&serde_json::Value::from(said.as_str()).to_string());
        assert!(!printed.chars().any(unfit), "{printed}");
        assert_eq!(serde_json::from_str::<String>(&printed).unwrap(), said);
    }
}
