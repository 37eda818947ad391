//! Social log-in by the JSON API.

use serde_json::json;

use crate::social::social_login::with_issuer;
use crate::support::provider::FakeProvider;
use crate::support::{App, GOOD, TestEnv, on_both};

#[on_both]
async fn errors_of_the_api_are_named(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let now = app.ctx.clock.now();
    let sends = |body: serde_json::Value| {
        let visitor = app.visitor();
        async move { visitor.sends_json("/api/account/social/id", &body.to_string()).await }
    };
    let nothing = sends(json!({})).await;
    assert_eq!(nothing.status(), 400);
    assert!(nothing.text().contains("Incorrect input. access_token or code is required."));
    assert_eq!(sends(json!({"access_token": "x"})).await.status(), 400, "of whom is not known");
    let mut foreign = provider.claims("ada", now);
    foreign["aud"] = json!("them");
    assert_eq!(sends(json!({"id_token": provider.signs(&foreign)})).await.status(), 400);
    assert_eq!(sends(json!({"id_token": "a.b.c"})).await.status(), 400);
    let mut nameless = provider.claims("ada", now);
    nameless.as_object_mut().expect("an object").remove("email");
    let token = provider.signs(&nameless);
    let asked = sends(json!({ "id_token": token })).await;
    assert_eq!((asked.status(), asked.text().contains("\"email\"")), (400, true));

    let typed = sends(json!({"id_token": token, "email": "ada@example.com"})).await;
    assert_eq!(typed.status(), 200, "{}", typed.text());
    assert!(typed.text().contains(r#""email_verified":false"#));
}

fn id_token(app: &App, provider: &FakeProvider, subject: &str) -> serde_json::Value {
    let claims = provider.claims(subject, app.ctx.clock.now());
    json!({ "id_token": provider.signs(&claims) })
}

const CONNECT: &str = "/api/account/social/id/connect";

#[on_both]
async fn providers_are_connected_listed_and_disconnected(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.api_user("ada").await.with_bearer();
    let token = id_token(&app, &provider, "4711");

    let connected = ada.post(CONNECT, token.clone()).await;

    assert_eq!((connected.status(), connected.json), (200, json!({})));
    let listed = ada.get("/api/account/social").await;
    let one = &listed.json[0];
    assert_eq!((listed.status(), listed.json.as_array().map(Vec::len)), (200, Some(1)));
    assert_eq!((&one["provider"], &one["uid"]), (&json!("id"), &json!("4711")));
    for name in ["last_login", "date_joined"] {
        let format = &time::format_description::well_known::Rfc3339;
        let text = one[name].as_str().expect("text");
        assert!(time::OffsetDateTime::parse(text, format).is_ok(), "{text}");
    }
    let email = app.last_email_to("ada@example.com").await;
    email.link("/account/not-me/");
    assert_eq!(app.audit_event_count("social_connected").await, 1);
    let again = ada.post(CONNECT, token.clone()).await;
    assert_eq!((again.status(), again.json), (200, json!({})), "a repeated request");
    assert_eq!(app.audit_event_count("social_connected").await, 1);
    assert_eq!(app.api_client().post("/api/account/social/id", token).await.status(), 200);

    let at = format!("/api/account/social/{}/disconnect", one["id"]);
    let gone = ada.post(&at, json!({})).await;
    assert_eq!((gone.status(), gone.json), (200, json!({})));
    assert_eq!(app.audit_event_count("social_disconnected").await, 1);
    assert_eq!(ada.post(&at, json!({})).await.status(), 404);
    assert_eq!(ada.get("/api/account/social").await.json, json!([]));
}

#[on_both]
async fn an_identity_of_another_user_is_neither_taken_nor_removed(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let token = id_token(&app, &provider, "4711");
    let mut ada = app.api_user("ada").await.with_bearer();
    ada.post(CONNECT, token.clone()).await;
    let id = app.query_number("SELECT id FROM social_identities").await;
    let mut eve = app.api_user("eve").await.with_bearer();

    let stolen = eve.post(CONNECT, token).await;
    let removed = eve.post(&format!("/api/account/social/{id}/disconnect"), json!({})).await;

    assert_eq!(stolen.status(), 400);
    let why = json!({ "non_field_errors": ["This account can't be connected to yours."] });
    assert_eq!(stolen.json, why);
    assert_eq!((removed.status(), removed.code()), (404, "not_found"));
    for odd in ["0", "-1", "x", "99999999999999999999", "1.5"] {
        let path = format!("/api/account/social/{odd}/disconnect");
        assert_eq!(eve.post(&path, json!({})).await.status(), 404, "{odd}");
    }
    assert_eq!(eve.get("/api/account/social").await.json, json!([]));
    assert_eq!(ada.get("/api/account/social").await.json[0]["id"], id);
}

#[on_both]
async fn the_last_way_in_stays(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.api_client();
    let token = id_token(&app, &provider, "4711");
    assert_eq!(ada.post("/api/account/social/id", token).await.status(), 200);
    let first = app.query_number("SELECT id FROM social_identities").await;
    let at = format!("/api/account/social/{first}/disconnect");

    let kept = ada.post(&at, json!({})).await;

    let why = kept.json["non_field_errors"][0].as_str().unwrap_or_default().to_owned();
    assert!(kept.status() == 400 && why.starts_with("This is the last way"), "{}", kept.json);
    let other = id_token(&app, &provider, "4712");
    assert_eq!(ada.post(CONNECT, other).await.status(), 200);
    assert_eq!(ada.post(&at, json!({})).await.status(), 200);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM social_identities").await, 1);
}

#[on_both]
async fn connections_change_only_after_a_recent_log_in(env: TestEnv) {
    let app = env.app_with(&[("access_token_lifetime", "1h")]).await;
    let provider = with_issuer(&app).await;
    let mut ada = app.api_user("ada").await.with_bearer();
    env.clock.advance(std::time::Duration::from_mins(11));
    let token = id_token(&app, &provider, "4711");

    for reply in [
        ada.post(CONNECT, token.clone()).await,
        ada.post("/api/account/social/1/disconnect", json!({})).await,
    ] {
        assert_eq!((reply.status(), reply.code()), (403, "reauthentication_required"));
    }
    assert_eq!(ada.get("/api/account/social").await.status(), 200);
    let mut fresh = app.api_client();
    fresh.requests_tokens("ada@example.com", GOOD).await;
    assert_eq!(fresh.with_bearer().post(CONNECT, token).await.status(), 200);
}

#[on_both]
async fn what_the_provider_refuses_connects_nothing(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.api_user("ada").await.with_bearer();
    let mut foreign = provider.claims("4711", app.ctx.clock.now());
    foreign["aud"] = json!("them");

    let wrong = ada.post(CONNECT, json!({ "id_token": provider.signs(&foreign) })).await;
    let nothing = ada.post(CONNECT, json!({})).await;
    provider.says("/token", 500, "");
    let silent = ada.post(CONNECT, json!({ "code": "x" })).await;

    assert_eq!(wrong.json, json!({ "non_field_errors": ["Incorrect value"] }));
    assert_eq!(nothing.status(), 400);
    assert_eq!((silent.status(), silent.code()), (503, "provider_unavailable"));
    assert_eq!(app.query_number("SELECT COUNT(*) FROM social_identities").await, 0);
}
