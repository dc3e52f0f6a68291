//! L15: the certificates of a control plane have ended, and then its CA.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::Signal;
use testbed::{Kubectl, wait_until};

use super::bad_manifest::{kubectl_is_out, kubectl_works};
use super::{LONG, Scene, flat, scene};

/// All files at and below a folder: path, bytes, mode.
fn all(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>, u32)>> {
    let (mut folders, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let mode = fs::metadata(&path)?.permissions().mode();
                found.push((path.clone(), fs::read(path)?, mode));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Puts files back whose bytes are others now, each in one step.
fn restore(files: &[(PathBuf, Vec<u8>, u32)]) -> Result<()> {
    for (path, bytes, mode) in files {
        if fs::read(path)? != *bytes {
            let part = path.with_extension("part");
            fs::write(&part, bytes)?;
            fs::set_permissions(&part, fs::Permissions::from_mode(*mode))?;
            fs::rename(part, path)?;
        }
    }
    Ok(())
}

/// kubectl by the administrators' file of the host.
fn on_host(scene: &Scene) -> Kubectl {
    Kubectl::new(scene.host().etc_kubernetes().join("super-admin.conf"), scene.folder.clone())
}

fn out(scene: &Scene, part: &str) -> Result<()> {
    for kubectl in [scene.kubectl()?, on_host(scene)] {
        wait_until("kubectl to be out", LONG, || {
            let said = kubectl.run(&["get", "nodes"])?;
            Ok(!said.success() && (part.is_empty() || said.stderr.contains(part)))
        })?;
    }
    Ok(())
}

fn works(scene: &Scene) -> Result<()> {
    kubectl_works(scene)?;
    let kubectl = on_host(scene);
    wait_until("kubectl by the host's own file to work", LONG, || Ok(kubectl.run(&["get", "nodes"])?.success()))
}

/// No key of the host's stands in what the program keeps or says, in any form that it could stand in.
fn no_key_is_kept(scene: &Scene, said: &str) -> Result<()> {
    let mut secrets = Vec::new();
    for (path, bytes, _) in all(&scene.host().etc_kubernetes())? {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if path.extension().is_some_and(|name| name == "key") {
            secrets.push(text.lines().nth(1).context("a key of one line")?.to_owned());
            secrets.push(STANDARD.encode(&bytes)[..400.min(bytes.len())].to_owned());
        }
        if let Some(data) = text.lines().find_map(|line| line.trim().strip_prefix("client-key-data: ")) {
            secrets.push(String::from_utf8(STANDARD.decode(data)?)?.lines().nth(1).context("a key")?.to_owned());
            secrets.push(data.to_owned());
        }
    }
    ensure!(secrets.len() >= 16, "only {} were looked for", secrets.len());
    let mut texts = vec![("what was said".to_owned(), said.to_owned())];
    for (path, bytes, _) in all(&scene.folder.join("state"))? {
        texts.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
    }
    for (at, text) in &texts {
        ensure!(
            !secrets.iter().any(|secret| text.contains(secret)) && !text.contains("PRIVATE KEY"),
            "a key stands in {at}"
        );
    }
    Ok(())
}

/// What an engineer would have prepared: each signed anew by openssl, a kubeconfig by sed.
const BY_HAND: &str = r#"set -e; cd /etc/kubernetes
new() {
  openssl x509 -x509toreq -in "$1" -signkey "$2" -copy_extensions copyall -out /tmp/csr
  openssl x509 -req -in /tmp/csr -CA "$3.crt" -CAkey "$3.key" -set_serial "0x$(openssl rand -hex 15)" -copy_extensions copyall -days 365 -out "$1.new"
  chmod 644 "$1.new"
}
for x in etcd/server:etcd/ca etcd/peer:etcd/ca apiserver-etcd-client:etcd/ca apiserver:ca; do
  y="pki/${x%:*}"; new "$y.crt" "$y.key" "pki/${x#*:}"; mv "$y.crt.new" "$y.crt"
done
for f in admin super-admin controller-manager scheduler; do
  for y in certificate:crt key:key; do sed -n "s/.*client-${y%:*}-data: //p" $f.conf | base64 -d >/tmp/own.${y#*:}; done
  new /tmp/own.crt /tmp/own.key pki/ca
  sed "s|client-certificate-data: .*|client-certificate-data: $(base64 -w0 </tmp/own.crt.new)|" $f.conf >$f.new; chmod 600 $f.new; mv $f.new $f.conf
done
rm -f /tmp/own.* /tmp/csr"#;

pub(super) fn what_has_ended_is_renewed_and_comes_back_by_undo() -> Result<()> {
    let scene = &*scene()?;
    works(scene)?;
    let folder = scene.host().etc_kubernetes();
    let whole = all(&folder)?;
    scene.plane.end_certificates()?;
    let ended = all(&folder)?;
    ensure!(ended != whole);
    out(scene, "expired")?;

    let began = Instant::now();
    let run = scene.ends(&["run", "certificates-expired", "--yes", "--reason", "a rehearsal"])?;
    let said = flat(&format!("{}{}", run.stdout, run.stderr));
    let took = began.elapsed().as_secs_f64();
    ensure!(run.success(), "{said}");
    works(scene)?;
    println!(
        "certificates-expired: kubectl works after {:.1} s, the run took {took:.1} s",
        began.elapsed().as_secs_f64()
    );
    for part in ["8 certificates to renew", "crictl ps -q --name 'controller-manager|scheduler'"] {
        ensure!(said.contains(part), "{part:?} was not said:\n{said}");
    }
    let run = scene.last_run("certificates-expired")?;
    let told = flat(&scene.run(&["show", &run])?);
    for part in ["pki/etcd/server.crt ended on 2020-12-31", "shown at 127.0.0.1:2379, ", ":2380, 127.0.0.1:6443"] {
        ensure!(told.contains(part), "{part:?} was not told: {told}");
    }
    no_key_is_kept(scene, &said)?;
    let again = flat(&scene.run(&["renew-certificates", "--yes"])?);
    ensure!(again.contains("none has ended"), "{again}");

    scene.run(&["undo", &run, "--yes"])?;
    ensure!(all(&folder)? == ended, "not the same bytes");
    out(scene, "expired")?;

    // The same by a script that was at hand, for the comparison.
    let began = Instant::now();
    scene.host().sh(BY_HAND)?.ok()?;
    works(scene)?;
    println!("a prepared script of openssl: kubectl works after {:.1} s", began.elapsed().as_secs_f64());

    // An API server that starts now comes to no etcd.
    restore(&ended)?;
    scene.plane.static_pod("kube-apiserver").context("no API server")?.signal(Signal::KILL);
    kubectl_is_out(scene)?;
    let began = Instant::now();
    scene.run(&["run", "certificates-expired", "--yes"])?;
    works(scene)?;
    println!("certificates-expired: an API server that had died is there after {:.1} s", began.elapsed().as_secs_f64());

    restore(&whole)?;
    let kept: Vec<PathBuf> = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    for folder in kept.iter().filter(|path| path.to_string_lossy().contains("/breakglass-")) {
        fs::remove_dir_all(folder)?;
    }
    ensure!(all(&folder)? == whole, "the scene is not what it was");
    works(scene)
}

pub(super) fn a_ca_that_has_ended_is_signed_by_itself() -> Result<()> {
    let scene = &*scene()?;
    works(scene)?;
    let folder = scene.host().etc_kubernetes();
    let whole = all(&folder)?;
    let pki = scene.plane.access().pki();
    let (good, old) = (pki.cluster.pem(), pki.cluster.ended()?);
    let replaced = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.replace(&good, &old).replace(&STANDARD.encode(&good), &STANDARD.encode(&old)).into_bytes()
    };
    let ours = |path: &Path| {
        ["ca.crt", "admin.conf", "super-admin.conf", "controller-manager.conf", "scheduler.conf"]
            .iter()
            .any(|name| path.ends_with(name))
    };
    let files: Vec<_> = whole
        .iter()
        .map(|(path, text, mode)| (path.clone(), if ours(path) { replaced(text) } else { text.clone() }, *mode))
        .collect();
    restore(&files)?;
    let ended = all(&folder)?;
    ensure!(ended == files && ended != whole);
    out(scene, "")?;

    // Nothing of a CA is touched unless that is asked for.
    let refused = scene.ends(&["renew-certificates", "--yes"])?;
    ensure!(!refused.success() && flat(&refused.stderr).contains("breakglass renew-certificates --ca"), "{refused:?}");
    ensure!(all(&folder)? == ended);

    let began = Instant::now();
    let said = flat(&scene.run(&["run", "certificates-expired", "-p", "ca=true", "--yes"])?);
    works(scene)?;
    println!("certificates-expired, ca=true: kubectl works after {:.1} s", began.elapsed().as_secs_f64());
    ensure!(said.contains("the old CA has ended wherever else it is"), "{said}");
    no_key_is_kept(scene, &said)?;
    let run = scene.last_run("certificates-expired")?;
    let told = flat(&scene.run(&["show", &run])?);
    ensure!(told.contains("renewed: pki/ca.crt") && told.contains("kube-root-ca.crt"), "{told}");
    scene.run(&["undo", &run, "--yes"])?;
    ensure!(all(&folder)? == ended, "not the same bytes");
    restore(&whole)?;
    works(scene)
}
