//! What other programs look for before they ask: the keys, and the description of this door.

use rocket::http::Header;
use rocket::serde::json::{Json, Value};
use rocket::{Responder, Route, State, get, routes};

use crate::api::openapi::{Described, HttpMethod, Section, open};
use crate::context::Ctx;
use crate::http::Reference;
use crate::i18n::Language;
use crate::keys::PUBLISHED_ARE_KEPT;

pub(crate) fn routes() -> Vec<Route> {
    routes![jwks, description]
}

/// The same in words.
pub(crate) fn described() -> Vec<Described> {
    let route = |path, about| open(HttpMethod::Get, path, Section::Service, about);
    vec![
        route("/.well-known/jwks.json", "openapi.jwks").gives_keys(),
        route("/api/openapi.json", "openapi.document").gives_keys(),
    ]
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

/// The description of this door (`OpenAPI` 3.1), in the language of the request.
#[get("/api/openapi.json")]
fn description(language: Language, reference: &State<Reference>) -> Json<&Value> {
    Json(reference.inner().in_language(language))
}
