//! What a dangerous form requires: the password, or a recent reauthentication by a provider from
//! users without a password.

use crate::context::Context;
use crate::http::guards;
use crate::http::guards::SignedIn;
use crate::types::Password;
use crate::web::error::Error;
use crate::web::forms::{Field, FormErrors};

/// What the form requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReauthenticationPrompt {
    /// The password, in the form's field `password`.
    Password,
    /// Nothing: the user has reauthenticated recently.
    NotNeeded,
}

impl ReauthenticationPrompt {
    /// Returns what is required of the user. A user without a password who has not reauthenticated
    /// recently is redirected to do so, and comes back to `path`.
    pub(crate) async fn of(ctx: &Context, user: &SignedIn, path: &str) -> Result<Self, Error> {
        if user.user().has_password {
            return Ok(Self::Password);
        }
        if guards::has_reauthenticated(ctx, user).await? {
            return Ok(Self::NotNeeded);
        }
        Err(Error::ReauthenticationRequired(path.to_owned()))
    }

    /// Returns whether the form has a password field.
    pub(crate) fn asks_password(self) -> bool {
        self == Self::Password
    }

    /// Returns the errors without those of a password field that the page does not show.
    pub(crate) fn errors(self, errors: &FormErrors) -> FormErrors {
        if self.asks_password() { errors.clone() } else { errors.without("password") }
    }

    /// Returns the password, if it is required.
    pub(crate) fn password(self, field: &Field<Password>) -> Option<Password> {
        field.value().filter(|_| self.asks_password())
    }
}
