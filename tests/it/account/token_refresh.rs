//! A rotation whose answer was lost, and one whose old token was stolen.

use std::time::Duration;

use daemun::testing::sessions;
use daemun::testing::sessions::{AuthState, IssuedTokens, RefreshError, RequestCredentials};
use futures::future::join_all;
use rocket::tokio;

use crate::support::app::request_info;
use crate::support::{App, Browser, TestEnv, on_both};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

async fn renewed(app: &App, refresh: &str) -> Result<IssuedTokens, RefreshError> {
    sessions::refresh(&app.ctx, refresh, &request_info()).await
}

/// Shows an access token as programs do.
async fn shows(app: &App, access: &str) -> bool {
    let presented = RequestCredentials { bearer: Some(access), ..RequestCredentials::default() };
    let standing = sessions::authenticate_request(&app.ctx, presented, &request_info())
        .await
        .expect("answers");
    matches!(standing, AuthState::SignedIn { .. })
}

/// A browser with these tokens alone.
fn with<'a>(app: &'a App, tokens: &IssuedTokens) -> Browser<'a> {
    let mut browser = app.visitor();
    for (name, issued) in [("access", &tokens.access), ("refresh", &tokens.refresh)] {
        browser.cookies.insert(name.into(), issued.token.expose().into());
    }
    browser
}

async fn is_stolen(app: &App) -> bool {
    let ended = "SELECT COUNT(*) FROM sessions WHERE ended_because = 'token_reused'";
    let emails = app.emails_to("ada@example.com").await;
    let notified =
        emails.iter().filter(|email| email.subject.contains("logged one of your devices")).count();
    let (events, ended) =
        (app.audit_event_count("token_reused").await, app.query_number(ended).await);
    assert_eq!(events, ended);
    assert!(notified <= 1, "the owner is told once");
    ended == 1
}

#[on_both]
async fn a_lost_response_can_be_repeated_until_confirmed(env: TestEnv) {
    let app = env.app().await;
    let tokens = app.session_of("ada").await;
    let first = tokens.refresh.token.expose();
    let lost = renewed(&app, first).await.expect("renewed");

    for wait in [11 * SECOND, MINUTE, 60 * MINUTE] {
        env.clock.advance(wait);
        let again = renewed(&app, first).await.expect("renewed again");
        assert_eq!(lost.refresh.token.expose(), again.refresh.token.expose(), "{wait:?}");
    }

    let again = renewed(&app, first).await.expect("renewed again");
    assert!(shows(&app, again.access.token.expose()).await);
    app.wait_for_confirmed_rotations().await;
    assert!(!is_stolen(&app).await);
    env.clock.advance(11 * SECOND);
    assert!(matches!(renewed(&app, first).await, Err(RefreshError::Reused)));
    assert!(is_stolen(&app).await);
}

#[on_both]
async fn a_lost_page_response_can_be_repeated_an_hour_later(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;
    env.clock.advance(6 * MINUTE);
    assert_eq!(ada.clone().get("/account/mypage").await.status(), 200, "and the answer is lost");
    env.clock.advance(60 * MINUTE);
    let mut ada = ada;

    assert!(ada.is_signed_in().await);
    env.clock.advance(6 * MINUTE);
    assert!(ada.is_signed_in().await);
    assert_eq!(app.audit_event_count("token_reused").await, 0);
}

#[on_both]
async fn a_thief_who_refreshes_first_and_acts_is_detected(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut thief = ada.clone();
    env.clock.advance(6 * MINUTE);
    assert!(thief.is_signed_in().await, "renewed");
    assert!(thief.is_signed_in().await, "and acts with what he got");
    app.wait_for_confirmed_rotations().await;
    env.clock.advance(11 * SECOND);

    assert!(!ada.is_signed_in().await);

    assert!(is_stolen(&app).await);
    assert!(!thief.is_signed_in().await);
}

#[on_both]
async fn a_thief_who_refreshes_first_and_waits_is_detected(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut thief = ada.clone();
    env.clock.advance(6 * MINUTE);
    assert!(thief.is_signed_in().await, "renewed, and shows nothing of it");
    env.clock.advance(60 * MINUTE);

    assert!(ada.is_signed_in().await, "as if the answer had been lost");
    assert!(ada.is_signed_in().await, "acts");
    app.wait_for_confirmed_rotations().await;
    env.clock.advance(6 * MINUTE);
    assert!(ada.is_signed_in().await && ada.is_signed_in().await, "renews and acts");
    app.wait_for_confirmed_rotations().await;
    env.clock.advance(11 * SECOND);
    thief.cookies.remove("access");

    assert!(!thief.is_signed_in().await);
    assert!(is_stolen(&app).await);
    assert!(!ada.is_signed_in().await);
}

#[on_both]
async fn a_thief_who_waits_for_the_owner_is_detected(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let mut thief = ada.clone();
    env.clock.advance(6 * MINUTE);
    assert!(ada.is_signed_in().await && ada.is_signed_in().await, "renews and acts");
    app.wait_for_confirmed_rotations().await;
    env.clock.advance(60 * MINUTE);

    assert!(!thief.is_signed_in().await);

    assert!(is_stolen(&app).await);
    assert!(!ada.is_signed_in().await);
}

#[on_both]
async fn using_the_refresh_token_confirms_too(env: TestEnv) {
    let app = env.app().await;
    let tokens = app.session_of("ada").await;
    let first = tokens.refresh.token.expose();
    let second = renewed(&app, first).await.expect("renewed");

    sessions::check_token(&app.ctx, second.refresh.token.expose()).await.expect("is good");
    app.wait_for_confirmed_rotations().await;
    env.clock.advance(11 * SECOND);

    assert!(matches!(renewed(&app, first).await, Err(RefreshError::Reused)));
}

#[on_both]
async fn another_node_confirms_a_cached_session(env: TestEnv) {
    let (here, there) = (env.app().await, env.app().await);
    let tokens = here.session_of("ada").await;
    assert!(shows(&there, tokens.access.token.expose()).await, "its cache is warm");
    let first = tokens.refresh.token.expose();
    let second = renewed(&here, first).await.expect("renewed");

    assert!(shows(&there, second.access.token.expose()).await);

    here.wait_for_confirmed_rotations().await;
    env.clock.advance(11 * SECOND);
    assert!(matches!(renewed(&here, first).await, Err(RefreshError::Reused)));
}

#[on_both]
async fn a_rotation_is_confirmed_by_one_write(env: TestEnv) {
    let app = env.app().await;
    let tokens = app.session_of("ada").await;
    env.clock.advance(6 * MINUTE);
    let (one, two) = (
        renewed(&app, tokens.refresh.token.expose()).await.expect("renewed"),
        renewed(&app, tokens.refresh.token.expose()).await.expect("by another tab"),
    );
    let (mut tab, mut other) = (with(&app, &one), with(&app, &two));
    let before = app.ctx.db.queries();

    for _ in 0..3 {
        assert!(tab.is_signed_in().await && other.is_signed_in().await);
    }
    app.wait_for_confirmed_rotations().await;
    assert!(tab.is_signed_in().await);
    let looked = app.ctx.db.queries();
    for _ in 0..3 {
        assert!(tab.is_signed_in().await && other.is_signed_in().await);
    }

    assert_eq!(app.ctx.db.queries(), looked, "a warm page costs nothing");
    assert!(looked > before);
    let writes = "SELECT COUNT(*) FROM written";
    app.execute("CREATE TABLE written (id TEXT)").await;
    app.execute(note_writes(&app)).await;
    if let Some(trigger) = trigger(&app) {
        app.execute(trigger).await;
    }
    env.clock.advance(6 * MINUTE);
    assert!(tab.is_signed_in().await, "rotates: one write");
    for _ in 0..3 {
        assert!(tab.is_signed_in().await);
    }
    app.wait_for_confirmed_rotations().await;
    assert!(tab.is_signed_in().await);
    assert_eq!(app.query_number(writes).await, 2, "one rotates, one confirms");
}

#[on_both]
async fn the_first_tokens_need_no_confirmation(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    ada.get("/account/mypage").await;
    let before = app.ctx.db.queries();

    for _ in 0..3 {
        assert!(ada.is_signed_in().await);
    }

    assert_eq!(app.ctx.db.queries(), before);
    let waiting = "SELECT COUNT(*) FROM sessions WHERE unconfirmed_jti IS NOT NULL";
    assert_eq!(app.query_number(waiting).await, 0);
}

#[on_both]
async fn of_replays_and_confirmations_one_wins(env: TestEnv) {
    let app = env.app().await;
    let tokens = app.session_of("ada").await;
    let first = tokens.refresh.token.clone();
    let second = renewed(&app, first.expose()).await.expect("renewed");
    env.clock.advance(11 * SECOND);
    let mut racers = Vec::new();
    for number in 0..16 {
        let (ctx, first, access) = (app.ctx.clone(), first.clone(), second.access.token.clone());
        racers.push(tokio::spawn(async move {
            if number % 2 == 0 {
                let bearer = Some(access.expose());
                let presented = RequestCredentials { bearer, ..RequestCredentials::default() };
                sessions::authenticate_request(&ctx, presented, &request_info())
                    .await
                    .expect("answers");
                return None;
            }
            Some(sessions::refresh(&ctx, first.expose(), &request_info()).await)
        }));
    }

    let answers = join_all(racers).await;

    let replays: Vec<_> =
        answers.into_iter().filter_map(|answer| answer.expect("no panic")).collect();
    let mut found_out = 0;
    for replay in &replays {
        match replay {
            Ok(tokens) => {
                assert_eq!(tokens.refresh.token.expose(), second.refresh.token.expose());
            }
            Err(RefreshError::Reused) => found_out += 1,
            Err(error) => assert!(matches!(error, RefreshError::Session(_)), "{error}"),
        }
    }
    assert!(found_out <= 1, "one of them ends the session");
    assert_eq!(is_stolen(&app).await, found_out == 1);
    if found_out == 0 {
        app.wait_for_confirmed_rotations().await;
        assert!(matches!(renewed(&app, first.expose()).await, Err(RefreshError::Reused)));
    }
}

#[on_both]
async fn forward_auth_with_a_replaced_token_confirms_nothing(env: TestEnv) {
    let app = env.app().await;
    let ada = app.user("ada").await;
    env.clock.advance(6 * MINUTE);
    assert_eq!(ada.clone().get("/account/mypage").await.status(), 200, "and the answer is lost");
    env.clock.advance(6 * MINUTE);
    let mut ada = ada;
    assert_eq!(ada.get("/api/forward-auth").await.status(), 200);
    assert!(ada.is_signed_in().await, "with the access token that the proxy passed on");

    env.clock.advance(6 * MINUTE);

    assert!(ada.is_signed_in().await, "the browser never got another refresh token");
    assert_eq!(app.audit_event_count("token_reused").await, 0);
}

/// Makes each change of a session leave a row in `written`.
fn note_writes(app: &App) -> &'static str {
    if is_postgres(app) {
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN INSERT INTO written VALUES (NEW.id); RETURN NEW; END $$"
    } else {
        "CREATE TRIGGER note AFTER UPDATE ON sessions \
         BEGIN INSERT INTO written VALUES (NEW.id); END"
    }
}

fn trigger(app: &App) -> Option<&'static str> {
    is_postgres(app).then_some(
        "CREATE TRIGGER note AFTER UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION note()",
    )
}

fn is_postgres(app: &App) -> bool {
    app.ctx.db.reader().get_database_backend() == sea_orm::DbBackend::Postgres
}
