//! Answers `OPTIONS` for the paths of programs: 204 with the methods that the path allows (RFC
//! 9110, 9.3.7). A preflight gets the same; `cors` adds its headers.

use std::collections::BTreeMap;

use rocket::http::{Header, Method, Status};
use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Response, Route};

use super::cors;

/// Returns an `OPTIONS` route for each path of programs among these routes.
#[must_use]
pub fn routes(of: &[Route]) -> Vec<Route> {
    let mut methods: BTreeMap<&str, Vec<&'static str>> = BTreeMap::new();
    for route in of.iter().filter(|route| cors::is_for_programs(route.uri.path())) {
        methods.entry(route.uri.path()).or_default().push(route.method.as_str());
    }
    let route = |(path, mut methods): (&str, Vec<&'static str>)| {
        if methods.contains(&Method::Get.as_str()) {
            // Rocket answers HEAD by the route of GET.
            methods.push(Method::Head.as_str());
        }
        methods.push(Method::Options.as_str());
        methods.sort_unstable();
        // A path can have several routes of one method.
        methods.dedup();
        Route::new(Method::Options, path, Allow(methods.join(", ")))
    };
    methods.into_iter().map(route).collect()
}

/// The handler of one path: the value of its `Allow`.
#[derive(Clone)]
struct Allow(String);

#[rocket::async_trait]
impl Handler for Allow {
    async fn handle<'r>(&self, _: &'r Request<'_>, _: Data<'r>) -> Outcome<'r> {
        let mut response = Response::new();
        response.set_status(Status::NoContent);
        response.set_header(Header::new("Allow", self.0.clone()));
        Outcome::Success(response)
    }
}
