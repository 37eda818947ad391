//! What every door that speaks HTTP shares: who is asking and from where, in which language, the
//! cookies, the gate against other sites, and the headers of every answer.
//!
//! Knows no page and no form: what an answer looks like is its door's business.

pub(crate) mod body;
pub mod cookie_header;
pub(crate) mod cookies;
pub(crate) mod csrf;
pub(crate) mod forward_auth;
mod forwarded;
pub mod guards;
pub(crate) mod headers;
pub(crate) mod locale;
pub(crate) mod methods;
pub(crate) mod next;
mod openapi;
pub(crate) mod refusals;
pub(crate) mod request_info;
pub(crate) mod retry;
pub(crate) mod server;
pub(crate) mod urlencoded;

pub use csrf::OriginGuard;
pub use guards::{SignedIn, Staff, Visitor};
pub use headers::SecurityHeaders;
pub use openapi::OpenApiDocuments;
pub use refusals::RefusalLog;
pub use server::ServeError;

use rocket::Route;

/// Where the gate sends whom it refuses.
#[must_use]
pub fn routes() -> Vec<Route> {
    csrf::routes()
}
