//! What the process tells about itself: metrics, logs, and whether it is alive and ready.
//!
//! No globals but the log subscriber, and no key, body or Secret value anywhere: what is counted are kinds and reasons.

mod certificates;
mod health;
mod http;
mod listen;
mod lists;
mod logs;
mod metrics;
mod patient;
mod sampled;
mod traces;

pub use certificates::{CertificateSeries, CertificateState, Readiness};
pub use health::{Gate, Health, Heartbeat, Role};
pub use http::{Limits, Server, ServerError, operations};
pub use lists::{ListSeries, ListState, Publication};
pub use logs::{LogError, LogFormat, init_logs};
pub use metrics::{Append, Issuance, Metrics};
pub(crate) use metrics::{BUILD_HELP, SECONDS, build_info};
pub use sampled::{Holdings, IssuerState, QueueGauge, RegisterState};
pub use traces::{TraceError, TraceSettings, Traces};
