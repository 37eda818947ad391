//! The JSON door: the same accounts for apps, phones and other programs, over the flows that the pages
//! use.
//!
//! Speaks the dialect of SimpleJWT and dj-rest-auth, so that their clients change nothing but the base
//! URL. Holds no rule, and knows nothing of pages. Below `/api/token` nothing touches cookies; below
//! `/api/account` a browser is signed in and out by them. Unlike a page, nothing here renews a session
//! that was not asked to, except for a proxy, which cannot ask.

mod account;
mod body;
mod credentials;
mod error;
mod fields;
mod forward_auth;
mod health;
mod openapi;
mod strict_json;
mod tokens;
mod users;
mod well_known;

pub use error::catchers;
pub use openapi::document;

use rocket::Route;

/// Every route in words.
fn endpoints() -> Vec<openapi::Endpoint> {
    let mut all = tokens::endpoints();
    all.extend(account::endpoints());
    all.extend(users::endpoints());
    all.extend(forward_auth::endpoints());
    all.extend(health::endpoints());
    all.extend(well_known::endpoints());
    all
}

/// Every route of this door.
#[must_use]
pub fn routes() -> Vec<Route> {
    [
        tokens::routes(),
        account::routes(),
        users::routes(),
        forward_auth::routes(),
        health::routes(),
        well_known::routes(),
    ]
    .concat()
}
