//! What the registers and the lists say of a Certificate's certificates: how they stand, and who depends on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chancery_pki::{Certificate as X509, KeyId, SerialNumber};
use jiff::{SignedDuration, Timestamp};

use super::{cache::Name, coverage::Pem, world::World};
use crate::{
    plan::{
        observed::{AuthorityView, Backing, ListCopy, OwnCertificate},
        renewal::add,
    },
    register::{RegisterId, Revocation, Standing},
};

/// The most octets of revocation lists in a Secret, beside a chain and its key.
const LISTS_BYTES: usize = 256 * 1024;

/// How long a Secret that was given lists is given no others.
const LISTS_PAUSE: SignedDuration = SignedDuration::from_mins(1);

/// The authority of a register; none for the common one.
pub(super) fn authority_of(register: RegisterId) -> Option<KeyId> {
    match register {
        RegisterId::Authority(key_id) => Some(key_id),
        RegisterId::Common => None,
    }
}

/// How a certificate stands.
pub(super) fn standing(world: &World, register: &RegisterId, serial: &SerialNumber) -> Standing {
    world.registers.index().ledger(register, |ledger| ledger.get(serial).map(|known| known.standing.clone()).unwrap_or_default())
}

/// The certificates on record as those of a Certificate that have not ended, oldest first.
pub(super) fn own(world: &World, name: &Name, now: Timestamp) -> Vec<OwnCertificate> {
    let known = world.registers.index().certificates_of(&name.namespace, &name.name);
    let own = |(register, serial, known): (RegisterId, SerialNumber, crate::register::Known)| {
        let not_after = known.not_after.filter(|_| !known.has_ended(now))?;
        let authority = authority_of(register);
        let time = known.issued.unwrap_or(Timestamp::MIN);
        let published = is_published(world, authority.as_ref(), &serial, &known.standing);
        Some(OwnCertificate { authority, serial, time, not_after, key_id: known.key_id, standing: known.standing, published })
    };
    known.into_iter().filter_map(own).collect()
}

/// Whether a key may not be certified for a Certificate by this authority: it is blocked, or was the key of a certificate that was
/// revoked or is on hold.
pub(super) fn is_barred(world: &World, name: &Name, authority: Option<&KeyId>, key: &KeyId, now: Timestamp) -> bool {
    world.registers.index().is_blocked(authority, key)
        || own(world, name, now).iter().any(|own| own.key_id == Some(*key) && !own.standing.is_good())
}

/// Of these authorities those whose revocations are published, with how long a planned one waits.
pub(super) fn lists(world: &World, authorities: impl IntoIterator<Item = KeyId>) -> BTreeMap<KeyId, SignedDuration> {
    authorities.into_iter().filter_map(|authority| Some((authority, grace(world, &authority)?))).collect()
}

/// Whether the revocation or hold of a certificate is on its authority's published list.
pub(super) fn is_published(world: &World, authority: Option<&KeyId>, serial: &SerialNumber, standing: &Standing) -> bool {
    authority.zip(standing.revocation()).is_some_and(|(authority, revocation)| stands_on_list(world, authority, serial, revocation))
}

fn grace(world: &World, authority: &KeyId) -> Option<SignedDuration> {
    world.lists.coverage(authority).map(|coverage| coverage.head.settings.grace)
}

fn stands_on_list(world: &World, authority: &KeyId, serial: &SerialNumber, revocation: &Revocation) -> bool {
    world.lists.coverage(authority).is_some_and(|coverage| coverage.is_published(serial, revocation))
}

/// The lists that belong beside a certificate of this authority: its own and those of the CAs above it, as far as they are published
/// and offered for this. None where there is none, or where they are too large together. `signer` is the issuer's authority, whose
/// chain is known also where it has no list.
pub(crate) fn ca_crl(world: &World, authority: &KeyId, signer: Option<&AuthorityView>) -> Option<Arc<ListCopy>> {
    let coverage = |key_id: &KeyId| world.lists.coverage(key_id);
    let chain: Vec<KeyId> = match signer.filter(|signer| signer.key_id == *authority) {
        Some(signer) => signer.chain.certificates().iter().map(X509::key_id).collect(),
        None => coverage(authority)?.head.chain.iter().map(X509::key_id).collect(),
    };
    let copies: Vec<Arc<Pem>> = chain.iter().filter_map(|key_id| coverage(key_id)?.pem.clone()).collect();
    let octets: usize = copies.iter().map(|copy| copy.text.len()).sum();
    if copies.is_empty() || octets > LISTS_BYTES {
        return None;
    }
    let numbers = copies.iter().map(|copy| copy.number.as_str()).collect::<Vec<_>>().join(",");
    Some(Arc::new(ListCopy { numbers, text: copies.iter().map(|copy| copy.text.as_str()).collect() }))
}

/// When a Secret may be given new lists; none for at once.
pub(super) fn lists_after(world: &World, name: &Name, now: Timestamp) -> Option<Timestamp> {
    world.memory(name).gave_lists.map(|time| add(time, LISTS_PAUSE)).filter(|after| *after > now && *after <= add(now, LISTS_PAUSE * 2))
}

/// The Certificates that stand on a CA's key: those of issuers whose chain it is in, and those whose certificate it signed.
pub(super) fn dependents(world: &World, ca: &Name, key: &KeyId) -> Vec<String> {
    let in_chain = |backing: &Backing| match backing {
        Backing::Authority(authority) => authority.chain.certificates().iter().any(|certificate| certificate.key_id() == *key),
        Backing::SelfSigned => false,
    };
    let mut names = BTreeSet::new();
    for issuer in world.issuers.all() {
        if world.book.get(&issuer.key).is_some_and(|entry| entry.view.backing.as_ref().is_ok_and(in_chain)) {
            names.extend(world.links().of_issuer(&issuer.key));
        }
    }
    let signed = world.registers.index().issued_by(key);
    names.extend(signed.into_iter().map(|(owner, ..)| Name::new(&owner.namespace, &owner.name)));
    names.retain(|name| name != ca && world.certificates.get(name).is_some());
    names.iter().map(ToString::to_string).collect()
}
