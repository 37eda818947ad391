//! For the machines that watch over this one.

use rocket::http::Status;
use rocket::{Route, State, get, routes};

use crate::api::openapi::{Described, HttpMethod, Section, open};
use crate::context::Ctx;

pub(crate) fn routes() -> Vec<Route> {
    routes![live, ready]
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    let route = |path, about| open(HttpMethod::Get, path, Section::Service, about);
    vec![
        route("/health/live", "openapi.live").says(200),
        route("/health/ready", "openapi.ready").says(200).says(503),
    ]
}

/// The process answers.
#[get("/health/live")]
fn live() -> &'static str {
    "live\n"
}

/// The process answers, and what it is told can be written.
#[get("/health/ready")]
async fn ready(ctx: &State<Ctx>) -> (Status, &'static str) {
    match ctx.db.check_writable().await {
        Ok(()) => (Status::Ok, "ready\n"),
        Err(error) => {
            tracing::error!(%error, "not ready");
            (Status::ServiceUnavailable, "not ready\n")
        }
    }
}
