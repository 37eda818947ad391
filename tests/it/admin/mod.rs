//! What staff do on the pages below `/admin`.

mod audit;
mod bulk_job_failures;
pub(crate) mod bulk_jobs;
mod dashboard;
mod emails;
mod groups;
mod login_diagnosis;
mod permissions;
mod settings;
mod setup;
mod staff_hierarchy;
mod user_actions;
mod user_create;
mod user_csv;
pub(crate) mod user_import;
mod user_paging;
mod user_search;
mod user_update;
mod users;
