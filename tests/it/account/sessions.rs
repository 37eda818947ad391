//! The list of one's own sign-ins, and ending them.

use std::time::Duration;

use daemun::testing::flows;
use daemun::testing::sessions;
use daemun::testing::sessions::EndReason;
use daemun::testing::types::{SessionId, UserId};
use futures::future::{join, join_all};
use rocket::http::Method;

use crate::support::app::request_info;
use crate::support::{App, Browser, GOOD, Page, TestEnv, on_both};

const LIST: &str = "/account/sessions";
const END_OTHERS: &str = "/account/sessions/end-others";
const HOUR: Duration = Duration::from_hours(1);

const FIREFOX: &str = "Mozilla/5.0 (Windows NT 10.0; rv:133.0) Gecko/20100101 Firefox/133.0";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) \
    AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";

/// Another browser of a user who has signed up.
async fn another<'a>(app: &'a App, name: &str, user_agent: &str) -> Browser<'a> {
    let mut browser = app.visitor().with("User-Agent", user_agent);
    let answer = browser.logs_in(&format!("{name}@example.com"), GOOD).await;
    assert_eq!(answer.location(), Some("/account/mypage"));
    browser
}

/// The paths of the buttons on the list, in its order.
fn buttons(page: &Page) -> Vec<String> {
    let html = page.html();
    let forms = scraper::Selector::parse(".rows form").expect("a selector");
    html.select(&forms).filter_map(|it| it.value().attr("action").map(str::to_owned)).collect()
}

/// What a screen reader calls the buttons on the list.
fn names_of_buttons(page: &Page) -> Vec<String> {
    let html = page.html();
    let all = scraper::Selector::parse(".rows button").expect("a selector");
    let ids = html.select(&all).filter_map(|it| it.value().attr("aria-labelledby"));
    ids.map(|ids| {
        let parts = ids.split(' ').flat_map(|id| page.texts(&format!("#{id}")));
        parts.collect::<Vec<_>>().join(" ")
    })
    .collect()
}

/// The path of the button that ends the session a browser is in.
async fn own_button(browser: &mut Browser<'_>) -> String {
    let page = browser.get(LIST).await;
    buttons(&page).first().expect("this session comes first").clone()
}

async fn living(app: &App) -> i64 {
    app.query_number("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL").await
}

async fn events(app: &App, action: &str) -> i64 {
    app.query_number(&format!("SELECT COUNT(*) FROM audit_events WHERE action = '{action}'")).await
}

fn id_of(button: &str) -> SessionId {
    button.split('/').nth(3).expect("an id").parse().expect("a session's")
}

#[on_both]
async fn all_devices_are_listed_with_this_one_first(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let mut phone = another(&app, "ada", IPHONE).await;
    env.clock.advance(HOUR);
    another(&app, "ada", FIREFOX).await;
    app.user("eve").await;

    let page = phone.get(LIST).await;

    assert_eq!(page.status(), 200);
    assert_eq!(page.h1(), "Where you are logged in");
    let devices = ["Safari on iPhone", "Firefox on Windows", "Unknown device"];
    assert_eq!(page.texts(".rows h2"), devices, "this one, then by last seen; none of eve's");
    assert_eq!(page.texts(".rows .badge"), ["This device"]);
    assert_eq!(page.texts(".rows .this h2"), ["Safari on iPhone"]);
    let facts = page.texts(".rows .this dd");
    let seen = "1 March 2026, 13:00 UTC";
    assert_eq!(facts, [seen, "1 March 2026, 12:00 UTC", "192.0.2.1", "Password"]);
    let instant = page.attribute(".rows .this time", "datetime");
    assert_eq!(instant.as_deref(), Some("2026-03-01T13:00:00Z"));
    assert_eq!(page.header("cache-control"), Some("no-store, no-transform"));
}

#[on_both]
async fn the_list_is_in_korean_too(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let mut ada = another(&app, "ada", FIREFOX).await.with("Accept-Language", "ko");

    let page = ada.get(LIST).await;

    assert_eq!(page.h1(), "로그인한 기기");
    assert_eq!(page.texts(".rows h2"), ["Windows의 Firefox", "알 수 없는 기기"]);
    let facts = page.texts(".rows .this dd");
    assert_eq!(facts[1..], ["2026년 3월 1일 12:00 (UTC)", "192.0.2.1", "비밀번호"]);
}

#[on_both]
async fn every_button_names_its_device(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    another(&app, "ada", FIREFOX).await;

    let names = names_of_buttons(&ada.get(LIST).await);

    assert_eq!(
        names,
        [
            "Log out Unknown device 1 March 2026, 12:00 UTC",
            "Log out Firefox on Windows 1 March 2026, 12:00 UTC",
        ]
    );
}

#[on_both]
async fn the_login_method_is_shown_for_any_stored_value(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    for (stored, said) in
        [("password", "Password"), ("setup_link", "Setup link"), ("retina", "Other")]
    {
        app.execute(&format!("UPDATE sessions SET auth_method = '{stored}'")).await;

        assert_eq!(ada.get(LIST).await.texts("dd").last().map(String::as_str), Some(said));
    }
}

#[on_both]
async fn another_device_is_logged_out_at_once(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let (mut phone, mut desk) =
        (another(&app, "ada", IPHONE).await, another(&app, "ada", FIREFOX).await);
    assert!(phone.is_signed_in().await);
    let button = own_button(&mut phone).await;

    let answer = ada.submits(&button, &[]).await;

    assert_eq!(answer.location(), Some(LIST));
    assert!(!phone.is_signed_in().await, "though it was seen alive a moment ago");
    assert!(ada.is_signed_in().await && desk.is_signed_in().await);
    assert_eq!(ada.get(LIST).await.texts(".rows h2").len(), 2);
    let ended = "SELECT COUNT(*) FROM sessions WHERE ended_because = 'ended_by_owner'";
    assert_eq!((app.query_number(ended).await, events(&app, "session_ended").await), (1, 1));
}

#[on_both]
async fn ending_the_current_session_logs_out(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let button = own_button(&mut ada).await;
    let mut copy = ada.clone();

    let answer = ada.submits(&button, &[]).await;

    assert_eq!(answer.location(), Some("/"));
    assert_eq!(answer.header("clear-site-data"), Some("\"cache\", \"storage\""));
    assert!(ada.cookie("access").is_none() && ada.cookie("refresh").is_none());
    assert!(!copy.is_signed_in().await);
}

#[on_both]
async fn one_button_ends_all_other_sessions(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut eve = app.user("eve").await;
    let mut others = [another(&app, "ada", IPHONE).await, another(&app, "ada", FIREFOX).await];

    let answer = ada.submits(END_OTHERS, &[]).await;

    assert_eq!(answer.location(), Some(LIST));
    assert!(ada.is_signed_in().await && eve.is_signed_in().await);
    for other in &mut others {
        assert!(!other.is_signed_in().await);
    }
    let recorded = "SELECT COUNT(*) FROM audit_events WHERE details = '{\"count\":2}'";
    assert_eq!(app.query_number(recorded).await, 1);
}

#[on_both]
async fn without_other_sessions_there_is_no_button(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    let page = ada.get(LIST).await;

    assert_eq!(page.texts(&format!("form[action='{END_OTHERS}']")).len(), 0);
    assert_eq!(page.texts(".lead"), ["You're only logged in on this device."]);
    assert_eq!(ada.submits(END_OTHERS, &[]).await.location(), Some(LIST));
    assert_eq!(events(&app, "other_sessions_ended").await, 0, "nothing happened");
}

#[on_both]
async fn sessions_of_other_users_are_not_found(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut eve = app.user("eve").await;
    let mut over = another(&app, "ada", IPHONE).await;
    let (of_eve, of_over) = (own_button(&mut eve).await, own_button(&mut over).await);
    over.logs_out().await;

    for path in [
        &of_eve,
        &of_over,
        &of_eve.to_uppercase().replace("/ACCOUNT/SESSIONS", LIST).replace("/END", "/end"),
        "/account/sessions/00000000000000000000000000000000/end",
        "/account/sessions/0/end",
        "/account/sessions/-1/end",
        "/account/sessions/'%20OR%20'1'='1/end",
        "/account/sessions/%F0%9F%9A%AA/end",
    ] {
        let page = ada.submits(path, &[]).await;
        assert_eq!((page.status(), page.h1().as_str()), (404, "Page not found"), "{path}");
    }

    assert!(eve.is_signed_in().await, "it lives on");
    assert_eq!((living(&app).await, events(&app, "session_ended").await), (2, 0));
}

#[on_both]
async fn an_expired_session_is_not_listed(env: TestEnv) {
    let app = env.app().await;
    let mut old = app.user("ada").await;
    let button = own_button(&mut old).await;
    env.clock.advance(15 * 24 * HOUR);
    let mut ada = another(&app, "ada", FIREFOX).await;

    let page = ada.get(LIST).await;

    assert_eq!(page.texts(".rows h2"), ["Firefox on Windows"]);
    assert_eq!(ada.submits(&button, &[]).await.status(), 404);
}

#[on_both]
async fn a_visitor_is_sent_to_login(env: TestEnv) {
    let app = env.app().await;
    let mut visitor = app.visitor();

    let answer = visitor.get(LIST).await;

    assert_eq!(answer.location(), Some("/account/login?next=%2Faccount%2Fsessions"));
    for path in [END_OTHERS, "/account/sessions/00000000000000000000000000000000/end"] {
        assert_eq!(visitor.submits(path, &[]).await.location(), Some("/account/login"));
        assert_eq!(visitor.get(path).await.status(), 405, "never by a link");
    }
}

#[on_both]
async fn the_error_page_links_back(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    let page = ada.submits("/account/sessions/0/end", &[]).await;

    let next = page.attribute(".languages input[name=next]", "value");
    assert_eq!((page.status(), next.as_deref()), (404, Some("/")));
}

#[on_both]
async fn the_user_agent_is_escaped(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    for rude in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "Firefox/1 <script>alert(1)</script> (Windows NT 10.0)",
        "'; DROP TABLE sessions; --",
    ] {
        let mut rude = another(&app, "ada", rude).await;
        for path in [LIST, "/account/activity"] {
            let page = rude.get(path).await;
            assert_eq!(page.status(), 200);
            assert!(page.texts("main script, main img").is_empty());
            assert!(!page.text().contains("alert") && !page.text().contains("DROP"));
        }
    }
}

#[on_both]
async fn a_malformed_row_is_escaped(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    app.execute("UPDATE sessions SET ip = '<script>alert(1)</script>\"'").await;
    app.execute("UPDATE audit_events SET ip = '<script>alert(1)</script>\"'").await;

    for path in [LIST, "/account/activity"] {
        let page = ada.get(path).await;
        assert!(page.texts("main script").is_empty());
        assert!(page.texts("main").join(" ").contains("<script>alert(1)</script>\""));
    }
}

#[on_both]
async fn a_long_list_is_cut_and_says_so(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let columns = "user_id, created_at, last_seen_at, expires_at, user_agent, ip, auth_method, \
        authenticated_at, current_jti, rotated_at";
    let copies = (0..130).map(|number| {
        let seen = columns.replace("last_seen_at", &format!("last_seen_at + {number}"));
        format!(
            "INSERT INTO sessions (id, {columns}) SELECT '{number:032x}', {seen} \
            FROM sessions WHERE user_agent = '' AND id NOT LIKE '0000000000%';"
        )
    });
    app.execute(&copies.collect::<String>()).await;

    let page = ada.get(LIST).await;

    assert_eq!(page.texts(".rows h2").len(), 100);
    let more = page.texts("p.aside");
    assert!(more.contains(&"Devices not shown here: 31".into()), "{more:?}");
    assert_eq!(page.texts(".rows li:first-child .badge"), ["This device"], "always shown");
    assert!(buttons(&page)[1].contains(&format!("{:032x}", 129)), "then whoever was last");
    ada.submits(END_OTHERS, &[]).await;
    assert_eq!(living(&app).await, 1, "also those that were not shown");
}

#[on_both]
async fn of_sixteen_devices_ending_each_other_one_is_left(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    app.ends_sessions().await;
    let mut ready = Vec::new();
    for _ in 0..16 {
        let mut device = another(&app, "ada", FIREFOX).await;
        let token = device.token().await;
        ready.push((device, token));
    }

    let racers = ready.into_iter().map(|(mut device, token)| async move {
        let answer = device.post(END_OTHERS, &[("csrf", &token)]).await;
        (device, answer)
    });
    let arrivals = (0..4).map(|_| another(&app, "ada", IPHONE));
    let (raced, arrived) = join(join_all(racers), join_all(arrivals)).await;

    let mut left = 0;
    for (mut device, answer) in raced {
        assert_eq!(answer.status(), 303, "{}", answer.text());
        left += i64::from(device.is_signed_in().await);
    }
    assert_eq!(left, 1, "whoever came first");
    let mut signed_in = 0;
    for mut phone in arrived {
        signed_in += i64::from(phone.is_signed_in().await);
    }
    assert_eq!(living(&app).await, 1 + signed_in);
    assert_eq!(events(&app, "other_sessions_ended").await, 1, "the others were over");
}

#[on_both]
async fn of_two_sessions_ending_each_other_one_is_left(env: TestEnv) {
    let app = env.app().await;
    app.session_of("ada").await;
    let user = UserId(1);
    for _ in 0..8 {
        app.ends_sessions().await;
        let mut here = another(&app, "ada", FIREFOX).await;
        let mut there = another(&app, "ada", IPHONE).await;
        let pair = (id_of(&own_button(&mut here).await), id_of(&own_button(&mut there).await));

        let racers = [(pair.0, pair.1), (pair.1, pair.0)].map(|(asking, other)| {
            let ctx = app.ctx.clone();
            rocket::tokio::spawn(async move {
                flows::account::sessions::end(&ctx, user, asking, other, &request_info())
                    .await
                    .expect("answers")
            })
        });
        let ended: Vec<_> =
            join_all(racers).await.into_iter().map(|it| it.expect("no panic")).collect();

        assert_eq!(ended.iter().filter(|done| **done).count(), 1);
        assert_eq!(living(&app).await, 1);
    }
}

#[on_both]
async fn all_ways_to_end_sessions_work_at_once(env: TestEnv) {
    let app = env.app().await;
    app.session_of("ada").await;
    let mut devices = Vec::new();
    for _ in 0..12 {
        devices.push(id_of(&own_button(&mut another(&app, "ada", FIREFOX).await).await));
    }
    let user = UserId(1);

    let racers = devices.into_iter().enumerate().map(|(number, device)| {
        let ctx = app.ctx.clone();
        rocket::tokio::spawn(async move {
            if number % 2 == 0 {
                return flows::account::sessions::end_others(&ctx, user, device, &request_info())
                    .await
                    .map(|_| ());
            }
            let transaction = ctx.db.begin().await?;
            daemun::testing::accounts::lock(&transaction, user).await?;
            let (why, now) = (EndReason::PasswordChanged, ctx.clock.now());
            sessions::end_all(&transaction, user, None, why, now).await?;
            transaction.commit().await
        })
    });

    for raced in join_all(racers).await {
        raced.expect("no panic").expect("no deadlock");
    }
    assert_eq!(living(&app).await, 0);
}

#[on_both]
async fn the_user_page_links_both_lists(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    let page = ada.get("/account/mypage").await;

    for path in [LIST, "/account/activity"] {
        assert_eq!(page.texts(&format!("main a[href='{path}']")).len(), 1);
        assert_eq!(ada.send(Method::Head, path, None).await.status(), 200);
    }
}
