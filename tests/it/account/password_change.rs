//! Changing the password by its owner.

use std::time::Duration;

use futures::future::join_all;

use crate::support::{App, GOOD, NEW, TestEnv, on_both};

const FORM: &str = "/account/password/change";
const MY_PAGE: Option<&str> = Some("/account/mypage");
const ADA: &str = "ada@example.com";

async fn can_log_in(app: &App, password: &str) -> bool {
    app.visitor().logs_in(ADA, password).await.status() == 303
}

async fn changes(app: &App) -> i64 {
    app.audit_event_count("password_changed").await
}

#[on_both]
async fn it_ends_all_other_sessions(env: TestEnv) {
    let app = env.app().await;
    let (mut ada, mut eve) = (app.user("ada").await, app.user("eve").await);
    let mut phone = app.visitor();
    phone.logs_in(ADA, GOOD).await;
    let page = ada.get(FORM).await;
    assert_eq!((page.status(), page.h1().as_str()), (200, "Change password"));
    assert_eq!(page.field("old_password").autocomplete, "current-password");
    assert_eq!(page.field("new_password1").autocomplete, "new-password");

    let answer = ada.changes_password(GOOD, NEW).await;

    assert_eq!(answer.location(), MY_PAGE);
    let said = "Your password has been changed, and you're logged out everywhere else.";
    assert_eq!(ada.get("/account/mypage").await.texts(".flash"), [said]);
    assert!(!phone.is_signed_in().await, "at once");
    assert!(eve.is_signed_in().await);
    assert_eq!((app.active_session_count().await, changes(&app).await), (2, 1));
    assert!(!can_log_in(&app, GOOD).await && can_log_in(&app, NEW).await);
}

#[on_both]
async fn the_owner_gets_an_email_in_their_language(env: TestEnv) {
    let app = env.app().await;
    for (name, language, subject) in
        [("ada", "en", "your password was changed"), ("bora", "ko", "비밀번호가 바뀌었습니다")]
    {
        let email = format!("{name}@example.com");
        let mut user = app.visitor().with("Accept-Language", language);
        user.signs_up(&email, GOOD).await;

        user.changes_password(GOOD, NEW).await;

        let email = app.last_email_to(&email).await;
        assert!(email.subject.contains(subject), "{}", email.subject);
        assert!(email.text.contains("192.0.2.1"), "{}", email.text);
        assert!(email.find_link("/account/not-me/").is_some());
    }
}

#[on_both]
async fn the_new_password_counts_for_the_next_change(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.changes_password(GOOD, NEW).await;

    assert_eq!(ada.changes_password(GOOD, GOOD).await.status(), 422);
    assert_eq!(ada.changes_password(NEW, GOOD).await.location(), MY_PAGE);
}

#[on_both]
async fn a_wrong_old_password_changes_nothing(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    let page = ada.changes_password("not the old one", NEW).await;

    assert_eq!((page.status(), page.h1().as_str()), (422, "Change password"));
    assert_eq!(page.summary(), ["This password is wrong."]);
    let old = page.field("old_password");
    assert_eq!((old.is_wrong, old.errors), (true, vec!["This password is wrong.".into()]));
    assert!(!page.field("new_password1").is_wrong);
    assert!(!page.text().contains("not the old one") && !page.text().contains(NEW));
    assert_eq!(changes(&app).await, 0);
    assert!(can_log_in(&app, GOOD).await);
}

#[on_both]
async fn a_weak_new_password_changes_nothing(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    let page = ada.changes_password(GOOD, "ada@example.com").await;

    assert_eq!((page.status(), page.field("old_password").is_wrong), (422, false));
    let own = "This password is too similar to your email.".to_owned();
    assert!(page.field("new_password1").errors.contains(&own));
    assert_eq!(changes(&app).await, 0);
    assert!(can_log_in(&app, GOOD).await);
}

#[on_both]
async fn all_errors_are_shown_at_once(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    let fields = [("old_password", ""), ("new_password1", "1234"), ("new_password2", "12")];
    let empty_and_weak = ada.submits(FORM, &fields).await;
    let wrong_and_weak = ada.changes_password("not the old one", "1234").await;
    let nothing = ada.submits(FORM, &[]).await;

    assert_eq!(empty_and_weak.status(), 422);
    assert_eq!(empty_and_weak.field("old_password").errors, ["Enter the password."]);
    assert!(empty_and_weak.field("new_password1").errors.len() >= 3);
    let differs = ["The two passwords are not the same."];
    assert_eq!(empty_and_weak.field("new_password2").errors, differs);
    assert_eq!(wrong_and_weak.field("old_password").errors, ["This password is wrong."]);
    assert!(wrong_and_weak.field("new_password1").errors.len() >= 3);
    assert_eq!(nothing.summary(), ["Enter the password.", "Enter the password."]);
    for name in ["old_password", "new_password1", "new_password2"] {
        let field = empty_and_weak.field(name);
        assert!(field.is_wrong && field.value.is_empty(), "{name}");
    }
}

#[on_both]
async fn weak_new_passwords_are_not_failures(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    for _ in 0..13 {
        assert_eq!(ada.changes_password(GOOD, "1234").await.status(), 422);
    }

    assert_eq!(ada.changes_password(GOOD, NEW).await.location(), MY_PAGE);
}

#[on_both]
async fn wrong_passwords_count_with_those_at_login(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    for _ in 0..11 {
        assert_eq!(ada.changes_password("a guess", NEW).await.status(), 422);
    }

    let page = ada.changes_password(GOOD, NEW).await;

    assert_eq!((page.status(), page.header("retry-after")), (429, Some("30")));
    assert_eq!(page.summary(), ["Too many attempts. Try again in 30 seconds."]);
    ada.logs_out().await;
    assert_eq!(ada.logs_in(ADA, GOOD).await.status(), 429, "on this device");
    assert!(can_log_in(&app, GOOD).await, "and on no other");
    assert_eq!(changes(&app).await, 0);
}

#[on_both]
async fn a_stolen_session_guesses_no_faster(env: TestEnv) {
    let app = env.app().await;
    let mut thief = app.user("ada").await;
    thief.cookies.remove("device");
    for place in 0..11 {
        let mut stranger = app.visitor().from(&format!("198.51.100.{place}:1"));
        assert_eq!(stranger.logs_in(ADA, "a guess").await.status(), 422);
    }

    assert_eq!(thief.changes_password("a guess", NEW).await.status(), 429);
    env.clock.advance(Duration::from_secs(30));
    assert_eq!(thief.changes_password("a guess", NEW).await.status(), 422);
    assert_eq!(app.visitor().logs_in(ADA, GOOD).await.status(), 429);
}

#[on_both]
async fn of_sixteen_changes_at_once_one_wins(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;
    let mut phone = app.visitor();
    phone.logs_in(ADA, GOOD).await;
    let mut ready = Vec::new();
    for number in 0..16 {
        let mut browser = if number % 2 == 0 { ada.clone() } else { phone.clone() };
        let token = browser.token().await;
        ready.push((browser, token, format!("{NEW} {number}")));
    }

    let racers = ready.into_iter().map(|(mut browser, token, new)| async move {
        let new = new.as_str();
        let fields = [
            ("csrf", &*token),
            ("old_password", GOOD),
            ("new_password1", new),
            ("new_password2", new),
        ];
        let answer = browser.post(FORM, &fields).await;
        (answer.location() == MY_PAGE, answer.status(), new.to_owned(), browser)
    });
    let done = join_all(racers).await;

    let expected = [303, 422, 403];
    assert!(done.iter().all(|(_, status, ..)| expected.contains(status)), "no 5xx");
    let mut won: Vec<_> = done.into_iter().filter(|(has_won, ..)| *has_won).collect();
    assert_eq!((won.len(), changes(&app).await, app.active_session_count().await), (1, 1, 1));
    assert!(won[0].3.is_signed_in().await, "the winner's session is the one that is left");
    assert!(can_log_in(&app, &won[0].2).await && !can_log_in(&app, GOOD).await);
}

#[on_both]
async fn a_suspended_account_changes_nothing(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let token = ada.token().await;
    app.deactivates("ada").await;
    let fields =
        [("csrf", &*token), ("old_password", GOOD), ("new_password1", NEW), ("new_password2", NEW)];

    let while_remembered = ada.post(FORM, &fields).await;
    env.clock.advance(Duration::from_secs(3));
    let later = ada.get(FORM).await;

    assert_ne!(while_remembered.location(), MY_PAGE);
    assert_eq!(later.location(), Some("/account/login?next=%2Faccount%2Fpassword%2Fchange"));
    app.activates("ada").await;
    assert!(can_log_in(&app, GOOD).await);
    assert_eq!(changes(&app).await, 0);
}

#[on_both]
async fn a_visitor_is_sent_to_login(env: TestEnv) {
    let app = env.app().await;
    for (form, next) in [
        (FORM, "/account/login?next=%2Faccount%2Fpassword%2Fchange"),
        ("/account/email/change", "/account/login?next=%2Faccount%2Femail%2Fchange"),
    ] {
        let mut visitor = app.visitor();
        assert_eq!(visitor.get(form).await.location(), Some(next));
        let answer = visitor.submits(form, &[("old_password", GOOD)]).await;
        assert!(answer.location().is_some_and(|it| it.starts_with("/account/login")));
    }
}

#[on_both]
async fn a_form_without_its_token_changes_nothing(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let before = app.row_counts().await;
    let fields = [("old_password", GOOD), ("new_password1", NEW), ("new_password2", NEW)];

    assert_eq!(ada.post(FORM, &fields).await.status(), 403);

    assert_eq!(app.row_counts().await, before);
    assert!(can_log_in(&app, GOOD).await);
}

#[on_both]
async fn a_hash_is_renewed_when_its_owner_logs_in(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let dearer = env.app_with(&[("password_hash", "m=16,t=2,p=1")]).await;
    let count = "SELECT COUNT(*) FROM users WHERE password_hash LIKE '%m=16,t=2,p=1%'";

    assert_eq!(dearer.visitor().logs_in(ADA, "a wrong guess").await.status(), 422);
    assert_eq!(app.query_number(count).await, 0);
    assert!(can_log_in(&dearer, GOOD).await);

    assert_eq!(app.query_number(count).await, 1);
    assert!(can_log_in(&app, GOOD).await && can_log_in(&dearer, GOOD).await);
    assert_eq!(app.query_number(count).await, 1, "and never cheaper");
}

#[on_both]
async fn a_password_may_hold_any_character(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let long = "강물이 풀리면 배가 뜨네 ".repeat(9);
    let mut old = GOOD.to_owned();
    for new in ["  산 넘어 남촌에는 누가 살길래  ", "&<>\"'%00+=;🌊 sea breeze 17", &long]
    {
        assert_eq!(ada.changes_password(&old, new).await.location(), MY_PAGE, "{new}");
        assert!(can_log_in(&app, new).await, "{new}");
        old = new.to_owned();
    }

    let too_long = ada.changes_password(&old, &"river ".repeat(22)).await;
    assert!(too_long.summary().join(" ").contains("128"), "{:?}", too_long.summary());
}
