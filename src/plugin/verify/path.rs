//! The way from a certificate to one that is trusted.

use chancery_pki::{CHAIN_MAX, Certificate};
use jiff::Timestamp;

use crate::plugin::inspect::has_signed;

/// A certificate, then each one's issuer.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The certificates; the last is the trusted one, if there is one.
    pub certificates: Vec<Certificate>,
    /// Whether the last is trusted.
    pub trusted: bool,
}

impl Path {
    /// The shortest way to a trusted certificate that goes over `others` in some order; else as far as there is one.
    ///
    /// Each certificate is looked at once, so that whoever presents many cannot make it long. Of several with one name and one key, as a
    /// CA's before and after it was renewed, one that is valid at this time comes first.
    pub fn find(leaf: &Certificate, others: &[Certificate], trusted: &[Certificate], at: Timestamp) -> Self {
        let is_trusted = |certificate: &Certificate| trusted.iter().any(|anchor| is_same(anchor, certificate));
        let mut rest: Vec<&Certificate> = others.iter().take(CHAIN_MAX).collect();
        rest.sort_by_key(|other| !other.is_valid_at(at));
        let mut ways = vec![vec![leaf.clone()]];
        let mut longest = ways[0].clone();
        while let Some(way) = (!ways.is_empty()).then(|| ways.remove(0)) {
            let Some(last) = way.last() else { break };
            if is_trusted(last) {
                return Self { certificates: way, trusted: true };
            }
            let anchors = trusted.iter().filter(|anchor| has_signed(anchor, last));
            if let Some(anchor) = anchors.min_by_key(|anchor| !anchor.is_valid_at(at)) {
                return Self { certificates: way.into_iter().chain([anchor.clone()]).collect(), trusted: true };
            }
            let (next, left): (Vec<_>, Vec<_>) = rest.into_iter().partition(|other| has_signed(other, last) && !way.contains(other));
            rest = left;
            ways.extend(next.into_iter().map(|issuer| way.iter().cloned().chain([issuer.clone()]).collect()));
            if way.len() > longest.len() {
                longest = way;
            }
        }
        Self { certificates: longest, trusted: false }
    }

    /// The certificates with those who issued them.
    pub fn issued(&self) -> impl Iterator<Item = (&Certificate, &Certificate)> {
        self.certificates.iter().zip(self.certificates.iter().skip(1))
    }
}

fn is_same(one: &Certificate, other: &Certificate) -> bool {
    one.subject() == other.subject() && one.public_key() == other.public_key()
}
