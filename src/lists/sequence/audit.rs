//! The auditor: sees every write that came to stand, in its order, and compares each generation with those before it and
//! with the register's lines. It shares no code with what makes the lists.

use std::collections::{BTreeMap, BTreeSet};

use chancery_pki::{Crl, CrlNumber, Reason, Revoked, SerialNumber};
use jiff::{SignedDuration, Timestamp};

use crate::{
    api::names,
    lists::{Head, Kind, Lists, Part, assemble, part_of},
    register::{Act, Document, LABEL, Line, memory::Event},
};

#[derive(Default)]
pub(super) struct Audit {
    /// What was written and not deleted since; damage done behind everyone's back is not in it.
    documents: BTreeMap<String, Document>,
    /// The last generation that was published.
    last: Option<(Head, BTreeMap<u16, Lists>)>,
    highest: Option<CrlNumber>,
    /// Every complete list that was ever published, by shard and number.
    fulls: BTreeMap<u16, BTreeMap<CrlNumber, Crl>>,
    /// Serials that a list has shown, with the last line that it showed.
    shown: BTreeMap<SerialNumber, u64>,
    /// Serials that a list has shown which was made after their end.
    ended: BTreeSet<SerialNumber>,
    /// The end of each certificate.
    pub(super) ends: BTreeMap<SerialNumber, Timestamp>,
    /// The highest thisUpdate may be undercut once: a person has confirmed it.
    pub(super) confirmed: bool,
    /// The last generation's head was lost before anyone noted it elsewhere: only its number is on record.
    pub(super) unremembered: bool,
    pub(super) generations: usize,
}

/// How a certificate stands by the lines.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stand {
    Good,
    Released,
    Listed { time: Timestamp, date: Timestamp, reason: Reason, from: Timestamp, sequence: u64 },
}

impl Audit {
    pub(super) fn take(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Put(document) => self.put(document),
                Event::Gone(document) => {
                    self.documents.remove(&document.name);
                    let named = self.standing_head().is_some_and(|head| head.all_chunk_names().contains(&document.name));
                    assert!(!named, "{} was deleted while the head names it", document.name);
                }
                Event::Restored(documents) => {
                    self.documents = documents.into_iter().map(|document| (document.name.clone(), document)).collect();
                }
            }
        }
    }

    /// A head was lost behind everyone's back; `noted` is the number that the RevocationList's status has.
    pub(super) fn lose(&mut self, head: &str, noted: Option<CrlNumber>) {
        self.documents.remove(head);
        self.forget(noted);
    }

    /// The head that stands is not that of the last generation any more.
    pub(super) fn forget(&mut self, noted: Option<CrlNumber>) {
        self.unremembered |= noted < self.highest;
    }

    /// What is said to be published was.
    pub(super) fn check_acknowledged(&self, acknowledged: Vec<(SerialNumber, u64)>, now: Timestamp) {
        for (serial, sequence) in acknowledged {
            let shown = self.shown.get(&serial) >= Some(&sequence) || self.is_forgotten(&serial, now);
            assert!(shown, "{serial} was said to be published and never was");
        }
    }

    /// The lists that were served last.
    pub(super) fn served(&self) -> Vec<Crl> {
        self.last.iter().flat_map(|(_, lists)| lists.values().map(|lists| lists.full.clone())).collect()
    }

    /// Everything that is revoked and to be published by now is on the lists that stand.
    pub(super) fn check_complete(&self, now: Timestamp) {
        let (_, lists) = self.last.as_ref().expect("something is published");
        let standing = self.standing_head().expect("a head stands");
        assert_eq!(Some(standing.number), self.highest);
        for (serial, stand) in self.fold(u64::MAX) {
            let due = matches!(stand, Stand::Listed { from, time, .. } if from <= now && self.was_unexpired(&serial, time) && !self.is_forgotten(&serial, now));
            let on = lists.values().any(|lists| lists.full.find(&serial).unwrap().is_some());
            assert!(on || !due || self.ended.contains(&serial), "{serial} is revoked and on no list");
            // What has expired may stay until the next list that is made by the clock.
            let lives = self.ends.get(&serial).is_none_or(|end| *end > now);
            let good = matches!(stand, Stand::Good | Stand::Released) && lives;
            assert!(!on || !good, "{serial} is not revoked, and on a list");
        }
    }

    /// To revoke what has expired is of no use, and need not show.
    fn was_unexpired(&self, serial: &SerialNumber, at: Timestamp) -> bool {
        self.ends.get(serial).is_none_or(|end| *end >= at)
    }

    /// What expired more than eight days ago need not be remembered by anyone.
    fn is_forgotten(&self, serial: &SerialNumber, now: Timestamp) -> bool {
        self.ends.get(serial).is_some_and(|end| now.duration_since(*end) > SignedDuration::from_hours(8 * 24))
    }

    pub(super) fn standing_head(&self) -> Option<Head> {
        let head = |document: &&Document| part_of(&document.name).is_some_and(|(_, part)| part == Part::Head);
        self.documents.values().find(head).and_then(|document| Head::from_document(document).ok())
    }

    fn put(&mut self, document: Document) {
        let part = part_of(&document.name).map(|(_, part)| part);
        let document = self.documents.entry(document.name.clone()).insert_entry(document).get().clone();
        if part == Some(Part::Head) {
            self.generation(Head::from_document(&document).unwrap());
        }
    }

    fn generation(&mut self, head: Head) {
        let chunk = |name: &str| self.documents.get(name).and_then(|chunk| chunk.binary.get(names::LIST_DER)).map(Vec::as_slice);
        let lists = assemble(&head, &chunk).unwrap_or_else(|error| panic!("a head was written that cannot be served: {error}"));
        assert_eq!(lists.len(), usize::from(head.settings.shards), "a shard is missing");
        self.generations += 1;
        let all = self.fold(u64::MAX);
        let before = self.last.take();
        let highest = self.highest;
        for (&shard, list) in &lists {
            let facts = &head.shards[&shard];
            let old = before.as_ref().and_then(|(_, lists)| lists.get(&shard));
            for (kind, new, old, number) in [
                (Kind::Full, Some(&list.full), old.map(|old| &old.full), Some(facts.number)),
                (Kind::Delta, list.delta.as_ref(), old.and_then(|old| old.delta.as_ref()), facts.delta.as_ref().map(|delta| delta.number)),
            ] {
                let (Some(new), Some(number)) = (new, number) else { continue };
                if old == Some(new) {
                    continue;
                }
                assert!(Some(number) > highest, "the {kind} of shard {shard} has the number {number}, after {highest:?}");
                assert_eq!(number, head.number);
                self.highest = self.highest.max(Some(number));
                if let Some(old) = old {
                    let forward = new.this_update() >= old.this_update();
                    assert!(
                        forward || self.confirmed || self.unremembered,
                        "thisUpdate goes back from {} to {}",
                        old.this_update(),
                        new.this_update()
                    );
                }
            }
            if old.is_none_or(|old| old.full != list.full) {
                self.check_full(shard, list, &head, &all, before.as_ref().map(|(_, lists)| lists));
                self.fulls.entry(shard).or_default().insert(facts.number, list.full.clone());
            }
            if let Some(delta) = &list.delta {
                self.check_delta(shard, &list.full, delta);
            }
        }
        if before.as_ref().is_some_and(|(old, _)| old.number != head.number) {
            self.confirmed = false;
        }
        self.unremembered = false;
        self.last = Some((head, lists));
    }

    /// A list says what the register says, and has lost nothing.
    fn check_full(
        &mut self,
        shard: u16,
        list: &Lists,
        head: &Head,
        all: &BTreeMap<SerialNumber, Stand>,
        before: Option<&BTreeMap<u16, Lists>>,
    ) {
        let facts = &head.shards[&shard];
        let then = self.fold(facts.sequence);
        let entries = serials(&list.full);
        for (serial, revoked) in &entries {
            let said = |stands: &BTreeMap<SerialNumber, Stand>| stands.get(serial).is_some_and(|stand| stand.says(revoked));
            let carried = before.is_some_and(|lists| lists.values().any(|lists| lists.full.find(serial).unwrap().is_some()));
            // After a register went back, what was listed may be on record for later only.
            let later = matches!(all.get(serial), Some(Stand::Listed { from, .. }) if *from > facts.built_at);
            let unknown = later || !all.contains_key(serial);
            let forgotten = self.is_forgotten(serial, facts.built_at);
            assert!(
                said(&then) || said(all) || forgotten || (carried && unknown),
                "{serial} is on the list, and not so in the register: {revoked:?} {:?}",
                all.get(serial)
            );
        }
        for (serial, stand) in &then {
            let Stand::Listed { from, sequence, time, .. } = stand else { continue };
            let still = matches!(all.get(serial), Some(Stand::Listed { .. }));
            let here = crate::lists::shard_of(serial, head.settings.shards) == shard;
            if here
                && still
                && *from <= facts.built_at
                && self.was_unexpired(serial, *time)
                && !self.is_forgotten(serial, facts.built_at)
                && !self.ended.contains(serial)
            {
                assert!(
                    entries.contains_key(serial),
                    "{serial}, revoked in line {sequence}, is not on the list made of lines to {}",
                    facts.sequence
                );
            }
        }
        let old = before.and_then(|lists| lists.get(&shard));
        for (serial, _) in old.map(|old| serials(&old.full)).unwrap_or_default() {
            let released = [then.get(&serial), all.get(&serial)].into_iter().flatten().any(|stand| match stand {
                Stand::Released | Stand::Good => true,
                // It was released, and will be revoked.
                Stand::Listed { from, .. } => *from > facts.built_at,
            });
            let gone = released || self.ended.contains(&serial) || self.is_forgotten(&serial, facts.built_at);
            assert!(
                gone || entries.contains_key(&serial),
                "{serial} was on the list and is lost: {:?} ends {:?}",
                all.get(&serial),
                self.ends.get(&serial)
            );
        }
        for serial in entries.keys() {
            if let Some(Stand::Listed { sequence, .. }) = then.get(serial) {
                let shown = self.shown.entry(serial.clone()).or_default();
                *shown = (*shown).max(*sequence);
            }
            if self.ends.get(serial).is_some_and(|end| *end < facts.this_update) {
                self.ended.insert(serial.clone());
            }
        }
    }

    /// Whoever has the base, or any complete list since, and the delta knows what the complete list says.
    fn check_delta(&self, shard: u16, full: &Crl, delta: &Crl) {
        let base = delta.delta_base().unwrap();
        let wanted = serials(full);
        let no_lists = BTreeMap::new();
        for (number, list) in self.fulls.get(&shard).unwrap_or(&no_lists).range(base..=delta.number().unwrap()) {
            let mut known = serials(list);
            for revoked in delta.entries().map(Result::unwrap) {
                if revoked.reason == Reason::RemoveFromCrl {
                    known.remove(&revoked.serial);
                } else {
                    known.insert(revoked.serial.clone(), revoked);
                }
            }
            for (serial, revoked) in &wanted {
                assert_eq!(
                    known.get(serial).map(|known| known.reason),
                    Some(revoked.reason),
                    "{serial} by list {number} and delta {:?}",
                    delta.number()
                );
            }
            let more: Vec<_> = known.keys().filter(|serial| !wanted.contains_key(serial) && !self.ended.contains(serial)).collect();
            assert!(more.is_empty(), "{more:?} are revoked by list {number} with its delta, and by no list");
        }
    }

    /// What the register's lines up to this one say, in plain terms.
    fn fold(&self, to: u64) -> BTreeMap<SerialNumber, Stand> {
        let mut lines = BTreeMap::new();
        for document in self.documents.values().filter(|document| document.labels.contains_key(LABEL)) {
            for line in document.lines().lines().map(|line| serde_json::from_str::<Line>(line).unwrap()) {
                lines.insert(line.sequence, line);
            }
        }
        let mut stands = BTreeMap::new();
        for (sequence, line) in lines.range(..=to) {
            let Some(serial) = line.entry.serial.clone() else { continue };
            let stand = stands.entry(serial).or_insert(Stand::Good);
            let (since, date, shown) = match stand {
                Stand::Listed { time, date, from, .. } => (*time, *date, *from),
                // What is recorded again from a list keeps the date that stood there.
                Stand::Good | Stand::Released => match line.entry.from.filter(|from| *from < line.time) {
                    Some(from) => (from, from, Timestamp::MAX),
                    None => (line.time, line.time - SignedDuration::from_mins(5), Timestamp::MAX),
                },
            };
            let from = line.entry.from.unwrap_or(line.time).min(shown);
            let listed = |reason| Stand::Listed { time: since, date, reason, from, sequence: *sequence };
            let code = line.entry.code.unwrap_or_default();
            let is_hold = matches!(stand, Stand::Listed { reason: Reason::CertificateHold, .. });
            let is_listed = matches!(stand, Stand::Listed { .. });
            match line.entry.act {
                Act::Revoked if !is_listed || is_hold || code == Reason::KeyCompromise => *stand = listed(code),
                Act::Held if !is_listed => *stand = listed(Reason::CertificateHold),
                Act::Released if is_hold => *stand = Stand::Released,
                _ => {}
            }
        }
        stands
    }
}

impl Stand {
    fn says(&self, revoked: &Revoked) -> bool {
        matches!(self, Self::Listed { date, reason, .. } if *reason == revoked.reason && date.as_second() == revoked.time.as_second())
    }
}

fn serials(list: &Crl) -> BTreeMap<SerialNumber, Revoked> {
    list.entries().map(Result::unwrap).map(|revoked| (revoked.serial.clone(), revoked)).collect()
}
