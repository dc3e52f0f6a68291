//! From names to endpoints by the operator's own OpenSSH configuration.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use breakglass::link::ssh::Session;
use breakglass::link::ssh::config::{Overrides, Resolver, Surroundings};
use libtest_mimic::{Failed, Trial};
use testbed::Lab;

use crate::support::{Verdict, file, plenty, seconds, trial};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("hosts_of_an_ssh_configuration_are_reached_through_its_jump_host", through_config),
        trial("jump_hosts_with_jump_hosts_of_their_own_are_followed", nested),
        trial("what_can_not_be_honoured_is_refused_or_noted", refusals),
        trial("without_a_client_the_defaults_are_used_and_that_is_said", without_client),
        trial("a_configuration_that_hangs_costs_only_the_deadline", hanging),
    ]
}

fn resolver(config: PathBuf) -> Resolver {
    Resolver::new(Surroundings {
        client: Some("/usr/bin/ssh".into()),
        config: Some(config),
        home: "/root".into(),
        user: "root".into(),
        env: [("KEYS".to_owned(), "/keys".to_owned())].into(),
        ..Surroundings::default()
    })
}

async fn through_config() -> Verdict {
    let lab = Lab::shared()?;
    let hosts = lab.hosts(["name-bastion", "name-inner"])?;
    let [bastion, inner] = &hosts[..] else { return Err("two hosts".into()) };
    let resolver = resolver(lab.ssh_config_through(bastion)?);
    for (host, jumps) in [(bastion, 0), (inner, 1)] {
        let found = resolver.resolve(host.name(), &Overrides::default(), plenty()).await?;
        assert!(!found.looked_up && found.notes.is_empty(), "{found:?}");
        assert_eq!((found.endpoint.jumps.len(), found.endpoint.identities_only), (jumps, true));
        let session = Session::connect(&found.endpoint, plenty()).await?;
        let out = session.exec("hostname", Vec::new(), plenty()).await?;
        assert_eq!(String::from_utf8(out.stdout)?.trim(), host.name());
    }
    // The kit's address goes before the configuration's, and the key is still found by name.
    let overrides = Overrides { address: Some(inner.ip6().into()), jump: Some("none".into()), ..Overrides::default() };
    let found = resolver.resolve("name-inner", &overrides, plenty()).await?;
    assert_eq!((found.endpoint.address.clone(), found.endpoint.jumps.len()), (inner.ip6().to_string(), 0));
    Session::connect(&found.endpoint, plenty()).await?;
    Ok(())
}

async fn ways(config: &str, alias: &str) -> Result<Vec<String>, Failed> {
    let found = resolver(file("config", config)?).resolve(alias, &Overrides::default(), plenty()).await?;
    let all = found.endpoint.jumps.iter().chain([&found.endpoint]);
    Ok(all.map(|e| format!("{}@{}:{}", e.user, e.address, e.port)).collect())
}

async fn nested() -> Verdict {
    let config = "Host a\n HostName 10.0.0.1\n Port 2201\nHost b\n HostName 10.0.0.2\n ProxyJump a\nHost c\n HostName inside.example\n ProxyJump joe@b:22,d\n\
                  Host d\n HostName 10.0.0.4\n ProxyJump nobody\nHost self\n HostName 10.0.0.5\n ProxyJump self\n\
                  Host x\n HostName 10.0.0.6\n ProxyJump y\nHost y\n HostName 10.0.0.7\n ProxyJump x\nHost *\n User ops\n";
    assert_eq!(ways(config, "a").await?, ["ops@10.0.0.1:2201"]);
    assert_eq!(ways(config, "b").await?, ["ops@10.0.0.1:2201", "ops@10.0.0.2:22"]);
    // `d` is reached through `joe@b`, whatever its own configuration says; `inside.example` is looked up there.
    let want = ["ops@10.0.0.1:2201", "joe@10.0.0.2:22", "ops@10.0.0.4:22", "ops@inside.example:22"];
    assert_eq!(ways(config, "c").await?, want);
    assert_eq!(ways(config, "self").await?, ["ops@10.0.0.5:22"]);
    let circle = ways(config, "x").await.expect_err("a circle");
    assert!(circle.message().is_some_and(|m| m.contains("circle")), "{circle:?}");
    Ok(())
}

async fn refusals() -> Verdict {
    let proxied = ways("Host p\n HostName 10.0.0.1\n ProxyCommand nc %h %p\n", "p").await.expect_err("a proxy command");
    assert!(proxied.message().is_some_and(|m| m.contains("is not run")), "{proxied:?}");
    let older = "Host p\n HostName 10.0.0.1\n ProxyCommand ssh -q -W %h:%p joe@b\nHost b\n HostName 10.0.0.2\n Port 2201\nHost *\n User ops\n";
    assert_eq!(ways(older, "p").await?, ["joe@10.0.0.2:2201", "ops@10.0.0.1:22"]);
    let unset =
        ways("Host p\n HostName 10.0.0.1\n IdentityFile ${NOT_SET}/id\n", "p").await.expect_err("no such variable");
    assert!(unset.message().is_some_and(|m| m.contains("NOT_SET")), "{unset:?}");
    assert!(ways("Host p\n HostName 10.0.0.1\n ProxyCommand none\n", "p").await.is_ok());
    let broken = ways("Host p\n NoSuchOption yes\n", "p").await.expect_err("not accepted by ssh");
    assert!(broken.message().is_some_and(|m| m.to_lowercase().contains("nosuchoption")), "{broken:?}");
    assert!(ways("", "-oProxyCommand=id").await.is_err());
    let nowhere = ways("Host n\n HostName does-not-exist.invalid\n", "n").await.expect_err("there is no DNS here");
    assert!(nowhere.message().is_some_and(|m| m.contains("no address")), "{nowhere:?}");

    let text = "Host p\n HostName 10.0.0.1\n StrictHostKeyChecking no\n IdentityFile %d/keys/%h-%r\n IdentityFile ${KEYS}/id\n UserKnownHostsFile /dev/null\n CertificateFile /c\n HostKeyAlias cp1\n RevokedHostKeys REVOKED\n";
    let stranger = std::fs::read_to_string(Lab::shared()?.stranger().public_key())?;
    let revoked = file("revoked", &stranger)?.display().to_string();
    let resolver = resolver(file("config", &text.replace("REVOKED", &revoked))?);
    let found = resolver.resolve("p", &Overrides { port: Some(2222), ..Overrides::default() }, plenty()).await?;
    assert!(found.notes.iter().any(|note| note.contains("StrictHostKeyChecking")), "{:?}", found.notes);
    let endpoint = found.endpoint;
    assert_eq!((endpoint.port, endpoint.host_keys.alias.as_deref()), (2222, Some("cp1")));
    assert_eq!(endpoint.identities, [PathBuf::from("/root/keys/10.0.0.1-root"), PathBuf::from("/keys/id")]);
    assert!(found.notes.iter().any(|note| note.contains("~/.ssh/known_hosts")), "{:?}", found.notes);
    assert_eq!(endpoint.host_keys.known.files()[0], PathBuf::from("/root/.ssh/known_hosts"));
    assert_eq!(endpoint.certificates, [PathBuf::from("/c")]);
    assert!(endpoint.host_keys.known.mentions("any host at all"), "the revoked key is for all");
    // Read once: the second host shares what the first has read.
    let again = resolver.resolve("p", &Overrides::default(), plenty()).await?.endpoint;
    assert!(std::sync::Arc::ptr_eq(&again.host_keys.known, &endpoint.host_keys.known));
    Ok(())
}

async fn without_client() -> Verdict {
    let resolver =
        Resolver::new(Surroundings { home: "/home/joe".into(), user: "joe".into(), ..Surroundings::default() });
    let found = resolver.resolve("10.0.0.1", &Overrides::default(), plenty()).await?;
    assert_eq!((found.endpoint.user.as_str(), found.endpoint.port), ("joe", 22));
    assert!(found.endpoint.identities.contains(&PathBuf::from("/home/joe/.ssh/id_ed25519")));
    assert!(found.notes.iter().any(|note| note.contains("no OpenSSH client")), "{:?}", found.notes);
    let by_name = resolver.resolve("localhost", &Overrides::default(), plenty()).await?;
    assert!(by_name.looked_up);
    Ok(())
}

async fn hanging() -> Verdict {
    let resolver = resolver(file("config", "Match exec \"sleep 60\"\n User x\n")?);
    let started = Instant::now();
    let error = resolver.resolve("10.0.0.1", &Overrides::default(), seconds(1)).await.expect_err("it hangs");
    assert!(started.elapsed() < Duration::from_secs(20) && error.to_string().contains("in time"), "{error}");
    Ok(())
}
