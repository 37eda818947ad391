//! What other services look for under `/.well-known/`.

use rocket::http::Header;
use rocket::serde::json::{Json, Value};
use rocket::{Responder, Route, State, get, routes};

use crate::ctx::Ctx;
use crate::keys::PUBLISHED_ARE_KEPT;

pub(super) fn routes() -> Vec<Route> {
    routes![jwks]
}

#[derive(Responder)]
struct Published {
    keys: Json<Value>,
    cache: Header<'static>,
}

/// The public keys with which access tokens can be verified (RFC 7517).
#[get("/.well-known/jwks.json")]
fn jwks(ctx: &State<Ctx>) -> Published {
    let kept = format!("public, max-age={}", PUBLISHED_ARE_KEPT.as_secs());
    let keys = ctx.keyring().jwks(ctx.clock.now());
    Published { keys: Json(keys), cache: Header::new("Cache-Control", kept) }
}
