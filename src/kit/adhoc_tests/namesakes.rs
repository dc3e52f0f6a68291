//! Several files, and names that stand in more than one of them.

use super::*;

/// Two files as kubeadm makes them: all names the same but those of the contexts.
fn two_files(dir: &TempDir, process: &mut Process) {
    let file = |n: u8, context: &str| {
        format!(
            "current-context: {context}\n\
             contexts: [{{name: {context}, context: {{cluster: kubernetes, user: kubernetes-admin}}}}]\n\
             clusters: [{{name: kubernetes, cluster: {{server: 'https://10.{n}.0.11:6443', certificate-authority: ca.crt}}}}]\n\
             users: [{{name: kubernetes-admin, user: {{token: token-{n}}}}}]\n"
        )
    };
    put(dir.path(), "a", &file(1, "admin@prod-a"), 0o600);
    put(dir.path(), "b", &file(2, "admin@prod-b"), 0o600);
    process.env.insert("KUBECONFIG".into(), "a:b".into());
}

#[tokio::test]
async fn a_name_that_means_another_cluster_in_another_file_is_never_taken_in_silence() {
    let (dir, mut process) = folder();
    two_files(&dir, &mut process);
    let find = async |flags: Flags| cluster(&flags, &process, &asking(2)).await;
    let said = find(context("admin@prod-b")).await.unwrap_err();
    let said: Vec<String> = said.iter().map(ToString::to_string).collect();
    assert!(said[0].contains("another cluster \"kubernetes\" stands in") && said[0].contains("/a:3:"), "{said:?}");
    assert!(said[0].contains("--kubeconfig") && said[0].contains("/b)"), "{said:?}");

    // What comes first is the context's own; and a file alone has no namesakes.
    let found = find(context("admin@prod-a")).await.unwrap();
    assert_eq!(found.cluster.api_servers[0].address, "10.1.0.11:6443".parse().unwrap());
    let found = find(Flags { kubeconfig: Some("b".into()), ..context("admin@prod-b") }).await.unwrap();
    assert_eq!(found.cluster.api_servers[0].address, "10.2.0.11:6443".parse().unwrap());
    assert!(matches!(&found.cluster.credential, Credential::Token(token) if token == "token-2"));

    // The same entry in both files is no other.
    let b = std::fs::read_to_string(dir.path().join("b")).unwrap();
    put(dir.path(), "b", &b.replace("10.2.", "10.1.").replace("token-2", "token-1"), 0o600);
    assert_eq!(find(context("admin@prod-b")).await.unwrap().notes, Vec::<String>::new());

    // A credential of another is no better than an address of another.
    put(dir.path(), "b", &b.replace("10.2.", "10.1."), 0o600);
    let said = find(context("admin@prod-b")).await.unwrap_err();
    assert!(said[0].to_string().contains("another user \"kubernetes-admin\" stands in"), "{said:?}");
    let flags = Flags { token: Some("mine".into()), ..context("admin@prod-b") };
    assert!(find(flags).await.is_ok(), "the file's user is not asked");
}

/// A context in a file of its own says nothing of which namesake it means: never one file's address with the other's token.
#[tokio::test]
async fn a_context_alone_in_its_file_means_none_of_several_namesakes() {
    let (dir, mut process) = folder();
    two_files(&dir, &mut process);
    put(dir.path(), "c", "contexts: [{name: mine, context: {cluster: kubernetes, user: kubernetes-admin}}]\n", 0o600);
    process.env.insert("KUBECONFIG".into(), "c:a:b".into());
    let said = cluster(&context("mine"), &process, &asking(2)).await.unwrap_err()[0].to_string();
    assert!(said.contains("/a:") && said.contains("/b:") && said.contains("different ones stand in"), "{said}");
    process.env.insert("KUBECONFIG".into(), "c:b".into());
    let found = cluster(&context("mine"), &process, &asking(2)).await.unwrap();
    assert_eq!(found.cluster.api_servers[0].address, "10.2.0.11:6443".parse().unwrap());
}

#[tokio::test]
async fn a_context_that_stands_in_two_files_is_said() {
    let (dir, mut process) = folder();
    two_files(&dir, &mut process);
    let b = std::fs::read_to_string(dir.path().join("b")).unwrap();
    put(dir.path(), "b", &b.replace("prod-b", "prod-a"), 0o600);
    let flags = context("admin@prod-a");
    let found = cluster(&flags, &process, &asking(2)).await.unwrap();
    assert!(found.notes[0].contains("context \"admin@prod-a\" stands in"), "{:?}", found.notes);
    assert_eq!(found.cluster.api_servers[0].address, "10.1.0.11:6443".parse().unwrap());
}

#[tokio::test]
async fn a_name_given_twice_in_one_file_is_refused_as_kubectl_does() {
    let (dir, process) = folder();
    let other = "  - {name: prod, cluster: {server: 'https://10.0.0.8', certificate-authority: ca.crt}}\nusers:";
    put(dir.path(), "config", &CONFIG.replace("users:", other), 0o600);
    let said = find(context("prod"), &process).await.unwrap_err();
    assert!(said[0].contains("another cluster \"prod\" stands in"), "{said:?}");
}
