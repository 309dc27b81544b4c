//! `kubectl chancery`, run as a program against the real API server: a module for each command.
//!
//! What it prints is held in snapshots ([`shown::Shown`]); what programs read (JSON, YAML, exit codes) is compared by value.

mod check;
mod completion;
mod crl;
mod inspect;
mod kept;
mod list;
mod lists;
mod many;
mod migrate;
mod ocsp;
mod reach;
mod register;
mod renew;
mod revoke;
mod shown;
mod status;
mod verify;
mod viewer;
