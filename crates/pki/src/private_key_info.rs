//! The DER forms of private keys: which one the octets are, and where in them the key is.
//!
//! Nothing is copied: what is returned borrows from the octets that were given, which their owner wipes.

use const_oid::ObjectIdentifier;
use der::{
    AnyRef, Decode, Sequence,
    asn1::{BitStringRef, OctetStringRef, SetOfVec, UintRef},
};
use spki::AlgorithmIdentifierRef;

use crate::{
    KeyAlgorithm, KeyError,
    algorithm::{EC_PUBLIC_KEY, ED25519, RSA_ENCRYPTION},
};

/// The part of a private key that the provider is to load.
pub(crate) enum Material<'a> {
    /// An RSAPrivateKey (RFC 8017 appendix A.1.2).
    Rsa { pkcs1: &'a [u8] },
    /// An ECPrivateKey (RFC 5915), or the PKCS#8 form about it where the curve stands only there.
    Ecdsa { algorithm: KeyAlgorithm, der: &'a [u8] },
    /// A CurvePrivateKey (RFC 8410 section 7), and the public key if it came along.
    Ed25519 { seed: &'a [u8], public: Option<&'a [u8]> },
}

/// Finds the key in DER octets of any of the three forms.
pub(crate) fn read(der: &[u8]) -> Result<Material<'_>, KeyError> {
    if let Ok(info) = PrivateKeyInfo::from_der(der) {
        return read_pkcs8(&info, der);
    }
    if RsaPrivateKey::from_der(der).is_ok() {
        return Ok(Material::Rsa { pkcs1: der });
    }
    let key = EcPrivateKey::from_der(der).map_err(|_| KeyError::Malformed)?;
    let curve = key.parameters.ok_or(KeyError::Malformed)?;
    Ok(Material::Ecdsa { algorithm: curve_algorithm(curve)?, der })
}

/// The length of the modulus in bits.
pub(crate) fn rsa_bits(pkcs1: &[u8]) -> Result<u32, KeyError> {
    let key = RsaPrivateKey::from_der(pkcs1).map_err(|_| KeyError::Malformed)?;
    let modulus = key.modulus.as_bytes();
    let octets = u32::try_from(modulus.len()).unwrap_or(u32::MAX);
    Ok(octets.saturating_mul(8).saturating_sub(modulus.first().map_or(0, |first| first.leading_zeros())))
}

fn read_pkcs8<'a>(info: &PrivateKeyInfo<'a>, der: &'a [u8]) -> Result<Material<'a>, KeyError> {
    if info.version > 1 {
        return Err(KeyError::Malformed);
    }
    let key = info.private_key.as_bytes();
    match info.algorithm.oid {
        RSA_ENCRYPTION => Ok(Material::Rsa { pkcs1: key }),
        EC_PUBLIC_KEY => {
            let curve = info.algorithm.parameters_oid().map_err(|_| KeyError::Malformed)?;
            Ok(Material::Ecdsa { algorithm: curve_algorithm(curve)?, der })
        }
        ED25519 => {
            let seed = <&OctetStringRef>::from_der(key).map_err(|_| KeyError::Malformed)?.as_bytes();
            if seed.len() != 32 {
                return Err(KeyError::Malformed);
            }
            let public = info.public_key.map(|bits| bits.as_bytes().ok_or(KeyError::Malformed)).transpose()?;
            Ok(Material::Ed25519 { seed, public })
        }
        oid => Err(KeyError::UnsupportedKind { oid }),
    }
}

fn curve_algorithm(curve: ObjectIdentifier) -> Result<KeyAlgorithm, KeyError> {
    KeyAlgorithm::of_curve(curve).ok_or(KeyError::UnsupportedKind { oid: curve })
}

/// `OneAsymmetricKey` (RFC 5958 section 2), which is PKCS#8's `PrivateKeyInfo` with one field more.
#[derive(Sequence)]
struct PrivateKeyInfo<'a> {
    version: u8,
    algorithm: AlgorithmIdentifierRef<'a>,
    private_key: &'a OctetStringRef,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    attributes: Option<SetOfVec<AnyRef<'a>>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    public_key: Option<BitStringRef<'a>>,
}

/// `RSAPrivateKey` with two primes (RFC 8017 appendix A.1.2).
#[derive(Sequence)]
struct RsaPrivateKey<'a> {
    version: u8,
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
    private_exponent: UintRef<'a>,
    prime1: UintRef<'a>,
    prime2: UintRef<'a>,
    exponent1: UintRef<'a>,
    exponent2: UintRef<'a>,
    coefficient: UintRef<'a>,
}

/// `ECPrivateKey` (RFC 5915 section 3).
#[derive(Sequence)]
struct EcPrivateKey<'a> {
    version: u8,
    private_key: &'a OctetStringRef,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    parameters: Option<ObjectIdentifier>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    public_key: Option<BitStringRef<'a>>,
}
