//! Logging in.

use daemun::flows::account::login::LoginError;
use daemun::sessions::AuthError;

use crate::support::{App, GOOD, Page, World, on_both};

/// A page without what differs from request to request.
fn told(
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
    let (status, text, headers) = told(&page, &visitor, &token);
    (status, text.replace(email, "EMAIL"), headers)
}

#[on_both]
async fn the_right_password_lets_in_whatever_the_case_of_the_address(world: World) {
    let app = world.app().await;
    app.person("ada").await;

    for email in ["ada@example.com", "Ada@EXAMPLE.com", " ada@example.com"] {
        let mut ada = app.visitor();
        assert_eq!(ada.logs_in(email, GOOD).await.location(), Some("/account/mypage"));
        assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
    }
}

#[on_both]
async fn unknown_wrong_and_suspended_look_the_same(world: World) {
    let app = world.app().await;
    for name in ["ada", "eve", "sam"] {
        app.person(name).await;
    }
    app.execute("UPDATE users SET is_active = FALSE WHERE email = 'eve@example.com'").await;
    app.execute("UPDATE users SET password_hash = NULL WHERE email = 'sam@example.com'").await;

    let unknown = tries(&app, "bob@example.com", GOOD).await;

    assert_eq!(unknown.0, 422);
    assert!(unknown.1.contains("The email or the password is wrong."));
    assert_eq!(tries(&app, "ada@example.com", "wrong").await, unknown);
    assert_eq!(tries(&app, "eve@example.com", "wrong").await, unknown, "suspended");
    assert_eq!(tries(&app, "sam@example.com", GOOD).await, unknown, "no password");
}

#[on_both]
async fn a_suspended_person_is_told_only_after_the_right_password(world: World) {
    let app = world.app().await;
    app.person("eve").await;
    let until = daemun::clock::to_micros(app.ctx.clock.now() + time::Duration::days(2));
    let of_the_site = "contact the operator of this site";

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
    assert_eq!(app.living().await, 1, "nobody was let in");
}

#[on_both]
async fn a_suspended_person_who_asks_often_is_not_taken_for_a_guesser(world: World) {
    let app = world.app().await;
    app.person("eve").await;
    app.execute("UPDATE users SET is_active = FALSE").await;

    for _ in 0..14 {
        let page = app.visitor().logs_in("eve@example.com", GOOD).await;
        assert!(page.summary()[0].starts_with("This account is suspended."), "{}", page.text());
    }
    assert_eq!(app.events("login_failed").await, 0);
}

#[on_both]
async fn a_suspended_person_is_out_at_once(world: World) {
    let app = world.app_with(&[("session_cache", "0s")]).await;
    let mut ada = app.person("ada").await;

    app.execute("UPDATE users SET is_active = FALSE").await;

    assert!(!ada.is_signed_in().await);
}

#[on_both]
async fn a_new_session_replaces_the_one_before(world: World) {
    let app = world.app().await;
    app.person("eve").await;
    let mut ada = app.person("ada").await;
    let mut as_before = ada.clone();
    let token_before = ada.token().await;

    ada.logs_in("eve@example.com", GOOD).await;

    assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, eve@example.com!");
    assert!(!as_before.is_signed_in().await, "fixation");
    assert_ne!(ada.token().await, token_before);
}

#[on_both]
async fn a_session_id_from_before_the_log_in_is_worth_nothing(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let mut planted = app.visitor();
    planted.token().await;
    let attacker = planted.clone();

    planted.logs_in("ada@example.com", GOOD).await;

    assert!(planted.is_signed_in().await);
    assert!(!attacker.clone().is_signed_in().await);
    assert!(planted.cookie("visitor").is_none(), "the stranger's token is gone");
}

#[on_both]
async fn a_restart_signs_nobody_out(world: World) {
    let app = world.app().await;
    let ada = app.person("ada").await;

    let restarted = world.app().await;

    assert!(ada.on(&restarted).is_signed_in().await);
}

#[on_both]
async fn what_was_revoked_stays_revoked_over_a_restart(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    let stolen = ada.clone();
    ada.logs_out().await;

    let restarted = world.app().await;

    assert!(!stolen.on(&restarted).is_signed_in().await);
}

#[on_both]
async fn the_way_is_kept_and_never_leads_off_the_site(world: World) {
    let app = world.app().await;
    app.person("ada").await;
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
async fn a_way_that_leads_off_the_site_is_not_carried_along(world: World) {
    let app = world.app().await;

    let page = app.visitor().get("/account/login?next=//evil.example").await;

    assert_eq!(
        page.attribute("input[name=next]", "value").as_deref(),
        Some("/account/login?next=//evil.example")
    );
    assert!(page.texts("main").len() == 1 && !page.text().contains("value=\"//evil"));
}

#[on_both]
async fn somebody_who_is_signed_in_goes_on(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;

    assert_eq!(ada.get("/account/login?next=/admin").await.location(), Some("/admin"));
    assert_eq!(ada.get("/account/login?next=//evil").await.location(), Some("/account/mypage"));
}

#[on_both]
async fn the_address_comes_back_and_the_password_does_not(world: World) {
    let app = world.app().await;

    let page = app.visitor().logs_in("ada@example.com", "mistyped-secret").await;

    assert_eq!(page.field("email").value, "ada@example.com");
    assert_eq!(page.field("password").value, "");
    assert!(!page.text().contains("mistyped-secret"));
    assert_eq!(page.summary(), ["The email or the password is wrong."]);
}

#[on_both]
async fn what_is_missing_or_malformed_is_named(world: World) {
    let app = world.app().await;

    let page = app.visitor().logs_in("ada", "").await;

    assert_eq!(page.status(), 422);
    assert!(page.field("email").is_wrong && page.field("password").is_wrong);
}

#[on_both]
async fn composed_and_decomposed_letters_log_in_alike(world: World) {
    let app = world.app().await;
    app.visitor().joins("ada@example.com", "caf\u{e9} au lait, s'il vous plaît").await;

    let typed = "cafe\u{301} au lait, s'il vous plai\u{302}t";

    assert_eq!(app.visitor().logs_in("ada@example.com", typed).await.status(), 303);
}

#[on_both]
async fn spaces_around_a_password_belong_to_it(world: World) {
    let app = world.app().await;
    app.visitor().joins("ada@example.com", &format!(" {GOOD} ")).await;

    assert_eq!(app.visitor().logs_in("ada@example.com", GOOD).await.status(), 422);
    assert_eq!(app.visitor().logs_in("ada@example.com", &format!(" {GOOD} ")).await.status(), 303);
}

#[on_both]
async fn sixteen_log_ins_at_once_do_not_stand_in_each_others_way(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let mut racers = Vec::new();
    for _ in 0..16 {
        let ctx = app.ctx.clone();
        racers.push(rocket::tokio::spawn(async move {
            let email = daemun::types::Email::parse("ada@example.com").expect("an address");
            let password = daemun::types::Password::parse(GOOD).expect("typed");
            let credentials = daemun::flows::account::login::Credentials { email, password };
            let info = crate::support::app::request_info();
            daemun::flows::account::login::with_password(&ctx, credentials, None, &info)
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
async fn password_managers_know_what_to_fill(world: World) {
    let app = world.app().await;

    let page = app.visitor().get("/account/login").await;

    assert_eq!(page.field("email").autocomplete, "username");
    assert_eq!(page.field("password").autocomplete, "current-password");
}
