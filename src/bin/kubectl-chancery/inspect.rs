//! `kubectl chancery inspect`: certificates as people want to read them.

use std::process::ExitCode;

use chancery::{
    cluster::{Clock as _, SystemClock},
    plugin::{inspect::inspect, output::print},
};
use clap::Args;

use crate::access::{OneNamespace, Printed, runtime};
use crate::ended;
use crate::source::Source;

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    #[command(subcommand)]
    source: Source,
    #[command(flatten)]
    printed: Printed,
    #[command(flatten)]
    place: OneNamespace,
}

impl Inspect {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let material = runtime()?.block_on(self.source.material(&self.place))?;
        let found = inspect(&material, SystemClock.now());
        print(&found, self.printed.output)?;
        Ok(ended(found.is_well()))
    }
}
