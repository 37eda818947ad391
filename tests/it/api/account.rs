//! One's own account by JSON: joining, logging in and out, the profile, passwords and letters.

use std::time::Duration;

use rocket::http::{ContentType, Method};
use serde_json::{Value, json};

use crate::support::jam::Jam;
use crate::support::{App, GOOD, NEW, Program, Reply, World, on_both};

const ADA: &str = "ada@example.com";
const BOB: &str = "bob@example.com";
const MANDATORY: &[(&str, &str)] = &[("email_verification", "mandatory")];

fn form(email: &str) -> Value {
    json!({ "email": email, "password1": GOOD, "password2": GOOD })
}

fn login(email: &str, password: &str) -> Value {
    json!({ "email": email, "password": password })
}

/// An answer with everything that a stranger could compare.
fn told(reply: &Reply) -> (u16, Value, Vec<(String, String)>) {
    let headers = reply.page.headers().into_iter();
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    (reply.status(), reply.json.clone(), headers)
}

async fn tries(
    app: &App,
    path: &str,
    email: &str,
    password: &str,
) -> (u16, Value, Vec<(String, String)>) {
    told(&app.program().post(path, login(email, password)).await)
}

/// The last part of a link of the last letter.
async fn key(app: &App, email: &str, start: &str) -> String {
    app.letter_to(email).await.link(start).trim_start_matches(start).to_owned()
}

async fn verifies(app: &App, key: &str) -> Reply {
    app.program().post("/api/account/join/verify-email", json!({ "key": key })).await
}

async fn confirms(app: &App, token: &str, password: &str) -> Reply {
    let body = json!({ "token": token, "new_password1": password, "new_password2": password });
    app.program().post("/api/account/password/reset/confirm", body).await
}

#[on_both]
async fn a_browser_that_joins_is_signed_in_to_the_pages_too(world: World) {
    let app = world.app().await;
    let mut program = app.program();

    let reply = program.post("/api/account/join", form(ADA)).await;

    assert_eq!(reply.status(), 201);
    assert!(reply.page.text().starts_with("{\"access\":"), "{}", reply.json);
    for cookie in reply.page.all("set-cookie") {
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        assert!(cookie.contains("Path=/"), "{cookie}");
    }
    assert!(program.browser.is_signed_in().await);
    assert_eq!(program.get("/api/account/user").await.text("email"), ADA);
}

#[on_both]
async fn on_an_https_site_the_cookies_are_bound_to_the_host(world: World) {
    let app = world.app_with(&[("public_url", "https://gate.example")]).await;
    let mut program = app.program();
    program.post("/api/account/join", form(ADA)).await;
    assert!(program.browser.cookie("__Host-access").is_some());
    world.clock.advance(Duration::from_mins(6));

    let renewed = program.post("/api/account/token/refresh", json!({})).await;
    assert_eq!(renewed.status(), 200);
    assert_eq!(program.get("/api/account/user").await.status(), 200);
    program.post("/api/account/logout", json!({})).await;

    let left: Vec<_> = program.browser.cookies.keys().map(String::as_str).collect();
    assert_eq!(left, ["__Host-device"], "a browser that insists on the prefix lets them go");
}

#[on_both]
async fn nobody_joins_with_more_than_everybody_has(world: World) {
    let app = world.app().await;
    let mut body = form(ADA);
    for field in ["is_staff", "is_superuser", "email_verified", "is_active"] {
        body[field] = json!(true);
    }
    body["id"] = json!(7_000_000);
    body["password_hash"] = json!("x");
    body["user"] = json!({ "is_staff": true });
    let mut program = app.program();

    let joined = program.post("/api/account/join", body.clone()).await;
    let changed = program.patch("/api/account/user", body).await;

    assert_eq!((joined.status(), changed.status()), (201, 200));
    let more = "SELECT COUNT(*) FROM users WHERE is_staff OR is_superuser \
        OR email_verified_at IS NOT NULL OR id = 7000000 OR password_hash = 'x'";
    assert_eq!(app.number(more).await, 0);
}

#[on_both]
async fn where_sign_up_is_closed_nobody_joins(world: World) {
    let app = world.app_with(&[("signup", "closed")]).await;

    let reply = app.program().post("/api/account/join", form(ADA)).await;

    assert_eq!((reply.status(), reply.code()), (403, "signup_closed"));
    assert_eq!(app.number("SELECT COUNT(*) FROM users").await, 0);
}

#[on_both]
async fn of_eight_who_join_at_once_with_one_address_one_wins(world: World) {
    let app = world.app().await;

    let racers =
        (0..8).map(|_| async { app.program().post("/api/account/join", form(ADA)).await.status() });
    let mut statuses = futures::future::join_all(racers).await;

    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400, 400, 400, 400, 400, 400, 400]);
    assert_eq!(app.number("SELECT COUNT(*) FROM users").await, 1);
}

#[on_both]
async fn where_addresses_must_be_proved_joining_gives_no_tokens(world: World) {
    let app = world.app_with(MANDATORY).await;

    let first = app.program().post("/api/account/join", form(ADA)).await;
    let again = app.program().post("/api/account/join", form(ADA)).await;

    assert_eq!((first.status(), first.text("detail")), (201, "Verification e-mail sent."));
    assert_eq!(told(&first), told(&again), "nobody learns that the address is taken");
    assert!(first.page.all("set-cookie").is_empty());
    assert_eq!(app.living().await, 0);
}

#[on_both]
async fn an_unproved_address_is_answered_like_a_wrong_password(world: World) {
    let app = world.app_with(MANDATORY).await;
    app.program().post("/api/account/join", form(ADA)).await;

    for path in ["/api/account/login", "/api/token"] {
        let unproved = tries(&app, path, ADA, GOOD).await;
        assert_eq!(unproved, tries(&app, path, ADA, "wrong").await);
        assert_eq!(unproved, tries(&app, path, BOB, GOOD).await);
        assert!(unproved.1.to_string().contains("open the link in our email"), "{path}");
    }
    let key = key(&app, ADA, "/account/email/verify/").await;
    assert_eq!(verifies(&app, &key).await.json, json!({ "detail": "ok" }));
    assert_eq!(app.program().post("/api/account/login", login(ADA, GOOD)).await.status(), 200);
    assert_eq!(verifies(&app, &key).await.status(), 404, "a key works once");
}

#[on_both]
async fn unknown_wrong_and_suspended_look_the_same(world: World) {
    let app = world.app().await;
    for name in ["ada", "eve", "sam"] {
        app.session_of(name).await;
    }
    app.execute("UPDATE users SET is_active = FALSE WHERE email = 'eve@example.com'").await;
    app.execute("UPDATE users SET password_hash = NULL WHERE email = 'sam@example.com'").await;

    for path in ["/api/account/login", "/api/token"] {
        let unknown = tries(&app, path, BOB, GOOD).await;
        assert_eq!(tries(&app, path, ADA, "wrong").await, unknown);
        assert_eq!(tries(&app, path, "eve@example.com", GOOD).await, unknown, "suspended");
        assert_eq!(tries(&app, path, "sam@example.com", GOOD).await, unknown, "no password");
    }
}

#[on_both]
async fn every_door_counts_the_same_guesses(world: World) {
    let app = world.app().await;
    app.session_of("ada").await;
    for _ in 0..6 {
        tries(&app, "/api/account/login", ADA, "wrong").await;
    }
    for _ in 0..5 {
        app.visitor().logs_in(ADA, "wrong").await;
    }

    for path in ["/api/token", "/api/account/login"] {
        let reply = app.program().post(path, login(ADA, GOOD)).await;
        assert_eq!((reply.status(), reply.code()), (429, "throttled"));
        assert_eq!(reply.page.header("retry-after"), Some("30"));
        let detail = "Request was throttled. Expected available in 30 seconds.";
        assert_eq!(reply.text("detail"), detail);
        assert_eq!(tries(&app, path, ADA, "wrong").await.0, 429);
    }
    let korean = app.program().with("Accept-Language", "ko");
    let reply = korean.clone().post("/api/token", login(ADA, GOOD)).await;
    assert_eq!(reply.text("detail"), "시도가 너무 많습니다. 30초 뒤에 다시 시도해 주세요.");
}

#[on_both]
async fn a_full_queue_is_503_and_says_when_to_come_back(world: World) {
    let app = world.app().await;
    let jam = Jam::on(&app).await;

    let reply = app.program().post("/api/token", login(ADA, GOOD)).await;

    assert_eq!((reply.status(), reply.code()), (503, "service_unavailable"));
    assert_eq!(reply.page.header("retry-after"), Some("5"));
    jam.ends().await;
}

#[on_both]
async fn without_the_database_programs_are_told_and_nothing_of_its_cause(world: World) {
    let app = world.app().await;
    let mut program = app.token("ada").await;
    app.execute("DROP TABLE audit_events").await;

    let reply = program.post("/api/account/join", form(BOB)).await;

    assert_eq!((reply.status(), reply.code()), (500, "error"));
    assert_eq!(reply.text("detail"), "A server error occurred.");
    assert!(reply.page.header("x-request-id").is_some());
}

#[on_both]
async fn a_new_session_replaces_the_one_before(world: World) {
    let app = world.app().await;
    app.session_of("ada").await;
    let mut program = app.program();
    program.post("/api/account/login", login(ADA, GOOD)).await;
    let mut before = program.clone();
    world.clock.advance(Duration::from_mins(6));

    program.post("/api/account/login", login(ADA, GOOD)).await;

    assert_eq!(program.get("/api/account/user").await.status(), 200);
    let reply = before.post("/api/account/token/refresh", json!({})).await;
    assert_eq!(reply.text("detail"), "Token is blacklisted");
    let replaced = "SELECT COUNT(*) FROM sessions WHERE ended_because = 'replaced'";
    assert_eq!(app.number(replaced).await, 1);
}

#[on_both]
async fn asking_for_tokens_leaves_the_session_of_the_browser_alone(world: World) {
    let app = world.app().await;
    app.session_of("ada").await;
    let mut program = app.program();
    program.post("/api/account/login", login(ADA, GOOD)).await;

    assert_eq!(program.post("/api/token", login(ADA, GOOD)).await.cookies(), "");

    assert_eq!(program.get("/api/account/user").await.status(), 200);
}

#[on_both]
async fn logging_out_ends_every_session_that_is_shown(world: World) {
    let app = world.app().await;
    let phone = app.token("ada").await;
    let mut browser = app.program();
    browser.post("/api/account/login", login(ADA, GOOD)).await;
    let laptop = {
        let mut it = app.program();
        it.asks_for_tokens(ADA, GOOD).await;
        it
    };
    let header = format!("Bearer {}", phone.access);

    let body = json!({ "refresh": laptop.refresh });
    let reply =
        browser.clone().with("Authorization", &header).post("/api/account/logout", body).await;

    assert_eq!(reply.cookies(), "-access -refresh");
    assert_eq!(phone.bearing().get("/api/account/user").await.status(), 401);
    assert_eq!(laptop.bearing().get("/api/account/user").await.status(), 401);
    assert_eq!(browser.get("/api/account/user").await.status(), 401);
    assert_eq!(app.events("logout").await, 3);
}

#[on_both]
async fn logging_out_of_nothing_leaves_no_row(world: World) {
    let app = world.app().await;
    let before = app.rows().await;

    for _ in 0..3 {
        let reply = app.program().post("/api/account/logout", json!({})).await;
        assert_eq!(reply.status(), 200);
    }

    assert_eq!(app.rows().await, before);
}

#[on_both]
async fn logging_in_takes_a_deletion_back(world: World) {
    let app = world.app().await;
    let mut ada = app.person("ada").await;
    ada.submits("/account/delete", &[("password", GOOD)]).await;

    assert_eq!(app.program().post("/api/token", login(ADA, GOOD)).await.status(), 200);

    assert_eq!(app.events("deletion_cancelled").await, 1);
}

#[on_both]
async fn a_log_in_on_a_new_device_is_told_by_letter(world: World) {
    let app = world.app().await;
    app.session_of("ada").await;
    let mut program = app.program();

    program.post("/api/account/login", login(ADA, GOOD)).await;
    let letters = app.letters().await.len();
    program.post("/api/account/login", login(ADA, GOOD)).await;

    assert_eq!(app.letters().await.len(), letters, "a known device is no news");
    let link = app.letter_to(ADA).await.find_link("/account/not-me/");
    assert!(link.is_some());
}

#[on_both]
async fn two_programs_that_change_different_fields_do_not_undo_each_other(world: World) {
    let app = world.app().await;
    let mut one = app.token("ada").await.bearing();
    let mut other = one.clone();
    one.get("/api/account/user").await;

    for round in 0..8 {
        let name = format!("Ada {round}");
        let gender = if round % 2 == 0 { "female" } else { "" };
        let (first, second) = futures::join!(
            one.patch("/api/account/user", json!({ "name": name })),
            other.patch("/api/account/user", json!({ "gender": gender })),
        );
        assert_eq!((first.status(), second.status()), (200, 200));
        let now = one.get("/api/account/user").await;
        assert_eq!((now.text("name"), now.text("gender")), (name.as_str(), gender));
    }
}

#[on_both]
async fn a_profile_is_changed_by_what_is_sent(world: World) {
    let app = world.app().await;
    let mut ada = app.token("ada").await.bearing();
    let whole = json!({ "name": " Ada ", "gender": "female", "date_of_birth": "1990-02-28" });
    let reply = ada.patch("/api/account/user", whole).await;
    assert_eq!((reply.text("name"), reply.text("date_of_birth")), ("Ada", "1990-02-28"));

    let body = json!({ "date_of_birth": null }).to_string().into_bytes();
    let reply = ada.send(Method::Put, "/api/account/user", Some((ContentType::JSON, body))).await;

    assert_eq!((reply.text("name"), reply.text("gender")), ("Ada", "female"));
    assert_eq!(reply.json["date_of_birth"], Value::Null);
    assert_eq!(ada.get("/api/account/user").await.json, reply.json);
}

#[on_both]
async fn changing_the_password_ends_all_other_sessions(world: World) {
    let app = world.app().await;
    let mut other = app.token("ada").await;
    let mut ada = {
        let mut it = app.program();
        it.asks_for_tokens(ADA, GOOD).await;
        it
    };
    ada = ada.bearing();
    let body = json!({ "old_password": GOOD, "new_password1": NEW, "new_password2": NEW });

    let reply = ada.post("/api/account/password/change", body).await;

    assert_eq!(reply.status(), 200, "{}", reply.json);
    assert_eq!(ada.get("/api/account/user").await.status(), 200);
    assert_eq!(other.renews().await.text("detail"), "Token is blacklisted");
    assert_eq!(tries(&app, "/api/token", ADA, GOOD).await.0, 401);
    assert_eq!(tries(&app, "/api/token", ADA, NEW).await.0, 200);
}

#[on_both]
async fn a_forgotten_password_is_replaced_by_letter(world: World) {
    let app = world.app().await;
    let mut other = app.token("ada").await;
    let ask = json!({ "email": ADA });
    app.program().post("/api/account/password/reset", ask).await;
    let token = key(&app, ADA, "/account/password/reset/").await;
    let weak = confirms(&app, &token, "12345678").await;
    assert!(weak.json["new_password2"].is_array(), "{}", weak.json);

    let reply = confirms(&app, &token, NEW).await;

    assert_eq!(reply.text("detail"), "Password has been reset with the new password.");
    assert!(reply.page.all("set-cookie").is_empty(), "it does not sign in");
    assert_eq!(confirms(&app, &token, NEW).await.json, json!({ "token": ["Invalid value"] }));
    assert_eq!(other.renews().await.status(), 401);
    assert_eq!(tries(&app, "/api/token", ADA, NEW).await.0, 200);
}

#[on_both]
async fn nobody_learns_which_addresses_have_accounts(world: World) {
    let app = world.app().await;
    app.session_of("ada").await;
    for path in ["/api/account/password/reset", "/api/account/join/resend-email"] {
        let mut costs = Vec::new();
        for email in [ADA, BOB] {
            let before = app.ctx.db.queries();
            let reply = app.program().post(path, json!({ "email": email })).await;
            costs.push((told(&reply), app.ctx.db.queries() - before));
        }
        assert_eq!(costs[0], costs[1], "{path}");
    }
}

#[on_both]
async fn the_link_that_proves_an_address_is_sent_again_as_often_as_it_may(world: World) {
    let app = world.app().await;
    app.session_of("ada").await;
    let first = key(&app, ADA, "/account/email/verify/").await;
    let again = json!({ "email": "ADA@example.com" });
    let resend = "/api/account/join/resend-email";

    for _ in 0..3 {
        app.program().post(resend, again.clone()).await;
    }
    app.program().post(resend, json!({ "email": BOB })).await;

    assert_eq!(app.letters().await.len(), 2, "once a minute, and not to nobody");
    let second = key(&app, ADA, "/account/email/verify/").await;
    assert_ne!(first, second);
    assert_eq!(verifies(&app, &second).await.status(), 200);
    world.clock.advance(Duration::from_mins(2));
    app.program().post(resend, again).await;
    assert_eq!(app.letters().await.len(), 2, "there is nothing to prove any more");
    assert_eq!(app.number("SELECT COUNT(*) FROM outbox WHERE sealed <> ''").await, 0);
}

#[on_both]
async fn whoever_is_signed_in_proves_an_address_and_stays_so_everywhere(world: World) {
    let app = world.app().await;
    app.session_of("ada").await;
    let key = key(&app, ADA, "/account/email/verify/").await;
    let (mut ada, mut other) = (app.program(), app.program());
    ada.asks_for_tokens(ADA, GOOD).await;
    other.asks_for_tokens(ADA, GOOD).await;

    let reply =
        ada.clone().bearing().post("/api/account/join/verify-email", json!({ "key": key })).await;

    assert_eq!(reply.status(), 200);
    assert_eq!((ada.renews().await.status(), other.renews().await.status()), (200, 200));
    assert_eq!(ada.bearing().get("/api/account/user").await.json["email_verified"], true);
}

#[on_both]
async fn an_expired_cookie_is_not_renewed_silently(world: World) {
    let app = world.app().await;
    let mut ada = Program::new(app.person("ada").await);
    world.clock.advance(Duration::from_mins(6));

    let reply = ada.get("/api/account/user").await;

    assert_eq!(reply.json["messages"][0]["message"], "Token is expired");
    assert_eq!(reply.cookies(), "", "neither renewed nor taken away");
    assert!(ada.browser.is_signed_in().await, "a page renews it");
    assert_eq!(ada.get("/api/account/user").await.status(), 200);
}

#[on_both]
async fn messages_are_in_the_readers_language_and_codes_are_not(world: World) {
    let app = world.app().await;
    let mut korean = app.program().with("Accept-Language", "ko-KR,ko;q=0.9");

    let reply = korean.get("/api/account/user").await;
    let form = korean.post("/api/account/join", json!({})).await;
    let wrong = korean.post("/api/token", login(ADA, "wrong")).await;

    assert_eq!(reply.text("detail"), "자격 인증 데이터가 제공되지 않았습니다.");
    assert_eq!(reply.code(), "not_authenticated");
    assert_eq!(form.json["email"][0], "이 필드는 필수 항목입니다.");
    assert_eq!(wrong.code(), "no_active_account");
    korean.post("/api/account/join", super::account::form(ADA)).await;
    let greeting = korean.get("/api/account/mypage").await;
    assert_eq!(greeting.text("detail"), "반갑습니다, ada@example.com님!");
}
