//! `daemun changepassword`, and reading passwords at the terminal.

use std::io::{BufRead as _, IsTerminal as _};

use super::{CommandError, logging, print_line, serve};
use crate::accounts::{NewPasswordError, Weakness};
use crate::config::Settings;
use crate::flows;
use crate::flows::account::password_change::SetPasswordError;
use crate::i18n::Language;
use crate::types::{Email, EmailError, Password, RequestInfo};

/// Longer than any password; bounds what is read if a large file is piped in.
const MAX_LINE: u64 = 16 * 1024;

/// Sets another password for an account.
pub(super) async fn change(
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
    let changed =
        flows::account::password_change::set_by_operator(&ctx, &email, password, &info).await;
    ctx.db.close().await;
    match changed {
        Ok(()) => {
            print_line(&language.say("cli.password_changed"));
            Ok(())
        }
        Err(SetPasswordError::Unknown) => Err(CommandError::line(language.say("cli.no_account"))),
        Err(SetPasswordError::NotTaken(error)) => Err(new_password_error(language, &error)),
        Err(SetPasswordError::Database(error)) => Err(CommandError::line(
            language.tell("cli.cannot_start", &[("why", &error.to_string())]),
        )),
    }
}

/// Parses an e-mail address.
pub(super) fn email(language: Language, typed: &str) -> Result<Email, CommandError> {
    Email::parse(typed).map_err(|error| {
        CommandError::line(match error {
            EmailError::Invisible(_) => {
                language.tell("email.invisible", &[("sign", &error.sign())])
            }
            EmailError::Missing | EmailError::TooLong | EmailError::Malformed => {
                language.say("email.malformed").into_owned()
            }
        })
    })
}

/// Reads a password: prompts twice on a terminal, otherwise reads the first line of standard input.
pub(super) fn ask(language: Language) -> Result<Password, CommandError> {
    let unreadable = |_| CommandError::line(language.say("cli.unreadable"));
    let typed = if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password(prompt(language, "field.password"));
        let again = rpassword::prompt_password(prompt(language, "field.password_again"));
        let (first, again) = (first.map_err(unreadable)?, again.map_err(unreadable)?);
        if first != again {
            return Err(CommandError::line(language.say("password.differs")));
        }
        first
    } else {
        let mut line = String::new();
        let mut input = std::io::Read::take(std::io::stdin().lock(), MAX_LINE);
        input.read_line(&mut line).map_err(unreadable)?;
        // Windows writes a byte order mark before piped text; it is not part of the password.
        line.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']).to_owned()
    };
    if typed.contains('\0') {
        return Err(CommandError::line(language.say("form.unreadable")));
    }
    Password::parse(&typed).map_err(|_| CommandError::line(language.say("password.missing")))
}

fn prompt(language: Language, key: &'static str) -> String {
    format!("{}: ", language.say(key))
}

/// Returns everything that is wrong with a password.
pub(super) fn new_password_error(language: Language, error: &NewPasswordError) -> CommandError {
    match error {
        NewPasswordError::Weak(found) => {
            CommandError(found.iter().map(|weakness| sentence(language, *weakness)).collect())
        }
        NewPasswordError::Busy(_) => CommandError::line(language.say("error.503.text")),
    }
}

fn sentence(language: Language, weakness: Weakness) -> String {
    let bound = weakness.bound().map(|(name, number)| (name, number.to_string()));
    let values: Vec<_> = bound.iter().map(|(name, number)| (*name, number.as_str())).collect();
    language.tell(weakness.key(), &values)
}
