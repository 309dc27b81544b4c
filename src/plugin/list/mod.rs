//! Certificates, issuers and revocation lists, one a line: what there is, what is urgent, what is wrong.
//!
//! Rows are made from objects and the time; nothing here asks a cluster.

mod certificate;
mod issuer;
mod revocation_list;
mod state;

use std::{
    cmp::Ordering,
    collections::BTreeSet,
    io::{self, Write},
};

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

pub use certificate::CertificateRow;
pub(super) use certificate::{issuer_name, names};
pub use issuer::IssuerRow;
pub use revocation_list::ListRow;
pub use state::{Standing, State, seen, words};

use super::output::{Cell, Report, Table};

/// By what rows are sorted; those that are equal, by namespace and name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// What ends first stands first, and before that what has nothing.
    #[default]
    Expiry,
    /// By namespace and name.
    Name,
    /// By the issuer.
    Issuer,
    /// What is wrong stands first.
    State,
}

/// Which rows are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The issuer, as `NAME` or `KIND/NAME`; none: any.
    pub issuer: Option<String>,
    /// Any of these states; empty: any.
    pub states: Vec<State>,
    /// What ends within this span, or has ended; none: any.
    pub expiring_within: Option<SignedDuration>,
}

/// One object as a line.
pub trait Row: Serialize {
    /// The name of the columns, without the namespace.
    const COLUMNS: &'static [&'static str];
    /// The columns that are shown on demand.
    const WIDE: &'static [&'static str];

    /// What every row is chosen and sorted by.
    fn facts(&self) -> Facts<'_>;
    /// A cell for each column, the wide ones included.
    fn cells(&self, now: Timestamp) -> Vec<Cell>;
}

/// What a row of any kind is chosen and sorted by.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The object's namespace; empty for one of the cluster.
    pub namespace: &'a str,
    /// The object's name.
    pub name: &'a str,
    /// The issuer, as `KIND/NAME`.
    pub issuer: &'a str,
    /// All that holds of it.
    pub states: &'a BTreeSet<State>,
    /// When it ends.
    pub end: Option<Timestamp>,
    /// `kind.group/name`.
    pub object: &'a str,
}

/// Rows under their head.
#[derive(Debug, Serialize)]
pub struct Listing<R> {
    /// The objects.
    pub items: Vec<R>,
    #[serde(skip)]
    namespaces: bool,
    #[serde(skip)]
    now: Timestamp,
}

impl<R: Row> Listing<R> {
    /// Those of the rows that are wanted, sorted. `namespaces`: whether the column with their namespace is shown.
    pub fn new(rows: Vec<R>, wanted: &Wanted, sort: SortBy, namespaces: bool, now: Timestamp) -> Self {
        let mut items: Vec<R> = rows.into_iter().filter(|row| wanted.wants(row, now)).collect();
        items.sort_by(|one, other| {
            let (one, other) = (one.facts(), other.facts());
            let first = match sort {
                // An Option sorts none first: what has nothing is the most urgent.
                SortBy::Expiry => one.end.cmp(&other.end),
                SortBy::Name => Ordering::Equal,
                SortBy::Issuer => one.issuer.cmp(other.issuer),
                SortBy::State => one.states.first().cmp(&other.states.first()),
            };
            first.then_with(|| (one.namespace, one.name).cmp(&(other.namespace, other.name)))
        });
        Self { items, namespaces, now }
    }

    /// Whether nothing is left to show.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl Wanted {
    fn wants(&self, row: &impl Row, now: Timestamp) -> bool {
        let Facts { issuer, states, end, .. } = row.facts();
        let is_issuer =
            |wanted: &String| issuer.eq_ignore_ascii_case(wanted) || issuer.split_once('/').is_some_and(|(_, name)| name == wanted);
        let ends = |within| end.is_some_and(|end| end.duration_since(now) <= within);
        self.issuer.as_ref().is_none_or(is_issuer)
            && (self.states.is_empty() || self.states.iter().any(|state| states.contains(state)))
            && self.expiring_within.is_none_or(ends)
    }
}

impl<R: Row> Report for Listing<R> {
    fn text(&self, wide: bool, out: &mut dyn Write) -> io::Result<()> {
        if self.items.is_empty() {
            return Ok(());
        }
        let head: Vec<&str> = self.namespaces.then_some("NAMESPACE").into_iter().chain(R::COLUMNS.iter().copied()).collect();
        let mut table = Table::new(&head).wide(R::WIDE);
        for row in &self.items {
            let namespace = self.namespaces.then(|| Cell::from(row.facts().namespace));
            table.row(namespace.into_iter().chain(row.cells(self.now)));
        }
        table.write(wide, out)
    }

    fn names(&self) -> Vec<String> {
        self.items.iter().map(|row| row.facts().object.to_owned()).collect()
    }
}

#[cfg(test)]
mod tests;
