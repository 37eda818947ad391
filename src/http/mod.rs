//! The HTTP kit, shared by the entry points that speak HTTP (`web`, `api`): guards, request info,
//! language, cookies, CSRF protection, and the headers of every response.
//!
//! Knows no page and no form: each entry point renders its own responses.

pub(crate) mod body;
pub mod cookie_header;
pub(crate) mod cookies;
mod cors;
pub(crate) mod csrf;
pub(crate) mod foreign_origin;
pub(crate) mod forward_auth;
mod forwarded;
pub mod guards;
pub(crate) mod headers;
pub(crate) mod locale;
pub(crate) mod methods;
pub(crate) mod multipart;
pub(crate) mod next;
mod openapi;
pub(crate) mod options;
pub(crate) mod query_text;
pub(crate) mod refusals;
pub(crate) mod request_info;
pub(crate) mod retry;
pub(crate) mod server;
pub(crate) mod urlencoded;

pub use cors::Cors;
pub use csrf::OriginGuard;
pub use guards::{SignedIn, Staff, Visitor};
pub use headers::SecurityHeaders;
pub use openapi::OpenApiDocuments;
pub use refusals::RefusalLog;
pub use server::ServeError;

use rocket::Route;

/// The routes that answer refused requests.
#[must_use]
pub fn routes() -> Vec<Route> {
    csrf::routes()
}
