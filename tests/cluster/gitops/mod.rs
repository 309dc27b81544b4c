//! GitOps: what Flux and Argo CD make of our objects. By Flux's own kustomize-controller, by the library that Flux and Helm tell
//! health with, and by Argo CD's own health checks and comparison; `make tools` builds them.

mod drift;
mod examples;
mod flux;
mod health;
mod installation;
mod pruning;
mod repository;
mod states;
