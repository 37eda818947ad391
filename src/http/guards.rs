//! Guards are people: who a handler is willing to talk to.

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

/// After this long what is dangerous asks for the password again: a phone that lies on a table is
/// picked up later than that.
const REAUTHENTICATION_LIFETIME: time::Duration = time::Duration::minutes(10);

/// A person with a living session, proved by the access cookie or by `Authorization: Bearer`.
///
/// As a request guard it answers strangers with 401, which the pages turn into the way to the log-in
/// page; `Option<SignedIn>` lets strangers pass as `None`.
#[derive(Debug, Clone)]
pub struct SignedIn(ActiveSession);

impl From<ActiveSession> for SignedIn {
    fn from(session: ActiveSession) -> Self {
        Self(session)
    }
}

impl SignedIn {
    /// The person.
    #[must_use]
    pub fn user(&self) -> &Arc<User> {
        &self.0.user
    }

    /// The person's address.
    #[must_use]
    pub fn email(&self) -> &str {
        self.0.user.email.as_typed()
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.0.session
    }

    /// Whether the person has proved to be it so recently that something dangerous may be done.
    #[must_use]
    pub fn has_reauthenticated(&self, now: OffsetDateTime) -> bool {
        // A proof from the far future is from before a clock was set back; how old it is cannot be known.
        (now - self.0.authenticated_at).abs() <= REAUTHENTICATION_LIFETIME
    }
}

/// Whether the person has proved to be it so recently that something dangerous may be done. What this
/// node remembers may be a moment old, so a no is asked again: nobody is asked twice who has just
/// answered another node.
///
/// # Errors
/// [`DbError`] when the database cannot say.
pub(crate) async fn has_reauthenticated(ctx: &Context, user: &SignedIn) -> Result<bool, DbError> {
    let now = ctx.clock.now();
    if user.has_reauthenticated(now) {
        return Ok(true);
    }
    ctx.cache.invalidate(user.session());
    let session = sessions::find(ctx, user.session()).await?;
    Ok(session.is_some_and(|session| SignedIn(session).has_reauthenticated(now)))
}

/// Somebody who may enter the admin pages: 403 for everybody else who is signed in.
#[derive(Debug, Clone)]
pub struct Staff(pub SignedIn);

/// Guards who may do one kind of act each: 401 for strangers, 403 for whoever may not.
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
    /// Sees people.
    ViewsUsers = UsersView,
    /// Makes accounts.
    AddsUsers = UsersAdd,
    /// Changes accounts.
    ChangesUsers = UsersChange,
    /// Deletes accounts.
    DeletesUsers = UsersDelete,
    /// Ends other people's sessions.
    EndsSessions = SessionsEnd,
    /// Reads the trail.
    ReadsAudit = AuditView,
    /// Sees the settings.
    ViewsSettings = SettingsView,
    /// Registers providers of social log-in.
    ChangesSocial = SocialChange,
}

/// Anybody. Unlike `Option<SignedIn>` it does not take a database that cannot answer for a stranger.
#[derive(Debug, Clone)]
pub struct Visitor(pub Option<SignedIn>);

/// The database could not say who somebody is.
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

/// The token of `Authorization: Bearer`, the scheme in any case (RFC 9110, 11.1).
pub(crate) fn bearer<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    let (scheme, token) = request.headers().get_one("Authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Who a request is from; found out once. Cookies that were renewed on the way, or that will never
/// work again, go out with the answer.
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

/// Notes that the database could not say.
pub(super) fn auth_unavailable(error: &DbError, info: &RequestInfo) -> AuthUnavailable {
    tracing::error!(%error, request.id = info.request_id, "who is asking is not known");
    let is_passing = error.is_unavailable();
    AuthUnavailable(if is_passing {
        Status::ServiceUnavailable
    } else {
        Status::InternalServerError
    })
}
