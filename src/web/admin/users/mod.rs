//! Pages about users: the list, one user, actions, the import and the CSV export.

mod action_links;
pub(crate) mod actions;
pub(crate) mod csv;
pub(crate) mod edit;
mod group_checkboxes;
pub(crate) mod import;
pub(crate) mod index;
mod login_diagnosis;
pub(crate) mod new;
mod password;
pub(crate) mod suspension_fields;
pub(crate) mod target;
mod user_form;
pub(crate) mod user_query;

use rocket::Route;

pub(crate) fn routes() -> Vec<Route> {
    [
        index::routes(),
        new::routes(),
        edit::routes(),
        actions::routes(),
        password::routes(),
        import::routes(),
        csv::routes(),
    ]
    .concat()
}
