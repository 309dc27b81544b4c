//! What lasts.
