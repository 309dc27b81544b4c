//! What is left of a modulus when it is divided by small primes: small factors, and the mark of ROCA.

use num_bigint::BigUint;

/// The first prime beyond those that are tried.
const BOUND: u32 = 752;

/// The odd primes that the test for ROCA looks at are those up to this one: the library made every modulus from 512 bits
/// on from primes that are powers of 65537 to all of them (Nemec and others, "The Return of Coppersmith's Attack", 2017).
const ROCA_LAST: u32 = 167;
const ROCA_GENERATOR: u32 = 65_537;

/// A number modulo each prime below [`BOUND`].
pub(super) struct Residues(Vec<(u32, u32)>);

impl Residues {
    pub(super) fn of(number: &BigUint) -> Self {
        let mut residues = Vec::with_capacity(133);
        let mut group = Vec::with_capacity(16);
        let mut product = 1_u64;
        for prime in primes() {
            // One long division serves as many primes as fit into a word.
            if let Some(larger) = product.checked_mul(u64::from(prime)) {
                product = larger;
            } else {
                divide(number, product, &group, &mut residues);
                group.clear();
                product = u64::from(prime);
            }
            group.push(prime);
        }
        divide(number, product, &group, &mut residues);
        Self(residues)
    }

    /// The least of the primes that divides the number.
    pub(super) fn divisor(&self) -> Option<u32> {
        self.0.iter().find_map(|(prime, residue)| (*residue == 0).then_some(*prime))
    }

    /// Whether the number is a power of 65537 modulo each of the primes, as one number in 200 million is by chance.
    pub(super) fn have_mark_of_roca(&self) -> bool {
        let looked_at = self.0.iter().filter(|(prime, _)| (3..=ROCA_LAST).contains(prime));
        looked_at.copied().all(|(prime, residue)| is_power(ROCA_GENERATOR % prime, residue, prime))
    }
}

fn divide(number: &BigUint, product: u64, group: &[u32], residues: &mut Vec<(u32, u32)>) {
    // The remainder is below a product that fits into a word.
    let rest = u64::try_from(number % product).unwrap_or_default();
    let residue = |prime: u32| u32::try_from(rest % u64::from(prime)).unwrap_or_default();
    residues.extend(group.iter().map(|prime| (*prime, residue(*prime))));
}

fn is_power(generator: u32, residue: u32, prime: u32) -> bool {
    let mut power = 1;
    loop {
        if power == residue {
            return true;
        }
        power = power * generator % prime;
        if power == 1 {
            return false;
        }
    }
}

fn primes() -> impl Iterator<Item = u32> {
    (2..BOUND).filter(|number| (2..*number).take_while(|divisor| divisor * divisor <= *number).all(|divisor| number % divisor != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residues_are_those_of_long_division() {
        let number = BigUint::from_bytes_be(&[0xa7; 300]);
        let residues = Residues::of(&number).0;
        assert_eq!(residues.len(), 133);
        assert_eq!(residues.last().map(|(prime, _)| *prime), Some(751));
        for (prime, residue) in residues {
            assert_eq!(&number % prime, BigUint::from(residue), "{prime}");
        }
    }

    /// 65537 is 10 modulo 11, whose square is 1; and 10 modulo 37, whose powers are 10, 26 and 1.
    #[test]
    fn the_powers_of_a_number_are_told_from_others() {
        let powers = |prime| -> Vec<_> { (0..prime).filter(|residue| is_power(ROCA_GENERATOR % prime, *residue, prime)).collect() };
        assert_eq!(powers(11), [1, 10]);
        assert_eq!(powers(37), [1, 10, 26]);
    }
}
