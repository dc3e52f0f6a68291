//! What went wrong with TLS, in words and with what to type next. What a library calls its errors is nobody's business at
//! night.

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

use super::{Fault, FaultKind};

const RENEW: &str = "is this machine's clock right (date -u)? If it is: breakglass renew-certificates; a way in until then: \
                     breakglass recovery-apiserver start";
const AUTHORITY: &str = "is it the right cluster? Its authority is on the control-plane host in \
                         /etc/kubernetes/pki/ca.crt: `certificateAuthority` of the kit, or --certificate-authority FILE";
const OURS: &str = "breakglass kit check says when our certificate ends; on a control-plane host: \
                    sudo kubeadm certs check-expiration";
/// What to type is what the caller says anyhow, who knows the address.
const CALLERS: &str = "";
const HERE: &str = "breakglass kit check; if it finds nothing, this is a fault of breakglass: please report it";

/// Sorts an error of TLS.
pub(super) fn fault(error: &Error) -> Fault {
    let (kind, detail, hint) = match error {
        Error::InvalidCertificate(why) => {
            let (detail, hint) = distrust(why);
            (FaultKind::Certificate, detail, hint)
        }
        Error::NoCertificatesPresented => (FaultKind::Certificate, "it shows none".into(), CALLERS.into()),
        Error::AlertReceived(alert) => return alerted(*alert),
        Error::PeerIncompatible(why) => (FaultKind::NoTls, apart(why), CALLERS.into()),
        Error::NoApplicationProtocol => (
            FaultKind::NoTls,
            "it does not speak HTTP/1.1, or nothing that it speaks is known here".into(),
            CALLERS.into(),
        ),
        Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            let what = "it does not speak TLS: plain HTTP, or something else, is on that port";
            (FaultKind::Malformed, what.into(), CALLERS.into())
        }
        Error::InvalidMessage(why) => (FaultKind::Malformed, broken(&why), CALLERS.into()),
        Error::PeerMisbehaved(why) => (FaultKind::Malformed, broken(&why), CALLERS.into()),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            (FaultKind::Malformed, broken(&"a message out of its turn"), CALLERS.into())
        }
        Error::PeerSentOversizedRecord => (FaultKind::Malformed, broken(&"a record that is too long"), CALLERS.into()),
        Error::DecryptError => (FaultKind::Malformed, broken(&"a message that cannot be decrypted"), CALLERS.into()),
        other => (FaultKind::Local, format!("TLS did not work: {}", spaced(&format!("{other:?}"))), HERE.into()),
    };
    Fault { hint: Some(hint).filter(|hint| hint != CALLERS), ..Fault::new(kind, detail) }
}

/// An error of the library in words alone, where nothing has been sent yet.
pub(in crate::link) fn words(error: &Error) -> String {
    fault(error).detail
}

fn broken(why: &dyn std::fmt::Debug) -> String {
    format!("it breaks the rules of TLS: {}", spaced(&format!("{why:?}")))
}

/// What a server said before it hung up.
fn alerted(alert: AlertDescription) -> Fault {
    use AlertDescription as A;
    let ours = |what: &str| (FaultKind::Rejected, what.to_owned(), OURS);
    let (kind, detail, hint) = match alert {
        A::CertificateRequired | A::NoCertificate => ours("it wants one, and was shown none"),
        A::UnknownCA => ours("it does not know the authority that signed it: it may be another cluster's"),
        A::CertificateExpired => ours("it says that it has ended, or has not begun: by its clock"),
        A::CertificateRevoked => ours("it says that it was revoked"),
        A::UnsupportedCertificate => ours("it takes no certificate of that kind"),
        A::BadCertificate | A::CertificateUnknown | A::AccessDenied => {
            ours("it does not say why; most often it has ended, or another cluster's authority signed it")
        }
        A::DecryptError => ours("its key does not fit it, says the server"),
        A::UnrecognisedName => {
            let hint = "--tls-server-name NAME, with a name that the server has; in a kit: `tlsServerName: NAME`";
            (FaultKind::NoTls, "it has no server of the name that it was asked for".into(), hint)
        }
        // It may do better the next time.
        A::InternalError | A::UserCanceled | A::CloseNotify => {
            (FaultKind::Closed, "during TLS, after it spoke of a fault of its own".into(), CALLERS)
        }
        A::ProtocolVersion => (FaultKind::NoTls, "it does not take TLS 1.2 or 1.3".into(), CALLERS),
        A::HandshakeFailure | A::InsufficientSecurity => {
            (FaultKind::NoTls, "it has no cipher, curve or signature in common with us".into(), CALLERS)
        }
        A::NoApplicationProtocol => (FaultKind::NoTls, "it does not speak HTTP/1.1".into(), CALLERS),
        other => (FaultKind::NoTls, format!("it broke off and said: {}", spaced(&format!("{other:?}"))), CALLERS),
    };
    Fault { hint: Some(hint).filter(|hint| *hint != CALLERS).map(str::to_owned), ..Fault::new(kind, detail) }
}

/// What a server and we do not have in common.
fn apart(why: &PeerIncompatible) -> String {
    match why {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled => "it speaks no TLS as new as 1.2".into(),
        PeerIncompatible::NoCipherSuitesInCommon
        | PeerIncompatible::NoKxGroupsInCommon
        | PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::NoEcPointFormatsInCommon => "it has no cipher, curve or signature in common with us".into(),
        PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => {
            "it wants a certificate of ours signed in a way that is not known here".into()
        }
        other => format!("what it offers is not known here: {}", spaced(&format!("{other:?}"))),
    }
}

/// What is wrong with the server's certificate, in words, and what to type next.
fn distrust(why: &CertificateError) -> (String, String) {
    use CertificateError as C;
    let with = |what: &str, hint: &str| (what.to_owned(), hint.to_owned());
    match why {
        C::UnknownIssuer => with("it is signed by an authority that the kit does not name", AUTHORITY),
        // Most clusters' authorities are called `kubernetes`, so a foreign one has the right name and the wrong key.
        C::BadSignature => with("it is signed by another authority of the same name", AUTHORITY),
        C::NotValidForNameContext { expected, presented } => misnamed(&expected.to_str(), presented),
        C::NotValidForName => with(
            "it is for another name",
            "--tls-server-name NAME, with a name that it has; in a kit: `tlsServerName: NAME` of the cluster",
        ),
        C::ExpiredContext { time, not_after } => {
            let ago = days(time.as_secs().saturating_sub(not_after.as_secs()));
            let (ended, now) = (date(*not_after), date(*time));
            (format!("it ended on {ended}, {ago} ago; this machine's clock says {now}"), RENEW.into())
        }
        C::NotValidYetContext { time, not_before } => {
            let to_come = days(not_before.as_secs().saturating_sub(time.as_secs()));
            let (from, now) = (date(*not_before), date(*time));
            (format!("it begins on {from}, in {to_come}; this machine's clock says {now}"), RENEW.into())
        }
        C::Expired => with("it has ended", RENEW),
        C::NotValidYet => with("it has not begun", RENEW),
        C::Revoked => with("it was revoked", RENEW),
        C::BadEncoding => with("it cannot be read: it is not made as a certificate is", CALLERS),
        C::UnhandledCriticalExtension => with("it has a critical extension that is not known here", CALLERS),
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => {
            with("it is not made for a server (its extended key usage says so)", CALLERS)
        }
        C::UnsupportedSignatureAlgorithmContext { .. } | C::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            with("it is signed in a way that is not taken here, like SHA-1", CALLERS)
        }
        C::Other(why) => (rule(&why.to_string()), CALLERS.into()),
        // Lists of revoked certificates are not asked, and the deprecated forms are not made any more.
        other => (format!("it cannot be verified: {}", spaced(&format!("{other:?}"))), CALLERS.into()),
    }
}

/// A rule of certificates that has no error of its own; the library gives the name of the rule only.
fn rule(name: &str) -> String {
    match name {
        "CaUsedAsEndEntity" => "it is an authority's, not a server's".into(),
        "EndEntityUsedAsCa" => "what signed it is no authority (CA:FALSE)".into(),
        "UnsupportedCertVersion" => "it is of an old version of X.509; only version 3 is taken".into(),
        "NameConstraintViolation" => "its authority may not sign for that name".into(),
        other => format!("it breaks a rule for certificates: {}", spaced(other)),
    }
}

/// `NoSuchThing { of: 1 }` as words: `no such thing`.
fn spaced(name: &str) -> String {
    let name = name.trim_matches('"');
    let name = name.split(['(', '{']).next().unwrap_or(name).trim();
    let mut words = String::new();
    let mut before = ' ';
    for c in name.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
        before = c;
    }
    words
}

/// The names that a certificate has, and which of them to verify it against.
fn misnamed(expected: &str, presented: &[String]) -> (String, String) {
    // As the verifier writes them: DnsName("kubernetes"), IpAddress(10.0.0.1).
    let inner = |name: &String| {
        let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
        inside.unwrap_or(name).trim_matches('"').to_owned()
    };
    let names: Vec<String> = presented.iter().map(inner).collect();
    if names.is_empty() {
        let hint = "sudo kubeadm certs renew apiserver on the host makes one with names; nothing is sent without one";
        return (format!("it is for {expected} neither, nor for any other name: it has none"), hint.into());
    }
    let plain = |name: &&String| !name.contains('*') && name.parse::<std::net::IpAddr>().is_err();
    let best = names.iter().find(|name| *name == "kubernetes").or_else(|| names.iter().find(plain));
    let best = best.or_else(|| names.iter().find(|name| !name.contains('*'))).map_or("NAME", String::as_str);
    let hint = format!(
        "if this is the right cluster: --tls-server-name {best}; in a kit: `tlsServerName: {best}` of the cluster"
    );
    (format!("it is for {}, not for {expected}", names.join(", ")), hint)
}

fn date(at: rustls_pki_types::UnixTime) -> String {
    let at = i64::try_from(at.as_secs()).ok().and_then(|secs| jiff::Timestamp::from_second(secs).ok());
    at.map_or_else(|| "a date out of range".into(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// A time in whole days; what is shorter, in hours or minutes.
fn days(secs: u64) -> String {
    let (amount, unit) = match secs {
        ..7200 => (secs / 60, "minute"),
        7200..172_800 => (secs / 3600, "hour"),
        172_800.. => (secs / 86_400, "day"),
    };
    crate::words::count(usize::try_from(amount).unwrap_or(usize::MAX), unit)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::{InconsistentKeys, OtherError, PeerMisbehaved};
    use rustls_pki_types::{ServerName, UnixTime};

    use super::*;

    #[track_caller]
    fn distrusts(why: CertificateError, detail: &str, hint: &str) {
        let fault = fault(&Error::InvalidCertificate(why));
        assert_eq!((fault.kind, fault.detail.as_str()), (FaultKind::Certificate, detail));
        assert!(fault.hint.as_deref().unwrap_or_default().contains(hint), "{:?}", fault.hint);
    }

    #[test]
    fn a_certificate_without_the_right_name_says_which_it_has_and_what_to_type() {
        let not_for = |presented: &[&str]| CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("10.0.0.1").unwrap(),
            presented: presented.iter().map(|name| (*name).to_owned()).collect(),
        };
        let names = [r#"DnsName("api.example")"#, r#"DnsName("kubernetes")"#, "IpAddress(10.9.9.9)"];
        let said = "it is for api.example, kubernetes, 10.9.9.9, not for 10.0.0.1";
        distrusts(not_for(&names), said, "--tls-server-name kubernetes");
        distrusts(not_for(&names[2..]), "it is for 10.9.9.9, not for 10.0.0.1", "--tls-server-name 10.9.9.9");
        let wild = [r#"DnsName("*.example")"#, r#"DnsName("api.example")"#];
        distrusts(
            not_for(&wild),
            "it is for *.example, api.example, not for 10.0.0.1",
            "--tls-server-name api.example",
        );
        distrusts(not_for(&wild[..1]), "it is for *.example, not for 10.0.0.1", "--tls-server-name NAME");
        distrusts(not_for(&[]), "it is for 10.0.0.1 neither, nor for any other name: it has none", "renew apiserver");
    }

    #[test]
    fn a_certificate_out_of_its_time_says_the_dates_and_asks_about_the_clock() {
        let at = |text: &str| {
            let at: jiff::Timestamp = text.parse().unwrap();
            UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.as_second()).unwrap()))
        };
        let (time, not_after) = (at("2026-11-26T08:00:00Z"), at("2026-10-25T07:00:00Z"));
        let ended = "it ended on 2026-10-25 07:00 UTC, 32 days ago; this machine's clock says 2026-11-26 08:00 UTC";
        distrusts(CertificateError::ExpiredContext { time, not_after }, ended, "is this machine's clock right");
        let not_before = at("2026-11-26T08:30:00Z");
        let begins = "it begins on 2026-11-26 08:30 UTC, in 30 minutes; this machine's clock says 2026-11-26 08:00 UTC";
        distrusts(CertificateError::NotValidYetContext { time, not_before }, begins, "breakglass renew-certificates");
    }

    #[derive(Debug)]
    struct Named(&'static str);

    impl std::fmt::Display for Named {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Named {}

    fn certificate_errors() -> Vec<CertificateError> {
        use CertificateError as C;
        let (time, name) = (UnixTime::since_unix_epoch(Duration::from_secs(9)), ServerName::try_from("a").unwrap());
        let mut all = vec![
            C::BadEncoding,
            C::Expired,
            C::ExpiredContext { time, not_after: time },
            C::NotValidYet,
            C::NotValidYetContext { time, not_before: time },
            C::Revoked,
            C::UnhandledCriticalExtension,
            C::UnknownIssuer,
            C::UnknownRevocationStatus,
            C::ExpiredRevocationList,
            C::ExpiredRevocationListContext { time, next_update: time },
            C::BadSignature,
            C::UnsupportedSignatureAlgorithmContext { signature_algorithm_id: vec![1], supported_algorithms: vec![] },
            C::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: vec![1],
                public_key_algorithm_id: vec![1],
            },
            C::NotValidForName,
            C::NotValidForNameContext { expected: name, presented: vec![r#"DnsName("b")"#.into()] },
            C::InvalidPurpose,
            C::InvalidOcspResponse,
            C::ApplicationVerificationFailure,
        ];
        let rules = ["CaUsedAsEndEntity", "EndEntityUsedAsCa", "UnsupportedCertVersion", "PathLenConstraintViolated"];
        all.extend(rules.map(|name| C::Other(OtherError(Arc::new(Named(name))))));
        all
    }

    fn errors() -> Vec<Error> {
        let alerts = (0..=u8::MAX).map(|code| Error::AlertReceived(AlertDescription::from(code)));
        let incompatible = [
            PeerIncompatible::ServerDoesNotSupportTls12Or13,
            PeerIncompatible::NoCipherSuitesInCommon,
            PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon,
            PeerIncompatible::ExtendedMasterSecretExtensionRequired,
            PeerIncompatible::ServerRejectedEncryptedClientHello(None),
        ];
        let invalid = [
            InvalidMessage::InvalidContentType,
            InvalidMessage::UnknownProtocolVersion,
            InvalidMessage::MessageTooLarge,
            InvalidMessage::MissingData("Certificate"),
            InvalidMessage::DuplicateExtension(7),
        ];
        let mut all = vec![
            Error::NoCertificatesPresented,
            Error::NoApplicationProtocol,
            Error::InappropriateMessage { expect_types: vec![], got_type: rustls::ContentType::Alert },
            Error::InappropriateHandshakeMessage { expect_types: vec![], got_type: rustls::HandshakeType::Finished },
            Error::PeerMisbehaved(PeerMisbehaved::TooManyEmptyFragments),
            Error::PeerSentOversizedRecord,
            Error::DecryptError,
            Error::EncryptError,
            Error::UnsupportedNameType,
            Error::HandshakeNotComplete,
            Error::FailedToGetCurrentTime,
            Error::FailedToGetRandomBytes,
            Error::BadMaxFragmentSize,
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch),
            Error::General("SomeThing".into()),
            Error::Other(OtherError(Arc::new(Named("SomeThing")))),
        ];
        all.extend(alerts.chain(incompatible.map(Error::PeerIncompatible)).chain(invalid.map(Error::InvalidMessage)));
        all.extend(certificate_errors().into_iter().map(Error::InvalidCertificate));
        all
    }

    /// A name out of a library's source, as a word of a sentence.
    fn raw(word: &str) -> bool {
        let letters: Vec<char> = word.chars().collect();
        letters.windows(2).any(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase())
    }

    #[test]
    fn whatever_tls_comes_to_is_said_in_plain_words() {
        for error in errors() {
            let fault = fault(&error);
            let names = fault.detail.split_whitespace().any(raw) || fault.detail.contains("DnsName");
            assert!(!fault.detail.is_empty() && !names, "{error:?}: {fault}");
            // Where it has none, the caller names the look at that very address.
            assert!(fault.hint.is_some() || !matches!(fault.kind, FaultKind::Rejected | FaultKind::Local), "{error:?}");
            assert!(fault.hint.is_none_or(|hint| !hint.is_empty()), "{error:?}");
        }
    }

    #[test]
    fn only_what_is_about_our_certificate_is_laid_at_its_door() {
        use FaultKind::{Closed, NoTls, Rejected};
        for (alert, kind) in [
            (AlertDescription::CertificateExpired, Rejected),
            (AlertDescription::UnknownCA, Rejected),
            (AlertDescription::BadCertificate, Rejected),
            (AlertDescription::HandshakeFailure, NoTls),
            (AlertDescription::ProtocolVersion, NoTls),
            (AlertDescription::UnrecognisedName, NoTls),
            // A server that is short of something may have it the next time.
            (AlertDescription::InternalError, Closed),
        ] {
            assert_eq!(fault(&Error::AlertReceived(alert)).kind, kind, "{alert:?}");
        }
    }
}
