//! The whole contract of a Certificate: what each field does, in the Secret and when it changes; what is refused before a key
//! touches anything; and what stands in for a certificate that cannot be had yet.

mod change;
mod fields;
mod forms;
mod kept;
mod limits;
mod passwords;
pub(crate) mod store;
mod temporary;
mod versions;
