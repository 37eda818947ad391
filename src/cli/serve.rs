//! `daemun serve` and `daemun migrate`.

use std::path::Path;

use rocket::fairing::AdHoc;
use rocket::figment::Figment;

use super::{CommandError, logging, print_line};
use crate::app;
use crate::app::OpenError;
use crate::clock::Clock;
use crate::config::Settings;
use crate::context::{Context, ContextError};
use crate::db;
use crate::flows;
use crate::http::ServeError;
use crate::i18n::Language;
use crate::paths;

/// Serves until the process is told to stop.
pub(super) async fn serve(
    language: Language,
    settings: Settings,
    figment: Figment,
) -> Result<(), CommandError> {
    logging::start(&settings);
    // Each connection is a file; the soft limit of most systems is a tenth of what they allow.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    let ctx = open(language, settings).await?;
    let port = rocket::Config::try_from(&figment).map_or(0, |config| config.port);
    let unix_socket = ctx.settings.unix_socket.clone();
    let greeting = ctx.clone();
    // At lift-off, so that the link is printed only when it can be opened.
    let print_greeting =
        AdHoc::on_liftoff("Greeting", move |_| Box::pin(print_greeting(language, greeting)));
    let served = app::serve(figment, ctx.clone(), print_greeting).await;
    ctx.db.close().await;
    served.map_err(|error| {
        CommandError::line(serve_error(language, &error, port, unix_socket.as_deref()))
    })
}

/// Migrates the database.
pub(super) async fn migrate(language: Language, settings: Settings) -> Result<(), CommandError> {
    logging::start(&settings);
    let ctx = open(language, settings).await?;
    ctx.db.close().await;
    print_line(&language.say("cli.migrated"));
    Ok(())
}

/// Opens the context, or says in one line what cannot be opened.
pub(super) async fn open(language: Language, settings: Settings) -> Result<Context, CommandError> {
    let url = settings.database_url.to_string();
    app::open(settings, Clock::of_the_machine()).await.map_err(|error| {
        // An error is one line on standard error; messages of databases have several.
        let why = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        let line = match &error {
            OpenError::Migration(error)
            | OpenError::Context(ContextError::Database(db::OpenError::Database(error)))
                if error.is_read_only() =>
            {
                language.tell("cli.read_only_database", &[("url", &url)])
            }
            OpenError::Migration(_) | OpenError::Context(ContextError::Database(_)) => {
                language.tell("cli.no_database", &[("url", &url), ("why", &why)])
            }
            OpenError::SecretReadable(file) => {
                language.tell("check.secret_readable", &[("path", &file.display().to_string())])
            }
            _ => language.tell("cli.cannot_start", &[("why", &why)]),
        };
        CommandError::line(line)
    })
}

async fn print_greeting(language: Language, ctx: Context) {
    let url = ctx.settings.public_url.as_str();
    print_line(&language.tell("cli.serving", &[("url", url)]));
    match flows::admin::setup::create_link(&ctx).await {
        Ok(None) => {}
        Ok(Some(token)) => {
            let link = format!("{url}{}", paths::admin_setup_link(token.expose()));
            print_line(&language.tell("cli.first_superuser", &[("link", &link)]));
        }
        Err(error) => tracing::error!(%error, "the setup link could not be created"),
    }
}

fn serve_error(
    language: Language,
    error: &ServeError,
    port: u16,
    unix_socket: Option<&Path>,
) -> String {
    let port = port.to_string();
    match (error, unix_socket) {
        (ServeError::Bind(why), Some(path)) => {
            let path = path.display().to_string();
            language.tell("cli.cannot_open_socket", &[("path", &path), ("why", &why.to_string())])
        }
        (ServeError::Bind(why), None) if why.kind() == std::io::ErrorKind::AddrInUse => {
            language.tell("cli.port_in_use", &[("port", &port)])
        }
        (ServeError::Bind(why), None) => {
            language.tell("cli.cannot_bind", &[("port", &port), ("why", &why.to_string())])
        }
        (ServeError::Rocket(error), _) => {
            language.tell("cli.cannot_start", &[("why", &error.kind().to_string())])
        }
    }
}
