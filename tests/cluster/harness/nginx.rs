//! nginx, as Debian has it: one process in the foreground, with a configuration of the test's.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::process::{Process, tail};
use super::run;

/// A running nginx with one HTTPS server. It is killed when dropped, and by the kernel when the test process ends.
#[derive(Debug)]
pub(crate) struct Nginx {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    log: PathBuf,
    process: Process,
}

impl Nginx {
    /// Starts one with these files beside its configuration, which names them without a path, and these lines in its `server`;
    /// returns when it takes connections. It answers every request with `admitted`.
    pub(crate) async fn start(files: &[(&str, &str)], server: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let folder = run::folder().join(format!("nginx-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&folder).expect("the run's folder is writable");
        for (name, text) in files {
            fs::write(folder.join(name), text).expect("the run's folder is writable");
        }
        let address = run::free_address();
        fs::write(folder.join("nginx.conf"), configuration(address, server)).expect("the run's folder is writable");
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program()).arg("-p").arg(&folder).args(["-e", "error.log", "-c", "nginx.conf"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let nginx = Self { address, log: folder.join("error.log"), process: Process::spawn(command) };
        nginx.listens().await;
        nginx
    }

    /// What it has complained of.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// There is nothing to watch before it listens, hence the polling.
    async fn listens(&self) {
        let mut turn = tokio::time::interval(Duration::from_millis(20));
        let poll = async {
            while tokio::net::TcpStream::connect(self.address).await.is_err() {
                turn.tick().await;
            }
        };
        tokio::select! {
            listens = tokio::time::timeout(Duration::from_secs(30), poll) => {
                assert!(listens.is_ok(), "nginx does not listen after 30 s\n{}", tail(&self.log, None));
            }
            status = self.process.ended() => panic!("nginx ended: {status}\n{}", tail(&self.log, None)),
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.process.signal("KILL");
        if std::thread::panicking() {
            eprintln!("{}", tail(&self.log, None));
        }
    }
}

/// Where Debian puts it, which is in PATH for root only.
fn program() -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&paths).collect();
    folders.push("/usr/sbin".into());
    let found = folders.into_iter().map(|folder| folder.join("nginx")).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("nginx is missing: apt-get install nginx"))
}

fn configuration(address: SocketAddr, server: &str) -> String {
    // Its own folders are root's; as root it would give up its rights and could not read the run's.
    let user =
        if fs::metadata(run::folder()).is_ok_and(|folder| std::os::unix::fs::MetadataExt::uid(&folder) == 0) { "user root;" } else { "" };
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log error.log info; {user}
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{
    listen {address} ssl;
    {server}
    location / {{ default_type text/plain; return 200 admitted; }}
  }}
}}
"
    )
}
