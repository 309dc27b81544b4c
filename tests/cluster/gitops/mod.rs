//! GitOps: what Flux, Argo CD and Helm make of our objects. By Flux's own kustomize-controller and helm-controller, by Helm, by the
//! library that all of these tell health with, and by Argo CD's own health checks and comparison; `make tools` builds them.

mod artifacts;
mod drift;
mod examples;
mod flux;
mod health;
mod helm;
mod helm_release;
mod installation;
mod pruning;
mod release;
mod repository;
mod states;
mod verdict;

/// Held by a test that has Flux apply the definitions of our kinds, which all tests stand on: two controllers at once would each find
/// what the other has written.
static DEFINITIONS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
