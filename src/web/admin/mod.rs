//! The pages of those who run the site.

mod groups;
mod setup;

use rocket::Route;

pub(super) fn routes() -> Vec<Route> {
    [groups::routes(), setup::routes()].concat()
}
