//! OCSP: OpenSSL asks and is answered, and answers and is read.

use chancery_pki::{
    CertId, CertIdHash, Certificate, IssuerHashes, KeyAlgorithm, KeyEncoding, OcspAnswer, OcspRefusal, OcspRequest, OcspResponse,
    OcspStatus, PrivateKey, Reason, SerialNumber, Template, Usage, issue, self_sign, sign_ocsp,
};
use jiff::SignedDuration;

use super::support::{Directory, KINDS, at, ca, noon, template};

/// A root, an intermediate below it with a responder, and leaves of that.
struct World {
    directory: Directory,
    intermediate: Certificate,
    responder: (Certificate, PrivateKey),
    good: Certificate,
    revoked: Certificate,
}

impl World {
    fn new(algorithm: KeyAlgorithm) -> Self {
        let new = || PrivateKey::generate(algorithm).unwrap();
        let (root_key, key, responder_key) = (new(), new(), PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap());
        let root = self_sign(&ca("root", 1, None), &root_key).unwrap();
        let intermediate = issue(&ca("intermediate", 2, Some(0)), key.public_key(), &root, &root_key).unwrap();
        let under = |template: &Template, key_of: &PrivateKey| issue(template, key_of.public_key(), &intermediate, &key).unwrap();
        let delegate =
            Template { usages: vec![Usage::DigitalSignature, Usage::OcspSigning], ocsp_no_check: true, ..template("responder", 6) };
        let responder = under(&delegate, &responder_key);
        let leaf = |serial| Template { sans: vec![chancery_pki::San::Dns("leaf.example".into())], ..template("leaf", serial) };
        let (good, revoked) = (under(&leaf(3), &root_key), under(&leaf(4), &root_key));
        let directory = Directory::new();
        for (name, certificate) in
            [("root", &root), ("intermediate", &intermediate), ("good", &good), ("revoked", &revoked), ("responder", &responder)]
        {
            directory.write(&format!("{name}.pem"), &certificate.to_pem());
        }
        directory.write("responder.key", &responder_key.to_pem(KeyEncoding::Pkcs8).unwrap());
        Self { directory, intermediate, responder: (responder, responder_key), good, revoked }
    }

    /// The request that OpenSSL makes.
    fn asked(&self, options: &str) -> OcspRequest {
        self.directory.openssl(&format!("ocsp -issuer intermediate.pem {options} -reqout request.der"));
        OcspRequest::from_der(&self.directory.read("request.der")).unwrap()
    }

    fn status_of(&self, serial: &SerialNumber) -> OcspStatus {
        if serial == self.good.serial() {
            OcspStatus::Good
        } else if serial == self.revoked.serial() {
            OcspStatus::Revoked { time: noon() - SignedDuration::from_hours(1), reason: Reason::Superseded }
        } else {
            OcspStatus::Unknown
        }
    }

    fn answer(&self, request: &OcspRequest) -> Vec<u8> {
        let answers = request.ids.iter().map(|id| OcspAnswer {
            id: id.clone(),
            status: self.status_of(id.serial()),
            this_update: noon() - SignedDuration::from_mins(5),
            next_update: noon() + SignedDuration::from_hours(12),
        });
        let answers: Vec<_> = answers.collect();
        sign_ocsp(&answers, noon(), request.nonce.as_deref(), &self.responder.0, &self.responder.1).unwrap()
    }

    /// What OpenSSL makes of an answer to the request it has just made.
    fn shown(&self, answer: &[u8], certificates: &str) -> String {
        std::fs::write(self.directory.path("answer.der"), answer).unwrap();
        // The time of the test is not that of the machine: validity beyond it is allowed for, and checked by ours.
        let (now, lax) = (at(noon()), "-validity_period 100000000000");
        self.directory
            .try_openssl(&format!(
                "ocsp {now} {lax} -no_nonce -reqin request.der -respin answer.der -issuer intermediate.pem {certificates} -CAfile root.pem \
             -verify_other intermediate.pem -resp_text"
            ))
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

#[test]
fn openssl_asks_and_believes_the_answer_under_every_kind_of_key() {
    for algorithm in KINDS {
        let world = World::new(algorithm);
        for hash in ["-sha1", "-sha256"] {
            for nonce in ["-no_nonce", "-nonce"] {
                let certificates = "-cert good.pem -cert revoked.pem -serial 0x1234";
                let request = world.asked(&format!("{nonce} {hash} {certificates}"));
                assert_eq!(request.nonce.is_some(), nonce == "-nonce");
                let hashes = IssuerHashes::of(&world.intermediate);
                assert!(request.ids.iter().all(|id| hashes.matches(id)), "{algorithm} {hash}");
                let serials: Vec<_> = request.ids.iter().map(|id| id.serial().to_string()).collect();
                assert_eq!(serials, [world.good.serial().to_string(), world.revoked.serial().to_string(), "1234".into()]);

                let answer = world.answer(&request);
                let shown = world.shown(&answer, &format!("{hash} {certificates}"));
                for line in [
                    "Responder Id: ",
                    "good.pem: good\n",
                    "revoked.pem: revoked\n",
                    "Reason: superseded\n",
                    "Revocation Time: Jun  1 11:00:00 2026 GMT\n",
                    "0x1234: unknown\n",
                    "OCSP No Check",
                ] {
                    assert!(shown.contains(line), "{algorithm} {hash} {nonce}: {line:?} is not in\n{shown}");
                }
                assert_eq!(shown.contains("OCSP Nonce"), nonce == "-nonce");
                assert_eq!(OcspResponse::from_der(&answer).unwrap().verify(&world.intermediate, noon()), Ok(()));
            }
        }
    }
}

#[test]
fn openssl_refuses_what_is_damaged_and_tells_a_refusal() {
    let world = World::new(KeyAlgorithm::EcdsaP256);
    let request = world.asked("-nonce -cert good.pem");
    let now = at(noon());
    let ask = || {
        world.directory.try_openssl(&format!(
            "ocsp {now} -no_nonce -reqin request.der -respin answer.der -issuer intermediate.pem -cert good.pem -CAfile root.pem \
             -verify_other intermediate.pem"
        ))
    };
    let mut forged = world.answer(&request);
    let good = [0x80, 0x00, 0x18, 0x0f];
    let at = forged.windows(4).position(|window| window == good).unwrap();
    forged[at] = 0x82;
    std::fs::write(world.directory.path("answer.der"), forged).unwrap();
    let refused = ask().unwrap_err();
    assert!(refused.contains("Response Verify Failure") && refused.contains("signature"), "{refused}");
    std::fs::write(world.directory.path("answer.der"), OcspRefusal::TryLater.der()).unwrap();
    assert!(ask().unwrap_err().contains("trylater"), "{:?}", ask());
}

#[test]
fn openssl_reads_a_request_of_ours() {
    let world = World::new(KeyAlgorithm::EcdsaP256);
    let ids = [CertIdHash::Sha1, CertIdHash::Sha256].map(|hash| CertId::of(hash, &world.intermediate, world.good.serial().clone()));
    let request = OcspRequest::new(ids.to_vec(), Some(vec![0xab; 32])).unwrap();
    std::fs::write(world.directory.path("request.der"), request.to_der()).unwrap();
    let shown = world.directory.openssl("ocsp -reqin request.der -req_text");
    for line in ["Hash Algorithm: sha1", "Hash Algorithm: sha256", "Serial Number: 01000103030303030303030303030303", "0420ABABABAB"] {
        assert!(shown.contains(line), "{line:?} is not in\n{shown}");
    }
    // The same octets as OpenSSL's own.
    assert_eq!(world.asked("-no_nonce -sha256 -cert good.pem").ids[0].as_der(), ids[1].as_der());
}

#[test]
fn an_answer_that_openssl_gives_is_read_and_verified() {
    for algorithm in KINDS {
        let world = World::new(algorithm);
        let upper = |certificate: &Certificate| certificate.serial().to_string().to_uppercase();
        let (good, revoked) = (upper(&world.good), upper(&world.revoked));
        let index = format!(
            "V\t300101000000Z\t\t{good}\tunknown\t/CN=a\nR\t300101000000Z\t260101020304Z,keyCompromise\t{revoked}\tunknown\t/CN=b\n"
        );
        world.directory.write("index.txt", &index);
        for certificates in ["-cert good.pem", "-cert revoked.pem", "-serial 0x1234"] {
            let request = world.asked(&format!("-nonce {certificates}"));
            for by in ["", " -resp_key_id"] {
                world.directory.openssl(&format!(
                    "ocsp -index index.txt -CA intermediate.pem -rsigner responder.pem -rkey responder.key -ndays 1 -reqin request.der \
                     -respout answer.der{by}"
                ));
                let answer = OcspResponse::from_der(&world.directory.read("answer.der")).unwrap();
                assert_eq!(answer.nonce(), request.nonce.as_deref());
                let said = answer.answer(&request.ids[0]).unwrap();
                let expected = match certificates {
                    "-cert good.pem" => OcspStatus::Good,
                    "-serial 0x1234" => OcspStatus::Unknown,
                    _ => OcspStatus::Revoked { time: "2026-01-01T02:03:04Z".parse().unwrap(), reason: Reason::KeyCompromise },
                };
                assert_eq!(said.status, expected, "{algorithm}");
                // OpenSSL answers as of today, when the responder's certificate is over.
                let refused = answer.verify(&world.intermediate, said.this_update).unwrap_err().to_string();
                assert!(refused.ends_with("certificate is not valid at that time"), "{refused}");
                assert!(answer.is_signed_by(world.responder.1.public_key()));
            }
        }
    }
}
