//! The MAC about a store, by which a wrong password is known.

use aws_lc_rs::{digest, error::Unspecified, hmac, rand};

use super::{
    kdf::{Parameters, Purpose, read_hmac_sha256, write_hmac_sha256},
    oid,
    read::algorithm,
};
use crate::{
    keystore::{KeystoreError, password::Password},
    tlv::{self, Malformed, Reader, tag},
};

/// How the MAC is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mac {
    /// HMAC-SHA-1 with a key by PKCS#12's own derivation (RFC 7292 section 4).
    Sha1,
    /// The same with SHA-256 throughout.
    Sha256,
    /// HMAC-SHA-256 with a key by PBKDF2 (RFC 9579).
    Pbmac1,
}

impl Mac {
    /// The MacData (RFC 7292 section 4).
    pub(super) fn write(self, password: Password<'_>, message: &[u8]) -> Result<Vec<u8>, KeystoreError> {
        let mut salt = [0; 16];
        rand::fill(&mut salt).map_err(|Unspecified| KeystoreError::NotWritten)?;
        let parameters = Parameters::usual(&salt);
        let value = hmac::sign(&self.key(parameters, password), message);
        let mut out = Vec::new();
        tlv::wrap(&mut out, tag::SEQUENCE, |out| {
            tlv::wrap(out, tag::SEQUENCE, |out| {
                tlv::wrap(out, tag::SEQUENCE, |out| self.write_algorithm(out, parameters));
                tlv::write(out, tag::OCTET_STRING, value.as_ref());
            });
            match self {
                Self::Sha1 | Self::Sha256 => parameters.write(out),
                // RFC 9579 section 4: of no meaning, but old readers want to find it.
                Self::Pbmac1 => tlv::write(out, tag::OCTET_STRING, b"NOT USED"),
            }
        });
        Ok(out)
    }

    /// Whether the MacData that is the reader's next value is of this kind and fits to password and message.
    pub(super) fn verify(self, password: Password<'_>, reader: &mut Reader<'_>, message: &[u8]) -> Result<(), Malformed> {
        let mut data = reader.take(tag::SEQUENCE)?.reader();
        let mut info = data.take(tag::SEQUENCE)?.reader();
        let (kind, rest) = algorithm(&mut info)?;
        let value = info.take(tag::OCTET_STRING)?.contents;
        info.end()?;
        let salt = data.take(tag::OCTET_STRING)?.contents;
        // One is what it is where nothing is said.
        let iterations = data.take_if(tag::INTEGER)?.map_or(&[1][..], |value| value.contents);
        data.end()?;
        if kind != self.oid() {
            return Err(Malformed);
        }
        let parameters = match self {
            Self::Sha1 | Self::Sha256 => Parameters::read(salt, iterations)?,
            Self::Pbmac1 => read_pbmac1(rest)?,
        };
        hmac::verify(&self.key(parameters, password), message, value).map_err(|Unspecified| Malformed)
    }

    fn oid(self) -> &'static [u8] {
        match self {
            Self::Sha1 => oid::SHA1.as_bytes(),
            Self::Sha256 => oid::SHA256.as_bytes(),
            Self::Pbmac1 => oid::PBMAC1.as_bytes(),
        }
    }

    fn key(self, parameters: Parameters<'_>, password: Password<'_>) -> hmac::Key {
        match self {
            Self::Sha1 => {
                let key = parameters.pkcs12::<20>(&digest::SHA1_FOR_LEGACY_USE_ONLY, Purpose::Mac, password);
                hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &*key)
            }
            Self::Sha256 => hmac::Key::new(hmac::HMAC_SHA256, &*parameters.pkcs12::<32>(&digest::SHA256, Purpose::Mac, password)),
            Self::Pbmac1 => hmac::Key::new(hmac::HMAC_SHA256, &*parameters.pbkdf2(password)),
        }
    }

    fn write_algorithm(self, out: &mut Vec<u8>, parameters: Parameters<'_>) {
        tlv::write(out, tag::OBJECT_IDENTIFIER, self.oid());
        match self {
            Self::Sha1 | Self::Sha256 => tlv::write(out, tag::NULL, &[]),
            Self::Pbmac1 => tlv::wrap(out, tag::SEQUENCE, |out| {
                parameters.write_pbkdf2(out);
                write_hmac_sha256(out);
            }),
        }
    }
}

/// The PBMAC1-params (RFC 8018 appendix A.5).
fn read_pbmac1(mut reader: Reader<'_>) -> Result<Parameters<'_>, Malformed> {
    let mut parameters = reader.take(tag::SEQUENCE)?.reader();
    reader.end()?;
    let derivation = Parameters::read_pbkdf2(&mut parameters)?;
    read_hmac_sha256(&mut parameters)?;
    parameters.end()?;
    Ok(derivation)
}
