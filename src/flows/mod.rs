//! The stories: one file each, told in plain async Rust.
//!
//! A flow moves two or more features together, inside one transaction where they must move
//! together, and answers in facts. It knows no HTTP, no language and no other flow.

pub mod account;
pub mod admin;
pub mod system;
