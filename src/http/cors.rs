//! Cross-origin resource sharing: which pages of other origins a browser lets read our answers
//! (Fetch standard, "CORS protocol").
//!
//! Only paths for programs take part, never pages. Whether a request of another origin may change
//! anything is decided in `csrf`.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::{Header, Method};
use rocket::{Request, Response};

use crate::config::WebOrigin;
use crate::context::Context;
use crate::paths;

/// Documents that every page may read: they are the same for everyone and hold nothing secret.
const PUBLIC_DOCUMENTS: [&str; 3] =
    [paths::JWKS, paths::API_OPENAPI, paths::AUTHORIZATION_SERVER_METADATA];

/// Request headers that clients of the API send and that a browser asks about first. `X-CSRFToken`
/// and `X-Requested-With` are not needed, but common clients send them anyway.
const ALLOWED_HEADERS: &str = "Authorization, Content-Type, Accept, Accept-Language, X-Request-Id, \
     X-CSRFToken, X-Requested-With";

/// Response headers that a script may read beside the few that it always may.
const EXPOSED_HEADERS: &str = "Retry-After, X-Request-Id";

/// For how long a browser keeps the answer of a preflight, in seconds. Chromium keeps none longer.
const PREFLIGHT_MAX_AGE: &str = "7200";

/// Returns whether a path is for programs: the API, the well-known documents and the health checks.
pub(super) fn is_for_programs(path: &str) -> bool {
    ["/api", "/.well-known", "/health"].iter().any(|place| paths::is_at_or_below(path, place))
}

/// Returns the request's origin if `allowed_origins` lists it.
pub(super) fn allowed_origin<'c>(ctx: &'c Context, request: &Request<'_>) -> Option<&'c WebOrigin> {
    let mut given = request.headers().get("Origin");
    match (given.next(), given.next()) {
        (Some(given), None) => {
            ctx.settings.allowed_origins.iter().find(|origin| origin.as_str() == given)
        }
        // A browser sends one origin; of several none is believed.
        _ => None,
    }
}

/// Adds the headers of CORS to the answers of paths for programs, errors included.
#[derive(Debug)]
pub struct Cors;

#[rocket::async_trait]
impl Fairing for Cors {
    fn info(&self) -> Info {
        Info { name: "CORS", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let Some(ctx) = request.rocket().state::<Context>() else { return };
        let path = request.uri().path().as_str();
        if !is_for_programs(path) {
            return;
        }
        if !ctx.settings.allowed_origins.is_empty() {
            // Caches must not hand the answer to one origin to another.
            response.adjoin_header(Header::new("Vary", "Origin"));
        }
        let origin = match allowed_origin(ctx, request) {
            Some(origin) => {
                // A browser sends our cookies to no other site, and a page of another site must not
                // log a browser in or out.
                if origin.is_same_site(&ctx.settings.public_url) {
                    response.set_header(Header::new("Access-Control-Allow-Credentials", "true"));
                }
                origin.as_str()
            }
            None if PUBLIC_DOCUMENTS.contains(&path) => "*",
            None => return,
        };
        response.set_header(Header::new("Access-Control-Allow-Origin", origin.to_owned()));
        let is_preflight = request.method() == Method::Options
            && request.headers().contains("Access-Control-Request-Method");
        if is_preflight {
            // `options` has set it to the methods of this path.
            let methods = response.headers().get_one("Allow").unwrap_or_default().to_owned();
            response.set_header(Header::new("Access-Control-Allow-Methods", methods));
            response.set_header(Header::new("Access-Control-Allow-Headers", ALLOWED_HEADERS));
            response.set_header(Header::new("Access-Control-Max-Age", PREFLIGHT_MAX_AGE));
        } else {
            response.set_header(Header::new("Access-Control-Expose-Headers", EXPOSED_HEADERS));
        }
    }
}
