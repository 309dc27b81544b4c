//! What an OCSP answer says, and when there is none. Pure: what is known and the time are arguments.

use std::time::Duration;

use chancery_pki::OcspStatus;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

use crate::{plan::renewal::add, register::Known};

/// When the API server has been silent for longer, nothing is known of what was revoked since.
pub const SILENCE: Duration = Duration::from_mins(10);

/// How long the register may lag behind the list that was made from it, since they arrive by two watches; and how long a list may
/// be on record before it is there.
pub const LAG: Duration = Duration::from_mins(1);

/// How far an answer's thisUpdate is put back, as a list's is: clients' clocks differ.
const BACKDATED: SignedDuration = SignedDuration::from_mins(5);

/// How much longer than that the shortest answer is worth something.
const LEAST: SignedDuration = SignedDuration::from_mins(1);

/// What there is to answer from, for one authority and the list of one shard.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// For how long nothing was heard of the registers or the lists, whichever is longer; none when never anything was.
    pub silence: Option<Duration>,
    /// What is wrong with the register.
    pub register_fault: Option<&'a str>,
    /// For how long the register has lacked the line from which the list was made.
    pub lag: Option<Duration>,
    /// For how long a list has been on record that its head does not name.
    pub behind: Option<Duration>,
    /// The nextUpdate of the list; none when there is none.
    pub list_ends: Option<Timestamp>,
    /// When the delegate's certificate ends, or why there is no delegate.
    pub delegate: Result<Timestamp, &'a str>,
    /// What is wrong with our clock.
    pub clock_fault: Option<&'a str>,
}

/// Why there is no answer now.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Obstacle {
    /// The API server does not say what is new.
    #[error("nothing was heard of the API server for {} s", .silence.as_secs())]
    Silent {
        /// For how long.
        silence: Duration,
    },
    /// Registers and lists were not read yet.
    #[error("registers and lists were not read yet")]
    Unread,
    /// The register does not hold together.
    #[error("the register does not hold together: {why}")]
    Register {
        /// What is wrong.
        why: String,
    },
    /// The register lacks what the list was made from.
    #[error("the register lacks lines that the list was made from: it has gone back, or is not read any more")]
    Lag,
    /// A newer list was published than is known here.
    #[error("a newer list was published than is known here: its head has gone back")]
    Behind,
    /// There is no list.
    #[error("there is no list")]
    NoList,
    /// The list is not renewed.
    #[error("the list should have been renewed by {due}")]
    StaleList {
        /// Its nextUpdate.
        due: Timestamp,
    },
    /// Nobody may sign.
    #[error("{why}")]
    NoDelegate {
        /// What is wrong with the delegate.
        why: String,
    },
    /// Our clock is wrong.
    #[error("{why}")]
    Clock {
        /// By how much.
        why: String,
    },
}

impl Circumstances<'_> {
    /// What stands in the way of an answer; none when there is one.
    pub fn obstacle(&self, now: Timestamp) -> Option<Obstacle> {
        match self.silence {
            None => return Some(Obstacle::Unread),
            Some(silence) if silence > SILENCE => return Some(Obstacle::Silent { silence }),
            Some(_) => {}
        }
        if let Some(why) = self.register_fault {
            return Some(Obstacle::Register { why: why.to_owned() });
        }
        if self.lag.is_some_and(|lag| lag > LAG) {
            return Some(Obstacle::Lag);
        }
        if self.behind.is_some_and(|behind| behind > LAG) {
            return Some(Obstacle::Behind);
        }
        match self.list_ends {
            None => return Some(Obstacle::NoList),
            Some(due) if due <= now => return Some(Obstacle::StaleList { due }),
            Some(_) => {}
        }
        if let Some(why) = self.clock_fault {
            return Some(Obstacle::Clock { why: why.to_owned() });
        }
        match self.delegate {
            Err(why) => Some(Obstacle::NoDelegate { why: why.to_owned() }),
            Ok(end) if end <= add(now, LEAST) => Some(Obstacle::NoDelegate { why: format!("the delegate's certificate ends at {end}") }),
            Ok(_) => None,
        }
    }
}

/// How a certificate stands by the register. One that the register does not have is unknown, whoever made it.
pub fn status(known: Option<&Known>, now: Timestamp) -> OcspStatus {
    match known {
        None => OcspStatus::Unknown,
        Some(known) => known
            .on_list(now)
            .map_or(OcspStatus::Good, |revocation| OcspStatus::Revoked { time: revocation.date, reason: revocation.reason }),
    }
}

/// When a certificate that is good now will be revoked, by what is on record already: its grace runs.
pub fn changes_at(known: Option<&Known>, now: Timestamp) -> Option<Timestamp> {
    known?.standing.revocation().map(|revocation| revocation.from).filter(|from| *from > now)
}

/// thisUpdate and nextUpdate of an answer that is signed now, to hold for `validity`: not beyond the delegate's certificate, nor
/// beyond the time when a certificate's status changes, by more than the least that an answer holds.
pub fn period(now: Timestamp, validity: SignedDuration, delegate_ends: Timestamp, changes: Option<Timestamp>) -> (Timestamp, Timestamp) {
    let end = add(now, validity).min(changes.unwrap_or(Timestamp::MAX)).max(add(now, LEAST)).min(delegate_ends);
    (add(now, -BACKDATED), end)
}

/// Whether an answer that was signed then is to be signed anew: half of its time has passed, or the clock went back.
pub fn is_due(signed: Timestamp, next_update: Timestamp, now: Timestamp) -> bool {
    let whole = next_update.as_second().saturating_sub(signed.as_second());
    now < signed || now.as_second().saturating_sub(signed.as_second()) >= whole / 2
}

/// Whether an answer that was signed then holds beyond the time when the status changes: that was not on record yet.
pub fn holds_too_long(signed: Timestamp, next_update: Timestamp, changes: Option<Timestamp>) -> bool {
    changes.is_some_and(|changes| next_update > changes.max(add(signed, LEAST)))
}

#[cfg(test)]
mod tests;
