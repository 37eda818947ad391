//! The language of an answer: the cookie's, else the browser's, else English.

use rocket::Request;

use super::cookies;
use crate::i18n::Language;

/// The language in which a request wants to be answered.
pub(crate) fn language(request: &Request<'_>) -> Language {
    cookies::language(request.cookies())
        .or_else(|| Language::from_accepted(request.headers().get_one("Accept-Language")?))
        .unwrap_or(Language::English)
}
