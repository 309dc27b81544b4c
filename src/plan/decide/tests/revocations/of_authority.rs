//! What is revoked, put on hold or blocked on an authority's owner's word, and what the Certificate makes of it.
//!
//! Not here: what a Certificate's own owner orders.

use super::*;
use crate::plan::{Act, KeySource};

#[test]
fn a_certificate_on_hold_is_left_as_it_is_until_it_is_released_or_ends() {
    let office = Office::ca();
    let mut desk = issued(json!({"duration": "30h"}), &office);
    let (serial, end) = (desk.held_serial(), desk.certificate.status.clone().unwrap().not_after.unwrap().0);
    desk.stand(Standing::Held, Reason::CertificateHold, noon());
    renew(&mut desk, "again");
    let around = listed(&office, 1, noon());
    let done = reconcile(&mut desk, &around, noon() + minutes(1));
    assert_eq!((done.issued.len(), desk.held_serial()), (0, serial));
    assert_eq!(said(&desk), ["Ready=False OnHold", "Issuing=True OnHold", "Stalled=True OnHold"]);
    assert_eq!(word(&desk), "True OnHold");
    assert_eq!(done.wake, Some(end + SignedDuration::from_secs(1)));
    let mut ended = desk.certificate.clone();
    desk.stand(Standing::Released, Reason::RemoveFromCrl, noon() + minutes(2));
    assert_eq!(reconcile(&mut desk, &around, noon() + minutes(3)).issued, ["RenewRequested"]);
    assert_eq!((said(&desk), revoked(&desk)), (vec!["Ready=True Ready".to_owned()], None));
    // A hold is on the certificate, not on its owner.
    let mut desk = issued(json!({"duration": "30h"}), &office);
    desk.stand(Standing::Held, Reason::CertificateHold, noon());
    std::mem::swap(&mut ended, &mut desk.certificate);
    desk.edit(|certificate| certificate.metadata.annotations = None);
    assert_eq!(reconcile(&mut desk, &around, end + SignedDuration::from_secs(1)).issued, ["Expired"]);
}

#[test]
fn what_the_authoritys_owner_revokes_is_replaced_and_said_while_it_cannot_be() {
    let mut office = Office::ca();
    let mut desk = issued(plain(), &office);
    let key = desk.leaf().unwrap().key_id();
    desk.stand(Standing::Revoked, Reason::PrivilegeWithdrawn, noon());
    office.close("Expired", "it has ended");
    let mut around = Surroundings::of(&office);
    reconcile(&mut desk, &around, noon() + minutes(1));
    assert_eq!(said(&desk), ["Ready=False Revoked", "Issuing=True IssuerNotReady", "Reconciling=True IssuerNotReady"]);
    assert!(message(&desk).contains("is revoked: privilegeWithdrawn"), "{}", message(&desk));
    assert_eq!(word(&desk), "False NoRevocationList");
    around.lists = listed(&Office::ca(), 1, noon()).lists;
    reconcile(&mut desk, &around, noon() + minutes(2));
    assert_eq!(word(&desk), "True Revoked");
    office.open();
    assert_eq!(reconcile(&mut desk, &Surroundings::of(&office), noon() + minutes(3)).issued, ["Revoked"]);
    assert_ne!(desk.leaf().unwrap().key_id(), key);
    assert_eq!((said(&desk), revoked(&desk)), (vec!["Ready=True Ready".to_owned()], None));
}

#[test]
fn a_revoked_entry_changes_only_to_key_compromise() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(plain(), &office);
    desk.stand(Standing::Revoked, Reason::Superseded, noon());
    reconcile(&mut desk, &around, noon() + minutes(1));
    let reason = |desk: &Desk| desk.lines[0].standing.revocation().map(|revocation| revocation.reason);
    for (text, then) in
        [("cessationOfOperation", Reason::Superseded), ("keyCompromise", Reason::KeyCompromise), ("unspecified", Reason::KeyCompromise)]
    {
        order(&mut desk, noon() + SignedDuration::from_secs(1), text);
        reconcile(&mut desk, &around, noon() + minutes(2));
        assert_eq!(reason(&desk), Some(then), "{text}");
    }
    assert_eq!(standings(&desk), [false, true]);
}

#[test]
fn a_blocked_key_is_replaced_and_neither_kept_nor_taken_over() {
    let office = Office::ca();
    let around = Surroundings::of(&office);
    let mut desk = issued(json!({"privateKey": {"rotationPolicy": "Never"}}), &office);
    let key = desk.leaf().unwrap().key_id();
    desk.blocked.insert(key);
    desk.tamper(|_| {});
    assert_eq!(reconcile(&mut desk, &around, noon() + minutes(1)).issued, ["KeyBlocked"]);
    assert_ne!(desk.leaf().unwrap().key_id(), key);

    let mut found = issued(plain(), &office);
    let key = found.leaf().unwrap().key_id();
    found.lines.clear();
    found.certificate.status = None;
    assert!(matches!(found.decide(&around, noon()).0.act, Act::Import(..)));
    found.blocked.insert(key);
    let Act::Issue(issue) = found.decide(&around, noon()).0.act else { panic!() };
    assert_eq!((issue.reason(), issue.key), ("Created", KeySource::New));
}
