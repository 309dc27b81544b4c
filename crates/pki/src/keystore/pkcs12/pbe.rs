//! Encryption under a password.

use aws_lc_rs::{
    cipher::{
        AES_256, Algorithm, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
    },
    digest,
    error::Unspecified,
    iv::FixedLength,
    rand,
};
use zeroize::Zeroizing;

use super::{
    kdf::{Parameters, Purpose},
    oid,
    read::algorithm,
};
use crate::{
    keystore::{KeystoreError, password::Password},
    tlv::{self, Malformed, Reader, tag},
};

#[expect(deprecated, reason = "stores of the legacy profiles are kept in nothing else")]
static TRIPLE_DES: &Algorithm = &aws_lc_rs::cipher::DES_EDE3_FOR_LEGACY_USE_ONLY;
const BLOCK_MAX: usize = 16;

/// How key and certificates are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// pbeWithSHAAnd3-KeyTripleDES-CBC (RFC 7292 appendix C).
    TripleDes,
    /// PBES2 with PBKDF2, HMAC-SHA-256 and AES-256-CBC (RFC 8018 section 6.2).
    Aes256,
}

impl Encryption {
    /// The AlgorithmIdentifier and what is encrypted.
    pub(super) fn encrypt(self, password: Password<'_>, plain: &[u8]) -> Result<(Vec<u8>, Vec<u8>), KeystoreError> {
        let (mut salt, mut iv) = ([0; 16], [0; 16]);
        rand::fill(&mut salt).map_err(failed)?;
        rand::fill(&mut iv).map_err(failed)?;
        let mut out = Vec::new();
        match self {
            Self::TripleDes => {
                let parameters = Parameters::usual(&salt);
                tlv::wrap(&mut out, tag::SEQUENCE, |out| {
                    tlv::write(out, tag::OBJECT_IDENTIFIER, oid::PBE_SHA1_TRIPLE_DES.as_bytes());
                    tlv::wrap(out, tag::SEQUENCE, |out| parameters.write(out));
                });
                let (key, iv) = triple_des(parameters, password);
                let encrypted = encrypt(TRIPLE_DES, &*key, EncryptionContext::Iv64(FixedLength::from(*iv)), plain)?;
                Ok((out, encrypted))
            }
            Self::Aes256 => {
                let parameters = Parameters::usual(&salt);
                tlv::wrap(&mut out, tag::SEQUENCE, |out| {
                    tlv::write(out, tag::OBJECT_IDENTIFIER, oid::PBES2.as_bytes());
                    tlv::wrap(out, tag::SEQUENCE, |out| {
                        parameters.write_pbkdf2(out);
                        tlv::wrap(out, tag::SEQUENCE, |out| {
                            tlv::write(out, tag::OBJECT_IDENTIFIER, oid::AES_256_CBC.as_bytes());
                            tlv::write(out, tag::OCTET_STRING, &iv);
                        });
                    });
                });
                let key = parameters.pbkdf2(password);
                let encrypted = encrypt(&AES_256, &*key, EncryptionContext::Iv128(FixedLength::from(iv)), plain)?;
                Ok((out, encrypted))
            }
        }
    }

    /// What was encrypted in this way, the AlgorithmIdentifier being the reader's next value.
    pub(super) fn decrypt(
        self,
        password: Password<'_>,
        reader: &mut Reader<'_>,
        encrypted: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Malformed> {
        let (kind, mut rest) = algorithm(reader)?;
        let mut parameters = rest.take(tag::SEQUENCE)?.reader();
        rest.end()?;
        match self {
            Self::TripleDes => {
                let salt = parameters.take(tag::OCTET_STRING)?.contents;
                let iterations = parameters.take(tag::INTEGER)?.contents;
                parameters.end()?;
                if kind != oid::PBE_SHA1_TRIPLE_DES.as_bytes() {
                    return Err(Malformed);
                }
                let (key, iv) = triple_des(Parameters::read(salt, iterations)?, password);
                decrypt(TRIPLE_DES, &*key, DecryptionContext::Iv64(FixedLength::from(*iv)), encrypted)
            }
            Self::Aes256 => {
                let derivation = Parameters::read_pbkdf2(&mut parameters)?;
                let (cipher, mut rest) = algorithm(&mut parameters)?;
                parameters.end()?;
                let iv = rest.take(tag::OCTET_STRING)?.contents;
                rest.end()?;
                if kind != oid::PBES2.as_bytes() || cipher != oid::AES_256_CBC.as_bytes() {
                    return Err(Malformed);
                }
                let iv = DecryptionContext::Iv128(FixedLength::try_from(iv).map_err(|Unspecified| Malformed)?);
                decrypt(&AES_256, &*derivation.pbkdf2(password), iv, encrypted)
            }
        }
    }
}

fn triple_des(parameters: Parameters<'_>, password: Password<'_>) -> (Zeroizing<[u8; 24]>, Zeroizing<[u8; 8]>) {
    let hash = &digest::SHA1_FOR_LEGACY_USE_ONLY;
    (parameters.pkcs12(hash, Purpose::Encryption, password), parameters.pkcs12(hash, Purpose::Iv, password))
}

fn encrypt(cipher: &'static Algorithm, key: &[u8], iv: EncryptionContext, plain: &[u8]) -> Result<Vec<u8>, KeystoreError> {
    // With room for the padding: a buffer that grows leaves the plain octets behind.
    let mut octets = Zeroizing::new(Vec::with_capacity(plain.len() + BLOCK_MAX));
    octets.extend_from_slice(plain);
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(cipher, key).map_err(failed)?).map_err(failed)?;
    key.less_safe_encrypt(&mut *octets, iv).map_err(failed)?;
    Ok(std::mem::take(&mut *octets))
}

fn decrypt(cipher: &'static Algorithm, key: &[u8], iv: DecryptionContext, encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    if encrypted.is_empty() || !encrypted.len().is_multiple_of(cipher.block_len()) {
        return Err(Malformed);
    }
    let malformed = |Unspecified| Malformed;
    let mut octets = Zeroizing::new(encrypted.to_vec());
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(cipher, key).map_err(malformed)?).map_err(malformed)?;
    let length = key.decrypt(&mut octets, iv).map_err(malformed)?.len();
    octets.truncate(length);
    Ok(octets)
}

fn failed(_: Unspecified) -> KeystoreError {
    KeystoreError::NotWritten
}
