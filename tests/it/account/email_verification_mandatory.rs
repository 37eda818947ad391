//! Where an address must be verified before its user can log in.

use std::time::Duration;

use daemun::testing::flows;
use daemun::testing::sessions;
use daemun::testing::sessions::RefreshError;

use crate::support::app::request_info;
use crate::support::{App, Browser, GOOD, Page, TestEnv, on_both};

const VERIFY: &str = "/account/email/verify/";
const RESET: &str = "/account/password/reset/";
const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";
const MANDATORY: &[(&str, &str)] = &[("email_verification", "mandatory")];

/// What an answer tells, without what differs from request to request.
fn visible_parts(page: &Page, token: &str, email: &str) -> (u16, Vec<(String, String)>, String) {
    let clean = |text: &str| text.replace(token, "TOKEN").replace(email, "EMAIL");
    let headers = page.headers().into_iter().filter(|(name, _)| !name.contains("request-id"));
    let headers = headers.map(|(name, value)| (name.to_owned(), clean(value))).collect();
    (page.status(), headers, clean(&page.text()))
}

async fn joins_again(app: &App, email: &str) -> (u16, Vec<(String, String)>, String) {
    let mut visitor = app.visitor();
    let token = visitor.token().await;
    let fields = [
        ("csrf", token.as_str()),
        ("email", email),
        ("password1", "a password of somebody else"),
        ("password2", "a password of somebody else"),
    ];
    let page = visitor.post("/account/join", &fields).await;
    assert!(visitor.cookie("access").is_none() && visitor.cookie("refresh").is_none());
    assert!(visitor.cookie("device").is_none());
    visible_parts(&page, &token, email)
}

async fn tries(app: &App, email: &str, password: &str) -> (u16, Vec<(String, String)>, String) {
    let mut visitor = app.visitor();
    let token = visitor.token().await;
    let fields = [("csrf", token.as_str()), ("email", email), ("password", password)];
    let page = visitor.post("/account/login", &fields).await;
    assert!(visitor.cookie("access").is_none() && visitor.cookie("device").is_none());
    visible_parts(&page, &token, email)
}

/// A user who has signed up and has not opened the e-mail.
async fn joined<'a>(app: &'a App, email: &str) -> Browser<'a> {
    let mut browser = app.visitor();
    let answer = browser.signs_up(email, GOOD).await;
    assert_eq!(answer.location(), Some("/account/join/sent"), "{}", answer.text());
    browser
}

/// A user who has signed up and verified the address.
async fn verified<'a>(app: &'a App, email: &str) -> Browser<'a> {
    let mut browser = joined(app, email).await;
    let link = app.last_email_to(email).await.link(VERIFY);
    assert_eq!(browser.follows_link(&link).await.location(), Some("/account/login"));
    browser
}

/// The rows that joining may leave.
async fn rows(app: &App) -> [i64; 5] {
    let mut rows = [0; 5];
    let tables = ["users", "sessions", "audit_events", "one_time_links", "outbox"];
    for (count, table) in rows.iter_mut().zip(tables) {
        *count = app.query_number(&format!("SELECT COUNT(*) FROM {table}")).await;
    }
    rows
}

fn difference(after: [i64; 5], before: [i64; 5]) -> [i64; 5] {
    std::array::from_fn(|at| after[at] - before[at])
}

/// The statements that the answer to a join costs.
async fn cost(app: &App, email: &str) -> u64 {
    let mut visitor = app.visitor();
    let token = visitor.token().await;
    let fields =
        [("csrf", token.as_str()), ("email", email), ("password1", GOOD), ("password2", GOOD)];
    let before = app.ctx.db.queries();
    assert_eq!(visitor.post("/account/join", &fields).await.status(), 303);
    app.ctx.db.queries() - before
}

#[on_both]
async fn signing_up_ends_in_a_session_after_verification(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    let mut ada = joined(&app, ADA).await;
    assert_eq!(ada.get("/account/join/sent").await.h1(), "Check your email");
    assert!(!ada.is_signed_in().await);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM sessions").await, 0);

    let answer = ada.follows_link(&app.last_email_to(ADA).await.link(VERIFY)).await;

    assert_eq!(answer.location(), Some("/account/login"));
    let page = ada.get("/account/login").await;
    assert_eq!(page.texts(".flash"), ["Your email is verified."]);
    assert_eq!(ada.logs_in(ADA, GOOD).await.location(), Some("/account/mypage"));
    assert!(ada.get("/account/mypage").await.texts(".banner").is_empty());
}

#[on_both]
async fn free_and_taken_addresses_get_the_same_answer(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    verified(&app, ADA).await;
    joined(&app, BOB).await;
    verified(&app, "sam@example.com").await;
    app.deactivates("sam").await;

    let free = joins_again(&app, "new@example.com").await;

    assert_eq!(free.0, 303);
    for taken in [ADA, "ADA@Example.COM", BOB, "sam@example.com"] {
        assert_eq!(joins_again(&app, taken).await, free, "{taken}");
    }
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 4);
}

#[on_both]
async fn an_invalid_form_is_refused_alike_for_both(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    verified(&app, ADA).await;
    for email in [ADA, "new@example.com"] {
        let page = app.visitor().signs_up(email, "1234").await;
        assert_eq!(page.status(), 422);
        assert!(!page.field("email").is_wrong && page.field("password1").is_wrong);
    }
}

#[on_both]
async fn the_owner_of_a_taken_address_gets_an_email(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    verified(&app, ADA).await;
    let before = rows(&app).await;

    joins_again(&app, ADA).await;

    assert_eq!(difference(rows(&app).await, before), [0, 0, 0, 0, 1], "an e-mail, no more");
    let email = app.last_email_to(ADA).await;
    assert!(email.subject.contains("you already have an account"), "{}", email.subject);
    assert!(email.find_link(VERIFY).is_none());
    assert!(email.find_link("/account/login").is_some());
    assert_eq!(app.visitor().logs_in(ADA, GOOD).await.status(), 303, "nothing was changed");
}

#[on_both]
async fn an_unverified_owner_gets_another_link(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    let mut ada = joined(&app, ADA).await;
    let before = rows(&app).await;

    joins_again(&app, ADA).await;

    assert_eq!(difference(rows(&app).await, before), [0, 0, 0, 1, 1]);
    let email = app.last_email_to(ADA).await;
    assert!(email.subject.contains("you already have an account"), "{}", email.subject);
    assert_eq!(ada.follows_link(&email.link(VERIFY)).await.location(), Some("/account/login"));
    assert_eq!(ada.logs_in(ADA, GOOD).await.status(), 303);
}

#[on_both]
async fn a_suspended_owner_gets_no_email(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    verified(&app, ADA).await;
    app.deactivates("ada").await;
    let before = rows(&app).await;

    joins_again(&app, ADA).await;

    assert_eq!(rows(&app).await, before);
}

#[on_both]
async fn signing_up_costs_the_same_for_free_and_taken(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    verified(&app, ADA).await;
    joined(&app, BOB).await;

    let free = cost(&app, "new@example.com").await;

    for taken in [ADA, BOB] {
        let taken = cost(&app, taken).await;
        assert!(free.abs_diff(taken) <= 2, "free {free}, taken {taken}");
    }
}

#[on_both]
async fn emails_about_a_taken_address_are_limited(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    verified(&app, ADA).await;
    let before = app.emails_to(ADA).await.len();
    for place in 0..40 {
        app.visitor().from(&format!("198.51.100.{place}:1")).signs_up(ADA, GOOD).await;
    }

    assert_eq!(app.emails_to(ADA).await.len() - before, 3, "an hour's worth");
}

#[on_both]
async fn without_verification_the_right_password_looks_wrong(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    joined(&app, ADA).await;
    verified(&app, BOB).await;

    let right = tries(&app, ADA, GOOD).await;

    assert_eq!(right.0, 422);
    assert_eq!(tries(&app, ADA, "wrong guess").await, right);
    assert_eq!(tries(&app, BOB, "wrong guess").await, right);
    assert_eq!(tries(&app, "nobody@example.com", GOOD).await, right);
    assert!(right.2.contains("open the link in our email first"), "it helps all the same");
}

#[on_both]
async fn the_right_password_resends_the_link_within_limits(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    let mut ada = joined(&app, ADA).await;
    app.visitor().logs_in(ADA, "wrong guess").await;
    assert_eq!(app.emails_to(ADA).await.len(), 1, "a wrong one sends nothing");

    app.visitor().logs_in(ADA, GOOD).await;
    app.visitor().logs_in(ADA, GOOD).await;
    assert_eq!(app.emails_to(ADA).await.len(), 2, "once a minute");
    for _ in 0..20 {
        env.clock.advance(Duration::from_hours(1));
        assert_eq!(app.visitor().logs_in(ADA, GOOD).await.status(), 422);
    }

    assert_eq!(app.emails_to(ADA).await.len(), 6, "five a day");
    let email = app.last_email_to(ADA).await;
    assert!(email.find_link("/account/not-me/").is_some());
    assert_eq!(ada.follows_link(&email.link(VERIFY)).await.status(), 303);
    assert_eq!(ada.logs_in(ADA, GOOD).await.status(), 303);
}

#[on_both]
async fn a_suspended_user_gets_no_reminder(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    joined(&app, ADA).await;
    app.deactivates("ada").await;

    let right = tries(&app, ADA, GOOD).await;

    assert_eq!(right, tries(&app, "nobody@example.com", GOOD).await);
    assert_eq!(app.emails_to(ADA).await.len(), 1, "the one from joining");
}

#[on_both]
async fn a_password_reset_verifies_the_address(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    let mut ada = joined(&app, ADA).await;
    let verify = app.last_email_to(ADA).await.link(VERIFY);
    ada.submits("/account/password/reset", &[("email", ADA)]).await;
    let link = app.last_email_to(ADA).await.link(RESET);
    let new = "another long sentence";

    ada.get(&link).await;
    let fields = [("new_password1", new), ("new_password2", new)];
    let answer = ada.submits(&link, &fields).await;

    assert_eq!(answer.location(), Some("/account/login"), "{}", answer.text());
    assert_eq!(ada.logs_in(ADA, new).await.location(), Some("/account/mypage"));
    assert_eq!(app.visitor().get(&verify).await.status(), 404, "there is nothing to prove");
}

#[on_both]
async fn a_reset_by_the_owner_ends_the_first_session(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    let mut eve = joined(&app, ADA).await;
    assert_eq!(eve.logs_in(ADA, GOOD).await.status(), 422, "eve cannot read ada's e-mails");
    let (mut ada, new) = (app.visitor(), "the sentence of the owner");
    assert_eq!(ada.signs_up(ADA, new).await.location(), Some("/account/join/sent"));
    ada.submits("/account/password/reset", &[("email", ADA)]).await;
    let link = app.last_email_to(ADA).await.link(RESET);

    ada.submits(&link, &[("new_password1", new), ("new_password2", new)]).await;

    assert_eq!(ada.logs_in(ADA, new).await.status(), 303);
    assert_eq!(eve.logs_in(ADA, GOOD).await.status(), 422);
    assert!(ada.is_signed_in().await);
}

#[on_both]
async fn a_reset_ends_every_session_of_the_stranger(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.user("ada").await;
    let (mut first_tab, mut second_tab) = (eve.clone(), eve.clone());
    env.clock.advance(Duration::from_secs(301));
    assert!(eve.is_signed_in().await, "renewed, so there is a newer token too");
    let (mut ada, new) = (app.visitor(), "the sentence of the owner");
    ada.submits("/account/password/reset", &[("email", ADA)]).await;
    let link = app.last_email_to(ADA).await.link(RESET);

    ada.submits(&link, &[("new_password1", new), ("new_password2", new)]).await;

    for tab in [&mut eve, &mut first_tab, &mut second_tab] {
        assert!(!tab.is_signed_in().await);
        env.clock.advance(Duration::from_secs(301));
        assert!(!tab.is_signed_in().await, "nor by a refresh token");
    }
    assert_eq!(eve.logs_in(ADA, GOOD).await.status(), 422);
}

#[on_both]
async fn the_first_superuser_needs_no_verification(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    let token =
        flows::admin::setup::create_link(&app.ctx).await.expect("answers").expect("invited");
    let mut root = app.visitor();
    let fields = [("email", "root@example.com"), ("password1", GOOD), ("password2", GOOD)];

    let answer = root.submits(&format!("/admin/setup/{}", token.expose()), &fields).await;

    assert_eq!(answer.location(), Some("/account/mypage"));
    assert!(root.is_signed_in().await);
    root.logs_out().await;
    assert_eq!(root.logs_in("root@example.com", GOOD).await.status(), 303);
    app.creates_superuser("second").await;
    assert_eq!(app.visitor().logs_in("second@example.com", GOOD).await.status(), 303);
}

#[on_both]
async fn turning_it_on_ends_unverified_sessions(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut bob = app.user("bob").await;
    bob.follows_link(&app.last_email_to(BOB).await.link(VERIFY)).await;
    let strict = env.app_with(MANDATORY).await;
    let (mut fresh, mut bob) = (ada.clone().on(&strict), bob.on(&strict));

    assert!(!fresh.is_signed_in().await);
    assert!(bob.is_signed_in().await);
    assert!(fresh.cookie("refresh").is_none(), "cookies that open nothing are taken away");
    env.clock.advance(Duration::from_secs(301));
    assert!(!ada.clone().on(&strict).is_signed_in().await, "nor by renewing");
    assert!(bob.is_signed_in().await);
    assert!(ada.is_signed_in().await, "where it is not asked for, the session lives on");
}

#[on_both]
async fn refresh_tokens_of_unverified_accounts_do_nothing(env: TestEnv) {
    for rotate in ["true", "false"] {
        let lax = env.app().await;
        let tokens = lax.session_of(&format!("ada{rotate}")).await;
        let settings = [MANDATORY, &[("rotate_refresh_tokens", rotate)]].concat();
        let strict = env.app_with(&settings).await;

        let token = tokens.refresh.token.expose();
        let renewed = sessions::refresh(&strict.ctx, token, &request_info()).await;

        assert!(matches!(renewed, Err(RefreshError::Session(_))), "{renewed:?}");
        let lax = sessions::refresh(&lax.ctx, token, &request_info()).await;
        assert!(lax.is_ok(), "nothing was used up: {lax:?}");
    }
}

#[on_both]
async fn of_two_sign_ups_at_once_both_get_the_same_answer(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    let racers = (0..8).map(|_| joins_again(&app, ADA));

    let answers = futures::future::join_all(racers).await;

    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 1);
    assert_eq!(app.emails_to(ADA).await.len(), 4, "one to prove it, and three at most");
}
