//! What is served when things change, and when they go wrong.

use std::time::Duration;

use chancery_pki::{KeyAlgorithm, OcspStatus, Reason};

use super::ground::{DAY, Ground, serial};
use crate::{
    api::names,
    cluster::Clock as _,
    lists::Head,
    register::{Act, Document, Entry},
    responder::{counter::Reply, keeper::Message, watch::News},
};

async fn ground() -> Ground {
    Ground::new(KeyAlgorithm::EcdsaP256, 1000).await
}

fn is_head(document: &Document) -> bool {
    document.data.contains_key("head")
}

#[tokio::test]
async fn a_revocation_is_answered_as_soon_as_it_is_on_record_and_listed_when_it_is_published() {
    let mut ground = ground().await;
    let leaf = ground.issue().await;
    ground.tell_changes().await;
    assert_eq!(ground.status(leaf.serial()), Ok(OcspStatus::Good));
    assert_eq!(ground.status(&serial(99)), Ok(OcspStatus::Unknown));
    ground.act(Act::Revoked, &leaf, Reason::KeyCompromise).await;
    ground.tell_changes().await;
    let revoked = ground.status(leaf.serial());
    assert!(matches!(revoked, Ok(OcspStatus::Revoked { reason: Reason::KeyCompromise, .. })), "{revoked:?}");
    assert_eq!(ground.listed(), []);
    ground.publish().await;
    ground.tell_changes().await;
    assert_eq!(ground.listed(), [leaf.serial().clone()]);
    assert_eq!(ground.troubles(), [""; 0]);
}

#[tokio::test]
async fn an_answer_is_signed_once_until_it_is_half_over_or_the_certificate_stands_otherwise() {
    let mut ground = ground().await;
    let leaf = ground.issue().await;
    ground.tell_changes().await;
    let signatures = |ground: &Ground| {
        let text = ground.counter.metrics.encode().unwrap();
        let kept = text.lines().find(|line| line.starts_with("chancery_ocsp_signatures_total{kind=\"kept\"}"));
        kept.and_then(|line| line.rsplit(' ').next()).map_or(0, |number| number.parse::<u32>().unwrap())
    };
    for _ in 0..3 {
        assert_eq!(ground.status(leaf.serial()), Ok(OcspStatus::Good));
    }
    assert_eq!(signatures(&ground), 1);
    ground.clock.advance(DAY / 4);
    assert_eq!(ground.status(leaf.serial()), Ok(OcspStatus::Good));
    assert_eq!(signatures(&ground), 2);
    ground.act(Act::Held, &leaf, Reason::CertificateHold).await;
    ground.tell_changes().await;
    let held = ground.status(leaf.serial());
    assert!(matches!(held, Ok(OcspStatus::Revoked { reason: Reason::CertificateHold, .. })), "{held:?}");
    assert_eq!(signatures(&ground), 3);
}

#[tokio::test]
async fn no_answer_calls_a_certificate_good_beyond_the_end_of_its_grace() {
    let mut ground = ground().await;
    let leaf = ground.issue().await;
    ground.tell_changes().await;
    let next_update = |ground: &Ground| match ground.counter.answer(&ground.ask(leaf.serial())) {
        Reply::Kept(kept) => kept.next_update,
        other => panic!("{other:?}"),
    };
    let long = next_update(&ground);
    let from = ground.clock.now() + jiff::SignedDuration::from_mins(10);
    let (serial, not_after) = (Some(leaf.serial().clone()), Some(leaf.not_after()));
    let (code, from_then) = (Some(Reason::Superseded), Some(from));
    ground.append(Entry { serial, not_after, code, from: from_then, ..Entry::new(Act::Revoked) }).await;
    ground.tell_changes().await;
    assert_eq!(ground.status(leaf.serial()), Ok(OcspStatus::Good));
    assert!(long > from && next_update(&ground) <= from, "{long} {from}");
}

#[tokio::test]
async fn a_released_entry_may_leave_the_list_once_the_register_says_so() {
    let mut ground = ground().await;
    let leaf = ground.issue().await;
    ground.act(Act::Held, &leaf, Reason::CertificateHold).await;
    ground.publish().await;
    ground.tell_changes().await;
    assert_eq!(ground.listed().len(), 1);
    ground.act(Act::Released, &leaf, Reason::RemoveFromCrl).await;
    ground.publish().await;
    // The list comes first: its entry is missing for no reason that is known yet.
    for document in ground.documents(names::LIST).await.into_iter().rev() {
        ground.tell(Message::Lists(News::Changed(document))).await;
    }
    assert_eq!(ground.listed().len(), 1);
    ground.tell_changes().await;
    assert_eq!(ground.listed().len(), 0);
    assert_eq!((ground.status(leaf.serial()), ground.troubles()), (Ok(OcspStatus::Good), vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_went_back_or_lost_an_entry_is_refused_and_what_was_served_stays() {
    let mut ground = ground().await;
    let leaf = ground.issue().await;
    ground.tell_changes().await;
    let older = ground.documents(names::LIST).await;
    ground.act(Act::Revoked, &leaf, Reason::Superseded).await;
    ground.publish().await;
    ground.tell_changes().await;
    assert_eq!(ground.listed().len(), 1);
    // A store that was put back shows the older head again.
    ground.tell(Message::Lists(News::All(older.clone()))).await;
    assert_eq!(ground.listed().len(), 1);
    tokio::time::sleep(Duration::from_secs(11)).await;
    ground.heard.now();
    let troubles = ground.troubles().join("\n");
    assert!(troubles.contains("a newer list is refused: its number has gone back"), "{troubles}");
    // The same old list under a higher number has lost an entry.
    let mut head = older.into_iter().find(is_head).unwrap();
    let forged = Head { number: chancery_pki::CrlNumber::new(u128::MAX), ..Head::from_document(&head).unwrap() };
    head.data = forged.to_document(None).data;
    ground.tell(Message::Lists(News::Changed(head))).await;
    assert_eq!(ground.listed().len(), 1);
    assert!(ground.troubles().join("\n").contains("is refused: "), "{:?}", ground.troubles());
    // OCSP speaks from the register, which is whole.
    assert!(matches!(ground.status(leaf.serial()), Ok(OcspStatus::Revoked { .. })));
}

#[tokio::test]
async fn chunks_that_are_missing_or_edited_are_not_served() {
    let mut ground = ground().await;
    let leaf = ground.issue().await;
    ground.tell_changes().await;
    ground.act(Act::Revoked, &leaf, Reason::Superseded).await;
    ground.publish().await;
    let served = ground.counter.served.get().authorities[&ground.certificate.key_id()].shelf.head.all_chunk_names();
    let documents = ground.documents(names::LIST).await;
    let head = documents.iter().find(|document| is_head(document)).unwrap().clone();
    let chunk = documents.iter().find(|document| !is_head(document) && !served.contains(&document.name)).unwrap().clone();
    ground.tell(Message::Lists(News::Changed(head))).await;
    assert_eq!(ground.listed().len(), 0, "the chunk is missing");
    let mut edited = chunk.clone();
    edited.binary.values_mut().for_each(|octets| octets[40] ^= 1);
    ground.tell(Message::Lists(News::Changed(edited))).await;
    assert_eq!(ground.listed().len(), 0, "the chunk was edited");
    ground.tell(Message::Lists(News::Changed(chunk))).await;
    assert_eq!(ground.listed().len(), 1);
    // What is served needs its chunks no more.
    ground.tell(Message::Lists(News::Gone(served.first().unwrap().clone()))).await;
    assert_eq!(ground.listed().len(), 1);
}

#[tokio::test]
async fn nothing_is_answered_from_a_register_that_went_back() {
    let mut ground = ground().await;
    let leaf = ground.issue().await;
    let before = ground.documents(crate::register::LABEL).await;
    ground.act(Act::Revoked, &leaf, Reason::Superseded).await;
    ground.tell_changes().await;
    assert!(matches!(ground.status(leaf.serial()), Ok(OcspStatus::Revoked { .. })));
    for document in before.clone() {
        ground.tell(Message::Registers(News::Changed(document))).await;
    }
    assert!(matches!(ground.status(leaf.serial()), Ok(OcspStatus::Revoked { .. })), "it may only be late");
    assert_eq!(ground.troubles(), [""; 0]);
    ground.round().await;
    assert_eq!(ground.troubles(), [""; 0], "it was late");
    let is_register = |document: &Document| document.labels.contains_key(crate::register::LABEL);
    let after = ground.documents(crate::register::LABEL).await;
    ground.memory.restore(before.clone(), is_register);
    for document in before {
        ground.tell(Message::Registers(News::Changed(document))).await;
    }
    ground.round().await;
    assert_eq!(ground.status(leaf.serial()), Err("tryLater"));
    assert!(ground.troubles()[0].contains("it has gone back"), "{:?}", ground.troubles());
    ground.memory.restore(after, is_register);
    ground.tell_changes().await;
    assert!(matches!(ground.status(leaf.serial()), Ok(OcspStatus::Revoked { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_register_that_could_not_be_read_whole_is_read_again_and_not_spoken_from_meanwhile() {
    let mut ground = ground().await;
    let leaf = ground.issue().await;
    ground.tell_changes().await;
    ground.act(Act::Revoked, &leaf, Reason::Superseded).await;
    // So much that the revocation's line lies in a segment.
    for _ in 0..400 {
        ground.act(Act::Revoked, &leaf, Reason::Superseded).await;
    }
    let head = ground.documents(crate::register::LABEL).await.into_iter().find(|document| document.name == ground.id().name()).unwrap();
    ground.reader.kill();
    let begun = tokio::time::Instant::now();
    ground.tell(Message::Registers(News::Changed(head.clone()))).await;
    ground.tell(Message::Registers(News::Changed(head))).await;
    assert!(begun.elapsed() < Duration::from_secs(31), "{:?}", begun.elapsed());
    assert_eq!(ground.round().await, 1);
    assert!(begun.elapsed() < Duration::from_secs(61), "{:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_secs(1)).await;
    ground.heard.now();
    assert_eq!(ground.status(leaf.serial()), Err("tryLater"), "there are lines that are not known");
    assert!(ground.troubles().join("\n").contains("lines are missing"), "{:?}", ground.troubles());
    ground.reader.revive();
    ground.round().await;
    assert!(matches!(ground.status(leaf.serial()), Ok(OcspStatus::Revoked { .. })));
    assert_eq!(ground.troubles(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_answered_from_a_register_that_lacks_what_the_list_was_made_from() {
    let mut ground = ground().await;
    let leaf = ground.issue().await;
    ground.tell_changes().await;
    ground.act(Act::Revoked, &leaf, Reason::Superseded).await;
    ground.publish().await;
    for document in ground.documents(names::LIST).await.into_iter().rev() {
        ground.tell(Message::Lists(News::Changed(document))).await;
    }
    assert_eq!(ground.status(leaf.serial()), Ok(OcspStatus::Good), "the register may come a moment later");
    tokio::time::sleep(Duration::from_secs(61)).await;
    ground.heard.now();
    assert_eq!(ground.status(leaf.serial()), Err("tryLater"));
    ground.tell_changes().await;
    assert!(matches!(ground.status(leaf.serial()), Ok(OcspStatus::Revoked { .. })));
}

#[tokio::test(start_paused = true)]
async fn without_news_a_fresh_list_or_a_delegate_there_is_no_answer_and_the_probe_says_why() {
    let mut ground = ground().await;
    let leaf = ground.issue().await;
    ground.tell_changes().await;
    let later = |ground: &Ground, why: &str| {
        assert_eq!(ground.status(leaf.serial()), Err("tryLater"));
        assert!(ground.troubles().join("\n").contains(why), "{:?}", ground.troubles());
    };
    tokio::time::sleep(Duration::from_secs(601)).await;
    later(&ground, "nothing was heard of the API server for 601 s");
    ground.heard.now();
    assert_eq!(ground.status(leaf.serial()), Ok(OcspStatus::Good));
    ground.tell_delegate(None).await;
    assert_eq!((ground.status(leaf.serial()), ground.troubles()), (Err("tryLater"), vec![]), "it may come with another Secret");
    tokio::time::sleep(Duration::from_secs(11)).await;
    ground.heard.now();
    later(&ground, "there is no delegate");
    ground.tell_delegate(Some(DAY * 30)).await;
    assert_eq!(ground.status(leaf.serial()), Ok(OcspStatus::Good));
    ground.clock.advance(DAY * 8);
    later(&ground, "the list of shard 0 should have been renewed by");
    assert_eq!(ground.counter.served.get().authorities.len(), 1, "the list is served all the same");
    ground.publish().await;
    ground.tell_changes().await;
    assert_eq!(ground.status(leaf.serial()), Ok(OcspStatus::Good));
}

#[tokio::test]
async fn a_head_that_is_gone_is_missed_while_its_authority_has_certificates() {
    let mut ground = ground().await;
    let leaf = ground.issue().await;
    ground.tell_changes().await;
    let registers = ground.documents(crate::register::LABEL).await;
    ground.tell(Message::Lists(News::All(Vec::new()))).await;
    ground.tell(Message::Registers(News::All(registers))).await;
    assert_eq!(ground.status(leaf.serial()), Ok(OcspStatus::Good));
    assert!(ground.troubles()[0].contains("its head is gone"), "{:?}", ground.troubles());
    ground.clock.advance(DAY * 91);
    ground.tell(Message::Lists(News::All(Vec::new()))).await;
    assert_eq!(ground.status(leaf.serial()), Err("unauthorized"));
    assert_eq!(ground.troubles(), [""; 0]);
}

#[tokio::test]
async fn ocsp_that_is_not_wanted_is_not_answered() {
    let mut ground = ground().await;
    let leaf = ground.issue().await;
    ground.settings.ocsp = None;
    ground.publish().await;
    ground.tell_changes().await;
    ground.tell_delegate(None).await;
    assert_eq!((ground.status(leaf.serial()), ground.troubles()), (Err("unauthorized"), vec![]));
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_an_older_head_is_not_believed_and_a_missing_one_is_missed() {
    for is_gone in [false, true] {
        let mut ground = ground().await;
        let leaf = ground.issue().await;
        ground.publish().await;
        let mut older = ground.documents(names::LIST).await;
        if is_gone {
            older.clear();
        }
        ground.act(Act::Revoked, &leaf, Reason::Superseded).await;
        ground.publish().await;
        let registers = ground.documents(crate::register::LABEL).await;
        ground.restart();
        ground.tell(Message::Lists(News::All(older))).await;
        ground.tell(Message::Registers(News::All(registers))).await;
        ground.tell_delegate(Some(DAY * 2)).await;
        assert_eq!(ground.troubles(), [""; 0], "who published may have died between the line and the head");
        let first = ground.status(leaf.serial());
        assert!(if is_gone { first == Err("tryLater") } else { first.is_ok() }, "{first:?}");
        tokio::time::sleep(Duration::from_secs(61)).await;
        ground.heard.now();
        assert_eq!(ground.status(leaf.serial()), Err("tryLater"));
        let why = if is_gone { "its head is gone" } else { "it has gone back, or is not written" };
        assert!(ground.troubles().join("\n").contains(why), "{:?}", ground.troubles());
        ground.tell_all().await;
        assert_eq!(ground.troubles(), [""; 0]);
        assert!(matches!(ground.status(leaf.serial()), Ok(OcspStatus::Revoked { .. })));
    }
}
