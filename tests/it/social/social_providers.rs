//! Each provider in its own format, and how staff register one.

use serde_json::json;

use crate::social::social_accounts::kakao;
use crate::social::social_login::{comes_back, registers, sets_out};
use crate::support::provider::FakeProvider;
use crate::support::{App, GOOD, TestEnv, on_both};

/// A provider of this kind that knows one user.
async fn that_knows(app: &App, kind: &str, profile: &serde_json::Value) -> FakeProvider {
    let provider = FakeProvider::open().await;
    registers(app, &provider, &[("provider", kind), ("app_id", "77")]).await;
    provider.redeems(None);
    provider.says("/me", 200, profile);
    provider
}

#[on_both]
async fn every_provider_is_read_in_its_own_format(env: TestEnv) {
    let profiles = [
        ("kakao", kakao(true), true),
        (
            "naver",
            json!({"resultcode": "00", "message": "success", "response": {
            "id": "n-1", "email": "ada@example.com", "name": "에이다"}}),
            false,
        ),
        (
            "google",
            json!({"sub": "g-1", "email": "ada@example.com", "email_verified": true,
            "name": "Ada"}),
            true,
        ),
        ("facebook", json!({"id": "12", "name": "Ada", "email": "ada@example.com"}), false),
        ("github", json!({"id": 9, "login": "ada", "email": "shown@example.com"}), true),
    ];
    let app = env.app().await;
    for (kind, profile, is_verified) in profiles {
        let provider = that_knows(&app, kind, &profile).await;
        let emails = json!([{"email": "ada@example.com", "primary": true, "verified": true}]);
        provider.says("/me/emails", 200, emails);
        let mut ada = app.visitor();
        let asked = sets_out(&mut ada, kind).await;

        let answer = comes_back(&mut ada, kind, &asked["state"]).await;

        assert_eq!(answer.location(), Some("/?a=b"), "{kind}: {}", answer.text());
        let verified = "SELECT COUNT(*) FROM users WHERE email = 'ada@example.com'
                AND email_verified_at IS NOT NULL";
        assert_eq!(app.query_number(verified).await, i64::from(is_verified), "{kind}");
        let sent = &provider.asked("/token")[0].form;
        assert_eq!(sent["client_secret"], "our-secret", "{kind}");
        assert!(sent.contains_key("code_verifier"), "{kind}");
        app.deletes_user("ada").await;
        // The last superuser cannot be deleted; the next round needs a site without one.
        app.execute("DELETE FROM users WHERE email = 'root@example.com'").await;
    }
}

#[on_both]
async fn an_access_token_must_be_issued_to_us(env: TestEnv) {
    let app = env.app().await;
    let provider = that_knows(&app, "kakao", &kakao(true)).await;
    let body = r#"{"access_token": "from-the-phone"}"#;
    let sends = || app.visitor().sends_json("/api/account/social/kakao", body);

    provider.says("/info", 200, json!({"id": 4242, "app_id": 78}));
    let answer = sends().await;
    assert_eq!((answer.status(), answer.text().contains("Incorrect value")), (400, true));
    provider.says("/info", 401, json!({"code": -401}));
    assert_eq!(sends().await.status(), 400);
    assert!(provider.asked("/me").is_empty(), "nobody is asked who holds it");

    provider.says("/info", 200, json!({"id": 4242, "app_id": 77}));
    let answer = sends().await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert!(answer.text().contains(r#""email":"ada@example.com""#));
    assert!(provider.asked("/me")[0].head.contains("Bearer from-the-phone"));
}

#[on_both]
async fn facebook_tokens_are_checked_for_their_app(env: TestEnv) {
    let app = env.app().await;
    let profile = json!({"id": "12", "name": "Ada", "email": "ada@example.com"});
    let provider = that_knows(&app, "facebook", &profile).await;
    let body = r#"{"access_token": "from-the-phone"}"#;
    for (said, status) in [
        (json!({"data": {"app_id": "78", "is_valid": true}}), 400),
        (json!({"data": {"app_id": "77", "is_valid": false}}), 400),
        (json!({"data": {"app_id": "77", "is_valid": true}}), 200),
    ] {
        provider.says("/info", 200, &said);
        let answer = app.visitor().sends_json("/api/account/social/facebook", body).await;
        assert_eq!(answer.status(), status, "{said}: {}", answer.text());
    }
    assert_eq!(provider.asked("/info")[0].query["access_token"], "77|our-secret");
}

#[on_both]
async fn staff_see_errors_of_a_registration(env: TestEnv) {
    let app = env.app().await;
    let mut root = app.superuser("root").await;
    let provider = FakeProvider::open().await;
    let url = provider.url.clone();
    let closed = "http://127.0.0.1:1";
    for (issuer, field) in [
        (closed, "issuer"),
        (&format!("{url}/"), "issuer"),
        ("http://id.example", "issuer"),
        ("https://169.254.169.254", "issuer"),
        ("", "issuer"),
    ] {
        let fields = [("provider", "oidc"), ("client_id", "us"), ("issuer", issuer)];
        let page = root.submits("/admin/social/new", &fields).await;
        assert_eq!(page.status(), 422, "{issuer}");
        assert!(page.field(field).is_wrong, "{issuer}");
    }
    assert_eq!(app.query_number("SELECT COUNT(*) FROM social_providers").await, 0);
    let page = root.submits("/admin/social/new", &[("provider", "kakao")]).await;
    assert!(page.field("client_id").is_wrong);
}

#[on_both]
async fn a_secret_is_sealed_and_never_shown(env: TestEnv) {
    let app = env.app().await;
    let provider = that_knows(&app, "kakao", &kakao(true)).await;
    let mut root = app.visitor();
    root.logs_in("root@example.com", GOOD).await;
    let id = app.query_number("SELECT id FROM social_providers").await;
    let path = format!("/admin/social/{id}");

    let page = root.get(&path).await;
    assert!(!page.text().contains("our-secret"));
    assert!(page.text().contains("/account/social/kakao/callback"));
    let [authorize, token, me] =
        ["authorize", "token", "me"].map(|path| format!("{}/{path}", provider.url));
    let fields = [
        ("client_id", "us-too"),
        ("is_active", "true"),
        ("token_endpoint", token.as_str()),
        ("authorization_endpoint", &authorize),
        ("userinfo_endpoint", &me),
    ];
    assert_eq!(root.submits(&path, &fields).await.location(), Some("/admin/social"));

    let stored = app.query_text("SELECT client_secret FROM social_providers").await;
    assert!(!stored.is_empty() && !stored.contains("our-secret"));
    let mut ada = app.visitor();
    let asked = sets_out(&mut ada, "kakao").await;
    comes_back(&mut ada, "kakao", &asked["state"]).await;
    let sent = &provider.asked("/token")[0].form;
    assert_eq!(sent["client_id"], "us-too");
    assert_eq!(sent["client_secret"], "our-secret");
    root.submits(&format!("{path}/delete"), &[]).await;
    assert_eq!(app.query_number("SELECT COUNT(*) FROM social_identities").await, 0);
    assert_eq!(app.audit_event_count("provider_deleted").await, 1);
}

#[on_both]
async fn providers_need_their_permission(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.staff("ada", &[daemun::testing::types::Permission::UsersView]).await;
    let may = [daemun::testing::types::Permission::SocialChange];
    let mut sam = app.staff("sam", &may).await;

    for path in ["/admin/social", "/admin/social/new", "/admin/social/1"] {
        assert_eq!(ada.get(path).await.status(), 403, "{path}");
        assert_eq!(app.visitor().get(path).await.status(), 303, "{path}");
    }
    assert_eq!(ada.submits("/admin/social/new", &[]).await.status(), 403);
    assert_eq!(sam.get("/admin/social").await.status(), 200);
    assert_eq!(sam.get("/admin/social/new").await.status(), 200);
    assert_eq!(sam.get("/admin/social/1").await.status(), 404);
}
