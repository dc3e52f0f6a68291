//! Who may do what by RBAC, as `revoke` and `restore-rights` see it: subjects, bindings that name them, and the writes that take
//! one out or put one in.
//! Everything here is pure but for `seek`, which looks.

pub(super) mod binding;
pub(super) mod giving;
pub(super) mod seek;
pub(super) mod subject;
pub(super) mod taking;
