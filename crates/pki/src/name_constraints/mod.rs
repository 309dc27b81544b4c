//! Name constraints (RFC 5280 section 4.2.1.10): which names may stand in the certificates below a CA.
//!
//! Here is what a user can ask for. What a foreign certificate says is read by `read` and may be more than that; whether a
//! name is permitted is said by `permit`.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::san::{check_email, check_host};

mod encode;
mod ip_range;
mod permit;
mod read;

pub use ip_range::{IpRange, IpRangeError};
pub(crate) use permit::Names;
pub use permit::{BrokenRule, ConstraintBroken};
pub(crate) use read::Constraints;

/// Whether a text is a subtree of its form: what is wrong with it, if not.
type Check = fn(&str) -> Result<(), &'static str>;

/// Which names may stand in the certificates below a CA, and which may not. A form of name that no subtree is of is free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameConstraints {
    /// Whether a verifier that does not know name constraints must refuse the certificate. RFC 5280 says that it must.
    pub critical: bool,
    /// If there are subtrees of a name's form here, the name must lie in one of them.
    pub permitted: NameSubtrees,
    /// In none of these may a name lie, whatever else is permitted.
    pub excluded: NameSubtrees,
}

/// Subtrees of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameSubtrees {
    /// DNS names: `example.com` is that name and all below it, `.example.com` those below it only, the empty text all of them.
    pub dns_domains: BTreeSet<String>,
    /// Ranges of IP addresses.
    pub ip_ranges: BTreeSet<IpRange>,
    /// Mailboxes: `root@example.com` is that one, `example.com` all at that host, `.example.com` all at hosts below it.
    pub email_addresses: BTreeSet<String>,
    /// Hosts of URIs: `example.com` is that host, `.example.com` those below it.
    pub uri_domains: BTreeSet<String>,
}

impl NameSubtrees {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.dns_domains.is_empty() && self.ip_ranges.is_empty() && self.email_addresses.is_empty() && self.uri_domains.is_empty()
    }
}

impl NameConstraints {
    /// Checks that the constraints may stand in a certificate.
    ///
    /// # Errors
    /// When there is no subtree at all, or names the list and the value that is wrong.
    pub fn validate(&self) -> Result<(), NameConstraintsError> {
        if self.permitted.is_empty() && self.excluded.is_empty() {
            return Err(NameConstraintsError::Empty);
        }
        let lists: [(&'static str, _, Check); 6] = [
            ("permitted.dnsDomains", &self.permitted.dns_domains, check_dns_domain),
            ("permitted.emailAddresses", &self.permitted.email_addresses, check_mailboxes),
            ("permitted.uriDomains", &self.permitted.uri_domains, check_uri_domain),
            ("excluded.dnsDomains", &self.excluded.dns_domains, check_dns_domain),
            ("excluded.emailAddresses", &self.excluded.email_addresses, check_mailboxes),
            ("excluded.uriDomains", &self.excluded.uri_domains, check_uri_domain),
        ];
        for (list, values, check) in lists {
            for value in values {
                check(value).map_err(|reason| NameConstraintsError::Value { list, value: value.clone(), reason })?;
            }
        }
        Ok(())
    }
}

/// Why name constraints may not stand in a certificate.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NameConstraintsError {
    /// RFC 5280 section 4.2.1.10.
    #[error("neither permitted nor excluded names are given")]
    Empty,
    /// A value is no subtree of its form.
    #[error("{list}: {value:?}: {reason}")]
    Value {
        /// The list that it stands in, as in `permitted.dnsDomains`.
        list: &'static str,
        /// The value.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

fn check_dns_domain(domain: &str) -> Result<(), &'static str> {
    if domain.is_empty() { Ok(()) } else { check_domain(domain) }
}

fn check_mailboxes(text: &str) -> Result<(), &'static str> {
    if text.contains('@') {
        check_email(text).map_err(|_| "it is no mailbox, host or domain with a leading dot")
    } else {
        check_domain(text)
    }
}

fn check_uri_domain(domain: &str) -> Result<(), &'static str> {
    if domain.parse::<std::net::IpAddr>().is_ok() {
        return Err("hosts of URIs are constrained by their names, not by addresses");
    }
    check_domain(domain)
}

/// A host, or what is below one: a leading dot.
fn check_domain(domain: &str) -> Result<(), &'static str> {
    if domain.contains('*') {
        return Err("there is no * in a constraint: a leading dot says all names below");
    }
    check_host(domain.strip_prefix('.').unwrap_or(domain), domain.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitting(fill: impl FnOnce(&mut NameSubtrees)) -> NameConstraints {
        let mut constraints = NameConstraints::default();
        fill(&mut constraints.permitted);
        constraints
    }

    #[test]
    fn constraints_that_may_stand_in_a_certificate() {
        for domain in ["", "example.com", ".example.com", "com", "xn--bcher-kva.example"] {
            let constraints = permitting(|permitted| permitted.dns_domains.extend([domain.into()]));
            assert_eq!(constraints.validate(), Ok(()), "{domain}");
        }
        for address in ["root@example.com", "example.com", ".example.com"] {
            let constraints = permitting(|permitted| permitted.email_addresses.extend([address.into()]));
            assert_eq!(constraints.validate(), Ok(()), "{address}");
        }
        for domain in ["example.com", ".example.com", "localhost"] {
            let constraints = permitting(|permitted| permitted.uri_domains.extend([domain.into()]));
            assert_eq!(constraints.validate(), Ok(()), "{domain}");
        }
        assert_eq!(permitting(|permitted| permitted.ip_ranges.extend(["::/0".parse::<IpRange>().unwrap()])).validate(), Ok(()));
    }

    #[test]
    fn constraints_that_may_not_are_refused_with_their_list_and_value() {
        let refused = |constraints: NameConstraints| constraints.validate().unwrap_err().to_string();
        assert_eq!(NameConstraints::default().validate(), Err(NameConstraintsError::Empty));
        for domain in
            ["*.example.com", "example.com.", "..example.com", ".", "a b", "é.example", "https://example.com", "a@b", "10.0.0.0/8"]
        {
            let constraints = permitting(|permitted| permitted.dns_domains.extend([domain.into()]));
            assert!(refused(constraints).starts_with(&format!("permitted.dnsDomains: {domain:?}: ")), "{domain}");
        }
        for address in ["", "@example.com", "a@", "a@.example.com", "a@b@c", "*@example.com.", "é@example.com"] {
            let mut constraints = NameConstraints::default();
            constraints.excluded.email_addresses.insert(address.into());
            assert!(refused(constraints).starts_with(&format!("excluded.emailAddresses: {address:?}: ")), "{address}");
        }
        for domain in ["", "https://example.com", "example.com/", "example.com:443", "10.0.0.1", "2001:db8::1", "*.example.com"] {
            let mut constraints = NameConstraints::default();
            constraints.excluded.uri_domains.insert(domain.into());
            assert!(refused(constraints).starts_with(&format!("excluded.uriDomains: {domain:?}: ")), "{domain}");
        }
    }
}
