//! The folder of this run, and free ports. Old runs' folders are cleared away, never those of a run that is still going.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

/// The folder of this run, made at the first call; readable by its owner only.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<(PathBuf, File)> = OnceLock::new();
    &FOLDER.get_or_init(make_folder).0
}

/// Where runs keep their folders.
pub(crate) fn folders() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster")
}

/// The root of the source tree.
pub(crate) fn source() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A loopback address that nothing listens on, from below the ports that the kernel gives to clients, and never the same one
/// twice in a run.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u32 = 13_000;
    const COUNT: u32 = 7_000;
    for _ in 0..COUNT {
        let offset = (std::process::id() * 101 + u32::from(NEXT.fetch_add(1, Ordering::Relaxed))) % COUNT;
        let port = u16::try_from(FIRST + offset).expect("20,000 fits");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}

fn make_folder() -> (PathBuf, File) {
    let parent = folders();
    fs::create_dir_all(&parent).expect("the target folder is writable");
    clear_old(&parent);
    #[expect(clippy::disallowed_methods, reason = "only names the folder")]
    let path = parent.join(format!("run-{}-{}", jiff::Timestamp::now().as_second(), std::process::id()));
    fs::DirBuilder::new().mode(0o700).create(&path).expect("the run's folder can be made");
    let lock = File::create(path.join("lock")).expect("the run's folder is writable");
    lock.lock().expect("nobody else has this lock");
    let last = parent.join("last");
    let _ = fs::remove_file(&last);
    // A second run may have made the link in between; then it is the last.
    let _ = symlink(&path, &last);
    (path, lock)
}

/// Keeps the newest few: a failure is often looked at after the next run has started. The lock is held as long as its run lives.
fn clear_old(parent: &Path) {
    const KEPT: usize = 4;
    let mut runs: Vec<PathBuf> = fs::read_dir(parent)
        .expect("the folder exists")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("run-")))
        .collect();
    runs.sort();
    runs.reverse();
    for old in runs.iter().skip(KEPT) {
        if File::open(old.join("lock")).is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(old);
        }
    }
}
