//! What runs on the host, as sh.

pub(super) const LIB: &str = r#"sum() { sha256sum 2>/dev/null <"$1" | cut -d ' ' -f 1; }
"#;

/// Looks at certificates, at the public halves of their keys, and at what the servers show; `$M` the folder of the static pods, `$B`
/// the folder beside. No key leaves the host: what is printed of a file that has one is certificates alone.
pub(super) const LOOKS: &str = r#"E=/etc/kubernetes
say now "$(date +%s)"
have openssl || say openssl missing
if [ ! -e "$E/pki/ca.crt" ] && [ ! -L "$E/pki/ca.crt" ]; then
  for d in /var/lib/rancher/rke2 /var/lib/rancher/k3s /var/snap/microk8s /var/lib/k0s /etc/kubernetes/static-pod-resources; do
    [ -d "$d" ] && { say distribution "$d"; break; }
  done
fi
# As `say`, of what has no line break in it.
put() { printf '%s=%s\n' "$1" "$2"; }
# The public half of the key on standard input; nothing where it is none.
public() { openssl pkey -passin pass: -pubout -outform DER 2>/dev/null | base64 | tr -d '\n'; }
certificates() { put text "$(sed -n '/-----BEGIN CERTIFICATE-----/,/-----END CERTIFICATE-----/p' "$1" | head -c 65536 | base64 | tr -d '\n')"; }
# Says what a file is where it is none to work on; 2: it is not there at all.
plain() {
  [ -e "$1" ] || [ -L "$1" ] || return 2
  put file "$1"
  if [ -L "$1" ]; then say odd "a symbolic link to $(readlink "$1")"; return 1; fi
  if [ ! -f "$1" ]; then put odd 'no file'; return 1; fi
  if [ ! -r "$1" ]; then put odd 'a file that cannot be read'; return 1; fi
  if [ ! -s "$1" ]; then put odd 'an empty file'; return 1; fi
  if [ ! -w "${1%/*}" ]; then put odd "a file in ${1%/*}, where nothing can be written (see: findmnt -T ${1%/*})"; return 1; fi
  x=$(stat -c '%a %s' "$1")
  if [ "${x#* }" -gt 65536 ]; then put odd 'a file of more than 64 KiB'; return 1; fi
  put mode "${x% *}"
  x=$(sha256sum <"$1") && put sha256 "${x%% *}"
}
file() {
  plain "$1" 2>/dev/null || { [ $? = 2 ] || [ ! -f "$1" ] || certificates "$1"; return 0; }
  if grep -q 'PRIVATE KEY' "$1"; then put odd 'a file with a private key in it'; certificates "$1"; return 0; fi
  put text "$(base64 <"$1" | tr -d '\n')"
  k=${1%.crt}.key
  if [ ! -f "$k" ]; then put key absent; return 0; fi
  p=$(public <"$k" 2>/dev/null)
  if [ -z "$p" ]; then p=unread; ! grep -q ENCRYPTED "$k" 2>/dev/null || p=encrypted; fi
  put key "$p"
}
value() { sed -n 's/^[[:space:]]*\(- \)*'"$2"':[[:space:]]*["'\'']*\([A-Za-z0-9+/=]\{1,\}\)["'\'']*[[:space:]]*$/'"$3"'\2/p' "$1"; }
values() {
  n=0; m=0; c=; a=
  # Certificates alone: what stands here can come to lie in a file of the shell's own.
  while read -r x v; do
    case $x in c) n=$((n + 1)); c=$v ;; a) m=$((m + 1)); a=$v ;; esac
  done <<BREAKGLASS_VALUES
$(value "$1" client-certificate-data 'c '; value "$1" certificate-authority-data 'a ')
BREAKGLASS_VALUES
  case $n in
  1) put data "$c" ;;
  0) put odd 'a kubeconfig without a certificate of its own in one line' ;;
  *) put odd "a kubeconfig with $n certificates" ;;
  esac
  [ "$m" != 1 ] || put authority "$a"
}
config() {
  plain "$1" 2>/dev/null || { [ $? = 2 ] || [ ! -f "$1" ] || values "$1"; return 0; }
  values "$1"
  p=$(value "$1" client-key-data '' | sed 1q | base64 -d 2>/dev/null | public)
  if [ -z "$p" ]; then
    p=unread
    if ! grep -q client-key-data "$1"; then p=absent
    elif value "$1" client-key-data '' | sed 1q | base64 -d 2>/dev/null | grep -q ENCRYPTED; then p=encrypted; fi
  fi
  put key "$p"
}
# Only told of.
kubelet() {
  [ -f "$1" ] && [ -r "$1" ] || return 0
  put file "$1"
  case $1 in
  *.conf) values "$1" ;;
  *) certificates "$1" ;;
  esac
}
kept() {
  for x in "$B"/*; do
    case $x in *.part | */mark) ;; *) [ -f "$x" ] && put kept "$(sum "$x") ${x##*/}" ;; esac
  done
}
flag() { sed -e '/^[[:space:]]*#/d' -e 's/[[:space:]]#.*//' "$M/$1.yaml" 2>/dev/null | sed -n 's/^.*--'"$2"'[= ]["'\'']*\([^ "'\'',]*\).*$/\1/p' | sed 1q; }
shown() {
  [ -n "$1" ] && [ -n "$2" ] || return 0
  t=$(timeout -s KILL 5 openssl s_client -connect "$2" </dev/null 2>/dev/null | sed -n '/-----BEGIN CERTIFICATE-----/,/-----END CERTIFICATE-----/p' | base64 | tr -d '\n')
  put shown "$1 $2 $t"
}
servers() {
  have openssl && have timeout || return 0
  for x in server:listen-client-urls:cert-file peer:listen-peer-urls:peer-cert-file; do
    u=${x#*:}; u=$(flag etcd "${u%%:*}"); u=${u#https://}
    shown "$(flag etcd "${x##*:}")" "${u%/}"
  done
  [ -f "$M/kube-apiserver.yaml" ] || return 0
  a=$(flag kube-apiserver bind-address); p=$(flag kube-apiserver secure-port)
  case $a in '' | 0.0.0.0 | ::) a=127.0.0.1 ;; *:*) a="[$a]" ;; esac
  shown "$(flag kube-apiserver tls-cert-file)" "$a:${p:-6443}"
}
"#;

/// Copies files into the folder beside; `@FILES` are SHA-256 and path, one a line.
pub(super) const KEEP: &str = r#"( umask 077 && mkdir -p "$B" ) 2>/dev/null || fail "cannot make $B (disk full, or read-only?); nothing was changed" 3
chmod 700 "$B"
made=
none() { rm -f "$B"/*.part; for n in $made; do rm -f "$B/$n"; done; rmdir "$B" 2>/dev/null; fail "$1" "$2"; }
while read -r s f; do
  n=$(printf '%s' "${f#/}" | tr / _)
  [ -f "$B/$n" ] && continue
  [ ! -L "$f" ] && [ "$(sum "$f")" = "$s" ] || none "$f is not what was seen before: somebody else has changed it" 4
  cp -p "$f" "$B/$n.part" 2>/dev/null && [ "$(sum "$B/$n.part")" = "$s" ] && mv -f "$B/$n.part" "$B/$n" ||
    none "cannot write $B/$n (disk full?); nothing was changed" 3
  made="$made $n"
done <<'BREAKGLASS_FILES'
@FILES
BREAKGLASS_FILES
@MARKsync
say kept "$B"
"#;

/// Takes copies away of files that are what they were. One that is the only one of its text stays.
pub(super) const KEEP_AWAY: &str = r#"[ -d "$B" ] || { say kept none; return 0; }
rm -f "$B"/*.part
while read -r s f; do
  n=$(printf '%s' "${f#/}" | tr / _)
  [ -f "$B/$n" ] || continue
  [ "$(sum "$f")" = "$(sum "$B/$n")" ] || fail "$f is not what it was before the run, and that text is kept in $B/$n" 4
  rm -f "$B/$n"
done <<'BREAKGLASS_FILES'
@FILES
BREAKGLASS_FILES
# The mark is there for the copies.
[ "$(ls -A "$B")" != mark ] || rm -f "$B/mark"
rmdir "$B" 2>/dev/null
say kept none
"#;

/// Signs; `$K` the CA's key, `@TEXT` what is signed, base64. The key is read by openssl alone.
pub(super) const SIGNS: &str = r#"have openssl || fail "the host has no openssl" 3
[ -f "$K" ] || fail "there is no $K on this host" 3
T=$(umask 077; mktemp -d /run/breakglass-sign.XXXXXX) || fail "cannot make a folder in /run" 3
trap 'rm -rf "$T"' EXIT
trap 'exit 129' HUP INT TERM PIPE
base64 -d >"$T/text" <<'BREAKGLASS_TEXT' || fail "the text cannot be written to $T" 3
@TEXT
BREAKGLASS_TEXT
err=$(openssl dgst -sha256 -sign "$K" -passin pass: -out "$T/signed" "$T/text" 2>&1 </dev/null) ||
  fail "openssl did not sign: $(printf '%s' "$err" | tail -n 2 | tr '\n' ' ' | cut -c 1-300)" 3
base64 <"$T/signed" | tr -d '\n' | fold -w 600 | while IFS= read -r line || [ -n "$line" ]; do say signature "$line"; done
say signed yes
"#;

/// Puts `$to` in the place of `$from` in the kubeconfig `$F`, or back; `$plain` is its SHA-256 with `$from` in it, `$B/$N` where it is written first.
///
/// What stands in the file is base64, in which no character means anything to sed. That the file with the old value is to the
/// byte what it was is seen before each rename, whichever way it goes.
pub(super) const SPLICES: &str = r#"swap() { sed "s|$1|$2|" "$F"; }
of() { sha256sum | cut -d ' ' -f 1; }
[ ! -L "$F" ] || fail "$F is a symbolic link; nothing was changed" 3
if [ "$(sum "$F")" = "$plain" ]; then is=plain
elif [ "$(swap "$to" "$from" | of)" = "$plain" ]; then is=new
else fail "$F is not what was seen before: somebody else has changed it" 4; fi
if [ $back = yes ]; then wanted=plain; a=$to; z=$from; else wanted=new; a=$from; z=$to; fi
if [ $is = $wanted ]; then say is $is; return 0; fi
( umask 077 && mkdir -p "$B" ) 2>/dev/null
cp -p "$F" "$B/$N.part" 2>/dev/null && swap "$a" "$z" >"$B/$N.part" || { rm -f "$B/$N.part"; fail "cannot write $B/$N.part (disk full?); nothing was changed" 3; }
s=$(sed "s|$to|$from|" "$B/$N.part" | of)
[ "$s" = "$plain" ] && [ "$(sum "$B/$N.part")" != "$(sum "$F")" ] || { rm -f "$B/$N.part"; fail "the value could not be put into $F by itself; nothing was changed" 3; }
sync "$B/$N.part" 2>/dev/null || sync
# Once more, as late as can be.
if [ $is = plain ]; then s=$(sum "$F"); else s=$(swap "$to" "$from" | of); fi
[ "$s" = "$plain" ] || { rm -f "$B/$N.part"; fail "$F was changed by somebody else just now" 4; }
mv -f "$B/$N.part" "$F" || { rm -f "$B/$N.part"; fail "cannot rename into ${F%/*}; nothing was changed" 3; }
sync "${F%/*}" 2>/dev/null || sync
say is $wanted
"#;
