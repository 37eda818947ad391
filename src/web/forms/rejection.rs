//! Why a form was rejected, as its page says it: 422 with the errors, or 429 with the time to wait.
//!
//! Turns the expected errors that several use cases share into form errors; it decides nothing.

use std::time::Duration;

use rocket::http::Status;
use time::OffsetDateTime;

use super::{FormError, FormErrors};
use crate::accounts::NewPasswordError;
use crate::sessions::{AuthError, Inactive};
use crate::throttle;
use crate::throttle::ThrottleError;
use crate::web::error::Error;
use crate::web::page::{Page, PageContext};

/// The errors of a form, and how long to wait if that is the reason.
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
    /// Returns one error about one field.
    pub(crate) fn on_field(field: &'static str, key: &'static str) -> Self {
        FormErrors::on_field(field, [FormError::new(key)]).into()
    }

    /// Returns one error about the form as a whole.
    pub(crate) fn on_form(key: &'static str) -> Self {
        FormErrors::on_form(FormError::new(key)).into()
    }

    /// Rejects one attempt too many; the sentence says how long to wait.
    pub(crate) fn too_soon(page: &PageContext, key: &'static str, wait: Duration) -> Self {
        let errors = FormErrors::on_form(FormError::with(key, "wait", page.wait(wait)));
        Self { errors, wait: Some(wait) }
    }

    /// Rejects log-ins to an account with too many wrong passwords in a row: waiting does not help,
    /// and the sentence says what does.
    pub(crate) fn locked() -> Self {
        let errors = FormErrors::on_form(FormError::new("form.password_locked"));
        Self { errors, wait: Some(throttle::CLOSED) }
    }

    /// Rejects a suspended or deleted account. Only for use after its password was verified.
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

    /// Rejects a sign-up because the owner's account is about to be deleted. Only for its owner.
    pub(crate) fn deletion_pending(page: &PageContext, at: OffsetDateTime) -> Self {
        FormErrors::on_form(FormError::with("signup.deletion_pending", "at", page.date_time(at)))
            .into()
    }

    /// Rejects a throttled attempt.
    pub(crate) fn throttled(page: &PageContext, error: ThrottleError) -> Result<Self, Error> {
        match error {
            ThrottleError::TooSoon(wait) => Ok(Self::too_soon(page, "form.too_soon", wait)),
            ThrottleError::Database(error) => Err(error.into()),
        }
    }

    /// Rejects the user's own password in `field`.
    pub(crate) fn not_authenticated(
        page: &PageContext,
        field: &'static str,
        error: AuthError,
    ) -> Result<Self, Error> {
        match error {
            AuthError::WrongCredentials => Ok(Self::on_field(field, "password.wrong")),
            AuthError::TooSoon(wait) => Ok(Self::too_soon(page, "form.too_soon", wait)),
            AuthError::Closed => Ok(Self::locked()),
            AuthError::Busy(full) => Err(full.into()),
            AuthError::Database(error) => Err(error.into()),
        }
    }

    /// Rejects a new password in `field`.
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

    /// Sets the status of the form's page.
    pub(crate) fn apply_to(&self, page: Page) -> Page {
        match self.wait {
            Some(wait) => page.with_status(Status::TooManyRequests).retry_after(wait),
            None => page.with_status(Status::UnprocessableEntity),
        }
    }
}
