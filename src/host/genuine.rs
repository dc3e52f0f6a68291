//! Which processes of a host are its control plane's: a name alone is anybody's to take.

/// `genuine PID NAME`: whether a process is the host's own or its control plane's, and not one that only has the name.
///
/// A pod on the host's network can call itself `etcd`, and so can any login of the host. What counts is whose it is: root's
/// outside of the pods, a static pod's under whatever user its manifest says, or that of a unit of its name. A static pod's
/// id is a hash without dashes; where a manifest gives it one with dashes, the manifest says so. `$manifests` are the
/// folders of static pods.
///
/// `called PID`: the base name of a process's program, as its first word says. `hyperkube` has all components in one file and is
/// told by its second word. A recovery API server is called nothing: it is no part of the host's control plane.
pub(super) const GENUINE: &str = r#"called() {
  tr '\000' '\n' 2>/dev/null <"/proc/$1/cmdline" | sed -n -e '1{/^\/run\/breakglass-recovery\//q;s/ .*//;s/^.*\///;/^hyperkube$/!{p;q;};}' -e '2{s/^.*\///;/^kube/!s/^/kube-/;p;q;}'
}
# The id of the pod that a process is in; nothing for one that is in none, or in the same as all the rest that is seen here.
pod_of() { sed -n 's/^[^:]*:[^:]*:\(.*\)$/\1/p' "/proc/$1/cgroup" 2>/dev/null | grep -v '/user\.slice/' | grep -o 'pod[0-9a-f]\{8\}[-_0-9a-f]\{24,28\}' | sed -n '1s/^pod//p' | tr _ -; }
genuine() {
  pod=
  if grep -qs pod "/proc/$1/cgroup"; then
    pod=$(pod_of "$1")
    [ "$pod" != "$(pod_of 1)" ] || pod=
  fi
  case $pod in
  '') ;;
  *-*)
    for folder in ${manifests:-/etc/kubernetes/manifests}; do
      grep -qs -e "$pod" "$folder"/*.yaml "$folder"/*.yml "$folder"/*.json && return 0
    done
    return 1
    ;;
  *) return 0 ;;
  esac
  uid=$(sed -n 's/^Uid:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status" 2>/dev/null)
  # Who is not root can be taken in by his own processes only.
  if [ "$uid" = 0 ] || [ "$uid" = "$(id -u)" ]; then return 0; fi
  grep -qs "^[^:]*:[^:]*:/system\.slice/$2[^/]*\.service\$" "/proc/$1/cgroup"
}
"#;
