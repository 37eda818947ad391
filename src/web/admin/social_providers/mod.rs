//! Social log-in providers: the list and the form of one.

pub(crate) mod form;
pub(crate) mod index;

use rocket::Route;

pub(crate) fn routes() -> Vec<Route> {
    index::routes()
}
