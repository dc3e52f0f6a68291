//! Who may do what by RBAC, as `revoke` and `restore-rights` see it: subjects, bindings that name them, and the writes that take
//! one out or put one in.
//! Everything here is pure but for `seek`, which looks.

pub(super) mod binding;
pub(super) mod giving;
pub(super) mod seek;
pub(super) mod subject;
pub(super) mod taking;

/// The flag by which kubectl is told a subject that a mark names; `None` where that is none.
pub(crate) fn kubectl_flag(subject: &str) -> Option<String> {
    subject::Subject::parse(subject, None).ok().map(|subject| subject.kubectl_flag())
}
