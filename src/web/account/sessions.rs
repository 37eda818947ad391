//! The list of the user's sessions, and ending them.

use askama::Template;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Responder, Route, State, get, post, routes};

use super::logout::LoggedOut;
use crate::context::Context;
use crate::flows;
use crate::http::guards::SignedIn;
use crate::paths;
use crate::sessions;
use crate::sessions::{SessionList, SessionSummary};
use crate::types::{RequestInfo, SessionId};
use crate::web::device;
use crate::web::error::Error;
use crate::web::forms::{ButtonForm, Submitted};
use crate::web::page::{Page, PageContext, Timestamp};

pub(crate) fn routes() -> Vec<Route> {
    routes![index, end, end_others]
}

#[derive(Template)]
#[template(path = "account/sessions.html")]
struct SessionsPage {
    page: PageContext,
    sessions: Vec<SessionRow>,
    more: u64,
    has_others: bool,
}

struct SessionRow {
    id: SessionId,
    device: String,
    is_this: bool,
    since: Timestamp,
    seen: Timestamp,
    address: String,
    auth_method: &'static str,
}

#[get("/account/sessions")]
async fn index(
    signed_in: SignedIn,
    page: PageContext,
    ctx: &State<Context>,
) -> Result<Page, Error> {
    let this = signed_in.session();
    let SessionList { sessions: shown, more } =
        sessions::list_active(ctx, signed_in.user().id, this).await?;
    let has_others = shown.iter().any(|row| row.session != this);
    let sessions = shown.into_iter().map(|row| session_row(row, this, &page, ctx)).collect();
    Page::render(&SessionsPage { page, sessions, more, has_others })
}

fn session_row(
    row: SessionSummary,
    this: SessionId,
    page: &PageContext,
    ctx: &Context,
) -> SessionRow {
    let is_this = row.session == this;
    SessionRow {
        id: row.session,
        device: device::label(&row.user_agent, page.language()),
        is_this,
        since: Timestamp::new(page, row.created_at),
        // The row has the last token refresh; this session is in use right now.
        seen: Timestamp::new(page, if is_this { ctx.clock.now() } else { row.last_seen_at }),
        address: row.ip,
        auth_method: match row.auth_method.as_str() {
            "password" => "sessions.by_password",
            "setup_link" => "sessions.by_setup_link",
            "social" => "sessions.by_social",
            _ => "sessions.by_other",
        },
    }
}

#[derive(Responder)]
enum EndSessionResponse {
    /// Another session ended; the list is shown again.
    Other(Redirect),
    /// This session ended.
    This(LoggedOut),
}

#[post("/account/sessions/<id>/end", data = "<_sent>")]
async fn end(
    id: &str,
    _sent: Submitted<ButtonForm>,
    signed_in: SignedIn,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<EndSessionResponse, Error> {
    let Ok(session) = id.parse::<SessionId>() else { return Err(Status::NotFound.into()) };
    let (user, asking) = (signed_in.user().id, signed_in.session());
    if !flows::account::sessions::end(ctx, user, asking, session, info).await? {
        return Err(Status::NotFound.into());
    }
    if session == signed_in.session() {
        return Ok(EndSessionResponse::This(LoggedOut::of(jar, ctx)));
    }
    Ok(EndSessionResponse::Other(Redirect::to(paths::SESSIONS)))
}

#[post("/account/sessions/end-others", data = "<_sent>")]
async fn end_others(
    _sent: Submitted<ButtonForm>,
    signed_in: SignedIn,
    info: &RequestInfo,
    ctx: &State<Context>,
) -> Result<Redirect, Error> {
    let (user, asking) = (signed_in.user().id, signed_in.session());
    flows::account::sessions::end_others(ctx, user, asking, info).await?;
    Ok(Redirect::to(paths::SESSIONS))
}
