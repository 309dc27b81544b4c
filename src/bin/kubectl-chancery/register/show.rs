//! `kubectl chancery register show`: which lines, and how they are printed.

use std::{
    io::{self, BufWriter, Write as _},
    process::ExitCode,
    time::Duration,
};

use chancery::{
    api::GoDuration,
    cluster::{Clock as _, SystemClock},
    plugin::{
        ocsp::serial,
        output::{plain, written},
        register::{
            none,
            show::{self, Filter},
        },
    },
    register::Act,
};
use chancery_pki::SerialNumber;
use clap::Args;
use jiff::Timestamp;

use super::registers;
use crate::{
    access::{OperatorNamespace, Printed, namespaced},
    ended, given,
};

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The registers: common, or a keyID or its first digits. Unset: all.
    #[arg(value_parser = given::register)]
    ids: Vec<String>,
    /// Only lines of this act, as revoked (repeatable).
    #[arg(long, value_name = "ACT", value_parser = show::act)]
    act: Vec<Act>,
    /// Only lines about the certificate with this serial.
    #[arg(long, value_parser = serial)]
    serial: Option<SerialNumber>,
    /// Only lines about this Certificate.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = namespaced)]
    certificate: Option<(String, String)>,
    /// Only lines since then: a time, or how long ago, as 24h.
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    #[command(flatten)]
    printed: Printed,
    #[command(flatten)]
    cluster: OperatorNamespace,
}

/// A time, or how long ago.
#[derive(Clone, Copy, Debug)]
enum Since {
    Time(Timestamp),
    Ago(Duration),
}

impl std::str::FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(time) = text.parse() {
            return Ok(Self::Time(time));
        }
        let duration: GoDuration = text.parse().map_err(|_| "write a time as 2026-06-01T12:00:00Z, or how long ago as 24h".to_owned())?;
        Duration::try_from(duration.get()).map(Self::Ago).map_err(|error| error.to_string())
    }
}

impl Since {
    fn time(self) -> Timestamp {
        match self {
            Self::Time(time) => time,
            Self::Ago(ago) => SystemClock.now().checked_sub(ago).unwrap_or(Timestamp::MIN),
        }
    }
}

impl Show {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let registers = registers(&self.cluster).await?;
        let chosen = registers.chosen(&self.ids)?;
        if chosen.is_empty() {
            let _ = writeln!(io::stderr(), "{}", none(&self.cluster.namespace));
        }
        let examined = chosen.iter().map(|id| registers.one(id)).collect::<Result<Vec<_>, _>>()?;
        let filter = Filter { acts: self.act, serial: self.serial, certificate: self.certificate, since: self.since.map(Since::time) };
        let lines = show::chosen(&examined, &filter);
        let mut out = BufWriter::new(anstream::AutoStream::auto(io::stdout().lock()));
        written(show::lines(&lines, chosen.len() > 1, self.printed.output, &mut out).and_then(|()| out.flush()))?;
        for (id, fault) in examined.iter().flat_map(|examined| examined.faults.iter().map(|fault| (examined.id, fault))) {
            let _ = writeln!(io::stderr(), "register {id}: {}", plain(&fault.to_string()));
        }
        Ok(ended(examined.iter().all(|examined| examined.faults.is_empty())))
    }
}
