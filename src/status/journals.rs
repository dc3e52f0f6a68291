//! What the journals here say that stands: each run's changes that were made, or perhaps made, and not taken back.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Back, Ends, Kind, NotKnown, Place, Seen, Stands, objects};
use crate::change::{Inverse, Method, Op, Target};
use crate::duration::HumanDuration;
use crate::host::authorizers::AuthorizersPut;
use crate::host::certificates::{CertificatesKeep, CertificatesSplice, LAYOUT};
use crate::host::credentials::CredentialsSign;
use crate::host::gate::{GateArm, GateClose, GateOpen, GateRenew};
use crate::host::jail::JailPut;
use crate::host::order::Order as _;
use crate::host::pods::PodsFreeze;
use crate::host::recovery::{RecoveryExtend, RecoveryStart};
use crate::host::rescue::{ManifestMove, ManifestReplace};
use crate::host::swap::{ManifestFolder, ManifestMend, ManifestSwap};
use crate::journal::{self, ChangeRecord, Header, Identity, Run, RunFolder, Store, StoreError};
use crate::script::Script;

/// What all journals of a store say.
#[derive(Debug, Default)]
pub struct Journals {
    /// What stands by them.
    pub stands: Vec<Stands>,
    /// Those that could not be read.
    pub not_known: Vec<NotKnown>,
    /// The folders of those that were counted on.
    pub folders: Vec<RunFolder>,
}

/// Reads all journals. `clusters`: those that are looked at; one that only has the name of such a one is another.
///
/// # Errors
/// When the folder of the runs cannot be read.
pub fn read(store: &Store, clusters: &[Identity], now: Timestamp) -> Result<Journals, StoreError> {
    let mut all = Journals::default();
    for id in store.runs()? {
        let run = store.open(&id).map_err(|error| error.to_string()).and_then(|folder| {
            let glance = journal::glance(&folder).map_err(|error| error.to_string())?;
            if glance.stands == 0 || glance.header.drill || glance.header.is_practice() {
                return Ok(None);
            }
            let mut run = journal::read(&folder).map_err(|error| error.to_string())?.run;
            // Which mark a request leaves stands in its body. Where that is lost, what it did is told all the same.
            for record in run.changes.values_mut() {
                if matches!(record.change.op, Op::Kube(_)) {
                    let _ = folder.fill(&mut record.change.op);
                }
            }
            Ok(Some((folder, run)))
        });
        match run {
            Ok(None) => {}
            Ok(Some((folder, run))) => {
                all.stands.extend(of(&run, clusters, now));
                all.folders.push(folder);
            }
            Err(why) => {
                all.not_known.push(NotKnown {
                    cluster: None,
                    host: None,
                    what: format!("what stands of run {id}"),
                    why,
                });
            }
        }
    }
    Ok(all)
}

/// What tells one thing from another within a run.
type Which = (String, Place, Kind, String);

/// What stands of a run, one for each thing: the four changes of an exchange are one.
fn of(run: &Run, clusters: &[Identity], now: Timestamp) -> Vec<Stands> {
    let folders = folders(run);
    let mut groups: BTreeMap<Which, Vec<&ChangeRecord>> = BTreeMap::new();
    for record in run.standing().filter(|record| !record.needs_no_undo() || until(record, now).is_some()) {
        let (place, kind, part) = sort(record, &run.header.run, &folders);
        groups.entry((record.target.cluster.clone(), place, kind, part)).or_default().push(record);
    }
    let one = |((cluster, place, kind, part), records): (Which, Vec<&ChangeRecord>)| {
        let perhaps = if records.iter().all(|record| record.state.is_open()) { ", perhaps" } else { "" };
        Stands {
            cluster: label(&run.header, cluster, clusters),
            what: format!("{}{perhaps}", what(kind, &part, &records)),
            place,
            kind,
            part,
            run: run.header.run.clone(),
            operator: Some(run.header.operator.clone()),
            about: run.header.reason.clone().unwrap_or_default(),
            since: records.iter().map(|record| record.intended_at).min(),
            ends: records.iter().find_map(|record| until(record, now)),
            seen: Seen::Journal,
            back: back(&records),
        }
    };
    folded(groups.into_iter().map(one).collect())
}

/// So many alike are told one by one.
const TOLD: usize = 3;

/// What was done alike to many objects of a sort and leaves no mark is one thing: a label on five hundred nodes.
fn folded(all: Vec<Stands>) -> Vec<Stands> {
    let sort = |one: &Stands| match &one.place {
        Place::Object(name) if one.kind == Kind::Unmarked => name.split_once('/').map(|(sort, _)| sort.to_owned()),
        Place::Object(_) | Place::Host(_) | Place::Elsewhere => None,
    };
    let mut alike: Vec<Vec<Stands>> = Vec::new();
    for one in all {
        let is = |first: &Stands| {
            sort(&one).is_some()
                && sort(first) == sort(&one)
                && (&first.cluster, &first.what, &first.back) == (&one.cluster, &one.what, &one.back)
        };
        match alike.iter_mut().find(|group| is(&group[0])) {
            Some(group) => group.push(one),
            None => alike.push(vec![one]),
        }
    }
    let told = |group: Vec<Stands>| -> Vec<Stands> {
        if group.len() <= TOLD {
            return group;
        }
        let since = group.iter().filter_map(|one| one.since).min();
        let place = Place::Object(format!("{} and {} more", group[0].place.name(), group.len() - 1));
        group.into_iter().take(1).map(|one| Stands { place: place.clone(), since, ..one }).collect()
    };
    alike.into_iter().flat_map(told).collect()
}

/// The cluster's name, with what tells it from the one of that name that is looked at.
fn label(header: &Header, cluster: String, clusters: &[Identity]) -> String {
    let then = header.identities.iter().find(|then| then.cluster == cluster);
    let now = clusters.iter().find(|now| now.cluster == cluster);
    match then.zip(now).and_then(|(then, now)| then.differs(now, &[])) {
        Some(_) => format!("{cluster} (another of that name, of {})", header.kit),
        None => cluster,
    }
}

fn order(record: &ChangeRecord) -> Option<&Script> {
    match &record.change.op {
        Op::Host(command) => Some(&command.script),
        Op::Kube(_) | Op::File(_) | Op::Http(_) | Op::Local(_) => None,
    }
}

/// The folder in which each step works on a host.
fn folders(run: &Run) -> BTreeMap<(&Target, usize), String> {
    let folder = |record: &ChangeRecord| {
        let script = order(record)?;
        let keep = CertificatesKeep::of(script).map(|order| order.beside);
        let splice = || CertificatesSplice::of(script).map(|order| order.beside);
        keep.or_else(splice).or_else(|| ManifestFolder::of(script).map(|order| order.path))
    };
    run.changes.values().filter_map(|record| Some(((&record.target, record.step), folder(record)?))).collect()
}

/// Where it stands, what sort of thing it is, and which.
fn sort(record: &ChangeRecord, run: &str, folders: &BTreeMap<(&Target, usize), String>) -> (Place, Kind, String) {
    let here = Place::of(&record.target);
    let unmarked = |place: Place| (place, Kind::Unmarked, record.id.to_string());
    match &record.change.op {
        // The file is there for the manifest that names it.
        Op::Host(command) if AuthorizersPut::of(&command.script).is_some() => {
            match folders.get(&(&record.target, record.step)) {
                Some(folder) => (here, Kind::Manifest, folder.clone()),
                None => unmarked(here),
            }
        }
        Op::Host(command) => match by_order(&command.script) {
            Some((kind, part)) => (here, kind, part),
            None => unmarked(here),
        },
        Op::File(put) => {
            let folder = put.path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let is_ours = folder.rsplit('/').next().is_some_and(|name| name.starts_with("breakglass-"));
            match folders.get(&(&record.target, record.step)) {
                Some(beside) if LAYOUT.iter().any(|item| item.path == put.path) => {
                    (here, Kind::Certificates, beside.clone())
                }
                _ if is_ours => (here, Kind::Manifest, folder.to_owned()),
                _ => unmarked(here),
            }
        }
        Op::Kube(call) => {
            let body = call.body.bytes().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
            // What is created has its name in the path that takes it away again.
            let path = match &record.change.inverse {
                Inverse::By(op) if call.method == Method::Post => match &**op {
                    Op::Kube(back) => &back.path,
                    _ => &call.path,
                },
                _ => &call.path,
            };
            let place = objects::named(path).map_or(here, Place::Object);
            match objects::kind_in(&body, run) {
                Some(kind) => (place, kind, String::new()),
                None => unmarked(place),
            }
        }
        Op::Http(_) | Op::Local(_) => unmarked(Place::Elsewhere),
    }
}

/// What a script of ours leaves, and where its part of it is.
fn by_order(script: &Script) -> Option<(Kind, String)> {
    let is = |name: &str| script.name == name;
    if [GateClose::NAME, GateArm::NAME, GateRenew::NAME, GateOpen::NAME].into_iter().any(is) {
        return Some((Kind::Gate, String::new()));
    }
    if let Some(order) = JailPut::of(script) {
        return Some((Kind::Jail, order.name));
    }
    if let Some(order) = PodsFreeze::of(script) {
        return Some((Kind::FrozenPods, order.folder));
    }
    if is(RecoveryStart::NAME) || is(RecoveryExtend::NAME) {
        return Some((Kind::Recovery, String::new()));
    }
    let manifest = ManifestFolder::of(script)
        .map(|order| order.path)
        .or_else(|| ManifestSwap::of(script).map(|order| order.beside))
        .or_else(|| ManifestMend::of(script).map(|order| order.beside))
        .or_else(|| ManifestReplace::of(script).map(|order| order.beside))
        .or_else(|| ManifestMove::of(script).map(|order| order.beside));
    let certificates = || {
        CertificatesKeep::of(script)
            .map(|order| order.beside)
            .or_else(|| CertificatesSplice::of(script).map(|order| order.beside))
    };
    match manifest {
        Some(folder) => Some((Kind::Manifest, folder)),
        None => certificates().map(|folder| (Kind::Certificates, folder)),
    }
}

fn what(kind: Kind, part: &str, records: &[&ChangeRecord]) -> String {
    let made = |name: &str| records.iter().any(|record| order(record).is_some_and(|script| script.name == name));
    match kind {
        Kind::Gate => "gate".into(),
        Kind::Recovery => "recovery API server".into(),
        Kind::Jail => "jail".into(),
        Kind::FrozenPods => "pods frozen".into(),
        Kind::Manifest if [ManifestSwap::NAME, ManifestReplace::NAME, ManifestMove::NAME].into_iter().any(made) => {
            super::hosts::done(part.rsplit('-').next().unwrap_or_default())
        }
        Kind::Manifest => "copies of a manifest".into(),
        Kind::Certificates => "certificates renewed, or copies of them".into(),
        Kind::Scratch => "a scratch folder".into(),
        Kind::Parked => "parked".into(),
        Kind::Revoked => "rights revoked".into(),
        Kind::Restored => "rights restored".into(),
        Kind::Disarmed => "disarmed".into(),
        Kind::Throttled => "throttled".into(),
        Kind::Refused => "an object refused".into(),
        Kind::RolledBack => "rolled back".into(),
        Kind::Frozen => "automation frozen".into(),
        Kind::Unmarked => records.first().map(|record| unmarked(&record.change.op)).unwrap_or_default(),
    }
}

/// What leaves no mark, in few words.
fn unmarked(op: &Op) -> String {
    match op {
        Op::Kube(call) => match call.method {
            Method::Delete => "deleted".into(),
            Method::Post => "created".into(),
            Method::Put | Method::Patch => "changed".into(),
            Method::Get => op.summary(),
        },
        Op::Host(command) if CredentialsSign::of(&command.script).is_some() => {
            "a client certificate, signed by the cluster's CA".into()
        }
        _ => op.summary(),
    }
}

/// When a certificate that was signed ends, if it has not.
fn until(record: &ChangeRecord, now: Timestamp) -> Option<Ends> {
    let order = order(record).and_then(CredentialsSign::of)?;
    let age = u64::try_from(now.duration_since(record.moved_at).as_secs()).unwrap_or(0);
    let seconds = order.seconds.checked_sub(age).filter(|left| *left > 0)?;
    Some(Ends { seconds, how: format!("it ends in {}", HumanDuration::secs(seconds)) })
}

fn back(records: &[&ChangeRecord]) -> Back {
    if records.iter().any(|record| matches!(record.change.inverse, Inverse::By(_))) {
        return Back::Undo;
    }
    let why = records.iter().find_map(|record| match &record.change.inverse {
        Inverse::Impossible(why) | Inverse::NotNeeded(why) => Some(why.clone()),
        Inverse::By(_) => None,
    });
    Back::Nothing(why.unwrap_or_default())
}
