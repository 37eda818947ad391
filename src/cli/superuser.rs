//! `daemun createsuperuser`.

use super::password::{ask, email, new_password_error};
use super::{CommandError, logging, print_line, serve};
use crate::config::Settings;
use crate::flows;
use crate::flows::admin::setup::SetupError;
use crate::i18n::Language;
use crate::types::RequestInfo;

/// Creates a superuser.
pub(super) async fn create(
    language: Language,
    settings: Settings,
    typed: &str,
) -> Result<(), CommandError> {
    logging::start(&settings);
    // Before the prompt, so that no password is typed for a mistyped address.
    let email = email(language, typed)?;
    let ctx = serve::open(language, settings).await?;
    let password = ask(language)?;
    let info = RequestInfo::from_terminal(ctx.random.request_id());
    let made = flows::admin::setup::create_superuser(&ctx, email, language, password, &info).await;
    ctx.db.close().await;
    match made {
        Ok(_) => {
            print_line(&language.say("cli.superuser_created"));
            Ok(())
        }
        Err(SetupError::EmailTaken) => Err(CommandError::line(language.say("email.taken"))),
        Err(SetupError::LocalEmail) => Err(CommandError::line(language.say("email.local"))),
        Err(SetupError::PasswordRejected(error)) => Err(new_password_error(language, &error)),
        Err(error @ (SetupError::BadLink | SetupError::Database(_))) => Err(CommandError::line(
            language.tell("cli.cannot_start", &[("why", &error.to_string())]),
        )),
    }
}
