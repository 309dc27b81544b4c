//! A guided tour: what Chancery does on a real API server, for a person to read. `make demo` and `make run` start it.
//!
//! It is also a test of the whole: it ends with an error at the first step that does not do what it says. It never prints a
//! private key, and whatever happens it takes away what it brought.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "printing is what it is for")]

mod operator;
mod place;
mod process;
mod revocation;
mod samples;
mod say;
mod tls;
mod tour;

// The tests' own: how manifests are applied and rights waited for.
#[path = "../../tests/cluster/harness/manifests.rs"]
mod manifests;
#[path = "../../tests/cluster/harness/rights.rs"]
mod rights;

use std::{
    env,
    fs::{self, DirBuilder, File},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::Instant,
};

use crate::{
    operator::{Operator, Responder},
    place::{ControlPlane, OPERATOR, Place, RESPONDER, source},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let stay = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--stay"] => true,
        _ => {
            eprintln!("usage: tests/demo/run [--stay]");
            return ExitCode::FAILURE;
        }
    };
    // One provider for all of TLS, before anything asks for it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let mut stage = match Stage::set() {
        Ok(stage) => stage,
        Err(error) => {
            eprintln!("demo: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let shown = tokio::select! {
        biased;
        shown = show(&mut stage, stay) => shown,
        stopped = interrupted() => stopped.map(|()| Outcome::Interrupted),
    };
    let ended = tokio::select! {
        ended = stage.end() => ended,
        again = interrupted() => again.and_then(|()| bail!("interrupted again: what was brought may still be there")),
    };
    finish(shown, ended, &stage, stay)
}

/// The last of what is said. The folder stays where something failed: its logs tell more.
fn finish(shown: Result<Outcome>, ended: Result<()>, stage: &Stage, stay: bool) -> ExitCode {
    let sound = shown.is_ok() && ended.is_ok();
    // Left running, an interrupt is the only way to its end.
    let complete = stay || matches!(shown, Ok(Outcome::Complete));
    if let Err(error) = shown {
        eprintln!("\ndemo: FAILED: {error:#}");
    }
    if let Err(error) = ended {
        eprintln!("\ndemo: could not end in order: {error:#}");
    }
    if !sound {
        if let Some(log) = stage.last_words() {
            eprintln!("\nThe operator's last words (all of them: {}/operator.log):\n{log}", stage.folder.display());
        }
        return ExitCode::FAILURE;
    }
    let _ = fs::remove_dir_all(&stage.folder);
    if complete {
        return ExitCode::SUCCESS;
    }
    println!("\nInterrupted; everything was stopped.");
    ExitCode::FAILURE
}

enum Outcome {
    Complete,
    Interrupted,
}

/// What has to be ended, whatever happens.
struct Stage {
    folder: PathBuf,
    /// Held as long as we live, so that a later run knows which folders are nobody's.
    _lock: File,
    control_plane: Option<ControlPlane>,
    place: Option<Place>,
    operator: Option<Operator>,
    responder: Option<Responder>,
}

impl Stage {
    /// A folder of its own; credentials are in it, so it is readable by its owner only.
    fn set() -> Result<Self> {
        let runs = source().join(".run");
        fs::create_dir_all(&runs)?;
        for old in fs::read_dir(&runs)?.filter_map(|entry| Some(entry.ok()?.path())) {
            if File::open(old.join("lock")).is_ok_and(|lock| lock.try_lock().is_ok()) {
                fs::remove_dir_all(&old)?;
            }
        }
        let folder = runs.join(format!("demo-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let lock = File::create(folder.join("lock"))?;
        lock.lock()?;
        Ok(Self { folder, _lock: lock, control_plane: None, place: None, operator: None, responder: None })
    }

    /// Stops and takes away everything, in the opposite order of its coming. What fails does not keep the rest from going.
    async fn end(&mut self) -> Result<()> {
        if self.place.is_some() || self.control_plane.is_some() {
            say::chapter("The end");
        }
        let mut done = Vec::new();
        if let Some(place) = &mut self.place {
            // While the operator runs: it has finalizers to release.
            if let Some(responder) = self.responder.take() {
                done.push(responder.stop().await);
                say::line("responder stopped", "");
            }
            let runs = self.operator.as_ref().is_some_and(Operator::runs);
            done.push(place.clear_samples(runs).await);
            if let Some(operator) = self.operator.take() {
                let stopped = operator.stop(place).await;
                if let Ok(Some(time)) = &stopped {
                    say::line("operator stopped, lease released", say::took(*time));
                }
                done.push(stopped.map(drop));
            }
            done.push(place.clear().await);
        }
        if let Some(control_plane) = self.control_plane.take() {
            done.push(control_plane.end().await);
            say::line("control plane stopped", "");
        }
        done.into_iter().collect()
    }

    fn last_words(&self) -> Option<String> {
        let log = fs::read_to_string(self.folder.join("operator.log")).ok()?;
        let lines: Vec<&str> = log.lines().collect();
        Some(lines[lines.len().saturating_sub(20)..].join("\n"))
    }
}

async fn show(stage: &mut Stage, stay: bool) -> Result<Outcome> {
    let begun = Instant::now();
    say::chapter("1  The cluster");
    let mut place = match env::var_os("DEMO_KUBECONFIG").filter(|path| !path.is_empty()) {
        Some(kubeconfig) => Place::of_the_person(Path::new(&kubeconfig)).await?,
        None => stage.control_plane.insert(ControlPlane::start(&stage.folder)?).ready(&stage.folder).await?,
    };
    let defined = place.define().await;
    let place = stage.place.insert(place);
    say::line("CustomResourceDefinitions", format!("{} installed", defined?));

    say::chapter("2  The operator and the responder");
    let documents = place.prepare().await?;
    rights::wait_for_rights(&place.client, &documents).await?;
    say::line(format!("ServiceAccounts {OPERATOR}, {RESPONDER}"), "their rights are in force");
    let started = Instant::now();
    let operator = stage.operator.insert(Operator::start(place, &stage.folder).await?);
    tokio::select! {
        leads = operator.leads(place) => say::line("chancery controller", format!("{}  leads as {}", say::took(started.elapsed()), leads?)),
        error = operator.ended() => return Err(error),
    }
    let responder = stage.responder.insert(Responder::start(place, &stage.folder).await?);
    responder.ready().await?;
    say::line("chancery responder", &responder.url);
    tokio::select! {
        shown = chapters(place, &stage.folder, &responder.url, stay) => shown?,
        error = operator.ended() => return Err(error),
    }
    println!("\nAll of it worked, in {:.1} s.", begun.elapsed().as_secs_f64());
    if stay {
        invite(place, operator, &responder.url);
        return Err(operator.ended().await);
    }
    Ok(Outcome::Complete)
}

async fn chapters(place: &Place, folder: &Path, responder: &str, stay: bool) -> Result<()> {
    say::chapter("3  The samples (deploy/samples)");
    let (number, time) = samples::apply(place, responder).await?;
    say::line(format!("{number} objects applied, all are ready"), say::took(time));
    say::chapter("4  openssl verifies a chain");
    tour::chain(place, folder).await?;
    say::chapter("5  TLS with a Secret");
    tour::handshake(place, folder).await?;
    say::chapter("6  A new certificate on request");
    tour::renew(place).await?;
    say::chapter("7  A deleted Secret comes back");
    tour::heal(place).await?;
    say::chapter("8  A key leaked: its certificate is revoked");
    revocation::leak(place, folder).await?;
    if !stay {
        say::chapter("9  A Certificate with deletionPolicy: Delete goes");
        tour::delete(place).await?;
    }
    say::chapter(&format!("{}  The registers: what was done, for good", if stay { 9 } else { 10 }));
    tour::registers(place).await
}

/// What to paste, and what to try.
fn invite(place: &Place, operator: &Operator, responder: &str) {
    println!("\nLeft running. In another terminal:\n");
    println!("  export KUBECONFIG={}", place.kubeconfig.display());
    if let Some(folder) = kubectl_elsewhere() {
        println!("  export PATH=$PATH:{}", folder.display());
    }
    println!("\nand then, for example:\n");
    println!("  kubectl get chancery -A");
    println!("  kubectl -n {} annotate ccert web --overwrite chancery.dev/renew=\"$(date)\"", place.samples);
    println!("  kubectl -n {} describe ccert web", place.samples);
    println!(
        "  kubectl -n {} patch ccert rsa --type merge -p '{{\"spec\":{{\"revocation\":{{\"reason\":\"keyCompromise\",\"issuedBefore\":\"'$(date -u +%FT%T.9999Z)'\"}}}}}}'",
        place.samples
    );
    println!("  kubectl get crl -A");
    println!("\nLists and OCSP: {responder}. Metrics: http://{}/metrics. Ctrl-C here stops everything.", operator.address);
}

/// The folder of the kubectl that was built with the control plane, for those who have none.
fn kubectl_elsewhere() -> Option<PathBuf> {
    let present = |folder: &Path| folder.join("kubectl").is_file();
    if env::split_paths(&env::var_os("PATH")?).any(|folder| present(&folder)) {
        return None;
    }
    let assets = env::var_os("KUBEBUILDER_ASSETS").filter(|assets| !assets.is_empty()).map(PathBuf::from);
    Some(assets.unwrap_or_else(|| source().join("tests/controlplane/bin"))).filter(|folder| present(folder))
}

/// Ctrl-C, or a request to end.
async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupt = tokio::signal::ctrl_c() => Ok(interrupt?),
        _ = terminate.recv() => Ok(()),
    }
}
