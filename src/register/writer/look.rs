//! Reading a register again: what another has written, or we ourselves without being told.
//!
//! It writes nothing. What stood here before must still stand, unchanged; a register of which that is not so is broken.

use super::{Setback, Writer};
use crate::register::{
    RegisterError, layout,
    line::{Position, Written},
    replay::{self, Head},
};

impl Writer {
    /// Reads what another may have written, and takes it in.
    pub(in crate::register) async fn look(&mut self) -> Result<(), RegisterError> {
        match self.read_again().await {
            Ok(_) => {
                self.doubtful = false;
                Ok(())
            }
            Err(Setback::Final(error)) => Err(error),
            Err(Setback::Late) => Err(self.unavailable("another writes to it".to_owned())),
            Err(Setback::Silence(why)) => Err(self.unavailable(why)),
        }
    }

    /// Reads what stands, and takes over what another has written, or we ourselves without being told.
    pub(super) async fn read_again(&mut self) -> Result<Vec<Written>, Setback> {
        let document = self.call(self.shared.store.get(self.id.name())).await.map_err(|error| self.setback(error))?;
        let Some(document) = document else {
            if self.end.sequence > 0 {
                tracing::warn!(register = %self.id, "the register's head was deleted; it is written again from what is known");
            }
            self.head.resource_version = None;
            return Ok(Vec::new());
        };
        let head = Head::read(&document).map_err(|why| self.forked(why))?;
        // Nothing may be trimmed around a segment that is not known here.
        let known = self.segments.last().map_or(0, |segment| segment.end.sequence).max(self.head.link.sequence);
        if head.link.sequence > known {
            return self.replay_again().await;
        }
        let news = self.after_our_end(&head.link.position(), &head.lines)?.to_vec();
        if self.sealed.as_ref().is_some_and(|sealed| head.link.sequence >= sealed.sequence) {
            self.sealed = None;
        }
        self.head = head;
        self.stand(&news);
        self.shared.index.keep_from(self.generation, self.id, self.head.link.kept_from);
        Ok(news)
    }

    /// Another has sealed beyond what we know: its segments have to be read too.
    async fn replay_again(&mut self) -> Result<Vec<Written>, Setback> {
        let mut documents =
            self.call(self.shared.store.list(layout::selector(Some(self.id)))).await.map_err(|error| self.setback(error))?;
        documents.retain(|document| layout::part_of(&document.name).is_some_and(|(id, _)| id == self.id));
        let mut lines = Vec::new();
        let replayed = replay::replay(&self.id, &documents, &mut |written| lines.push(written.clone())).map_err(|why| self.forked(why))?;
        let before = lines.first().map_or_else(
            || replayed.head.link.position(),
            |first| Position { sequence: first.line.sequence - 1, hash: first.line.previous.clone() },
        );
        // Where another has trimmed beyond what we know there is nothing to compare: all is taken over as it stands.
        let fallen_behind = before.sequence > self.end.sequence;
        let news = if fallen_behind { lines } else { self.after_our_end(&before, &lines)?.to_vec() };
        (self.end, self.last_time) = (replayed.end, replayed.last_time);
        self.head = replayed.head;
        self.segments = replayed.segments;
        self.sealed = replayed.sealed;
        self.stand(&news);
        self.shared.index.keep_from(self.generation, self.id, self.head.link.kept_from);
        Ok(news)
    }

    /// Of lines that follow `before`, those after the last one that we know; which must be among them, unchanged.
    fn after_our_end<'a>(&self, before: &Position, lines: &'a [Written]) -> Result<&'a [Written], Setback> {
        let Some(known) = self.end.sequence.checked_sub(before.sequence).and_then(|known| usize::try_from(known).ok()) else {
            return Err(self.forked("its head does not follow what was there before".to_owned()));
        };
        if known > lines.len() {
            return Err(self.forked(format!("line {} was there and is gone: the API server's store went back in time", self.end.sequence)));
        }
        let there = if known == 0 { before.clone() } else { lines[known - 1].end() };
        if there != self.end {
            return Err(self.forked(format!("line {} is not the one that was there before", self.end.sequence)));
        }
        Ok(&lines[known..])
    }
}
