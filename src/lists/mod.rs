//! Revocation lists: from what a register says to CRLs that stand in ConfigMaps of the operator's namespace.
//!
//! A list is a function of register, time and key. It lies in immutable chunks, which one write of a head makes current, so
//! that a reader sees one generation or the next and never half of one. Nothing is published that has lost an entry, repeats
//! a number or is read otherwise by another implementation.
//!
//! This module must not decide who is revoked or when a list is due (`plan::publication` does), read a Secret, or read a
//! clock: the time is an argument.

mod budget;
mod build;
mod delta;
mod entries;
mod guard;
mod head;
mod place;
mod publisher;
mod read;
mod select;

pub use budget::{BYTES_A_MINUTE, ByteBudget};
pub use build::{BuildError, Building, Built, Edition, build};
pub use entries::{Knows, ListEntry, Survey};
pub use guard::{GuardTripped, Rule};
pub use head::{Head, ListName, Settings, Shard};
pub use place::{CHUNK_BYTES, Kind, Part, SHARDS_MAX, ca_url, head_name, label, ocsp_url, part_of, shard_of, url};
pub use publisher::{ListError, Published, Publisher, Standing};
pub use read::{Lists, ReadError, assemble, read_shard};

#[cfg(test)]
mod sequence;
