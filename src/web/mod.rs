//! Pages and forms.
//!
//! An entry point: it parses what a browser sends, calls a use case in `flows` (or reads from a
//! domain module) and renders the result in the user's language. Rules about accounts do not belong
//! here.

mod account;
mod admin;
mod already_logged_in;
mod api_reference;
mod catchers;
pub(crate) mod csv;
mod device;
mod error;
mod flash;
mod forms;
mod home;
mod labels;
mod language;
mod link_token;
pub(crate) mod message_page;
mod page;
mod redirects;
mod request_context;
mod response;

mod statics;
mod upload;

pub use catchers::catchers;

use rocket::Route;

/// Returns the routes of all pages.
#[must_use]
pub fn routes() -> Vec<Route> {
    [
        home::routes(),
        language::routes(),
        statics::routes(),
        api_reference::routes(),
        account::routes(),
        admin::routes(),
    ]
    .concat()
}
