//! What the responders say when they are asked through the API server.

use std::{fmt::Display, time::Duration};

use axum::body::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use k8s_openapi::api::core::v1::Service;
use kube::{Api, Client, client::Body};

use super::workloads::Reachable;
use crate::{
    cluster::{CallError, CallErrorKind},
    plugin::ocsp::{proxy_path, refusal},
};

/// How much of an answer is read, in octets, give or take a frame.
const ANSWER_MAX: usize = 64 * 1024;

/// How long it may take to answer.
const ANSWERING: Duration = Duration::from_secs(5);

/// Why nothing was heard of the responder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unheard {
    /// Whoever asks may not ask it through the API server.
    Forbidden,
    /// It does not answer.
    Silent(String),
}

/// What a pod says of what it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its name.
    pub pod: String,
    /// What is not as it should be.
    pub troubles: Result<Vec<String>, Unheard>,
}

/// Whether the responder answers on its Service: whatever it says to a path that it does not have, it says itself.
pub(super) async fn answers(client: &Client, namespace: &str, service: &str) -> Result<bool, Unheard> {
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    match services.get_opt(service).await {
        Ok(None) => return Ok(false),
        Err(error) => {
            let error = CallError::of("get", "Service", Some(namespace), service)(error);
            let forbidden = error.kind == CallErrorKind::Forbidden;
            return Err(if forbidden { Unheard::Forbidden } else { Unheard::Silent(error.to_string()) });
        }
        Ok(Some(_)) => {}
    }
    ask(client, format!("{}/ca/check.crt", proxy_path(namespace, service))).await.map(|_| true)
}

/// What each of these pods says.
pub(super) async fn told(client: &Client, namespace: &str, pods: &[Reachable]) -> Vec<Told> {
    let asked = pods.iter().map(|Reachable { pod, port }| async move {
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/troubles");
        let troubles = match ask(client, path).await {
            Ok((StatusCode::OK, text)) => Ok(text.lines().map(str::to_owned).collect()),
            Ok((status, _)) => Err(Unheard::Silent(format!("it answers {status}"))),
            Err(unheard) => Err(unheard),
        };
        Told { pod: pod.clone(), troubles }
    });
    futures::future::join_all(asked).await
}

/// What is answered at a path that leads through the API server.
async fn ask(client: &Client, path: String) -> Result<(StatusCode, String), Unheard> {
    // The client asks again and again while the API server says that there is no endpoint.
    match tokio::time::timeout(ANSWERING, proxied(client, path)).await {
        Ok(answered) => answered,
        Err(_) => Err(Unheard::Silent(format!("no answer within {} s; perhaps none of its pods is ready", ANSWERING.as_secs()))),
    }
}

async fn proxied(client: &Client, path: String) -> Result<(StatusCode, String), Unheard> {
    let silent = |why: &dyn Display| Unheard::Silent(why.to_string());
    let request = Request::get(path).body(Body::empty()).map_err(|error| silent(&error))?;
    let answer = client.send(request).await.map_err(|error| silent(&error))?;
    let status = answer.status();
    let body = beginning(answer.into_body()).await.map_err(|error| silent(&error))?;
    let by_server = serde_json::from_slice::<serde_json::Value>(&body).is_ok_and(|value| value["kind"] == "Status");
    match by_server {
        true if status == StatusCode::FORBIDDEN => Err(Unheard::Forbidden),
        true => Err(Unheard::Silent(refusal(status, &body))),
        false => Ok((status, String::from_utf8_lossy(&body).into_owned())),
    }
}

/// What an answer begins with. Who has more to say than is read has said something, and is not silent.
async fn beginning<B: hyper::body::Body<Data = Bytes> + Unpin>(mut body: B) -> Result<Vec<u8>, B::Error> {
    let mut read = Vec::new();
    while read.len() < ANSWER_MAX
        && let Some(frame) = body.frame().await
    {
        if let Ok(data) = frame?.into_data() {
            read.extend_from_slice(&data);
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    #[tokio::test]
    async fn who_has_too_much_to_say_is_heard_and_not_for_ever() {
        let line = Bytes::from("authority 00: a newer list is refused\n".repeat(500));
        let long = Full::new(Bytes::from(line.repeat(5)));
        assert!(beginning(long).await.unwrap().starts_with(&line));
        let endless = futures::stream::repeat_with(move || Ok::<_, hyper::Error>(Frame::data(line.clone())));
        let read = beginning(StreamBody::new(endless)).await.unwrap();
        assert!((ANSWER_MAX..2 * ANSWER_MAX).contains(&read.len()), "{}", read.len());
    }
}
