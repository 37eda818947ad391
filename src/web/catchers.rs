//! The pages for every status: what a visitor or user sees when a handler returned no page.

use rocket::http::{Header, Method, Status};
use rocket::response::{Redirect, Responder};
use rocket::{Catcher, Request, catch, catchers};

use super::page::{Page, PageContext};
use super::response::Response;
use super::{already_logged_in, redirects};
use crate::context::Context;
use crate::http::{cookies, methods, refusals, request_info, retry};

/// Returns the catchers for pages.
#[must_use]
pub fn catchers() -> Vec<Catcher> {
    catchers![unauthorized, forbidden, not_found, show]
}

#[derive(askama::Template)]
#[template(path = "error.html")]
struct ErrorPage {
    page: PageContext,
    status: u16,
    title: String,
    text: String,
    request_id: String,
}

#[derive(Responder)]
enum ErrorResponse {
    Page(Page),
    WithAllow(Page, Header<'static>),
}

/// Redirects visitors to the log-in page, which leads back to this URL.
#[catch(401)]
fn unauthorized(request: &Request<'_>) -> Redirect {
    // Only a GET can be repeated after the log-in.
    let next = match request.method() {
        Method::Get | Method::Head => request.uri().to_string(),
        _ => String::new(),
    };
    redirects::to_login(&next)
}

/// Redirects a form that was overtaken by a log-in in another tab; any other refusal gets its page.
#[catch(403)]
async fn forbidden(request: &Request<'_>) -> Result<Response, Status> {
    match already_logged_in::redirect_target(request) {
        Some(target) => Ok(Response::redirect_to(target)),
        None => render(Status::Forbidden, request).await.map(Response::Page),
    }
}

/// Answers 405 with `Allow` when the path exists under another method, and else 404.
#[catch(404)]
async fn not_found(request: &Request<'_>) -> Result<ErrorResponse, Status> {
    let methods = methods::allowed(request);
    if methods.is_empty() {
        return render(Status::NotFound, request).await.map(ErrorResponse::Page);
    }
    let page = render(Status::MethodNotAllowed, request).await?;
    Ok(ErrorResponse::WithAllow(page, Header::new("Allow", methods.join(", "))))
}

#[catch(default)]
async fn show(status: Status, request: &Request<'_>) -> Result<Page, Status> {
    render(status, request).await
}

async fn render(status: Status, request: &Request<'_>) -> Result<Page, Status> {
    let page = PageContext::for_error_page(request).await.ok_or(Status::InternalServerError)?;
    let ctx = request.rocket().state::<Context>().ok_or(Status::InternalServerError)?;
    let (title, text) = match sentences(status, is_about_permission(request)) {
        (title, "error.403.text") if is_without_cookies(request, ctx) => {
            (title, "error.403.no_cookies")
        }
        sentences => sentences,
    };
    let page = ErrorPage {
        status: status.code,
        title: page.t(title).into_owned(),
        text: page.t_with(text, "url", ctx.settings.public_url.as_str()),
        request_id: request_info::of(request, ctx).request_id.clone(),
        page,
    };
    let page = Page::render(&page).map_err(|_| Status::InternalServerError)?.with_status(status);
    let is_busy = status == Status::ServiceUnavailable;
    Ok(if is_busy { page.retry_after(retry::AFTER_OVERLOAD) } else { page })
}

fn sentences(status: Status, is_about_permission: bool) -> (&'static str, &'static str) {
    match status.code {
        403 if is_about_permission => ("error.forbidden.title", "error.forbidden.text"),
        403 => ("error.403.title", "error.403.text"),
        404 => ("error.404.title", "error.404.text"),
        405 | 501 => ("error.405.title", "error.405.text"),
        408 => ("error.408.title", "error.408.text"),
        413 => ("error.413.title", "error.413.text"),
        415 => ("error.415.title", "error.415.text"),
        421 => ("error.421.title", "error.421.text"),
        422 => ("error.422.title", "error.422.text"),
        503 => ("error.503.title", "error.503.text"),
        400..=499 => ("error.400.title", "error.400.text"),
        _ => ("error.500.title", "error.500.text"),
    }
}

/// Returns whether the form was refused because the browser sends no cookies.
fn is_without_cookies(request: &Request<'_>, ctx: &Context) -> bool {
    // The form token is bound to a cookie.
    !refusals::is_refused(request) && !cookies::has_any_of_ours(request.cookies(), ctx)
}

/// Returns whether the refusal is about the user's permissions.
fn is_about_permission(request: &Request<'_>) -> bool {
    // A GET is refused for its user, a POST for where it came from.
    matches!(request.method(), Method::Get | Method::Head)
}
