//! Many targets at a time: a canary first, then batches, at most so many in flight, stop taking new ones after N failures.

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};

use crate::limits::Limits;

/// What came of each item; `None`: not begun.
pub(super) type Results<T> = Vec<Option<T>>;

/// Runs `work` over `count` items by their index.
pub(super) async fn fan_out<'a, T, W>(count: usize, limits: Limits, work: W, failed: impl Fn(&T) -> bool) -> Results<T>
where
    W: Fn(usize) -> BoxFuture<'a, T>,
{
    let mut results: Results<T> = (0..count).map(|_| None).collect();
    let mut failures = 0;
    for (number, group) in groups(count, limits).into_iter().enumerate() {
        let mut waiting = group.into_iter();
        let mut in_flight = FuturesUnordered::new();
        loop {
            while in_flight.len() < limits.at_once.max(1) && failures < limits.max_failures.max(1) {
                let Some(index) = waiting.next() else { break };
                let future = work(index);
                in_flight.push(async move { (index, future.await) });
            }
            let Some((index, result)) = in_flight.next().await else { break };
            failures += usize::from(failed(&result));
            results[index] = Some(result);
        }
        let canary_failed = limits.canary && number == 0 && failures > 0;
        if canary_failed || failures >= limits.max_failures.max(1) {
            break;
        }
    }
    results
}

fn groups(count: usize, limits: Limits) -> Vec<Vec<usize>> {
    let first = usize::from(limits.canary && count > 1);
    let rest: Vec<usize> = (first..count).collect();
    let size = if limits.batch == 0 { rest.len().max(1) } else { limits.batch };
    let canary = (first == 1).then(|| vec![0]);
    canary.into_iter().chain(rest.chunks(size).map(<[usize]>::to_vec)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::FutureExt as _;

    use super::*;

    fn limits(at_once: usize, canary: bool, batch: usize, max_failures: usize) -> Limits {
        Limits { at_once, canary, batch, max_failures }
    }

    #[track_caller]
    fn case(count: usize, limits: Limits, bad: &[usize], begun: &[usize]) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let results =
            runtime.block_on(fan_out(count, limits, |i| async move { bad.contains(&i) }.boxed(), |failed| *failed));
        let got: Vec<usize> = (0..count).filter(|i| results[*i].is_some()).collect();
        assert_eq!(got, begun);
    }

    #[test]
    fn a_failed_canary_stops_the_rest() {
        case(5, limits(4, true, 0, 9), &[0], &[0]);
        case(5, limits(4, true, 0, 9), &[], &[0, 1, 2, 3, 4]);
    }

    #[test]
    fn batches_stop_after_enough_failures() {
        case(7, limits(4, true, 2, 1), &[1], &[0, 1, 2]);
        case(7, limits(1, false, 0, 2), &[0, 3], &[0, 1, 2, 3]);
        case(3, limits(0, false, 0, 0), &[2], &[0, 1, 2]);
    }

    #[test]
    fn never_more_in_flight_than_allowed() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (now, most) = (&now, &most);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let work = |_| {
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
            }
            .boxed()
        };
        runtime.block_on(fan_out(50, limits(3, false, 0, 1), work, |()| false));
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }
}
