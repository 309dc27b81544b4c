//! Revocation: as a Certificate's owner asks for it, as the owner of a list orders it, what lasts, and what nobody can do to others.
//!
//! What is published is read from the responder by programs that are not ours (see `stage::consumer`).

mod large;
mod lasting;
mod mass;
mod neighbours;
mod owner;
mod restored;
mod tenant;
