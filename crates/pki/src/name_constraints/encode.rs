//! Name constraints to DER.
//!
//! What they say was checked before; only the form is made here.

use super::{NameConstraints, NameSubtrees};
use crate::tlv::{self, tag};

/// The context-specific numbers of the forms of `GeneralName` (RFC 5280 section 4.2.1.6).
pub(super) mod form {
    pub(in super::super) const OTHER: u8 = 0;
    pub(in super::super) const EMAIL: u8 = 1;
    pub(in super::super) const DNS: u8 = 2;
    pub(in super::super) const DIRECTORY: u8 = 4;
    pub(in super::super) const URI: u8 = 6;
    pub(in super::super) const IP: u8 = 7;
}

impl NameConstraints {
    /// The value of the extension.
    pub(crate) fn to_der(&self) -> Vec<u8> {
        let mut out = Vec::new();
        tlv::wrap(&mut out, tag::SEQUENCE, |out| {
            for (number, subtrees) in [(0, &self.permitted), (1, &self.excluded)] {
                if !subtrees.is_empty() {
                    tlv::wrap(out, tag::constructed(number), |out| write(out, subtrees));
                }
            }
        });
        out
    }
}

fn write(out: &mut Vec<u8>, subtrees: &NameSubtrees) {
    let mut base = |form, contents: &[u8]| {
        // The minimum is zero and not written, the maximum is absent.
        tlv::wrap(out, tag::SEQUENCE, |out| tlv::write(out, tag::context(form), contents));
    };
    subtrees.dns_domains.iter().for_each(|domain| base(form::DNS, domain.as_bytes()));
    subtrees.ip_ranges.iter().for_each(|range| base(form::IP, &range.to_octets()));
    subtrees.email_addresses.iter().for_each(|address| base(form::EMAIL, address.as_bytes()));
    subtrees.uri_domains.iter().for_each(|domain| base(form::URI, domain.as_bytes()));
}
