//! Making the first superuser by link.

use std::time::Duration;

use daemun::testing::flows;
use daemun::testing::flows::admin::setup::SetupError;
use daemun::testing::types::{Email, Language, Password, Secret};
use futures::future::join_all;

use crate::support::app::request_info;
use crate::support::{App, GOOD, TestEnv, on_both};

async fn link(app: &App) -> String {
    let token = flows::admin::setup::create_link(&app.ctx)
        .await
        .expect("answers")
        .expect("nobody is superuser");
    format!("/admin/setup/{}", token.expose())
}

fn fields(email: &str) -> [(&str, &str); 3] {
    [("email", email), ("password1", GOOD), ("password2", GOOD)]
}

async fn superusers(app: &App) -> i64 {
    app.query_number("SELECT COUNT(*) FROM users WHERE is_superuser AND is_staff").await
}

#[on_both]
async fn the_link_creates_a_superuser_and_logs_in(env: TestEnv) {
    let app = env.app().await;
    let link = link(&app).await;
    let mut root = app.visitor();
    for _ in 0..20 {
        assert_eq!(root.get(&link).await.location(), Some("/admin/setup"));
        assert_eq!(root.get("/admin/setup").await.status(), 200, "looking uses nothing up");
    }

    let answer = root.submits("/admin/setup", &fields("root@example.com")).await;

    assert_eq!(answer.location(), Some("/account/mypage"));
    assert!(root.cookie("link").is_none(), "nothing of the link is left");
    assert_eq!(app.visitor().get("/admin/setup").await.status(), 404);
    assert!(root.is_signed_in().await);
    assert_eq!(superusers(&app).await, 1);
    assert_eq!(root.get(&link).await.status(), 404, "the link is used");
    let again = app.visitor().submits(&link, &fields("eve@example.com")).await;
    assert_eq!(again.status(), 404);
    assert_eq!(superusers(&app).await, 1);
}

#[on_both]
async fn there_is_no_link_once_a_superuser_exists(env: TestEnv) {
    let app = env.app().await;
    let early = link(&app).await;
    let email = Email::parse("root@example.com").expect("an address");
    let password = Password::parse(GOOD).expect("typed");
    flows::admin::setup::create_superuser(
        &app.ctx,
        email,
        Language::English,
        password,
        &request_info(),
    )
    .await
    .expect("made");

    assert!(flows::admin::setup::create_link(&app.ctx).await.expect("answers").is_none());
    assert_eq!(app.visitor().submits(&early, &fields("eve@example.com")).await.status(), 404);
    assert_eq!(superusers(&app).await, 1);
}

#[on_both]
async fn of_sixteen_uses_of_two_links_one_wins(env: TestEnv) {
    let app = env.app().await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        tokens.push(
            flows::admin::setup::create_link(&app.ctx).await.expect("answers").expect("invited"),
        );
    }
    let mut racers = Vec::new();
    for number in 0..16 {
        let (ctx, token) = (app.ctx.clone(), tokens[number % 2].clone());
        racers.push(rocket::tokio::spawn(async move {
            let email = Email::parse(&format!("root{number}@example.com")).expect("an address");
            let password = Password::parse(GOOD).expect("typed");
            flows::admin::setup::create_superuser_by_link(
                &ctx,
                &token,
                email,
                Language::English,
                password,
                &request_info(),
            )
            .await
        }));
    }

    let results: Vec<_> =
        join_all(racers).await.into_iter().map(|it| it.expect("no panic")).collect();

    let won = results.iter().filter(|result| result.is_ok()).count();
    let refused =
        results.iter().filter(|result| matches!(result, Err(SetupError::BadLink))).count();
    assert_eq!((won, refused), (1, 15));
    assert_eq!(superusers(&app).await, 1);
}

#[on_both]
async fn the_link_works_for_a_day(env: TestEnv) {
    let app = env.app().await;
    let link = link(&app).await;
    env.clock.advance(Duration::from_hours(24));

    assert_eq!(app.visitor().get(&link).await.status(), 404);
    assert_eq!(app.visitor().submits(&link, &fields("eve@example.com")).await.status(), 404);
}

#[on_both]
async fn an_invalid_form_does_not_use_the_link(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app).await;
    let mut root = app.visitor();

    let weak = [("email", "root"), ("password1", "1234"), ("password2", "12345")];
    let page = root.submits(&link, &weak).await;
    assert_eq!((page.status(), page.summary().len()), (422, 5));
    let taken = root.submits(&link, &fields("ada@example.com")).await;
    assert_eq!(taken.field("email").errors, ["There is already an account with this email."]);

    assert_eq!(root.submits(&link, &fields("root@example.com")).await.status(), 303);
}

#[on_both]
async fn no_other_token_is_a_setup_link(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;
    let form_token = app.visitor().token().await;
    for token in ["", "x", "../../etc/passwd", &form_token, &ada.cookies["access"], "%00", "%ff"] {
        let page = app.visitor().get(&format!("/admin/setup/{token}")).await;
        assert_eq!(page.status(), 404, "{token}");
    }
    let unknown = Secret::new("x".repeat(43));
    assert!(!flows::admin::setup::is_link_valid(&app.ctx, &unknown).await.expect("answers"));
}

#[on_both]
async fn only_the_hash_of_a_link_is_stored(env: TestEnv) {
    let app = env.app().await;
    let link = link(&app).await;
    let token = link.rsplit('/').next().expect("a token");

    let kept = app
        .query_number(&format!("SELECT COUNT(*) FROM one_time_links WHERE id = '{token}'"))
        .await;

    assert_eq!(kept, 0);
}
