//! Revocation lists in a Secret: who gets them, how often, and when they go.

use std::sync::Arc;

use super::*;
use crate::plan::observed::ListCopy;

fn offered<'a>(office: &'a Office, number: &str) -> Surroundings<'a> {
    let lists = ListCopy { numbers: number.to_owned(), text: format!("list {number}\n") };
    Surroundings { ca_crl: Some(Arc::new(lists)), ..Surroundings::of(office) }
}

fn ask(desk: &mut Desk, value: &str) {
    desk.edit(|certificate| {
        certificate.metadata.annotations.get_or_insert_default().insert("chancery.dev/ca-crl".to_owned(), value.to_owned());
    });
}

/// The lists in the Secret, and what its annotation says of them.
fn held(desk: &Desk) -> (Option<&str>, Option<&str>) {
    let secret = desk.secret.as_ref().unwrap();
    (secret.ca_crl.as_deref(), secret.annotations.get("chancery.dev/ca-crl-number").map(String::as_str))
}

#[test]
fn lists_come_with_the_certificate_are_kept_current_and_go_when_they_are_not_asked_for() {
    let office = Office::ca();
    let mut desk = Desk::new(certificate(plain()));
    ask(&mut desk, "true");
    let done = reconcile(&mut desk, &offered(&office, "7"), noon());
    assert_eq!((done.issued.as_slice(), done.secret_writes), (&["Created"][..], 1));
    assert_eq!(held(&desk), (Some("list 7\n"), Some("7")));
    let serial = desk.held_serial();

    let again = noon() + minutes(1);
    let soon = Surroundings { ca_crl_after: Some(again), ..offered(&office, "8") };
    let done = reconcile(&mut desk, &soon, noon() + SignedDuration::from_secs(30));
    assert_eq!((done.secret_writes, done.status_writes, done.wake), (0, 0, Some(again)), "a moment after the last ones");
    let done = reconcile(&mut desk, &offered(&office, "8"), again);
    assert_eq!((done.secret_writes, held(&desk)), (1, (Some("list 8\n"), Some("8"))));

    // Somebody else writes the Secret while it may not be given new ones yet.
    desk.tamper(|_| {});
    let soon = Surroundings { ca_crl_after: Some(again + minutes(1)), ..offered(&office, "9") };
    assert_eq!(reconcile(&mut desk, &soon, again).secret_writes, 0);
    assert_eq!(held(&desk), (Some("list 8\n"), Some("8")));

    desk.tamper(|secret| secret.ca_crl = Some("forged".to_owned()));
    reconcile(&mut desk, &offered(&office, "9"), again + minutes(2));
    assert_eq!(held(&desk), (Some("list 9\n"), Some("9")));

    let nothing = Surroundings::of(&office);
    assert_eq!(reconcile(&mut desk, &nothing, again + minutes(3)).secret_writes, 0, "what is not offered now may be again");
    ask(&mut desk, "false");
    assert_eq!(reconcile(&mut desk, &offered(&office, "9"), again + minutes(4)).secret_writes, 1);
    assert_eq!((held(&desk), desk.held_serial()), ((None, None), serial));
}

#[test]
fn lists_are_given_to_those_who_ask_for_them_only_and_what_others_put_there_is_left_alone() {
    let office = Office::ca();
    let around = offered(&office, "7");
    let mut desk = issued(plain(), &office);
    assert_eq!(reconcile(&mut desk, &around, noon() + minutes(1)).secret_writes, 0);
    desk.tamper(|secret| secret.ca_crl = Some("from elsewhere".to_owned()));
    reconcile(&mut desk, &around, noon() + minutes(2));
    assert_eq!(held(&desk), (Some("from elsewhere"), None));
    ask(&mut desk, "true");
    reconcile(&mut desk, &Surroundings::of(&office), noon() + minutes(3));
    assert_eq!(held(&desk), (Some("from elsewhere"), None), "nothing is offered in its place");
    let done = reconcile(&mut desk, &around, noon() + minutes(4));
    assert_eq!((done.secret_writes, held(&desk)), (1, (Some("list 7\n"), Some("7"))));
    desk.through_the_api_server();
    desk.assert_quiet(&around, noon() + minutes(4));
    renew(&mut desk, "again");
    let done = reconcile(&mut desk, &offered(&office, "8"), noon() + minutes(5));
    assert_eq!((done.issued.as_slice(), done.secret_writes, held(&desk)), (&["RenewRequested"][..], 1, (Some("list 8\n"), Some("8"))));
}
