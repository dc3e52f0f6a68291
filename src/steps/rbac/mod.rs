//! Who may do what by RBAC, as `revoke` sees it: subjects, bindings that name them, and the writes that take one out.
//! Everything here is pure but for `seek`, which looks.

pub(super) mod binding;
pub(super) mod seek;
pub(super) mod subject;
pub(super) mod taking;
