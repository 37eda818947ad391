//! The pages of those who run the site.

mod audit;
mod desk;
mod groups;
mod mail;
mod settings;
mod setup;

use rocket::Route;

pub(super) fn routes() -> Vec<Route> {
    [
        audit::routes(),
        desk::routes(),
        groups::routes(),
        mail::routes(),
        settings::routes(),
        setup::routes(),
    ]
    .concat()
}
