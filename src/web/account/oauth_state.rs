//! Sealed cookies for a social log-in: the state of an authorization request, and a pending sign-up
//! without an e-mail address.
//!
//! The browser keeps them, so that requests of visitors write no row to the database before the
//! provider has answered.

use rocket::Request;
use rocket::http::{CookieJar, Status};
use rocket::request::{FromRequest, Outcome};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::context::Context;
use crate::crypto;
use crate::flows;
use crate::http::cookies;
use crate::http::cookies::{OAUTH_STATE_LIFETIME, SOCIAL_SIGNUP_LIFETIME};
use crate::oauth::{AuthorizationRequest, ProviderUser};
use crate::types::{Email, Name, Secret};
use crate::web::request_context::RequestContext;

/// The labels under which the cookies are sealed: one does not open as the other.
const OAUTH_STATE: &str = "away at a provider";
const PENDING_SIGNUP: &str = "newcomer without an address";

/// Longest `next` that is stored: a cookie has 4,096 bytes (RFC 6265, 6.1), and sealing adds a
/// third.
const MAX_NEXT: usize = 1024;

/// What an authorization request is for. A session id identifies its user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OAuthPurpose {
    /// Log in, or sign up.
    LogIn,
    /// Connect the provider to the account of this session.
    Connect(String),
    /// Reauthenticate the user of this session.
    Reauthenticate(String),
}

/// The state of an authorization request (RFC 6749, 10.12), with the PKCE verifier.
#[derive(Serialize, Deserialize)]
pub(crate) struct OAuthState {
    slug: String,
    state: String,
    nonce: String,
    verifier: String,
    /// The path to go on to.
    pub(crate) next: String,
    pub(crate) purpose: OAuthPurpose,
    until: i64,
}

impl OAuthState {
    /// Stores the state in the browser.
    pub(crate) fn set(
        RequestContext { context: ctx, cookies: jar, .. }: &RequestContext<'_>,
        slug: &str,
        next: &str,
        authorization: &AuthorizationRequest,
        purpose: OAuthPurpose,
    ) {
        let text = |secret: &Option<Secret>| {
            secret.as_ref().map(|secret| secret.expose().to_owned()).unwrap_or_default()
        };
        let state = Self {
            slug: slug.to_owned(),
            state: text(&authorization.state),
            nonce: text(&authorization.nonce),
            verifier: text(&authorization.pkce_verifier),
            next: bounded(next),
            purpose,
            until: (ctx.clock.now() + cookie_lifetime(OAUTH_STATE_LIFETIME)).unix_timestamp(),
        };
        cookies::set_oauth_state(jar, ctx, seal(ctx, OAUTH_STATE, &state));
    }

    /// Returns the authorization request, if it is with this provider and has this state.
    pub(crate) fn request(
        &self,
        ctx: &Context,
        slug: &str,
        state: &str,
    ) -> Option<AuthorizationRequest> {
        let is_this_one = self.slug == slug && crypto::constant_time_eq(&self.state, state);
        is_this_one.then(|| AuthorizationRequest {
            redirect_uri: flows::account::social_login::redirect_uri(ctx, slug),
            state: Some(Secret::new(self.state.clone())),
            nonce: Some(Secret::new(self.nonce.clone())),
            pkce_verifier: Some(Secret::new(self.verifier.clone())),
            is_reauthentication: matches!(self.purpose, OAuthPurpose::Reauthenticate(_)),
        })
    }
}

/// As a request guard it removes the cookie, whatever the outcome of the request: a state is valid
/// once.
#[rocket::async_trait]
impl<'r> FromRequest<'r> for OAuthState {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let Some(ctx) = request.rocket().state::<Context>() else {
            return Outcome::Error((Status::InternalServerError, ()));
        };
        let state = cookies::take_oauth_state(request, ctx)
            .and_then(|it| unseal::<Self>(ctx, OAUTH_STATE, it));
        match state.filter(|state| is_valid(state.until, ctx.clock.now())) {
            Some(state) => Outcome::Success(state),
            // `callback_without_state` answers then.
            None => Outcome::Forward(Status::Forbidden),
        }
    }
}

/// A sign-up with a provider that shared no e-mail address.
#[derive(Serialize, Deserialize)]
pub(crate) struct PendingSocialSignup {
    pub(crate) slug: String,
    pub(crate) next: String,
    issuer: String,
    subject: String,
    name: String,
    until: i64,
}

impl PendingSocialSignup {
    /// Stores the sign-up in the browser.
    pub(crate) fn set(
        RequestContext { context: ctx, cookies: jar, .. }: &RequestContext<'_>,
        slug: &str,
        next: &str,
        provider_user: &ProviderUser,
    ) {
        let pending = Self {
            slug: slug.to_owned(),
            next: bounded(next),
            issuer: provider_user.issuer.clone(),
            subject: provider_user.subject.clone(),
            name: provider_user.name.as_str().to_owned(),
            until: (ctx.clock.now() + cookie_lifetime(SOCIAL_SIGNUP_LIFETIME)).unix_timestamp(),
        };
        cookies::set_pending_social_signup(jar, ctx, seal(ctx, PENDING_SIGNUP, &pending));
    }

    /// Reads the sign-up from the cookie.
    pub(crate) fn from_cookie(ctx: &Context, jar: &CookieJar<'_>) -> Option<Self> {
        let pending =
            unseal::<Self>(ctx, PENDING_SIGNUP, cookies::pending_social_signup(jar, ctx)?)?;
        is_valid(pending.until, ctx.clock.now()).then_some(pending)
    }

    /// Returns the user as the provider described them.
    pub(crate) fn provider_user(&self) -> ProviderUser {
        ProviderUser {
            issuer: self.issuer.clone(),
            subject: self.subject.clone(),
            email: None::<Email>,
            is_email_verified: false,
            name: Name::parse(&self.name).unwrap_or_default(),
        }
    }
}

/// Returns `next`, or nothing when it does not fit into a cookie.
fn bounded(next: &str) -> String {
    if next.len() <= MAX_NEXT { next.to_owned() } else { String::new() }
}

fn seal(ctx: &Context, label: &str, what: &impl Serialize) -> String {
    let text = serde_json::to_vec(what).expect("texts and numbers can be written");
    ctx.keys.seal(label, &text)
}

fn unseal<T: DeserializeOwned>(ctx: &Context, label: &str, sealed: &str) -> Option<T> {
    serde_json::from_slice(&ctx.keys.unseal(label, sealed).ok()?).ok()
}

fn is_valid(until: i64, now: OffsetDateTime) -> bool {
    // The browser alone decides how long it keeps a cookie.
    now.unix_timestamp() < until
}

fn cookie_lifetime(cookie: rocket::time::Duration) -> time::Duration {
    time::Duration::seconds(cookie.whole_seconds())
}
