//! The person at the keyboard, or `--yes` in their place.

use std::io::{BufRead as _, Read as _};
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{Mutex, oneshot};

use crate::engine::Operator;
use crate::render::{Renderer, Screen, Tone, one_line};
use crate::shell::quote;
use crate::steps::Question;

/// Who answers.
pub(in crate::cli) enum Answers {
    /// A person at a terminal.
    Person,
    /// `--yes`, or a drill: what the question says for when nobody is there.
    Unattended,
}

/// The operator of one command.
pub(in crate::cli) struct AtTerminal {
    pub(in crate::cli) screen: Arc<Screen>,
    pub(in crate::cli) renderer: Arc<Renderer>,
    pub(in crate::cli) answers: Answers,
    /// What `--consent` gave, for questions that want a word typed.
    pub(in crate::cli) words: Vec<String>,
    /// The plan in full, for the answer `explain`.
    pub(in crate::cli) explained: Option<String>,
    pub(in crate::cli) turn: Turn,
}

/// One question at a time: clusters that run side by side have one screen and one keyboard.
#[derive(Default)]
pub(in crate::cli) struct Turn(Mutex<Keyboard>);

impl Operator for AtTerminal {
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Option<bool>> {
        async move {
            self.renderer.flush();
            match self.answers {
                Answers::Unattended => {
                    let (yes, answer) = unattended(question, &self.words);
                    self.screen.err(&format!("{} {answer}", question.text));
                    yes
                }
                Answers::Person => self.person(question, &mut *self.turn.0.lock().await).await,
            }
        }
        .boxed()
    }
}

/// The answer where nobody is there to give it, and how it is told; none where nobody's silence is one.
fn unattended(question: &Question, words: &[String]) -> (Option<bool>, String) {
    // A no that leads on can be given by silence; one that ends the step cannot, for who goes on with the run may know better.
    let no = question.otherwise.is_some().then_some(false);
    let told = if no.is_some() { "no (nobody was asked" } else { "(nobody was asked" };
    match &question.typed {
        _ if question.unattended => (Some(true), "yes (nobody was asked)".into()),
        Some(word) if words.contains(word) => (Some(true), format!("{word} (by --consent)")),
        Some(word) => (no, format!("{told}; --yes --consent {} would type it)", quote(word))),
        None => (no, format!("{told})")),
    }
}

impl AtTerminal {
    async fn person(&self, question: &Question, keyboard: &mut Keyboard) -> Option<bool> {
        let explain = self.explained.as_ref().filter(|_| question.id == "plan");
        loop {
            let choice = match (&question.typed, explain) {
                (Some(word), None) => {
                    format!("type {word} to go on, no {}", question.otherwise.as_deref().unwrap_or("to stop"))
                }
                (Some(word), Some(_)) => format!("type {word} to go on, no, explain"),
                (None, None) => "yes/no".into(),
                (None, Some(_)) => "yes/no/explain".into(),
            };
            let text = self.screen.err_paint().tone(Tone::Head, &question.text);
            let asking = self.screen.prompt(&format!("{text} [{}] ", one_line(&choice)));
            let answer = keyboard.line(read_stdin).await?;
            drop(asking);
            match (read(&answer, question.typed.as_deref()), explain) {
                (Reply::Yes, _) => return Some(true),
                (Reply::No, _) => return Some(false),
                (Reply::Explain, Some(all)) => self.screen.err_lines(all),
                (Reply::Explain | Reply::Unclear, _) => {}
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Yes,
    No,
    Explain,
    Unclear,
}

/// Only a whole answer counts: a stray Enter or letter starts nothing.
fn read(answer: &str, typed: Option<&str>) -> Reply {
    match (answer.trim(), typed) {
        (word, Some(wanted)) if word == wanted => Reply::Yes,
        ("yes" | "y", None) => Reply::Yes,
        ("no" | "n", _) => Reply::No,
        ("explain" | "e", _) => Reply::Explain,
        _ => Reply::Unclear,
    }
}

/// Whose next line answers. A question that was called off leaves its reader waiting: the next question takes the
/// reader over, so that no line is lost to nobody.
#[derive(Default)]
struct Keyboard {
    reader: Option<oneshot::Receiver<Option<String>>>,
}

impl Keyboard {
    /// One line; `None` at the end. Read on a thread of its own, so that a signal need not wait for it.
    async fn line(&mut self, read: impl FnOnce() -> Option<String> + Send + 'static) -> Option<String> {
        let reader = self.reader.get_or_insert_with(|| {
            let (sender, receiver) = oneshot::channel();
            std::thread::spawn(move || sender.send(read()));
            receiver
        });
        let line = reader.await;
        self.reader = None;
        line.ok().flatten()
    }
}

/// No answer is longer.
const LONGEST: u64 = 64 << 10;

fn read_stdin() -> Option<String> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LONGEST).read_line(&mut text);
    read.ok().filter(|length| *length > 0).map(|_| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_must_be_typed_is_given_by_a_flag_and_never_by_silence() {
        let question = |typed: Option<&str>, unattended: bool| Question {
            id: "x".into(),
            text: "Sure?".into(),
            typed: typed.map(str::to_owned),
            unattended,
            otherwise: None,
        };
        let words = ["data".to_owned(), "prod".to_owned()];
        assert_eq!(unattended(&question(Some("prod"), false), &words).0, Some(true));
        let (yes, told) = unattended(&question(Some("other"), false), &words);
        assert!(yes.is_none() && told.contains("--consent 'other'"), "{told}");
        let leads_on = Question { otherwise: Some("to wait".into()), ..question(Some("other"), false) };
        assert_eq!(unattended(&leads_on, &words).0, Some(false));
        assert_eq!(unattended(&question(None, false), &words).0, None);
        assert_eq!(unattended(&question(None, true), &[]).0, Some(true));
    }

    #[test]
    fn only_a_whole_answer_counts() {
        assert_eq!(read("yes\n", None), Reply::Yes);
        assert_eq!(read("\n", None), Reply::Unclear);
        assert_eq!(read("prod-eu\n", Some("prod-eu")), Reply::Yes);
        assert_eq!(read("yes\n", Some("prod-eu")), Reply::Unclear);
        assert_eq!(read("no\n", Some("prod-eu")), Reply::No);
        assert_eq!(read("explain\n", Some("prod-eu")), Reply::Explain);
    }

    #[tokio::test]
    async fn a_question_that_was_called_off_does_not_eat_the_next_line() {
        let (hand, typed) = std::sync::mpsc::channel::<String>();
        let mut keyboard = Keyboard::default();
        {
            let called_off = keyboard.line(move || typed.recv().ok());
            futures::pin_mut!(called_off);
            assert!(futures::poll!(called_off).is_pending());
        }
        hand.send("yes\n".into()).expect("the reader still waits");
        let second = keyboard.line(|| panic!("a second reader beside the first"));
        assert_eq!(second.await.as_deref(), Some("yes\n"));
    }
}
