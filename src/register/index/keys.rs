//! What the registers say of an authority's key: made, copied, retired, destroyed.
//!
//! Dates only: nothing of a key itself but its identifier is ever here.

use jiff::Timestamp;

use super::state::Order;
use crate::register::line::Owner;

/// What the registers say of an authority's key. All acts on one key stand in one register.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRecord {
    pub(super) owner: Option<(Order, Owner)>,
    pub(super) made: Option<Order>,
    pub(super) copied: Option<Order>,
    pub(super) retired: Option<Order>,
    pub(super) destroyed: Option<Order>,
}

impl KeyRecord {
    /// Whose it is: the owner of its last line that names one.
    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref().map(|(_, owner)| owner)
    }

    /// Whether it was made by an `isCA` Certificate.
    pub fn is_made(&self) -> bool {
        self.made.is_some()
    }

    /// When it was made by an `isCA` Certificate.
    pub fn made(&self) -> Option<Timestamp> {
        self.made.map(|(time, ..)| time)
    }

    /// When it was retired.
    pub fn retired(&self) -> Option<Timestamp> {
        self.retired.map(|(time, ..)| time)
    }

    /// Whether its copy stands.
    pub fn is_copied(&self) -> bool {
        self.copied > self.destroyed
    }

    /// Whether it signs lists and OCSP delegates only.
    pub fn is_retired(&self) -> bool {
        self.retired.is_some()
    }

    /// When it was destroyed; none while it lives.
    pub fn destroyed(&self) -> Option<Timestamp> {
        if self.lives() { None } else { self.destroyed.map(|(time, ..)| time) }
    }

    /// Whether it was made or copied, and not destroyed since.
    pub(super) fn lives(&self) -> bool {
        self.made.max(self.copied) > self.destroyed
    }
}
