//! The grammar of the command line, in the terminal's language.
//!
//! Runs nothing.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

use crate::i18n::Language;
use crate::types::Email;

/// Returns the command line of `daemun`.
pub(super) fn daemun(language: Language) -> Command {
    let t = |key| language.say(key).into_owned();
    let command = |name: &'static str, about: &'static str| {
        let command = Command::new(name).about(t(about));
        localized(command, language)
    };
    let email = || Arg::new("email").value_name("E-MAIL").required(true);
    let root = Command::new("daemun")
        .about(t("cli.about"))
        .after_help(t("cli.after"))
        .version(env!("CARGO_PKG_VERSION"))
        // clap's own flags are in English; the ones below have texts in both languages.
        .disable_version_flag(true)
        .subcommand(command("serve", "cli.serve"))
        .subcommand(command("migrate", "cli.migrate"))
        .subcommand(
            command("createsuperuser", "cli.createsuperuser")
                .after_help(t("cli.password"))
                .arg(email().long("email").help(t("cli.email"))),
        )
        .subcommand(
            command("changepassword", "cli.changepassword")
                .after_help(t("cli.password"))
                .arg(email().help(t("cli.email"))),
        )
        .subcommand(
            command("check", "cli.check").arg(
                Arg::new("mail")
                    .long("mail")
                    .value_name("E-MAIL")
                    .value_parser(Email::parse)
                    .help(t("cli.check_mail")),
            ),
        )
        .subcommand(
            command("keys", "cli.keys")
                .subcommand_required(true)
                .subcommand(command("rotate", "cli.keys_rotate"))
                .subcommand(command("replace", "cli.keys_replace"))
                .subcommand(command("list", "cli.keys_list"))
                .subcommand(command("show", "cli.keys_show")),
        );
    localized(root, language).arg(
        Arg::new("version")
            .short('V')
            .long("version")
            .action(ArgAction::Version)
            .help(t("cli.version")),
    )
}

/// Adds clap's own texts in the terminal's language.
fn localized(command: Command, language: Language) -> Command {
    let t = |key| language.say(key).into_owned();
    let template =
        format!("{{about}}\n\n{} {{usage}}\n\n{{all-args}}{{after-help}}", t("cli.usage"));
    command
        .help_template(template)
        .subcommand_help_heading(t("cli.commands"))
        .subcommand_value_name("…")
        .next_help_heading(t("cli.arguments"))
        .disable_help_subcommand(true)
        .disable_help_flag(true)
        .arg(Arg::new("help").short('h').long("help").action(ArgAction::Help).help(t("cli.help")))
}

/// Returns one line for a command line that clap did not understand.
pub(super) fn usage_error(language: Language, error: &clap::Error) -> String {
    let what = |kinds: &[ContextKind]| {
        let found = kinds.iter().find_map(|kind| match error.get(*kind)? {
            ContextValue::String(text) => Some(text.clone()),
            ContextValue::Strings(texts) => Some(texts.join(", ")),
            _ => None,
        });
        found.unwrap_or_default()
    };
    let culprit =
        what(&[ContextKind::InvalidSubcommand, ContextKind::InvalidArg, ContextKind::InvalidValue]);
    let (key, culprit) = match error.kind() {
        ErrorKind::InvalidSubcommand => ("cli.unknown_command", culprit),
        // The only value that clap itself parses is an e-mail address.
        ErrorKind::ValueValidation => {
            ("cli.not_an_address", what(&[ContextKind::InvalidValue]).escape_debug().to_string())
        }
        ErrorKind::MissingSubcommand => {
            ("cli.missing_argument", what(&[ContextKind::ValidSubcommand]))
        }
        ErrorKind::MissingRequiredArgument
        | ErrorKind::InvalidValue
        | ErrorKind::TooFewValues
        | ErrorKind::WrongNumberOfValues => ("cli.missing_argument", culprit),
        _ => ("cli.unknown_argument", culprit),
    };
    language.tell(key, &[("what", &culprit)])
}
