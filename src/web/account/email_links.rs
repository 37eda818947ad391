//! Links in e-mails that lead to a page with one button: verify an address, change it, undo the
//! change, and report a compromised account.
//!
//! Opening a link does nothing, because mail scanners open links too; the button acts. The token
//! moves from the URL to a cookie before the page is rendered.

use askama::Template;
use rocket::form::FromForm;
use rocket::http::CookieJar;
use rocket::request::FromParam;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use super::{MY_PAGE, Response};
use crate::context::Context;
use crate::db::DbError;
use crate::flows;
use crate::flows::account::email_verification::{
    CompletedLink, LinkReader, SessionEffect, VerifyError,
};
use crate::http::cookies;
use crate::links;
use crate::links::{Link, LinkError, Purpose};
use crate::types::{Password, RequestInfo, Secret, SessionId, UserId};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::rejection::Rejection;
use crate::web::forms::{Form, FormView, Submitted};
use crate::web::message_page;
use crate::web::page::{Page, PageContext};

pub(crate) fn routes() -> Vec<Route> {
    routes![new_at_email, new_at_report, show, create, create_at_email, create_at_report,]
}

/// The page with the button.
const BUTTON: &str = "/account/link";

/// What a link's button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LinkAction {
    VerifyEmail,
    ChangeEmail,
    UndoEmailChange,
    ReportCompromise,
}

impl LinkAction {
    const ALL: [Self; 4] =
        [Self::VerifyEmail, Self::ChangeEmail, Self::UndoEmailChange, Self::ReportCompromise];

    fn purpose(self) -> Purpose {
        match self {
            Self::VerifyEmail => Purpose::VerifyEmail,
            Self::ChangeEmail => Purpose::ChangeEmail,
            Self::UndoEmailChange => Purpose::UndoEmailChange,
            Self::ReportCompromise => Purpose::NotMe,
        }
    }

    fn of(link: &Link) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.purpose() == link.purpose)
    }

    /// Returns the translation keys of title, text and button.
    fn labels(self) -> [&'static str; 3] {
        match self {
            Self::VerifyEmail => {
                ["email_verification.title", "email_verification.text", "email_verification.submit"]
            }
            Self::ChangeEmail => [
                "email_change.confirm.title",
                "email_change.confirm.text",
                "email_change.confirm.submit",
            ],
            Self::UndoEmailChange => {
                ["email_change.undo.title", "email_change.undo.text", "email_change.undo.submit"]
            }
            Self::ReportCompromise => {
                ["report_compromise.title", "report_compromise.text", "report_compromise.submit"]
            }
        }
    }

    fn flash(self) -> Flash {
        match self {
            Self::VerifyEmail => Flash::EmailVerified,
            Self::ChangeEmail => Flash::EmailChanged,
            Self::UndoEmailChange | Self::ReportCompromise => Flash::AccountProtected,
        }
    }
}

/// The last but one part of the link's path.
impl FromParam<'_> for LinkAction {
    type Error = ();

    fn from_param(param: &str) -> Result<Self, ()> {
        match param {
            "verify" => Ok(Self::VerifyEmail),
            "change" => Ok(Self::ChangeEmail),
            "undo" => Ok(Self::UndoEmailChange),
            _ => Err(()),
        }
    }
}

/// The button, and on the page that verifies an address a password that keeps other sessions.
#[derive(FromForm)]
struct EmailLinkForm {
    #[field(default = String::new())]
    password: String,
}

impl Form for EmailLinkForm {
    const FIELDS: &'static [&'static str] = &["password"];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

#[derive(Template)]
#[template(path = "account/email_link.html")]
struct EmailLinkPage {
    page: PageContext,
    labels: [&'static str; 3],
    email: Option<String>,
    asks_password: bool,
    ends_other_sessions: bool,
    form: FormView,
}

#[get("/account/email/<action>/<token>", rank = 2)]
async fn new_at_email(
    action: LinkAction,
    token: &str,
    page: PageContext,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    take_token(action, token, page, ctx, jar).await
}

#[get("/account/not-me/<token>")]
async fn new_at_report(
    token: &str,
    page: PageContext,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    take_token(LinkAction::ReportCompromise, token, page, ctx, jar).await
}

async fn take_token(
    action: LinkAction,
    token: &str,
    page: PageContext,
    ctx: &Context,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    match find(ctx, &Secret::new(token.to_owned())).await? {
        Some((found, _)) if found == action => {
            cookies::set_link_token(jar, ctx, token);
            Ok(Response::Redirect(Redirect::to(BUTTON)))
        }
        _ => dead_link(page, ctx, &Secret::new(token.to_owned())).await.map(Response::Page),
    }
}

/// Renders the page for a dead link, which says if its work is already done.
async fn dead_link(page: PageContext, ctx: &Context, token: &Secret) -> Result<Page, Error> {
    match flows::account::email_verification::find_completed(ctx, token).await? {
        Some(CompletedLink::Verified) => {
            message_page::not_found(page, ("email_verification.already.title", "used_link.text"))
        }
        Some(CompletedLink::Changed) => {
            message_page::not_found(page, ("email_change.already.title", "used_link.text"))
        }
        None => message_page::dead_link(page),
    }
}

/// Renders the page for a dead link whose token comes from the cookie, if it came.
async fn dead_or_missing_link(
    page: PageContext,
    ctx: &Context,
    jar: &CookieJar<'_>,
    token: &Secret,
) -> Result<Page, Error> {
    if token.expose().is_empty() {
        return message_page::no_link(page, ctx, jar);
    }
    dead_link(page, ctx, token).await
}

#[get("/account/link")]
async fn show(page: PageContext, ctx: &State<Context>, jar: &CookieJar<'_>) -> Result<Page, Error> {
    let token = cookies::link_token(jar, ctx);
    let Some((action, link)) = find(ctx, &token).await? else {
        return dead_or_missing_link(page, ctx, jar, &token).await;
    };
    render(page, FormView::empty(""), (action, link), ctx).await
}

async fn render(
    page: PageContext,
    form: FormView,
    (action, link): (LinkAction, Link),
    ctx: &Context,
) -> Result<Page, Error> {
    let outlook = match action {
        LinkAction::VerifyEmail => {
            flows::account::email_verification::session_effect(ctx, link.user, session_of(&page))
                .await?
        }
        LinkAction::ChangeEmail | LinkAction::UndoEmailChange | LinkAction::ReportCompromise => {
            SessionEffect::Keep
        }
    };
    let email = link.email.map(|email| email.as_typed().to_owned());
    Page::render(&EmailLinkPage {
        page,
        labels: action.labels(),
        email,
        asks_password: outlook == SessionEffect::KeepWithPassword,
        ends_other_sessions: outlook == SessionEffect::End,
        form,
    })
}

fn session_of(page: &PageContext) -> Option<(SessionId, UserId)> {
    page.user().map(|reader| (reader.session(), reader.user().id))
}

async fn find(ctx: &Context, token: &Secret) -> Result<Option<(LinkAction, Link)>, DbError> {
    let link = links::find(&ctx.db, token, ctx.clock.now()).await?;
    Ok(link.and_then(|link| Some((LinkAction::of(&link)?, link))))
}

#[post("/account/link", data = "<sent>")]
async fn create(
    sent: Submitted<EmailLinkForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let token = cookies::link_token(jar, ctx);
    match find(ctx, &token).await? {
        Some((action, _)) => run((action, &token, &sent), page, info, (ctx, jar)).await,
        None => dead_or_missing_link(page, ctx, jar, &token).await.map(Response::Page),
    }
}

/// Runs a form that is sent to the link's own URL.
#[post("/account/email/<action>/<token>", data = "<sent>", rank = 2)]
async fn create_at_email(
    action: LinkAction,
    token: &str,
    sent: Submitted<EmailLinkForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let token = Secret::new(token.to_owned());
    run((action, &token, &sent), page, info, (ctx, jar)).await
}

#[post("/account/not-me/<token>", data = "<sent>")]
async fn create_at_report(
    token: &str,
    sent: Submitted<EmailLinkForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let token = Secret::new(token.to_owned());
    run((LinkAction::ReportCompromise, &token, &sent), page, info, (ctx, jar)).await
}

/// Verifies the address, with the password if one was typed.
async fn verify(
    token: &Secret,
    sent: &Submitted<EmailLinkForm>,
    page: PageContext,
    info: &RequestInfo,
    (ctx, jar): (&Context, &CookieJar<'_>),
) -> Result<Response, Error> {
    let session = session_of(&page);
    let errors = sent.errors(Ok(()));
    if !errors.is_empty() {
        return rerender(token, sent, &errors.into(), page, (ctx, jar)).await;
    }
    // Without a password the address is verified and other sessions end.
    let password = Password::parse(&sent.form.password).ok();
    match flows::account::email_verification::verify(
        ctx,
        token,
        LinkReader { session, password },
        info,
    )
    .await
    {
        Ok(0) => done(Flash::EmailVerified, session, ctx, jar).await,
        Ok(_) => done(Flash::EmailVerifiedOthersLoggedOut, session, ctx, jar).await,
        Err(VerifyError::NotProved(error)) => {
            let rejection = Rejection::not_authenticated(&page, "password", error)?;
            rerender(token, sent, &rejection, page, (ctx, jar)).await
        }
        Err(VerifyError::Link(LinkError::Invalid)) => {
            dead_link(page, ctx, token).await.map(Response::Page)
        }
        Err(VerifyError::Link(LinkError::Broken(error))) => Err(error.into()),
    }
}

/// Renders the page again. Its form goes to the path that reads the token from the cookie.
async fn rerender(
    token: &Secret,
    sent: &Submitted<EmailLinkForm>,
    rejection: &Rejection,
    page: PageContext,
    (ctx, jar): (&Context, &CookieJar<'_>),
) -> Result<Response, Error> {
    let Some(found) = find(ctx, token).await? else {
        return dead_link(page, ctx, token).await.map(Response::Page);
    };
    cookies::set_link_token(jar, ctx, token.expose());
    let form = FormView::filled(&page, &sent.form, &rejection.errors);
    Ok(Response::Page(rejection.apply_to(render(page, form, found, ctx).await?)))
}

/// Runs the action, then redirects to My page or the log-in page.
async fn run(
    (action, token, sent): (LinkAction, &Secret, &Submitted<EmailLinkForm>),
    page: PageContext,
    info: &RequestInfo,
    (ctx, jar): (&Context, &CookieJar<'_>),
) -> Result<Response, Error> {
    let session = session_of(&page);
    let followed = match action {
        LinkAction::VerifyEmail => return verify(token, sent, page, info, (ctx, jar)).await,
        LinkAction::ChangeEmail => flows::account::email_change::confirm(ctx, token, info).await,
        LinkAction::UndoEmailChange => {
            flows::account::report_compromise::undo_email_change(ctx, token, info).await
        }
        LinkAction::ReportCompromise => {
            flows::account::report_compromise::report(ctx, token, info).await
        }
    };
    match followed {
        Ok(()) => done(action.flash(), session, ctx, jar).await,
        Err(LinkError::Invalid) => dead_link(page, ctx, token).await.map(Response::Page),
        Err(LinkError::Broken(error)) => Err(error.into()),
    }
}

async fn done(
    flash: Flash,
    session: Option<(SessionId, UserId)>,
    ctx: &Context,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    cookies::remove_link_token(jar, ctx);
    flash.set(jar, ctx);
    let is_still_in = match session {
        Some((session, _)) => crate::sessions::find(ctx, session).await?.is_some(),
        None => false,
    };
    Ok(Response::Redirect(Redirect::to(if is_still_in { MY_PAGE } else { "/account/login" })))
}
