//! The pages for administrators.

pub(crate) mod audit;
pub(crate) mod bulk_jobs;
mod dashboard;
mod emails;
mod groups;
mod settings;
mod setup;
mod social_providers;
pub(crate) mod users;

use rocket::Route;

pub(crate) fn routes() -> Vec<Route> {
    [
        users::routes(),
        audit::routes(),
        bulk_jobs::routes(),
        dashboard::routes(),
        groups::routes(),
        emails::routes(),
        settings::routes(),
        setup::routes(),
        social_providers::routes(),
    ]
    .concat()
}
