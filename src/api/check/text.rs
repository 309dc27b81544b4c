//! Formats of single values. Each check gives what is wrong, for people; the caller knows the field.

use std::net::IpAddr;

/// How much of a value is quoted in a message.
const QUOTED: usize = 80;

/// A value as it is quoted in a message: escaped, and cut if it is long.
pub(super) fn quoted(value: &str) -> String {
    let shortened: String = value.chars().take(QUOTED).collect();
    let more = if shortened.len() < value.len() { "..." } else { "" };
    format!("{shortened:?}{more}")
}

/// A DNS-1123 label: the name of a namespace.
pub(super) fn label(value: &str) -> Result<(), String> {
    if value.len() > 63 {
        return Err("has more than 63 characters".to_owned());
    }
    if is_label(value) {
        return Ok(());
    }
    Err(format!("{} is no namespace: use lower-case letters, digits and -", quoted(value)))
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.bytes().all(|octet| matches!(octet, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// A DNS-1123 subdomain: the name of a Kubernetes object.
pub(super) fn subdomain(value: &str) -> Result<(), String> {
    if value.is_empty() {
        return Err("is empty".to_owned());
    }
    if value.len() > 253 {
        return Err("has more than 253 characters".to_owned());
    }
    if value.split('.').all(is_label) {
        return Ok(());
    }
    Err(format!("{} is no object name: use lower-case letters, digits, - and .", quoted(value)))
}

/// Text for a distinguished name: 1 to `most` characters, no control characters.
pub(super) fn attribute(value: &str, most: usize) -> Result<(), String> {
    if value.is_empty() {
        return Err("is empty".to_owned());
    }
    if value.chars().count() > most {
        return Err(format!("has more than {most} characters"));
    }
    if value.chars().any(char::is_control) {
        return Err(format!("{} holds a control character", quoted(value)));
    }
    Ok(())
}

/// A country: two letters (RFC 5280 appendix A).
pub(super) fn country(value: &str) -> Result<(), String> {
    if value.len() == 2 && value.bytes().all(|octet| octet.is_ascii_alphabetic()) {
        return Ok(());
    }
    Err(format!("{} is no country code: use the two letters of ISO 3166", quoted(value)))
}

/// An ASN.1 PrintableString of 1 to 64 characters.
pub(super) fn printable(value: &str) -> Result<(), String> {
    attribute(value, 64)?;
    if value.bytes().all(|octet| octet.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&octet)) {
        return Ok(());
    }
    Err(format!("{} holds characters other than letters, digits, spaces and '()+,-./:=?", quoted(value)))
}

/// An IP address in the one form that Kubernetes accepts too.
pub(super) fn ip(value: &str) -> Result<IpAddr, String> {
    match value.parse() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
            Err(format!("{} is an IPv4 address in IPv6 form; write it as IPv4", quoted(value)))
        }
        Ok(address) => Ok(address),
        Err(_) => Err(format!("{} is no IPv4 or IPv6 address", quoted(value))),
    }
}

/// The key of a label or annotation: an optional DNS subdomain and `/`, and a name of at most 63 characters.
pub(in crate::api) fn qualified_name(key: &str) -> Result<(), String> {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if let Some(prefix) = prefix {
        subdomain(prefix).map_err(|problem| format!("the prefix {problem}"))?;
    }
    if name.is_empty() || !word(name) {
        return Err(format!("{} is no key: use at most 63 letters, digits, -, _ and . after an optional prefix and /", quoted(key)));
    }
    Ok(())
}

/// A key of a Secret's data.
pub(super) fn data_key(key: &str) -> Result<(), String> {
    let fits = !key.is_empty() && key.len() <= 253 && key.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet));
    if fits {
        return Ok(());
    }
    Err(format!("{} is no key of a Secret: use at most 253 letters, digits, -, _ and .", quoted(key)))
}

/// The value of a label.
pub(super) fn label_value(value: &str) -> Result<(), String> {
    if value.is_empty() || word(value) {
        return Ok(());
    }
    Err(format!("{} is no label value: use at most 63 letters, digits, -, _ and .", quoted(value)))
}

/// At most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends.
fn word(value: &str) -> bool {
    value.len() <= 63
        && value.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet))
        && value.starts_with(|first: char| first.is_ascii_alphanumeric())
        && value.ends_with(|last: char| last.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_names_are_subdomains() {
        for good in ["a", "a-b.c", "0", &"a".repeat(253)] {
            assert_eq!(subdomain(good), Ok(()), "{good}");
        }
        for bad in ["", "A", "a_b", "-a", "a-", "a..b", ".a", "a.", "a/b", "a b", "\u{e4}", &"a".repeat(254)] {
            assert!(subdomain(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn namespaces_are_labels() {
        for good in ["a", "a-b", "0", &"a".repeat(63)] {
            assert_eq!(label(good), Ok(()), "{good}");
        }
        for bad in ["", "A", "a.b", "-a", "a-", "a/b", &"a".repeat(64)] {
            assert!(label(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_and_label_values_are_those_of_kubernetes() {
        for good in ["a", "example.com/a", "A_b.c-d"] {
            assert_eq!(qualified_name(good), Ok(()), "{good}");
        }
        for bad in ["", "/a", "a/", "a/b/c", "Example.com/a", "-a", &"a".repeat(64)] {
            assert!(qualified_name(bad).is_err(), "{bad}");
        }
        assert_eq!(label_value(""), Ok(()));
        assert!(label_value("a b").is_err());
    }

    #[test]
    fn an_address_has_one_form() {
        assert!(ip("10.0.0.1").is_ok() && ip("2001:db8::1").is_ok());
        for bad in ["", "10.0.0", "10.0.0.256", "010.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0", "10.0.0.0/8", "[::1]", "example.com"] {
            assert!(ip(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_long_value_is_cut_where_it_is_quoted() {
        assert_eq!(quoted("a\n"), "\"a\\n\"");
        assert_eq!(quoted(&"\u{e4}".repeat(81)).chars().count(), 80 + 2 + 3);
    }
}
