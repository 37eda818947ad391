//! The pages for administrators.

pub(crate) mod audit;
pub(crate) mod bulk;
mod dashboard;
mod emails;
mod groups;
mod settings;
mod setup;
mod social;
pub(crate) mod users;

use rocket::Route;

pub(crate) fn routes() -> Vec<Route> {
    [
        users::routes(),
        audit::routes(),
        bulk::routes(),
        dashboard::routes(),
        groups::routes(),
        emails::routes(),
        settings::routes(),
        setup::routes(),
        social::routes(),
    ]
    .concat()
}
