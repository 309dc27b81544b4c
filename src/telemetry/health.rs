//! Whether the process is alive and ready, asked by a kubelet every few seconds.
//!
//! Alive: its main loops beat. Ready: its watches have seen everything once. A standby is ready, too.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A loop that has not beaten for so long has stopped.
const STALE: Duration = Duration::from_mins(1);

/// What the probes are answered from; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    beats: Vec<(&'static str, Instant)>,
    gates: Vec<(&'static str, bool)>,
    role: Role,
    stopping: bool,
}

/// What this process does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Role {
    /// It holds the lease and works.
    Leading,
    /// It watches, and waits for the lease.
    #[default]
    Standby,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leading => "leading",
            Self::Standby => "standby",
        })
    }
}

impl Health {
    /// A loop that must beat at least once a minute from now on.
    pub fn heartbeat(&self, name: &'static str) -> Heartbeat {
        let mut state = self.lock();
        state.beats.push((name, Instant::now()));
        Heartbeat { health: self.clone(), index: state.beats.len() - 1 }
    }

    /// Something that must have happened before the process is ready, such as a first full list.
    pub fn gate(&self, name: &'static str) -> Gate {
        let mut state = self.lock();
        state.gates.push((name, false));
        Gate { health: self.clone(), index: state.gates.len() - 1 }
    }

    /// Says what this process does now.
    pub fn set_role(&self, role: Role) {
        self.lock().role = role;
    }

    /// From now on the process is not ready, since it ends.
    pub fn stopping(&self) {
        self.lock().stopping = true;
    }

    /// Whether all loops beat; if not, which do not.
    pub fn live(&self) -> Result<String, String> {
        let state = self.lock();
        let mut silent = String::new();
        for (name, last) in &state.beats {
            let age = last.elapsed();
            if age > STALE {
                let _ = writeln!(silent, "{name} has made no progress for {} s", age.as_secs());
            }
        }
        if silent.is_empty() { Ok("alive\n".to_owned()) } else { Err(silent) }
    }

    /// Whether all gates are open; if not, which are not.
    pub fn ready(&self) -> Result<String, String> {
        let state = self.lock();
        if state.stopping {
            return Err("stopping\n".to_owned());
        }
        let mut closed = String::new();
        for (name, _) in state.gates.iter().filter(|(_, open)| !open) {
            let _ = writeln!(closed, "waiting for {name}");
        }
        if closed.is_empty() { Ok(format!("ready, {}\n", state.role)) } else { Err(closed) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Proof that a loop goes on.
#[derive(Debug)]
pub struct Heartbeat {
    health: Health,
    index: usize,
}

impl Heartbeat {
    /// The loop has come round.
    pub fn beat(&self) {
        if let Some((_, last)) = self.health.lock().beats.get_mut(self.index) {
            *last = Instant::now();
        }
    }
}

/// Something that must have happened before the process is ready.
#[derive(Debug)]
pub struct Gate {
    health: Health,
    index: usize,
}

impl Gate {
    /// It has happened. Stays so.
    pub fn open(&self) {
        if let Some((_, open)) = self.health.lock().gates.get_mut(self.index) {
            *open = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stands_still_is_named() {
        let health = Health::default();
        assert!(health.live().is_ok());
        let (certificates, issuers) = (health.heartbeat("certificates"), health.heartbeat("issuers"));
        tokio::time::sleep(Duration::from_secs(50)).await;
        certificates.beat();
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(health.live().unwrap_err(), "issuers has made no progress for 70 s\n");
        issuers.beat();
        assert!(health.live().is_ok());
    }

    #[test]
    fn ready_means_all_gates_are_open_and_says_who_leads() {
        let health = Health::default();
        let (one, other) = (health.gate("certificates"), health.gate("issuers"));
        one.open();
        assert_eq!(health.ready().unwrap_err(), "waiting for issuers\n");
        other.open();
        assert_eq!(health.ready().unwrap(), "ready, standby\n");
        health.set_role(Role::Leading);
        assert_eq!(health.ready().unwrap(), "ready, leading\n");
        health.stopping();
        assert_eq!(health.ready().unwrap_err(), "stopping\n");
    }
}
