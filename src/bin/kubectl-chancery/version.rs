//! `kubectl chancery version`.

use std::process::ExitCode;

use chancery::plugin::{output, version::Versions};
use clap::Args;

use crate::access::{Access, Operator, Printed, runtime};
use crate::ended;

#[derive(Args, Debug)]
pub(crate) struct Version {
    /// Of this program alone: the cluster is not asked.
    #[arg(long)]
    client: bool,
    #[command(flatten)]
    operator: Operator,
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    printed: Printed,
}

impl Version {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let versions = if self.client {
            Versions::client()
        } else {
            runtime()?.block_on(async {
                let client = self.access.client().await?;
                anyhow::Ok(Versions::of(&client, &self.operator.operator_namespace).await?)
            })?
        };
        output::print(&versions, self.printed.output)?;
        Ok(ended(versions.missing.is_empty()))
    }
}
