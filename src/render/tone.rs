//! The colour codes that this program prints.

/// What a piece of text is, as far as colour goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Ordinary.
    Plain,
    /// A heading.
    Head,
    /// It went well.
    Good,
    /// Look here.
    Warn,
    /// It went wrong.
    Bad,
    /// Less important.
    Dim,
}

impl Tone {
    pub(super) fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Head => Some("\x1b[1m"),
            Self::Good => Some("\x1b[32m"),
            Self::Warn => Some("\x1b[33m"),
            Self::Bad => Some("\x1b[1;31m"),
            Self::Dim => Some("\x1b[2m"),
        }
    }
}

/// Back to ordinary.
pub(super) const OFF: &str = "\x1b[0m";
/// What clap paints its help and its errors with, besides what we use ourselves.
const OF_CLAP: [&str; 2] = ["\x1b[4m", "\x1b[31m"];

/// The colour code that a text begins with, if it is one that this program prints.
pub(super) fn own_code(text: &str) -> Option<&'static str> {
    let tones = [Tone::Head, Tone::Good, Tone::Warn, Tone::Bad, Tone::Dim];
    let own = tones.into_iter().filter_map(Tone::code).chain(OF_CLAP).chain([OFF]);
    own.into_iter().find(|code| text.starts_with(code))
}
