//! What is wrong with a spec.

use thiserror::Error;

/// The first thing that is wrong with a spec: the field, by its path, and what would be right.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{field}: {problem}")]
pub struct SpecError {
    field: String,
    problem: String,
}

impl SpecError {
    /// What is wrong (`problem`) with the field of this path, for example `spec.privateKey.size`.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }

    /// The path of the field.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it, and what would be right.
    pub fn problem(&self) -> &str {
        &self.problem
    }
}
