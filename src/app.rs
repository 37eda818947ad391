//! Builds the application: the only file that knows every door.

use std::path::PathBuf;

use rocket::fairing::{AdHoc, Fairing};
use rocket::figment::Figment;
use rocket::figment::providers::Serialized;
use rocket::{Build, Orbit, Rocket};
use thiserror::Error;

use crate::clock::Clock;
use crate::config::{SettingError, Settings};
use crate::context::{Ctx, CtxError};
use crate::db::DbError;
use crate::flows;
use crate::http::{Reference, ServeError};
use crate::keys::KeysError;
use crate::{api, http, keys, web, worker};

/// Why the application cannot open.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Settings are wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Settings(Vec<SettingError>),
    /// Every user of the machine can read a file with a secret in it.
    #[error("{} holds a secret and can be read by every user of this machine", .0.display())]
    SecretReadable(PathBuf),
    /// Something that the settings name cannot be opened.
    #[error(transparent)]
    Tools(#[from] CtxError),
    /// The tables cannot be brought up to date.
    #[error("the tables cannot be brought up to date: {0}")]
    Tables(#[from] DbError),
    /// The signing keys cannot be read or made.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

/// Daemun as a Rocket application. Mount routes of your own on it and guard them with
/// [`SignedIn`](crate::SignedIn), [`Staff`](crate::Staff) or `Option<SignedIn>`.
///
/// The settings are read, the database opened and its tables brought up to date when the application
/// ignites; if any of that fails, ignition fails and the reason is logged.
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
                tracing::error!(%error, "Daemun cannot open");
                Err(rocket)
            }
        }
    });
    doors(tamed(figment)).attach(open).attach(worker::Worker::default())
}

/// The same application over tools that are open already and without a [`Worker`](worker::Worker):
/// whoever asks it questions decides when letters go out.
#[must_use]
pub fn rocket_over(figment: Figment, ctx: Ctx) -> Rocket<Build> {
    doors(quiet(patient(tamed(figment)))).manage(ctx)
}

/// Serves the same application over tools that are open already, as the binary does: with a worker,
/// until the process is told to stop and what is on its way is finished.
///
/// # Errors
/// [`ServeError`] says why it does not serve.
pub async fn serve(figment: Figment, ctx: Ctx, greet: impl Fairing) -> Result<(), ServeError> {
    let worker = worker::Worker::waited_for();
    let settings = ctx.settings.clone();
    let rocket = rocket_over(figment, ctx).attach(worker.clone()).attach(greet);
    // Letters are finished while requests are.
    let (trusted, unix_socket) = (&settings.trusted_proxies, settings.unix_socket.as_deref());
    let served = http::server::serve(rocket, trusted, unix_socket, || worker.stops()).await;
    worker.ends().await;
    served
}

/// Opens the tools, brings the tables up to date and loads the signing keys.
///
/// # Errors
/// [`OpenError`] says what cannot be opened.
pub async fn open(settings: Settings, clock: Clock) -> Result<Ctx, OpenError> {
    if let Some(file) = flows::system::checks::readable_secrets(&settings).into_iter().next() {
        return Err(OpenError::SecretReadable(file));
    }
    let ctx = Ctx::open(settings, clock).await?;
    ctx.db.migrate().await?;
    keys::load(&ctx).await?;
    Ok(ctx)
}

fn doors(figment: Figment) -> Rocket<Build> {
    let describe = |language| {
        serde_json::to_value(api::document(language)).expect("a description is plain data")
    };
    rocket::custom(figment)
        .manage(Reference::written_by(describe))
        .attach(http::Gatekeeper)
        .attach(http::Headers)
        .attach(http::RefusalLog)
        .attach(AdHoc::on_liftoff("Signing keys", |rocket| Box::pin(follow_settings(rocket))))
        .attach(AdHoc::on_liftoff("Forwarding notes", |rocket| {
            Box::pin(async { forget_notes(rocket) })
        }))
        .mount("/", http::routes())
        .mount("/", web::routes())
        .register("/", web::catchers())
        .mount("/", api::routes())
        .register("/api", api::catchers())
}

/// Whoever serves sees to it that keys are as the settings want them; a command that somebody runs beside
/// the server, perhaps with other settings, does not.
async fn follow_settings(rocket: &Rocket<Orbit>) {
    let Some(ctx) = rocket.state::<Ctx>() else { return };
    if let Err(error) = flows::system::key_rotation::follow_settings(ctx).await {
        tracing::error!(%error, "the signing keys stay as they are");
    }
}

/// A server that starts knows nothing of its proxies yet.
fn forget_notes(rocket: &Rocket<Orbit>) {
    if let Some(ctx) = rocket.state::<Ctx>() {
        ctx.forwarding.forget();
    }
}

/// What is settled whatever the settings say: the client's address comes from the socket or from
/// `trusted_proxies` and never from a header that anybody can send, and the server does not introduce
/// itself.
fn tamed(figment: Figment) -> Figment {
    figment.merge(Serialized::global("ip_header", false)).merge(Serialized::global("ident", false))
}

/// How long whoever has begun is waited for when the server stops, in seconds. Rocket's own two are
/// shorter than a queue of hashes on a busy machine.
const GRACE: u32 = 5;

/// Waits for whoever has begun, unless somebody has set for how long.
fn patient(figment: Figment) -> Figment {
    let set = figment.find_metadata("shutdown.grace");
    let is_set = set.is_some_and(|by| by.source.is_some() || by.name.contains("environment"));
    if is_set { figment } else { figment.merge(Serialized::global("shutdown.grace", GRACE)) }
}

/// Daemun writes its own line per outcome. Rocket's own tell every refused form and every page that
/// does not exist, and at `debug` whole answers with their cookies: they are off at every level.
fn quiet(figment: Figment) -> Figment {
    figment
        .merge(Serialized::global("log_level", "off"))
        .merge(Serialized::global("cli_colors", false))
}
