//! Guards are people: who a handler is willing to talk to.

use std::sync::Arc;

use rocket::Request;
use rocket::http::Status;
use rocket::outcome::IntoOutcome as _;
use rocket::request::{FromRequest, Outcome};
use time::OffsetDateTime;

use super::{caller, cookies};
use crate::cache::Living;
use crate::context::Ctx;
use crate::db::DbError;
use crate::sessions;
use crate::sessions::{Presented, Standing};
use crate::types::{Caller, Permission, Person, SessionId};

/// After this long what is dangerous asks for the password again: a phone that lies on a table is
/// picked up later than that.
const SUDO_LASTS: time::Duration = time::Duration::minutes(10);

/// A person with a living session, proved by the access cookie or by `Authorization: Bearer`.
///
/// As a request guard it answers strangers with 401, which the pages turn into the way to the log-in
/// page; `Option<SignedIn>` lets strangers pass as `None`.
#[derive(Debug, Clone)]
pub struct SignedIn(Living);

impl From<Living> for SignedIn {
    fn from(living: Living) -> Self {
        Self(living)
    }
}

impl SignedIn {
    /// Whoever a door has found to have this session.
    pub(crate) fn by(living: Living) -> Self {
        Self(living)
    }

    /// The person.
    #[must_use]
    pub fn person(&self) -> &Arc<Person> {
        &self.0.person
    }

    /// The person's address.
    #[must_use]
    pub fn email(&self) -> &str {
        self.0.person.email.as_typed()
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.0.session
    }

    /// Whether the person has proved to be it so recently that something dangerous may be done.
    #[must_use]
    pub fn has_just_proved(&self, now: OffsetDateTime) -> bool {
        // A proof from the far future is from before a clock was set back; how old it is cannot be known.
        (now - self.0.proved_at).abs() <= SUDO_LASTS
    }
}

/// Whether the person has proved to be it so recently that something dangerous may be done. What this
/// node remembers may be a moment old, so a no is asked again: nobody is asked twice who has just
/// answered another node.
///
/// # Errors
/// [`DbError`] when the database cannot say.
pub(crate) async fn has_just_proved(ctx: &Ctx, person: &SignedIn) -> Result<bool, DbError> {
    let now = ctx.clock.now();
    if person.has_just_proved(now) {
        return Ok(true);
    }
    ctx.cache.forget(person.session());
    let living = sessions::find(ctx, person.session()).await?;
    Ok(living.is_some_and(|living| SignedIn(living).has_just_proved(now)))
}

/// Somebody who may enter the admin pages: 403 for everybody else who is signed in.
#[derive(Debug, Clone)]
pub struct Staff(pub SignedIn);

/// Guards who may do one kind of act each: 401 for strangers, 403 for whoever may not.
macro_rules! who_may {
    ($($(#[$doc:meta])* $guard:ident = $permission:ident),+ $(,)?) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $guard(pub SignedIn);

        #[rocket::async_trait]
        impl<'r> FromRequest<'r> for $guard {
            type Error = ();

            async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
                let Staff(person) = rocket::outcome::try_outcome!(Staff::from_request(request).await);
                let may = person.person().may(Permission::$permission);
                may.then_some(Self(person)).or_error((Status::Forbidden, ()))
            }
        }
    )+ };
}

who_may! {
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
pub(crate) struct Unknown(pub Status);

#[rocket::async_trait]
impl<'r> FromRequest<'r> for SignedIn {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match who(request).await {
            Ok(person) => person.clone().or_error((Status::Unauthorized, ())),
            Err(Unknown(status)) => Outcome::Error((*status, ())),
        }
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Staff {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let person = rocket::outcome::try_outcome!(SignedIn::from_request(request).await);
        let may_enter = person.person().is_staff || person.person().is_superuser;
        may_enter.then_some(Self(person)).or_error((Status::Forbidden, ()))
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Visitor {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        match who(request).await {
            Ok(person) => Outcome::Success(Self(person.clone())),
            Err(Unknown(status)) => Outcome::Error((*status, ())),
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
pub(crate) async fn who<'r>(request: &'r Request<'_>) -> &'r Result<Option<SignedIn>, Unknown> {
    request.local_cache_async(find_out(request)).await
}

async fn find_out(request: &Request<'_>) -> Result<Option<SignedIn>, Unknown> {
    let ctx = request.rocket().state::<Ctx>().ok_or(Unknown(Status::InternalServerError))?;
    let presented = presented(request, ctx);
    let caller = caller::caller(request, ctx);
    match sessions::standing(ctx, presented, caller).await {
        Ok(Standing::Stranger { over }) => {
            cookies::clear(request, ctx, over);
            Ok(None)
        }
        Ok(Standing::SignedIn { living, renewed }) => {
            if let Some(opened) = renewed {
                cookies::renew(request, ctx, &opened);
            }
            Ok(Some(SignedIn(living)))
        }
        Err(error) => Err(unknown(&error, caller)),
    }
}

/// The credentials of a request.
pub(super) fn presented<'r>(request: &'r Request<'_>, ctx: &Ctx) -> Presented<'r> {
    Presented {
        bearer: bearer(request),
        access: cookies::access(request, ctx),
        refresh: cookies::refresh(request, ctx),
    }
}

/// Notes that the database could not say.
pub(super) fn unknown(error: &DbError, caller: &Caller) -> Unknown {
    tracing::error!(%error, request.id = caller.request_id, "who is asking is not known");
    let is_passing = error.is_unavailable();
    Unknown(if is_passing { Status::ServiceUnavailable } else { Status::InternalServerError })
}
