//! The only two container images of the lab, made by hand: busybox, and a pause that ends on TERM.

use std::{fs, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{command::run, machine::find_program};

/// The image of every container; components are mounted into it at `/k`, which is on its PATH.
pub(crate) const BUSYBOX: &str = "bg.local/busybox:1";
/// The image of the process that holds a pod's namespaces.
pub(crate) const PAUSE: &str = "bg.local/pause:1";
const WAIT: &str = "trap 'exit 0' TERM INT; while :; do sleep 3600 & wait; done";

/// Writes a docker archive with both images into `folder`, for `ctr images import`.
pub(crate) fn write_archive(folder: &Path) -> Result<()> {
    let busybox = find_program("busybox").context("`busybox` is not on the PATH: apt-get install busybox-static")?;
    let root = folder.join("root");
    fs::create_dir_all(root.join("bin"))?;
    fs::copy(&busybox, root.join("bin/busybox"))?;
    for applet in output(Command::new(&busybox).arg("--list"))?.lines().filter(|name| *name != "busybox") {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet))?;
    }
    output(Command::new("tar").arg("-cf").arg(folder.join("layer.tar")).arg("-C").arg(&root).arg("."))?;
    let digest = output(Command::new("sha256sum").arg(folder.join("layer.tar")))?;
    let layer = digest.split(' ').next().unwrap_or_default();
    write_json(&folder.join("busybox.json"), &config(layer, &["/bin/sh"]))?;
    write_json(&folder.join("pause.json"), &config(layer, &["/bin/sh", "-c", WAIT]))?;
    let image = |config: &str, name: &str| json!({"Config": config, "RepoTags": [name], "Layers": ["layer.tar"]});
    write_json(&folder.join("manifest.json"), &json!([image("busybox.json", BUSYBOX), image("pause.json", PAUSE)]))?;
    let files = ["manifest.json", "busybox.json", "pause.json", "layer.tar"];
    output(Command::new("tar").arg("-cf").arg(folder.join("images.tar")).arg("-C").arg(folder).args(files)).map(|_| ())
}

fn config(layer: &str, command: &[&str]) -> Value {
    json!({
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "os": "linux",
        "config": {"Env": ["PATH=/k:/bin"], "Cmd": command},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer}")]},
    })
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    Ok(fs::write(path, value.to_string())?)
}

fn output(command: &mut Command) -> Result<String> {
    run(command, b"", Duration::from_mins(1))?.ok()
}
