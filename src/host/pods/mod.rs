//! The pods of a workload on one host, found and frozen there, without the API and without a runtime's own tools.
//!
//! A pod is frozen as a whole, by the group of all its processes: no process of it runs, and none that its kubelet starts in there does.
//! Nothing is ended by that. It ends by itself, whoever made it, and leaves nothing on the host.

mod network;
mod seen;
#[cfg(test)]
mod tests;
mod text;

use std::fmt::Write as _;
use std::time::Duration;

use super::order::{Order as _, Query, order};
use super::swap::LAUNCH;
use crate::script::{HEAD, Script, quote};

pub use self::network::{From, PodsNetwork, Sender, network};
pub use self::seen::{Frozen, Pod, Seen};
pub use self::text::FIND;
use self::text::{FOLDERS, RUNNER, STAND};

/// The longest that pods can be frozen at a time.
pub const MOST: Duration = Duration::from_hours(24);
/// How long an order waits for them to come to rest.
const RESTS: u32 = 100;

/// Which pods: those of a namespace whose names have one of these forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// Whose, as it can be typed.
    pub object: String,
    /// The namespace.
    pub namespace: String,
    /// Patterns of a shell, of letters, digits, dots, dashes and brackets alone.
    pub forms: Vec<String>,
}

impl Which {
    /// `$NS`, and the function that knows the names.
    fn sh(&self) -> String {
        let fits = |form: &&String| form.chars().all(|c| c.is_ascii_alphanumeric() || "-.[]".contains(c));
        let forms: Vec<&str> = self.forms.iter().filter(fits).map(String::as_str).collect();
        let names = if forms.is_empty() { "''".to_owned() } else { forms.join(" | ") };
        format!("NS={}\nis_one() {{ case $1 in {names}) return 0 ;; esac; return 1; }}\n", quote(&self.namespace))
    }

    fn told(&self) -> String {
        self.forms.join(" ")
    }
}

order! {
    /// Looks for pods, and for what freezes stand.
    PodsLook = "pods.look" { namespace: String, forms: String } -> Seen, |_, stdout| seen::seen(stdout)
}

/// The script that looks for pods on a host, how they are, and what freezes stand there. It writes nothing.
pub fn look(which: &Which) -> Query<PodsLook> {
    let body = format!(
        r#"{}{FIND}{STAND}{EACH}[ -d /var/log/pods ] || say logs none
all=$(groups)
pods | while read -r uid name; do
  freezer "$uid"
  frozen=no; if [ -n "$h" ] && rests "$h" "$g"; then frozen=yes; fi
  # A pod that has ended has left its logs, and no process.
  if [ -n "$h" ]; then say pod "$uid $name $h $frozen"; elif [ -n "$(group 2 "$uid")" ]; then say pod "$uid $name 0 no"; fi
done
say end yes
"#,
        which.sh()
    );
    let words = format!("the pods of {}", which.object);
    PodsLook { namespace: which.namespace.clone(), forms: which.told() }.query(body).words(words)
}

/// Tells of each freeze.
const EACH: &str = r#"for D in /run/breakglass-frozen-*; do [ ! -f "$D/mark" ] || tell; done
"#;

order! {
    /// Looks at the freezes that stand.
    PodsFrozen = "pods.frozen" {} -> Vec<Frozen>, |_, stdout| seen::frozen(stdout)
}

/// The script that looks at the freezes that stand on a host, whoever made them. It writes nothing.
pub fn frozen() -> Query<PodsFrozen> {
    PodsFrozen {}.query(format!("{FIND}{STAND}{EACH}say end yes\n"))
}

/// One freeze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Whose run.
    pub run: String,
    /// Which of its steps.
    pub step: String,
    /// By whom.
    pub operator: String,
    /// Why, in the operator's words.
    pub reason: String,
    /// Which pods.
    pub which: Which,
    /// How long, in seconds.
    pub seconds: u64,
}

impl Freeze {
    /// Its folder on the host.
    pub fn folder(&self) -> String {
        folder(&self.run, &self.step)
    }
}

fn folder(run: &str, step: &str) -> String {
    format!("{FOLDERS}{run}-{step}")
}

order! {
    /// Freezes pods, and those that come.
    PodsFreeze = "pods.freeze" {
        folder: String, run: String, operator: String, reason: String, object: String, namespace: String, forms: String, seconds: u64
    }
}

/// The script that freezes pods and comes back when they are at rest. It may be repeated.
pub fn freeze(one: &Freeze) -> Script {
    let (folder, find) = (one.folder(), format!("{}{FIND}", one.which.sh()));
    let line = |text: &str| quote(&super::swap::line(text));
    let mut body = format!(
        r#"{find}{STAND}{LAUNCH}D={folder}
[ -d /var/log/pods ] || fail "there is no /var/log/pods here: no kubelet keeps the logs of its pods there" 3
if [ -f "$D/mark" ] && [ -z "$(runs a)$(runs b)" ]; then let_go; fi
if [ ! -f "$D/mark" ]; then
  rm -rf "$D"
  ( umask 077; mkdir "$D" "$D/a" "$D/b" ) 2>/dev/null || fail "cannot make $D" 3
  up
  : >"$D/held"
  echo "$((u + {seconds}))" >"$D/until"
"#,
        folder = quote(&folder),
        seconds = one.seconds,
    );
    for keeper in ["a", "b"] {
        let _ = write!(
            body,
            r#"  cat >"$D/{keeper}/runner" <<'BREAKGLASS_RUNNER'
{HEAD}D={folder}; B=$D/{keeper}
{find}{STAND}{RUNNER}BREAKGLASS_RUNNER
  [ "$(tail -n 1 "$D/{keeper}/runner")" = '# the end' ] || {{ rm -rf "$D"; fail "cannot write to $D (no room?); nothing was frozen" 3; }}
"#,
            folder = quote(&folder),
        );
    }
    let _ = write!(
        body,
        r#"  cat >"$D/thaw" <<'BREAKGLASS_THAW'
{HEAD}D={folder}
{FIND}{STAND}let_go
BREAKGLASS_THAW
  printf '%s\n' {run} {operator} {object} {reason} "$u" >"$D/mark" && [ "$(line mark 5)" = "$u" ] ||
    {{ rm -rf "$D"; fail "cannot write to $D (no room?); nothing was frozen" 3; }}
  # What ends it is there before anything is frozen.
  for k in b a; do
    B=$D/$k; launch
    [ -s "$B/state" ] || {{ let_go; fail "what keeps it and ends it did not start; nothing is frozen" 6; }}
  done
fi
i=0; while [ "$i" -lt {RESTS} ]; do
  all=$(groups)
  said=$(pods | while read -r uid x; do freezer "$uid"; [ -z "$h" ] || {{ rests "$h" "$g" && echo yes || echo no; }}; done)
  case $said in *no*) ;; *) break ;; esac
  nap; i=$((i+1))
done
say pods "$(printf '%s\n' "$said" | grep -c .)"
say frozen "$(printf '%s\n' "$said" | grep -c yes)"
"#,
        folder = quote(&folder),
        run = line(&one.run),
        operator = line(&one.operator),
        object = line(&one.which.object),
        reason = line(&one.reason),
    );
    let minutes = one.seconds.div_ceil(60);
    PodsFreeze {
        folder,
        run: one.run.clone(),
        operator: one.operator.clone(),
        reason: one.reason.clone(),
        object: one.which.object.clone(),
        namespace: one.which.namespace.clone(),
        forms: one.which.told(),
        seconds: one.seconds,
    }
    .script(body)
    .words(format!("the pods of {}, for {minutes} min", one.which.object))
}

order! {
    /// Takes a freeze back.
    PodsThaw = "pods.thaw" { folder: String, object: String }
}

/// The script that takes a freeze back. It may be repeated.
pub fn thaw(one: &Freeze) -> Script {
    let folder = one.folder();
    let body = format!(
        r#"{FIND}{STAND}D={}
[ -d "$D" ] || {{ say thawed absent; return 0; }}
all=$(held)
let_go
[ ! -d "$D" ] || fail "cannot take $D away" 3
left=$(printf '%s\n' "$all" | while read -r h g; do [ -z "$g" ] || [ ! -d "$g" ] || ! asked "$h" "$g" || echo "$g"; done)
[ -z "$left" ] || fail "frozen still: $left" 3
say thawed "$(printf '%s\n' "$all" | grep -c .)"
"#,
        quote(&folder)
    );
    PodsThaw { folder, object: one.which.object.clone() }
        .script(body)
        .words(format!("the pods of {}", one.which.object))
}

/// What a person types on the host to take a freeze back.
pub fn by_hand(folder: &str) -> String {
    format!("sh {}/thaw", crate::shell::word(folder))
}
