//! The responder as a process.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};
use tokio::{process::Child, time::Instant};

use crate::operator::{free_address, get, spawn};

/// A running responder. It is killed when this is dropped, and by the kernel when we end.
pub(crate) struct Responder {
    process: Child,
    /// Where it serves lists.
    pub(crate) http: SocketAddr,
}

impl Responder {
    /// Starts it, and waits until it is ready.
    pub(crate) async fn start(binary: &Path, flags: &[&str], kubeconfig: &Path, log: &Path) -> Result<Self> {
        let (http, health) = (free_address()?, free_address()?);
        let addresses = ["responder", "--http-address", &http.to_string(), "--health-address", &health.to_string()];
        let responder = Self { process: spawn(binary, &[&addresses, flags].concat(), kubeconfig, log)?, http };
        let limit = Instant::now() + Duration::from_mins(1);
        while get(health, "/readyz").await.is_err() {
            ensure!(Instant::now() < limit, "the responder is not ready after a minute; see {}", log.display());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(responder)
    }

    /// Its process.
    pub(crate) fn id(&self) -> Result<u32> {
        self.process.id().context("the responder has ended")
    }

    /// Waits until a list that is served has this serial number on it; returns when that was seen.
    pub(crate) async fn serves(&self, path: &str, serial: &[u8], limit: Duration) -> Result<Instant> {
        let end = Instant::now() + limit;
        loop {
            let list = get(self.http, path).await?;
            let seen = Instant::now();
            if list.windows(serial.len()).any(|octets| octets == serial) {
                return Ok(seen);
            }
            ensure!(seen < end, "{path} does not have the serial number after {} s", limit.as_secs());
            // A list may be of some megabytes: what asks too often takes the time of who makes it.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
