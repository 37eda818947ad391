//! The language of a response: from the cookie, else from `Accept-Language`, else English.

use std::convert::Infallible;

use rocket::Request;
use rocket::request::{FromRequest, Outcome};

use super::cookies;
use crate::context::Context;
use crate::i18n::Language;

/// Returns the language for a request.
pub(crate) fn language(request: &Request<'_>) -> Language {
    let ctx = request.rocket().state::<Context>();
    ctx.and_then(|ctx| cookies::language(request.cookies(), ctx))
        .or_else(|| Language::from_accepted(request.headers().get_one("Accept-Language")?))
        .unwrap_or(Language::English)
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Language {
    type Error = Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Infallible> {
        Outcome::Success(language(request))
    }
}
