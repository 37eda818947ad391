//! "This wasn't me": one click from an e-mail.

use std::time::Duration;

use daemun::testing::sessions;
use daemun::testing::sessions::RefreshError;
use futures::future::join_all;
use rocket::http::Method;

use crate::support::app::request_info;
use crate::support::{App, GOOD, NEW, TestEnv, on_both};

const LINK: &str = "/account/not-me/";
const RESET: &str = "/account/password/reset/";
const BUTTON: &str = "/account/link";
const ADA: &str = "ada@example.com";
const DAY: Duration = Duration::from_hours(24);

/// The link of the e-mail about a log-in on a device that the account does not know.
async fn link(app: &App) -> String {
    assert_eq!(app.visitor().logs_in(ADA, GOOD).await.status(), 303);
    let email = app.last_email_to(ADA).await;
    assert!(email.subject.contains("log-in on a new device"), "{}", email.subject);
    email.link(LINK)
}

async fn is_dead(app: &App, link: &str) -> bool {
    let (shown, sent) = (app.visitor().get(link).await, app.visitor().confirms(link).await);
    assert_eq!(shown.status(), sent.status(), "{link}");
    shown.status() == 404
}

/// Asserts that only the owner can open the account, and gets it back.
async fn is_protected(app: &App, password: &str) {
    assert_eq!(app.active_session_count().await, 0);
    assert_eq!(app.visitor().logs_in(ADA, password).await.status(), 422);
    assert_eq!(app.audit_event_count("not_me").await, 1);
    let email = app.last_email_to(ADA).await;
    assert!(email.subject.contains("choose a new password"), "{}", email.subject);
    let mut ada = app.visitor();
    assert_eq!(
        ada.sets_new_password(&email.link(RESET), "mountains beyond mountains").await.status(),
        303
    );
    let answer = ada.logs_in(ADA, "mountains beyond mountains").await;
    assert_eq!(answer.location(), Some("/account/mypage"));
}

#[on_both]
async fn a_login_on_a_new_device_is_undone_with_one_button(env: TestEnv) {
    let app = env.app().await;
    let mut home = app.user("ada").await;
    let mut eve = app.visitor();
    eve.logs_in(ADA, GOOD).await;
    let link = app.last_email_to(ADA).await.link(LINK);
    let refresh = eve.cookies["refresh"].clone();

    let mut ada = app.visitor();
    assert_eq!(ada.get(&link).await.location(), Some(BUTTON));
    let page = ada.get(BUTTON).await;
    assert_eq!(page.h1(), "Not you?");
    assert_eq!(page.texts("button[type=submit]"), ["Protect my account"]);
    assert_eq!(ada.confirms(BUTTON).await.location(), Some("/account/login"));

    assert_eq!(ada.get("/account/login").await.texts(".flash").len(), 1);
    assert!(!eve.is_signed_in().await && !home.is_signed_in().await, "at once");
    assert!(sessions::refresh(&app.ctx, &refresh, &request_info()).await.is_err());
    is_protected(&app, GOOD).await;
}

#[on_both]
async fn the_emails_are_in_korean_too(env: TestEnv) {
    let app = env.app().await;
    app.visitor().with("Accept-Language", "ko").signs_up(ADA, GOOD).await;
    app.visitor().logs_in(ADA, GOOD).await;
    let email = app.last_email_to(ADA).await;
    assert!(email.subject.contains("새 기기에서 로그인했습니다"), "{}", email.subject);

    let mut ada = app.visitor().with("Accept-Language", "ko");
    ada.get(&email.link(LINK)).await;
    assert_eq!(ada.get(BUTTON).await.h1(), "본인이 아니신가요?");
    ada.confirms(BUTTON).await;

    let email = app.last_email_to(ADA).await;
    assert!(email.subject.contains("새 비밀번호를 정해 주세요"), "{}", email.subject);
}

#[on_both]
async fn a_known_device_is_not_reported(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let before = app.emails().await.len();
    ada.logs_out().await;

    ada.logs_in(ADA, GOOD).await;

    assert_eq!(app.emails().await.len(), before);
}

#[on_both]
async fn a_password_changed_by_a_thief_is_removed(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.user("ada").await;
    eve.changes_password(GOOD, NEW).await;
    let link = app.last_email_to(ADA).await.link(LINK);

    assert_eq!(app.visitor().confirms(&link).await.status(), 303);

    assert!(!eve.is_signed_in().await);
    is_protected(&app, NEW).await;
}

#[on_both]
async fn a_copied_session_is_reported_by_email_and_undone(env: TestEnv) {
    let app = env.app().await;
    let tokens = app.session_of("ada").await;
    let stolen = tokens.refresh.token.expose();
    let next = sessions::refresh(&app.ctx, stolen, &request_info()).await.expect("renewed");
    sessions::check_token(&app.ctx, next.access.token.expose()).await.expect("it has arrived");
    app.wait_for_confirmed_rotations().await;
    env.clock.advance(Duration::from_secs(11));
    let again = sessions::refresh(&app.ctx, stolen, &request_info()).await;
    assert!(matches!(again, Err(RefreshError::Reused)), "{again:?}");
    let email = app.last_email_to(ADA).await;
    assert!(email.subject.contains("we logged one of your devices out"), "{}", email.subject);

    assert_eq!(app.visitor().confirms(&email.link(LINK)).await.status(), 303);

    is_protected(&app, GOOD).await;
}

#[on_both]
async fn a_copy_used_many_times_is_reported_once(env: TestEnv) {
    let app = env.app().await;
    let tokens = app.session_of("ada").await;
    let stolen = tokens.refresh.token.expose();
    let next = sessions::refresh(&app.ctx, stolen, &request_info()).await.expect("renewed");
    sessions::check_token(&app.ctx, next.access.token.expose()).await.expect("it has arrived");
    app.wait_for_confirmed_rotations().await;
    env.clock.advance(Duration::from_secs(11));
    app.sends_due_emails().await;

    let tries = (0..16).map(|_| {
        let (ctx, stolen) = (app.ctx.clone(), stolen.to_owned());
        rocket::tokio::spawn(async move { sessions::refresh(&ctx, &stolen, &request_info()).await })
    });
    for outcome in join_all(tries).await {
        let outcome = outcome.expect("no panic");
        assert!(
            matches!(outcome, Err(RefreshError::Reused | RefreshError::Session(_))),
            "{outcome:?}"
        );
    }

    let emails = app.emails_to(ADA).await;
    let notifications =
        emails.iter().filter(|it| it.subject.contains("logged one of your devices"));
    assert_eq!((notifications.count(), app.audit_event_count("token_reused").await), (1, 1));
}

#[on_both]
async fn a_copy_used_during_a_password_change_blocks_no_one(env: TestEnv) {
    let app = env.app().await;
    app.session_of("ada").await;
    let mut old = GOOD.to_owned();
    for round in 0..4 {
        let mut ada = app.visitor();
        assert_eq!(ada.logs_in(ADA, &old).await.status(), 303);
        let mut thief = app.visitor();
        assert_eq!(thief.logs_in(ADA, &old).await.status(), 303);
        let stolen = thief.cookies["refresh"].clone();
        let next = sessions::refresh(&app.ctx, &stolen, &request_info()).await.expect("renewed");
        sessions::check_token(&app.ctx, next.access.token.expose()).await.expect("it has arrived");
        app.wait_for_confirmed_rotations().await;
        env.clock.advance(Duration::from_mins(20));
        ada.get("/account/mypage").await;
        let new = format!("{NEW} {round}");

        let replays = (0..8).map(|_| {
            let (ctx, stolen) = (app.ctx.clone(), stolen.clone());
            rocket::tokio::spawn(
                async move { sessions::refresh(&ctx, &stolen, &request_info()).await },
            )
        });
        let replays: Vec<_> = replays.collect();
        let answer = ada.changes_password(&old, &new).await;

        assert_eq!(answer.location(), Some("/account/mypage"), "{}", answer.text());
        for outcome in join_all(replays).await {
            let outcome = outcome.expect("no panic");
            let is_refused =
                matches!(outcome, Err(RefreshError::Reused | RefreshError::Session(_)));
            assert!(is_refused, "{outcome:?}");
        }
        old = new;
    }
}

#[on_both]
async fn a_stranger_who_signed_up_with_the_address_is_out(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.user("ada").await;
    let link = app.last_email_to(ADA).await.link(LINK);

    assert_eq!(app.visitor().confirms(&link).await.status(), 303);

    assert!(!eve.is_signed_in().await);
    is_protected(&app, GOOD).await;
}

#[on_both]
async fn it_ends_the_current_session_too(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut eve = app.user("eve").await;
    let link = link(&app).await;

    assert_eq!(ada.confirms(&link).await.location(), Some("/account/login"));

    assert!(!ada.is_signed_in().await);
    assert!(eve.is_signed_in().await, "nobody else is");
}

#[on_both]
async fn every_link_works_once(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app).await;
    let mut ready = Vec::new();
    for _ in 0..16 {
        let mut browser = app.visitor();
        let token = browser.token().await;
        ready.push((browser, token));
    }

    let racers = ready.into_iter().map(|(mut browser, token)| {
        let link = link.clone();
        async move { browser.post(&link, &[("csrf", &token)]).await.status() }
    });
    let mut statuses = join_all(racers).await;

    statuses.sort_unstable();
    assert_eq!(statuses, [&[303][..], &[404; 15]].concat());
    assert!(is_dead(&app, &link).await);
    is_protected(&app, GOOD).await;
}

#[on_both]
async fn it_invalidates_all_pending_links(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.user("ada").await;
    eve.requests_email_change("evil@example.com", GOOD).await;
    let moving = app.last_email_to("evil@example.com").await.link("/account/email/change/");
    app.visitor().requests_password_reset(ADA).await;
    let reset = app.last_email_to(ADA).await.link(RESET);

    let not_me = link(&app).await;
    app.visitor().confirms(&not_me).await;

    for link in [&moving, &reset] {
        assert!(is_dead(&app, link).await, "{link}");
    }
    is_protected(&app, GOOD).await;
}

#[on_both]
async fn a_change_of_address_invalidates_the_link(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let link = link(&app).await;
    ada.requests_email_change("new@example.com", GOOD).await;
    let confirm = app.last_email_to("new@example.com").await.link("/account/email/change/");

    ada.confirms(&confirm).await;

    assert!(is_dead(&app, &link).await);
    assert!(ada.is_signed_in().await);
}

#[on_both]
async fn the_link_works_for_a_week(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.user("ada").await;
    let early = link(&app).await;
    eve.changes_password(GOOD, NEW).await;
    let late = app.last_email_to(ADA).await.link(LINK);
    env.clock.advance(6 * DAY + Duration::from_hours(23));
    assert_eq!(app.visitor().confirms(&early).await.status(), 303);
    is_protected(&app, NEW).await;

    env.clock.advance(Duration::from_hours(1));

    assert!(is_dead(&app, &late).await);
}

#[on_both]
async fn a_suspension_invalidates_the_link(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app).await;
    app.deactivates("ada").await;

    assert_eq!(app.visitor().confirms(&link).await.status(), 404);
    assert_eq!(app.audit_event_count("not_me").await, 0);
}

#[on_both]
async fn opening_the_link_locks_no_one_out(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let link = link(&app).await;
    let before = app.row_counts().await;
    for _ in 0..20 {
        for method in [Method::Get, Method::Head] {
            let mut scanner = app.visitor();
            assert_eq!(scanner.send(method, &link, None).await.location(), Some(BUTTON));
            assert_eq!(scanner.send(method, BUTTON, None).await.status(), 200);
        }
        assert_eq!(app.visitor().post(&link, &[]).await.status(), 403, "no form of ours");
    }

    assert_eq!(app.row_counts().await, before);
    assert!(ada.is_signed_in().await);
    assert_eq!(app.visitor().confirms(&link).await.status(), 303);
}

#[on_both]
async fn the_token_is_not_on_the_page(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app).await;
    let token = link.strip_prefix(LINK).expect("a token");
    let mut ada = app.visitor();
    ada.get(&link).await;

    let page = ada.get(BUTTON).await;

    assert!(!page.text().contains(token));
    assert_eq!(page.header("cache-control"), Some("no-store, no-transform"));
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    assert!(page.texts("[src^='http'], [href^='http'], [src^='//'], [href^='//']").is_empty());
}

#[on_both]
async fn the_user_agent_is_escaped_in_emails(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    for rude in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "Firefox/133.0 <svg/onload=alert(1)> (Windows NT 10.0; rv:133.0)",
        "{{7*7}} ${7*7} <%= 7*7 %>",
        "https://evil.example/account/not-me/x",
    ] {
        let mut eve = app.visitor().with("User-Agent", rude);
        assert_eq!(eve.logs_in(ADA, GOOD).await.status(), 303);
        let email = app.last_email_to(ADA).await;
        for tag in ["<script", "<img", "<svg", "onerror=", "https://evil.example"] {
            assert!(!email.html.contains(tag), "{tag} in {}", email.html);
        }
        assert!(!email.text.contains("evil.example") && !email.html.contains("{{"));
        env.clock.advance(Duration::from_hours(3));
    }
}
