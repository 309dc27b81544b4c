//! What goes over HTTP: codes, headers, limits.

use chancery_pki::{CertId, CertIdHash, KeyAlgorithm, KeyId, OcspRequest, OcspResponse, OcspStatus, Reason};
use reqwest::{Client, Method, Response};

use super::ground::{Ground, serial};
use crate::{register::Act, responder::served::Served};

async fn ground(signatures: u32) -> (Ground, chancery_pki::Certificate) {
    let mut ground = Ground::new(KeyAlgorithm::EcdsaP256, signatures).await;
    let leaf = ground.issue().await;
    ground.act(Act::Revoked, &leaf, Reason::Superseded).await;
    ground.publish().await;
    ground.tell_changes().await;
    (ground, leaf)
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_list_is_served_in_the_form_that_is_asked_for_with_what_caches_need() {
    let (ground, _) = ground(100).await;
    let (address, _stop) = ground.serve().await;
    let authority = ground.certificate.key_id();
    let url = format!("http://{address}/crl/{authority}/0.crl");
    let client = Client::new();
    let der = client.get(&url).send().await.unwrap();
    assert_eq!((der.status().as_u16(), header(&der, "content-type")), (200, "application/pkix-crl".to_owned()));
    assert_eq!(header(&der, "cache-control"), "max-age=3600, public, no-transform, must-revalidate");
    assert!(header(&der, "last-modified").ends_with(" GMT") && header(&der, "expires").ends_with(" GMT"), "{der:?}");
    assert_eq!(header(&der, "vary"), "accept");
    let etag = header(&der, "etag");
    let der = der.bytes().await.unwrap();
    let served = ground.counter.served.get();
    assert_eq!(der, served.authorities[&authority].shelf.shards[&0].full.der());
    // The URL in certificates has a path of its own.
    let below = client.get(format!("http://{address}/sub/crl/{authority}/0.crl")).send().await.unwrap();
    assert_eq!(below.bytes().await.unwrap(), der);

    let pem = client.get(&url).header("accept", "text/plain").send().await.unwrap();
    assert_eq!(header(&pem, "content-type"), "application/x-pem-file");
    assert_ne!(header(&pem, "etag"), etag);
    assert!(pem.text().await.unwrap().starts_with("-----BEGIN X509 CRL-----\n"));

    let head = client.head(&url).send().await.unwrap();
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, der.len().to_string()));
    assert_eq!(header(&head, "etag"), etag);
    assert!(head.bytes().await.unwrap().is_empty());

    let held = client.get(&url).header("if-none-match", &etag).send().await.unwrap();
    assert_eq!((held.status().as_u16(), header(&held, "etag")), (304, etag));
    assert!(held.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_certificate_of_an_authority_is_served_alone_or_with_its_chain() {
    let (mut ground, _) = ground(100).await;
    let (address, _stop) = ground.serve().await;
    let url = format!("http://{address}/ca/{}.crt", ground.certificate.key_id());
    let der = Client::new().get(&url).send().await.unwrap();
    assert_eq!(header(&der, "content-type"), "application/pkix-cert");
    assert_eq!(der.bytes().await.unwrap(), ground.certificate.as_der());
    let pem = Client::new().get(&url).header("accept", "application/x-pem-file").send().await.unwrap();
    assert_eq!(header(&pem, "last-modified"), "");
    let etag = header(&pem, "etag");
    assert_eq!(pem.text().await.unwrap(), ground.certificate.to_pem());
    // Another comes to stand above it.
    let above = Ground::new(KeyAlgorithm::EcdsaP256, 1).await.certificate;
    ground.above = vec![above.clone()];
    ground.publish().await;
    ground.tell_changes().await;
    let pem = Client::new().get(&url).header("accept", "application/x-pem-file").header("if-none-match", &etag).send().await.unwrap();
    assert_eq!(pem.status().as_u16(), 200);
    assert_eq!(pem.text().await.unwrap(), ground.certificate.to_pem() + &above.to_pem());
}

#[tokio::test]
async fn what_is_not_there_or_too_much_is_refused() {
    let (ground, _) = ground(100).await;
    let (address, _stop) = ground.serve().await;
    let authority = ground.certificate.key_id();
    let other = KeyId::of_spki(b"other");
    for (method, path, code, allow) in [
        (Method::GET, "/".to_owned(), 404, ""),
        (Method::GET, format!("/crl/{authority}/1.crl"), 404, ""),
        (Method::GET, format!("/crl/{authority}/0-delta.crl"), 404, ""),
        (Method::GET, format!("/crl/{other}/0.crl"), 404, ""),
        (Method::GET, format!("/ca/{other}.crt"), 404, ""),
        (Method::GET, format!("/other/crl/{authority}/0.crl"), 404, ""),
        (Method::POST, format!("/crl/{authority}/0.crl"), 405, "GET, HEAD"),
        (Method::DELETE, format!("/ca/{authority}.crt"), 405, "GET, HEAD"),
        (Method::GET, "/ocsp".to_owned(), 405, "POST"),
        (Method::PUT, "/ocsp/AAAA".to_owned(), 405, "GET, HEAD"),
        (Method::GET, format!("/ocsp/{}", "A".repeat(17 * 1024)), 414, ""),
        (Method::GET, format!("/ocsp/{}", "A".repeat(40 * 1024)), 431, ""),
    ] {
        let response = Client::new().request(method, format!("http://{address}{path}")).send().await.unwrap();
        assert_eq!((response.status().as_u16(), header(&response, "allow").as_str()), (code, allow), "{}", &path[..path.len().min(100)]);
    }
    let large = Client::new().post(format!("http://{address}/ocsp")).body(vec![0; 16 * 1024 + 1]).send().await.unwrap();
    assert_eq!(large.status().as_u16(), 413);
}

#[tokio::test]
async fn an_answer_by_get_may_be_kept_and_one_for_a_nonce_may_not() {
    let (ground, leaf) = ground(100).await;
    let (address, _stop) = ground.serve().await;
    let client = Client::new();
    let path = |request: &OcspRequest| {
        let escaped = request.to_der().iter().fold(String::new(), |text, octet| text + &format!("{octet:08b}"));
        base64(&escaped)
    };
    let url = format!("http://{address}/ocsp/{}", path(&ground.ask(leaf.serial())));
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(header(&answer, "content-type"), "application/ocsp-response");
    assert_eq!(header(&answer, "cache-control"), "max-age=3600, public, no-transform, must-revalidate");
    let etag = header(&answer, "etag");
    assert!(header(&answer, "expires").ends_with(" GMT") && header(&answer, "last-modified").ends_with(" GMT"));
    let since = client.get(&url).header("if-modified-since", header(&answer, "last-modified")).send().await.unwrap();
    assert_eq!(since.status().as_u16(), 200, "another answer may have been signed in the same second");
    let held = client.get(&url).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(held.status().as_u16(), 304);
    let with_nonce = OcspRequest { nonce: Some(vec![7; 32]), ..ground.ask(leaf.serial()) };
    let answer = client.get(format!("http://{address}/ocsp/{}", path(&with_nonce))).send().await.unwrap();
    assert_eq!(header(&answer, "cache-control"), "no-store");
    let answer = OcspResponse::from_der(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(answer.nonce(), Some([7; 32].as_slice()));
    let malformed = client.get(format!("http://{address}/ocsp/%%%")).send().await.unwrap();
    assert_eq!((malformed.status().as_u16(), header(&malformed, "cache-control")), (200, "no-store".to_owned()));
    assert_eq!(malformed.bytes().await.unwrap().as_ref(), [0x30, 3, 0x0a, 1, 1]);
}

/// The base64 of bits, by hand: it must not be our own that reads it back.
fn base64(bits: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text: String = bits
        .as_bytes()
        .chunks(6)
        .map(|six| format!("{:0<6}", String::from_utf8_lossy(six)))
        .map(|six| char::from(DIGITS[usize::from_str_radix(&six, 2).unwrap()]))
        .collect();
    text.push_str(&"=".repeat((4 - text.len() % 4) % 4));
    text
}

#[tokio::test]
async fn before_all_was_read_nothing_is_said_not_to_be_there() {
    let (ground, leaf) = ground(100).await;
    let (address, _stop) = ground.serve().await;
    let list = format!("http://{address}/crl/{}/0.crl", KeyId::of_spki(b"other"));
    let read = (*ground.counter.served.get()).clone();
    ground.counter.served.set(Served { registers_read: false, ..read.clone() });
    assert_eq!(ground.status(leaf.serial()), Err("tryLater"));
    assert_eq!(Client::new().get(&list).send().await.unwrap().status().as_u16(), 404);
    ground.counter.served.set(Served { lists_read: false, ..read });
    assert_eq!(ground.status(leaf.serial()), Err("tryLater"));
    let response = Client::new().get(&list).send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (503, "5".to_owned()));
}

#[tokio::test]
async fn each_bad_request_gets_the_answer_that_ocsp_has_for_it() {
    let (ground, leaf) = ground(100).await;
    let stranger = Ground::new(KeyAlgorithm::EcdsaP256, 1).await;
    let (address, _stop) = ground.serve().await;
    let ours = |number| CertId::of(CertIdHash::Sha256, &ground.certificate, serial(number));
    let theirs = CertId::of(CertIdHash::Sha1, &stranger.certificate, leaf.serial().clone());
    let request = |ids: Vec<CertId>| OcspRequest { ids, nonce: None }.to_der();
    let without_nonce = OcspRequest { ids: vec![ours(1)], nonce: Some(Vec::new()) }.to_der();
    for (body, code) in [
        (b"nothing".to_vec(), 1),
        (Vec::new(), 1),
        (request(Vec::new()), 1),
        (request((0..9).map(ours).collect()), 1),
        (without_nonce, 1),
        (request(vec![theirs.clone()]), 6),
        (request(vec![ours(1), theirs]), 6),
    ] {
        let response = Client::new().post(format!("http://{address}/ocsp")).body(body.clone()).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.bytes().await.unwrap().as_ref(), [0x30, 3, 0x0a, 1, code], "{body:?}");
    }
}

#[tokio::test]
async fn beyond_the_limit_a_nonce_is_left_out_and_the_unknown_have_to_wait() {
    let (ground, leaf) = ground(2).await;
    let (address, _stop) = ground.serve().await;
    let post = async |request: &OcspRequest| {
        let response = Client::new().post(format!("http://{address}/ocsp")).body(request.to_der()).send().await.unwrap();
        OcspResponse::from_der(&response.bytes().await.unwrap())
    };
    let with_nonce = OcspRequest { nonce: Some(vec![1; 16]), ..ground.ask(leaf.serial()) };
    let mut echoed = 0;
    for _ in 0..6 {
        let answer = post(&with_nonce).await.unwrap();
        assert!(matches!(answer.answers()[0].status, OcspStatus::Revoked { .. }));
        echoed += u32::from(answer.nonce().is_some());
    }
    assert_eq!(echoed, 2);
    let unknown = post(&ground.ask(&serial(77))).await;
    assert!(unknown.is_err_and(|error| error.to_string().contains("tryLater")));
    let metrics = ground.counter.metrics.encode().unwrap();
    for line in ["chancery_ocsp_answers_total{status=\"revoked\"} 6", "chancery_ocsp_answers_total{status=\"tryLater\"} 1"] {
        assert!(metrics.lines().any(|other| other == line), "no {line} in\n{metrics}");
    }
    assert!(metrics.contains("chancery_http_requests_total{route=\"ocsp\",code=\"200\"} 7"), "{metrics}");
}

#[tokio::test]
async fn the_age_of_lists_and_the_end_of_delegates_are_told() {
    let (ground, _) = ground(2).await;
    let (counter, key) = (std::sync::Arc::clone(&ground.counter), ground.certificate.key_id());
    ground.counter.metrics.look_at(move || crate::responder::metrics::Sample {
        served: counter.served.get(),
        silence: counter.silence(),
        skew: Some(jiff::SignedDuration::from_secs(-2)),
        now: counter.clock.now(),
    });
    ground.clock.advance(jiff::SignedDuration::from_secs(100));
    let metrics = ground.counter.metrics.encode().unwrap();
    for line in [
        format!("chancery_served_list_entries{{authority=\"{key}\"}} 1.0"),
        format!("chancery_served_list_refused{{authority=\"{key}\"}} 0.0"),
        format!("chancery_followed_register_broken{{authority=\"{key}\"}} 0.0"),
    ] {
        assert!(metrics.lines().any(|other| other == line), "no {line} in\n{metrics}");
    }
    let age = metrics.lines().find(|line| line.starts_with("chancery_served_list_age_seconds{")).unwrap();
    let age: f64 = age.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((400.0..=402.0).contains(&age), "{age}");
}
