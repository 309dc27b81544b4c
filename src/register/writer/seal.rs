//! Sealing a full head into an immutable segment, and letting go of segments whose time has passed.
//!
//! Which those are is decided by `trim`. A segment is deleted only after a head stands that has given it up.

use super::{Attempt, Setback, Writer};
use crate::register::{
    layout::{self, Link},
    line::{Entry, Written},
    replay::Segment,
    store::{Document, StoreError},
    trim,
};

impl Writer {
    /// Writes the head's present lines to an immutable segment. The head lets go of them with its next write.
    pub(super) async fn seal(&mut self) -> Result<(), Setback> {
        let before = self.sealed.clone().unwrap_or_else(|| self.head.link.clone());
        let lines = self.unsealed();
        let segment = layout::segment(&self.id, &before, lines);
        let name = segment.name.clone();
        self.lead()?;
        let created = match self.call(self.shared.store.create(segment.clone())).await {
            Ok(created) => created,
            Err(StoreError::AlreadyExists) => match self.call(self.shared.store.get(name.clone())).await {
                Ok(Some(standing)) => standing,
                Ok(None) => return Err(Setback::Late),
                Err(error) => return Err(self.setback(error)),
            },
            Err(error) => return Err(self.setback(error)),
        };
        // Another leader may have sealed fewer lines before we wrote more, or more lines than we have seen.
        if created.lines().starts_with(segment.lines()) && created.lines() != segment.lines() {
            return Err(Setback::Late);
        }
        if !segment.lines().starts_with(created.lines()) {
            return Err(self.forked(format!("the segment {name} holds other lines than the head")));
        }
        let count = created.lines().lines().count();
        let Some(end) = lines.get(..count).and_then(<[Written]>::last).map(Written::end) else {
            return Err(self.forked(format!("the segment {name} has no line")));
        };
        let sealed = Segment::of(&created, &lines[..count], end.clone());
        self.sealed = Some(Link { segment: name, sequence: end.sequence, hash: end.hash, kept_from: before.kept_from });
        if self.segments.last().is_none_or(|last| last.end.sequence < sealed.end.sequence) {
            self.segments.push(sealed);
        }
        self.shared.observer.sealed(&self.id);
        Ok(())
    }

    /// Lets the attempt give up what has ended, and carry forward what has not.
    pub(super) fn trim(&self, attempt: &mut Attempt, entries: &[Entry]) {
        let now = self.now();
        self.shared.index.prune(now);
        let standing = self.unsealed().iter().chain(&attempt.lines).map(|written| &written.line);
        let trim = trim::trim(&self.segments, standing, &|key| self.shared.index.lives(key), now);
        let lines = self.chained(trim.carried.iter().chain(entries));
        if layout::bytes(&lines) <= self.room() {
            attempt.lines = lines;
            attempt.carried = trim.carried.len();
            attempt.kept_from = trim.kept_from.map_or(attempt.kept_from, |from| from.max(attempt.kept_from));
        }
    }

    /// Deletes what the head has given up. It is tried again after the next seal where it fails.
    pub(super) async fn delete_given_up(&mut self) {
        let given_up = self.segments.iter().take_while(|segment| segment.end.sequence < self.head.link.kept_from).count();
        for _ in 0..given_up {
            let Some(segment) = self.segments.first() else { return };
            let document = Document {
                name: segment.name.clone(),
                uid: segment.uid.clone(),
                resource_version: segment.resource_version.clone(),
                ..Document::default()
            };
            let name = segment.name.clone();
            if self.lead().is_err() {
                return;
            }
            match self.call(self.shared.store.delete(document)).await {
                Ok(()) | Err(StoreError::NotFound) => {
                    self.segments.remove(0);
                }
                Err(StoreError::Conflict) => {
                    // Someone labelled it, say: the version of now will do at the next seal.
                    if let (Ok(Some(now)), Some(segment)) = (self.call(self.shared.store.get(name)).await, self.segments.first_mut()) {
                        segment.resource_version = now.resource_version;
                    }
                    return;
                }
                Err(error) => {
                    tracing::warn!(register = %self.id, segment = name, %error, "an ended segment could not be deleted");
                    return;
                }
            }
        }
    }
}
