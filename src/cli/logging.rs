//! Where log lines go: standard error, for people or as JSON.

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

use crate::config::{LogFormat, LogLevel, Settings};

/// Starts logging as the settings say. Other crates are heard when something is wrong.
pub(super) fn start(settings: &Settings) {
    let (ours, theirs) = match settings.log_level {
        LogLevel::Off => (LevelFilter::OFF, LevelFilter::OFF),
        LogLevel::Critical => (LevelFilter::ERROR, LevelFilter::ERROR),
        LogLevel::Normal => (LevelFilter::INFO, LevelFilter::WARN),
        LogLevel::Debug => (LevelFilter::DEBUG, LevelFilter::DEBUG),
    };
    let wanted = Targets::new()
        .with_default(theirs)
        .with_target("daemun", ours)
        // A request that is cut off while it waits for the database is no news.
        .with_target("sqlx", theirs.min(LevelFilter::from_level(Level::WARN)));
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
