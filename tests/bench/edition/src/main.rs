//! `chancery-bench-edition ENTRIES SHARDS`: makes the lists of an authority with so many revoked certificates as the operator makes
//! them, out of a register in memory, and says what it took, as one line of JSON.
//!
//! The reference is the cost of the signatures alone: the same octets, hashed and signed with the same key. The operator's
//! allocator is used, so that memory means the same. Nothing is published.

use std::{collections::BTreeSet, io::Write as _, process::ExitCode, time::Instant};

use anyhow::{Context as _, Result, bail};
use chancery::{
    lists::{Building, Edition, Knows, ListEntry, Published, Settings, build},
    register::Position,
};
use chancery_pki::{
    CaConstraints, CrlNumber, KeyAlgorithm, Name, PrivateKey, RANDOM_OCTETS, Reason, Revoked, SerialNumber, Signer, SubjectParts, Template,
    Usage, self_sign,
};
use jiff::{SignedDuration, Timestamp};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run() {
        Ok(said) => {
            let _ = writeln!(std::io::stdout(), "{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "chancery-bench-edition: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<serde_json::Value> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [entries, shards] = arguments.as_slice() else { bail!("usage: chancery-bench-edition ENTRIES SHARDS") };
    let (entries, shards): (usize, u16) = (entries.parse().context("ENTRIES")?, shards.parse().context("SHARDS")?);
    let now: Timestamp = "2026-06-01T12:00:00Z".parse()?;
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256)?;
    let issuer = self_sign(&authority(now)?, &key)?;
    let register = register(entries, shards, now)?;
    let edition = edition(shards, now);
    let of_shard = |shard: u16| register.get(usize::from(shard)).cloned().unwrap_or_default();
    let knows = |_: &SerialNumber| Knows::Nothing;
    let authority = key.public_key().key_id();
    let chain = [issuer];
    let from =
        Building { authority, chain: &chain, signer: &key, previous: None, register: &|| position(1), entries: &of_shard, knows: &knows };

    let before = memory("VmRSS:")?;
    let begun = clock();
    let built = build(&edition, &from)?;
    let took = begun.elapsed();
    let most = memory("VmHWM:")?;

    let lists: Vec<&[u8]> = built.lists.values().map(|lists| lists.full.as_der()).collect();
    let bytes: usize = lists.iter().map(|list| list.len()).sum();
    let begun = clock();
    for list in &lists {
        key.sign(list)?;
    }
    let signing = begun.elapsed();

    // One more certificate: one list is made anew, from what stands.
    let previous = Published { head: built.head, lists: built.lists, damaged: built.damaged };
    let later = now + SignedDuration::from_secs(60);
    let more = ListEntry { sequence: 2, from: later, ..entry(0, later)? };
    let with_more = |shard: u16| {
        let mut entries = of_shard(shard);
        if shard == 0 {
            let place = entries.partition_point(|entry| entry.revoked.serial < more.revoked.serial);
            entries.insert(place, more.clone());
        }
        entries
    };
    let next = Edition {
        number: CrlNumber::new(2),
        now: later,
        this_update: later - SignedDuration::from_mins(5),
        shards: BTreeSet::from([0]),
        ..edition
    };
    let from = Building { previous: Some(&previous), register: &|| position(2), entries: &with_more, ..from };
    let begun = clock();
    let again = build(&next, &from)?;
    let one = begun.elapsed();
    anyhow::ensure!(again.made.len() == 1, "one list was to be made, and {} were", again.made.len());
    Ok(serde_json::json!({
        "entries": entries, "shards": shards, "bytes": bytes,
        "seconds": took.as_secs_f64(), "signing": signing.as_secs_f64(), "one": one.as_secs_f64(),
        "mebibytesBefore": before, "mebibytesMost": most,
    }))
}

fn position(sequence: u64) -> Position {
    Position { sequence, hash: String::new() }
}

fn authority(now: Timestamp) -> Result<Template> {
    let subject = SubjectParts { common_name: Some("Bench CA".to_owned()), ..SubjectParts::default() };
    Ok(Template {
        usages: vec![Usage::CertSign, Usage::CrlSign],
        ca: Some(CaConstraints { path_len: None }),
        ..Template::new(
            serial(0)?,
            Name::from_parts(&subject)?,
            now - SignedDuration::from_hours(24),
            now + SignedDuration::from_hours(24 * 3650),
        )
    })
}

fn edition(shards: u16, now: Timestamp) -> Edition {
    let settings = Settings {
        validity: SignedDuration::from_hours(168),
        refresh: SignedDuration::from_hours(24),
        delta: None,
        shards,
        base_url: Some("http://pki.example.org".to_owned()),
        ocsp: None,
        grace: SignedDuration::from_mins(10),
        debounce: SignedDuration::from_secs(1),
        max_automatic: 500,
    };
    Edition {
        settings,
        former_base_urls: Vec::new(),
        list: None,
        number: CrlNumber::new(1),
        now,
        this_update: now - SignedDuration::from_mins(5),
        shards: (0..shards).collect(),
        rebase: BTreeSet::new(),
        deltas: BTreeSet::new(),
        gap: false,
        confirmed: false,
    }
}

/// The entries of each shard, in ascending order.
fn register(entries: usize, shards: u16, now: Timestamp) -> Result<Vec<Vec<ListEntry>>> {
    let mut register: Vec<Vec<ListEntry>> = (0..shards).map(|_| Vec::with_capacity(entries / usize::from(shards) + 1)).collect();
    let yesterday = now - SignedDuration::from_hours(24);
    for number in 0..entries {
        let shard = number % usize::from(shards);
        register[shard].push(entry(u16::try_from(shard)?, yesterday)?);
    }
    for shard in &mut register {
        shard.sort_by(|one, other| one.revoked.serial.cmp(&other.revoked.serial));
    }
    Ok(register)
}

fn entry(shard: u16, time: Timestamp) -> Result<ListEntry> {
    let revoked = Revoked { serial: serial(shard)?, time, reason: Reason::KeyCompromise, invalidity_date: None };
    Ok(ListEntry { revoked, from: time, sequence: 1, not_after: Some(time + SignedDuration::from_hours(24 * 365)) })
}

fn serial(shard: u16) -> Result<SerialNumber> {
    let mut random = [0; RANDOM_OCTETS];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| anyhow::anyhow!("the system gives no random bits"))?;
    Ok(SerialNumber::issued(shard, random))
}

/// Of this process, in MiB.
fn memory(field: &str) -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("no {field}"))?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes / 1024.0)
}

#[expect(clippy::disallowed_methods, reason = "a bench measures")]
fn clock() -> Instant {
    Instant::now()
}
