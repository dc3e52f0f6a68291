//! `renew-certificates`: the certificates of a control plane that have ended are signed anew by the CA on their own host, with the same
//! key, names and usages.
//!
//! In rounds, each seen to be made before the next: CAs where that was asked for, then what trusts their old text on the host, then all
//! the others. In a round everything is signed before anything is replaced.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use self::judge::{Due, Verdict, Wish, judge, short, stale_trust, when};
use self::make::{Renewed, keeps, puts, signature, signs, splice};
use super::{Announced, Fault, Kind, Look, Scope, Step, StepError, Survey, Times, params, schema_of};
use crate::change::{Blob, Change, Expect, FilePut, Op, Part, Target};
use crate::duration::HumanDuration;
use crate::host::certificates::{self, Form, LAYOUT, Seen, Shown, Splice};
use crate::kit::Cluster;
use crate::kit::pem::age;
use crate::kit::reissue::Paper;

mod judge;
mod make;
#[cfg(test)]
mod tests;

const LOOK_LIMIT: Duration = Duration::from_secs(60);
/// A host's clock that is further from ours says nothing of what has ended.
const CLOCKS: Duration = Duration::from_hours(1);
/// What ends tonight is renewed with what has ended: they were all made in the same minute.
const SOON: HumanDuration = HumanDuration(Duration::from_hours(24));
/// Ten years: nobody means more.
const LONGEST: Duration = Duration::from_hours(24 * 3650);

/// The step kind.
pub(super) struct RenewCertificates;

/// Which of them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Params {
    /// What ends within this time is renewed with what has ended.
    #[serde(default = "soon")]
    within: HumanDuration,
    /// CAs that have ended are signed anew by their own keys, too, and the kubeconfigs of their host get the new text.
    #[serde(default)]
    ca: bool,
}

fn soon() -> HumanDuration {
    SOON
}

impl Kind for RenewCertificates {
    fn name(&self) -> &'static str {
        "renew-certificates"
    }

    fn doc(&self) -> &'static str {
        "Renews the certificates of a control plane that have ended, on its own hosts, in kubeadm's layout.\n\n\
         Reads the certificates of each host over SSH, says which have ended, and has the CA's key on that host sign each of them \
         anew: the same key, names and usages, with a new time as long as the old one; no key leaves its host. etcd's come first, then the API \
         server's, then the kubeconfigs of administrators and components. All are signed before one is replaced; what was there is kept in a folder beside. What \
         a server shows at its port is seen to be the new one: API servers and etcd read theirs again without a restart. With `ca`: \
         CAs that have ended, with their own keys. What cannot be renewed on the host (an external or foreign CA, an encrypted key, a symbolic link) is \
         said with what to type. One host at a time; costs no API request; restarts nothing. Undone to the same bytes."
    }

    fn scope(&self) -> Scope {
        Scope::ApiHosts
    }

    fn one_at_a_time(&self) -> bool {
        true
    }

    fn schema(&self) -> Value {
        schema_of::<Params>()
    }

    fn build(&self, with: Value) -> Result<Box<dyn Step>, Vec<Fault>> {
        let Params { within, ca } = params(with)?;
        if within.0 > LONGEST {
            return Err(vec![Fault::at("within", format!("{within}: take ten years at most"))]);
        }
        Ok(Box::new(Renewing { within, authorities: ca }))
    }
}

struct Renewing {
    within: HumanDuration,
    authorities: bool,
}

/// Where the static pods of a host are; `None`: it is no host of the kit.
fn manifests<'a>(target: &Target, cluster: &'a Cluster) -> Option<&'a str> {
    match &target.part {
        Part::Host(name) => Some(cluster.host(name)?.manifests.as_str()),
        _ => None,
    }
}

fn beside(run: &str, step: &str) -> String {
    format!("/etc/kubernetes/breakglass-{run}-{step}-certificates")
}

/// What renews the certificates where another distribution keeps them.
fn elsewhere(folder: &str) -> &'static str {
    match folder {
        "/var/lib/rancher/rke2" => "RKE2 renews its own as it starts: systemctl restart rke2-server",
        "/var/lib/rancher/k3s" => "k3s renews its own as it starts: systemctl restart k3s",
        "/var/snap/microk8s" => "MicroK8s: microk8s refresh-certs --cert server.crt",
        "/var/lib/k0s" => "k0s renews its own as it starts: systemctl restart k0scontroller",
        _ => "OpenShift's operators renew them: oc get csr; oc adm certificate approve",
    }
}

impl Renewing {
    async fn look(&self, look: Look<'_>) -> Result<Survey, StepError> {
        let none = || StepError::refused(format!("{} is not a host of the kit", look.target));
        let cluster = look.reads.cluster(&look.target.cluster).ok_or_else(none)?;
        let manifests = manifests(look.target, cluster).ok_or_else(none)?;
        let beside = beside(&look.mark.run, &(look.step + 1).to_string());
        let seen = look.reads.ask(look.target, &certificates::look(manifests, &beside), LOOK_LIMIT).await?;
        fit(look, &seen)?;
        let (now, since) = (look.history.now, look.history.since.unwrap_or(look.history.now));
        let wish = Wish { within: self.within.0, authorities: self.authorities, since, now };
        let judged = judge(&seen, &wish);
        let due: Vec<&Due> = judged
            .iter()
            .filter_map(|(_, verdict)| if let Verdict::Due(due) = verdict { Some(&**due) } else { None })
            .collect();
        let (authorities, others): (Vec<&Due>, Vec<&Due>) =
            due.iter().partition(|due| due.seen.item.form == Form::Authority);
        let mut survey = if authorities.is_empty() {
            let stale = if self.authorities { trusts(&seen, look, &beside) } else { Vec::new() };
            if stale.is_empty() {
                self.round(look, &seen, &others, &beside)?
            } else {
                Survey { changes: stale, ..Survey::default() }
            }
        } else {
            self.round(look, &seen, &authorities, &beside)?
        };
        if !survey.changes.is_empty() {
            survey.see(ended(&due, &wish));
            survey.see(judged.iter().filter_map(|(_, verdict)| match verdict {
                Verdict::Cannot(why, next) => Some(format!("cannot be renewed here: {why}: {next}")),
                Verdict::Good(_) | Verdict::Due(_) | Verdict::Left(_) => None,
            }));
            return Ok(survey);
        }
        self.end(look, cluster, &seen, &judged, &wish)
    }

    /// What has to be signed or put in its place of these; everything is signed before anything is put.
    fn round(
        &self,
        look: Look<'_>,
        seen: &certificates::Survey,
        due: &[&Due],
        beside: &str,
    ) -> Result<Survey, StepError> {
        let mut signed = Vec::new();
        let mut changes: Vec<Change> =
            keeps(due.iter().map(|due| &due.seen), seen, beside, (&look.mark.run, &look.mark.operator))
                .into_iter()
                .collect();
        for due in due {
            let refused = |why: String| StepError::refused(format!("{}: {}: {why}", look.target, due.seen.item.path));
            match signature(look.history, due).map_err(refused)? {
                Some(pem) => signed.push((*due, pem)),
                None => changes.push(signs(due, &look.mark.run).map_err(refused)?),
            }
        }
        if changes.is_empty() {
            changes.extend(signed.into_iter().map(|(due, pem)| puts(due, &pem, beside)));
        }
        Ok(Survey { changes, ..Survey::default() })
    }

    /// Nothing more can be written: whether the servers show what was, and what is left.
    fn end(
        &self,
        look: Look<'_>,
        cluster: &Cluster,
        seen: &certificates::Survey,
        judged: &[(Seen, Verdict)],
        wish: &Wish,
    ) -> Result<Survey, StepError> {
        let host = look.target.short();
        // As the host shows it: what a drill pretends is not there.
        let in_place = |one: &Renewed| {
            let file = seen.all.iter().find(|seen| seen.item.path == one.renewed);
            file.and_then(|file| Paper::one(&file.text).ok()).is_some_and(|paper| paper.sha256() == one.is)
        };
        let renewed: Vec<Renewed> = look.history.notes().map(|(_, note)| note).filter(in_place).collect();
        let mut survey = Survey::done();
        let names: Vec<&str> = renewed.iter().map(|one| short(&one.renewed)).collect();
        survey.see(restarts(&renewed, host));
        survey.see((!names.is_empty()).then(|| format!("renewed: {}", names.join(", "))));
        let (alone, mut proven) = (cluster.api_hosts().count() <= 1, Vec::new());
        for shown in &seen.shown {
            let Shown { path, address, .. } = shown;
            match proof(seen, shown, &renewed) {
                Proof::New => proven.push(address.as_str()),
                Proof::Old => {
                    return Ok(Survey::waiting(format!("{address} on {host} to show the new certificate of {path}")));
                }
                Proof::Nobody if alone => {
                    return Ok(Survey::waiting(format!(
                        "somebody to answer at {address} on {host}, with the new certificate of {path}"
                    )));
                }
                Proof::Nobody => survey.see([format!(
                    "nobody answers at {address} yet, which shows {}: where there are several hosts, etcd comes back once most have theirs",
                    short(path)
                )]),
                Proof::NotOurs => survey.see(stranger(shown, wish.now)),
            }
        }
        survey.see((!proven.is_empty()).then(|| format!("the new ones are shown at {}", proven.join(", "))));
        survey.see(judged.iter().filter_map(|(_, verdict)| match verdict {
            Verdict::Left(why) => Some(why.clone()),
            Verdict::Good(_) | Verdict::Due(_) | Verdict::Cannot(..) => None,
        }));
        let cannot: Vec<(&String, &String)> = judged
            .iter()
            .filter_map(|(_, verdict)| if let Verdict::Cannot(why, next) = verdict { Some((why, next)) } else { None })
            .collect();
        if let Some((_, next)) = cannot.first() {
            let all: Vec<&str> = cannot.iter().map(|(why, _)| why.as_str()).collect();
            let error = StepError::Refused {
                why: format!("{}: {}", look.target, all.join("; ")),
                hint: Some(format!(
                    "{}{next}; until then: breakglass recovery-apiserver start, and breakglass access",
                    if next.starts_with("breakglass") { String::new() } else { format!("on {host}: ") }
                )),
            };
            if renewed.is_empty() {
                return Err(error);
            }
            survey.fails = Some(error);
            return Ok(survey);
        }
        if renewed.is_empty() {
            let first = judged
                .iter()
                .filter_map(|(seen, verdict)| match verdict {
                    Verdict::Good(end) if seen.item.form != Form::Kubelet => Some((*end, short(seen.item.path))),
                    _ => None,
                })
                .min();
            survey.see(first.map(|(end, path)| {
                format!(
                    "none has ended; the first to end is {path}, on {end}, in {}",
                    age(end.duration_since(wish.now))
                )
            }));
        }
        Ok(survey)
    }
}

/// Why nothing can be done on this host at all.
fn fit(look: Look<'_>, seen: &certificates::Survey) -> Result<(), StepError> {
    let target = look.target;
    let refused = |why: String, hint: &str| {
        Err(StepError::Refused { why: format!("{target}: {why}"), hint: Some(hint.to_owned()) })
    };
    if let Some(folder) = &seen.distribution {
        let why = format!(
            "there is no {}, and {folder} is: another distribution keeps its certificates there",
            certificates::CLUSTER
        );
        return refused(why, &format!("on {}: {}", target.short(), elsewhere(folder)));
    }
    if seen.all.is_empty() {
        let why = format!("nothing of kubeadm's layout lies there, no {}", certificates::CLUSTER);
        return refused(
            why,
            &format!("on {}: ls -l /etc/kubernetes/pki; is it a host of the control plane?", target.short()),
        );
    }
    let ours = look.history.now;
    if let Some(theirs) = seen.now.and_then(|now| jiff::Timestamp::from_second(now).ok()) {
        let off = theirs.duration_since(ours);
        if off.unsigned_abs() > CLOCKS {
            let way = if off.is_negative() { "behind" } else { "ahead of" };
            let why = format!(
                "its clock says {theirs}, which is {} {way} ours ({ours}): what has ended there cannot be told",
                age(off.abs())
            );
            return refused(
                why,
                &format!("on {}: date -u; timedatectl; set the one that is wrong, and run it again", target.short()),
            );
        }
    }
    if seen.no_openssl {
        return refused(
            "it has no openssl, which signs".into(),
            "on the host: apt-get install openssl, or kubeadm certs renew all",
        );
    }
    Ok(())
}

/// The kubeconfigs of a host that trust the text of a CA which has ended, with the one that is there now.
fn trusts(seen: &certificates::Survey, look: Look<'_>, beside: &str) -> Vec<Change> {
    let configs = seen.all.iter().filter(|seen| seen.item.form == Form::Kubeconfig && seen.odd.is_none());
    let stale: Vec<(&Seen, Vec<u8>)> =
        configs.filter_map(|config| Some((config, stale_trust(seen, config, look.history.now)?))).collect();
    let kept = keeps(stale.iter().map(|(config, _)| *config), seen, beside, (&look.mark.run, &look.mark.operator));
    let changes = stale.iter().map(|(config, text)| splice(config, &config.authority_data, text, beside, "trust"));
    kept.into_iter().chain(changes).collect()
}

/// What has ended, in one sentence.
fn ended(due: &[&Due], wish: &Wish) -> Option<String> {
    let first = due.iter().min_by_key(|due| due.paper.not_after)?;
    let names: Vec<&str> = due.iter().map(|due| short(due.seen.item.path)).collect();
    let what = crate::words::count(due.len(), "certificate");
    Some(format!(
        "{what} to renew: {}; {} {}",
        names.join(", "),
        short(first.seen.item.path),
        when(&first.paper, wish.now)
    ))
}

enum Proof {
    New,
    Old,
    Nobody,
    /// It shows something that this step did not renew.
    NotOurs,
}

fn proof(seen: &certificates::Survey, shown: &Shown, renewed: &[Renewed]) -> Proof {
    let file = seen.all.iter().find(|seen| seen.item.path == shown.path).and_then(|seen| Paper::one(&seen.text).ok());
    let ours = |paper: &Paper| renewed.iter().any(|one| one.renewed == shown.path && one.is == paper.sha256());
    let Some(file) = file.filter(ours) else { return Proof::NotOurs };
    match Paper::all(&shown.text).ok().and_then(|all| all.into_iter().next()) {
        None => Proof::Nobody,
        Some(first) if first.der == file.der => Proof::New,
        Some(_) => Proof::Old,
    }
}

/// What is said of a server that shows a certificate which has ended and is none of the layout.
fn stranger(shown: &Shown, now: jiff::Timestamp) -> Option<String> {
    let paper = Paper::all(&shown.text).ok()?.into_iter().next().filter(|paper| paper.not_after <= now)?;
    let known = LAYOUT.iter().any(|item| item.path == shown.path);
    (!known).then(|| {
        format!(
            "{} shows {}, which {}: it is none of kubeadm's layout, and is renewed where it came from",
            shown.address,
            shown.path,
            when(&paper, now)
        )
    })
}

/// What does not take effect before somebody restarts something, and who has the old text of a CA elsewhere.
fn restarts(renewed: &[Renewed], host: &str) -> Vec<String> {
    let is = |path: &str| renewed.iter().any(|one| one.renewed == path);
    let mut all = Vec::new();
    if is(certificates::CLUSTER) {
        all.push(
            "the old CA has ended wherever else it is: kubeconfigs elsewhere, kubelets (kubelet.conf, then systemctl restart \
             kubelet), pods (the configmap kube-root-ca.crt, once kube-controller-manager has started anew), and this kit \
             (breakglass kit import NAME --replace)"
                .to_owned(),
        );
    }
    let programs: Vec<&str> = ["controller-manager", "scheduler"]
        .into_iter()
        .filter(|name| is(&format!("/etc/kubernetes/{name}.conf")) || is(certificates::CLUSTER))
        .collect();
    if !programs.is_empty() {
        // A run in short tells what stands before the colon.
        all.push(format!(
            "crictl stop $(crictl ps -q --name '{}') on {host}: they read theirs at a start only, and start again by themselves",
            programs.join("|")
        ));
    }
    if is(certificates::ETCD) {
        all.push(format!(
            "crictl stop $(crictl ps -q --name '^etcd$|kube-apiserver') on {host}: they read etcd's CA at a start only; one host after another"
        ));
    }
    all
}

impl Step for Renewing {
    fn intent(&self) -> String {
        let and = if self.authorities { ", CAs included" } else { "" };
        format!(
            "renew the control plane's certificates that have ended, or end within {}{and}, with the CAs on its hosts",
            self.within
        )
    }

    fn announce(&self, target: &Target, cluster: &Cluster) -> Vec<Announced> {
        let Some(manifests) = manifests(target, cluster) else { return Vec::new() };
        let beside = beside("<run>", "<step>");
        let every = Times::Every { interval: self.interval(), until: Duration::MAX };
        let open = |what: &str| what.to_owned();
        let files = [(open("<sha256>"), open("<path of each>"))];
        let keep = certificates::keep(&beside, &files[..], ("<run>", "<operator>"));
        let mut all = vec![
            Announced::look(
                certificates::look(manifests, &beside),
                every,
                "reads the certificates, never a key, and what the servers show",
            ),
            Announced::op(Op::order(keep), Times::AtMost(3), "keeps what is there, in a folder of its own"),
        ];
        for item in LAYOUT {
            let times = Times::Once;
            match item.form {
                Form::Authority if !self.authorities => {}
                Form::Kubelet => {}
                Form::Authority | Form::Pem | Form::Kubeconfig => {
                    let script = make::sign_script(item, "<the certificate's text with a new time>");
                    all.push(Announced::op(Op::order(script), times, "signs it, where it has ended"));
                    all.push(match item.form {
                        Form::Kubeconfig => {
                            let times = if self.authorities { Times::AtMost(2) } else { times };
                            let splice = Splice {
                                path: item.path.into(),
                                from: open("<what stands there>"),
                                to: open("<the new one>"),
                                sha256: open("<sha256 of the file>"),
                                beside: beside.clone(),
                            };
                            Announced::op(
                                Op::order(splice.there()),
                                times,
                                "puts it into the kubeconfig, and nothing else",
                            )
                        }
                        _ => {
                            let content = Some(Blob { sha256: open("<sha256 of the new one>"), len: 0, bytes: None });
                            let expect = Expect::Sha256(open("<sha256 of the old one>"));
                            let put = FilePut { path: item.path.into(), mode: 0o644, content, expect };
                            Announced::op(Op::File(put), times, "puts it in the place of the old one, in one step")
                        }
                    });
                }
            }
        }
        all
    }

    fn refuse(&self, target: &Target, cluster: &Cluster) -> Vec<String> {
        match manifests(target, cluster) {
            Some(_) => Vec::new(),
            None => vec!["certificates are renewed on their hosts, and this is none of the kit's".into()],
        }
    }

    fn survey<'a>(&'a self, look: Look<'a>) -> BoxFuture<'a, Result<Survey, StepError>> {
        self.look(look).boxed()
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }
}
