//! How much memory the API servers of a host take, against what they may.

use crate::finding::Finding;
use crate::host::genuine::GENUINE;
use crate::host::order::{Order as _, Query, order};
use crate::script::{Answer, amount};

order! {
    /// Looks at the memory of the API servers' processes.
    GateMemory = "gate.memory" {} -> Memory, |_, stdout| parse_memory(stdout)
}

/// Looks at the API servers' processes on a host. Writes nothing, and asks the API nothing: `/proc` and the control group
/// answer in milliseconds where `/metrics` of a drowning server is megabytes late.
pub fn memory() -> Query<GateMemory> {
    let looks = r#"here=$(readlink "/proc/$$/ns/net")
kb() { sed -n "s/^$2:[^0-9]*\([0-9][0-9]*\) kB.*/\1/p" "$1" 2>/dev/null; }
# The lowest limit of a control group and those around it, in bytes; nothing where there is none.
limit() {
  v1=$(sed -n 's/^[0-9]*:\([^:]*,\)\{0,1\}memory\(,[^:]*\)\{0,1\}:\(.*\)$/\3/p' "/proc/$1/cgroup" 2>/dev/null)
  if [ -n "$v1" ]; then
    sed -n 's/^hierarchical_memory_limit //p' "/sys/fs/cgroup/memory$v1/memory.stat" 2>/dev/null
    return 0
  fi
  dir=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup" 2>/dev/null)
  while [ "${dir#/sys/fs/cgroup/}" != "$dir" ]; do
    sed -n '/^[0-9][0-9]*$/p' "$dir/memory.max" 2>/dev/null
    dir=${dir%/*}
  done
}
say total "$(kb /proc/meminfo MemTotal)"
say available "$(kb /proc/meminfo MemAvailable)"
for file in $(grep -l -e kube-apiserver -e hyperkube -e k3s /proc/[0-9]*/cmdline 2>/dev/null); do
  p=${file#/proc/}; p=${p%/cmdline}
  [ "$(readlink "/proc/$p/ns/net" 2>/dev/null)" = "$here" ] || continue
  case $(called "$p") in
  kube-apiserver | k3s | k3s-server) genuine "$p" k && say api "$(kb "/proc/$p/status" VmRSS) $(limit "$p" | sort -n | sed -n 1p)" ;;
  esac
done
say end yes
"#;
    GateMemory {}.query(format!("{GENUINE}{looks}"))
}

/// What a host said of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The host's, in kB.
    pub total: u64,
    /// What the host could still hand out, in kB.
    pub available: u64,
    /// Each API server's resident memory and the lowest limit of its control groups, both in kB.
    pub servers: Vec<(u64, Option<u64>)>,
}

/// Reads the answer of [`memory`]; `None` if it broke off.
pub(in crate::host) fn parse_memory(stdout: &str) -> Option<Memory> {
    let answer = Answer::parse(stdout);
    if !answer.yes("end") {
        return None;
    }
    let servers = answer.all("api").filter_map(|line| {
        let mut words = line.split_whitespace();
        let resident = amount(words.next()?)?;
        Some((resident, words.next().and_then(|bytes| bytes.parse::<u64>().ok()).map(|bytes| bytes / 1024)))
    });
    Some(Memory { total: answer.number("total")?, available: answer.number("available")?, servers: servers.collect() })
}

/// Somebody's memory that is nearly used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryPressure {
    /// An API server's own: percent, and of how many MB.
    Server(u64, u64),
    /// The host's, whoever took it: likewise.
    Host(u64, u64),
}

impl Memory {
    /// What takes more than this share of what it may, in percent: an API server of its limit or of the host's memory, or
    /// all processes together of the latter.
    pub fn heavy(&self, percent: u8) -> Option<MemoryPressure> {
        let share = |part: u64, of: u64| (part * 100).checked_div(of).unwrap_or(0);
        let over = |share: u64| share > u64::from(percent);
        let of_server = self.servers.iter().map(|(resident, limit)| {
            let most = limit.unwrap_or(self.total).min(self.total);
            (share(*resident, most), most / 1024)
        });
        let worst =
            of_server.max().filter(|(share, _)| over(*share)).map(|(share, most)| MemoryPressure::Server(share, most));
        let used = share(self.total.saturating_sub(self.available), self.total);
        worst.or_else(|| over(used).then_some(MemoryPressure::Host(used, self.total / 1024)))
    }
}

impl MemoryPressure {
    /// That it is so on this host.
    pub fn on(self, host: &str) -> Finding {
        let (of_server, percent, of_mb) = match self {
            Self::Server(percent, most) => (true, percent, most),
            Self::Host(percent, most) => (false, percent, most),
        };
        Finding::Memory { host: host.to_owned(), of_server, percent, of_mb }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_of_the_two_limits_counts_and_the_host_as_a_whole() {
        let read = |api: &str| parse_memory(&format!("total=8000000\navailable=4000000\n{api}end=yes\n")).unwrap();
        assert_eq!(read("").heavy(90), None);
        assert_eq!(read("api=4000000\n").heavy(90), None);
        assert_eq!(read("api=4000000 4294967296\n").heavy(90), Some(MemoryPressure::Server(95, 4096)));
        // A control group without a limit says a number beyond all memory.
        assert_eq!(read("api=4000000 9223372036854771712\n").heavy(90), None);
        assert_eq!(read("api=4000000\n").heavy(49), Some(MemoryPressure::Server(50, 7812)));
        let full = Memory { available: 100_000, ..read("api=1000\n") };
        assert_eq!(full.heavy(90).unwrap().on("cp1").to_string(), "on cp1 98 % of the host's 7812 MB are in use");
        assert_eq!(parse_memory("total=1\navailable=1\n"), None);
        let odd =
            |total: &str| parse_memory(&format!("total={total}\navailable=1\napi=18446744073709551615\nend=yes\n"));
        assert_eq!(odd("18446744073709551615"), None, "what no host has is not known");
        assert_eq!(odd("8000000").unwrap().servers, []);
    }
}
