//! Signing up by a provider that shares no address.

use serde_json::json;

use crate::social::social_login::{logs_in_by_provider, with_issuer};
use crate::support::{TestEnv, on_both};

#[on_both]
async fn a_user_without_an_address_is_asked_for_one(env: TestEnv) {
    let app = env.app().await;
    let provider = with_issuer(&app).await;
    let mut ada = app.visitor();

    let answer = logs_in_by_provider(&mut ada, &app, &provider, &json!({ "email": null })).await;

    assert_eq!(answer.location(), Some("/account/join/address"));
    assert_eq!(ada.get("/account/join/address").await.status(), 200);
    let wrong = ada.submits("/account/join/address", &[("email", "ada")]).await;
    assert_eq!(wrong.status(), 422);
    let answer = ada.submits("/account/join/address", &[("email", "ada@example.com")]).await;
    assert_eq!(answer.location(), Some("/?a=b"));
    app.last_email_to("ada@example.com").await.link("/account/email/verify/");
    assert_eq!(ada.get("/account/join/address").await.status(), 404);
}

#[on_both]
async fn in_mandatory_mode_taken_addresses_are_not_revealed(env: TestEnv) {
    let app = env.app_with(&[("email_verification", "mandatory")]).await;
    let provider = with_issuer(&app).await;
    let claims = json!({ "email_verified": false });

    let free = logs_in_by_provider(&mut app.visitor(), &app, &provider, &claims).await;
    let claims = json!({ "sub": "eve", "email_verified": false });
    let taken = logs_in_by_provider(&mut app.visitor(), &app, &provider, &claims).await;

    assert_eq!(free.location(), Some("/account/join/sent"));
    assert_eq!(taken.location(), Some("/account/join/sent"));
    assert_eq!(app.active_session_count().await, 1, "root alone");
}
