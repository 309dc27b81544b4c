//! A start with everything there already: how long until the operator leads and has nothing left to do, and what it asks for.

use std::time::Duration;

use anyhow::Result;
use kube::api::ListParams;

use crate::{
    ground::{Ground, certificates, namespace},
    operator::{Calls, Memory},
    say,
};

/// What was measured.
#[derive(Debug)]
pub(crate) struct Restart {
    /// How many Certificates there are.
    pub(crate) count: usize,
    /// From the start of the process to its last call.
    pub(crate) took: Duration,
    /// All calls but the lease's.
    pub(crate) calls: Calls,
    /// Processor time in seconds.
    pub(crate) cpu: f64,
    /// Its memory after that.
    pub(crate) memory: Memory,
}

/// Measures it; no operator may run.
pub(crate) async fn measure(ground: &Ground) -> Result<Restart> {
    let mut count = 0;
    for number in 0..crate::ground::NAMESPACES {
        count += certificates(&ground.client, &namespace(number)).list_metadata(&ListParams::default()).await?.items.len();
    }
    let mut operator = ground.operator("second").await?;
    let quiet = operator.quiet(Duration::from_secs(1), Duration::from_mins(5)).await?;
    let restart = Restart {
        count,
        took: quiet.since.duration_since(operator.started),
        calls: quiet.calls,
        cpu: operator.cpu()?,
        memory: operator.memory()?,
    };
    say(&format!(
        "restart with {count}: steady after {:.1} s, {:.2} s of processor, {:.1} MiB; {}",
        restart.took.as_secs_f64(),
        restart.cpu,
        restart.memory.resident,
        restart.calls
    ));
    operator.stop().await?;
    Ok(restart)
}
