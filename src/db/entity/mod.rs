//! The tables as sea-orm sees them: rows, column by column, before they become words.

#![expect(missing_docs, reason = "a column is documented in its migration and in its word")]

pub mod audit_event;
pub mod bulk_job;
pub mod bulk_snapshot;
pub mod group;
pub mod group_member;
pub mod group_permission;
pub mod one_time_link;
pub mod outbox;
pub mod session;
pub mod signing_key;
pub mod social_identity;
pub mod social_provider;
pub mod user;
