//! Names: how they are written, read, shown and compared.

use super::*;

fn full() -> SubjectParts {
    let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    SubjectParts {
        common_name: Some("a, b".into()),
        organizations: list(&["One", "Two"]),
        countries: list(&["DE"]),
        organizational_units: list(&["Ops", "Ops", "Zürich"]),
        localities: list(&["Bonn"]),
        provinces: list(&["NRW"]),
        street_addresses: list(&["Am Hof 1"]),
        postal_codes: list(&["53113"]),
        serial_number: Some("7".into()),
    }
}

#[test]
fn a_name_keeps_every_value_in_the_order_of_go() {
    let name = Name::from_parts(&full()).unwrap();
    assert_eq!(
        name.to_string(),
        "SERIALNUMBER=7,CN=a\\, b,OU=Zürich,OU=Ops,OU=Ops,O=Two,O=One,POSTALCODE=53113,STREET=Am Hof 1,L=Bonn,ST=NRW,C=DE"
    );
    assert_eq!(name.to_parts(), Some(full()));
    assert_eq!(Name::from_der(name.as_der()), Ok(name));
}

#[test]
fn values_are_printable_strings_where_they_fit() {
    const PRINTABLE: u8 = 0x13;
    const UTF8: u8 = 0x0c;
    for (value, tag) in [("DE", PRINTABLE), ("a*b", UTF8), ("é", UTF8), ("x@y", UTF8)] {
        let name = Name::from_parts(&SubjectParts { organizations: vec![value.into()], ..SubjectParts::default() }).unwrap();
        // SEQUENCE, SET, SEQUENCE, OBJECT IDENTIFIER of five octets, then the value.
        assert_eq!(name.as_der()[11], tag, "{value}");
    }
}

#[test]
fn a_value_that_cannot_stand_is_named() {
    let parts = |value: &str| SubjectParts { common_name: Some(value.into()), ..SubjectParts::default() };
    assert_eq!(Name::from_parts(&parts("")), Err(NameError::Empty { attribute: "CN".into() }));
    assert_eq!(Name::from_parts(&parts("a\0b")), Err(NameError::ControlCharacter { attribute: "CN".into(), value: "a\0b".into() }));
    assert_eq!(Name::from_parts(&parts(&"é".repeat(65))), Err(NameError::TooLong { attribute: "CN".into(), characters: 65, most: 64 }));
    assert!(Name::from_parts(&parts(&"é".repeat(64))).is_ok());
}

#[test]
fn values_in_one_set_have_no_order_and_all_others_have() {
    let parts = |organizations: &[&str]| SubjectParts {
        organizations: organizations.iter().map(|&value| value.into()).collect(),
        common_name: Some("c".into()),
        ..SubjectParts::default()
    };
    let name = |text: &str| Name::from_rfc4514(text).unwrap();
    let (set, list) = (name("CN=c,O=One+O=Other+O=Third"), Name::from_parts(&parts(&["Third", "One", "Other"])).unwrap());
    assert!(set.has_parts(&parts(&["Third", "One", "Other"])) && set.has_parts(&parts(&["One", "Other", "Third"])));
    assert!(list.has_parts(&parts(&["Third", "One", "Other"])) && !list.has_parts(&parts(&["One", "Third", "Other"])));
    let both = name("CN=c,O=Third+O=Other,O=One");
    assert!(both.has_parts(&parts(&["One", "Other", "Third"])) && !both.has_parts(&parts(&["Other", "One", "Third"])));
    for wrong in [&["One", "Other"][..], &["One", "Other", "Other"], &["One", "Other", "Third", "Third"], &[]] {
        assert!(!set.has_parts(&parts(wrong)) && !list.has_parts(&parts(wrong)), "{wrong:?}");
    }
    assert!(!name("CN=c,O=One,DC=com").has_parts(&parts(&["One"])) && !name("CN=c,O=One,1.2.3=a").has_parts(&parts(&["One"])));
    assert!(name("").has_parts(&SubjectParts::default()));
}

#[test]
fn a_value_is_within_the_bounds_of_its_attribute_however_it_is_written() {
    let error = |text: &str| Name::from_rfc4514(text).unwrap_err().to_string();
    for (key, most) in [("C", 2), ("SERIALNUMBER", 64), ("O", 64), ("OU", 64), ("CN", 64), ("L", 128), ("ST", 128)] {
        let (fits, long) = ("a".repeat(most), "a".repeat(most + 1));
        assert!(Name::from_rfc4514(&format!("{key}={fits}")).is_ok(), "{key}");
        let said = format!("{key} in the subject has {} characters, at most {most} are allowed", most + 1);
        assert_eq!(error(&format!("{key}={long}")), said);
        assert_eq!(error(&format!("{key}=#13{:02x}{}", most + 1, "61".repeat(most + 1)).replace("#1381", "#138181")), said);
        // A BMPString, of two octets for each character.
        if most == 64 && key != "SERIALNUMBER" {
            assert_eq!(error(&format!("{key}=#1e8182{}", "0061".repeat(most + 1))), said);
        }
    }
    assert_eq!(error("C=D"), "C in the subject has 1 characters, at least 2 are needed");
    for text in ["C=é!", "C=#0c024445", "SERIALNUMBER=a*", "SERIALNUMBER=#0c0161", "2.5.4.46=a*", "2.5.4.46=#0c0161"] {
        assert!(error(text).contains("is no PrintableString, as it must be"), "{text}");
    }
    assert!(Name::from_rfc4514("C=#13024445,SERIALNUMBER=#130161,2.5.4.46=#130161").is_ok());
    // What others wrote is taken as it is: here C is the UTF8String "D".
    let foreign = [0x30, 0x0c, 0x31, 0x0a, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x06, 0x0c, 0x01, 0x44];
    assert_eq!(Name::from_der(&foreign).map(|name| name.to_string()).as_deref(), Ok("C=D"));
}

#[test]
fn the_empty_name_is_empty() {
    let name = Name::from_parts(&SubjectParts::default()).unwrap();
    assert!(name.is_empty());
    assert_eq!((name.to_string(), name.to_parts()), (String::new(), Some(SubjectParts::default())));
}

#[test]
fn attributes_without_a_short_name_are_shown_as_their_der() {
    // 1.2.3=UTF8String "a", and CN=BMPString "a".
    let unknown = Name::from_der(&[0x30, 0x0b, 0x31, 0x09, 0x30, 0x07, 0x06, 0x02, 0x2a, 0x03, 0x0c, 0x01, 0x61]).unwrap();
    assert_eq!(unknown.to_string(), "1.2.3=#0c0161");
    assert_eq!(unknown.to_parts(), None);
    let bmp = Name::from_der(&[0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x03, 0x1e, 0x02, 0x00, 0x61]).unwrap();
    assert_eq!(bmp.to_string(), "CN=#1e020061");
}

#[test]
fn octets_that_are_no_name_are_refused() {
    for octets in [&[][..], &[0x30], &[0x31, 0x00], &[0x30, 0x00, 0x00], &[0x30, 0x02, 0x05, 0x00], &[0x30, 0x02, 0x31, 0x00]] {
        assert_eq!(Name::from_der(octets), Err(NameError::Malformed), "{octets:?}");
    }
}

#[test]
fn names_of_other_string_types_have_the_same_values() {
    let name = |text: &str| Name::from_rfc4514(text).unwrap();
    // CN is a PrintableString in one and a UTF8String in the other; so is UID, where the order of the set depends on it.
    let (one, other) = (name("CN=a+UID=1,O=b"), name("CN=#0c0161+UID=#0c0131,O=b"));
    assert_ne!(one, other);
    assert!(one.has_same_values(&other) && other.has_same_values(&one));
    for different in ["CN=A+UID=1,O=b", "O=b,CN=a+UID=1", "CN=a,UID=1,O=b", "CN=a+UID=1", "CN=#1e020061+UID=1,O=b", ""] {
        assert!(!one.has_same_values(&name(different)), "{different}");
    }
}

#[test]
fn the_parts_that_have_a_field_are_found_among_others() {
    let name = Name::from_rfc4514("CN=second,DC=x,OU=b+UID=1,CN=first,OU=a,SERIALNUMBER=9,SERIALNUMBER=7,O=#1e020061").unwrap();
    assert_eq!(name.to_parts(), None);
    let parts = SubjectParts {
        common_name: Some("first".into()),
        organizational_units: vec!["a".into(), "b".into()],
        serial_number: Some("7".into()),
        ..SubjectParts::default()
    };
    assert_eq!(name.known_parts(), parts);
    assert_eq!(Name::from_parts(&full()).unwrap().known_parts(), full());
}

#[test]
fn a_name_lies_below_its_first_relative_names() {
    let lies_below = |text: &str, base: &str| Name::from_rfc4514(text).unwrap().lies_below(&Name::from_rfc4514(base).unwrap());
    for base in ["", "DC=com", "O=Acme  inc,DC=COM", "CN=#0c0161,O=acme Inc,DC=com"] {
        assert!(lies_below("CN=a,O=Acme Inc,DC=com", base), "{base}");
    }
    for base in ["CN=a", "O=Acme,DC=com", "O=Acme Inc", "CN=b,CN=a,O=Acme Inc,DC=com", "OU=x+O=Acme Inc,DC=com"] {
        assert!(!lies_below("CN=a,O=Acme Inc,DC=com", base), "{base}");
    }
}

#[test]
fn a_name_that_differs_in_case_and_space_only_is_the_same_name() {
    let name = |text: &str| Name::from_rfc4514(text).unwrap();
    assert!(name("CN=Corp Root,DC=corp").matches(&name("CN=corp  ROOT,DC=CORP")));
    assert!(name("CN=Corp Root+UID=a").matches(&name("UID=A+CN=#0c09636f727020726f6f74")));
    for other in ["CN=Corp Root 2,DC=corp", "DC=corp,CN=Corp Root", "CN=Corp Root", "CN=Corp Root,DC=corp,DC=corp"] {
        assert!(!name("CN=Corp Root,DC=corp").matches(&name(other)), "{other}");
    }
}
