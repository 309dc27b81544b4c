//! The operator as a process: started and stopped, and what it and the kernel tell of it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
    time::Instant,
};

/// How often what cannot be watched is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A running operator. It is killed when this is dropped, and by the kernel when we end.
pub(crate) struct Operator {
    process: Child,
    id: u32,
    http: SocketAddr,
    /// When it was started.
    pub(crate) started: Instant,
}

impl Operator {
    /// Starts it, and waits until it leads.
    pub(crate) async fn start(binary: &Path, kubeconfig: &Path, log: &Path) -> Result<Self> {
        let operator = Self::spawn(binary, kubeconfig, log)?;
        let limit = Instant::now() + Duration::from_mins(2);
        loop {
            if let Ok(metrics) = operator.metrics().await
                && metrics.value("chancery_leader") > 0.0
            {
                return Ok(operator);
            }
            ensure!(Instant::now() < limit, "the operator does not lead after 2 minutes; see {}", log.display());
            tokio::time::sleep(LOOK).await;
        }
    }

    fn spawn(binary: &Path, kubeconfig: &Path, log: &Path) -> Result<Self> {
        let http = free_address()?;
        let started = Instant::now();
        let process = spawn(binary, &["controller", "--http-address", &http.to_string()], kubeconfig, log)?;
        let id = process.id().context("the operator has ended already")?;
        Ok(Self { process, id, http, started })
    }

    /// Stops it in order.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let asked = Command::new("sh").args(["-c", "kill -s TERM \"$0\"", &self.id.to_string()]).status().await?;
        ensure!(asked.success(), "the operator cannot be asked to stop");
        let status = tokio::time::timeout(Duration::from_secs(40), self.process.wait()).await.context("the operator does not stop")??;
        ensure!(status.success(), "the operator ended with {status}");
        Ok(())
    }

    /// Its metrics.
    pub(crate) async fn metrics(&self) -> Result<Metrics> {
        let answer = String::from_utf8_lossy(&get(self.http, "/metrics").await?).into_owned();
        Ok(Metrics(answer))
    }

    /// Waits until nothing is queued and no call was made for `still`; returns when that began.
    pub(crate) async fn quiet(&self, still: Duration, limit: Duration) -> Result<Quiet> {
        let end = Instant::now() + limit;
        let mut last: Option<(Calls, Instant)> = None;
        loop {
            let now = Instant::now();
            let metrics = self.metrics().await?;
            let calls = metrics.calls();
            let idle = metrics.is_idle();
            match &last {
                Some((before, since)) if idle && *before == calls => {
                    if now.duration_since(*since) >= still {
                        return Ok(Quiet { since: *since, calls });
                    }
                }
                _ => last = Some((calls, now)),
            }
            if now > end {
                bail!("the operator is not quiet after {} s", limit.as_secs());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The processor time that it has used, in seconds.
    pub(crate) fn cpu(&self) -> Result<f64> {
        crate::measure::cpu_of(self.id)
    }

    /// Its memory.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let mebibytes = |field: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("no {field}"))?;
            let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
            anyhow::Ok(kibibytes / 1024.0)
        };
        Ok(Memory { resident: mebibytes("VmRSS:")?, most: mebibytes("VmHWM:")? })
    }
}

/// Of `/proc/<id>/stat`.
pub(crate) struct ProcessTimes<'a> {
    /// The process that started it.
    pub(crate) parent: &'a str,
    /// Processor time in seconds, of user and system.
    pub(crate) cpu: f64,
}

impl<'a> ProcessTimes<'a> {
    /// None where it cannot be read.
    pub(crate) fn read(stat: &'a str) -> Option<Self> {
        // The name before it stands in brackets and may hold spaces.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
        // USER_HZ is 100 wherever Linux runs.
        Some(Self { parent: fields.get(1)?, cpu: (ticks(11)? + ticks(12)?) / 100.0 })
    }
}

/// Resident memory in MiB.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident: f64,
    /// At most since the start.
    pub(crate) most: f64,
}

/// When the operator came to rest.
#[derive(Debug)]
pub(crate) struct Quiet {
    /// Since when nothing was done.
    pub(crate) since: Instant,
    /// All calls until then.
    pub(crate) calls: Calls,
}

/// A scrape.
pub(crate) struct Metrics(String);

impl Metrics {
    /// As it came.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// The sum of all series whose name and labels begin so; 0 without any.
    pub(crate) fn value(&self, beginning: &str) -> f64 {
        self.0.lines().filter(|line| line.starts_with(beginning)).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    /// The calls to the API server so far, without those for the lease and the beginnings of watches.
    pub(crate) fn calls(&self) -> Calls {
        let mut calls = Calls::default();
        for line in self.0.lines().filter_map(|line| line.strip_prefix("chancery_api_calls_total{")) {
            let (Some(verb), Some(resource), Some(number)) = (label(line, "verb"), label(line, "resource"), line.rsplit_once(' ')) else {
                continue;
            };
            if verb != "watch" && !resource.starts_with("leases") {
                let number: u64 = number.1.parse().unwrap_or_default();
                *calls.0.entry((verb.to_owned(), resource.to_owned())).or_default() += number;
            }
        }
        calls
    }

    /// Whether nothing is being worked on or could be.
    fn is_idle(&self) -> bool {
        ["ready", "running"].iter().all(|state| self.value(&format!("chancery_queue_depth{{queue=\"work\",state=\"{state}\"}}")) < 1.0)
    }
}

fn label<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(&format!("{name}=\""))?.1.split_once('"').map(|(value, _)| value)
}

/// Calls by verb and resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls(BTreeMap<(String, String), u64>);

impl Calls {
    /// Those made since.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let left = |(key, number): (&(String, String), &u64)| {
            let number = number - before.0.get(key).copied().unwrap_or_default();
            (number > 0).then(|| (key.clone(), number))
        };
        Self(self.0.iter().filter_map(left).collect())
    }

    /// All that ask for a change.
    pub(crate) fn writes(&self) -> u64 {
        self.number(|verb, _| !matches!(verb, "get" | "list"))
    }

    /// Those that ask for one Secret with its data.
    pub(crate) fn secret_reads(&self) -> u64 {
        self.number(|verb, resource| verb == "get" && resource == "secrets")
    }

    /// Writes of one resource.
    pub(crate) fn writes_of(&self, resource: &str) -> u64 {
        self.number(|verb, of| of == resource && !matches!(verb, "get" | "list"))
    }

    fn number(&self, counts: impl Fn(&str, &str) -> bool) -> u64 {
        self.0.iter().filter(|((verb, resource), _)| counts(verb, resource)).map(|(_, number)| number).sum()
    }
}

impl std::fmt::Display for Calls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, ((verb, resource), number)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(formatter, "{comma}{verb} {resource} {number}")?;
        }
        Ok(())
    }
}

/// Starts a subcommand of `chancery`, which the kernel kills when we end.
pub(crate) fn spawn(binary: &Path, arguments: &[&str], kubeconfig: &Path, log: &Path) -> Result<Child> {
    let output = File::options().create(true).append(true).open(log)?;
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL"])
        .arg(binary)
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .kill_on_drop(true);
    for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    command.spawn().context("setpriv cannot be started")
}

/// What a GET is answered with, if that is 200.
pub(crate) async fn get(address: SocketAddr, path: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await??;
    let end = answer.windows(4).position(|octets| octets == b"\r\n\r\n").context("half an answer")?;
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default()).into_owned();
    ensure!(head.starts_with("HTTP/1.1 200"), "{path} answers {}", head.lines().next().unwrap_or_default());
    Ok(answer.split_off(end + 4))
}

/// A loopback address that nothing listens on.
pub(crate) fn free_address() -> Result<SocketAddr> {
    // The port is free again when this is dropped, and nobody else asks for it by number.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}
