//! Tokens for programs: getting them, renewing them, asking about them, giving them up.

use std::time::Duration;

use daemun::testing::sessions;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::app::request_info;
use crate::support::exchange::forged;
use crate::support::{App, GOOD, TestEnv, on_both};

const MINUTE: Duration = Duration::from_mins(1);

/// The claims of a token, unverified.
fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let body = token.split('.').nth(1).expect("three parts");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(body).expect("base64url");
    serde_json::from_slice(&bytes).expect("claims")
}

/// What a token is answered at each place that takes one: as a credential, to renew, to be checked
/// and to be given up.
async fn taken(app: &App, token: &str) -> [u16; 5] {
    let refresh = json!({ "refresh": token });
    let bearer = format!("Bearer {token}");
    [
        app.api_client().with("Authorization", &bearer).get("/api/account/user").await.status(),
        app.api_client().post("/api/token/verify", json!({ "token": token })).await.status(),
        app.api_client().post("/api/token/refresh", refresh.clone()).await.status(),
        app.api_client().post("/api/account/token/refresh", refresh.clone()).await.status(),
        app.api_client().post("/api/token/blacklist", refresh).await.status(),
    ]
}

#[on_both]
async fn an_api_client_gets_tokens_and_no_cookies(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let mut program = app.api_client();

    let reply = program.requests_tokens("Ada@EXAMPLE.com", GOOD).await;

    assert_eq!((reply.status(), reply.cookies().as_str()), (200, ""));
    assert!(reply.page.text().starts_with("{\"refresh\":"), "{}", reply.json);
    let me = program.with_bearer().get("/api/account/user").await;
    assert_eq!((me.status(), me.text("email")), (200, "ada@example.com"));
}

#[on_both]
async fn a_token_identifies_the_user_and_nothing_else(env: TestEnv) {
    let app = env.app().await;
    let program = app.api_user("ada").await;

    for (token, kind) in [(&program.access, "access"), (&program.refresh, "refresh")] {
        let claims = claims(token);
        let mut names: Vec<_> = claims.as_object().expect("an object").keys().collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["aud", "exp", "iat", "iss", "jti", "sid", "sub", "token_type", "user_id"]
        );
        assert_eq!(claims["token_type"], kind);
        assert_eq!(claims["user_id"], claims["sub"]);
        assert!(claims["user_id"].is_string());
    }
}

#[on_both]
async fn refreshed_tokens_replace_the_old_ones(env: TestEnv) {
    let app = env.app().await;
    let mut program = app.api_user("ada").await;
    let first = program.clone();
    env.clock.advance(6 * MINUTE);

    let reply = program.refreshes_tokens().await;

    assert_eq!((reply.status(), reply.cookies().as_str()), (200, ""));
    assert!(reply.page.text().starts_with("{\"access\":"), "{}", reply.json);
    assert_ne!(program.refresh, first.refresh);
    assert_eq!(program.with_bearer().get("/api/account/mypage").await.status(), 200);
}

#[on_both]
async fn a_lost_response_can_be_repeated(env: TestEnv) {
    let app = env.app().await;
    let mut program = app.api_user("ada").await;
    let mut again = program.clone();
    program.refreshes_tokens().await;
    env.clock.advance(Duration::from_secs(9));

    assert_eq!(again.refreshes_tokens().await.status(), 200);

    assert_eq!(again.refresh, program.refresh, "the same successor, no second branch");
}

#[on_both]
async fn a_replaced_token_ends_the_session(env: TestEnv) {
    let app = env.app().await;
    let mut program = app.api_user("ada").await;
    let mut thief = program.clone();
    program.refreshes_tokens().await;
    program.uses_access_token().await;
    env.clock.advance(Duration::from_secs(10));

    let caught = thief.refreshes_tokens().await;

    assert_eq!((caught.status(), caught.code()), (401, "token_not_valid"));
    assert_eq!(caught.text("detail"), "Token is blacklisted");
    assert_eq!(program.refreshes_tokens().await.text("detail"), "Token is blacklisted");
    let reply = program.with_bearer().get("/api/account/user").await;
    assert_eq!(reply.json["messages"][0]["message"], "Token is blacklisted");
    assert_eq!(app.audit_event_count("token_reused").await, 1);
    let email = app.last_email_to("ada@example.com").await;
    assert!(email.find_link("/account/not-me/").is_some(), "{}", email.text);
}

#[on_both]
async fn revoking_with_a_replaced_token_ends_the_session(env: TestEnv) {
    let app = env.app().await;
    let mut program = app.api_user("ada").await;
    let old = program.refresh.clone();
    program.refreshes_tokens().await;
    program.uses_access_token().await;
    env.clock.advance(Duration::from_secs(10));

    let reply = app.api_client().post("/api/token/blacklist", json!({ "refresh": old })).await;

    assert_eq!(reply.text("detail"), "Token is blacklisted");
    assert_eq!(
        (app.audit_event_count("token_reused").await, program.refreshes_tokens().await.status()),
        (1, 401)
    );
}

#[on_both]
async fn verifying_a_token_is_never_treated_as_theft(env: TestEnv) {
    let app = env.app().await;
    let mut program = app.api_user("ada").await;
    let old = program.refresh.clone();
    program.refreshes_tokens().await;
    let ask = json!({ "token": old });
    assert_eq!(app.api_client().post("/api/token/verify", ask.clone()).await.status(), 200);
    program.uses_access_token().await;
    env.clock.advance(Duration::from_secs(10));

    assert_eq!(app.api_client().post("/api/token/verify", ask).await.status(), 400);

    assert_eq!(app.audit_event_count("token_reused").await, 0);
    assert_eq!(program.refreshes_tokens().await.status(), 200);
}

#[on_both]
async fn sixteen_refreshes_at_once_get_the_same_token(env: TestEnv) {
    let app = env.app().await;
    let program = app.api_user("ada").await;
    env.clock.advance(MINUTE);

    let racers = (0..16).map(|_| {
        let mut racer = program.clone();
        async move {
            assert_eq!(racer.refreshes_tokens().await.status(), 200);
            racer.refresh
        }
    });
    let tokens = join_all(racers).await;

    assert!(tokens.iter().all(|other| other == &tokens[0]), "one successor for all");
    assert_ne!(tokens[0], program.refresh);
    assert_eq!(app.audit_event_count("token_reused").await, 0);
}

#[on_both]
async fn of_sixteen_revocations_at_once_one_ends_the_session(env: TestEnv) {
    let app = env.app().await;
    let tokens = app.session_of("ada").await;
    let mut racers = Vec::new();
    for _ in 0..16 {
        let (ctx, token) = (app.ctx.clone(), tokens.refresh.token.clone());
        racers.push(rocket::tokio::spawn(async move {
            daemun::testing::flows::account::logout::with_refresh_token(
                &ctx,
                token.expose(),
                &request_info(),
            )
            .await
            .is_ok()
        }));
    }

    let ended = join_all(racers).await.into_iter().map(|it| it.expect("no panic"));

    assert_eq!(ended.filter(|has_ended| *has_ended).count(), 1);
    assert_eq!((app.active_session_count().await, app.audit_event_count("logout").await), (0, 1));
}

#[on_both]
async fn a_token_works_only_for_its_type(env: TestEnv) {
    let app = env.app().await;
    let ada = app.session_of("ada").await;
    app.visitor().requests_password_reset("ada@example.com").await;
    let reset = app.last_email_to("ada@example.com").await.link("/account/password/reset/");
    let reset = reset.rsplit_once('/').expect("a path").1.to_owned();
    let device = ada.device.clone().expect("a new session");
    let csrf = app.visitor().token().await;

    for token in [&reset, &device, &csrf, ada.session.to_string().as_str()] {
        assert_eq!(taken(&app, token).await, [401; 5], "{token}");
    }
    let access = ada.access.token.expose();
    assert_eq!(taken(&app, access).await, [200, 200, 401, 401, 401]);
    assert_eq!(taken(&app, ada.refresh.token.expose()).await, [401, 200, 200, 200, 200]);
    for token in [access, &csrf, &device] {
        let body = json!({ "token": token, "new_password1": GOOD, "new_password2": GOOD });
        let reply = app.api_client().post("/api/account/password/reset/confirm", body).await;
        assert_eq!(reply.json, json!({ "token": ["Invalid value"] }));
        let body = json!({ "key": token });
        let reply = app.api_client().post("/api/account/join/verify-email", body).await;
        assert_eq!(reply.status(), 404);
    }
}

#[on_both]
async fn a_token_cannot_choose_its_algorithm(env: TestEnv) {
    let app = env.app().await;
    let ada = app.session_of("ada").await;
    let access = ada.access.token.expose();
    let parts: Vec<_> = access.split('.').collect();
    let jwks = app.ctx.keyring().jwks(env.clock.now());
    let key = jwks["keys"][0].clone();
    let kid = key["kid"].as_str().expect("a name");
    let encode = |text: String| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    let header = |json: Value| encode(json.to_string());
    let claims: daemun::testing::crypto::jwt::Claims =
        serde_json::from_value(claims(access)).expect("claims");
    let confused =
        daemun::testing::crypto::jwt::sign_with_secret(&claims, key.to_string().as_bytes());
    let body = parts[1];
    let signature = parts[2];
    let tokens = [
        String::new(),
        ".".into(),
        "..".into(),
        format!("{}.{body}.", header(json!({ "alg": "none" }))),
        format!("{}.{body}.", header(json!({ "alg": "None", "kid": kid }))),
        format!("{}.{body}.", header(json!({ "alg": "nOnE", "kid": kid }))),
        format!("{}.{body}.{signature}", header(json!({ "alg": "ES256" }))),
        format!("{}.{body}.{signature}", header(json!({ "alg": "HS256", "kid": kid }))),
        format!("{}.{body}.{signature}", header(json!({ "alg": "ES256", "kid": "../../x" }))),
        format!("{}.{body}.{signature}", header(json!({ "alg": "ES256", "kid": ["x"] }))),
        format!(
            "{}.{body}.{signature}",
            header(json!({ "alg": "ES256", "kid": "' OR 1=1 --", "jku": "http://evil" }))
        ),
        format!("{}.{body}.{signature}", header(json!({ "alg": "ES256", "jwk": key }))),
        format!("{access}.x.y"),
        confused,
        daemun::testing::crypto::jwt::sign_with_secret(&claims, b""),
    ];
    for token in tokens {
        let statuses = taken(&app, &token).await;
        assert!(statuses.iter().all(|status| [400, 401].contains(status)), "{token:?}");
    }
    assert_eq!(taken(&app, access).await[0], 200);
}

#[on_both]
async fn every_claim_is_required_and_typed(env: TestEnv) {
    let app = env.app().await;
    let ada = app.session_of("ada").await;
    for fault in [
        "no type",
        "no jti",
        "no exp",
        "no user",
        "expired",
        "iat",
        "nbf",
        "word",
        "exp as text",
        "exp with a fraction",
        "exp of old",
        "exp null",
    ] {
        for is_access in [true, false] {
            if !is_access && fault == "iat" {
                // The database knows that it was issued, whatever the clock said.
                continue;
            }
            let token = forged(&app, &ada, is_access, fault);
            assert_eq!(taken(&app, &token).await, [401; 5], "{fault}");
        }
    }
    assert_eq!(app.active_session_count().await, 1);
}

#[on_both]
async fn a_session_ends_on_its_day_despite_refreshes(env: TestEnv) {
    let app = env.app().await;
    let mut program = app.api_user("ada").await;

    for _ in 0..13 {
        env.clock.advance(24 * 60 * MINUTE);
        assert_eq!(program.refreshes_tokens().await.status(), 200);
    }
    env.clock.advance(24 * 60 * MINUTE);

    assert_eq!(program.refreshes_tokens().await.text("detail"), "Token is expired");
}

#[on_both]
async fn without_rotation_the_refresh_token_stays(env: TestEnv) {
    let app = env.app_with(&[("rotate_refresh_tokens", "false")]).await;
    let mut program = app.api_user("ada").await;
    let first = program.clone();
    env.clock.advance(6 * MINUTE);

    assert_eq!(program.refreshes_tokens().await.status(), 200);

    assert_eq!(program.refresh, first.refresh);
    assert_ne!(program.access, first.access);
    let body = json!({ "refresh": program.refresh });
    assert_eq!(program.post("/api/token/blacklist", body).await.status(), 200);
    assert_eq!(program.refreshes_tokens().await.text("detail"), "Token is blacklisted");
}

#[on_both]
async fn tokens_of_swept_sessions_stay_blacklisted(env: TestEnv) {
    let app = env.app_with(&[("refresh_token_lifetime", "100d")]).await;
    let mut program = app.api_user("ada").await;
    app.deletes_sessions().await;

    assert_eq!(program.refreshes_tokens().await.text("detail"), "Token is blacklisted");

    app.deletes_user("ada").await;
    let reply = program.refreshes_tokens().await;
    assert_eq!((reply.status(), reply.code()), (401, "no_active_account"));
}

#[on_both]
async fn a_revocation_on_another_node_counts_here(env: TestEnv) {
    let settings = [("session_cache", "0s")];
    let (here, there) = (env.app_with(&settings).await, env.app_with(&settings).await);
    let program = here.api_user("ada").await;
    let mut known = program.clone().with_bearer();
    assert_eq!(known.get("/api/account/user").await.status(), 200);

    let body = json!({ "refresh": program.refresh });
    assert_eq!(there.api_client().post("/api/token/blacklist", body).await.status(), 200);

    assert_eq!(known.get("/api/account/user").await.status(), 401);
}

#[on_both]
async fn reading_the_user_costs_no_statement_when_cached(env: TestEnv) {
    let app = env.app().await;
    let mut program = app.api_user("ada").await.with_bearer();
    program.get("/api/account/user").await;
    let before = app.ctx.db.queries();

    for path in ["/api/account/user", "/api/account/mypage", "/api/nothing", "/api/account/login"] {
        program.get(path).await;
    }
    let body = json!({ "token": program.access });
    program.post("/api/token/verify", body).await;

    assert_eq!(app.ctx.db.queries() - before, 0);
    env.clock.advance(Duration::from_secs(3));
    program.get("/api/account/user").await;
    assert_eq!(app.ctx.db.queries() - before, 1, "one when it is cold");
}

#[on_both]
async fn a_refresh_costs_one_statement(env: TestEnv) {
    let app = env.app().await;
    let mut program = app.api_user("ada").await;
    env.clock.advance(6 * MINUTE);
    let before = app.ctx.db.queries();

    program.refreshes_tokens().await;

    assert_eq!(app.ctx.db.queries() - before, 1);
}

#[on_both]
async fn a_user_who_may_not_log_in_may_not_refresh(env: TestEnv) {
    let app = env.app().await;
    let mut program = app.api_user("ada").await;
    let token = program.refresh.clone();
    app.deactivates("ada").await;

    let reply = program.refreshes_tokens().await;

    assert_eq!((reply.status(), reply.code()), (401, "no_active_account"));
    let renewed = sessions::refresh(&app.ctx, &token, &request_info()).await;
    assert!(matches!(
        renewed,
        Err(sessions::RefreshError::Session(sessions::SessionInvalid::UserInactive))
    ));
}
