//! Daemun inside another Rocket application.

use rocket::local::asynchronous::Client;

use crate::support::{Browser, TestEnv, on_both};

#[expect(dead_code, reason = "an example is a program of its own")]
#[path = "../../../examples/notes.rs"]
mod notes;

#[on_both]
async fn an_application_guards_its_own_routes(env: TestEnv) {
    let client = Client::untracked(notes::app(env.figment(&[]))).await.expect("ignites");
    let ctx = client.rocket().state::<daemun::testing::context::Context>().expect("opened").clone();
    let app = crate::support::App { client, ctx };
    let mut stranger = app.visitor();
    let mut ada: Browser<'_> = app.user("ada").await;

    assert_eq!(stranger.get("/notes").await.location(), Some("/account/login?next=%2Fnotes"));
    assert_eq!(stranger.get("/hello").await.text(), "Hello, stranger!\n");
    assert_eq!(ada.get("/notes").await.text(), "The notes of ada@example.com.\n");
    assert_eq!(ada.get("/hello").await.text(), "Hello, ada@example.com!\n");

    let page = ada.get("/numbers").await;
    assert_eq!((page.status(), page.h1().as_str()), (403, "You don't have access to this page"));
    app.sets_roles("ada", true, false).await;
    app.ctx.cache.invalidate_user(daemun::testing::types::UserId(1));
    assert_eq!(ada.get("/numbers").await.text(), "Figures for ada@example.com.\n");
}

#[on_both]
async fn wrong_settings_prevent_the_launch(env: TestEnv) {
    let figment = env.figment(&[("signup", "perhaps")]);

    let error = daemun::rocket(figment).ignite().await.expect_err("does not ignite");

    assert!(matches!(error.kind(), rocket::error::ErrorKind::FailedFairings(_)));
}

#[on_both]
async fn an_application_has_its_own_settings(env: TestEnv) {
    let figment = env.figment(&[]).merge(("app.colour", "green"));

    assert!(daemun::rocket(figment).ignite().await.is_ok());
}
