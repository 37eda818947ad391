//! What a dangerous form asks of its sender: the password, or of whoever has none to have just been
//! proved by a provider.

use rocket::response::Redirect;
use validator::ValidationErrors;

use super::reauthentication;
use crate::context::Ctx;
use crate::http::guards;
use crate::http::guards::SignedIn;
use crate::types::Password;
use crate::web::error::Error;

/// The name that the password has on every such form.
const PASSWORD: &str = "password";

/// What is prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReauthenticationPrompt {
    /// The password.
    Password,
    /// NotNeeded more.
    NotNeeded,
}

impl ReauthenticationPrompt {
    /// What is asked of somebody, or the way to being proved, which leads back to this path.
    pub(crate) async fn of(
        ctx: &Ctx,
        reader: &SignedIn,
        back: &str,
    ) -> Result<Result<Self, Redirect>, Error> {
        if reader.person().has_password {
            return Ok(Ok(Self::Password));
        }
        let has_proved = guards::has_just_proved(ctx, reader).await?;
        Ok(if has_proved { Ok(Self::NotNeeded) } else { Err(reauthentication::redirect_for(back)) })
    }

    /// Whether the form has a field for the password.
    pub(crate) fn asks_password(self) -> bool {
        self == Self::Password
    }

    /// What is wrong with a form, without what was not prompt.
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

    /// The password, if it was prompt. The rules hold.
    pub(crate) fn password(self, typed: &str) -> Option<Password> {
        self.asks_password()
            .then(|| Password::parse(typed).expect("the rules hold, and they are this parser"))
    }
}
