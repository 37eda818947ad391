//! Undoing a change of address by the link that went to the old address.

use crate::account::email_change::{
    BUTTON, DAY, MINUTE, MOVED, MY_PAGE, OLD, can_log_in, is_dead, link, moved, shape,
};
use crate::support::{GOOD, NEW, TestEnv, on_both};

#[on_both]
async fn the_old_address_can_undo_for_a_week(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.user("ada").await;
    let undo = moved(&app, &mut eve, OLD, MOVED).await;
    let received = app.last_email_to(OLD).await;
    assert!(received.text.contains(MOVED), "{}", received.text);
    env.clock.advance(6 * DAY + 23 * 60 * MINUTE);
    assert!(eve.is_signed_in().await);

    let mut ada = app.visitor();
    assert_eq!(ada.get(&undo).await.location(), Some(BUTTON));
    let button = ada.get(BUTTON).await;
    assert_eq!(button.h1(), "Undo the email change");
    assert_eq!(button.texts(".about"), [OLD]);
    assert_eq!(ada.confirms(BUTTON).await.location(), Some("/account/login"));

    assert!(!eve.is_signed_in().await);
    assert!(!can_log_in(&app, OLD).await && !can_log_in(&app, MOVED).await, "no password");
    let reset = app.last_email_to(OLD).await.link("/account/password/reset/");
    assert_eq!(ada.sets_new_password(&reset, NEW).await.status(), 303);
    assert_eq!(ada.logs_in(OLD, NEW).await.location(), MY_PAGE);
    assert!(ada.get("/account/mypage").await.texts(".banner").is_empty(), "still proved");
    assert_eq!(app.audit_event_count("email_change_undone").await, 1);
    assert!(is_dead(&app, &undo).await, "once");
    assert_eq!(app.visitor().signs_up(MOVED, GOOD).await.status(), 303, "and that one is free");
}

#[on_both]
async fn the_link_expires_after_a_week(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let undo = moved(&app, &mut ada, OLD, MOVED).await;
    env.clock.advance(7 * DAY);

    assert!(is_dead(&app, &undo).await);
    assert!(ada.is_signed_in().await);
}

#[on_both]
async fn the_thief_cannot_take_the_undo_away(env: TestEnv) {
    let app = env.app().await;
    let mut thief = app.user("ada").await;
    let of_owner = moved(&app, &mut thief, OLD, "evil1@example.com").await;
    env.clock.advance(MINUTE);
    let of_thief = moved(&app, &mut thief, "evil1@example.com", "evil2@example.com").await;
    env.clock.advance(MINUTE);
    thief.changes_password(GOOD, NEW).await;
    let not_me = app.last_email_to("evil2@example.com").await.link("/account/not-me/");

    let mut ada = app.visitor();
    assert_eq!(ada.confirms(&of_owner).await.status(), 303);

    assert!(!thief.is_signed_in().await);
    for link in [&of_thief, &not_me] {
        assert!(is_dead(&app, link).await, "{link}");
    }
    let reset = app.last_email_to(OLD).await.link("/account/password/reset/");
    ada.sets_new_password(&reset, NEW).await;
    ada.logs_in(OLD, NEW).await;
    assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
}

#[on_both]
async fn the_first_owner_has_the_last_word(env: TestEnv) {
    let app = env.app().await;
    let mut thief = app.user("ada").await;
    let of_owner = moved(&app, &mut thief, OLD, "evil1@example.com").await;
    env.clock.advance(MINUTE);
    let of_thief = moved(&app, &mut thief, "evil1@example.com", "evil2@example.com").await;

    assert_eq!(app.visitor().confirms(&of_thief).await.status(), 303);
    let reset = app.last_email_to("evil1@example.com").await.link("/account/password/reset/");
    app.visitor().sets_new_password(&reset, NEW).await;
    assert_eq!(thief.logs_in("evil1@example.com", NEW).await.location(), MY_PAGE);

    assert_eq!(app.visitor().confirms(&of_owner).await.status(), 303);
    assert!(!thief.is_signed_in().await);
    let holder = "SELECT COUNT(*) FROM users WHERE email = 'ada@example.com'";
    assert_eq!(app.query_number(holder).await, 1);
}

#[on_both]
async fn an_undo_invalidates_links_to_the_new_address(env: TestEnv) {
    let app = env.app().await;
    let mut thief = app.user("ada").await;
    let undo = moved(&app, &mut thief, OLD, MOVED).await;
    app.visitor().requests_password_reset(MOVED).await;
    let reset = app.last_email_to(MOVED).await.link("/account/password/reset/");
    app.visitor().logs_in(MOVED, GOOD).await;
    let not_me = app.last_email_to(MOVED).await.link("/account/not-me/");
    let further = link(&app, &mut thief, "further@example.com").await;

    app.visitor().confirms(&undo).await;

    for link in [&reset, &not_me, &further] {
        assert_eq!(app.visitor().get(link).await.status(), 404, "{link}");
    }
}

#[on_both]
async fn a_recoverable_address_cannot_be_taken(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut eve = app.user("eve").await;
    moved(&app, &mut ada, OLD, MOVED).await;

    let taken = app.visitor().signs_up(MOVED, GOOD).await;
    let reserved = app.visitor().signs_up("Ada@example.com", GOOD).await;
    let to_reserved = link(&app, &mut eve, OLD).await;

    assert_eq!(taken.field("email").errors, ["There is already an account with this email."]);
    assert_eq!((reserved.status(), reserved.summary()), (422, taken.summary()));
    assert_eq!(app.visitor().confirms(&to_reserved).await.status(), 404);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 2);
    env.clock.advance(7 * DAY);
    assert_eq!(app.visitor().signs_up(OLD, GOOD).await.location(), MY_PAGE);
}

#[on_both]
async fn a_reserved_address_looks_free_in_mandatory_mode(env: TestEnv) {
    let app = env.app_with(&[("email_verification", "mandatory")]).await;
    let mut ada = app.visitor();
    ada.signs_up(OLD, GOOD).await;
    let verify = app.last_email_to(OLD).await.link("/account/email/verify/");
    ada.confirms(&verify).await;
    ada.logs_in(OLD, GOOD).await;
    moved(&app, &mut ada, OLD, MOVED).await;
    let emails = app.emails().await.len();

    let mut eve = app.visitor();
    let token = eve.token().await;
    let mut answers = Vec::new();
    for email in [OLD, "free@example.com"] {
        let fields = [("csrf", &*token), ("email", email), ("password1", NEW), ("password2", NEW)];
        answers.push(shape(&eve.clone().post("/account/join", &fields).await));
    }

    assert_eq!(answers[0], answers[1]);
    assert_eq!(app.emails().await.len(), emails + 1, "one e-mail, to the free address");
}

#[on_both]
async fn the_owner_may_change_back_by_hand(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    moved(&app, &mut ada, OLD, MOVED).await;
    env.clock.advance(MINUTE);

    moved(&app, &mut ada, MOVED, OLD).await;

    assert_eq!(ada.get("/account/mypage").await.h1(), "Welcome, ada@example.com!");
}
