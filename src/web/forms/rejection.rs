//! Why a form was not taken, as its page says it: 422 with what is wrong, or 429 with how long to wait.

use std::time::Duration;

use rocket::http::Status;
use time::OffsetDateTime;

use super::{Complaint, Complaints};
use crate::accounts::NewPasswordError;
use crate::sessions::{Inactive, ProveError};
use crate::throttle;
use crate::throttle::ThrottleError;
use crate::web::error::Error;
use crate::web::page::{Frame, Page};

/// Everything that is wrong, and how long to wait if that is why.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub complaints: Complaints,
    wait: Option<Duration>,
}

impl From<Complaints> for Refusal {
    fn from(complaints: Complaints) -> Self {
        Self { complaints, wait: None }
    }
}

impl Refusal {
    /// One thing is wrong with one field.
    pub(crate) fn about(field: &'static str, key: &'static str) -> Self {
        Complaints::about(field, [Complaint::new(key)]).into()
    }

    /// The form as a whole cannot be taken.
    pub(crate) fn of_all(key: &'static str) -> Self {
        Complaints::of_all(Complaint::new(key)).into()
    }

    /// There were too many tries; the sentence says how long to wait.
    pub(crate) fn too_soon(frame: &Frame, key: &'static str, wait: Duration) -> Self {
        let complaints = Complaints::of_all(Complaint::with(key, "wait", frame.wait(wait)));
        Self { complaints, wait: Some(wait) }
    }

    /// There were too many wrong passwords in a row: waiting does not help, and the sentence says what does.
    pub(crate) fn closed() -> Self {
        let complaints = Complaints::of_all(Complaint::new("form.password_locked"));
        Self { complaints, wait: Some(throttle::CLOSED) }
    }

    /// The account may not be used; to be said only after its password was given.
    pub(crate) fn inactive(frame: &Frame, inactive: Inactive) -> Self {
        Complaints::of_all(match inactive {
            Inactive::Suspended(Some(until)) => {
                Complaint::with("login.suspended_until", "until", frame.moment(until))
            }
            Inactive::Suspended(None) => Complaint::new("login.suspended"),
            Inactive::Deleted(at) => Complaint::with("login.deleted", "at", frame.moment(at)),
        })
        .into()
    }

    /// The account that is in the way is about to be deleted; to be said only to its owner.
    pub(crate) fn leaving(frame: &Frame, at: OffsetDateTime) -> Self {
        Complaints::of_all(Complaint::with("signup.deletion_pending", "at", frame.moment(at)))
            .into()
    }

    /// A try was not admitted.
    pub(crate) fn not_now(frame: &Frame, error: ThrottleError) -> Result<Self, Error> {
        match error {
            ThrottleError::TooSoon(wait) => Ok(Self::too_soon(frame, "form.too_soon", wait)),
            ThrottleError::Broken(error) => Err(error.into()),
        }
    }

    /// A signed-in person's password in `field` proved nothing.
    pub(crate) fn not_proved(
        frame: &Frame,
        field: &'static str,
        error: ProveError,
    ) -> Result<Self, Error> {
        match error {
            ProveError::Wrong => Ok(Self::about(field, "password.wrong")),
            ProveError::TooSoon(wait) => Ok(Self::too_soon(frame, "form.too_soon", wait)),
            ProveError::Closed => Ok(Self::closed()),
            ProveError::Busy(full) => Err(full.into()),
            ProveError::Broken(error) => Err(error.into()),
        }
    }

    /// A new password in `field` was not taken.
    pub(crate) fn not_taken(field: &'static str, error: NewPasswordError) -> Result<Self, Error> {
        match error {
            NewPasswordError::Weak(found) => Ok(Complaints::default().and(field, found).into()),
            NewPasswordError::Busy(full) => Err(full.into()),
        }
    }

    /// The page of the form with the status of the refusal.
    pub(crate) fn mark(&self, page: Page) -> Page {
        match self.wait {
            Some(wait) => page.with_status(Status::TooManyRequests).retry_after(wait),
            None => page.with_status(Status::UnprocessableEntity),
        }
    }
}
