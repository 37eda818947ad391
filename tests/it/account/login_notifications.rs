//! Word of a log-in on a new device.

use std::time::Duration;

use futures::future::join_all;

use crate::support::mailbox::Received;
use crate::support::{App, GOOD, World, on_both};

const ADA: &str = "ada@example.com";
const NOT_ME: &str = "/account/not-me/";
const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; rv:133.0) Gecko/20100101 Firefox/133.0";

/// The letters about new devices, in either language.
async fn told(app: &App) -> Vec<Received> {
    let mut letters = app.letters_to(ADA).await;
    let subjects = ["log-in on a new device", "새 기기에서 로그인했습니다"];
    letters.retain(|letter| subjects.iter().any(|subject| letter.subject.contains(subject)));
    letters
}

#[on_both]
async fn a_new_browser_is_told_of_once_with_device_and_address(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let mut new = app.visitor().with("User-Agent", FIREFOX).from("198.51.100.7:1");
    new.logs_in(ADA, GOOD).await;

    let letters = told(&app).await;

    assert_eq!(letters.len(), 1);
    for fact in ["Firefox", "Windows", "198.51.100.7", "1 March 2026"] {
        assert!(letters[0].text.contains(fact), "{fact}: {}", letters[0].text);
        assert!(letters[0].html.contains(fact), "{fact}");
    }
    assert!(letters[0].find_link(NOT_ME).is_some());
    new.logs_out().await;
    new.logs_in(ADA, GOOD).await;
    assert_eq!(told(&app).await.len(), 1, "the browser is known now");
}

#[on_both]
async fn the_browser_that_joined_is_known(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    ada.logs_out().await;

    assert_eq!(ada.logs_in(ADA, GOOD).await.status(), 303);

    assert!(told(&app).await.is_empty());
}

#[on_both]
async fn a_browser_that_somebody_else_used_is_new(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let mut eve = app.person("eve").await;

    eve.logs_in(ADA, GOOD).await;

    assert_eq!(told(&app).await.len(), 1);
}

#[on_both]
async fn a_forged_device_is_new(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    for forged in ["x.y", "x", "", "0123456789abcdef.0123456789abcdef"] {
        // Of one program only the first is told.
        let mut thief = app.visitor().with("User-Agent", &format!("thief {forged}"));
        thief.cookies.insert("device".into(), forged.into());
        thief.logs_in(ADA, GOOD).await;
    }

    assert_eq!(told(&app).await.len(), 4);
}

#[on_both]
async fn a_wrong_password_writes_no_letter(world: World) {
    let app = world.app().await;
    app.person("ada").await;

    app.visitor().logs_in(ADA, "wrong guess").await;

    assert!(told(&app).await.is_empty());
}

#[on_both]
async fn a_suspended_person_gets_no_letter(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    app.execute("UPDATE users SET is_active = FALSE").await;

    assert_eq!(app.visitor().logs_in(ADA, GOOD).await.status(), 422);

    assert!(told(&app).await.is_empty());
}

#[on_both]
async fn whoever_it_was_is_thrown_out_by_the_letter(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    let mut thief = app.visitor();
    thief.logs_in(ADA, GOOD).await;
    let link = app.letter_to(ADA).await.link(NOT_ME);

    let answer = app.visitor().follows(&link).await;

    assert_eq!(answer.location(), Some("/account/login"));
    assert!(!thief.is_signed_in().await && !ada.is_signed_in().await);
    assert_eq!(thief.logs_in(ADA, GOOD).await.status(), 422);
}

#[on_both]
async fn a_program_is_told_of_once_a_day_and_a_stranger_always(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let job = || app.visitor().with("User-Agent", "ci-job/1.0").from("198.51.100.7:1");
    for _ in 0..10 {
        assert_eq!(job().logs_in(ADA, GOOD).await.status(), 303);
    }
    assert_eq!(told(&app).await.len(), 1);

    app.visitor().with("User-Agent", "thief").from("198.51.100.7:1").logs_in(ADA, GOOD).await;
    assert_eq!(told(&app).await.len(), 2, "another program");
    job().from("203.0.113.1:1").logs_in(ADA, GOOD).await;
    assert_eq!(told(&app).await.len(), 3, "another network");

    world.clock.advance(Duration::from_hours(24) - Duration::from_secs(1));
    job().logs_in(ADA, GOOD).await;
    assert_eq!(told(&app).await.len(), 3, "it is still the same day");
    world.clock.advance(Duration::from_secs(1));
    job().logs_in(ADA, GOOD).await;
    assert_eq!(told(&app).await.len(), 4);
}

#[on_both]
async fn one_client_network_is_one_place_for_a_program(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    for host in ["1", "2", "ffff"] {
        let from = format!("[2001:db8:0:1::{host}]:1");
        app.visitor().with("User-Agent", "job").from(&from).logs_in(ADA, GOOD).await;
    }

    assert_eq!(told(&app).await.len(), 1);
}

#[on_both]
async fn of_eight_log_ins_of_a_program_at_once_one_is_told(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let mut jobs = vec![app.visitor().with("User-Agent", "job"); 8];

    let pages = join_all(jobs.iter_mut().map(|job| job.logs_in(ADA, GOOD))).await;

    assert!(pages.iter().all(|page| page.status() == 303));
    assert_eq!(told(&app).await.len(), 1);
}

#[on_both]
async fn ten_letters_a_day_are_enough_for_an_address_that_is_not_verified(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let mut number = 0;
    let mut log_in = || {
        number += 1;
        app.visitor().with("User-Agent", &format!("program {number}"))
    };
    for _ in 0..14 {
        assert_eq!(log_in().logs_in(ADA, GOOD).await.status(), 303);
    }
    assert_eq!(told(&app).await.len(), 10);

    for _ in 0..23 {
        world.clock.advance(Duration::from_hours(1));
        assert_eq!(log_in().logs_in(ADA, GOOD).await.status(), 303);
    }
    assert_eq!(told(&app).await.len(), 10, "it is still the same day");

    world.clock.advance(Duration::from_hours(1));
    log_in().logs_in(ADA, GOOD).await;
    assert_eq!(told(&app).await.len(), 11);
}

#[on_both]
async fn the_owner_of_a_verified_address_is_told_of_every_program(world: World) {
    let app = world.app().await;
    app.person("ada").await;
    let link = app.letter_to(ADA).await.link("/account/email/verify/");
    app.visitor().follows(&link).await;

    for number in 0..14 {
        let program = app.visitor().with("User-Agent", &format!("program {number}"));
        assert_eq!(program.clone().logs_in(ADA, GOOD).await.status(), 303);
    }

    assert_eq!(told(&app).await.len(), 14);
}

#[on_both]
async fn the_letter_is_in_the_language_of_the_account(world: World) {
    let app = world.app().await;
    app.visitor().with("Accept-Language", "ko").joins(ADA, GOOD).await;

    app.visitor().with("Accept-Language", "en").logs_in(ADA, GOOD).await;

    let letters = told(&app).await;
    assert!(letters[0].subject.contains("새 기기에서 로그인했습니다"));
    assert!(letters[0].html.contains("<html lang=\"ko\">"));
}

#[on_both]
async fn whoever_chooses_a_language_gets_letters_in_it(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    ada.get("/account/mypage").await;

    ada.submits("/language", &[("language", "ko"), ("next", "/")]).await;

    assert_eq!(app.word("SELECT language FROM users").await, "ko");
    app.visitor().logs_in(ADA, GOOD).await;
    assert!(told(&app).await[0].subject.contains("새 기기에서 로그인했습니다"));
    assert_eq!(ada.get("/account/profile").await.field("language").value, "ko");
    let events = "SELECT COUNT(*) FROM audit_events WHERE action = 'profile_changed'";
    assert_eq!(app.number(events).await, 0, "a button in the footer is no event");
}

#[on_both]
async fn a_visitor_who_chooses_a_language_changes_nobodys(world: World) {
    let app = world.app().await;
    app.person("ada").await;

    app.visitor().submits("/language", &[("language", "ko")]).await;

    assert_eq!(app.word("SELECT language FROM users").await, "en");
}
