//! What octets are: PEM of any kind, DER, key stores. They may be anyone's.

use chancery_pki::{Certificate, Crl, PrivateKey, keystore};

use super::{Material, MaterialError, Piece, Role};

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// What is in a file, or came on standard input.
///
/// # Errors
/// When there is nothing in it that is known.
pub fn file(path: &str, octets: &[u8], password: Option<&[u8]>) -> Result<Material, MaterialError> {
    let found = read(path, octets, password);
    let locked = found.as_ref().is_some_and(is_locked);
    match found.filter(|piece| locked || piece.is_something()) {
        Some(_) if locked => {
            let why = "it is a key store: give its password with --password-from FILE, or it is locked with another or in another way";
            Err(MaterialError::Lacks { what: path.to_owned(), why: why.to_owned() })
        }
        Some(piece) => {
            Ok(Material { name: format!("file/{path}"), namespace: None, pieces: vec![piece], notes: Vec::new(), session: None })
        }
        None => Err(MaterialError::Nothing { what: path.to_owned() }),
    }
}

fn is_locked(piece: &Piece) -> bool {
    piece.certificates.is_empty() && piece.key.is_none() && piece.trouble.as_deref() == Some(LOCKED)
}

/// What is said of a key store that is not opened.
pub(super) const LOCKED: &str = "a key store, which is not opened";

/// What is in a place; none where it is nothing that is known.
pub(super) fn read(place: &str, octets: &[u8], password: Option<&[u8]>) -> Option<Piece> {
    let piece = Piece { place: place.to_owned(), role: role(place), ..Piece::default() };
    if let Ok(text) = str::from_utf8(octets)
        && text.contains(BEGIN)
    {
        return Some(read_pem(piece, text));
    }
    if let Ok(certificate) = Certificate::from_der(octets.to_vec()) {
        return Some(Piece { certificates: vec![certificate], ..piece });
    }
    if let Ok(list) = Crl::from_der(octets) {
        return Some(Piece { lists: vec![list], ..piece });
    }
    if let Ok(key) = PrivateKey::from_der(octets) {
        return Some(Piece { key: Some(key.public_key().clone()), ..piece });
    }
    if !looks_like_store(octets) {
        return None;
    }
    Some(match password.and_then(|password| keystore::open(octets, password)) {
        Some(opened) => Piece { certificates: opened.certificates, key: opened.key, ..piece },
        None => Piece { trouble: Some(LOCKED.to_owned()), is_torn: true, ..piece },
    })
}

fn role(place: &str) -> Role {
    if place == "ca.crt" || place.starts_with("truststore.") { Role::Trust } else { Role::Proof }
}

/// By their first octets: Java's own format, or the version 3 in a SEQUENCE as PKCS#12 has it.
fn looks_like_store(octets: &[u8]) -> bool {
    const JKS: &[u8] = &[0xfe, 0xed, 0xfe, 0xed];
    const VERSION_3: &[u8] = &[2, 1, 3];
    let is_pfx = |head: &[u8]| head[0] == 0x30 && head.windows(VERSION_3.len()).any(|window| window == VERSION_3);
    octets.starts_with(JKS) || octets.get(..10).is_some_and(is_pfx)
}

fn read_pem(mut piece: Piece, text: &str) -> Piece {
    let mut troubles = Vec::new();
    let (blocks, is_whole) = blocks(text);
    for (label, block) in blocks {
        let read = match label {
            "CERTIFICATE" => Certificate::bundle_from_pem(block.as_bytes())
                .map(|certificates| piece.certificates.extend(certificates))
                .map_err(|error| error.to_string()),
            "X509 CRL" => Crl::from_pem_or_der(block.as_bytes()).map(|list| piece.lists.push(list)).map_err(|error| error.to_string()),
            "EC PARAMETERS" => Ok(()),
            _ if label.ends_with("PRIVATE KEY") => PrivateKey::from_pem(block.as_bytes())
                .map(|key| piece.key = Some(key.public_key().clone()))
                .map_err(|error| format!("the private key: {error}")),
            _ => Err(format!("a block {label:?}, which is not looked at")),
        };
        // A key or a list is known by its label, and takes no certificate's place.
        piece.is_torn |= read.is_err() && label != "X509 CRL" && !label.ends_with("PRIVATE KEY");
        troubles.extend(read.err());
    }
    if !is_whole {
        piece.is_torn = true;
        troubles.push("a block is begun and not ended".to_owned());
    }
    piece.trouble = Some(troubles.join("; ")).filter(|trouble| !trouble.is_empty());
    piece
}

/// The blocks of a PEM text, each with its label; and whether all that is begun is ended. What is not is left out.
fn blocks(text: &str) -> (Vec<(&str, &str)>, bool) {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(BEGIN) {
        let begun = &rest[start..];
        let label = begun[BEGIN.len()..].split(DASHES).next().unwrap_or_default();
        let ending = format!("{END}{label}{DASHES}");
        let Some(end) = begun.find(&ending).map(|end| end + ending.len()) else { return (found, false) };
        found.push((label, &begun[..end]));
        rest = &begun[end..];
    }
    (found, true)
}

impl Piece {
    pub(super) fn is_something(&self) -> bool {
        !self.certificates.is_empty() || self.key.is_some() || !self.lists.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use chancery_pki::{KeyAlgorithm, KeyEncoding, Name, SerialNumber, SubjectParts, Template, keystore, self_sign};

    use super::*;
    use crate::api::names;

    fn pair() -> (Certificate, PrivateKey) {
        let parts = SubjectParts { common_name: Some("octets".to_owned()), ..SubjectParts::default() };
        let template = Template::new(
            SerialNumber::from_octets(&[1]).unwrap(),
            Name::from_parts(&parts).unwrap(),
            "2026-01-01T00:00:00Z".parse().unwrap(),
            "2026-02-01T00:00:00Z".parse().unwrap(),
        );
        let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
        (self_sign(&template, &key).unwrap(), key)
    }

    #[test]
    fn certificates_and_keys_are_found_in_whatever_form_they_come() {
        let (certificate, key) = pair();
        let pem = format!("# mine\n{}{}", key.to_pem(KeyEncoding::Pkcs1).unwrap().as_str(), certificate.to_pem());
        let der = key.to_der(KeyEncoding::Pkcs8).unwrap();
        let contents = keystore::Contents { key: &key, chain: std::slice::from_ref(&certificate), ca: &[], alias: "a" };
        let jks = keystore::jks(&contents, b"secret", [1; 20]).unwrap();
        let p12 = keystore::pkcs12(&contents, keystore::Pkcs12Profile::Modern2023, b"secret").unwrap();
        let public = Some(key.public_key().clone());
        let rows: [(&[u8], usize, _); 5] = [
            (pem.as_bytes(), 1, public.clone()),
            (certificate.as_der(), 1, None),
            (&der, 0, public.clone()),
            (&jks, 1, public.clone()),
            (&p12, 1, public),
        ];
        for (octets, certificates, key) in rows {
            let piece = read("x", octets, Some(b"secret")).unwrap();
            assert_eq!((piece.certificates.len(), &piece.key, &piece.trouble), (certificates, &key, &None));
        }
        for store in [&jks, &p12] {
            assert!(is_locked(&read("x", store, None).unwrap()) && is_locked(&read("x", store, Some(b"other")).unwrap()));
        }
    }

    #[test]
    fn the_next_certificate_is_not_taken_for_one_that_cannot_be_read() {
        let (certificate, key) = pair();
        let good = certificate.to_pem();
        let key = key.to_pem(KeyEncoding::Pkcs8).unwrap().to_string();
        let proven = |text: &str| {
            let found = file("web.pem", text.as_bytes(), None);
            found.and_then(|found| found.proven().map(<[Certificate]>::len)).map_err(|error| error.to_string())
        };
        let damaged = good.replacen("MI", "!!", 1);
        let strange = good.replace("CERTIFICATE", "TRUSTED CERTIFICATE");
        let cut = good.replace("-----END CERTIFICATE-----", "");
        for (text, expected) in [
            (format!("{damaged}{good}"), "web.pem: "),
            (format!("{good}{damaged}"), "web.pem: "),
            (format!("{strange}{good}"), "TRUSTED CERTIFICATE"),
            (format!("{good}{cut}"), "not ended"),
            (format!("{cut}{good}"), "web.pem: "),
            (key.clone(), "there is no certificate in it"),
        ] {
            let refused = proven(&text).unwrap_err();
            assert!(refused.contains(expected), "{expected:?} is not in {refused:?}");
        }
        assert_eq!(proven(&format!("{key}{good}{good}")), Ok(2));
        // A key that cannot be read takes no certificate's place.
        assert_eq!(proven(&format!("{}{good}", key.replacen("MI", "!!", 1))), Ok(1));
    }

    #[test]
    fn another_form_does_not_stand_in_for_a_tls_crt_that_cannot_be_read() {
        let (certificate, _) = pair();
        let secret = |own: Option<Piece>| Material {
            name: "secret/web".to_owned(),
            namespace: Some("team".to_owned()),
            pieces: own.into_iter().chain(read("keystore.der", certificate.as_der(), None)).collect(),
            notes: Vec::new(),
            session: None,
        };
        let damaged = read(names::TLS_CERTIFICATE, certificate.to_pem().replacen("MI", "!!", 1).as_bytes(), None);
        let refused = secret(damaged).proven().unwrap_err().to_string();
        assert!(refused.contains("secret/web in namespace team: tls.crt: "), "{refused}");
        let nothing = Piece { place: names::TLS_CERTIFICATE.to_owned(), trouble: Some("it is empty".to_owned()), ..Piece::default() };
        assert!(secret(Some(nothing)).proven().is_err());
        assert_eq!(secret(None).proven().unwrap().len(), 1);
    }

    #[test]
    fn what_is_damaged_is_told_and_what_is_nothing_is_nothing() {
        let (certificate, _) = pair();
        let damaged = certificate.to_pem().replacen("MI", "!!", 1);
        assert!(read("x", damaged.as_bytes(), None).unwrap().trouble.is_some());
        assert!(read("x", b"-----BEGIN CERTIFICATE-----\nMII", None).unwrap().trouble.unwrap().contains("not ended"));
        assert!(read("x", b"hello", None).is_none() && read("x", &[0x30, 3, 2], None).is_none() && read("x", b"", None).is_none());
    }
}
