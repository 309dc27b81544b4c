//! Many Certificates at once, while the operator works: how fast, with how many requests, at what cost.

use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use crate::{
    ground::{Ground, namespace},
    measure::{by_workers, number, own_cpu, rate},
    operator::{Calls, Memory, Operator},
    say,
    watch::Readiness,
};

/// How long at most, for each Certificate and in any case.
const SLOWEST: Duration = Duration::from_millis(200);
const LEAST: Duration = Duration::from_mins(2);

/// What was measured.
#[derive(Debug)]
pub(crate) struct Bulk {
    /// How many.
    pub(crate) count: usize,
    /// From the first create to all Ready.
    pub(crate) ready: Duration,
    /// The same for each tenth of them, in the order in which they became Ready.
    pub(crate) tenths: Vec<Duration>,
    /// From the first create to the last of the operator's writes, Events included.
    pub(crate) written: Duration,
    /// The operator's calls.
    pub(crate) calls: Calls,
    /// Its processor time in seconds.
    pub(crate) cpu: f64,
    /// The same of all parts: the control plane, the operator, and us who create and watch.
    pub(crate) cpu_of_all: f64,
    /// Its memory after that.
    pub(crate) memory: Memory,
    /// Events that it gave up.
    pub(crate) events_lost: f64,
    /// Reconciles.
    pub(crate) reconciles: f64,
}

impl Bulk {
    /// Certificates a second.
    pub(crate) fn rate(&self) -> f64 {
        rate(self.count, self.ready)
    }

    /// So many for each certificate.
    pub(crate) fn each(&self, calls: u64) -> f64 {
        f64::from(u32::try_from(calls).unwrap_or(u32::MAX)) / number(self.count)
    }
}

/// Measures it.
pub(crate) async fn measure(ground: &Ground, operator: &Operator, count: usize) -> Result<Bulk> {
    let readiness = Readiness::follow(&ground.client);
    readiness.all(1 + crate::WARM_UP, LEAST).await?;
    let there = readiness.count();
    let (before, cpu) = (operator.metrics().await?, operator.cpu()?);
    let (own, theirs) = (own_cpu()?, ground.cpu()?);
    let limit = LEAST + SLOWEST * u32::try_from(count)?;
    let begun = Instant::now();
    let creating = by_workers(count, |number| async move { ground.create(&namespace(number), format!("web-{number:05}")).await.map(drop) });
    let (created, ready) = tokio::join!(creating, readiness.all(there + count, limit));
    created?;
    ready?;
    let ready = begun.elapsed();
    let mut times: Vec<Duration> =
        readiness.since().into_iter().filter(|(_, since)| *since > begun).map(|(_, since)| since.duration_since(begun)).collect();
    times.sort_unstable();
    let tenths = (1..=10).filter_map(|tenth| times.get((count * tenth / 10).saturating_sub(1)).copied()).collect();
    drop(readiness);
    let (own, theirs) = (own_cpu()? - own, ground.cpu()? - theirs);
    let quiet = operator.quiet(Duration::from_secs(1), LEAST).await?;
    let after = operator.metrics().await?;
    ground.keep(&format!("metrics-{count}"), after.text())?;
    let since = |name: &str| after.value(name) - before.value(name);
    let cpu = operator.cpu()? - cpu;
    let bulk = Bulk {
        count,
        ready,
        tenths,
        written: quiet.since.duration_since(begun),
        calls: quiet.calls.since(&before.calls()),
        cpu,
        cpu_of_all: cpu + own + theirs,
        memory: operator.memory()?,
        events_lost: since("chancery_events_total{outcome=\"dropped\"}") + since("chancery_events_total{outcome=\"failed\"}"),
        reconciles: since("chancery_reconciles_total{controller=\"certificate\"}"),
    };
    say(&format!(
        "operator: {count} Ready in {:.1} s, {:.0} a second; all written after {:.1} s; {:.1} MiB; processor: {:.2} s, control plane {theirs:.2} s, we {own:.2} s",
        ready.as_secs_f64(),
        bulk.rate(),
        bulk.written.as_secs_f64(),
        bulk.memory.resident,
        bulk.cpu
    ));
    say(&format!("operator: {} (reconciles {}, Events lost {})", bulk.calls, bulk.reconciles, bulk.events_lost));
    Ok(bulk)
}
