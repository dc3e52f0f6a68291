//! A recovery API server: a second, private kube-apiserver on a host's loopback, with no backlog and no memory of the drowned one.
//!
//! It is the host's own program with the host's own flags, but for what would make it a second one of the same, and goes straight to
//! etcd. It brings *writes* in; that the cluster acts on them still takes room at the main server. All that is its own stands in one
//! folder of `/run`. It ends by itself, whoever started it, and leaves nothing there.

mod flags;
mod seen;
mod text;

use std::fmt::Write as _;
use std::time::Duration;

use super::genuine::GENUINE;
use super::order::{Order as _, Query, order};
use super::program::{LISTENS, PROGRAM, TELLING};
use super::swap::{LAUNCH, LIB};
use crate::script::{HEAD, Script, quote};

pub use self::flags::{Etcd, Wish, flags};
pub use self::seen::{Died, Recovery, Seen, Standing};
pub use self::text::PROGRAM_NAME;
use self::text::{FOLDER, RUNNER, STAND, STORED};

/// The first port that is taken for one where none is named, and how many after it.
pub const PORTS: std::ops::Range<u16> = 16443..16463;
/// The longest that one can be there, however often its time is extended.
pub const MOST: Duration = Duration::from_hours(2);

order! {
    /// Looks at what a recovery API server would be made of, and at the one that stands.
    RecoverySurvey = "recovery.survey" { manifests: String } -> Seen, |_, stdout| seen::seen(stdout)
}

/// The script that looks at a host. It writes nothing.
pub fn survey(manifests: &str) -> Query<RecoverySurvey> {
    let manifests = manifests.trim_end_matches('/');
    let body = format!(
        r#"{GENUINE}{LIB}{LISTENS}{TELLING}{STAND}manifests={m}; p={PROGRAM_NAME}
tell
for x in $(processes "$p"); do
  say process "$(base64 <"/proc/${{x%%:*}}/cmdline" | tr -d '\n')"
done
for f in "$manifests"/*; do
  [ -f "$f" ] && grep -q -e "$p" -e hyperkube "$f" || continue
  say file "$f"
  say text "$(base64 <"$f" | tr -d '\n')"
done
say available "$(sed -n 's/^MemAvailable:[^0-9]*\([0-9]*\) kB$/\1/p' /proc/meminfo)"
n={first}; while [ "$n" -lt {last} ]; do if listens "$n"; then say taken "$n"; fi; n=$((n+1)); done
for x in $(cat /proc/[0-9]*/comm 2>/dev/null | grep -xE 'k3s|k3s-server|k0s|kubelite' | sort -u); do say runs "$x"; done
say end yes
"#,
        m = quote(manifests),
        first = PORTS.start,
        last = PORTS.end,
    );
    RecoverySurvey { manifests: manifests.to_owned() }.query(body)
}

order! {
    /// Looks at the recovery API server that stands.
    RecoveryStatus = "recovery.status" {} -> Standing, |_, stdout| seen::standing(stdout)
}

/// The script that looks whether one stands, and how it is. It writes nothing.
pub fn status() -> Query<RecoveryStatus> {
    RecoveryStatus {}.query(format!("{LISTENS}{TELLING}{STAND}tell\nsay end yes\n"))
}

/// One that is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Whose run.
    pub run: String,
    /// By whom.
    pub operator: String,
    /// Its port on 127.0.0.1; before the host was looked at, words in angle brackets.
    pub port: String,
    /// How long it is there, unless that is extended, in seconds.
    pub seconds: u64,
    /// Its flags, one word each.
    pub flags: Vec<String>,
    /// A file of the host that is its program; empty: that of the running process, else out of the image store.
    pub program: String,
    /// Files of the host that may be the program where nothing runs it: what its container has mounted.
    pub mounted: Vec<String>,
    /// The version that one out of the image store has to have; empty: any.
    pub version: String,
    /// The folder of the static pods.
    pub manifests: String,
    /// A client certificate that it takes beside those of the cluster, PEM; empty: none.
    pub own: String,
}

order! {
    /// Starts one.
    RecoveryStart = "recovery.start" {
        run: String, operator: String, port: String, seconds: u64, flags: String, program: String, mounted: String, version: String, manifests: String, own: String
    }
}

/// The script that starts one and comes back as soon as its certificate is made: a moment before it listens. It may be repeated.
pub fn start(start: &Start) -> Script {
    let etcd = flags::etcd(&start.flags);
    let files = flags::files(&start.flags);
    let clients = flags::clients(&start.flags);
    let mut body = format!(
        r#"{GENUINE}{LIB}{LAUNCH}{PROGRAM}{STORED}{LISTENS}{TELLING}{STAND}B=$D; p={PROGRAM_NAME}; manifests={manifests}; run={run}; port={port}
if [ -d "$D" ]; then
  # Somebody may be about to start one: what keeps it notes itself within a moment.
  i=0; while [ -z "$(one state)" ] && [ -d "$D" ] && [ "$i" -lt 50 ]; do nap; i=$((i+1)); done
  runner=$(one state); whose=$(one mark)
  if runs "$runner" runner && [ ! -f "$D/died" ]; then
    [ "$whose" != "$run" ] || {{ say started already; return 0; }}
    fail "a recovery API server of run $whose ($(sed -n 2p "$D/mark")) stands here already" 5
  fi
  stop_it
fi
! listens "$port" || fail "somebody listens on port $port of this host already" 3
"#,
        manifests = quote(start.manifests.trim_end_matches('/')),
        run = quote(&start.run),
        port = quote(&start.port),
    );
    for (name, file) in &files {
        let file = quote(file);
        let _ = writeln!(
            body,
            "[ -e {file} ] || fail \"--{name} of the API server names \"{file}, \", and there is no such file on this host; nothing was started\" 3"
        );
    }
    let _ = write!(
        body,
        r#"exe={program}
if [ -n "$exe" ]; then [ -x "$exe" ] || fail "$exe is no program of this host" 3
else
  for x in $(processes "$p"); do pid=${{x%%:*}}; exe=$(file_of "/proc/$pid"); [ -z "$exe" ] || break; done
  if [ -n "$exe" ]; then sub=$(sub "$pid"); else
    for f in {mounted}; do [ ! -f "$f" ] || [ ! -x "$f" ] || {{ exe=$f; break; }}; done
    [ -n "$exe" ] || exe=$(stored "$p" {version})
  fi
fi
[ -n "$exe" ] || fail "no process of $p runs here, and the runtime's image store has not just one "{version}"; name a file of the host with --program" 3
( umask 077; mkdir "$D" && mkdir "$D/cert" ) 2>/dev/null || fail "cannot make $D" 3
ln -s "$exe" "$D/$p"
up
printf '%s\n' "$run" {operator} "$port" "$u" >"$D/mark"
echo "$((u + {seconds}))" >"$D/until"
: >"$D/log"
[ -z "$sub" ] || printf '%s\n' "$sub" >"$D/flags"
printf '%s\n' {flags} >>"$D/flags"
: >"$D/theirs"; {theirs}
{own}ours || {{ rm -rf "$D"; fail "cannot write whom it knows to $D" 3; }}
cat >"$D/runner" <<'BREAKGLASS_RUNNER'
{HEAD}D={folder}; MOST={most}
{RUNNER}BREAKGLASS_RUNNER
[ "$(tail -n 1 "$D/runner")" = '# the end' ] || {{ rm -rf "$D"; fail "cannot write to $D (no room?); nothing was started" 3; }}
launch
[ -s "$D/state" ] || {{ rm -rf "$D"; fail "what keeps the server did not start" 6; }}
"#,
        program = quote(&start.program),
        mounted = start.mounted.iter().map(|file| quote(file)).collect::<Vec<_>>().join(" "),
        version = quote(&start.version),
        operator = quote(&super::swap::line(&start.operator)),
        seconds = start.seconds,
        flags = flags::known_by(&start.flags, &start.own).iter().map(|flag| quote(flag)).collect::<Vec<_>>().join(" "),
        theirs = clients.map_or_else(
            || ":".to_owned(),
            |file| format!("cat {0} >\"$D/theirs\" || {{ rm -rf \"$D\"; fail \"cannot read \"{0} 3; }}", quote(file))
        ),
        own = own(&start.own),
        folder = quote(FOLDER),
        most = MOST.as_secs(),
    );
    body.push_str(&asks_etcd(&etcd));
    body.push_str(
        r#"i=0; until grep -qs 'END CERTIFICATE' "$D/cert/apiserver.crt" || [ -f "$D/died" ] || [ "$i" -ge 200 ]; do nap; i=$((i+1)); done
say started yes
"#,
    );
    let order = RecoveryStart {
        run: start.run.clone(),
        operator: start.operator.clone(),
        port: start.port.clone(),
        seconds: start.seconds,
        flags: start.flags.join("\n"),
        program: start.program.clone(),
        mounted: start.mounted.join("\n"),
        version: start.version.clone(),
        manifests: start.manifests.clone(),
        own: start.own.clone(),
    };
    let minutes = start.seconds.div_ceil(60);
    order.script(body).words(format!("a private kube-apiserver on 127.0.0.1:{}, for {minutes} min", start.port))
}

/// Adds a client certificate to those that it takes; nothing where there is none.
fn own(pem: &str) -> String {
    if pem.is_empty() {
        return String::new();
    }
    format!("cat >>\"$D/own\" <<'BREAKGLASS_OWN'\n{}\nBREAKGLASS_OWN\n", pem.trim())
}

/// Asks etcd while the server starts: without it there is nothing to serve. A host without curl leaves that to the server.
fn asks_etcd(etcd: &Etcd) -> String {
    let option =
        |name: &str, file: &str| if file.is_empty() { String::new() } else { format!(" {name} {}", quote(file)) };
    let options = [option("--cacert", &etcd.ca), option("--cert", &etcd.cert), option("--key", &etcd.key)].concat();
    let web: Vec<String> = etcd.servers.split(',').filter(|at| at.starts_with("http")).map(quote).collect();
    if web.is_empty() {
        return String::new();
    }
    let hand = format!(
        "ETCDCTL_API=3 etcdctl --endpoints={} --cacert={} --cert={} --key={} endpoint health",
        etcd.servers, etcd.ca, etcd.cert, etcd.key
    );
    format!(
        r#"if have curl; then
  good=; said=
  for e in {urls}; do
    answer=$(curl -q -sS --noproxy '*' --max-time 5{options} "$e/health" 2>&1) && case $answer in *'"true"'*) good=1; break;; esac
    said="$said $e: $(printf '%s' "${{answer:-no answer}}" | tr '\n' ' ' | cut -c 1-200);"
  done
  [ -n "$good" ] || {{ stop_it; fail "etcd does not answer:$said it has to, before any API server can; look: "{hand} 6; }}
fi
"#,
        urls = web.join(" "),
        hand = quote(&hand),
    )
}

order! {
    /// Lets the one that stands be there longer.
    RecoveryExtend = "recovery.extend" { run: String, seconds: u64, own: String }
}

/// The script that lets the one of this run be there so much longer from now on, and take this client certificate, too, PEM, if it
/// is not empty.
pub fn extend(run: &str, seconds: u64, certificate: &str) -> Script {
    let body = format!(
        r#"{LISTENS}{TELLING}{STAND}[ -f "$D/mark" ] && runs "$(one state)" runner || fail "no recovery API server stands here any more" 4
[ "$(one mark)" = {run} ] || fail "the recovery API server here is of another run now: $(one mark)" 5
up; began=$(sed -n 4p "$D/mark"); until=$((u + {seconds})); was=$(one until)
[ "$until" -le "$((began + {most}))" ] || until=$((began + {most}))
[ "$until" -ge "${{was:-0}}" ] || until=$was
{own}{ours}echo "$until" >"$D/until.part" && mv -f "$D/until.part" "$D/until" || fail "cannot write $D/until" 3
tell
"#,
        run = quote(run),
        own = own(certificate),
        ours = if certificate.is_empty() { "" } else { "ours || fail \"cannot write whom it knows to $D\" 3\n" },
        most = MOST.as_secs(),
    );
    RecoveryExtend { run: run.to_owned(), seconds, own: certificate.to_owned() }.script(body)
}

order! {
    /// Ends the one of a run.
    RecoveryStop = "recovery.stop" { run: String }
}

/// The script that ends the one of this run, and takes its folder away. It may be repeated.
pub fn stop(run: &str) -> Script {
    let body = format!(
        r#"{LISTENS}{TELLING}{STAND}nap() {{ sleep 0.1 2>/dev/null || sleep 1; }}
[ -d "$D" ] || {{ say recovery absent; return 0; }}
whose=$(one mark)
[ -z "$whose" ] || [ "$whose" = {run} ] || fail "the recovery API server here is of another run now: $whose" 5
stop_it
[ ! -d "$D" ] || fail "cannot take $D away" 3
say recovery absent
"#,
        run = quote(run),
    );
    RecoveryStop { run: run.to_owned() }.script(body)
}

/// What a person types to see one on its host.
pub const BY_HAND: &str = "cat /run/breakglass-recovery/mark; tail -n 20 /run/breakglass-recovery/log";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;

    /// A store of a containerd with these versions of the program, each in a snapshot of its own.
    fn stored(versions: &[&str], wanted: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        for (number, version) in versions.iter().enumerate() {
            let snapshot = format!("io.containerd.snapshotter.v1.overlayfs/snapshots/{number}/fs/usr/local/bin");
            let folder = dir.path().join(snapshot);
            std::fs::create_dir_all(&folder).unwrap();
            let file = folder.join(PROGRAM_NAME);
            std::fs::write(&file, format!("#!/bin/sh\necho Kubernetes {version}\n")).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let root = quote(&dir.path().display().to_string());
        let text = format!("{STORED}stores() {{ echo {root}; }}\nstored {PROGRAM_NAME} {}\n", quote(wanted));
        let output = Command::new("sh").arg("-c").arg(text).output().unwrap();
        let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        path.rsplit("/snapshots/").next().and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned()
    }

    #[test]
    fn the_program_out_of_the_image_store_is_that_of_the_manifests_version_or_the_only_one() {
        assert_eq!(stored(&["v1.33.1", "v1.34.4"], "v1.34.4"), "1");
        assert_eq!(stored(&["v1.33.1", "v1.34.4"], "v1.35.0"), "", "a version that differs is none");
        assert_eq!(stored(&["v1.34.4", "v1.34.4"], ""), "0");
        assert_eq!(stored(&["v1.33.1", "v1.34.4"], ""), "", "nobody can tell which");
        assert_eq!(stored(&[], ""), "");
    }
}
