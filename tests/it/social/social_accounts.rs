//! Connecting and disconnecting providers, and what an account without a password may do.

use serde_json::json;

use crate::social::social_login::{
    comes_back, logs_in_by_provider, registers_as, sets_out, with_issuer,
};
use crate::support::provider::FakeProvider;
use crate::support::{GOOD, TestEnv, on_both};

pub(crate) fn kakao(is_verified: bool) -> serde_json::Value {
    json!({"id": 4242, "kakao_account": {
        "email": "ada@example.com", "is_email_valid": true, "is_email_verified": is_verified,
        "profile": {"nickname": "에이다"},
    }})
}

#[on_both]
async fn a_provider_is_disconnected_unless_it_is_the_last_method(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.user("ada").await;

    let answer = logs_in_by_provider(&mut ada, &app, &provider, &json!({ "sub": "a" })).await;

    assert_eq!(answer.location(), Some("/account/connections"), "{}", answer.text());
    let page = ada.get("/account/connections").await;
    assert!(page.text().contains("Our ID"));
    let id = app.query_number("SELECT id FROM social_identities").await;
    let path = format!("/account/connections/{id}/disconnect");
    let mut eve = app.user("eve").await;
    let stolen = logs_in_by_provider(&mut eve, &app, &provider, &json!({ "sub": "a" })).await;
    assert_eq!(stolen.status(), 422, "it opens another account, and nobody says whose");
    assert!(!stolen.text().contains("ada@"));
    assert_eq!(eve.submits(&path, &[]).await.status(), 422, "not hers");
    app.removes_password("ada").await;
    assert_eq!(ada.submits(&path, &[]).await.status(), 422, "the last way in");
    logs_in_by_provider(&mut ada, &app, &provider, &json!({ "sub": "b" })).await;
    assert_eq!(ada.submits(&path, &[]).await.location(), Some("/account/connections"));
    assert_eq!(app.query_number("SELECT COUNT(*) FROM social_identities").await, 1);
    assert_eq!(app.audit_event_count("social_disconnected").await, 1);
}

#[on_both]
async fn a_provider_linked_twice_is_one_login_method(env: TestEnv) {
    let app = env.app().await;
    let provider = FakeProvider::open().await;
    let mut root = app.superuser("root").await;
    for slug in ["one", "two"] {
        registers_as(&mut root, &provider, &[("provider", "kakao"), ("slug", slug)]).await;
    }
    app.user("ada").await;
    let ada = app.id_of("ada").await;
    for (subject, slug) in [("1", "one"), ("2", "two"), ("3", "one")] {
        app.execute(&format!(
            "INSERT INTO social_identities
                 (user_id, provider, issuer, subject, label, connected_at, used_at)
                 VALUES ({ada}, '{slug}', 'kakao:{slug}', '{subject}', '', 0, 0)"
        ))
        .await;
    }

    let ways =
        daemun::testing::social::list_login_methods(&app.ctx, daemun::testing::types::UserId(ada))
            .await;

    assert_eq!(ways.expect("answers"), ["one", "two"]);
}

#[on_both]
async fn of_two_disconnections_at_once_one_method_stays(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.visitor();
    logs_in_by_provider(&mut ada, &app, &provider, &json!({ "sub": "a" })).await;
    logs_in_by_provider(&mut ada, &app, &provider, &json!({ "sub": "b" })).await;
    let first = app.query_number("SELECT MIN(id) FROM social_identities").await;
    let second = app.query_number("SELECT MAX(id) FROM social_identities").await;
    assert_ne!(first, second);

    let tries =
        [first, second].map(|id| {
            let mut ada = ada.clone();
            async move {
                ada.submits(&format!("/account/connections/{id}/disconnect"), &[]).await.status()
            }
        });
    let mut statuses = futures::future::join_all(tries).await;

    statuses.sort_unstable();
    assert_eq!(statuses, [303, 422]);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM social_identities").await, 1);
}

#[on_both]
async fn connecting_needs_reauthentication_in_the_same_session(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.user("ada").await;
    let asked = sets_out(&mut ada, "id").await;
    let mut claims = provider.claims("x", app.ctx.clock.now());
    claims["nonce"] = json!(asked["nonce"]);
    provider.redeems(Some(provider.signs(&claims)));
    ada.logs_out().await;
    ada.signs_up("eve@example.com", GOOD).await;

    assert_eq!(comes_back(&mut ada, "id", &asked["state"]).await.status(), 403);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM social_identities").await, 0);
    app.ctx.clock.advance(std::time::Duration::from_mins(11));
    let answer = ada.submits("/account/social/id", &[]).await;
    assert!(answer.location().expect("a way").starts_with("/account/sudo?next="));
}

#[on_both]
async fn without_a_password_the_provider_reauthenticates(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.visitor();
    logs_in_by_provider(&mut ada, &app, &provider, &json!({})).await;
    env.clock.advance(std::time::Duration::from_mins(11));
    for path in ["/account/email/change", "/account/delete"] {
        let way = ada.get(path).await.location().expect("a way").to_owned();
        assert!(way.starts_with("/account/sudo?next="), "{way}");
        let page = ada.get(&way).await;
        assert!(
            page.texts("input[name=password]").is_empty()
                && page.texts(".login-methods").len() == 1
        );
        assert!(page.text().contains("/account/password/reset"));
        assert_eq!(ada.submits(path, &[("email", "new@example.com")]).await.status(), 303);
    }
    assert_eq!(app.audit_event_count("email_change_asked").await, 0);

    let mut ada = app.visitor();
    logs_in_by_provider(&mut ada, &app, &provider, &json!({})).await;
    assert!(ada.get("/account/email/change").await.texts("input[name=password]").is_empty());
    let wrong = ada.submits("/account/email/change", &[("email", "new")]).await;
    assert_eq!((wrong.status(), wrong.field("email").is_wrong), (422, true));
    let asked = ada.submits("/account/email/change", &[("email", "new@example.com")]).await;
    assert_eq!(asked.location(), Some("/account/mypage"), "{}", asked.text());
    let link = app.last_email_to("new@example.com").await.link("/account/email/change/");
    ada.confirms(&link).await;
    assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, new@example.com!");
    let gone = ada.submits("/account/delete", &[]).await;
    assert_eq!(gone.status(), 303, "{}", gone.text());
    assert_eq!(app.audit_event_count("deletion_scheduled").await, 1);
}

#[on_both]
async fn with_a_password_the_password_is_required(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    let moved = ada.submits("/account/email/change", &[("email", "new@example.com")]).await;
    let left = ada.submits("/account/delete", &[]).await;

    assert_eq!((moved.status(), moved.field("password").is_wrong), (422, true));
    assert_eq!((left.status(), left.field("password").is_wrong), (422, true));
}
