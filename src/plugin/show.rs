//! A revocation list as text for people.

use std::io::{self, Write};

use aws_lc_rs::digest;
use chancery_pki::{Certificate, Crl, CrlScope, Hexadecimal, Revoked};

/// Writes what a list says: a head with what it is, and a line for each revoked certificate. `signers` are certificates of those who
/// may have signed it; with none the signature is not looked at, and the text says so.
///
/// # Errors
/// Where `out` cannot be written.
pub fn show(list: &Crl, signers: &[Certificate], out: &mut impl Write) -> io::Result<()> {
    // A terminal does what control characters say, and anyone may have written them.
    let plain = |value: &str| value.replace(char::is_control, "?");
    let mut field = |name: &str, value: &str| writeln!(out, "{:<15} {}", format!("{name}:"), plain(value));
    field("Issuer", &list.issuer().to_string())?;
    field("Signature", &signature(list, signers))?;
    match (list.number(), list.delta_base()) {
        (Some(number), Some(base)) => field("Number", &format!("{number}, what changed since {base} (a delta)"))?,
        (Some(number), None) => field("Number", &number.to_string())?,
        (None, _) => field("Number", "none below 2^128")?,
    }
    field("This update", &list.this_update().to_string())?;
    field("Next update", &list.next_update().map_or_else(|| "none".to_owned(), |time| time.to_string()))?;
    if let Some(identifier) = list.authority_key_identifier() {
        field("Authority key", &Hexadecimal(identifier).to_string())?;
    }
    for url in list.distribution_point() {
        field("Only for", &format!("certificates that name {url}"))?;
    }
    match list.scope() {
        CrlScope::All => {}
        CrlScope::EndEntities => field("Only for", "certificates that are no CA's")?,
        CrlScope::Authorities => field("Only for", "certificates of CAs")?,
    }
    for url in list.freshest() {
        field("Delta", url)?;
    }
    field("SHA-256", &Hexadecimal(digest::digest(&digest::SHA256, list.as_der()).as_ref()).to_string())?;
    field("Octets", &list.as_der().len().to_string())?;
    field("Revoked", &list.len().to_string())?;
    for entry in list.entries() {
        writeln!(out, "{}", line(&entry.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?))?;
    }
    Ok(())
}

fn signature(list: &Crl, signers: &[Certificate]) -> String {
    if signers.is_empty() {
        return "not checked".to_owned();
    }
    match signers.iter().find(|signer| has_signed(list, signer)) {
        Some(signer) => format!("good, by {} (key {})", signer.subject(), signer.key_id()),
        None => "NOT by any of the given certificates".to_owned(),
    }
}

/// Whether the list is this CA's: by its name and by its key.
pub fn has_signed(list: &Crl, signer: &Certificate) -> bool {
    list.issuer() == signer.subject() && list.is_signed_by(signer.public_key())
}

fn line(entry: &Revoked) -> String {
    let since = entry.invalidity_date.map_or_else(String::new, |date| format!("  not to be trusted since {date}"));
    format!("  {:<40} {}  {}{since}", entry.serial.to_string(), entry.time, entry.reason)
}

#[cfg(test)]
mod tests {
    use chancery_pki::{
        CaConstraints, CrlNumber, CrlTemplate, KeyAlgorithm, Name, PrivateKey, Reason, SerialNumber, SubjectParts, Template, Usage,
        self_sign, sign_crl,
    };

    use super::*;

    fn authority(common_name: &str) -> (Certificate, PrivateKey) {
        let subject = SubjectParts { common_name: Some(common_name.to_owned()), ..SubjectParts::default() };
        let template = Template {
            usages: vec![Usage::CertSign, Usage::CrlSign],
            ca: Some(CaConstraints::default()),
            ..Template::new(
                SerialNumber::from_octets(&[1]).unwrap(),
                Name::from_parts(&subject).unwrap(),
                "2026-01-01T00:00:00Z".parse().unwrap(),
                "2036-01-01T00:00:00Z".parse().unwrap(),
            )
        };
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        (self_sign(&template, &key).unwrap(), key)
    }

    fn shown(list: &Crl, signers: &[Certificate]) -> String {
        let mut out = Vec::new();
        show(list, signers, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_list_is_shown_with_who_signed_it_and_each_entry_on_a_line() {
        let (certificate, key) = authority("Old CA");
        let template = CrlTemplate {
            number: CrlNumber::new(77),
            this_update: "2026-06-01T12:00:00Z".parse().unwrap(),
            next_update: "2026-06-08T12:00:00Z".parse().unwrap(),
            distribution_point: vec!["http://pki.example.org/crl/1.crl".to_owned()],
            delta_base: None,
            freshest: Vec::new(),
        };
        let entry = |octet, reason, invalidity_date| Revoked {
            serial: SerialNumber::from_octets(&[octet]).unwrap(),
            time: "2026-05-01T00:00:00Z".parse().unwrap(),
            reason,
            invalidity_date,
        };
        let entries = [entry(5, Reason::KeyCompromise, Some("2026-04-01T00:00:00Z".parse().unwrap())), entry(6, Reason::Unspecified, None)];
        let list = Crl::from_der(sign_crl(&template, entries.iter(), &certificate, &key).unwrap()).unwrap();
        let text = shown(&list, &[]);
        for line in [
            "Issuer:         CN=Old CA",
            "Signature:      not checked",
            "Number:         77",
            "Next update:    2026-06-08T12:00:00Z",
            "Only for:       certificates that name http://pki.example.org/crl/1.crl",
            "Revoked:        2",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line:?} is not in:\n{text}");
        }
        assert!(text.ends_with("2026-05-01T00:00:00Z  unspecified\n"), "{text}");
        assert!(text.contains("  keyCompromise  not to be trusted since 2026-04-01T00:00:00Z\n"), "{text}");

        let (namesake, _) = authority("Old CA");
        assert!(shown(&list, &[namesake.clone(), certificate]).contains("Signature:      good, by CN=Old CA (key "));
        assert!(shown(&list, &[namesake]).contains("Signature:      NOT by any"));
    }
}
