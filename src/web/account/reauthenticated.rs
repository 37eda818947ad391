//! What a dangerous form requires: the password, or a recent reauthentication by a provider from
//! users without a password.

use rocket::response::Redirect;
use validator::ValidationErrors;

use super::reauthentication;
use crate::context::Context;
use crate::http::guards;
use crate::http::guards::SignedIn;
use crate::types::Password;
use crate::web::error::Error;

/// The password's field on every such form.
const PASSWORD: &str = "password";

/// What the form requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReauthenticationPrompt {
    /// The password, in the form.
    Password,
    /// Nothing: the user has reauthenticated recently.
    NotNeeded,
}

impl ReauthenticationPrompt {
    /// Returns what is required of the user, or the redirect to the reauthentication page, which
    /// leads back to `back`.
    pub(crate) async fn of(
        ctx: &Context,
        reader: &SignedIn,
        back: &str,
    ) -> Result<Result<Self, Redirect>, Error> {
        if reader.user().has_password {
            return Ok(Ok(Self::Password));
        }
        let has_proved = guards::has_reauthenticated(ctx, reader).await?;
        Ok(if has_proved { Ok(Self::NotNeeded) } else { Err(reauthentication::redirect_for(back)) })
    }

    /// Returns whether the form has a password field.
    pub(crate) fn asks_password(self) -> bool {
        self == Self::Password
    }

    /// Removes the errors of a password field that the form does not have.
    pub(crate) fn filter(
        self,
        rules: Result<(), ValidationErrors>,
    ) -> Result<(), ValidationErrors> {
        let Err(mut errors) = rules else { return Ok(()) };
        if !self.asks_password() {
            errors.errors_mut().remove(PASSWORD);
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Returns the password, if it was required. The form has passed its rules.
    pub(crate) fn password(self, typed: &str) -> Option<Password> {
        self.asks_password()
            .then(|| Password::parse(typed).expect("the rules hold, and they are this parser"))
    }
}
