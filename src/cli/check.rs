//! `daemun check`: checks the settings, and sends a test e-mail.

use rocket::figment::Figment;

use super::{CommandError, print_line};
use crate::clock::Clock;
use crate::config::Settings;
use crate::crypto::Random;
use crate::flows;
use crate::flows::system::checks::Finding;
use crate::i18n::Language;
use crate::mail::{EmailContent, EmailKind, Envelope, Mailer};
use crate::types::Email;

/// Checks the settings and what they name; fails if anything is wrong.
pub(super) async fn check(
    language: Language,
    settings: &Settings,
    figment: &Figment,
) -> Result<(), CommandError> {
    let listens_on = rocket::Config::try_from(figment).map(|config| config.address);
    let listens_on = listens_on.map_err(|error| CommandError::line(error.to_string()))?;
    let found =
        flows::system::checks::check_all(settings, listens_on, Clock::of_the_machine()).await;
    // Good findings go to standard output; problems are errors, so that scripts see the exit code.
    let (bad, good): (Vec<_>, Vec<_>) = found.iter().partition(|finding| finding.is_problem());
    for finding in good {
        print_line(&sentence(language, finding));
    }
    if bad.is_empty() {
        print_line(&language.say("check.good"));
        return Ok(());
    }
    Err(CommandError(bad.into_iter().map(|finding| sentence(language, finding)).collect()))
}

/// Sends a test e-mail.
pub(super) async fn mail(
    language: Language,
    settings: &Settings,
    to: &Email,
) -> Result<(), CommandError> {
    let failed =
        |why: String| CommandError::line(language.tell("check.mail_failed", &[("why", &why)]));
    // At once and without the outbox, so that the terminal shows what the mail server answers.
    let mailer = Mailer::open(settings).map_err(|error| failed(error.to_string()))?;
    let id = Random.request_id();
    let written_at = Clock::of_the_machine().now();
    let envelope = Envelope { id: &id, to, language, written_at };
    let sent = mailer.send(&envelope, &EmailContent::new(EmailKind::Test)).await;
    sent.map_err(|error| failed(error.to_string()))?;
    let values = [("to", to.as_typed()), ("where", &mailer.destination())];
    print_line(&language.tell("check.mail_sent", &values));
    Ok(())
}

fn sentence(language: Language, finding: &Finding) -> String {
    let (key, values) = finding.message();
    let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    language.tell(key, &values)
}
