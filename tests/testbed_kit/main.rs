//! The kit that the testbed writes is one that the program reads: what a person finds in every scenario.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use breakglass::{
    kit::{Cluster, Role, load},
    process::Process,
};
use testbed::{Kit, Lab, test};

fn main() -> ExitCode {
    testbed::main(vec![
        test("kit_of_hosts_behind_ssh_is_read_as_it_was_meant", behind_ssh),
        test("kit_of_direct_servers_and_nodes_is_read_as_it_was_meant", direct),
    ])
}

fn read(kit: &Kit) -> Result<Cluster> {
    let lab = Lab::shared()?;
    let folder = lab.folder("kit")?;
    kit.write(lab, &folder, "testbed")?;
    load::file(&folder.join("testbed.yaml"), &Process::real()).map_err(|refusals| anyhow!("{refusals:#?}"))
}

fn behind_ssh() -> Result<()> {
    let hosts = Lab::shared()?.hosts(["a1", "a2"])?;
    let cluster = read(&Kit::through(&hosts))?;
    for (host, server) in hosts.iter().zip(&cluster.api_servers) {
        assert_eq!(server.address.to_string(), "127.0.0.1:6443");
        assert_eq!(server.via.as_deref(), Some(host.name()));
        let known = cluster.host(host.name()).expect("a host of the kit");
        assert_eq!(known.address, std::net::IpAddr::from(host.ip4()));
        assert_eq!(known.ssh.user, "root");
        assert_eq!(known.ssh.identities, [Lab::shared()?.identity().key()]);
        assert_eq!(known.roles, [Role::ControlPlane]);
    }
    assert_eq!(cluster.api_servers.len(), 2);
    Ok(())
}

fn direct() -> Result<()> {
    let hosts = Lab::shared()?.hosts(["b1", "b2"])?;
    let cluster = read(&Kit::direct(&hosts[..1]).and_nodes(&hosts[1..]))?;
    assert_eq!(cluster.api_servers[0].address.to_string(), format!("{}:6443", hosts[0].ip4()));
    assert_eq!(cluster.api_servers[0].via, None);
    assert_eq!(cluster.hosts[0].roles, [Role::ControlPlane]);
    assert_eq!(cluster.hosts[1].roles, [Role::Node]);
    Ok(())
}
