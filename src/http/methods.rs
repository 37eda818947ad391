//! The methods that a path allows, which a 405 response must name (RFC 9110, 15.5.6). Rocket
//! matches whole routes and would answer 404.

use rocket::Request;
use rocket::http::Method;

/// Returns the methods of the request's path, if the request's own is not among them.
pub(crate) fn allowed(request: &Request<'_>) -> Vec<&'static str> {
    let requested: Vec<&str> = request.uri().path().as_str().trim_matches('/').split('/').collect();
    let mut methods: Vec<&'static str> = request
        .rocket()
        .routes()
        // Every path of the API answers OPTIONS, so naming it would say nothing.
        .filter(|route| route.method != Method::Options)
        .filter(|route| {
            !route.uri.path().contains("/~") && is_path_of(route.uri.path(), &requested)
        })
        .map(|route| route.method.as_str())
        .collect();
    // Rocket answers HEAD by the route of GET.
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    methods.dedup();
    let is_allowed = methods.contains(&request.method().as_str());
    if is_allowed { Vec::new() } else { methods }
}

fn is_path_of(route: &str, requested: &[&str]) -> bool {
    let mut parts: Vec<&str> = route.trim_matches('/').split('/').collect();
    let is_open = parts.last().is_some_and(|last| last.ends_with("..>"));
    if is_open {
        parts.pop();
    }
    let fits =
        if is_open { parts.len() <= requested.len() } else { parts.len() == requested.len() };
    let is_part = |(part, requested): (&&str, &&str)| {
        // A parameter takes any text but the empty one, as in Rocket.
        part == requested || (part.starts_with('<') && !requested.is_empty())
    };
    fits && parts.iter().zip(requested).all(is_part)
}

#[cfg(test)]
mod tests {
    use super::is_path_of;

    #[test]
    fn a_path_matches_the_routes_of_its_shape() {
        let is = |route, path: &str| {
            is_path_of(route, &path.trim_matches('/').split('/').collect::<Vec<_>>())
        };

        assert!(is("/", "/"));
        assert!(is("/account/login", "/account/login"));
        assert!(is("/admin/setup/<token>", "/admin/setup/abc"));
        assert!(!is("/admin/setup/<token>", "/admin/setup"));
        assert!(!is("/admin/setup/<token>", "/admin/setup/"));
        assert!(!is("/account/login", "/account"));
        assert!(!is("/account", "/account/login"));
        assert!(!is("/", "/account"));
        assert!(is("/files/<path..>", "/files/a/b") && is("/files/<path..>", "/files"));
    }
}
