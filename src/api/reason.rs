//! Reasons of conditions and Events: one word each, for programs. What people read is the message beside it.
//!
//! A reason is an interface: scripts and alerts match it. New ones may come; none changes its meaning.

/// The Secret holds what is asked for; or the issuer can sign.
pub const READY: &str = "Ready";
/// The spec is refused; the message names the field.
pub const INVALID_SPEC: &str = "InvalidSpec";
/// Something unexpected failed; the message says what.
pub const FAILED: &str = "Failed";

/// Why a Certificate is not ready, or needs a new certificate. The order is the order of the checks.
pub mod certificate {
    /// There is no such issuer.
    pub const ISSUER_NOT_FOUND: &str = "IssuerNotFound";
    /// The issuer cannot sign now.
    pub const ISSUER_NOT_READY: &str = "IssuerNotReady";
    /// This operator serves some namespaces only, and no ClusterIssuers.
    pub const ISSUER_NOT_SERVED: &str = "IssuerNotServed";
    /// The issuer's `allow`, or its authority, does not permit what is asked.
    pub const NOT_ALLOWED: &str = "NotAllowed";
    /// The Secret belongs to something else; it is not touched.
    pub const SECRET_NOT_OURS: &str = "SecretNotOurs";
    /// Another Certificate names the same Secret, and owns it.
    pub const SECRET_SHARED: &str = "SecretShared";
    /// There is no Secret yet, or it was deleted.
    pub const SECRET_MISSING: &str = "SecretMissing";
    /// The Secret has no certificate or key, or none that can be read.
    pub const SECRET_UNREADABLE: &str = "SecretUnreadable";
    /// The key in the Secret is not that of the certificate.
    pub const KEY_MISMATCH: &str = "KeyMismatch";
    /// The certificate in the Secret is not the one that the register knows as current.
    pub const NOT_CURRENT: &str = "NotCurrent";
    /// The spec names another issuer.
    pub const ISSUER_CHANGED: &str = "IssuerChanged";
    /// The issuer's authority has another key or name.
    pub const AUTHORITY_CHANGED: &str = "AuthorityChanged";
    /// Other DNS names, IP addresses, URIs or e-mail addresses are asked for.
    pub const NAMES_CHANGED: &str = "NamesChanged";
    /// Another subject is asked for.
    pub const SUBJECT_CHANGED: &str = "SubjectChanged";
    /// Another path length, or other name constraints, are asked for.
    pub const CONSTRAINTS_CHANGED: &str = "ConstraintsChanged";
    /// Another algorithm is asked for with which the certificate signs itself.
    pub const SIGNATURE_CHANGED: &str = "SignatureChanged";
    /// The private key can be found out; a new one is made.
    pub const KEY_WEAK: &str = "KeyWeak";
    /// The password of a keystore is not there.
    pub const KEYSTORE_PASSWORD_MISSING: &str = "KeystorePasswordMissing";
    /// Other usages are asked for, or `isCA` changed.
    pub const USAGES_CHANGED: &str = "UsagesChanged";
    /// Another kind, size or encoding of key is asked for.
    pub const KEY_CHANGED: &str = "KeyChanged";
    /// Another lifetime is asked for.
    pub const DURATION_CHANGED: &str = "DurationChanged";
    /// The annotation `chancery.dev/renew` has a new value.
    pub const RENEW_REQUESTED: &str = "RenewRequested";
    /// A certificate was issued, and its Secret could not be written.
    pub const NOT_DELIVERED: &str = "NotDelivered";
    /// The certificate does not hold yet: a clock was or is wrong.
    pub const NOT_YET_VALID: &str = "NotYetValid";
    /// The certificate has expired.
    pub const EXPIRED: &str = "Expired";
    /// Its certificate is revoked; a new one is made, with another key. On the condition Revoked: all that were to be are on published lists.
    pub const REVOKED: &str = "Revoked";
    /// There is no list of the authority that signed: the register knows of the revocation, and nobody else does.
    pub const NO_REVOCATION_LIST: &str = "NoRevocationList";
    /// No authority signed the certificate (selfSigned), so nobody could list it.
    pub const NOT_REVOCABLE: &str = "NotRevocable";
    /// The revocation is recorded and not on a published list yet.
    pub const AWAITING_PUBLICATION: &str = "AwaitingPublication";
    /// The certificate is on hold: on the list until it is released.
    pub const ON_HOLD: &str = "OnHold";
    /// The certificate's key is blocked: it is not certified again.
    pub const KEY_BLOCKED: &str = "KeyBlocked";
    /// No certificate was issued before the time that is asked for.
    pub const NOTHING_TO_REVOKE: &str = "NothingToRevoke";
    /// It is time to renew.
    pub const RENEWAL_DUE: &str = "RenewalDue";
    /// The first certificate of this object, in the register.
    pub const CREATED: &str = "Created";
    /// The last attempt failed; `nextRetryTime` says when the next is made.
    pub const BACKING_OFF: &str = "BackingOff";
    /// So many certificates were made that the next one waits.
    pub const BUDGET_SPENT: &str = "BudgetSpent";
    /// Another writer changes the Secret again and again; the message names it.
    pub const SECRET_CONTESTED: &str = "SecretContested";
    /// A renewal would gain less than a tenth of the lifetime, since the authority ends soon.
    pub const AUTHORITY_ENDING: &str = "AuthorityEnding";
    /// The key of a CA is lost and there is no copy; nothing is made in its place.
    pub const AUTHORITY_SECRET_MISSING: &str = "AuthoritySecretMissing";
    /// Our clock and the API server's differ; nothing is signed.
    pub const CLOCK_SKEW: &str = "ClockSkew";
    /// The register could not be written; nothing is signed.
    pub const REGISTER_UNAVAILABLE: &str = "RegisterUnavailable";
    /// What was signed does not verify; it was not delivered.
    pub const VERIFICATION_FAILED: &str = "VerificationFailed";
    /// The Secret is immutable: it cannot be put right.
    pub const SECRET_IMMUTABLE: &str = "SecretImmutable";
    /// A new key would have to be made, and the rotation policy forbids it.
    pub const KEY_ROTATION_FORBIDDEN: &str = "KeyRotationForbidden";
    /// The reason of a failed attempt, from a condition that shows it.
    pub fn of_failure(text: &str) -> &'static str {
        let known = [super::FAILED, VERIFICATION_FAILED, REGISTER_UNAVAILABLE, AUTHORITY_SECRET_MISSING];
        known.into_iter().find(|reason| *reason == text).unwrap_or(BACKING_OFF)
    }

    /// A good certificate was found that this operator had not put there.
    pub const FOUND: &str = "Found";
}

/// Why an issuer cannot sign, or soon cannot.
pub mod issuer {
    /// The Secret with the CA is not there, and there is no copy to restore it from.
    pub const AUTHORITY_SECRET_MISSING: &str = "AuthoritySecretMissing";
    /// The key in the Secret is not that of the certificate.
    pub const KEY_MISMATCH: &str = "KeyMismatch";
    /// A key of the chain can be found out: nothing is signed with it.
    pub const KEY_WEAK: &str = "KeyWeak";
    /// The certificate is not for a CA, or may not sign certificates.
    pub const NOT_A_CA: &str = "NotACA";
    /// The Secret has no certificate or key, or none that can be read, or its certificates are no chain that holds now.
    pub const CHAIN_INVALID: &str = "ChainInvalid";
    /// A certificate of the chain has expired.
    pub const EXPIRED: &str = "Expired";
    /// The remaining life is below the longest duration asked for.
    pub const LIFE_TOO_SHORT: &str = "LifeTooShort";
    /// The remaining life is enough for all that is asked for.
    pub const LIFE_SUFFICIENT: &str = "LifeSufficient";
}

/// Why a RevocationList is published or not.
pub mod list {
    /// Every order that was taken is on the published list.
    pub const PUBLISHED: &str = "Published";
    /// A new list is being made.
    pub const PUBLISHING: &str = "Publishing";
    /// An older RevocationList covers the same authority; this one does nothing.
    pub const AUTHORITY_COVERED: &str = "AuthorityCovered";
    /// A ClusterIssuer's list belongs into the operator's namespace.
    pub const WRONG_NAMESPACE: &str = "WrongNamespace";
    /// There is no such issuer.
    pub const ISSUER_NOT_FOUND: &str = "IssuerNotFound";
    /// The issuer's authority is not known, or does not hold.
    pub const ISSUER_NOT_READY: &str = "IssuerNotReady";
    /// The issuer is selfSigned: it has no authority that could sign a list.
    pub const NOT_AN_AUTHORITY: &str = "NotAnAuthority";
    /// The authority's key is gone, and so is its copy: no list can be signed.
    pub const AUTHORITY_KEY_MISSING: &str = "AuthorityKeyMissing";
    /// The key usage of the authority's certificate lacks crl sign.
    pub const MAY_NOT_SIGN_LISTS: &str = "MayNotSignLists";
    /// What is stored is older than what was published: a store went back in time. Nothing new is published.
    pub const ROLLED_BACK: &str = "RolledBack";
    /// The register cannot be read or written; nothing new is published.
    pub const REGISTER_UNAVAILABLE: &str = "RegisterUnavailable";
    /// Our clock and the API server's differ; nothing is signed.
    pub const CLOCK_SKEW: &str = "ClockSkew";
    /// The list that was made would lose entries, or is wrong in another way; the one before it stays.
    pub const GUARD_TRIPPED: &str = "GuardTripped";
    /// Some orders cannot be carried out; the status names them. The others are.
    pub const ORDERS_REFUSED: &str = "OrdersRefused";
    /// Automatic revocations beyond the maximum wait for a person.
    pub const HELD_BACK: &str = "HeldBack";
    /// So many octets were written that the next list waits for a moment.
    pub const BYTES_SPENT: &str = "BytesSpent";
}

/// Reasons of Events.
pub mod event {
    /// A first certificate was made.
    pub const ISSUED: &str = "Issued";
    /// A certificate was renewed in time.
    pub const RENEWED: &str = "Renewed";
    /// A certificate was made again for another reason than its age.
    pub const REISSUED: &str = "Reissued";
    /// What is asked for is refused until somebody changes something.
    pub const REFUSED: &str = "Refused";
    /// An attempt failed.
    pub const FAILED: &str = "Failed";
    /// Certificates were revoked: recorded, and on a list as soon as there is one.
    pub const REVOKED: &str = "Revoked";
    /// Certificates were put on hold.
    pub const HELD: &str = "Held";
    /// Certificates on hold were released.
    pub const RELEASED: &str = "Released";
    /// A list was published.
    pub const PUBLISHED: &str = "ListPublished";
    /// Automatic revocations wait for a person.
    pub const HELD_BACK: &str = "HeldBack";
    /// A key was blocked: it is not certified again.
    pub const KEY_BLOCKED: &str = "KeyBlocked";
    /// A private key was destroyed.
    pub const KEY_DESTROYED: &str = "KeyDestroyed";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_is_explained_to_people_and_none_that_is_not() {
        let page = include_str!("../../docs/troubleshooting.md");
        let headed: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
        let constants = include_str!("reason.rs").lines().filter(|line| line.trim_start().starts_with("pub const "));
        let reasons: BTreeSet<&str> = constants.filter_map(|line| line.split('"').nth(1)).collect();
        assert_eq!(headed, reasons, "left: the headings of docs/troubleshooting.md; right: the reasons");
    }

    #[test]
    fn each_explanation_says_what_it_means_where_to_look_and_what_to_do() {
        let page = include_str!("../../docs/troubleshooting.md");
        let sections: Vec<&str> = page.split("\n### ").skip(1).collect();
        assert!(!sections.is_empty());
        for section in sections {
            let section = section.split("\n## ").next().unwrap_or_default();
            for part in ["- **Means**: ", "- **Look**: ", "- **Do**: "] {
                assert_eq!(section.matches(part).count(), 1, "{part} in {section}");
            }
        }
    }
}
