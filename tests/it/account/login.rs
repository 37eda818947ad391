//! Logging in.

use daemun::testing::flows::account::login::LoginError;
use daemun::testing::sessions::AuthError;

use crate::support::{App, GOOD, Page, TestEnv, on_both};

/// A page without what differs from request to request.
fn visible_parts(
    page: &Page,
    visitor: &crate::support::Browser<'_>,
    token: &str,
) -> (u16, String, Vec<String>) {
    let text = page.text().replace(token, "TOKEN");
    let headers = ["cache-control", "content-type", "set-cookie", "retry-after"];
    let headers = headers.iter().flat_map(|name| page.all(name)).map(str::to_owned).collect();
    assert!(visitor.cookie("access").is_none());
    (page.status(), text, headers)
}

async fn tries(app: &App, email: &str, password: &str) -> (u16, String, Vec<String>) {
    let mut visitor = app.visitor();
    let token = visitor.token().await;
    let fields = [("csrf", token.as_str()), ("email", email), ("password", password)];
    let page = visitor.post("/account/login", &fields).await;
    let (status, text, headers) = visible_parts(&page, &visitor, &token);
    (status, text.replace(email, "EMAIL"), headers)
}

#[on_both]
async fn the_right_password_works_in_any_case_of_the_address(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;

    for email in ["ada@example.com", "Ada@EXAMPLE.com", " ada@example.com"] {
        let mut ada = app.visitor();
        assert_eq!(ada.logs_in(email, GOOD).await.location(), Some("/account/mypage"));
        assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
    }
}

#[on_both]
async fn unknown_wrong_and_suspended_look_the_same(env: TestEnv) {
    let app = env.app().await;
    for name in ["ada", "eve", "sam"] {
        app.user(name).await;
    }
    app.deactivates("eve").await;
    app.removes_password("sam").await;

    let unknown = tries(&app, "bob@example.com", GOOD).await;

    assert_eq!(unknown.0, 422);
    assert!(unknown.1.contains("The email or the password is wrong."));
    assert_eq!(tries(&app, "ada@example.com", "wrong").await, unknown);
    assert_eq!(tries(&app, "eve@example.com", "wrong").await, unknown, "suspended");
    assert_eq!(tries(&app, "sam@example.com", GOOD).await, unknown, "no password");
}

#[on_both]
async fn a_suspended_user_is_told_only_after_the_right_password(env: TestEnv) {
    let app = env.app().await;
    app.user("eve").await;
    let until = daemun::testing::clock::to_micros(app.ctx.clock.now() + time::Duration::days(2));
    let of_the_site = "contact the site's operator";

    for (set, sentence) in [
        ("", format!("This account is suspended. If you have questions, {of_the_site}.")),
        (
            &*format!(", inactive_until = {until}"),
            format!(
                "This account is suspended until 3 March 2026, 12:00 UTC. \
                 If you have questions, {of_the_site}."
            ),
        ),
        (
            &*format!(", inactive_until = NULL, deletes_at = {until}"),
            format!(
                "This account was deleted and will be gone for good on 3 March 2026, 12:00 UTC. \
                 To keep it, {of_the_site} before then."
            ),
        ),
    ] {
        app.execute(&format!("UPDATE users SET is_active = FALSE{set}")).await;
        let right = app.visitor().logs_in("eve@example.com", GOOD).await;
        let wrong = app.visitor().logs_in("eve@example.com", "wrong guess").await;

        assert_eq!((right.status(), right.summary()), (422, vec![sentence]));
        assert_eq!(wrong.summary(), ["The email or the password is wrong."]);
    }
    assert_eq!(app.active_session_count().await, 1, "nobody was let in");
}

#[on_both]
async fn right_passwords_of_suspended_users_are_not_failures(env: TestEnv) {
    let app = env.app().await;
    app.user("eve").await;
    app.deactivates("eve").await;

    for _ in 0..14 {
        let page = app.visitor().logs_in("eve@example.com", GOOD).await;
        assert!(page.summary()[0].starts_with("This account is suspended."), "{}", page.text());
    }
    assert_eq!(app.audit_event_count("login_failed").await, 0);
}

#[on_both]
async fn a_suspended_user_is_logged_out_at_once(env: TestEnv) {
    let app = env.app_with(&[("session_cache", "0s")]).await;
    let mut ada = app.user("ada").await;

    app.deactivates("ada").await;

    assert!(!ada.is_signed_in().await);
}

#[on_both]
async fn a_new_session_replaces_the_old_one(env: TestEnv) {
    let app = env.app().await;
    app.user("eve").await;
    let mut ada = app.user("ada").await;
    let mut as_before = ada.clone();
    let token_before = ada.token().await;

    ada.logs_in("eve@example.com", GOOD).await;

    assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, eve@example.com!");
    assert!(!as_before.is_signed_in().await, "fixation");
    assert_ne!(ada.token().await, token_before);
}

#[on_both]
async fn a_session_id_from_before_the_login_is_worthless(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let mut planted = app.visitor();
    planted.token().await;
    let attacker = planted.clone();

    planted.logs_in("ada@example.com", GOOD).await;

    assert!(planted.is_signed_in().await);
    assert!(!attacker.clone().is_signed_in().await);
    assert!(planted.cookie("visitor").is_none(), "the stranger's token is gone");
}

#[on_both]
async fn a_restart_logs_out_no_one(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;

    let restarted = env.app().await;

    assert!(ada.on(&restarted).is_signed_in().await);
}

#[on_both]
async fn revoked_sessions_stay_revoked_after_a_restart(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let stolen = ada.clone();
    ada.logs_out().await;

    let restarted = env.app().await;

    assert!(!stolen.on(&restarted).is_signed_in().await);
}

#[on_both]
async fn next_is_kept_and_stays_on_the_site(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let home = "/account/mypage";
    for (next, place) in [
        ("/admin/users?q=a", "/admin/users?q=a"),
        ("//evil.example", home),
        ("/\\evil.example", home),
        ("https://evil.example", home),
        ("javascript:alert(1)", home),
        ("/notes/a|b?tags=x|y^z", "/notes/a%7Cb?tags=x%7Cy%5Ez"),
        ("/account/login?next=/x", home),
        ("", home),
    ] {
        let mut ada = app.visitor();
        let fields = [("email", "ada@example.com"), ("password", GOOD), ("next", next)];
        assert_eq!(ada.submits("/account/login", &fields).await.location(), Some(place), "{next}");
    }
}

#[on_both]
async fn an_unsafe_next_is_dropped(env: TestEnv) {
    let app = env.app().await;

    let page = app.visitor().get("/account/login?next=//evil.example").await;

    assert_eq!(
        page.attribute("input[name=next]", "value").as_deref(),
        Some("/account/login?next=//evil.example")
    );
    assert!(page.texts("main").len() == 1 && !page.text().contains("value=\"//evil"));
}

#[on_both]
async fn a_signed_in_user_is_sent_on(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    assert_eq!(ada.get("/account/login?next=/admin").await.location(), Some("/admin"));
    assert_eq!(ada.get("/account/login?next=//evil").await.location(), Some("/account/mypage"));
}

#[on_both]
async fn the_form_keeps_the_address_and_drops_the_password(env: TestEnv) {
    let app = env.app().await;

    let page = app.visitor().logs_in("ada@example.com", "mistyped-secret").await;

    assert_eq!(page.field("email").value, "ada@example.com");
    assert_eq!(page.field("password").value, "");
    assert!(!page.text().contains("mistyped-secret"));
    assert_eq!(page.summary(), ["The email or the password is wrong."]);
}

#[on_both]
async fn missing_and_malformed_fields_are_named(env: TestEnv) {
    let app = env.app().await;

    let page = app.visitor().logs_in("ada", "").await;

    assert_eq!(page.status(), 422);
    assert!(page.field("email").is_wrong && page.field("password").is_wrong);
}

#[on_both]
async fn composed_and_decomposed_passwords_are_equal(env: TestEnv) {
    let app = env.app().await;
    app.visitor().signs_up("ada@example.com", "caf\u{e9} au lait, s'il vous plaît").await;

    let typed = "cafe\u{301} au lait, s'il vous plai\u{302}t";

    assert_eq!(app.visitor().logs_in("ada@example.com", typed).await.status(), 303);
}

#[on_both]
async fn spaces_around_a_password_belong_to_it(env: TestEnv) {
    let app = env.app().await;
    app.visitor().signs_up("ada@example.com", &format!(" {GOOD} ")).await;

    assert_eq!(app.visitor().logs_in("ada@example.com", GOOD).await.status(), 422);
    assert_eq!(app.visitor().logs_in("ada@example.com", &format!(" {GOOD} ")).await.status(), 303);
}

#[on_both]
async fn sixteen_logins_at_once_succeed(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let mut racers = Vec::new();
    for _ in 0..16 {
        let ctx = app.ctx.clone();
        racers.push(rocket::tokio::spawn(async move {
            let email =
                daemun::testing::types::Email::parse("ada@example.com").expect("an address");
            let password = daemun::testing::types::Password::parse(GOOD).expect("typed");
            let credentials =
                daemun::testing::flows::account::login::Credentials { email, password };
            let info = crate::support::app::request_info();
            daemun::testing::flows::account::login::with_password(&ctx, credentials, None, &info)
                .await
                .map(drop)
        }));
    }

    for racer in racers {
        let outcome = racer.await.expect("no panic");
        // More than ten at once are throttled, and nothing else may go wrong.
        let too_soon = matches!(outcome, Err(LoginError::NotProved(AuthError::TooSoon(_))));
        assert!(outcome.is_ok() || too_soon, "{outcome:?}");
    }
}

#[on_both]
async fn the_form_is_labelled_for_password_managers(env: TestEnv) {
    let app = env.app().await;

    let page = app.visitor().get("/account/login").await;

    assert_eq!(page.field("email").autocomplete, "username");
    assert_eq!(page.field("password").autocomplete, "current-password");
}
