//! The start of an operator whose API server is not there yet, as after a power cut.

use std::net::SocketAddr;

use chancery::api::Certificate;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Ground, Operator, OwnGround, Proxy, free_address, until};
use crate::scene::{SOON, certificate, create, issuer_is_ready, make_ca_issuer, settled};

/// Listens from now on, and hands connections on.
async fn come_up(address: SocketAddr, to: String) {
    let listener = TcpListener::bind(address).await.expect("the port is free still");
    tokio::spawn(async move {
        while let Ok((mut here, _)) = listener.accept().await {
            let to = to.clone();
            tokio::spawn(async move {
                let Ok(mut there) = TcpStream::connect(to).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
            });
        }
    });
}

/// Waits until it has looked for its API server in vain. There is nothing to watch but its log, hence the polling.
async fn has_tried(operator: &Operator) {
    let tried = until(SOON, async || operator.log().contains("the watch was interrupted").then_some(()));
    assert!(tried.await.is_some(), "{}", operator.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_waits_for_an_api_server_that_comes_up_after_it() {
    let ground = Ground::prepared().await;
    let own = OwnGround::claim(&ground).await;
    let proxy = Proxy::start(&ground).await;
    let address = free_address();
    let mut operator = own.settings_through("early", &format!("http://{address}")).spawn();
    has_tried(&operator).await;
    // A kubelet does not restart it, and no traffic goes to it.
    assert_eq!((operator.get("/livez").await.0, operator.get("/readyz").await.0), (200, 503));

    let server = proxy.url();
    come_up(address, server.strip_prefix("http://").unwrap_or(&server).to_owned()).await;
    operator.ready().await;
    make_ca_issuer(&own, "ca").await;
    issuer_is_ready(&own, "ca").await;
    create(&own.api::<Certificate>(), &certificate("web", "ca", json!({}))).await;
    settled(&own, "web", "issued", |_| true).await;
    assert!(operator.terminate().await.status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_that_waits_for_its_api_server_ends_when_it_is_asked_to() {
    let ground = Ground::prepared().await;
    let own = OwnGround::claim(&ground).await;
    let mut operator = own.settings_through("early", &format!("http://{}", free_address())).spawn();
    has_tried(&operator).await;
    let ended = operator.terminate().await;
    assert!(ended.status.success(), "{:?}", ended.status);
}
