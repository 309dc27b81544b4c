//! OCSP answers a second: those that were signed before, and those that are signed on demand; beside openssl as the responder.
//!
//! What counts is the responder's processor time: who asks, and the control plane, use the same machine.

use std::{fmt::Write as _, fs, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};

use crate::{
    ground::{ASIDE, Ground},
    measure::{cpu_of, number, rate},
    operator::{free_address, spawn},
    revocation::{CA, openssl, prepare, serial_of},
    say,
};

/// About how many certificates is asked.
const CERTIFICATES: usize = 16;
/// How many ask at once.
const CLIENTS: usize = 8;
/// For how long each load lasts.
const LASTS: Duration = Duration::from_secs(5);

/// What was measured.
#[derive(Debug)]
pub(crate) struct Ocsp {
    /// Answers that were signed before, over connections that stay.
    pub(crate) kept: Load,
    /// The same with a connection for each.
    pub(crate) single: Load,
    /// With a nonce: each is signed.
    pub(crate) signed: Load,
    /// `openssl ocsp`, which signs each, over a connection for each.
    pub(crate) openssl: Load,
}

/// What a responder did under load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    answers: usize,
    took: Duration,
    /// The responder's processor time, in seconds.
    cpu: f64,
}

impl Load {
    /// Answers a second of processor time.
    pub(crate) fn by_cpu(self) -> f64 {
        number(self.answers) / self.cpu
    }

    /// Answers a second.
    pub(crate) fn by_clock(self) -> f64 {
        rate(self.answers, self.took)
    }
}

/// Measures it on a control plane of its own.
pub(crate) async fn measure(ground: &Ground) -> Result<Ocsp> {
    let _operator = ground.operator("ocsp").await?;
    let responder = ground.responder(&["--signatures-per-second", "1000000"]).await?;
    prepare(ground, &responder).await?;
    let mut serials = Vec::new();
    for certificate in 0..CERTIFICATES {
        let name = format!("asked-{certificate}");
        ground.create(ASIDE, name.clone()).await?;
        let serial = serial_of(ground, ASIDE, &name).await?;
        serials.push(serial.iter().fold(String::new(), |mut text, octet| {
            let _ = write!(text, "{octet:02X}");
            text
        }));
    }
    let (plain, nonce) = (requests(ground.folder(), &serials, "-no_nonce").await?, requests(ground.folder(), &serials, "-nonce").await?);
    for request in &plain {
        answered(responder.http, request).await?;
    }
    let process = responder.id()?;
    let kept = load("pre-signed", responder.http, process, &plain, true).await?;
    let single = load("pre-signed, a connection each", responder.http, process, &plain, false).await?;
    let signed = load("signed on demand", responder.http, process, &nonce, true).await?;

    let address = free_address()?;
    let index = serials.iter().fold(String::new(), |mut text, serial| {
        let _ = writeln!(text, "V\t491231235959Z\t\t{serial}\tunknown\t/CN={serial}");
        text
    });
    fs::write(ground.folder().join("ocsp-index"), index)?;
    let file = |name: &str| ground.folder().join(name).display().to_string();
    let (index, [certificate, key]) = (file("ocsp-index"), CA.map(file));
    let port = address.port().to_string();
    let arguments = ["ocsp", "-index", &index, "-port", &port, "-rsigner", &certificate, "-rkey", &key, "-CA", &certificate, "-ndays", "1"];
    let child = spawn(Path::new("openssl"), &arguments, Path::new("/dev/null"), &ground.folder().join("openssl-ocsp.log"))?;
    for request in &plain {
        answered(address, request).await?;
    }
    let openssl = load("openssl ocsp", address, child.id().context("openssl ocsp has ended")?, &plain, false).await?;
    Ok(Ocsp { kept, single, signed, openssl })
}

/// The requests about these certificates, as openssl writes them.
async fn requests(folder: &Path, serials: &[String], nonce: &str) -> Result<Vec<Vec<u8>>> {
    let mut requests = Vec::new();
    for serial in serials {
        openssl(folder, &["ocsp", "-issuer", CA[0], "-serial", &format!("0x{serial}"), nonce, "-reqout", "ocsp-request"]).await?;
        requests.push(fs::read(folder.join("ocsp-request"))?);
    }
    Ok(requests)
}

/// Waits until a certificate is known to be good or not: an answer that says nothing has five octets.
async fn answered(address: SocketAddr, request: &[u8]) -> Result<()> {
    let limit = Instant::now() + Duration::from_secs(30);
    loop {
        let asked = async { ask(&mut TcpStream::connect(address).await?, &post(address, request, false)).await };
        if asked.await.is_ok_and(|length| length > 5) {
            return Ok(());
        }
        ensure!(Instant::now() < limit, "{address} does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn load(what: &str, address: SocketAddr, process: u32, requests: &[Vec<u8>], keep: bool) -> Result<Load> {
    let requests: Vec<Vec<u8>> = requests.iter().map(|request| post(address, request, keep)).collect();
    let (cpu, begun) = (cpu_of(process)?, Instant::now());
    let clients = (0..CLIENTS).map(|client| {
        let mut requests = requests.iter().cycle().skip(client);
        async move {
            let (mut answers, mut connection) = (0, None);
            while begun.elapsed() < LASTS {
                let mut stream = match connection.take() {
                    Some(stream) => stream,
                    None => TcpStream::connect(address).await?,
                };
                let request = requests.next().context("there is a request")?;
                let length = ask(&mut stream, request).await?;
                ensure!(length > 5, "an answer says nothing");
                connection = keep.then_some(stream);
                answers += 1;
            }
            anyhow::Ok(answers)
        }
    });
    let answers = try_join_all(clients).await?.into_iter().sum();
    let load = Load { answers, took: begun.elapsed(), cpu: cpu_of(process)? - cpu };
    say(&format!("ocsp, {what}: {} answers in {:.1} s, {:.1} s of processor time", load.answers, load.took.as_secs_f64(), load.cpu));
    Ok(load)
}

fn post(address: SocketAddr, request: &[u8], keep: bool) -> Vec<u8> {
    let (length, connection) = (request.len(), if keep { "keep-alive" } else { "close" });
    let head = format!(
        "POST /ocsp HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/ocsp-request\r\nContent-Length: {length}\r\nConnection: {connection}\r\n\r\n"
    );
    [head.as_bytes(), request].concat()
}

/// The length of the answer to a request.
async fn ask(stream: &mut TcpStream, request: &[u8]) -> Result<usize> {
    stream.set_nodelay(true)?;
    stream.write_all(request).await?;
    let (mut answer, mut filled) = ([0; 8192], 0);
    loop {
        let read = stream.read(answer.get_mut(filled..).context("a long answer")?).await?;
        ensure!(read > 0, "half an answer");
        filled += read;
        let so_far = answer.get(..filled).unwrap_or_default();
        let Some(end) = so_far.windows(4).position(|octets| octets == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(so_far.get(..end).unwrap_or_default()).to_ascii_lowercase();
        ensure!(head.lines().next().is_some_and(|line| line.contains(" 200 ")), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).context("an answer of no length")?;
        let length: usize = length.trim().parse()?;
        if filled >= end + 4 + length {
            return Ok(length);
        }
    }
}
