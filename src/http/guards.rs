//! Request guards that are roles: signed in, staff, staff with a permission, visitor.
//!
//! They render nothing: a failed guard sets a status, and the catchers of the entry point answer.

use std::sync::Arc;

use rocket::Request;
use rocket::http::Status;
use rocket::outcome::IntoOutcome as _;
use rocket::request::{FromRequest, Outcome};
use time::OffsetDateTime;

use super::{cookies, request_info};
use crate::cache::ActiveSession;
use crate::context::Context;
use crate::db::DbError;
use crate::sessions;
use crate::sessions::{AuthState, RequestCredentials};
use crate::types::{Permission, RequestInfo, SessionId, User};

/// For this long after the last authentication dangerous actions need no password. A phone that was
/// left on a table is usually picked up later than that.
const REAUTHENTICATION_LIFETIME: time::Duration = time::Duration::minutes(10);

/// A user with an active session, authenticated by the access cookie or by `Authorization: Bearer`.
///
/// As a request guard it fails with 401, which the pages turn into a redirect to the log-in page;
/// `Option<SignedIn>` is `None` for visitors.
#[derive(Debug, Clone)]
pub struct SignedIn(ActiveSession);

impl From<ActiveSession> for SignedIn {
    fn from(session: ActiveSession) -> Self {
        Self(session)
    }
}

impl SignedIn {
    /// Returns the user.
    #[must_use]
    pub fn user(&self) -> &Arc<User> {
        &self.0.user
    }

    /// Returns the user's e-mail address.
    #[must_use]
    pub fn email(&self) -> &str {
        self.0.user.email.as_typed()
    }

    /// Returns the session.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.0.session
    }

    /// Returns whether the user authenticated recently enough for a dangerous action.
    #[must_use]
    pub fn has_reauthenticated(&self, now: OffsetDateTime) -> bool {
        // An instant in the far future was stored before a clock was set back; its age is unknown.
        (now - self.0.authenticated_at).abs() <= REAUTHENTICATION_LIFETIME
    }
}

/// Returns whether the user authenticated recently enough for a dangerous action.
pub(crate) async fn has_reauthenticated(ctx: &Context, user: &SignedIn) -> Result<bool, DbError> {
    let now = ctx.clock.now();
    if user.has_reauthenticated(now) {
        return Ok(true);
    }
    // The cache may be a moment old: a user who has just reauthenticated on another node is not
    // asked again.
    let session = sessions::find_fresh(ctx, user.session()).await?;
    Ok(session.is_some_and(|session| SignedIn(session).has_reauthenticated(now)))
}

/// A user who may enter the admin pages; fails with 403 for other signed-in users.
#[derive(Debug, Clone)]
pub struct Staff(pub SignedIn);

/// Defines a guard per permission: 401 without a session, 403 without the permission.
macro_rules! permission_guards {
    ($($(#[$doc:meta])* $guard:ident = $permission:ident),+ $(,)?) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $guard(pub SignedIn);

        #[rocket::async_trait]
        impl<'r> FromRequest<'r> for $guard {
            type Error = ();

            async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
                let Staff(user) = rocket::outcome::try_outcome!(Staff::from_request(request).await);
                let may = user.user().may(Permission::$permission);
                may.then_some(Self(user)).or_error((Status::Forbidden, ()))
            }
        }
    )+ };
}

permission_guards! {
    /// May see users.
    ViewsUsers = UsersView,
    /// May create users.
    AddsUsers = UsersAdd,
    /// May change users.
    ChangesUsers = UsersChange,
    /// May delete users.
    DeletesUsers = UsersDelete,
    /// May end the sessions of others.
    EndsSessions = SessionsEnd,
    /// May read the audit log.
    ReadsAudit = AuditView,
    /// May see the settings.
    ViewsSettings = SettingsView,
    /// May register social log-in providers.
    ChangesSocial = SocialChange,
}

/// Every client, signed in or not. Unlike `Option<SignedIn>` it fails when the database is
/// unavailable, instead of taking a signed-in user for a visitor.
#[derive(Debug, Clone)]
pub struct Visitor(pub Option<SignedIn>);

/// Authentication failed because the database was unavailable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuthUnavailable(pub Status);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for SignedIn {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match current_user(request).await {
            Ok(user) => user.clone().or_error((Status::Unauthorized, ())),
            Err(AuthUnavailable(status)) => Outcome::Error((*status, ())),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Staff {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let user = rocket::outcome::try_outcome!(SignedIn::from_request(request).await);
        let may_enter = user.user().is_staff || user.user().is_superuser;
        may_enter.then_some(Self(user)).or_error((Status::Forbidden, ()))
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Visitor {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match current_user(request).await {
            Ok(user) => Outcome::Success(Self(user.clone())),
            Err(AuthUnavailable(status)) => Outcome::Error((*status, ())),
        }
    }
}

/// Returns the token of `Authorization: Bearer`, with the scheme in any case (RFC 9110, 11.1).
pub(crate) fn bearer<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    let (scheme, token) = request.headers().get_one("Authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Returns the user of a request; authenticates it once. Cookies that were refreshed for it, or
/// that will never work again, are sent with the response.
pub(crate) async fn current_user<'r>(
    request: &'r Request<'_>,
) -> &'r Result<Option<SignedIn>, AuthUnavailable> {
    request.local_cache_async(authenticate(request)).await
}

async fn authenticate(request: &Request<'_>) -> Result<Option<SignedIn>, AuthUnavailable> {
    let ctx =
        request.rocket().state::<Context>().ok_or(AuthUnavailable(Status::InternalServerError))?;
    let request_credentials = request_credentials(request, ctx);
    let info = request_info::of(request, ctx);
    match sessions::authenticate_request(ctx, request_credentials, info).await {
        Ok(AuthState::Anonymous { dead_cookies }) => {
            cookies::remove_dead(request, ctx, dead_cookies);
            Ok(None)
        }
        Ok(AuthState::SignedIn { session, renewed }) => {
            if let Some(tokens) = renewed {
                cookies::send_tokens(request, ctx, &tokens);
            }
            Ok(Some(SignedIn(session)))
        }
        Err(error) => Err(auth_unavailable(&error, info)),
    }
}

/// The credentials of a request.
pub(super) fn request_credentials<'r>(
    request: &'r Request<'_>,
    ctx: &Context,
) -> RequestCredentials<'r> {
    RequestCredentials {
        bearer: bearer(request),
        access: cookies::access(request, ctx),
        refresh: cookies::refresh(request, ctx),
    }
}

/// Logs that a request could not be authenticated.
pub(super) fn auth_unavailable(error: &DbError, info: &RequestInfo) -> AuthUnavailable {
    tracing::error!(%error, request.id = info.request_id, "the request could not be authenticated");
    let is_passing = error.is_unavailable();
    AuthUnavailable(if is_passing {
        Status::ServiceUnavailable
    } else {
        Status::InternalServerError
    })
}
