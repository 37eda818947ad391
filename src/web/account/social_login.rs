//! Social log-in: the redirect to a provider, and its callback.
//!
//! The protocol is in `oauth`, the decision who is logged in or signed up in
//! `flows::account::social_login`.

use rocket::form::FromForm;
use rocket::http::{CookieJar, Status};
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};

use super::oauth_state::{OAuthPurpose, OAuthState, PendingSocialSignup};
use super::{MY_PAGE, Response, login_methods, reauthentication, signup, social_accounts};
use crate::context::Context;
use crate::flows;
use crate::flows::account::social_accounts::ConnectError;
use crate::flows::account::social_login::{SocialLogin, SocialLoginError, SocialLoginOutcome};
use crate::http::cookies;
use crate::http::guards;
use crate::http::guards::SignedIn;
use crate::http::next;
use crate::oauth::{CallbackParams, OAuthError, ProviderUser};
use crate::social::Provider;
use crate::throttle::ThrottleError;
use crate::types::{RequestInfo, Secret, SessionId, UserId};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::{Form, Submitted};
use crate::web::message_page;
use crate::web::page::PageContext;

pub(crate) fn routes() -> Vec<Route> {
    routes![create, callback, callback_without_state]
}

/// Longest authorization code that is accepted.
const MAX_BYTES: usize = 4096;

#[derive(Debug, FromForm)]
struct SocialLoginForm {
    #[field(default = String::new())]
    next: String,
    /// Sent by the reauthentication page: reauthenticate rather than connect another provider.
    #[field(default = String::new())]
    again: String,
}

impl Form for SocialLoginForm {
    const FIELDS: &'static [&'static str] = &[];

    fn retained_values(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }
}

/// Redirects to the provider. A logged-in user connects the provider, after reauthenticating.
#[post("/account/social/<slug>", data = "<sent>")]
async fn create(
    slug: &str,
    sent: Submitted<SocialLoginForm>,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let purpose = match page.user() {
        None => OAuthPurpose::LogIn,
        Some(reader) if !sent.form.again.is_empty() => {
            OAuthPurpose::Reauthenticate(reader.session().to_string())
        }
        Some(reader) if guards::has_reauthenticated(ctx, reader).await? => {
            OAuthPurpose::Connect(reader.session().to_string())
        }
        Some(_) => {
            return Ok(Response::Redirect(reauthentication::redirect_for(social_accounts::LIST)));
        }
    };
    let is_reauthentication = matches!(purpose, OAuthPurpose::Reauthenticate(_));
    match flows::account::social_login::begin(ctx, slug, is_reauthentication, info).await {
        Ok((way, request)) => {
            OAuthState::set((ctx, jar), (slug, &sent.form.next), &request, purpose);
            Ok(Response::Redirect(Redirect::to(way)))
        }
        Err(error) => failure_response(page, ctx, slug, error).await,
    }
}

/// What a provider sends with the browser (RFC 6749, 4.1.2; RFC 9207, 2).
#[derive(FromForm)]
struct CallbackQuery<'r> {
    code: Option<&'r str>,
    state: Option<&'r str>,
    error: Option<&'r str>,
    iss: Option<&'r str>,
}

#[get("/account/social/<slug>/callback?<query..>")]
async fn callback(
    slug: &str,
    query: CallbackQuery<'_>,
    state: OAuthState,
    page: PageContext,
    info: &RequestInfo,
    ctx: &State<Context>,
    jar: &CookieJar<'_>,
) -> Result<Response, Error> {
    let Some(request) = state.request(ctx, slug, query.state.unwrap_or_default()) else {
        return stale_state(page);
    };
    let code = query.code.filter(|code| !code.is_empty() && code.len() <= MAX_BYTES);
    let code = match (query.error, code) {
        (None, Some(code)) => Secret::new(code.to_owned()),
        (Some("access_denied"), _) => {
            tracing::info!(provider = slug, request.id = info.request_id, "consent was denied");
            let text = (Status::UnprocessableEntity, "social_login.denied");
            return message(page, ctx, slug, text).await;
        }
        _ => {
            tracing::warn!(provider = slug, request.id = info.request_id, "no code came back");
            let text = (Status::BadGateway, "social_login.unavailable");
            return message(page, ctx, slug, text).await;
        }
    };
    let params = CallbackParams { code, issuer: query.iss.map(str::to_owned) };
    match flows::account::social_login::handle_callback(ctx, slug, &request, params, info).await {
        Ok((provider, provider_user)) => {
            complete(&provider, &provider_user, &state, page, info, (ctx, jar)).await
        }
        Err(error) => failure_response(page, ctx, slug, error).await,
    }
}

/// Answers a callback without a state cookie: the log-in began in another browser, or too long ago.
#[get("/account/social/<_slug>/callback", rank = 2)]
fn callback_without_state(_slug: &str, page: PageContext) -> Result<Response, Error> {
    stale_state(page)
}

async fn complete(
    provider: &Provider,
    provider_user: &ProviderUser,
    state: &OAuthState,
    page: PageContext,
    info: &RequestInfo,
    (ctx, jar): (&Context, &CookieJar<'_>),
) -> Result<Response, Error> {
    let identity = (provider.slug(), provider_user);
    match &state.purpose {
        OAuthPurpose::LogIn => {
            sign_in(provider, provider_user, state, page, info, (ctx, jar)).await
        }
        OAuthPurpose::Connect(session) => {
            let Some((user, _)) = same_session(&page, session) else { return stale_state(page) };
            match flows::account::social_accounts::connect(ctx, user, identity, info).await {
                Ok(()) => {
                    Flash::SocialConnected.set(jar, ctx);
                    Ok(Response::Redirect(Redirect::to(social_accounts::LIST)))
                }
                Err(error) => {
                    rejected_connection(
                        page,
                        ctx,
                        provider.slug(),
                        error,
                        "social_accounts.not_connected",
                    )
                    .await
                }
            }
        }
        OAuthPurpose::Reauthenticate(session) => {
            let Some(whose) = same_session(&page, session) else { return stale_state(page) };
            match flows::account::social_accounts::reauthenticate(ctx, whose, identity, info).await
            {
                Ok(()) => {
                    Ok(Response::Redirect(Redirect::to(next::after_login(&state.next, MY_PAGE))))
                }
                Err(error) => {
                    rejected_connection(
                        page,
                        ctx,
                        provider.slug(),
                        error,
                        "social_login.other_user",
                    )
                    .await
                }
            }
        }
    }
}

/// Returns the user if this is still the session in which the request began; another user may have
/// logged in meanwhile.
fn same_session(page: &PageContext, session: &str) -> Option<(UserId, SessionId)> {
    let reader = page.user().filter(|reader| reader.session().to_string() == session)?;
    Some((reader.user().id, reader.session()))
}

async fn rejected_connection(
    page: PageContext,
    ctx: &Context,
    slug: &str,
    error: ConnectError,
    text: &'static str,
) -> Result<Response, Error> {
    match error {
        ConnectError::Refused => {
            message(page, ctx, slug, (Status::UnprocessableEntity, text)).await
        }
        ConnectError::Broken(error) => Err(error.into()),
    }
}

async fn sign_in(
    provider: &Provider,
    provider_user: &ProviderUser,
    state: &OAuthState,
    page: PageContext,
    info: &RequestInfo,
    (ctx, jar): (&Context, &CookieJar<'_>),
) -> Result<Response, Error> {
    let before = page.user().map(SignedIn::session);
    let language = page.language();
    let login = SocialLogin { provider, provider_user, typed_email: None, language, before };
    match flows::account::social_login::sign_in_or_register(ctx, login, info).await {
        Err(SocialLoginError::NoEmail) => {
            PendingSocialSignup::set((ctx, jar), (provider.slug(), &state.next), provider_user);
            Ok(Response::Redirect(Redirect::to("/account/join/address")))
        }
        Ok(outcome) => Ok(signed_in_response(&outcome, &state.next, ctx, jar)),
        Err(error) => failure_response(page, ctx, provider.slug(), error).await,
    }
}

/// Returns the response after a log-in or sign-up.
pub(crate) fn signed_in_response(
    outcome: &SocialLoginOutcome,
    next: &str,
    ctx: &Context,
    jar: &CookieJar<'_>,
) -> Response {
    match outcome {
        SocialLoginOutcome::SignedIn(tokens, deletion_cancelled) => {
            cookies::sign_in(jar, ctx, tokens);
            if *deletion_cancelled {
                Flash::DeletionCancelled.set(jar, ctx);
            }
            Response::Redirect(Redirect::to(next::after_login(next, MY_PAGE)))
        }
        SocialLoginOutcome::EmailSent => Response::Redirect(Redirect::to("/account/join/sent")),
    }
}

/// Renders why the log-in failed.
pub(crate) async fn failure_response(
    page: PageContext,
    ctx: &Context,
    slug: &str,
    error: SocialLoginError,
) -> Result<Response, Error> {
    let text = match error {
        SocialLoginError::Unknown => return Err(Status::NotFound.into()),
        SocialLoginError::Closed => return signup::closed(page),
        SocialLoginError::NotNow(ThrottleError::TooSoon(wait)) => {
            return message_page::too_soon(page, wait).map(Response::Page);
        }
        SocialLoginError::NotNow(ThrottleError::Broken(error))
        | SocialLoginError::Broken(error) => {
            return Err(error.into());
        }
        SocialLoginError::Provider(OAuthError::Refused(_)) => {
            (Status::UnprocessableEntity, "social_login.not_authenticated")
        }
        SocialLoginError::Provider(_) => (Status::BadGateway, "social_login.unavailable"),
        SocialLoginError::Refused => (Status::UnprocessableEntity, "social_login.refused"),
        SocialLoginError::EmailTaken => (Status::UnprocessableEntity, "social_login.email_taken"),
        SocialLoginError::LocalEmail => (Status::UnprocessableEntity, "social_login.local_email"),
        SocialLoginError::NoEmail => (Status::UnprocessableEntity, "social_login.no_email"),
    };
    message(page, ctx, slug, text).await
}

/// Answers a callback whose state is not this browser's or is for something else.
fn stale_state(page: PageContext) -> Result<Response, Error> {
    let page = message_page::render(page, ("social_login.failed", "social_login.stale"))?;
    Ok(Response::Page(page.with_status(Status::Forbidden)))
}

/// Says what went wrong in a sentence that may name the provider.
async fn message(
    page: PageContext,
    ctx: &Context,
    slug: &str,
    (status, text): (Status, &'static str),
) -> Result<Response, Error> {
    let provider = login_methods::provider_name_of(ctx, &page, slug).await?;
    let text = page.t_with(text, "provider", provider);
    let page = message_page::render_text(page, "social_login.failed", text)?;
    Ok(Response::Page(page.with_status(status)))
}
