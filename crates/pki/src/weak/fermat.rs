//! Fermat's method: an odd number is the difference of two squares, and where its factors are close together, the larger
//! square is the next one or one of those right after it.

use num_bigint::BigUint;

/// How many squares are tried. Primes of 1024 bits that are found differ in their lower 517 bits or so at most.
const ROUNDS: u32 = 110;

/// An odd number below 2^32 whose squares are few: of 45045 residues, 2016 are squares.
const SIEVE: u32 = 9 * 5 * 7 * 11 * 13;

/// Whether the first [`ROUNDS`] squares above the number lie a square above it: then its factors are known.
pub(super) fn finds_factors(number: &BigUint) -> bool {
    let mut root = number.sqrt();
    if &root * &root == *number {
        return true;
    }
    root += 1_u32;
    let mut difference = &root * &root - number;
    for _ in 0..ROUNDS {
        if is_square(&difference) {
            return true;
        }
        // (r + 1)^2 = r^2 + 2r + 1
        difference += (&root << 1_u32) + 1_u32;
        root += 1_u32;
    }
    false
}

fn is_square(number: &BigUint) -> bool {
    // Most numbers are seen to be none by their last bits and their residue alone.
    let low = number.iter_u32_digits().next().unwrap_or_default() & 15;
    if !matches!(low, 0 | 1 | 4 | 9) {
        return false;
    }
    let residue = u32::try_from(number % SIEVE).unwrap_or_default();
    if ![9, 5, 7, 11, 13].into_iter().all(|modulus| (0..modulus).any(|root| root * root % modulus == residue % modulus)) {
        return false;
    }
    let root = number.sqrt();
    &root * &root == *number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_are_told_from_others() {
        for root in 0_u32..3000 {
            let square = BigUint::from(root) * root;
            assert!(is_square(&square), "{square}");
            assert!(root == 0 || !is_square(&(square + 1_u32)));
        }
    }

    /// 10007 and 10009 are primes, and so are 10007 and 20011: 2 apart, and far apart.
    #[test]
    fn factors_are_found_only_where_they_are_close() {
        assert!(finds_factors(&BigUint::from(10_007_u64 * 10_009)));
        assert!(finds_factors(&BigUint::from(10_007_u64 * 10_007)));
        assert!(!finds_factors(&BigUint::from(10_007_u64 * 20_011)));
    }
}
