//! To a provider and back: setting out by a button, and coming back with a code.

use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use super::oauth_state::{Away, Newcomer, Purpose};
use super::{Answer, MY_PAGE, reauthentication, signup, social_accounts};
use crate::context::Ctx;
use crate::flows;
use crate::flows::account::social_accounts::ConnectError;
use crate::flows::account::social_login::{Arrived, Guest, SocialError};
use crate::http::cookies;
use crate::http::guards;
use crate::http::guards::SignedIn;
use crate::http::next;
use crate::oauth::{Known, OauthError, Returned};
use crate::social::Provider;
use crate::throttle::ThrottleError;
use crate::types::{Caller, Secret, SessionId, UserId};
use crate::web::error::Error;
use crate::web::flash::Notice;
use crate::web::forms::{Form, Submitted};
use crate::web::message_page;
use crate::web::page::Frame;

pub(crate) fn routes() -> Vec<Route> {
    routes![create, finish, finish_of_nobody]
}

/// Longest code that is read.
const MAX_BYTES: usize = 4096;

#[derive(Debug, FromForm)]
struct SetOutForm {
    #[field(default = String::new())]
    next: String,
    /// Sent by pages that want the person proved again, rather than another provider connected.
    #[field(default = String::new())]
    again: String,
}

impl Form for SetOutForm {
    const FIELDS: &'static [&'static str] = &[];

    fn kept(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

/// Whoever is signed in connects the provider, and proves before who they are.
#[post("/account/social/<slug>", data = "<sent>")]
async fn create(
    slug: &str,
    sent: Submitted<SetOutForm>,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let purpose = match frame.person() {
        None => Purpose::Enter,
        Some(reader) if !sent.form.again.is_empty() => {
            Purpose::ProveAgain(reader.session().to_string())
        }
        Some(reader) if guards::has_just_proved(ctx, reader).await? => {
            Purpose::Connect(reader.session().to_string())
        }
        Some(_) => return Ok(Answer::Gone(reauthentication::ask_for(social_accounts::LIST))),
    };
    let is_again = matches!(purpose, Purpose::ProveAgain(_));
    match flows::account::social_login::set_out(ctx, slug, is_again, caller).await {
        Ok((way, dance)) => {
            Away::begin((ctx, jar), (slug, &sent.form.next), &dance, purpose);
            Ok(Answer::Gone(Redirect::to(way)))
        }
        Err(error) => failed(frame, error),
    }
}

/// What a provider has a browser bring back (RFC 6749, 4.1.2; RFC 9207, 2).
#[derive(FromForm)]
struct BroughtBack<'r> {
    code: Option<&'r str>,
    state: Option<&'r str>,
    error: Option<&'r str>,
    iss: Option<&'r str>,
}

#[get("/account/social/<slug>/callback?<brought..>")]
async fn finish(
    slug: &str,
    brought: BroughtBack<'_>,
    away: Away,
    frame: Frame,
    caller: &Caller,
    ctx: &State<Ctx>,
    jar: &CookieJar<'_>,
) -> Result<Answer, Error> {
    let Some(dance) = away.dance(ctx, slug, brought.state.unwrap_or_default()) else {
        return stale(frame);
    };
    let code = brought.code.filter(|code| !code.is_empty() && code.len() <= MAX_BYTES);
    let code = match (brought.error, code) {
        (None, Some(code)) => Secret::new(code.to_owned()),
        (Some("access_denied"), _) => {
            tracing::info!(provider = slug, request.id = caller.request_id, "consent was denied");
            return told_of(frame, Status::UnprocessableEntity, "social_login.denied");
        }
        _ => {
            tracing::warn!(provider = slug, request.id = caller.request_id, "no code came back");
            return told_of(frame, Status::BadGateway, "social_login.unavailable");
        }
    };
    let returned = Returned { code, issuer: brought.iss.map(str::to_owned) };
    match flows::account::social_login::come_back(ctx, slug, &dance, returned, caller).await {
        Ok((provider, known)) => arrive(&provider, &known, &away, frame, caller, (ctx, jar)).await,
        Err(error) => failed(frame, error),
    }
}

/// Nobody set out in this browser, or too long ago.
#[get("/account/social/<_slug>/callback", rank = 2)]
fn finish_of_nobody(_slug: &str, frame: Frame) -> Result<Answer, Error> {
    stale(frame)
}

async fn arrive(
    provider: &Provider,
    known: &Known,
    away: &Away,
    frame: Frame,
    caller: &Caller,
    (ctx, jar): (&Ctx, &CookieJar<'_>),
) -> Result<Answer, Error> {
    let identity = (provider.slug(), known);
    match &away.purpose {
        Purpose::Enter => enter(provider, known, away, frame, caller, (ctx, jar)).await,
        Purpose::Connect(session) => {
            let Some((user, _)) = still_there(&frame, session) else { return stale(frame) };
            match flows::account::social_accounts::connect(ctx, user, identity, caller).await {
                Ok(()) => {
                    Notice::SocialConnected.say(jar, ctx);
                    Ok(Answer::Gone(Redirect::to(social_accounts::LIST)))
                }
                Err(error) => not_done(frame, error, "social_accounts.not_connected"),
            }
        }
        Purpose::ProveAgain(session) => {
            let Some(whose) = still_there(&frame, session) else { return stale(frame) };
            match flows::account::social_accounts::prove(ctx, whose, identity, caller).await {
                Ok(()) => Ok(Answer::Gone(Redirect::to(next::after_sign_in(&away.next, MY_PAGE)))),
                Err(error) => not_done(frame, error, "social_login.other_user"),
            }
        }
    }
}

/// Whoever set out in this session: somebody else may have signed in meanwhile, or nobody may be.
fn still_there(frame: &Frame, session: &str) -> Option<(UserId, SessionId)> {
    let reader = frame.person().filter(|reader| reader.session().to_string() == session)?;
    Some((reader.person().id, reader.session()))
}

fn not_done(frame: Frame, error: ConnectError, text: &'static str) -> Result<Answer, Error> {
    match error {
        ConnectError::Refused => told_of(frame, Status::UnprocessableEntity, text),
        ConnectError::Broken(error) => Err(error.into()),
    }
}

async fn enter(
    provider: &Provider,
    known: &Known,
    away: &Away,
    frame: Frame,
    caller: &Caller,
    (ctx, jar): (&Ctx, &CookieJar<'_>),
) -> Result<Answer, Error> {
    let before = frame.person().map(SignedIn::session);
    let language = frame.language();
    let guest = Guest { provider, known, typed: None, language, before };
    match flows::account::social_login::welcome(ctx, guest, caller).await {
        Err(SocialError::NoEmail) => {
            Newcomer::wait((ctx, jar), (provider.slug(), &away.next), known);
            Ok(Answer::Gone(Redirect::to("/account/join/address")))
        }
        Ok(arrived) => Ok(welcomed(&arrived, &away.next, ctx, jar)),
        Err(error) => failed(frame, error),
    }
}

/// Where somebody goes on who has come in.
pub(crate) fn welcomed(arrived: &Arrived, next: &str, ctx: &Ctx, jar: &CookieJar<'_>) -> Answer {
    match arrived {
        Arrived::SignedIn(opened, has_stayed) => {
            cookies::sign_in(jar, ctx, opened);
            if *has_stayed {
                Notice::Stayed.say(jar, ctx);
            }
            Answer::Gone(Redirect::to(next::after_sign_in(next, MY_PAGE)))
        }
        Arrived::LetterSent => Answer::Gone(Redirect::to("/account/join/sent")),
    }
}

/// Why nobody came in, as a page.
pub(crate) fn failed(frame: Frame, error: SocialError) -> Result<Answer, Error> {
    let (status, text) = match error {
        SocialError::Unknown => return Err(Status::NotFound.into()),
        SocialError::Closed => return signup::closed(frame),
        SocialError::NotNow(ThrottleError::TooSoon(wait)) => {
            return message_page::too_soon(frame, wait).map(Answer::Shown);
        }
        SocialError::NotNow(ThrottleError::Broken(error)) | SocialError::Broken(error) => {
            return Err(error.into());
        }
        SocialError::Provider(OauthError::Refused(_)) => {
            (Status::UnprocessableEntity, "social_login.not_authenticated")
        }
        SocialError::Provider(_) => (Status::BadGateway, "social_login.unavailable"),
        SocialError::Refused => (Status::UnprocessableEntity, "social_login.refused"),
        SocialError::EmailTaken => (Status::UnprocessableEntity, "social_login.email_taken"),
        SocialError::LocalEmail => (Status::UnprocessableEntity, "social_login.local_email"),
        SocialError::NoEmail => (Status::UnprocessableEntity, "social_login.no_email"),
    };
    told_of(frame, status, text)
}

/// This browser did not set out, or for something else.
fn stale(frame: Frame) -> Result<Answer, Error> {
    told_of(frame, Status::Forbidden, "social_login.stale")
}

fn told_of(frame: Frame, status: Status, text: &'static str) -> Result<Answer, Error> {
    let page = message_page::draw(frame, ("social_login.failed", text))?;
    Ok(Answer::Shown(page.with_status(status)))
}
