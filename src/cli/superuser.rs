//! Making a superuser.

use super::password::{ask, email, not_taken};
use super::{Failed, logging, say, serve};
use crate::config::Settings;
use crate::flows;
use crate::flows::admin::setup::SetupError;
use crate::i18n::Language;
use crate::types::Caller;

/// Makes an account that may do everything.
pub(super) async fn create(
    language: Language,
    settings: Settings,
    typed: &str,
) -> Result<(), Failed> {
    logging::start(&settings);
    let email = email(language, typed)?;
    let ctx = serve::open(language, settings).await?;
    let password = ask(language)?;
    let caller = Caller::at_the_terminal(ctx.random.request_id());
    let made =
        flows::admin::setup::create_superuser(&ctx, (email, language), password, &caller).await;
    ctx.db.close().await;
    match made {
        Ok(_) => {
            say(&language.say("cli.superuser_created"));
            Ok(())
        }
        Err(SetupError::EmailTaken) => Err(Failed::line(language.say("email.taken"))),
        Err(SetupError::LocalEmail) => Err(Failed::line(language.say("email.local"))),
        Err(SetupError::PasswordRejected(error)) => Err(not_taken(language, &error)),
        Err(error @ (SetupError::BadLink | SetupError::Broken(_))) => {
            Err(Failed::line(language.tell("cli.cannot_start", &[("why", &error.to_string())])))
        }
    }
}
