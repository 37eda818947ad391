//! Asking for a reset link, and choosing a new password with it.

use std::time::Duration;

use daemun::testing::sessions;
use daemun::testing::types::Email;

use crate::support::app::request_info;
use crate::support::{App, Browser, GOOD, NEW, TestEnv, on_both};

pub(crate) const ASK: &str = "/account/password/reset";

pub(crate) const SENT: &str = "/account/password/sent";

pub(crate) const LINK: &str = "/account/password/reset/";

pub(crate) const FORM: &str = "/account/password/new";

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

pub(crate) const HOUR: Duration = Duration::from_hours(1);

pub(crate) fn address(email: &str) -> Email {
    Email::parse(email).expect("an address")
}

/// Requests a reset link and returns its path.
pub(crate) async fn link(app: &App, email: &str) -> String {
    assert_eq!(app.visitor().requests_password_reset(email).await.location(), Some(SENT));
    app.last_email_to(email).await.link(LINK)
}

/// How many e-mails with a link an address has got.
pub(crate) async fn emails(app: &App, email: &str) -> usize {
    let emails = app.emails_to(email).await;
    emails.iter().filter(|email| email.find_link(LINK).is_some()).count()
}

pub(crate) async fn can_log_in(app: &App, email: &str, password: &str) -> bool {
    app.visitor().logs_in(email, password).await.status() == 303
}

/// The number of statements that one request for a link costs.
async fn statements(app: &App, browser: &mut Browser<'_>, token: &str, email: &str) -> u64 {
    let before = app.ctx.db.queries();
    let answer = browser.post(ASK, &[("csrf", token), ("email", email)]).await;
    assert_eq!(answer.location(), Some(SENT));
    app.ctx.db.queries() - before
}

#[on_both]
async fn a_reset_link_sets_a_new_password(env: TestEnv) {
    let app = env.app().await;
    for (name, language, sent, subject, chosen) in [
        ("ada", "en", "Check your email", "choose a new password", "Choose a new password"),
        ("bora", "ko", "메일을 확인해 주세요", "새 비밀번호를 정해 주세요", "새 비밀번호 정하기"),
    ] {
        let email = format!("{name}@example.com");
        let visitor = app.visitor().with("Accept-Language", language);
        visitor.clone().signs_up(&email, GOOD).await;
        let mut user = visitor.clone();
        assert_eq!(user.requests_password_reset(&email).await.location(), Some(SENT));
        assert_eq!(user.get(SENT).await.h1(), sent);
        let received = app.last_email_to(&email).await;
        assert!(received.subject.contains(subject), "{}", received.subject);

        assert_eq!(user.get(&received.link(LINK)).await.location(), Some(FORM));
        assert_eq!(user.get(FORM).await.h1(), chosen);
        let answer = user.sets_new_password(FORM, NEW).await;

        assert_eq!(answer.location(), Some("/account/login"), "{}", answer.text());
        assert!(user.cookie("link").is_none() && user.cookie("access").is_none());
        assert_eq!(user.get("/account/login").await.texts(".flash").len(), 1);
        assert!(!user.is_signed_in().await, "it proves the mailbox, and signs nobody in");
        assert!(!can_log_in(&app, &email, GOOD).await && can_log_in(&app, &email, NEW).await);
    }
    assert_eq!(
        (app.audit_event_count("reset_asked").await, app.audit_event_count("password_reset").await),
        (2, 2)
    );
}

#[on_both]
async fn the_form_does_not_reveal_accounts(env: TestEnv) {
    let app = env.app().await;
    for name in ["ada", "gone", "busy"] {
        app.user(name).await;
    }
    app.deactivates("gone").await;
    for _ in 0..3 {
        app.visitor().from("198.51.100.1:1").requests_password_reset("busy@example.com").await;
    }
    app.sends_due_emails().await;
    let mut eve = app.visitor();
    let token = eve.token().await;

    let mut answers = Vec::new();
    for name in ["ada", "nobody", "gone", "busy"] {
        let before = app.row_counts().await;
        let email = format!("{name}@example.com");
        let answer = eve.post(ASK, &[("csrf", &token), ("email", &email)]).await;
        let new: Vec<_> = app.row_counts().await.into_iter().zip(before).collect();
        for ((table, now), (_, then)) in new {
            let may_grow = i64::from(table == "throttle" || table == "outbox");
            assert!((0..=may_grow + i64::from(table == "throttle")).contains(&(now - then)));
        }
        answers.push((answer.status(), format!("{:?}", answer.headers()), answer.text()));
    }

    assert_eq!(answers[0].0, 303);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[on_both]
async fn known_and_unknown_addresses_cost_the_same(env: TestEnv) {
    let app = env.app().await;
    for name in ["ada", "gone"] {
        app.user(name).await;
    }
    app.deactivates("gone").await;
    let mut eve = app.visitor();
    let token = eve.token().await;
    eve.requests_password_reset("first@example.com").await;

    let mut counts = Vec::new();
    for name in ["ada", "nobody", "gone"] {
        counts.push(statements(&app, &mut eve, &token, &format!("{name}@example.com")).await);
    }

    assert!(counts.iter().all(|count| *count == counts[0] && *count > 0), "{counts:?}");
}

#[on_both]
async fn a_request_for_an_unknown_address_leaves_no_row(env: TestEnv) {
    let app = env.app().await;
    app.user("gone").await;
    app.sends_due_emails().await;
    app.deactivates("gone").await;
    let before = (app.emails().await.len(), app.row_counts().await);

    for email in ["nobody@example.com", "gone@example.com"] {
        app.visitor().requests_password_reset(email).await;
    }
    app.sends_due_emails().await;

    let left = |rows: Vec<(&'static str, i64)>| -> Vec<_> {
        rows.into_iter().filter(|(table, _)| *table != "throttle").collect()
    };
    assert_eq!(app.emails().await.len(), before.0);
    assert_eq!(left(app.row_counts().await), left(before.1));
}

#[on_both]
async fn the_email_goes_to_the_address_as_written_by_its_owner(env: TestEnv) {
    let app = env.app().await;
    app.visitor().with("Accept-Language", "ko").signs_up("Ada.Byron@Example.com", GOOD).await;

    app.visitor().requests_password_reset("ada.BYRON@EXAMPLE.COM").await;

    let emails = app.emails().await;
    let email = emails.iter().find(|it| it.find_link(LINK).is_some()).expect("an e-mail");
    assert_eq!(email.to.split('@').next(), Some("Ada.Byron"), "{}", email.to);
    assert!(email.to.eq_ignore_ascii_case("ada.byron@example.com"));
    assert!(email.subject.contains("비밀번호"), "in its owner's language: {}", email.subject);
}

#[on_both]
async fn an_address_gets_three_emails_an_hour(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let mut place = 0;
    for (requests, later) in [(2, 30), (9, 29), (9, 0)] {
        for _ in 0..requests {
            place += 1;
            let mut eve = app.visitor().from(&format!("198.51.100.{place}:1"));
            assert_eq!(eve.requests_password_reset("ada@example.com").await.location(), Some(SENT));
        }
        app.sends_due_emails().await;
        env.clock.advance(later * MINUTE);
    }

    assert!(emails(&app, "ada@example.com").await <= 3, "within an hour");
    assert!(can_log_in(&app, "ada@example.com", GOOD).await, "nobody is locked out");
    env.clock.advance(2 * HOUR);
    let before = emails(&app, "ada@example.com").await;
    app.visitor().requests_password_reset("ada@example.com").await;
    assert_eq!(emails(&app, "ada@example.com").await, before + 1, "it does not last");
}

#[on_both]
async fn requests_from_one_network_are_rate_limited(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.visitor().from("198.51.100.1:1");
    let mut statuses = Vec::new();
    for number in 0..52 {
        statuses
            .push(eve.requests_password_reset(&format!("p{number}@example.com")).await.status());
    }
    let page = eve.requests_password_reset("ada@example.com").await;

    assert_eq!(statuses, [&[303; 51][..], &[429]].concat());
    assert_eq!((page.status(), page.header("retry-after")), (429, Some("30")));
    assert!(page.texts("main").join(" ").contains("30 seconds"));
    let mut elsewhere = app.visitor().from("198.51.100.2:1");
    assert_eq!(elsewhere.requests_password_reset("ada@example.com").await.status(), 303);
}

#[on_both]
async fn an_invalid_address_is_refused(env: TestEnv) {
    let app = env.app().await;
    let before = app.row_counts().await;
    for (typed, said) in [
        ("", "Enter your email."),
        ("ada", "Enter a valid email address, such as ada@example.com."),
        (
            "ada@example.com\r\nBcc: eve@example.com",
            "Enter a valid email address, such as ada@example.com.",
        ),
    ] {
        let page = app.visitor().requests_password_reset(typed).await;
        assert_eq!((page.status(), page.summary()), (422, vec![said.to_owned()]), "{typed}");
        assert!(page.field("email").is_wrong);
    }
    assert_eq!(app.row_counts().await, before);
}

#[on_both]
async fn a_delayed_request_does_not_replace_a_newer_one(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    app.sends_due_emails().await;
    app.visitor().requests_password_reset("ada@example.com").await;
    // As if a worker had claimed it and gone away.
    app.execute("UPDATE outbox SET due_at = due_at + 3600000000 WHERE due_at > 0").await;
    env.clock.advance(50 * MINUTE);
    app.visitor().requests_password_reset("ada@example.com").await;
    let link = app.last_email_to("ada@example.com").await.link(LINK);

    env.clock.advance(15 * MINUTE);
    app.sends_due_emails().await;

    assert_eq!(emails(&app, "ada@example.com").await, 1);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM outbox WHERE due_at > 0").await, 0);
    assert_eq!(app.visitor().sets_new_password(&link, NEW).await.status(), 303);
}

#[on_both]
async fn a_request_ends_when_the_address_changes(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.requests_email_change("new@example.com", GOOD).await;
    let confirm = app.last_email_to("new@example.com").await.link("/account/email/change/");

    app.visitor().requests_password_reset("ada@example.com").await;
    ada.confirms(&confirm).await;

    assert_eq!(emails(&app, "ada@example.com").await, 0);
    assert_eq!(emails(&app, "new@example.com").await, 0);
}

#[on_both]
async fn a_reset_ends_every_session(env: TestEnv) {
    let app = env.app().await;
    let (mut ada, mut eve) = (app.user("ada").await, app.user("eve").await);
    let mut phone = app.visitor();
    phone.logs_in("ada@example.com", GOOD).await;
    let refresh = ada.cookies["refresh"].clone();
    assert!(ada.is_signed_in().await && phone.is_signed_in().await);
    let link = link(&app, "ada@example.com").await;

    app.visitor().sets_new_password(&link, NEW).await;

    assert!(!ada.is_signed_in().await && !phone.is_signed_in().await, "at once");
    assert!(sessions::refresh(&app.ctx, &refresh, &request_info()).await.is_err());
    assert!(eve.is_signed_in().await);
    let email = app.last_email_to("ada@example.com").await;
    assert!(email.subject.contains("your password was changed"), "{}", email.subject);
    assert!(email.find_link("/account/not-me/").is_some());
}

#[on_both]
async fn a_reset_verifies_the_address(env: TestEnv) {
    let app = env.app_with(&[("email_verification", "mandatory")]).await;
    app.visitor().signs_up("ada@example.com", GOOD).await;
    assert!(!can_log_in(&app, "ada@example.com", GOOD).await);
    let link = link(&app, "ada@example.com").await;

    app.visitor().sets_new_password(&link, NEW).await;

    assert!(can_log_in(&app, "ada@example.com", NEW).await);
}

#[on_both]
async fn a_reset_throws_out_a_stranger_with_this_address(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.visitor();
    eve.signs_up("ada@example.com", GOOD).await;
    eve.requests_email_change("eve@example.com", GOOD).await;
    let moving = app.last_email_to("eve@example.com").await.link("/account/email/change/");
    let link = link(&app, "ada@example.com").await;

    app.visitor().sets_new_password(&link, NEW).await;

    assert!(!eve.is_signed_in().await);
    assert_eq!(eve.confirms(&moving).await.status(), 404, "nor does the account move away");
    assert!(!can_log_in(&app, "ada@example.com", GOOD).await);
}
