//! The pages of those who run the site.

mod audit;
mod groups;
mod setup;

use rocket::Route;

pub(super) fn routes() -> Vec<Route> {
    [audit::routes(), groups::routes(), setup::routes()].concat()
}
