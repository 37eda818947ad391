//! The table of paths and the routes that are mounted agree, whatever is renamed.

use std::collections::BTreeSet;

use daemun::testing::paths;
use daemun::testing::paths::Kind;

/// The mounted routes: method and path, with nameless parameters.
fn mounted() -> BTreeSet<(String, String)> {
    let rocket = daemun::rocket(daemun::figment());
    let routes = rocket.routes().filter(|route| !route.uri.path().contains("/~"));
    let routes = routes.map(|route| (route.method.to_string(), nameless(route.uri.path())));
    let routes: BTreeSet<_> = routes.collect();
    assert!(routes.len() > 100, "the routes were found");
    routes
}

fn nameless(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('<') { "<>" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// Whether a path of the table stands for a mounted one; a parameter may stand for several names.
fn stands_for(pattern: &str, mounted: &str) -> bool {
    let (pattern, mounted): (Vec<_>, Vec<_>) =
        (pattern.split('/').collect(), mounted.split('/').collect());
    pattern.len() == mounted.len()
        && pattern.iter().zip(&mounted).all(|(one, other)| one == other || *one == "<>")
}

#[test]
fn every_mounted_route_is_in_the_table() {
    for (method, path) in mounted() {
        let known = paths::ALL.iter().any(|pattern| stands_for(&nameless(pattern.path), &path));
        assert!(known, "{method} {path} is missing in src/paths.rs");
    }
}

#[test]
fn every_path_of_the_table_is_mounted_as_what_it_is() {
    let mounted = mounted();
    for pattern in paths::ALL {
        let path = nameless(pattern.path);
        let of_path = mounted.iter().filter(|(_, mounted)| stands_for(&path, mounted));
        let methods: BTreeSet<_> = of_path.map(|(method, _)| method.as_str()).collect();
        assert!(!methods.is_empty(), "{path} is not mounted");
        match pattern.kind {
            Kind::Page | Kind::LoginPage | Kind::Resource => {
                assert!(methods.contains("GET"), "{path} cannot be opened");
            }
            Kind::Action => assert!(!methods.contains("GET"), "{path} can be opened"),
            Kind::Api => {}
        }
    }
}
