//! Writes only: carries out what was decided.
//!
//! Every write asks the fence first, has a timeout (the client's), and carries a precondition: a POST, or the
//! resourceVersion of what was read. Nothing here decides.

mod authority;
mod certificate;
mod checkpoint;
mod event;
mod issue;
mod issuer;
mod lane;
mod lists;
mod refuse;
mod restore;
mod revoke;
mod temporary;
mod writer;

use std::sync::Arc;

use crate::{
    cluster::{CallError, CallErrorKind, Recorder},
    observe::{Name, Wiped, World},
    plan::status::Failure,
    register::RegisterError,
};
use chancery_pki::KeyId;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

pub use authority::destroy_copy;
pub use certificate::reconcile;
pub(crate) use certificate::slim;
pub use checkpoint::{Checkpoints, keep as keep_checkpoint, signed as signed_checkpoint};
pub use issuer::reconcile as reconcile_issuer;
pub use lane::RsaLane;
pub use lists::{Press, keep_published, read_publications, reconcile as reconcile_list};
pub use restore::{Interrupted, Taken, take as take_copies};
pub use writer::Writer;

/// Who acts, on the register's lines.
pub(crate) const ACTOR: &str = "controller";

/// Is told of Certificates.
pub type Listed = Box<dyn Fn(&[Name]) + Send + Sync>;

/// Everything that carrying out a decision needs.
pub struct Context {
    /// What is known.
    pub world: Arc<World>,
    /// For reads.
    pub client: Client,
    /// For writes.
    pub writer: Writer,
    /// For Events.
    pub recorder: Recorder,
    /// Where issuances are counted.
    pub metrics: crate::telemetry::Metrics,
    /// Where RSA keys are made.
    pub rsa: RsaLane,
    /// Where lists are published.
    pub press: Press,
    /// What is remembered of checkpoints.
    pub checkpoints: Checkpoints,
    /// Told of each Secret that we wrote or deleted: no watch will show it as a change any more.
    pub wrote_secret: Box<dyn Fn(&Name) + Send + Sync>,
    /// Told of each authority for whose list something was put on record.
    pub revoked: Box<dyn Fn(&KeyId) + Send + Sync>,
    /// Told of the Certificates whose revocations, holds and releases were recorded, or came to stand on a list.
    pub published: Listed,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Context").field("writer", &self.writer).finish_non_exhaustive()
    }
}

/// Runs what needs a processor for long off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work).await.map_err(|error| failed(format!("the work was broken off: {error}")))
}

/// A Secret as it stands; none where there is none.
pub(crate) async fn read_secret(context: &Context, name: &Name) -> Result<Option<Wiped>, Fault> {
    let api = Api::<Secret>::namespaced(context.client.clone(), &name.namespace);
    let found = api.get_opt(&name.name).await.map(|secret| secret.map(Wiped::new));
    found.map_err(|error| Fault::from(CallError::of("get", "Secret", Some(&name.namespace), &name.name)(error)))
}

/// What did not work, for people.
pub(crate) fn failed(message: String) -> Fault {
    Fault::Failed(Failure { reason: crate::api::reason::FAILED, message, retry: true })
}

/// Why a decision was not carried out.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Its key is being made: it is run again when that is done.
    KeyPending,
    /// Somebody else wrote: observe again.
    Stale,
    /// Another process leads.
    NotLeading,
    /// The API server did not take it, and may later.
    Unavailable(String),
    /// It was tried and did not work.
    Failed(Failure),
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        match error.kind {
            CallErrorKind::Conflict | CallErrorKind::AlreadyExists | CallErrorKind::NotFound => Self::Stale,
            CallErrorKind::NotLeading => Self::NotLeading,
            CallErrorKind::Forbidden | CallErrorKind::Invalid => {
                Self::Failed(Failure { reason: crate::api::reason::FAILED, message: error.to_string(), retry: true })
            }
            CallErrorKind::Other | CallErrorKind::Timeout | CallErrorKind::TooMany { .. } | CallErrorKind::Unavailable => {
                Self::Unavailable(error.to_string())
            }
        }
    }
}

impl From<RegisterError> for Fault {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::NotLeading | RegisterError::Closed => Self::NotLeading,
            error if error.waiting_helps() => Self::Unavailable(error.to_string()),
            error => Self::Failed(Failure {
                reason: crate::api::reason::certificate::REGISTER_UNAVAILABLE,
                message: error.to_string(),
                retry: true,
            }),
        }
    }
}
