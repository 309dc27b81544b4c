//! The floor: a plain client that writes what a Certificate needs (the Certificate, one Secret, one status, one Event), no operator.

use std::time::Duration;

use anyhow::{Context as _, Result};
use k8s_openapi::api::{core::v1::Secret, events::v1::Event};
use kube::{Api, api::PostParams};
use tokio::time::Instant;

use crate::{
    WARM_UP,
    ground::{ASIDE, Ground, certificates, namespace},
    measure::{by_workers, own_cpu, rate},
    sample::Sample,
    say,
};

/// What the plain client reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floor {
    /// How many.
    pub(crate) count: usize,
    /// In what time.
    pub(crate) took: Duration,
    /// Processor time of all parts, in seconds.
    pub(crate) cpu: f64,
}

impl Floor {
    /// Certificates a second.
    pub(crate) fn rate(&self) -> f64 {
        rate(self.count, self.took)
    }
}

/// Measures it.
pub(crate) async fn measure(ground: &Ground, sample: &Sample, count: usize) -> Result<Floor> {
    by_workers(WARM_UP, |number| write(ground, sample, ASIDE.to_owned(), number)).await?;
    let (own, theirs) = (own_cpu()?, ground.cpu()?);
    let begun = Instant::now();
    by_workers(count, |number| write(ground, sample, namespace(number), number)).await?;
    let took = begun.elapsed();
    let (own, theirs) = (own_cpu()? - own, ground.cpu()? - theirs);
    let floor = Floor { count, took, cpu: own + theirs };
    say(&format!(
        "floor: {count} written in {:.1} s, {:.0} a second; processor: control plane {theirs:.2} s, we {own:.2} s",
        took.as_secs_f64(),
        floor.rate()
    ));
    Ok(floor)
}

async fn write(ground: &Ground, sample: &Sample, namespace: String, number: usize) -> Result<()> {
    let name = format!("web-{number:05}");
    let params = PostParams { dry_run: false, field_manager: Some("chancery".to_owned()) };
    let mut certificate = ground.create(&namespace, name.clone()).await?;
    let mut secret = sample.secret.clone();
    secret.metadata.name = Some(name.clone());
    let secrets: Api<Secret> = Api::namespaced(ground.client.clone(), &namespace);
    secrets.create(&params, &secret).await.context("a Secret")?;
    certificate.data["status"] = sample.status.clone();
    certificate.metadata.managed_fields = None;
    certificates(&ground.client, &namespace).replace_status(&name, &params, &certificate).await.context("a status")?;
    let mut event = sample.event.clone();
    event.metadata.name = Some(format!("{name}.{number:x}"));
    if let Some(regarding) = &mut event.regarding {
        regarding.name = Some(name);
        regarding.namespace = Some(namespace.clone());
    }
    let events: Api<Event> = Api::namespaced(ground.client.clone(), &namespace);
    events.create(&params, &event).await.context("an Event")?;
    Ok(())
}
