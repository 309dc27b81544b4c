//! The last look at a list before it is published: what is wrong here is wrong in this program, or in what it was given.
//!
//! It looks at the octets that are about to be published, and at nothing that their making has left.

use chancery_pki::{Certificate, Crl, CrlError, CrlNumber, SerialNumber, cross_check};
use jiff::Timestamp;
use thiserror::Error;

use super::{
    place::Kind,
    select::{Leave, Rules},
};

/// A list was not published, and the one before it stays.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the {kind} of shard {shard} is not published: {rule}")]
pub struct GuardTripped {
    /// Which shard.
    pub shard: u16,
    /// The list or its delta.
    pub kind: Kind,
    /// What it breaks.
    pub rule: Rule,
}

/// What every list keeps to.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Rule {
    /// It is signed by its authority.
    #[error("its signature is not that of the authority")]
    Signature,
    /// It can be read, by us and by others.
    #[error("it cannot be read: {0}")]
    Readable(#[from] CrlError),
    /// Others read as many entries as were written.
    #[error("{written} entries were written, and another implementation reads {read}")]
    Entries {
        /// How many were written.
        written: usize,
        /// How many the other reads.
        read: usize,
    },
    /// Its number is above all before it.
    #[error("its number {number} is not above {before}, that of the list before it")]
    Number {
        /// Its number.
        number: CrlNumber,
        /// The one before.
        before: CrlNumber,
    },
    /// Its thisUpdate is not before that of the one before it.
    #[error("its thisUpdate {this_update} lies before {before}, that of the list before it")]
    ThisUpdate {
        /// Its thisUpdate.
        this_update: Timestamp,
        /// That of the one before.
        before: Timestamp,
    },
    /// It says of itself what it said before: certificates carry these URLs.
    #[error("it is not at {url} any more, which its certificates name")]
    DistributionPoint {
        /// The URL.
        url: String,
    },
    /// It has lost nothing.
    #[error("it has lost the entry of the certificate {serial}, which {why}")]
    Lost {
        /// The certificate's serial.
        serial: SerialNumber,
        /// What the register says of it.
        why: &'static str,
    },
}

/// What a list is compared with.
pub(super) struct Looking<'a> {
    pub(super) issuer: &'a Certificate,
    /// How many entries were to be written.
    pub(super) written: usize,
    /// The number of the last list of this shard, deltas included.
    pub(super) last_number: Option<CrlNumber>,
    /// The thisUpdate of the last one; none where a person has confirmed that it may go back.
    pub(super) last_this_update: Option<Timestamp>,
}

impl Looking<'_> {
    /// Reads the DER back and looks at it.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub(super) fn at(&self, der: Vec<u8>) -> Result<Crl, Rule> {
        let read = cross_check(&der, self.issuer)?;
        let list = Crl::from_der(der)?;
        if !list.is_signed_by(self.issuer.public_key()) || list.issuer() != self.issuer.subject() {
            return Err(Rule::Signature);
        }
        if read != self.written || list.len() != self.written {
            return Err(Rule::Entries { written: self.written, read: read.min(list.len()) });
        }
        let number = list.number().ok_or(Rule::Readable(CrlError::Number))?;
        if let Some(before) = self.last_number.filter(|before| number <= *before) {
            return Err(Rule::Number { number, before });
        }
        let this_update = list.this_update();
        if let Some(before) = self.last_this_update.filter(|before| this_update < *before) {
            return Err(Rule::ThisUpdate { this_update, before });
        }
        Ok(list)
    }
}

/// Nothing that stood on `before` is missing on `next` but what may leave.
///
/// # Errors
/// The first entry that is lost, or the first URL.
pub(super) fn nothing_lost(before: &Crl, next: &Crl, rules: &Rules<'_>) -> Result<(), Rule> {
    if let Some(url) = before.distribution_point().iter().find(|url| !next.distribution_point().contains(url)) {
        return Err(Rule::DistributionPoint { url: url.clone() });
    }
    let mut entries = next.entries();
    let mut ahead = entries.next().transpose()?;
    let mut last: Option<SerialNumber> = None;
    for revoked in before.entries() {
        let revoked = revoked?;
        // What we have made is in order; what is not is looked for from the start.
        let there = if last.as_ref().is_some_and(|last| *last >= revoked.serial) {
            next.find(&revoked.serial)?.is_some()
        } else {
            while ahead.as_ref().is_some_and(|entry| entry.serial < revoked.serial) {
                ahead = entries.next().transpose()?;
            }
            ahead.as_ref().is_some_and(|entry| entry.serial == revoked.serial)
        };
        if !there {
            let why = match rules.leave(&revoked) {
                Leave::Ended | Leave::Released => None,
                Leave::Never => Some("is still revoked"),
                Leave::Contradicted => Some("the register calls good without having released it"),
            };
            if let Some(why) = why {
                return Err(Rule::Lost { serial: revoked.serial, why });
            }
        }
        last = Some(revoked.serial);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
