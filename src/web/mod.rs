//! The HTML door: pages and forms for people, over the flows.
//!
//! Holds no rule. It turns what a browser sends into words, asks a flow, and draws the answer in the
//! reader's language.

mod account;
mod admin;
mod already_signed_in;
mod api_reference;
pub(crate) mod csv;
mod device;
mod error;
mod flash;
mod forms;
mod home;
mod language;
pub(crate) mod message_page;
mod page;

mod statics;
mod upload;

pub use error::{Error, catchers};
pub use page::PageContext;

use rocket::Route;

/// Every route of this door.
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
