//! The registers of an operator as they stand: read by themselves, line by line, and by the operator's own replay.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery::cluster::{Clock as _, SystemClock};
use chancery::lease::Unfenced;
use chancery::register::{self, Act, Current, Index, LABEL, Line, RegisterState, Registers};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

/// All registers in one namespace, found sound.
pub(crate) struct Ledger {
    registers: Registers,
    lines: BTreeMap<String, Vec<Line>>,
}

impl Ledger {
    /// Reads all registers; panics if one does not hold together.
    pub(crate) async fn read(maps: &Api<ConfigMap>) -> Self {
        let listed = maps.list(&ListParams::default().labels(LABEL)).await.expect("the registers can be listed").items;
        let mut texts: BTreeMap<String, Vec<&ConfigMap>> = BTreeMap::new();
        for map in &listed {
            texts.entry(register_of(&map.name_any()).to_owned()).or_default().push(map);
        }
        let lines = texts.into_iter().map(|(register, maps)| (register.clone(), lines_of(&register, maps))).collect();
        Self { registers: replayed(maps).await, lines }
    }

    /// What the operator's replay says.
    pub(crate) fn index(&self) -> &Index {
        self.registers.index()
    }

    /// All lines of all registers.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.values().flatten()
    }

    /// The lines of one register, by the name of its head.
    pub(crate) fn of_register(&self, name: &str) -> &[Line] {
        self.lines.get(name).map_or(&[], Vec::as_slice)
    }

    /// The lines with this act on this Certificate, oldest first where they stand in one register.
    pub(crate) fn acts(&self, act: Act, name: &str) -> Vec<&Line> {
        let of_owner = |line: &&Line| line.entry.owner.as_ref().is_some_and(|owner| owner.name == name);
        self.lines().filter(of_owner).filter(|line| line.entry.act == act).collect()
    }

    /// Whether a serial was issued to, or imported for, this Certificate.
    pub(crate) fn knows(&self, serial: &str, name: &str) -> bool {
        let issued = self.acts(Act::Issued, name).into_iter().chain(self.acts(Act::Imported, name));
        issued.into_iter().any(|line| line.entry.serial.as_ref().is_some_and(|known| known.to_string() == serial))
    }
}

/// The certificate that a Certificate has by the operator's own replay of the registers, which all hold together.
pub(crate) async fn current(maps: &Api<ConfigMap>, namespace: &str, name: &str) -> Option<Current> {
    replayed(maps).await.index().current(namespace, name)
}

async fn replayed(maps: &Api<ConfigMap>) -> Registers {
    let registers = Registers::new(maps.clone(), Arc::new(Unfenced), Arc::new(|| SystemClock.now()), Arc::new(()));
    registers.open().await.expect("the registers can be read");
    for (id, state) in registers.states() {
        assert_eq!(state, RegisterState::Sound, "register {id}");
    }
    registers
}

/// `chancery-register-common` of `chancery-register-common-000000000001`, and of itself.
fn register_of(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((register, digits)) if digits.len() == 12 && digits.bytes().all(|digit| digit.is_ascii_digit()) => register,
        _ => name,
    }
}

/// Segments and head one after the other, checked as a person would check them who has them from kubectl.
fn lines_of(register: &str, mut maps: Vec<&ConfigMap>) -> Vec<Line> {
    // The head's name is a prefix of its segments' names, and its lines come last.
    maps.sort_by_key(|map| (map.name_any() == register, map.name_any()));
    let mut whole = String::new();
    let mut last = 0;
    for map in maps {
        let text = map.data.as_ref().and_then(|data| data.get("lines")).map_or("", String::as_str);
        if let Err(broken) = register::verify(text) {
            panic!("ConfigMap {}: {broken}", map.name_any());
        }
        for raw in text.lines() {
            let line: Line = serde_json::from_str(raw).expect("it was verified");
            // A seal that was broken off leaves lines in the segment that the head still has.
            if line.sequence > last {
                last = line.sequence;
                whole.push_str(raw);
                whole.push('\n');
            }
        }
    }
    if let Err(broken) = register::verify(&whole) {
        panic!("register {register}: {broken}");
    }
    whole.lines().map(|raw| serde_json::from_str(raw).expect("it was verified")).collect()
}
