//! Bulk jobs: starting one, and watching its progress.

pub(crate) mod new;
pub(crate) mod show;

use rocket::Route;

pub(crate) fn routes() -> Vec<Route> {
    [new::routes(), show::routes()].concat()
}
