//! `make bench`: the figures of an issuance at scale, each beside the floor of the same run.
//!
//! The floor is a plain client that writes what a Certificate needs and nothing else; how near the operator comes to it says
//! something on any machine, its absolute rate only on this one. Each measurement has a control plane of its own, so that none
//! finds what another has left, and the floor is measured before and after.

mod bulk;
mod floor;
mod ground;
mod measure;
mod ocsp;
mod operator;
mod responder;
mod restart;
mod revocation;
mod sample;
mod steady;
mod table;
mod watch;

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use futures::FutureExt as _;
use tokio::time::Instant;

use floor::Floor;
use ground::Ground;
use sample::Sample;
use table::Report;

/// How many write at once: the floor, and those who create Certificates for the operator.
const WORKERS: usize = 32;
/// How many there are where many are wanted.
const MANY: usize = 10_000;
/// Certificates that are made before anything is timed, so that connections stand and caches are warm.
const WARM_UP: usize = 64;

const HELP: &str = "\
measures the operator against a real API server, beside a plain client in the same run
  --operator FILE   the operator's binary
  --folder FOLDER   for logs and etcd's data; replaced at each run
  --count NUMBER    Certificates in the measurements (1000)
  --full            10,000 Certificates too: a quarter of an hour more
  --edition FILE    the program that makes a large list
  --only PART       floor, bulk, steady, restart, revocation, ocsp or edition";

struct Arguments {
    operator: PathBuf,
    edition: PathBuf,
    folder: PathBuf,
    count: usize,
    full: bool,
    only: Option<String>,
}

impl Arguments {
    fn does(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => return failure(&error),
    };
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let done = tokio::runtime::Runtime::new().context("the runtime cannot start").and_then(|runtime| runtime.block_on(run(&arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error),
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    let begun = Instant::now();
    let mut report = Report::default();
    if arguments.folder.exists() {
        std::fs::remove_dir_all(&arguments.folder).context("the last run's folder cannot be removed")?;
    }
    let floors = ["floor", "bulk"].iter().any(|part| arguments.does(part));
    let sample = if floors { Some(Sample::take(&Ground::start(arguments, "sample").await?).await?) } else { None };
    if let Some(sample) = &sample {
        let [certificate, secret, status, event] = sample.sizes;
        say(&format!("one Certificate: {certificate} octets, its Secret {secret}, its status {status}, its Event {event}"));
        report.before = Some(scaled(arguments, sample, arguments.count, "floor-before").await?);
    }
    if arguments.does("bulk") || arguments.does("steady") || arguments.does("restart") {
        let ground = Ground::start(arguments, "operator").await?;
        let mut operator = ground.operator("first").await?;
        ground.issuer(&operator).await?;
        report.bulk = Some(bulk::measure(&ground, &operator, arguments.count).await?);
        if arguments.does("steady") {
            report.steady = Some(steady::measure(&ground).await?);
        }
        if arguments.does("restart") {
            operator.stop().await?;
            report.restart = Some(restart::measure(&ground).await?);
        }
    }
    if let Some(sample) = &sample {
        report.after = Some(scaled(arguments, sample, arguments.count, "floor-after").await?);
    }
    if arguments.does("edition") {
        report.edition = Some(revocation::Edition::measure(&arguments.edition).await?);
    }
    if arguments.does("revocation") {
        let ground = Ground::start(arguments, "revocation").await?;
        let many = if arguments.full { MANY } else { arguments.count };
        report.revocation = Some(Box::pin(revocation::measure(&ground, many)).await?);
    }
    if arguments.does("ocsp") {
        let ground = Ground::start(arguments, "ocsp").await?;
        report.ocsp = Some(Box::pin(ocsp::measure(&ground)).await?);
    }
    if arguments.full && arguments.only.is_none() {
        let sample = sample.context("it was taken for the floor")?;
        full(arguments, &sample, &mut report).await?;
    }
    say(&format!("measured in {:.0} s; logs are in {}\n", begun.elapsed().as_secs_f64(), arguments.folder.display()));
    say(&report.to_string());
    Ok(())
}

/// 10,000 Certificates, and the floor of as many.
async fn full(arguments: &Arguments, sample: &Sample, report: &mut Report) -> Result<()> {
    report.many_floor = Some(scaled(arguments, sample, MANY, "floor-many").await?);
    let ground = Ground::start(arguments, "operator-many").await?;
    let mut operator = ground.operator("first").await?;
    ground.issuer(&operator).await?;
    report.many = Some(bulk::measure(&ground, &operator, MANY).await?);
    operator.stop().await?;
    report.many_restart = Some(restart::measure(&ground).await?);
    Ok(())
}

async fn scaled(arguments: &Arguments, sample: &Sample, count: usize, name: &str) -> Result<Floor> {
    let ground = Ground::start(arguments, name).await?;
    floor::measure(&ground, sample, count).boxed().await
}

fn arguments() -> Result<Option<Arguments>> {
    let mut given = std::env::args().skip(1);
    let mut arguments = Arguments {
        operator: PathBuf::from("target/release/chancery"),
        edition: PathBuf::from("target/release/chancery-bench-edition"),
        folder: PathBuf::from("target/bench"),
        count: 1000,
        full: false,
        only: None,
    };
    while let Some(flag) = given.next() {
        let mut value = || given.next().with_context(|| format!("{flag} needs a value"));
        match flag.as_str() {
            "--help" => {
                say(HELP);
                return Ok(None);
            }
            "--full" => arguments.full = true,
            "--operator" => arguments.operator = value()?.into(),
            "--edition" => arguments.edition = value()?.into(),
            "--folder" => arguments.folder = value()?.into(),
            "--count" => arguments.count = value()?.parse().context("--count needs a number")?,
            "--only" => arguments.only = Some(value()?),
            other => bail!("{other} is not known\n{HELP}"),
        }
    }
    arguments.operator =
        arguments.operator.canonicalize().context("there is no operator at --operator: run tests/bench/run, which builds it")?;
    Ok(Some(arguments))
}

/// A line for the person who waits.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn failure(error: &anyhow::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "bench: {error:#}");
    ExitCode::FAILURE
}
