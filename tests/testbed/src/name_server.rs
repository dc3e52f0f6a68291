//! CoreDNS, which learns a cluster's names from its API servers and so goes down with them.

use std::{fs, time::Duration};

use anyhow::Result;

use crate::{
    API_PORT, Host,
    access::Access,
    binaries,
    component::Component,
    control_plane::UP,
    pki::{User, put},
};

/// The name by which CoreDNS knows the API server, once [`NameServer::start`] has made it a service.
pub const CONTROL_PLANE: &str = "control-plane.default.svc.cluster.local";

/// A cluster's name server on a host of its own.
pub struct NameServer {
    component: Component,
    arguments: Vec<String>,
}

impl NameServer {
    /// Starts it for a cluster, whose API server on `server` gets the name [`CONTROL_PLANE`].
    ///
    /// # Errors
    /// If it has not learned the cluster's services in time: with the tail of its log.
    pub fn start(host: &Host, access: &Access, server: &Host) -> Result<Self> {
        let masters = access.kubectl(User::Masters)?;
        masters.apply(&service(server))?;
        let (kubeconfig, corefile) = (host.dir().join("coredns.conf"), host.dir().join("Corefile"));
        put(&kubeconfig, &fs::read_to_string(masters.kubeconfig())?, 0o600)?;
        // The lines of kubeadm's that have a meaning without a way out.
        let text = format!(
            ".:53 {{\n  errors\n  ready 127.0.0.1:8181\n  kubernetes cluster.local {{\n    kubeconfig {}\n    ttl 5\n  \
             }}\n  cache 5\n}}\n",
            kubeconfig.display()
        );
        put(&corefile, &text, 0o644)?;
        let arguments = vec!["-conf".to_owned(), corefile.display().to_string()];
        let program = binaries::name_server()?.display().to_string();
        let component = Component::start_program(host, "coredns", &program, &arguments)?;
        component
            .wait(UP, || Ok(host.command(&["curl", "-sf", "-m", "5", "http://127.0.0.1:8181/ready"])?.success()))?;
        Ok(Self { component, arguments })
    }

    /// From now on it is the only name server of `host`.
    pub fn serve(&self, host: &Host) -> Result<()> {
        let text = format!("nameserver {}\noptions timeout:1 attempts:2\n", self.component.host().ip4());
        // A machine's own may be a link to somewhere that a host does not have.
        host.sh("rm -f /etc/resolv.conf")?.ok()?;
        host.command_within(&["tee", "/etc/resolv.conf"], text.as_bytes(), Duration::from_secs(10))?.ok()?;
        Ok(())
    }

    /// The same, and `kubectl` on `host` is alice's and finds the API server by its name.
    pub fn serve_bastion(&self, host: &Host, access: &Access) -> Result<()> {
        self.serve(host)?;
        let text = fs::read_to_string(access.kubeconfig(User::Alice))?;
        let named = format!("server: https://{CONTROL_PLANE}:{API_PORT}\n    tls-server-name: kubernetes");
        put(&host.dir().join("by-name.conf"), &text.replace(&format!("server: {}", access.endpoint()), &named), 0o600)?;
        let links = format!(
            "mkdir -p /root/.kube; ln -s {}/by-name.conf /root/.kube/config; ln -s {} /usr/local/bin/kubectl",
            host.dir().display(),
            binaries::component("kubectl")?.display()
        );
        host.sh(&links)?.ok().map(|_| ())
    }

    /// The process, to be killed or stopped.
    pub fn component(&self) -> &Component {
        &self.component
    }

    /// Kills it and starts it anew: it knows nothing then, and learns it all from the API server. Returns when it takes
    /// questions, with or without an answer to give.
    pub fn restart(&self) -> Result<()> {
        self.component.kill()?;
        self.component.start_again(&self.arguments)?;
        self.component.host().wait_for_port(53, UP)
    }
}

/// A service whose one endpoint is that host: its name leads to the host's address, without kube-proxy.
fn service(server: &Host) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: control-plane, namespace: default}}
spec: {{clusterIP: None, ports: [{{name: https, port: {API_PORT}}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: control-plane, namespace: default, labels: {{kubernetes.io/service-name: control-plane}}}}
addressType: IPv4
ports: [{{name: https, port: {API_PORT}}}]
endpoints: [{{addresses: [{}], conditions: {{ready: true}}}}]
",
        server.ip4()
    )
}
