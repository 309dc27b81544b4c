//! GitOps: what Flux, Argo CD and Helm make of our objects. By Flux's own kustomize-controller, by Helm, by the library that both tell
//! health with, and by Argo CD's own health checks and comparison; `make tools` builds them.

mod drift;
mod examples;
mod flux;
mod health;
mod helm;
mod installation;
mod pruning;
mod repository;
mod states;
