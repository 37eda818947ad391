//! The errors of the JSON API, and the one place that renders them.
//!
//! The shapes are those of Django REST framework: 400 names the fields, everything else has a
//! `detail` in the reader's language and a `code` that is never translated. Unexpected errors are
//! logged here, once, with the request id; the response says nothing about their cause.

use rocket::http::Status;
use rocket::response::{self, Responder};
use rocket::serde::json::Json;
use rocket::{Catcher, Request, catch, catchers};

use super::error_detail::ErrorDetail;
use super::field_errors::FieldErrors;
use crate::context::Context;
use crate::crypto::QueueFull;
use crate::db::DbError;
use crate::http::{locale, methods, request_info};
use crate::sessions::AuthError;
use crate::throttle::ThrottleError;

/// Why a request failed.
#[derive(Debug)]
pub(crate) enum Error {
    /// Fields are invalid.
    Fields(FieldErrors),
    /// The request as a whole is refused.
    Refused(ErrorDetail),
    /// The queue for password hashing is full.
    Busy,
    /// The database failed.
    Database(DbError),
}

impl From<ErrorDetail> for Error {
    fn from(detail: ErrorDetail) -> Self {
        Self::Refused(detail)
    }
}

impl From<FieldErrors> for Error {
    fn from(errors: FieldErrors) -> Self {
        Self::Fields(errors)
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl From<QueueFull> for Error {
    fn from(_: QueueFull) -> Self {
        Self::Busy
    }
}

impl From<ThrottleError> for Error {
    fn from(error: ThrottleError) -> Self {
        match error {
            ThrottleError::TooSoon(wait) => ErrorDetail::throttled(wait).into(),
            ThrottleError::Database(error) => error.into(),
        }
    }
}

impl Error {
    /// Converts a failed password check. `wrong` makes the error of this endpoint for a wrong
    /// password.
    pub(crate) fn from_auth(error: AuthError, wrong: impl FnOnce() -> Self) -> Self {
        match error {
            AuthError::WrongCredentials => wrong(),
            AuthError::TooSoon(wait) => ErrorDetail::throttled(wait).into(),
            AuthError::Closed => ErrorDetail::too_many_failures().into(),
            AuthError::Busy(full) => full.into(),
            AuthError::Database(error) => error.into(),
        }
    }

    /// Stores the error of a guard for the catcher, and returns its status.
    pub(crate) fn store_in(self, request: &Request<'_>) -> Status {
        let status = match &self {
            Self::Fields(_) => Status::BadRequest,
            Self::Refused(detail) => detail.status,
            Self::Busy => Status::ServiceUnavailable,
            Self::Database(error) if error.is_unavailable() => Status::ServiceUnavailable,
            Self::Database(_) => Status::InternalServerError,
        };
        // Rocket passes only the status to a catcher.
        request.local_cache(|| GuardError(Some(self)));
        status
    }

    fn render(&self, request: &Request<'_>) -> response::Result<'static> {
        let language = locale::language(request);
        match self {
            Self::Fields(errors) => {
                let mut response = Json(errors.in_language(language)).respond_to(request)?;
                response.set_status(Status::BadRequest);
                Ok(response)
            }
            Self::Refused(detail) => detail.render(language, request),
            // Logged here, and nothing of the cause goes to the client.
            unexpected => ErrorDetail::of(log_unexpected(unexpected, request), request)
                .render(language, request),
        }
    }
}

impl<'r> Responder<'r, 'static> for Error {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        self.render(request)
    }
}

/// Logs an unexpected error and returns its status.
fn log_unexpected(error: &Error, request: &Request<'_>) -> Status {
    let ctx = request.rocket().state::<Context>();
    let id = ctx.map(|ctx| request_info::of(request, ctx).request_id.as_str()).unwrap_or_default();
    match error {
        Error::Database(error) if error.is_unavailable() => {
            tracing::error!(%error, request.id = id, "the database is not available");
            Status::ServiceUnavailable
        }
        Error::Database(error) => {
            tracing::error!(%error, request.id = id, "a request failed");
            Status::InternalServerError
        }
        _ => {
            tracing::warn!(request.id = id, "refused: too many are waiting");
            Status::ServiceUnavailable
        }
    }
}

/// The error of a failed guard.
struct GuardError(Option<Error>);

/// Returns the catchers of the JSON API.
#[must_use]
pub fn catchers() -> Vec<Catcher> {
    catchers![show]
}

#[catch(default)]
fn show(status: Status, _request: &Request<'_>) -> CatcherResponse {
    CatcherResponse(status)
}

/// The response to a request that no handler answered.
struct CatcherResponse(Status);

impl<'r> Responder<'r, 'static> for CatcherResponse {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        if let GuardError(Some(error)) = request.local_cache(|| GuardError(None)) {
            return error.render(request);
        }
        // Rocket answers 404 when a path exists with another method.
        let is_other_method = self.0 == Status::NotFound && !methods::allowed(request).is_empty();
        let status = if is_other_method { Status::MethodNotAllowed } else { self.0 };
        ErrorDetail::of(status, request).render(locale::language(request), request)
    }
}
