//! Errors of page handlers.
//!
//! An unexpected error is logged here, once, with the request id; its page says nothing about the
//! cause. Expected outcomes (a wrong password, a taken address) are not errors: handlers render
//! them as form errors.

use rocket::Request;
use rocket::http::Status;
use rocket::response::{self, Responder};
use thiserror::Error as ThisError;

use super::redirects;
use crate::context::Context;
use crate::crypto::QueueFull;
use crate::db::DbError;
use crate::http::request_info;

/// Why a handler returns an error page.
#[derive(Debug, ThisError)]
pub enum Error {
    /// A status such as 404 or 403: part of normal operation, so it is not logged.
    #[error("refused with {0}")]
    Refused(Status),
    /// The user has to reauthenticate first, and comes back to this path.
    #[error("reauthentication is required")]
    ReauthenticationRequired(String),
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] DbError),
    /// The queue for password hashing is full.
    #[error(transparent)]
    Busy(#[from] QueueFull),
    /// A template could not be rendered.
    #[error("a page could not be rendered: {0}")]
    Unrenderable(#[from] askama::Error),
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Refused(status)
    }
}

impl<'r> Responder<'r, 'static> for Error {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let id = request
            .rocket()
            .state::<Context>()
            .map(|ctx| request_info::of(request, ctx).request_id.as_str())
            .unwrap_or_default();
        match self {
            Self::Refused(status) => Err(status),
            Self::ReauthenticationRequired(next) => {
                redirects::to_reauthentication(&next).respond_to(request)
            }
            Self::Busy(_) => {
                tracing::warn!(request.id = id, "refused: too many are waiting");
                Err(Status::ServiceUnavailable)
            }
            Self::Database(error) if error.is_unavailable() => {
                tracing::error!(%error, request.id = id, "the database is not available");
                Err(Status::ServiceUnavailable)
            }
            other => {
                tracing::error!(error = %other, request.id = id, "a request failed");
                Err(Status::InternalServerError)
            }
        }
    }
}
