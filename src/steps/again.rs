//! What a step that cannot look at its own effect did before.

use super::{History, Question, StepError};
use crate::journal::ChangeState;

/// What has to be done about a change that nobody can look at.
pub(super) enum Before {
    /// Nothing: it was made.
    Made,
    /// It was not made.
    NotMade,
    /// Nobody knows, and it may be made again.
    Repeat,
    /// Only a person can tell.
    Ask(Question),
}

/// Reads the journal: made is made; an outcome that is not known is asked about, unless a second time does no harm.
///
/// # Errors
/// When the operator said that it must not be done again.
pub(super) fn before(history: &History, key: &str, idempotent: bool, what: &str) -> Result<Before, StepError> {
    let Some(record) = history.last(key) else { return Ok(Before::NotMade) };
    match record.state {
        ChangeState::Done => return Ok(Before::Made),
        ChangeState::Intended | ChangeState::Unknown if idempotent => return Ok(Before::Repeat),
        ChangeState::Intended | ChangeState::Unknown => {}
        _ => return Ok(Before::NotMade),
    }
    let id = format!("again after change {}", record.id);
    match history.answer(&id) {
        Some(true) => Ok(Before::NotMade),
        Some(false) => Err(StepError::Declined(format!("do it again: {what}"))),
        None => Ok(Before::Ask(Question {
            text: format!(
                "It is not known whether this was done on {}: {what}. Look, then: do it (again)?",
                record.target
            ),
            id,
            typed: None,
            unattended: false,
            otherwise: None,
        })),
    }
}
