//! Unused sessions, and accounts with very many of them.

use std::time::Duration;

use daemun::testing::accounts;
use daemun::testing::db::Transaction;
use daemun::testing::sessions;
use daemun::testing::sessions::{AuthMethod, IssuedTokens, RefreshError};
use daemun::testing::types::Email;
use futures::future::join_all;
use rocket::tokio;
use serde_json::json;

use crate::support::app::request_info;
use crate::support::{ApiClient, App, GOOD, TestEnv, on_both};

const ADA: &str = "ada@example.com";
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// Half an hour without use ends a session.
const IDLE: (&str, &str) = ("session_idle_lifetime", "30m");

/// Waits until a use has been noted at this moment: that happens after the answer.
async fn is_noted(app: &App) {
    let now = daemun::testing::clock::to_micros(app.ctx.clock.now());
    let noted = async {
        let sql = "SELECT MAX(last_seen_at) FROM sessions";
        while app.query_number(sql).await != now {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), noted).await.expect("the use is noted");
}

/// A program of ada's that has just logged in for tokens.
async fn logs_in(app: &App) -> ApiClient<'_> {
    let mut program = app.api_client();
    assert_eq!(program.requests_tokens(ADA, GOOD).await.status(), 200);
    program
}

async fn living_of(app: &App, transport: &str) -> i64 {
    let sql = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL AND transport";
    app.query_number(&format!("{sql} = '{transport}'")).await
}

#[on_both]
async fn unused_sessions_end_and_used_ones_stay(env: TestEnv) {
    let app = env.app_with(&[IDLE]).await;
    let mut ada = app.user("ada").await;
    for _ in 0..5 {
        env.clock.advance(29 * MINUTE);
        assert!(ada.is_signed_in().await);
    }

    env.clock.advance(30 * MINUTE);

    assert!(!ada.is_signed_in().await);
    assert!(ada.cookie("refresh").is_none(), "it is known to be over");
    let mut again = app.visitor();
    again.logs_in(ADA, GOOD).await;
    let listed = again.get("/account/sessions").await.texts("ul.rows > li").len();
    assert_eq!(listed, 1, "what is over is not listed");
    assert_eq!(sessions::count_active(&app.ctx, app.ctx.clock.now(), 10).await.expect("counts"), 1);
}

#[on_both]
async fn using_an_access_token_counts_as_use(env: TestEnv) {
    let settings = [IDLE, ("access_token_lifetime", "12h")];
    let app = env.app_with(&settings).await;
    let mut ada = app.user("ada").await;
    for _ in 0..4 {
        env.clock.advance(29 * MINUTE);
        assert!(ada.is_signed_in().await);
        is_noted(&app).await;
    }
    assert!(ada.is_signed_in().await);
    let before = app.ctx.db.queries();
    env.clock.advance(Duration::from_secs(1));
    assert!(ada.is_signed_in().await && ada.is_signed_in().await);
    assert_eq!(app.ctx.db.queries(), before, "within a minute it is not noted again");

    env.clock.advance(30 * MINUTE);

    assert!(!ada.is_signed_in().await);
}

#[on_both]
async fn an_idle_api_client_gets_no_new_token(env: TestEnv) {
    for rotates in ["true", "false"] {
        let app = env.app_with(&[IDLE, ("rotate_refresh_tokens", rotates)]).await;
        let mut program = app.api_user(&format!("rotates-{rotates}")).await;
        env.clock.advance(29 * MINUTE);
        assert_eq!(program.refreshes_tokens().await.status(), 200);
        is_noted(&app).await;
        env.clock.advance(29 * MINUTE);
        assert_eq!(program.refreshes_tokens().await.status(), 200);
        is_noted(&app).await;

        env.clock.advance(30 * MINUTE);

        let reply = program.refreshes_tokens().await;
        assert_eq!((reply.status(), reply.code()), (401, "token_not_valid"));
        let ask = json!({ "token": program.refresh });
        assert_eq!(app.api_client().post("/api/token/verify", ask).await.status(), 400);
    }
}

#[on_both]
async fn without_an_idle_limit_only_the_lifetime_counts(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;

    env.clock.advance(13 * DAY);

    assert!(ada.is_signed_in().await);
}

#[on_both]
async fn the_oldest_sessions_of_an_api_client_are_ended(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut first = logs_in(&app).await;
    let mut second = logs_in(&app).await;
    for _ in 0..98 {
        env.clock.advance(Duration::from_secs(1));
        logs_in(&app).await;
    }
    assert_eq!(living_of(&app, "token").await, 100);
    assert_eq!(first.refreshes_tokens().await.status(), 200, "used just now");

    let mut last = logs_in(&app).await;

    assert_eq!(living_of(&app, "token").await, 100);
    assert_eq!(first.refreshes_tokens().await.status(), 200);
    assert_eq!(last.refreshes_tokens().await.status(), 200);
    assert_eq!(
        second.refreshes_tokens().await.status(),
        401,
        "the one that was unused for longest"
    );
    assert!(ada.is_signed_in().await);
    let why = "SELECT COUNT(*) FROM sessions WHERE ended_because = 'too_many'";
    assert_eq!(app.query_number(why).await, 1);
}

#[on_both]
async fn a_busy_api_client_loses_only_its_own_sessions(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let phone = app.visitor().with("User-Agent", "phone/1.0");
    let mut phone = ApiClient::new(phone);
    phone.requests_tokens(ADA, GOOD).await;
    for _ in 0..105 {
        env.clock.advance(Duration::from_secs(1));
        logs_in(&app).await;
    }

    assert_eq!(
        phone.refreshes_tokens().await.status(),
        200,
        "the oldest of all, and alone of its kind"
    );
    assert_eq!(living_of(&app, "token").await, 100);
}

#[on_both]
async fn the_limit_holds_for_logins_at_once(env: TestEnv) {
    let app = env.app().await;
    let ada = app.session_of("ada").await;
    for _ in 0..99 {
        logs_in(&app).await;
    }

    let racers = (0..8).map(|_| async { logs_in(&app).await.access });
    join_all(racers).await;

    assert_eq!(living_of(&app, "token").await, 100);
    let renewed = sessions::refresh(&app.ctx, ada.refresh.token.expose(), &request_info()).await;
    assert!(!matches!(renewed, Err(RefreshError::Session(_))), "{renewed:?}");
}

#[on_both]
async fn a_session_beyond_the_bound_leaves_the_cache_when_that_is_committed(env: TestEnv) {
    let app = env.app_with(&[("session_cache", "60s")]).await;
    app.api_user("ada").await;
    let address = Email::parse(ADA).expect("parses");
    let found = accounts::find_by_email(&app.ctx.db, &address).await.expect("finds");
    let ada = found.expect("an account").user;
    let create = async |transaction: &Transaction| -> IssuedTokens {
        let (method, info) = (AuthMethod::NewAccount, request_info());
        let created =
            sessions::create(&app.ctx, transaction, ada.id, &ada.email, method, &info).await;
        created.expect("creates").expect("an active account")
    };
    let is_active = async |tokens: &IssuedTokens| {
        sessions::find_by_access_token(&app.ctx, tokens.access.token.expose()).await.is_ok()
    };
    let transaction = app.ctx.db.begin().await.expect("begins");
    let oldest = create(&transaction).await;
    env.clock.advance(Duration::from_secs(1));
    // Together with the session of `api_user` there are 100.
    for _ in 2..100 {
        create(&transaction).await;
    }
    transaction.commit().await.expect("commits");
    assert!(is_active(&oldest).await);

    let transaction = app.ctx.db.begin().await.expect("begins");
    create(&transaction).await;
    assert!(is_active(&oldest).await, "one too many is not committed yet");
    transaction.commit().await.expect("commits");

    assert!(!is_active(&oldest).await);
}
