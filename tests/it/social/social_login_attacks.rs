//! Attacks on social log-in, to get into another account or into a closed one: each is refused, and
//! leaves nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::social::social_login::{
    comes_back, logs_in_by_provider, registers, registers_as, sets_out, with_issuer,
};
use crate::support::provider::FakeProvider;
use crate::support::{App, Browser, GOOD, Page, TestEnv, on_both};

const DISCOVERY: &str = "/.well-known/openid-configuration";

async fn identities(app: &App) -> i64 {
    app.query_number("SELECT COUNT(*) FROM social_identities").await
}

/// A phone hands in an ID token.
async fn hands_in(app: &App, token: &str) -> Page {
    let body = json!({ "id_token": token }).to_string();
    app.visitor().sends_json("/api/account/social/id", &body).await
}

/// The claims that a phone's token has, which is for no sign-in in particular.
fn claims(app: &App, provider: &FakeProvider, change: &Value) -> Value {
    let mut claims = provider.claims("ada", app.ctx.clock.now());
    for (name, value) in change.as_object().expect("an object") {
        claims[name] = value.clone();
    }
    claims
}

/// Comes back from the issuer called `id`, which says who it is.
async fn comes_back_from(who: &mut Browser<'_>, state: &str, issuer: &str) -> Page {
    let issuer: String = url::form_urlencoded::byte_serialize(issuer.as_bytes()).collect();
    let query = format!("code=the-code&state={state}&iss={issuer}");
    who.get(&format!("/account/social/id/callback?{query}")).await
}

/// Sets out to the issuer called `id`, who would then know Ada; the state.
async fn is_expected(who: &mut Browser<'_>, app: &App, provider: &FakeProvider) -> String {
    let asked = sets_out(who, "id").await;
    let claims = claims(app, provider, &json!({ "nonce": asked["nonce"] }));
    provider.redeems(Some(provider.signs(&claims)));
    asked["state"].clone()
}

#[on_both]
async fn a_code_of_another_provider_is_refused(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let (honest, evil) = (FakeProvider::open().await, FakeProvider::open().await);
    for (slug, provider) in [("honest", &honest), ("evil", &evil)] {
        let fields = [("provider", "oidc"), ("slug", slug), ("issuer", provider.url.as_str())];
        registers_as(&mut root, provider, &fields).await;
    }
    let mut ada = app.visitor();
    let asked = sets_out(&mut ada, "evil").await;

    let page = comes_back(&mut ada, "honest", &asked["state"]).await;

    assert_eq!(page.status(), 403);
    assert!(honest.asked("/token").is_empty() && evil.asked("/token").is_empty());
    assert!(ada.cookie("social").is_none(), "and that was its one use");
}

#[on_both]
async fn a_response_of_another_issuer_is_refused(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.visitor();
    let state = is_expected(&mut ada, &app, &provider).await;
    let page = comes_back_from(&mut ada, &state, "https://evil.example").await;
    assert_eq!(page.status(), 422);
    assert!(provider.asked("/token").is_empty(), "the code stays here");

    let mut ada = app.visitor();
    let state = is_expected(&mut ada, &app, &provider).await;
    comes_back_from(&mut ada, &state, &provider.url).await;
    assert!(ada.is_signed_in().await);
}

#[on_both]
async fn an_issuer_that_promises_iss_must_send_it(env: TestEnv) {
    let app = env.app().await;
    let provider = FakeProvider::open().await;
    let mut document = provider.document();
    document["authorization_response_iss_parameter_supported"] = json!(true);
    provider.says(DISCOVERY, 200, document);
    let fields = [("provider", "oidc"), ("slug", "id"), ("issuer", provider.url.as_str())];
    registers(&app, &provider, &fields).await;

    let mut ada = app.visitor();
    let state = is_expected(&mut ada, &app, &provider).await;
    assert_eq!(comes_back(&mut ada, "id", &state).await.status(), 422);
    assert!(!ada.is_signed_in().await);
    let state = is_expected(&mut ada, &app, &provider).await;
    comes_back_from(&mut ada, &state, &provider.url).await;
    assert!(ada.is_signed_in().await);
}

#[on_both]
async fn a_token_with_a_wrong_signature_is_refused(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let claims = claims(&app, &provider, &json!({}));
    let stranger = FakeProvider::open().await;

    for (token, what) in [
        (stranger.signs(&claims), "another key under the same name"),
        (FakeProvider::unsigned(&claims), "no algorithm"),
        (provider.signs_with_its_public_key(&claims), "the public key as a shared one"),
        (provider.signs_as("2", &claims), "an unknown key"),
    ] {
        assert_eq!(hands_in(&app, &token).await.status(), 400, "{what}");
    }

    assert_eq!(identities(&app).await, 0);
    assert_eq!(hands_in(&app, &provider.signs(&claims)).await.status(), 200);
}

#[on_both]
async fn large_numbers_in_a_token_are_accepted(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let signed = |change: Value| provider.signs(&claims(&app, &provider, &change));

    assert_eq!(hands_in(&app, &signed(json!({ "iat": i64::MAX }))).await.status(), 400);
    assert_eq!(hands_in(&app, &signed(json!({ "exp": i64::MIN }))).await.status(), 400);
    assert_eq!(hands_in(&app, &signed(json!({ "exp": 1e300 }))).await.status(), 400);
    let for_ever = json!({ "exp": i64::MAX, "iat": i64::MIN });
    assert_eq!(hands_in(&app, &signed(for_ever)).await.status(), 200);
}

#[on_both]
async fn keys_are_fetched_once_a_minute_for_unknown_key_ids(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let token = provider.signs_as("2", &claims(&app, &provider, &json!({})));
    let fetched = || provider.asked("/jwks").len();
    let before = fetched();
    env.clock.advance(Duration::from_mins(2));

    let tries = (0..16).map(|_| hands_in(&app, &token));
    let answers = futures::future::join_all(tries).await;

    assert!(answers.iter().all(|page| page.status() == 400));
    assert_eq!(fetched(), before + 1);
    provider.says(DISCOVERY, 500, "");
    env.clock.advance(Duration::from_mins(2));
    let (asked, good) = (provider.asked(DISCOVERY).len(), claims(&app, &provider, &json!({})));
    for _ in 0..4 {
        assert_eq!(hands_in(&app, &token).await.status(), 503, "who signed it is not known");
    }
    assert_eq!(provider.asked(DISCOVERY).len(), asked + 1, "it is left alone for a moment");
    assert_eq!(hands_in(&app, &provider.signs(&good)).await.status(), 200, "known keys do");
}

#[on_both]
async fn a_document_pointing_to_the_local_network_is_refused(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    for (name, place) in [
        ("jwks_uri", "https://169.254.169.254/latest/meta-data"),
        ("token_endpoint", "https://[::ffff:10.0.0.1]/"),
        ("authorization_endpoint", "http://10.0.0.1/"),
        ("jwks_uri", "file:///etc/passwd"),
    ] {
        let provider = FakeProvider::open().await;
        let mut document = provider.document();
        document[name] = json!(place);
        provider.says(DISCOVERY, 200, document);
        let issuer = provider.url.as_str();
        let fields = [("provider", "oidc"), ("client_id", "us"), ("issuer", issuer)];
        let page = root.submits("/admin/social/new", &fields).await;
        assert!(page.field("issuer").is_wrong, "{name} {place}");
    }
}

#[on_both]
async fn an_unverified_stranger_is_out_when_the_owner_logs_in(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let unverified = json!({ "sub": "eve", "email_verified": false });
    logs_in_by_provider(&mut app.visitor(), &app, &provider, &unverified).await;
    let link = app.last_email_to("ada@example.com").await.link("/account/email/verify/");
    env.clock.advance(Duration::from_mins(1));
    app.visitor().confirms(&link).await;

    app.visitor().requests_password_reset("ada@example.com").await;
    let link = app.last_email_to("ada@example.com").await.link("/account/password/reset/");
    assert_eq!(app.visitor().sets_new_password(&link, GOOD).await.status(), 303);

    let mut eve = app.visitor();
    assert_eq!(logs_in_by_provider(&mut eve, &app, &provider, &unverified).await.status(), 422);
    assert!(!eve.is_signed_in().await);
    assert_eq!(
        (identities(&app).await, app.audit_event_count("social_disconnected").await),
        (0, 1)
    );
}

#[on_both]
async fn a_reset_keeps_a_provider_that_verified_the_address(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    logs_in_by_provider(&mut app.visitor(), &app, &provider, &json!({})).await;
    env.clock.advance(Duration::from_mins(1));

    app.visitor().requests_password_reset("ada@example.com").await;
    let link = app.last_email_to("ada@example.com").await.link("/account/password/reset/");
    app.visitor().sets_new_password(&link, GOOD).await;

    let mut ada = app.visitor();
    logs_in_by_provider(&mut ada, &app, &provider, &json!({})).await;
    assert!(ada.is_signed_in().await, "one way or the other");
    assert_eq!(app.visitor().logs_in("ada@example.com", GOOD).await.status(), 303);
}

#[on_both]
async fn attempts_at_addresses_are_limited(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    app.user("ada").await;
    let mut eve = app.visitor();
    let nameless = json!({ "sub": "eve", "email": null });
    logs_in_by_provider(&mut eve, &app, &provider, &nameless).await;

    let token = eve.token().await;
    let fields = [("csrf", token.as_str()), ("email", "ada@example.com")];
    let mut last = 0;
    for _ in 0..110 {
        last = eve.post("/account/join/address", &fields).await.status();
    }

    assert_eq!(last, 429);
}

#[on_both]
async fn reauthentication_as_another_user_is_refused(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.visitor();
    logs_in_by_provider(&mut ada, &app, &provider, &json!({})).await;
    env.clock.advance(Duration::from_mins(11));
    let export = "/account/export";
    let page = ada.get("/account/sudo").await;
    assert!(page.text().contains("Continue with Our ID"));

    for (subject, next) in [("eve", None), ("ada", Some(export))] {
        let fields = [("again", "true"), ("next", export)];
        let answer = ada.submits("/account/social/id", &fields).await;
        let way = url::Url::parse(answer.location().expect("a way")).expect("an address");
        let asked: std::collections::BTreeMap<_, _> = way.query_pairs().into_owned().collect();
        assert_eq!(asked["prompt"], "login");
        let change = json!({ "sub": subject, "nonce": asked["nonce"] });
        provider.redeems(Some(provider.signs(&claims(&app, &provider, &change))));
        let answer = comes_back(&mut ada, "id", &asked["state"]).await;
        assert_eq!(answer.location(), next, "{}", answer.text());
    }

    assert_eq!(ada.get(export).await.status(), 200);
    assert_eq!((app.audit_event_count("proved_again").await, identities(&app).await), (1, 1));
}

#[on_both]
async fn a_deletion_removes_every_identity(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.visitor();
    logs_in_by_provider(&mut ada, &app, &provider, &json!({})).await;
    let left = ada.submits("/account/delete", &[]).await;
    assert_eq!((left.status(), identities(&app).await), (303, 1));

    env.clock.advance(Duration::from_hours(15 * 24));
    daemun::testing::worker::sweep_all(&app.ctx).await;

    assert_eq!(identities(&app).await, 0);
}

#[on_both]
async fn an_overlong_next_is_dropped(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.visitor();
    let long = format!("/?{}", "a".repeat(2000));
    let answer = ada.submits("/account/social/id", &[("next", &long)]).await;
    let way = url::Url::parse(answer.location().expect("a way")).expect("an address");
    let asked: std::collections::BTreeMap<_, _> = way.query_pairs().into_owned().collect();
    assert!(ada.cookie("social").expect("a cookie").len() < 4000);

    let change = json!({ "nonce": asked["nonce"] });
    provider.redeems(Some(provider.signs(&claims(&app, &provider, &change))));
    let answer = comes_back(&mut ada, "id", &asked["state"]).await;

    assert_eq!(answer.location(), Some("/account/mypage"));
}

#[on_both]
async fn a_secret_that_cannot_be_unsealed_disables_the_provider(env: TestEnv) {
    let app = env.app().await;
    let provider = FakeProvider::open().await;
    registers(&app, &provider, &[("provider", "kakao")]).await;
    app.execute("UPDATE social_providers SET client_secret = 'sealed elsewhere'").await;
    assert_eq!(app.visitor().submits("/account/social/kakao", &[]).await.status(), 404);
    let mut root = app.visitor();
    root.logs_in("root@example.com", GOOD).await;
    let id = app.query_number("SELECT id FROM social_providers").await;

    let fields = [("client_id", "us"), ("client_secret", "new"), ("is_active", "true")];
    let answer = root.submits(&format!("/admin/social/{id}"), &fields).await;

    assert_eq!(answer.location(), Some("/admin/social"), "{}", answer.text());
    assert_eq!(app.visitor().submits("/account/social/kakao", &[]).await.status(), 303);
}
