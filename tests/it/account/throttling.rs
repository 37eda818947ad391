//! Rate limits: how long a client waits after wrong passwords and other attempts.

use std::time::Duration;

use daemun::testing::throttle;
use daemun::testing::throttle::{Limit, ThrottleError};
use futures::future::join_all;

use crate::support::{App, Browser, GOOD, Page, TestEnv, on_both};

pub(crate) const ADA: &str = "ada@example.com";

pub(crate) const HOUR: Duration = Duration::from_hours(1);

pub(crate) async fn guesses(app: &App, email: &str, from: &str) -> Page {
    app.visitor().from(from).logs_in(email, "wrong guess").await
}

/// The next guess that is admitted, however long it takes; `None` when no waiting helps.
pub(crate) async fn next_guess(env: &TestEnv, guesser: &mut Browser<'_>) -> Option<Page> {
    loop {
        let page = guesser.logs_in(ADA, "wrong guess").await;
        match page.status() {
            429 if retry_after(&page) == 86_400 => return None,
            429 => env.clock.advance(Duration::from_secs(retry_after(&page))),
            _ => return Some(page),
        }
    }
}

/// How many of these guess at the same moment and are not refused.
pub(crate) async fn admitted(mut guessers: Vec<Browser<'_>>) -> usize {
    let mut tokens = Vec::new();
    for guesser in &mut guessers {
        tokens.push(guesser.token().await);
    }
    let pages = join_all(guessers.iter_mut().zip(&tokens).map(|(guesser, token)| async move {
        let fields = [("csrf", token.as_str()), ("email", ADA), ("password", "x")];
        guesser.post("/account/login", &fields).await.status()
    }))
    .await;
    pages.into_iter().filter(|status| *status == 422).count()
}

/// Guesses from a new place each time.
async fn from_many_places(app: &App, email: &str, times: u8) -> Vec<u16> {
    let mut statuses = Vec::new();
    for place in 0..times {
        statuses.push(guesses(app, email, &format!("198.51.100.{place}:1")).await.status());
    }
    statuses
}

pub(crate) fn retry_after(page: &Page) -> u64 {
    page.header("retry-after").expect("says when to come back").parse().expect("seconds")
}

#[on_both]
async fn guesses_at_one_account_from_many_networks_are_limited(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;

    let statuses = from_many_places(&app, "ada@example.com", 13).await;

    assert_eq!(statuses, [&[422; 11][..], &[429; 2]].concat());
    let page = guesses(&app, "ada@example.com", "203.0.113.1:1").await;
    assert_eq!((page.status(), retry_after(&page)), (429, 30));
    assert_eq!(page.summary(), ["Too many log-in attempts. Try again in 30 seconds."]);
    assert_eq!(page.field("email").value, "ada@example.com");
}

#[on_both]
async fn unknown_accounts_are_limited_at_the_same_count(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;

    let known = from_many_places(&app, "ada@example.com", 13).await;
    let unknown = from_many_places(&app, "nobody@example.com", 13).await;

    assert_eq!(known, unknown);
}

#[on_both]
async fn the_wait_doubles_to_an_hour_and_decays(env: TestEnv) {
    let app = env.app().await;
    from_many_places(&app, "ada@example.com", 11).await;
    let mut waits = Vec::new();
    for place in 0..9 {
        let page = guesses(&app, "ada@example.com", &format!("203.0.113.{place}:1")).await;
        waits.push(retry_after(&page));
        env.clock.advance(Duration::from_secs(retry_after(&page)));
        assert_eq!(guesses(&app, "ada@example.com", "203.0.113.200:1").await.status(), 422);
    }

    assert_eq!(waits[..4], [30, 60, 120, 240]);
    assert!(waits.iter().all(|wait| *wait <= 3600), "{waits:?}");

    env.clock.advance(24 * HOUR);
    let later = from_many_places(&app, "ada@example.com", 10).await;
    assert_eq!(later, [422; 10], "a day later all is forgotten");
}

#[on_both]
async fn within_a_day_an_attacker_gets_few_attempts(env: TestEnv) {
    let app = env.app().await;
    let mut tries = 0;
    let end = app.ctx.clock.now() + time::Duration::days(1);
    while app.ctx.clock.now() < end {
        let page = guesses(&app, "ada@example.com", &format!("[2001:db8:{tries:x}::1]:1")).await;
        match page.status() {
            422 => tries += 1,
            _ => env.clock.advance(Duration::from_secs(retry_after(&page))),
        }
    }

    assert!(tries < 60, "{tries} in a day");
}

#[on_both]
async fn the_owner_gets_through_on_a_known_device(env: TestEnv) {
    let app = env.app().await;
    let mut home = app.user("ada").await;
    home.logs_out().await;
    assert_eq!(*from_many_places(&app, "ada@example.com", 13).await.last().expect("tried"), 429);

    let stranger = app.visitor().logs_in("ada@example.com", GOOD).await;
    let owner = home.logs_in("ada@example.com", GOOD).await;

    assert_eq!(stranger.status(), 429);
    assert_eq!(owner.location(), Some("/account/mypage"));
}

#[on_both]
async fn a_known_device_is_known_for_its_account_only(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    app.user("eve").await;
    let mut eve = app.visitor();
    eve.logs_in("eve@example.com", GOOD).await;
    eve.logs_out().await;
    from_many_places(&app, "ada@example.com", 13).await;

    assert_eq!(eve.logs_in("ada@example.com", GOOD).await.status(), 429);
}

#[on_both]
async fn a_stolen_device_cookie_is_rate_limited_too(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let mut thief = app.visitor();
    thief.logs_in("ada@example.com", GOOD).await;
    thief.logs_out().await;
    let mut statuses = Vec::new();
    for place in 0..13 {
        thief = thief.from(&format!("198.51.100.{place}:1"));
        statuses.push(thief.logs_in("ada@example.com", "wrong guess").await.status());
    }

    assert_eq!(statuses, [&[422; 11][..], &[429; 2]].concat());
}

#[on_both]
async fn a_stolen_device_cookie_has_twenty_attempts(env: TestEnv) {
    let app = env.app().await;
    let mut home = app.user("ada").await;
    home.logs_out().await;
    let mut phone = app.visitor();
    phone.logs_in(ADA, GOOD).await;
    let mut thief = phone.clone();
    // What strangers may is used up, so that what is left is the cookie's.
    guesses(&app, ADA, "203.0.113.1:1").await;
    app.sets_attempts("login-row", 80).await;

    let mut spent = 0;
    while let Some(page) = next_guess(&env, &mut thief).await {
        assert_eq!(page.status(), 422);
        spent += 1;
        // Only the cookie is counted here.
        app.sets_attempts("login-row", 80).await;
    }

    assert_eq!(spent, 20);
    env.clock.advance(365 * 24 * HOUR);
    assert_eq!(thief.logs_in(ADA, "wrong guess").await.status(), 429, "a year later");
    assert_eq!(phone.logs_in(ADA, GOOD).await.status(), 429, "it is the same cookie");
    assert_eq!(home.logs_in(ADA, GOOD).await.status(), 303, "another device of the owner's");
    assert_eq!(phone.logs_in(ADA, GOOD).await.status(), 303, "and then as on a new device");
    assert_eq!(phone.logs_in(ADA, "wrong guess").await.status(), 422);
    app.sets_attempts("login-row", 80).await;
    assert_eq!(thief.logs_in(ADA, "wrong guess").await.status(), 429, "the copy stays spent");
    assert_eq!(phone.logs_in(ADA, GOOD).await.status(), 303);
}

#[on_both]
async fn one_password_tried_on_many_accounts_is_limited(env: TestEnv) {
    let app = env.app().await;
    let mut statuses = Vec::new();
    for number in 0..110 {
        let email = format!("person{number}@example.com");
        statuses.push(guesses(&app, &email, "198.51.100.1:1").await.status());
    }

    assert_eq!(statuses.iter().filter(|status| **status == 422).count(), 101);
    assert_eq!(
        guesses(&app, "new@example.com", "198.51.100.2:1").await.status(),
        422,
        "another place"
    );
}

#[on_both]
async fn one_ipv6_network_counts_as_one_client(env: TestEnv) {
    let app = env.app().await;
    for number in 0..101 {
        let place = format!("[2001:db8:0:1::{number:x}]:1");
        guesses(&app, &format!("person{number}@example.com"), &place).await;
    }

    assert_eq!(guesses(&app, "x@example.com", "[2001:db8:0:1:ffff::]:1").await.status(), 429);
    assert_eq!(guesses(&app, "x@example.com", "[2001:db8:0:2::]:1").await.status(), 422);
}

#[on_both]
async fn untrusted_headers_do_not_change_the_address(env: TestEnv) {
    let app = env.app().await;
    for number in 0..101 {
        let mut eve = app.visitor().from("198.51.100.1:1");
        for name in ["X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP"] {
            eve = eve.with(name, &format!("203.0.113.{number}"));
        }
        eve.logs_in(&format!("person{number}@example.com"), "wrong guess").await;
    }

    assert_eq!(guesses(&app, "x@example.com", "198.51.100.1:1").await.status(), 429);
}

#[on_both]
async fn behind_a_trusted_proxy_clients_are_distinguished(env: TestEnv) {
    let app = env.app_with(&[("trusted_proxies", "198.51.100.1/32")]).await;
    for number in 0..102 {
        let eve = app.visitor().from("198.51.100.1:1").with("X-Forwarded-For", "203.0.113.1");
        eve.clone().logs_in(&format!("person{number}@example.com"), "wrong guess").await;
    }
    let from =
        |address: &str| app.visitor().from("198.51.100.1:1").with("X-Forwarded-For", address);

    assert_eq!(from("203.0.113.1").logs_in("x@example.com", "wrong").await.status(), 429);
    assert_eq!(from("203.0.113.2").logs_in("x@example.com", "wrong").await.status(), 422);
    assert_eq!(from("9.9.9.9, 203.0.113.1").logs_in("x@example.com", "wrong").await.status(), 429);
}

#[on_both]
async fn parallel_guesses_are_all_counted(env: TestEnv) {
    let app = env.app().await;
    let mut guessers = Vec::new();
    for place in 0..30 {
        let mut guesser = app.visitor().from(&format!("198.51.100.{place}:1"));
        let token = guesser.token().await;
        guessers.push((guesser, token));
    }

    let statuses = join_all(guessers.iter_mut().map(|(guesser, token)| async move {
        let fields = [("csrf", token.as_str()), ("email", "ada@example.com"), ("password", "x")];
        guesser.post("/account/login", &fields).await.status()
    }))
    .await;

    let admitted = statuses.iter().filter(|status| **status == 422).count();
    assert_eq!(admitted, 11, "{statuses:?}");
}

#[on_both]
async fn successful_logins_are_never_limited(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    for _ in 0..40 {
        assert_eq!(app.visitor().logs_in("ada@example.com", GOOD).await.status(), 303);
    }
}

#[on_both]
async fn a_success_does_not_reset_failures(env: TestEnv) {
    let app = env.app().await;
    app.user("eve").await;
    let mut statuses = Vec::new();
    for number in 0..110 {
        let email = format!("person{number}@example.com");
        statuses.push(guesses(&app, &email, "198.51.100.1:1").await.status());
        app.visitor().from("198.51.100.1:1").logs_in("eve@example.com", GOOD).await;
    }

    assert_eq!(*statuses.last().expect("tried"), 429, "{statuses:?}");
}

#[on_both]
async fn a_restart_and_a_second_node_keep_the_counts(env: TestEnv) {
    let (here, there) = (env.app().await, env.app().await);
    from_many_places(&here, "ada@example.com", 6).await;
    from_many_places(&there, "ada@example.com", 5).await;
    let restarted = env.app().await;

    assert_eq!(guesses(&restarted, "ada@example.com", "203.0.113.1:1").await.status(), 429);
}

#[on_both]
async fn sign_ups_from_one_network_are_limited(env: TestEnv) {
    let app = env.app().await;
    let mut last = 0;
    for number in 0..202 {
        let mut eve = app.visitor();
        last = eve
            .signs_up(&format!("eve{number}@example.com"), "correct horse battery")
            .await
            .status();
    }

    assert_eq!(last, 429);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 201);
    let page = app.visitor().signs_up("one-more@example.com", GOOD).await;
    assert_eq!(page.summary(), ["Too many attempts. Try again in 30 seconds."]);
    assert_eq!(
        app.visitor().from("203.0.113.9:1").signs_up("one-more@example.com", GOOD).await.status(),
        303
    );
}

#[on_both]
async fn invalid_forms_count_before_a_strength_check(env: TestEnv) {
    let app = env.app().await;
    let mut statuses = Vec::new();
    for _ in 0..203 {
        statuses.push(app.visitor().signs_up("no address", "1234").await.status());
    }

    assert_eq!(statuses, [&[422; 201][..], &[429; 2]].concat());
}

#[on_both]
async fn a_slightly_slow_clock_refuses_no_one(env: TestEnv) {
    static LIMIT: Limit = Limit {
        name: "test",
        free: 3,
        forgets_one_in: HOUR,
        first_wait: Duration::from_secs(30),
        longest_wait: HOUR,
    };
    let app = env.app().await;
    let now = app.ctx.clock.now();
    let tries = [LIMIT.on("somebody")];

    throttle::check_rate_limit(&app.ctx.db, &tries, now + Duration::from_secs(5))
        .await
        .expect("the first");
    for _ in 0..3 {
        throttle::check_rate_limit(&app.ctx.db, &tries, now).await.expect("read the clock earlier");
    }

    let refused = throttle::check_rate_limit(&app.ctx.db, &tries, now).await;
    assert!(matches!(refused, Err(ThrottleError::TooSoon(_))), "{refused:?}");
}

#[on_both]
async fn the_stored_counts_contain_no_names(env: TestEnv) {
    let app = env.app().await;
    guesses(&app, "ada@example.com", "198.51.100.77:1").await;

    let named = "SELECT COUNT(*) FROM throttle WHERE id LIKE '%ada%' OR id LIKE '%198.51%'";
    assert_eq!(app.query_number(named).await, 0);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM throttle").await, 3);
}
