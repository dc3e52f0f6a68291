//! The only place that writes to standard output and standard error.
//!
//! Nothing that strangers say gets through raw: values are cleaned where they become lines, and whatever else stands in
//! a text is shown as an escape here, but line breaks and our own colours.

use std::io::{ErrorKind, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use indicatif::{MultiProgress, ProgressDrawTarget};
use rustix::termios::tcgetwinsize;

use super::clean;
use super::paint::{Color, Paint};
use crate::process::Process;

/// Both streams. A reader that went away, or a full disk, is no reason to stop a recovery, so failed writes are passed over;
/// what was lost of the data is told at the end.
pub(crate) struct Screen {
    out: Stream,
    err: Stream,
    bars: Option<MultiProgress>,
    /// The question that is open.
    asked: Mutex<Option<String>>,
}

/// How wide what is read may be, asked anew each time: windows are resized.
enum Width {
    /// As the terminal says.
    OfOut,
    OfErr,
    /// As `BREAKGLASS_COLUMNS` says, where there is no terminal; as long as it comes, where it says nothing.
    Columns(Option<usize>),
}

impl Width {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks about the terminal")]
    fn now(&self) -> Option<usize> {
        let columns = match self {
            Self::OfOut => tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col)),
            Self::OfErr => tcgetwinsize(std::io::stderr()).ok().map(|size| usize::from(size.ws_col)),
            Self::Columns(columns) => *columns,
        };
        columns.filter(|columns| *columns > 0)
    }
}

struct Stream {
    to: Mutex<Box<dyn Write + Send>>,
    paint: Paint,
    width: Width,
    /// The first write that failed, other than for want of a reader.
    lost: OnceLock<std::io::Error>,
}

impl Stream {
    fn new(to: Box<dyn Write + Send>, paint: Paint, width: Width) -> Self {
        Self { to: Mutex::new(to), paint, width, lost: OnceLock::new() }
    }

    fn write(&self, text: &str) {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        let written = to.write_all(clean::lines(text).as_bytes()).and_then(|()| to.flush());
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            let _ = self.lost.set(error);
        }
    }
}

impl Screen {
    /// The real streams. `bars`: live progress may be drawn when standard error is a terminal.
    #[expect(clippy::disallowed_methods, reason = "the one place that writes to the terminal")]
    pub(crate) fn real(process: &Process, color: Color, bars: bool) -> Self {
        let stream = |to, terminal, width| {
            let columns = process.var("BREAKGLASS_COLUMNS").and_then(|columns| columns.parse().ok());
            let width = if terminal { width } else { Width::Columns(columns) };
            Stream::new(to, Paint::new(color.on(process, terminal)), width)
        };
        Self {
            out: stream(Box::new(std::io::stdout()), process.stdout_terminal, Width::OfOut),
            err: stream(Box::new(std::io::stderr()), process.stderr_terminal, Width::OfErr),
            bars: (bars && process.stderr_terminal && process.var("TERM") != Some("dumb")).then(MultiProgress::new),
            asked: Mutex::default(),
        }
    }

    /// Streams that are no terminals.
    #[cfg(test)]
    pub(crate) fn to(out: impl Write + Send + 'static, err: impl Write + Send + 'static) -> Self {
        let plain = |to| Stream::new(to, Paint::default(), Width::Columns(None));
        Self { out: plain(Box::new(out)), err: plain(Box::new(err)), bars: None, asked: Mutex::default() }
    }

    /// Streams that are no terminals and take colour all the same.
    #[cfg(test)]
    pub(super) fn colored(out: impl Write + Send + 'static, err: impl Write + Send + 'static) -> Self {
        let mut screen = Self::to(out, err);
        (screen.out.paint, screen.err.paint) = (Paint::new(true), Paint::new(true));
        screen
    }

    /// Streams so many characters wide, with or without colour.
    #[cfg(test)]
    pub(super) fn wide(
        columns: usize,
        color: bool,
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
    ) -> Self {
        let stream = |to| Stream::new(to, Paint::new(color), Width::Columns(Some(columns)));
        Self { out: stream(Box::new(out)), err: stream(Box::new(err)), bars: None, asked: Mutex::default() }
    }

    /// Data: what was asked for, as whole lines or as JSON, which reads back as it was. Ends in a line break.
    pub(crate) fn out(&self, text: &str) {
        self.above_bars(|| self.out.write(&ended(text)));
    }

    /// Why some of the data did not get out, if it did not. Who went away before the end wanted no more of it.
    pub(crate) fn lost(&self) -> Option<&std::io::Error> {
        self.out.lost.get()
    }

    /// Everything else: one line, whatever is in it.
    pub(crate) fn err(&self, line: &str) {
        self.err_lines(&clean::one_line(line));
    }

    /// Several lines, or painted ones, whose values are cleaned already. Ends in a line break.
    pub(crate) fn err_lines(&self, text: &str) {
        let text = match &*self.asked() {
            Some(question) => format!("\n{}{question}", ended(text)),
            None => ended(text),
        };
        self.above_bars(|| self.err.write(&text));
    }

    /// A question, painted and cleaned: no line break. Until what it gives is dropped, the live progress is out of the way, and
    /// after whatever else is said the question stands there again.
    #[must_use = "the question is open until this is dropped"]
    pub(crate) fn prompt(&self, text: &str) -> Asking<'_> {
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        *self.asked() = Some(text.to_owned());
        self.err.write(text);
        Asking(self)
    }

    fn asked(&self) -> MutexGuard<'_, Option<String>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How text on standard output is painted.
    pub(crate) fn out_paint(&self) -> Paint {
        self.out.paint
    }

    /// How text on standard error is painted.
    pub(crate) fn err_paint(&self) -> Paint {
        self.err.paint
    }

    /// How wide what is read on standard output may be; `None`: as long as it comes.
    pub(crate) fn out_width(&self) -> Option<usize> {
        self.out.width.now()
    }

    /// How wide what is read on standard error may be.
    pub(crate) fn err_width(&self) -> Option<usize> {
        self.err.width.now()
    }

    /// Where live progress is drawn, if it is.
    pub(super) fn bars(&self) -> Option<&MultiProgress> {
        self.bars.as_ref()
    }

    fn above_bars(&self, write: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

/// A question is open.
pub(crate) struct Asking<'a>(&'a Screen);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        *self.0.asked() = None;
        if let Some(bars) = &self.0.bars {
            bars.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

fn ended(text: &str) -> String {
    if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Buffer;
    use super::*;

    /// Other clusters go on meanwhile.
    #[test]
    fn what_is_said_while_a_question_is_open_does_not_hide_it() {
        let err = Buffer::default();
        let screen = Screen::to(std::io::sink(), err.clone());
        let asking = screen.prompt("go on? ");
        screen.err("west: the gate is closed");
        drop(asking);
        screen.err("east: goes on");
        assert_eq!(err.text(), "go on? \nwest: the gate is closed\ngo on? east: goes on\n");
    }

    struct Fails(ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn data_that_was_lost_is_known_and_a_reader_that_went_away_is_none() {
        let screen = |kind| Screen::to(Fails(kind), Fails(kind));
        for (kind, lost) in [(ErrorKind::StorageFull, true), (ErrorKind::BrokenPipe, false)] {
            let screen = screen(kind);
            screen.err("a note");
            assert!(screen.lost().is_none(), "{kind}");
            screen.out("data");
            screen.out("more");
            assert_eq!(screen.lost().map(std::io::Error::kind), lost.then_some(kind));
        }
    }
}
