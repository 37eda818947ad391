//! Logs each request that is refused because of who sends it, from where or how often: 403, 421,
//! 429, whatever the origin guard refuses, and invalid tokens.
//!
//! Does not log wrong passwords: those are logged where they are compared, with the user's id.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::Status;
use rocket::{Request, Response};

use super::{guards, request_info};
use crate::context::Context;

/// Why a request is refused; the first reason counts.
struct Reason(Option<&'static str>);

/// The reason of a refusal that has been logged already.
pub(crate) const IS_LOGGED: &str = "logged";

/// The code for requests without credentials; these are not logged.
pub(crate) const NO_CREDENTIALS: &str = "not_authenticated";

/// Sets the reason for the log.
pub(crate) fn set_reason(request: &Request<'_>, reason: &'static str) {
    request.local_cache(|| Reason(Some(reason)));
}

/// The status with which the origin guard has refused a request.
struct Refused(Option<Status>);

/// Records that the origin guard has refused a request; the first refusal counts.
pub(super) fn set_refused(request: &Request<'_>, status: Status, reason: &'static str) {
    request.local_cache(|| Refused(Some(status)));
    set_reason(request, reason);
}

/// Returns the status with which the origin guard has refused a request.
pub(super) fn refused_status(request: &Request<'_>) -> Option<Status> {
    request.local_cache(|| Refused(None)).0
}

/// Returns whether the origin guard has refused a request.
pub(crate) fn is_refused(request: &Request<'_>) -> bool {
    refused_status(request).is_some()
}

/// Writes the log lines.
#[derive(Debug)]
pub struct RefusalLog;

#[rocket::async_trait]
impl Fairing for RefusalLog {
    fn info(&self) -> Info {
        Info { name: "Refusal log", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let Some(ctx) = request.rocket().state::<Context>() else { return };
        let status = response.status();
        let Some(reason) = reason(request, status) else { return };
        let route = request.route().filter(|_| !is_refused(request));
        tracing::info!(
            http.status = status.code,
            http.method = request.method().as_str(),
            // The route and never the path, because paths contain tokens.
            http.route = route.map_or("", |route| route.uri.as_str()),
            refusal.reason = reason,
            request.id = request_info::of(request, ctx).request_id,
            "request refused"
        );
    }
}

/// Returns the reason, if the response is a refusal that has not been logged yet.
fn reason(request: &Request<'_>, status: Status) -> Option<&'static str> {
    let shows_token = guards::bearer(request).is_some();
    let Reason(given) = request.local_cache(|| Reason(None));
    match (status.code, *given) {
        (_, Some(IS_LOGGED)) => None,
        // A request without credentials is ordinary; one with a token that is not valid is not.
        (401, Some(NO_CREDENTIALS) | None) => shows_token.then_some("token_not_valid"),
        (401 | 403 | 421 | 429, Some(reason)) => Some(reason),
        (403, None) => Some("permission_denied"),
        (421, None) => Some("misdirected_request"),
        (429, None) => Some("throttled"),
        (_, reason) if is_refused(request) => reason,
        _ => None,
    }
}
