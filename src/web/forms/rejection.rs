//! Why a form was not taken, as its page says it: 422 with what is wrong, or 429 with how long to wait.

use std::time::Duration;

use rocket::http::Status;
use time::OffsetDateTime;

use super::{FormError, FormErrors};
use crate::accounts::NewPasswordError;
use crate::sessions::{Inactive, ProveError};
use crate::throttle;
use crate::throttle::ThrottleError;
use crate::web::error::Error;
use crate::web::page::{Page, PageContext};

/// Everything that is wrong, and how long to wait if that is why.
#[derive(Debug)]
pub(crate) struct Rejection {
    pub errors: FormErrors,
    wait: Option<Duration>,
}

impl From<FormErrors> for Rejection {
    fn from(errors: FormErrors) -> Self {
        Self { errors, wait: None }
    }
}

impl Rejection {
    /// One thing is wrong with one field.
    pub(crate) fn on_field(field: &'static str, key: &'static str) -> Self {
        FormErrors::on_field(field, [FormError::new(key)]).into()
    }

    /// The form as a whole cannot be taken.
    pub(crate) fn on_form(key: &'static str) -> Self {
        FormErrors::on_form(FormError::new(key)).into()
    }

    /// There were too many tries; the sentence says how long to wait.
    pub(crate) fn too_soon(page: &PageContext, key: &'static str, wait: Duration) -> Self {
        let errors = FormErrors::on_form(FormError::with(key, "wait", page.wait(wait)));
        Self { errors, wait: Some(wait) }
    }

    /// There were too many wrong passwords in a row: waiting does not help, and the sentence says what does.
    pub(crate) fn locked() -> Self {
        let errors = FormErrors::on_form(FormError::new("form.password_locked"));
        Self { errors, wait: Some(throttle::CLOSED) }
    }

    /// The account may not be used; to be said only after its password was given.
    pub(crate) fn inactive(page: &PageContext, inactive: Inactive) -> Self {
        FormErrors::on_form(match inactive {
            Inactive::Suspended(Some(until)) => {
                FormError::with("login.suspended_until", "until", page.date_time(until))
            }
            Inactive::Suspended(None) => FormError::new("login.suspended"),
            Inactive::Deleted(at) => FormError::with("login.deleted", "at", page.date_time(at)),
        })
        .into()
    }

    /// The account that is in the way is about to be deleted; to be said only to its owner.
    pub(crate) fn deletion_pending(page: &PageContext, at: OffsetDateTime) -> Self {
        FormErrors::on_form(FormError::with("signup.deletion_pending", "at", page.date_time(at)))
            .into()
    }

    /// A try was not admitted.
    pub(crate) fn throttled(page: &PageContext, error: ThrottleError) -> Result<Self, Error> {
        match error {
            ThrottleError::TooSoon(wait) => Ok(Self::too_soon(page, "form.too_soon", wait)),
            ThrottleError::Broken(error) => Err(error.into()),
        }
    }

    /// A signed-in person's password in `field` proved nothing.
    pub(crate) fn not_authenticated(
        page: &PageContext,
        field: &'static str,
        error: ProveError,
    ) -> Result<Self, Error> {
        match error {
            ProveError::Wrong => Ok(Self::on_field(field, "password.wrong")),
            ProveError::TooSoon(wait) => Ok(Self::too_soon(page, "form.too_soon", wait)),
            ProveError::Closed => Ok(Self::locked()),
            ProveError::Busy(full) => Err(full.into()),
            ProveError::Broken(error) => Err(error.into()),
        }
    }

    /// A new password in `field` was not taken.
    pub(crate) fn new_password_rejected(
        field: &'static str,
        error: NewPasswordError,
    ) -> Result<Self, Error> {
        match error {
            NewPasswordError::Weak(found) => {
                Ok(FormErrors::default().with_weaknesses(field, found).into())
            }
            NewPasswordError::Busy(full) => Err(full.into()),
        }
    }

    /// The page of the form with the status of the rejection.
    pub(crate) fn apply_to(&self, page: Page) -> Page {
        match self.wait {
            Some(wait) => page.with_status(Status::TooManyRequests).retry_after(wait),
            None => page.with_status(Status::UnprocessableEntity),
        }
    }
}
