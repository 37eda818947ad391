//! Protection against cross-site request forgery, in two layers.
//!
//! A fairing refuses every unsafe request that the browser says comes from another origin, and each
//! form carries a token that only our own pages contain. A request authenticated by a Bearer token
//! needs neither, because no other site can make a browser send one. An invalid Bearer token
//! exempts from nothing.
//!
//! The fairing also refuses NUL in URLs, foreign hosts and repeated headers. What a foreign origin may do
//! is decided in `foreign_origin`.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::uri::{Host, Origin};
use rocket::http::{Method, Status};
use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Route};

use super::foreign_origin::{Rejection, is_api, is_foreign, rejection_of_foreign};
use super::guards;
use super::guards::SignedIn;
use super::{body, cookies, cors, forward_auth, refusals, urlencoded};
use crate::context::Context;

/// Where refused requests are routed. Requested directly, these paths do not exist. One for each
/// entry point, whose catcher renders the response.
const REFUSED: [&str; 2] = ["/~refused", "/api/~refused"];

/// How much of a body is looked at for a method override, which Rocket obeys in a form's first
/// field. Reading more would mean waiting for it.
const START_OF_BODY: usize = "_method=delete".len();

/// Refuses requests before any route sees them: from a foreign origin, for a foreign host, with NUL
/// in the URL, or with a method override.
#[derive(Debug)]
pub struct OriginGuard;

#[rocket::async_trait]
impl Fairing for OriginGuard {
    fn info(&self) -> Info {
        Info { name: "Gatekeeper", kind: Kind::Request }
    }

    async fn on_request(&self, request: &mut Request<'_>, data: &mut Data<'_>) {
        let Some(ctx) = request.rocket().state::<Context>() else { return };
        replace_nul_in_query(request);
        if let Some((status, reason)) = rejection(ctx, request, data).await {
            refuse(request, status, reason);
        }
    }
}

/// Routes a request to where refused ones are answered, with a reason for the log. The first
/// refusal counts.
pub(crate) fn refuse(request: &mut Request<'_>, status: Status, reason: &'static str) {
    refusals::set_refused(request, status, reason);
    let place = REFUSED[usize::from(is_api(request))];
    request.set_uri(Origin::parse(place).expect("a constant path"));
}

async fn rejection(ctx: &Context, request: &Request<'_>, data: &mut Data<'_>) -> Option<Rejection> {
    let hosts: Vec<&str> = request.headers().get("Host").collect();
    match hosts[..] {
        [] => {}
        [host] if is_our_host(ctx, host, request) || forward_auth::is_forward_auth(request) => {}
        [_] => return Some((Status::MisdirectedRequest, "foreign_host")),
        // Two proxies could each believe a different one (RFC 9112, 3.2).
        _ => return Some((Status::BadRequest, "repeated_header")),
    }
    // The same holds for credentials: a proxy in front may have checked the other one.
    if is_repeated(request, "Authorization") {
        return Some((Status::BadRequest, "repeated_header"));
    }
    if has_nul_in_path(request) {
        return Some((Status::NotFound, "nul"));
    }
    // When a fairing sees the request, Rocket has already applied the override; only the body shows
    // it.
    let is_form = request.content_type().is_some_and(|kind| kind.is_form());
    if is_form {
        match body::start(request, data, START_OF_BODY).await {
            Ok(start) if urlencoded::is_method_override(&start) => {
                return Some((Status::Forbidden, "method_override"));
            }
            Ok(_) => {}
            Err(status) => return Some((status, "unreadable_body")),
        }
    }
    let is_safe = matches!(request.method(), Method::Get | Method::Head | Method::Options);
    if is_safe {
        return None;
    }
    // No browser sends these twice, and it is unknown which one is true.
    if is_repeated(request, "Origin") || is_repeated(request, "Sec-Fetch-Site") {
        return Some((Status::Forbidden, "repeated_header"));
    }
    if is_foreign(ctx, request) { rejection_of_foreign(ctx, request).await } else { None }
}

fn is_repeated(request: &Request<'_>, name: &str) -> bool {
    request.headers().get(name).nth(1).is_some()
}

/// NUL, as URLs encode it.
const NUL: &str = "%00";

/// What replaces it in a query, as in forms: U+FFFD, which occurs in no name and no search term.
const REPLACED: &str = "%EF%BF%BD";

/// Returns whether the path contains NUL, which no path of ours does and PostgreSQL refuses.
fn has_nul_in_path(request: &Request<'_>) -> bool {
    request.uri().path().as_str().contains(NUL)
}

/// Replaces each NUL in the query, before a route or a guard decodes it.
fn replace_nul_in_query(request: &mut Request<'_>) {
    let uri = request.uri();
    let Some(query) = uri.query().map(|query| query.as_str()) else { return };
    if query.contains(NUL) {
        let replaced = Origin::new(uri.path().to_string(), Some(query.replace(NUL, REPLACED)));
        request.set_uri(replaced);
    }
}

/// Accepts the site's own name, an IP address, and `localhost`: health checks and proxies that do
/// not pass the name on use those, and no user can be lured to a foreign page by them. Programs may
/// use the names of `allowed_hosts` too.
fn is_our_host(ctx: &Context, text: &str, request: &Request<'_>) -> bool {
    let Ok(host) = Host::parse(text) else { return false };
    let name = host.domain().as_str();
    let is_address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    is_address
        || name.eq_ignore_ascii_case("localhost")
        || ctx.settings.public_url.is_authority(text)
        || (cors::is_for_programs(request.uri().path().as_str())
            && ctx.settings.allowed_hosts.iter().any(|host| host.accepts(text)))
}

/// Returns the token for the forms of a page. A visitor without the cookie that it is bound to gets
/// one.
pub(crate) fn token(request: &Request<'_>, ctx: &Context, user: Option<&SignedIn>) -> String {
    if let Some(user) = user {
        return ctx.keys.csrf_token(&session_subject(user));
    }
    if let Some(visitor) = cookies::visitor(request.cookies(), ctx) {
        return visitor_token(ctx, visitor);
    }
    // Every page that is rendered for this request shares one value.
    let NewVisitor(visitor) = request.local_cache(|| {
        let visitor = ctx.random.token_id();
        cookies::set_visitor(request, ctx, visitor.clone());
        NewVisitor(visitor)
    });
    visitor_token(ctx, visitor)
}

/// The prefix of a visitor's token. It tells a form whose sender has logged in since from a forged
/// one: the cookie that the token was bound to was removed at log-in.
const VISITOR_PREFIX: &str = "v.";

fn visitor_token(ctx: &Context, visitor: &str) -> String {
    format!("{VISITOR_PREFIX}{}", ctx.keys.csrf_token(&visitor_subject(visitor)))
}

/// Returns whether a form's token claims to be a visitor's. Any client can make one up, so such a
/// form must change nothing.
pub(crate) fn is_visitor_token(token: &str) -> bool {
    token.starts_with(VISITOR_PREFIX)
}

struct NewVisitor(String);

/// Returns whether a form's token is the one that the sender's page carried.
pub(crate) fn is_valid_token(
    request: &Request<'_>,
    ctx: &Context,
    user: Option<&SignedIn>,
    token: &str,
) -> bool {
    // If there is a Bearer token, the user was authenticated by it and by nothing else.
    if user.is_some() && guards::bearer(request).is_some() {
        return true;
    }
    match user {
        Some(user) => ctx.keys.is_csrf_token(token, &session_subject(user)),
        None => {
            let visitor = cookies::visitor(request.cookies(), ctx);
            let signature = token.strip_prefix(VISITOR_PREFIX);
            visitor.zip(signature).is_some_and(|(visitor, signature)| {
                ctx.keys.is_csrf_token(signature, &visitor_subject(visitor))
            })
        }
    }
}

/// Returns why a form's token was refused, for the log.
pub(crate) fn token_rejection_reason(request: &Request<'_>, ctx: &Context) -> &'static str {
    if cookies::has_any_of_ours(request.cookies(), ctx) { "form_token" } else { "no_cookies" }
}

fn session_subject(user: &SignedIn) -> String {
    format!("session {}", user.session())
}

fn visitor_subject(visitor: &str) -> String {
    format!("visitor {visitor}")
}

/// Returns the routes of refused requests, for every method.
pub(crate) fn routes() -> Vec<Route> {
    let methods = [
        Method::Get,
        Method::Head,
        Method::Options,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
        Method::Trace,
        Method::Connect,
    ];
    let places = REFUSED.iter();
    places.flat_map(|place| methods.map(|method| Route::new(method, place, RefusedRoute))).collect()
}

#[derive(Clone)]
struct RefusedRoute;

#[rocket::async_trait]
impl Handler for RefusedRoute {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        let status = refusals::refused_status(request);
        Outcome::error(status.unwrap_or(Status::NotFound))
    }
}
