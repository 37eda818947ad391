//! Health checks, for the monitoring of this server.

use rocket::http::Status;
use rocket::{Route, State, get, routes};

use crate::api::openapi::{Endpoint, HttpMethod, Section, public};
use crate::context::Context;
use crate::paths;

pub(crate) fn routes() -> Vec<Route> {
    routes![live, ready]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route = |path, about| public(HttpMethod::Get, path, Section::Service, about);
    vec![
        route(paths::HEALTH_LIVE, "openapi.live").returns_text(200).returns_empty(421),
        route(paths::HEALTH_READY, "openapi.ready")
            .returns_text(200)
            .returns_text(503)
            .returns_empty(421),
    ]
}

/// Answers as long as the process does.
#[get("/health/live")]
fn live() -> &'static str {
    "live\n"
}

/// Checks that the database can be written.
#[get("/health/ready")]
async fn ready(ctx: &State<Context>) -> (Status, &'static str) {
    // A ping would look fine on a full disk or on a standby.
    match ctx.db.check_writable().await {
        Ok(()) => (Status::Ok, "ready\n"),
        Err(error) => {
            tracing::error!(%error, "not ready");
            (Status::ServiceUnavailable, "not ready\n")
        }
    }
}
