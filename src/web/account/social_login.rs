//! Social log-in: the redirect to a provider, and its callback.
//!
//! The protocol is in `oauth`, the decision who is logged in or signed up in
//! `flows::account::social_login`.

use rocket::form::FromForm;
use rocket::http::Status;
use rocket::{Route, get, post, routes};

use super::oauth_state::{OAuthPurpose, OAuthState, PendingSocialSignup};
use super::{login_methods, signup};
use crate::flows;
use crate::flows::account::social_accounts::ConnectError;
use crate::flows::account::social_login::{SocialLogin, SocialLoginError, SocialLoginOutcome};
use crate::http::guards;
use crate::oauth::{CallbackParams, OAuthError, ProviderUser};
use crate::paths;
use crate::social::Provider;
use crate::throttle::ThrottleError;
use crate::types::{Secret, SessionId, UserId};
use crate::web::error::Error;
use crate::web::flash::Flash;
use crate::web::forms::{Hidden, Submitted, form};
use crate::web::message_page;
use crate::web::page::PageContext;
use crate::web::request_context::RequestContext;
use crate::web::response::Response;

pub(crate) fn routes() -> Vec<Route> {
    routes![create, callback, callback_without_state]
}

/// Longest authorization code that is accepted.
const MAX_BYTES: usize = 4096;

form! {
    #[derive(Debug)]
    struct SocialLoginForm {
        next: Hidden,
        /// Sent by the reauthentication page: reauthenticate rather than connect another provider.
        again: Hidden,
    }
}

/// Redirects to the provider. A logged-in user connects the provider, after reauthenticating.
#[post("/account/social/<slug>", data = "<form>")]
async fn create(
    slug: &str,
    form: Submitted<SocialLoginForm>,
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let ctx = request.context;
    let purpose = match request.user() {
        None => OAuthPurpose::LogIn,
        Some(user) if !form.again.is_empty() => {
            OAuthPurpose::Reauthenticate(user.session().to_string())
        }
        Some(user) if guards::has_reauthenticated(ctx, user).await? => {
            OAuthPurpose::Connect(user.session().to_string())
        }
        // To the list, because this URL has no GET.
        Some(_) => return Err(Error::ReauthenticationRequired(paths::SOCIAL_ACCOUNTS.to_owned())),
    };
    let is_reauthentication = matches!(purpose, OAuthPurpose::Reauthenticate(_));
    match flows::account::social_login::begin(ctx, slug, is_reauthentication, request.info).await {
        Ok((url, authorization)) => {
            OAuthState::set(&request, slug, &form.next, &authorization, purpose);
            Ok(Response::redirect_to(url))
        }
        Err(error) => failure_response(slug, error, &request).await,
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
    request: RequestContext<'_>,
) -> Result<Response, Error> {
    let (ctx, info, page) = (request.context, request.info, &request.page);
    // First of all: another site may have sent the browser here (RFC 6749, 10.12).
    let Some(authorization) = state.request(ctx, slug, query.state.unwrap_or_default()) else {
        return stale_state(page);
    };
    let code = query.code.filter(|code| !code.is_empty() && code.len() <= MAX_BYTES);
    let code = match (query.error, code) {
        (None, Some(code)) => Secret::new(code.to_owned()),
        (Some("access_denied"), _) => {
            tracing::info!(provider = slug, request.id = info.request_id, "consent was denied");
            let status = Status::UnprocessableEntity;
            return message(slug, status, "social_login.denied", &request).await;
        }
        _ => {
            tracing::warn!(provider = slug, request.id = info.request_id, "no code came back");
            let status = Status::BadGateway;
            return message(slug, status, "social_login.unavailable", &request).await;
        }
    };
    let params = CallbackParams { code, issuer: query.iss.map(str::to_owned) };
    match flows::account::social_login::handle_callback(ctx, slug, &authorization, params, info)
        .await
    {
        Ok((provider, user)) => complete(&provider, &user, &state, &request).await,
        Err(error) => failure_response(slug, error, &request).await,
    }
}

/// Answers a callback without a state cookie: the log-in began in another browser, or too long ago.
#[get("/account/social/<_slug>/callback", rank = 2)]
fn callback_without_state(_slug: &str, page: PageContext) -> Result<Response, Error> {
    stale_state(&page)
}

async fn complete(
    provider: &Provider,
    provider_user: &ProviderUser,
    state: &OAuthState,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    let (ctx, info, page) = (request.context, request.info, &request.page);
    let slug = provider.slug();
    match &state.purpose {
        OAuthPurpose::LogIn => sign_in(provider, provider_user, state, request).await,
        OAuthPurpose::Connect(session) => {
            let Some((user, _)) = same_session(page, session) else { return stale_state(page) };
            match flows::account::social_accounts::connect(ctx, user, slug, provider_user, info)
                .await
            {
                Ok(()) => {
                    request.flash(Flash::SocialConnected);
                    Ok(Response::redirect_to(paths::SOCIAL_ACCOUNTS))
                }
                Err(error) => {
                    let text = "social_accounts.not_connected";
                    rejected_connection(slug, error, text, request).await
                }
            }
        }
        OAuthPurpose::Reauthenticate(session) => {
            let Some((user, session)) = same_session(page, session) else {
                return stale_state(page);
            };
            let done = flows::account::social_accounts::reauthenticate(
                ctx,
                user,
                session,
                slug,
                provider_user,
                info,
            );
            match done.await {
                Ok(()) => Ok(Response::redirect_to_next(&state.next)),
                Err(error) => {
                    let text = "social_login.other_user";
                    rejected_connection(slug, error, text, request).await
                }
            }
        }
    }
}

/// Returns the user if this is still the session in which the request began.
fn same_session(page: &PageContext, session: &str) -> Option<(UserId, SessionId)> {
    // Another user may have logged in meanwhile, in another tab.
    let user = page.user().filter(|user| user.session().to_string() == session)?;
    Some((user.user().id, user.session()))
}

async fn rejected_connection(
    slug: &str,
    error: ConnectError,
    text: &'static str,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    match error {
        ConnectError::Refused | ConnectError::AlreadyConnected => {
            message(slug, Status::UnprocessableEntity, text, request).await
        }
        ConnectError::Database(error) => Err(error.into()),
    }
}

async fn sign_in(
    provider: &Provider,
    provider_user: &ProviderUser,
    state: &OAuthState,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    let (language, before) = (request.page.language(), request.session());
    let login = SocialLogin { provider, provider_user, typed_email: None, language, before };
    match flows::account::social_login::login_or_signup(request.context, login, request.info).await
    {
        Err(SocialLoginError::NoEmail) => {
            PendingSocialSignup::set(request, provider.slug(), &state.next, provider_user);
            Ok(Response::redirect_to(paths::SOCIAL_SIGNUP))
        }
        Ok(outcome) => Ok(signed_in_response(&outcome, &state.next, request)),
        Err(error) => failure_response(provider.slug(), error, request).await,
    }
}

/// Returns the response after a log-in or sign-up.
pub(crate) fn signed_in_response(
    outcome: &SocialLoginOutcome,
    next: &str,
    request: &RequestContext<'_>,
) -> Response {
    match outcome {
        SocialLoginOutcome::SignedIn(tokens, deletion_cancelled) => {
            request.log_in(tokens);
            if *deletion_cancelled {
                request.flash(Flash::DeletionCancelled);
            }
            Response::redirect_to_next(next)
        }
        SocialLoginOutcome::EmailSent => Response::redirect_to(paths::SIGNUP_SENT),
    }
}

/// Renders why the log-in failed.
pub(crate) async fn failure_response(
    slug: &str,
    error: SocialLoginError,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    let page = &request.page;
    let (status, text) = match error {
        SocialLoginError::Unknown => return Err(Status::NotFound.into()),
        SocialLoginError::Closed => return signup::closed(page),
        SocialLoginError::NotNow(ThrottleError::TooSoon(wait)) => {
            return message_page::too_soon(page, wait).map(Response::Page);
        }
        SocialLoginError::NotNow(ThrottleError::Database(error))
        | SocialLoginError::Database(error) => {
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
    message(slug, status, text, request).await
}

/// Answers a callback whose state is not this browser's or is for something else.
fn stale_state(page: &PageContext) -> Result<Response, Error> {
    let page = message_page::render(page, "social_login.failed", "social_login.stale")?;
    Ok(Response::Page(page.with_status(Status::Forbidden)))
}

/// Says what went wrong in a sentence that may name the provider.
async fn message(
    slug: &str,
    status: Status,
    text: &'static str,
    request: &RequestContext<'_>,
) -> Result<Response, Error> {
    let page = &request.page;
    let provider = login_methods::provider_name_of(request, slug).await?;
    let text = page.t_with(text, "provider", provider);
    let page = message_page::render_text(page, "social_login.failed", text)?;
    Ok(Response::Page(page.with_status(status)))
}
