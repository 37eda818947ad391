//! The tables as sea-orm sees them: rows, column by column, before the stores turn them into types.

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
