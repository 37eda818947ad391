//! One's own account by JSON: joining, logging in and out, the profile, passwords and e-mails.

use std::time::Duration;

use rocket::http::{ContentType, Method};
use serde_json::{Value, json};

use crate::support::hashing_queue::FullHashingQueue;
use crate::support::{ApiClient, ApiReply, App, GOOD, NEW, TestEnv, on_both};

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
fn visible_parts(reply: &ApiReply) -> (u16, Value, Vec<(String, String)>) {
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
    visible_parts(&app.api_client().post(path, login(email, password)).await)
}

/// The last part of a link of the last e-mail.
async fn key(app: &App, email: &str, start: &str) -> String {
    app.last_email_to(email).await.link(start).trim_start_matches(start).to_owned()
}

async fn verifies(app: &App, key: &str) -> ApiReply {
    app.api_client().post("/api/account/join/verify-email", json!({ "key": key })).await
}

async fn confirms(app: &App, token: &str, password: &str) -> ApiReply {
    let body = json!({ "token": token, "new_password1": password, "new_password2": password });
    app.api_client().post("/api/account/password/reset/confirm", body).await
}

#[on_both]
async fn signing_up_in_a_browser_signs_in_to_the_pages(env: TestEnv) {
    let app = env.app().await;
    let mut program = app.api_client();

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
async fn https_cookies_are_bound_to_the_host(env: TestEnv) {
    let app = env.app_with(&[("public_url", "https://gate.example")]).await;
    let mut program = app.api_client();
    program.post("/api/account/join", form(ADA)).await;
    assert!(program.browser.cookie("__Host-access").is_some());
    env.clock.advance(Duration::from_mins(6));

    let renewed = program.post("/api/account/token/refresh", json!({})).await;
    assert_eq!(renewed.status(), 200);
    assert_eq!(program.get("/api/account/user").await.status(), 200);
    program.post("/api/account/logout", json!({})).await;

    let left: Vec<_> = program.browser.cookies.keys().map(String::as_str).collect();
    assert_eq!(left, ["__Host-device"], "a browser that insists on the prefix lets them go");
}

#[on_both]
async fn signing_up_grants_nothing_extra(env: TestEnv) {
    let app = env.app().await;
    let mut body = form(ADA);
    for field in ["is_staff", "is_superuser", "email_verified", "is_active"] {
        body[field] = json!(true);
    }
    body["id"] = json!(7_000_000);
    body["password_hash"] = json!("x");
    body["user"] = json!({ "is_staff": true });
    let mut program = app.api_client();

    let joined = program.post("/api/account/join", body.clone()).await;
    let changed = program.patch("/api/account/user", body).await;

    assert_eq!((joined.status(), changed.status()), (201, 200));
    let more = "SELECT COUNT(*) FROM users WHERE is_staff OR is_superuser \
        OR email_verified_at IS NOT NULL OR id = 7000000 OR password_hash = 'x'";
    assert_eq!(app.query_number(more).await, 0);
}

#[on_both]
async fn a_closed_site_accepts_no_sign_up(env: TestEnv) {
    let app = env.app_with(&[("signup", "closed")]).await;

    let reply = app.api_client().post("/api/account/join", form(ADA)).await;

    assert_eq!((reply.status(), reply.code()), (403, "signup_closed"));
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 0);
}

#[on_both]
async fn of_eight_sign_ups_with_one_address_one_wins(env: TestEnv) {
    let app = env.app().await;

    let racers = (0..8)
        .map(|_| async { app.api_client().post("/api/account/join", form(ADA)).await.status() });
    let mut statuses = futures::future::join_all(racers).await;

    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400, 400, 400, 400, 400, 400, 400]);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM users").await, 1);
}

#[on_both]
async fn in_mandatory_mode_signing_up_gives_no_tokens(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;

    let first = app.api_client().post("/api/account/join", form(ADA)).await;
    let again = app.api_client().post("/api/account/join", form(ADA)).await;

    assert_eq!((first.status(), first.text("detail")), (201, "Verification e-mail sent."));
    assert_eq!(
        visible_parts(&first),
        visible_parts(&again),
        "nobody learns that the address is taken"
    );
    assert!(first.page.all("set-cookie").is_empty());
    assert_eq!(app.active_session_count().await, 0);
}

#[on_both]
async fn an_unverified_address_looks_like_a_wrong_password(env: TestEnv) {
    let app = env.app_with(MANDATORY).await;
    app.api_client().post("/api/account/join", form(ADA)).await;

    for path in ["/api/account/login", "/api/token"] {
        let unverified = tries(&app, path, ADA, GOOD).await;
        assert_eq!(unverified, tries(&app, path, ADA, "wrong").await);
        assert_eq!(unverified, tries(&app, path, BOB, GOOD).await);
        assert!(unverified.1.to_string().contains("open the link in our email"), "{path}");
    }
    let key = key(&app, ADA, "/account/email/verify/").await;
    assert_eq!(verifies(&app, &key).await.json, json!({ "detail": "ok" }));
    assert_eq!(app.api_client().post("/api/account/login", login(ADA, GOOD)).await.status(), 200);
    assert_eq!(verifies(&app, &key).await.status(), 404, "a key works once");
}

#[on_both]
async fn unknown_wrong_and_suspended_look_the_same(env: TestEnv) {
    let app = env.app().await;
    for name in ["ada", "eve", "sam"] {
        app.session_of(name).await;
    }
    app.deactivates("eve").await;
    app.removes_password("sam").await;

    for path in ["/api/account/login", "/api/token"] {
        let unknown = tries(&app, path, BOB, GOOD).await;
        assert_eq!(tries(&app, path, ADA, "wrong").await, unknown);
        assert_eq!(tries(&app, path, "eve@example.com", GOOD).await, unknown, "suspended");
        assert_eq!(tries(&app, path, "sam@example.com", GOOD).await, unknown, "no password");
    }
}

#[on_both]
async fn pages_and_api_share_the_failure_counts(env: TestEnv) {
    let app = env.app().await;
    app.session_of("ada").await;
    for _ in 0..6 {
        tries(&app, "/api/account/login", ADA, "wrong").await;
    }
    for _ in 0..5 {
        app.visitor().logs_in(ADA, "wrong").await;
    }

    for path in ["/api/token", "/api/account/login"] {
        let reply = app.api_client().post(path, login(ADA, GOOD)).await;
        assert_eq!((reply.status(), reply.code()), (429, "throttled"));
        assert_eq!(reply.page.header("retry-after"), Some("30"));
        let detail = "Request was throttled. Expected available in 30 seconds.";
        assert_eq!(reply.text("detail"), detail);
        assert_eq!(tries(&app, path, ADA, "wrong").await.0, 429);
    }
    let korean = app.api_client().with("Accept-Language", "ko");
    let reply = korean.clone().post("/api/token", login(ADA, GOOD)).await;
    assert_eq!(reply.text("detail"), "시도가 너무 많습니다. 30초 뒤에 다시 시도해 주세요.");
}

#[on_both]
async fn a_full_queue_is_503_with_retry_after(env: TestEnv) {
    let app = env.app().await;
    let full_queue = FullHashingQueue::on(&app).await;

    let reply = app.api_client().post("/api/token", login(ADA, GOOD)).await;

    assert_eq!((reply.status(), reply.code()), (503, "service_unavailable"));
    assert_eq!(reply.page.header("retry-after"), Some("5"));
    full_queue.release().await;
}

#[on_both]
async fn without_the_database_clients_get_503_without_details(env: TestEnv) {
    let app = env.app().await;
    let mut program = app.api_user("ada").await;
    app.execute("DROP TABLE audit_events").await;

    let reply = program.post("/api/account/join", form(BOB)).await;

    assert_eq!((reply.status(), reply.code()), (500, "error"));
    assert_eq!(reply.text("detail"), "A server error occurred.");
    assert!(reply.page.header("x-request-id").is_some());
}

#[on_both]
async fn a_new_session_replaces_the_old_one(env: TestEnv) {
    let app = env.app().await;
    app.session_of("ada").await;
    let mut program = app.api_client();
    program.post("/api/account/login", login(ADA, GOOD)).await;
    let mut before = program.clone();
    env.clock.advance(Duration::from_mins(6));

    program.post("/api/account/login", login(ADA, GOOD)).await;

    assert_eq!(program.get("/api/account/user").await.status(), 200);
    let reply = before.post("/api/account/token/refresh", json!({})).await;
    assert_eq!(reply.text("detail"), "Token is blacklisted");
    let replaced = "SELECT COUNT(*) FROM sessions WHERE ended_because = 'replaced'";
    assert_eq!(app.query_number(replaced).await, 1);
}

#[on_both]
async fn a_session_of_the_same_user_lives_on_if_the_site_says_so(env: TestEnv) {
    let app = env.app_with(&[("end_previous_session", "false")]).await;
    app.session_of("ada").await;
    app.session_of("bob").await;
    let mut program = app.api_client();
    program.post("/api/account/login", login(ADA, GOOD)).await;
    let mut before = program.clone();

    program.post("/api/account/login", login(ADA, GOOD)).await;

    assert_eq!(before.get("/api/account/user").await.status(), 200);
    assert_eq!(program.get("/api/account/user").await.status(), 200);
    let replaced = "SELECT COUNT(*) FROM sessions WHERE ended_because = 'replaced'";
    assert_eq!(app.query_number(replaced).await, 0);
    let reply = program.clone().post("/api/account/login", login("bob@example.com", GOOD)).await;
    assert_eq!(reply.status(), 200);
    assert_eq!(program.get("/api/account/user").await.status(), 401, "of another user");
    assert_eq!(app.query_number(replaced).await, 1);
    assert_eq!(before.get("/api/account/user").await.status(), 200);
}

#[on_both]
async fn the_refresh_token_is_in_the_body_if_the_site_says_so(env: TestEnv) {
    let app = env.app_with(&[("refresh_cookie_in_body", "true")]).await;
    let mut ada = app.api_client();

    let joined = ada.post("/api/account/join", form(ADA)).await;
    let in_cookie = ada.browser.cookies["refresh"].clone();
    let logged_in = app.api_client().post("/api/account/login", login(ADA, GOOD)).await;

    assert_eq!((joined.status(), joined.text("refresh")), (201, in_cookie.as_str()));
    assert_eq!(joined.cookies(), "access device refresh -visitor");
    let sent = json!({ "refresh": logged_in.text("refresh") });
    let mut refreshed = app.api_client();
    let next = refreshed.post("/api/account/token/refresh", sent).await;
    let mut names: Vec<_> = next.json.as_object().expect("an object").keys().collect();
    names.sort();
    assert_eq!(names, ["access", "access_expiration", "refresh", "refresh_expiration"]);
    assert_eq!(next.text("refresh"), refreshed.browser.cookies["refresh"]);
    let fortnight = time::OffsetDateTime::parse(
        next.text("refresh_expiration"),
        &time::format_description::well_known::Rfc3339,
    )
    .expect("an instant")
        - app.ctx.clock.now();
    assert!((13..=14).contains(&fortnight.whole_days()), "{fortnight}");
}

#[on_both]
async fn requesting_tokens_keeps_the_browser_session(env: TestEnv) {
    let app = env.app().await;
    app.session_of("ada").await;
    let mut program = app.api_client();
    program.post("/api/account/login", login(ADA, GOOD)).await;

    assert_eq!(program.post("/api/token", login(ADA, GOOD)).await.cookies(), "");

    assert_eq!(program.get("/api/account/user").await.status(), 200);
}

#[on_both]
async fn logging_out_ends_every_presented_session(env: TestEnv) {
    let app = env.app().await;
    let phone = app.api_user("ada").await;
    let mut browser = app.api_client();
    browser.post("/api/account/login", login(ADA, GOOD)).await;
    let laptop = {
        let mut it = app.api_client();
        it.requests_tokens(ADA, GOOD).await;
        it
    };
    let header = format!("Bearer {}", phone.access);

    let body = json!({ "refresh": laptop.refresh });
    let reply =
        browser.clone().with("Authorization", &header).post("/api/account/logout", body).await;

    assert_eq!(reply.cookies(), "-access -refresh");
    assert_eq!(phone.with_bearer().get("/api/account/user").await.status(), 401);
    assert_eq!(laptop.with_bearer().get("/api/account/user").await.status(), 401);
    assert_eq!(browser.get("/api/account/user").await.status(), 401);
    assert_eq!(app.audit_event_count("logout").await, 3);
}

#[on_both]
async fn logging_out_without_a_session_writes_nothing(env: TestEnv) {
    let app = env.app().await;
    let before = app.row_counts().await;

    for _ in 0..3 {
        let reply = app.api_client().post("/api/account/logout", json!({})).await;
        assert_eq!(reply.status(), 200);
    }

    assert_eq!(app.row_counts().await, before);
}

#[on_both]
async fn logging_in_cancels_a_deletion(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.submits("/account/delete", &[("password", GOOD)]).await;

    assert_eq!(app.api_client().post("/api/token", login(ADA, GOOD)).await.status(), 200);

    assert_eq!(app.audit_event_count("deletion_cancelled").await, 1);
}

#[on_both]
async fn a_login_on_a_new_device_is_reported_by_email(env: TestEnv) {
    let app = env.app().await;
    app.session_of("ada").await;
    let mut program = app.api_client();

    program.post("/api/account/login", login(ADA, GOOD)).await;
    let emails = app.emails().await.len();
    program.post("/api/account/login", login(ADA, GOOD)).await;

    assert_eq!(app.emails().await.len(), emails, "a known device is no news");
    let link = app.last_email_to(ADA).await.find_link("/account/not-me/");
    assert!(link.is_some());
}

#[on_both]
async fn two_clients_changing_different_fields_both_succeed(env: TestEnv) {
    let app = env.app().await;
    let mut one = app.api_user("ada").await.with_bearer();
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
async fn a_profile_is_changed_by_what_is_sent(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.api_user("ada").await.with_bearer();
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
async fn changing_the_password_ends_all_other_sessions(env: TestEnv) {
    let app = env.app().await;
    let mut other = app.api_user("ada").await;
    let mut ada = {
        let mut it = app.api_client();
        it.requests_tokens(ADA, GOOD).await;
        it
    };
    ada = ada.with_bearer();
    let body = json!({ "old_password": GOOD, "new_password1": NEW, "new_password2": NEW });

    let reply = ada.post("/api/account/password/change", body).await;

    assert_eq!(reply.status(), 200, "{}", reply.json);
    assert_eq!(ada.get("/api/account/user").await.status(), 200);
    assert_eq!(other.refreshes_tokens().await.text("detail"), "Token is blacklisted");
    assert_eq!(tries(&app, "/api/token", ADA, GOOD).await.0, 401);
    assert_eq!(tries(&app, "/api/token", ADA, NEW).await.0, 200);
}

#[on_both]
async fn a_forgotten_password_is_reset_by_email(env: TestEnv) {
    let app = env.app().await;
    let mut other = app.api_user("ada").await;
    let ask = json!({ "email": ADA });
    app.api_client().post("/api/account/password/reset", ask).await;
    let token = key(&app, ADA, "/account/password/reset/").await;
    let weak = confirms(&app, &token, "12345678").await;
    assert!(weak.json["new_password2"].is_array(), "{}", weak.json);

    let reply = confirms(&app, &token, NEW).await;

    assert_eq!(reply.text("detail"), "Password has been reset with the new password.");
    assert!(reply.page.all("set-cookie").is_empty(), "it does not sign in");
    assert_eq!(confirms(&app, &token, NEW).await.json, json!({ "token": ["Invalid value"] }));
    assert_eq!(other.refreshes_tokens().await.status(), 401);
    assert_eq!(tries(&app, "/api/token", ADA, NEW).await.0, 200);
}

#[on_both]
async fn the_api_does_not_reveal_accounts(env: TestEnv) {
    let app = env.app().await;
    app.session_of("ada").await;
    for path in ["/api/account/password/reset", "/api/account/join/resend-email"] {
        let mut costs = Vec::new();
        for email in [ADA, BOB] {
            let before = app.ctx.db.queries();
            let reply = app.api_client().post(path, json!({ "email": email })).await;
            costs.push((visible_parts(&reply), app.ctx.db.queries() - before));
        }
        assert_eq!(costs[0], costs[1], "{path}");
    }
}

#[on_both]
async fn the_verification_link_is_resent_within_limits(env: TestEnv) {
    let app = env.app().await;
    app.session_of("ada").await;
    let first = key(&app, ADA, "/account/email/verify/").await;
    let again = json!({ "email": "ADA@example.com" });
    let resend = "/api/account/join/resend-email";

    for _ in 0..3 {
        app.api_client().post(resend, again.clone()).await;
    }
    app.api_client().post(resend, json!({ "email": BOB })).await;

    assert_eq!(app.emails().await.len(), 2, "once a minute, and not to nobody");
    let second = key(&app, ADA, "/account/email/verify/").await;
    assert_ne!(first, second);
    assert_eq!(verifies(&app, &second).await.status(), 200);
    env.clock.advance(Duration::from_mins(2));
    app.api_client().post(resend, again).await;
    assert_eq!(app.emails().await.len(), 2, "there is nothing to prove any more");
    assert_eq!(app.query_number("SELECT COUNT(*) FROM outbox WHERE sealed <> ''").await, 0);
}

#[on_both]
async fn verifying_while_signed_in_keeps_all_sessions(env: TestEnv) {
    let app = env.app().await;
    app.session_of("ada").await;
    let key = key(&app, ADA, "/account/email/verify/").await;
    let (mut ada, mut other) = (app.api_client(), app.api_client());
    ada.requests_tokens(ADA, GOOD).await;
    other.requests_tokens(ADA, GOOD).await;

    let reply = ada
        .clone()
        .with_bearer()
        .post("/api/account/join/verify-email", json!({ "key": key }))
        .await;

    assert_eq!(reply.status(), 200);
    assert_eq!(
        (ada.refreshes_tokens().await.status(), other.refreshes_tokens().await.status()),
        (200, 200)
    );
    assert_eq!(ada.with_bearer().get("/api/account/user").await.json["email_verified"], true);
}

#[on_both]
async fn an_expired_cookie_is_not_refreshed_silently(env: TestEnv) {
    let app = env.app().await;
    let mut ada = ApiClient::new(app.user("ada").await);
    env.clock.advance(Duration::from_mins(6));

    let reply = ada.get("/api/account/user").await;

    assert_eq!(reply.json["messages"][0]["message"], "Token is expired");
    assert_eq!(reply.cookies(), "", "neither renewed nor taken away");
    assert!(ada.browser.is_signed_in().await, "a page renews it");
    assert_eq!(ada.get("/api/account/user").await.status(), 200);
}

#[on_both]
async fn messages_are_translated_and_codes_are_not(env: TestEnv) {
    let app = env.app().await;
    let mut korean = app.api_client().with("Accept-Language", "ko-KR,ko;q=0.9");

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
