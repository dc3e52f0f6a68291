//! Files as tools write them: keys given again, merged maps, UTF-16, a whole fleet in one.

use super::*;

#[tokio::test]
async fn of_a_key_that_is_given_again_the_last_value_counts_and_is_said_where_it_differs() {
    let (dir, process) = folder();
    put(dir.path(), "config", &format!("kind: Config\n{CONFIG}kind: Config\n"), 0o600);
    assert_eq!(find(context("prod"), &process).await.unwrap().notes, Vec::<String>::new());

    let again = "{server: 'https://10.0.0.9', server: 'https://10.0.0.8:7443',";
    put(
        dir.path(),
        "config",
        &format!("{}current-context: naked\n", CONFIG.replace("{server: 'https://10.0.0.9',", again)),
        0o600,
    );
    let found = find(context("prod"), &process).await.unwrap();
    assert_eq!(found.cluster.api_servers[0].address, "10.0.0.8:7443".parse().unwrap());
    let [first, second] = found.notes.as_slice() else { panic!("{:?}", found.notes) };
    assert!(first.contains("/config:13: server is given again; this one counts"), "{first}");
    assert!(second.contains("current-context is given again"), "{second}");

    put(dir.path(), "config", &format!("{CONFIG}users:\n  - {{name: me, user: {{token: other}}}}\n"), 0o600);
    let found = find(context("prod"), &process).await.unwrap();
    assert!(matches!(&found.cluster.credential, Credential::Token(token) if token == "other"));
}

#[tokio::test]
async fn merged_maps_are_read_as_kubectl_reads_them() {
    let (dir, process) = folder();
    let base = "x-base: &base {certificate-authority: ca.crt, tls-server-name: base}\n\
                x-more: &more {tls-server-name: more, server: 'https://10.0.0.7'}\n";
    for (cluster, server, name) in [
        ("{<<: *base, server: 'https://10.0.0.8', tls-server-name: own}", "10.0.0.8:443", "own"),
        ("{server: 'https://10.0.0.8', <<: *base}", "10.0.0.8:443", "base"),
        ("{<<: [*base, *more]}", "10.0.0.7:443", "base"),
        ("{<<: [*more, *base]}", "10.0.0.7:443", "more"),
    ] {
        let prod = "{server: 'https://10.0.0.9', certificate-authority: ca.crt, tls-server-name: kubernetes}";
        put(dir.path(), "config", &format!("{base}{}", CONFIG.replace(prod, cluster)), 0o600);
        let found = find(context("prod"), &process).await.unwrap();
        assert_eq!(found.cluster.api_servers[0].address, server.parse().unwrap(), "{cluster}");
        assert_eq!((found.cluster.tls_server_name.as_deref(), found.notes.len()), (Some(name), 0), "{cluster}");
    }
}

#[tokio::test]
async fn of_several_documents_the_first_counts_and_others_are_said() {
    let (dir, process) = folder();
    for (text, said) in [
        (format!("{CONFIG}---\n"), false),
        (format!("---\n{CONFIG}---\n# nothing\n\n"), false),
        (format!("{CONFIG}...\n"), false),
        (format!("{CONFIG}--- # another\ncurrent-context: lost\n"), true),
        (format!("# mine\n--- \n{CONFIG}---\nnot: [yaml\n"), true),
    ] {
        put(dir.path(), "config", &text, 0o600);
        let found = find(Flags::default(), &process).await.unwrap_or_else(|said| panic!("{said:?}\n{text}"));
        assert_eq!(found.cluster.name, "prod", "{text}");
        assert_eq!(found.notes.len(), usize::from(said), "{:?}\n{text}", found.notes);
        assert!(found.notes.iter().all(|note| note.contains("a second document")), "{:?}", found.notes);
    }
}

#[tokio::test]
async fn a_kubeconfig_in_utf_16_is_read() {
    let (dir, process) = folder();
    let units: Vec<u16> = format!("\u{feff}{CONFIG}# grüße 🌍\n").encode_utf16().collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    for bytes in [little, big] {
        std::fs::write(dir.path().join("config"), &bytes).unwrap();
        assert_eq!(find(context("prod"), &process).await.unwrap().cluster.name, "prod");
        std::fs::write(dir.path().join("config"), &bytes[..bytes.len() - 1]).unwrap();
        let said = find(context("prod"), &process).await.unwrap_err();
        assert!(said[0].contains("/config: begins as UTF-16 and is not text in it"), "{said:?}");
    }
    std::fs::write(dir.path().join("config"), b"\xffx").unwrap();
    assert!(find(context("prod"), &process).await.unwrap_err()[0].contains("is not text in UTF-8"));
}

#[tokio::test]
async fn the_kubeconfig_of_a_whole_fleet_is_read_and_no_more_than_that() {
    let (dir, process) = folder();
    let part = |head: &str, line: &dyn Fn(usize) -> String, count: usize| {
        std::iter::once(format!("{head}:\n")).chain((0..count).map(line)).collect::<String>()
    };
    let fleet = |count: usize, length: usize| {
        let data = "QUJD".repeat(length / 4);
        let context = |n: usize| format!("  - {{name: c{n}, context: {{cluster: c{n}, user: u{n}}}}}\n");
        let cluster = |n: usize| {
            format!(
                "  - {{name: c{n}, cluster: {{server: 'https://10.0.{}.{}', certificate-authority: ca.crt}}}}\n",
                n / 250,
                n % 250
            )
        };
        let user = |n: usize| format!("  - {{name: u{n}, user: {{token: {data}{n}}}}}\n");
        part("contexts", &context, count) + &part("clusters", &cluster, count) + &part("users", &user, count)
    };
    let text = fleet(320, 4_000);
    assert!(text.len() > 1_300_000);
    put(dir.path(), "config", &text, 0o600);
    let found = find(context("c319"), &process).await.unwrap();
    assert_eq!(found.cluster.api_servers[0].address, "10.0.1.69:443".parse().unwrap());
    // Longer than the most that is read.
    put(dir.path(), "config", &fleet(100, 180_000), 0o600);
    let said = find(context("c1"), &process).await.unwrap_err();
    assert!(said[0].contains("/config: cannot be read: longer than 16.7 MB"), "{said:?}");
}

#[tokio::test]
async fn a_number_where_a_text_must_stand_is_refused_with_its_place() {
    let (dir, process) = folder();
    let me = "client-certificate: me.crt, client-key: me.key";
    for (from, to, said) in [
        (me, "token: 12345", "config:17:30: token: expected text, found a number (put it in quotes)"),
        ("name: prod, context", "name: 2024, context", ":5:12: name: expected text, found a number"),
        ("current-context: prod", "current-context: true", ":3:18: current-context: expected text, found a switch"),
        ("cluster: gone", "cluster: 7", "cluster: expected text, found a number"),
    ] {
        assert!(CONFIG.contains(from), "{from}");
        put(dir.path(), "config", &CONFIG.replace(from, to), 0o600);
        let all = find(Flags::default(), &process).await.unwrap_err();
        assert!(all.iter().any(|one| one.contains(said)), "{to}: {all:?}");
    }
    put(dir.path(), "config", &CONFIG.replace(me, "token: '12345'"), 0o600);
    assert!(find(Flags::default(), &process).await.is_ok());
}

#[tokio::test]
async fn a_list_of_no_files_is_said_as_it_stands() {
    let (dir, mut process) = folder();
    for (list, said) in [
        (":", "no kubeconfig: KUBECONFIG=\":\" names no file".to_owned()),
        (":gone:", format!("no kubeconfig: {} is not there", dir.path().join("gone").display())),
    ] {
        process.env.insert("KUBECONFIG".into(), list.into());
        let all = cluster(&Flags::default(), &process, &asking(1)).await.unwrap_err();
        assert!(all[0].to_string().contains(&said), "{list}: {}", all[0]);
    }
    process.env.insert("KUBECONFIG".into(), ":config:".into());
    assert!(cluster(&Flags::default(), &process, &asking(1)).await.is_ok());
}
