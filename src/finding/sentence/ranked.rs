//! What is said of a ranking of clients.

use super::{Clause, Piece, say};
use crate::finding::ranking::{Client, Ranking};

/// What is said of it in a sentence.
pub(super) fn ranked(ranking: &Ranking) -> Clause {
    let Some(first) = ranking.clients.first() else {
        return say().text("nothing was read that tells who loads the API servers").rest(": ", silent(ranking));
    };
    let said = ranking.offender().unwrap_or(first);
    let clause = say().text(&said.name).text(" takes ").piece(share(said)).text(format!(" {}", ranking.by.words()));
    let mut after: Vec<String> = Vec::new();
    after.extend(said.asks.first().map(|asks| format!("most for {asks}")));
    after.extend((said.sources > 0).then(|| format!("from {}", addresses(said.sources))));
    after.extend(said.workloads.first().map(|workload| format!("its pods are of {workload}")));
    after.push(format!("by {}", ranking.told_by()));
    let clause = if ranking.offender.is_some() { clause } else { clause.text(", and none stands out") };
    clause.rest(": ", after.join(", "))
}

/// Why there is nothing.
fn silent(ranking: &Ranking) -> String {
    let whys =
        ranking.sources.iter().flat_map(|told| told.silent.iter().map(move |(who, why)| (told.source, who, why)));
    let whys: Vec<String> = whys.map(|(source, who, why)| format!("{source}, {who}: {why}")).collect();
    if whys.is_empty() { "no client was seen".to_owned() } else { whys.join("; ") }
}

fn share(client: &Client) -> Piece {
    Piece::Amount(f64::from(client.share), client.percent())
}

fn addresses(number: u64) -> String {
    if number == 1 { "1 address".to_owned() } else { format!("{number} addresses") }
}
