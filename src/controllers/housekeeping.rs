//! What time alone makes necessary: keys whose last certificate has ended are destroyed, and the index forgets the past.

use std::time::Duration;

use chancery_pki::KeyId;
use jiff::{SignedDuration, Timestamp};

use crate::{
    apply::{self, Context},
    cluster::MAX_SKEW,
    plan::renewal::add,
    register::{Act, Entry, Owner, Register as _, RegisterId},
};

const PERIOD: Duration = Duration::from_hours(1);
/// A certificate's revocation stays on one list after its end, and a list is valid for seven days.
const AFTER_THE_LAST: SignedDuration = SignedDuration::from_hours(8 * 24);

/// Runs for ever.
pub(super) async fn run(context: &Context) {
    loop {
        once(context).await;
        tokio::time::sleep(PERIOD).await;
    }
}

async fn once(context: &Context) {
    // What is destroyed does not come back: not by a clock that is wrong.
    if context.world.skew.last().is_none() || context.world.skew.check(MAX_SKEW).is_err() {
        return;
    }
    let now = context.world.now();
    let index = context.world.registers.index();
    index.prune(now);
    for (key_id, owner) in index.living_keys() {
        if is_in_use(context, &key_id, owner.as_ref()) {
            continue;
        }
        retire(context, key_id, owner.clone()).await;
        // It has a list to sign yet.
        if context.world.lists.coverage(&key_id).is_some() {
            continue;
        }
        if ended(index.authority_last_not_after(&key_id), index.key(&key_id).and_then(|key| key.retired()), now)
            && let Err(fault) = apply::destroy_copy(context, &key_id, owner).await
        {
            tracing::warn!(%key_id, ?fault, "the copy of a key that has ended could not be destroyed yet");
        }
    }
}

/// Whether the Certificate that made the key still has it.
fn is_in_use(context: &Context, key_id: &KeyId, owner: Option<&Owner>) -> bool {
    let Some(owner) = owner else {
        // An imported key, which was copied when it signed its first list.
        let covered = context.world.lists.coverage(key_id).is_some_and(|coverage| coverage.current);
        return covered || context.world.book.of_authority(key_id).is_some();
    };
    if !context.world.scope.serves(&owner.namespace) {
        // Another operator's, or nobody's: nothing can be said of it from here.
        return true;
    }
    let exists = context.world.certificates.get(&crate::observe::Name::new(&owner.namespace, &owner.name)).is_some();
    let current = context.world.registers.index().current(&owner.namespace, &owner.name);
    // A key that was just made has no certificate yet.
    exists && current.is_none_or(|current| current.key_id == *key_id || current.time < made(context, key_id))
}

fn made(context: &Context, key_id: &KeyId) -> Timestamp {
    context.world.registers.index().key(key_id).and_then(|key| key.made()).unwrap_or(Timestamp::MIN)
}

async fn retire(context: &Context, key_id: KeyId, owner: Option<Owner>) {
    if context.world.registers.index().key(&key_id).is_none_or(|key| key.is_retired()) {
        return;
    }
    let entry = Entry {
        key_id: Some(key_id),
        owner,
        reason: "its Certificate has another key, or is gone".to_owned(),
        actor: apply::ACTOR.to_owned(),
        ..Entry::new(Act::Retired)
    };
    if let Err(error) = context.world.registers.append(RegisterId::Authority(key_id), entry).await {
        tracing::warn!(%key_id, %error, "a key could not be put on record as retired yet");
    }
}

fn ended(last: Option<Timestamp>, retired: Option<Timestamp>, now: Timestamp) -> bool {
    [last, retired].into_iter().flatten().max().is_some_and(|last| add(last, AFTER_THE_LAST) < now)
}
