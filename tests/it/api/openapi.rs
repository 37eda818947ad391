//! The description of the JSON door: every route and nothing else, and what is really taken and
//! answered.

use std::collections::BTreeSet;

use rocket::http::Method;
use serde_json::{Value, json};

use crate::social::social_login::{registers_as, with_issuer_of};
use crate::support::provider::FakeProvider;
use crate::support::{ApiClient, ApiReply, App, GOOD, NEW, TestEnv, on_both};

/// The path of the issuer's metadata.
const METADATA: &str = "/.well-known/oauth-authorization-server";

/// The document, in which objects have the members that are named and no more.
pub(super) struct Reference(pub(super) Value);

impl Reference {
    pub(super) async fn of(app: &App) -> Self {
        let mut document = app.api_client().get("/api/openapi.json").await.json;
        close(&mut document["components"]["schemas"]);
        Self(document)
    }

    /// Every method and path with its description.
    pub(super) fn operations(&self) -> impl Iterator<Item = (String, String, &Value)> {
        let paths = self.0["paths"].as_object().expect("paths");
        paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().expect("methods");
            methods
                .iter()
                .map(|(method, operation)| (method.to_uppercase(), path.clone(), operation))
        })
    }

    /// An answer is one of those described, and has the shape that it is said to have.
    fn holds(&self, method: Method, path: &str, reply: &ApiReply) {
        let what = format!("{method} {path}: {} {}", reply.status(), reply.page.text());
        let operation = &self.0["paths"][path][method.as_str().to_lowercase()];
        let response = &operation["responses"][reply.status().to_string()];
        assert!(response.is_object(), "{what} is not described");
        let schema = &response["content"]["application/json"]["schema"];
        // Plain text, or nothing.
        if schema.is_null() {
            assert_eq!(reply.json, Value::Null, "{what}");
            return;
        }
        let whole = json!({ "allOf": [schema], "components": self.0["components"] });
        let validator = jsonschema::validator_for(&whole).expect("a schema");
        let errors: Vec<_> = validator.iter_errors(&reply.json).map(|it| it.to_string()).collect();
        assert!(errors.is_empty(), "{what}: {errors:?}");
    }
}

/// Forbids members that a schema does not name.
fn close(schema: &mut Value) {
    if let Value::Object(members) = schema {
        if members.contains_key("properties") && !members.contains_key("additionalProperties") {
            members.insert("additionalProperties".into(), json!(false));
        }
        members.values_mut().for_each(close);
    } else if let Value::Array(items) = schema {
        items.iter_mut().for_each(close);
    }
}

fn names(object: &Value) -> BTreeSet<String> {
    object.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

pub(super) fn method_of(name: &str) -> Method {
    name.parse().expect("a method")
}

/// The token of the last e-mail to Ada with a link that begins like this.
pub(super) async fn token_of(app: &App, link: &str) -> String {
    let emails = app.emails_to("ada@example.com").await;
    let link = emails.iter().rev().find_map(|email| email.find_link(link)).expect("an e-mail");
    link.rsplit('/').next().expect("a token").to_owned()
}

/// The token of the last e-mail to a new user.
async fn token_of_email(app: &App, email: &str) -> String {
    let link = app.last_email_to(email).await.link("/account/email/verify/");
    link.rsplit('/').next().expect("a token").to_owned()
}

/// The responses about the providers that a user connects and disconnects.
async fn answers_about_social_accounts(app: &App, root: &mut ApiClient<'_>) -> Vec<Answer> {
    let provider = FakeProvider::open().await;
    let fields =
        [("provider", "oidc"), ("slug", "two"), ("name", "Two"), ("issuer", &provider.url)];
    registers_as(&mut root.browser, &provider, &fields).await;
    let claims = provider.claims("mabel", app.ctx.clock.now());
    let token = json!({ "id_token": provider.signs(&claims) });
    let mut mabel = app.api_user("mabel").await.with_bearer();
    let (list, connect) = ("/api/account/social", "/api/account/social/{slug}/connect");
    let disconnect = "/api/account/social/{id}/disconnect";
    let connected = mabel.post("/api/account/social/two/connect", token.clone()).await;
    let listed = mabel.get(list).await;
    let stolen = root.post("/api/account/social/two/connect", token).await;
    let at = format!("/api/account/social/{}/disconnect", listed.json[0]["id"]);
    let gone = mabel.post(&at, json!({})).await;
    let unknown = mabel.post(&at, json!({})).await;
    vec![
        (200, Method::Post, connect, connected),
        (400, Method::Post, connect, stolen),
        (200, Method::Get, list, listed),
        (200, Method::Post, disconnect, gone),
        (404, Method::Post, disconnect, unknown),
        (401, Method::Get, list, app.api_client().get(list).await),
    ]
}

/// A superuser.
pub(super) async fn root(app: &App) -> ApiClient<'_> {
    ApiClient::new(app.superuser("root").await)
}

/// A response that was got, and the status, method and path for which it should be described.
type Answer = (u16, Method, &'static str, ApiReply);

/// The responses at dj-rest-auth's names, and those of social log-in.
async fn other_answers(app: &App, root: &mut ApiClient<'_>) -> Vec<Answer> {
    let mut all = answers_at_the_names_of_registration(app).await;
    for (status, reply) in answers_of_the_social_door(app, root).await {
        all.push((status, Method::Post, "/api/account/social/{slug}", reply));
    }
    all.extend(answers_about_social_accounts(app, root).await);
    all
}

async fn answers_at_the_names_of_registration(app: &App) -> Vec<Answer> {
    let signup = "/api/account/registration";
    let resend = "/api/account/registration/resend-email";
    let verify = "/api/account/registration/verify-email";
    let (post, email) = (Method::Post, "radia@example.com");
    let body = json!({ "email": email, "password1": GOOD, "password2": GOOD });
    let joined = app.api_client().post(signup, body.clone()).await;
    let taken = app.api_client().post(signup, body).await;
    let sent = app.api_client().post(resend, json!({ "email": email })).await;
    let key = json!({ "key": token_of_email(app, email).await });
    let verified = app.api_client().post(verify, key.clone()).await;
    let again = app.api_client().post(verify, key).await;
    vec![
        (201, post, signup, joined),
        (400, post, signup, taken),
        (200, post, resend, sent),
        (200, post, verify, verified),
        (404, post, verify, again),
    ]
}

/// The response to a log-in by a provider: the expected one, and the real one.
async fn answers_of_the_social_door(app: &App, root: &mut ApiClient<'_>) -> [(u16, ApiReply); 4] {
    let provider = with_issuer_of(&mut root.browser).await;
    let mut claims = provider.claims("grace", app.ctx.clock.now());
    let ours = json!({ "id_token": provider.signs(&claims) });
    claims["aud"] = json!("them");
    let theirs = json!({ "id_token": provider.signs(&claims) });
    provider.says("/token", 500, "");
    let (path, unknown) = ("/api/account/social/id", "/api/account/social/none");
    [
        (200, app.api_client().post(path, ours.clone()).await),
        (404, app.api_client().post(unknown, ours).await),
        (400, app.api_client().post(path, theirs).await),
        (503, app.api_client().post(path, json!({ "code": "x" })).await),
    ]
}

#[on_both]
async fn every_route_is_described_and_nothing_else(env: TestEnv) {
    let app = env.app().await;

    let reference = Reference::of(&app).await;

    let described: BTreeSet<_> =
        reference.operations().map(|(method, path, _)| format!("{method} {path}")).collect();
    let ours = ["/api/", "/health/", "/.well-known/"];
    // The page's own form, a page for password managers, and where forward auth sends refused requests.
    let others = |path: &str| {
        ["/api/ask", "/.well-known/change-password"].contains(&path) || path.contains("/~")
    };
    let routes = app.client.rocket().routes().filter(|route| {
        let path = route.uri.path();
        // OPTIONS is answered for every path in the same way.
        let is_options = route.method == Method::Options;
        ours.iter().any(|start| path.starts_with(start)) && !others(path) && !is_options
    });
    let routes: BTreeSet<_> = routes
        .map(|route| {
            let path = route.uri.path().replace('<', "{").replace('>', "}");
            format!("{} {path}", route.method)
        })
        .collect();
    assert!(routes.len() > 25, "the routes were found");
    assert_eq!(described, routes);
    assert_eq!(reference.0["openapi"], "3.1.0");
}

#[on_both]
async fn every_field_is_read_and_required_ones_are_missed(env: TestEnv) {
    let app = env.app().await;
    let reference = Reference::of(&app).await;
    let mut root = root(&app).await;
    with_issuer_of(&mut root.browser).await;
    let id = app.id_of("root").await.to_string();
    let mut seen = 0;
    for (method, path, operation) in reference.operations() {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        // Logging out works whatever is sent.
        if schema.is_null() || path == "/api/account/logout" {
            continue;
        }
        seen += 1;
        let what = format!("{method} {path}");
        let at = path.replace("{id}", &id).replace("{slug}", "id");
        let fields = names(&schema["properties"]);
        let odd: Value = fields.iter().map(|name| (name.clone(), json!({}))).collect();
        let body =
            |value: &Value| Some((rocket::http::ContentType::JSON, value.to_string().into_bytes()));

        let wrong = root.clone().send(method_of(&method), &at, body(&odd)).await;
        let none = root.clone().send(method_of(&method), &at, body(&json!({}))).await;

        assert_eq!((wrong.status(), names(&wrong.json)), (400, fields), "{what}");
        reference.holds(method_of(&method), &path, &wrong);
        reference.holds(method_of(&method), &path, &none);
        let required = schema["required"].as_array().into_iter().flatten();
        let required: BTreeSet<_> =
            required.map(|name| name.as_str().expect("a name").to_owned()).collect();
        let required = match path.as_str() {
            // The original asks for the password first, and then for both.
            "/api/account/login" => BTreeSet::from(["password".to_owned()]),
            // One of three is required, which is said of none of them.
            "/api/account/social/{slug}" | "/api/account/social/{slug}/connect" => {
                BTreeSet::from(["non_field_errors".to_owned()])
            }
            _ => required,
        };
        let missed = if none.status() == 400 { names(&none.json) } else { BTreeSet::new() };
        assert_eq!(missed, required, "{what}");
    }
    assert!(seen > 15, "the bodies were found");
    assert_eq!(root.get("/api/users").await.status(), 200, "none of it ended the session");
}

#[on_both]
async fn every_response_matches_its_schema(env: TestEnv) {
    let app = env.app().await;
    let reference = Reference::of(&app).await;
    let mut root = root(&app).await;
    let join = json!({ "email": "ada@example.com", "password1": GOOD, "password2": GOOD });
    let credentials = json!({ "email": "ada@example.com", "password": GOOD });
    let (mut ada, mut answered) = (app.api_client(), BTreeSet::new());
    let mut hold = |method: Method, path: &str, status: u16, reply: &ApiReply| {
        assert_eq!(reply.status(), status, "{method} {path}: {}", reply.page.text());
        reference.holds(method, path, reply);
        if status < 300 {
            answered.insert(format!("{method} {path}"));
        }
    };

    let post = Method::Post;
    let path = "/api/account/join";
    hold(post, path, 201, &ada.post(path, join.clone()).await);
    hold(post, path, 400, &ada.post(path, join).await);
    let login = "/api/account/login";
    hold(post, login, 200, &ada.post(login, credentials.clone()).await);
    let wrong = json!({ "email": "ada@example.com", "password": "wrong" });
    hold(post, login, 400, &ada.post(login, wrong.clone()).await);
    hold(post, "/api/token", 401, &app.api_client().post("/api/token", wrong).await);
    let pair = app.api_client().post("/api/token", credentials.clone()).await;
    hold(post, "/api/token", 200, &pair);
    let refresh = json!({ "refresh": pair.text("refresh") });
    let next = app.api_client().post("/api/token/refresh", refresh).await;
    hold(post, "/api/token/refresh", 200, &next);
    let token = json!({ "token": next.text("access") });
    for path in ["/api/token/verify", "/api/account/token/verify"] {
        hold(post, path, 200, &ada.post(path, token.clone()).await);
        hold(post, path, 401, &ada.post(path, json!({ "token": "x" })).await);
    }
    let refresh = json!({ "refresh": next.text("refresh") });
    let path = "/api/token/blacklist";
    hold(post, path, 200, &ada.post(path, refresh.clone()).await);
    hold(post, path, 401, &ada.post(path, refresh).await);

    let user = "/api/account/user";
    hold(Method::Get, user, 200, &ada.get(user).await);
    hold(Method::Get, user, 401, &app.api_client().get(user).await);
    let rubbish = app.api_client().with("Authorization", "Bearer rubbish").get(user).await;
    hold(Method::Get, user, 401, &rubbish);
    let born = json!({ "gender": "female", "date_of_birth": "1990-02-28" });
    hold(Method::Patch, user, 200, &ada.patch(user, born.clone()).await);
    hold(Method::Put, user, 200, &ada.put(user, born).await);
    hold(Method::Get, "/api/account/mypage", 200, &ada.get("/api/account/mypage").await);
    let path = "/api/account/token/refresh";
    hold(post, path, 200, &ada.post(path, json!({})).await);
    hold(post, path, 401, &app.api_client().post(path, json!({})).await);

    let key = json!({ "key": token_of(&app, "/account/email/verify/").await });
    let path = "/api/account/join/verify-email";
    hold(post, path, 200, &ada.post(path, key.clone()).await);
    hold(post, path, 404, &ada.post(path, key).await);
    let address = json!({ "email": "ada@example.com" });
    for path in ["/api/account/join/resend-email", "/api/account/password/reset"] {
        hold(post, path, 200, &ada.post(path, address.clone()).await);
    }
    let token = token_of(&app, "/account/password/reset/").await;
    let body = json!({ "token": token, "new_password1": NEW, "new_password2": NEW });
    let path = "/api/account/password/reset/confirm";
    hold(post, path, 200, &ada.post(path, body.clone()).await);
    hold(post, path, 400, &ada.post(path, body).await);
    let again = json!({ "email": "ada@example.com", "password": NEW });
    hold(post, login, 200, &ada.post(login, again).await);
    let body = json!({ "old_password": NEW, "new_password1": GOOD, "new_password2": GOOD });
    let path = "/api/account/password/change";
    hold(post, path, 200, &ada.post(path, body).await);

    for (status, method, path, reply) in other_answers(&app, &mut root).await {
        hold(method, path, status, &reply);
    }

    let (users, one) = ("/api/users", "/api/users/{id}");
    hold(Method::Get, users, 200, &ada.get(users).await);
    hold(Method::Get, users, 200, &root.get("/api/users?page_size=1").await);
    hold(Method::Get, users, 400, &ada.get("/api/users?sort=x").await);
    hold(post, users, 403, &ada.post(users, address.clone()).await);
    let made = root.post(users, json!({ "email": "mary@example.com" })).await;
    hold(post, users, 201, &made);
    hold(post, users, 400, &root.post(users, address).await);
    let at = format!("{users}/{}", made.json["id"]);
    hold(Method::Get, one, 200, &root.get(&at).await);
    hold(Method::Get, one, 404, &ada.get(&at).await);
    let born = json!({ "email": "mary@example.com", "date_of_birth": "1906-12-09" });
    hold(Method::Patch, one, 200, &root.patch(&at, born.clone()).await);
    hold(Method::Put, one, 200, &root.put(&at, born).await);
    hold(Method::Delete, one, 204, &root.delete(&at).await);
    hold(Method::Delete, one, 404, &ada.delete(&at).await);
    let mine = format!("{users}/{}", app.id_of("ada").await);
    hold(Method::Delete, one, 403, &ada.delete(&mine).await);

    for path in ["/health/live", "/health/ready", "/api/forward-auth"] {
        let page = ada.browser.get(path).await;
        hold(Method::Get, path, 200, &ApiReply { page, json: Value::Null });
    }
    hold(post, "/api/account/logout", 200, &ada.post("/api/account/logout", json!({})).await);
    for path in ["/.well-known/jwks.json", METADATA, "/api/openapi.json"] {
        hold(Method::Get, path, 200, &app.api_client().get(path).await);
    }
    let described: BTreeSet<_> =
        reference.operations().map(|(method, path, _)| format!("{method} {path}")).collect();
    assert_eq!(answered, described, "each was answered");
}

#[on_both]
async fn the_document_is_translated(env: TestEnv) {
    let app = env.app().await;

    let korean = app.api_client().with("Accept-Language", "ko").get("/api/openapi.json").await;
    let english = app.api_client().get("/api/openapi.json").await;

    let summary = |reply: &ApiReply| {
        reply.json["paths"]["/api/users"]["get"]["summary"].as_str().expect("one").to_owned()
    };
    assert!(summary(&english).is_ascii() && !summary(&korean).is_ascii());
    assert_eq!(names(&english.json["paths"]), names(&korean.json["paths"]));
}

#[on_both]
async fn the_page_shows_every_route_and_tries_harmless_ones(env: TestEnv) {
    let app = env.app().await;
    let reference = Reference::of(&app).await;
    let mut root = app.superuser("root").await;

    let page = root.get("/api").await;

    let shown: BTreeSet<_> = page.texts(".route h3").into_iter().collect();
    let described: BTreeSet<_> =
        reference.operations().map(|(method, path, _)| format!("{method} {path}")).collect();
    assert_eq!(shown, described);
    let harmless = described.iter().filter(|it| it.starts_with("GET ")).count();
    assert_eq!(page.texts("form.try:not([data-method])").len(), harmless);
    assert_eq!(page.texts("form.try[data-method][hidden]").len(), described.len() - harmless);
    assert_eq!(
        page.texts(".reference nav li li a").into_iter().collect::<BTreeSet<_>>(),
        described
    );
    let bodies = reference.operations().filter(|(_, _, it)| it.get("requestBody").is_some());
    let commands = page.texts(".route code").into_iter().filter(|code| code.starts_with("curl "));
    assert_eq!(commands.count(), bodies.count());
    let asked = root.get("/api/ask?path=/api/users/%7Bid%7D&id=1").await;
    assert_eq!(asked.location(), Some("/api/users/1"));
    for nowhere in [
        "/api/ask?path=/api/users&id=1",
        "/api/ask?path=//evil.example/%7Bid%7D&id=1",
        "/api/ask?path=https://evil.example/%7Bid%7D&id=1",
    ] {
        assert_eq!(root.get(nowhere).await.status(), 404, "{nowhere}");
    }
    let odd = root.get("/api/ask?path=/api/users/%7Bid%7D&id=../../x%3F%0d%0aA:b").await;
    let place = odd.location().expect("a place").to_owned();
    assert!(place.starts_with("/api/users/%2E%2E%2F"), "{place}");
    assert_eq!(root.get(&place).await.status(), 404);
}
