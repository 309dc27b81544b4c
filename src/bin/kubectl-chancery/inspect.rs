//! `kubectl chancery inspect`: certificates as people want to read them.

use std::process::ExitCode;

use chancery::{
    cluster::{Clock as _, SystemClock},
    plugin::{
        inspect::inspect,
        output::{Format, print},
    },
};
use clap::Args;

use crate::source::{Place, Source};
use crate::{NOT_WELL, access::runtime};

#[derive(Args, Debug)]
pub(crate) struct Inspect {
    #[command(subcommand)]
    source: Source,
    /// How it is printed.
    #[arg(short, long, value_name = "FORMAT", default_value = "table", global = true)]
    output: Format,
    #[command(flatten)]
    place: Place,
}

impl Inspect {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let material = runtime()?.block_on(self.source.material(&self.place))?;
        let found = inspect(&material, SystemClock.now());
        print(&found, self.output)?;
        Ok(if found.is_well() { ExitCode::SUCCESS } else { ExitCode::from(NOT_WELL) })
    }
}
