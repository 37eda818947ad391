//! Pages with one message and no form: an e-mail is on its way, a link does not work.

use askama::Template;
use rocket::http::Status;

use crate::http::cookies;
use crate::web::error::Error;
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;

#[derive(Template)]
#[template(path = "account/message.html")]
struct MessagePage<'a> {
    page: &'a PageContext,
    title: &'static str,
    text: String,
    is_dead_link: bool,
}

/// Renders a title and a text, given by their translation keys.
pub(crate) fn render(
    page: &PageContext,
    title: &'static str,
    text: &'static str,
) -> Result<Page, Error> {
    let text = page.t(text).into_owned();
    render_text(page, title, text)
}

/// Renders a title, given by its translation key, and a finished text.
pub(crate) fn render_text(
    page: &PageContext,
    title: &'static str,
    text: String,
) -> Result<Page, Error> {
    Page::render(&MessagePage { page, title, text, is_dead_link: false })
}

/// Renders the page for a link that is used, expired, replaced by a newer one, or was never valid.
pub(crate) fn dead_link(page: &PageContext) -> Result<Page, Error> {
    // One page, so that it does not distinguish these cases.
    let text = page.t("invalid_link.text").into_owned();
    let page = MessagePage { page, title: "invalid_link.title", text, is_dead_link: true };
    Ok(Page::render(&page)?.with_status(Status::NotFound))
}

/// Renders the page for a link whose token did not arrive in its cookie.
pub(crate) fn no_link(request: &RequestContext<'_>) -> Result<Page, Error> {
    // A browser that sends none of our cookies probably stores none, and the link may be valid.
    let has_cookies = cookies::has_any_of_ours(request.cookies, request.context);
    if has_cookies { dead_link(&request.page) } else { no_cookies(&request.page) }
}

/// Renders the page for a browser that stores no cookies.
pub(in crate::web) fn no_cookies(page: &PageContext) -> Result<Page, Error> {
    not_found(page, "no_cookies.title", "no_cookies.text")
}

/// Renders a message with status 404, for a link that has already done its work.
pub(in crate::web) fn not_found(
    page: &PageContext,
    title: &'static str,
    text: &'static str,
) -> Result<Page, Error> {
    Ok(render(page, title, text)?.with_status(Status::NotFound))
}

/// Renders the message that too many e-mails were requested, with the time to wait.
pub(crate) fn too_soon(page: &PageContext, wait: std::time::Duration) -> Result<Page, Error> {
    let text = page.t_with("too_soon.text", "wait", page.wait(wait));
    let page = MessagePage { page, title: "too_soon.title", text, is_dead_link: false };
    Ok(Page::render(&page)?.with_status(Status::TooManyRequests).retry_after(wait))
}
