//! The limit of a hundred wrong passwords in a row, after which only a reset opens the account.

use daemun::testing::flows;
use daemun::testing::types::{Email, Password};
use daemun::testing::worker;
use serde_json::json;

use crate::account::throttling::{ADA, HOUR, admitted, guesses, next_guess, retry_after};
use crate::support::app::request_info;
use crate::support::{App, GOOD, TestEnv, on_both};

async fn reset_link(app: &App) -> String {
    app.visitor().submits("/account/password/reset", &[("email", ADA)]).await;
    let emails = app.emails_to(ADA).await;
    let mut links = emails.iter().filter_map(|it| it.find_link("/account/password/reset/"));
    links.next_back().expect("a link")
}

#[on_both]
async fn a_hundred_failures_in_a_row_lock_until_a_reset(env: TestEnv) {
    let app = env.app().await;
    let mut home = app.user("ada").await;
    home.logs_out().await;
    let mut thief = app.visitor();
    thief.logs_in(ADA, GOOD).await;

    let (mut strangers, mut with_cookie) = (0, 0);
    while next_guess(&env, &mut app.visitor()).await.is_some() {
        strangers += 1;
    }
    while next_guess(&env, &mut thief).await.is_some() {
        with_cookie += 1;
    }

    assert_eq!((strangers, with_cookie), (80, 20));
    env.clock.advance(365 * 24 * HOUR);
    let page = app.visitor().logs_in(ADA, GOOD).await;
    assert_eq!((page.status(), retry_after(&page)), (429, 86_400));
    let sentence = "Too many wrong passwords in a row. To log in on this device, choose a new \
        password: use \u{201c}Forgot your password?\u{201d} on the log-in page.";
    assert_eq!(page.summary(), [sentence]);
    assert_eq!(home.logs_in(ADA, GOOD).await.status(), 429);
    let link = reset_link(&app).await;
    assert_eq!(
        app.visitor().sets_new_password(&link, "another river in the evening").await.status(),
        303
    );
    assert_eq!(app.visitor().logs_in(ADA, "another river in the evening").await.status(), 303);
    assert_eq!(app.visitor().logs_in(ADA, "wrong guess").await.status(), 422);
}

#[on_both]
async fn a_password_set_at_the_terminal_resets_the_count(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    while next_guess(&env, &mut app.visitor()).await.is_some() {}
    let email = Email::parse(ADA).expect("an address");
    let password = Password::parse("another river in the evening").expect("typed");

    flows::account::password_change::set_by_operator(&app.ctx, &email, password, &request_info())
        .await
        .expect("set");
    env.clock.advance(HOUR);

    let page = app.visitor().logs_in(ADA, "another river in the evening").await;
    assert_eq!(page.status(), 303);
}

#[on_both]
async fn expired_counts_are_swept_and_others_stay(env: TestEnv) {
    let app = env.app().await;
    let mut home = app.user("ada").await;
    home.logs_out().await;
    home.logs_in(ADA, GOOD).await;
    guesses(&app, "nobody@example.com", "203.0.113.1:1").await;

    env.clock.advance(29 * 24 * HOUR);
    worker::sweep_all(&app.ctx).await;

    let rows = "SELECT COUNT(*) FROM throttle WHERE id LIKE 'login-%'";
    assert_eq!(app.query_number(rows).await, 1, "that of the guess");
    env.clock.advance(2 * 24 * HOUR);
    worker::sweep_all(&app.ctx).await;
    assert_eq!(app.query_number(rows).await, 0);
}

#[on_both]
async fn failures_elsewhere_never_lock_a_known_device(env: TestEnv) {
    let app = env.app().await;
    let mut home = app.user("ada").await;
    home.logs_out().await;
    while next_guess(&env, &mut app.visitor()).await.is_some() {}

    assert_eq!(home.logs_in(ADA, "mistyped").await.status(), 422);
    assert_eq!(home.logs_in(ADA, GOOD).await.status(), 303);

    env.clock.advance(HOUR);
    assert_eq!(app.visitor().logs_in(ADA, GOOD).await.status(), 303, "the row is over");
}

#[on_both]
async fn an_unknown_address_locks_at_the_same_count(env: TestEnv) {
    let app = env.app().await;

    let mut guesses = 0;
    while next_guess(&env, &mut app.visitor()).await.is_some() {
        guesses += 1;
    }

    assert_eq!(guesses, 80);
}

#[on_both]
async fn of_parallel_failures_the_eighty_first_is_refused(env: TestEnv) {
    let app = env.app().await;
    let mut thief = app.user("ada").await;
    thief.logs_out().await;
    guesses(&app, ADA, "203.0.113.1:1").await;
    thief.logs_in(ADA, "wrong guess").await;
    app.sets_attempts("login-account", 0).await;

    app.sets_attempts("login-row", 78).await;
    let strangers: Vec<_> =
        (0..8).map(|place| app.visitor().from(&format!("198.51.100.{place}:1"))).collect();
    assert_eq!(admitted(strangers).await, 2);
    app.sets_attempts("login-device", 19).await;
    assert_eq!(admitted(vec![thief.clone(); 8]).await, 1);
    env.clock.advance(HOUR);
    assert_eq!(admitted(vec![thief.clone(); 8]).await, 0);

    app.sets_attempts("login-device", 0).await;
    app.sets_attempts("login-row", 97).await;
    assert_eq!(admitted(vec![thief; 8]).await, 3);
}

#[on_both]
async fn api_clients_learn_that_waiting_does_not_help(env: TestEnv) {
    let app = env.app().await;
    while next_guess(&env, &mut app.visitor()).await.is_some() {}

    let reply =
        app.api_client().post("/api/token", json!({ "email": ADA, "password": GOOD })).await;

    assert_eq!((reply.status(), reply.code()), (429, "throttled"));
    assert_eq!(
        reply.json["detail"],
        "Too many wrong passwords in a row. Choose a new password by email to log in again."
    );
}

#[on_both]
async fn staff_see_that_waiting_does_not_help(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let id = app.id_of("ada").await;
    while next_guess(&env, &mut app.visitor()).await.is_some() {}
    let mut root = app.superuser("root").await;

    let page = root.get(&format!("/admin/users/{id}")).await;

    assert!(page.text().contains("After too many wrong passwords in a row"));
}
