//! The pages of those who run the site.

mod setup;
mod users;
mod users_csv;

use rocket::Route;

pub(super) fn routes() -> Vec<Route> {
    [setup::routes(), users::routes(), users_csv::routes()].concat()
}
