//! Ten Certificates a second for half a minute: how long each waits.

use std::time::Duration;

use anyhow::Result;
use futures::future::try_join_all;
use tokio::time::Instant;

use crate::{
    ground::{Ground, namespace},
    measure::percentile,
    say,
    watch::Readiness,
};

const COUNT: u32 = 300;
const EVERY: Duration = Duration::from_millis(100);

/// From the request to create to Ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steady {
    /// Half wait no longer.
    pub(crate) p50: Duration,
    /// 99 in a hundred wait no longer.
    pub(crate) p99: Duration,
    /// The longest.
    pub(crate) most: Duration,
}

/// Measures it.
pub(crate) async fn measure(ground: &Ground) -> Result<Steady> {
    say("operator: 10 a second for 30 s");
    let readiness = Readiness::follow(&ground.client);
    // What is there already is shown first.
    readiness.all(1 + crate::WARM_UP, Duration::from_mins(1)).await?;
    let begun = Instant::now();
    let creating = (0..COUNT).map(|number| async move {
        tokio::time::sleep_until(begun + EVERY * number).await;
        let (namespace, name) = (namespace(number as usize), format!("steady-{number:03}"));
        let sent = Instant::now();
        ground.create(&namespace, name.clone()).await?;
        anyhow::Ok(((namespace, name), sent))
    });
    let created = try_join_all(creating).await?;
    let limit = Instant::now() + Duration::from_mins(1);
    let mut waits = loop {
        let since = readiness.since();
        let waits: Vec<Duration> =
            created.iter().filter_map(|(name, sent)| since.get(name).map(|ready| ready.saturating_duration_since(*sent))).collect();
        if waits.len() == created.len() || Instant::now() > limit {
            break waits;
        }
        tokio::time::sleep(EVERY).await;
    };
    anyhow::ensure!(waits.len() == created.len(), "{} of {COUNT} are Ready a minute after the last was created", waits.len());
    let steady = Steady { p50: percentile(&mut waits, 50), p99: percentile(&mut waits, 99), most: percentile(&mut waits, 100) };
    say(&format!("operator: p50 {:.0?}, p99 {:.0?}, at most {:.0?}", steady.p50, steady.p99, steady.most));
    Ok(steady)
}
