//! The list of what happened to one's own account.

use std::time::Duration;

use daemun::testing::audit;
use daemun::testing::audit::{AuditEvent, AuditEventKind};
use daemun::testing::flows;
use daemun::testing::types::{Email, Password, RequestInfo, UserId};

use crate::support::{App, GOOD, Page, TestEnv, on_both};

const LIST: &str = "/account/activity";

const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; rv:133.0) Gecko/20100101 Firefox/133.0";

/// What the rows say, from the newest on.
fn said(page: &Page) -> Vec<String> {
    page.texts(".events .what")
}

/// Waits for what is noted after an answer has been given.
async fn is_noted(app: &App, action: &str) {
    let noted = format!("SELECT COUNT(*) FROM audit_events WHERE action = '{action}'");
    for _ in 0..500 {
        if app.query_number(&noted).await > 0 {
            return;
        }
        rocket::tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{action} was not noted");
}

/// Makes a long list: as many failures as there are numbers, from one place each.
async fn a_long_list(app: &App, length: u8) {
    for number in 1..=length {
        let transaction = app.ctx.db.begin().await.expect("a transaction");
        let address = format!("198.51.100.{number}").parse().ok();
        let info = RequestInfo::new(address, FIREFOX, String::new(), None);
        let event = AuditEvent::on_user(UserId(1), AuditEventKind::LoginFailed, &info);
        audit::record(&transaction, event, app.ctx.clock.now()).await.expect("recorded");
        transaction.commit().await.expect("committed");
    }
}

#[on_both]
async fn events_are_listed_newest_first(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.visitor().with("User-Agent", FIREFOX);
    ada.signs_up("ada@example.com", GOOD).await;
    app.user("eve").await;
    env.clock.advance(Duration::from_mins(61));
    ada.logs_out().await;
    ada.logs_in("ada@example.com", GOOD).await;

    let page = ada.get(LIST).await;

    assert_eq!(page.h1(), "Account activity");
    assert_eq!(said(&page), ["Logged in", "Logged out", "Logged in", "Account created"]);
    let times = page.texts(".events time");
    let (late, early) = ("1 March 2026, 13:01 UTC", "1 March 2026, 12:00 UTC");
    assert_eq!(times, [late, late, early, early]);
    assert_eq!(page.texts(".events .where")[0], "Firefox on Windows · 192.0.2.1");
    assert_eq!(page.header("cache-control"), Some("no-store, no-transform"));
}

#[on_both]
async fn the_list_is_in_korean_too(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await.with("Accept-Language", "ko");

    let page = ada.get(LIST).await;

    assert_eq!(page.h1(), "계정 활동");
    assert_eq!(said(&page), ["로그인했습니다", "가입했습니다"]);
    assert_eq!(page.texts(".events .where")[0], "알 수 없는 기기 · 192.0.2.1");
}

#[on_both]
async fn a_failed_login_from_elsewhere_is_marked(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut stranger = app.visitor().with("User-Agent", FIREFOX).from("203.0.113.7:9");
    stranger.logs_in("ada@example.com", "a wild guess").await;
    is_noted(&app, "login_failed").await;

    let page = ada.get(LIST).await;

    assert_eq!(page.texts(".suspicious .what"), ["A wrong password was entered"]);
    assert_eq!(page.texts(".suspicious .where"), ["Firefox on Windows · 203.0.113.7"]);
    assert_eq!(page.texts(".events .what").len(), 3, "one's own acts are not marked");
}

#[on_both]
async fn ending_sessions_is_listed_with_their_number(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    for _ in 0..3 {
        app.visitor().logs_in("ada@example.com", GOOD).await;
    }
    let page = ada.get("/account/sessions").await;
    let button = page.attribute(".rows li:last-child form", "action").expect("a button");

    ada.submits(&button, &[]).await;
    ada.submits("/account/sessions/end-others", &[]).await;

    let page = ada.get(LIST).await;
    assert_eq!(
        said(&page)[..2],
        ["All other devices were logged out (2)", "A device was logged out",]
    );
}

#[on_both]
async fn events_from_the_terminal_say_so(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let (email, good) = (Email::parse("ada@example.com"), Password::parse("a brand new one!"));
    let terminal = RequestInfo::from_terminal("request".into());
    flows::account::password_change::set_by_operator(
        &app.ctx,
        &email.expect("an address"),
        good.expect("a password"),
        &terminal,
    )
    .await
    .expect("set");
    let mut ada = app.visitor();
    ada.logs_in("ada@example.com", "a brand new one!").await;

    let page = ada.get(LIST).await;

    assert_eq!(said(&page)[1], "The password was set by the site's operator");
    assert_eq!(page.texts(".events .where")[1], "On the server");
}

#[on_both]
async fn events_by_staff_say_so(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    app.execute("UPDATE audit_events SET actor_id = 99 WHERE action = 'signup'").await;

    let page = ada.get(LIST).await;

    assert_eq!(page.texts(".events .badge"), ["By an administrator"]);
    assert_eq!(page.texts(".events li:last-child .badge").len(), 1);
}

#[on_both]
async fn every_event_has_a_sentence_in_every_language(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;
    for action in AuditEventKind::ALL {
        let name = action.as_str();
        app.execute(&format!("UPDATE audit_events SET action = '{name}'")).await;
        for language in ["ko", "en"] {
            let page = ada.clone().with("Accept-Language", language).get(LIST).await;
            let sentences = said(&page);
            assert!(!sentences[0].contains("activity.") && !sentences[0].contains('%'));
            let other = ["계정에 바뀐 것이 있습니다", "Something about the account changed"];
            assert!(!other.contains(&sentences[0].as_str()), "{name} in {language}");
        }
    }
}

#[on_both]
async fn events_of_other_versions_have_a_sentence(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    app.execute("UPDATE audit_events SET action = '<b>moon</b>', details = 'no json'").await;

    let page = ada.get(LIST).await;

    assert_eq!(said(&page), ["Something about the account changed"; 2]);
    assert!(!page.text().contains("moon"));
}

#[on_both]
async fn a_long_list_is_paged_without_scripts(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    a_long_list(&app, 103).await;

    let (mut places, mut pages) = (Vec::new(), Vec::new());
    let mut next = Some(LIST.to_owned());
    while let Some(path) = next {
        let page = ada.get(&path).await;
        places.extend(page.texts(".events .where"));
        next = page.attribute(".pager a[rel=next]", "href");
        pages.push((page.texts(".events li").len(), page.texts(".pager a")));
    }

    assert_eq!(
        pages,
        [
            (50, vec!["Older".to_owned()]),
            (50, vec!["Newest".to_owned(), "Older".to_owned()]),
            (5, vec!["Newest".to_owned()]),
        ]
    );
    let expected = (1..=103).rev().map(|it| format!("Firefox on Windows · 198.51.100.{it}"));
    assert_eq!(places[..103], expected.collect::<Vec<_>>(), "each once, and in order");
}

#[on_both]
async fn a_full_last_page_has_no_older_link(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    a_long_list(&app, 48).await;

    let page = ada.get(LIST).await;

    assert_eq!(page.texts(".events li").len(), 50);
    assert!(page.texts(".pager").is_empty());
}

#[on_both]
async fn an_invalid_cursor_shows_the_newest_page(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    for before in ["", "x", "-1", "0", "9999999999999999999", "1%20OR%201", "%00", "%F0%9F%9A%AA"] {
        let page = ada.get(&format!("{LIST}?before={before}")).await;

        assert_eq!((page.status(), said(&page).len()), (200, 2), "{before}");
    }
    let page = ada.get(&format!("{LIST}?before=1")).await;
    assert_eq!(page.texts(".lead"), ["There is nothing older."]);
    assert_eq!(page.texts(".pager a"), ["Newest"]);
}

#[on_both]
async fn events_of_other_users_are_not_shown(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    a_long_list(&app, 5).await;
    let mut eve = app.user("eve").await;

    let page = eve.get(&format!("{LIST}?before=8")).await;

    assert!(said(&page).is_empty(), "older than her own are only others'");
    assert_eq!(said(&eve.get(LIST).await), ["Logged in", "Account created"]);
}

#[on_both]
async fn a_visitor_is_sent_to_login_and_back(env: TestEnv) {
    let app = env.app().await;

    let answer = app.visitor().get("/account/activity?before=7").await;

    let login = "/account/login?next=%2Faccount%2Factivity%3Fbefore%3D7";
    assert_eq!(answer.location(), Some(login));
}
