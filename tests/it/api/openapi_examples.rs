//! The examples of the OpenAPI document: each fits its schema, and the server accepts each request.

use std::collections::{BTreeMap, BTreeSet};

use rocket::http::ContentType;
use serde_json::{Value, json};

use super::openapi::{Reference, method_of, root, token_of};
use crate::social::social_login::with_issuer_of;
use crate::support::{ApiClient, ApiReply, TestEnv, on_both};

/// The bodies of a message: the request's and the responses', by what they are called in messages.
fn bodies(operation: &Value) -> BTreeMap<String, &Value> {
    let responses = operation["responses"].as_object().into_iter().flatten();
    let responses = responses.map(|(status, response)| (status.clone(), response));
    std::iter::once(("request".to_owned(), &operation["requestBody"]))
        .chain(responses)
        .map(|(name, holder)| (name, &holder["content"]["application/json"]))
        .filter(|(_, body)| body.is_object())
        .collect()
}

/// The examples of the requests, which the server has to accept.
struct Examples(BTreeMap<(String, String), Value>);

impl Examples {
    fn of(reference: &Reference) -> Self {
        let requests = reference.operations().filter_map(|(method, path, operation)| {
            let example = bodies(operation).get("request")?.get("example")?.clone();
            Some(((method, path), example))
        });
        Self(requests.collect())
    }

    /// Sends an example. What only the server can have given is replaced.
    async fn send(
        &mut self,
        who: &mut ApiClient<'_>,
        (method, path): (&str, &str),
        given: Value,
        at: &str,
    ) -> ApiReply {
        let key = (method.to_owned(), path.to_owned());
        let mut body = self.0.remove(&key).unwrap_or_else(|| panic!("{method} {path}"));
        for (name, value) in given.as_object().expect("members") {
            let member = body.get_mut(name).unwrap_or_else(|| panic!("{name} in {path}"));
            *member = value.clone();
        }
        let body = Some((ContentType::JSON, body.to_string().into_bytes()));
        who.send(method_of(method), at, body).await
    }

    async fn succeeds(
        &mut self,
        who: &mut ApiClient<'_>,
        method: &str,
        path: &str,
        given: Value,
    ) -> ApiReply {
        let reply = self.send(who, (method, path), given, path).await;
        assert!(reply.status() < 300, "{method} {path}: {}", reply.page.text());
        reply
    }
}

#[on_both]
async fn every_example_fits_its_schema(env: TestEnv) {
    let app = env.app().await;
    let reference = Reference::of(&app).await;
    let (mut held, mut without) = (0, BTreeSet::new());

    for (method, path, operation) in reference.operations() {
        for (name, body) in bodies(operation) {
            let what = format!("{method} {path} {name}");
            let Some(example) = body.get("example") else {
                without.insert(what);
                continue;
            };
            let components = &reference.0["components"];
            let whole = json!({ "allOf": [body["schema"]], "components": components });
            let validator = jsonschema::validator_for(&whole).expect("a schema");
            let errors: Vec<_> =
                validator.iter_errors(example).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{what}: {errors:?}");
            held += 1;
        }
    }

    assert!(held > 100, "the examples were found: {held}");
    let is_explained = |what: &&String| {
        // Objects of other standards, and refusals with more than one reason.
        what.starts_with("GET /.well-known/")
            || what.as_str() == "GET /api/openapi.json 200"
            || what.ends_with(" 401")
            || what.as_str() == "DELETE /api/users/{id} 400"
            || what.as_str() == "POST /api/account/social/{id}/disconnect 400"
    };
    let unexplained: Vec<_> = without.iter().filter(|what| !is_explained(what)).collect();
    assert!(unexplained.is_empty(), "{unexplained:?}");
}

#[on_both]
async fn the_server_accepts_every_example(env: TestEnv) {
    let app = env.app().await;
    let mut examples = Examples::of(&Reference::of(&app).await);
    let mut root = root(&app).await;
    let (mut ada, mut program) = (app.api_client(), app.api_client());
    let (ada, program, examples) = (&mut ada, &mut program, &mut examples);

    examples.succeeds(ada, "POST", "/api/account/join", json!({})).await;
    examples.succeeds(ada, "POST", "/api/account/login", json!({})).await;
    let pair = examples.succeeds(program, "POST", "/api/token", json!({})).await;
    for path in ["/api/token/verify", "/api/account/token/verify"] {
        let token = json!({ "token": pair.text("access") });
        examples.succeeds(program, "POST", path, token).await;
    }
    let refresh = json!({ "refresh": pair.text("refresh") });
    let next = examples.succeeds(program, "POST", "/api/token/refresh", refresh).await;
    let refresh = json!({ "refresh": next.text("refresh") });
    examples.succeeds(program, "POST", "/api/token/blacklist", refresh).await;
    for method in ["PATCH", "PUT"] {
        examples.succeeds(ada, method, "/api/account/user", json!({})).await;
    }
    let refresh = json!({ "refresh": ada.browser.cookies["refresh"] });
    examples.succeeds(ada, "POST", "/api/account/token/refresh", refresh).await;
    examples.succeeds(ada, "POST", "/api/account/join/resend-email", json!({})).await;
    let key = json!({ "key": token_of(&app, "/account/email/verify/").await });
    examples.succeeds(ada, "POST", "/api/account/join/verify-email", key).await;
    let (registration, mut eve) = ("/api/account/registration", app.api_client());
    let email = json!({ "email": "eve@example.com" });
    examples.succeeds(&mut eve, "POST", registration, email.clone()).await;
    let resend = format!("{registration}/resend-email");
    examples.succeeds(&mut eve, "POST", &resend, email).await;
    let link = app.last_email_to("eve@example.com").await.link("/account/email/verify/");
    let key = json!({ "key": link.rsplit('/').next().expect("a token") });
    let verify = format!("{registration}/verify-email");
    examples.succeeds(&mut eve, "POST", &verify, key).await;
    examples.succeeds(ada, "POST", "/api/account/password/change", json!({})).await;
    examples.succeeds(ada, "POST", "/api/account/password/reset", json!({})).await;
    let token = json!({ "token": token_of(&app, "/account/password/reset/").await });
    examples.succeeds(ada, "POST", "/api/account/password/reset/confirm", token).await;

    let (users, one) = ("/api/users", "/api/users/{id}");
    let mary = json!({ "email": "mary@example.com" });
    examples.succeeds(&mut root, "POST", users, mary).await;
    let at = format!("{users}/{}", app.id_of("ada").await);
    for method in ["PATCH", "PUT"] {
        let reply = examples.send(&mut root, (method, one), json!({}), &at).await;
        assert_eq!(reply.status(), 200, "{method} {one}: {}", reply.page.text());
    }
    let provider = with_issuer_of(&mut root.browser).await;
    provider.says("/token", 500, "");
    let (social, at) = ("/api/account/social/{slug}", "/api/account/social/id");
    let reply = examples.send(program, ("POST", social), json!({}), at).await;
    assert_eq!(reply.status(), 503, "the provider was asked: {}", reply.page.text());
    let connect = "/api/account/social/{slug}/connect";
    let at = "/api/account/social/id/connect";
    let reply = examples.send(&mut eve, ("POST", connect), json!({}), at).await;
    assert_eq!(reply.status(), 503, "the provider was asked: {}", reply.page.text());
    let refresh = json!({ "refresh": next.text("refresh") });
    examples.succeeds(program, "POST", "/api/account/logout", refresh).await;

    assert!(examples.0.is_empty(), "not sent: {:?}", examples.0.keys());
}
