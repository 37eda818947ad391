//! The pages of those who run the site.

mod setup;

use rocket::Route;

pub(super) fn routes() -> Vec<Route> {
    setup::routes()
}
