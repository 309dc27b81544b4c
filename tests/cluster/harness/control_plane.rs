//! The control plane of this run: `tests/controlplane/up` as a child that lives as long as our end of its pipe.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use tokio::sync::OnceCell;

use super::access::Access;
use super::run;

/// A running etcd, API server and controller manager.
pub(crate) struct ControlPlane {
    /// The administrator's way in.
    pub(crate) admin: Access,
    folder: PathBuf,
    /// Its standard input is the pipe that everything hangs on. Never waited for: it ends with us.
    _supervisor: Child,
}

impl ControlPlane {
    /// The one of this run, started at the first call (about 4 seconds). All later callers are told of a failure as well.
    pub(crate) async fn of_this_run() -> &'static Self {
        static PLANE: OnceCell<Result<ControlPlane, String>> = OnceCell::const_new();
        let started = PLANE.get_or_init(|| async { Self::started("control-plane".to_owned()).await.map_err(|error| format!("{error:#}")) });
        match started.await {
            Ok(plane) => plane,
            Err(error) => panic!("the control plane did not start: {error}"),
        }
    }

    /// One more, for a test that installs and removes what all others stand on. Its files are in the run's folder under this name.
    pub(crate) async fn another(name: &str) -> Result<Self> {
        Self::started(name.to_owned()).await
    }

    async fn started(name: String) -> Result<Self> {
        tokio::task::spawn_blocking(move || Self::start(&name)).await?
    }

    /// The administrator's kubeconfig file.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// The address of the API server's etcd.
    pub(crate) fn etcd(&self) -> String {
        let file = self.folder.join("etcd.url");
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).trim().to_owned()
    }

    /// The API server's audit log, in the making.
    pub(crate) fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    fn start(name: &str) -> Result<Self> {
        let folder = run::folder().join(name);
        let complaints = run::folder().join(format!("up-{name}.log"));
        let mut supervisor = Command::new(run::source().join("tests/controlplane/up"))
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&complaints)?)
            .spawn()
            .context("tests/controlplane/up cannot be run")?;
        let mut line = String::new();
        BufReader::new(supervisor.stdout.take().expect("it was asked for")).read_line(&mut line)?;
        let Some(server) = line.trim().strip_prefix("ready ") else {
            let status = supervisor.wait()?;
            bail!("{status}: {}", fs::read_to_string(&complaints)?.trim());
        };
        let token = fs::read_to_string(folder.join("admin.token"))?.trim().to_owned();
        let admin = Access { server: server.to_owned(), ca: Some(folder.join("ca.crt")), token };
        Ok(Self { admin, folder, _supervisor: supervisor })
    }
}

/// A program of the control plane, such as `kubectl`: from `KUBEBUILDER_ASSETS` where that is set, as `up` does it.
pub(crate) fn binary(name: &str) -> PathBuf {
    match std::env::var_os("KUBEBUILDER_ASSETS") {
        Some(assets) if !assets.is_empty() => Path::new(&assets).join(name),
        _ => run::source().join("tests/controlplane/bin").join(name),
    }
}
