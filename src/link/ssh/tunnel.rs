//! One direct-tcpip channel, bridged to a socket pair whose other end the caller holds.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::event::PollFlags;
use ssh2::Channel;

use super::Reply;
use super::channel::{Broken, Line, Step};
use super::error::Fault;

const BUFFER: usize = 32 << 10;
/// Rounds of copying before other channels get their turn.
const FAIR: usize = 8;

/// Bytes on their way from one side to the other.
struct Pipe {
    buffer: Box<[u8]>,
    from: usize,
    to: usize,
    /// The source has ended.
    ended: bool,
    /// The end was passed on.
    passed_on: bool,
}

impl Pipe {
    fn new() -> Self {
        Self { buffer: vec![0; BUFFER].into(), from: 0, to: 0, ended: false, passed_on: false }
    }

    fn is_empty(&self) -> bool {
        self.from == self.to
    }

    fn pending(&self) -> &[u8] {
        &self.buffer[self.from..self.to]
    }

    fn filled(&mut self, count: usize) {
        (self.from, self.to) = (0, count);
        self.ended |= count == 0;
    }
}

pub(super) struct Tunnel {
    channel: Channel,
    local: UnixStream,
    inward: Pipe,
    outward: Pipe,
    /// A write to the channel was begun and must be repeated with the same bytes.
    writing: bool,
    /// The caller has dropped its end: nobody reads what comes in.
    peer_gone: bool,
    closing: bool,
    _counted: Counted,
}

/// One more among the tunnels of a session, until it is dropped.
pub(super) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(super) fn new(tunnels: &Arc<AtomicUsize>) -> Self {
        tunnels.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(tunnels))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Tunnel {
    /// Hands the caller its end. `Err` gives the channel back when nobody takes it, or when there is no socket to give.
    pub(super) fn new(channel: Channel, counted: Counted, reply: Reply<UnixStream>) -> Result<Self, Channel> {
        let (local, theirs) = match socket_pair() {
            Ok(pair) => pair,
            Err(error) => {
                let _ = reply.send(Err(Fault::Local(format!("no socket for the tunnel: {error}"))));
                return Err(channel);
            }
        };
        if reply.send(Ok(theirs)).is_err() {
            return Err(channel);
        }
        Ok(Self {
            channel,
            local,
            inward: Pipe::new(),
            outward: Pipe::new(),
            writing: false,
            peer_gone: false,
            closing: false,
            _counted: counted,
        })
    }

    pub(super) fn step(&mut self, line: &Line) -> Result<Step, Broken> {
        let mut moved = false;
        for _ in 0..FAIR {
            let mut round = self.inward(line)?;
            round |= self.outward(line)?;
            moved |= round;
            if !round {
                break;
            }
        }
        // The server has closed the channel: what it sent is passed on, what we still have has nowhere to go.
        if !self.closing
            && self.inward.passed_on
            && !self.writing
            && let Some(result) = Line::sort(self.channel.wait_close())?
        {
            self.closing = result.is_ok();
        }
        let over = self.inward.passed_on && self.outward.passed_on;
        let dropped = self.peer_gone && self.outward.ended && self.outward.is_empty();
        if (self.closing || over || dropped) && !self.writing {
            self.closing = true;
            return Ok(match Line::sort(self.channel.close())? {
                None if moved => Step::Moved,
                None => Step::Idle,
                Some(_) => Step::Over,
            });
        }
        Ok(if moved { Step::Moved } else { Step::Idle })
    }

    /// From the host to the caller.
    fn inward(&mut self, line: &Line) -> Result<bool, Broken> {
        let mut moved = false;
        if self.inward.is_empty() && !self.inward.ended {
            let result = self.channel.read(&mut self.inward.buffer);
            match line.sort_io(result)? {
                Some(Ok(0)) if !self.channel.eof() => {}
                Some(Ok(count)) => {
                    self.inward.filled(count);
                    moved = true;
                }
                Some(Err(_)) => self.inward.ended = true,
                None => {}
            }
        }
        while !self.inward.is_empty() {
            match self.local.write(self.inward.pending()) {
                Ok(count) => {
                    self.inward.from += count;
                    moved = true;
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.inward.from = self.inward.to;
                    self.peer_gone = true;
                }
            }
        }
        if self.inward.ended && self.inward.is_empty() && !self.inward.passed_on {
            let _ = self.local.shutdown(Shutdown::Write);
            self.inward.passed_on = true;
            moved = true;
        }
        Ok(moved)
    }

    /// From the caller to the host.
    fn outward(&mut self, line: &Line) -> Result<bool, Broken> {
        let mut moved = false;
        if self.outward.is_empty() && !self.outward.ended && !self.closing {
            match self.local.read(&mut self.outward.buffer) {
                Ok(count) => {
                    self.outward.filled(count);
                    moved = true;
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => {
                    self.outward.ended = true;
                    self.peer_gone = true;
                }
            }
        }
        if !self.outward.is_empty() && (self.writing || !self.closing) {
            let result = self.channel.write(self.outward.pending());
            match line.sort_io(result)? {
                None | Some(Ok(0)) => self.writing = self.channel.write_window().remaining > 0,
                Some(Ok(count)) => {
                    self.writing = false;
                    self.outward.from += count;
                    moved = true;
                }
                Some(Err(_)) => {
                    self.writing = false;
                    self.outward.from = self.outward.to;
                    self.outward.ended = true;
                    self.outward.passed_on = true;
                }
            }
        }
        if self.outward.ended && self.outward.is_empty() && !self.outward.passed_on && line.has_room() {
            // A stack packet of libssh2: has_room makes sure that it is not interrupted.
            if Line::sort(self.channel.send_eof())?.is_some() {
                self.outward.passed_on = true;
                moved = true;
            }
        }
        Ok(moved)
    }

    pub(super) fn peer_gone(&mut self) {
        self.peer_gone = true;
    }

    /// What to wait for on the caller's side. Nothing once it has hung up: a hang-up would be reported for ever.
    pub(super) fn poll(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        if self.peer_gone || self.closing {
            return None;
        }
        let mut events = PollFlags::empty();
        if self.outward.is_empty() && !self.outward.ended {
            events |= PollFlags::IN;
        }
        if !self.inward.is_empty() {
            events |= PollFlags::OUT;
        }
        Some((self.local.as_fd(), events))
    }

    /// Whether only a lack of room holds the EOF back.
    pub(super) fn needs_room(&self) -> bool {
        self.outward.ended && self.outward.is_empty() && !self.outward.passed_on
    }

    /// Whether a step reads from the connection, so that it is worth being woken for.
    pub(super) fn reads(&self) -> bool {
        self.inward.is_empty() || self.closing
    }

    /// Whether something is filed for this channel that it could take.
    pub(super) fn has_unread(&self) -> bool {
        self.inward.is_empty() && !self.inward.ended && (self.channel.read_window().available > 0 || self.channel.eof())
    }

    /// Whether the tunnel waits for something that is not data: room to send, or the server's close.
    pub(super) fn awaits_answer(&self) -> bool {
        !self.outward.is_empty() || self.inward.passed_on || self.closing
    }
}

fn socket_pair() -> std::io::Result<(UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    Ok((ours, theirs))
}
