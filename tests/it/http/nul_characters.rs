//! Text that holds a NUL, which PostgreSQL refuses to store or to compare: it is refused or replaced
//! wherever it comes in, on every route, and never answered with an error of ours.

use std::collections::BTreeSet;

use daemun::testing::crypto::PasswordHash;
use rocket::http::{ContentType, Method};
use serde_json::{Value, json};

use crate::social::social_login::{comes_back, sets_out, with_issuer_of};
use crate::support::{ApiClient, App, Browser, GOOD, TestEnv, on_both};

/// What is sent in place of a text, as a URL or a form writes it.
const NUL: &str = "x%00y";

/// Names of query fields that no template has: of links that pages write, and of what providers bring.
const QUERY: [&str; 12] = [
    "after", "before", "code", "error", "id", "iss", "next", "path", "redirect", "slug", "state",
    "token",
];

/// Every name that a form in a template has.
fn names_in_templates() -> BTreeSet<String> {
    fn read(folder: &std::path::Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                read(&entry.path(), names);
                continue;
            }
            let text = std::fs::read_to_string(entry.path()).expect("a template");
            let found = text.split("name=\"").skip(1).filter_map(|rest| rest.split('"').next());
            names.extend(found.filter(|name| !name.contains('{')).map(str::to_owned));
        }
    }
    let mut names = BTreeSet::new();
    read(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"), &mut names);
    names
}

/// Something that a field of this name could hold.
fn plausible(name: &str) -> &'static str {
    match name {
        "email" => "ada@example.com",
        "password" | "password1" | "password2" | "new_password1" | "new_password2"
        | "old_password" => GOOD,
        "action" => "verify",
        "provider" => "oidc",
        "slug" => "id",
        "language" => "en",
        _ => "",
    }
}

/// Methods, templates of paths and declared query fields of all routes.
fn routes(app: &App) -> BTreeSet<(String, String, String)> {
    let routes = app.client.rocket().routes();
    let routes = routes.map(|route| {
        let query = route.uri.query().map(ToString::to_string).unwrap_or_default();
        (route.method.to_string(), route.uri.path().to_string(), query)
    });
    routes.filter(|(_, path, _)| !path.contains("/~")).collect()
}

/// The path with something in each of its variable segments.
fn filled(path: &str, id: i64) -> String {
    let segments = path.split('/').map(|segment| match segment {
        "<id>" => id.to_string(),
        "<slug>" => "id".to_owned(),
        "<deed>" => "verify".to_owned(),
        segment if segment.starts_with('<') => "x".to_owned(),
        segment => segment.to_owned(),
    });
    segments.collect::<Vec<_>>().join("/")
}

/// The path once for each of its segments, which holds a NUL there.
fn spoilt(path: &str, id: i64) -> Vec<String> {
    let segments: Vec<_> = filled(path, id).split('/').map(str::to_owned).collect();
    let spoil = |place: usize| {
        let mut segments = segments.clone();
        segments[place] = match segments[place].as_str() {
            _ if path.split('/').nth(place).is_some_and(|it| it.starts_with('<')) => NUL.to_owned(),
            fixed => format!("{fixed}%00"),
        };
        segments.join("/")
    };
    (1..segments.len()).map(spoil).collect()
}

fn holds(status: u16, what: &str) {
    assert!(status < 500, "{what}: {status}");
}

/// A superuser who has just reauthenticated, and an account that they may act on.
async fn root(app: &App) -> (Browser<'_>, i64) {
    let mut root = app.superuser("root").await;
    app.user("ada").await;
    with_issuer_of(&mut root).await;
    (root, app.id_of("ada").await)
}

#[on_both]
async fn paths_cannot_bring_a_nul_to_the_database(env: TestEnv) {
    let app = env.app().await;
    let (root, id) = root(&app).await;
    let mut visitor = app.visitor();
    let token = visitor.token().await;
    let mut seen = 0;
    for (method, path, _) in routes(&app) {
        let method: Method = method.parse().expect("a method");
        for path in spoilt(&path, id) {
            for browser in [&root, &visitor] {
                let mut browser = browser.clone();
                let form = Some((ContentType::Form, format!("csrf={token}").into_bytes()));
                let bodies = match method {
                    Method::Get | Method::Head => vec![None],
                    _ => vec![form, Some((ContentType::JSON, b"{\"code\": \"x\"}".to_vec()))],
                };
                for body in bodies {
                    let page = browser.send(method, &path, body).await;

                    holds(page.status(), &format!("{method} {path}"));
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 500, "the routes were found: {seen}");
}

#[on_both]
async fn queries_cannot_bring_a_nul_to_the_database(env: TestEnv) {
    let app = env.app().await;
    let (mut root, id) = root(&app).await;
    let mut names = names_in_templates();
    names.extend(QUERY.map(str::to_owned));
    let mut seen = 0;
    for (method, path, query) in routes(&app).into_iter().filter(|(method, ..)| method == "GET") {
        let declared =
            query.split('&').filter_map(|part| part.strip_prefix('<')?.strip_suffix('>'));
        let declared: Vec<_> = declared.filter(|name| !name.ends_with("..")).collect();
        // A route that takes any field is asked with each name that there is.
        let takes_any = query.contains("..>");
        let asked = names.iter().map(String::as_str).filter(|_| takes_any).chain(declared);
        for name in asked {
            let path = format!("{}?{name}={NUL}", filled(&path, id));

            holds(root.get(&path).await.status(), &format!("{method} {path}"));
            holds(app.visitor().get(&path).await.status(), &format!("{method} {path}"));
            seen += 1;
        }
    }
    assert!(seen > 100, "the fields were found: {seen}");
}

#[on_both]
async fn forms_cannot_bring_a_nul_to_the_database(env: TestEnv) {
    let app = env.app().await;
    let (mut root, id) = root(&app).await;
    let names = names_in_templates();
    let mut seen = 0;
    for (method, path, _) in routes(&app) {
        if method != "POST" || path.starts_with("/api") {
            continue;
        }
        let path = filled(&path, id);
        for browser in [&mut root, &mut app.visitor()] {
            let token = browser.token().await;
            for spoilt in &names {
                let fields = names.iter().map(|name| {
                    let value = if name == spoilt { NUL } else { plausible(name) };
                    format!("{name}={value}")
                });
                let fields = fields.filter(|field| !field.starts_with("csrf="));
                let rest = fields.collect::<Vec<_>>().join("&");
                let body = format!("csrf={token}&{rest}").into_bytes();

                // Of those that only have a button, one is enough: it logs the user out.
                if path == "/account/logout" {
                    continue;
                }
                let page = browser.send(Method::Post, &path, Some((ContentType::Form, body))).await;

                holds(page.status(), &format!("{path} with {spoilt}"));
                seen += 1;
            }
        }
    }
    assert!(seen > 1000, "the forms were found: {seen}");
    assert!(root.is_signed_in().await, "none of it ended the session");
}

#[on_both]
async fn json_cannot_bring_a_nul_to_the_database(env: TestEnv) {
    let app = env.app().await;
    let (root, id) = root(&app).await;
    let mut root = ApiClient::new(root);
    let document = root.get("/api/openapi.json").await.json;
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let names = schema["properties"].as_object().into_iter().flatten();
            let names: Vec<_> = names.map(|(name, _)| name.as_str()).collect();
            let method: Method = method.to_uppercase().parse().expect("a method");
            let at = path.replace("{id}", &id.to_string()).replace("{slug}", "id");
            for spoilt in &names {
                for nul in [json!("x\0y"), json!(["x\0y"]), json!({ "\0": "\0" })] {
                    let fields = names.iter().map(|name| match name {
                        name if name == spoilt => ((*name).to_owned(), nul.clone()),
                        name => ((*name).to_owned(), json!(plausible(name))),
                    });
                    let body: Value = fields.collect();
                    let body = || Some((ContentType::JSON, body.to_string().into_bytes()));

                    // A log-out ends the session that later requests need.
                    let logs_out = path == "/api/account/logout";
                    if !logs_out {
                        let reply = root.send(method, &at, body()).await;
                        holds(reply.status(), &format!("{method} {at} with {spoilt}"));
                    }
                    let reply = app.api_client().send(method, &at, body()).await;
                    holds(reply.status(), &format!("{method} {at} with {spoilt}"));
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 100, "the fields were found: {seen}");
    assert_eq!(root.get("/api/users").await.status(), 200, "none of it ended the session");
}

#[on_both]
async fn a_nul_in_a_path_is_404_and_in_a_query_dropped(env: TestEnv) {
    let app = env.app().await;

    let found = app.visitor().get("/account/login?next=%2f%00").await;
    let page = app.visitor().get("/account/login%00").await;
    let reply = app.api_client().post("/api/account/social/x%00y", json!({ "code": "x" })).await;

    assert_eq!((found.status(), page.status()), (200, 404));
    assert_eq!((reply.status(), reply.code()), (404, "not_found"));
}

#[on_both]
async fn cookies_cannot_bring_a_nul_to_the_database(env: TestEnv) {
    let app = env.app().await;
    let names = [
        "access", "refresh", "device", "visitor", "language", "link", "notice", "handed", "social",
        "newcomer",
    ];
    for name in names {
        for path in
            ["/", "/account/mypage", "/account/link", "/account/join/address", "/api/account/user"]
        {
            let mut browser = app.visitor();
            // Rocket decodes what browsers send back.
            browser.headers.push(("Cookie".into(), format!("{name}=1.x%00y")));

            holds(browser.get(path).await.status(), &format!("{path} with {name}"));
        }
    }
}

#[on_both]
async fn provider_ids_with_a_nul_are_refused(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let provider = with_issuer_of(&mut root).await;
    let mut claims = provider.claims("ada", app.ctx.clock.now());
    claims["sub"] = json!("a\0b");
    let mut ada = app.visitor();

    let phone = json!({ "id_token": provider.signs(&claims) });
    let phone = app.api_client().post("/api/account/social/id", phone).await;
    let asked = sets_out(&mut ada, "id").await;
    claims["nonce"] = json!(asked["nonce"]);
    provider.redeems(Some(provider.signs(&claims)));
    let page = comes_back(&mut ada, "id", &asked["state"]).await;

    assert_eq!(phone.status(), 503);
    assert_eq!(page.status(), 502);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM social_identities").await, 0);
}

#[test]
fn imported_hashes_with_a_nul_are_refused() {
    let hash =
        "pbkdf2_sha256$1000000$Q3mZ8vT1\0kLpRs0$Ek2QO5qELLB40lx4TGA79E6mJXY3qcCl681dtttCRg4=";

    assert!(PasswordHash::from_django(hash).is_err());
    assert!(PasswordHash::from_django(&hash.replace('\0', "")).is_ok());
}
