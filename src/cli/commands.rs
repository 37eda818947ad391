//! The grammar of the command line, in the terminal's language.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

use crate::i18n::Language;

/// `daemun` and everything it understands.
pub(super) fn daemun(language: Language) -> Command {
    let t = |key| language.say(key).into_owned();
    let command = |name: &'static str, about: &'static str| {
        let command = Command::new(name).about(t(about));
        dressed(command, language)
    };
    let email = || Arg::new("email").value_name("E-MAIL").required(true);
    let root = Command::new("daemun")
        .about(t("cli.about"))
        .after_help(t("cli.after"))
        .version(env!("CARGO_PKG_VERSION"))
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
        .subcommand(command("check", "cli.check"));
    dressed(root, language).arg(
        Arg::new("version")
            .short('V')
            .long("version")
            .action(ArgAction::Version)
            .help(t("cli.version")),
    )
}

/// clap's own words, in the terminal's language.
fn dressed(command: Command, language: Language) -> Command {
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

/// One line for a command line that clap did not understand.
pub(super) fn misunderstood(language: Language, error: &clap::Error) -> String {
    let culprit =
        [ContextKind::InvalidSubcommand, ContextKind::InvalidArg, ContextKind::InvalidValue]
            .into_iter()
            .find_map(|kind| match error.get(kind)? {
                ContextValue::String(text) => Some(text.clone()),
                ContextValue::Strings(texts) => Some(texts.join(", ")),
                _ => None,
            })
            .unwrap_or_default();
    let key = match error.kind() {
        ErrorKind::InvalidSubcommand => "cli.unknown_command",
        ErrorKind::MissingRequiredArgument
        | ErrorKind::InvalidValue
        | ErrorKind::TooFewValues
        | ErrorKind::WrongNumberOfValues => "cli.missing_argument",
        _ => "cli.unknown_argument",
    };
    language.tell(key, &[("what", &culprit)])
}
