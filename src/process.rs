//! The process itself as a value: arguments, environment, folders, clock, ids. The only caller of `std::env` and of the
//! system clock, so that tests can give another world.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

/// What the program may know about its surroundings.
#[derive(Debug, Clone)]
pub struct Process {
    /// The command line, the program's name first.
    pub args: Vec<OsString>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// The folder it was started in.
    pub cwd: PathBuf,
    /// Whether a person can be asked: standard input and standard error are terminals.
    pub interactive: bool,
    /// Whether standard output is a terminal.
    pub stdout_terminal: bool,
    /// Whether standard error is a terminal.
    pub stderr_terminal: bool,
    /// The clock.
    pub clock: Clock,
}

/// Where the time comes from.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// A clock that showed the system's time when it was read once, and goes on evenly from there: whoever sets the system's
    /// clock meanwhile moves no wait and ends none.
    Steady {
        /// The time that it showed ...
        shows: Timestamp,
        /// ... so long after the boot.
        at: Duration,
    },
    /// A clock that stands still, for tests.
    Fixed(Timestamp),
    /// A clock that goes with the timers of the async runtime, for tests that let time pass without waiting.
    Paced {
        /// The time that it shows ...
        shows: Timestamp,
        /// ... at this moment of the runtime.
        at: tokio::time::Instant,
    },
}

/// How long the machine has been up; a laptop's sleep counts, and nobody can set it.
fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    let clock = rustix::time::ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = rustix::time::ClockId::Monotonic;
    Duration::try_from(rustix::time::clock_gettime(clock)).unwrap_or_default()
}

impl Clock {
    /// The system's clock as it stands, to go on evenly from here.
    pub fn steady() -> Self {
        Self::Steady { shows: Timestamp::now(), at: since_boot() }
    }

    /// The time now, UTC.
    pub fn now(self) -> Timestamp {
        match self {
            Self::Steady { shows, at } => shows.saturating_add(since_boot().saturating_sub(at)).unwrap_or(shows),
            Self::Fixed(at) => at,
            Self::Paced { shows, at } => shows.saturating_add(at.elapsed()).unwrap_or(shows),
        }
    }
}

impl Process {
    /// The real process.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the operating system")]
    pub fn real() -> Self {
        let stderr_terminal = std::io::stderr().is_terminal();
        Self {
            args: std::env::args_os().collect(),
            env: std::env::vars_os()
                .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            interactive: std::io::stdin().is_terminal() && stderr_terminal,
            stdout_terminal: std::io::stdout().is_terminal(),
            stderr_terminal,
            clock: Clock::steady(),
        }
    }

    /// A variable of the environment, when it is set and not empty.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The operator's home folder.
    pub fn home(&self) -> PathBuf {
        self.var("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from)
    }

    /// The person at the keyboard, as written into journals and firewall comments: who became root by sudo, the login's name,
    /// or the machine's name for the user. `uid-1000` when nothing names them.
    ///
    /// Only the machine's own file is read: a directory service may be down with the rest, and is not waited for.
    pub fn operator(&self) -> String {
        let user = self.var("SUDO_USER").or_else(|| self.var("USER")).or_else(|| self.var("LOGNAME"));
        let entry = || {
            let uid = rustix::process::getuid().as_raw();
            let passwd = crate::bounded::file(Path::new("/etc/passwd"), LONGEST_PASSWD).unwrap_or_default();
            name_of(uid, &String::from_utf8_lossy(&passwd)).unwrap_or_else(|| format!("uid-{uid}"))
        };
        let user = user.map_or_else(entry, str::to_owned);
        user.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.@".contains(*c)).take(32).collect()
    }

    /// The name of the machine, for journals.
    pub fn hostname(&self) -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }

    /// Where runs are kept: `$BREAKGLASS_STATE`, else the XDG state folder.
    pub fn runs_dir(&self) -> PathBuf {
        let base = self.var("BREAKGLASS_STATE").map_or_else(
            || {
                let state = self.var("XDG_STATE_HOME").map_or_else(|| self.home().join(".local/state"), PathBuf::from);
                state.join("breakglass")
            },
            PathBuf::from,
        );
        base.join("runs")
    }

    /// Where the kit is looked for: `$BREAKGLASS_KIT`, else the XDG configuration folder.
    pub fn kit_dir(&self) -> PathBuf {
        self.var("BREAKGLASS_KIT").map_or_else(
            || {
                let config = self.var("XDG_CONFIG_HOME").map_or_else(|| self.home().join(".config"), PathBuf::from);
                config.join("breakglass/kit")
            },
            PathBuf::from,
        )
    }
}

/// More than the users of any machine take.
const LONGEST_PASSWD: usize = 8 << 20;

/// The first name that a `passwd` file has for a user.
fn name_of(uid: u32, passwd: &str) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (!name.is_empty() && number.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_has_a_name_where_the_machine_knows_one() {
        let passwd =
            "# users\nroot:x:0:0:root:/root:/bin/sh\n:x:7::\neve:x:1000:1000::/home/eve:/bin/sh\nbroken\nagain:x:1000:";
        assert_eq!(name_of(1000, passwd).as_deref(), Some("eve"));
        assert_eq!(name_of(0, passwd).as_deref(), Some("root"));
        assert_eq!((name_of(7, passwd), name_of(5, passwd)), (None, None));
        let env = |user: &str| BTreeMap::from([(user.to_owned(), "eve".to_owned())]);
        for user in ["SUDO_USER", "USER", "LOGNAME"] {
            assert_eq!(Process { env: env(user), ..Process::real() }.operator(), "eve");
        }
    }

    #[test]
    fn a_steady_clock_goes_on_whatever_the_system_s_shows() {
        let clock = Clock::Steady { shows: Timestamp::UNIX_EPOCH, at: since_boot() };
        let (first, second) = (clock.now(), clock.now());
        assert!(first <= second && second < Timestamp::from_second(600).unwrap(), "{second}");
        let before =
            Clock::Steady { shows: Timestamp::UNIX_EPOCH, at: since_boot().saturating_sub(Duration::from_millis(5)) };
        assert!(before.now() >= Timestamp::from_millisecond(5).unwrap());
    }
}
