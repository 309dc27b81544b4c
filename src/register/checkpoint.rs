//! Checkpoints: where each register ended at a time, signed by a key that is used for nothing else.
//!
//! A chain of hashes does not show that its end was cut off, or that all of it was put back. Who keeps a checkpoint elsewhere sees that.
//! It is plain text, and `openssl dgst -sha256 -verify` checks the signature. Pure: the key and the time are arguments.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use chancery_pki::{KeyAlgorithm, KeyId, PrivateKey, PublicKey, SignatureAlgorithm, Signer as _};
use jiff::Timestamp;
use thiserror::Error;

use super::{
    RegisterId,
    index::{End, Stands},
    line::{NO_LINE, Position, hash},
};

/// The first line of each.
const FORMAT: &str = "chancery.dev/register-checkpoint/v1";

/// The most octets of the lines about registers: with its signature and key a checkpoint has to fit into a ConfigMap, which holds 1 MiB.
const TEXT_BYTES: usize = 900 * 1024;
/// The longest line about a register: two words, a keyID and a hash, two numbers and a time.
const LINE_BYTES: usize = 212;

/// The kind of key that signs.
pub const KEY: KeyAlgorithm = KeyAlgorithm::EcdsaP256;

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The operator's namespace.
    pub namespace: String,
    /// The key that signs it.
    pub key: KeyId,
    /// When it was made.
    pub time: Timestamp,
    /// The SHA-256 of the text of the checkpoint before it, in hexadecimal; 64 zeros for the first.
    pub previous: String,
    /// Where each register ends.
    pub registers: BTreeMap<RegisterId, End>,
    /// Of registers that have gone back: a line that stood there once.
    pub lost: BTreeMap<RegisterId, Lost>,
}

/// A line that stood once and does not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The line.
    pub position: Position,
    /// When the last checkpoint was made that knows the register before it went back: the register went back after it, and what
    /// is written since then has a later time.
    pub after: Timestamp,
}

/// A checkpoint with its signature and the key for it, as they are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The text, whose octets are signed.
    pub text: String,
    /// The signature: ECDSA over SHA-256, DER.
    pub signature: Vec<u8>,
    /// The public key, PEM.
    pub key: String,
}

/// Why a checkpoint is not believed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CheckpointError {
    /// It is another text.
    #[error("the checkpoint cannot be read: {why}")]
    Malformed {
        /// What is wrong.
        why: String,
    },
    /// The key is no public key.
    #[error("the key of the checkpoint cannot be read: a public key in PEM is wanted, of ECDSA on P-256")]
    Key,
    /// It names another key.
    #[error("the checkpoint was signed with key {named}, and not with {given}: the key was lost or replaced, or somebody else signs")]
    OtherKey {
        /// The one in the text.
        named: KeyId,
        /// The one that it was checked with.
        given: KeyId,
    },
    /// The signature is not that of the text.
    #[error("the signature of the checkpoint is wrong: it was altered")]
    Signature,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn to_text(&self) -> String {
        let Self { namespace, key, time, previous, registers, lost } = self;
        let mut text = format!("{FORMAT}\nnamespace {namespace}\nkey {key}\ntime {time}\nprevious {previous}\n");
        // Writing to a String cannot fail.
        for (id, End { position, time, kept_from }) in registers {
            let _ = writeln!(text, "register {id} {} {} {kept_from} {time}", position.sequence, position.hash);
        }
        for (id, Lost { position, after }) in lost {
            let _ = writeln!(text, "lost {id} {} {} {after}", position.sequence, position.hash);
        }
        text
    }

    /// Reads such a text; any other is refused.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let wrong = |why: String| CheckpointError::Malformed { why };
        let mut lines = text.lines();
        if lines.next() != Some(FORMAT) {
            return Err(wrong(format!("it does not begin with {FORMAT}")));
        }
        let mut field = |name: &str| {
            let value = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.map(str::to_owned).ok_or_else(|| wrong(format!("the line \"{name} ...\" is missing")))
        };
        let (namespace, key, time, previous) = (field("namespace")?, field("key")?, field("time")?, field("previous")?);
        let mut checkpoint = Self {
            namespace,
            key: key.parse().map_err(|_| wrong("key: it is no keyID".to_owned()))?,
            time: time.parse().map_err(|_| wrong("time: it is no time".to_owned()))?,
            previous,
            registers: BTreeMap::new(),
            lost: BTreeMap::new(),
        };
        for line in lines {
            checkpoint.take(line).ok_or_else(|| wrong(format!("\"{line}\" says nothing of a register")))?;
        }
        if checkpoint.to_text() == text { Ok(checkpoint) } else { Err(wrong("it is not in the form in which it is written".to_owned())) }
    }

    /// Whether a register that ended so may be missing for want of room alone: the checkpoint is full, and all that it names changed later.
    pub fn leaves_out(&self, end: &End) -> bool {
        let full = self.registers.len() + self.lost.len() >= TEXT_BYTES / LINE_BYTES;
        full && self.registers.values().all(|named| named.time >= end.time)
    }

    fn take(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split(' ').collect();
        let place = |sequence: &str, hash: &str| Some(Position { sequence: sequence.parse().ok()?, hash: hash.to_owned() });
        match words.as_slice() {
            ["register", id, sequence, hash, kept_from, time] => {
                let end = End { position: place(sequence, hash)?, time: time.parse().ok()?, kept_from: kept_from.parse().ok()? };
                self.registers.insert(id.parse().ok()?, end);
            }
            ["lost", id, sequence, hash, after] => {
                let lost = Lost { position: place(sequence, hash)?, after: after.parse().ok()? };
                self.lost.insert(id.parse().ok()?, lost);
            }
            _ => return None,
        }
        Some(())
    }

    /// The text with its signature.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn sign(&self, key: &PrivateKey) -> Result<Signed, String> {
        let text = self.to_text();
        let signature = key.sign(text.as_bytes()).map_err(|error| error.to_string())?;
        Ok(Signed { text, signature, key: key.public_key().to_pem() })
    }
}

impl Signed {
    /// What it says, if this key has signed it.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verified(&self, key: &str) -> Result<Checkpoint, CheckpointError> {
        let key = PublicKey::from_pem(key.as_bytes()).ok().filter(|key| key.algorithm() == Some(KEY)).ok_or(CheckpointError::Key)?;
        let checkpoint = Checkpoint::parse(&self.text)?;
        if checkpoint.key != key.key_id() {
            return Err(CheckpointError::OtherKey { named: checkpoint.key, given: key.key_id() });
        }
        let signed = key.verify_with(SignatureAlgorithm::usual(KEY), self.text.as_bytes(), &self.signature);
        signed.map(|()| checkpoint).map_err(|_| CheckpointError::Signature)
    }
}

/// What the next checkpoint is made from.
pub struct Next<'a> {
    /// The one before it, and its text.
    pub before: Option<(&'a Checkpoint, &'a str)>,
    /// Where the registers end now.
    pub ends: &'a BTreeMap<RegisterId, End>,
    /// Those that do not hold together: of them nothing new is said.
    pub broken: &'a BTreeSet<RegisterId>,
    /// Whether a line that was seen once stands.
    pub stands: &'a dyn Fn(&RegisterId, &Position) -> Stands,
}

impl std::fmt::Debug for Next<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Next").field("before", &self.before).field("ends", &self.ends).finish_non_exhaustive()
    }
}

impl Next<'_> {
    /// The checkpoint of now; none where it would say nothing new. A register that has gone back is not passed over: what it has lost
    /// is said until it stands again, or would have been given up.
    pub fn checkpoint(&self, namespace: &str, key: KeyId, now: Timestamp) -> Option<Checkpoint> {
        let mut registers: BTreeMap<RegisterId, End> =
            self.ends.iter().filter(|(id, _)| !self.broken.contains(id)).map(|(id, end)| (*id, end.clone())).collect();
        let mut lost = BTreeMap::new();
        if let Some((before, _)) = self.before {
            for (id, known) in &before.lost {
                if self.broken.contains(id) || (self.stands)(id, &known.position) == Stands::No {
                    lost.insert(*id, known.clone());
                }
            }
            for (id, end) in &before.registers {
                if self.broken.contains(id) {
                    registers.insert(*id, end.clone());
                } else if (self.stands)(id, &end.position) == Stands::No {
                    let known = lost.entry(*id).or_insert_with(|| Lost { position: end.position.clone(), after: before.time });
                    // It has gone back once more: what was recorded after the first time may be lost with it.
                    known.after = before.time;
                    if known.position.sequence < end.position.sequence {
                        known.position = end.position.clone();
                    }
                }
            }
        }
        fit(&mut registers, &mut lost);
        if let Some((before, _)) = self.before
            && registers == before.registers
            && lost == before.lost
            && key == before.key
        {
            return None;
        }
        if registers.is_empty() && lost.is_empty() {
            return None;
        }
        let previous = self.before.map_or_else(|| NO_LINE.to_owned(), |(_, text)| hash(text));
        Some(Checkpoint { namespace: namespace.to_owned(), key, time: now, previous, registers, lost })
    }
}

/// Leaves out registers for which there is no room: those that have not changed for longest, and what was lost last of all.
fn fit(registers: &mut BTreeMap<RegisterId, End>, lost: &mut BTreeMap<RegisterId, Lost>) {
    let mut room = TEXT_BYTES;
    lost.retain(|_, _| take_from(&mut room, LINE_BYTES));
    if registers.len() <= room / LINE_BYTES {
        return;
    }
    let mut newest: Vec<(Timestamp, RegisterId)> = registers.iter().map(|(id, end)| (end.time, *id)).collect();
    newest.sort_unstable_by(|one, other| other.cmp(one));
    for (_, id) in newest.split_off((room / LINE_BYTES).min(newest.len())) {
        registers.remove(&id);
    }
}

fn take_from(room: &mut usize, bytes: usize) -> bool {
    let fits = *room >= bytes;
    *room = room.saturating_sub(bytes);
    fits
}

#[cfg(test)]
mod tests;
