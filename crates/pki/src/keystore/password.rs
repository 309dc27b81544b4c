//! The password of a store, in the forms that the formats ask for. Every copy is wiped.

use std::fmt;

use zeroize::Zeroizing;

use super::{KeystoreError, PASSWORD_MAX};

/// A password: text, not empty, not over-long.
#[derive(Clone, Copy)]
pub(super) struct Password<'a>(&'a str);

impl<'a> Password<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Result<Self, KeystoreError> {
        match str::from_utf8(octets).map_err(|_| KeystoreError::PasswordNotText)? {
            "" => Err(KeystoreError::PasswordEmpty),
            text if text.len() > PASSWORD_MAX => Err(KeystoreError::PasswordTooLong { most: PASSWORD_MAX }),
            text => Ok(Self(text)),
        }
    }

    /// What PBES2 and PBMAC1 derive keys from (RFC 8018 section 3; RFC 9579 section 5).
    pub(super) fn utf8(self) -> &'a [u8] {
        self.0.as_bytes()
    }

    /// What JKS hashes: Java's characters, the higher octet first.
    pub(super) fn utf16(self) -> Zeroizing<Vec<u8>> {
        // The whole capacity at once: a buffer that grows leaves copies behind that are not wiped.
        let mut octets = Zeroizing::new(Vec::with_capacity(2 * self.0.len() + 2));
        octets.extend(self.0.encode_utf16().flat_map(u16::to_be_bytes));
        octets
    }

    /// What PKCS#12's own derivation takes: a BMPString that a zero character ends (RFC 7292 appendix B.1). Characters
    /// outside the BMP are surrogate pairs, as OpenSSL writes them.
    pub(super) fn bmp_with_end(self) -> Zeroizing<Vec<u8>> {
        let mut octets = self.utf16();
        octets.extend([0, 0]);
        octets
    }
}

impl fmt::Debug for Password<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_text_that_is_neither_empty_nor_over_long() {
        assert_eq!(Password::new(b"").map(|_| ()), Err(KeystoreError::PasswordEmpty));
        assert_eq!(Password::new(&[0xff]).map(|_| ()), Err(KeystoreError::PasswordNotText));
        assert_eq!(Password::new(&[b'a'; PASSWORD_MAX]).map(|_| ()), Ok(()));
        assert_eq!(Password::new(&[b'a'; PASSWORD_MAX + 1]).map(|_| ()), Err(KeystoreError::PasswordTooLong { most: PASSWORD_MAX }));
    }

    #[test]
    fn the_forms_of_a_password_are_those_of_the_standards() {
        let password = Password::new("aß😀".as_bytes()).unwrap();
        assert_eq!(**password.utf16(), [0, 0x61, 0, 0xdf, 0xd8, 0x3d, 0xde, 0x00]);
        assert_eq!(**password.bmp_with_end(), [0, 0x61, 0, 0xdf, 0xd8, 0x3d, 0xde, 0x00, 0, 0]);
        assert_eq!(format!("{password:?}"), "Password(..)");
    }
}
