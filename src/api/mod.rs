//! The kinds of `chancery.dev/v1alpha1`, their rules, conditions and reasons.
//!
//! A rule stands three times, once for each reader: in the schema (pattern, bounds, enum, CEL) for whoever applies an
//! object, in the description for `kubectl explain`, and in [`check`], which turns a stored object into a type that
//! cannot be invalid, since it may have been stored under other rules.
//!
//! Nothing here talks to a cluster or reads a clock.

pub mod certificate;
pub mod certificate_status;
pub mod check;
pub mod condition;
pub mod crds;
pub mod duration;
pub mod issuer;
pub mod issuer_status;
pub mod keystores;
pub mod name_constraints;
pub mod names;
pub mod private_key;
mod readable;
pub mod reason;
pub mod renewal;
pub mod resolve;
pub mod revocation_list;
pub mod revocation_list_status;
mod schema;
pub mod selector;
pub mod window;

pub use certificate::{Certificate, CertificateSpec, DeletionPolicy, IssuerRef, RevocationSpec, SecretTemplate, Subject, TENANT_REASONS};
pub use certificate_status::{CertificateStatus, IssuedCertificate, ResolvedKey, ResolvedSpec, RevocationStatus, SecretIdentity};
pub use check::certificate::{IssuerKey, IssuerKind, Renewal, Wanted, WantedRevocation, check};
pub use check::error::SpecError;
pub use check::issuer::{Allow, Defaults, Kind, Refusal, Scope, WantedIssuer, check_issuer};
pub use check::keystores::{PasswordSource, WantedJks, WantedKeystores, WantedPkcs12};
pub use check::revocation_list::{CopyName, Order, OrderAct, Target, WantedList, check_list};
pub use duration::GoDuration;
pub use issuer::{ClusterIssuer, ClusterIssuerSpec, Issuer, IssuerSpec, OnAuthorityChange};
pub use issuer_status::IssuerStatus;
pub use keystores::{OutputFormat, Password};
pub use private_key::{Algorithm, Encoding, PrivateKeySpec, RotationPolicy};
pub use renewal::{RenewalPolicy, RenewalSpec, RenewalWindow};
pub use resolve::{DEFAULT_DURATION, Defaulted, Resolved, encoding_name, resolve, unwritten};
pub use revocation_list::{
    CertificateTarget, CopyTarget, DeltaSpec, Distribution, OWNER_REASONS, OcspSpec, OrderSpec, RevocationList, RevocationListSpec,
};
pub use revocation_list_status::{
    DeltaStatus, FormerAuthority, RefusedOrder, RegisterAnchor, ResolvedList, RevocationListStatus, ShardStatus,
};
pub use selector::NamespaceSelector;
pub use window::{Occurrence, Schedule, Window};
