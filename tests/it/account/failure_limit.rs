//! The limit of a hundred wrong passwords in a row, after which only a reset opens the account.

use daemun::flows;
use daemun::types::{Email, Password};
use daemun::worker;
use serde_json::json;

use crate::account::throttling::{ADA, HOUR, admitted, guesses, next_guess, retry_after};
use crate::support::app::request_info;
use crate::support::{App, GOOD, World, on_both};

async fn reset_link(app: &App) -> String {
    app.visitor().submits("/account/password/reset", &[("email", ADA)]).await;
    let letters = app.letters_to(ADA).await;
    let mut links = letters.iter().filter_map(|it| it.find_link("/account/password/reset/"));
    links.next_back().expect("a link")
}

#[on_both]
async fn a_hundred_wrong_passwords_in_a_row_close_an_account_until_a_reset(world: World) {
    let app = world.app().await;
    let mut home = app.person("ada").await;
    home.logs_out().await;
    let mut thief = app.visitor();
    thief.logs_in(ADA, GOOD).await;

    let (mut strangers, mut with_cookie) = (0, 0);
    while next_guess(&world, &mut app.visitor()).await.is_some() {
        strangers += 1;
    }
    while next_guess(&world, &mut thief).await.is_some() {
        with_cookie += 1;
    }

    assert_eq!((strangers, with_cookie), (80, 20));
    world.clock.advance(365 * 24 * HOUR);
    let page = app.visitor().logs_in(ADA, GOOD).await;
    assert_eq!((page.status(), retry_after(&page)), (429, 86_400));
    let sentence = "Too many wrong passwords in a row. The password is not accepted on this device \
        until you choose a new one: use \u{201c}Forgot your password?\u{201d} on the log-in page.";
    assert_eq!(page.summary(), [sentence]);
    assert_eq!(home.logs_in(ADA, GOOD).await.status(), 429);
    let link = reset_link(&app).await;
    assert_eq!(app.visitor().chooses(&link, "another river in the evening").await.status(), 303);
    assert_eq!(app.visitor().logs_in(ADA, "another river in the evening").await.status(), 303);
    assert_eq!(app.visitor().logs_in(ADA, "wrong guess").await.status(), 422);
}

#[on_both]
async fn a_password_that_is_set_at_the_terminal_begins_a_new_row(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    while next_guess(&world, &mut app.visitor()).await.is_some() {}
    let email = Email::parse(ADA).expect("an address");
    let password = Password::parse("another river in the evening").expect("typed");

    flows::account::password_change::set_by_operator(&app.ctx, &email, password, &request_info())
        .await
        .expect("set");
    world.clock.advance(HOUR);

    let page = app.visitor().logs_in(ADA, "another river in the evening").await;
    assert_eq!(page.status(), 303);
}

#[on_both]
async fn a_row_that_is_over_is_swept_and_one_that_is_not_stays(world: World) {
    let app = world.app().await;
    let mut home = app.person("ada").await;
    home.logs_out().await;
    home.logs_in(ADA, GOOD).await;
    guesses(&app, "nobody@example.com", "203.0.113.1:1").await;

    world.clock.advance(29 * 24 * HOUR);
    worker::sweep_all(&app.ctx).await;

    let rows = "SELECT COUNT(*) FROM throttle WHERE id LIKE 'login-%'";
    assert_eq!(app.number(rows).await, 1, "that of the guess");
    world.clock.advance(2 * 24 * HOUR);
    worker::sweep_all(&app.ctx).await;
    assert_eq!(app.number(rows).await, 0);
}

#[on_both]
async fn no_stranger_locks_the_owner_out_however_often_they_guess(world: World) {
    let app = world.app().await;
    let mut home = app.person("ada").await;
    home.logs_out().await;
    while next_guess(&world, &mut app.visitor()).await.is_some() {}

    assert_eq!(home.logs_in(ADA, "mistyped").await.status(), 422);
    assert_eq!(home.logs_in(ADA, GOOD).await.status(), 303);

    world.clock.advance(HOUR);
    assert_eq!(app.visitor().logs_in(ADA, GOOD).await.status(), 303, "the row is over");
}

#[on_both]
async fn an_unknown_address_is_closed_at_the_same_count(world: World) {
    let app = world.app().await;

    let mut guesses = 0;
    while next_guess(&world, &mut app.visitor()).await.is_some() {
        guesses += 1;
    }

    assert_eq!(guesses, 80);
}

#[on_both]
async fn the_eighty_first_of_parallel_guesses_is_refused(world: World) {
    let app = world.app().await;
    let mut thief = app.person("ada").await;
    thief.logs_out().await;
    guesses(&app, ADA, "203.0.113.1:1").await;
    thief.logs_in(ADA, "wrong guess").await;
    let free = "UPDATE throttle SET level = 0, open_at = 0 WHERE id LIKE 'login-account:%'";
    app.execute(free).await;
    let set =
        |level: u8| format!("UPDATE throttle SET level = {level} WHERE id LIKE 'login-row:%'");

    app.execute(&set(78)).await;
    let strangers: Vec<_> =
        (0..8).map(|place| app.visitor().from(&format!("198.51.100.{place}:1"))).collect();
    assert_eq!(admitted(strangers).await, 2);
    app.execute("UPDATE throttle SET level = 19, open_at = 0 WHERE id LIKE 'login-device:%'").await;
    assert_eq!(admitted(vec![thief.clone(); 8]).await, 1);
    world.clock.advance(HOUR);
    assert_eq!(admitted(vec![thief.clone(); 8]).await, 0);

    app.execute("UPDATE throttle SET level = 0, open_at = 0 WHERE id LIKE 'login-device:%'").await;
    app.execute(&set(97)).await;
    assert_eq!(admitted(vec![thief; 8]).await, 3);
}

#[on_both]
async fn a_program_is_told_too_that_waiting_does_not_help(world: World) {
    let app = world.app().await;
    while next_guess(&world, &mut app.visitor()).await.is_some() {}

    let reply = app.program().post("/api/token", json!({ "email": ADA, "password": GOOD })).await;

    assert_eq!((reply.status(), reply.code()), (429, "throttled"));
    assert_eq!(
        reply.json["detail"],
        "Too many wrong passwords in a row. Choose a new password by email to log in again."
    );
}

#[on_both]
async fn staff_see_that_waiting_does_not_help(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let id = app.id_of("ada").await;
    while next_guess(&world, &mut app.visitor()).await.is_some() {}
    let mut root = app.superuser("root").await;

    let page = root.get(&format!("/admin/users/{id}")).await;

    assert!(page.text().contains("There were too many wrong passwords in a row"));
}
