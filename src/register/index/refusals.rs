//! What was refused to the Certificates of a namespace: so that each refusal goes on record once, and not too many of them.
//!
//! Of a Certificate only its last generation is remembered: it does not become an older one.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::issuances::REISSUE_WINDOW;
use crate::register::{line::Owner, trim::KEPT};

/// What separates the word of a refusal from what is said of it.
const SEPARATOR: &str = ": ";

/// When refusals went on record within the last hour, the oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Recent(Vec<Timestamp>);

impl Recent {
    pub(super) fn push(&mut self, time: Timestamp) {
        let place = self.0.partition_point(|other| *other < time);
        self.0.insert(place, time);
        if let Some(last) = self.0.last().copied() {
            self.prune(last);
        }
    }

    pub(super) fn since(&self, since: Timestamp) -> usize {
        self.0.len() - self.0.partition_point(|time| *time < since)
    }

    pub(super) fn prune(&mut self, now: Timestamp) {
        let start = now.checked_sub(REISSUE_WINDOW).unwrap_or(Timestamp::MIN);
        self.0.drain(..self.0.partition_point(|time| *time < start));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The refusals in a namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Refusals {
    recent: Recent,
    certificates: HashMap<Box<str>, Refused>,
}

#[derive(Clone, Debug, PartialEq)]
struct Refused {
    uid: Box<str>,
    generation: i64,
    time: Timestamp,
    reasons: BTreeSet<Box<str>>,
}

impl Refusals {
    /// Takes in a refusal; its reason begins with one word.
    pub(super) fn push(&mut self, owner: &Owner, generation: i64, reason: &str, time: Timestamp) {
        self.recent.push(time);
        let new = Refused { uid: owner.uid.as_str().into(), generation, time, reasons: [word(reason).into()].into() };
        let Some(known) = self.certificates.get_mut(&*owner.name) else {
            self.certificates.insert(owner.name.as_str().into(), new);
            return;
        };
        if known.uid == new.uid && known.generation == new.generation {
            known.time = known.time.max(new.time);
            known.reasons.extend(new.reasons);
        } else if (known.uid == new.uid && known.generation < generation)
            // Another object of the same name; registers are not replayed in the order of time.
            || (known.uid != new.uid && (known.time, &known.uid) < (new.time, &new.uid))
        {
            *known = new;
        }
    }

    pub(super) fn has(&self, owner: &Owner, generation: i64, reason: &str) -> bool {
        let of = self.certificates.get(&*owner.name);
        of.is_some_and(|known| {
            *known.uid == *owner.uid
                && (known.generation > generation || (known.generation == generation && known.reasons.contains(word(reason))))
        })
    }

    pub(super) fn since(&self, since: Timestamp) -> usize {
        self.recent.since(since)
    }

    pub(super) fn prune(&mut self, now: Timestamp) {
        self.recent.prune(now);
        // What is still refused then goes on record again.
        self.certificates.retain(|_, refused| refused.time.checked_add(KEPT).is_ok_and(|end| end >= now));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.certificates.is_empty()
    }
}

fn word(reason: &str) -> &str {
    reason.split_once(SEPARATOR).map_or(reason, |(word, _)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(uid: &str) -> Owner {
        Owner { namespace: "default".into(), name: "web".into(), uid: uid.into() }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + second).unwrap()
    }

    #[test]
    fn a_refusal_is_known_for_its_generation_and_reason_and_older_ones() {
        let mut refusals = Refusals::default();
        refusals.push(&owner("a"), 2, "NotAllowed: spec.isCA: no", at(0));
        assert!(refusals.has(&owner("a"), 2, "NotAllowed") && refusals.has(&owner("a"), 1, "KeyBlocked"));
        assert!(!refusals.has(&owner("a"), 3, "NotAllowed") && !refusals.has(&owner("a"), 2, "KeyBlocked"));
        assert!(!refusals.has(&owner("b"), 2, "NotAllowed"), "another object of the same name");
    }

    #[test]
    fn what_is_known_does_not_depend_on_the_order_of_the_registers() {
        let lines = [("a", 1, "NotAllowed", 0), ("a", 2, "KeyBlocked", 5), ("a", 2, "NotAllowed", 4), ("b", 1, "NotAllowed", 9)];
        let of = |lines: &mut dyn Iterator<Item = &(&str, i64, &str, i64)>| {
            let mut refusals = Refusals::default();
            lines.for_each(|(uid, generation, reason, time)| refusals.push(&owner(uid), *generation, reason, at(*time)));
            refusals
        };
        assert_eq!(of(&mut lines.iter()), of(&mut lines.iter().rev()));
        assert_eq!(of(&mut lines[..3].iter()), of(&mut lines[..3].iter().rev()));
    }

    #[test]
    fn only_the_last_hour_counts() {
        let mut refusals = Refusals::default();
        (0..5).for_each(|n| refusals.push(&owner("a"), n, "NotAllowed", at(n * 1200)));
        assert_eq!(refusals.since(at(4 * 1200 - 3600)), 4);
        refusals.prune(at(100_000));
        assert!(refusals.since(Timestamp::MIN) == 0 && refusals.has(&owner("a"), 4, "NotAllowed"));
        refusals.prune(at(1_000_000));
        assert!(refusals.is_empty());
    }

    #[test]
    fn refusals_of_all_namespaces_count_for_their_register() {
        use crate::register::{
            RegisterId,
            line::{Act, Entry, Line, NO_LINE},
        };
        let mut state = super::super::State::default();
        for (number, namespace) in (1..).zip(["one", "two", "two"]) {
            let entry = Entry {
                owner: Some(Owner { namespace: namespace.into(), ..owner("a") }),
                generation: Some(number),
                reason: "NotAllowed: no".into(),
                ..Entry::new(Act::Refused)
            };
            let line = Line { sequence: 1, time: at(number), previous: NO_LINE.to_owned(), entry };
            state.apply(RegisterId::Common, &crate::register::Written { text: line.to_text(), line });
        }
        assert_eq!(state.refusals_in_register_since(&RegisterId::Common, at(0)), 3);
        let other = RegisterId::Authority(chancery_pki::KeyId::of_spki(b"ca"));
        assert_eq!(state.refusals_in_register_since(&other, at(0)), 0);
        state.prune(at(3602));
        assert_eq!(state.refusals_in_register_since(&RegisterId::Common, Timestamp::MIN), 2);
    }
}
