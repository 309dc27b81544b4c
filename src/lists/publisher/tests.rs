//! What only a publisher that meets another's leftovers can tell.

use std::collections::BTreeSet;

use chancery_pki::CrlNumber;

use super::*;
use crate::{
    lease::Unfenced,
    lists::{
        Building, Edition, Knows, build,
        sequence::{AUTHORITY, settings},
    },
    register::{
        Position,
        memory::{Fault, Memory},
    },
};

fn built() -> Built {
    let (certificate, key) = &*AUTHORITY;
    let now = Timestamp::from_second(1_795_000_000).unwrap();
    let edition = Edition {
        settings: settings(),
        former_base_urls: Vec::new(),
        list: None,
        number: CrlNumber::new(7),
        now,
        this_update: now,
        shards: BTreeSet::from([0]),
        rebase: BTreeSet::new(),
        deltas: BTreeSet::new(),
        gap: false,
        confirmed: false,
    };
    let from = Building {
        authority: certificate.key_id(),
        chain: std::slice::from_ref(certificate),
        signer: key,
        previous: None,
        register: &Position::start,
        entries: &|_| Vec::new(),
        knows: &|_| Knows::Nothing,
    };
    build(&edition, &from).unwrap()
}

fn publisher(memory: &Arc<Memory>, faults: impl IntoIterator<Item = Fault>) -> Publisher {
    Publisher::new(memory.client(faults), Arc::new(Unfenced))
}

#[tokio::test(start_paused = true)]
async fn the_chunk_of_another_attempt_with_the_same_number_is_not_taken_for_ours() {
    let memory = Arc::new(Memory::default());
    let died =
        publisher(&memory, [Fault::None, Fault::LostBefore, Fault::LostBefore, Fault::LostBefore, Fault::LostBefore, Fault::LostBefore]);
    let first = died.publish(&Standing::default(), &built()).await;
    assert!(matches!(first, Err(ListError::Unavailable { .. })), "{:?}", first.err());
    let second = publisher(&memory, []).publish(&Standing::default(), &built()).await;
    assert!(matches!(second, Err(ListError::Taken { .. })), "{:?}", second.err());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_authority_leaves_nothing_and_the_head_goes_first() {
    let memory = Arc::new(Memory::default());
    let client = memory.client([]);
    let publisher = Publisher::new(Arc::<crate::register::memory::Client>::clone(&client), Arc::new(Unfenced));
    let built = built();
    publisher.publish(&Standing::default(), &built).await.unwrap();
    assert_eq!(publisher.authorities().await.unwrap(), BTreeSet::from([built.head.authority]));
    publisher.end(&built.head.authority).await.unwrap();
    assert!(memory.documents().is_empty());
    let head = place::head_name(&built.head.authority);
    let deleted: Vec<_> = client.writes().into_iter().filter(|write| write.starts_with("DELETE")).collect();
    assert_eq!((deleted.len(), deleted[0].clone()), (2, format!("DELETE {head}")));
}
