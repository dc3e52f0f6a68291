//! What the channels of a session share: its line, and how far one step of theirs came.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use libssh2_sys as raw;
use rustix::event::{PollFd, PollFlags, Timespec};
use ssh2::{BlockDirections, ErrorCode, Session};

use super::login::EAGAIN;

/// How far one step of a channel came.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing to do until something arrives.
    Idle,
    /// Something moved; another round may move more.
    Moved,
    /// The channel is over and may be forgotten.
    Over,
}

/// The connection is gone; every channel with it.
pub(super) struct Broken(pub(super) String);

/// What a channel needs of its session.
pub(super) struct Line {
    pub(super) session: Session,
    pub(super) fd: Arc<OwnedFd>,
}

impl Line {
    /// Sorts a result: `None` is "would block", the inner error concerns one channel, [`Broken`] the whole connection.
    pub(super) fn sort<T>(result: Result<T, ssh2::Error>) -> Result<Option<Result<T, String>>, Broken> {
        match result {
            Ok(value) => Ok(Some(Ok(value))),
            Err(e) if e.code() == EAGAIN => Ok(None),
            Err(e) if concerns_channel(e.code()) => Ok(Some(Err(e.message().to_owned()))),
            Err(e) => Err(Broken(e.message().to_owned())),
        }
    }

    /// The same for reads and writes, whose `io::Error` has lost libssh2's code.
    pub(super) fn sort_io<T>(&self, result: std::io::Result<T>) -> Result<Option<Result<T, String>>, Broken> {
        match result {
            Ok(value) => Ok(Some(Ok(value))),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => match ssh2::Error::last_session_error(&self.session) {
                Some(last) if concerns_channel(last.code()) => Ok(Some(Err(last.message().to_owned()))),
                _ => Err(Broken(e.to_string())),
            },
        }
    }

    /// Whether a small packet would go out whole right now.
    pub(super) fn has_room(&self) -> bool {
        let mut fds = [PollFd::new(&self.fd, PollFlags::OUT)];
        matches!(rustix::event::poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1))
            && fds[0].revents().contains(PollFlags::OUT)
    }

    pub(super) fn is_sending(&self) -> bool {
        matches!(self.session.block_directions(), BlockDirections::Outbound | BlockDirections::Both)
    }
}

fn concerns_channel(code: ErrorCode) -> bool {
    let ErrorCode::Session(code) = code else { return false };
    [
        raw::LIBSSH2_ERROR_CHANNEL_FAILURE,
        raw::LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED,
        raw::LIBSSH2_ERROR_CHANNEL_UNKNOWN,
        raw::LIBSSH2_ERROR_CHANNEL_CLOSED,
        raw::LIBSSH2_ERROR_CHANNEL_EOF_SENT,
        raw::LIBSSH2_ERROR_INVAL,
    ]
    .contains(&code)
}
