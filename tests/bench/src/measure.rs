//! Many who write at once, and figures of what they took.

use std::{
    future::Future,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result};
use futures::future::try_join_all;

use crate::WORKERS;

/// Does `count` pieces of work, in order, by as many workers as everywhere here.
pub(crate) async fn by_workers<F>(count: usize, work: impl Fn(usize) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let next = AtomicUsize::new(0);
    let workers = (0..WORKERS).map(|_| async {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return anyhow::Ok(());
            }
            work(number).await?;
        }
    });
    try_join_all(workers).await.map(drop)
}

/// The processor time that this process has used, in seconds.
pub(crate) fn own_cpu() -> Result<f64> {
    cpu_of(std::process::id())
}

/// The processor time that a process has used, in seconds.
pub(crate) fn cpu_of(process: u32) -> Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    crate::operator::ProcessTimes::read(&text).map(|process| process.cpu).context("no processor time")
}

/// So many in that time, a second.
pub(crate) fn rate(count: usize, took: Duration) -> f64 {
    number(count) / took.as_secs_f64()
}

/// A count as a number to reckon with.
pub(crate) fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

/// The least value that so many in a hundred do not exceed.
pub(crate) fn percentile(values: &mut [Duration], percent: usize) -> Duration {
    values.sort_unstable();
    let place = (values.len() * percent).div_ceil(100).clamp(1, values.len().max(1));
    values.get(place - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let mut values: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut values, 50), Duration::from_millis(100));
        assert_eq!(percentile(&mut values, 99), Duration::from_millis(198));
        assert_eq!(percentile(&mut values, 100), Duration::from_millis(200));
        assert_eq!(percentile(&mut [], 99), Duration::ZERO);
    }
}
