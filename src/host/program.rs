//! The file of a program that runs on a host, as it can be started once more; who listens where; and what a component's last words
//! are told by.

/// `file_of /proc/PID`: the same inode that runs, found through the process's root so that it keeps its name; `$p` is the
/// program's. `sub PID`: what it is told first where one file holds several programs.
pub(super) const PROGRAM: &str = r#"file_of() {
  a=$(tr '\000' '\n' 2>/dev/null <"$1/cmdline" | head -n 1)
  case $a in
  /*) [ "$1/root$a" -ef "$1/exe" ] 2>/dev/null && { echo "$1/root$a"; return 0; } ;;
  */*) [ "$1/cwd/$a" -ef "$1/exe" ] 2>/dev/null && { echo "$1/cwd/$a"; return 0; } ;;
  esac
  # Called by its bare name it was found on its own PATH.
  for t in $(tr '\000' '\n' 2>/dev/null <"$1/environ" | sed -n 's/^PATH=//p' | tr ':' ' ') /usr/local/bin /usr/bin /bin /usr/local/sbin /usr/sbin /sbin ''; do
    [ "$1/root$t/$p" -ef "$1/exe" ] 2>/dev/null && { echo "$1/root$t/$p"; return 0; }
  done
  # A program of several names must be told which one it is; one of its own name needs nothing.
  case $(readlink "$1/exe" 2>/dev/null) in */"$p") echo "$1/exe" ;; esac
}
# What hyperkube is told first.
sub() { tr '\000' '\n' 2>/dev/null <"/proc/$1/cmdline" | sed -n -e '1{/\(^\|\/\)hyperkube$/!q;}' -e '2{p;q;}'; }
"#;

/// `listens PORT`: whether anybody does, as the kernel knows without a tool.
pub(super) const LISTENS: &str = r#"listens() { grep -qE "^ *[0-9]+: [0-9A-F]+:$(printf '%04X' "$1") [0-9A-F]+:0000 0A" /proc/net/tcp /proc/net/tcp6 2>/dev/null; }
"#;

/// `telling`: those of the lines on standard input that say why a component of Kubernetes ends.
pub(super) const TELLING: &str = r"telling() { grep -E '^(Error: |panic: |fatal error: |F[0-9]{4} |E[0-9]{4} .*(command failed|run\.go))'; }
";
