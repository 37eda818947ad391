//! The response of a page with a form.

use rocket::response::{Redirect, Responder};

use super::page::Page;
use crate::http::next;
use crate::paths;

/// Either the page, with errors if something is wrong, or the redirect after the form is done.
#[derive(Responder)]
pub(crate) enum Response {
    Page(Page),
    Redirect(Redirect),
}

impl Response {
    /// Redirects with `303 See Other`.
    pub(crate) fn redirect_to(path: impl Into<String>) -> Self {
        Self::Redirect(Redirect::to(path.into()))
    }

    /// Redirects to `next` after a log-in, if it is a safe path, or else to My page.
    pub(crate) fn redirect_to_next(next: &str) -> Self {
        Self::redirect_to(next::after_login(next, paths::MYPAGE))
    }
}
