//! The rules one by one, then against a naive model.

use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn drain(lanes: &mut Lanes<&'static str>, now: i64) -> Vec<&'static str> {
    std::iter::from_fn(|| lanes.next(at(now))).map(|key| *key).collect()
}

#[test]
fn lanes_are_served_in_turn_and_within_a_lane_the_smallest_priority_first() {
    let mut lanes = Lanes::new();
    for (key, lane, priority) in [("a3", "a", 3), ("a1", "a", 1), ("a2", "a", 2), ("b9", "b", 9), ("c5", "c", 5), ("c4", "c", 4)] {
        lanes.push(key, lane, priority, at(0));
    }
    assert_eq!(drain(&mut lanes, 0), ["a1", "b9", "c4", "a2", "c5", "a3"]);
}

#[test]
fn equals_come_in_the_order_in_which_they_were_pushed() {
    let mut lanes = Lanes::new();
    for key in ["x", "y", "z"] {
        lanes.push(key, "a", 0, at(0));
    }
    assert_eq!(drain(&mut lanes, 0), ["x", "y", "z"]);
}

#[test]
fn ten_thousand_in_one_namespace_do_not_starve_another() {
    let mut lanes = Lanes::new();
    for key in 0..10_000 {
        lanes.push(key, "crowd", 0, at(0));
    }
    lanes.push(10_001, "alone", i64::MAX, at(1));
    assert_eq!(*lanes.next(at(1)).unwrap(), 0);
    assert_eq!(*lanes.next(at(1)).unwrap(), 10_001);
}

#[test]
fn a_key_pushed_twice_is_handed_out_once_with_the_smaller_priority() {
    let mut lanes = Lanes::new();
    lanes.push("x", "a", 5, at(0));
    lanes.push("y", "a", 3, at(0));
    lanes.push("x", "a", 1, at(0));
    lanes.push("x", "a", 9, at(0));
    assert_eq!(drain(&mut lanes, 0), ["x", "y"]);
}

#[test]
fn a_delayed_key_waits_for_the_earliest_of_its_times() {
    let mut lanes = Lanes::new();
    lanes.push_at("x", "a", 0, at(50), at(0));
    lanes.push_at("x", "a", 0, at(20), at(0));
    lanes.push_at("x", "a", 0, at(90), at(0));
    assert_eq!(lanes.due(), Some(at(20)));
    assert_eq!(lanes.next(at(19)), None);
    assert_eq!(drain(&mut lanes, 20), ["x"]);
    assert_eq!(lanes.due(), None);
}

#[test]
fn a_push_for_now_overrides_a_later_time_and_is_not_delayed_by_one() {
    let mut lanes = Lanes::new();
    lanes.push_at("x", "a", 0, at(50), at(0));
    lanes.push("x", "a", 0, at(0));
    lanes.push_at("x", "a", 0, at(90), at(0));
    assert_eq!(lanes.due(), None);
    assert_eq!(drain(&mut lanes, 0), ["x"]);
    lanes.push_at("y", "a", 0, at(-1), at(0));
    assert_eq!(drain(&mut lanes, 0), ["y"]);
}

#[test]
fn a_key_in_hands_is_not_handed_out_again_and_comes_back_when_pushed_meanwhile() {
    let mut lanes = Lanes::new();
    lanes.push("x", "a", 0, at(0));
    let held = lanes.next(at(0)).unwrap();
    lanes.push("x", "a", 0, at(1));
    lanes.push_at("x", "a", 0, at(9), at(1));
    assert_eq!(lanes.next(at(100)), None);
    lanes.finish(&held, at(2));
    let held = lanes.next(at(2)).unwrap();
    lanes.finish(&held, at(2));
    assert_eq!((lanes.next(at(100)), lanes.depth()), (None, Depth::default()));
}

#[test]
fn a_time_wished_while_in_hands_is_kept() {
    let mut lanes = Lanes::new();
    lanes.push("x", "a", 0, at(0));
    let held = lanes.next(at(0)).unwrap();
    lanes.push_at("x", "a", 0, at(9), at(1));
    lanes.push_at("x", "a", 0, at(30), at(1));
    lanes.finish(&held, at(2));
    assert_eq!(lanes.due(), Some(at(9)));
}

#[test]
fn what_is_forgotten_is_not_handed_out() {
    let mut lanes = Lanes::new();
    lanes.push("x", "a", 0, at(0));
    lanes.push_at("y", "a", 0, at(5), at(0));
    lanes.push("z", "b", 0, at(0));
    let held = lanes.next(at(0)).unwrap();
    assert_eq!(*held, "x");
    lanes.push("x", "a", 0, at(0));
    for key in ["x", "y", "z", "unknown"] {
        lanes.forget(&key);
    }
    lanes.finish(&held, at(1));
    lanes.finish(&held, at(1));
    assert_eq!((lanes.next(at(100)), lanes.depth()), (None, Depth::default()));
}

#[test]
fn the_oldest_is_measured_from_when_it_could_have_been_handed_out() {
    let mut lanes = Lanes::new();
    assert_eq!(lanes.oldest(at(0)), SignedDuration::ZERO);
    lanes.push_at("x", "a", 0, at(10), at(0));
    lanes.push("y", "a", 7, at(40));
    lanes.push("y", "a", 1, at(45));
    assert_eq!(lanes.oldest(at(50)), SignedDuration::from_secs(40));
    assert_eq!(drain(&mut lanes, 50).len(), 2);
    assert_eq!(lanes.oldest(at(50)), SignedDuration::ZERO);
}

#[derive(Clone, Debug)]
enum Op {
    Push(u8, i8),
    PushAt(u8, i8, i8),
    Forget(u8),
    Next,
    Finish(u8),
    Advance(i8),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..12u8, any::<i8>()).prop_map(|(key, priority)| Op::Push(key, priority)),
        (0..12u8, any::<i8>(), any::<i8>()).prop_map(|(key, priority, at)| Op::PushAt(key, priority, at)),
        (0..12u8).prop_map(Op::Forget),
        Just(Op::Next),
        Just(Op::Next),
        any::<u8>().prop_map(Op::Finish),
        (-20..60i8).prop_map(Op::Advance),
    ]
}

/// The rules said as simply as they can be: a list of wishes, searched from end to end.
#[derive(Default)]
struct Model {
    /// key -> (priority, time from which it may be handed out)
    wishes: BTreeMap<u8, (i64, i64)>,
    running: BTreeMap<u8, Option<(i64, i64)>>,
}

impl Model {
    fn wish(&mut self, key: u8, priority: i64, from: i64, now: i64) {
        let last = match self.running.get(&key) {
            Some(again) => *again,
            None => self.wishes.get(&key).copied(),
        };
        // Once due, always due, also when the clock goes back.
        let from = if from <= now { i64::MIN } else { from };
        let merged = last.map_or((priority, from), |(p, f)| (p.min(priority), f.min(from)));
        match self.running.get_mut(&key) {
            Some(again) => *again = Some(merged),
            None => {
                self.wishes.insert(key, merged);
            }
        }
    }
}

proptest! {
    #[test]
    fn the_queue_agrees_with_a_naive_model(ops in proptest::collection::vec(op(), 0..200)) {
        let (mut lanes, mut model, mut now, mut held) = (Lanes::new(), Model::default(), 0i64, Vec::<Arc<u8>>::new());
        // A key keeps to its lane, as an object keeps to its namespace.
        let lane_of = |key: u8| ["a", "b", "c"][usize::from(key % 3)];
        for op in ops {
            match op {
                Op::Push(key, priority) => {
                    lanes.push(key, lane_of(key), priority.into(), at(now));
                    model.wish(key, priority.into(), i64::MIN, now);
                }
                Op::PushAt(key, priority, delay) => {
                    let time = now + i64::from(delay);
                    lanes.push_at(key, lane_of(key), priority.into(), at(time), at(now));
                    model.wish(key, priority.into(), time, now);
                }
                Op::Forget(key) => {
                    lanes.forget(&key);
                    model.wishes.remove(&key);
                    if let Some(again) = model.running.get_mut(&key) {
                        *again = None;
                    }
                }
                Op::Next => {
                    for wish in model.wishes.values_mut().filter(|wish| wish.1 <= now) {
                        wish.1 = i64::MIN;
                    }
                    let due: Vec<u8> = model.wishes.iter().filter(|(_, wish)| wish.1 <= now).map(|(key, _)| *key).collect();
                    match lanes.next(at(now)) {
                        None => prop_assert!(due.is_empty(), "{due:?} are due"),
                        Some(key) => {
                            prop_assert!(due.contains(&key));
                            let best = due.iter().filter(|other| lane_of(**other) == lane_of(*key)).map(|other| model.wishes[other].0).min();
                            prop_assert_eq!(best, Some(model.wishes[&*key].0));
                            model.wishes.remove(&key);
                            model.running.insert(*key, None);
                            held.push(key);
                        }
                    }
                }
                Op::Finish(which) if !held.is_empty() => {
                    let key = held.swap_remove(usize::from(which) % held.len());
                    lanes.finish(&key, at(now));
                    if let Some(Some((priority, from))) = model.running.remove(&key) {
                        model.wishes.insert(*key, (priority, from));
                    }
                }
                Op::Finish(_) => {}
                Op::Advance(by) => now += i64::from(by),
            }
            let depth = lanes.depth();
            prop_assert_eq!(depth.ready + depth.delayed, model.wishes.len());
            prop_assert_eq!(depth.running, model.running.len());
            prop_assert_eq!(lanes.turns.len(), lanes.waiting.len());
        }
    }
}
