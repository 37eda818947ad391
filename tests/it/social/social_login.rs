//! Logging in by a provider, from the button to the session.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::provider::FakeProvider;
use crate::support::{App, Browser, GOOD, Page, TestEnv, on_both};

/// A superuser registers a provider.
pub(crate) async fn registers(app: &App, provider: &FakeProvider, fields: &[(&str, &str)]) {
    registers_as(&mut app.superuser("root").await, provider, fields).await;
}

/// Registers a provider on the admin page.
pub(crate) async fn registers_as(
    who: &mut Browser<'_>,
    provider: &FakeProvider,
    fields: &[(&str, &str)],
) {
    let [authorize, token, me, info] =
        ["authorize", "token", "me", "info"].map(|path| format!("{}/{path}", provider.url));
    let mut all: BTreeMap<&str, &str> = [
        ("client_id", "us"),
        ("client_secret", "our-secret"),
        ("authorization_endpoint", &authorize),
        ("token_endpoint", &token),
        ("userinfo_endpoint", &me),
        ("token_info_endpoint", &info),
        ("is_active", "true"),
    ]
    .into();
    all.extend(fields.iter().copied());
    let all: Vec<_> = all.into_iter().collect();
    let answer = who.submits("/admin/social/new", &all).await;
    assert_eq!(answer.location(), Some("/admin/social"), "{}", answer.text());
}

/// An issuer called `id`.
pub(crate) async fn with_issuer(app: &App) -> FakeProvider {
    with_issuer_of(&mut app.superuser("root").await).await
}

/// An issuer called `id`, registered by staff.
pub(crate) async fn with_issuer_of(who: &mut Browser<'_>) -> FakeProvider {
    let provider = FakeProvider::open().await;
    let url = provider.url.clone();
    let fields = [("provider", "oidc"), ("slug", "id"), ("name", "Our ID"), ("issuer", &url)];
    registers_as(who, &provider, &fields).await;
    provider
}

/// Presses the button of a provider; what the provider is asked for.
pub(crate) async fn sets_out(who: &mut Browser<'_>, slug: &str) -> BTreeMap<String, String> {
    let answer = who.submits(&format!("/account/social/{slug}"), &[("next", "/?a=b")]).await;
    let way = answer.location().unwrap_or_else(|| panic!("{}", answer.text())).to_owned();
    let way = url::Url::parse(&way).expect("an address");
    way.query_pairs().into_owned().collect()
}

/// Comes back with a code.
pub(crate) async fn comes_back(who: &mut Browser<'_>, slug: &str, state: &str) -> Page {
    who.get(&format!("/account/social/{slug}/callback?code=the-code&state={state}")).await
}

/// Logs in by the issuer called `id`, which sends these claims.
pub(crate) async fn logs_in_by_provider(
    who: &mut Browser<'_>,
    app: &App,
    provider: &FakeProvider,
    change: &Value,
) -> Page {
    let asked = sets_out(who, "id").await;
    let mut claims = provider.claims("ada", app.ctx.clock.now());
    claims["nonce"] = json!(asked["nonce"]);
    for (name, value) in change.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    provider.redeems(Some(provider.signs(&claims)));
    comes_back(who, "id", &asked["state"]).await
}

async fn user_count(app: &App) -> i64 {
    app.query_number("SELECT COUNT(*) FROM users").await
}

#[on_both]
async fn a_provider_user_gets_an_account_and_returns_to_it(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.visitor();

    let answer = logs_in_by_provider(&mut ada, &app, &provider, &json!({})).await;

    assert_eq!(answer.location(), Some("/?a=b"), "{}", answer.text());
    assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
    assert!(ada.cookie("social").is_none());
    let (before, events) = (user_count(&app).await, app.audit_event_count("signup").await);
    let mut again = app.visitor();
    logs_in_by_provider(&mut again, &app, &provider, &json!({ "email": "moved@example.com" }))
        .await;
    assert_eq!(again.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
    assert_eq!((user_count(&app).await, app.audit_event_count("signup").await), (before, events));
    let sent = &provider.asked("/token")[0];
    assert_eq!(sent.form["code"], "the-code");
    assert!(sent.head.to_lowercase().contains("authorization: basic"));
}

#[on_both]
async fn the_request_has_state_nonce_and_pkce(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.visitor();
    let page = ada.get("/account/login").await;
    assert!(page.text().contains("Continue with Our ID"));
    let policy = page.header("content-security-policy").expect("a policy");
    let forms = format!("form-action 'self' https: {};", provider.url);
    assert!(policy.contains(&forms), "{policy}");

    let asked = sets_out(&mut ada, "id").await;

    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["client_id"], "us");
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["scope"], "openid email profile");
    let callback = "http://localhost:8000/account/social/id/callback";
    assert_eq!(asked["redirect_uri"], callback);
    assert_ne!(asked["state"], sets_out(&mut app.visitor(), "id").await["state"]);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM social_identities").await, 0);
}

#[on_both]
async fn a_code_this_browser_did_not_request_is_refused(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut eve = app.visitor();
    let eves = sets_out(&mut eve, "id").await;
    let mut ada = app.visitor();
    let adas = sets_out(&mut ada, "id").await;

    let (theirs, none) = (&eves["state"], &String::new());
    let tries = [(app.visitor(), theirs), (ada.clone(), theirs), (ada.clone(), none)];
    for (mut who, state) in tries {
        let page = comes_back(&mut who, "id", state).await;
        assert_eq!(page.status(), 403);
        assert!(who.cookie("social").is_none(), "it is good once");
        assert_eq!(comes_back(&mut who, "id", &adas["state"]).await.status(), 403);
    }
    let mut late = ada.clone();
    app.ctx.clock.advance(std::time::Duration::from_mins(11));
    assert_eq!(comes_back(&mut late, "id", &adas["state"]).await.status(), 403);
    assert!(provider.asked("/token").is_empty(), "no code was redeemed");
}

#[on_both]
async fn an_id_token_for_another_login_is_refused(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let before = user_count(&app).await;

    for change in [
        json!({ "nonce": "another" }),
        json!({ "nonce": null }),
        json!({ "aud": "them" }),
        json!({ "iss": "https://evil.example" }),
        json!({ "exp": 1 }),
        json!({ "sub": "" }),
    ] {
        let mut eve = app.visitor();
        let page = logs_in_by_provider(&mut eve, &app, &provider, &change).await;
        assert!([422, 502].contains(&page.status()), "{change}: {}", page.status());
        assert!(!eve.is_signed_in().await, "{change}");
    }
    let mut eve = app.visitor();
    let asked = sets_out(&mut eve, "id").await;
    let mut claims = provider.claims("ada", app.ctx.clock.now());
    claims["nonce"] = json!(asked["nonce"]);
    let stranger = FakeProvider::open().await;
    provider.redeems(Some(stranger.signs(&claims)));
    assert_eq!(comes_back(&mut eve, "id", &asked["state"]).await.status(), 422);
    assert_eq!(user_count(&app).await, before);
}

#[on_both]
async fn accounts_are_linked_only_if_both_sides_verified(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    app.user("ada").await;

    for claim in [json!(true), json!(false), json!("true"), Value::Null] {
        let mut ada = app.visitor();
        let claims = json!({ "email_verified": claim });
        let page = logs_in_by_provider(&mut ada, &app, &provider, &claims).await;
        assert_eq!(page.status(), 422, "our side has not proved it: {claim}");
        assert!(!ada.is_signed_in().await);
    }
    app.verifies_email("ada").await;
    for claim in [json!(false), json!("true"), Value::Null] {
        let mut ada = app.visitor();
        let claims = json!({ "email_verified": claim });
        let page = logs_in_by_provider(&mut ada, &app, &provider, &claims).await;
        assert_eq!(page.status(), 422, "their side has not proved it: {claim}");
    }
    assert_eq!(app.query_number("SELECT COUNT(*) FROM social_identities").await, 0);

    let mut ada = app.visitor();
    logs_in_by_provider(&mut ada, &app, &provider, &json!({})).await;
    assert!(ada.is_signed_in().await);
    assert_eq!(app.audit_event_count("social_connected").await, 1);
    app.last_email_to("ada@example.com").await.link("/account/not-me/");
}

#[on_both]
async fn a_stranger_with_the_address_is_out_after_a_reset(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut eve = app.visitor();
    let claims = json!({ "email_verified": false });
    logs_in_by_provider(&mut eve, &app, &provider, &claims).await;
    assert!(eve.is_signed_in().await, "an address that is not proved, as at sign-up");

    app.visitor().requests_password_reset("ada@example.com").await;
    let link = app.last_email_to("ada@example.com").await.link("/account/password/reset/");
    assert_eq!(app.visitor().sets_new_password(&link, GOOD).await.status(), 303);

    assert!(!eve.is_signed_in().await);
    assert_eq!(
        logs_in_by_provider(&mut app.visitor(), &app, &provider, &claims).await.status(),
        422
    );
    assert_eq!(app.query_number("SELECT COUNT(*) FROM social_identities").await, 0);
}

#[on_both]
async fn a_suspended_user_cannot_log_in_by_a_provider(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    logs_in_by_provider(&mut app.visitor(), &app, &provider, &json!({})).await;
    app.deactivates("ada").await;

    let mut ada = app.visitor();
    let page = logs_in_by_provider(&mut ada, &app, &provider, &json!({})).await;

    assert_eq!(page.status(), 422);
    assert!(!ada.is_signed_in().await);
}

#[on_both]
async fn of_eight_callbacks_at_once_one_creates_the_account(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let before = user_count(&app).await;
    let mut claims = provider.claims("ada", app.ctx.clock.now());
    claims.as_object_mut().expect("an object").remove("nonce");
    let token = provider.signs(&claims);
    let body = json!({ "id_token": token }).to_string();

    let tries = (0..8).map(|_| app.visitor().sends_json("/api/account/social/id", &body));
    let answers = futures::future::join_all(tries).await;

    assert!(answers.iter().any(|page| page.status() == 200));
    assert!(answers.iter().all(|page| [200, 400].contains(&page.status())));
    assert_eq!(user_count(&app).await, before + 1);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM social_identities").await, 1);
}

#[on_both]
async fn a_failing_provider_is_explained_on_a_page(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let before = user_count(&app).await;
    let huge = "x".repeat(70_000);
    for (status, body, expected) in [
        (500, "{}", 502),
        (200, "not json", 502),
        (200, huge.as_str(), 502),
        (302, "{}", 502),
        (400, r#"{"error": "invalid_grant"}"#, 422),
        (200, r#"{"error": "bad_verification_code"}"#, 422),
    ] {
        let mut ada = app.visitor();
        let asked = sets_out(&mut ada, "id").await;
        provider.says("/token", status, body);
        let page = comes_back(&mut ada, "id", &asked["state"]).await;
        assert_eq!(page.status(), expected, "{status}");
        assert_eq!(page.h1(), "Log-in failed");
    }
    let mut ada = app.visitor();
    let asked = sets_out(&mut ada, "id").await;
    let denied = format!("error=access_denied&state={}", asked["state"]);
    let page = ada.get(&format!("/account/social/id/callback?{denied}")).await;
    assert_eq!(page.status(), 422);
    assert!(page.text().contains("agree to share your"));
    assert_eq!(user_count(&app).await, before);
}

#[on_both]
async fn a_silent_provider_is_given_five_seconds(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.visitor();
    let asked = sets_out(&mut ada, "id").await;
    provider.says("/token", 0, "");

    let began = std::time::Instant::now();
    let page = comes_back(&mut ada, "id", &asked["state"]).await;

    assert_eq!(page.status(), 502);
    assert!(began.elapsed() < std::time::Duration::from_secs(8));
}

#[on_both]
async fn an_unknown_provider_is_not_found(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.visitor();

    assert_eq!(ada.submits("/account/social/myspace", &[]).await.status(), 404);
    assert_eq!(ada.post("/account/social/myspace", &[]).await.status(), 403, "no form token");
    let body = r#"{"access_token": "x"}"#;
    assert_eq!(ada.clone().sends_json("/api/account/social/myspace", body).await.status(), 404);
}
