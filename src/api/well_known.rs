//! Public documents about this API: the JSON Web Key Set and the OpenAPI document.

use rocket::http::Header;
use rocket::serde::json::{Json, Value, json};
use rocket::{Responder, Route, State, get, routes};

use crate::api::openapi::{Endpoint, HttpMethod, Section, public};
use crate::context::Context;
use crate::http::OpenApiDocuments;
use crate::i18n::Language;
use crate::keys::KEY_SET_MAX_AGE;
use crate::paths;

pub(crate) fn routes() -> Vec<Route> {
    routes![jwks, metadata, openapi]
}

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let route = |path, about| public(HttpMethod::Get, path, Section::Service, about);
    vec![
        route(paths::JWKS, "openapi.jwks").returns_object().returns_empty(421),
        route(paths::AUTHORIZATION_SERVER_METADATA, "openapi.metadata")
            .returns_object()
            .returns_empty(421),
        route(paths::API_OPENAPI, "openapi.document").returns_object().errors(&[421]),
    ]
}

/// A document that verifiers may keep for as long as the key set.
#[derive(Responder)]
struct CachedDocument {
    document: Json<Value>,
    cache: Header<'static>,
}

impl CachedDocument {
    fn new(document: Value) -> Self {
        // Services may cache the keys; a new one is published twice as long before it signs.
        let kept = format!("public, max-age={}", KEY_SET_MAX_AGE.as_secs());
        Self { document: Json(document), cache: Header::new("Cache-Control", kept) }
    }
}

/// Returns the public keys that verify access tokens (RFC 7517).
#[get("/.well-known/jwks.json")]
fn jwks(ctx: &State<Context>) -> CachedDocument {
    CachedDocument::new(ctx.keyring().jwks(ctx.clock.now()))
}

/// Returns the metadata of the issuer (RFC 8414), for verifiers that are given nothing but the issuer.
#[get("/.well-known/oauth-authorization-server")]
fn metadata(ctx: &State<Context>) -> CachedDocument {
    let jwks_uri = format!("{}{}", ctx.settings.public_url.as_str(), paths::JWKS);
    CachedDocument::new(json!({
        "issuer": ctx.settings.issuer,
        "jwks_uri": jwks_uri,
        // No token is issued by an OAuth grant, so there are no grants and no endpoints to list.
        "response_types_supported": [],
        "grant_types_supported": [],
    }))
}

/// Returns the OpenAPI document (`OpenAPI` 3.1) in the language of the request.
#[get("/api/openapi.json")]
fn openapi(language: Language, documents: &State<OpenApiDocuments>) -> Json<&Value> {
    Json(documents.inner().in_language(language))
}
