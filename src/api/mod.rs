//! The JSON API: the same accounts for apps, mobile apps and other programs, over the use cases
//! that the pages use.
//!
//! Speaks the dialect of SimpleJWT and dj-rest-auth, so that their clients change nothing but the
//! base URL. Below `/api/token` nothing touches cookies; below `/api/account` they sign a browser
//! in and out. Holds no rule, knows nothing of pages, and refreshes no session unasked, except for
//! a proxy, which cannot ask.

mod account;
mod body;
mod credentials;
mod error;
mod error_detail;
mod field_errors;
mod fields;
mod forward_auth;
mod health;
mod openapi;
mod profile_fields;
mod strict_json;
mod tokens;
mod users;
mod well_known;

pub use error::catchers;
pub use openapi::document;

use rocket::Route;

/// Describes every endpoint.
fn endpoints() -> Vec<openapi::Endpoint> {
    let mut all = tokens::endpoints();
    all.extend(account::endpoints());
    all.extend(users::endpoints());
    all.extend(forward_auth::endpoints());
    all.extend(health::endpoints());
    all.extend(well_known::endpoints());
    all
}

/// Returns the routes of the JSON API.
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
