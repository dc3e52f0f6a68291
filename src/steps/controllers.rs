//! The controller manager as freezing and thawing see it: its manifest, and the list of its controllers.

use std::collections::BTreeMap;

use super::static_pod::{Patience, StaticPod};
use crate::host::manifest::{self, Edit};
use crate::host::room::Ask;

/// The program.
const PROGRAM: &str = "kube-controller-manager";

/// The controllers that act on nodes that do not report.
pub(super) const CONTROLLERS: [&str; 2] = ["node-lifecycle-controller", "taint-eviction-controller"];

/// The controller manager as a static pod.
pub(super) fn controller_manager(tag: &'static str) -> StaticPod {
    StaticPod {
        program: PROGRAM,
        tag,
        health: "/healthz",
        port: 10257,
        patience: Patience { exit: 40, asked: None, ready: 60 },
        lasting: false,
    }
}

/// What the controller manager itself has to know, to start with these controllers off.
pub(super) fn ask() -> Ask {
    Ask { flags: Vec::new(), names: CONTROLLERS.map(str::to_owned).to_vec() }
}

/// The value of `--controllers` in a manifest, when it is said; given several times, all of them count.
pub(super) fn controllers(text: &str) -> Result<Option<Vec<String>>, String> {
    let said = manifest::flag(text, PROGRAM, "controllers")?;
    let words = said.iter().flat_map(|value| value.split(',')).map(|word| word.trim().to_owned());
    Ok((!said.is_empty()).then(|| words.collect()))
}

/// What keeps a controller manager from being frozen: an older one does not know all the controllers, and would not start
/// with a name that it does not know. Where its image does not say its release, that is not known, and not refused.
pub(super) fn too_old(text: &str) -> Result<Option<String>, String> {
    let image = manifest::image(text, PROGRAM)?;
    let old = manifest::release(&image, PROGRAM).is_some_and(|release| release < (1, 29));
    Ok(old.then(|| {
        format!(
            "its image is {image}; freezing takes Kubernetes 1.29 or newer: an older controller manager does not know {}, \
             and would not start",
            CONTROLLERS[1]
        )
    }))
}

/// The edit that makes `--controllers` this list.
pub(super) fn wanted(controllers: &[String]) -> Edit {
    Edit { flags: BTreeMap::from([("controllers".to_owned(), Some(controllers.join(",")))]), ..Edit::default() }
}
