//! Specs that a user may write: every field that says something of a certificate or its Secret, mostly valid together, and a table of
//! what is not.

use std::collections::BTreeMap;

use chancery_pki::{SignatureAlgorithm, Usage, keystore::Pkcs12Profile};
use proptest::{collection, option, prelude::*, sample};
use serde_json::{Map, Value, json};

/// A relative distinguished name: attributes by their short names, with their values.
pub(super) type Rdn = BTreeMap<String, String>;

/// A spec, and the subject that it asks for, first to last.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) spec: Value,
    pub(super) subject: Vec<Rdn>,
}

pub(super) fn specs() -> impl Strategy<Value = Value> {
    asked().prop_map(|asked| asked.spec)
}

pub(super) fn asked() -> impl Strategy<Value = Asked> {
    (names(), subject(), key(), lasting(), authority(), forms()).prop_map(|(names, (subject, rdns), key, lasting, authority, forms)| {
        let mut spec = Map::new();
        for part in [names, subject, key, lasting, authority, forms] {
            spec.extend(part.as_object().cloned().unwrap_or_default());
        }
        let mut rdns = rdns;
        let is_ca = spec["isCA"] == true;
        let lists = ["dnsNames", "ipAddresses", "uris", "emailAddresses", "otherNames"];
        let named = lists.iter().any(|list| spec.get(*list).and_then(Value::as_array).is_some_and(|list| !list.is_empty()));
        if spec.get("literalSubject").is_none() && spec.get("commonName").is_none() && (is_ca || !named) {
            spec.insert("commonName".to_owned(), json!("name"));
            let place = rdns.iter().position(|rdn| rdn.contains_key("serialNumber")).unwrap_or(rdns.len());
            rdns.insert(place, single("CN", "name"));
        }
        Asked { spec: Value::Object(spec), subject: rdns }
    })
}

fn single(attribute: &str, value: &str) -> Rdn {
    Rdn::from([(attribute.to_owned(), value.to_owned())])
}

fn names() -> impl Strategy<Value = Value> {
    let dns = collection::btree_set(r"(\*\.)?[a-zA-Z]{1,8}\.example", 0..4);
    let ips = sample::subsequence(vec!["10.0.0.1", "192.0.2.255", "2001:DB8::1", "fe80::"], 0..3);
    let uris = sample::subsequence(vec!["spiffe://a.example/ns/b", "https://A.example:8443/a%20b?x=1#y", "urn:uuid:f81d4fae"], 0..3);
    let emails = sample::subsequence(vec!["a@b.example", "First.Last+tag@Example.com"], 0..2);
    let others =
        collection::btree_set((sample::select(vec!["1.3.6.1.4.1.311.20.2.3", "1.2.3.4", "2.25.7"]), "[a-zA-Z0-9@.ü ]{0,11}[a-zü]"), 0..3);
    (dns, ips, uris, emails, option::weighted(0.3, others)).prop_map(|(dns, ips, uris, emails, others)| {
        let others: Vec<Value> = others.into_iter().flatten().map(|(oid, value)| json!({"oid": oid, "utf8Value": value})).collect();
        json!({"dnsNames": dns, "ipAddresses": ips, "uris": uris, "emailAddresses": emails, "otherNames": others})
    })
}

/// What a part of a subject may say: all that RFC 4514 escapes, and more than ASCII.
const TEXT: &str = "[A-Za-z0-9@*äß ,+=;<>#\"\\\\]{0,10}[A-Za-z0-9ü]";

fn subject() -> impl Strategy<Value = (Value, Vec<Rdn>)> {
    prop_oneof![3 => parts(), 1 => literal()]
}

fn parts() -> impl Strategy<Value = (Value, Vec<Rdn>)> {
    let list = || collection::vec(TEXT, 0..3);
    let countries = collection::vec(sample::select(vec!["DE", "FR"]), 0..2);
    let places = (list(), list(), list(), list());
    let subject = option::of((countries, places, list(), list(), option::of("[A-Z]{1,3} [0-9]{1,4}")));
    (option::of("[a-z]{1,12}"), subject).prop_map(|(common_name, subject)| {
        let mut spec = json!({});
        let mut rdns: Vec<Rdn> = Vec::new();
        let mut serial_number = None;
        if let Some((countries, (provinces, localities, streets, codes), organizations, units, serial)) = subject {
            spec["subject"] = json!({
                "countries": countries, "provinces": provinces, "localities": localities, "streetAddresses": streets,
                "postalCodes": codes, "organizations": organizations, "organizationalUnits": units, "serialNumber": serial,
            });
            let countries: Vec<String> = countries.into_iter().map(ToOwned::to_owned).collect();
            let lists = [
                ("C", countries),
                ("ST", provinces),
                ("L", localities),
                ("street", streets),
                ("postalCode", codes),
                ("O", organizations),
                ("OU", units),
            ];
            for (attribute, values) in lists {
                rdns.extend(values.iter().map(|value| single(attribute, value)));
            }
            serial_number = serial;
        }
        if let Some(name) = common_name {
            spec["commonName"] = json!(name);
            rdns.push(single("CN", &name));
        }
        rdns.extend(serial_number.map(|serial| single("serialNumber", &serial)));
        (spec, rdns)
    })
}

fn literal() -> impl Strategy<Value = (Value, Vec<Rdn>)> {
    let texts = ["CN", "O", "OU", "C", "ST", "L", "street", "postalCode", "serialNumber", "UID", "1.2.3.4"];
    let text = (sample::select(texts.to_vec()), TEXT);
    let ascii = (sample::select(vec!["DC", "emailAddress"]), "[a-z]{1,8}(@[a-z]{1,5})?");
    let attribute = prop_oneof![4 => text, 1 => ascii].prop_map(|(attribute, value)| (attribute.to_owned(), value));
    collection::vec(collection::vec(attribute, 1..4), 1..5).prop_map(|rdns| {
        let rdns: Vec<Rdn> = rdns.into_iter().map(|attributes| attributes.into_iter().collect()).collect();
        let one = |(attribute, value): (&String, &String)| format!("{attribute}={}", escaped(value));
        let text: Vec<String> = rdns.iter().rev().map(|rdn| rdn.iter().map(one).collect::<Vec<_>>().join("+")).collect();
        (json!({"literalSubject": text.join(", ")}), rdns)
    })
}

/// A value as RFC 4514 section 2.4 writes it.
pub(super) fn escaped(value: &str) -> String {
    let special = |character: char| ",+\"\\<>;#= ".contains(character);
    value.chars().flat_map(|character| special(character).then_some('\\').into_iter().chain([character])).collect()
}

fn key() -> impl Strategy<Value = Value> {
    let kinds = vec![("ECDSA", 256), ("ECDSA", 384), ("ECDSA", 521), ("Ed25519", 0), ("RSA", 2048)];
    let key = option::of((sample::select(kinds), 0..3_u8, 0..3_u8));
    let usages = collection::vec(sample::select(Usage::ALL.to_vec()), 0..5);
    let signature = option::weighted(0.2, sample::select(SignatureAlgorithm::ALL.to_vec()));
    (key, usages, signature).prop_map(|(key, usages, signature)| {
        let mut spec = json!({"usages": usages});
        if let Some(((algorithm, size), encoding, rotation)) = key {
            let mut key = json!({"algorithm": algorithm});
            if size > 0 {
                key["size"] = json!(size);
            }
            if encoding > 0 {
                key["encoding"] = json!(["PKCS1", "PKCS8"][usize::from(encoding - 1)]);
            }
            if rotation > 0 {
                key["rotationPolicy"] = json!(["Never", "Always"][usize::from(rotation - 1)]);
            }
            spec["privateKey"] = key;
            if let Some(signature) = signature.filter(|signature| signature.family() == algorithm) {
                spec["signatureAlgorithm"] = json!(signature);
            }
        } else if let Some(signature) = signature {
            spec["signatureAlgorithm"] = json!(signature);
        }
        spec
    })
}

fn lasting() -> impl Strategy<Value = Value> {
    (option::of(1..20_000_i64), 0..100_i64, 0..3_u8, 0..6_u8).prop_map(|(duration, lead, rule, window)| {
        let mut spec = json!({});
        if let Some(hours) = duration {
            spec["duration"] = json!(format!("{hours}h"));
        }
        match rule {
            1 if lead > 0 => spec["renewBeforePercentage"] = json!(lead),
            2 => spec["renewBefore"] = json!(format!("{}m", 5 + duration.unwrap_or(1000) * lead / 2)),
            _ => {}
        }
        match window {
            3 => spec["renewal"] = json!({"policy": "Disabled"}),
            4 => spec["renewal"] = json!({"windows": [{"cron": "0 2 * * *", "windowDuration": "1h"}]}),
            5 => spec["renewal"] = json!({"windows": [{"cron": "@monthly", "windowDuration": "50h", "timezone": "Europe/Berlin"}]}),
            _ => {}
        }
        spec
    })
}

fn authority() -> impl Strategy<Value = Value> {
    let subtrees = || {
        let domains = || sample::subsequence(vec!["example.com", ".example.org", "Corp.example"], 0..3);
        let ranges = sample::subsequence(vec!["10.0.0.0/8", "192.0.2.77/24", "2001:db8::/32", "0.0.0.0/0"], 0..3);
        let emails = sample::subsequence(vec!["example.com", ".example.org", "Root@example.com"], 0..3);
        (domains(), ranges, emails, domains()).prop_map(
            |(dns, ranges, emails, uris)| json!({"dnsDomains": dns, "ipRanges": ranges, "emailAddresses": emails, "uriDomains": uris}),
        )
    };
    let constraints = option::of((any::<bool>(), option::of(subtrees()), option::of(subtrees())));
    (any::<bool>(), constraints, option::of(0..4_u8)).prop_map(|(is_ca, constraints, path_len)| {
        let mut spec = json!({"isCA": is_ca});
        if is_ca {
            if let Some((critical, permitted, excluded)) = constraints {
                spec["nameConstraints"] = json!({"critical": critical, "permitted": permitted, "excluded": excluded});
            }
            spec["pathLen"] = json!(path_len);
        }
        spec
    })
}

fn forms() -> impl Strategy<Value = Value> {
    let formats = sample::subsequence(vec!["DER", "CombinedPEM"], 0..3);
    let password = || {
        prop_oneof![
            Just(json!({"password": "changeit"})),
            Just(json!({"passwordSecretRef": {"name": "stores"}})),
            Just(json!({"passwordSecretRef": {"name": "stores", "key": "jks"}})),
        ]
    };
    let jks = option::weighted(0.2, (any::<bool>(), option::of("[a-z]{1,8}"), password()));
    let pkcs12 = option::weighted(0.2, (any::<bool>(), option::of(sample::select(Pkcs12Profile::ALL.to_vec())), password()));
    let template = option::weighted(0.2, ("[a-z]{1,5}", "[a-z]{1,5}"));
    (formats, jks, pkcs12, template, option::of(any::<bool>()), option::of(1..9_u8)).prop_map(
        |(formats, jks, pkcs12, template, encodes, kept)| {
            let with = |mut store: Value, password: Value| {
                let password = password.as_object().cloned().unwrap_or_default();
                store.as_object_mut().unwrap().extend(password);
                store
            };
            json!({
                "additionalOutputFormats": formats.iter().map(|format| json!({"type": format})).collect::<Vec<_>>(),
                "keystores": {
                    "jks": jks.map(|(create, alias, password)| with(json!({"create": create, "alias": alias}), password)),
                    "pkcs12": pkcs12.map(|(create, profile, password)| with(json!({"create": create, "profile": profile}), password)),
                },
                "secretTemplate": template.map(|(key, value)| json!({"labels": {&key: &value}, "annotations": {key: value}})),
                "encodeUsagesInRequest": encodes,
                "revisionHistoryLimit": kept,
            })
        },
    )
}

/// What makes any spec a wrong one: fields that take the place of its own.
pub(super) fn wrong() -> Vec<Value> {
    let mut wrong = vec![
        json!({"secretName": "Not_a_name"}),
        json!({"issuerRef": {"name": "ca", "group": "example.com"}}),
        json!({"issuerRef": {"name": "ca", "kind": "Notary"}}),
        json!({"literalSubject": "CN=a", "commonName": "a"}),
        json!({"literalSubject": "CN=a", "subject": {"countries": ["DE"]}}),
        json!({"subject": {"countries": ["Germany"]}}),
        json!({"subject": {"organizations": [""]}}),
        json!({"subject": {"serialNumber": "ü"}}),
        json!({"dnsNames": ["a_b.example"]}),
        json!({"dnsNames": 7}),
        json!({"ipAddresses": ["::ffff:10.0.0.1"]}),
        json!({"uris": ["no scheme"]}),
        json!({"emailAddresses": ["A B <a@b.example>"]}),
        json!({"isCA": false, "usages": ["cert sign"], "nameConstraints": null, "pathLen": null}),
        json!({"isCA": false, "nameConstraints": {"permitted": {"dnsDomains": ["a.example"]}}}),
        json!({"isCA": false, "pathLen": 0}),
        json!({"isCA": true, "pathLen": -1}),
        json!({"isCA": true, "nameConstraints": {}}),
        json!({"isCA": true, "nameConstraints": {"permitted": {}, "excluded": {"ipRanges": []}}}),
        json!({"isCA": true, "nameConstraints": {"excluded": {"ipRanges": ["10.0.0.0"]}}}),
        json!({"isCA": true, "nameConstraints": {"permitted": {"dnsDomains": ["*.example"]}}}),
        json!({"isCA": true, "nameConstraints": {"permitted": {"uriDomains": ["10.0.0.1"]}}}),
        json!({"isCA": true, "literalSubject": null, "commonName": null, "subject": null}),
        json!({"duration": "59m"}),
        json!({"duration": "2h", "renewBefore": "2h", "renewBeforePercentage": null}),
        json!({"renewBefore": "5m", "renewBeforePercentage": 10}),
        json!({"renewBefore": null, "renewBeforePercentage": 100}),
        json!({"privateKey": {"algorithm": "RSA", "size": 1024}}),
        json!({"privateKey": {"algorithm": "RSA"}, "signatureAlgorithm": "ECDSAWithSHA256"}),
        json!({"privateKey": {"algorithm": "Ed25519"}, "signatureAlgorithm": "SHA256WithRSA"}),
        json!({"signatureAlgorithm": "MD5WithRSA"}),
        json!({"usages": ["world domination"]}),
        json!({"revisionHistoryLimit": 0}),
        json!({"additionalOutputFormats": [{"type": "DER"}, {"type": "DER"}]}),
        json!({"additionalOutputFormats": [{"type": "PEM"}]}),
        json!({"keystores": {"jks": {"create": true}}}),
        json!({"keystores": {"jks": {"create": true, "password": ""}}}),
        json!({"keystores": {"jks": {"create": true, "password": "a", "alias": ""}}}),
        json!({"keystores": {"pkcs12": {"create": true, "password": "a", "passwordSecretRef": {"name": "a"}}}}),
        json!({"keystores": {"pkcs12": {"create": true, "passwordSecretRef": {"name": "A"}}}}),
        json!({"keystores": {"pkcs12": {"create": true, "passwordSecretRef": {"name": "a", "key": "../b"}}}}),
        json!({"keystores": {"pkcs12": {"create": true, "password": "a", "profile": "Newest"}}}),
        json!({"secretTemplate": {"annotations": {"chancery.dev/certificate-name": "other"}}}),
        json!({"secretTemplate": {"labels": {"a": "not a value!"}}}),
    ];
    for text in ["", "CN", "CN=", "CN=a,", "nickname=a", "CN=a\u{7}", "CN=#zz", "O=a\\", "CN=a+CN=a", "DC=ü", "CN=a,=b"] {
        wrong.push(json!({"literalSubject": text, "commonName": null, "subject": null}));
    }
    wrong.push(json!({"literalSubject": format!("CN={}", "a".repeat(65)), "commonName": null, "subject": null}));
    for (oid, value) in [("", "a"), ("1", "a"), ("1.2.3.", "a"), ("01.2.3", "a"), ("upn", "a"), ("1.2.3", ""), ("1.2.3", "a\nb")] {
        wrong.push(json!({"otherNames": [{"oid": oid, "utf8Value": value}]}));
    }
    wrong
}
