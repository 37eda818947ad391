//! The pages of those who run the site.

mod acts;
mod person;
mod person_new;
mod setup;

use rocket::Route;

pub(super) fn routes() -> Vec<Route> {
    [acts::routes(), person::routes(), person_new::routes(), setup::routes()].concat()
}
