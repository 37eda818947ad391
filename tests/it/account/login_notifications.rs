//! Word of a log-in on a new device.

use std::time::Duration;

use futures::future::join_all;

use crate::support::mailbox::ReceivedEmail;
use crate::support::{App, GOOD, TestEnv, on_both};

const ADA: &str = "ada@example.com";
const NOT_ME: &str = "/account/not-me/";
const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; rv:133.0) Gecko/20100101 Firefox/133.0";

/// The e-mails about new devices, in either language.
async fn notifications(app: &App) -> Vec<ReceivedEmail> {
    let mut emails = app.emails_to(ADA).await;
    let subjects = ["log-in on a new device", "새 기기에서 로그인했습니다"];
    emails.retain(|email| subjects.iter().any(|subject| email.subject.contains(subject)));
    emails
}

#[on_both]
async fn a_new_browser_is_reported_once_with_device_and_address(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let mut new = app.visitor().with("User-Agent", FIREFOX).from("198.51.100.7:1");
    new.logs_in(ADA, GOOD).await;

    let emails = notifications(&app).await;

    assert_eq!(emails.len(), 1);
    for fact in ["Firefox", "Windows", "198.51.100.7", "1 March 2026"] {
        assert!(emails[0].text.contains(fact), "{fact}: {}", emails[0].text);
        assert!(emails[0].html.contains(fact), "{fact}");
    }
    assert!(emails[0].find_link(NOT_ME).is_some());
    new.logs_out().await;
    new.logs_in(ADA, GOOD).await;
    assert_eq!(notifications(&app).await.len(), 1, "the browser is known now");
}

#[on_both]
async fn the_browser_of_the_sign_up_is_known(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.logs_out().await;

    assert_eq!(ada.logs_in(ADA, GOOD).await.status(), 303);

    assert!(notifications(&app).await.is_empty());
}

#[on_both]
async fn a_browser_used_by_another_account_is_new(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let mut eve = app.user("eve").await;

    eve.logs_in(ADA, GOOD).await;

    assert_eq!(notifications(&app).await.len(), 1);
}

#[on_both]
async fn a_forged_device_is_new(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    for forged in ["x.y", "x", "", "0123456789abcdef.0123456789abcdef"] {
        // Of one program only the first log-in is reported.
        let mut thief = app.visitor().with("User-Agent", &format!("thief {forged}"));
        thief.cookies.insert("device".into(), forged.into());
        thief.logs_in(ADA, GOOD).await;
    }

    assert_eq!(notifications(&app).await.len(), 4);
}

#[on_both]
async fn a_wrong_password_sends_no_email(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;

    app.visitor().logs_in(ADA, "wrong guess").await;

    assert!(notifications(&app).await.is_empty());
}

#[on_both]
async fn a_suspended_user_gets_no_email(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    app.deactivates("ada").await;

    assert_eq!(app.visitor().logs_in(ADA, GOOD).await.status(), 422);

    assert!(notifications(&app).await.is_empty());
}

#[on_both]
async fn the_email_can_end_the_new_session(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut thief = app.visitor();
    thief.logs_in(ADA, GOOD).await;
    let link = app.last_email_to(ADA).await.link(NOT_ME);

    let answer = app.visitor().follows_link(&link).await;

    assert_eq!(answer.location(), Some("/account/login"));
    assert!(!thief.is_signed_in().await && !ada.is_signed_in().await);
    assert_eq!(thief.logs_in(ADA, GOOD).await.status(), 422);
}

#[on_both]
async fn api_logins_are_reported_once_a_day_per_network(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let job = || app.visitor().with("User-Agent", "ci-job/1.0").from("198.51.100.7:1");
    for _ in 0..10 {
        assert_eq!(job().logs_in(ADA, GOOD).await.status(), 303);
    }
    assert_eq!(notifications(&app).await.len(), 1);

    app.visitor().with("User-Agent", "thief").from("198.51.100.7:1").logs_in(ADA, GOOD).await;
    assert_eq!(notifications(&app).await.len(), 2, "another program");
    job().from("203.0.113.1:1").logs_in(ADA, GOOD).await;
    assert_eq!(notifications(&app).await.len(), 3, "another network");

    env.clock.advance(Duration::from_hours(24) - Duration::from_secs(1));
    job().logs_in(ADA, GOOD).await;
    assert_eq!(notifications(&app).await.len(), 3, "it is still the same day");
    env.clock.advance(Duration::from_secs(1));
    job().logs_in(ADA, GOOD).await;
    assert_eq!(notifications(&app).await.len(), 4);
}

#[on_both]
async fn one_client_network_counts_once(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    for host in ["1", "2", "ffff"] {
        let from = format!("[2001:db8:0:1::{host}]:1");
        app.visitor().with("User-Agent", "job").from(&from).logs_in(ADA, GOOD).await;
    }

    assert_eq!(notifications(&app).await.len(), 1);
}

#[on_both]
async fn of_eight_api_logins_at_once_one_is_reported(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let mut jobs = vec![app.visitor().with("User-Agent", "job"); 8];

    let pages = join_all(jobs.iter_mut().map(|job| job.logs_in(ADA, GOOD))).await;

    assert!(pages.iter().all(|page| page.status() == 303));
    assert_eq!(notifications(&app).await.len(), 1);
}

#[on_both]
async fn unverified_addresses_get_ten_emails_a_day(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let mut number = 0;
    let mut log_in = || {
        number += 1;
        app.visitor().with("User-Agent", &format!("program {number}"))
    };
    for _ in 0..14 {
        assert_eq!(log_in().logs_in(ADA, GOOD).await.status(), 303);
    }
    assert_eq!(notifications(&app).await.len(), 10);

    for _ in 0..23 {
        env.clock.advance(Duration::from_hours(1));
        assert_eq!(log_in().logs_in(ADA, GOOD).await.status(), 303);
    }
    assert_eq!(notifications(&app).await.len(), 10, "it is still the same day");

    env.clock.advance(Duration::from_hours(1));
    log_in().logs_in(ADA, GOOD).await;
    assert_eq!(notifications(&app).await.len(), 11);
}

#[on_both]
async fn verified_owners_are_told_of_every_api_client(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = app.last_email_to(ADA).await.link("/account/email/verify/");
    app.visitor().follows_link(&link).await;

    for number in 0..14 {
        let program = app.visitor().with("User-Agent", &format!("program {number}"));
        assert_eq!(program.clone().logs_in(ADA, GOOD).await.status(), 303);
    }

    assert_eq!(notifications(&app).await.len(), 14);
}

#[on_both]
async fn the_email_is_in_the_accounts_language(env: TestEnv) {
    let app = env.app().await;
    app.visitor().with("Accept-Language", "ko").signs_up(ADA, GOOD).await;

    app.visitor().with("Accept-Language", "en").logs_in(ADA, GOOD).await;

    let emails = notifications(&app).await;
    assert!(emails[0].subject.contains("새 기기에서 로그인했습니다"));
    assert!(emails[0].html.contains("<html lang=\"ko\">"));
}

#[on_both]
async fn the_chosen_language_applies_to_emails(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.get("/account/mypage").await;

    ada.submits("/language", &[("language", "ko"), ("next", "/")]).await;

    assert_eq!(app.query_text("SELECT language FROM users").await, "ko");
    app.visitor().logs_in(ADA, GOOD).await;
    assert!(notifications(&app).await[0].subject.contains("새 기기에서 로그인했습니다"));
    assert_eq!(ada.get("/account/profile").await.field("language").value, "ko");
    let events = "SELECT COUNT(*) FROM audit_events WHERE action = 'profile_changed'";
    assert_eq!(app.query_number(events).await, 0, "a button in the footer is no event");
}

#[on_both]
async fn a_visitors_language_changes_no_account(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;

    app.visitor().submits("/language", &[("language", "ko")]).await;

    assert_eq!(app.query_text("SELECT language FROM users").await, "en");
}
