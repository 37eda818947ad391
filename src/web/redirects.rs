//! Redirects on the way to something: the log-in page and the reauthentication page, which lead
//! back.

use rocket::response::Redirect;
use url::form_urlencoded;

use crate::paths;

/// Returns the redirect to the log-in page, which goes on to `next` unless it is empty.
pub(crate) fn to_login(next: &str) -> Redirect {
    if next.is_empty() { Redirect::to(paths::LOGIN) } else { with_next(paths::LOGIN, next) }
}

/// Returns the redirect to the reauthentication page, which goes on to `next`.
pub(crate) fn to_reauthentication(next: &str) -> Redirect {
    with_next(paths::REAUTHENTICATION, next)
}

fn with_next(path: &str, next: &str) -> Redirect {
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    Redirect::to(format!("{path}?next={next}"))
}
