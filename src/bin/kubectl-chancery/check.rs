//! `kubectl chancery check`: whether the installation is right.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use chancery::{
    cluster::{Clock as _, SystemClock},
    plugin::{
        check::{Question, gather, judge, removal},
        output::print,
    },
};
use clap::Args;
use kube::Client;
use tokio::time::{MissedTickBehavior, interval};

use crate::access::{OperatorNamespace, Printed, duration, runtime};
use crate::ended;
use crate::given::filled;
use crate::progress::during;

/// How often it is looked again.
const TURN: Duration = Duration::from_secs(2);

/// What would be right where a namespace is meant that the operator serves.
const WATCHED: &str = "write a namespace that the operator serves, or leave the flag out for those of its Deployment";

#[derive(Args, Debug)]
pub(crate) struct Check {
    /// Looks again until nothing is wrong.
    #[arg(long, conflicts_with = "uninstall")]
    wait: bool,
    /// How long to wait.
    #[arg(long, default_value = "5m", value_parser = duration)]
    timeout: Duration,
    /// Says instead what removing the operator would leave, and in which order to go.
    #[arg(long)]
    uninstall: bool,
    /// A namespace that the operator serves (repeatable). Unset: those of the flags in its Deployment, else all.
    #[arg(long, value_name = "NAMESPACE", value_parser = filled(WATCHED))]
    watch_namespace: Vec<String>,
    /// The name of the lease. Unset: that of the flags in the operator's Deployment, else chancery-controller.
    #[arg(long, value_name = "NAME", value_parser = filled("write the name of the lease, or leave the flag out"))]
    lease_name: Option<String>,
    #[command(flatten)]
    printed: Printed,
    #[command(flatten)]
    cluster: OperatorNamespace,
}

impl Check {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        runtime()?.block_on(async {
            let client = self.cluster.access.client().await?;
            if self.uninstall {
                let found = during("looking at what there is", removal(&client, &self.cluster.namespace, SystemClock.now())).await?;
                print(&found, self.printed.output)?;
                return Ok(ExitCode::SUCCESS);
            }
            self.check(&client).await
        })
    }

    async fn check(self, client: &Client) -> anyhow::Result<ExitCode> {
        let question = Question { namespace: self.cluster.namespace, watched: self.watch_namespace, lease: self.lease_name };
        let mut turn = interval(TURN);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut left = Some(self.timeout);
        let mut told = None;
        loop {
            let begun = turn.tick().await;
            let found = judge(&during("looking at the installation", gather(client, &question, &SystemClock)).await);
            let waiting = found.waiting_for().filter(|_| self.wait);
            let took = turn.period().max(begun.elapsed());
            left = left.and_then(|left| left.checked_sub(took));
            let (Some(waiting), Some(_)) = (waiting, left) else {
                print(&found, self.printed.output)?;
                return Ok(ended(found.is_well()));
            };
            if told.as_ref() != Some(&waiting) {
                let _ = writeln!(io::stderr(), "waiting: {waiting}");
                told = Some(waiting);
            }
        }
    }
}
