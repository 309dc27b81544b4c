//! In the place of Flux's source-controller: archives served on loopback, and what that would say of them in the status of a source.
//! The source-controller itself cannot be built from what the Go proxy serves.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::{StatusCode, Uri};
use serde_json::{Value, json};

use crate::harness::Program;

type Archives = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// The artifacts of one test, by their paths.
pub(super) struct Artifacts {
    address: SocketAddr,
    archives: Archives,
}

impl Artifacts {
    /// None yet; served as long as the test's runtime lasts.
    pub(super) async fn served() -> Self {
        let archives = Archives::default();
        Self { address: serve(Arc::clone(&archives)).await, archives }
    }

    /// Serves an archive under a path, and returns the status of a source that has fetched it. `revision` gets its SHA-256 digest.
    pub(super) async fn store(&self, path: &str, archive: Vec<u8>, revision: impl FnOnce(&str) -> String) -> Value {
        let digest = Program::openssl().args(["dgst", "-sha256", "-r"]).stdin(archive.clone()).run().await;
        let digest = format!("sha256:{}", digest.split_whitespace().next().unwrap_or_default());
        let status = json!({
            "observedGeneration": 1,
            "artifact": {
                "url": format!("http://{}{path}", self.address), "path": path, "digest": digest, "revision": revision(&digest),
                "size": archive.len(), "lastUpdateTime": "2026-01-01T00:00:00Z",
            },
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored artifact", "observedGeneration": 1,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        });
        self.archives.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), archive);
        status
    }
}

async fn serve(archives: Archives) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let answer = move |uri: Uri| async move {
        let found = archives.lock().unwrap_or_else(PoisonError::into_inner).get(uri.path()).cloned();
        found.map_or_else(|| (StatusCode::NOT_FOUND, Vec::new()), |archive| (StatusCode::OK, archive))
    };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    address
}
