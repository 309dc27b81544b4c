//! `kubectl chancery renew`: a new certificate now.

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
    time::Duration,
};

use chancery::{
    api::Certificate,
    cluster::{Clock as _, SystemClock},
    plugin::{
        change::DryRun,
        output,
        renew::{Ask, Renewal, renew},
    },
};
use clap::Args;

use crate::access::{Change, Chosen, duration, runtime};
use crate::progress::progress;

#[derive(Args, Debug)]
pub(crate) struct Renew {
    #[command(flatten)]
    chosen: Chosen,
    /// Waits until the new certificates are there.
    #[arg(long)]
    wait: bool,
    /// How long each may take.
    #[arg(long, default_value = "2m", value_parser = duration, requires = "wait")]
    timeout: Duration,
    #[command(flatten)]
    change: Change,
}

impl Renew {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        self.chosen.check()?;
        runtime()?.block_on(async {
            let client = self.chosen.extent.access.client().await?;
            let certificates: Vec<Certificate> = self.chosen.objects(&client).await?;
            let ask = Ask { dry_run: self.change.dry_run, wait: self.wait.then_some(self.timeout), now: SystemClock.now() };
            let all = certificates.len();
            let terminal = io::stderr().is_terminal();
            let waits = self.wait && self.change.dry_run == DryRun::None;
            let asked = |count: usize| {
                progress(&if count < all { format!("asking for new certificates: {count} of {all}") } else { String::new() });
                if terminal && waits && count == all {
                    let _ = writeln!(io::stderr(), "waiting for {all} new certificate{}", if all == 1 { "" } else { "s" });
                }
            };
            let told = |item: &Renewal| {
                if terminal {
                    let what = if item.renewed == Some(true) { "renewed" } else { "not renewed" };
                    let _ = writeln!(io::stderr(), "{}/{}: {what}", output::plain(&item.namespace), output::plain(&item.name));
                }
            };
            let done = renew(&client, &certificates, ask, asked, told).await;
            output::print(&done, self.change.printed.output)?;
            Ok(if done.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        })
    }
}
