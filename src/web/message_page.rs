//! Pages that only tell something: a letter is on its way, a link does not work.

use askama::Template;
use rocket::http::{CookieJar, Status};

use crate::context::Ctx;
use crate::http::cookies;
use crate::web::error::Error;
use crate::web::page::{Frame, Page};

#[derive(Template)]
#[template(path = "account/message.html")]
struct ToldPage {
    frame: Frame,
    title: &'static str,
    text: String,
    is_dead_link: bool,
}

/// A page with a title and a text, given by their keys.
pub(crate) fn draw(
    frame: Frame,
    (title, text): (&'static str, &'static str),
) -> Result<Page, Error> {
    let text = frame.t(text).into_owned();
    Page::draw(&ToldPage { frame, title, text, is_dead_link: false })
}

/// The one page for a link that is used, too old, overtaken, or never was one.
pub(crate) fn dead_link(frame: Frame) -> Result<Page, Error> {
    let text = frame.t("invalid_link.text").into_owned();
    let page = ToldPage { frame, title: "invalid_link.title", text, is_dead_link: true };
    Ok(Page::draw(&page)?.with_status(Status::NotFound))
}

/// The page behind a link whose token did not come along in its cookie: a browser that sends none of
/// ours takes none, and the link may well be good.
pub(crate) fn no_link(frame: Frame, ctx: &Ctx, jar: &CookieJar<'_>) -> Result<Page, Error> {
    if cookies::are_there(jar, ctx) { dead_link(frame) } else { no_cookies(frame) }
}

/// The browser takes no cookies.
pub(in crate::web) fn no_cookies(frame: Frame) -> Result<Page, Error> {
    not_found(frame, ("no_cookies.title", "no_cookies.text"))
}

/// A link that does not work any more, and that need not.
pub(in crate::web) fn not_found(
    frame: Frame,
    words: (&'static str, &'static str),
) -> Result<Page, Error> {
    Ok(draw(frame, words)?.with_status(Status::NotFound))
}

/// Too many letters, and how long to wait for the next.
pub(crate) fn too_soon(frame: Frame, wait: std::time::Duration) -> Result<Page, Error> {
    let text = frame.tell("too_soon.text", "wait", frame.wait(wait));
    let page = ToldPage { frame, title: "too_soon.title", text, is_dead_link: false };
    Ok(Page::draw(&page)?.with_status(Status::TooManyRequests).retry_after(wait))
}
