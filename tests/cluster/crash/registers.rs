//! Registers as some flows find them: with a CA's key, full, or gone back in time.
//!
//! They are written while no operator runs, by the operator's own code.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery::cluster::{Clock as _, SystemClock};
use chancery::lease::Unfenced;
use chancery::register::{Act, Entry, HEAD_BYTES, Owner, Register as _, RegisterId, Registers};
use chancery_pki::{KeyAlgorithm, KeyEncoding, KeyId, PrivateKey, SerialNumber};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, ObjectMeta};

use super::stage::Stage;
use crate::scene::create;

/// A CA's key with its copy, of a Certificate that does not exist, and these lines on it.
pub(super) async fn copied_key(stage: &Stage, name: &str, acts: &[Act], at: Timestamp) -> KeyId {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).expect("a key can be made");
    let key_id = key.public_key().key_id();
    let pem = key.to_pem(KeyEncoding::Pkcs8).expect("a key can be written down");
    let metadata = ObjectMeta {
        name: Some(format!("chancery-authority-{key_id}")),
        labels: Some(BTreeMap::from([("chancery.dev/managed".to_owned(), "true".to_owned())])),
        ..ObjectMeta::default()
    };
    let data = BTreeMap::from([("tls.key".to_owned(), ByteString(pem.as_bytes().to_vec()))]);
    create(&stage.own.system_api::<Secret>(), &Secret { metadata, data: Some(data), ..Secret::default() }).await;
    let registers = open_at(stage, at).await;
    for act in acts {
        let entry = Entry { serial: None, not_after: None, ..entry(stage, *act, name, key_id, at) };
        registers.append(RegisterId::Authority(key_id), entry).await.expect("the register takes it");
    }
    key_id
}

/// A register of which only the first line is there any more, and an export of all of it.
pub(super) async fn went_back(stage: &Stage, name: &str) -> (KeyId, String) {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).expect("a key can be made").public_key().key_id();
    let id = RegisterId::Authority(key);
    let maps = stage.own.system_api::<ConfigMap>();
    let registers = open_at(stage, SystemClock.now()).await;
    let issued = entry(stage, Act::Issued, name, key, SystemClock.now() + SignedDuration::from_hours(2160));
    append(&registers, id, &issued, 1).await;
    let mut older = maps.get(&id.name()).await.expect("it has a head");
    append(&registers, id, &Entry { act: Act::Revoked, ..issued }, 2).await;
    let whole = maps.get(&id.name()).await.expect("it has a head").data.expect("it has lines")["lines"].clone();
    let export = chancery::register::export::read(&whole).expect("they are lines");
    let copy = export.registers[&None].chain().expect("they follow each other");
    let mut text = Vec::new();
    chancery::register::export::begin(None, &mut text).expect("memory takes it");
    chancery::register::export::register(&id, &copy, &mut text).expect("memory takes it");
    maps.delete(&id.name(), &DeleteParams::default()).await.expect("it is there");
    older.metadata.resource_version = None;
    older.metadata.uid = None;
    create(&maps, &older).await;
    (key, String::from_utf8(text).expect("it is text"))
}

/// The name on the lines that fill a register: another for each, since the lines on one name are in order of time.
pub(super) fn filler(name: &str) -> String {
    format!("{name}-filler")
}

/// A sealed segment whose every line has ended long ago, and a head with hardly any room.
pub(super) async fn fill(stage: &Stage, key: KeyId, owner: &str) {
    let id = RegisterId::Authority(key);
    let long_ago = days_ago(60);
    let ancient = Entry { reason: "ancient".to_owned(), ..entry(stage, Act::Issued, owner, key, long_ago) };
    let registers = open_at(stage, long_ago).await;
    let mut length = 0;
    while segments(stage, &id).await == 0 {
        length = append(&registers, id, &ancient, 100).await;
    }
    // The overflow stands in the head. What is added stays below a seal: that is the operator's.
    let fresh = entry(stage, Act::Issued, owner, key, SystemClock.now() + SignedDuration::from_hours(2160));
    let registers = open_at(stage, SystemClock.now()).await;
    loop {
        let head = stage.own.system_api::<ConfigMap>().get(&id.name()).await.expect("it has a head");
        let room = HEAD_BYTES - head.data.as_ref().and_then(|data| data.get("lines")).map_or(0, String::len);
        match room / length {
            0 => return,
            lines => length = append(&registers, id, &fresh, lines).await,
        }
    }
}

/// Appends the same entry so often; the octets of the longest line.
async fn append(registers: &Registers, id: RegisterId, entry: &Entry, times: usize) -> usize {
    let appended = futures::future::join_all((0..times).map(|_| registers.append(id, entry.clone()))).await;
    let lengths = appended.into_iter().map(|line| line.expect("the register takes it").to_text().len() + 1);
    // Sequences and times get longer by a digit or two.
    lengths.max().unwrap_or_default() + 2
}

async fn segments(stage: &Stage, id: &RegisterId) -> usize {
    let maps = stage.own.system_api::<ConfigMap>().list_metadata(&ListParams::default()).await.expect("they can be listed");
    maps.iter().filter(|map| map.name_any().starts_with(&format!("{}-", id.name()))).count()
}

async fn open_at(stage: &Stage, at: Timestamp) -> Registers {
    let registers = Registers::new(stage.own.system_api(), Arc::new(Unfenced), Arc::new(move || at), Arc::new(()));
    registers.open().await.expect("the registers can be read");
    registers
}

fn entry(stage: &Stage, act: Act, name: &str, key: KeyId, not_after: Timestamp) -> Entry {
    let owner =
        Owner { namespace: stage.own.namespace.clone(), name: name.to_owned(), uid: "00000000-0000-0000-0000-000000000000".to_owned() };
    Entry {
        serial: Some(SerialNumber::issued(0, [7; chancery_pki::RANDOM_OCTETS])),
        not_after: Some(not_after),
        key_id: Some(key),
        owner: Some(owner),
        reason: "Created".to_owned(),
        actor: "test".to_owned(),
        ..Entry::new(act)
    }
}

pub(super) fn days_ago(days: i64) -> Timestamp {
    SystemClock.now() - SignedDuration::from_hours(24 * days)
}
