//! Telling the others what is published: those who issue under an authority, and those who wait until a revocation is on a list.

use std::sync::Arc;

use chancery_pki::{KeyId, SerialNumber};

use super::{Context, copies};
use crate::{
    api::names,
    lists::Published,
    observe::{Cached as _, Coverage, ListSight, Name},
    register::{RegisterId, Revocation, Standing as Recorded},
};

/// Tells the others what is published.
pub(super) fn cover(context: &Context, published: Option<&Published>, list: Option<&ListSight>, current: bool) {
    let Some(published) = published else { return };
    let head = &published.head;
    let before = context.world.lists.coverage(&head.authority);
    // At the beginning of a term nobody has looked at the list yet.
    let name = list.map(|list| list.name.clone()).or_else(|| {
        let of = head.list.as_ref()?;
        let name = Name::new(&of.namespace, &of.name);
        context.world.revocation_lists.get(&name).filter(|list| list.uid() == of.uid).map(|_| name)
    });
    let name_is_there = name.is_some();
    let wants_copies = list.is_some_and(|list| list.wanted.as_ref().is_ok_and(|wanted| wanted.ca_crl));
    let pem = wants_copies.then(|| copies::pem(published)).flatten();
    let coverage = Coverage {
        head: Arc::new(head.clone()),
        list: name,
        current: current || (list.is_none() && name_is_there && before.is_none()),
        pem: pem.map(Arc::new),
    };
    let same = before.is_some_and(|before| {
        before.head == coverage.head && before.list == coverage.list && before.current == coverage.current && before.pem == coverage.pem
    });
    if !same {
        let before = context.world.lists.put(coverage);
        (context.published)(&newly_listed(context, &head.authority, before.as_deref()));
    }
}

/// The Certificates whose revocations stand on a list now, and did not before; and those who wait for another list in their Secrets.
fn newly_listed(context: &Context, authority: &KeyId, before: Option<&Coverage>) -> Vec<Name> {
    let Some(now) = context.world.lists.coverage(authority) else { return Vec::new() };
    let mut owners: Vec<Name> = context.world.registers.index().ledger(&RegisterId::Authority(*authority), |ledger| {
        let is_new = |serial: &SerialNumber, revocation: &Revocation| {
            now.is_published(serial, revocation) && before.is_none_or(|before| !before.is_published(serial, revocation))
        };
        let revoked = ledger.revoked().filter(|(serial, _, revocation)| is_new(serial, revocation)).map(|(_, known, _)| known);
        let released = ledger.certificates().filter(|(serial, known)| match &known.standing {
            Recorded::Released(release) => is_new(serial, release),
            _ => false,
        });
        let new = revoked.chain(released.map(|(_, known)| known));
        new.filter_map(|known| known.owner.as_ref()).map(|owner| Name::new(&owner.namespace, &owner.name)).collect()
    });
    if before.is_none_or(|before| before.pem != now.pem) {
        let asks = |certificate: &Arc<crate::api::Certificate>| {
            certificate.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(names::CA_CRL))
        };
        owners
            .extend(context.world.certificates.all().iter().filter(|certificate| asks(certificate)).map(|certificate| certificate.name()));
    }
    owners.sort();
    owners.dedup();
    owners
}
