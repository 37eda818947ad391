//! Keeping other sites' requests out, twice over.
//!
//! A fairing refuses every unsafe request that a browser says comes from elsewhere; and each form
//! carries a token that only a page of ours can have put there. A request with a Bearer token needs
//! neither: no other site can make a browser send one.

use rocket::fairing::{Fairing, Info, Kind};
use rocket::http::uri::{Host, Origin};
use rocket::http::{Method, Status};
use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Route};

use super::guards::{self, SignedIn};
use super::{body, cookies, proxy, urlencoded};
use crate::ctx::Ctx;

/// Where refused requests are sent: to the door that they knocked at, which draws the answer. Outside
/// they are pages that do not exist.
const REFUSED: [&str; 2] = ["/~refused", "/api/~refused"];

/// How much of a body Rocket looks at for a method override, which it obeys in a form's first field.
/// Whoever looks at more has to wait for it.
const START_OF_BODY: usize = "_method=delete".len();

/// Refuses requests before any route sees them: foreign ones, ones for another host, and ones that
/// try to change their method.
#[derive(Debug)]
pub struct Gatekeeper;

#[rocket::async_trait]
impl Fairing for Gatekeeper {
    fn info(&self) -> Info {
        Info { name: "Gatekeeper", kind: Kind::Request }
    }

    async fn on_request(&self, request: &mut Request<'_>, data: &mut Data<'_>) {
        let Some(ctx) = request.rocket().state::<Ctx>() else { return };
        if let Some(status) = refusal(ctx, request, data).await {
            refuse(request, status);
        }
    }
}

/// Sends a request to where refused ones are answered. The first refusal counts.
pub(crate) fn refuse(request: &mut Request<'_>, status: Status) {
    request.local_cache(|| Refused(Some(status)));
    let path = request.uri().path().as_str();
    let is_api = path == "/api" || path.starts_with("/api/");
    let place = REFUSED[usize::from(is_api)];
    request.set_uri(Origin::parse(place).expect("a constant path"));
}

struct Refused(Option<Status>);

/// Whether the gate has refused a request.
pub(crate) fn has_refused(request: &Request<'_>) -> bool {
    request.local_cache(|| Refused(None)).0.is_some()
}

async fn refusal(ctx: &Ctx, request: &Request<'_>, data: &mut Data<'_>) -> Option<Status> {
    let hosts: Vec<&str> = request.headers().get("Host").collect();
    match hosts[..] {
        [] => {}
        [host] if is_our_host(ctx, host) || proxy::asks(request) => {}
        [_] => return Some(Status::MisdirectedRequest),
        // Two proxies could each believe another one (RFC 9112, 3.2).
        _ => return Some(Status::BadRequest),
    }
    // Rocket has already obeyed the override when a fairing sees the request; the body still tells.
    let is_form = request.content_type().is_some_and(|kind| kind.is_form());
    if is_form {
        match body::start(request, data, START_OF_BODY).await {
            Ok(start) if urlencoded::is_method_override(&start) => return Some(Status::Forbidden),
            Ok(_) => {}
            Err(status) => return Some(status),
        }
    }
    let is_safe = matches!(request.method(), Method::Get | Method::Head | Method::Options);
    if is_safe {
        return None;
    }
    let is_foreign = guards::bearer(request).is_none() && is_foreign(ctx, request);
    is_foreign.then_some(Status::Forbidden)
}

/// The site's own name, or a bare address or this machine's name: health checks and proxies that do
/// not pass the name on use those, and nobody can be lured to a foreign page by them.
fn is_our_host(ctx: &Ctx, host: &str) -> bool {
    let Ok(host) = Host::parse(host) else { return false };
    let name = host.domain().as_str();
    let is_address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    is_address
        || name.eq_ignore_ascii_case("localhost")
        || host.to_string().eq_ignore_ascii_case(ctx.settings.public_url.authority())
}

/// What the browser says about where a request comes from. Browsers that say nothing are left to
/// the form token.
fn is_foreign(ctx: &Ctx, request: &Request<'_>) -> bool {
    let header = |name| request.headers().get_one(name);
    let is_other_site =
        header("Sec-Fetch-Site").is_some_and(|site| !matches!(site, "same-origin" | "none"));
    let is_other_origin =
        header("Origin").is_some_and(|origin| !ctx.settings.public_url.is_origin(origin));
    is_other_site || is_other_origin
}

/// The token for the forms of a page, and the cookie that it is bound to if the reader is a visitor
/// and has none.
pub(crate) fn token(request: &Request<'_>, ctx: &Ctx, person: Option<&SignedIn>) -> String {
    if let Some(person) = person {
        return ctx.keys.csrf_token(&of_session(person));
    }
    if let Some(visitor) = cookies::visitor(request.cookies(), ctx) {
        return ctx.keys.csrf_token(&of_visitor(visitor));
    }
    // The same one for every page that is drawn in answer to this request.
    let NewVisitor(visitor) = request.local_cache(|| {
        let visitor = ctx.random.token_id();
        cookies::give_visitor(request, ctx, visitor.clone());
        NewVisitor(visitor)
    });
    ctx.keys.csrf_token(&of_visitor(visitor))
}

struct NewVisitor(String);

/// Whether a form's token is the one that its sender's page carried.
pub(crate) fn is_token(
    request: &Request<'_>,
    ctx: &Ctx,
    person: Option<&SignedIn>,
    token: &str,
) -> bool {
    if guards::bearer(request).is_some() {
        return true;
    }
    match person {
        Some(person) => ctx.keys.is_csrf_token(token, &of_session(person)),
        None => cookies::visitor(request.cookies(), ctx)
            .is_some_and(|visitor| ctx.keys.is_csrf_token(token, &of_visitor(visitor))),
    }
}

fn of_session(person: &SignedIn) -> String {
    format!("session {}", person.session())
}

fn of_visitor(visitor: &str) -> String {
    format!("visitor {visitor}")
}

/// The places of refused requests, for every method.
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
    places.flat_map(|place| methods.map(|method| Route::new(method, place, Refusal))).collect()
}

#[derive(Clone)]
struct Refusal;

#[rocket::async_trait]
impl Handler for Refusal {
    async fn handle<'r>(&self, request: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        let Refused(status) = request.local_cache(|| Refused(None));
        Outcome::error(status.unwrap_or(Status::NotFound))
    }
}
