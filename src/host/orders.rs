//! Every script that a host can be sent, as a closed set of values.
//!
//! Whoever acts on orders, as the sandbox does, matches on [`Orders`] and so has to answer every one of them.
//!
//! To add one: [`order!`](super::order) beside its text, and its name in `orders!` below. A runbook's own text is no order: it has no
//! other meaning than itself.

use super::apiserver::ApiServerPresence;
use super::audit::AuditCount;
use super::authorizers::{AuthorizersAway, AuthorizersLook, AuthorizersPut};
use super::certificates::{
    CertificatesKeep, CertificatesKeepAway, CertificatesLook, CertificatesSign, CertificatesSplice,
};
use super::credentials::{CredentialsRead, CredentialsSign};
use super::file::PutFile;
use super::gate::{GateArm, GateClose, GateCut, GateKnock, GateMemory, GateOpen, GateRenew, GateStatus, GateSurvey};
use super::jail::{JailLook, JailPut, JailTakeOut, JailsStand};
use super::left::ManifestLeft;
use super::offender::OffenderLook;
use super::order::Order as _;
use super::pods::{PodsFreeze, PodsFrozen, PodsLook, PodsNetwork, PodsThaw};
use super::ranking::{AuditRank, LogRank, SocketRank};
use super::recovery::{RecoveryExtend, RecoveryStart, RecoveryStatus, RecoveryStop, RecoverySurvey};
use super::rescue::copy::ManifestCopy;
use super::rescue::{ManifestEvidence, ManifestMove, ManifestReplace};
use super::room::ManifestRoom;
use super::swap::{ManifestFolder, ManifestFolderAway, ManifestLook, ManifestMend, ManifestSwap, ManifestUnderWay};
use super::why::ManifestWhy;

/// A script that this version does not know, or one that does not say all that it needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// No order is called so.
    #[error("this version has no script {0:?}")]
    Name(String),
    /// Something that it has to be told is missing, or makes no sense.
    #[error("the script {0} is not told all that it needs")]
    Told(&'static str),
}

macro_rules! orders {
    ($($order:ident),* $(,)?) => {
        /// Every order.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Orders {
            $(
                #[doc = concat!("See [`", stringify!($order), "`].")]
                $order($order),
            )*
        }

        impl Orders {
            /// The names of all.
            #[cfg(test)]
            pub(super) const NAMES: &[&'static str] = &[$($order::NAME),*];

            /// The order that has this name and was told this.
            ///
            /// # Errors
            /// When there is none.
            pub fn read(name: &str, args: &[(String, String)]) -> Result<Self, Unread> {
                match name {
                    $($order::NAME => $order::read(args).map(Self::$order).ok_or(Unread::Told($order::NAME)),)*
                    other => Err(Unread::Name(other.to_owned())),
                }
            }

            /// Its name.
            #[cfg(test)]
            pub(super) fn name(&self) -> &'static str {
                match self {
                    $(Self::$order(_) => $order::NAME,)*
                }
            }
        }
    };
}

orders! {
    GateSurvey,
    GateStatus,
    GateMemory,
    GateKnock,
    GateCut,
    GateClose,
    GateArm,
    GateRenew,
    GateOpen,
    AuditCount,
    OffenderLook,
    JailLook,
    JailPut,
    JailTakeOut,
    JailsStand,
    AuthorizersLook,
    AuthorizersPut,
    AuthorizersAway,
    AuditRank,
    LogRank,
    SocketRank,
    ApiServerPresence,
    ManifestLook,
    ManifestUnderWay,
    ManifestFolder,
    ManifestFolderAway,
    ManifestLeft,
    ManifestMend,
    ManifestSwap,
    ManifestRoom,
    ManifestWhy,
    ManifestEvidence,
    ManifestCopy,
    ManifestReplace,
    ManifestMove,
    PodsLook,
    PodsNetwork,
    PodsFrozen,
    PodsFreeze,
    PodsThaw,
    RecoverySurvey,
    RecoveryStatus,
    RecoveryStart,
    RecoveryExtend,
    RecoveryStop,
    CredentialsRead,
    CredentialsSign,
    CertificatesLook,
    CertificatesKeep,
    CertificatesKeepAway,
    CertificatesSign,
    CertificatesSplice,
    PutFile,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_back_from_its_script_and_what_is_no_order_is_told_apart() {
        let swap = ManifestMend { beside: "/etc/kubernetes/breakglass-r-1".into() };
        let script = swap.script("true").arg("more", "than it knows");
        assert_eq!(ManifestMend::of(&script), Some(swap.clone()));
        assert_eq!(Orders::read(&script.name, &script.args), Ok(Orders::ManifestMend(swap)));
        assert_eq!(GateStatus::of(&script), None);
        let unknown = Orders::read("gate.lift", &[]).unwrap_err();
        assert_eq!(unknown.to_string(), "this version has no script \"gate.lift\"");
        let torn = Orders::read("gate.arm", &script.args).unwrap_err();
        assert_eq!(torn.to_string(), "the script gate.arm is not told all that it needs");
    }
}
