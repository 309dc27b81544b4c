//! Certificate revocation lists (RFC 5280 section 5): what stands in one, and what can be wrong with one.
//!
//! Which certificates are revoked, and when a list is made, is decided elsewhere.

mod check;
mod encode;
mod entry;
mod error;
mod extensions;
mod number;
mod read;

use jiff::Timestamp;

use crate::{Reason, SerialNumber};

pub use check::cross_check;
pub use encode::sign_crl;
pub use error::CrlError;
pub(crate) use extensions::distribution_points;
pub use number::{CrlNumber, CrlNumberError};
pub use read::{Crl, CrlScope};

/// One entry of a list: a certificate that is not to be trusted any more, or not for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Which certificate.
    pub serial: SerialNumber,
    /// When it was revoked (revocationDate), to the second. Not after the thisUpdate of a list that it stands in: a list
    /// knows nothing of what comes after it. [`sign_crl`] leaves that to whoever dates both back.
    pub time: Timestamp,
    /// Why. [`Reason::Unspecified`] is written by leaving it out.
    pub reason: Reason,
    /// Since when its key is known or suspected to be compromised, or it was otherwise invalid (RFC 5280 section 5.3.2),
    /// to the second.
    pub invalidity_date: Option<Timestamp>,
}

/// What a list says besides its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrlTemplate {
    /// Its number, above that of each list of this authority before it.
    pub number: CrlNumber,
    /// When it was made, to the second.
    pub this_update: Timestamp,
    /// When the next one will have been made, to the second.
    pub next_update: Timestamp,
    /// The URIs under which it is published, octet for octet as they stand in the certificates that it covers: a critical
    /// issuingDistributionPoint (RFC 5280 section 5.2.5). Empty for a list that covers all certificates of the authority.
    pub distribution_point: Vec<String>,
    /// Set for a delta: the number of the list that it adds to (RFC 5280 section 5.2.4).
    pub delta_base: Option<CrlNumber>,
    /// The URIs of the delta to this list (RFC 5280 section 5.2.6). Empty for none, and in a delta.
    pub freshest: Vec<String>,
}

/// `uniformResourceIdentifier` among the choices of a GeneralName (RFC 5280 section 4.2.1.6).
const URI: u8 = 6;

/// What the rest calls the extensions that stand in lists.
mod oid {
    pub(super) use const_oid::db::rfc5280::{
        ID_CE_AUTHORITY_KEY_IDENTIFIER as AUTHORITY_KEY_IDENTIFIER, ID_CE_CERTIFICATE_ISSUER as CERTIFICATE_ISSUER,
        ID_CE_CRL_NUMBER as CRL_NUMBER, ID_CE_CRL_REASONS as REASON, ID_CE_DELTA_CRL_INDICATOR as DELTA_INDICATOR,
        ID_CE_FRESHEST_CRL as FRESHEST, ID_CE_INVALIDITY_DATE as INVALIDITY_DATE,
        ID_CE_ISSUING_DISTRIBUTION_POINT as ISSUING_DISTRIBUTION_POINT,
    };
}
