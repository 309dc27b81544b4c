//! What bears on one RevocationList: its object, its issuer, and older lists of the same authority.

use std::sync::Arc;

use chancery_pki::KeyId;

use super::{
    cache::{Cached as _, Name},
    world::World,
};
use crate::{
    api::{IssuerKind, RevocationList, SpecError, WantedList, check_list},
    issuers::Entry,
    plan::{list::standing::Seen, observed::Backing},
};

/// What bears on one RevocationList.
#[derive(Debug)]
pub struct ListSight {
    /// Its name.
    pub name: Name,
    /// The object.
    pub object: Arc<RevocationList>,
    /// Its spec, parsed once.
    pub wanted: Result<WantedList, SpecError>,
    issuer: Option<Arc<Entry>>,
    issuer_exists: bool,
    rival: Option<String>,
}

impl ListSight {
    /// Gathers what bears on a list; none when it does not exist.
    pub fn gather(world: &World, name: &Name) -> Option<Self> {
        let object = world.revocation_lists.get(name)?;
        let wanted = check_list(&object);
        let (issuer, issuer_exists) = match &wanted {
            Ok(wanted) => (
                world.book.get(&wanted.issuer),
                world.issuers.get(&World::issuer_name(&wanted.issuer)).is_some_and(|issuer| issuer.key == wanted.issuer),
            ),
            Err(_) => (None, false),
        };
        let authority = issuer.as_deref().and_then(authority);
        let rival = authority.and_then(|authority| rival(world, &object, &authority));
        Some(Self { name: name.clone(), object, wanted, issuer, issuer_exists, rival })
    }

    /// What its standing is decided from.
    pub fn seen<'a>(&'a self, world: &'a World) -> Seen<'a> {
        Seen {
            namespace: &self.name.namespace,
            operator: &world.namespace,
            wanted: &self.wanted,
            issuer_exists: self.issuer_exists,
            cluster_wide: world.cluster_wide,
            issuer: self.issuer.as_ref().map(|entry| &entry.view),
            rival: self.rival.clone(),
        }
    }
}

fn authority(entry: &Entry) -> Option<KeyId> {
    entry.view.backing.as_ref().ok().and_then(Backing::authority)
}

/// An older list that covers the same authority. One that is not where it has to be covers nothing.
fn rival(world: &World, own: &RevocationList, covered: &KeyId) -> Option<String> {
    let age = |list: &RevocationList| (list.metadata.creation_timestamp.as_ref().map(|time| time.0), list.name());
    let covers = |list: &Arc<RevocationList>| {
        let Ok(wanted) = check_list(list) else { return false };
        let place = wanted.issuer.kind == IssuerKind::Issuer || *list.name().namespace == *world.namespace;
        place && world.book.get(&wanted.issuer).as_deref().and_then(authority).as_ref() == Some(covered)
    };
    let older = world.revocation_lists.all().into_iter().filter(|list| age(list) < age(own)).filter(covers);
    older.min_by_key(|list| age(list)).map(|list| list.name().to_string())
}
