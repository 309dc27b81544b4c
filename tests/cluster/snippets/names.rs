//! The names of Services, on a node that has nobody to tell them: a name server of one address, which asks the API server.
//!
//! It knows `NAME.NAMESPACE.svc.cluster.local`, and that only: pods complete shorter names by themselves.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::Service;
use kube::{Api, Client};
use tokio::net::UdpSocket;

/// Of a message: its head without questions, and what ends it.
const HEAD: usize = 12;

/// Of a class and a type: an address of version 4, in the Internet.
const ADDRESS: [u8; 4] = [0, 1, 0, 1];

/// The return code for a name that is not there.
const NO_SUCH_NAME: u8 = 3;

/// Answers as long as the run lasts.
pub(super) async fn serve(at: SocketAddr, client: Client) -> Result<()> {
    let socket = UdpSocket::bind(at).await.with_context(|| format!("no name server at {at}"))?;
    tokio::spawn(async move {
        let mut message = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut message).await {
            if let Some(answer) = answered(&message[..length], &client).await {
                // Who got no answer asks again.
                let _ = socket.send_to(&answer, from).await;
            }
        }
    });
    Ok(())
}

async fn answered(message: &[u8], client: &Client) -> Option<Vec<u8>> {
    let (name, end) = asked(message)?;
    let address = match name.strip_suffix(".svc.cluster.local").and_then(|name| name.split_once('.')) {
        Some((service, namespace)) => address_of(client, namespace, service).await,
        None => None,
    };
    Some(answer(message, end, address))
}

async fn address_of(client: &Client, namespace: &str, service: &str) -> Option<Ipv4Addr> {
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    services.get_opt(service).await.ok()??.spec?.cluster_ip?.parse().ok()
}

/// The name in the first question of a message, and where the question ends.
fn asked(message: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), HEAD);
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(std::str::from_utf8(message.get(at..at + length)?).ok()?.to_ascii_lowercase());
        at += length;
    }
    let end = at + ADDRESS.len();
    (message.len() >= end).then(|| (labels.join("."), end))
}

/// An answer with the question in it (RFC 1035, section 4). A name that is there and has nothing of the type is answered with nothing.
fn answer(message: &[u8], end: usize, address: Option<Ipv4Addr>) -> Vec<u8> {
    let found = address.filter(|_| message[end - ADDRESS.len()..end] == ADDRESS);
    let code = if address.is_some() { 0 } else { NO_SUCH_NAME };
    let mut answer = message[..2].to_vec();
    answer.extend([0x84 | (message[2] & 1), code, 0, 1, 0, u8::from(found.is_some()), 0, 0, 0, 0]);
    answer.extend(&message[HEAD..end]);
    if let Some(address) = found {
        // The name of the question, for five seconds, four octets.
        answer.extend([0xc0, 12]);
        answer.extend(ADDRESS);
        answer.extend([0, 0, 0, 5, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}

#[test]
fn a_name_that_is_asked_for_is_answered_in_the_words_of_the_question() {
    let question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06Orders\x04mesh\x03svc\x07cluster\x05local\x00\x00\x01\x00\x01";
    let (name, end) = asked(question).expect("it is a question");
    assert_eq!((name.as_str(), end), ("orders.mesh.svc.cluster.local", question.len()));
    let found = answer(question, end, Some(Ipv4Addr::new(10, 0, 0, 7)));
    assert_eq!(found[..HEAD], [0x12, 0x34, 0x85, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
    assert!(found.ends_with(&[0, 4, 10, 0, 0, 7]), "{found:?}");
    let none = answer(question, end, None);
    assert_eq!((none[3], none.len()), (NO_SUCH_NAME, question.len()));
    assert_eq!(asked(&question[..20]), None);
}
