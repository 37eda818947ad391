//! Instants on pages.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::PageContext;

/// An instant as text and as `<time datetime>` wants it.
#[derive(Debug, Clone)]
pub(crate) struct Timestamp {
    pub text: String,
    /// RFC 3339.
    pub iso: String,
}

impl Timestamp {
    /// Formats date and time in the page's language.
    #[must_use]
    pub(crate) fn new(page: &PageContext, instant: OffsetDateTime) -> Self {
        // HTML allows at most three digits after the second.
        let seconds = instant.replace_nanosecond(0).unwrap_or(instant);
        Self { text: page.date_time(instant), iso: seconds.format(&Rfc3339).unwrap_or_default() }
    }

    /// Formats the date only.
    #[must_use]
    pub(crate) fn day(page: &PageContext, instant: OffsetDateTime) -> Self {
        Self { text: page.date(instant), ..Self::new(page, instant) }
    }
}
