//! `kubectl chancery crl list` and `crl explain`: what is published, and how a certificate stands in it. Pure.

use std::io::{self, Write};

use chancery_pki::{Crl, KeyId, SerialNumber};
use jiff::Timestamp;
use serde::Serialize;

use super::{
    output::{Cell, Report, Table, Tone, plain},
    span::{span, when},
    verify::revoked,
};
use crate::{
    api::names,
    lists::{self, Head, Kind},
    register::{Act, Line},
};

#[cfg(test)]
mod tests;

/// How many digits of a key id are shown where it is one of several.
const DIGITS: usize = 16;

/// The lists of a cluster.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listing {
    /// When they were looked at.
    pub at: Timestamp,
    /// The lists.
    pub lists: Vec<Row>,
    /// Heads that cannot be read.
    pub damaged: Vec<String>,
}

/// One list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The authority's key id.
    pub authority: String,
    /// Its subject.
    pub issuer: String,
    /// Which part of its lists.
    pub shard: u16,
    /// `list` or `delta`.
    pub kind: String,
    /// The list's number.
    pub number: String,
    /// When it was made.
    pub this_update: Timestamp,
    /// When the next one is due.
    pub next_update: Timestamp,
    /// How many certificates are on it.
    pub entries: usize,
    /// Its length in octets.
    pub bytes: usize,
    /// `fresh`, `overdue`, `verified`, or what is wrong with it.
    pub state: String,
    /// The RevocationList that asked for it, as namespace/name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revocation_list: Option<String>,
    /// Where it is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Listing {
    /// Nothing yet.
    pub fn new(at: Timestamp) -> Self {
        Self { at, lists: Vec::new(), damaged: Vec::new() }
    }

    /// Adds a list that a head names; `read` is what became of reading it, where it was read.
    pub fn add(&mut self, head: &Head, shard: u16, kind: Kind, read: Option<Result<Crl, String>>) {
        let Some(named) = head.of(shard, kind) else { return };
        let state = match read {
            Some(Err(why)) => why,
            _ if named.next_update < self.at => OVERDUE.to_owned(),
            Some(Ok(_)) => "verified".to_owned(),
            None => "fresh".to_owned(),
        };
        self.lists.push(Row {
            authority: head.authority.to_string(),
            issuer: head.issuer().map(|issuer| issuer.subject().to_string()).unwrap_or_default(),
            shard,
            kind: kind.to_string(),
            number: named.number.to_string(),
            this_update: named.this_update,
            next_update: named.next_update,
            entries: named.entries,
            bytes: named.bytes,
            state,
            revocation_list: head.list.as_ref().map(|list| format!("{}/{}", list.namespace, list.name)),
            url: head.url(shard, kind),
        });
    }

    /// Whether all lists are fresh and as their heads say.
    pub fn is_well(&self) -> bool {
        self.damaged.is_empty() && self.lists.iter().all(|list| ["fresh", "verified"].contains(&list.state.as_str()))
    }
}

const OVERDUE: &str = "overdue";

impl Report for Listing {
    fn text(&self, wide: bool, out: &mut dyn Write) -> io::Result<()> {
        let columns = ["AUTHORITY", "ISSUER", "SHARD", "KIND", "NUMBER", "AGE", "NEXT", "ENTRIES", "BYTES", "STATE"];
        let mut table = Table::new(&columns).wide(&["REVOCATIONLIST", "URL"]);
        for list in &self.lists {
            let state = match list.state.as_str() {
                "fresh" | "verified" => Tone::Good,
                _ => Tone::Bad,
            };
            table.row([
                list.authority.chars().take(if wide { usize::MAX } else { DIGITS }).collect::<String>().into(),
                list.issuer.clone().into(),
                list.shard.to_string().into(),
                list.kind.clone().into(),
                list.number.clone().into(),
                span(self.at.duration_since(list.this_update)).into(),
                when(list.next_update, self.at).into(),
                list.entries.to_string().into(),
                list.bytes.to_string().into(),
                Cell::new(list.state.clone(), state),
                list.revocation_list.clone().unwrap_or_default().into(),
                list.url.clone().unwrap_or_default().into(),
            ]);
        }
        if table.is_empty() && self.damaged.is_empty() {
            return writeln!(out, "no list is published");
        }
        table.write(wide, out)?;
        self.damaged.iter().try_for_each(|why| writeln!(out, "{} {}", Tone::Bad.paint("PROBLEM:"), plain(why)))
    }

    fn names(&self) -> Vec<String> {
        self.lists
            .iter()
            .map(|list| format!("list/{}-{}{}", list.authority, list.shard, if list.kind == "delta" { "-delta" } else { "" }))
            .collect()
    }
}

/// How a certificate stands with an authority.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The serial number.
    pub serial_number: String,
    /// The authority's key id.
    pub authority: String,
    /// Its subject.
    pub issuer: String,
    /// Which part of its lists the certificate belongs to.
    pub shard: u16,
    /// The list's number.
    pub number: String,
    /// When the list was made.
    pub this_update: Timestamp,
    /// When the next one is due.
    pub next_update: Timestamp,
    /// Where it is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether the certificate is on the list.
    pub listed: bool,
    /// Since when, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// What the register says of it, in its order.
    pub register: Vec<Record>,
    /// Why the register was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register_unread: Option<String>,
    /// What clients see.
    pub clients: String,
    /// What is not as it should be.
    pub problems: Vec<String>,
    /// When it was looked at.
    pub at: Timestamp,
}

/// A line of a register, in words.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its place.
    pub sequence: u64,
    /// When it was written.
    pub time: Timestamp,
    /// What happened.
    pub act: &'static str,
    /// Why.
    pub reason: String,
    /// Whose certificate it is, as namespace/name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The reason code of a revocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// It stands on no list before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
}

/// Explains how a certificate stands: by the list of its shard, and by the lines of the register about it where these can be read.
///
/// # Errors
/// When the head names no list of its shard, or the list cannot be read.
pub fn explain(
    head: &Head,
    list: &Crl,
    serial: &SerialNumber,
    lines: Result<Vec<Line>, String>,
    at: Timestamp,
) -> Result<Explanation, lists::ReadError> {
    let shard = lists::shard_of(serial, head.settings.shards);
    let named = head.of(shard, Kind::Full).ok_or(lists::ReadError::NoShard { shard })?;
    let unreadable = |why| lists::ReadError::Unreadable { shard, kind: Kind::Full, why };
    let entry = list.find(serial).map_err(unreadable)?;
    let (lines, register_unread) = lines.map_or_else(|why| (None, Some(why)), |lines| (Some(lines), None));
    let stands = lines.as_deref().map(standing);
    let mut problems = Vec::new();
    if named.next_update < at {
        problems.push(format!(
            "the list was due to be replaced {}: clients refuse all certificates of this authority",
            when(named.next_update, at)
        ));
    }
    if let (Some(Standing::Revoked { since, from }), None) = (&stands, &entry)
        && from.unwrap_or(*since) < named.built_at
    {
        problems.push("it is revoked by the register since before the list was made, and is not on it".to_owned());
    }
    let url = head.url(shard, Kind::Full);
    let fetched = url.as_ref().map_or_else(|| "the list".to_owned(), |url| format!("the list at {url}"));
    let clients = match (&entry, &stands) {
        (Some(_), _) => {
            format!("refused by whoever reads {fetched}; who keeps an older list may accept it until {} at the latest", named.next_update)
        }
        (None, Some(Standing::Revoked { from: Some(from), .. })) if *from > at => {
            format!("accepted until the list is made that is due after {from}, {}", when(*from, at))
        }
        (None, Some(Standing::Revoked { .. })) => {
            "accepted by whoever reads the list; refused by OCSP; the next list will have it".to_owned()
        }
        (None, Some(Standing::Pending)) => "accepted: its revocation was asked for, and waits".to_owned(),
        (None, Some(Standing::Nowhere)) => {
            "accepted by whoever reads the list; OCSP calls it unknown: the register has no such serial number".to_owned()
        }
        (None, Some(Standing::Good) | None) => "accepted".to_owned(),
    };
    Ok(Explanation {
        serial_number: serial.to_string(),
        authority: head.authority.to_string(),
        issuer: head.issuer()?.subject().to_string(),
        shard,
        number: named.number.to_string(),
        this_update: named.this_update,
        next_update: named.next_update,
        url,
        listed: entry.is_some(),
        entry: entry.as_ref().map(revoked),
        register: lines.unwrap_or_default().iter().map(Record::of).collect(),
        register_unread,
        clients,
        problems,
        at,
    })
}

enum Standing {
    Good,
    Pending,
    Revoked { since: Timestamp, from: Option<Timestamp> },
    Nowhere,
}

fn standing(lines: &[Line]) -> Standing {
    lines.iter().fold(Standing::Nowhere, |before, line| match line.entry.act {
        Act::Issued | Act::Imported | Act::Voided | Act::Released => Standing::Good,
        Act::Pending => Standing::Pending,
        Act::Revoked | Act::Held => Standing::Revoked { since: line.time, from: line.entry.from },
        _ => before,
    })
}

impl Record {
    fn of(line: &Line) -> Self {
        let entry = &line.entry;
        Self {
            sequence: line.sequence,
            time: line.time,
            act: entry.act.as_str(),
            reason: entry.reason.clone(),
            owner: entry.owner.as_ref().map(|owner| format!("{}/{}", owner.namespace, owner.name)),
            code: entry.code.map(|code| code.to_string()),
            from: entry.from,
        }
    }
}

impl Explanation {
    /// Whether list and register agree, and the list is fresh.
    pub fn is_well(&self) -> bool {
        self.problems.is_empty()
    }
}

impl Report for Explanation {
    fn text(&self, _wide: bool, out: &mut dyn Write) -> io::Result<()> {
        let mut field = |name: &str, value: &str| {
            let name = if name.is_empty() { String::new() } else { format!("{name}:") };
            writeln!(out, "{name:<15} {value}")
        };
        field("Serial", &self.serial_number)?;
        field("Authority", &plain(&format!("{}, key {}", self.issuer, self.authority)))?;
        let age = span(self.at.duration_since(self.this_update));
        field("List", &format!("number {}, shard {}, {age} old, the next {}", self.number, self.shard, when(self.next_update, self.at)))?;
        if let Some(url) = &self.url {
            field("Served at", &plain(url))?;
        }
        match &self.entry {
            Some(entry) => field("On the list", &Tone::Bad.paint(entry))?,
            None => field("On the list", "no")?,
        }
        for (index, line) in self.register.iter().enumerate() {
            let code = line.code.as_ref().map_or_else(String::new, |code| format!(", {code}"));
            let from = line.from.map_or_else(String::new, |from| format!(", on lists from {from}"));
            let owner = line.owner.as_ref().map_or_else(String::new, |owner| format!(" for {owner}"));
            let reason = if line.reason.is_empty() { String::new() } else { format!(" ({})", line.reason) };
            let told = format!("line {}: {} at {:.0}{owner}{code}{from}{reason}", line.sequence, line.act, line.time);
            field(if index == 0 { "Register" } else { "" }, &plain(&told))?;
        }
        if self.register.is_empty() {
            let why =
                self.register_unread.as_ref().map_or_else(|| "has no such serial number".to_owned(), |why| format!("not read: {why}"));
            field("Register", &plain(&why))?;
        }
        field("Clients", &plain(&self.clients))?;
        self.problems.iter().try_for_each(|problem| writeln!(out, "{} {}", Tone::Bad.paint("PROBLEM:"), plain(problem)))
    }

    fn names(&self) -> Vec<String> {
        vec![format!("serial/{}", self.serial_number)]
    }
}

/// How a certificate stands with several authorities: the same serial number is on record with each.
#[derive(Clone, Debug, Serialize)]
pub struct Explanations {
    /// One for each authority.
    pub items: Vec<Explanation>,
}

impl Report for Explanations {
    fn text(&self, wide: bool, out: &mut dyn Write) -> io::Result<()> {
        for (place, item) in self.items.iter().enumerate() {
            if place > 0 {
                writeln!(out)?;
            }
            item.text(wide, out)?;
        }
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        self.items.iter().flat_map(Explanation::names).collect()
    }
}

/// What a person asks about: the serial number of a certificate, and the authority where it is known.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Which certificate.
    pub serial: SerialNumber,
    /// Whose; none for whichever authority has it.
    pub authority: Option<KeyId>,
}

/// What a Certificate's status says of the one that it has now.
///
/// # Errors
/// When it has none, or no authority made it.
pub fn wanted(certificate: &crate::api::Certificate) -> Result<Wanted, String> {
    let status = certificate.status.as_ref();
    let serial = status.and_then(|status| status.serial_number.as_deref()).and_then(|serial| serial.parse().ok());
    let authority = status.and_then(|status| status.authority.as_deref()).and_then(|authority| authority.parse().ok());
    match (serial, authority) {
        (Some(serial), Some(authority)) => Ok(Wanted { serial, authority: Some(authority) }),
        (None, _) => Err("it has no certificate yet".to_owned()),
        (Some(_), None) => {
            Err(format!("no authority made its certificate, so that no list covers it; {} says who did", names::ISSUER_NAME))
        }
    }
}
