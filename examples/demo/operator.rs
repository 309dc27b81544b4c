//! The operator, which leads, and the responder, which serves what is published.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube_runtime::wait::await_condition;
use tokio::time::{Instant, interval, timeout};

use crate::{
    place::{OPERATOR, Place, RESPONDER, holder},
    process::{Process, free_address},
};

/// A running operator.
pub(crate) struct Operator {
    process: Process,
    /// Where it serves health and metrics.
    pub(crate) address: SocketAddr,
}

impl Operator {
    /// Starts `chancery controller` as its ServiceAccount.
    pub(crate) async fn start(place: &Place, folder: &Path) -> Result<Self> {
        let address = free_address()?;
        let http = address.to_string();
        let mut arguments = vec!["controller", "--http-address", &http];
        if place.shared {
            arguments.extend(["--watch-namespace", place.samples]);
        }
        let process = Process::start(place, folder, "operator", OPERATOR, &arguments).await?;
        Ok(Self { process, address })
    }

    /// Waits until it leads, which its Lease says.
    pub(crate) async fn leads(&self, place: &Place) -> Result<String> {
        let leases = Api::<Lease>::namespaced(place.client.clone(), place.system);
        let held = await_condition(leases, OPERATOR, |lease: Option<&Lease>| lease.and_then(holder).is_some());
        let lease = timeout(Duration::from_mins(1), held).await.context("the operator does not lead after a minute")??;
        Ok(lease.as_ref().and_then(holder).unwrap_or_default())
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&self) -> bool {
        self.process.runs()
    }

    /// Waits until it ends by itself, which it should not.
    pub(crate) async fn ended(&self) -> anyhow::Error {
        self.process.ended().await
    }

    /// Asks it to stop and waits for that; then nobody may hold the lease. One that has ended already was complained of before.
    pub(crate) async fn stop(self, place: &Place) -> Result<Option<Duration>> {
        let asked = Instant::now();
        if !self.process.stop().await? {
            return Ok(None);
        }
        let lease = Api::<Lease>::namespaced(place.client.clone(), place.system).get_opt(OPERATOR).await?;
        ensure!(lease.as_ref().and_then(holder).is_none(), "the operator did not release its lease");
        Ok(Some(asked.elapsed()))
    }
}

/// A running responder.
pub(crate) struct Responder {
    process: Process,
    health: SocketAddr,
    /// Below which it serves lists, answers and certificates.
    pub(crate) url: String,
}

impl Responder {
    /// Starts `chancery responder` as its ServiceAccount.
    pub(crate) async fn start(place: &Place, folder: &Path) -> Result<Self> {
        let (http, health) = (free_address()?, free_address()?);
        let arguments = ["responder", "--http-address", &http.to_string(), "--health-address", &health.to_string()];
        let process = Process::start(place, folder, "responder", RESPONDER, &arguments).await?;
        Ok(Self { process, health, url: format!("http://{http}") })
    }

    /// Waits until it has read what there is to serve. There is nothing to watch before it listens, hence the polling.
    pub(crate) async fn ready(&self) -> Result<()> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build()?;
        let mut turn = interval(Duration::from_millis(50));
        let poll = async {
            loop {
                turn.tick().await;
                let answer = client.get(format!("http://{}/readyz", self.health)).send().await;
                if answer.is_ok_and(|answer| answer.status().is_success()) {
                    return;
                }
            }
        };
        tokio::select! {
            ready = timeout(Duration::from_mins(1), poll) => ready.context("the responder is not ready after a minute"),
            error = self.process.ended() => bail!(error),
        }
    }

    /// Asks it to stop and waits for that.
    pub(crate) async fn stop(self) -> Result<()> {
        self.process.stop().await.map(drop)
    }
}
