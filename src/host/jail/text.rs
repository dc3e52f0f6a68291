//! The text of an `AuthorizationConfiguration`: a jail's lines put in before its first authorizer, and every other byte left as it is.
//!
//! What comes out is parsed and compared, value by value: an insertion that did not come out exactly so is refused.

use serde_json::{Value, json};

use super::Jail;
use crate::yaml::{self, Faults, Node, Tree};

/// The API versions in which servers read the file again by themselves; the first also in 1.29, where they do not.
const VERSIONS: [&str; 3] =
    ["apiserver.config.k8s.io/v1alpha1", "apiserver.config.k8s.io/v1beta1", "apiserver.config.k8s.io/v1"];
/// The one of the server that knew the file and did not read it again.
pub const OLDEST: &str = VERSIONS[0];

/// Where a jail's lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The lines, with their ends.
    pub block: String,
    /// Before this byte.
    pub at: usize,
    /// The whole text with them.
    pub text: String,
}

/// Puts a jail before the first authorizer.
///
/// # Errors
/// One sentence: it is no such file, or it is laid out in a way that only a person can edit.
pub fn put(text: &str, jail: &Jail, kubeconfig: &str) -> Result<Put, String> {
    let (root, end) = read(text)?;
    let before = root.to_json();
    check(&root)?;
    let (at, indent) = first(&text[..end], &root)?;
    let block = block(jail, kubeconfig, &" ".repeat(indent));
    let new = [&text[..at], &block, &text[at..]].concat();
    let mut wanted = before;
    if let Some(list) = wanted[AUTHORIZERS].as_array_mut() {
        list.insert(0, authorizer(jail, kubeconfig));
    }
    match read(&new) {
        Ok((root, _)) if root.to_json() == wanted => Ok(Put { block, at, text: new }),
        _ => Err(STRANGE.into()),
    }
}

const AUTHORIZERS: &str = "authorizers";
const STRANGE: &str = "its list of authorizers is laid out in a way that keeps a jail from being put before them without touching \
                       anything else: edit it by hand, as docs/jail.md says";

/// The version that the file says it is of.
pub fn version(text: &str) -> Option<String> {
    Some(read(text).ok()?.0.get("apiVersion")?.text()?.to_owned())
}

/// The document as its API server reads it, and where it ends.
fn read(text: &str) -> Result<(Node, usize), String> {
    let end = yaml::first_document(text).len();
    let mut faults = Faults::default();
    let root = yaml::parse_merged(&text[..end], &mut faults);
    let (Some(root), None) = (root, faults.into_vec().into_iter().next()) else {
        return Err("it is no YAML that can be read, so that its API server goes by what it read before".into());
    };
    Ok((root, end))
}

/// It is a file that an API server takes, as far as can be told here.
fn check(root: &Node) -> Result<(), String> {
    let text = |key: &str| root.get(key).and_then(Node::text).unwrap_or_default();
    if text("kind") != "AuthorizationConfiguration" || !VERSIONS.contains(&text("apiVersion")) {
        return Err(format!(
            "it says kind {:?} of {:?}, and an AuthorizationConfiguration of {} is what is known here",
            text("kind"),
            text("apiVersion"),
            VERSIONS.join(", ")
        ));
    }
    match root.get(AUTHORIZERS) {
        Some(list) if !list.items().is_empty() => Ok(()),
        _ => Err("it has no authorizers, so that its API server goes by what it read before".into()),
    }
}

/// Where the line below the list's own key begins, and how far the dash of its first item stands in. Remarks above an item, and the
/// marks of another jail, belong to it.
fn first(text: &str, root: &Node) -> Result<(usize, usize), String> {
    let strange = || STRANGE.to_owned();
    let (key, list) = root.entries().iter().find(|(key, _)| key.word == AUTHORIZERS).ok_or_else(strange)?;
    let item = list.items().first().filter(|item| matches!(item.tree, Tree::Map(_))).ok_or_else(strange)?;
    let line = text[..item.bytes.start].rfind('\n').map_or(0, |newline| newline + 1);
    let before = &text[line..item.bytes.start];
    let indent = before.find('-').ok_or_else(strange)?;
    let plain = before[..indent].bytes().all(|byte| byte == b' ') && before[indent + 1..].trim().is_empty();
    let below = key.bytes.end + text[key.bytes.end..].find('\n').ok_or_else(strange)? + 1;
    if plain && below <= line { Ok((below, indent)) } else { Err(strange()) }
}

/// The entry as a value.
fn authorizer(jail: &Jail, kubeconfig: &str) -> Value {
    json!({
        "type": "Webhook",
        "name": jail.name(),
        "webhook": {
            "timeout": "1s",
            "authorizedTTL": "1s",
            "unauthorizedTTL": "1s",
            "subjectAccessReviewVersion": "v1",
            "matchConditionSubjectAccessReviewVersion": "v1",
            "failurePolicy": "Deny",
            "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": kubeconfig},
            "matchConditions": [{"expression": jail.whom.expression()}, {"expression": jail.fails()}],
        },
    })
}

/// The same as lines between their marks. What stands in remarks is plain ASCII on one line: some readers take more than the
/// line feed for the end of a line.
pub(super) fn block(jail: &Jail, kubeconfig: &str, indent: &str) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let lines = [
        jail.begin(),
        format!("# {}; {}", jail.whom, jail.who()),
        format!(
            "# Out again: `breakglass undo {}`. By hand: delete all lines from \"begin\" to \"end\", then the kubeconfig that they name.",
            plain(&jail.run)
        ),
        "- type: Webhook".into(),
        format!("  name: {}", quoted(&jail.name())),
        "  webhook:".into(),
        "    timeout: 1s".into(),
        "    authorizedTTL: 1s".into(),
        "    unauthorizedTTL: 1s".into(),
        "    subjectAccessReviewVersion: v1".into(),
        "    matchConditionSubjectAccessReviewVersion: v1".into(),
        "    failurePolicy: Deny".into(),
        format!("    connectionInfo: {{type: KubeConfigFile, kubeConfigFile: {}}}", quoted(kubeconfig)),
        "    matchConditions:".into(),
        format!("    - expression: {}", quoted(&jail.whom.expression())),
        "    # It always fails: what matches the first is refused, and nobody is asked.".into(),
        format!("    - expression: {}", quoted(&jail.fails())),
        jail.end(),
    ];
    lines.iter().map(|line| format!("{indent}{line}\n")).collect()
}

/// On one line, in characters that nobody takes for anything else.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c == ' ' || c.is_ascii_graphic() { vec![c] } else { c.escape_default().collect() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::jail;
    use super::*;

    const PLAIN: &str = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n- type: Node\n  name: node\n- type: RBAC\n  name: rbac\n";
    const AT: &str = "/etc/kubernetes/authorization/x.kubeconfig";

    #[test]
    fn a_jail_is_put_first_and_every_other_byte_stays() {
        let odd = "# Ours.\n---\nkind: \"AuthorizationConfiguration\"   # so\napiVersion: apiserver.config.k8s.io/v1beta1\nauthorizers: # in order\n  # the nodes first\n\n  - {type: Node, name: node} # as ever\n  - name: rbac\n    type: RBAC\n...\nmore: [";
        for text in [PLAIN.to_owned(), PLAIN.replace('\n', "\r\n"), odd.to_owned()] {
            let Put { block, at, text: new } = put(&text, &jail(), AT).unwrap_or_else(|why| panic!("{why}: {text}"));
            assert_eq!(new, [&text[..at], &block, &text[at..]].concat());
            assert!(text[..at].ends_with('\n') && text[..at].contains("authorizers:"), "{}", &text[..at]);
            // Another comes before it, and each has its own lines.
            let second = Jail { run: "r2".into(), ..jail() };
            let both = put(&new, &second, AT).unwrap();
            assert_eq!(both.text.replace(&block, "").replace(&both.block, ""), text);
            let root = read(&both.text).unwrap().0.to_json();
            let names: Vec<&str> =
                root["authorizers"].as_array().unwrap().iter().filter_map(|it| it["name"].as_str()).collect();
            assert_eq!(names, ["breakglass-jail-r2-1", "breakglass-jail-r1-1", "node", "rbac"]);
        }
    }

    #[test]
    fn nothing_that_is_said_of_a_run_can_be_taken_for_more_than_a_remark() {
        let jail = Jail {
            operator: "al\u{2028}- type: AlwaysAllow".into(),
            reason: "too\nloud\u{85}x\u{7}".into(),
            run: "R\u{2029}1".into(),
            ..jail()
        };
        let new = put(PLAIN, &jail, AT).unwrap();
        assert!(
            new.block.is_ascii() && new.block.lines().all(|line| !line.contains(char::is_control)),
            "{}",
            new.block
        );
    }

    #[track_caller]
    fn refused(text: &str, part: &str) {
        let why = put(text, &jail(), AT).unwrap_err();
        assert!(why.contains(part), "{why}");
    }

    #[test]
    fn what_is_no_such_file_or_is_laid_out_otherwise_is_refused() {
        refused("{", "no YAML");
        refused("a: 1\na: 2\n", "no YAML");
        refused("kind: Pod\napiVersion: v1\n", "says kind \"Pod\"");
        refused(&PLAIN.replace("/v1\n", "/v9\n"), "v9");
        refused(PLAIN.split("- type").next().unwrap(), "no authorizers");
        let head = PLAIN.split("authorizers").next().unwrap();
        refused(&format!("{head}authorizers: [{{type: Node, name: node}}]\n"), "by hand");
        refused(&format!("{head}authorizers:\n-\n  type: Node\n  name: node\n"), "by hand");
        refused(
            "{\"kind\": \"AuthorizationConfiguration\", \"apiVersion\": \"apiserver.config.k8s.io/v1\", \"authorizers\": [{\"type\": \"Node\", \"name\": \"node\"}]}",
            "by hand",
        );
    }
}
