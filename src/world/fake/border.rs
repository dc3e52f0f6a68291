//! The world in memory as the engine and the steps see it.

use std::net::SocketAddr;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{Fake, Fault, Sent};
use crate::change::{Op, Outcome, Part, Target};
use crate::cost::{Cost, Costs};
use crate::kit::Cluster;
use crate::script::Script;
use crate::world::{KubeAnswer, KubeRead, ReadError, ReadErrorKind, Reads, ScriptOutput, Way, World, Writes};

impl Reads for Fake {
    fn cluster(&self, name: &str) -> Option<&Cluster> {
        self.clusters.iter().find(|cluster| cluster.name == name)
    }

    fn learn(&self, cluster: &str, way: Way) {
        let mut state = self.state();
        match way {
            Way::Recovery { host, .. } => drop(state.recoveries.insert((cluster.to_owned(), host))),
            Way::NoRecovery { host } => drop(state.recoveries.remove(&(cluster.to_owned(), host))),
            Way::Credential(won) => drop(state.won.insert(cluster.to_owned(), won.of)),
        }
    }

    fn known_by(&self, cluster: &str) -> Option<String> {
        self.state().won.get(cluster).cloned()
    }

    fn recoveries(&self, cluster: &str) -> Vec<String> {
        let state = self.state();
        let here = state.recoveries.iter().filter(|(known, _)| known == cluster);
        here.map(|(_, host)| host.clone()).collect()
    }

    fn kube<'a>(&'a self, target: &'a Target, read: &'a KubeRead) -> BoxFuture<'a, Result<KubeAnswer, ReadError>> {
        let answer = {
            let mut state = self.state();
            state.sent.push(Sent::Get(target.clone(), read.path.clone()));
            if state.hanging.contains(target) {
                let limit = read.limit;
                let tried = vec!["no answer".into()];
                return async move {
                    tokio::time::sleep(limit).await;
                    Err(ReadError { kind: ReadErrorKind::TimedOut, tried, hint: None })
                }
                .boxed();
            }
            let denied = state.deny(target);
            let queue = state.answers.get_mut(&read.path);
            let told = queue.and_then(|queue| if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() });
            let objects = state.clusters.entry(target.cluster.clone()).or_default();
            let date = objects.date;
            let answer = || match objects.get(&read.path, read.accept) {
                // Every cluster has it.
                absent if absent.code == 404 && read.path == "/api/v1/namespaces/kube-system" => {
                    KubeAnswer { code: 200, text: r#"{"kind":"Namespace"}"#.into(), ..absent }
                }
                answer => answer,
            };
            denied.map(|()| told.unwrap_or_else(|| KubeAnswer { date, ..answer() }))
        };
        async move {
            let mut answer = answer?;
            target.short().clone_into(&mut answer.server);
            tokio::time::sleep(answer.took).await;
            Ok(answer)
        }
        .boxed()
    }

    fn script<'a>(
        &'a self,
        target: &'a Target,
        script: &'a Script,
        limit: Duration,
    ) -> BoxFuture<'a, Result<ScriptOutput, ReadError>> {
        let output = {
            let mut state = self.state();
            state.settle();
            state.sent.push(Sent::Look(target.clone(), script.clone()));
            if state.hanging.contains(target) {
                let tried = vec!["no answer".into()];
                return async move {
                    tokio::time::sleep(limit).await;
                    Err(ReadError { kind: ReadErrorKind::TimedOut, tried, hint: None })
                }
                .boxed();
            }
            state.deny(target).map(|()| state.run(target, script))
        };
        async move { output }.boxed()
    }

    fn host_key<'a>(&'a self, target: &'a Target, _: Duration) -> BoxFuture<'a, Result<Option<String>, ReadError>> {
        let mut state = self.state();
        let shown = match state.dying.get(target) {
            Some(0) => state.deny(target).map(|()| None),
            _ => Ok(state.host_keys.get(target).cloned()),
        };
        async move { shown }.boxed()
    }

    fn connect(&self, address: SocketAddr, _: Duration) -> BoxFuture<'_, Result<Duration, ReadError>> {
        let mut state = self.state();
        state.sent.push(Sent::Connect(address));
        if state.refuse_connections > 0 {
            state.refuse_connections -= 1;
            let tried = vec![format!("{address}: connection refused")];
            return async move { Err(ReadError { kind: ReadErrorKind::NoRoute, tried, hint: None }) }.boxed();
        }
        let answer = state.deny(&Target::local("")).map(|()| Duration::from_millis(1));
        async move { answer }.boxed()
    }
}

impl Writes for Fake {
    fn perform<'a>(&'a self, target: &'a Target, op: &'a Op, limit: Duration) -> BoxFuture<'a, Outcome> {
        async move {
            let fault = {
                let mut state = self.state();
                state.settle();
                state.ops += 1;
                state.sent.push(Sent::Op(target.clone(), op.clone()));
                let number = state.ops;
                for (target, op) in std::mem::take(&mut state.late) {
                    state.make(&target, &op);
                }
                if let Some((cluster, meddle)) = state.meddlers.remove(&number) {
                    meddle(state.clusters.entry(cluster).or_default());
                }
                if let Some((_, reads)) = state.deny_after.take_if(|(at, _)| *at == number) {
                    state.deny_reads = reads;
                }
                state.faults.get(&number).copied()
            };
            // Others get their turn between the decision and the act.
            tokio::task::yield_now().await;
            let met = self.state().met(target, op);
            if let Some(due) = met {
                tokio::time::sleep_until(due).await;
                self.state().settle();
            }
            match fault {
                None => self.state().make(target, op),
                Some(Fault::Cut) => {
                    self.state().begin(target, op);
                    Outcome::Unknown("the connection was reset".into())
                }
                Some(Fault::Refuse) => Outcome::Failed("403: not today".into()),
                Some(Fault::LoseMade) => {
                    self.state().make(target, op);
                    tokio::time::sleep(limit).await;
                    Outcome::Unknown("the connection was reset".into())
                }
                Some(Fault::LoseNotMade) => {
                    tokio::time::sleep(limit).await;
                    Outcome::Unknown("the connection was reset".into())
                }
                Some(Fault::Hang) => std::future::pending().await,
                Some(Fault::Late) => {
                    self.state().late.push((target.clone(), op.clone()));
                    Outcome::Unknown("the connection was reset".into())
                }
                Some(Fault::Busy) => {
                    tokio::time::sleep(limit).await;
                    Outcome::NotTaken("429, come again in 1 s".into())
                }
            }
        }
        .boxed()
    }
}

impl World for Fake {
    /// Of what was read; what a connection costs is nobody's.
    fn costs(&self) -> Costs {
        let costs = self.state().costs.clone();
        costs.into_iter().filter(|(target, _)| target.part != Part::Local).collect()
    }

    fn costs_on(&self, cluster: &str) -> Costs {
        let state = self.state();
        let ours = state.costs.range(Target::cluster(cluster)..).take_while(|(target, _)| target.cluster == cluster);
        let costs = ours.filter(|(target, _)| target.part != Part::Local);
        costs.map(|(target, cost)| (target.clone(), *cost)).collect()
    }

    fn cost_of(&self, target: &Target) -> Cost {
        self.state().costs.get(target).copied().unwrap_or_default()
    }
}

/// So that a drill can stand before a world that a test still holds.
impl Reads for &Fake {
    fn cluster(&self, name: &str) -> Option<&Cluster> {
        (**self).cluster(name)
    }

    fn kube<'a>(&'a self, target: &'a Target, read: &'a KubeRead) -> BoxFuture<'a, Result<KubeAnswer, ReadError>> {
        (**self).kube(target, read)
    }

    fn script<'a>(
        &'a self,
        target: &'a Target,
        script: &'a Script,
        limit: Duration,
    ) -> BoxFuture<'a, Result<ScriptOutput, ReadError>> {
        (**self).script(target, script, limit)
    }

    fn connect(&self, address: SocketAddr, limit: Duration) -> BoxFuture<'_, Result<Duration, ReadError>> {
        (**self).connect(address, limit)
    }
}

impl Writes for &Fake {
    fn perform<'a>(&'a self, target: &'a Target, op: &'a Op, limit: Duration) -> BoxFuture<'a, Outcome> {
        (**self).perform(target, op, limit)
    }
}

impl World for &Fake {
    fn costs(&self) -> Costs {
        (**self).costs()
    }

    fn costs_on(&self, cluster: &str) -> Costs {
        (**self).costs_on(cluster)
    }

    fn cost_of(&self, target: &Target) -> Cost {
        (**self).cost_of(target)
    }
}
