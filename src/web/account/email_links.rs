//! Links in e-mails that lead to a page with one button: verify an address, change it, undo the
//! change, and report a compromised account.
//!
//! Opening a link does nothing, because mail scanners open links too; the button acts. The token
//! moves from the URL to a cookie before the page is rendered.

use askama::Template;
use rocket::{Route, get, post, routes};

use super::email_link_action::LinkAction;
use crate::context::Context;
use crate::db::DbError;
use crate::flows;
use crate::flows::account::email_verification::{
    CompletedLink, LinkReader, SessionEffect, VerifyError,
};
use crate::http::cookies;
use crate::links;
use crate::links::{Link, LinkError};
use crate::paths;
use crate::types::{Email, Password, Secret, SessionId, UserId};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{Field, FormPage, FormView, Submitted, form};
use crate::web::link_token::LinkToken;
use crate::web::message_page;
use crate::web::page::{Page, PageContext};
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![new_at_email, new_at_report, show, create, create_at_email, create_at_report,]
}

form! {
    /// The button, and on the page that verifies an address a password that keeps other sessions.
    struct EmailLinkForm {
        password: Field<Option<Password>>,
    }
}

#[derive(Template)]
#[template(path = "account/email_link.html")]
struct EmailLinkPage<'a> {
    page: &'a PageContext,
    labels: [&'static str; 3],
    email: Option<&'a str>,
    asks_password: bool,
    ends_other_sessions: bool,
    form: FormView,
}

impl FormPage<(LinkAction, Link)> for EmailLinkForm {
    async fn render(
        form: FormView,
        (action, link): &(LinkAction, Link),
        request: &RequestContext<'_>,
    ) -> Result<Page, Error> {
        let effect = match action {
            LinkAction::VerifyEmail => {
                flows::account::email_verification::session_effect(
                    request.context,
                    link.user,
                    session_of(request),
                )
                .await?
            }
            LinkAction::ChangeEmail
            | LinkAction::UndoEmailChange
            | LinkAction::ReportCompromise => SessionEffect::Keep,
        };
        Page::render(&EmailLinkPage {
            page: &request.page,
            labels: action.labels(),
            email: link.email.as_ref().map(Email::as_typed),
            asks_password: effect == SessionEffect::KeepWithPassword,
            ends_other_sessions: effect == SessionEffect::End,
            form,
        })
    }
}

#[get("/account/email/<action>/<token>", rank = 2)]
async fn new_at_email(
    action: LinkAction,
    token: LinkToken,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    take_token(action, token.secret(), &request).await
}

#[get("/account/not-me/<token>")]
async fn new_at_report(token: LinkToken, request: RequestContext<'_>) -> Result<Response, Error> {
    take_token(LinkAction::ReportCompromise, token.secret(), &request).await
}

/// Moves the token from the URL to a cookie.
async fn take_token(
    action: LinkAction,
    token: &Secret,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    match find(request.context, token).await? {
        Some((found, _)) if found == action => {
            // So that the token is in no history, `Referer` or screenshot.
            cookies::set_link_token(request.cookies, request.context, token.expose());
            Ok(Response::redirect_to(paths::EMAIL_LINK))
        }
        _ => dead_link(token, request).await.map(Response::Page),
    }
}

/// Renders the page for a dead link, which says if its work is already done.
async fn dead_link(token: &Secret, request: &RequestContext<'_>) -> Result<Page, Error> {
    let page = &request.page;
    match flows::account::email_verification::find_completed(request.context, token).await? {
        Some(CompletedLink::Verified) => {
            message_page::not_found(page, "email_verification.already.title", "used_link.text")
        }
        Some(CompletedLink::Changed) => {
            message_page::not_found(page, "email_change.already.title", "used_link.text")
        }
        None => message_page::dead_link(page),
    }
}

/// Renders the page for a dead link whose token comes from the cookie, if it came.
async fn dead_or_missing_link(token: &Secret, request: &RequestContext<'_>) -> Result<Page, Error> {
    if token.expose().is_empty() {
        return message_page::no_link(request);
    }
    dead_link(token, request).await
}

#[get("/account/link")]
async fn show(request: RequestContext<'_>) -> Result<Page, Error> {
    let token = cookies::link_token(request.cookies, request.context);
    match find(request.context, &token).await? {
        Some(found) => EmailLinkForm::render(FormView::empty(""), &found, &request).await,
        None => dead_or_missing_link(&token, &request).await,
    }
}

fn session_of(request: &RequestContext<'_>) -> Option<(SessionId, UserId)> {
    request.user().map(|user| (user.session(), user.user().id))
}

async fn find(ctx: &Context, token: &Secret) -> Result<Option<(LinkAction, Link)>, DbError> {
    let link = links::find(&ctx.db, token, ctx.clock.now()).await?;
    Ok(link.and_then(|link| Some((LinkAction::of(&link)?, link))))
}

#[post("/account/link", data = "<form>")]
async fn create(
    form: Submitted<EmailLinkForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let token = cookies::link_token(request.cookies, request.context);
    match find(request.context, &token).await? {
        Some((action, _)) => run(action, &token, &form, &request).await,
        None => dead_or_missing_link(&token, &request).await.map(Response::Page),
    }
}

/// Runs a form that is sent to the link's own URL.
#[post("/account/email/<action>/<token>", data = "<form>", rank = 2)]
async fn create_at_email(
    action: LinkAction,
    token: LinkToken,
    form: Submitted<EmailLinkForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    run(action, token.secret(), &form, &request).await
}

#[post("/account/not-me/<token>", data = "<form>")]
async fn create_at_report(
    token: LinkToken,
    form: Submitted<EmailLinkForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    run(LinkAction::ReportCompromise, token.secret(), &form, &request).await
}

/// Runs the action, then redirects to My page or the log-in page.
async fn run(
    action: LinkAction,
    token: &Secret,
    form: &Submitted<EmailLinkForm>,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    let (ctx, info) = (request.context, request.info);
    let result = match action {
        LinkAction::VerifyEmail => return verify(token, form, request).await,
        LinkAction::ChangeEmail => flows::account::email_change::confirm(ctx, token, info).await,
        LinkAction::UndoEmailChange => {
            flows::account::report_compromise::undo_email_change(ctx, token, info).await
        }
        LinkAction::ReportCompromise => {
            flows::account::report_compromise::report(ctx, token, info).await
        }
    };
    match result {
        Ok(()) => done(action.flash(), request).await,
        Err(LinkError::Invalid) => dead_link(token, request).await.map(Response::Page),
        Err(LinkError::Database(error)) => Err(error.into()),
    }
}

/// Verifies the address, with the password if one was typed. Without a password other sessions end.
async fn verify(
    token: &Secret,
    form: &Submitted<EmailLinkForm>,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    if !form.errors.is_empty() {
        return reject(token, form, form.errors.clone().into(), request).await;
    }
    let reader =
        LinkReader { session: session_of(request), password: form.password.value().flatten() };
    let (ctx, info) = (request.context, request.info);
    match flows::account::email_verification::verify(ctx, token, reader, info).await {
        Ok(0) => done(Flash::EmailVerified, request).await,
        Ok(_) => done(Flash::EmailVerifiedOthersLoggedOut, request).await,
        Err(VerifyError::NotProved(error)) => {
            let rejection = Rejection::not_authenticated(&request.page, "password", error)?;
            reject(token, form, rejection, request).await
        }
        Err(VerifyError::Link(LinkError::Invalid)) => {
            dead_link(token, request).await.map(Response::Page)
        }
        Err(VerifyError::Link(LinkError::Database(error))) => Err(error.into()),
    }
}

/// Renders the page again.
async fn reject(
    token: &Secret,
    form: &Submitted<EmailLinkForm>,
    rejection: Rejection,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    let Some(found) = find(request.context, token).await? else {
        return dead_link(token, request).await.map(Response::Page);
    };
    // The form of the page goes to the path that reads the token from the cookie.
    cookies::set_link_token(request.cookies, request.context, token.expose());
    form.reject_on(&found, rejection, request).await
}

async fn done(flash: Flash, request: &RequestContext<'_>) -> Result<Response, Error> {
    cookies::remove_link_token(request.cookies, request.context);
    request.flash(flash);
    // The action may have ended the session of this browser.
    let is_still_in = match request.session() {
        Some(session) => crate::sessions::find(request.context, session).await?.is_some(),
        None => false,
    };
    Ok(Response::redirect_to(if is_still_in { paths::MYPAGE } else { paths::LOGIN }))
}
