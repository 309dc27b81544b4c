//! Attempts that fail: how long the next one waits, what is said meanwhile, and what makes it come sooner.

use super::*;

fn failing() -> Office {
    Office { fails: true, ..Office::ca() }
}

fn attempts(desk: &Desk) -> Option<i32> {
    desk.certificate.status.as_ref()?.failed_issuance_attempts
}

#[test]
fn attempts_back_off_and_each_look_in_between_has_nothing_to_say() {
    let office = failing();
    let around = Surroundings::of(&office);
    let mut desk = Desk::new(certificate(plain()));
    let mut now = noon();
    for number in 1..=14 {
        let done = reconcile(&mut desk, &around, now);
        assert!(done.failed);
        assert_eq!(attempts(&desk), Some(number));
        assert_eq!(said(&desk), ["Ready=False Failed", "Issuing=True Failed", "Reconciling=True Failed"]);
        assert!(message(&desk).contains(&format!("attempt {number} failed")) && message(&desk).ends_with("it is out of ink"));
        let wake = done.wake.unwrap();
        assert_eq!(wake.duration_since(now), crate::plan::budget::backoff(i64::from(number)));
        let between = reconcile(&mut desk, &around, now + SignedDuration::from_secs(30));
        assert_eq!((between.failed, between.status_writes, between.wake), (false, 0, Some(wake)));
        now = wake;
    }
    let healthy = Office::ca();
    assert_eq!(reconcile(&mut desk, &Surroundings::of(&healthy), now).issued, ["Created"]);
    assert_eq!((attempts(&desk), said(&desk)), (None, vec!["Ready=True Ready".to_owned()]));
}

#[test]
fn a_failing_renewal_keeps_a_good_certificate_ready_and_is_tried_again_before_it_ends() {
    let office = failing();
    let around = Surroundings::of(&office);
    let mut desk = issued(json!({"duration": "24h"}), &Office::ca());
    let status = desk.certificate.status.clone().unwrap();
    let (mut now, end) = (status.renewal_time.unwrap().0, status.not_after.unwrap().0);
    let mut longest = SignedDuration::ZERO;
    while now < end - minutes(2) {
        let done = reconcile(&mut desk, &around, now);
        assert!(done.failed);
        assert_eq!(said(&desk), ["Ready=True Ready", "Issuing=True Failed"]);
        let wake = done.wake.unwrap();
        longest = longest.max(wake.duration_since(now));
        assert!(wake.duration_since(now) <= end.duration_since(now) / 2 + minutes(1));
        now = wake;
    }
    assert!(longest > hours(1));
}

#[test]
fn another_spec_and_another_issuer_are_tried_at_once_and_counted_anew() {
    let office = failing();
    let around = Surroundings::of(&office);
    let mut desk = Desk::new(certificate(plain()));
    for number in 0..5 {
        assert!(reconcile(&mut desk, &around, noon() + hours(number)).failed);
    }
    let now = noon() + hours(4) + minutes(1);
    assert!(!reconcile(&mut desk, &around, now).failed);
    edit(&mut desk, json!({"dnsNames": ["other.example"]}));
    assert!(reconcile(&mut desk, &around, now).failed);
    assert_eq!(attempts(&desk), Some(1));
    assert!(reconcile(&mut desk, &around, now + minutes(1)).failed);
    assert_eq!(attempts(&desk), Some(2));
    desk.issuer_changed = true;
    assert!(reconcile(&mut desk, &around, now + minutes(2)).failed);
    assert_eq!(attempts(&desk), Some(1));
}

#[test]
fn failures_under_another_spec_delay_nothing_after_something_else_was_in_the_way() {
    let office = failing();
    let mut desk = Desk::new(certificate(plain()));
    for number in 0..5 {
        assert!(reconcile(&mut desk, &Surroundings::of(&office), noon() + hours(number)).failed);
    }
    let now = noon() + hours(4) + minutes(1);
    edit(&mut desk, json!({"dnsNames": ["other.example"]}));
    let around = Surroundings { skew: Some(minutes(5)), ..Surroundings::of(&office) };
    assert!(!reconcile(&mut desk, &around, now).failed);
    assert_eq!(attempts(&desk), None);
    let healthy = Office::ca();
    assert_eq!(reconcile(&mut desk, &Surroundings::of(&healthy), now + minutes(1)).issued, ["Created"]);
}

#[test]
fn a_person_who_asks_is_answered_at_once_and_then_waits_like_others() {
    let office = failing();
    let around = Surroundings::of(&office);
    let mut desk = issued(plain(), &Office::ca());
    renew(&mut desk, "first");
    assert!(reconcile(&mut desk, &around, noon()).failed);
    assert!(!reconcile(&mut desk, &around, noon() + SignedDuration::from_secs(10)).failed);
    renew(&mut desk, "second");
    assert!(reconcile(&mut desk, &around, noon() + SignedDuration::from_secs(20)).failed);
    assert!(!reconcile(&mut desk, &around, noon() + SignedDuration::from_secs(30)).failed);
}

#[test]
fn a_failure_that_is_yet_to_come_delays_nothing() {
    let office = failing();
    let around = Surroundings::of(&office);
    let mut desk = Desk::new(certificate(plain()));
    assert!(reconcile(&mut desk, &around, noon() + hours(24 * 365)).failed);
    assert!(reconcile(&mut desk, &around, noon()).failed, "the clock ran ahead, and was set right");
    assert!(!reconcile(&mut desk, &around, noon() + SignedDuration::from_secs(10)).failed);
}

#[test]
fn a_measure_of_the_clocks_that_trembles_writes_no_status() {
    let office = Office::ca();
    let mut desk = Desk::new(certificate(plain()));
    let mut writes = 0;
    for second in 0..50 {
        let skew = Some(SignedDuration::from_millis(185_000 + second * 313));
        let around = Surroundings { skew, ..Surroundings::of(&office) };
        let now = noon() + SignedDuration::from_secs(second);
        let done = reconcile(&mut desk, &around, now);
        assert!(done.wake.is_some_and(|wake| wake > now));
        writes += done.status_writes;
    }
    assert_eq!(writes, 1);
}
