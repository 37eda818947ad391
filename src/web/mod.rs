//! The HTML door: pages and forms for people, over the flows.
//!
//! Holds no rule. It turns what a browser sends into words, asks a flow, and draws the answer in the
//! reader's language.

mod account;
mod admin;
mod device;
mod error;
mod form;
mod home;
mod language;
mod notice;
mod overtaken;
mod page;
mod reference;
mod refusal;
mod statics;
mod upload;

pub use error::{Error, catchers};
pub use page::Frame;

use rocket::Route;

/// Every route of this door.
#[must_use]
pub fn routes() -> Vec<Route> {
    [
        home::routes(),
        language::routes(),
        statics::routes(),
        reference::routes(),
        account::routes(),
        admin::routes(),
    ]
    .concat()
}
