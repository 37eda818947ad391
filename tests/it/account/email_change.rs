//! Changing the address of an account, confirmed by a link to the new address.

use std::time::Duration;

use futures::future::{join, join_all};

use crate::support::{App, Browser, GOOD, NEW, Page, TestEnv, on_both};

const FORM: &str = "/account/email/change";

const LINK: &str = "/account/email/change/";

const UNDO: &str = "/account/email/undo/";

pub(crate) const BUTTON: &str = "/account/link";

pub(crate) const MY_PAGE: Option<&str> = Some("/account/mypage");

pub(crate) const OLD: &str = "ada@example.com";

pub(crate) const MOVED: &str = "new@example.com";

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

pub(crate) const DAY: Duration = Duration::from_hours(24);

pub(crate) async fn can_log_in(app: &App, email: &str) -> bool {
    app.visitor().logs_in(email, GOOD).await.status() == 303
}

/// Requests a change of address and returns its link.
pub(crate) async fn link(app: &App, user: &mut Browser<'_>, to: &str) -> String {
    assert_eq!(user.requests_email_change(to, GOOD).await.location(), MY_PAGE);
    app.last_email_to(to).await.link(LINK)
}

/// Moves an account; gives the link that takes it back.
pub(crate) async fn moved(app: &App, user: &mut Browser<'_>, from: &str, to: &str) -> String {
    let link = link(app, user, to).await;
    assert_eq!(app.visitor().confirms(&link).await.status(), 303);
    app.last_email_to(from).await.link(UNDO)
}

pub(crate) async fn is_dead(app: &App, link: &str) -> bool {
    let (shown, sent) = (app.visitor().get(link).await, app.visitor().confirms(link).await);
    assert_eq!(shown.status(), sent.status(), "{link}");
    shown.status() == 404
}

/// Presses one button in sixteen browsers at once; tells how many were first.
async fn race(app: &App, link: &str) -> usize {
    let mut ready = Vec::new();
    for _ in 0..16 {
        let mut browser = app.visitor();
        let token = browser.token().await;
        ready.push((browser, token));
    }
    let racers = ready.into_iter().map(|(mut browser, token)| async move {
        browser.post(link, &[("csrf", &token)]).await.status()
    });
    let statuses = join_all(racers).await;
    assert!(statuses.iter().all(|status| [303, 404].contains(status)), "{statuses:?}");
    statuses.iter().filter(|status| **status == 303).count()
}

/// Everything about a response that an attacker could compare.
pub(crate) fn shape(page: &Page) -> (u16, String, String) {
    (page.status(), format!("{:?}", page.headers()), page.text())
}

#[on_both]
async fn the_link_works_in_any_browser(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let page = ada.get(FORM).await;
    assert_eq!((page.status(), page.h1().as_str()), (200, "Change email"));
    assert_eq!(ada.requests_email_change(MOVED, GOOD).await.location(), MY_PAGE);
    assert_eq!(ada.get("/account/mypage").await.texts(".flash").len(), 1);
    let email = app.last_email_to(MOVED).await;
    assert!(email.subject.contains("confirm your new email address"), "{}", email.subject);
    assert!(can_log_in(&app, OLD).await && !can_log_in(&app, MOVED).await, "not yet");

    let mut phone = app.visitor();
    assert_eq!(phone.get(&email.link(LINK)).await.location(), Some(BUTTON));
    let button = phone.get(BUTTON).await;
    assert_eq!(button.h1(), "Change your email");
    assert_eq!(button.texts(".about"), [MOVED]);
    assert_eq!(phone.confirms(BUTTON).await.location(), Some("/account/login"));

    assert!(!phone.is_signed_in().await);
    let page = ada.get("/account/mypage").await;
    assert_eq!((page.status(), page.h1().as_str()), (200, "Welcome, new@example.com!"));
    assert!(page.texts(".banner").is_empty(), "the new address is proved");
    assert!(!can_log_in(&app, OLD).await && can_log_in(&app, MOVED).await);
    let audit_log = "SELECT COUNT(*) FROM audit_events WHERE action = 'email_changed' \
        AND details LIKE '%ada@example.com%new@example.com%'";
    assert_eq!(
        (app.query_number(audit_log).await, app.audit_event_count("email_change_asked").await),
        (1, 1)
    );
}

#[on_both]
async fn the_emails_are_in_korean_too(env: TestEnv) {
    let app = env.app().await;
    let mut bora = app.visitor().with("Accept-Language", "ko");
    bora.signs_up("bora@example.com", GOOD).await;

    let asked = link(&app, &mut bora, MOVED).await;
    assert!(app.last_email_to(MOVED).await.subject.contains("새 이메일 주소를 확인해 주세요"));
    bora.get(&asked).await;
    assert_eq!(bora.get(BUTTON).await.h1(), "이메일 바꾸기");
    assert_eq!(bora.confirms(BUTTON).await.location(), MY_PAGE);

    assert_eq!(bora.get("/account/mypage").await.h1(), "반갑습니다, new@example.com님!");
    let received = app.last_email_to("bora@example.com").await;
    assert!(received.subject.contains("계정의 이메일 주소가 바뀌었습니다"), "{}", received.subject);
    assert!(received.text.contains(MOVED));
}

#[on_both]
async fn another_node_shows_the_new_address_at_once(env: TestEnv) {
    let settings = [("session_cache", "0s")];
    let (here, there) = (env.app_with(&settings).await, env.app_with(&settings).await);
    let mut ada = here.user("ada").await;
    let mut elsewhere = ada.clone().on(&there);
    assert_eq!(elsewhere.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
    let link = link(&here, &mut ada, MOVED).await;

    here.visitor().confirms(&link).await;

    assert_eq!(elsewhere.get("/account/mypage").await.h1(), "Welcome, new@example.com!");
}

#[on_both]
async fn an_invalid_form_changes_nothing(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    app.sends_due_emails().await;
    let before = app.row_counts().await;
    let malformed = "Enter a valid email address, such as ada@example.com.";
    for (email, password, field, said) in [
        (MOVED, "not the password", "password", "This password is wrong."),
        (MOVED, "", "password", "Enter the password."),
        (OLD, GOOD, "email", "This is already your email."),
        ("ADA@Example.COM", GOOD, "email", "This is already your email."),
        ("new", GOOD, "email", malformed),
        ("new@example.com\r\nBcc: eve@example.com", GOOD, "email", malformed),
        ("", GOOD, "email", "Enter your email."),
    ] {
        let page = ada.requests_email_change(email, password).await;
        assert_eq!((page.status(), page.h1().as_str()), (422, "Change email"), "{email}");
        assert_eq!(page.summary(), [said]);
        assert!(page.field(field).is_wrong && page.field("password").value.is_empty());
        assert!(!page.text().contains("not the password"));
    }
    let both = ada.requests_email_change("new", "").await;

    assert_eq!(both.summary(), [malformed, "Enter the password."]);
    assert_eq!(both.field("email").value, "new");
    let grown = ["throttle", "audit_events"];
    for (now, then) in app.row_counts().await.into_iter().zip(before) {
        assert!(now == then || grown.contains(&now.0), "{now:?} {then:?}");
    }
}

#[on_both]
async fn entering_the_own_address_is_not_an_attempt(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    for _ in 0..13 {
        assert_eq!(ada.requests_email_change(OLD, GOOD).await.status(), 422);
    }

    assert_eq!(ada.requests_email_change(MOVED, GOOD).await.location(), MY_PAGE);
}

#[on_both]
async fn wrong_passwords_count_with_those_at_login(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    for _ in 0..11 {
        assert_eq!(ada.requests_email_change(MOVED, "a guess").await.status(), 422);
    }

    let page = ada.requests_email_change(MOVED, GOOD).await;

    assert_eq!((page.status(), page.header("retry-after")), (429, Some("30")));
    assert_eq!(page.field("email").value, MOVED);
    assert_eq!(ada.logs_in(OLD, GOOD).await.status(), 429);
}

#[on_both]
async fn a_user_may_email_few_new_addresses_a_day(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut statuses = Vec::new();
    for number in 0..7 {
        statuses.push(
            ada.requests_email_change(&format!("p{number}@example.com"), GOOD).await.status(),
        );
    }

    let page = ada.requests_email_change(MOVED, GOOD).await;

    assert_eq!(statuses, [303, 303, 303, 303, 303, 429, 429]);
    assert_eq!((page.status(), page.header("retry-after")), (429, Some("3600")));
    assert_eq!(app.emails_to("p5@example.com").await.len(), 0);
    for _ in 0..13 {
        assert_eq!(ada.requests_email_change(MOVED, GOOD).await.status(), 429);
    }
    assert_eq!(ada.changes_password(GOOD, NEW).await.location(), MY_PAGE, "it was no guess");
}

#[on_both]
async fn opening_the_link_does_not_use_it(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let link = link(&app, &mut ada, MOVED).await;
    let before = app.row_counts().await;
    for _ in 0..20 {
        for method in [rocket::http::Method::Get, rocket::http::Method::Head] {
            let mut scanner = app.visitor();
            assert_eq!(scanner.send(method, &link, None).await.location(), Some(BUTTON));
            assert_eq!(scanner.send(method, BUTTON, None).await.status(), 200);
        }
        assert_eq!(app.visitor().post(&link, &[]).await.status(), 403, "no form of ours");
    }

    assert_eq!(app.row_counts().await, before);
    assert!(can_log_in(&app, OLD).await);
    assert_eq!(app.visitor().confirms(&link).await.status(), 303);
}

#[on_both]
async fn the_form_does_not_reveal_taken_addresses(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    app.user("eve").await;
    let token = ada.token().await;
    let mut answers = Vec::new();
    for email in ["eve@example.com", MOVED] {
        let (before, queries) = (app.row_counts().await, app.ctx.db.queries());
        let fields = [("csrf", &*token), ("email", email), ("password", GOOD)];
        let answer = ada.clone().post(FORM, &fields).await;
        let queries = app.ctx.db.queries() - queries;
        let rows = app.row_counts().await.into_iter().zip(before);
        let grown: Vec<_> = rows
            .filter(|((table, _), _)| *table != "throttle")
            .map(|((table, now), (_, then))| (table, now - then))
            .collect();
        answers.push((shape(&answer), queries, grown));
    }

    assert_eq!(answers[0], answers[1]);
    let email = app.last_email_to("eve@example.com").await;
    assert!(email.subject.contains("this address already has an account"));
    assert!(email.find_link("/account/email").is_none(), "{}", email.text);
    assert!(!email.text.contains(OLD), "nor does its owner learn who it was");
}

#[on_both]
async fn of_two_users_wanting_one_address_one_gets_it(env: TestEnv) {
    let app = env.app().await;
    for round in 0..4 {
        let names = [format!("ada{round}"), format!("eve{round}")];
        let wanted = format!("wanted{round}@example.com");
        let (mut ada, mut eve) = (app.user(&names[0]).await, app.user(&names[1]).await);
        let of_ada = link(&app, &mut ada, &wanted).await;
        let of_eve = link(&app, &mut eve, &wanted).await;
        let (ada_token, eve_token) = (ada.token().await, eve.token().await);
        let fields = ([("csrf", &*ada_token)], [("csrf", &*eve_token)]);

        let (one, other) =
            Box::pin(join(ada.post(&of_ada, &fields.0), eve.post(&of_eve, &fields.1))).await;

        let mut statuses = [one.status(), other.status()];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 404]);
        let loser = if one.status() == 404 { &of_ada } else { &of_eve };
        assert!(is_dead(&app, loser).await);
        let holders = format!("SELECT COUNT(*) FROM users WHERE email = '{wanted}'");
        assert_eq!(app.query_number(&holders).await, 1);
        assert!(ada.is_signed_in().await && eve.is_signed_in().await);
    }
}

#[on_both]
async fn of_sixteen_confirmations_at_once_one_wins(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let verify = app.last_email_to(OLD).await.link("/account/email/verify/");
    assert_eq!(race(&app, &verify).await, 1);
    ada.logs_in(OLD, GOOD).await;
    let link = link(&app, &mut ada, MOVED).await;
    assert_eq!(race(&app, &link).await, 1);
    let undo = app.last_email_to(OLD).await.link(UNDO);
    assert_eq!(race(&app, &undo).await, 1);

    for action in ["email_verified", "email_changed", "email_change_undone"] {
        assert_eq!(app.audit_event_count(action).await, 1, "{action}");
    }
    let received = app.emails_to(OLD).await;
    let resets = received.iter().filter(|it| it.find_link("/account/password/reset/").is_some());
    assert_eq!(resets.count(), 1);
}

#[on_both]
async fn a_sign_up_in_between_keeps_the_address(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let link = link(&app, &mut ada, MOVED).await;
    let mut eve = app.visitor();
    assert_eq!(eve.signs_up(MOVED, GOOD).await.location(), MY_PAGE);

    assert_eq!(app.visitor().confirms(&link).await.status(), 404);

    assert_eq!(eve.get("/account/mypage").await.h1(), "Welcome, new@example.com!");
    assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
}

#[on_both]
async fn a_newer_request_replaces_the_older(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let older = link(&app, &mut ada, "mistyped@example.com").await;
    env.clock.advance(MINUTE);
    let newer = link(&app, &mut ada, MOVED).await;

    assert!(is_dead(&app, &older).await);
    assert_eq!(app.visitor().confirms(&newer).await.status(), 303);
    assert!(is_dead(&app, &newer).await, "once");
}

#[on_both]
async fn a_link_works_for_a_day(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let link = link(&app, &mut ada, MOVED).await;
    env.clock.advance(DAY);

    assert!(is_dead(&app, &link).await);
}

#[on_both]
async fn a_password_change_invalidates_the_link(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let link = link(&app, &mut ada, MOVED).await;

    ada.changes_password(GOOD, NEW).await;

    assert!(is_dead(&app, &link).await);
}

#[on_both]
async fn a_suspension_invalidates_the_link(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let link = link(&app, &mut ada, MOVED).await;
    app.deactivates("ada").await;

    assert_eq!(app.visitor().confirms(&link).await.status(), 404);
}

#[on_both]
async fn any_browser_may_confirm_the_link(env: TestEnv) {
    let app = env.app().await;
    let (mut ada, mut eve) = (app.user("ada").await, app.user("eve").await);
    let link = link(&app, &mut ada, MOVED).await;

    assert_eq!(eve.confirms(&link).await.location(), MY_PAGE);

    assert_eq!(eve.get("/account/mypage").await.h1(), "Welcome, eve@example.com!");
    assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, new@example.com!");
}

#[on_both]
async fn an_address_with_markup_is_escaped_in_emails(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let odd = "o'hara&co{{x}}`$@example.com";

    moved(&app, &mut ada, OLD, odd).await;

    let email = app.last_email_to(OLD).await;
    assert!(email.text.contains(odd), "{}", email.text);
    assert!(!email.html.contains("&co") || email.html.contains("&amp;co"));
    assert!(ada.get("/account/mypage").await.h1().contains(odd));
}
