//! The tables as sea-orm sees them: rows, column by column, before they become words.

#![expect(missing_docs, reason = "a column is documented in its migration and in its word")]
#![expect(clippy::module_name_repetitions, reason = "sea-orm's derives name the types")]

pub mod audit_event;
pub mod one_time_link;
pub mod session;
pub mod signing_key;
pub mod user;
