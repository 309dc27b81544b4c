//! Lists: OpenSSL, webpki and zlint work with ours, and ours with OpenSSL's.

use std::{collections::BTreeSet, time::Duration};

use chancery_pki::{
    Certificate, Crl, CrlNumber, CrlTemplate, KeyAlgorithm, KeyEncoding, PrivateKey, Reason, Revoked, SerialNumber, Template, cross_check,
    issue, self_sign, sign_crl,
};
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::{CertificateDer, UnixTime};
use tempfile::TempDir;
use webpki::{CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList, RevocationOptionsBuilder};

use super::{
    support::{Directory, KINDS, at, ca, noon, template},
    zlint::lint,
};

const SHARD: &str = "http://crl.example/1.crl";
const DELTA: &str = "http://crl.example/1-delta.crl";

/// A root, an intermediate below it, and three leaves of that: a good one, a revoked one, and one of another shard.
struct World {
    directory: Directory,
    root: (Certificate, PrivateKey),
    intermediate: (Certificate, PrivateKey),
    good: Certificate,
    revoked: Certificate,
    elsewhere: Certificate,
}

impl World {
    fn new(algorithm: KeyAlgorithm) -> Self {
        let (root_key, key) = (PrivateKey::generate(algorithm).unwrap(), PrivateKey::generate(algorithm).unwrap());
        let root = self_sign(&ca("root", 1, None), &root_key).unwrap();
        let intermediate = issue(&ca("intermediate", 2, Some(0)), key.public_key(), &root, &root_key).unwrap();
        let leaf = |serial: u8, shard: &str| {
            let template = Template {
                sans: vec![chancery_pki::San::Dns("leaf.example".into())],
                crl_distribution_points: vec![shard.into()],
                freshest_crls: vec![DELTA.into()],
                usages: vec![chancery_pki::Usage::DigitalSignature, chancery_pki::Usage::ServerAuth],
                ..template("leaf", serial)
            };
            issue(&template, root_key.public_key(), &intermediate, &key).unwrap()
        };
        let (good, revoked, elsewhere) = (leaf(3, SHARD), leaf(4, SHARD), leaf(5, "http://crl.example/2.crl"));
        let directory = Directory::new();
        for (name, certificate) in
            [("root", &root), ("intermediate", &intermediate), ("good", &good), ("revoked", &revoked), ("elsewhere", &elsewhere)]
        {
            directory.write(&format!("{name}.pem"), &certificate.to_pem());
        }
        Self { directory, root: (root, root_key), intermediate: (intermediate, key), good, revoked, elsewhere }
    }

    /// The root's list, which has nothing on it.
    fn root_list(&self) -> Crl {
        list(&template_of_list(1), &[], &self.root)
    }

    fn list(&self, template: &CrlTemplate, entries: &[Revoked]) -> Crl {
        list(template, entries, &self.intermediate)
    }

    fn entry(&self, reason: Reason) -> Revoked {
        entry(self.revoked.serial().clone(), reason)
    }

    /// What OpenSSL makes of a leaf's chain with these lists, all of it being checked.
    fn verify(&self, leaf: &str, lists: &[&Crl], more: &str) -> Result<String, String> {
        self.directory.write("lists.pem", &lists.iter().map(|list| list.to_pem()).collect::<String>());
        let (now, more) = (at(noon()), if more.is_empty() { String::new() } else { format!("{more} ") });
        self.directory.try_openssl(&format!(
            "verify -x509_strict -crl_check_all {now} {more}-CAfile root.pem -untrusted intermediate.pem -CRLfile lists.pem {leaf}.pem"
        ))
    }

    /// The same by webpki, which insists that lists are not overdue.
    fn webpki(&self, leaf: &Certificate, lists: &[&Crl], at: Timestamp) -> Result<(), webpki::Error> {
        let lists: Result<Vec<_>, _> = lists.iter().map(|list| OwnedCertRevocationList::from_der(list.as_der())).collect();
        let lists: Vec<_> = lists?.into_iter().map(CertRevocationList::from).collect();
        let lists: Vec<_> = lists.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&lists).map_err(|_| webpki::Error::UnknownRevocationStatus)?;
        let revocation = revocation.with_expiration_policy(ExpirationPolicy::Enforce).build();
        let der = |certificate: &Certificate| CertificateDer::from(certificate.as_der().to_vec());
        let (leaf, root, intermediate) = (der(leaf), der(&self.root.0), der(&self.intermediate.0));
        let anchors = [webpki::anchor_from_trusted_cert(&root)?];
        let leaf = EndEntityCert::try_from(&leaf)?;
        let purpose = KeyUsage::server_auth();
        leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &[intermediate], unix(at), purpose, Some(revocation), None)
            .map(|_| ())
    }
}

fn unix(at: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.as_second()).unwrap()))
}

fn list(template: &CrlTemplate, entries: &[Revoked], (issuer, key): &(Certificate, PrivateKey)) -> Crl {
    let der = sign_crl(template, entries.iter(), issuer, key).unwrap();
    assert_eq!(cross_check(&der, issuer), Ok(entries.len()));
    Crl::from_der(der).unwrap()
}

fn template_of_list(number: u128) -> CrlTemplate {
    CrlTemplate {
        number: CrlNumber::new(number),
        this_update: noon() - SignedDuration::from_mins(5),
        next_update: noon() + SignedDuration::from_hours(168),
        distribution_point: Vec::new(),
        delta_base: None,
        freshest: Vec::new(),
    }
}

fn sharded(number: u128) -> CrlTemplate {
    CrlTemplate { distribution_point: vec![SHARD.into()], freshest: vec![DELTA.into()], ..template_of_list(number) }
}

fn delta(number: u128, base: u128) -> CrlTemplate {
    CrlTemplate { delta_base: Some(CrlNumber::new(base)), freshest: Vec::new(), ..sharded(number) }
}

fn entry(serial: SerialNumber, reason: Reason) -> Revoked {
    Revoked { serial, time: noon() - SignedDuration::from_mins(5), reason, invalidity_date: None }
}

/// Every reason that may stand in a full list, each with a serial of its own, the last with a date.
fn all_reasons() -> Vec<Revoked> {
    let reasons = Reason::ALL.into_iter().filter(|reason| *reason != Reason::RemoveFromCrl);
    let mut entries: Vec<_> =
        reasons.map(|reason| entry(SerialNumber::issued(7, [reason.code(); chancery_pki::RANDOM_OCTETS]), reason)).collect();
    entries.last_mut().unwrap().invalidity_date = Some("2026-01-02T03:04:05Z".parse().unwrap());
    entries
}

#[test]
fn a_revoked_certificate_is_refused_and_a_good_one_admitted_under_every_kind_of_key() {
    for algorithm in KINDS {
        let world = World::new(algorithm);
        let root_list = world.root_list();
        for template in [template_of_list(2), sharded(2)] {
            let list = world.list(&template, &[world.entry(Reason::KeyCompromise)]);
            let lists = [&root_list, &list];
            assert!(world.verify("good", &lists, "").unwrap().contains("good.pem: OK"), "{algorithm}");
            let refused = world.verify("revoked", &lists, "").unwrap_err();
            assert!(refused.contains("certificate revoked"), "{algorithm}: {refused}");
            assert_eq!(world.webpki(&world.good, &lists, noon()), Ok(()), "{algorithm}");
            assert_eq!(world.webpki(&world.revoked, &lists, noon()), Err(webpki::Error::CertRevoked), "{algorithm}");
        }
    }
}

#[test]
fn a_revoked_intermediate_takes_its_leaves_with_it() {
    let world = World::new(KeyAlgorithm::EcdsaP384);
    let revoked = entry(world.intermediate.0.serial().clone(), Reason::CaCompromise);
    let (root_list, own) = (list(&template_of_list(1), &[revoked], &world.root), world.list(&sharded(1), &[]));
    assert!(world.verify("good", &[&root_list, &own], "").unwrap_err().contains("certificate revoked"));
    assert_eq!(world.webpki(&world.good, &[&root_list, &own], noon()), Err(webpki::Error::CertRevoked));
}

#[test]
fn a_list_is_no_word_about_another_shard_and_none_after_its_time() {
    let world = World::new(KeyAlgorithm::EcdsaP256);
    let (root_list, list) = (world.root_list(), world.list(&sharded(1), &[]));
    let lists = [&root_list, &list];
    let refused = world.verify("elsewhere", &lists, "").unwrap_err();
    assert!(refused.to_lowercase().contains("different crl scope"), "{refused}");
    assert_eq!(world.webpki(&world.elsewhere, &lists, noon()), Err(webpki::Error::UnknownRevocationStatus));

    let short = CrlTemplate { next_update: noon() - SignedDuration::from_mins(1), ..sharded(1) };
    let overdue = world.list(&short, &[]);
    assert!(world.verify("good", &[&root_list, &overdue], "").unwrap_err().contains("CRL has expired"));
    assert!(matches!(world.webpki(&world.good, &[&root_list, &overdue], noon()), Err(webpki::Error::CrlExpired { .. })));
}

#[test]
fn a_delta_adds_to_its_list_and_takes_a_hold_back() {
    let world = World::new(KeyAlgorithm::EcdsaP256);
    let root_list = world.root_list();
    let verify = |lists: [&Crl; 2]| world.verify("revoked", &[&root_list, lists[0], lists[1]], "-use_deltas");
    let empty = world.list(&sharded(5), &[]);
    let revoking = world.list(&delta(6, 5), &[world.entry(Reason::Superseded)]);
    assert!(verify([&empty, &revoking]).unwrap_err().contains("certificate revoked"));
    let held = world.list(&sharded(5), &[world.entry(Reason::CertificateHold)]);
    let releasing = world.list(&delta(6, 5), &[world.entry(Reason::RemoveFromCrl)]);
    assert!(verify([&held, &releasing]).unwrap().contains("revoked.pem: OK"));
    let nothing_new = world.list(&delta(6, 5), &[]);
    assert!(verify([&held, &nothing_new]).unwrap_err().contains("certificate revoked"));
}

#[test]
fn openssl_shows_what_a_list_says() {
    for algorithm in KINDS {
        let world = World::new(algorithm);
        let list = world.list(&sharded(0x1234_5678_9abc_def0), &all_reasons());
        world.directory.write("list.pem", &list.to_pem());
        let text = world.directory.openssl("crl -in list.pem -noout -text -CAfile intermediate.pem");
        for line in [
            "Version 2 (0x1)",
            "Last Update: Jun  1 11:55:00 2026 GMT",
            "Next Update: Jun  8 12:00:00 2026 GMT",
            "X509v3 CRL Number: \n                1311768467463790320\n",
            "X509v3 Issuing Distribution Point: critical\n                Full Name:\n                  URI:http://crl.example/1.crl",
            "X509v3 Freshest CRL: \n                Full Name:\n                  URI:http://crl.example/1-delta.crl",
            "Serial Number: 01000701010101010101010101010101\n        Revocation Date: Jun  1 11:55:00 2026 GMT\n        \
             CRL entry extensions:\n            X509v3 CRL Reason Code: \n                Key Compromise\n",
            "Certificate Hold",
            "AA Compromise\n            Invalidity Date: \n                Jan  2 03:04:05 2026 GMT\n",
            "X509v3 Authority Key Identifier",
        ] {
            assert!(text.contains(line), "{algorithm}: {line:?} is not in\n{text}");
        }
        assert!(!text.contains("Unspecified"));
        world.directory.openssl("crl -in list.pem -noout -verify -CAfile intermediate.pem");
        world.directory.write("delta.pem", &world.list(&delta(9, 8), &[]).to_pem());
        let text = world.directory.openssl("crl -in delta.pem -noout -text");
        assert!(
            text.contains("X509v3 Delta CRL Indicator: critical\n                8\n") && text.contains("No Revoked Certificates"),
            "{text}"
        );
    }
}

#[test]
fn every_kind_of_list_passes_the_lints() {
    let directory = TempDir::new().unwrap();
    let mut found = BTreeSet::new();
    for algorithm in KINDS {
        let world = World::new(algorithm);
        let permitted = [Reason::Unspecified, Reason::KeyCompromise, Reason::AffiliationChanged, Reason::Superseded];
        let permitted: Vec<_> = all_reasons().into_iter().filter(|entry| permitted.contains(&entry.reason)).collect();
        for (name, list, sources, at_least) in [
            ("of a root", world.root_list(), "RFC5280,Community,CABF_BR", 10),
            ("whole", world.list(&template_of_list(u128::from(u64::MAX)), &permitted), "RFC5280,Community,CABF_BR", 10),
            ("of a shard", world.list(&CrlTemplate { freshest: Vec::new(), ..sharded(7) }, &permitted), "RFC5280,Community,CABF_BR", 10),
            ("of a shard with a delta", world.list(&sharded(7), &permitted), "RFC5280,Community", 7),
            ("with every reason", world.list(&sharded(7), &all_reasons()), "RFC5280,Community", 7),
            ("delta", world.list(&delta(8, 7), &[world.entry(Reason::RemoveFromCrl)]), "RFC5280,Community", 7),
        ] {
            let complaints = lint(directory.path(), &list.to_pem(), sources, at_least);
            found.extend(complaints.into_iter().map(|(lint, result)| format!("{algorithm}, {name}: {lint}: {result}")));
        }
    }
    assert!(found.is_empty(), "{}", found.into_iter().collect::<Vec<_>>().join("\n"));
}

/// That the lints look at lists at all; and what whoever makes one has to mind, since a list may be dated back.
#[test]
fn an_entry_later_than_its_list_is_against_the_lints() {
    let (directory, world) = (TempDir::new().unwrap(), World::new(KeyAlgorithm::EcdsaP256));
    let late = Revoked { time: noon(), ..world.entry(Reason::KeyCompromise) };
    let complaints = lint(directory.path(), &world.list(&sharded(7), &[late]).to_pem(), "RFC5280", 5);
    assert_eq!(complaints, BTreeSet::from([("e_crl_revocation_time_after_this_update".to_owned(), "error".to_owned())]));
}

/// What `openssl ca -gencrl` makes of this database, with these options.
fn by_openssl(world: &World, index: &str, options: &str) -> Crl {
    let directory = &world.directory;
    directory.write("index.txt", index);
    directory.write("number", "0102030405060708090a0b0c0d0e0f10\n");
    directory.write(
        "ca.cnf",
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\n[e]\nauthorityKeyIdentifier=keyid\n",
    );
    directory.write("root.key", &world.root.1.to_pem(KeyEncoding::Pkcs8).unwrap());
    directory.openssl(&format!("ca -gencrl -config ca.cnf -cert root.pem -keyfile root.key -crldays 7 -out theirs.pem {options}"));
    Crl::from_pem_or_der(&directory.read("theirs.pem")).unwrap()
}

#[test]
fn a_list_that_openssl_made_is_read_in_full() {
    let index = "R\t300101000000Z\t260101020304Z,keyCompromise\t00FE\tunknown\t/CN=a\n\
                 R\t300101000000Z\t260102000000Z\t1000\tunknown\t/CN=b\n\
                 R\t300101000000Z\t260103000000Z,holdInstruction,holdInstructionReject\t1001\tunknown\t/CN=c\n\
                 R\t300101000000Z\t260104000000Z,keyTime,20251231235959Z\t1002\tunknown\t/CN=d\n\
                 V\t300101000000Z\t\t1003\tunknown\t/CN=e\n";
    for algorithm in KINDS {
        let world = World::new(algorithm);
        let list = by_openssl(&world, index, "-crlexts e");
        assert!(list.is_signed_by(world.root.1.public_key()) && !list.is_signed_by(world.intermediate.1.public_key()));
        assert_eq!(list.issuer().as_der(), world.root.0.subject().as_der());
        assert_eq!(list.number(), Some(CrlNumber::new(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10)));
        assert_eq!(list.authority_key_identifier(), world.root.0.subject_key_identifier());
        let shown: Vec<_> =
            list.entries().map(Result::unwrap).map(|entry| (entry.serial.to_string(), entry.reason, entry.time.to_string())).collect();
        let expected = [
            ("fe", Reason::KeyCompromise, "2026-01-01T02:03:04Z"),
            ("1000", Reason::Unspecified, "2026-01-02T00:00:00Z"),
            ("1001", Reason::CertificateHold, "2026-01-03T00:00:00Z"),
            ("1002", Reason::KeyCompromise, "2026-01-04T00:00:00Z"),
        ];
        assert_eq!(shown, expected.map(|(serial, reason, time)| (serial.to_owned(), reason, time.to_owned())));
        let dated = list.find(&"1002".parse().unwrap()).unwrap().unwrap();
        assert_eq!(dated.invalidity_date, Some("2025-12-31T23:59:59Z".parse().unwrap()));
        assert_eq!(list.find(&"1003".parse().unwrap()), Ok(None));
        assert_eq!(cross_check(list.as_der(), &world.root.0), Ok(4), "{algorithm}");
    }
}

#[test]
fn a_list_of_version_1_is_read_as_far_as_it_goes() {
    let world = World::new(KeyAlgorithm::EcdsaP256);
    let index = "R\t300101000000Z\t260102000000Z\t1000\tunknown\t/CN=b\n";
    let config = "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\n";
    by_openssl(&world, index, "");
    world.directory.write("ca.cnf", config);
    world.directory.openssl("ca -gencrl -config ca.cnf -cert root.pem -keyfile root.key -crldays 7 -out theirs.pem");
    let list = Crl::from_pem_or_der(&world.directory.read("theirs.pem")).unwrap();
    assert!(world.directory.openssl("crl -in theirs.pem -noout -text").contains("Version 1"));
    assert_eq!((list.number(), list.len(), list.authority_key_identifier()), (None, 1, None));
    assert!(list.is_signed_by(world.root.1.public_key()));
}
