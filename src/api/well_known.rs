//! Public documents about this API: the JSON Web Key Set and the OpenAPI document.

use rocket::http::Header;
use rocket::serde::json::{Json, Value};
use rocket::{Responder, Route, State, get, routes};

use crate::api::openapi::{Endpoint, HttpMethod, Section, public};
use crate::context::Context;
use crate::http::OpenApiDocuments;
use crate::i18n::Language;
use crate::keys::KEY_SET_MAX_AGE;
use crate::paths;

pub(crate) fn routes() -> Vec<Route> {
    routes![jwks, openapi]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route = |path, about| public(HttpMethod::Get, path, Section::Service, about);
    vec![
        route(paths::JWKS, "openapi.jwks").returns_object(),
        route(paths::API_OPENAPI, "openapi.document").returns_object(),
    ]
}

#[derive(Responder)]
struct JwksResponse {
    keys: Json<Value>,
    cache: Header<'static>,
}

/// Returns the public keys that verify access tokens (RFC 7517).
#[get("/.well-known/jwks.json")]
fn jwks(ctx: &State<Context>) -> JwksResponse {
    let kept = format!("public, max-age={}", KEY_SET_MAX_AGE.as_secs());
    let keys = ctx.keyring().jwks(ctx.clock.now());
    JwksResponse { keys: Json(keys), cache: Header::new("Cache-Control", kept) }
}

/// Returns the OpenAPI document (`OpenAPI` 3.1) in the language of the request.
#[get("/api/openapi.json")]
fn openapi(language: Language, documents: &State<OpenApiDocuments>) -> Json<&Value> {
    Json(documents.inner().in_language(language))
}
