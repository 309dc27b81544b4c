//! `kubectl chancery verify`: what a relying party would say of a certificate, step by step.
//!
//! Path validation is that of rustls-webpki; what it does not tell apart (time, names, purpose, constraints) is looked at one by one
//! beside it, so that a person sees what does not hold. The time is an argument.

use std::io::{self, Write};

use chancery_pki::{Certificate, Chain, Usage, verify_leaf};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    inspect::shown,
    material::Session,
    output::{Cell, Report, Table, Tone, plain},
    span::when,
};

mod evidence;
mod path;
mod standing;
#[cfg(test)]
mod tests;

pub use evidence::{Sources, evidence};
pub use path::Path;
pub use standing::{about, by_list, by_ocsp, revoked};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// What it is about, as `secret/web`.
    pub of: String,
    /// Who says who is trusted.
    pub trusted_by: String,
    /// Names that it must prove.
    pub names: Vec<String>,
    /// What it must be for.
    pub purpose: Option<Usage>,
    /// How the server that presented it spoke.
    pub session: Option<Session>,
    /// When.
    pub at: Timestamp,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It holds.
    Ok,
    /// It does not.
    Failed,
    /// It is not known.
    NotChecked,
}

impl Outcome {
    fn cell(self) -> Cell {
        match self {
            Self::Ok => Cell::new("ok", Tone::Good),
            Self::Failed => Cell::new("FAILED", Tone::Bad),
            Self::NotChecked => Cell::new("not checked", Tone::Warning),
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What was looked at: `session`, `chain`, `time`, `names`, `purpose`, `constraints`, `keys`, `path` or `revocation`.
    pub check: &'static str,
    /// What became of it.
    pub outcome: Outcome,
    /// In words.
    pub detail: String,
}

impl Step {
    pub(super) fn new(check: &'static str, outcome: Outcome, detail: impl Into<String>) -> Self {
        Self { check, outcome, detail: detail.into() }
    }

    fn of(check: &'static str, holds: Result<String, String>) -> Self {
        match holds {
            Ok(detail) => Self::new(check, Outcome::Ok, detail),
            Err(detail) => Self::new(check, Outcome::Failed, detail),
        }
    }
}

/// What a relying party would say.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// What it is about.
    pub of: String,
    /// For when.
    pub at: Timestamp,
    /// The certificate's serial number.
    pub serial_number: String,
    /// Whether nothing fails.
    pub valid: bool,
    /// What was looked at.
    pub steps: Vec<Step>,
}

/// Answers a question about a path, with what is known of the revocation of its certificates.
pub fn verify(question: &Question, path: &Path, revocation: Vec<Step>) -> Verification {
    let mut steps: Vec<Step> = question.session.iter().map(session).collect();
    steps.extend([chain(question, path), time(question, path)]);
    let leaf = path.certificates.first();
    if let Some(leaf) = leaf {
        steps.extend(question.names.iter().map(|name| names(leaf, name)));
    }
    steps.extend(question.purpose.map(|usage| purpose(path, usage)));
    steps.push(keys(path));
    if path.trusted {
        steps.extend(constraints(path));
    }
    steps.extend(revocation);
    Verification {
        of: question.of.clone(),
        at: question.at,
        serial_number: leaf.map(|leaf| leaf.serial().to_string()).unwrap_or_default(),
        valid: steps.iter().all(|step| step.outcome != Outcome::Failed),
        steps,
    }
}

/// Whoever presents a certificate proves nothing by it, but by signing with its key.
fn session(session: &Session) -> Step {
    let spoken = session.version.as_deref().unwrap_or("TLS");
    let held = match &session.trouble {
        None => Ok(format!("{spoken}: the server proved that it has the key of the certificate")),
        Some(trouble) => Err(trouble.clone()),
    };
    Step::of("session", held)
}

fn chain(question: &Question, path: &Path) -> Step {
    let all = path.certificates.iter().map(shown).collect::<Vec<_>>().join(" < ");
    let held = match path.certificates.last() {
        _ if path.trusted => Ok(format!("{all} (trusted: {})", question.trusted_by)),
        Some(last) if last.is_self_signed() => Err(format!("{all}: the last one is not trusted ({})", question.trusted_by)),
        Some(last) => Err(format!("{all}: its issuer, {}, is neither presented nor trusted ({})", last.issuer(), question.trusted_by)),
        None => Err("there is no certificate".to_owned()),
    };
    Step::of("chain", held)
}

fn time(question: &Question, path: &Path) -> Step {
    let at = question.at;
    let wrong = path.certificates.iter().find(|certificate| !certificate.is_valid_at(at));
    let held = match wrong {
        Some(late) if at > late.not_before() => {
            Err(format!("{} ended at {}, {}", shown(late), late.not_after(), when(late.not_after(), at)))
        }
        Some(early) => Err(format!("{} begins at {}, {}", shown(early), early.not_before(), when(early.not_before(), at))),
        None => {
            let end = path.certificates.iter().map(Certificate::not_after).min().unwrap_or(at);
            Ok(format!("all are valid at {at:.0}, and until {end} ({})", when(end, at)))
        }
    };
    Step::of("time", held)
}

fn names(leaf: &Certificate, name: &str) -> Step {
    let names = || leaf.sans().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let held = leaf.proves_name(name).map(|()| format!("it is for {name}")).map_err(|refused| match names() {
        names if names.is_empty() => format!("{refused}: it has no alternative names, and a common name proves nothing"),
        names => format!("{refused}: it is for {names}"),
    });
    Step::of("names", held)
}

fn purpose(path: &Path, usage: Usage) -> Step {
    let refusing = path.certificates.iter().find(|certificate| !certificate.allows_purpose(usage));
    let held = match refusing {
        None => Ok(format!("all allow {}", usage.as_str())),
        Some(refusing) => Err(format!("the extended key usage of {} does not include {}", shown(refusing), usage.as_str())),
    };
    Step::of("purpose", held)
}

fn keys(path: &Path) -> Step {
    let weak = path.certificates.iter().find_map(|certificate| Some((certificate, certificate.public_key().weakness()?)));
    Step::of(
        "keys",
        match weak {
            None => Ok("none is known to be weak".to_owned()),
            Some((one, why)) => Err(format!("that of {} is weak: {why}", shown(one))),
        },
    )
}

/// Who may sign whom, and names; by webpki too. At a moment at which all are valid: the time is a step of its own.
fn constraints(path: &Path) -> Vec<Step> {
    let leaf = &path.certificates[0];
    let above = if path.certificates.len() == 1 { &path.certificates[..] } else { &path.certificates[1..] };
    let whole = match (Chain::order(above.to_vec()), Chain::order(path.certificates.clone())) {
        (Ok(authority), Ok(whole)) => Some((authority, whole)),
        _ => None,
    };
    let Some((authority, whole)) = whole else {
        return vec![Step::new("constraints", Outcome::Failed, "the certificates are no chain")];
    };
    if whole.not_before() > whole.not_after() {
        return vec![Step::new("constraints", Outcome::NotChecked, "there is no moment at which all certificates are valid")];
    }
    let moment = whole.not_before();
    let sans: Vec<_> = leaf.sans().iter().cloned().collect();
    let mut steps = Vec::new();
    if path.certificates.len() > 1 {
        let held = authority.verify_authority(moment).map_err(|error| error.to_string());
        let held =
            held.and_then(|()| authority.permits_names(leaf.subject(), &sans, leaf.ca().is_some()).map_err(|error| error.to_string()));
        steps.push(Step::of("constraints", held.map(|()| "CAs may sign what is below them: basic constraints, usages, names".to_owned())));
    }
    let held = verify_leaf(leaf, &authority, moment).map_err(|error| error.to_string());
    steps.push(Step::of("path", held.map(|()| "path validation (RFC 5280) by rustls-webpki agrees".to_owned())));
    steps
}

impl Verification {
    /// Whether something was to be looked at and was not.
    pub fn is_partial(&self) -> bool {
        self.steps.iter().any(|step| step.outcome == Outcome::NotChecked)
    }
}

impl Report for Verification {
    fn text(&self, _wide: bool, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}, serial number {}", plain(&self.of), self.serial_number)?;
        let mut table = Table::new(&["CHECK", "OUTCOME", "DETAIL"]);
        for step in &self.steps {
            table.row([step.check.into(), step.outcome.cell(), step.detail.clone().into()]);
        }
        table.write(false, out)?;
        let verdict = match (self.valid, self.is_partial()) {
            (false, _) => Tone::Bad.paint("NOT VALID"),
            (true, true) => Tone::Warning.paint("valid, as far as it was checked"),
            (true, false) => Tone::Good.paint("valid"),
        };
        writeln!(out, "{verdict}")
    }

    fn names(&self) -> Vec<String> {
        vec![self.of.clone()]
    }
}
