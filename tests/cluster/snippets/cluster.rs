//! The clusters that the pages are tried on: control planes of their own, on which README was followed.

use std::path::Path;

use tokio::sync::{Mutex, MutexGuard, OnceCell};

use super::play::play;
use super::pods::Pods;
use crate::harness::Ground;
use crate::page::Page;

/// A control plane, with our programs where README has installed them.
pub(super) struct Cluster {
    pub(super) name: &'static str,
    pub(super) ground: Ground,
    pub(super) pods: Pods,
    turn: Mutex<()>,
}

impl Cluster {
    /// Where README was followed.
    pub(super) async fn installed() -> &'static Self {
        static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
        Self::once(&CLUSTER, "pages").await
    }

    /// The same for pages that destroy and restore.
    pub(super) async fn to_be_ruined() -> &'static Self {
        static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
        Self::once(&CLUSTER, "disasters").await
    }

    /// The same for what loses all of it.
    pub(super) async fn to_be_lost() -> &'static Self {
        static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
        Self::once(&CLUSTER, "loss").await
    }

    /// Pages use the same names, so one is tried at a time.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    async fn once(cell: &'static OnceCell<Self>, name: &'static str) -> &'static Self {
        cell.get_or_init(|| async {
            let ground = Ground::apart(name).await;
            let pods = Pods::of(&ground, name);
            let cluster = Self { name, ground, pods, turn: Mutex::new(()) };
            play(&cluster, &Page::read(Path::new("README.md")), "").await;
            cluster.pods.responder().await;
            cluster
        })
        .await
    }
}
