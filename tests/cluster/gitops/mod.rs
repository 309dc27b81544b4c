//! GitOps: what Flux, Argo CD and Helm make of our objects. By Flux's own kustomize-controller, by Helm, by the library that both tell
//! health with, and by Argo CD's own health checks and comparison; `make tools` builds them.

#[path = "../../docs/page.rs"]
#[expect(dead_code, reason = "only the blocks of a page are looked at here")]
mod page;

mod drift;
mod examples;
mod flux;
mod health;
mod helm;
mod installation;
mod pruning;
mod repository;
mod states;
