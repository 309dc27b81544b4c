//! What comes out is read, checked and trusted by OpenSSL, and what OpenSSL makes is read here.

use std::fs;

use chancery_pki::{
    CaConstraints, Certificate, Chain, IssueError, KeyAlgorithm, KeyEncoding, KeyError, Name, PrivateKey, San, SignatureAlgorithm, Signer,
    Template, Usage, issue, key_matches, self_sign, verify_leaf,
};
use jiff::SignedDuration;

use super::support::{Directory, KINDS, at, ca, noon, template};

fn leaf() -> Template {
    Template {
        sans: vec![
            San::Dns("*.example.com".into()),
            San::Email("ops@example.com".into()),
            San::Ip("192.0.2.1".parse().unwrap()),
            San::Ip("2001:db8::1".parse().unwrap()),
            San::Uri("spiffe://example.com/ns/a/sa/b".into()),
        ],
        usages: vec![Usage::DigitalSignature, Usage::ServerAuth, Usage::ClientAuth],
        crl_distribution_points: vec!["http://crl.example/1.crl".into()],
        ocsp_servers: vec!["http://ocsp.example".into()],
        issuing_certificate_urls: vec!["http://ca.example/1.crt".into()],
        ..template("leaf", 3)
    }
}

#[test]
fn openssl_trusts_a_chain_of_every_kind_of_key() {
    for algorithm in KINDS {
        let directory = Directory::new();
        let (root_key, key) = (PrivateKey::generate(algorithm).unwrap(), PrivateKey::generate(algorithm).unwrap());
        let root = self_sign(&ca("root", 1, Some(1)), &root_key).unwrap();
        let intermediate = issue(&ca("intermediate", 2, Some(0)), key.public_key(), &root, &root_key).unwrap();
        let leaf = issue(&leaf(), root_key.public_key(), &intermediate, &key).unwrap();
        directory.write("root.pem", &root.to_pem());
        directory.write("intermediate.pem", &intermediate.to_pem());
        directory.write("leaf.pem", &leaf.to_pem());
        for purpose in ["sslserver", "sslclient"] {
            let verify = format!(
                "verify -x509_strict -check_ss_sig {} -purpose {purpose} -verify_hostname a.example.com -CAfile root.pem \
                 -untrusted intermediate.pem leaf.pem",
                at(noon())
            );
            assert!(directory.openssl(&verify).contains("leaf.pem: OK"), "{algorithm}");
        }
        assert!(directory.openssl(&format!("verify -x509_strict {} -CAfile root.pem intermediate.pem", at(noon()))).contains("OK"));
        let chain = Chain::order(vec![intermediate, root]).unwrap();
        assert_eq!(verify_leaf(&leaf, &chain, noon()), Ok(()), "{algorithm}");
    }
}

#[test]
fn openssl_shows_what_the_template_says() {
    let directory = Directory::new();
    let (root_key, key) = (PrivateKey::generate(KeyAlgorithm::EcdsaP384).unwrap(), PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap());
    let root = self_sign(&ca("root", 1, Some(1)), &root_key).unwrap();
    let leaf = issue(&leaf(), key.public_key(), &root, &root_key).unwrap();
    directory.write("root.pem", &root.to_pem());
    directory.write("leaf.pem", &leaf.to_pem());
    let text = directory.openssl("x509 -in leaf.pem -noout -text -nameopt RFC2253,-esc_msb,utf8");
    for line in [
        "Version: 3 (0x2)",
        "01:00:01:03:03:03:03:03:03:03:03:03:03:03:03:03",
        "Signature Algorithm: ecdsa-with-SHA384",
        "Subject: CN=leaf,OU=Zwölf,OU=One,O=Second,O=Example\\, Inc.,C=DE",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "TLS Web Server Authentication, TLS Web Client Authentication",
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "DNS:*.example.com, email:ops@example.com, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1, URI:spiffe://example.com/ns/a/sa/b",
        "X509v3 Subject Alternative Name: \n",
        "URI:http://crl.example/1.crl",
        "OCSP - URI:http://ocsp.example",
        "CA Issuers - URI:http://ca.example/1.crt",
        "X509v3 Authority Key Identifier",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    let text = directory.openssl("x509 -in root.pem -noout -text");
    for line in ["CA:TRUE, pathlen:1", "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign"] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert!(!text.contains("Authority Key Identifier"));
}

#[test]
fn openssl_reads_every_form_of_key_and_it_reads_back() {
    for algorithm in KINDS {
        let directory = Directory::new();
        let key = PrivateKey::generate(algorithm).unwrap();
        let own_label = match algorithm.family() {
            "RSA" => "RSA PRIVATE KEY",
            "ECDSA" => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        for (encoding, label) in [(KeyEncoding::Pkcs8, "PRIVATE KEY"), (KeyEncoding::Pkcs1, own_label)] {
            let pem = key.to_pem(encoding).unwrap();
            assert!(pem.starts_with(&format!("-----BEGIN {label}-----\n")) && pem.ends_with(&format!("-----END {label}-----\n")));
            directory.write("key.pem", &pem);
            directory.openssl("pkey -in key.pem -noout -check");
            directory.openssl("pkey -in key.pem -pubout -outform DER -out public.der");
            assert_eq!(directory.read("public.der"), key.public_key().spki_der(), "{algorithm}");
            directory.write_octets("key.der", &key.to_der(encoding).unwrap());
            assert_eq!(directory.openssl("pkey -inform DER -in key.der -pubout"), directory.openssl("pkey -in key.pem -pubout"));
            let read = PrivateKey::from_pem(pem.as_bytes()).unwrap();
            assert_eq!((read.algorithm(), read.key_id()), (algorithm, key.key_id()));
            assert_eq!(*read.to_pem(encoding).unwrap(), *pem);
            // Whatever the label says.
            let mislabelled = pem.replace(label, "ANY PRIVATE KEY");
            assert_eq!(PrivateKey::from_pem(mislabelled.as_bytes()).unwrap().key_id(), key.key_id());
        }
    }
}

#[test]
fn keys_that_openssl_makes_are_read_in_every_form() {
    let directory = Directory::new();
    for (options, algorithm) in [
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", KeyAlgorithm::EcdsaP256),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-384", KeyAlgorithm::EcdsaP384),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-521", KeyAlgorithm::EcdsaP521),
        ("-algorithm ED25519", KeyAlgorithm::Ed25519),
        ("-algorithm RSA -pkeyopt rsa_keygen_bits:2560", KeyAlgorithm::Rsa { bits: 2560 }),
    ] {
        directory.openssl(&format!("genpkey {options} -out key.pem"));
        if algorithm == KeyAlgorithm::Ed25519 {
            fs::copy(directory.path("key.pem"), directory.path("traditional.pem")).unwrap();
        } else {
            directory.openssl("pkey -in key.pem -traditional -out traditional.pem");
        }
        directory.openssl("pkey -in key.pem -pubout -outform DER -out public.der");
        for file in ["key.pem", "traditional.pem"] {
            let key = PrivateKey::from_pem(&directory.read(file)).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            assert_eq!(key.public_key().spki_der(), directory.read("public.der"));
            directory.write("message", "what is signed");
            fs::write(directory.path("signature"), key.sign(b"what is signed").unwrap()).unwrap();
            let digest = match algorithm {
                KeyAlgorithm::Ed25519 => "",
                KeyAlgorithm::EcdsaP384 => " -digest sha384",
                KeyAlgorithm::EcdsaP521 => " -digest sha512",
                _ => " -digest sha256",
            };
            directory.openssl(&format!("pkeyutl -verify -inkey key.pem -rawin -in message -sigfile signature{digest}"));
        }
    }
    // With the curve's parameters in a block before the key, and with a key without its public half.
    directory.openssl("ecparam -genkey -name prime256v1 -out key.pem");
    let text = String::from_utf8(directory.read("key.pem")).unwrap();
    assert!(text.contains("EC PARAMETERS"));
    let key = PrivateKey::from_pem(text.as_bytes()).unwrap();
    directory.openssl("ec -in key.pem -no_public -out bare.pem");
    assert_eq!(PrivateKey::from_pem(&directory.read("bare.pem")).unwrap().key_id(), key.key_id());
}

#[test]
fn keys_that_cannot_be_used_are_refused_with_a_reason() {
    let directory = Directory::new();
    let refused = |arguments: &str| {
        directory.openssl(arguments);
        PrivateKey::from_pem(&directory.read("key.pem")).unwrap_err()
    };
    let small = refused("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out key.pem");
    assert_eq!(small, KeyError::UnsupportedSize { algorithm: KeyAlgorithm::Rsa { bits: 1024 } });
    assert!(matches!(refused("ecparam -genkey -name secp256k1 -noout -out key.pem"), KeyError::UnsupportedKind { .. }));
    assert!(matches!(refused("genpkey -algorithm X25519 -out key.pem"), KeyError::UnsupportedKind { .. }));
    let curve = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
    assert_eq!(refused(&format!("genpkey {curve} -aes256 -pass pass:x -out key.pem")), KeyError::Encrypted);
    directory.openssl("ecparam -genkey -name prime256v1 -noout -out plain.pem");
    assert!(matches!(refused("ec -in plain.pem -aes256 -passout pass:x -out key.pem"), KeyError::Pem(_)));

    let good = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap().to_pem(KeyEncoding::Pkcs8).unwrap();
    let read = |text: String| PrivateKey::from_pem(text.as_bytes()).map(|_| ()).unwrap_err();
    assert_eq!(read(String::new()), KeyError::NoKey);
    assert_eq!(read(format!("{}{}", *good, *good)), KeyError::SeveralBlocks { blocks: 2 });
    assert_eq!(read(format!("{}rubbish", *good)), KeyError::TrailingText);
    assert_eq!(read(good.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")), KeyError::Encrypted);
    assert!(PrivateKey::from_pem(format!("a comment\n{}\n\n", *good).as_bytes()).is_ok());
}

#[test]
fn a_key_whose_halves_do_not_belong_together_is_refused() {
    let directory = Directory::new();
    directory.openssl("ecparam -genkey -name prime256v1 -noout -out key.pem");
    directory.openssl("ec -in key.pem -outform DER -out key.der");
    let mut octets = directory.read("key.der");
    // The private scalar begins behind the two headers and the version.
    octets[10] ^= 1;
    fs::write(directory.path("bad.der"), &octets).unwrap();
    directory.openssl("base64 -in bad.der -out bad.b64");
    let body = String::from_utf8(directory.read("bad.b64")).unwrap();
    let text = format!("-----BEGIN EC PRIVATE KEY-----\n{body}-----END EC PRIVATE KEY-----\n");
    assert_eq!(PrivateKey::from_pem(text.as_bytes()).unwrap_err(), KeyError::Inconsistent);
    octets[10] ^= 1;
    octets.push(0);
    fs::write(directory.path("long.der"), &octets).unwrap();
    directory.openssl("base64 -in long.der -out long.b64");
    let body = String::from_utf8(directory.read("long.b64")).unwrap();
    let text = format!("-----BEGIN EC PRIVATE KEY-----\n{body}-----END EC PRIVATE KEY-----\n");
    assert_eq!(PrivateKey::from_pem(text.as_bytes()).unwrap_err(), KeyError::Malformed);
}

/// The names of issuers that rcgen would rewrite: several OUs, and domain components.
#[test]
fn a_ca_that_openssl_made_issues_under_its_name_octet_for_octet() {
    for (subject, shown) in [
        ("/DC=com/DC=example/OU=One/OU=Two/CN=Corporate~CA", "CN=Corporate CA,OU=Two,OU=One,DC=example,DC=com"),
        ("/C=DE/O=A+OU=B+CN=C", "CN=C+OU=B+O=A,C=DE"),
        ("/emailAddress=a@b.example/UID=7/CN=x", "CN=x,UID=7,EMAILADDRESS=a@b.example"),
    ] {
        let directory = Directory::new();
        directory.openssl(&format!(
            "req -x509 -newkey rsa:2560 -nodes -keyout ca.key -out ca.pem -days 30 -subj {subject} -multivalue-rdn \
             -addext keyUsage=critical,keyCertSign,cRLSign"
        ));
        let root = Certificate::bundle_from_pem(&directory.read("ca.pem")).unwrap().remove(0);
        let key = PrivateKey::from_pem(&directory.read("ca.key")).unwrap();
        assert!(key_matches(&root, &key) && root.is_self_signed() && root.may_sign_certificates());
        assert_eq!(root.public_key().algorithm(), Some(KeyAlgorithm::Rsa { bits: 2560 }));
        let name = root.subject().to_string();
        let sorted = |text: &str| {
            let mut parts: Vec<_> = text.split([',', '+']).map(str::to_owned).collect();
            parts.sort();
            parts
        };
        // The order within one relative name is DER's.
        assert_eq!(sorted(&name), sorted(shown));

        let leaf_key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let begin = root.not_before();
        let template = Template { not_before: begin, not_after: begin + SignedDuration::from_hours(1), ..leaf() };
        let leaf = issue(&template, leaf_key.public_key(), &root, &key).unwrap();
        assert_eq!(leaf.issuer().as_der(), root.subject().as_der());
        // OpenSSL's own identifier is a SHA-1, and is copied.
        assert_eq!(leaf.authority_key_identifier(), root.subject_key_identifier());
        directory.write("leaf.pem", &leaf.to_pem());
        assert!(directory.openssl(&format!("verify -x509_strict {} -CAfile ca.pem leaf.pem", at(begin))).contains("OK"));
        assert_eq!(verify_leaf(&leaf, &Chain::order(vec![root]).unwrap(), begin), Ok(()));
    }
}

#[test]
fn an_issuer_without_an_identifier_is_named_by_that_of_its_key() {
    let directory = Directory::new();
    let curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";
    directory.openssl(&format!("req -x509 {curve} -nodes -keyout ca.key -out ca.pem -subj /CN=a -addext subjectKeyIdentifier=none"));
    let root = Certificate::bundle_from_pem(&directory.read("ca.pem")).unwrap().remove(0);
    assert_eq!(root.subject_key_identifier(), None);
    let key = PrivateKey::from_pem(&directory.read("ca.key")).unwrap();
    let leaf = issue(&leaf(), key.public_key(), &root, &key).unwrap();
    assert_eq!(leaf.authority_key_identifier(), Some(&root.public_key().subject_key_identifier()[..]));
}

#[test]
fn certificates_that_openssl_made_are_read_in_full() {
    let directory = Directory::new();
    directory.openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-521 -nodes -keyout key.pem -out cert.pem -days 30 -subj /O=a/O=b/CN=c \
         -addext subjectAltName=DNS:a.example,IP:2001:db8::1,email:a@b.example,URI:urn:x:y,otherName:1.2.3;UTF8:z,otherName:1.2.4;IA5STRING:z,RID:1.2.5 \
         -addext keyUsage=digitalSignature,keyAgreement,decipherOnly -addext extendedKeyUsage=serverAuth,1.3.6.1.5.5.7.3.17 \
         -addext crlDistributionPoints=URI:http://crl.example/a \
         -addext authorityInfoAccess=OCSP;URI:http://o.example,caIssuers;URI:http://i.example",
    );
    let read = Certificate::bundle_from_pem(&directory.read("cert.pem")).unwrap().remove(0);
    let sans = [
        San::Dns("a.example".into()),
        San::Email("a@b.example".into()),
        San::Ip("2001:db8::1".parse().unwrap()),
        San::Uri("urn:x:y".into()),
        San::Other { type_id: "1.2.3".into(), value: "z".into() },
    ];
    assert_eq!(read.sans(), &sans.into());
    assert!(read.has_unknown_sans());
    let usages = [Usage::DigitalSignature, Usage::KeyAgreement, Usage::DecipherOnly, Usage::ServerAuth];
    assert_eq!(read.usages(), &usages.into());
    assert_eq!(read.crl_distribution_points(), ["http://crl.example/a"]);
    assert_eq!(read.ocsp_servers(), ["http://o.example"]);
    assert_eq!(read.issuing_certificate_urls(), ["http://i.example"]);
    assert_eq!(read.ca(), Some(CaConstraints { path_len: None }));
    assert!(!read.may_sign_certificates());
    assert!(read.is_self_signed());
    assert_eq!(read.subject().to_parts().unwrap().organizations, ["a", "b"]);
    let shown = directory.openssl("x509 -in cert.pem -noout -fingerprint -sha256 -serial");
    assert!(shown.to_lowercase().replace(':', "").contains(&read.sha256()));
    assert!(shown.to_lowercase().contains(&read.serial().to_string()));
}

#[test]
fn a_self_signed_certificate_is_signed_with_what_was_asked_for() {
    let directory = Directory::new();
    for kind in KINDS {
        let key = PrivateKey::generate(kind).unwrap();
        for algorithm in SignatureAlgorithm::ALL {
            let template = Template { self_signature: Some(algorithm), ..ca("own", 1, None) };
            if !algorithm.suits(kind) {
                assert_eq!(self_sign(&template, &key), Err(IssueError::SignatureAlgorithm { algorithm, key: kind }));
                assert!(key.sign_with(algorithm, b"a").is_err());
                continue;
            }
            let own = self_sign(&template, &key).unwrap();
            assert_eq!(own.signature_algorithm(), Some(algorithm));
            assert!(own.is_self_signed(), "{kind} {algorithm}");
            directory.write("own.pem", &own.to_pem());
            assert!(directory.openssl(&format!("verify -check_ss_sig {} -CAfile own.pem own.pem", at(noon()))).contains("OK"));
            let shown = directory.openssl("x509 -in own.pem -noout -text");
            let named = match algorithm {
                SignatureAlgorithm::Sha256WithRsa => "sha256WithRSAEncryption",
                SignatureAlgorithm::Sha384WithRsa => "sha384WithRSAEncryption",
                SignatureAlgorithm::Sha512WithRsa => "sha512WithRSAEncryption",
                SignatureAlgorithm::EcdsaWithSha256 => "ecdsa-with-SHA256",
                SignatureAlgorithm::EcdsaWithSha384 => "ecdsa-with-SHA384",
                SignatureAlgorithm::EcdsaWithSha512 => "ecdsa-with-SHA512",
                SignatureAlgorithm::PureEd25519 => "ED25519",
            };
            assert!(shown.contains(&format!("Signature Algorithm: {named}\n")), "{shown}");
            // What a CA signs is signed with what its key signs with usually.
            let leaf = issue(&Template { self_signature: Some(algorithm), ..leaf() }, key.public_key(), &own, &key).unwrap();
            assert_eq!(leaf.signature_algorithm(), Some(SignatureAlgorithm::usual(kind)));
        }
    }
}

/// Subjects from text, and what OpenSSL shows of them by RFC 2253, from which RFC 4514 differs in no character here.
#[test]
fn openssl_shows_a_subject_as_its_text_says() {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let directory = Directory::new();
    for (text, shown) in [
        ("CN=foo,OU=bar,O=baz,DC=corp,DC=example,DC=com", "CN=foo,OU=bar,O=baz,DC=corp,DC=example,DC=com"),
        ("CN = foo, OU = bar , C=DE", "CN=foo,OU=bar,C=DE"),
        (r#"CN=James \"Jim\" Smith\, III,DC=net"#, r#"CN=James \"Jim\" Smith\, III,DC=net"#),
        (r"CN=\ a\+b\;c\<d\>e\\f\ ,O=\#g", r"CN=\ a\+b\;c\<d\>e\\f\ ,O=\#g"),
        (r"CN=Lu\C4\8Di\C4\87", "CN=Lučić"),
        (
            "UID=1,street=Am Hof 1,L=Bonn,ST=NRW,postalCode=53113,serialNumber=7",
            "UID=1,street=Am Hof 1,L=Bonn,ST=NRW,postalCode=53113,serialNumber=7",
        ),
        ("E=a@example.com,CN=a", "emailAddress=a@example.com,CN=a"),
        ("1.2.3.4=#0c0161,CN=a", "1.2.3.4=#0C0161,CN=a"),
        // Within a relative name OpenSSL shows the set's elements from the last to the first.
        ("OU=Sales+CN=J.  Smith,DC=net", "CN=J.  Smith+OU=Sales,DC=net"),
    ] {
        let subject = Name::from_rfc4514(text).unwrap();
        let own = self_sign(&Template { subject: subject.clone(), ..ca("own", 1, None) }, &key).unwrap();
        assert_eq!(own.subject(), &subject);
        directory.write("own.pem", &own.to_pem());
        let said = directory.openssl("x509 -in own.pem -noout -subject -nameopt RFC2253,-esc_msb,utf8");
        assert_eq!(said.trim_end(), format!("subject={shown}"), "{text}");
    }
}

/// The order and the grouping are those that OpenSSL makes of the same values, which it writes as other string types.
#[test]
fn openssl_makes_the_same_subject_of_the_same_values() {
    let directory = Directory::new();
    for (text, subject) in [
        ("CN=foo,OU=bar,DC=example,DC=com", "/DC=com/DC=example/OU=bar/CN=foo"),
        ("OU=Sales+CN=J.  Smith+UID=7,C=DE", "/C=DE/UID=7+CN=J.~~Smith+OU=Sales"),
        ("CN=Zürich*,emailAddress=a@example.com", "/emailAddress=a@example.com/CN=Zürich*"),
    ] {
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem";
        directory.openssl(&format!("req -x509 -utf8 {key} -out cert.pem -subj {subject} -multivalue-rdn"));
        let theirs = Certificate::bundle_from_pem(&directory.read("cert.pem")).unwrap().remove(0);
        let ours = Name::from_rfc4514(text).unwrap();
        assert!(ours.has_same_values(theirs.subject()), "{text}: {}", theirs.subject());
    }
}

#[test]
fn openssl_shows_an_other_name() {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let directory = Directory::new();
    let upn = San::Other { type_id: "1.3.6.1.4.1.311.20.2.3".into(), value: "zoë@example.com".into() };
    let own = self_sign(&Template { sans: vec![upn.clone(), San::Dns("a.example".into())], ..template("own", 1) }, &key).unwrap();
    assert_eq!(own.sans(), &[upn, San::Dns("a.example".into())].into());
    assert!(!own.has_unknown_sans());
    directory.write("own.pem", &own.to_pem());
    let shown = directory.openssl("x509 -in own.pem -noout -ext subjectAltName");
    assert!(shown.contains("othername: UPN::zoë@example.com, DNS:a.example"), "{shown}");
}

/// What OpenSSL signs with other hashes and paddings than ours verifies too.
#[test]
fn foreign_signature_algorithms_verify() {
    for (key, options) in [
        ("ec -pkeyopt ec_paramgen_curve:P-384", "-sha256"),
        ("ec -pkeyopt ec_paramgen_curve:P-256", "-sha512"),
        ("rsa:2048", "-sha384"),
        ("rsa:2048", "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"),
    ] {
        let directory = Directory::new();
        directory.openssl(&format!("req -x509 -newkey {key} -nodes -keyout key.pem -out cert.pem -subj /CN=a {options}"));
        let read = Certificate::bundle_from_pem(&directory.read("cert.pem")).unwrap().remove(0);
        assert!(read.is_self_signed(), "{key} {options}");
    }
    let directory = Directory::new();
    directory.openssl("req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -subj /CN=a -sha1");
    let read = Certificate::bundle_from_pem(&directory.read("cert.pem")).unwrap().remove(0);
    assert!(!read.is_self_signed(), "SHA-1 is not accepted");
}
