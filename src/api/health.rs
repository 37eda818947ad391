//! For the machines that watch over this one.

use rocket::http::Status;
use rocket::{Route, State, get, routes};

use crate::ctx::Ctx;

pub(super) fn routes() -> Vec<Route> {
    routes![live, ready]
}

/// The process answers.
#[get("/health/live")]
fn live() -> &'static str {
    "live\n"
}

/// The process answers and its database does too.
#[get("/health/ready")]
async fn ready(ctx: &State<Ctx>) -> (Status, &'static str) {
    match ctx.db.ping().await {
        Ok(()) => (Status::Ok, "ready\n"),
        Err(error) => {
            tracing::error!(%error, "not ready");
            (Status::ServiceUnavailable, "not ready\n")
        }
    }
}
