//! What a decision about a Certificate is made from: everything that was read, and nothing that can read more.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chancery_pki::{Certificate as X509, Chain, KeyEncoding, KeyId, PrivateKey, SerialNumber};
use jiff::{SignedDuration, Timestamp};

use super::{budget::Spent, forms::Passwords, renewal::Validity};
use crate::{
    api::{Certificate, DeletionPolicy, IssuerKey, SpecError, Wanted, WantedIssuer},
    register::Standing,
};

/// All that bears on one Certificate at one moment.
#[derive(Debug)]
pub struct Observed<'a> {
    /// The object as it was read; its resourceVersion is the precondition of the status write.
    pub certificate: &'a Certificate,
    /// Its spec, parsed once.
    pub wanted: &'a Result<Wanted, SpecError>,
    /// The issuer that it names.
    pub issuer: IssuerSeen<'a>,
    /// The Secret that it names.
    pub secret: SecretSeen<'a>,
    /// What the register knows of it.
    pub history: History,
    /// Another Certificate that names the same Secret and comes first.
    pub rival: Option<String>,
    /// Set when our clock and the API server's differ by more than is safe to sign with.
    pub skew: Option<SignedDuration>,
    /// When this certificate's turn comes in a paced re-issuance of all of its issuer's leaves.
    pub turn: Option<Timestamp>,
    /// Whether the issuer changed since the last failed attempt: the delay does not hold then.
    pub issuer_changed: bool,
    /// The lists that the Secret should hold beside the certificate; none where they are not asked for, or not offered.
    pub ca_crl: Option<Arc<ListCopy>>,
    /// The passwords of the stores that are wanted.
    pub passwords: Passwords,
    /// When the Secret may be given another temporary certificate; none for at once.
    pub temporary_after: Option<Timestamp>,
    /// Set where the Secret holds others and was given some a moment ago: when it may be given new ones.
    pub ca_crl_after: Option<Timestamp>,
    /// The Certificates that stand on this one as their CA, in order; looked for only where it is a CA's and is revoked.
    pub dependents: Vec<String>,
}

/// The issuer, as the issuers' own reconciles left it.
#[derive(Clone, Copy, Debug)]
pub enum IssuerSeen<'a> {
    /// No such object.
    Absent,
    /// A ClusterIssuer, and this operator serves some namespaces only.
    NotServed,
    /// It exists, and it or the Certificate's namespace has not been looked at since we lead; that will wake its certificates.
    Pending,
    /// It was looked at.
    Found {
        /// What it is.
        issuer: &'a IssuerView,
        /// Whether its `allow.namespaceSelector` admits the Certificate's namespace.
        namespace_admitted: bool,
    },
}

/// An issuer without its key.
#[derive(Clone, Debug)]
pub struct IssuerView {
    /// Its kind, namespace and name.
    pub key: IssuerKey,
    /// The generation that was looked at.
    pub generation: i64,
    /// Its spec, where that can be read at all.
    pub spec: Option<WantedIssuer>,
    /// What signs, or why nothing can.
    pub backing: Result<Backing, Obstacle>,
}

/// What signs.
#[derive(Clone, Debug)]
pub enum Backing {
    /// Each certificate's own key.
    SelfSigned,
    /// An authority.
    Authority(AuthorityView),
}

impl Backing {
    /// The authority in whose register what it signs is kept; none for the common one.
    pub fn authority(&self) -> Option<KeyId> {
        match self {
            Self::SelfSigned => None,
            Self::Authority(authority) => Some(authority.key_id),
        }
    }
}

/// An authority without its key.
#[derive(Clone, Debug)]
pub struct AuthorityView {
    /// The authority's name.
    pub key_id: KeyId,
    /// Its certificate and those above it, verified.
    pub chain: Arc<Chain>,
    /// A digest of the chain as it is handed out: another digest means that Secrets hold an old chain.
    pub fingerprint: String,
}

/// Why an issuer cannot sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The condition's reason.
    pub reason: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

/// The Secret.
#[derive(Debug)]
pub enum SecretSeen<'a> {
    /// There is none of that name.
    Absent,
    /// It is the very one that the status describes, by uid and resourceVersion; it was not read.
    AsRecorded,
    /// It is somebody else's by its metadata, and was not read; with what would change that.
    Foreign(&'a str),
    /// It was read.
    Read(&'a SecretRead),
}

/// The revocation lists of a certificate's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListCopy {
    /// Their numbers, those of the certificate's own authority first.
    pub numbers: String,
    /// The lists, PEM, in the same order.
    pub text: String,
}

/// A Secret that was read.
#[derive(Debug)]
pub struct SecretRead {
    /// The uid.
    pub uid: String,
    /// The resourceVersion: the precondition of a write.
    pub resource_version: String,
    /// The type; it cannot be changed.
    pub kind: String,
    /// Whether it refuses every change of its content.
    pub immutable: bool,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The certificate chain and the key, or what is wrong with them.
    pub content: Content,
    /// How the private key in it can be found out, if it can.
    pub weakness: Option<String>,
    /// How the private key in it is written; none where that cannot be told.
    pub key_encoding: Option<KeyEncoding>,
    /// The chain and the root as they stand in it.
    pub chain: ChainText,
    /// The revocation lists as they stand in it.
    pub ca_crl: Option<String>,
    /// The other forms of key and certificates that stand in it, and whether each is what it should be beside that certificate.
    pub forms: BTreeMap<&'static str, bool>,
    /// Those of them that cert-manager put.
    pub put_elsewhere: BTreeSet<&'static str>,
    /// The field manager of the last write that was not ours.
    pub other_writer: Option<String>,
}

/// `tls.crt` and `ca.crt` as they stand in a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainText {
    /// `tls.crt`.
    pub chain: String,
    /// `ca.crt`, when it is there.
    pub ca: Option<String>,
}

/// What a Secret holds.
#[derive(Debug)]
pub enum Content {
    /// A key of the Secret is missing or empty.
    Missing(&'static str),
    /// A key of the Secret cannot be read.
    Unreadable(String),
    /// The private key is not the certificate's.
    Mismatch,
    /// A certificate, its chain, and its key.
    Pair {
        /// The certificate first.
        certificates: Vec<X509>,
        /// Its key.
        key: Arc<PrivateKey>,
    },
}

/// What the register knows of a Certificate.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The last certificate that was issued to or imported for it.
    pub current: Option<Recorded>,
    /// The one before it.
    pub previous: Option<(SerialNumber, KeyId)>,
    /// Whether the current one was made elsewhere and taken over.
    pub imported: bool,
    /// The authority in whose register that stands; none for the register of those that have none.
    pub authority: Option<KeyId>,
    /// Whether the current certificate's key was copied as an authority's, and the copy still exists.
    pub copy: bool,
    /// Whether the current certificate's key is already on record as destroyed.
    pub destroyed: bool,
    /// Whether the certificate in the Secret is on record as another Certificate's.
    pub anothers: bool,
    /// How the current certificate stands.
    pub standing: Standing,
    /// Whether its revocation or hold is on a published list.
    pub published: bool,
    /// Whether the current certificate's key is blocked.
    pub blocked: bool,
    /// Whether the key in the Secret may not be certified again: it is blocked, or a certificate with it is revoked or on hold.
    pub barred: bool,
    /// The certificates on record as this Certificate's that have not ended, oldest first. Gathered only where one may have to be
    /// revoked: [`needs_own`] says when.
    pub own: Vec<OwnCertificate>,
    /// Of the authorities above those whose revocations are published, with how long a planned one waits before it is.
    pub lists: BTreeMap<KeyId, SignedDuration>,
    /// Re-issuances within the budget's window.
    pub spent: Spent,
    /// The registers that do not hold together, by their authority (none: the common one), with what is wrong and what to do.
    /// They take no lines, and what they do not say proves nothing.
    pub broken: BTreeMap<Option<KeyId>, String>,
}

/// A line of the register that gave a certificate to its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its serial number.
    pub serial: SerialNumber,
    /// Its key.
    pub key_id: Option<KeyId>,
    /// Its end.
    pub not_after: Option<Timestamp>,
    /// Why it was issued.
    pub reason: String,
    /// When that was recorded.
    pub time: Timestamp,
}

/// A certificate that the register gave to this Certificate, whichever object of this name it was then.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnCertificate {
    /// The authority in whose register it stands; none where no authority signed it, so that nobody could list it.
    pub authority: Option<KeyId>,
    /// Its serial number.
    pub serial: SerialNumber,
    /// When it was recorded: what a revocation calls issued.
    pub time: Timestamp,
    /// Its end.
    pub not_after: Timestamp,
    /// Its key.
    pub key_id: Option<KeyId>,
    /// How it stands.
    pub standing: Standing,
    /// Whether its revocation or hold is on a published list.
    pub published: bool,
}

/// Whether what is decided depends on [`History::own`].
pub fn needs_own(certificate: &Certificate, wanted: &Wanted) -> bool {
    let goes = certificate.metadata.deletion_timestamp.is_some();
    if goes { wanted.deletion == DeletionPolicy::RevokeAndDelete } else { wanted.revocation.is_some() }
}

impl SecretRead {
    /// The type of the key in it, where that can be read.
    pub fn key_algorithm(&self) -> Option<chancery_pki::KeyAlgorithm> {
        match &self.content {
            Content::Pair { key, .. } => Some(key.algorithm()),
            Content::Missing(_) | Content::Unreadable(_) | Content::Mismatch => None,
        }
    }
}

/// The facts of a certificate that a Secret holds, as the status keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its serial number.
    pub serial: SerialNumber,
    /// When it holds.
    pub validity: Validity,
    /// Its key.
    pub key_id: KeyId,
    /// The authority that signed it; none when it signed itself.
    pub authority: Option<KeyId>,
}
