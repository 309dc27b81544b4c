//! What one issuance by the operator writes, taken from a real one: the floor writes the same, octet for octet, under other names.

use std::time::Duration;

use anyhow::{Context as _, Result};
use k8s_openapi::api::{core::v1::Secret, events::v1::Event};
use kube::{
    Api,
    api::{ListParams, ObjectMeta},
};
use serde_json::Value;

use crate::ground::{ASIDE, Ground, certificates};

/// One issuance.
pub(crate) struct Sample {
    /// The Secret, as it was sent.
    pub(crate) secret: Secret,
    /// The Certificate's status.
    pub(crate) status: Value,
    /// The Event, as it was sent.
    pub(crate) event: Event,
    /// Octets of JSON: Certificate, Secret, status, Event.
    pub(crate) sizes: [usize; 4],
}

impl Sample {
    /// Lets the operator issue something and looks at what it wrote.
    pub(crate) async fn take(ground: &Ground) -> Result<Self> {
        let mut operator = ground.operator("sample").await?;
        ground.issuer(&operator).await?;
        let name = "warm-10";
        let certificate = certificates(&ground.client, ASIDE).get(name).await?;
        let status = certificate.data.get("status").cloned().context("a Ready Certificate without a status")?;
        let mut secret = Api::<Secret>::namespaced(ground.client.clone(), ASIDE).get(name).await?;
        secret.metadata = bare(&secret.metadata);
        let events = Api::<Event>::namespaced(ground.client.clone(), ASIDE).list(&ListParams::default()).await?;
        let about = |event: &Event| event.regarding.as_ref().and_then(|regarding| regarding.name.as_deref()) == Some(name);
        let mut event = events.items.into_iter().find(about).context("no Event of an issuance")?;
        event.metadata = bare(&event.metadata);
        let asked = crate::ground::certificate(ASIDE, name);
        let sizes = [
            asked.to_string().len(),
            serde_json::to_string(&secret)?.len(),
            status.to_string().len(),
            serde_json::to_string(&event)?.len(),
        ];
        operator.quiet(Duration::from_secs(1), Duration::from_mins(1)).await?;
        operator.stop().await?;
        Ok(Self { secret, status, event, sizes })
    }
}

fn bare(metadata: &ObjectMeta) -> ObjectMeta {
    ObjectMeta { labels: metadata.labels.clone(), annotations: metadata.annotations.clone(), ..ObjectMeta::default() }
}
