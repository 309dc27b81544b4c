//! Those who are shown a certificate and ask whether it is revoked: openssl by list and by OCSP, Go's crypto/x509, webpki.
//!
//! They know a chain and the root that they trust; where lists and answers are, the certificates themselves say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chancery_pki::{Certificate as X509, pem_bundle};
use k8s_openapi::ByteString;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;

use super::{Content, SOON};
use crate::harness::{Program, until};

/// Somebody who was shown a certificate. Keeps what programs need in a folder of its own.
pub(crate) struct Consumer {
    chain: Vec<X509>,
    folder: TempDir,
}

/// What an OCSP responder says of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Good,
    /// With the reason as openssl writes it, empty where there is none.
    Revoked(String),
    Unknown,
}

/// How the responder is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Get,
    GetWithNonce,
    Post,
    PostWithNonce,
    /// A POST whose CertID is made with SHA-256.
    PostSha256,
}

impl Way {
    pub(crate) const ALL: [Self; 5] = [Self::Get, Self::GetWithNonce, Self::Post, Self::PostWithNonce, Self::PostSha256];

    fn has_nonce(self) -> bool {
        matches!(self, Self::GetWithNonce | Self::PostWithNonce)
    }
}

/// A list as Go reads it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GoList {
    pub(crate) number: String,
    pub(crate) this_update: jiff::Timestamp,
    pub(crate) entries: Vec<GoEntry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GoEntry {
    pub(crate) serial: String,
    pub(crate) time: jiff::Timestamp,
    pub(crate) reason: u8,
    pub(crate) invalidity_date: Option<jiff::Timestamp>,
}

impl GoList {
    /// The entry of a serial number, however it is written.
    pub(crate) fn entry(&self, serial: &str) -> Option<&GoEntry> {
        let digits = |text: &str| text.replace(':', "").to_lowercase().trim_start_matches('0').to_owned();
        self.entries.iter().find(|entry| digits(&entry.serial) == digits(serial))
    }
}

/// What zlint says of one of its lints.
#[derive(Debug, Deserialize)]
struct Lint {
    result: String,
}

#[derive(Deserialize)]
struct GoStanding {
    revoked: bool,
}

impl Consumer {
    /// Of what a Secret holds.
    pub(crate) fn of(content: &Content) -> Self {
        assert!(!content.roots.is_empty(), "a Secret without ca.crt");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let consumer = Self { chain: content.chain.clone(), folder };
        // Whoever issued the last of the chain is the root.
        let whole: Vec<X509> = content.chain.iter().chain(&content.roots).cloned().collect();
        let issuer = whole.get(1).expect("it has an issuer");
        consumer.write("leaf.pem", consumer.leaf().to_pem());
        consumer.write("issuer.pem", issuer.to_pem());
        consumer.write("chain.pem", pem_bundle(&consumer.chain));
        consumer.write("roots.pem", pem_bundle(&content.roots));
        consumer
    }

    /// The certificate in question.
    pub(crate) fn leaf(&self) -> &X509 {
        &self.chain[0]
    }

    /// Fetches the lists that the certificates of the chain name, in DER, each once; also as PEM, which must be the same.
    pub(crate) async fn fetch(&self) -> Vec<Vec<u8>> {
        let mut lists = Vec::new();
        let mut whole = String::new();
        for certificate in &self.chain {
            let [url] = certificate.crl_distribution_points() else {
                panic!("{} names these lists: {:?}", certificate.subject(), certificate.crl_distribution_points());
            };
            let (der, pem) = both_forms(url).await;
            let number = lists.len();
            self.write(&format!("list-{number}.pem"), &pem);
            self.write(&format!("list-{number}.crl"), &der);
            whole.push_str(&pem);
            lists.push(der);
        }
        self.write("lists.pem", whole);
        lists
    }

    /// The complaint of `openssl verify`, if it has one, about the whole chain under the lists that were fetched last.
    pub(crate) async fn openssl(&self) -> Option<String> {
        let verified = Program::openssl()
            .args(["verify", "-x509_strict", "-crl_check_all", "-no-CApath", "-no-CAstore", "-CAfile", &self.path("roots.pem")])
            .args(["-untrusted", &self.path("chain.pem"), "-CRLfile", &self.path("lists.pem"), &self.path("leaf.pem")])
            .finish()
            .await;
        (!verified.status.success()).then(|| format!("{}{}", verified.stdout, verified.stderr))
    }

    /// The leaf's list as Go reads it, whose signature it has checked; and by `openssl crl`, which must say the same of that.
    pub(crate) async fn list(&self) -> GoList {
        let (list, issuer) = (self.path("list-0.crl"), self.path("issuer.pem"));
        let checked = Program::openssl().args(["crl", "-inform", "DER", "-in", &list, "-CAfile", &issuer, "-noout"]).finish().await;
        assert!(checked.status.success() && checked.stderr.contains("verify OK"), "openssl crl: {}", checked.stderr);
        let said = Program::gocheck().args(["list", &issuer, &list]).run().await;
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
    }

    /// Has zlint look at the leaf's list; panics if it finds anything against it.
    pub(crate) async fn lint(&self) {
        let lints = ["-includeSources", "RFC5280,CABF_BR,Community", "-format", "der"];
        let said = Program::zlint().args(lints).args([self.path("list-0.crl")]).run().await;
        let results: BTreeMap<String, Lint> = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        assert!(results.values().any(|lint| lint.result == "pass"), "no lint is for lists: {said}");
        let against: Vec<_> = results.iter().filter(|(_, lint)| !matches!(lint.result.as_str(), "pass" | "NA" | "NE" | "info")).collect();
        assert!(against.is_empty(), "zlint: {against:?}");
    }

    /// Whether Go holds the leaf to be revoked, under the lists that were fetched last; it must find one for the whole chain, and
    /// nothing above the leaf on it.
    pub(crate) async fn go_says_revoked(&self) -> bool {
        let lists = (0..self.chain.len()).map(|number| self.path(&format!("list-{number}.crl")));
        let said = Program::gocheck().args(["chain", &self.path("roots.pem"), &self.path("chain.pem")]).args(lists).run().await;
        let standings: Vec<GoStanding> = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
        assert_eq!(standings.len(), self.chain.len(), "{said}");
        assert!(!standings[1..].iter().any(|standing| standing.revoked), "{said}");
        standings[0].revoked
    }

    /// The complaint of webpki, if it has one, about a server with the certificate, under these lists and no others, which must not
    /// have run out.
    pub(crate) fn webpki(&self, lists: &[Vec<u8>], dns_name: &str) -> Option<String> {
        let pem = fs::read(self.folder.path().join("roots.pem")).expect("it was written");
        let mut roots = RootCertStore::empty();
        for root in X509::bundle_from_pem(&pem).expect("they were written") {
            roots.add(CertificateDer::from(root.as_der().to_vec())).expect("it is a root");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .with_crls(lists.iter().map(|list| CertificateRevocationListDer::from(list.clone())))
            .enforce_revocation_expiration()
            .build()
            .expect("the lists can be read");
        let ders: Vec<CertificateDer<'static>> = self.chain.iter().map(|found| CertificateDer::from(found.as_der().to_vec())).collect();
        let name = ServerName::try_from(dns_name.to_owned()).expect("it is a DNS name");
        let verified = verifier.verify_server_cert(&ders[0], &ders[1..], &name, &[], UnixTime::now());
        verified.err().map(|error| error.to_string())
    }

    /// Asks the responder that the certificate names, and has openssl verify the answer.
    pub(crate) async fn ask(&self, way: Way) -> Answer {
        self.ask_at(self.responder(), way).await
    }

    /// The same of a responder that somebody else names. Of an authority that is new it has yet to hear: until then it is asked again.
    pub(crate) async fn ask_at(&self, url: &str, way: Way) -> Answer {
        let answered = until(SOON, async || self.asked(url, way).await).await;
        answered.unwrap_or_else(|| panic!("{way:?}: no answer within {SOON:?}"))
    }

    /// The same; none where it is to be asked later, or has not heard of the authority.
    async fn asked(&self, url: &str, way: Way) -> Option<Answer> {
        let (issuer, leaf) = (self.path("issuer.pem"), self.path("leaf.pem"));
        let (request, response) = (self.path("request.der"), self.path("response.der"));
        let hash = if way == Way::PostSha256 { "-sha256" } else { "-sha1" };
        let nonce = if way.has_nonce() { "-nonce" } else { "-no_nonce" };
        let about = [hash, "-issuer", &issuer, "-cert", &leaf];
        Program::openssl().args(["ocsp"]).args(about).args([nonce, "-reqout", &request]).run().await;
        let octets = fs::read(&request).expect("openssl wrote it");
        let answered = match way {
            Way::Get | Way::GetWithNonce => {
                let text = json!(ByteString(octets));
                let path: String = text.as_str().unwrap_or_default().replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
                get(&format!("{url}/{path}"), "*/*", "application/ocsp-response").await
            }
            Way::Post | Way::PostWithNonce | Way::PostSha256 => post(url, octets).await,
        };
        fs::write(&response, answered).expect("the folder is writable");
        // openssl compares the nonces only where it is not told of a certificate, and tells of one only where it makes the request.
        let trust = ["-CAfile", &self.path("roots.pem"), "-no-CApath", "-no-CAstore", "-verify_other", &self.path("chain.pem")];
        let compared = Program::openssl().args(["ocsp", "-reqin", &request, "-respin", &response]).args(trust).finish().await;
        let said = format!("{}\n{}", compared.stdout, compared.stderr);
        if ["trylater", "unauthorized"].iter().any(|later| said.contains(&format!("Responder Error: {later}"))) {
            return None;
        }
        assert!(compared.status.success() && said.contains("Response verify OK"), "{way:?}: {said}");
        assert!(!said.to_lowercase().contains("nonce"), "{way:?}, the nonce: {said}");
        let read = Program::openssl().args(["ocsp"]).args(about).args(["-no_nonce", "-respin", &response]).args(trust).finish().await;
        let said = format!("{}\n{}", read.stdout, read.stderr);
        assert!(read.status.success() && said.contains("Response verify OK"), "{way:?}: {said}");
        Some(answer(&read.stdout).unwrap_or_else(|| panic!("{way:?}: {said}")))
    }

    /// The responder that the certificate names.
    fn responder(&self) -> &str {
        let [url] = self.leaf().ocsp_servers() else { panic!("it names these responders: {:?}", self.leaf().ocsp_servers()) };
        url
    }

    /// Asks until the answer is this: what is published is served a moment later, and a server cannot be watched.
    pub(crate) async fn answers(&self, way: Way, wanted: &Answer) {
        let answered = until(SOON, async || self.asked(self.responder(), way).await.filter(|answer| answer == wanted)).await;
        assert!(answered.is_some(), "{way:?}: not {wanted:?} within {SOON:?}");
    }

    /// The error status with which the responder refuses, as openssl names it.
    pub(crate) async fn refusal(&self, url: &str) -> String {
        let asked = Program::openssl()
            .args(["ocsp", "-issuer", &self.path("issuer.pem"), "-cert", &self.path("leaf.pem"), "-url", url])
            .args(["-CAfile", &self.path("roots.pem")])
            .finish()
            .await;
        let said = format!("{}\n{}", asked.stdout, asked.stderr);
        let error = said.lines().find_map(|line| line.trim().strip_prefix("Responder Error: "));
        error.unwrap_or_else(|| panic!("no refusal: {said}")).to_owned()
    }

    /// Fetches its lists until the leaf's is so. A server cannot be watched for what it serves: hence the polling.
    pub(crate) async fn served(&self, what: &str, is: impl Fn(&GoList) -> bool) -> GoList {
        self.served_within(SOON, what, is).await
    }

    /// The same for a list that takes its time.
    pub(crate) async fn served_within(&self, limit: Duration, what: &str, is: impl Fn(&GoList) -> bool) -> GoList {
        let list = until(limit, async || {
            self.fetch().await;
            Some(self.list().await).filter(&is)
        });
        let Some(list) = list.await else {
            panic!("not served within {limit:?}: {what}; {:?}", self.list().await);
        };
        list
    }

    /// Waits until the leaf is on the list that is served.
    pub(crate) async fn served_revoked(&self) -> GoEntry {
        let serial = self.leaf().serial().to_string();
        let list = self.served("it is revoked", |list| list.entry(&serial).is_some()).await;
        list.entry(&serial).cloned().expect("it was waited for")
    }

    /// The file of this name in its folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.file(name).to_string_lossy().into_owned()
    }

    fn file(&self, name: &str) -> PathBuf {
        Path::join(self.folder.path(), name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.file(name), content).expect("the folder is writable");
    }
}

/// A list as DER and as PEM, which are the same. Between the two another may have been published, and of a new authority the responder
/// has yet to hear: then both are asked for again.
async fn both_forms(url: &str) -> (Vec<u8>, String) {
    let mut last = None;
    let both = until(SOON, async || {
        let der = offered(url, "*/*", "application/pkix-crl").await?;
        let pem = String::from_utf8(offered(url, "application/x-pem-file", "application/x-pem-file").await?).expect("PEM is text");
        if Program::openssl().args(["crl", "-outform", "DER"]).stdin(pem.as_str()).run_octets().await == der {
            return Some((der, pem));
        }
        assert_ne!(last.as_ref(), Some(&der), "{url}: PEM and DER are different lists");
        last = Some(der);
        None
    });
    both.await.unwrap_or_else(|| panic!("{url}: there is no list within {SOON:?}"))
}

/// Of `openssl ocsp`: `leaf.pem: revoked`, and the reason in a line of its own.
fn answer(said: &str) -> Option<Answer> {
    let status = said.lines().find_map(|line| line.split_once("leaf.pem: "))?.1;
    let reason = said.lines().find_map(|line| line.trim().strip_prefix("Reason: ")).unwrap_or_default();
    match status.trim() {
        "good" => Some(Answer::Good),
        "revoked" => Some(Answer::Revoked(reason.to_owned())),
        "unknown" => Some(Answer::Unknown),
        _ => None,
    }
}

/// What is served at a URL; panics unless it is there and called so.
pub(crate) async fn get(url: &str, accept: &str, called: &str) -> Vec<u8> {
    let asked = client().get(url).header("Accept", accept).send().await;
    octets(url, asked, called).await
}

/// The same; none where there is nothing yet.
async fn offered(url: &str, accept: &str, called: &str) -> Option<Vec<u8>> {
    let asked = client().get(url).header("Accept", accept).send().await;
    let later = [reqwest::StatusCode::NOT_FOUND, reqwest::StatusCode::SERVICE_UNAVAILABLE];
    if asked.as_ref().is_ok_and(|answer| later.contains(&answer.status())) {
        return None;
    }
    Some(octets(url, asked, called).await)
}

async fn post(url: &str, request: Vec<u8>) -> Vec<u8> {
    let asked = client().post(url).header("Content-Type", "application/ocsp-request").body(request).send().await;
    octets(url, asked, "application/ocsp-response").await
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().expect("it needs nothing")
}

async fn octets(url: &str, asked: reqwest::Result<reqwest::Response>, called: &str) -> Vec<u8> {
    let answer = asked.unwrap_or_else(|error| panic!("{url}: {error}"));
    let kind = answer.headers().get("Content-Type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    let status = answer.status();
    let body = answer.bytes().await.unwrap_or_else(|error| panic!("{url}: {error}"));
    assert!(status.is_success() && kind == called, "{url}: {status}, {kind}: {}", String::from_utf8_lossy(&body));
    body.to_vec()
}
