//! The clusters that the pages are tried on: control planes of their own, on which README was followed, and the node of `make e2e`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tokio::sync::{Mutex, MutexGuard, OnceCell};

use super::play::play;
use super::pods::Pods;
use crate::harness::{Ground, Program, program_path, run_folder};
use crate::page::Page;

/// A control plane, with our programs where README has installed them.
pub(super) struct Cluster {
    pub(super) kubeconfig: PathBuf,
    /// What is kept of its pages.
    pub(super) folder: PathBuf,
    /// What blocks may need and have here.
    pub(super) has: &'static [&'static str],
    /// None where pods run by themselves.
    pods: Option<Pods>,
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

    /// One that runs pods, as whoever started us says: nothing is installed on it.
    pub(super) fn with_a_node(kubeconfig: PathBuf, has: &'static [&'static str]) -> Self {
        let folder = kubeconfig.parent().expect("a file is in a folder").join("pages");
        Self { kubeconfig, folder, has, pods: None, turn: Mutex::new(()) }
    }

    /// Pages use the same names, so one is tried at a time.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// A kubectl for it, as administrator.
    pub(super) fn kubectl(&self) -> Program {
        Program::new(program_path("kubectl")).env("KUBECONFIG", &self.kubeconfig).env("KUBECACHEDIR", self.folder.join("kubectl-cache"))
    }

    /// Where the responder serves, if it does.
    pub(super) async fn responder(&self) -> Option<String> {
        if let Some(pods) = &self.pods {
            return pods.responder_now();
        }
        let service = ["-n", "chancery-system", "get", "service", "chancery-responder", "-o", "jsonpath=http://{.spec.clusterIP}:80"];
        let asked = self.kubectl().args(service).finish().await;
        asked.status.success().then_some(asked.stdout)
    }

    async fn once(cell: &'static OnceCell<Self>, name: &'static str) -> &'static Self {
        static BEGUN: std::sync::Mutex<BTreeSet<&str>> = std::sync::Mutex::new(BTreeSet::new());
        cell.get_or_init(|| async {
            // A second try would meet what the first has left, and hide why that went wrong.
            let is_first = BEGUN.lock().is_ok_and(|mut begun| begun.insert(name));
            assert!(is_first, "README could not be played for the {name}: see the test that failed first");
            let ground = Ground::apart(name).await;
            let pods = Pods::of(&ground, name);
            let folder = run_folder().join("snippets").join(name);
            let cluster = Self { kubeconfig: ground.kubeconfig(), folder, has: &[], pods: Some(pods), turn: Mutex::new(()) };
            play(&cluster, &Page::read(Path::new("README.md")), "").await;
            if let Some(pods) = &cluster.pods {
                pods.responder().await;
            }
            cluster
        })
        .await
    }
}
