use super::*;
use crate::{PrivateKey, tlv};

/// The modulus of this name in `moduli.txt`.
fn modulus(name: &str) -> Vec<u8> {
    let line = include_str!("moduli.txt").lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    crate::hex::decode(line.unwrap()).unwrap()
}

/// The key with these numbers.
fn rsa(modulus: &[u8], exponent: &[u8]) -> PublicKey {
    const ALGORITHM: [u8; 15] = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    let mut key = Vec::new();
    tlv::wrap(&mut key, tlv::tag::SEQUENCE, |out| {
        tlv::write_unsigned(out, modulus);
        tlv::write_unsigned(out, exponent);
    });
    spki(&ALGORITHM, &key)
}

fn spki(algorithm: &[u8], key: &[u8]) -> PublicKey {
    let mut out = Vec::new();
    tlv::wrap(&mut out, tlv::tag::SEQUENCE, |out| {
        out.extend_from_slice(algorithm);
        tlv::write_bits(out, key);
    });
    PublicKey::from_spki_der(&out).unwrap()
}

#[test]
fn a_key_that_is_made_here_has_no_weakness() {
    for algorithm in [
        KeyAlgorithm::EcdsaP256,
        KeyAlgorithm::EcdsaP384,
        KeyAlgorithm::EcdsaP521,
        KeyAlgorithm::Ed25519,
        KeyAlgorithm::Rsa { bits: 2048 },
        KeyAlgorithm::Rsa { bits: 3072 },
    ] {
        assert_eq!(PrivateKey::generate(algorithm).unwrap().public_key().weakness(), None, "{algorithm}");
    }
    assert_eq!(rsa(&modulus("apart"), F4).weakness(), None);
}

#[test]
fn a_weakness_is_found_and_named() {
    for (name, weakness, text) in [
        ("roca", Weakness::Roca, "ROCA"),
        ("close", Weakness::CloseFactors, "Fermat"),
        ("factor-2048", Weakness::SmallFactor(751), "divisible by 751"),
        ("factor-8192", Weakness::SmallFactor(751), "divisible by 751"),
    ] {
        let found = rsa(&modulus(name), F4).weakness();
        assert_eq!(found, Some(weakness), "{name}");
        assert!(found.unwrap().to_string().contains(text), "{name}");
    }
    let even = BigUint::from_bytes_be(&modulus("apart")) - 1_u32;
    assert_eq!(rsa(&even.to_bytes_be(), F4).weakness(), Some(Weakness::SmallFactor(2)));
}

#[test]
fn keys_that_debian_made_are_known_whatever_the_state_of_the_seed_file() {
    for name in ["amd64-rnd-1", "amd64-noreadrnd-1", "amd64-nornd-1", "i386-rnd-1"] {
        assert_eq!(rsa(&modulus(&format!("debian-{name}")), F4).weakness(), Some(Weakness::Debian), "{name}");
    }
}

#[test]
fn a_modulus_has_2048_to_8192_bits() {
    for (bits, weak) in [(2047, true), (2048, false), (8192, false), (8193, true)] {
        let modulus: BigUint = (BigUint::from(1_u32) << (bits - 1)) + 1_u32;
        let found = rsa(&modulus.to_bytes_be(), F4).weakness();
        assert_eq!(found == Some(Weakness::Size { bits }), weak, "{bits}: {found:?}");
    }
}

#[test]
fn an_exponent_is_odd_and_from_65537_to_below_two_to_the_256() {
    let modulus = modulus("apart");
    for (exponent, allowed) in [
        (&[1][..], false),
        (&[3], false),
        (&[35], false),
        (&[0xff, 0xff], false),
        (&[1, 0, 0], false),
        (&[1, 0, 1], true),
        (&[1, 0, 2], false),
        (&[1, 0, 3], true),
        (&[1, 0, 0, 1], true),
        (&[0xff; 32], true),
        (&[0xff; 33], false),
    ] {
        let found = rsa(&modulus, exponent).weakness();
        assert_eq!(found, (!allowed).then_some(Weakness::Exponent), "{exponent:02x?}");
    }
}

#[test]
fn a_point_that_is_not_on_its_curve_is_found() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP521] {
        let key = PrivateKey::generate(algorithm).unwrap();
        let mut octets = key.public_key().spki_der().to_vec();
        *octets.last_mut().unwrap() ^= 1;
        assert_eq!(PublicKey::from_spki_der(&octets).unwrap().weakness(), Some(Weakness::NotOnCurve), "{algorithm}");
    }
    let ed25519 = [0x30, 5, 6, 3, 0x2b, 0x65, 0x70];
    assert_eq!(spki(&ed25519, &[7; 32]).weakness(), None);
    assert_eq!(spki(&ed25519, &[7; 31]).weakness(), Some(Weakness::NotOnCurve));
}
