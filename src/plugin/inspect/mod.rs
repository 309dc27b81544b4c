//! `kubectl chancery inspect`: certificates as people want to read them, and what is wrong with them.
//!
//! It looks, and trusts nobody: that a certificate is signed by the next one says nothing about who may be trusted. That is `verify`.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use chancery_pki::Certificate;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    material::{Material, Piece, Role},
    output::{Report, Tone, plain},
    span::when,
};

mod describe;
#[cfg(test)]
mod tests;

pub use describe::{Constraints, Described, Key};
use describe::{is_forgeable, signature_algorithm};

/// What was looked at.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// Where it is, as `secret/web`.
    pub of: String,
    /// The Secret's namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// When it was looked at.
    pub at: Timestamp,
    /// How a TLS server speaks.
    #[serde(rename = "tls", skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    /// What was found, by place.
    pub places: Vec<Place>,
    /// What is wrong.
    pub problems: Vec<String>,
    /// What a person should know besides.
    pub notes: Vec<String>,
}

/// A TLS handshake in words.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// As `TLS 1.3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// As `TLS13_AES_256_GCM_SHA384`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher_suite: Option<String>,
    /// The name that was asked for.
    pub server_name: String,
}

/// What is in one place.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Which, as `tls.crt`.
    pub place: String,
    /// The certificates, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Described>,
    /// The private key's public half.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<Key>,
    /// Whether the private key is that of the first certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_matches: Option<bool>,
    /// Revocation lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<Listed>,
}

/// A revocation list in words.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its issuer.
    pub issuer: String,
    /// Its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// When it was made.
    pub this_update: Timestamp,
    /// When the next one is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_update: Option<Timestamp>,
    /// How many certificates are on it.
    pub entries: usize,
}

/// Looks at what was found.
pub fn inspect(material: &Material, now: Timestamp) -> Inspection {
    let mut found = Findings { material, now, problems: Vec::new(), notes: material.notes.clone() };
    let places = material.pieces.iter().map(|piece| found.place(piece)).collect();
    let session = material.session.as_ref();
    if let Some(session) = session {
        found.problems.extend(session.trouble.clone());
        if let Some(leaf) = material.proof().first()
            && let Err(refused) = leaf.proves_name(&session.server_name)
        {
            found.notes.push(format!("{refused}, the name that was asked for"));
        }
    }
    Inspection {
        of: material.name.clone(),
        namespace: material.namespace.clone(),
        at: now,
        session: session.map(|session| Session {
            version: session.version.clone(),
            cipher_suite: session.cipher_suite.clone(),
            server_name: session.server_name.clone(),
        }),
        places,
        problems: found.problems,
        notes: found.notes,
    }
}

struct Findings<'a> {
    material: &'a Material,
    now: Timestamp,
    problems: Vec<String>,
    notes: Vec<String>,
}

impl Findings<'_> {
    fn place(&mut self, piece: &Piece) -> Place {
        let place = &piece.place;
        self.problems.extend(piece.trouble.iter().map(|trouble| format!("{place}: {trouble}")));
        let certificates: Vec<Described> =
            piece.certificates.iter().enumerate().map(|(index, certificate)| self.certificate(piece, index, certificate)).collect();
        let leaf = self.material.proof().first();
        let key_matches = piece.key.as_ref().zip(leaf).map(|(key, leaf)| key == leaf.public_key());
        if key_matches == Some(false) {
            self.problems.push(format!("{place}: the private key is not that of the first certificate"));
        }
        if let Some(weakness) = piece.key.as_ref().filter(|_| leaf.is_none()).and_then(chancery_pki::PublicKey::weakness) {
            self.problems.push(format!("{place}: the private key is weak: {weakness}"));
        }
        // A key store holds the root too, or does not.
        let below_roots =
            |all: &[Certificate]| all.iter().filter(|one| !one.is_self_signed() || Some(*one) == leaf).cloned().collect::<Vec<_>>();
        let same = || below_roots(&piece.certificates) == below_roots(self.material.proof());
        if piece.role == Role::Proof && !piece.certificates.is_empty() && !same() {
            self.problems.push(format!("{place}: its certificates are others than those of {}", self.proving_place()));
        }
        Place {
            place: place.clone(),
            certificates,
            private_key: piece.key.as_ref().map(Key::of),
            key_matches,
            lists: piece.lists.iter().map(|list| self.list(place, list)).collect(),
        }
    }

    fn proving_place(&self) -> &str {
        let proving = |piece: &&Piece| piece.role == Role::Proof && !piece.certificates.is_empty();
        self.material.pieces.iter().find(proving).map_or("", |piece| &piece.place)
    }

    fn certificate(&mut self, piece: &Piece, index: usize, certificate: &Certificate) -> Described {
        let which = format!("{}: certificate {} ({})", piece.place, index + 1, shown(certificate));
        let mut described = Described::of(certificate);
        described.signed_by = Some(self.signer(piece, index, certificate));
        if self.now.as_second() > certificate.not_after().as_second() {
            self.problems.push(format!("{which} ended {}", when(certificate.not_after(), self.now)));
        } else if !certificate.is_valid_at(self.now) {
            self.problems.push(format!("{which} is not valid yet: it begins {}", when(certificate.not_before(), self.now)));
        }
        if let Some(weakness) = &described.key.weakness {
            self.problems.push(format!("{which} has a weak key: {weakness}"));
        }
        if is_forgeable(certificate) && !certificate.is_self_issued() {
            self.problems.push(format!("{which} is signed with {}, which can be forged", signature_algorithm(certificate)));
        }
        if piece.role == Role::Proof
            && let Some(next) = piece.certificates.get(index + 1)
            && !has_signed(next, certificate)
        {
            self.problems.push(format!("{which} is not signed by the next one, {}", shown(next)));
        }
        described
    }

    /// Who signed a certificate, among what is here.
    fn signer(&mut self, piece: &Piece, index: usize, certificate: &Certificate) -> String {
        if certificate.is_self_signed() {
            return "itself".to_owned();
        }
        let here = piece.certificates.iter().position(|other| has_signed(other, certificate));
        if let Some(place) = here {
            return format!("certificate {}", place + 1);
        }
        let elsewhere = self.material.pieces.iter().find(|other| other.certificates.iter().any(|other| has_signed(other, certificate)));
        if let Some(other) = elsewhere {
            return format!("a certificate of {}", other.place);
        }
        if piece.role == Role::Proof && index + 1 == piece.certificates.len() && *piece.certificates == *self.material.proof() {
            self.notes.push(format!("who signed {} ({}) is not here", shown(certificate), certificate.issuer()));
        }
        "none that is here".to_owned()
    }

    fn list(&mut self, place: &str, list: &chancery_pki::Crl) -> Listed {
        if let Some(overdue) = list.next_update().filter(|next| *next < self.now) {
            self.problems.push(format!("{place}: the list of {} was due to be replaced {}", list.issuer(), when(overdue, self.now)));
        }
        Listed {
            issuer: list.issuer().to_string(),
            number: list.number().map(|number| number.to_string()),
            this_update: list.this_update(),
            next_update: list.next_update(),
            entries: list.len(),
        }
    }
}

/// A certificate's subject, else its first name.
pub(super) fn shown(certificate: &Certificate) -> String {
    let subject = certificate.subject().to_string();
    if !subject.is_empty() {
        return subject;
    }
    certificate.sans().first().map_or_else(|| format!("serial number {}", certificate.serial()), ToString::to_string)
}

/// Whether one certificate names another as its issuer and is signed by it.
pub(super) fn has_signed(issuer: &Certificate, certificate: &Certificate) -> bool {
    certificate.issuer() == issuer.subject() && certificate.is_signed_by(issuer.public_key())
}

impl Inspection {
    /// Whether nothing is wrong.
    pub fn is_well(&self) -> bool {
        self.problems.is_empty()
    }
}

impl Report for Inspection {
    fn text(&self, _wide: bool, out: &mut dyn Write) -> io::Result<()> {
        match &self.namespace {
            Some(namespace) => writeln!(out, "{} in namespace {}", plain(&self.of), plain(namespace))?,
            None => writeln!(out, "{}", plain(&self.of))?,
        }
        if let Some(Session { version, cipher_suite, server_name }) = &self.session {
            let spoken = [version.as_deref(), cipher_suite.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(", ");
            let spoken = if spoken.is_empty() { "no TLS session".to_owned() } else { spoken };
            writeln!(out, "{}, asked for {}", plain(&spoken), plain(server_name))?;
        }
        let mut shown = BTreeSet::new();
        for place in &self.places {
            place.text(self.at, &shown, out)?;
            shown.extend(place.certificates.iter().map(|certificate| certificate.sha256.as_str()));
        }
        writeln!(out)?;
        for note in &self.notes {
            writeln!(out, "{} {}", Tone::Warning.paint("note:"), plain(note))?;
        }
        if self.problems.is_empty() {
            return writeln!(out, "{}", Tone::Good.paint("no problem was found"));
        }
        self.problems.iter().try_for_each(|problem| writeln!(out, "{} {}", Tone::Bad.paint("PROBLEM:"), plain(problem)))
    }

    fn names(&self) -> Vec<String> {
        vec![self.of.clone()]
    }
}

impl Place {
    /// Certificates that were shown before are not shown again.
    fn text(&self, now: Timestamp, before: &BTreeSet<&str>, out: &mut dyn Write) -> io::Result<()> {
        let count = self.certificates.len();
        let known = count > 0 && self.certificates.iter().all(|certificate| before.contains(certificate.sha256.as_str()));
        if known {
            let told = if count == 1 { "one certificate, which is" } else { "certificates, all of which are" };
            writeln!(out, "\n{}: {told} shown above", plain(&self.place))?;
        }
        for (index, certificate) in self.certificates.iter().enumerate().filter(|_| !known) {
            writeln!(out, "\n{}, certificate {} of {count}", plain(&self.place), index + 1)?;
            for (name, value) in certificate.fields(now) {
                writeln!(out, "  {:<15} {}", format!("{name}:"), plain(&value))?;
            }
        }
        if let Some(key) = &self.private_key {
            let whose = match self.key_matches {
                Some(true) => ", the key of the first certificate",
                Some(false) => ", NOT the key of the first certificate",
                None => "",
            };
            let gap = if known { "" } else { "\n" };
            writeln!(out, "{gap}{}: a private key, {}, id {}{whose}", plain(&self.place), key.algorithm, key.id)?;
        }
        for list in &self.lists {
            let number = list.number.as_deref().unwrap_or("none");
            let next = list.next_update.map_or_else(|| "never".to_owned(), |next| when(next, now));
            let place = plain(&self.place);
            writeln!(
                out,
                "\n{place}: a revocation list of {}, number {number}, {} entries, due {next}",
                plain(&list.issuer),
                list.entries
            )?;
        }
        Ok(())
    }
}
