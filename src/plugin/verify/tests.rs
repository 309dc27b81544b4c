use chancery_pki::{
    CaConstraints, Crl, CrlNumber, CrlTemplate, KeyAlgorithm, Name, OcspAnswer, OcspRequest, OcspResponse, OcspStatus, PrivateKey, Reason,
    Revoked, San, SerialNumber, SubjectParts, Template, issue, self_sign, sign_crl, sign_ocsp,
};
use proptest::prelude::*;

use super::*;
use crate::plugin::ocsp;

type Pair = (Certificate, PrivateKey);

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn template(serial: u8, name: &str) -> Template {
    let parts = SubjectParts { common_name: Some(name.to_owned()), ..SubjectParts::default() };
    let (begin, end) = (time("2026-01-01T00:00:00Z"), time("2026-12-31T00:00:00Z"));
    Template::new(SerialNumber::from_octets(&[serial]).unwrap(), Name::from_parts(&parts).unwrap(), begin, end)
}

fn authority(name: &str, above: Option<&Pair>, change: impl FnOnce(&mut Template)) -> Pair {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let mut template = Template { ca: Some(CaConstraints::default()), usages: vec![Usage::CertSign, Usage::CrlSign], ..template(1, name) };
    change(&mut template);
    let certificate = match above {
        None => self_sign(&template, &key),
        Some((issuer, signer)) => issue(&template, key.public_key(), issuer, signer),
    };
    (certificate.unwrap(), key)
}

fn leaf(above: &Pair) -> Certificate {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let template = Template {
        sans: vec![San::Dns("web.example.com".to_owned())],
        usages: vec![Usage::DigitalSignature, Usage::ServerAuth],
        crl_distribution_points: vec!["http://pki.example.com/1.crl".to_owned()],
        ..template(7, "web")
    };
    issue(&template, key.public_key(), &above.0, &above.1).unwrap()
}

fn question(at: &str) -> Question {
    Question {
        of: "secret/web".to_owned(),
        trusted_by: "ca.crt".to_owned(),
        names: vec!["web.example.com".to_owned()],
        purpose: Some(Usage::ServerAuth),
        session: None,
        at: time(at),
    }
}

const NOW: &str = "2026-06-01T00:00:00Z";

fn failing(verification: &Verification) -> Vec<&'static str> {
    verification.steps.iter().filter(|step| step.outcome == Outcome::Failed).map(|step| step.check).collect()
}

#[test]
fn a_chain_in_any_order_leads_to_whom_is_trusted() {
    let root = authority("Root", None, |_| {});
    let middle = authority("Middle", Some(&root), |_| {});
    let (web, stranger) = (leaf(&middle), authority("Stranger", None, |_| {}));
    let others = [stranger.0.clone(), root.0.clone(), middle.0.clone()];
    let path = Path::find(&web, &others, std::slice::from_ref(&root.0), time(NOW));
    assert!(path.trusted && path.certificates == [web.clone(), middle.0.clone(), root.0.clone()]);
    let found = verify(&question(NOW), &path, Vec::new());
    assert!(found.valid && !found.is_partial(), "{:?}", found.steps);
    // Who trusts the CA in the middle goes no further.
    assert_eq!(Path::find(&web, &others, std::slice::from_ref(&middle.0), time(NOW)).certificates.len(), 2);
    let astray = Path::find(&web, &others, std::slice::from_ref(&stranger.0), time(NOW));
    assert_eq!(failing(&verify(&question(NOW), &astray, Vec::new())), ["chain"]);
    assert_eq!(failing(&verify(&question(NOW), &Path::find(&web, &[], std::slice::from_ref(&root.0), time(NOW)), Vec::new())), ["chain"]);
}

#[test]
fn each_thing_that_does_not_hold_is_a_line_of_its_own() {
    let root = authority("Root", None, |_| {});
    let web = leaf(&root);
    let path = Path::find(&web, &[], std::slice::from_ref(&root.0), time(NOW));
    assert_eq!(failing(&verify(&question("2027-06-01T00:00:00Z"), &path, Vec::new())), ["time"]);
    let other = Question { names: vec!["a.example.com".to_owned()], ..question(NOW) };
    let found = verify(&other, &path, Vec::new());
    assert_eq!(failing(&found), ["names"]);
    assert!(found.steps.iter().any(|step| step.detail.contains("it is for DNS:web.example.com")));
    let client = Question { purpose: Some(Usage::ClientAuth), ..question(NOW) };
    assert_eq!(failing(&verify(&client, &path, Vec::new())), ["purpose"]);
    // Nothing may stand below a CA that may sign no CA's certificates.
    let short = authority("Short", None, |template| template.ca = Some(CaConstraints { path_len: Some(0) }));
    let below = Template { ca: Some(CaConstraints::default()), usages: vec![Usage::CertSign], ..template(2, "Below") };
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    if let Ok(certificate) = issue(&below, key.public_key(), &short.0, &short.1) {
        let below = (certificate, key);
        let path = Path::find(&leaf(&below), std::slice::from_ref(&below.0), std::slice::from_ref(&short.0), time(NOW));
        assert!(failing(&verify(&question(NOW), &path, Vec::new())).contains(&"constraints"));
    }
}

#[test]
fn a_renewed_authority_is_preferred_to_the_same_one_that_has_ended() {
    let root = authority("Root", None, |_| {});
    let past = Template {
        ca: Some(CaConstraints::default()),
        usages: vec![Usage::CertSign, Usage::CrlSign],
        not_before: time("2020-01-01T00:00:00Z"),
        not_after: time("2026-05-01T00:00:00Z"),
        ..template(9, "Root")
    };
    let old = self_sign(&past, &root.1).unwrap();
    let web = leaf(&root);
    for trusted in [[old.clone(), root.0.clone()], [root.0.clone(), old.clone()]] {
        let found = verify(&question(NOW), &Path::find(&web, &[], &trusted, time(NOW)), Vec::new());
        assert!(found.valid, "{:?}", found.steps);
        let before = Path::find(&web, &[], &trusted, time("2025-01-01T00:00:00Z"));
        assert_eq!(before.certificates.last(), Some(&old));
    }
    assert_eq!(failing(&verify(&question(NOW), &Path::find(&web, &[], &[old], time(NOW)), Vec::new())), ["time"]);
}

#[test]
fn who_presents_a_certificate_without_its_key_is_not_who_it_names() {
    let root = authority("Root", None, |_| {});
    let path = Path::find(&leaf(&root), &[], std::slice::from_ref(&root.0), time(NOW));
    let session = |trouble: Option<&str>| Session {
        version: Some("TLS 1.3".to_owned()),
        cipher_suite: None,
        server_name: "web.example.com".to_owned(),
        trouble: trouble.map(str::to_owned),
    };
    let asked = |trouble| Question { session: Some(session(trouble)), ..question(NOW) };
    assert!(verify(&asked(None), &path, Vec::new()).valid);
    let replayed = verify(&asked(Some("it does not prove that it has the key")), &path, Vec::new());
    assert!(!replayed.valid && failing(&replayed) == ["session"], "{:?}", replayed.steps);
}

/// A server that counts who asks and never answers.
async fn silent() -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/list.crl", listener.local_addr().unwrap());
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    tokio::spawn(async move {
        // What is asked is closed at once: there is no answer.
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            drop(stream);
        }
    });
    (url, count)
}

#[tokio::test]
async fn urls_are_asked_of_who_is_trusted_only_and_not_without_end() {
    let (url, count) = silent().await;
    let root = authority("Root", None, |_| {});
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let named = Template {
        crl_distribution_points: (0..10).map(|number| format!("{url}?{number}")).collect(),
        ocsp_servers: vec![url.clone()],
        ..template(7, "web")
    };
    let web = issue(&named, key.public_key(), &root.0, &root.1).unwrap();
    let sources = |limit| Sources { files: Vec::new(), cluster: None, fetch: true, limit };
    let asked = || count.load(std::sync::atomic::Ordering::SeqCst);
    let long = std::time::Duration::from_mins(1);
    let stranger = Path::find(&web, std::slice::from_ref(&root.0), &[], time(NOW));
    let steps = evidence(&stranger, &sources(long), time(NOW)).await;
    assert_eq!((asked(), steps.len()), (0, 1));
    assert!(steps[0].detail.contains("leads to nobody who is trusted"), "{steps:?}");
    let path = Path::find(&web, &[], std::slice::from_ref(&root.0), time(NOW));
    let none = evidence(&path, &sources(std::time::Duration::ZERO), time(NOW)).await;
    assert!(asked() == 0 && none[0].detail.contains("the 0 s are over"), "{none:?}");
    let steps = evidence(&path, &sources(long), time(NOW)).await;
    assert_eq!(asked(), 4);
    assert!(steps[0].outcome == Outcome::NotChecked && steps[0].detail.contains("4 URLs were asked"), "{steps:?}");
}

fn list(by: &Pair, revoked: &[u8], distribution_point: &[&str], next: &str) -> Crl {
    let template = CrlTemplate {
        number: CrlNumber::new(9),
        this_update: time("2026-05-31T00:00:00Z"),
        next_update: time(next),
        distribution_point: distribution_point.iter().map(|&url| url.to_owned()).collect(),
        delta_base: None,
        freshest: Vec::new(),
    };
    let entries: Vec<_> = revoked
        .iter()
        .map(|&octet| Revoked {
            serial: SerialNumber::from_octets(&[octet]).unwrap(),
            time: time("2026-05-30T00:00:00Z"),
            reason: Reason::KeyCompromise,
            invalidity_date: None,
        })
        .collect();
    Crl::from_der(sign_crl(&template, entries.iter(), &by.0, &by.1).unwrap()).unwrap()
}

#[test]
fn a_list_is_believed_as_far_as_it_reaches() {
    let (root, namesake) = (authority("Root", None, |_| {}), authority("Root", None, |_| {}));
    let web = leaf(&root);
    let says = |list: &Crl| by_list(&web, &root.0, list, "here", time(NOW)).outcome;
    let (week, yesterday) = ("2026-06-07T00:00:00Z", "2026-05-31T12:00:00Z");
    assert_eq!(says(&list(&root, &[6], &[], week)), Outcome::Ok);
    assert_eq!(says(&list(&root, &[6, 7], &[], week)), Outcome::Failed);
    assert_eq!(says(&list(&root, &[7], &[], yesterday)), Outcome::Failed, "what is revoked stays so");
    assert_eq!(says(&list(&root, &[], &[], yesterday)), Outcome::NotChecked);
    assert_eq!(says(&list(&namesake, &[7], &[], week)), Outcome::NotChecked);
    assert_eq!(says(&list(&root, &[7], &["http://pki.example.com/2.crl"], week)), Outcome::NotChecked);
    assert_eq!(says(&list(&root, &[7], &["http://pki.example.com/1.crl"], week)), Outcome::Failed);
}

fn answered(by: &Pair, certificate: &Certificate, status: OcspStatus, nonce: Option<&[u8]>) -> OcspResponse {
    let id = chancery_pki::CertId::of(chancery_pki::CertIdHash::Sha1, &by.0, certificate.serial().clone());
    let asked = OcspRequest::new(vec![id], None).unwrap();
    let answer = OcspAnswer {
        id: asked.ids[0].clone(),
        status,
        this_update: time("2026-05-31T23:00:00Z"),
        next_update: time("2026-06-01T01:00:00Z"),
    };
    OcspResponse::from_der(&sign_ocsp(&[answer], time("2026-05-31T23:00:00Z"), nonce, &by.0, &by.1).unwrap()).unwrap()
}

#[test]
fn an_answer_is_believed_where_it_is_signed_fresh_and_to_this_question() {
    let (root, namesake) = (authority("Root", None, |_| {}), authority("Root", None, |_| {}));
    let web = leaf(&root);
    let says = |answer: &OcspResponse, at| by_ocsp(&web, &root.0, answer, Some(b"asked"), "here", time(at)).outcome;
    let revoked = OcspStatus::Revoked { time: time("2026-05-01T00:00:00Z"), reason: Reason::Superseded };
    assert_eq!(says(&answered(&root, &web, OcspStatus::Good, Some(b"asked")), NOW), Outcome::Ok);
    assert_eq!(says(&answered(&root, &web, OcspStatus::Good, None), NOW), Outcome::Ok);
    assert_eq!(says(&answered(&root, &web, OcspStatus::Good, Some(b"other")), NOW), Outcome::NotChecked);
    assert_eq!(says(&answered(&root, &web, OcspStatus::Good, None), "2026-06-02T00:00:00Z"), Outcome::NotChecked);
    assert_eq!(says(&answered(&namesake, &web, OcspStatus::Good, None), NOW), Outcome::NotChecked);
    assert_eq!(says(&answered(&root, &web, revoked, None), NOW), Outcome::Failed);
    assert_eq!(says(&answered(&root, &web, OcspStatus::Unknown, None), NOW), Outcome::Failed);
}

#[test]
fn an_answer_that_is_not_believed_is_not_shown_as_good() {
    let (root, namesake) = (authority("Root", None, |_| {}), authority("Root", None, |_| {}));
    let web = leaf(&root);
    let asked = ocsp::Asked::about(&web, &root.0, Some(b"asked".to_vec())).unwrap();
    let told = |answer: &OcspResponse, at| {
        let explained = ocsp::explain(&asked, &web, &root.0, answer, "here", time(at));
        let mut out = Vec::new();
        explained.text(false, &mut out).unwrap();
        (explained.reliable, explained.is_well(), String::from_utf8(out).unwrap())
    };
    let (reliable, well, text) = told(&answered(&root, &web, OcspStatus::Good, Some(b"asked")), NOW);
    assert!(reliable && well && text.contains("\u{1b}[32mgood"), "{text:?}");
    for (answer, at) in [
        (answered(&namesake, &web, OcspStatus::Good, Some(b"asked")), NOW),
        (answered(&root, &web, OcspStatus::Good, Some(b"other")), NOW),
        (answered(&root, &web, OcspStatus::Good, Some(b"asked")), "2026-06-02T00:00:00Z"),
    ] {
        let (reliable, well, text) = told(&answer, at);
        assert!(!reliable && !well, "{text}");
        assert!(text.contains("said to be good, not believed") && !text.contains("\u{1b}[32m"), "{text:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whoever_presents_many_certificates_cannot_lead_in_circles(order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle()) {
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        // All of one name and one key: each has signed each other.
        let same: Vec<_> = (0..6).map(|serial| self_sign(&Template { ca: Some(CaConstraints::default()), ..template(serial + 1, "Circle") }, &key).unwrap()).collect();
        let shuffled: Vec<_> = order.iter().map(|&place| same[place].clone()).collect();
        let path = Path::find(&shuffled[0], &shuffled[1..], &[], time(NOW));
        prop_assert!(!path.trusted && path.certificates.len() <= 6);
    }
}
