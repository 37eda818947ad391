//! The audit log: the page and its CSV export.

pub(crate) mod changes;
pub(crate) mod csv;
pub(crate) mod index;

use rocket::Route;

pub(crate) fn routes() -> Vec<Route> {
    [index::routes(), csv::routes()].concat()
}
