//! What is judged from what a host has; the whole loop is in the engine's tests.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PublicKeyData as _, date_time_ymd,
};

use super::judge::{Verdict, Wish, judge};
use super::make::Renewed;
use super::{Proof, proof};
use crate::host::certificates::{Item, Key, LAYOUT, Seen, Shown, Survey};
use crate::kit::reissue::Paper;

fn item(path: &str) -> Item {
    *LAYOUT.iter().find(|item| item.path.ends_with(path)).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn params(name: &str, until: (i32, u8, u8)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(2025, 6, 1), date_time_ymd(until.0, until.1, until.2));
    params
}

fn seen(path: &str, pem: &str, key: &KeyPair) -> Seen {
    Seen {
        item: item(path),
        odd: None,
        sha256: "0".into(),
        mode: 0o644,
        text: pem.as_bytes().to_vec(),
        data: String::new(),
        authority_data: String::new(),
        key: Key::Public(key.subject_public_key_info()),
    }
}

/// A host with a CA and an API server's certificate that end then.
fn host(authority: (i32, u8, u8), server: (i32, u8, u8)) -> Survey {
    let mut own = params("kubernetes", authority);
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(own, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = params("kube-apiserver", server).signed_by(&key, &authority).unwrap();
    let all =
        vec![seen("pki/ca.crt", &authority.pem(), authority.key()), seen("pki/apiserver.crt", &server.pem(), &key)];
    Survey { all, ..Survey::default() }
}

fn server(survey: &Survey, within: u64) -> Verdict {
    let now = at("2026-06-01T12:00:00Z");
    let wish = Wish { within: Duration::from_secs(within), authorities: false, since: now, now };
    judge(survey, &wish).pop().unwrap().1
}

const DAY: u64 = 86_400;

#[test]
fn what_ends_within_the_time_that_was_asked_for_is_due_and_what_ends_later_is_not() {
    for (day, within, due) in [(1, 0, true), (2, 0, false), (2, DAY, true), (3, DAY, false), (3, 3 * DAY, true)] {
        let verdict = server(&host((2036, 1, 1), (2026, 6, day)), within);
        assert_eq!(matches!(verdict, Verdict::Due(_)), due, "June {day}, {within}: {verdict:?}");
    }
}

#[test]
fn a_new_one_is_as_long_as_the_old_one_and_ends_no_later_than_its_ca() {
    let Verdict::Due(due) = server(&host((2036, 1, 1), (2026, 6, 1)), 0) else { panic!("not due") };
    assert_eq!(due.time, (at("2026-06-01T10:00:00Z"), at("2027-06-01T12:00:00Z")));
    let Verdict::Due(due) = server(&host((2026, 6, 20), (2026, 6, 1)), 0) else { panic!("not due") };
    assert_eq!(due.time.1, at("2026-06-20T00:00:00Z"));
    // It was renewed to that: never again, or it would have no end.
    let verdict = server(&host((2026, 6, 20), (2026, 6, 20)), 60 * DAY);
    assert!(matches!(&verdict, Verdict::Left(why) if why.contains("a new one would end no later")), "{verdict:?}");
}

#[test]
fn one_that_has_not_begun_is_as_good_as_one_that_has_ended() {
    let mut survey = host((2036, 1, 1), (2027, 6, 1));
    let wish = |now| Wish { within: Duration::ZERO, authorities: true, since: now, now };
    // By a clock that stood wrong on the day that it was made.
    let verdict = judge(&survey, &wish(at("2025-05-01T00:00:00Z"))).remove(0).1;
    let Verdict::Due(due) = verdict else { panic!("{verdict:?}") };
    assert_eq!(due.time.0, at("2025-04-30T22:00:00Z"));
    survey.all.truncate(1);
    assert!(matches!(judge(&survey, &wish(at("2025-06-02T00:00:00Z"))).remove(0).1, Verdict::Good(_)));
}

#[test]
fn under_a_ca_that_has_ended_nothing_is_signed() {
    let verdict = server(&host((2026, 5, 1), (2026, 5, 1)), 0);
    let Verdict::Cannot(why, next) = &verdict else { panic!("{verdict:?}") };
    assert!(why.contains("its CA pki/ca.crt ended on 2026-05-01"), "{why}");
    assert_eq!(next, "breakglass renew-certificates --ca");
}

#[test]
fn a_port_is_judged_by_what_this_run_put_in_its_place() {
    let survey = host((2036, 1, 1), (2027, 1, 1));
    let path = item("pki/apiserver.crt").path.to_owned();
    let text = survey.all[1].text.clone();
    let is = Paper::one(&text).unwrap().sha256();
    let renewed = [Renewed { renewed: path.clone(), is }];
    let shown = |text: &[u8]| Shown { path: path.clone(), address: "127.0.0.1:6443".into(), text: text.to_vec() };
    let judged = |text: &[u8], renewed: &[Renewed]| proof(&survey, &shown(text), renewed);
    assert!(matches!(judged(&text, &renewed), Proof::New));
    assert!(matches!(judged(&survey.all[0].text, &renewed), Proof::Old));
    assert!(matches!(judged(b"", &renewed), Proof::Nobody));
    assert!(matches!(judged(b"", &[]), Proof::NotOurs));
}
