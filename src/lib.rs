//! Chancery: X.509 certificates in a Kubernetes cluster, over their whole life.
//!
//! A reconcile reads (`observe`), decides (`plan`, pure) and writes (`apply`). `register` keeps what was done for good.

pub mod api;
pub mod apply;
pub mod cluster;
pub mod controllers;
pub mod issuers;
pub mod lease;
pub mod lists;
pub mod observe;
pub mod plan;
pub mod plugin;
pub mod register;
pub mod responder;
pub mod telemetry;
