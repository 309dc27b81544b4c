//! Name constraints: what is permitted here is permitted by OpenSSL, Go and webpki, and where one of them says otherwise, the
//! table says so.

use std::{collections::BTreeSet, path::Path, process::Command, sync::LazyLock, time::Duration};

use chancery_pki::{
    Certificate, Chain, IpRange, KeyAlgorithm, Name, NameConstraints, NameSubtrees, PrivateKey, San, Template, Usage, issue, self_sign,
    verify_leaf,
};
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::support::{Directory, at, ca, noon, template};

static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap());

/// `+DNS:a` is permitted, `-DNS:a` excluded; none for no text.
fn constraints(text: &str) -> Option<NameConstraints> {
    (!text.is_empty()).then(|| some_constraints(text))
}

fn some_constraints(text: &str) -> NameConstraints {
    let mut constraints = NameConstraints { critical: true, ..NameConstraints::default() };
    for item in text.split(' ') {
        let (form, value) = item[1..].split_once(':').unwrap();
        let list: &mut NameSubtrees = if item.starts_with('+') { &mut constraints.permitted } else { &mut constraints.excluded };
        match form {
            "DNS" => list.dns_domains.extend([value.to_owned()]),
            "IP" => list.ip_ranges.extend([value.parse::<IpRange>().unwrap()]),
            "email" => list.email_addresses.extend([value.to_owned()]),
            "URI" => list.uri_domains.extend([value.to_owned()]),
            other => panic!("{other}"),
        }
    }
    constraints
}

/// What a leaf is called, as in `CN:a DNS:b`.
fn names(text: &str) -> (Name, Vec<San>) {
    let (mut subject, mut sans) = (vec!["O=Leaf".to_owned()], Vec::new());
    for item in text.split(' ') {
        let (form, value) = item.split_once(':').unwrap();
        let other = |type_id: &str| San::Other { type_id: type_id.to_owned(), value: value.to_owned() };
        match form {
            "CN" | "E" => subject.insert(0, format!("{form}={value}")),
            "DNS" => sans.push(San::Dns(value.to_owned())),
            "IP" => sans.push(San::Ip(value.parse().unwrap())),
            "email" => sans.push(San::Email(value.to_owned())),
            "URI" => sans.push(San::Uri(value.to_owned())),
            "UPN" => sans.push(other("1.3.6.1.4.1.311.20.2.3")),
            "SmtpUTF8Mailbox" => sans.push(other("1.3.6.1.5.5.7.8.9")),
            unknown => panic!("{unknown}"),
        }
    }
    (Name::from_rfc4514(&subject.join(",")).unwrap(), sans)
}

/// Constraints of a root and of the CA below it, a leaf's names, whether they are permitted, and which programs say otherwise.
type Row = (&'static str, &'static str, &'static str, bool, &'static str);

const TABLE: [Row; 98] = [
    // DNS names.
    ("+DNS:example.com", "", "DNS:example.com", true, ""),
    ("+DNS:example.com", "", "DNS:a.example.com", true, ""),
    ("+DNS:example.com", "", "DNS:a.b.EXAMPLE.com", true, ""),
    ("+DNS:Example.COM", "", "DNS:a.example.com", true, ""),
    ("+DNS:example.com", "", "DNS:badexample.com", false, ""),
    ("+DNS:example.com", "", "DNS:example.com.evil.org", false, ""),
    ("+DNS:example.com", "", "DNS:com", false, ""),
    ("+DNS:example.com", "", "DNS:a.example.com DNS:evil.org", false, ""),
    ("+DNS:example.com +DNS:example.org", "", "DNS:a.example.com DNS:example.org", true, ""),
    ("+DNS:.example.com", "", "DNS:a.example.com", true, ""),
    ("+DNS:.example.com", "", "DNS:example.com", false, ""),
    ("+DNS:.example.com", "", "DNS:badexample.com", false, ""),
    ("+DNS:com", "", "DNS:example.com", true, ""),
    ("-DNS:example.com", "", "DNS:example.com", false, ""),
    ("-DNS:example.com", "", "DNS:a.example.com", false, ""),
    ("-DNS:example.com", "", "DNS:badexample.com", true, ""),
    ("-DNS:example.com", "", "DNS:com", true, ""),
    ("-DNS:.example.com", "", "DNS:example.com", true, ""),
    ("-DNS:.example.com", "", "DNS:a.example.com", false, ""),
    ("-DNS:EXAMPLE.com", "", "DNS:a.example.COM", false, ""),
    ("+DNS:example.com -DNS:secret.example.com", "", "DNS:a.example.com", true, ""),
    ("+DNS:example.com -DNS:secret.example.com", "", "DNS:a.secret.example.com", false, ""),
    ("-DNS:", "", "DNS:a.example.com", false, ""),
    ("+DNS:", "", "DNS:a.example.com", true, ""),
    ("-DNS: -IP:0.0.0.0/0 -IP:::/0", "", "email:a@example.com", true, ""),
    // Wildcards.
    ("+DNS:example.com", "", "DNS:*.example.com", true, ""),
    ("+DNS:.example.com", "", "DNS:*.example.com", true, ""),
    ("+DNS:a.example.com", "", "DNS:*.example.com", false, ""),
    ("+DNS:.a.example.com", "", "DNS:*.example.com", false, ""),
    ("-DNS:a.example.com", "", "DNS:*.example.com", false, "openssl"),
    ("-DNS:.a.example.com", "", "DNS:*.example.com", false, "openssl go"),
    ("-DNS:a.b.example.com", "", "DNS:*.example.com", true, ""),
    ("-DNS:example.com", "", "DNS:*.example.com", false, ""),
    ("-DNS:.example.com", "", "DNS:*.example.com", false, ""),
    ("-DNS:A.example.com", "", "DNS:*.EXAMPLE.com", false, "openssl"),
    ("-DNS:evil.org", "", "DNS:*.example.com", true, ""),
    // Common names: OpenSSL holds what looks like a DNS name to be one, where there is no other.
    ("+DNS:example.com", "", "CN:a.example.com", true, ""),
    ("+DNS:example.com", "", "CN:a.evil.org", false, "go webpki"),
    ("+DNS:example.com", "", "CN:a.evil.org DNS:a.example.com", true, ""),
    ("+DNS:example.com", "", "CN:evil", true, ""),
    ("+DNS:example.com", "", "CN:Evil~Org.~Ltd", true, ""),
    ("+DNS:example.com", "", "CN:10.0.0.1", false, "go webpki"),
    ("-DNS:a.example.com", "", "CN:*.example.com", true, ""),
    ("-DNS:evil.org", "", "CN:a.evil.org", false, "go webpki"),
    // Forms that are not constrained.
    ("+DNS:example.com", "", "IP:10.0.0.1 email:a@evil.org URI:https://evil.org/a UPN:a@evil.org", true, ""),
    ("+DNS:example.com", "", "URI:urn:a:b", true, "go"),
    ("+IP:10.0.0.0/8 +URI:example.com", "", "DNS:evil.org", true, ""),
    // IP addresses.
    ("+IP:10.0.0.0/8", "", "IP:10.1.2.3", true, ""),
    ("+IP:10.0.0.0/8", "", "IP:11.0.0.1", false, ""),
    ("+IP:10.0.0.0/8", "", "IP:10.0.0.1 IP:11.0.0.1", false, ""),
    ("+IP:10.0.0.0/8", "", "IP:2001:db8::1", false, ""),
    ("+IP:10.0.0.0/8 +IP:2001:db8::/32", "", "IP:10.0.0.1 IP:2001:db8::1", true, ""),
    ("+IP:2001:db8::/32", "", "IP:2001:db9::1", false, ""),
    ("+IP:2001:db8::/33", "", "IP:2001:db8:8000::1", false, ""),
    ("-IP:10.0.0.0/8", "", "IP:10.0.0.1", false, ""),
    ("-IP:10.0.0.0/8", "", "IP:2001:db8::1", true, ""),
    ("-IP:192.0.2.7/32", "", "IP:192.0.2.7", false, ""),
    ("-IP:192.0.2.7/32", "", "IP:192.0.2.6", true, ""),
    ("+IP:192.0.2.128/25 -IP:192.0.2.192/26", "", "IP:192.0.2.129", true, ""),
    ("+IP:192.0.2.128/25 -IP:192.0.2.192/26", "", "IP:192.0.2.193", false, ""),
    ("+IP:0.0.0.0/0", "", "IP:192.0.2.7", true, ""),
    ("-IP:::/0", "", "IP:2001:db8::1", false, ""),
    // E-mail addresses, which webpki does not process: it refuses them all.
    ("+email:root@example.com", "", "email:root@example.com", true, "webpki"),
    ("+email:root@example.com", "", "email:root@EXAMPLE.com", true, "webpki"),
    ("+email:root@example.com", "", "email:Root@example.com", false, ""),
    ("+email:root@example.com", "", "email:other@example.com", false, ""),
    ("+email:example.com", "", "email:a@example.com", true, "webpki"),
    ("+email:example.com", "", "email:a@b.example.com", false, "go"),
    ("+email:example.com", "", "email:a@badexample.com", false, ""),
    ("+email:.example.com", "", "email:a@b.example.com", true, "webpki"),
    ("+email:.example.com", "", "email:a@example.com", false, ""),
    ("-email:example.com", "", "email:a@example.com", false, ""),
    ("-email:example.com", "", "email:a@b.example.com", false, "openssl"),
    ("-email:.example.com", "", "email:a@example.com", true, "webpki"),
    ("-email:root@example.com", "", "email:other@example.com", true, "webpki"),
    ("-email:root@example.com", "", "email:root@example.com", false, ""),
    ("+email:example.com", "", "E:a@example.com", true, ""),
    ("+email:example.com", "", "E:a@evil.org", false, "go webpki"),
    ("+email:example.com", "", "E:a", false, "go webpki"),
    ("+email:example.com", "", "SmtpUTF8Mailbox:é@example.com", true, ""),
    ("+email:example.com", "", "SmtpUTF8Mailbox:é@evil.org", false, "go webpki"),
    ("-email:example.com", "", "SmtpUTF8Mailbox:é@example.com", false, "go webpki"),
    // URIs, which webpki does not process either.
    ("+URI:example.com", "", "URI:https://example.com/a?b#c", true, "webpki"),
    ("+URI:example.com", "", "URI:spiffe://Example.com:8443/ns/a", true, "webpki"),
    ("+URI:example.com", "", "URI:https://a.example.com/", false, "go"),
    ("+URI:.example.com", "", "URI:https://a.example.com/", true, "webpki"),
    ("+URI:.example.com", "", "URI:https://example.com/", false, ""),
    ("+URI:example.com", "", "URI:urn:a:b", false, ""),
    ("+URI:example.com", "", "URI:https://10.0.0.1/", false, ""),
    ("-URI:example.com", "", "URI:https://[2001:db8::1]/", false, "openssl"),
    ("-URI:example.com", "", "URI:https://example.com", false, ""),
    ("-URI:example.com", "", "URI:https://user@example.com/", false, "openssl"),
    ("-URI:example.com", "", "URI:https://a.example.com/", false, "openssl"),
    ("-URI:example.com", "", "URI:https://example.org/", true, "webpki"),
    // A chain: what is permitted must be permitted by each.
    ("", "+DNS:example.com", "DNS:evil.org", false, ""),
    ("+DNS:example.com", "+DNS:a.example.com", "DNS:a.example.com", true, ""),
    ("+DNS:example.com", "+DNS:a.example.com", "DNS:b.example.com", false, ""),
    ("+DNS:example.com", "+DNS:evil.org", "DNS:evil.org", false, ""),
];

fn says_of_names(output: &str) -> bool {
    [
        "subtree violation",
        "invalid name",
        "unsupported name constraint",
        "by any constraint",
        "by constraint",
        "against constraints",
        "NameConstraint",
    ]
    .into_iter()
    .any(|words| output.contains(words))
}

/// Whether OpenSSL accepts the leaf. It refuses it for its names or not at all.
fn openssl_accepts(directory: &Directory, time: Timestamp) -> bool {
    match directory.try_openssl(&format!("verify {} -CAfile root.pem -untrusted chain.pem chain.pem", at(time))) {
        Ok(_) => true,
        Err(said) if says_of_names(&said) => false,
        Err(said) => panic!("{said}"),
    }
}

fn go_accepts(directory: &Directory) -> bool {
    let gocheck = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/gocheck/bin/gocheck");
    let files = [directory.path("root.pem"), directory.path("chain.pem")];
    let output = Command::new(&gocheck).args(["path", &noon().to_string()]).args(files).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}: run `make tools`", gocheck.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || says_of_names(&said), "{said}");
    output.status.success()
}

fn webpki_accepts(leaf: &Certificate, chain: &Chain) -> bool {
    let der = |certificate: &Certificate| CertificateDer::from(certificate.as_der().to_vec());
    let [between, root] = chain.certificates() else { panic!("{chain:?}") };
    let (leaf, between, root) = (der(leaf), [der(between)], der(root));
    let anchors = [webpki::anchor_from_trusted_cert(&root).unwrap()];
    let leaf = webpki::EndEntityCert::try_from(&leaf).unwrap();
    let time = UnixTime::since_unix_epoch(Duration::from_secs(noon().as_second().unsigned_abs()));
    let purpose = webpki::KeyUsage::server_auth();
    match leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &between, time, purpose, None, None) {
        Ok(_) => true,
        Err(webpki::Error::NameConstraintViolation) => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn what_is_permitted_is_permitted_by_openssl_go_and_webpki() {
    let directory = Directory::new();
    let mut wrong = Vec::new();
    for (of_root, of_ca, leaf_names, permitted, but) in TABLE {
        let root = Template { name_constraints: constraints(of_root), ..ca("root", 1, None) };
        let root = self_sign(&root, &*KEY).unwrap();
        let below = Template { name_constraints: constraints(of_ca), ..ca("below", 2, None) };
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        let below = issue(&below, key.public_key(), &root, &*KEY).unwrap();
        let (subject, sans) = names(&leaf_names.replace('~', "\\20"));
        let leaf = Template { subject: subject.clone(), sans: sans.clone(), usages: vec![Usage::ServerAuth], ..template("leaf", 3) };
        let leaf = issue(&leaf, KEY.public_key(), &below, &key).unwrap();
        directory.write("root.pem", &root.to_pem());
        directory.write("chain.pem", &(leaf.to_pem() + &below.to_pem()));
        let chain = Chain::order(vec![below, root]).unwrap();

        let said = chain.permits_names(&subject, &sans, false);
        let verified = verify_leaf(&leaf, &chain, noon());
        let others =
            [("openssl", openssl_accepts(&directory, noon())), ("go", go_accepts(&directory)), ("webpki", webpki_accepts(&leaf, &chain))];
        let otherwise: BTreeSet<_> = others.into_iter().filter(|(_, accepts)| *accepts != permitted).map(|(name, _)| name).collect();
        if said.is_ok() != permitted || verified.is_ok() != permitted || otherwise != but.split_whitespace().collect() {
            wrong.push(format!("{of_root} | {of_ca} | {leaf_names}: {said:?}, {verified:?}, otherwise {otherwise:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What our own constraints cannot say is checked too, or refuses every name of its form. Go refuses such certificates whole.
#[test]
fn constraints_of_other_forms_are_checked_or_refuse_all_names_of_the_form() {
    let upn = "otherName:1.3.6.1.4.1.311.20.2.3;UTF8:@example.com";
    let table = [
        ("permitted;dirName:acme", "CN=a,O=Acme,DC=com", "", true, ""),
        ("permitted;dirName:acme", "CN=a,O=\\20ACME\\20\\20,DC=COM", "", true, ""),
        ("permitted;dirName:acme", "O=Acme,DC=com", "", true, ""),
        ("permitted;dirName:acme", "CN=a,O=Evil,DC=com", "", false, ""),
        ("permitted;dirName:acme", "DC=com", "", false, ""),
        ("permitted;dirName:acme", "CN=a,DC=com,O=Acme", "", false, ""),
        ("permitted;dirName:acme", "CN=a,OU=x+O=Acme,DC=com", "", false, ""),
        ("permitted;dirName:acme", "", "DNS:a.example.com", true, ""),
        ("excluded;dirName:secret", "CN=a,OU=Secret,O=Acme", "", false, ""),
        ("excluded;dirName:secret", "CN=a,OU=secret,O=ACME", "", false, ""),
        ("excluded;dirName:secret", "CN=a,O=Acme", "", true, ""),
        (upn, "CN=a", "DNS:a.example.com", true, ""),
        (upn, "CN=a", "UPN:a@example.com", false, ""),
        ("permitted;RID:1.2.3", "CN=a", "DNS:a.example.com UPN:a@example.com", true, ""),
        ("permitted;IP:10.0.0.0/255.0.255.0", "CN=a", "IP:10.1.0.1", false, "openssl"),
        ("permitted;DNS:*.example.com", "CN=a", "DNS:a.example.com", false, ""),
        ("excluded;DNS:*.example.com", "CN=a", "DNS:a.example.com", false, "openssl"),
        ("excluded;email:*@example.com", "CN=a", "email:a@example.com", true, ""),
        ("excluded;URI:https~//example.com", "CN=a", "URI:https://example.com/", false, "openssl"),
    ];
    let directory = Directory::new();
    for (constraints, subject, leaf_names, permitted, but) in table {
        let constraints = if constraints == upn { format!("permitted;{upn}") } else { constraints.replace('~', ":") };
        let (root, key) = foreign_root(&directory, &constraints);
        assert!(root.has_unknown_name_constraints() || constraints.contains("email"), "{constraints}");
        let subject = Name::from_rfc4514(subject).unwrap();
        let sans = if leaf_names.is_empty() { Vec::new() } else { names(leaf_names).1 };
        let begin = root.not_before();
        let leaf = Template {
            subject: subject.clone(),
            sans: sans.clone(),
            not_before: begin,
            not_after: begin + SignedDuration::from_hours(1),
            ..template("leaf", 3)
        };
        let leaf = issue(&leaf, key.public_key(), &root, &key).unwrap();
        directory.write("chain.pem", &leaf.to_pem());
        let chain = Chain::order(vec![root]).unwrap();
        assert_eq!(chain.permits_names(&subject, &sans, false).is_ok(), permitted, "{constraints} {subject} {leaf_names}");
        assert_eq!(verify_leaf(&leaf, &chain, begin).is_ok(), permitted, "{constraints} {subject} {leaf_names}");
        assert_eq!(openssl_accepts(&directory, begin) == permitted, but.is_empty(), "{constraints} {subject} {leaf_names}");
    }
}

/// A purpose that the chain refuses is found where webpki stops at a form of name that it does not process.
#[test]
fn purposes_count_under_constraints_that_webpki_does_not_process() {
    for (usage, stands) in [(Usage::EmailProtection, true), (Usage::ServerAuth, false)] {
        let root = Template {
            name_constraints: constraints("+email:example.com"),
            usages: vec![Usage::CertSign, Usage::EmailProtection],
            ..ca("root", 1, None)
        };
        let root = self_sign(&root, &*KEY).unwrap();
        let leaf = Template { sans: vec![San::Email("a@example.com".into())], usages: vec![usage], ..template("leaf", 3) };
        let leaf = issue(&leaf, KEY.public_key(), &root, &*KEY).unwrap();
        let chain = Chain::order(vec![root]).unwrap();
        assert_eq!(verify_leaf(&leaf, &chain, noon()).is_ok(), stands, "{usage}");
        assert_eq!(chain.permits_purpose(usage).is_ok(), stands, "{usage}");
        assert_eq!(chain.permits_purpose(Usage::DigitalSignature), Ok(()));
    }
}

#[test]
fn openssl_shows_the_constraints_as_they_were_asked_for() {
    let text =
        "+DNS:.example.com +DNS:example.org +IP:10.0.0.0/8 +IP:2001:db8::/32 +email:root@example.com +URI:.example.com -DNS:a.example.org";
    let wanted = constraints(text).unwrap();
    for critical in [true, false] {
        let directory = Directory::new();
        let wanted = NameConstraints { critical, ..wanted.clone() };
        let root = self_sign(&Template { name_constraints: Some(wanted.clone()), ..ca("root", 1, None) }, &*KEY).unwrap();
        assert_eq!(root.name_constraints(), Some(&wanted));
        assert!(!root.has_unknown_name_constraints());
        directory.write("root.pem", &root.to_pem());
        let shown = directory.openssl("x509 -in root.pem -noout -ext nameConstraints");
        let lines: Vec<_> = shown.lines().map(str::trim).collect();
        let expected = [
            if critical { "X509v3 Name Constraints: critical" } else { "X509v3 Name Constraints:" },
            "Permitted:",
            "DNS:.example.com",
            "DNS:example.org",
            "IP:10.0.0.0/255.0.0.0",
            "IP:2001:DB8:0:0:0:0:0:0/FFFF:FFFF:0:0:0:0:0:0",
            "email:root@example.com",
            "URI:.example.com",
            "Excluded:",
            "DNS:a.example.org",
        ];
        assert_eq!(lines, expected);
    }
}

/// What our own type cannot say: a root with these constraints in OpenSSL's words, and its key.
fn foreign_root(directory: &Directory, constraints: &str) -> (Certificate, PrivateKey) {
    directory.write(
        "root.cnf",
        &format!(
            "[req]\ndistinguished_name=dn\nx509_extensions=v3\nprompt=no\n[dn]\nCN=Foreign Root\n[v3]\nbasicConstraints=critical,CA:TRUE\n\
             keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\nnameConstraints=critical,{constraints}\n\
             [acme]\nDC=com\nO=Acme\n[secret]\nO=Acme\nOU=Secret\n"
        ),
    );
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key";
    directory.openssl(&format!("req -x509 {key} -out root.pem -config root.cnf"));
    let root = Certificate::bundle_from_pem(&directory.read("root.pem")).unwrap().remove(0);
    (root, PrivateKey::from_pem(&directory.read("root.key")).unwrap())
}
