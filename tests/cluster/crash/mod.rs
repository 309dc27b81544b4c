//! The crash matrix: the operator is killed around every write of every flow, and what it leaves is put right by the next.
//!
//! [`MATRIX`] names each kind of write that a flow makes, in order. A flow is run once without a crash, and must make exactly
//! these writes: a new kind of write without a row fails. Then it is run three times for each row (see [`Moment`]), and after
//! a new start must end in the same state as without a crash: `flows` says which, `stage` what holds for all of them.
//!
//! Each start takes a new lease name: whoever held the last one is dead by SIGKILL, and two processes with one lease are
//! another subject (`leaders`). Otherwise each of some 150 runs would wait for a lease to run out.

mod flows;
mod lists;
mod registers;
mod stage;

use flows::Flow;
use lists::ListFlow;
use stage::Stage;

use crate::harness::{Ground, Moment};

/// What a flow writes, in this order; Events and an issuer's status are written beside the rest, so that their place says
/// nothing.
const MATRIX: &[(Flow, &[&str])] = &[
    (Flow::IssuerReady, &[ISSUER]),
    (Flow::FirstByCa, &[ISSUER, "create configmaps (head)", "create secrets", STATUS, "create events.events.k8s.io (Issued)"]),
    (
        Flow::FirstCa,
        &[
            "create configmaps (head)",
            "create secrets (copy)",
            "update configmaps (head)",
            "update configmaps (head)",
            "create secrets",
            STATUS,
            "create events.events.k8s.io (Issued)",
        ],
    ),
    (Flow::Renew, &["update configmaps (head)", "update secrets", STATUS, "create events.events.k8s.io (Reissued)"]),
    (Flow::Reissue, &["update configmaps (head)", "update secrets", STATUS, "create events.events.k8s.io (Reissued)"]),
    (Flow::Heal, &["update configmaps (head)", "create secrets", STATUS, "create events.events.k8s.io (Reissued)"]),
    (Flow::HealCa, &["update configmaps (head)", "create secrets", STATUS, "create events.events.k8s.io (Reissued)"]),
    (Flow::Dress, &["update secrets", STATUS]),
    (Flow::AddFinalizer, &["patch certificates.chancery.dev (finalizers)", STATUS]),
    (
        Flow::Destroy,
        &[
            "update configmaps (head)",
            "delete secrets",
            "patch certificates.chancery.dev (finalizers)",
            "create events.events.k8s.io (KeyDestroyed)",
        ],
    ),
    (Flow::DestroyCa, &["update configmaps (head)", "delete secrets", "patch certificates.chancery.dev (finalizers)"]),
    (
        Flow::Seal,
        &[
            ISSUER,
            "create configmaps (segment)",
            "update configmaps (head)",
            "delete configmaps (segment)",
            "create secrets",
            STATUS,
            "create events.events.k8s.io (Issued)",
        ],
    ),
    (Flow::Import, &[ISSUER, "create configmaps (head)", "update secrets", STATUS, "create events.events.k8s.io (Issued)"]),
    (Flow::Refuse, &["update configmaps (head)", STATUS, "create events.events.k8s.io (Refused)"]),
    (Flow::Checkpoint, &["create secrets (key of checkpoints)", "create configmaps (checkpoint)"]),
    (Flow::Restore, &["update configmaps (head)", "delete configmaps (import)"]),
    (Flow::Retire, &["update configmaps (head)"]),
    (Flow::DestroyCopy, &["delete secrets (copy)", "update configmaps (head)"]),
    (
        Flow::List(ListFlow::First),
        &[
            "create configmaps (head)",
            "create secrets (copy)",
            "update configmaps (head)",
            "write secrets (delegates)",
            "create configmaps (chunk)",
            "create configmaps (list)",
            "create configmaps (copy of a list)",
            LIST_STATUS,
            "create events.events.k8s.io (ListPublished)",
        ],
    ),
    (
        Flow::List(ListFlow::Revoke),
        &[
            "update configmaps (head)",
            "update configmaps (head)",
            "update secrets",
            STATUS,
            "create configmaps (chunk)",
            "update configmaps (list)",
            LIST_STATUS,
            "create events.events.k8s.io (Revoked)",
            "create events.events.k8s.io (Reissued)",
            "create events.events.k8s.io (ListPublished)",
        ],
    ),
    (
        Flow::List(ListFlow::Hold),
        &[
            "update configmaps (head)",
            "create configmaps (chunk)",
            "update configmaps (list)",
            STATUS,
            LIST_STATUS,
            "create events.events.k8s.io (Held)",
            "create events.events.k8s.io (Refused)",
            "create events.events.k8s.io (ListPublished)",
        ],
    ),
    (
        Flow::List(ListFlow::Release),
        &[
            "update configmaps (head)",
            "create configmaps (chunk)",
            "update configmaps (list)",
            "delete configmaps (chunk)",
            STATUS,
            LIST_STATUS,
            "create events.events.k8s.io (Released)",
            "create events.events.k8s.io (ListPublished)",
        ],
    ),
    (
        Flow::List(ListFlow::Goes),
        &[
            "update configmaps (head)",
            "delete secrets",
            "patch certificates.chancery.dev (finalizers)",
            "update configmaps (head)",
            "create configmaps (chunk)",
            "update configmaps (list)",
            LIST_STATUS,
            "create events.events.k8s.io (KeyDestroyed)",
            "create events.events.k8s.io (Revoked)",
            "create events.events.k8s.io (ListPublished)",
        ],
    ),
    (
        Flow::List(ListFlow::TakeOver),
        &[
            "update configmaps (head)",
            "delete configmaps (import)",
            "create configmaps (chunk)",
            "update configmaps (list)",
            LIST_STATUS,
            "create events.events.k8s.io (Revoked)",
            "create events.events.k8s.io (ListPublished)",
        ],
    ),
    (Flow::List(ListFlow::Hand), &["update secrets", STATUS]),
];

const STATUS: &str = "update certificates.chancery.dev/status";
const LIST_STATUS: &str = "update revocationlists.chancery.dev/status";
/// An issuer notes the longest lifetime that was asked of it.
const ISSUER: &str = "update issuers.chancery.dev/status";

/// Whether a write is made beside the others.
fn is_beside(kind: &str) -> bool {
    kind == ISSUER || kind.contains("events.events.k8s.io")
}

/// Runs these flows, one after the other on one ground: once as they are, then once for each row and moment.
async fn survive(flows: &[Flow]) {
    let ground = Ground::prepared().await;
    let mut stage = Stage::set(&ground).await;
    for flow in flows {
        let rows = MATRIX.iter().find(|(of, _)| of == flow).map(|(_, rows)| *rows).expect("each flow has its rows");
        Box::pin(stage.run(*flow, rows, None)).await;
        for (row, _) in rows.iter().enumerate() {
            for moment in Moment::ALL {
                Box::pin(stage.run(*flow, rows, Some((row, moment)))).await;
            }
        }
    }
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_a_first_issue_leaves_nothing_wrong() {
    survive(&[Flow::IssuerReady, Flow::Refuse, Flow::FirstByCa]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_a_new_ca_leaves_nothing_wrong() {
    survive(&[Flow::FirstCa]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_a_renewal_leaves_nothing_wrong() {
    survive(&[Flow::Renew]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_a_reissue_leaves_nothing_wrong() {
    survive(&[Flow::Reissue]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_a_healing_leaves_nothing_wrong() {
    survive(&[Flow::Heal]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_a_cas_healing_leaves_its_key_the_same() {
    survive(&[Flow::HealCa]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_around_a_certificate_makes_no_new_one() {
    survive(&[Flow::Dress, Flow::AddFinalizer, Flow::Import]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_a_deletion_leaves_no_secret_and_no_finalizer() {
    survive(&[Flow::Destroy, Flow::DestroyCa]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_a_registers_seal_loses_no_line() {
    survive(&[Flow::Seal]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_a_restore_brings_each_line_back_once() {
    survive(&[Flow::Restore]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_a_checkpoint_leaves_one_that_is_believed() {
    survive(&[Flow::Checkpoint]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_a_keys_end_leaves_no_copy() {
    survive(&[Flow::Retire, Flow::DestroyCopy]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_a_first_list_leaves_it_whole() {
    survive(&[Flow::List(ListFlow::First)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_a_revocation_loses_it_nowhere() {
    survive(&[Flow::List(ListFlow::Revoke)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_a_hold_and_its_release_does_each_once() {
    survive(&[Flow::List(ListFlow::Hold), Flow::List(ListFlow::Release)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_a_revoking_deletion_leaves_nothing_good() {
    survive(&[Flow::List(ListFlow::Goes)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_an_import_takes_each_certificate_over_once() {
    survive(&[Flow::List(ListFlow::TakeOver)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_write_of_lists_into_a_secret_leaves_its_certificate_as_it_was() {
    survive(&[Flow::List(ListFlow::Hand)]).await;
}

#[test]
fn each_flow_has_its_rows_once() {
    for (number, (flow, rows)) in MATRIX.iter().enumerate() {
        assert!(!rows.is_empty() && MATRIX[..number].iter().all(|(other, _)| other != flow), "{flow:?}");
    }
}
