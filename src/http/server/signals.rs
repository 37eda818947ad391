//! Stops the application on signals, as Rocket's setting `shutdown` says.

use rocket::Shutdown;
use rocket::config::Shutdown as Settings;

/// Stops the application on each of the signals.
#[cfg(unix)]
pub(super) fn stop_on(settings: &Settings, shutdown: &Shutdown) {
    use rocket::config::Sig;
    use rocket::tokio::signal::unix::{SignalKind, signal};

    let interrupt = settings.ctrlc.then_some(Sig::Int);
    for name in settings.signals.iter().copied().chain(interrupt) {
        let kind = match name {
            Sig::Alrm => SignalKind::alarm(),
            Sig::Chld => SignalKind::child(),
            Sig::Hup => SignalKind::hangup(),
            Sig::Int => SignalKind::interrupt(),
            Sig::Io => SignalKind::io(),
            Sig::Pipe => SignalKind::pipe(),
            Sig::Quit => SignalKind::quit(),
            Sig::Term => SignalKind::terminate(),
            Sig::Usr1 => SignalKind::user_defined1(),
            Sig::Usr2 => SignalKind::user_defined2(),
        };
        match signal(kind) {
            Ok(mut signal) => {
                let shutdown = shutdown.clone();
                rocket::tokio::spawn(async move {
                    signal.recv().await;
                    shutdown.notify();
                });
            }
            Err(error) => tracing::warn!(%error, signal = %name, "the signal cannot be handled"),
        }
    }
}

/// Stops the application on Ctrl-C; other systems have no signals.
#[cfg(not(unix))]
pub(super) fn stop_on(settings: &Settings, shutdown: &Shutdown) {
    if settings.ctrlc {
        let shutdown = shutdown.clone();
        rocket::tokio::spawn(async move {
            if rocket::tokio::signal::ctrl_c().await.is_ok() {
                shutdown.notify();
            }
        });
    }
}
