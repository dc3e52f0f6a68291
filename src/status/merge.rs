//! Marks and journals as one list: what both tell of is one thing.

use super::{Back, Kind, Looked, Place, Seen, Stands};

/// One list of what was seen and of what the journals here say. A mark tells how it stands; a journal knows the way back.
/// What a journal tells of and nobody saw is gone where its place was looked at, and else as the journal says.
pub fn merge(marks: Vec<Stands>, journals: Vec<Stands>, looked: &Looked) -> Vec<Stands> {
    let mut all = marks;
    for claim in journals {
        if let Some(mark) = all.iter_mut().find(|mark| is_same(mark, &claim)) {
            mark.seen = Seen::Both;
            mark.operator = mark.operator.take().or(claim.operator);
            if mark.about.is_empty() {
                mark.about = claim.about;
            }
            // A run's own clock tells better when than its id or the age of a file.
            mark.since = claim.since.or(mark.since);
            // What cannot be taken back by its journal may be by hand.
            if claim.back == Back::Undo {
                mark.back = claim.back;
            }
            continue;
        }
        let gone = claim.kind != Kind::Unmarked && looked.contains(&looked_at(&claim));
        all.push(Stands { seen: if gone { Seen::Gone } else { Seen::Journal }, ..claim });
    }
    all.sort_by(|one, other| {
        let key = |one: &Stands| (one.cluster.clone(), one.seen == Seen::Gone, one.since, one.kind, one.place.clone());
        key(one).cmp(&key(other))
    });
    all
}

fn is_same(mark: &Stands, claim: &Stands) -> bool {
    let key = |one: &Stands| (one.cluster.clone(), one.place.clone(), one.kind, one.part.clone(), one.run.clone());
    key(mark) == key(claim)
}

/// Whose look would have seen it.
fn looked_at(one: &Stands) -> (String, Option<String>, Kind) {
    let host = match &one.place {
        Place::Host(host) => Some(host.clone()),
        Place::Object(_) | Place::Elsewhere => None,
    };
    (one.cluster.clone(), host, one.kind)
}
