//! What administrators do: one story per file.

pub mod bulk_jobs;
pub mod dashboard;
pub mod emails;
pub mod groups;
pub mod login_diagnosis;
pub mod setup;
pub mod social_providers;
pub mod user_actions;
pub mod user_create;
pub mod user_import;
pub mod user_update;
