//! Pages that only tell something: a letter is on its way, a link does not work.

use askama::Template;
use rocket::http::{CookieJar, Status};

use crate::context::Ctx;
use crate::http::cookies;
use crate::web::error::Error;
use crate::web::page::{Page, PageContext};

#[derive(Template)]
#[template(path = "account/message.html")]
struct MessagePage {
    page: PageContext,
    title: &'static str,
    text: String,
    is_dead_link: bool,
}

/// A page with a title and a text, given by their keys.
pub(crate) fn render(
    page: PageContext,
    (title, text): (&'static str, &'static str),
) -> Result<Page, Error> {
    let text = page.t(text).into_owned();
    Page::render(&MessagePage { page, title, text, is_dead_link: false })
}

/// The one page for a link that is used, too old, overtaken, or never was one.
pub(crate) fn dead_link(page: PageContext) -> Result<Page, Error> {
    let text = page.t("invalid_link.text").into_owned();
    let page = MessagePage { page, title: "invalid_link.title", text, is_dead_link: true };
    Ok(Page::render(&page)?.with_status(Status::NotFound))
}

/// The page behind a link whose token did not come along in its cookie: a browser that sends none of
/// ours takes none, and the link may well be good.
pub(crate) fn no_link(page: PageContext, ctx: &Ctx, jar: &CookieJar<'_>) -> Result<Page, Error> {
    if cookies::are_there(jar, ctx) { dead_link(page) } else { no_cookies(page) }
}

/// The browser takes no cookies.
pub(in crate::web) fn no_cookies(page: PageContext) -> Result<Page, Error> {
    not_found(page, ("no_cookies.title", "no_cookies.text"))
}

/// A link that does not work any more, and that need not.
pub(in crate::web) fn not_found(
    page: PageContext,
    words: (&'static str, &'static str),
) -> Result<Page, Error> {
    Ok(render(page, words)?.with_status(Status::NotFound))
}

/// Too many letters, and how long to wait for the next.
pub(crate) fn too_soon(page: PageContext, wait: std::time::Duration) -> Result<Page, Error> {
    let text = page.t_with("too_soon.text", "wait", page.wait(wait));
    let page = MessagePage { page, title: "too_soon.title", text, is_dead_link: false };
    Ok(Page::render(&page)?.with_status(Status::TooManyRequests).retry_after(wait))
}
