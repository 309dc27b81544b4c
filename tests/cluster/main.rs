//! What Chancery does on a real API server: one test binary, a module for each subject.
//!
//! The control plane is built by `make tools` and started once per run (see `harness`). Tests run side by side, each in a
//! namespace of its own, and wait on watches: none may sleep, none may depend on another.

#[cfg(test)]
#[expect(dead_code, unused_imports, reason = "the harness offers more than today's subjects ask for; drop what is no longer so")]
mod harness;

#[cfg(test)]
mod ground;

#[cfg(test)]
mod operators;

#[cfg(test)]
mod crash;

#[cfg(test)]
mod evidence;

#[cfg(test)]
mod scene;

#[cfg(test)]
mod stage;

#[cfg(test)]
mod main_job;

#[cfg(test)]
mod moving;

#[cfg(test)]
mod reissue;

#[cfg(test)]
mod consumers;

#[cfg(test)]
mod revocation;

#[cfg(test)]
mod register_audit;

#[cfg(test)]
mod bad_input;

#[cfg(test)]
mod contract;

#[cfg(test)]
mod plugin;

#[cfg(test)]
mod corpus;

#[cfg(test)]
mod migration;

#[cfg(test)]
mod monitoring;

#[cfg(test)]
mod tenants;

#[cfg(test)]
mod deletion;

#[cfg(test)]
mod issuers;

#[cfg(test)]
mod leaders;

#[cfg(test)]
mod rival_writer;

#[cfg(test)]
mod starting;

#[cfg(test)]
mod stopping;

#[cfg(test)]
#[path = "../docs/page.rs"]
mod page;

#[cfg(test)]
mod gitops;

#[cfg(test)]
mod install;

#[cfg(test)]
mod snippets;

#[cfg(test)]
mod audit_log;
