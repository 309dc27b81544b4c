//! Whether constraints permit a name (RFC 5280 section 4.2.1.10).
//!
//! Programs differ in the corners. What is permitted here is permitted by OpenSSL, Go and webpki too, with two exceptions:
//! webpki refuses all e-mail addresses and URIs where their form is constrained, and all subjects where distinguished names
//! are, since it does not process these; and Go refuses a URI without a host name below any name constraints at all. What
//! cannot be compared is refused.
//!
//! - DNS: `example.com` is that name and those below it, `.example.com` only those below it. A wildcard `*.x` must be
//!   permitted for every name that it stands for, and none of these may be excluded.
//! - A common name that looks like a DNS name is held to be one where there is no DNS name beside it, as OpenSSL does.
//! - URIs and e-mail addresses: `example.com` is that host alone, as RFC 5280 says; but where it is excluded, the hosts below
//!   are too, since Go has it so.
//! - A URI without a host name, or an e-mail address without one, is refused wherever its form is constrained.
//! - A SmtpUTF8Mailbox (RFC 9598) is an e-mail address; every other otherName is refused where otherNames are constrained.

use std::{collections::BTreeSet, fmt, net::IpAddr};

use thiserror::Error;

use super::{
    Constraints,
    encode::form::{DIRECTORY, DNS, EMAIL, IP, OTHER, URI},
    read::is_host,
};
use crate::{Name, San};

/// id-on-SmtpUTF8Mailbox (RFC 9598 section 3).
const SMTP_UTF8_MAILBOX: &str = "1.3.6.1.5.5.7.8.9";
/// How an error shows a common name.
const COMMON_NAME: &str = "the common name ";
/// How many subtrees an error shows.
const SHOWN: usize = 8;

/// A name that a CA's name constraints do not let stand below it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the name constraints of {authority:?} do not permit {name}: {rule} (RFC 5280 section 4.2.1.10)")]
pub struct ConstraintBroken {
    /// The subject of the CA.
    pub authority: String,
    /// The name.
    pub name: String,
    /// What it breaks.
    pub rule: BrokenRule,
}

impl ConstraintBroken {
    /// Whether the name is the common name in the subject, which looks like a DNS name.
    pub fn is_of_common_name(&self) -> bool {
        self.name.starts_with(COMMON_NAME)
    }
}

/// What a name breaks.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BrokenRule {
    /// There are permitted subtrees of its form, and it lies in none.
    #[error("permitted are only {permitted}")]
    NotPermitted {
        /// The permitted subtrees of its form.
        permitted: String,
    },
    /// It lies in an excluded subtree, or a part of what it stands for does.
    #[error("{subtree:?} is excluded")]
    Excluded {
        /// The excluded subtree.
        subtree: String,
    },
    /// Its form is constrained, and it cannot be compared.
    #[error("names of its form are constrained, and {reason}")]
    Incomparable {
        /// What it lacks.
        reason: &'static str,
    },
    /// Its form is constrained in a way that we do not process.
    #[error("names of its form are constrained in a way that cannot be processed")]
    NotProcessed,
}

/// The names of one certificate that constraints apply to.
pub(crate) struct Names<'a>(Vec<Presented<'a>>);

enum Presented<'a> {
    San(&'a San),
    Subject(&'a Name),
    /// An e-mail address in the subject; none for one that is no text.
    Email(Option<String>),
    /// A common name that looks like a DNS name.
    CommonName(String),
}

impl<'a> Names<'a> {
    /// The names of a CA: nobody takes its common name for a DNS name.
    pub(crate) fn of_authority(subject: &'a Name, sans: impl IntoIterator<Item = &'a San>) -> Self {
        let mut names: Vec<_> = sans.into_iter().map(Presented::San).collect();
        if !subject.is_empty() {
            names.push(Presented::Subject(subject));
        }
        names.extend(subject.email_addresses().into_iter().map(Presented::Email));
        Self(names)
    }

    /// The names of a certificate that is no CA's.
    pub(crate) fn of_leaf(subject: &'a Name, sans: impl IntoIterator<Item = &'a San>) -> Self {
        let Self(mut names) = Self::of_authority(subject, sans);
        if !names.iter().any(|name| matches!(name, Presented::San(San::Dns(_)))) {
            let like_dns = subject.common_names().into_iter().flatten().filter(|text| looks_like_dns(text));
            names.extend(like_dns.map(Presented::CommonName));
        }
        Self(names)
    }
}

impl fmt::Display for Presented<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::San(san) => write!(formatter, "{san}"),
            Self::Subject(name) => write!(formatter, "the subject {name}"),
            Self::Email(Some(address)) => write!(formatter, "the e-mail address {address} in the subject"),
            Self::Email(None) => formatter.write_str("the e-mail address in the subject"),
            Self::CommonName(name) => write!(formatter, "{COMMON_NAME}{name}"),
        }
    }
}

impl Constraints {
    /// Whether all of the names are permitted.
    pub(crate) fn permit(&self, names: &Names<'_>, authority: &Name) -> Result<(), ConstraintBroken> {
        names.0.iter().try_for_each(|name| {
            self.permit_one(name).map_err(|rule| ConstraintBroken { authority: authority.to_string(), name: name.to_string(), rule })
        })
    }

    /// Whether forms are constrained that webpki does not process.
    pub(crate) fn is_beyond_webpki(&self) -> bool {
        [OTHER, EMAIL, DIRECTORY, URI].into_iter().any(|form| self.constrains(form))
    }

    fn permit_one(&self, name: &Presented<'_>) -> Result<(), BrokenRule> {
        match name {
            Presented::San(San::Dns(name)) | Presented::CommonName(name) => self.permit_dns(name),
            Presented::San(San::Ip(address)) => self.permit_ip(*address),
            Presented::San(San::Email(address)) => self.permit_email(Some(address)),
            Presented::Email(address) => self.permit_email(address.as_deref()),
            Presented::San(San::Uri(uri)) => self.permit_uri(uri),
            Presented::San(San::Other { type_id, value }) => {
                if type_id == SMTP_UTF8_MAILBOX {
                    self.permit_email(Some(value))?;
                }
                self.process(OTHER)
            }
            Presented::Subject(name) => {
                self.process(DIRECTORY)?;
                let lies_in = |base: &Name| name.lies_below(base);
                judge(&self.permitted_directories, lies_in, &self.excluded_directories, lies_in)
            }
        }
    }

    fn permit_dns(&self, name: &str) -> Result<(), BrokenRule> {
        self.process(DNS)?;
        let (permitted, excluded) = (&self.known.permitted.dns_domains, &self.known.excluded.dns_domains);
        judge(permitted, |domain| is_in_domain(name, domain), excluded, |domain| touches_domain(name, domain))
    }

    fn permit_ip(&self, address: IpAddr) -> Result<(), BrokenRule> {
        self.process(IP)?;
        let (permitted, excluded) = (&self.known.permitted.ip_ranges, &self.known.excluded.ip_ranges);
        judge(permitted, |range| range.contains(address), excluded, |range| range.contains(address))
    }

    fn permit_email(&self, address: Option<&str>) -> Result<(), BrokenRule> {
        self.process(EMAIL)?;
        if !self.constrains(EMAIL) {
            return Ok(());
        }
        let (local, host) = address
            .and_then(|address| address.rsplit_once('@'))
            .filter(|(local, host)| !local.is_empty() && is_host(host))
            .ok_or(BrokenRule::Incomparable { reason: "it has no host name to compare" })?;
        let lies_in = |constraint: &str, in_host: fn(&str, &str) -> bool| match constraint.rsplit_once('@') {
            Some((mailbox, at)) => mailbox == local && at.eq_ignore_ascii_case(host),
            None => in_host(host, constraint),
        };
        let (permitted, excluded) = (&self.known.permitted.email_addresses, &self.known.excluded.email_addresses);
        judge(permitted, |constraint| lies_in(constraint, is_host_in), excluded, |constraint| lies_in(constraint, is_in_domain))
    }

    fn permit_uri(&self, uri: &str) -> Result<(), BrokenRule> {
        self.process(URI)?;
        if !self.constrains(URI) {
            return Ok(());
        }
        let host = host_of_uri(uri).ok_or(BrokenRule::Incomparable { reason: "it has no host name to compare" })?;
        let (permitted, excluded) = (&self.known.permitted.uri_domains, &self.known.excluded.uri_domains);
        judge(permitted, |domain| is_host_in(host, domain), excluded, |domain| is_in_domain(host, domain))
    }

    /// That there is nothing about names of this form that cannot be compared.
    fn process(&self, form: u8) -> Result<(), BrokenRule> {
        if self.unread.contains(&form) { Err(BrokenRule::NotProcessed) } else { Ok(()) }
    }

    fn constrains(&self, form: u8) -> bool {
        let lists = [&self.known.permitted, &self.known.excluded];
        self.unread.contains(&form)
            || match form {
                EMAIL => lists.into_iter().any(|list| !list.email_addresses.is_empty()),
                URI => lists.into_iter().any(|list| !list.uri_domains.is_empty()),
                DIRECTORY => !self.permitted_directories.is_empty() || !self.excluded_directories.is_empty(),
                _ => false,
            }
    }
}

fn judge<'a, T, B>(
    permitted: impl IntoIterator<Item = &'a T> + Copy,
    lies_in: impl Fn(&B) -> bool,
    excluded: impl IntoIterator<Item = &'a T>,
    touches: impl Fn(&B) -> bool,
) -> Result<(), BrokenRule>
where
    T: fmt::Display + std::borrow::Borrow<B> + 'a,
    B: ?Sized,
{
    if let Some(subtree) = excluded.into_iter().find(|subtree| touches((*subtree).borrow())) {
        return Err(BrokenRule::Excluded { subtree: subtree.to_string() });
    }
    let mut bases = permitted.into_iter().peekable();
    if bases.peek().is_none() || bases.any(|subtree| lies_in(subtree.borrow())) {
        return Ok(());
    }
    let all: BTreeSet<String> = permitted.into_iter().map(|subtree| format!("{:?}", subtree.to_string())).collect();
    let mut shown = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if all.len() > SHOWN {
        shown.push_str(", ..");
    }
    Err(BrokenRule::NotPermitted { permitted: shown })
}

/// Whether the name is the domain or below it; only below it, where the domain begins with a dot. A wildcard that is below a
/// domain stands for names below it only.
fn is_in_domain(name: &str, domain: &str) -> bool {
    let Some(head) = name.len().checked_sub(domain.len()) else { return false };
    let Some((head, tail)) = name.split_at_checked(head) else { return false };
    tail.eq_ignore_ascii_case(domain)
        && if domain.starts_with('.') { !head.is_empty() } else { head.is_empty() || domain.is_empty() || head.ends_with('.') }
}

/// Whether the name, or one that it stands for, is in the domain. As webpki does, a wildcard of one label is held to touch
/// what is below the names that it stands for.
fn touches_domain(name: &str, domain: &str) -> bool {
    let parent = || domain.strip_prefix('.').unwrap_or(domain).split_once('.').map(|(_, parent)| parent);
    is_in_domain(name, domain)
        || name.strip_prefix("*.").is_some_and(|base| parent().is_some_and(|parent| parent.eq_ignore_ascii_case(base)))
}

/// Whether the host is the one named, or below it where the domain begins with a dot.
fn is_host_in(host: &str, domain: &str) -> bool {
    if domain.starts_with('.') { is_in_domain(host, domain) } else { host.eq_ignore_ascii_case(domain) }
}

/// The host name of a URI (RFC 3986 section 3.2.2); none where there is no name that every program would take for the host.
fn host_of_uri(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once(':')?;
    let authority = rest.strip_prefix("//")?;
    let authority = authority.split_once('/').map_or(authority, |(authority, _)| authority);
    let host = match authority.split_once(':') {
        Some((host, port)) => port.bytes().all(|digit| digit.is_ascii_digit()).then_some(host)?,
        None => authority,
    };
    (is_host(host) && host.parse::<IpAddr>().is_err()).then_some(host)
}

/// Whether a verifier may take a common name for a DNS name.
fn looks_like_dns(text: &str) -> bool {
    text.contains('.') && is_host(text)
}
