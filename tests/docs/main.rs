//! The documents hold together: their links lead somewhere, every page is in the book, the reference is what the kinds say.
//!
//! It needs no cluster. What the pages tell a person to run is run in `tests/cluster/snippets`.

#[cfg(test)]
mod links;

#[cfg(test)]
#[expect(dead_code, reason = "blocks are for who runs them, in tests/cluster/snippets")]
mod page;

#[cfg(test)]
mod reference;
