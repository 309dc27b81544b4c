//! What to do about a condition, by its reason: what `docs/troubleshooting.md` says, as one line each.
//!
//! Every reason that a condition may have stands here; a test holds it.

use serde::Serialize;

use crate::api::reason::{self, certificate, issuer, list};

/// Whose condition it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Scope {
    /// A Certificate's.
    Certificate,
    /// An Issuer's or ClusterIssuer's.
    Issuer,
    /// A RevocationList's.
    List,
}

/// What a person does about this reason; empty where there is nothing to do, none where the reason is not known here.
pub fn advice(scope: Scope, reason: &str) -> Option<&'static str> {
    match scope {
        Scope::Certificate => of_certificate(reason),
        Scope::Issuer => of_issuer(reason),
        Scope::List => of_list(reason),
    }
}

fn of_certificate(reason: &str) -> Option<&'static str> {
    Some(match reason {
        reason::READY
        | certificate::CREATED
        | certificate::FOUND
        | certificate::RENEWAL_DUE
        | certificate::RENEW_REQUESTED
        | certificate::SECRET_MISSING
        | certificate::ISSUER_CHANGED
        | certificate::AUTHORITY_CHANGED
        | certificate::NAMES_CHANGED
        | certificate::SUBJECT_CHANGED
        | certificate::CONSTRAINTS_CHANGED
        | certificate::SIGNATURE_CHANGED
        | certificate::USAGES_CHANGED
        | certificate::KEY_CHANGED
        | certificate::DURATION_CHANGED
        | certificate::KEY_BLOCKED => "",
        reason::INVALID_SPEC => "Correct the field that the message names.",
        reason::FAILED => "See the message.",
        certificate::ISSUER_NOT_FOUND => "Create the issuer, or correct spec.issuerRef (its kind is Issuer if unset).",
        certificate::ISSUER_NOT_READY => "Look at the issuer: kubectl chancery status issuer NAME, or clusterissuer.",
        certificate::ISSUER_NOT_SERVED => "Use an Issuer: this operator serves some namespaces only, and so no ClusterIssuers.",
        certificate::NOT_ALLOWED => "Ask for less, or ask the issuer's owner to allow what the message names.",
        certificate::SECRET_NOT_OURS => {
            "Choose another spec.secretName, or have the Secret's owner annotate it with chancery.dev/allow-adoption: <certificate>."
        }
        certificate::SECRET_SHARED => "Give one of the two Certificates another spec.secretName.",
        certificate::SECRET_CONTESTED => "Stop the other writer that the message names.",
        certificate::SECRET_IMMUTABLE => "Delete the Secret: it is made anew.",
        certificate::SECRET_UNREADABLE | certificate::KEY_MISMATCH | certificate::NOT_CURRENT => {
            "A new certificate is made; find out who else writes the Secret."
        }
        certificate::KEY_WEAK => "A leaf gets a new key by itself. For a CA: kubectl chancery renew NAME.",
        certificate::KEYSTORE_PASSWORD_MISSING => "Put the keystore's password into the Secret that the message names.",
        certificate::NOT_DELIVERED => "Nothing, if it goes away by itself: it is tried again. Else see the message.",
        certificate::KEY_ROTATION_FORBIDDEN => "Set spec.privateKey.rotationPolicy: Always, or delete the Secret.",
        certificate::AUTHORITY_SECRET_MISSING => {
            "Restore the CA's Secret from a backup; or, for a CA with a new key: kubectl chancery renew NAME."
        }
        certificate::AUTHORITY_ENDING => "Renew the issuer's own certificate.",
        certificate::BACKING_OFF => "See the message; a change of the spec or the issuer is tried at once.",
        certificate::BUDGET_SPENT => "Find out what asks for so many certificates; it goes on by itself.",
        certificate::CLOCK_SKEW => "Set the clocks of the operator's and the API server's machines right.",
        certificate::NOT_YET_VALID => "Set the clocks right; it is ready when its time comes.",
        certificate::REGISTER_UNAVAILABLE => "See the message, and docs/register.md: nothing is signed without the register.",
        certificate::VERIFICATION_FAILED => "This is a defect: please report it with the message.",
        certificate::EXPIRED => "If renewal.policy is Disabled: kubectl chancery renew NAME. Else see the condition Issuing.",
        certificate::REVOKED => "A leaf gets a new one by itself. For a CA with a new key: kubectl chancery renew NAME.",
        certificate::AWAITING_PUBLICATION => "Nothing: it takes seconds, or the list's grace.",
        certificate::NO_REVOCATION_LIST => "Ask the issuer's owner for a RevocationList: until then nobody hears of it.",
        certificate::NOT_REVOCABLE => "Take the certificate out of every trust store that has it.",
        certificate::NOTHING_TO_REVOKE => {
            "Nothing was issued before spec.revocation.issuedBefore; give a later time if that is not what was meant."
        }
        certificate::ON_HOLD => "Ask the issuer's owner to release or to revoke it.",
        _ => return None,
    })
}

fn of_issuer(reason: &str) -> Option<&'static str> {
    Some(match reason {
        reason::READY | issuer::LIFE_SUFFICIENT => "",
        reason::INVALID_SPEC => "Correct the field that the message names.",
        reason::FAILED => "See the message.",
        issuer::AUTHORITY_SECRET_MISSING => {
            "Create the Secret that spec.ca.secretName names; a ClusterIssuer's is in the operator's namespace."
        }
        issuer::KEY_MISMATCH => "Put the key of the certificate in tls.crt into tls.key.",
        issuer::KEY_WEAK => "Replace the CA that the message names.",
        issuer::NOT_A_CA => "Use a certificate of a CA: one with isCA: true.",
        issuer::CHAIN_INVALID => "See the message; put the whole chain into tls.crt, or the root into ca.crt.",
        issuer::EXPIRED => "Renew the certificate of the chain that has expired.",
        issuer::LIFE_TOO_SHORT => "Renew the CA's certificate: what it signs is cut to its end.",
        _ => return None,
    })
}

fn of_list(reason: &str) -> Option<&'static str> {
    Some(match reason {
        reason::READY | list::PUBLISHED | list::PUBLISHING => "",
        reason::INVALID_SPEC => "Correct the field that the message names; what was published goes on.",
        reason::FAILED => "See the message.",
        list::AUTHORITY_COVERED => "Use the older RevocationList that the message names, and delete this one.",
        list::WRONG_NAMESPACE => "Make it in the operator's namespace: a ClusterIssuer's list belongs there.",
        list::ISSUER_NOT_FOUND | list::ISSUER_NOT_READY => "Look at the issuer; what was published goes on, orders wait.",
        list::NOT_AN_AUTHORITY => "Use the list of an issuer with ca: a selfSigned one has no authority.",
        list::AUTHORITY_KEY_MISSING => "Put the CA's Secret back from a backup.",
        list::MAY_NOT_SIGN_LISTS => "Renew the CA with crl sign among its usages.",
        list::ROLLED_BACK => "A store went back in time; see docs/operations.md#rolled-back. What is served stays.",
        list::REGISTER_UNAVAILABLE => "See the message, and docs/register.md.",
        list::CLOCK_SKEW => "Set the clocks of the operator's and the API server's machines right.",
        list::GUARD_TRIPPED => "See the message, and docs/operations.md#guard-tripped. The list before stays.",
        list::ORDERS_REFUSED => "Correct or remove the orders below; the others are carried out.",
        list::HELD_BACK => "Look who asked for so many; then set spec.confirmPendingBefore.",
        list::BYTES_SPENT => "Nothing; if it stays so: more shards, or a longer debounce.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reasons of a module of `reason.rs`; of the file itself for an empty name.
    fn reasons(module: &str) -> Vec<&'static str> {
        let mut inside = "";
        let mut found = Vec::new();
        for line in include_str!("../../api/reason.rs").lines() {
            if let Some(name) = line.strip_prefix("pub mod ") {
                inside = name.trim_end_matches(" {");
            } else if line == "}" {
                inside = "";
            } else if inside == module && line.trim_start().starts_with("pub const ") {
                found.extend(line.split('"').nth(1));
            }
        }
        assert!(found.len() >= 3, "{module}: {found:?}");
        found
    }

    #[test]
    fn there_is_advice_on_every_reason() {
        for (scope, module) in [(Scope::Certificate, "certificate"), (Scope::Issuer, "issuer"), (Scope::List, "list")] {
            let all = reasons(module).into_iter().chain(reasons(""));
            let missing: Vec<&str> = all.filter(|reason| advice(scope, reason).is_none()).collect();
            assert!(missing.is_empty(), "no advice on {missing:?} of {module}");
        }
        assert_eq!(advice(Scope::List, "IssuerNotServed"), None);
    }

    #[test]
    fn what_the_docs_tell_people_to_do_is_told_here_too() {
        let page = include_str!("../../../docs/troubleshooting.md");
        let mut chapter = "";
        for line in page.split("\n#").skip(1) {
            if let Some(heading) = line.strip_prefix("# ") {
                chapter = heading.lines().next().unwrap_or_default();
            }
            let Some(reason) = line.strip_prefix("## ").and_then(|section| section.lines().next()) else { continue };
            let scope = match chapter {
                "A Certificate is not ready" | "Revocation of a Certificate" => Scope::Certificate,
                "An issuer" => Scope::Issuer,
                "A RevocationList" => Scope::List,
                _ => continue,
            };
            let told = line.split_once("- **Do**: ").is_some_and(|(_, told)| !told.starts_with("nothing"));
            let advice = advice(scope, reason).unwrap_or_else(|| panic!("{chapter}: {reason} is not known here"));
            assert!(!told || !advice.is_empty(), "{chapter}: {reason}");
        }
        assert_eq!(chapter, "Reasons of Events", "the chapters were read");
    }
}
