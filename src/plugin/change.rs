//! Changing an object that others change too: under the version that was read, so that nothing is lost.

use std::fmt::Debug;

use clap::ValueEnum;
use kube::{
    Api, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
    core::NamespaceResourceScope,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::read;
use crate::cluster::CallError;

/// How many objects are changed at once, where there are many.
pub const AT_ONCE: usize = 16;
/// How often a change is tried where others write the object at the same time: its status is written when it is looked at.
const TRIES: usize = 8;
/// The field manager of what the plugin writes. Flux takes back whatever a manager wrote whose name begins with `kubectl`: a revocation
/// has to stay.
const MANAGER: &str = "chancery-plugin";

/// Whether a change is only tried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    /// It is made.
    #[default]
    None,
    /// Nothing is sent: what would be done is shown.
    Client,
    /// The API server checks it and stores nothing.
    Server,
}

impl DryRun {
    /// What is put after a line about a change that was not made, as kubectl has it.
    pub fn note(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Client => " (dry run)",
            Self::Server => " (server dry run)",
        }
    }
}

/// Changes an object by the merge patch that `patch` makes of it, and returns what it is then. Where somebody else has written it
/// meanwhile it is read again, and `patch` is asked again; what `patch` answers with an error is not changed.
///
/// # Errors
/// The one of `patch`; or the API server cannot be asked, refuses, or others write the object all the time.
pub async fn change<K>(api: &Api<K>, object: &K, dry_run: DryRun, patch: impl Fn(&K) -> anyhow::Result<Value> + Send) -> anyhow::Result<K>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    K::DynamicType: Default,
{
    let name = object.name_any();
    let kind = K::kind(&K::DynamicType::default()).into_owned();
    let params = PatchParams { dry_run: dry_run == DryRun::Server, field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let mut now = object.clone();
    let mut tries = 0;
    loop {
        let mut wanted = patch(&now)?;
        if dry_run == DryRun::Client {
            return Ok(now);
        }
        wanted["metadata"]["resourceVersion"] = json!(now.resource_version());
        let answer = api.patch(&name, &params, &Patch::Merge(&wanted)).await;
        let error = match answer.map_err(CallError::of("change", &kind, object.namespace().as_deref(), &name)) {
            Ok(changed) => return Ok(changed),
            Err(error) => error,
        };
        tries += 1;
        if !error.is_conflict() || tries >= TRIES {
            return Err(error.into());
        }
        now = read::one(api, &name).await?;
        // A namesake that was made meanwhile is another object.
        anyhow::ensure!(now.uid() == object.uid(), "{kind} {name} was deleted meanwhile, and made anew");
    }
}
