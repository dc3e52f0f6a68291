//! What of a host's certificates has ended, and whether the host itself can sign it anew. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::host::certificates::{self, Form, Key, Seen, Survey};
use crate::kit::pem::age;
use crate::kit::reissue::Paper;

/// A new one begins to be good so much earlier: no two clocks agree.
const BEFORE: SignedDuration = SignedDuration::from_hours(2);
/// One that would gain less is as good as it can be.
const GAIN: SignedDuration = SignedDuration::from_mins(1);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    /// What ends within this time has ended.
    pub(super) within: Duration,
    /// CAs, too.
    pub(super) authorities: bool,
    /// When the step began: from then on the new ones are good.
    pub(super) since: Timestamp,
    /// Now.
    pub(super) now: Timestamp,
}

/// One that is to be signed anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) seen: Seen,
    pub(super) paper: Paper,
    pub(super) authority: Paper,
    /// From when to when the new one is good.
    pub(super) time: (Timestamp, Timestamp),
}

/// What is known of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is good for long enough, until then.
    Good(Timestamp),
    /// It has ended, and can be signed anew.
    Due(Box<Due>),
    /// It has ended, and that cannot be helped here: why, and what to type.
    Cannot(String, String),
    /// It is left alone, and that is all that is to be said.
    Left(String),
}

/// A path as it is said: without what all have in common.
pub(super) fn short(path: &str) -> &str {
    path.strip_prefix("/etc/kubernetes/").unwrap_or(path)
}

/// What kubeadm calls it; `None`: it renews no such thing.
pub(super) fn kubeadm(path: &str) -> Option<String> {
    let name = short(path).trim_start_matches("pki/").trim_end_matches(".crt").replace('/', "-");
    let known = !path.starts_with("/var/") && !name.ends_with("ca") && name != "kubelet.conf";
    known.then(|| format!("kubeadm certs renew {name}"))
}

/// When it ended or ends, for a sentence.
pub(super) fn when(paper: &Paper, now: Timestamp) -> String {
    let (end, far) = (paper.not_after, |span| age(span));
    if paper.not_before > now {
        return format!("begins on {} only", paper.not_before);
    }
    if end <= now {
        return format!("ended on {end}, {} ago", far(now.duration_since(end)));
    }
    format!("ends on {end}, in {}", far(end.duration_since(now)))
}

/// Looks at each certificate that is there, in the order in which they are renewed.
pub(super) fn judge(survey: &Survey, wish: &Wish) -> Vec<(Seen, Verdict)> {
    survey.all.iter().map(|seen| (seen.clone(), one(survey, seen, wish))).collect()
}

fn one(survey: &Survey, seen: &Seen, wish: &Wish) -> Verdict {
    let name = short(seen.item.path);
    let kubelet = seen.item.form == Form::Kubelet;
    let all = Paper::all(&seen.text).unwrap_or_default();
    let several = (all.len() > 1).then(|| format!("a file with {} certificates", all.len()));
    let odd = seen.odd.clone().or(several);
    let Some(paper) = all.into_iter().next() else {
        let odd = odd.unwrap_or_else(|| "no certificate that can be read".into());
        return if kubelet {
            Verdict::Good(Timestamp::MAX)
        } else {
            Verdict::Left(format!("{name} is left alone: it is {odd}"))
        };
    };
    let end = wish.now.saturating_add(wish.within).unwrap_or(Timestamp::MAX);
    let begun = paper.not_before <= wish.now;
    if begun && paper.not_after > if kubelet { wish.now } else { end } {
        return Verdict::Good(paper.not_after);
    }
    if kubelet {
        return of_a_kubelet(name, &paper, wish.now);
    }
    if let Some(odd) = odd {
        let next = kubeadm(seen.item.path)
            .unwrap_or_else(|| format!("ls -l {0}; openssl x509 -noout -dates -in {0}", seen.item.path));
        return Verdict::Cannot(format!("{name} {}, and it is {odd}: it is left alone", when(&paper, wish.now)), next);
    }
    match anew(survey, seen, &paper, wish) {
        Ok(Some(due)) => Verdict::Due(Box::new(due)),
        Ok(None) => Verdict::Left(format!("{name} {}, and a new one would end no later", when(&paper, wish.now))),
        Err((why, next)) => Verdict::Cannot(format!("{name} {}, and {why}", when(&paper, wish.now)), next),
    }
}

/// A kubelet renews its own for as long as it is good; after that it needs a new one from a person.
fn of_a_kubelet(name: &str, paper: &Paper, now: Timestamp) -> Verdict {
    let node = paper.subject.rsplit("CN=").next().unwrap_or_default().split(',').next().unwrap_or_default().to_owned();
    Verdict::Left(format!(
        "{name} {}, and no kubelet is restarted from here: kubeadm kubeconfig user --org system:nodes --client-name {node} \
         >/etc/kubernetes/kubelet.conf; systemctl restart kubelet",
        when(paper, now)
    ))
}

/// Who signs, and why nobody can.
type Cannot = (String, String);

/// The new one that is due; `None`: it cannot be longer than it is.
fn anew(survey: &Survey, seen: &Seen, paper: &Paper, wish: &Wish) -> Result<Option<Due>, Cannot> {
    let item = seen.item;
    let itself = item.form == Form::Authority;
    let file = item.authority;
    let external = "have whoever holds the CA's key sign it, and copy it there".to_owned();
    let by_hand = kubeadm(item.path).unwrap_or_else(|| external.clone());
    let no = |why: String, next: &str| Err((why, next.to_owned()));
    let Some(of) = survey.all.iter().find(|seen| seen.item.path == file) else {
        return no(format!("its CA {file} is not on this host"), &external);
    };
    if let Some(odd) = &of.odd {
        return no(format!("its CA {file} is {odd}"), &by_hand);
    }
    let authority =
        Paper::one(&of.text).map_err(|why| (format!("its CA {file} cannot be used: {why}"), by_hand.clone()))?;
    if !paper.issued_by(&authority) {
        let why = if itself {
            format!("it is signed by {}, and not by itself", paper.issuer)
        } else {
            format!("{file} ({}) is not its CA: it was issued by {}", authority.subject, paper.issuer)
        };
        return no(why, &format!("openssl x509 -noout -issuer -in {}; look for where that CA lies", item.path));
    }
    if itself && !wish.authorities {
        return no("CAs are signed anew only when that is asked for".into(), "breakglass renew-certificates --ca");
    }
    if !itself && authority.not_after <= wish.now {
        let why = format!("its CA {} {}", short(file), when(&authority, wish.now));
        return no(why, "breakglass renew-certificates --ca");
    }
    let key = certificates::key_of(file);
    match &of.key {
        Key::Absent => {
            return no(format!("the key of its CA, {key}, is not on this host: an external CA signs here"), &external);
        }
        Key::Encrypted => {
            return no(
                format!("the key of its CA, {key}, is encrypted"),
                &format!("openssl pkey -in {key} asks for the passphrase; {by_hand}"),
            );
        }
        Key::Unread => {
            return no(format!("no key can be read out of {key}"), &format!("openssl pkey -noout -in {key}"));
        }
        Key::Public(public) if *public != authority.public_key => {
            return no(format!("{key} is not the key of {file}"), &external);
        }
        Key::Public(_) => {}
    }
    if !itself {
        let of_it = if item.form == Form::Kubeconfig { "in it".to_owned() } else { certificates::key_of(item.path) };
        match &seen.key {
            Key::Public(public) if *public == paper.public_key => {}
            Key::Public(_) => return no(format!("the key {of_it} is not that of this certificate"), &by_hand),
            Key::Absent => {
                return no(format!("its key ({of_it}) is not there, without which it is of no use"), &by_hand);
            }
            Key::Encrypted | Key::Unread => return no(format!("no key can be read {of_it}"), &by_hand),
        }
    }
    let from = wish.since.saturating_sub(BEFORE).unwrap_or(wish.since);
    let whole = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at);
    let long = paper.not_after.duration_since(paper.not_before).max(SignedDuration::from_hours(24));
    let until = wish.since.saturating_add(long).unwrap_or(Timestamp::MAX);
    let until = if itself { until } else { until.min(authority.not_after) };
    if paper.not_before <= wish.now && until.duration_since(paper.not_after) < GAIN {
        return Ok(None);
    }
    Ok(Some(Due { seen: seen.clone(), paper: paper.clone(), authority, time: (whole(from), whole(until)) }))
}

/// A kubeconfig that trusts a CA which has ended, and that CA as it is now, where they are the same but for the time.
pub(super) fn stale_trust(survey: &Survey, seen: &Seen, now: Timestamp) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let embedded = base64::engine::general_purpose::STANDARD.decode(&seen.authority_data).ok()?;
    let old = Paper::one(&embedded).ok().filter(|old| old.not_after <= now)?;
    let of = survey.all.iter().find(|it| it.item.path == certificates::CLUSTER && it.odd.is_none())?;
    let new = Paper::one(&of.text).ok()?;
    (new.not_after > now && new.succeeds(&old)).then(|| of.text.clone())
}
