//! Which sessions end when an address is verified, so that no one else stays in the account.

use serde_json::json;

use crate::account::email_verification::{ADA, AGAIN, NOT_ME, VERIFY, another, is_verified, link};
use crate::support::{App, GOOD, NEW, TestEnv, on_both};

/// Sessions that a verification has ended.
const ENDED: &str = "SELECT COUNT(*) FROM sessions WHERE ended_because = 'email_verified'";

#[on_both]
async fn verification_by_the_owner_ends_other_sessions(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.visitor();
    eve.signs_up(ADA, GOOD).await;
    let link = link(&app).await;

    let answer = app.visitor().submits(&link, &[]).await;

    assert_eq!(answer.location(), Some("/account/login"));
    assert!(!eve.is_signed_in().await);
}

#[on_both]
async fn a_signed_in_user_stays_signed_in_everywhere(env: TestEnv) {
    let app = env.app().await;
    let mut here = app.user("ada").await;
    let (mut phone, mut desk) = (another(&app).await, another(&app).await);
    app.emails().await;
    let emails = app.emails_to(ADA).await;

    let answer = here.follows_link(&emails[0].link(VERIFY)).await;

    assert_eq!(answer.location(), Some("/account/mypage"));
    assert!(here.is_signed_in().await);
    assert!(phone.is_signed_in().await && desk.is_signed_in().await, "all know the password");
    assert_eq!(app.query_number(ENDED).await, 0);
}

#[on_both]
async fn the_password_keeps_the_other_devices_signed_in(env: TestEnv) {
    let app = env.app().await;
    let mut computer = app.user("ada").await;
    let mut phone = app.visitor();
    let link = link(&app).await;
    phone.get(&link).await;

    let page = phone.get("/account/link").await;
    let answer = phone.submits("/account/link", &[("password", GOOD)]).await;

    assert_eq!(page.attribute("#password", "type").as_deref(), Some("password"));
    assert_eq!(page.attribute("#password", "required"), None);
    assert!(page.texts("#password-hint")[0].contains("your other devices stay logged in"));
    assert_eq!(answer.location(), Some("/account/login"), "a link opens no session");
    assert_eq!(phone.get("/account/login").await.texts(".flash"), ["Your email is verified."]);
    assert!(is_verified(&app).await && computer.is_signed_in().await);
    assert_eq!(app.query_number(ENDED).await, 0);
}

#[on_both]
async fn without_the_password_other_devices_are_logged_out(env: TestEnv) {
    let app = env.app().await;
    let mut computer = app.user("ada").await;
    let mut phone = app.visitor();
    phone.get(&link(&app).await).await;

    let answer = phone.submits("/account/link", &[("password", "")]).await;

    assert_eq!(answer.location(), Some("/account/login"));
    let notice = phone.get("/account/login").await.texts(".flash");
    assert!(notice[0].contains("because we couldn't tell whether you were the one"), "{notice:?}");
    assert!(is_verified(&app).await && !computer.is_signed_in().await);
    assert_eq!(app.query_number(ENDED).await, 1);
}

#[on_both]
async fn a_wrong_password_verifies_nothing(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.visitor();
    eve.signs_up(ADA, GOOD).await;
    let mut ada = app.visitor();
    let link = link(&app).await;
    ada.get(&link).await;

    let page = ada.submits("/account/link", &[("password", NEW)]).await;

    assert_eq!((page.status(), page.h1().as_str()), (422, "Verify your email"));
    assert_eq!(page.attribute("#password", "aria-invalid").as_deref(), Some("true"));
    assert!(!is_verified(&app).await && eve.is_signed_in().await);
    let page = app.visitor().submits(&link, &[("password", NEW)]).await;
    assert_eq!(page.status(), 422, "also when it is sent to the link itself");
    assert_eq!(ada.submits("/account/link", &[]).await.status(), 303);
    assert!(is_verified(&app).await && !eve.is_signed_in().await);
}

#[on_both]
async fn the_link_cannot_be_used_to_guess_passwords(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let link = link(&app).await;
    let mut statuses = Vec::new();
    for _ in 0..15 {
        statuses.push(app.visitor().submits(&link, &[("password", NEW)]).await.status());
    }

    assert_eq!((&statuses[..10], statuses[14]), ([422; 10].as_slice(), 429), "{statuses:?}");
    assert_eq!(app.visitor().logs_in(ADA, GOOD).await.status(), 429, "counted together");
    assert_eq!(app.visitor().submits(&link, &[]).await.status(), 303, "the link itself works");
}

#[on_both]
async fn without_other_sessions_no_password_is_asked(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.get(&link(&app).await).await;
    let asks = |page: &crate::support::Page| page.attribute("#password", "type").is_some();

    assert!(!asks(&ada.get("/account/link").await), "the reader is signed in");
    let mut phone = app.visitor();
    phone.get(&link(&app).await).await;
    assert!(asks(&phone.get("/account/link").await));
    app.removes_password("ada").await;
    let page = phone.get("/account/link").await;
    assert!(!asks(&page), "who came by a provider has none");
    assert!(page.text().contains("open the link on the device you signed up with"));
    ada.logs_out().await;
    assert!(!asks(&phone.get("/account/link").await), "nobody is signed in");
}

#[on_both]
async fn an_api_client_keeps_its_sessions_too(env: TestEnv) {
    let app = env.app().await;
    let mut computer = app.user("ada").await;
    let key = link(&app).await.rsplit('/').next().expect("a token").to_owned();
    let path = "/api/account/join/verify-email";
    let body = |password: &str| json!({ "key": key, "password": password });

    let wrong = app.api_client().post(path, body(NEW)).await;
    assert_eq!(wrong.status(), 400);
    assert!(wrong.json["password"].is_array() && !is_verified(&app).await);
    assert_eq!(app.api_client().post(path, body(GOOD)).await.status(), 200);

    assert!(is_verified(&app).await && computer.is_signed_in().await);
    let mut computer = app.user("bob").await;
    let email = app.last_email_to("bob@example.com").await;
    let key = email.link(VERIFY).rsplit('/').next().expect("a token").to_owned();
    assert_eq!(app.api_client().post(path, json!({ "key": key })).await.status(), 200);
    assert!(!computer.is_signed_in().await);
}

#[on_both]
async fn another_users_browser_stays_signed_in(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut eve = app.user("eve").await;

    let answer = eve.follows_link(&link(&app).await).await;

    assert_eq!(answer.location(), Some("/account/mypage"));
    let page = eve.get("/account/mypage").await;
    assert_eq!(page.h1(), "Welcome, eve@example.com!");
    assert_eq!(page.texts(".banner").len(), 1, "eve has proved nothing about her own");
    assert!(!ada.is_signed_in().await);
}

#[on_both]
async fn reporting_the_sign_up_ends_the_strangers_session(env: TestEnv) {
    let app = env.app().await;
    let mut eve = app.user("ada").await;
    eve.submits(AGAIN, &[]).await;
    let mut ada = app.visitor();

    let answer = ada.follows_link(&link_of_stranger(&app).await).await;

    assert_eq!(answer.location(), Some("/account/login"));
    assert!(!eve.is_signed_in().await);
    assert_eq!(app.visitor().logs_in(ADA, GOOD).await.status(), 422);
    assert!(app.last_email_to(ADA).await.find_link("/account/password/reset/").is_some());
    assert!(!is_verified(&app).await);
}

async fn link_of_stranger(app: &App) -> String {
    app.last_email_to(ADA).await.link(NOT_ME)
}
