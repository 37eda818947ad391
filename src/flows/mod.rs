//! The use cases: one story per file, in plain async Rust.
//!
//! A use case combines domain modules in one transaction and returns facts, not sentences. It knows
//! no HTTP and no language, and calls no other use case.

pub mod account;
pub mod admin;
pub mod system;
