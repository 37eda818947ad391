//! What other services look for under `/.well-known/`.

use rocket::http::Header;
use rocket::serde::json::{Json, Value};
use rocket::{Responder, Route, State, get, routes};

use crate::ctx::Ctx;

pub(super) fn routes() -> Vec<Route> {
    routes![jwks]
}

/// How long others may keep the keys.
const KEPT: &str = "public, max-age=300";

#[derive(Responder)]
struct Published {
    keys: Json<Value>,
    cache: Header<'static>,
}

/// The public keys with which access tokens can be verified (RFC 7517).
#[get("/.well-known/jwks.json")]
fn jwks(ctx: &State<Ctx>) -> Published {
    Published { keys: Json(ctx.keyring().jwks()), cache: Header::new("Cache-Control", KEPT) }
}
