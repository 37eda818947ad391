//! Social log-in by the JSON API.

use serde_json::json;

use crate::social::social_login::with_issuer;
use crate::support::{TestEnv, on_both};

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
