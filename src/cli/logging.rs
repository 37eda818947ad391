//! Writes log lines to standard error, as text or as JSON.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

use crate::config::{LogFormat, LogLevel, Settings};

/// Starts logging as the settings say. Panics are logged like anything else.
pub(super) fn start(settings: &Settings) {
    use LevelFilter as Level;
    let (ours, theirs) = match settings.log_level {
        LogLevel::Off => (Level::OFF, Level::OFF),
        LogLevel::Critical => (Level::ERROR, Level::ERROR),
        // Lines of other crates appear only if something is wrong.
        LogLevel::Normal => (Level::INFO, Level::WARN),
        LogLevel::Debug => (Level::DEBUG, Level::DEBUG),
    };
    let wanted = Targets::new().with_default(theirs).with_target("daemun", ours);
    // Standard output is for results, which scripts read.
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines = match settings.log_format {
        LogFormat::Text => {
            // Colour codes would make a file hard to search.
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_ansi(is_terminal).boxed()
        }
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // A second start in one process, as in tests, changes nothing.
    let _ = tracing::subscriber::set_global_default(registry().with(lines.with_filter(wanted)));
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let what = panic.payload_as_str().unwrap_or_default();
        tracing::error!(panic.location = place, panic.message = what, "a thread panicked");
    }));
}
