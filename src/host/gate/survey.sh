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

nft_error='not on this host'
if have nft; then
  say nft.version "$(nft --version 2>/dev/null)"
  nft_error=$(nft_try)
  [ -n "$nft_error" ] || say nft yes
fi
say nft.error "$nft_error"
if have ipset; then
  say ipset.version "$(ipset -v 2>/dev/null | sed -n 1p)"
  err=$(ipset list -n 2>&1 >/dev/null) && say ipset yes || say ipset.error "$err"
fi
# Where nft holds the gate, nothing hangs on the lock of x_tables.
[ -n "$nft_error" ] || ipt_patience 2
ipt_busy() { busy=$1; say busy "$1"; }
for flavour in iptables-nft iptables-legacy; do
  if ipt_pick "$flavour"; then
    busy=
    if ipt_ask "$v4" -S INPUT; then
      say "$flavour" yes
    else
      say "$flavour.error" "${busy:-$("$v4" -w 1 -S INPUT 2>&1 >/dev/null)}"
    fi
    [ -n "$v6" ] && say "$flavour.v6" yes
  fi
done | sed 's/^iptables-/iptables_/'
[ -s /proc/net/ip_tables_names ] && say legacy_in_use yes

here=$(readlink "/proc/$$/ns/net")
for file in $(grep -l -e kube-apiserver -e hyperkube -e kube-controller -e kube-scheduler -e etcd -e kubelet -e kube-proxy -e cilium-agent \
  -e calico-node -e felix -e firewalld -e haproxy -e nginx -e envoy -e kube-vip -e k3s -e keepalived /proc/[0-9]*/cmdline 2>/dev/null); do
  p=${file#/proc/}; p=${p%/cmdline}
  [ "$(readlink "/proc/$p/ns/net" 2>/dev/null)" = "$here" ] || continue
  args=$(tr '\0' '\n' <"$file" 2>/dev/null)
  name=$(called "$p")
  case $name in
  python*) name=$(printf '%s\n' "$args" | sed -n 's/^.*\/\(firewalld\)$/\1/p') ;;
  esac
  case $name in
  kube-apiserver | k3s | k3s-server | etcd | kubelet)
    genuine "$p" "$name" || { say posing "$p $name"; continue; }
    ;;
  esac
  case $name in
  kube-apiserver)
    say api "$p $(flag secure-port) $(flag bind-address)"
    say etcd_servers "$(flag etcd-servers)"
    ;;
  k3s | k3s-server) case $args in *server*) say k3s "$p $(flag https-listen-port)" ;; esac ;;
  etcd) say etcd_cluster "$(flag initial-cluster)" ;;
  kubelet) say kubelet_cgroup "$(sed -n 's/^0::\///p' "/proc/$p/cgroup" 2>/dev/null)" ;;
  esac
  case $name in
  kube-controller-manager | kube-scheduler | etcd | kubelet | kube-proxy | cilium-agent | calico-node | firewalld | haproxy | nginx | envoy | kube-vip | keepalived)
    say proc "$p $name" ;;
  esac
done
for dir in $manifests; do
  for file in $(grep -l 'kube-apiserver' "$dir"/*.yaml "$dir"/*.yml "$dir"/*.json 2>/dev/null); do
    say manifest "$(sed -n 's/.*--secure-port[= "]*\([0-9][0-9]*\).*/\1/p' "$file" | sed -n 1p) $file"
  done
done
[ -f /sys/fs/cgroup/cgroup.controllers ] && say cgroup2 yes
[ -f /etc/ufw/ufw.conf ] && grep -q '^ENABLED=yes' /etc/ufw/ufw.conf && say proc '0 ufw'
if have nft; then
  nft list tables 2>/dev/null | sed -n 's/^table /table=/p'
fi

if have ss; then
  # An sshd that is not the host's guards no port: its name would keep the gate from the port that it has.
  ss -Hltnp 2>/dev/null |
    sed -n 's/^[A-Z-]* *[0-9]* *[0-9]* *\([^ ]*\) *[^ ]* *\(users:(("\([^"]*\)",pid=\([0-9]*\)\)\{0,1\}.*$/\1 \4 \3/p' |
    while read -r local pid name; do
      [ "$name" != sshd ] || genuine "$pid" ssh || name='sshd?'
      say listen "$local $name"
    done
else
  sed -n 's/^ *[0-9]*: [0-9A-F]*:\([0-9A-F]*\) [0-9A-F]*:[0-9A-F]* 0A .*/listen_hex=\1/p' /proc/net/tcp /proc/net/tcp6 2>/dev/null
fi
have ss && say ss yes
ip -o addr show 2>/dev/null | sed -n 's/.* inet6\{0,1\} \([^ ]*\).*/own=\1/p'
destroy=$( { zcat /proc/config.gz || cat "/boot/config-$(uname -r)"; } 2>/dev/null | sed -n 's/^CONFIG_INET_DIAG_DESTROY=y$/yes/p; s/^# CONFIG_INET_DIAG_DESTROY is not set$/no/p')
say destroy "$destroy"

if nft_there; then
  say gate nft
  say gate_owner "$(nft_owner)"
  nft_alive && say gate_alive yes
elif ! ipt_none; then
  for flavour in iptables-nft iptables-legacy; do
    ipt_pick "$flavour" && ipt_there || continue
    say gate "$flavour"
    say gate_owner "$(ipt_owner)"
    ipt_alive && say gate_alive yes
    break
  done
fi
say end yes
