//! Programs that are not ours (openssl, kubectl, zlint), with a time limit and a failure that can be read.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{Ground, control_plane, run};

/// A program to run. It is killed when its time is over.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    input: Vec<u8>,
    limit: Duration,
}

/// What a program that has ended left.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    /// The same as it came.
    pub(crate) octets: Vec<u8>,
    pub(crate) stderr: String,
}

/// Where a program of ours, of the control plane or of `make tools` is.
pub(crate) fn path(name: &str) -> PathBuf {
    match name {
        "chancery" => run::source().join(env!("CARGO_BIN_EXE_chancery")),
        "kubectl-chancery" => path("chancery").with_file_name(name),
        "helm" => run::source().join("tests/tools/helm/bin/helm"),
        _ => control_plane::binary(name),
    }
}

impl Program {
    /// By path, or by name from PATH. The time limit is 30 seconds unless set.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), arguments: Vec::new(), environment: Vec::new(), input: Vec::new(), limit: Duration::from_secs(30) }
    }

    pub(crate) fn openssl() -> Self {
        Self::new("openssl")
    }

    /// The kubectl of the control plane, as administrator.
    pub(crate) fn kubectl(ground: &Ground) -> Self {
        Self::new(control_plane::binary("kubectl"))
            .env("KUBECONFIG", ground.kubeconfig())
            .env("KUBECACHEDIR", run::folder().join("kubectl-cache"))
    }

    /// zlint as `make tools` builds it.
    pub(crate) fn zlint() -> Self {
        Self::new(run::source().join("tests/zlint/bin/zlint"))
    }

    /// What Go's crypto/x509 makes of chains and lists: `tests/gocheck`, as `make tools` builds it.
    pub(crate) fn gocheck() -> Self {
        Self::new(run::source().join("tests/gocheck/bin/gocheck"))
    }

    /// The operator's own binary.
    pub(crate) fn chancery() -> Self {
        Self::new(env!("CARGO_BIN_EXE_chancery"))
    }

    /// The plugin of kubectl, as administrator.
    pub(crate) fn kubectl_chancery(ground: &Ground) -> Self {
        Self::new(run::source().join(env!("CARGO_BIN_EXE_chancery")).with_file_name("kubectl-chancery"))
            .env("KUBECONFIG", ground.kubeconfig())
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// What it reads from its standard input.
    pub(crate) fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    pub(crate) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it on a terminal of its own, where what it reads is typed. All that it prints is its standard output then, with the echo of
    /// what was typed.
    pub(crate) fn on_terminal(self) -> Self {
        let quoted = |text: &OsStr| format!("'{}'", text.to_string_lossy().replace('\'', "'\\''"));
        let words = std::iter::once(self.path.as_os_str()).chain(self.arguments.iter().map(OsString::as_os_str));
        let line = words.map(quoted).collect::<Vec<_>>().join(" ");
        let arguments = ["--quiet", "--return", "--echo", "never", "--command", &line, "/dev/null"];
        Self { path: PathBuf::from("script"), arguments: arguments.map(OsString::from).to_vec(), ..self }.env("TERM", "xterm")
    }

    /// Writes what it says on its standard error into a file, which may be read while it runs.
    pub(crate) fn errors_into(self, file: &Path) -> Self {
        let mut arguments = vec![OsString::from("-c"), OsString::from("exec \"$@\" 2> \"$0\""), file.into(), self.path.into()];
        arguments.extend(self.arguments);
        Self { path: PathBuf::from("sh"), arguments, ..self }
    }

    /// Runs it to its end, whatever that is. Panics only if it cannot be started or its time is over.
    pub(crate) async fn finish(self) -> Finished {
        let shown = self.shown();
        let mut child = Command::new(&self.path)
            .args(&self.arguments)
            .envs(self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{shown} cannot be started: {error}; `make tools` says what is missing"));
        let mut stdin = child.stdin.take().expect("it was asked for");
        let input = self.input;
        let feed = async move {
            // A program may end without having read everything: then its status tells.
            let _ = stdin.write_all(&input).await;
        };
        let both = async { tokio::join!(feed, child.wait_with_output()).1 };
        let Ok(output) = tokio::time::timeout(self.limit, both).await else {
            panic!("{shown} did not end within {:?}", self.limit);
        };
        let output = output.unwrap_or_else(|error| panic!("{shown} cannot be waited for: {error}"));
        Finished {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            octets: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs it and returns its standard output; panics with all that it said unless it ends with success.
    pub(crate) async fn run(self) -> String {
        self.succeed().await.stdout
    }

    /// The same where the output is no text.
    pub(crate) async fn run_octets(self) -> Vec<u8> {
        self.succeed().await.octets
    }

    async fn succeed(self) -> Finished {
        let shown = self.shown();
        let finished = self.finish().await;
        assert!(finished.status.success(), "{shown}: {}\n{}\n{}", finished.status, finished.stderr.trim(), finished.stdout.trim());
        finished
    }

    /// Where it is, for a shell.
    pub(crate) fn shown_path(&self) -> String {
        self.path.display().to_string()
    }

    fn shown(&self) -> String {
        let arguments: Vec<_> = self.arguments.iter().map(|argument| argument.to_string_lossy()).collect();
        format!("`{} {}`", self.path.display(), arguments.join(" "))
    }
}
