//! What a revocation list in a file says.

use std::io::{self, Write};

use aws_lc_rs::digest;
use chancery_pki::{Certificate, Crl, CrlScope, Hexadecimal, Reason, Revoked};
use jiff::Timestamp;
use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeSeq as _},
};

use super::output::{Report, plain};

/// A list, and who signed it as far as that was asked. Its entries are read as they are printed: a list may have a million.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownList<'a> {
    /// The name of the CA that it says it is of.
    pub issuer: String,
    /// What became of the signature.
    pub signature: Signature,
    /// Who signed it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<Signer>,
    /// Its number; none where it has none, or one of more than 128 bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The number of the list to which it says what changed: it is a delta.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta_base: Option<String>,
    /// When it was made.
    pub this_update: Timestamp,
    /// When the next one is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_update: Option<Timestamp>,
    /// The key identifier of its issuer, as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority_key_identifier: Option<String>,
    /// It is only for certificates that name one of these.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub distribution_point: &'a [String],
    /// It is only for certificates of this kind: `endEntities` or `authorities`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_for: Option<&'static str>,
    /// Where its delta is.
    #[serde(rename = "freshestCRLs", skip_serializing_if = "<[_]>::is_empty")]
    pub freshest_crls: &'a [String],
    /// The hash of its octets.
    pub sha256: String,
    /// How many octets it has.
    pub bytes: usize,
    /// How many certificates are on it.
    pub entries: usize,
    /// The certificates that are on it, in its order.
    #[serde(rename = "revoked", serialize_with = "entries")]
    list: &'a Crl,
}

/// What became of a list's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Signature {
    /// It was not looked at: nobody was named who may have made it.
    NotChecked,
    /// One of those who may made it.
    Good,
    /// None of them did.
    Bad,
}

/// Who signed a list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signer {
    /// The CA's name.
    pub subject: String,
    /// The id of its key.
    #[serde(rename = "keyID")]
    pub key_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    serial_number: String,
    time: Timestamp,
    reason: Reason,
    #[serde(skip_serializing_if = "Option::is_none")]
    invalidity_date: Option<Timestamp>,
}

impl From<Revoked> for Entry {
    fn from(entry: Revoked) -> Self {
        let Revoked { serial, time, reason, invalidity_date } = entry;
        Self { serial_number: serial.to_string(), time, reason, invalidity_date }
    }
}

fn entries<S: Serializer>(list: &Crl, serializer: S) -> Result<S::Ok, S::Error> {
    let mut all = serializer.serialize_seq(Some(list.len()))?;
    for entry in list.entries() {
        all.serialize_element(&Entry::from(entry.map_err(S::Error::custom)?))?;
    }
    all.end()
}

impl<'a> ShownList<'a> {
    /// What a list says. `signers` are certificates of those who may have signed it; with none given the signature is not looked at.
    pub fn new(list: &'a Crl, signers: Option<&[Certificate]>) -> Self {
        let signer = signers.into_iter().flatten().find(|signer| has_signed(list, signer));
        Self {
            issuer: list.issuer().to_string(),
            signature: match (signers, signer) {
                (None, _) => Signature::NotChecked,
                (Some(_), Some(_)) => Signature::Good,
                (Some(_), None) => Signature::Bad,
            },
            signed_by: signer.map(|signer| Signer { subject: signer.subject().to_string(), key_id: signer.key_id().to_string() }),
            number: list.number().map(|number| number.to_string()),
            delta_base: list.delta_base().map(|number| number.to_string()),
            this_update: list.this_update(),
            next_update: list.next_update(),
            authority_key_identifier: list.authority_key_identifier().map(|identifier| Hexadecimal(identifier).to_string()),
            distribution_point: list.distribution_point(),
            only_for: match list.scope() {
                CrlScope::All => None,
                CrlScope::EndEntities => Some("endEntities"),
                CrlScope::Authorities => Some("authorities"),
            },
            freshest_crls: list.freshest(),
            sha256: Hexadecimal(digest::digest(&digest::SHA256, list.as_der()).as_ref()).to_string(),
            bytes: list.as_der().len(),
            entries: list.len(),
            list,
        }
    }

    /// Whether nothing is wrong with the signature, as far as it was looked at.
    pub fn is_well(&self) -> bool {
        self.signature != Signature::Bad
    }
}

impl Report for ShownList<'_> {
    fn text(&self, _wide: bool, out: &mut dyn Write) -> io::Result<()> {
        let mut field = |name: &str, value: &str| writeln!(out, "{:<15} {}", format!("{name}:"), plain(value));
        field("Issuer", &self.issuer)?;
        match (&self.signed_by, self.signature) {
            (Some(signer), _) => field("Signature", &format!("good, by {} (key {})", signer.subject, signer.key_id))?,
            (None, Signature::NotChecked) => field("Signature", "not checked")?,
            (None, _) => field("Signature", "NOT by any of the given certificates")?,
        }
        match (&self.number, &self.delta_base) {
            (Some(number), Some(base)) => field("Number", &format!("{number}, what changed since {base} (a delta)"))?,
            (Some(number), None) => field("Number", number)?,
            (None, _) => field("Number", "none below 2^128")?,
        }
        field("This update", &self.this_update.to_string())?;
        field("Next update", &self.next_update.map_or_else(|| "none".to_owned(), |time| time.to_string()))?;
        if let Some(identifier) = &self.authority_key_identifier {
            field("Authority key", identifier)?;
        }
        for url in self.distribution_point {
            field("Only for", &format!("certificates that name {url}"))?;
        }
        match self.list.scope() {
            CrlScope::All => {}
            CrlScope::EndEntities => field("Only for", "certificates that are no CA's")?,
            CrlScope::Authorities => field("Only for", "certificates of CAs")?,
        }
        for url in self.freshest_crls {
            field("Delta", url)?;
        }
        field("SHA-256", &self.sha256)?;
        field("Octets", &self.bytes.to_string())?;
        field("Revoked", &self.entries.to_string())?;
        for entry in self.list.entries() {
            writeln!(out, "{}", line(&entry.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?))?;
        }
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        self.list.entries().flatten().map(|entry| format!("serial/{}", entry.serial)).collect()
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

    use serde_json::json;

    use super::*;
    use crate::plugin::output::{Format, render};

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

    fn shown(list: &Crl, signers: Option<&[Certificate]>, format: Format) -> String {
        let mut out = Vec::new();
        render(&ShownList::new(list, signers), format, &mut out).unwrap();
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
        let text = shown(&list, None, Format::Table);
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
        let both = [namesake.clone(), certificate.clone()];
        assert!(shown(&list, Some(&both), Format::Table).contains("Signature:      good, by CN=Old CA (key "));
        assert!(shown(&list, Some(&[namesake]), Format::Table).contains("Signature:      NOT by any"));
        assert!(!ShownList::new(&list, Some(&[])).is_well(), "a file without a certificate names nobody");

        let value: serde_json::Value = serde_json::from_str(&shown(&list, Some(&both), Format::Json)).unwrap();
        assert_eq!(value["signedBy"]["keyID"], certificate.key_id().to_string());
        assert_eq!((&value["number"], &value["entries"], &value["signature"]), (&"77".into(), &2.into(), &"good".into()));
        let first = json!({"serialNumber": "05", "time": "2026-05-01T00:00:00Z", "reason": "keyCompromise", "invalidityDate": "2026-04-01T00:00:00Z"});
        assert_eq!(value["revoked"], json!([first, {"serialNumber": "06", "time": "2026-05-01T00:00:00Z", "reason": "unspecified"}]));
        let yaml: serde_json::Value = serde_yaml::from_str(&shown(&list, Some(&both), Format::Yaml)).unwrap();
        assert_eq!(yaml, value);
        assert_eq!(shown(&list, None, Format::Name), "serial/05\nserial/06\n");
    }
}
