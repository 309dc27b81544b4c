//! What is known of an authority's lists without asking: its register, its status, and what a person has confirmed.

use std::collections::BTreeMap;

use chancery_pki::{Certificate as X509, CrlNumber, KeyId};
use jiff::Timestamp;

use super::{Context, publication::Order};
use crate::{
    api::{RevocationList, names},
    lists::{ListName, Published, Settings, Survey},
    observe::ListSight,
    plan::{delegate::OWNER, publication::Noted},
    register::{Ledger, Position, RegisterId, Stands},
};

/// What is known of an authority without asking.
pub(super) struct Sight {
    pub(super) surveys: BTreeMap<u16, Survey>,
    pub(super) last_number: Option<CrlNumber>,
    pub(super) last_not_after: Option<Timestamp>,
    pub(super) noted: Option<Noted>,
    pub(super) stands: [Stands; 2],
    pub(super) confirmed: bool,
    pub(super) pending: usize,
    pub(super) oldest: Option<Timestamp>,
}

impl Sight {
    pub(super) fn of(
        context: &Context,
        order: &Order<'_>,
        published: Option<&Published>,
        settings: &Settings,
        chain: &[X509],
        now: Timestamp,
    ) -> Self {
        let index = context.world.registers.index();
        let id = RegisterId::Authority(order.authority);
        let head = published.map(|published| &published.head);
        let (surveys, last_number, last_not_after, waiting, oldest) = index.ledger(&id, |ledger| {
            let surveys = Survey::of(ledger, head, settings.shards, now);
            let waiting = ledger.pending().count();
            let oldest = ledger.pending().map(|(_, _, asked)| asked.time).min();
            (surveys, ledger.last_number(), last_end(ledger, chain), waiting, oldest)
        });
        let pending = waiting + surveys.values().map(|survey| survey.due + survey.waiting).sum::<usize>();
        let oldest = surveys.values().filter_map(|survey| survey.oldest).chain(oldest).min();
        let (noted, anchor) = order.list.map_or((None, None), |list| said(&list.object, &order.authority));
        // A head that is newer than the status was published by one who knew what the status says, or was told that it is lost.
        let anchor = anchor.filter(|_| head.map(|head| head.number) <= noted.map(|noted| noted.number));
        let stands = |position: Option<&Position>| position.map_or(Stands::Unknown, |position| index.stands(&id, position));
        let number = head.map(|head| head.number).max(noted.map(|noted| noted.number));
        let by_import = context.press.confirmed(&order.authority).is_some_and(|of| Some(of) >= number);
        let confirmed = by_import
            || order.list.is_some_and(|list| {
                let value = list.object.metadata.annotations.as_ref().and_then(|annotations| annotations.get(names::CONFIRM_ROLLBACK));
                value.is_some() && value.map(String::as_str) == number.map(|number| number.to_string()).as_deref()
            });
        Self {
            stands: [stands(head.map(|head| &head.register)), stands(anchor.as_ref())],
            surveys,
            last_number,
            last_not_after,
            noted,
            confirmed,
            pending,
            oldest,
        }
    }
}

/// When the last certificate ends that a list is for; the certificates of those who answer for the authority are none of these.
pub(super) fn last_end(ledger: &Ledger, chain: &[X509]) -> Option<Timestamp> {
    let leaves = ledger.certificates().filter(|(_, known)| known.owner.as_ref().is_none_or(|owner| owner.name != OWNER));
    let last = leaves.filter_map(|(_, known)| known.not_after).max();
    // Nothing that the authority signed is valid longer than it is itself.
    last.map(|last| chain.first().map_or(last, |own| last.min(own.not_after())))
}

/// What a status says of the authority's lists: the newest list, and the line of the register that it was made from.
pub(super) fn said(list: &RevocationList, authority: &KeyId) -> (Option<Noted>, Option<Position>) {
    let Some(status) = list.status.as_ref().filter(|status| status.authority == Some(authority.to_string())) else { return (None, None) };
    let number: Option<CrlNumber> = status.number.as_deref().and_then(|number| number.parse().ok());
    let shards = || status.shards.iter();
    let updates =
        shards().map(|shard| shard.this_update.0).chain(shards().filter_map(|shard| shard.delta.as_ref().map(|delta| delta.this_update.0)));
    let noted = number.zip(updates.max()).map(|(number, this_update)| Noted { number, this_update });
    let anchor = status
        .register
        .as_ref()
        .map(|anchor| Position { sequence: u64::try_from(anchor.sequence).unwrap_or_default(), hash: anchor.hash.clone() });
    (noted, anchor)
}

pub(super) fn list_name(list: &ListSight) -> ListName {
    ListName {
        namespace: list.name.namespace.to_string(),
        name: list.name.name.to_string(),
        uid: list.object.metadata.uid.clone().unwrap_or_default(),
    }
}
