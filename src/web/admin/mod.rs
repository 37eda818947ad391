//! The pages of those who run the site.

mod acts;
mod person;
mod person_new;
mod setup;
mod users;
mod users_csv;

use rocket::Route;

pub(super) fn routes() -> Vec<Route> {
    [
        acts::routes(),
        person::routes(),
        person_new::routes(),
        setup::routes(),
        users::routes(),
        users_csv::routes(),
    ]
    .concat()
}
