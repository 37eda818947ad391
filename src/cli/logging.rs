//! Where log lines go: standard error, for people or as JSON.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

use crate::config::{LogFormat, LogLevel, Settings};

/// Starts logging as the settings say. Other crates are heard when something is wrong.
pub(super) fn start(settings: &Settings) {
    use LevelFilter as Level;
    let (ours, theirs, rockets) = match settings.log_level {
        LogLevel::Off => (Level::OFF, Level::OFF, Level::OFF),
        LogLevel::Critical => (Level::ERROR, Level::ERROR, Level::ERROR),
        LogLevel::Normal => (Level::INFO, Level::WARN, Level::ERROR),
        LogLevel::Debug => (Level::DEBUG, Level::DEBUG, Level::DEBUG),
    };
    let wanted = Targets::new()
        .with_default(theirs)
        .with_target("daemun", ours)
        // Rocket tells every refused form and every page that does not exist, under two names.
        .with_target("rocket", rockets)
        .with_target("_", rockets);
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines = match settings.log_format {
        LogFormat::Text => {
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_ansi(is_terminal).boxed()
        }
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // A second start in one process, as in tests, keeps the first one's lines.
    let _ = registry().with(lines.with_filter(wanted)).try_init();
}
