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

