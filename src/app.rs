//! Builds the application: the only file that knows every entry point.
//!
//! Holds no rule; it opens the context, attaches the fairings and mounts the routes.

use std::path::PathBuf;

use rocket::fairing::{AdHoc, Fairing};
use rocket::figment::Figment;
use rocket::figment::providers::Serialized;
use rocket::{Build, Orbit, Rocket};
use thiserror::Error;

use crate::clock::Clock;
use crate::config::{SettingError, Settings};
use crate::context::{Context, ContextError};
use crate::db::DbError;
use crate::flows;
use crate::http::{OpenApiDocuments, ServeError};
use crate::keys::KeysError;
use crate::{api, http, keys, web, worker};

/// Why the application cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The settings are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Settings(Vec<SettingError>),
    /// Every user of the machine can read a file that contains a secret.
    #[error("{} holds a secret and can be read by every user of this machine", .0.display())]
    SecretReadable(PathBuf),
    /// The database, the secret key or something else that the settings name cannot be opened.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The database cannot be migrated.
    #[error("the database cannot be migrated: {0}")]
    Migration(#[from] DbError),
    /// The signing keys cannot be read or created.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

/// Returns Daemun as a Rocket application. Mount your own routes on it and guard them with
/// [`SignedIn`](crate::SignedIn), [`Staff`](crate::Staff) or `Option<SignedIn>`.
///
/// When the application ignites, it reads the settings, opens the database and migrates it; if any
/// of that fails, ignition fails and the reason is logged.
#[must_use]
pub fn rocket(figment: Figment) -> Rocket<Build> {
    let open = AdHoc::try_on_ignite("Daemun", |rocket| async {
        let opened = match Settings::from_figment(rocket.figment()) {
            Ok(settings) => open(settings, Clock::of_the_machine()).await,
            Err(wrong) => Err(OpenError::Settings(wrong)),
        };
        match opened {
            Ok(ctx) => Ok(rocket.manage(ctx)),
            Err(error) => {
                tracing::error!(%error, "Daemun cannot start");
                Err(rocket)
            }
        }
    });
    with_entry_points(with_fixed_settings(figment))
        .attach(open)
        .attach(openapi_documents())
        .attach(worker::Worker::default())
}

/// Returns the application over an open context and without a [`Worker`](worker::Worker): the
/// caller decides when e-mails are sent.
#[must_use]
pub fn rocket_with(figment: Figment, ctx: Context) -> Rocket<Build> {
    with_entry_points(without_rocket_log(with_shutdown_grace(with_fixed_settings(figment))))
        .manage(ctx)
        .attach(openapi_documents())
}

/// Serves the application over an open context, with a worker, until the process is told to stop
/// and everything in progress is finished.
pub async fn serve(
    figment: Figment,
    ctx: Context,
    on_start: impl Fairing,
) -> Result<(), ServeError> {
    let worker = worker::Worker::awaited();
    let settings = ctx.settings.clone();
    let rocket = rocket_with(figment, ctx).attach(worker.clone()).attach(on_start);
    // The worker finishes its e-mails while requests are finished.
    let (trusted, unix_socket) = (&settings.trusted_proxies, settings.unix_socket.as_deref());
    let served = http::server::serve(rocket, trusted, unix_socket, || worker.stop_sending()).await;
    worker.finish().await;
    served
}

/// Opens the context, migrates the database and loads the signing keys.
pub async fn open(settings: Settings, clock: Clock) -> Result<Context, OpenError> {
    // Before anything is opened: a secret that every user of the machine can read is none.
    if let Some(file) = flows::system::checks::readable_secrets(&settings).into_iter().next() {
        return Err(OpenError::SecretReadable(file));
    }
    let ctx = Context::open(settings, clock).await?;
    ctx.db.migrate().await?;
    // After the migration, which creates their table.
    keys::load(&ctx).await?;
    Ok(ctx)
}

fn with_entry_points(figment: Figment) -> Rocket<Build> {
    let (pages, endpoints) = (web::routes(), api::routes());
    let options = http::options::routes(&[&pages[..], &endpoints[..]].concat());
    rocket::custom(figment)
        // Before routing, so that no route sees a refused request.
        .attach(http::OriginGuard)
        .attach(http::SecurityHeaders)
        .attach(http::Cors)
        .attach(http::RefusalLog)
        .attach(AdHoc::on_liftoff("Signing keys", |rocket| Box::pin(apply_key_settings(rocket))))
        .attach(AdHoc::on_liftoff("Forwarding notes", |rocket| {
            Box::pin(async { clear_proxy_diagnostics(rocket) })
        }))
        .mount("/", http::routes())
        .mount("/", pages)
        // Catchers are registered where their routes are mounted, so that a failed guard is
        // answered in the form that its client reads.
        .register("/", web::catchers())
        .mount("/", endpoints)
        .mount("/", options)
        .register("/api", api::catchers())
}

/// Generates the OpenAPI documents, which name the site's address, once the settings are read.
fn openapi_documents() -> AdHoc {
    AdHoc::on_ignite("OpenAPI documents", |rocket| async {
        let Some(ctx) = rocket.state::<Context>() else { return rocket };
        let documents = OpenApiDocuments::generate(|language| {
            let document = api::document(language, &ctx.settings);
            serde_json::to_value(document).expect("a description is plain data")
        });
        rocket.manage(documents)
    })
}

/// Creates the keys that the settings ask for.
async fn apply_key_settings(rocket: &Rocket<Orbit>) {
    // At lift-off and not when the context opens: a command that runs beside the server, perhaps
    // with other settings, must not change how it signs.
    let Some(ctx) = rocket.state::<Context>() else { return };
    if let Err(error) = flows::system::key_rotation::ensure_algorithm(ctx).await {
        tracing::error!(%error, "the signing keys stay as they are");
    }
}

/// Forgets what an earlier run noted about its proxies: they may have been corrected.
fn clear_proxy_diagnostics(rocket: &Rocket<Orbit>) {
    if let Some(ctx) = rocket.state::<Context>() {
        ctx.forwarding.clear();
    }
}

/// Fixes what no setting may change.
fn with_fixed_settings(figment: Figment) -> Figment {
    // The client's address comes from the socket or from `trusted_proxies`, never from a header
    // that any client can send; and the server does not name its software.
    figment.merge(Serialized::global("ip_header", false)).merge(Serialized::global("ident", false))
}

/// How long requests in progress may take when the server stops, in seconds. Rocket's default of
/// two is shorter than a queue of hashes on a busy machine.
const SHUTDOWN_GRACE_SECONDS: u32 = 5;

/// Sets the grace period, unless a file or the environment does.
fn with_shutdown_grace(figment: Figment) -> Figment {
    let set = figment.find_metadata("shutdown.grace");
    // Rocket's own default has no source, and is not a decision of the owner.
    let is_set = set.is_some_and(|by| by.source.is_some() || by.name.contains("environment"));
    if is_set {
        figment
    } else {
        figment.merge(Serialized::global("shutdown.grace", SHUTDOWN_GRACE_SECONDS))
    }
}

/// Turns Rocket's own log off; Daemun writes its own line per outcome.
fn without_rocket_log(figment: Figment) -> Figment {
    figment
        // It logs every refused form and every missing page, and at `debug` whole responses with
        // their cookies.
        .merge(Serialized::global("log_level", "off"))
        .merge(Serialized::global("cli_colors", false))
}
