//! What a chain's constraints let stand below it: names, purposes, and what says which rule is broken.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::LazyLock;

use chancery_pki::{
    BrokenRule, CaConstraints, Certificate, Chain, ChainError, ConstraintBroken, IssueError, KeyAlgorithm, Name, NameConstraints,
    NameConstraintsError, NameSubtrees, PrivateKey, PurposeRefused, RANDOM_OCTETS, San, SerialNumber, SignError, SignatureAlgorithm,
    Signer, Template, Usage, issue, self_sign, verify_leaf,
};
use jiff::Timestamp;

static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap());
static OTHER_KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap());

fn noon() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn name(text: &str) -> Name {
    Name::from_rfc4514(text).unwrap()
}

fn dns(text: &str) -> San {
    San::Dns(text.to_owned())
}

fn template(subject: &str) -> Template {
    let (begin, end) = ("2026-01-01T00:00:00Z".parse().unwrap(), "2027-01-01T00:00:00Z".parse().unwrap());
    Template::new(SerialNumber::issued(7, [0xab; RANDOM_OCTETS]), name(subject), begin, end)
}

fn domains<const N: usize>(names: [&str; N]) -> NameSubtrees {
    NameSubtrees { dns_domains: names.map(str::to_owned).into(), ..NameSubtrees::default() }
}

fn ca(subject: &str, constraints: Option<NameConstraints>) -> Template {
    Template {
        ca: Some(CaConstraints::default()),
        usages: vec![Usage::CertSign, Usage::CrlSign],
        name_constraints: constraints,
        ..template(subject)
    }
}

/// A root that permits names below example.com, but for those below secret.example.com.
fn root() -> Certificate {
    let constraints = NameConstraints { critical: true, permitted: domains(["example.com"]), excluded: domains(["secret.example.com"]) };
    self_sign(&ca("CN=Root", Some(constraints)), &*KEY).unwrap()
}

#[test]
fn a_name_that_is_not_permitted_is_named_with_its_ca_and_the_rule() {
    let chain = Chain::order(vec![root()]).unwrap();
    let refused = |subject: &str, sans: &[San]| chain.permits_names(&name(subject), sans, false).unwrap_err();
    let error = refused("CN=a", &[dns("a.example.com"), dns("evil.org")]);
    assert_eq!(
        error,
        ConstraintBroken {
            authority: "CN=Root".into(),
            name: "DNS:evil.org".into(),
            rule: BrokenRule::NotPermitted { permitted: "\"example.com\"".into() },
        }
    );
    assert_eq!(
        error.to_string(),
        "the name constraints of \"CN=Root\" do not permit DNS:evil.org: permitted are only \"example.com\" (RFC 5280 section 4.2.1.10)"
    );
    assert_eq!(
        refused("CN=a", &[dns("*.secret.example.com")]).to_string(),
        "the name constraints of \"CN=Root\" do not permit DNS:*.secret.example.com: \"secret.example.com\" is excluded (RFC 5280 \
         section 4.2.1.10)"
    );
    assert_eq!(refused("CN=www.evil.org", &[]).name, "the common name www.evil.org");
    assert_eq!(chain.permits_names(&name("CN=a"), &[dns("a.example.com")], false), Ok(()));
    assert_eq!(chain.permits_names(&name(""), &[], false), Ok(()));
}

#[test]
fn an_error_shows_some_of_many_subtrees() {
    let many: Vec<String> = (10..30).map(|number| format!("d{number}.example")).collect();
    let permitted = NameSubtrees { dns_domains: many.into_iter().collect(), ..NameSubtrees::default() };
    let constraints = NameConstraints { permitted, ..NameConstraints::default() };
    let chain = Chain::order(vec![self_sign(&ca("CN=Root", Some(constraints)), &*KEY).unwrap()]).unwrap();
    let shown = chain.permits_names(&name(""), &[dns("evil.org")], false).unwrap_err().to_string();
    assert!(shown.contains("\"d10.example\"") && shown.contains("\"d17.example\", .. (RFC"), "{shown}");
}

#[test]
fn the_certificate_of_a_ca_is_held_to_the_constraints_above_it() {
    let root = root();
    let below = |sans: Vec<San>| issue(&Template { sans, ..ca("CN=Below", None) }, OTHER_KEY.public_key(), &root, &*KEY).unwrap();
    let chain = Chain::order(vec![root.clone()]).unwrap();
    assert_eq!(verify_leaf(&below(vec![dns("ca.example.com")]), &chain, noon()), Ok(()));
    let bad = below(vec![dns("ca.evil.org")]);
    assert!(matches!(verify_leaf(&bad, &chain, noon()), Err(ChainError::Name(ConstraintBroken { name, .. })) if name == "DNS:ca.evil.org"));
    // As an authority it is of no use either.
    let authority = Chain::order(vec![bad, root.clone()]).unwrap();
    assert!(matches!(authority.verify_authority(noon()), Err(ChainError::Name(_))));
    // Of a CA nobody takes the common name for a DNS name.
    let named = issue(&ca("CN=ca.evil.org", None), OTHER_KEY.public_key(), &root, &*KEY).unwrap();
    assert_eq!(chain.permits_names(&name("CN=ca.evil.org"), &[], true), Ok(()));
    assert_eq!(verify_leaf(&named, &chain, noon()), Ok(()));
    assert_eq!(Chain::order(vec![named, root]).unwrap().verify_authority(noon()), Ok(()));
}

#[test]
fn a_self_issued_ca_on_the_way_to_a_leaf_is_not_held_to_the_constraints() {
    let root = root();
    let rolled = Template { sans: vec![dns("ca.evil.org")], ..ca("CN=Root", None) };
    let rolled = issue(&rolled, OTHER_KEY.public_key(), &root, &*KEY).unwrap();
    let chain = Chain::order(vec![rolled, root]).unwrap();
    assert_eq!(chain.certificates().len(), 2);
    assert_eq!(chain.verify_authority(noon()), Ok(()));
    assert!(chain.permits_names(&name("CN=a"), &[dns("evil.org")], false).is_err());
}

#[test]
fn a_purpose_that_a_ca_does_not_have_is_refused_with_its_name() {
    let root = self_sign(&ca("CN=Root", None), &*KEY).unwrap();
    let with = |usages: &[Usage]| {
        let template = Template { usages: [&[Usage::CertSign], usages].concat(), ..ca("CN=Below", None) };
        let below = issue(&template, OTHER_KEY.public_key(), &root, &*KEY).unwrap();
        Chain::order(vec![below, root.clone()]).unwrap()
    };
    let refused = |usage| Err(PurposeRefused { authority: "CN=Below".into(), usage });
    for (chain, usage, expected) in [
        (with(&[]), Usage::ServerAuth, Ok(())),
        (with(&[Usage::ServerAuth]), Usage::ServerAuth, Ok(())),
        (with(&[Usage::ServerAuth]), Usage::ClientAuth, refused(Usage::ClientAuth)),
        (with(&[Usage::ServerAuth]), Usage::Any, refused(Usage::Any)),
        (with(&[Usage::Any]), Usage::ClientAuth, Ok(())),
        (with(&[Usage::SMime]), Usage::EmailProtection, Ok(())),
        (with(&[Usage::ServerAuth]), Usage::KeyEncipherment, Ok(())),
    ] {
        assert_eq!(chain.permits_purpose(usage), expected, "{usage}");
    }
    assert_eq!(
        with(&[Usage::ServerAuth]).permits_purpose(Usage::ClientAuth).unwrap_err().to_string(),
        "the extended key usage of \"CN=Below\" does not include \"client auth\""
    );
}

#[test]
fn constraints_that_cannot_stand_are_refused_before_anything_is_signed() {
    let wanted = |constraints| self_sign(&ca("CN=Root", Some(constraints)), &*KEY).unwrap_err();
    assert_eq!(wanted(NameConstraints::default()), IssueError::NameConstraints(NameConstraintsError::Empty));
    let error = wanted(NameConstraints { excluded: domains(["*.example.com"]), ..NameConstraints::default() });
    assert!(error.to_string().starts_with("name constraints: excluded.dnsDomains: \"*.example.com\": "), "{error}");
    let constraints = NameConstraints { permitted: domains(["example.com"]), ..NameConstraints::default() };
    let leaf = Template { name_constraints: Some(constraints), ..template("CN=Leaf") };
    assert_eq!(self_sign(&leaf, &*KEY), Err(IssueError::NameConstraintsWithoutCa));
}

#[test]
fn a_signer_that_has_no_choice_signs_with_its_own_algorithm_only() {
    #[derive(Debug)]
    struct Remote;
    impl Signer for Remote {
        fn public_key(&self) -> &chancery_pki::PublicKey {
            OTHER.public_key()
        }
        fn signature_algorithm(&self) -> spki::AlgorithmIdentifierOwned {
            OTHER.signature_algorithm()
        }
        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
            OTHER.sign(message)
        }
    }
    static OTHER: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(KeyAlgorithm::EcdsaP521).unwrap());
    let signed = |algorithm| self_sign(&Template { self_signature: Some(algorithm), ..ca("CN=Root", None) }, &Remote);
    assert!(signed(SignatureAlgorithm::EcdsaWithSha512).unwrap().is_self_signed());
    let error = signed(SignatureAlgorithm::EcdsaWithSha384).unwrap_err();
    assert_eq!(error.to_string(), "the key did not sign: it does not sign with ECDSAWithSHA384");
}
