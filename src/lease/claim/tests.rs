//! The rules one by one, in simulated time.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::*;

fn at(milliseconds: u64) -> Moment {
    Moment {
        elapsed: Duration::from_millis(milliseconds),
        wall: Timestamp::from_millisecond(i64::try_from(milliseconds).unwrap()).unwrap(),
    }
}

fn claim(identity: &str) -> Claim {
    Claim::new(identity.to_owned(), Terms::new(Duration::from_secs(15)).unwrap())
}

fn stored(version: u32, spec: LeaseSpec) -> Lease {
    let metadata = ObjectMeta { uid: Some("u".to_owned()), resource_version: Some(version.to_string()), ..ObjectMeta::default() };
    Lease { metadata, spec: Some(spec) }
}

fn held_by(holder: &str, renewed: u64, transitions: i32) -> Lease {
    let spec = LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        lease_duration_seconds: Some(15),
        acquire_time: Some(MicroTime(at(0).wall)),
        renew_time: Some(MicroTime(at(renewed).wall)),
        lease_transitions: Some(transitions),
        ..LeaseSpec::default()
    };
    stored(7, spec)
}

fn lead(claim: &mut Claim, sent: u64) {
    claim.read(None, at(sent));
    let Step::Create(spec) = claim.next(at(sent), 0) else { panic!("expected to create") };
    claim.written(stored(1, spec), at(sent), at(sent + 100));
}

fn leads(claim: &Claim, now: u64) -> bool {
    claim.hold().is_some_and(|hold| hold.lasts(at(now)))
}

#[test]
fn the_times_follow_client_go_in_their_proportions() {
    let terms = Terms::new(Duration::from_secs(15)).unwrap();
    assert_eq!((terms.hold, terms.retry), (Duration::from_secs(10), Duration::from_secs(2)));
    for bad in [Duration::ZERO, Duration::from_millis(1500), Duration::from_secs(3601)] {
        assert_eq!(Terms::new(bad), Err(TermsError(bad)));
    }
}

#[test]
fn an_absent_lease_is_created_and_held_from_the_moment_of_sending() {
    let mut claim = claim("me");
    assert_eq!(claim.next(at(0), 0), Step::Read);
    claim.read(None, at(10));
    let Step::Create(spec) = claim.next(at(1000), 0) else { panic!("expected to create") };
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("me"), Some(0)));
    assert_eq!(spec.lease_duration_seconds, Some(15));
    // The answer takes four seconds: they are not ours.
    claim.written(stored(1, spec), at(1000), at(5000));
    assert!(leads(&claim, 10_999));
    assert!(!leads(&claim, 11_000));
}

#[test]
fn the_holder_renews_without_looking_and_keeps_acquire_time_and_transitions() {
    let mut claim = claim("me");
    lead(&mut claim, 0);
    assert_eq!(claim.next(at(100), u16::MAX), Step::Wait(Duration::from_secs(2)));
    let Step::Replace(lease) = claim.next(at(2100), 0) else { panic!("expected to renew") };
    assert_eq!(lease.metadata.resource_version.as_deref(), Some("1"));
    let spec = lease.spec.unwrap();
    assert_eq!((spec.acquire_time, spec.lease_transitions), (Some(MicroTime(at(0).wall)), Some(0)));
    assert_eq!(spec.renew_time, Some(MicroTime(at(2100).wall)));
}

#[test]
fn a_rivals_lease_is_taken_only_when_it_did_not_change_for_its_duration() {
    let mut claim = claim("me");
    claim.next(at(0), 0);
    // Its times are far in our past: they say nothing.
    claim.read(Some(held_by("rival", 1, 4)), at(100_000));
    assert!(matches!(claim.next(at(100_000), 0), Step::Wait(_)));
    assert_eq!(claim.next(at(102_000), 0), Step::Read);
    claim.read(Some(held_by("rival", 2, 4)), at(102_000));
    assert!(matches!(claim.next(at(116_999), 0), Step::Wait(_)));
    assert_eq!(claim.next(at(119_000), 0), Step::Read);
    claim.read(Some(held_by("rival", 2, 4)), at(119_000));
    let Step::Replace(lease) = claim.next(at(119_000), 0) else { panic!("expected to take over") };
    let spec = lease.spec.unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("me"), Some(5)));
    assert_eq!(spec.acquire_time, Some(MicroTime(at(119_000).wall)));
}

#[test]
fn a_lease_of_ours_from_before_a_restore_is_waited_for_as_a_rivals_is() {
    let mut claim = claim("me");
    lead(&mut claim, 50_000);
    // The store was away for longer than we hold, and comes back as it was half a minute ago.
    claim.failed();
    let older = held_by("me", 20_000, 0);
    claim.read(Some(older.clone()), at(90_000));
    assert!(claim.hold().is_none());
    assert!(matches!(claim.next(at(90_000), 0), Step::Wait(_)));
    claim.read(Some(older.clone()), at(104_999));
    assert!(matches!(claim.next(at(104_999), 0), Step::Wait(_)));
    // A person who takes it meanwhile keeps it.
    let mut person = held_by("restore", 104_999, 1);
    person.spec.as_mut().unwrap().lease_duration_seconds = Some(3600);
    claim.read(Some(person.clone()), at(107_000));
    assert!(matches!(claim.next(at(107_000), 0), Step::Wait(_)));
    claim.read(Some(person), at(3_000_000));
    assert!(matches!(claim.next(at(3_000_000), 0), Step::Wait(_)));
}

#[test]
fn a_lease_of_ours_that_nobody_touched_is_taken_up_again_at_once() {
    let mut claim = claim("me");
    lead(&mut claim, 50_000);
    claim.failed();
    claim.read(Some(held_by("me", 50_000, 0)), at(90_000));
    assert!(matches!(claim.next(at(90_000), 0), Step::Replace(_)));
    // Also where a renewal was stored whose answer was lost.
    claim.failed();
    claim.read(Some(held_by("me", 90_000, 0)), at(120_000));
    assert!(matches!(claim.next(at(120_000), 0), Step::Replace(_)));
}

#[test]
fn a_label_on_the_lease_is_no_sign_of_life() {
    let mut claim = claim("me");
    claim.read(Some(held_by("rival", 1, 0)), at(0));
    let mut labelled = held_by("rival", 1, 0);
    labelled.metadata.resource_version = Some("8".to_owned());
    claim.read(Some(labelled), at(15_000));
    let Step::Replace(lease) = claim.next(at(15_000), 0) else { panic!("expected to take over") };
    assert_eq!(lease.metadata.resource_version.as_deref(), Some("8"));
}

#[test]
fn a_longer_lease_of_the_holder_is_respected_and_a_shorter_one_is_not() {
    for (theirs, ours_at) in [(60, 60_000), (3, 15_000), (-5, 15_000)] {
        let mut claim = claim("me");
        let mut lease = held_by("rival", 1, 0);
        lease.spec.as_mut().unwrap().lease_duration_seconds = Some(theirs);
        claim.read(Some(lease.clone()), at(0));
        assert!(matches!(claim.next(at(ours_at - 1), 0), Step::Wait(_)), "{theirs}");
        claim.read(Some(lease), at(ours_at));
        assert!(matches!(claim.next(at(ours_at), 0), Step::Replace(_)), "{theirs}");
    }
}

#[test]
fn losing_the_race_is_seen_at_once() {
    let mut claim = claim("me");
    lead(&mut claim, 0);
    claim.next(at(2200), 0);
    claim.refused();
    assert!(leads(&claim, 2300), "a conflict alone may be a label");
    assert_eq!(claim.next(at(2300), 0), Step::Read);
    claim.read(Some(held_by("rival", 2250, 1)), at(2400));
    assert!(!leads(&claim, 2400));
    assert!(matches!(claim.next(at(2400), 0), Step::Wait(_)));
}

#[test]
fn a_released_lease_is_taken_at_once() {
    let mut first = claim("me");
    lead(&mut first, 0);
    let released = first.release(at(500).wall).unwrap();
    assert!(!leads(&first, 500));
    let spec = released.spec.as_ref().unwrap();
    assert_eq!((spec.holder_identity.as_ref(), spec.lease_transitions), (None, Some(0)));
    let mut second = claim("you");
    second.read(Some(released), at(600));
    let Step::Replace(lease) = second.next(at(600), 0) else { panic!("expected to take over") };
    assert_eq!(lease.spec.unwrap().lease_transitions, Some(1));
}

#[test]
fn what_is_not_ours_is_not_released() {
    let mut claim = claim("me");
    assert_eq!(claim.release(at(0).wall), None);
    claim.read(Some(held_by("rival", 1, 0)), at(0));
    assert_eq!(claim.release(at(0).wall), None);
}

#[test]
fn a_lease_of_ours_from_before_a_restore_is_not_released() {
    let mut claim = claim("me");
    lead(&mut claim, 50_000);
    claim.failed();
    claim.read(Some(held_by("me", 20_000, 0)), at(90_000));
    // Whoever restores the store has the lease's whole duration to take it: the next candidate must not lead at once.
    assert_eq!(claim.release(at(91_000).wall), None);
}

#[test]
fn a_deleted_lease_is_not_created_while_its_holder_may_still_lead() {
    let mut claim = claim("me");
    claim.read(Some(held_by("rival", 1, 0)), at(0));
    claim.read(None, at(1000));
    assert!(matches!(claim.next(at(15_999), 0), Step::Wait(_)));
    claim.read(None, at(16_000));
    assert!(matches!(claim.next(at(16_000), 0), Step::Create(_)));
}

#[test]
fn a_lost_answer_is_followed_by_a_look_and_another_write() {
    let mut claim = claim("me");
    lead(&mut claim, 0);
    claim.next(at(2200), 0);
    claim.failed();
    assert!(matches!(claim.next(at(2300), 0), Step::Wait(_)), "a server that refuses connections is not hammered");
    assert_eq!(claim.next(at(4300), 0), Step::Read);
    claim.read(Some(held_by("me", 2200, 0)), at(4300));
    let Step::Replace(lease) = claim.next(at(4300), 0) else { panic!("expected to renew") };
    assert_eq!(lease.metadata.resource_version.as_deref(), Some("7"));
    assert!(!leads(&claim, 10_000), "the lost answer prolongs nothing");
}

#[test]
fn a_renewal_is_a_change_also_when_the_clock_stands_still() {
    let mut claim = claim("me");
    lead(&mut claim, 0);
    let still = Moment { wall: at(0).wall, ..at(2200) };
    claim.next(still, 0);
    let Step::Replace(lease) = claim.next(Moment { wall: at(0).wall, ..at(5000) }, 0) else { panic!("expected to renew") };
    assert_eq!(lease.spec.unwrap().renew_time.unwrap().0.as_microsecond(), 1);
}

#[test]
fn a_clock_that_is_set_back_and_an_answer_that_is_lost_do_not_cost_us_the_lease() {
    let mut claim = claim("me");
    lead(&mut claim, 50_000);
    let set_back = |milliseconds: u64| Moment { wall: at(milliseconds - 30_000).wall, ..at(milliseconds) };
    claim.next(set_back(50_100), 0);
    let Step::Replace(lease) = claim.next(set_back(52_200), 0) else { panic!("expected to renew") };
    assert!(lease.spec.as_ref().unwrap().renew_time < Some(MicroTime(at(50_000).wall)));
    claim.failed();
    // It was stored.
    claim.read(Some(*lease.clone()), set_back(54_400));
    assert!(leads(&claim, 54_400));
    assert!(matches!(claim.next(set_back(54_400), 0), Step::Replace(_)), "expected to renew");
    // This one was not.
    claim.failed();
    claim.read(Some(*lease), set_back(56_600));
    assert!(leads(&claim, 56_600));
    assert!(matches!(claim.next(set_back(56_600), 0), Step::Replace(_)), "expected to renew");
}

#[test]
fn a_machine_that_slept_no_longer_leads() {
    let mut claim = claim("me");
    lead(&mut claim, 0);
    let woken = Moment { elapsed: Duration::from_millis(200), wall: at(3_600_000).wall };
    assert!(!claim.hold().unwrap().lasts(woken));
    assert!(leads(&claim, 200));
}

#[test]
fn fields_that_others_put_into_the_lease_stay() {
    let mut claim = claim("me");
    let mut lease = held_by("", 1, 0);
    lease.spec.as_mut().unwrap().preferred_holder = Some("you".to_owned());
    claim.read(Some(lease), at(0));
    let Step::Replace(lease) = claim.next(at(0), 0) else { panic!("expected to take over") };
    assert_eq!(lease.spec.unwrap().preferred_holder.as_deref(), Some("you"));
}
