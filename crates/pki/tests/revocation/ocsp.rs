//! What is asked and what is answered.

use chancery_pki::{
    CertId, CertIdHash, IssuerHashes, NONCE_MAX, OcspAnswer, OcspError, OcspRequest, OcspRequestError, OcspResponse, OcspResponseError,
    OcspStatus, RANDOM_OCTETS, REQUESTS_MAX, Reason, SerialNumber, Usage, sign_ocsp,
};
use jiff::{SignedDuration, Timestamp};
use proptest::{collection::vec, option, prelude::*, sample};

use super::{AUTHORITY, RESPONDER, any_second, authority, issued, noon, template};

fn id(serial: u8) -> CertId {
    CertId::of(CertIdHash::Sha1, &AUTHORITY.0, SerialNumber::issued(1, [serial; RANDOM_OCTETS]))
}

fn good(serial: u8) -> OcspAnswer {
    let (this_update, next_update) = (noon(), noon() + SignedDuration::from_hours(12));
    OcspAnswer { id: id(serial), status: OcspStatus::Good, this_update, next_update }
}

fn sign(answers: &[OcspAnswer], nonce: Option<&[u8]>) -> Result<Vec<u8>, OcspError> {
    sign_ocsp(answers, noon(), nonce, &RESPONDER.0, &RESPONDER.1)
}

fn any_id() -> impl Strategy<Value = CertId> {
    (sample::select(vec![CertIdHash::Sha1, CertIdHash::Sha256]), vec(any::<u8>(), 1..=20)).prop_map(|(hash, mut serial)| {
        serial[0] &= 0x7f;
        CertId::of(hash, &AUTHORITY.0, SerialNumber::from_octets(&serial).unwrap())
    })
}

fn any_status() -> impl Strategy<Value = OcspStatus> {
    prop_oneof![
        Just(OcspStatus::Good),
        Just(OcspStatus::Unknown),
        (any_second(), sample::select(Reason::ALL.to_vec())).prop_map(|(time, reason)| OcspStatus::Revoked { time, reason }),
    ]
}

fn any_answer() -> impl Strategy<Value = OcspAnswer> {
    (any_id(), any_status(), 0_i64..253_402_207_200, 1_i64..1_000_000_000).prop_map(|(id, status, begin, length)| OcspAnswer {
        id,
        status,
        this_update: Timestamp::from_second(begin).unwrap(),
        next_update: Timestamp::from_second((begin + length).min(253_402_207_200)).unwrap(),
    })
}

fn any_nonce() -> impl Strategy<Value = Option<Vec<u8>>> {
    option::of(vec(any::<u8>(), 1..=NONCE_MAX))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_request_reads_back_as_it_was_made(ids in vec(any_id(), 1..=REQUESTS_MAX), nonce in any_nonce()) {
        let request = OcspRequest::new(ids, nonce).unwrap();
        prop_assert!(request.ids.iter().all(|id| IssuerHashes::of(&AUTHORITY.0).matches(id)));
        prop_assert_eq!(OcspRequest::from_der(&request.to_der()), Ok(request));
    }

    #[test]
    fn any_answer_reads_back_as_it_was_signed(
        answers in vec(any_answer(), 1..5), produced_at in any_second(), nonce in any_nonce()
    ) {
        let der = sign_ocsp(&answers, produced_at, nonce.as_deref(), &RESPONDER.0, &RESPONDER.1).unwrap();
        let read = OcspResponse::from_der(&der).unwrap();
        prop_assert_eq!(read.answers(), &answers[..]);
        prop_assert_eq!((read.produced_at(), read.nonce()), (produced_at, nonce.as_deref()));
        prop_assert_eq!(read.certificates(), std::slice::from_ref(&RESPONDER.0));
        prop_assert!(read.is_signed_by(RESPONDER.1.public_key()) && !read.is_signed_by(AUTHORITY.1.public_key()));
        prop_assert_eq!(read.answer(&answers[0].id), Some(&answers[0]));
    }

    #[test]
    fn damaged_requests_and_answers_never_panic_and_are_never_relied_on(
        nonce in any_nonce(), position in any::<sample::Index>(), octet in any::<u8>(), cut in any::<sample::Index>()
    ) {
        let whole = sign(&[good(1)], nonce.as_deref()).unwrap();
        let mut octets = whole.clone();
        let at = position.index(octets.len());
        octets[at] = octet;
        let _ = OcspResponse::from_der(&octets[..cut.index(octets.len())]);
        if let Ok(read) = OcspResponse::from_der(&octets)
            && read.verify(&AUTHORITY.0, noon()).is_ok()
        {
            // Only what is not signed may differ: what names the kinds of the parts.
            prop_assert_eq!((read.answers(), read.produced_at()), (&[good(1)][..], noon()));
        }
        let mut octets = OcspRequest::new(vec![id(1), id(2)], nonce).unwrap().to_der();
        let at = position.index(octets.len());
        octets[at] = octet;
        let _ = OcspRequest::from_der(&octets[..cut.index(octets.len())]);
        let _ = OcspRequest::from_der(&octets);
    }

    #[test]
    fn any_octets_never_panic(octets in vec(any::<u8>(), 0..200), text in "[\\PC]{0,80}", base64 in "[A-Za-z0-9+/=%]{0,80}") {
        let _ = OcspRequest::from_der(&octets);
        let _ = OcspResponse::from_der(&octets);
        let _ = OcspRequest::from_path(&text);
        let _ = OcspRequest::from_path(&base64);
    }
}

#[test]
fn a_request_is_read_from_a_path_escaped_or_not() {
    // Serials until the base64 has both characters that URLs are careful with.
    let (request, base64) = (0..=255)
        .map(|serial| {
            let request = OcspRequest::new(vec![id(serial)], Some(vec![serial; 31])).unwrap();
            let pem = der::pem::encode_string("X", der::pem::LineEnding::LF, &request.to_der()).unwrap();
            (request, pem.lines().filter(|line| !line.starts_with('-')).collect::<String>())
        })
        .find(|(_, base64)| base64.contains('+') && base64.contains('/') && base64.ends_with('='))
        .unwrap();
    let escaped = base64.replace('+', "%2B").replace('/', "%2f").replace('=', "%3D");
    for path in [&base64, &escaped] {
        assert_eq!(OcspRequest::from_path(path), Ok(request.clone()), "{path}");
    }
    for path in ["", "%", "%2", "%zz", "a b", "é", "MA", &base64[1..], &base64.replace('=', "")] {
        assert_eq!(OcspRequest::from_path(path), Err(OcspRequestError::Path), "{path}");
    }
    assert_eq!(OcspRequest::from_path("MAA="), Err(OcspRequestError::Malformed));
}

#[test]
fn an_issuer_is_found_by_either_hash_and_no_other_issuer_is() {
    let serial = SerialNumber::issued(1, [1; RANDOM_OCTETS]);
    let (other, _) = authority(vec![Usage::CertSign]);
    let [own, others] = [&AUTHORITY.0, &other].map(IssuerHashes::of);
    for hash in [CertIdHash::Sha1, CertIdHash::Sha256] {
        let id = CertId::of(hash, &AUTHORITY.0, serial.clone());
        assert!(own.matches(&id) && own.all().contains(id.issuer()));
        // The same name, and another key.
        assert!(!others.matches(&id));
    }
}

/// The request of `from` with some of its octets replaced.
fn forged(request: &OcspRequest, from: &[u8], to: &[u8]) -> Result<OcspRequest, OcspRequestError> {
    let mut der = request.to_der();
    let at = der.windows(from.len()).position(|window| window == from).unwrap_or_else(|| panic!("{from:02x?} is not there"));
    der[at..at + from.len()].copy_from_slice(to);
    OcspRequest::from_der(&der)
}

#[test]
fn requests_that_are_not_answered_are_refused_with_what_is_wrong() {
    assert_eq!(OcspRequest::new(Vec::new(), None), Err(OcspRequestError::Requests { requests: 0 }));
    let many: Vec<_> = (0..9).map(id).collect();
    assert_eq!(OcspRequest::new(many.clone(), None), Err(OcspRequestError::Requests { requests: 9 }));
    let request = OcspRequest { ids: many, nonce: None };
    assert_eq!(OcspRequest::from_der(&request.to_der()), Err(OcspRequestError::Requests { requests: 9 }));
    assert_eq!(
        OcspRequest::from_der(&OcspRequest { ids: Vec::new(), nonce: None }.to_der()),
        Err(OcspRequestError::Requests { requests: 0 })
    );
    for octets in [0, NONCE_MAX + 1] {
        let request = OcspRequest { ids: vec![id(1)], nonce: Some(vec![1; octets]) };
        assert_eq!(OcspRequest::from_der(&request.to_der()), Err(OcspRequestError::Nonce { octets }));
    }
    let request = OcspRequest::new(vec![id(1)], Some(vec![1; 32])).unwrap();
    let nonce = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x02];
    let mut unknown = nonce;
    unknown[8] = 9;
    // An extension that is not known and not critical is passed over.
    assert_eq!(forged(&request, &nonce, &unknown).unwrap().nonce, None);
    // A hash that we do not use leads to no issuer of ours.
    let other = forged(&request, &[0x2b, 0x0e, 0x03, 0x02, 0x1a], &[0x2b, 0x0e, 0x03, 0x02, 0x1b]).unwrap();
    assert!(!IssuerHashes::of(&AUTHORITY.0).matches(&other.ids[0]));
    assert_eq!(forged(&request, &[0x04, 0x14], &[0x04, 0x13]), Err(OcspRequestError::Malformed));
    // An answer repeats the serial as it was sent, and so it must be DER.
    let long = CertId::of(CertIdHash::Sha1, &AUTHORITY.0, SerialNumber::from_octets(&[1, 5]).unwrap());
    let long = OcspRequest::new(vec![long], None).unwrap();
    assert_eq!(forged(&long, &[0x02, 0x02, 0x01, 0x05], &[0x02, 0x02, 0x00, 0x05]), Err(OcspRequestError::Malformed));
    assert!(forged(&long, &[0x02, 0x02, 0x01, 0x05], &[0x02, 0x02, 0x00, 0x85]).is_ok());
}

#[test]
fn an_answer_is_relied_on_only_in_its_time_and_from_who_may_give_it() {
    let read = |der: Vec<u8>| OcspResponse::from_der(&der).unwrap();
    let answer = read(sign(&[good(1)], None).unwrap());
    let (issuer, next) = (&AUTHORITY.0, noon() + SignedDuration::from_hours(12));
    assert_eq!(answer.verify(issuer, noon()), Ok(()));
    assert_eq!(answer.verify(issuer, next), Ok(()));
    for at in [noon() - SignedDuration::from_secs(1), next + SignedDuration::from_secs(1)] {
        assert!(matches!(answer.verify(issuer, at), Err(OcspResponseError::Stale { .. })));
    }
    let (other, other_key) = authority(vec![Usage::CertSign]);
    assert_eq!(answer.verify(&other, noon()), Err(OcspResponseError::OtherIssuer));

    let by_issuer = read(sign_ocsp(&[good(1)], noon(), None, issuer, &AUTHORITY.1).unwrap());
    assert_eq!(by_issuer.verify(issuer, noon()), Ok(()));

    let refused = |answer: &OcspResponse| answer.verify(issuer, noon()).unwrap_err().to_string();
    let by_other = read(sign_ocsp(&[good(1)], noon(), None, &other, &other_key).unwrap());
    assert!(refused(&by_other).ends_with("is not signed by the issuer"), "{}", refused(&by_other));
    // A CA below the issuer may sign an answer of its own, and not for the issuer.
    let below = issued(&chancery_pki::Template { ca: Some(chancery_pki::CaConstraints::default()), ..template("Below", Vec::new()) });
    let by_below = read(sign_ocsp(&[good(1)], noon(), None, &below.0, &below.1).unwrap());
    assert!(refused(&by_below).ends_with("is not for ocsp signing"), "{}", refused(&by_below));
    let mut ended = template("Ended", vec![Usage::OcspSigning]);
    ended.not_after = noon() - SignedDuration::from_secs(1);
    let ended = issued(&ended);
    let by_ended = read(sign_ocsp(&[good(1)], noon(), None, &ended.0, &ended.1).unwrap());
    assert!(refused(&by_ended).ends_with("is not valid at that time"), "{}", refused(&by_ended));
}

#[test]
fn answers_that_may_not_be_are_not_signed() {
    let late = OcspAnswer { next_update: noon(), ..good(1) };
    assert!(matches!(sign(&[good(2), late], None), Err(OcspError::NoValidity { .. })));
    let early = OcspAnswer { this_update: "1969-12-31T00:00:00Z".parse().unwrap(), ..good(1) };
    assert!(matches!(sign(&[early], None), Err(OcspError::TimeOutOfRange { .. })));
    assert_eq!(sign(&[], None), Err(OcspError::NoAnswer));
    assert_eq!(sign(&[good(1)], Some(&[])), Err(OcspError::Nonce { octets: 0 }));
    assert_eq!(sign(&[good(1)], Some(&[1; NONCE_MAX + 1])), Err(OcspError::Nonce { octets: NONCE_MAX + 1 }));
    let wrong = sign_ocsp(&[good(1)], noon(), None, &RESPONDER.0, &AUTHORITY.1);
    assert_eq!(wrong, Err(OcspError::WrongSigner { responder: RESPONDER.0.key_id(), signer: AUTHORITY.0.key_id() }));
    let server = issued(&template("Server", vec![Usage::ServerAuth]));
    let wrong = sign_ocsp(&[good(1)], noon(), None, &server.0, &server.1);
    assert!(matches!(&wrong, Err(OcspError::MayNotAnswer { responder }) if responder.contains("CN=Server")), "{wrong:?}");
}
