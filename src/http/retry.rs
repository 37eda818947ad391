//! The `Retry-After` header (RFC 9110, 10.2.3).

use std::time::Duration;

use rocket::http::Header;

/// The wait after a 503: by then a full queue has been served.
pub(crate) const AFTER_OVERLOAD: Duration = Duration::from_secs(5);

/// Returns the header, in whole seconds, rounded up.
pub(crate) fn retry_after(wait: Duration) -> Header<'static> {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Header::new("Retry-After", seconds.to_string())
}
