//! The ground that the cluster tests stand on: a real control plane, operators as child processes, waiting, the audit log.
//!
//! How it hangs together:
//! - [`Ground`] is a test's way in. The control plane, the installed chart, and the shared operator are each started once per
//!   run, by whichever test needs them first. The operator is a process of its own, with the arguments of the chart's Deployment and a
//!   token of its ServiceAccount.
//! - Each `#[tokio::test]` has a runtime of its own, and a connection dies with the runtime that made it. So nothing that is
//!   shared holds a client: every [`Ground`] makes one. Use `#[tokio::test(flavor = "multi_thread")]`.
//! - The shared operator serves all namespaces but `own-01` to `own-60`. A test that kills, cuts off or configures its operator
//!   takes one of those ([`OwnOperator`]), with a system namespace, ServiceAccount, Roles and lease of its own.
//! - A [`Proxy`] before an operator of one's own counts its writes, kills it around one of them, or cuts it off.
//! - A [`Responder`] runs for the shared operator, and one for each own ground that asks for it.
//! - All files of a run are in one folder (`target/tmp/cluster/run-..`, the last one also as `target/tmp/cluster/last`):
//!   the control plane's logs, audit.log, each operator's log. The last few runs are kept.
//! - When the test process ends, by whatever means, the control plane and the operators end too: the one hangs on a pipe, the
//!   others are killed by the kernel.
//!
//! It must not know what a Certificate is: that belongs to the subjects.

mod access;
mod audit;
pub(crate) mod chart;
mod control_plane;
mod flux;
mod ground;
mod manifests;
mod namespace;
mod nginx;
mod operator;
mod own;
mod process;
mod program;
mod proxy;
mod responder;
mod rights;
pub(crate) mod run;
mod wait;

pub(crate) use access::Access;
pub(crate) use audit::{Audit, Record};
pub(crate) use flux::{Flux, definitions};
pub(crate) use ground::{Ground, SHARED_SYSTEM, SHARED_USER, Stored};
pub(crate) use manifests::{apply_manifests, established, kustomization, parse_manifests, retain_identities};
pub(crate) use namespace::Namespace;
pub(crate) use nginx::Nginx;
pub(crate) use operator::{Operator, Settings, Termination};
pub(crate) use own::{OwnGround, OwnOperator, claim_name};
pub(crate) use program::{Finished, Program, path as program_path};
pub(crate) use proxy::{Moment, Proxy, Write};
pub(crate) use responder::Responder;
pub(crate) use rights::wait_for_rights;
pub(crate) use run::{folder as run_folder, free_address};
pub(crate) use wait::{printable, stays, until, wait_for, wait_gone};
