//! Routes under a second path, with the same handler: the names of dj-rest-auth beside ours.

use rocket::route::{Handler, Outcome};
use rocket::{Data, Request, Route};

/// Returns the routes and, for each pair of paths, the route of the first again under the second.
pub(super) fn with_second_path(mut routes: Vec<Route>, pairs: &[(&str, &str)]) -> Vec<Route> {
    let second = |route: &Route| {
        let (_, path) = pairs.iter().find(|(first, _)| *first == route.uri.path())?;
        let handler = SameHandler(route.handler.clone());
        let mut second = Route::new(route.method, path, handler);
        second.name.clone_from(&route.name);
        Some(second)
    };
    let more: Vec<_> = routes.iter().filter_map(second).collect();
    routes.extend(more);
    routes
}

/// The handler of another route.
#[derive(Clone)]
struct SameHandler(Box<dyn Handler>);

#[rocket::async_trait]
impl Handler for SameHandler {
    async fn handle<'r>(&self, request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r> {
        self.0.handle(request, data).await
    }
}
