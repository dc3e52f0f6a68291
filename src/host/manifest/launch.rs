//! How a manifest starts its program: the words that it gives it, and where the files of which they speak are on the host.

use serde_json::Value;

use super::{container, read, words};

/// How a container starts a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Launch {
    /// The words that the program gets.
    pub words: Vec<String>,
    /// Folders and files of the host, as the container sees them: (path in there, path on the host), the longest first.
    pub mounts: Vec<(String, String)>,
    /// The image.
    pub image: String,
}

impl Launch {
    /// Where a path of the container is on the host. Of one that no volume of the host holds nothing is known, and it stays.
    pub fn on_host(&self, path: &str) -> String {
        let inside = |(there, here): &(String, String)| {
            let rest = path.strip_prefix(there.trim_end_matches('/'))?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{}{rest}", here.trim_end_matches('/')))
        };
        self.mounts.iter().find_map(inside).unwrap_or_else(|| path.to_owned())
    }
}

/// How a manifest starts `program`.
///
/// # Errors
/// One sentence: no manifest, no such container, or words that cannot be told.
pub fn launch(text: &str, program: &str) -> Result<Launch, String> {
    let manifest = read(text)?.0.to_json();
    let container = &manifest["spec"]["containers"][container(&manifest, program)?];
    let given = words::of_program(container, program)?;
    if let Some(stray) = words::stray(&given) {
        return Err(format!("{:?} stands among its flags and is the value of none", stray.text));
    }
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text_of = |value: &Value| value.as_str().map(str::to_owned);
    let volumes = list(&manifest["spec"]["volumes"]);
    let path_of = |name: &Value| {
        let volume = volumes.iter().find(|volume| !name.is_null() && volume["name"] == *name)?;
        text_of(&volume["hostPath"]["path"])
    };
    let mount = |mount: &Value| {
        let here = path_of(&mount["name"])?;
        let sub = text_of(&mount["subPath"]).map_or_else(String::new, |sub| format!("/{sub}"));
        Some((text_of(&mount["mountPath"])?, format!("{}{sub}", here.trim_end_matches('/'))))
    };
    let mut mounts: Vec<_> = list(&container["volumeMounts"]).iter().filter_map(mount).collect();
    mounts.sort_by_key(|(there, _)| std::cmp::Reverse(there.len()));
    let image = text_of(&container["image"]).unwrap_or_default();
    Ok(Launch { words: given.into_iter().map(|word| word.text).collect(), mounts, image })
}

/// The release in an image's tag, when it is an image of the program: `HOST:PORT/PATH/kube-apiserver:v1.34.3@DIGEST`.
pub fn release(image: &str, program: &str) -> Option<(u32, u32)> {
    let name = image.split('@').next()?.rsplit('/').next()?;
    let (name, tag) = name.split_once(':')?;
    let mut numbers = tag.strip_prefix('v').unwrap_or(tag).split(['.', '-', '_', '+']);
    let release = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    name.contains(program).then_some(release)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_read_from_the_tag() {
        for (image, wanted) in [
            ("registry.k8s.io/kube-controller-manager:v1.28.3", Some((1, 28))),
            ("10.0.0.1:5000/k/kube-controller-manager-amd64:1.34.4-eks-1@sha256:ab", Some((1, 34))),
            ("10.0.0.1:5000/kube-controller-manager@sha256:ab", None),
            ("kube-controller-manager:latest", None),
            ("bg.local/busybox:1.2", None),
        ] {
            assert_eq!(release(image, "kube-controller-manager"), wanted, "{image}");
        }
    }

    #[test]
    fn paths_of_the_container_are_found_on_the_host() {
        let text = "kind: Pod\nspec:\n  containers:\n  - image: r/kube-apiserver:v1.34.4\n    command:\n    - kube-apiserver\n    - --tls-cert-file=/pki/a.crt\n    - --v\n    - \"2\"\n    volumeMounts:\n    - {name: k, mountPath: /pki}\n    - {name: e, mountPath: /pki/etcd, subPath: sub}\n    - {name: none, mountPath: /tmp}\n  volumes:\n  - name: k\n    hostPath: {path: /etc/kubernetes/pki/}\n  - name: e\n    hostPath: {path: /etc/etcd}\n  - name: none\n    emptyDir: {}\n";
        let launch = launch(text, "kube-apiserver").unwrap();
        assert_eq!(launch.words, ["--tls-cert-file=/pki/a.crt", "--v", "2"]);
        assert_eq!(launch.image, "r/kube-apiserver:v1.34.4");
        for (there, here) in [
            ("/pki/a.crt", "/etc/kubernetes/pki/a.crt"),
            ("/pki", "/etc/kubernetes/pki"),
            ("/pki/etcd/ca.crt", "/etc/etcd/sub/ca.crt"),
            ("/pkix/a", "/pkix/a"),
            ("/tmp/a", "/tmp/a"),
        ] {
            assert_eq!(launch.on_host(there), here);
        }
    }
}
