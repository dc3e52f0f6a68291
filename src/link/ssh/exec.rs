//! One command on one channel: stdin in, stdout and stderr out, then how it ended.

use std::io::{Read as _, Write as _};
use std::time::Instant;

use ssh2::Channel;

use super::channel::{Broken, Line, Step};
use super::error::{Fault, Stage};
use super::{Exit, Output, Reply};

/// stdout and stderr of one command together. Enough for any report a host gives; a runaway command is cut off.
pub(super) const OUTPUT_LIMIT: usize = 8 << 20;
/// One write: the payload of one full SSH packet.
const WRITE: usize = 32 << 10;
/// Rounds of reading before other channels get their turn.
const FAIR: usize = 16;

enum State {
    /// The command has not been accepted yet. `true`: it may already be on its way.
    Start(bool),
    Running,
    /// Everything was read; waiting for the server's word on how it ended.
    Ending,
    /// Nobody waits any more: see an interrupted send through, then close.
    Closing,
}

pub(super) struct Exec {
    channel: Channel,
    command: String,
    stdin: Vec<u8>,
    written: usize,
    /// A write was begun and must be repeated with the same bytes.
    writing: bool,
    eof_sent: bool,
    output: Output,
    state: State,
    deadline: Instant,
    reply: Option<Reply<Output>>,
}

impl Exec {
    pub(super) fn new(
        channel: Channel,
        command: String,
        stdin: Vec<u8>,
        deadline: Instant,
        reply: Reply<Output>,
    ) -> Self {
        let output =
            Output { exit: Exit::Status(0), stdout: Vec::new(), stderr: Vec::new(), bytes_sent: 0, bytes_received: 0 };
        Self {
            channel,
            command,
            stdin,
            written: 0,
            writing: false,
            eof_sent: false,
            output,
            state: State::Start(false),
            deadline,
            reply: Some(reply),
        }
    }

    /// A channel that was opened for somebody who no longer waits: only closed.
    pub(super) fn discard(channel: Channel) -> Self {
        let mut exec = Self::new(channel, String::new(), Vec::new(), Instant::now(), tokio::sync::oneshot::channel().0);
        exec.reply = None;
        exec.eof_sent = true;
        exec.state = State::Closing;
        exec
    }

    /// Whether the command may have reached the host.
    fn sent(&self) -> bool {
        !matches!(self.state, State::Start(false))
    }

    pub(super) fn step(&mut self, line: &Line) -> Result<Step, Broken> {
        if matches!(self.state, State::Start(_)) {
            self.state = State::Start(true);
            match Line::sort(self.channel.exec(&self.command))? {
                None => return Ok(Step::Idle),
                Some(Ok(())) => {
                    self.output.bytes_sent = self.command.len() as u64;
                    self.state = State::Running;
                }
                Some(Err(why)) => self.give_up(Fault::Refused(why)),
            }
            return Ok(Step::Moved);
        }
        let wrote = self.write(line)?;
        match self.state {
            State::Running => {
                let read = self.read(line)?;
                Ok(if wrote || read { Step::Moved } else { Step::Idle })
            }
            State::Ending => self.end(),
            _ => self.close(wrote),
        }
    }

    /// Sends stdin, then EOF. The only place that does either, so that an interrupted send is always repeated as it was.
    fn write(&mut self, line: &Line) -> Result<bool, Broken> {
        let giving_up = !matches!(self.state, State::Running);
        let mut moved = false;
        while self.written < self.stdin.len() && (self.writing || !giving_up) {
            let end = self.stdin.len().min(self.written + WRITE);
            let result = self.channel.write(&self.stdin[self.written..end]);
            match line.sort_io(result)? {
                // With no window left nothing was begun; with some, the socket is full and the send must be repeated.
                None | Some(Ok(0)) => {
                    self.writing = self.channel.write_window().remaining > 0;
                    return Ok(moved);
                }
                Some(Ok(count)) => {
                    self.writing = false;
                    self.written += count;
                    self.output.bytes_sent += count as u64;
                    moved = true;
                }
                // The command closed its input early; that is its business, its exit status tells.
                Some(Err(_)) => {
                    self.writing = false;
                    self.written = self.stdin.len();
                    self.eof_sent = true;
                }
            }
        }
        if !self.eof_sent && !giving_up && self.written == self.stdin.len() && line.has_room() {
            // A stack packet of libssh2: has_room makes sure that it is not interrupted.
            if Line::sort(self.channel.send_eof())?.is_some() {
                self.eof_sent = true;
                moved = true;
            }
        }
        Ok(moved)
    }

    fn read(&mut self, line: &Line) -> Result<bool, Broken> {
        let mut buffer = [0_u8; 16 << 10];
        let mut moved = false;
        for _ in 0..FAIR {
            let mut got = false;
            for stderr in [false, true] {
                let result =
                    if stderr { self.channel.stderr().read(&mut buffer) } else { self.channel.read(&mut buffer) };
                if let Some(Ok(count)) = line.sort_io(result)?
                    && count > 0
                {
                    let into = if stderr { &mut self.output.stderr } else { &mut self.output.stdout };
                    into.extend_from_slice(&buffer[..count]);
                    self.output.bytes_received += count as u64;
                    got = true;
                }
            }
            if self.output.stdout.len() + self.output.stderr.len() > OUTPUT_LIMIT {
                self.give_up(Fault::TooLong { limit: OUTPUT_LIMIT });
                return Ok(true);
            }
            if !got {
                break;
            }
            moved = true;
        }
        if self.channel.eof() && !moved {
            self.state = State::Ending;
            return Ok(true);
        }
        Ok(moved)
    }

    /// Exit status or signal come before the server's close, so the close is waited for.
    fn end(&mut self) -> Result<Step, Broken> {
        match Line::sort(self.channel.wait_close())? {
            None => return Ok(Step::Idle),
            Some(Err(why)) => {
                self.give_up(Fault::Lost { sent: true, detail: why });
                return Ok(Step::Moved);
            }
            Some(Ok(())) => {}
        }
        let signal = self.channel.exit_signal().ok().and_then(|s| s.exit_signal);
        self.output.exit = match (signal, self.channel.exit_status()) {
            (Some(name), _) => Exit::Signal(name),
            (None, Ok(status)) => Exit::Status(status),
            (None, Err(e)) => return Err(Broken(e.message().to_owned())),
        };
        if let Some(reply) = self.reply.take() {
            let empty = Output {
                exit: Exit::Status(0),
                stdout: Vec::new(),
                stderr: Vec::new(),
                bytes_sent: 0,
                bytes_received: 0,
            };
            let _ = reply.send(Ok(std::mem::replace(&mut self.output, empty)));
        }
        self.state = State::Closing;
        Ok(Step::Moved)
    }

    fn close(&mut self, moved: bool) -> Result<Step, Broken> {
        if self.writing {
            return Ok(if moved { Step::Moved } else { Step::Idle });
        }
        match Line::sort(self.channel.close())? {
            None => Ok(Step::Idle),
            Some(_) => Ok(Step::Over),
        }
    }

    fn give_up(&mut self, fault: Fault) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send(Err(fault));
        }
        self.state = State::Closing;
    }

    pub(super) fn expire(&mut self, now: Instant) {
        let Some(reply) = &self.reply else { return };
        if reply.is_closed() || self.deadline <= now {
            let (sent, started) = (self.sent(), !matches!(self.state, State::Start(_)));
            let stage = if started { Stage::Command } else { Stage::Open };
            self.give_up(Fault::Timeout { stage, sent });
        }
    }

    pub(super) fn lost(mut self, detail: &str) {
        let sent = self.sent();
        self.give_up(Fault::Lost { sent, detail: detail.to_owned() });
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.reply.as_ref().map(|_| self.deadline)
    }

    /// Whether only a lack of room holds the EOF back.
    pub(super) fn needs_room(&self) -> bool {
        matches!(self.state, State::Running) && !self.eof_sent && self.written == self.stdin.len()
    }

    /// Whether something is filed for this channel that it has not taken.
    pub(super) fn has_unread(&self) -> bool {
        matches!(self.state, State::Running) && (self.channel.read_window().available > 0 || self.channel.eof())
    }

    /// Whether the channel waits for something that is not data, so that `has_unread` can't tell of it.
    pub(super) fn awaits_answer(&self) -> bool {
        !matches!(self.state, State::Running) || !self.eof_sent
    }
}
