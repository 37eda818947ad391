//! Leaving: asked with the password, done after two weeks, taken back by logging in.

use std::time::Duration;

use daemun::testing::flows;
use futures::future::{join, join_all};

use crate::support::{App, Browser, GOOD, TestEnv, on_both};

const DELETE: &str = "/account/delete";
const ADA: &str = "ada@example.com";
const DAY: Duration = Duration::from_hours(24);
const SECOND: Duration = Duration::from_secs(1);

/// A day but for its last second.
const NEARLY_A_DAY: Duration = Duration::from_secs(86_399);

async fn leaves(browser: &mut Browser<'_>) {
    let answer = browser.submits(DELETE, &[("password", GOOD)]).await;
    assert_eq!(answer.location(), Some("/"), "{}", answer.text());
}

/// Does what is due; tells how many are gone.
async fn carries_out(app: &App) -> u64 {
    flows::account::account_deletion::delete_due(&app.ctx, 50).await.expect("the database answers")
}

async fn user_count(app: &App) -> i64 {
    app.query_number("SELECT COUNT(*) FROM users").await
}

/// Sessions and links without an account.
async fn orphans(app: &App) -> i64 {
    let mut orphans = 0;
    for table in ["sessions", "one_time_links"] {
        orphans += app
            .query_number(&format!(
                "SELECT COUNT(*) FROM {table} \
                 WHERE user_id IS NOT NULL AND user_id NOT IN (SELECT id FROM users)"
            ))
            .await;
    }
    orphans
}

#[on_both]
async fn deletion_logs_out_everywhere_and_names_the_day(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let (mut phone, mut copy) = (app.visitor(), ada.clone());
    phone.logs_in(ADA, GOOD).await;

    let answer = ada.submits(DELETE, &[("password", GOOD)]).await;

    assert_eq!(answer.location(), Some("/"));
    assert_eq!(answer.header("clear-site-data"), Some("\"cache\", \"storage\""));
    assert!(ada.cookie("access").is_none() && ada.cookie("refresh").is_none());
    let sentence = "Your account will be deleted in 14 days. Log in before then to keep it.";
    assert_eq!(ada.get("/").await.texts(".flash"), [sentence]);
    assert!(!phone.is_signed_in().await && !copy.is_signed_in().await);
    let email = app.last_email_to(ADA).await;
    assert!(email.text.contains("will be deleted on 15 March 2026"), "{}", email.text);
    assert!(email.text.contains("Logging in cancels the deletion"));
    assert_eq!(app.audit_event_count("deletion_scheduled").await, 1);
    assert_eq!(user_count(&app).await, 1);
}

#[on_both]
async fn signing_up_while_deletion_is_pending_points_to_login(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    leaves(&mut ada).await;
    let taken = ["There is already an account with this email."];

    let owner = app.visitor().signs_up(ADA, GOOD).await;
    let stranger = app.visitor().signs_up(ADA, "another river in the evening").await;

    assert_eq!(owner.status(), 422);
    let sentence = "You already have an account with this email, and it will be deleted on \
        15 March 2026, 12:00 UTC. Log in to keep it.";
    assert_eq!(owner.summary(), [sentence]);
    assert_eq!(stranger.field("email").errors, taken);
    assert_eq!(user_count(&app).await, 1);
    assert_eq!(app.visitor().logs_in(ADA, GOOD).await.status(), 303);
    let active = app.visitor().signs_up(ADA, GOOD).await;
    assert_eq!(active.field("email").errors, taken, "nothing else is told of an account in use");
}

#[on_both]
async fn a_suspended_user_signing_up_again_learns_why(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    app.deactivates("ada").await;

    let owner = app.visitor().signs_up(ADA, GOOD).await;
    let stranger = app.visitor().signs_up(ADA, "another river in the evening").await;

    let sentence = "This account is suspended. If you have questions, contact the site's operator.";
    assert_eq!(owner.summary(), [sentence]);
    assert_eq!(stranger.field("email").errors, ["There is already an account with this email."]);
}

#[on_both]
async fn signing_up_again_does_not_test_passwords(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    leaves(&mut ada).await;
    for number in 0..11 {
        app.visitor().signs_up(ADA, &format!("river number {number} in the evening")).await;
    }

    let page = app.visitor().signs_up(ADA, GOOD).await;

    assert_eq!(page.field("email").errors, ["There is already an account with this email."]);
    assert_eq!(app.visitor().logs_in(ADA, GOOD).await.status(), 429);
}

#[on_both]
async fn a_wrong_password_keeps_the_account(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    let page = ada.submits(DELETE, &[("password", "wrong guess")]).await;

    assert_eq!(page.status(), 422);
    assert_eq!(page.field("password").errors, ["This password is wrong."]);
    assert_eq!(page.field("password").value, "");
    assert!(!page.text().contains("wrong guess") && ada.is_signed_in().await);
    let page = ada.submits(DELETE, &[]).await;
    assert_eq!(page.field("password").errors, ["Enter the password."]);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users WHERE deletes_at > 0").await, 0);
}

#[on_both]
async fn the_password_is_always_required(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    assert_eq!(ada.get(DELETE).await.field("password").autocomplete, "current-password");
    assert_eq!(ada.submits(DELETE, &[]).await.status(), 422);
}

#[on_both]
async fn password_guesses_are_rate_limited(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(ada.submits(DELETE, &[("password", "wrong guess")]).await.status());
    }

    assert_eq!(statuses, [&[422; 11][..], &[429]].concat());
    let page = ada.submits(DELETE, &[("password", GOOD)]).await;
    assert_eq!((page.status(), page.header("retry-after")), (429, Some("30")));
}

#[on_both]
async fn logging_in_cancels_the_deletion(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    leaves(&mut ada).await;
    env.clock.advance(13 * DAY);
    assert_eq!(ada.logs_in(ADA, "wrong guess").await.status(), 422);
    assert_eq!(
        app.audit_event_count("deletion_cancelled").await,
        0,
        "a wrong password does nothing"
    );
    let due = "SELECT COUNT(*) FROM users WHERE deletes_at IS NOT NULL";
    assert_eq!(app.query_number(due).await, 1);

    let answer = ada.logs_in(ADA, GOOD).await;

    assert_eq!(answer.location(), Some("/account/mypage"));
    let page = ada.get("/account/mypage").await;
    assert_eq!(page.texts(".flash"), ["Welcome back. Your account will not be deleted."]);
    assert_eq!(app.audit_event_count("deletion_cancelled").await, 1);
    env.clock.advance(30 * DAY);
    assert_eq!((carries_out(&app).await, user_count(&app).await), (0, 1));
    ada.logs_in(ADA, GOOD).await;
    assert_eq!(app.audit_event_count("deletion_cancelled").await, 1, "and it is told once");
}

#[on_both]
async fn everything_is_deleted_after_exactly_two_weeks(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    app.user("bob").await;
    ada.submits("/account/profile", &[("name", "Ada")]).await;
    leaves(&mut ada).await;
    app.emails().await;
    env.clock.advance(13 * DAY + NEARLY_A_DAY);
    assert_eq!((carries_out(&app).await, user_count(&app).await), (0, 2));

    env.clock.advance(SECOND);
    assert_eq!(carries_out(&app).await, 1);

    assert_eq!((user_count(&app).await, orphans(&app).await), (1, 0));
    for table in ["sessions", "one_time_links", "outbox"] {
        let of_ada = format!("SELECT COUNT(*) FROM {table} WHERE user_id = 1");
        assert_eq!(app.query_number(&of_ada).await, 0, "{table}");
    }
    let audit_log = "SELECT COUNT(*) FROM audit_events WHERE target_id = 1";
    let personal = format!(
        "{audit_log} AND (ip <> '' OR user_agent <> '' OR request_id <> '' OR details <> '{{}}')"
    );
    assert!(app.query_number(audit_log).await >= 4);
    assert_eq!(app.query_number(&personal).await, 0);
    assert_eq!(app.audit_event_count("deleted").await, 1);
    let of_bob = "SELECT COUNT(*) FROM audit_events WHERE target_id = 2 AND ip <> ''";
    assert!(app.query_number(of_bob).await > 0, "what is about others stays");
    let email = app.last_email_to(ADA).await;
    assert!(email.subject.contains("your account was deleted"), "{}", email.subject);
    assert!(!email.text.contains("Ada,"), "{}", email.text);
    let kept = format!("SELECT COUNT(*) FROM outbox WHERE recipient = '{ADA}'");
    assert_eq!(app.query_number(&kept).await, 0, "not even the last e-mail's row");
    assert_eq!(carries_out(&app).await, 0);
}

#[on_both]
async fn a_deleted_account_cannot_be_opened(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut copy = ada.clone();
    let first = app.last_email_to(ADA).await;
    app.visitor().submits("/account/password/reset", &[("email", ADA)]).await;
    leaves(&mut ada).await;
    env.clock.advance(14 * DAY);
    carries_out(&app).await;

    assert_eq!(ada.logs_in(ADA, GOOD).await.status(), 422);
    assert!(!copy.is_signed_in().await);
    for link in ["/account/email/verify/", "/account/not-me/"] {
        assert_eq!(app.visitor().get(&first.link(link)).await.status(), 404);
    }
}

#[on_both]
async fn the_address_can_sign_up_again_afterwards(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.submits("/account/profile", &[("name", "Ada")]).await;
    leaves(&mut ada).await;
    env.clock.advance(14 * DAY);
    carries_out(&app).await;

    let mut again = app.user("ada").await;

    assert_eq!(again.get("/account/profile").await.field("name").value, "");
    let page = again.get("/account/activity").await;
    assert!(!page.texts("main").join(" ").contains("profile"), "a clean audit log");
    assert_eq!(carries_out(&app).await, 0);
}

#[on_both]
async fn the_address_stays_taken_until_the_deletion(env: TestEnv) {
    let app = env.app().await;
    leaves(&mut app.user("ada").await).await;

    assert_eq!(app.visitor().signs_up(ADA, GOOD).await.status(), 422);
}

#[on_both]
async fn deletions_run_in_batches(env: TestEnv) {
    let app = env.app().await;
    for name in ["ada", "bob", "eve"] {
        leaves(&mut app.user(name).await).await;
    }
    env.clock.advance(14 * DAY);

    let first = flows::account::account_deletion::delete_due(&app.ctx, 2).await.expect("answers");
    let second = flows::account::account_deletion::delete_due(&app.ctx, 2).await.expect("answers");

    assert_eq!((first, second, user_count(&app).await), (2, 1, 0));
}

#[on_both]
async fn two_nodes_delete_each_account_once(env: TestEnv) {
    let app = env.app().await;
    let node = env.app().await;
    for name in ["ada", "bob", "eve", "sam"] {
        leaves(&mut app.user(name).await).await;
    }
    env.clock.advance(14 * DAY);

    let (here, there) = join(carries_out(&app), carries_out(&node)).await;

    assert_eq!((here + there, user_count(&app).await), (4, 0));
    assert_eq!(app.audit_event_count("deleted").await, 4);
}

#[on_both]
async fn the_last_superuser_stays(env: TestEnv) {
    let app = env.app().await;
    app.creates_superuser("root").await;
    let mut root = app.visitor();
    root.logs_in("root@example.com", GOOD).await;

    let page = root.submits(DELETE, &[("password", GOOD)]).await;

    assert_eq!(page.status(), 422);
    let sentence = "You're the last superuser. Create another one first.";
    assert_eq!(page.summary(), [sentence]);
    assert!(root.is_signed_in().await);
    app.creates_superuser("second").await;
    leaves(&mut root).await;
}

#[on_both]
async fn leaving_and_suspended_superusers_do_not_count(env: TestEnv) {
    let app = env.app().await;
    for name in ["root", "second", "third"] {
        app.creates_superuser(name).await;
    }
    app.deactivates("third").await;
    let (mut root, mut second) = (app.visitor(), app.visitor());
    root.logs_in("root@example.com", GOOD).await;
    second.logs_in("second@example.com", GOOD).await;
    leaves(&mut second).await;

    assert_eq!(root.submits(DELETE, &[("password", GOOD)]).await.status(), 422);

    env.clock.advance(14 * DAY);
    assert_eq!(carries_out(&app).await, 1);
    assert_eq!(user_count(&app).await, 2);
}

#[on_both]
async fn a_superuser_who_became_the_last_is_kept(env: TestEnv) {
    let app = env.app().await;
    app.creates_superuser("root").await;
    app.creates_superuser("second").await;
    let mut root = app.visitor();
    root.logs_in("root@example.com", GOOD).await;
    leaves(&mut root).await;
    // The program refuses this, since `root` is about to leave; an older version may have done it.
    app.execute("UPDATE users SET is_active = FALSE WHERE email = 'second@example.com'").await;
    env.clock.advance(14 * DAY);

    assert_eq!((carries_out(&app).await, user_count(&app).await), (0, 2));

    assert_eq!(root.logs_in("root@example.com", GOOD).await.status(), 303);
}

#[on_both]
async fn of_two_superusers_deleting_at_once_one_stays(env: TestEnv) {
    let app = env.app().await;
    let node = env.app().await;
    let mut earlier = Vec::<String>::new();
    for round in 0..5 {
        let mut ready = Vec::new();
        for (place, node) in [&app, &node].into_iter().enumerate() {
            let name = format!("root{round}{place}");
            app.creates_superuser(&name).await;
            let mut root = node.visitor();
            root.logs_in(&format!("{name}@example.com"), GOOD).await;
            let token = root.token().await;
            ready.push((root, token));
        }
        // The superusers of earlier rounds do not count in this one.
        for name in earlier.drain(..) {
            app.sets_roles(&name, true, false).await;
        }
        earlier.extend([0, 1].map(|place| format!("root{round}{place}")));

        let answers = join_all(ready.iter_mut().map(|(root, token)| async move {
            root.post(DELETE, &[("csrf", token), ("password", GOOD)]).await.status()
        }))
        .await;

        let left = answers.iter().filter(|status| **status == 303).count();
        let stayed = answers.iter().filter(|status| **status == 422).count();
        assert_eq!((left, stayed), (1, 1), "{answers:?}");
    }
}

#[on_both]
async fn login_and_deletion_at_once_never_mix(env: TestEnv) {
    let app = env.app().await;
    let names: Vec<_> = (0..8).map(|number| format!("person{number}")).collect();
    let mut ready = Vec::new();
    for name in &names {
        let mut user = app.user(name).await;
        leaves(&mut user).await;
        let token = user.token().await;
        ready.push((user, token, format!("{name}@example.com")));
    }
    env.clock.advance(14 * DAY);

    let ctx = app.ctx.clone();
    let sweep = rocket::tokio::spawn(async move {
        flows::account::account_deletion::delete_due(&ctx, 50).await
    });
    let racers = join_all(ready.iter_mut().map(|(user, token, email)| async move {
        let fields = [("csrf", token.as_str()), ("email", email), ("password", GOOD)];
        user.post("/account/login", &fields).await.status()
    }));
    let (gone, answers) = join(sweep, racers).await;

    let gone = gone.expect("no panic").expect("no deadlock");
    let came_in = answers.iter().filter(|status| **status == 303).count();
    let refused = answers.iter().filter(|status| **status == 422).count();
    assert_eq!(came_in + refused, 8, "{answers:?}");
    assert_eq!(u64::try_from(refused).expect("few"), gone);
    assert_eq!(user_count(&app).await, i64::try_from(came_in).expect("few"));
    assert_eq!(orphans(&app).await, 0);
    for (user, _, _) in &mut ready {
        let page = user.get("/account/mypage").await;
        assert!(page.status() == 200 || page.status() == 303);
    }
}

#[on_both]
async fn a_reminder_during_the_deletion_is_harmless(env: TestEnv) {
    let settings = [("email_verification", "mandatory"), ("delete_unverified_after", "30d")];
    let app = env.app_with(&settings).await;
    let mut ready = Vec::new();
    for number in 0..8 {
        let mut user = app.visitor();
        let email = format!("person{number}@example.com");
        user.signs_up(&email, GOOD).await;
        let token = user.token().await;
        ready.push((user, token, email));
    }
    env.clock.advance(30 * DAY + SECOND);

    let ctx = app.ctx.clone();
    let sweep = rocket::tokio::spawn(async move {
        flows::account::account_deletion::delete_due(&ctx, 50).await
    });
    let racers = join_all(ready.iter_mut().map(|(user, token, email)| async move {
        let fields = [("csrf", token.as_str()), ("email", email), ("password", GOOD)];
        user.post("/account/login", &fields).await.status()
    }));
    let (gone, answers) = join(sweep, racers).await;

    assert_eq!(answers, [422; 8]);
    assert_eq!(gone.expect("no panic").expect("no deadlock"), 8);
    assert_eq!((user_count(&app).await, orphans(&app).await), (0, 0));
}

#[on_both]
async fn unverified_accounts_are_deleted_if_configured(env: TestEnv) {
    let app = env.app_with(&[("delete_unverified_after", "30d")]).await;
    app.user("never").await;
    let mut ada = app.user("ada").await;
    ada.follows_link(&app.last_email_to(ADA).await.link("/account/email/verify/")).await;
    app.user("clerk").await;
    app.sets_roles("clerk", true, false).await;
    env.clock.advance(SECOND);
    app.user("late").await;

    env.clock.advance(29 * DAY + NEARLY_A_DAY);
    assert_eq!(carries_out(&app).await, 0, "not a moment before");
    env.clock.advance(SECOND);

    assert_eq!(carries_out(&app).await, 1);
    let never = "SELECT COUNT(*) FROM users WHERE email = 'never@example.com'";
    assert_eq!((app.query_number(never).await, user_count(&app).await), (0, 3));
    assert_eq!(app.emails_to("never@example.com").await.len(), 1, "no word to a stranger");
    assert_eq!(orphans(&app).await, 0);
}

#[on_both]
async fn without_a_request_no_account_is_deleted(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    env.clock.advance(3650 * DAY);

    assert_eq!((carries_out(&app).await, user_count(&app).await), (0, 1));
}

#[on_both]
async fn a_visitor_is_sent_to_login_and_a_foreign_form_refused(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    let answer = app.visitor().get(DELETE).await;

    assert_eq!(answer.location(), Some("/account/login?next=%2Faccount%2Fdelete"));
    assert_eq!(ada.post(DELETE, &[("password", GOOD)]).await.status(), 403);
    assert!(ada.is_signed_in().await);
    assert_eq!(ada.get(DELETE).await.status(), 200, "looking does nothing");
}
