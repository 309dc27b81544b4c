//! Names from text: whatever the text is, there is a name that reads back from what it shows, or an error.

use chancery_pki::{Name, SubjectParts};
use proptest::{collection::vec, option, prelude::*};

/// Text that is made of what means something in a name.
fn any_near_name() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("CN=".to_owned()),
        Just("dc=".to_owned()),
        Just("1.2.3=".to_owned()),
        Just("E=".to_owned()),
        Just("#0c0161".to_owned()),
        Just("#1e020061".to_owned()),
        Just("#1200".to_owned()),
        "[,;+=\\\\\" #<>]",
        "\\\\[0-9a-fA-F]{2}",
        "\\PC{0,3}",
        "[a-z]{1,3}",
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn escaped(value: &str) -> String {
    let escape = |character: char| match character {
        ' ' | '"' | '#' | '+' | ',' | ';' | '<' | '=' | '>' | '\\' => format!("\\{character}"),
        other => other.to_string(),
    };
    value.chars().map(escape).collect()
}

/// Each relative name's keys and values.
fn any_rdns() -> impl Strategy<Value = Vec<Vec<(&'static str, String)>>> {
    let value = || prop_oneof!["[A-Za-z0-9 '()+,./:=?-]{1,20}", "[\\PC&&[^\u{fffe}\u{ffff}]]{1,10}"];
    let text = (prop::sample::select(vec!["CN", "OU", "O", "L", "ST", "UID", "STREET", "1.2.3"]), value());
    let printable = prop_oneof![(Just("C"), "[A-Za-z]{2}"), (Just("SERIALNUMBER"), "[A-Za-z0-9 '()+,./:=?-]{1,20}")];
    let ascii = (prop::sample::select(vec!["DC", "EMAILADDRESS"]), "[ -~]{1,20}".prop_map(String::from));
    vec(vec(prop_oneof![text, ascii, printable], 1..4), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn any_text_is_a_name_that_reads_back_or_an_error(text in prop_oneof![any_near_name(), ".*"]) {
        if let Ok(name) = Name::from_rfc4514(&text) {
            prop_assert_eq!(Name::from_der(name.as_der()), Ok(name.clone()));
            let again = Name::from_rfc4514(&name.to_string()).unwrap();
            prop_assert!(again.has_same_values(&name), "{} {}", again, name);
            // What is shown does not change any more.
            prop_assert_eq!(again.to_string(), name.to_string());
        }
    }

    #[test]
    fn values_come_through_whatever_they_hold(rdns in any_rdns()) {
        let text = |(key, value): &(&str, String)| format!("{key}={}", escaped(value));
        let text = rdns.iter().map(|rdn| rdn.iter().map(text).collect::<Vec<_>>().join("+")).collect::<Vec<_>>().join(",");
        let twice = rdns.iter().any(|rdn| rdn.iter().enumerate().any(|(index, attribute)| rdn[..index].contains(attribute)));
        prop_assume!(!twice);
        let name = Name::from_rfc4514(&text).unwrap();
        prop_assert_eq!(Name::from_rfc4514(&name.to_string()).unwrap(), name.clone());
        let common_names: Vec<_> = rdns.iter().rev().flatten().filter(|(key, _)| *key == "CN").map(|(_, value)| value).collect();
        if let [only] = common_names.as_slice() {
            prop_assert_eq!(name.known_parts().common_name, Some((*only).clone()));
        }
    }

    #[test]
    fn a_name_of_parts_is_the_name_of_its_text(
        common_name in option::of("[\\PC&&[^\u{fffe}\u{ffff}]]{1,10}"),
        organizations in vec("[ -~]{1,9}", 0..3),
        countries in vec("[A-Z]{2}", 0..2),
    ) {
        let parts = SubjectParts { common_name, organizations, countries, ..SubjectParts::default() };
        let name = Name::from_parts(&parts).unwrap();
        prop_assert_eq!(Name::from_rfc4514(&name.to_string()), Ok(name.clone()));
        prop_assert_eq!(name.known_parts(), parts);
    }
}
