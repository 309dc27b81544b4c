//! What a person on call relies on: the metrics that the pages, the alerts and the dashboard name are there, alerts fire when they
//! should, each has a runbook, and traces reach a collector.

mod asked;
mod chosen;
mod collector;
mod destinations;
mod rules;
mod told;
mod traces;
