//! The pages of those who run the site.

mod acts;
mod audit;
mod audit_csv;
mod bulk;
mod bulk_progress;
mod desk;
mod details;
mod groups;
mod import;
mod import_list;
mod mail;
mod person;
mod person_new;
mod settings;
mod setup;
mod social;
mod social_form;
mod table;
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
        audit::routes(),
        audit_csv::routes(),
        bulk::routes(),
        bulk_progress::routes(),
        desk::routes(),
        groups::routes(),
        import::routes(),
        mail::routes(),
        settings::routes(),
        social::routes(),
    ]
    .concat()
}
