//! The log lines of one test, which runs on one thread.

use std::io::Write;
use std::sync::{Arc, Mutex, Once};

use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{self, DefaultGuard, Interest};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Takes log lines.
#[derive(Clone, Default)]
pub(crate) struct LogLines(Arc<Mutex<Vec<u8>>>);

impl LogLines {
    /// Takes every line of this thread as text, while the guard lives.
    pub(crate) fn listens(&self) -> DefaultGuard {
        let lines = tracing_subscriber::fmt().with_max_level(Level::TRACE);
        subscriber::set_default(lines.with_writer(self.clone()).finish())
    }

    /// Takes the lines of this thread that tell outcomes as objects, while the guard lives.
    pub(crate) fn listens_for_objects(&self) -> DefaultGuard {
        let lines =
            tracing_subscriber::fmt().json().flatten_event(true).with_max_level(Level::INFO);
        subscriber::set_default(lines.with_writer(self.clone()).finish())
    }

    /// What was written since the last time.
    pub(crate) fn taken(&self) -> String {
        let bytes = std::mem::take(&mut *self.0.lock().expect("no panic"));
        String::from_utf8(bytes).expect("text")
    }
}

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogLines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Registers a subscriber that wants to be asked about every line and takes none. `tracing` remembers of each
/// line whether anybody wants it; a line that is first reached beside no subscriber could be remembered as
/// unwanted in the moment at which a test begins to listen on its own thread.
pub(super) fn keep_on() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        subscriber::set_global_default(Undecided).expect("no test sets another one");
    });
}

struct Undecided;

impl tracing::Subscriber for Undecided {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &tracing::Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
