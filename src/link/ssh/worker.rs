//! The thread that owns one libssh2 session and moves all its channels.
//!
//! Everything is non-blocking: one `poll` over the SSH connection, a wake-up descriptor and one socket per tunnel.
//! Three habits of libssh2 shape this file:
//!
//! * Any read pulls whatever has arrived and files it under the channel it is for. So after a round in which nothing
//!   moved there may still be data for a channel that had its turn already; [`Worker::missed`] looks before we sleep.
//! * It opens one channel at a time. An open that nobody waits for any more has to be seen through before the next.
//! * An interrupted send must be repeated with the same bytes. So a channel that is given up stays until its send is
//!   through, and packets that libssh2 builds on its stack (EOF, keepalive) are sent only when the socket has room.

use std::collections::VecDeque;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::channel::{Broken, Line, Step};
use super::error::{Fault, Stage};
use super::exec::Exec;
use super::tunnel::{Counted, Tunnel};
use super::{Output, Reply};

/// What a handle asks of the thread.
pub(super) enum Request {
    Exec {
        command: String,
        stdin: Vec<u8>,
        deadline: Instant,
        reply: Reply<Output>,
    },
    Dial {
        host: String,
        port: u16,
        deadline: Instant,
        reply: Reply<std::os::unix::net::UnixStream>,
    },
    /// Nobody holds a handle any more: end when the tunnels have ended.
    Release,
    Close,
}

/// Keeps firewalls and the server's idle timer quiet.
const KEEPALIVE_SECONDS: u32 = 15;
/// Upper end of one sleep: a wake-up that was missed costs this much, not the run.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// The sleep when libssh2 may hold something back that `poll` can't see.
const SHORTEST_SLEEP: Duration = Duration::from_millis(5);

enum Channel {
    Exec(Exec),
    Tunnel(Tunnel),
}

pub(super) struct Worker {
    line: Line,
    requests: Receiver<Request>,
    wake: Arc<OwnedFd>,
    /// Set when the thread ends, so that later callers learn why.
    ended: Arc<Mutex<Option<String>>>,
    /// How many tunnels there are, for those who may end the session.
    tunnels: Arc<AtomicUsize>,
    /// Waiting for their turn to be opened; the first is being opened.
    opening: VecDeque<Request>,
    /// An open that nobody waits for is under way and must be seen through.
    abandoned: Option<Request>,
    channels: Vec<Channel>,
    next_keepalive: Instant,
    handles_gone: bool,
    close: bool,
}

impl Worker {
    pub(super) fn new(
        line: Line,
        requests: Receiver<Request>,
        wake: Arc<OwnedFd>,
        ended: Arc<Mutex<Option<String>>>,
        tunnels: Arc<AtomicUsize>,
    ) -> Self {
        line.session.set_keepalive(false, KEEPALIVE_SECONDS);
        Self {
            line,
            requests,
            wake,
            ended,
            tunnels,
            opening: VecDeque::new(),
            abandoned: None,
            channels: Vec::new(),
            next_keepalive: Instant::now() + Duration::from_secs(KEEPALIVE_SECONDS.into()),
            handles_gone: false,
            close: false,
        }
    }

    /// Works until nobody needs the session any more, it is closed, or the connection breaks.
    pub(super) fn run(mut self) {
        let end = loop {
            match self.round() {
                Ok(true) => {}
                Ok(false) => break "the session was closed".to_owned(),
                Err(Broken(detail)) => break detail,
            }
        };
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(end.clone());
        for channel in self.channels.drain(..) {
            if let Channel::Exec(exec) = channel {
                exec.lost(&end);
            }
        }
        while let Ok(request) = self.requests.try_recv() {
            self.opening.push_back(request);
        }
        for request in self.opening.drain(..) {
            refuse(request, &Fault::Lost { sent: false, detail: end.clone() });
        }
        if self.line.has_room() {
            let _ = self.line.session.disconnect(None, "done", None);
        }
        // After this libssh2 gives up waiting for answers and frees what it holds.
        let _ = rustix::net::shutdown(&self.line.fd, rustix::net::Shutdown::Both);
    }

    /// One pass over everything, then sleep if nothing moved. `Ok(false)`: done for good.
    fn round(&mut self) -> Result<bool, Broken> {
        self.take_requests();
        if self.close || (self.handles_gone && self.channels.is_empty() && self.opening.is_empty()) {
            return Ok(false);
        }
        let mut moved = self.open_next()?;
        let line = &self.line;
        let mut broken = None;
        self.channels.retain_mut(|channel| {
            let step = match channel {
                Channel::Exec(exec) => exec.step(line),
                Channel::Tunnel(tunnel) => tunnel.step(line),
            };
            match step {
                Ok(step) => {
                    moved |= step != Step::Idle;
                    step != Step::Over
                }
                Err(error) => {
                    broken.get_or_insert(error);
                    true
                }
            }
        });
        if let Some(error) = broken {
            return Err(error);
        }
        self.expire();
        self.keep_alive()?;
        if !moved {
            self.sleep()?;
        }
        Ok(true)
    }

    fn take_requests(&mut self) {
        loop {
            match self.requests.try_recv() {
                Ok(Request::Close) => self.close = true,
                Ok(Request::Release) => self.handles_gone = true,
                Ok(request) => self.opening.push_back(request),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.handles_gone = true;
                    return;
                }
            }
        }
    }

    /// Works on the one open that may be under way. libssh2 keeps its state in the session, so the same request must be
    /// asked for again until it is through, whether or not its caller still waits.
    fn open_next(&mut self) -> Result<bool, Broken> {
        let Some(request) = self.abandoned.as_ref().or(self.opening.front()) else { return Ok(false) };
        let opened = match request {
            Request::Exec { .. } => self.line.session.channel_session(),
            Request::Dial { host, port, .. } => self.line.session.channel_direct_tcpip(host, *port, None),
            Request::Release | Request::Close => return Ok(false),
        };
        let Some(opened) = Line::sort(opened)? else { return Ok(false) };
        if self.abandoned.take().is_some() {
            if let Ok(channel) = opened {
                self.channels.push(Channel::Exec(Exec::discard(channel)));
            }
            return Ok(true);
        }
        match (self.opening.pop_front(), opened) {
            (Some(Request::Exec { command, stdin, deadline, reply }), Ok(channel)) => {
                self.channels.push(Channel::Exec(Exec::new(channel, command, stdin, deadline, reply)));
            }
            (Some(Request::Exec { reply, .. }), Err(why)) => drop(reply.send(Err(Fault::Refused(why)))),
            (Some(Request::Dial { reply, .. }), Ok(channel)) => {
                match Tunnel::new(channel, Counted::new(&self.tunnels), reply) {
                    Ok(tunnel) => self.channels.push(Channel::Tunnel(tunnel)),
                    Err(discard) => self.channels.push(Channel::Exec(Exec::discard(discard))),
                }
            }
            (Some(Request::Dial { host, port, reply, .. }), Err(why)) => {
                drop(reply.send(Err(Fault::TunnelRefused { to: format!("{host}:{port}"), why })));
            }
            (Some(Request::Release | Request::Close) | None, _) => {}
        }
        Ok(true)
    }

    /// Answers those whose deadline has passed, and gives up what nobody waits for.
    fn expire(&mut self) {
        let now = Instant::now();
        for channel in &mut self.channels {
            if let Channel::Exec(exec) = channel {
                exec.expire(now);
            }
        }
        let mut index = 0;
        while let Some(request) = self.opening.get(index) {
            let over = match request {
                Request::Exec { deadline, reply, .. } => *deadline <= now || reply.is_closed(),
                Request::Dial { deadline, reply, .. } => *deadline <= now || reply.is_closed(),
                Request::Release | Request::Close => false,
            };
            if !over {
                index += 1;
                continue;
            }
            let under_way = index == 0 && self.abandoned.is_none();
            if let Some(request) = self.opening.remove(index) {
                let again = refuse(request, &Fault::Timeout { stage: Stage::Open, sent: false });
                // Only the first has been asked for; what follows does not start while that is under way.
                if under_way {
                    self.abandoned = again;
                }
            }
        }
    }

    /// A keepalive packet lives on libssh2's stack: only when it will go out whole.
    fn keep_alive(&mut self) -> Result<(), Broken> {
        let now = Instant::now();
        if now < self.next_keepalive {
            return Ok(());
        }
        if self.line.is_sending() || !self.line.has_room() {
            // What is being sent does the same good.
            self.next_keepalive = now + Duration::from_secs(1);
            return Ok(());
        }
        match Line::sort(self.line.session.keepalive_send())? {
            Some(Ok(seconds)) => self.next_keepalive = Instant::now() + Duration::from_secs(seconds.max(1).into()),
            _ => self.next_keepalive = Instant::now() + Duration::from_secs(1),
        }
        Ok(())
    }

    /// How long nothing can happen that `poll` would not tell us about; zero when something is there already.
    fn missed(&self) -> Duration {
        let mut sleep = LONGEST_SLEEP;
        let waiting = self.channels.len() + usize::from(!self.opening.is_empty() || self.abandoned.is_some());
        for channel in &self.channels {
            let (ready, unsure) = match channel {
                Channel::Exec(exec) => (exec.has_unread(), exec.awaits_answer()),
                Channel::Tunnel(tunnel) => (tunnel.has_unread(), tunnel.awaits_answer()),
            };
            if ready {
                return Duration::ZERO;
            }
            if unsure && waiting > 1 {
                sleep = SHORTEST_SLEEP;
            }
        }
        if waiting > 1 && (!self.opening.is_empty() || self.abandoned.is_some()) {
            sleep = SHORTEST_SLEEP;
        }
        sleep
    }

    fn sleep(&mut self) -> Result<(), Broken> {
        let mut sleep = self.missed();
        if sleep.is_zero() {
            return Ok(());
        }
        let now = Instant::now();
        for deadline in self.deadlines() {
            sleep = sleep.min(deadline.saturating_duration_since(now));
        }
        // Nobody reads when every channel is held up by its own reader: then only a hang-up is news.
        let reads = !self.opening.is_empty()
            || self.abandoned.is_some()
            || self.channels.iter().any(|c| match c {
                Channel::Exec(_) => true,
                Channel::Tunnel(tunnel) => tunnel.reads(),
            });
        let mut want = if reads { PollFlags::IN } else { PollFlags::RDHUP };
        let needs_room = |channel: &Channel| match channel {
            Channel::Exec(exec) => exec.needs_room(),
            Channel::Tunnel(tunnel) => tunnel.needs_room(),
        };
        if self.line.is_sending() || self.channels.iter().any(needs_room) {
            want |= PollFlags::OUT;
        }
        let mut fds =
            vec![PollFd::new(&self.line.fd, want), PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN)];
        let mut owners = Vec::new();
        for (index, channel) in self.channels.iter().enumerate() {
            if let Channel::Tunnel(tunnel) = channel
                && let Some((fd, events)) = tunnel.poll()
            {
                owners.push(index);
                fds.push(PollFd::from_borrowed_fd(fd, events));
            }
        }
        let timeout = Timespec::try_from(sleep).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let _ = rustix::event::poll(&mut fds, Some(&timeout));
        let line_gone = fds[0].revents().intersects(PollFlags::RDHUP | PollFlags::ERR | PollFlags::HUP) && !reads;
        let woken = fds[1].revents().contains(PollFlags::IN);
        let hung_up: Vec<usize> = owners
            .into_iter()
            .zip(&fds[2..])
            .filter(|(_, fd)| fd.revents().intersects(PollFlags::HUP | PollFlags::ERR))
            .map(|(index, _)| index)
            .collect();
        drop(fds);
        if woken {
            let _ = rustix::io::read(&self.wake, &mut [0_u8; 8]);
        }
        for index in hung_up {
            if let Some(Channel::Tunnel(tunnel)) = self.channels.get_mut(index) {
                tunnel.peer_gone();
            }
        }
        if line_gone && self.channels.is_empty() {
            return Err(Broken("the server ended the session".into()));
        }
        Ok(())
    }

    fn deadlines(&self) -> impl Iterator<Item = Instant> {
        let execs = self.channels.iter().filter_map(|channel| match channel {
            Channel::Exec(exec) => exec.deadline(),
            Channel::Tunnel(_) => None,
        });
        let opens = self.opening.iter().filter_map(|request| match request {
            Request::Exec { deadline, .. } | Request::Dial { deadline, .. } => Some(*deadline),
            Request::Release | Request::Close => None,
        });
        execs.chain(opens).chain([self.next_keepalive])
    }
}

/// Answers a request with `fault`, and gives back what must be repeated if it was being opened.
fn refuse(request: Request, fault: &Fault) -> Option<Request> {
    match request {
        Request::Exec { command, stdin, deadline, reply } => {
            let _ = reply.send(Err(fault.clone()));
            let reply = tokio::sync::oneshot::channel().0;
            Some(Request::Exec { command, stdin, deadline, reply })
        }
        Request::Dial { host, port, deadline, reply } => {
            let _ = reply.send(Err(fault.clone()));
            let reply = tokio::sync::oneshot::channel().0;
            Some(Request::Dial { host, port, deadline, reply })
        }
        Request::Release | Request::Close => None,
    }
}
