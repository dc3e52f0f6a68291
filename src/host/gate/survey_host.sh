ssh_connection() {
  # sudo drops the variable; a process above us still has it in its first environment.
  if [ -n "${SSH_CONNECTION:-}" ]; then printf '%s' "$SSH_CONNECTION"; return 0; fi
  p=$$
  while [ "${p:-0}" -gt 1 ]; do
    c=$(tr '\0' '\n' 2>/dev/null <"/proc/$p/environ" | sed -n 's/^SSH_CONNECTION=//p')
    if [ -n "$c" ]; then printf '%s' "$c"; return 0; fi
    p=$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$p/status" 2>/dev/null)
  done
}
flag() { printf '%s\n' "$args" | sed -n -e "s/^--$1=//p" -e "/^--$1\$/{n;p;}" | tail -n 1; }
say uid "$(id -u)"
say now "$(date +%s)"
say kernel "$(uname -r)"
say ssh "$(ssh_connection)"

