//! Sessions and their tokens: renewal, rotation, theft, and the end.

use std::time::Duration;

use daemun::testing::sessions;
use daemun::testing::sessions::{AuthState, EndReason, RefreshError, RequestCredentials};
use futures::future::join_all;

use crate::support::app::request_info;
use crate::support::{GOOD, TestEnv, on_both};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

#[on_both]
async fn an_expired_access_token_is_refreshed_silently(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let before = (ada.cookies["access"].clone(), ada.cookies["refresh"].clone());

    env.clock.advance(6 * MINUTE);
    let page = ada.get("/account/mypage").await;

    assert_eq!(page.h1(), "Welcome, ada@example.com!");
    assert_ne!(ada.cookies["access"], before.0);
    assert_ne!(ada.cookies["refresh"], before.1, "rotated");
    assert_eq!(app.query_number("SELECT COUNT(*) FROM sessions").await, 1, "the same session");
}

#[on_both]
async fn a_form_can_be_sent_after_the_access_token_expired(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let token = ada.token().await;

    env.clock.advance(60 * MINUTE);
    let answer = ada.post("/account/logout", &[("csrf", &token)]).await;

    assert_eq!(answer.location(), Some("/"), "the form's token belongs to the session");
}

#[on_both]
async fn a_refresh_is_kept_when_the_page_is_an_error(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    for (path, status) in [("/account/logout", 403), ("/nowhere", 404), ("/account/login", 413)] {
        let before = ada.cookies["refresh"].clone();
        env.clock.advance(6 * MINUTE);

        let long = if status == 413 { "x".repeat(99_999) } else { String::new() };
        let page = ada.post(path, &[("csrf", &long)]).await;

        assert_eq!(page.status(), status);
        if status != 413 {
            assert_ne!(ada.cookies["refresh"], before, "{path}");
        }
        env.clock.advance(MINUTE);
        assert!(ada.is_signed_in().await, "{path}: nobody is taken for a thief");
    }
}

#[on_both]
async fn a_valid_access_token_is_not_refreshed(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    let page = ada.get("/account/mypage").await;

    assert!(page.all("set-cookie").is_empty());
}

#[on_both]
async fn a_session_ends_on_its_day_despite_refreshes(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    for _ in 0..13 {
        env.clock.advance(DAY);
        assert!(ada.is_signed_in().await);
    }
    env.clock.advance(DAY);

    assert!(!ada.is_signed_in().await);
    assert!(ada.cookie("refresh").is_none(), "the cookies that will never work again are gone");
}

#[on_both]
async fn two_tabs_refreshing_at_once_get_the_same_token(env: TestEnv) {
    let app = env.app().await;
    let tokens = app.session_of("ada").await;
    let token = tokens.refresh.token.expose();
    env.clock.advance(MINUTE);

    let info = request_info();
    let renewals = (0..16).map(|_| sessions::refresh(&app.ctx, token, &info));
    let renewed: Vec<_> = join_all(renewals).await;

    let tokens: Vec<_> = renewed
        .iter()
        .map(|renewed| renewed.as_ref().expect("renewed").refresh.token.expose())
        .collect();
    assert!(tokens.iter().all(|other| other == &tokens[0]), "one successor for all");
    assert_ne!(tokens[0], token);
}

#[on_both]
async fn sixteen_threads_refreshing_at_once_get_the_same_token(env: TestEnv) {
    let app = env.app().await;
    let tokens = app.session_of("ada").await;
    env.clock.advance(MINUTE);
    let mut racers = Vec::new();
    for _ in 0..16 {
        let (ctx, token) = (app.ctx.clone(), tokens.refresh.token.clone());
        racers.push(rocket::tokio::spawn(async move {
            let renewed = sessions::refresh(&ctx, token.expose(), &request_info()).await;
            renewed.expect("renewed").refresh.token.expose().to_owned()
        }));
    }

    let tokens: Vec<_> =
        join_all(racers).await.into_iter().map(|it| it.expect("no panic")).collect();

    assert!(tokens.iter().all(|other| other == &tokens[0]), "one successor for all");
    let ended = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NOT NULL";
    assert_eq!(app.query_number(ended).await, 0, "nobody is logged out");
}

#[on_both]
async fn a_lost_response_can_be_repeated_within_ten_seconds(env: TestEnv) {
    let app = env.app().await;
    let tokens = app.session_of("ada").await;
    let first = sessions::refresh(&app.ctx, tokens.refresh.token.expose(), &request_info()).await;
    env.clock.advance(Duration::from_secs(9));

    let again = sessions::refresh(&app.ctx, tokens.refresh.token.expose(), &request_info()).await;

    let (first, again) = (first.expect("renewed"), again.expect("renewed again"));
    assert_eq!(first.refresh.token.expose(), again.refresh.token.expose());
}

#[on_both]
async fn a_replaced_token_used_later_ends_the_session(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut thief = app.visitor();
    thief.cookies.insert("refresh".into(), ada.cookies["refresh"].clone());
    env.clock.advance(6 * MINUTE);
    assert!(ada.is_signed_in().await && ada.is_signed_in().await, "renewed, and it arrived");
    app.wait_for_confirmed_rotations().await;
    env.clock.advance(Duration::from_secs(10));

    assert!(!thief.is_signed_in().await);

    assert!(!ada.is_signed_in().await, "the whole session is over, new tokens too");
    assert_eq!(
        app.query_number("SELECT COUNT(*) FROM audit_events WHERE action = 'token_reused'").await,
        1
    );
    assert_eq!(
        app.query_number("SELECT COUNT(*) FROM sessions WHERE ended_because = 'token_reused'")
            .await,
        1
    );
}

#[on_both]
async fn without_rotation_the_refresh_token_stays(env: TestEnv) {
    let app = env.app_with(&[("rotate_refresh_tokens", "false")]).await;
    let mut ada = app.user("ada").await;
    let before = ada.cookies["refresh"].clone();

    env.clock.advance(6 * MINUTE);
    assert!(ada.is_signed_in().await);
    assert_eq!(ada.cookies["refresh"], before);

    ada.logs_out().await;
    let renewed = sessions::refresh(&app.ctx, &before, &request_info()).await;
    assert!(matches!(renewed, Err(RefreshError::Session(_))));
}

#[on_both]
async fn a_suspended_user_cannot_refresh(env: TestEnv) {
    let app = env.app().await;
    let tokens = app.session_of("ada").await;
    app.deactivates("ada").await;

    let renewed = sessions::refresh(&app.ctx, tokens.refresh.token.expose(), &request_info()).await;

    assert!(matches!(renewed, Err(RefreshError::Session(_))), "{renewed:?}");
}

#[on_both]
async fn a_deleted_user_cannot_refresh(env: TestEnv) {
    let app = env.app().await;
    let tokens = app.session_of("ada").await;
    app.deletes_user("ada").await;

    let renewed = sessions::refresh(&app.ctx, tokens.refresh.token.expose(), &request_info()).await;

    assert!(matches!(renewed, Err(RefreshError::Session(_))), "{renewed:?}");
    assert_eq!(app.query_number("SELECT COUNT(*) FROM sessions").await, 0);
}

#[on_both]
async fn another_node_sees_a_logout_at_once(env: TestEnv) {
    let settings = [("session_cache", "0s")];
    let (here, there) = (env.app_with(&settings).await, env.app_with(&settings).await);
    let mut ada = here.user("ada").await;
    let mut elsewhere = ada.clone().on(&there);
    assert!(elsewhere.is_signed_in().await);

    ada.logs_out().await;

    assert!(!elsewhere.is_signed_in().await);
}

#[on_both]
async fn with_a_cache_another_node_sees_it_within_its_limit(env: TestEnv) {
    let (here, there) = (env.app().await, env.app().await);
    let mut ada = here.user("ada").await;
    let mut elsewhere = ada.clone().on(&there);
    assert!(elsewhere.is_signed_in().await);

    ada.logs_out().await;

    assert!(!ada.is_signed_in().await, "this node knows at once");
    env.clock.advance(Duration::from_secs(2));
    assert!(!elsewhere.is_signed_in().await, "and the other within two seconds");
}

#[on_both]
async fn ending_all_sessions_of_a_user_spares_others(env: TestEnv) {
    let app = env.app().await;
    let (mut ada, mut eve) = (app.user("ada").await, app.user("eve").await);
    let mut phone = app.visitor();
    phone.logs_in("ada@example.com", GOOD).await;

    let transaction = app.ctx.db.begin().await.expect("a transaction");
    let user = daemun::testing::types::UserId(1);
    let why = EndReason::PasswordChanged;
    let over =
        sessions::end_all(&transaction, user, None, why, app.ctx.clock.now()).await.expect("ended");
    transaction.commit().await.expect("committed");

    assert_eq!(over.len(), 2);
    assert!(!ada.is_signed_in().await && !phone.is_signed_in().await);
    assert!(eve.is_signed_in().await);
}

#[on_both]
async fn garbage_in_cookies_is_ignored_and_kept(env: TestEnv) {
    let app = env.app().await;
    for rubbish in ["x", "a.b.c", "..", "null", &"x".repeat(4000)] {
        let mut visitor = app.visitor();
        visitor.cookies.insert("access".into(), rubbish.into());
        visitor.cookies.insert("refresh".into(), rubbish.into());

        assert_eq!(visitor.get("/").await.status(), 200);
        assert_eq!(visitor.cookie("access"), Some(rubbish), "it may be another site's");
        assert_eq!(visitor.cookie("refresh"), Some(rubbish));
    }
}

#[on_both]
async fn invalid_cookies_never_block_a_login(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let mut ada = app.visitor();
    ada.cookies.insert("access".into(), "rubbish".into());

    assert_eq!(ada.logs_in("ada@example.com", GOOD).await.status(), 303);
}

#[on_both]
async fn no_other_signed_value_is_an_access_token(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    app.visitor().logs_in("ada@example.com", GOOD).await;
    let mut device = app.visitor();
    device.logs_in("ada@example.com", GOOD).await;
    let form_token = ada.token().await;
    let device = device.cookies["device"].clone();

    for token in [form_token, device] {
        for name in ["access", "refresh"] {
            let mut eve = app.visitor();
            eve.cookies.insert(name.into(), token.clone());
            assert!(!eve.is_signed_in().await, "{name}");
        }
    }
}

#[on_both]
async fn the_public_keys_verify_tokens_and_hold_no_secret(env: TestEnv) {
    for algorithm in ["ES256", "EdDSA"] {
        let app = env.app_with(&[("signing_algorithm", algorithm)]).await;

        let page = app.visitor().get("/.well-known/jwks.json").await;

        let set: jsonwebtoken::jwk::JwkSet =
            serde_json::from_slice(page.bytes()).expect("a key set");
        assert!(!page.text().contains("\"d\""));
        let name = if algorithm == "ES256" { "ada" } else { "eve" };
        let tokens = app.session_of(name).await;
        let token = tokens.access.token.expose();
        let header = jsonwebtoken::decode_header(token).expect("a header");
        let jwk = set.find(&header.kid.expect("a key id")).expect("the key is published");
        let key = jsonwebtoken::DecodingKey::from_jwk(jwk).expect("a key");
        let mut validation = jsonwebtoken::Validation::new(header.alg);
        validation.validate_exp = false;
        validation.set_audience(&["daemun"]);
        let claims = jsonwebtoken::decode::<serde_json::Value>(token, &key, &validation);
        let claims = claims.expect("verifies").claims;
        assert_eq!(claims["iss"], "http://localhost:8000");
        assert_eq!(claims["user_id"], claims["sub"]);
        let mut names: Vec<_> = claims.as_object().expect("claims").keys().cloned().collect();
        names.sort();
        let all = ["aud", "exp", "iat", "iss", "jti", "sid", "sub", "token_type", "user_id"];
        assert_eq!(names, all, "nothing personal");
    }
}

#[on_both]
async fn tokens_of_another_secret_or_issuer_are_refused(env: TestEnv) {
    let app = env.app().await;
    let tokens = app.session_of("ada").await;
    let elsewhere = env.app_with(&[("issuer", "https://elsewhere.example")]).await;
    let token = tokens.access.token.expose();

    let presented = RequestCredentials { bearer: Some(token), ..RequestCredentials::default() };
    let standing = sessions::authenticate_request(&elsewhere.ctx, presented, &request_info())
        .await
        .expect("answers");

    assert!(matches!(standing, AuthState::Anonymous { .. }));
    let renewed =
        sessions::refresh(&elsewhere.ctx, tokens.refresh.token.expose(), &request_info()).await;
    assert!(matches!(renewed, Err(RefreshError::Token(_))));
}

#[on_both]
async fn a_change_of_algorithm_logs_out_no_one(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;

    let changed = env.app_with(&[("signing_algorithm", "EdDSA")]).await;

    assert!(ada.on(&changed).is_signed_in().await, "the old key still verifies");
    let page = changed.visitor().get("/.well-known/jwks.json").await;
    let set: serde_json::Value = serde_json::from_slice(page.bytes()).expect("JSON");
    assert_eq!(set["keys"].as_array().expect("keys").len(), 2);
}

#[on_both]
async fn another_secret_key_prevents_the_start(env: TestEnv) {
    env.app().await;
    let secret = "f".repeat(64);
    let figment = env.figment(&[("secret_key", &secret)]);
    let settings = daemun::testing::config::Settings::from_figment(&figment).expect("settings");

    let tokens = daemun::testing::app::open(settings, env.clock.clone()).await;

    assert!(tokens.expect_err("refused").to_string().contains("another secret_key"));
}

#[on_both]
async fn expired_sessions_are_swept(env: TestEnv) {
    let app = env.app().await;
    app.session_of("ada").await;
    env.clock.advance(43 * DAY);
    assert!(!daemun::testing::flows::system::cleanup::sweep(&app.ctx).await.expect("swept"));
    assert_eq!(
        app.query_number("SELECT COUNT(*) FROM sessions").await,
        1,
        "its owner may still see it"
    );

    env.clock.advance(2 * DAY);
    daemun::testing::flows::system::cleanup::sweep(&app.ctx).await.expect("swept");

    assert_eq!(app.query_number("SELECT COUNT(*) FROM sessions").await, 0);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM throttle").await, 0);
    assert_eq!(
        app.query_number("SELECT COUNT(*) FROM audit_events").await,
        2,
        "the audit log stays"
    );
}
