//! `kubectl chancery ocsp`: asks a responder about a certificate, and explains its answer.
//!
//! An answer is believed as far as it verifies: signed by the issuer or by one that it certified for that, about this certificate, and
//! fresh. The time is an argument.

use std::{
    io::{self, Write},
    time::Duration,
};

use aws_lc_rs::rand;
use chancery_pki::{
    CertId, CertIdHash, Certificate, NONCE_MAX, OcspRequest, OcspRequestError, OcspResponse, OcspResponseError, OcspStatus, SerialNumber,
};
use http::{Request, header};
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use kube::{Client, client::Body};
use serde::Serialize;
use thiserror::Error;

use super::{
    check::workloads::{RESPONDER, installed},
    fetch::{FetchError, Posted, fetch},
    inspect::shown,
    output::{Report, Tone, plain},
    span::{span, when},
    verify::Outcome,
};
use crate::cluster::{CallError, CallErrorKind};

/// The media type of a request (RFC 6960 appendix C.1).
const REQUEST: &str = "application/ocsp-request";

/// The longest answer that is read, in octets.
const ANSWER_MAX: usize = 64 * 1024;

/// How many octets a nonce of ours has (RFC 9654 section 2.1).
const NONCE: usize = 32;
const _: () = assert!(NONCE <= NONCE_MAX);

/// How a URL is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The request stands in the path.
    Get,
    /// The request is the body.
    Post,
}

/// A question to a responder.
#[derive(Clone, Debug)]
pub struct Asked {
    request: OcspRequest,
}

/// Random octets that an answer repeats; none where there is no randomness.
pub fn nonce() -> Option<Vec<u8>> {
    let mut nonce = vec![0; NONCE];
    rand::fill(&mut nonce).is_ok().then_some(nonce)
}

impl Asked {
    /// How a certificate of this issuer stands.
    ///
    /// # Errors
    /// When the nonce cannot stand in a request.
    pub fn about(certificate: &Certificate, issuer: &Certificate, nonce: Option<Vec<u8>>) -> Result<Self, OcspRequestError> {
        let id = CertId::of(CertIdHash::Sha1, issuer, certificate.serial().clone());
        Ok(Self { request: OcspRequest::new(vec![id], nonce)? })
    }

    /// What the answer is to repeat.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.request.nonce.as_deref()
    }

    /// Asks a URL. Returns the answer's octets too.
    ///
    /// # Errors
    /// When there is no answer, or none that says anything.
    pub async fn of_url(&self, url: &str, method: Method, limit: Duration) -> Result<(Vec<u8>, OcspResponse), AskError> {
        let der = self.request.to_der();
        let octets = match method {
            Method::Post => fetch(url, Some(&Posted { kind: REQUEST, body: der }), limit).await?,
            Method::Get => fetch(&format!("{}/{}", url.trim_end_matches('/'), in_path(der)), None, limit).await?,
        };
        read(octets, url)
    }

    /// Asks the responder's Service through the API server.
    ///
    /// # Errors
    /// When there is no answer, or none that says anything.
    pub async fn of_service(
        &self,
        client: &Client,
        namespace: &str,
        service: &str,
        limit: Duration,
    ) -> Result<(Vec<u8>, OcspResponse), AskError> {
        let place = service_name(namespace, service);
        let failed = |why: String| AskError::Service { place: place.clone(), why };
        let request = Request::post(format!("{}/ocsp", proxy_path(namespace, service))).header(header::CONTENT_TYPE, REQUEST);
        let request = request.body(Body::from(self.request.to_der())).map_err(|error| failed(error.to_string()))?;
        let answered = async {
            let answer = client.send(request).await.map_err(|error| error.to_string())?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await.map_err(|error| error.to_string())?.to_bytes();
            if status.is_success() { Ok(body.to_vec()) } else { Err(refusal(status, &body)) }
        };
        let octets = match tokio::time::timeout(limit, answered).await {
            Ok(answered) => answered.map_err(failed)?,
            Err(_) => return Err(failed(format!("no answer within {} s", limit.as_secs()))),
        };
        read(octets, &place)
    }
}

/// Where the responder's Service is: its namespace and its name. `operator` is the operator's namespace, and `named` the Service that
/// a person names; else it is that of the responder that `check` finds there.
///
/// # Errors
/// When the API server cannot be asked which responder there is. Who may not look at Deployments is given the name of a usual one.
pub async fn service(client: &Client, operator: &str, named: Option<&str>) -> Result<(String, String), CallError> {
    if let Some(named) = named {
        return Ok((operator.to_owned(), named.to_owned()));
    }
    match installed(client, operator).await {
        Ok(found) => {
            let name = found.responder().unwrap_or_else(|| RESPONDER.to_owned());
            Ok((found.pods, name))
        }
        Err(error) if error.kind == CallErrorKind::Forbidden => Ok((operator.to_owned(), RESPONDER.to_owned())),
        Err(error) => Err(error),
    }
}

/// The path at the API server that leads to a Service's port `http`.
pub(super) fn proxy_path(namespace: &str, service: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/services/{service}:http/proxy")
}

fn service_name(namespace: &str, service: &str) -> String {
    format!("Service {namespace}/{service}, through the API server")
}

/// What an answer that is no success says: the API server's own is a Status with a message.
pub(super) fn refusal(status: http::StatusCode, body: &[u8]) -> String {
    let message = serde_json::from_slice::<serde_json::Value>(body).ok().and_then(|value| value["message"].as_str().map(str::to_owned));
    message.map_or_else(|| format!("the answer is {status}"), |message| format!("{status}: {message}"))
}

fn read(octets: Vec<u8>, from: &str) -> Result<(Vec<u8>, OcspResponse), AskError> {
    match OcspResponse::from_der(&octets) {
        Ok(answer) => Ok((octets, answer)),
        Err(why) => Err(AskError::Answer { from: from.to_owned(), why }),
    }
}

/// Base64 as it stands in a URL (RFC 6960 appendix A.1).
fn in_path(der: Vec<u8>) -> String {
    // Kubernetes writes octets as base64.
    let base64 = serde_json::to_value(ByteString(der)).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    base64.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// Nobody answers.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Nor through the API server.
    #[error("{place}: {why}")]
    Service {
        /// Which Service.
        place: String,
        /// What happened.
        why: String,
    },
    /// The answer says nothing.
    #[error("{from}: {why}")]
    Answer {
        /// Who answered.
        from: String,
        /// What is wrong with it.
        why: OcspResponseError,
    },
    /// The question cannot be asked.
    #[error(transparent)]
    Request(#[from] OcspRequestError),
}

/// An answer, explained.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explained {
    /// The certificate's serial number.
    pub serial_number: String,
    /// Its subject.
    pub subject: String,
    /// Its issuer's subject.
    pub issuer: String,
    /// Who answered.
    pub from: String,
    /// `good`, `revoked` or `unknown`; none where the answer is about others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// Since when it is revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When that was known to be so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub this_update: Option<Timestamp>,
    /// Until when it may be relied on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_update: Option<Timestamp>,
    /// When it was signed.
    pub produced_at: Timestamp,
    /// Who signed it.
    pub signed_by: String,
    /// What became of the nonce: `repeated`, `notRepeated`, `another` or `notSent`.
    pub nonce: &'static str,
    /// When it was looked at.
    pub at: Timestamp,
    /// Whether it may be relied on. Where it may not, `status` is what somebody says.
    pub reliable: bool,
    /// Why it may not be relied on.
    pub problems: Vec<String>,
}

/// Explains an answer to a question about a certificate of this issuer.
pub fn explain(
    asked: &Asked,
    certificate: &Certificate,
    issuer: &Certificate,
    answer: &OcspResponse,
    from: &str,
    at: Timestamp,
) -> Explained {
    let said = super::verify::about(answer, certificate.serial());
    let mut problems: Vec<String> = answer.verify(issuer, at).err().map(|error| error.to_string()).into_iter().collect();
    if said.is_none() {
        problems.push("the answer is about other certificates".to_owned());
    }
    let nonce = match (asked.nonce(), answer.nonce()) {
        (None, _) => "notSent",
        (Some(_), None) => "notRepeated",
        (Some(sent), Some(repeated)) if sent == repeated => "repeated",
        (Some(_), Some(_)) => "another",
    };
    if nonce == "another" {
        problems.push("the answer repeats another nonce: it is not to this request".to_owned());
    }
    let (status, revoked_at, reason) = match said.map(|said| said.status) {
        None => (None, None, None),
        Some(OcspStatus::Good) => (Some("good"), None, None),
        Some(OcspStatus::Unknown) => (Some("unknown"), None, None),
        Some(OcspStatus::Revoked { time, reason }) => (Some("revoked"), Some(time), Some(reason.to_string())),
    };
    Explained {
        serial_number: certificate.serial().to_string(),
        subject: shown(certificate),
        issuer: shown(issuer),
        from: from.to_owned(),
        status,
        revoked_at,
        reason,
        this_update: said.map(|said| said.this_update),
        next_update: said.map(|said| said.next_update),
        produced_at: answer.produced_at(),
        signed_by: signer(answer, issuer),
        nonce,
        at,
        reliable: problems.is_empty(),
        problems,
    }
}

fn signer(answer: &OcspResponse, issuer: &Certificate) -> String {
    if answer.is_signed_by(issuer.public_key()) {
        return format!("the issuer itself, {}", shown(issuer));
    }
    let delegate = answer.certificates().iter().find(|delegate| answer.is_signed_by(delegate.public_key()));
    delegate.map_or_else(
        || "nobody whose certificate is with it".to_owned(),
        |delegate| format!("{}, certified by {} until {}", shown(delegate), delegate.issuer(), delegate.not_after()),
    )
}

impl Explained {
    /// Whether the certificate is good, by an answer that may be relied on.
    pub fn is_well(&self) -> bool {
        self.outcome() == Outcome::Ok
    }

    fn outcome(&self) -> Outcome {
        match self.status {
            _ if !self.reliable => Outcome::NotChecked,
            Some("good") => Outcome::Ok,
            _ => Outcome::Failed,
        }
    }
}

impl Report for Explained {
    fn text(&self, _wide: bool, out: &mut dyn Write) -> io::Result<()> {
        let status = match (self.status, &self.reason, self.revoked_at) {
            (Some(status), ..) if !self.reliable => Tone::Bad.paint(&format!("said to be {status}, not believed")),
            (Some("revoked"), Some(reason), Some(time)) => Tone::Bad.paint(&format!("revoked since {time}, {reason}")),
            (Some("unknown"), ..) => Tone::Bad.paint("unknown: the responder has no such serial number of this issuer on record"),
            (Some(status), ..) => Tone::Good.paint(status),
            (None, ..) => Tone::Bad.paint("nothing is said about it"),
        };
        let mut field = |name: &str, value: &str| writeln!(out, "{:<15} {value}", format!("{name}:"));
        field("Certificate", &plain(&format!("{}, serial number {}", self.subject, self.serial_number)))?;
        field("Issuer", &plain(&self.issuer))?;
        field("Status", &status)?;
        if let (Some(this), Some(next)) = (self.this_update, self.next_update) {
            field("Known at", &format!("{this} ({} old)", span(self.at.duration_since(this))))?;
            field("Good until", &format!("{next} ({})", when(next, self.at)))?;
        }
        field("Signed at", &self.produced_at.to_string())?;
        field("Signed by", &plain(&self.signed_by))?;
        let nonce = match self.nonce {
            "repeated" => "repeated: the answer was made for this question",
            "notRepeated" => "not repeated: the answer may be older than the question",
            "notSent" => "not sent",
            _ => "another one",
        };
        field("Nonce", nonce)?;
        field("Answered by", &plain(&self.from))?;
        self.problems.iter().try_for_each(|problem| writeln!(out, "{} {}", Tone::Bad.paint("PROBLEM:"), plain(problem)))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("serial/{}", self.serial_number)]
    }
}

/// The certificate that issued this one, among these.
pub fn issuer_among<'a>(certificate: &Certificate, candidates: impl IntoIterator<Item = &'a Certificate>) -> Option<&'a Certificate> {
    candidates.into_iter().find(|issuer| super::inspect::has_signed(issuer, certificate))
}

/// A certificate's serial number, from hexadecimal digits with or without colons.
///
/// # Errors
/// When it is none.
pub fn serial(text: &str) -> Result<SerialNumber, String> {
    text.replace(':', "").to_lowercase().parse().map_err(|error| format!("{error}"))
}
