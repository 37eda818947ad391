//! The command line, for the operator of the machine.
//!
//! Speaks the terminal's language. Results go to standard output; errors are one line on standard
//! error, with exit code 1, or 2 if the command itself was not understood. Holds no rule: use cases
//! do the work.

mod check;
mod commands;
mod keys;
mod logging;
mod password;
mod serve;
mod settings;
mod superuser;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use clap::ArgMatches;
use rocket::figment::Figment;

use crate::config;
use crate::config::Settings;
use crate::i18n::Language;
use crate::types::Email;

/// A command that failed, with the lines that say why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommandError(Vec<String>);

impl CommandError {
    fn line(line: impl Into<String>) -> Self {
        Self(vec![line.into()])
    }
}

/// Runs a command line and returns its exit code.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let language = Language::from_locale(&config::terminal_locale()).unwrap_or(Language::English);
    let matches = match commands::daemun(language).try_get_matches_from(arguments) {
        Ok(matches) => matches,
        // clap reports `--help` and `--version` as errors that go to standard output.
        Err(answer) if !answer.use_stderr() => {
            print_line(&answer.render().to_string());
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            print_error(&commands::usage_error(language, &error));
            return ExitCode::from(2);
        }
    };
    // Rocket's runtime reads settings of its own, and panics if they are wrong; so they are checked
    // first.
    let done = settings::read(language).and_then(|(settings, figment)| {
        rocket::execute(dispatch(language, settings, figment, &matches))
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(CommandError(lines)) => {
            for line in &lines {
                print_error(line);
            }
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(
    language: Language,
    settings: Settings,
    figment: Figment,
    matches: &ArgMatches,
) -> Result<(), CommandError> {
    match matches.subcommand() {
        None | Some(("serve", _)) => serve::serve(language, settings, figment).await,
        Some(("migrate", _)) => serve::migrate(language, settings).await,
        Some(("createsuperuser", given)) => {
            superuser::create(language, settings, argument(given)).await
        }
        Some(("changepassword", given)) => {
            password::change(language, settings, argument(given)).await
        }
        Some(("check", given)) => match given.get_one::<Email>("mail") {
            Some(to) => check::mail(language, &settings, to).await,
            None => check::check(language, &settings, &figment).await,
        },
        Some(("keys", given)) => keys::run(language, settings, given).await,
        Some((name, _)) => Err(CommandError::line(name)),
    }
}

/// Returns the only argument that some commands have: an e-mail address, which clap requires.
fn argument(matches: &ArgMatches) -> &str {
    matches.get_one::<String>("email").map_or("", String::as_str)
}

/// Prints a line to standard output.
fn print_line(line: &str) {
    // The reader of a pipe may have closed it; that is no error of ours.
    let _ = writeln!(std::io::stdout().lock(), "{}", line.trim_end());
}

/// Prints a line to standard error.
fn print_error(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
