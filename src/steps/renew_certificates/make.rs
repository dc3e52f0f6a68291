//! What is written: what was there kept beside, a signature by the CA's key, and the new certificate in its place, each with its exact
//! inverse.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::judge::{Due, kubeadm, short};
use crate::change::{Blob, Change, Expect, FilePut, Inverse, Keep, Note, Op};
use crate::host::certificates::{self, Form, Item, Seen, Splice, Survey, kept_as};
use crate::kit::reissue::{Paper, draft, finish};
use crate::script::Script;
use crate::steps::History;

/// What a signature is remembered by: which certificate it takes the place of.
#[derive(Debug, Serialize, Deserialize)]
struct Signed {
    signed_for: String,
    in_place_of: String,
}

/// What a certificate in its place is remembered by.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Renewed {
    /// Its path.
    pub(super) renewed: String,
    /// Its SHA-256; empty for what has none.
    pub(super) is: String,
}

/// Copies of those that are not kept yet.
pub(super) fn keeps<'a>(
    files: impl Iterator<Item = &'a Seen>,
    survey: &Survey,
    beside: &str,
    by: (&str, &str),
) -> Option<Change> {
    let kept = |path: &str| survey.kept.iter().any(|(name, _)| *name == kept_as(path));
    let files: Vec<(String, String)> = files
        .filter(|seen| !kept(seen.item.path))
        .map(|seen| (seen.sha256.clone(), seen.item.path.to_owned()))
        .collect();
    let first = files.first()?.1.clone();
    Some(Change {
        key: format!("keep {}", short(&first)),
        note: None,
        op: Op::order(certificates::keep(beside, &files, by)),
        guard: "each file is what was seen".into(),
        inverse: Inverse::By(Box::new(Op::order(certificates::keep_away(beside, &files)))),
        because: "what is replaced is kept on its host, too".into(),
        by_hand: "cp -a /etc/kubernetes /root/kubernetes-before".into(),
        deadline_secs: 60,
        keep: Keep::Nothing,
    })
}

/// What has a CA's key sign a text, as base64.
pub(super) fn sign_script(item: Item, text: &str) -> Script {
    let script = certificates::sign(item.authority, item.path, b"");
    let args =
        script.args.into_iter().map(|(key, value)| if key == "text" { (key, text.to_owned()) } else { (key, value) });
    Script { args: args.collect(), ..script }
}

/// Has the CA's key sign it.
pub(super) fn signs(due: &Due, run: &str) -> Result<Change, String> {
    let item = due.seen.item;
    let text = draft(&due.paper, &due.authority, due.time, &format!("{run} {} {}", item.path, due.paper.sha256()))?;
    Ok(Change {
        key: format!("sign {}", short(item.path)),
        note: Some(Note::of(&Signed { signed_for: item.path.into(), in_place_of: due.paper.sha256() })),
        op: Op::order(certificates::sign(item.authority, item.path, &text)),
        guard: format!("{} is there, and takes no passphrase", certificates::key_of(item.authority)),
        inverse: Inverse::NotNeeded(
            "a signature alone changes nothing; it is for the same key and the same names".into(),
        ),
        because: format!("{} {}", short(item.path), super::when(&due.paper, due.time.0)),
        by_hand: by_hand(item),
        deadline_secs: 30,
        keep: Keep::Nothing,
    })
}

/// What a person would type.
fn by_hand(item: Item) -> String {
    kubeadm(item.path).unwrap_or_else(|| {
        let key = certificates::key_of(item.path);
        format!("openssl x509 -in {0} -signkey {key} -days 3650 -out {0}.new; mv {0}.new {0}", item.path)
    })
}

/// The certificate that was signed in the place of this one, PEM; `None`: none was yet.
///
/// # Errors
/// When what was signed is none.
pub(super) fn signature(history: &History, due: &Due) -> Result<Option<String>, String> {
    let mut all = history.notes::<Signed>().rev();
    let found = all.find_map(|(record, note)| {
        let same = note.signed_for == due.seen.item.path && note.in_place_of == due.paper.sha256();
        let Op::Host(command) = &record.change.op else { return None };
        certificates::signed(&command.script, &record.facts.answer).filter(|_| same)
    });
    let Some((text, signed)) = found else { return Ok(None) };
    let key = certificates::key_of(due.seen.item.authority);
    finish(&text, &signed, &due.authority).map(Some).map_err(|why| format!("what {key} signed cannot be used: {why}"))
}

/// Puts the new one in the place of the old one.
pub(super) fn puts(due: &Due, pem: &str, beside: &str) -> Change {
    let seen = &due.seen;
    let path = seen.item.path;
    let is = Paper::one(pem.as_bytes()).map(|paper| paper.sha256()).unwrap_or_default();
    if seen.item.form == Form::Kubeconfig {
        let change = splice(seen, &seen.data, pem.as_bytes(), beside, "put");
        return Change { note: Some(Note::of(&Renewed { renewed: path.into(), is })), ..change };
    }
    let (old, new) = (Blob::new(seen.text.clone()), Blob::new(pem.as_bytes()));
    let put = |content: &Blob, expect: &Blob| FilePut {
        path: path.to_owned(),
        mode: seen.mode,
        content: Some(content.clone()),
        expect: Expect::Sha256(expect.sha256.clone()),
    };
    Change {
        key: format!("put {}", short(path)),
        note: Some(Note::of(&Renewed { renewed: path.into(), is })),
        guard: format!("{path} still has sha256 {}", old.sha256),
        op: Op::File(put(&new, &old)),
        inverse: Inverse::By(Box::new(Op::File(put(&old, &new)))),
        because: format!("the new one is good until {}", due.time.1),
        by_hand: by_hand(seen.item),
        deadline_secs: 60,
        keep: Keep::Nothing,
    }
}

/// One value of a kubeconfig for another.
pub(super) fn splice(seen: &Seen, from: &str, to: &[u8], beside: &str, what: &str) -> Change {
    let path = seen.item.path;
    let splice = Splice {
        path: path.to_owned(),
        from: from.to_owned(),
        to: STANDARD.encode(to),
        sha256: seen.sha256.clone(),
        beside: beside.to_owned(),
    };
    Change {
        key: format!("{what} {}", short(path)),
        note: None,
        guard: format!("{path} still has sha256 {}", seen.sha256),
        op: Op::order(splice.there()),
        inverse: Inverse::By(Box::new(Op::order(splice.back()))),
        because: format!("what stands in {} has ended", short(path)),
        by_hand: by_hand(seen.item),
        deadline_secs: 60,
        keep: Keep::Nothing,
    }
}
