//! The signing keys: the next one is created and takes over, the old one is removed, and no user notices.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use daemun::testing::crypto::{Algorithm, Keyring, from_base64url, jwt};
use daemun::testing::flows;
use daemun::testing::keys;
use futures::future::join_all;
use migrations::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait as _, Database, Statement};
use serde_json::{Value, json};

use crate::support::app::request_info;
use crate::support::process::{PATIENCE, Sandbox, eventually};
use crate::support::{App, TestEnv, on_both};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// A part of a token: 0 is the header, 1 the claims.
fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).expect("a token has three parts");
    serde_json::from_slice(&from_base64url(part).expect("base64")).expect("JSON")
}

/// The name of the key that signed a token.
fn key_of(token: &str) -> String {
    part(token, 0)["kid"].as_str().expect("a name").to_owned()
}

/// The access token of a user who signs up now.
async fn token_of(app: &App, name: &str) -> String {
    app.user(name).await.cookie("access").expect("signed in").to_owned()
}

async fn is_accepted(app: &App, token: &str) -> bool {
    let mut bearer = app.visitor().with("Authorization", &format!("Bearer {token}"));
    bearer.is_signed_in().await
}

/// The names of the published keys.
async fn published(app: &App) -> Vec<String> {
    let answer = app.visitor().get("/.well-known/jwks.json").await;
    let set: Value = serde_json::from_str(&answer.text()).expect("JSON");
    let keys = set["keys"].as_array().expect("a list").iter();
    keys.map(|key| key["kid"].as_str().expect("a name").to_owned()).collect()
}

/// The same claims at this moment, under a key of a ring from before.
fn signed_again(app: &App, ring: &Arc<Keyring>, token: &str) -> String {
    let now = app.ctx.clock.now();
    let mut claims = part(token, 1);
    claims["iat"] = json!(now.unix_timestamp());
    claims["exp"] = json!(now.unix_timestamp() + 300);
    let oldest = &ring.keys().last().expect("a key").key;
    jwt::sign(claims.as_object().expect("claims"), oldest)
}

#[on_both]
async fn the_next_key_is_published_before_it_signs(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let before = published(&app).await;

    let next = flows::system::key_rotation::rotate(&app.ctx, &request_info()).await.expect("made");

    assert_eq!(published(&app).await, [std::slice::from_ref(&next.id), &before[..]].concat());
    env.clock.advance(Duration::from_secs(599));
    let last = token_of(&app, "bob").await;
    assert_eq!(key_of(&last), before[0], "others may not have read the keys yet");
    env.clock.advance(SECOND);
    assert_eq!(key_of(&token_of(&app, "eve").await), next.id);
    env.clock.advance(Duration::from_secs(298));
    assert!(is_accepted(&app, &last).await, "as long as it is good");
    env.clock.advance(DAY);
    assert!(ada.is_signed_in().await);
    assert_eq!(key_of(&ada.cookies["access"]), next.id);
    assert_eq!(app.audit_event_count("key_rotated").await, 1);
}

#[on_both]
async fn after_the_overlap_the_old_key_is_removed(env: TestEnv) {
    let app = env.app().await;
    let token = token_of(&app, "ada").await;
    let old = app.ctx.keyring();
    let next = flows::system::key_rotation::rotate(&app.ctx, &request_info()).await.expect("made");

    env.clock.advance(Duration::from_secs(959));
    assert!(is_accepted(&app, &signed_again(&app, &old, &token)).await);
    flows::system::cleanup::sweep(&app.ctx).await.expect("swept");
    assert_eq!(published(&app).await.len(), 2, "too early");
    env.clock.advance(SECOND);
    assert!(!is_accepted(&app, &signed_again(&app, &old, &token)).await);
    assert_eq!(published(&app).await, std::slice::from_ref(&next.id));

    flows::system::cleanup::sweep(&app.ctx).await.expect("swept");
    assert_eq!(app.query_number("SELECT COUNT(*) FROM signing_keys").await, 1);
    flows::system::key_rotation::rotate_if_due(&app.ctx).await.expect("read");
    assert_eq!(app.ctx.keyring().keys().len(), 1);
}

#[on_both]
async fn sixteen_nodes_rotating_at_once_create_one_key(env: TestEnv) {
    let nodes = [env.app().await, env.app().await];
    let asked = (0..16).map(|number| {
        let ctx = nodes[number % 2].ctx.clone();
        rocket::tokio::spawn(async move {
            flows::system::key_rotation::rotate(&ctx, &request_info()).await
        })
    });

    let outcomes: Vec<_> = join_all(asked)
        .await
        .into_iter()
        .map(|it| it.expect("no panic").expect("answers"))
        .collect();

    let names: BTreeSet<_> = outcomes.iter().map(|next| &next.id).collect();
    assert_eq!((names.len(), outcomes.iter().filter(|next| next.is_new).count()), (1, 1));
    assert_eq!(nodes[0].query_number("SELECT COUNT(*) FROM signing_keys").await, 2);
    assert_eq!(nodes[0].audit_event_count("key_rotated").await, 1);
}

#[on_both]
async fn compromised_keys_can_be_replaced_at_once(env: TestEnv) {
    let (app, other) = (env.app().await, env.app().await);
    let mut ada = app.user("ada").await;
    let token = ada.cookies["access"].clone();
    flows::system::key_rotation::rotate(&app.ctx, &request_info()).await.expect("a key waits");

    let only =
        flows::system::key_rotation::replace(&app.ctx, &request_info()).await.expect("replaced");
    flows::system::key_rotation::rotate_if_due(&other.ctx).await.expect("looked after");

    for node in [&app, &other] {
        assert!(!is_accepted(node, &token).await);
        assert_eq!(published(node).await, [only.id.as_str()]);
    }
    assert!(ada.is_signed_in().await, "people stay where they are");
    assert_eq!(key_of(&ada.cookies["access"]), only.id);
    assert_eq!(app.audit_event_count("key_rotated").await, 2);
}

#[on_both]
async fn of_eight_key_replacements_at_once_one_is_left(env: TestEnv) {
    let nodes = [env.app().await, env.app().await];
    let asked = (0..8).map(|number| {
        let ctx = nodes[number % 2].ctx.clone();
        rocket::tokio::spawn(async move {
            flows::system::key_rotation::replace(&ctx, &request_info()).await
        })
    });

    for outcome in join_all(asked).await {
        outcome.expect("no panic").expect("answers");
    }

    assert_eq!(nodes[0].query_number("SELECT COUNT(*) FROM signing_keys").await, 1);
    for node in &nodes {
        flows::system::key_rotation::rotate_if_due(&node.ctx).await.expect("looked after");
        assert_eq!(node.ctx.keyring().keys().len(), 1);
    }
}

#[on_both]
async fn a_replaced_generation_stays_out(env: TestEnv) {
    let (app, other) = (env.app().await, env.app().await);
    let late = keys::generate(&app.ctx, Algorithm::EdDsa, true).expect("made");
    flows::system::key_rotation::replace(&other.ctx, &request_info()).await.expect("replaced");
    let only = flows::system::key_rotation::replace(&other.ctx, &request_info())
        .await
        .expect("replaced again");

    let transaction = app.ctx.db.begin().await.expect("a transaction");
    let is_added = keys::add(&transaction, &late, app.ctx.clock.now()).await.expect("answers");
    transaction.commit().await.expect("committed");

    assert!(!is_added);
    flows::system::key_rotation::rotate_if_due(&app.ctx).await.expect("looked after");
    assert_eq!(published(&app).await, [only.id.as_str()]);
}

#[on_both]
async fn nodes_following_a_setting_at_once_create_one_key(env: TestEnv) {
    let old = env.app().await;
    let nodes = join_all((0..8).map(|_| env.app_with(&[("signing_algorithm", "EdDSA")])));

    let nodes = nodes.await;

    assert_eq!(old.query_number("SELECT COUNT(*) FROM signing_keys").await, 2);
    for node in &nodes {
        let keys = node.ctx.keyring();
        let signs = keys.current(env.clock.now()).expect("a key");
        assert_eq!((signs.algorithm.name(), keys.keys().len()), ("EdDSA", 2));
    }
}

#[on_both]
async fn a_key_of_another_node_is_found_by_its_id(env: TestEnv) {
    let app = env.app().await;
    let old = token_of(&app, "ada").await;
    let other = env.app_with(&[("signing_algorithm", "EdDSA")]).await;
    let new = token_of(&other, "bob").await;
    assert_eq!((&part(&old, 0)["alg"], &part(&new, 0)["alg"]), (&json!("ES256"), &json!("EdDSA")));

    env.clock.advance(SECOND);

    assert!(is_accepted(&app, &new).await, "this node started earlier");
    assert!(is_accepted(&other, &old).await, "old tokens are good through the overlap");
    assert_eq!(key_of(&token_of(&app, "eve").await), key_of(&new), "all nodes sign alike");
}

#[on_both]
async fn unknown_key_ids_cost_one_statement_a_second(env: TestEnv) {
    let app = env.app().await;
    let token = token_of(&app, "ada").await;
    let (_, rest) = token.split_once('.').expect("a token");
    env.clock.advance(SECOND);
    let before = app.ctx.db.queries();

    for number in 0..50 {
        let header = json!({ "alg": "ES256", "kid": format!("{number:016x}") }).to_string();
        let made_up = format!("{}.{rest}", daemun::testing::crypto::base64url(header.as_bytes()));
        assert!(!is_accepted(&app, &made_up).await);
    }

    assert_eq!(app.ctx.db.queries() - before, 1);
}

#[on_both]
async fn a_key_is_rotated_after_its_signing_period(env: TestEnv) {
    let app = env.app_with(&[("signing_key_lifetime", "30d")]).await;
    let old = published(&app).await;

    env.clock.advance(Duration::from_secs(30 * 86_400 - 601));
    flows::system::key_rotation::rotate_if_due(&app.ctx).await.expect("looked after");
    assert_eq!(published(&app).await, old, "too early");
    env.clock.advance(SECOND);
    for _ in 0..3 {
        flows::system::key_rotation::rotate_if_due(&app.ctx).await.expect("looked after");
    }
    assert_eq!(published(&app).await.len(), 2, "once");
    env.clock.advance(10 * MINUTE);

    assert_ne!(key_of(&token_of(&app, "ada").await), old[0]);
}

#[on_both]
async fn a_shared_key_is_not_rotated_automatically(env: TestEnv) {
    let app = env.app_with(&[("signing_algorithm", "HS256")]).await;
    assert!(published(&app).await.is_empty());
    let token = token_of(&app, "ada").await;
    assert!(is_accepted(&app, &token).await);

    env.clock.advance(365 * DAY);
    flows::system::key_rotation::rotate_if_due(&app.ctx).await.expect("looked after");
    assert_eq!(app.ctx.keyring().keys().len(), 1);

    let next = flows::system::key_rotation::rotate(&app.ctx, &request_info()).await.expect("made");
    assert_eq!(next.signs_from, env.clock.now() + DAY, "somebody has to hand it over");
}

#[on_both]
async fn tokens_with_a_longer_lifetime_stay_valid(env: TestEnv) {
    let short = env.app().await;
    let long = env.app_with(&[("access_token_lifetime", "1h")]).await;
    flows::system::key_rotation::rotate(&short.ctx, &request_info()).await.expect("made");
    env.clock.advance(Duration::from_secs(599));
    let token = token_of(&long, "ada").await;
    flows::system::key_rotation::rotate_if_due(&short.ctx).await.expect("read");

    env.clock.advance(59 * MINUTE);

    assert!(is_accepted(&short, &token).await, "the setting of the node that signed counts");
}

#[on_both]
async fn deleted_keys_are_created_again(env: TestEnv) {
    let app = env.app().await;
    let mut ada = app.user("ada").await;
    let token = ada.cookies["access"].clone();
    app.execute("DELETE FROM signing_keys").await;

    flows::system::key_rotation::rotate_if_due(&app.ctx).await.expect("looked after");

    assert!(!is_accepted(&app, &token).await, "whoever has the old key can do nothing with it");
    assert!(ada.is_signed_in().await, "and people stay where they are");
    assert_ne!(ada.cookies["access"], token);
}

#[on_both]
async fn keys_without_generations_are_numbered(env: TestEnv) {
    let url = env.empty_database("old").await;
    let url = if url.starts_with("sqlite") { format!("{url}?mode=rwc") } else { url };
    let connection = Database::connect(&url).await.expect("opens");
    let before = Migrator::migrations()
        .iter()
        .position(|migration| migration.name() == "m0015_key_rotation")
        .expect("there");
    Migrator::up(&connection, u32::try_from(before).ok()).await.expect("the tables of then");
    let columns = "INSERT INTO signing_keys (id, algorithm, generation, sealed, created_at)";
    for row in ["('young', 'EdDSA', 1, '', 2000)", "('old', 'ES256', 1, '', 1000)"] {
        connection.execute_unprepared(&format!("{columns} VALUES {row}")).await.expect(row);
    }

    Migrator::up(&connection, None).await.expect("up to date");

    let sql = "SELECT generation, signs_from FROM signing_keys ORDER BY generation";
    let sql = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(sql).await.expect("rows");
    let rows: Vec<(i64, i64)> = rows
        .iter()
        .map(|row| {
            (row.try_get_by_index(0).expect("a number"), row.try_get_by_index(1).expect("one"))
        })
        .collect();
    assert_eq!(rows, [(1, 1000), (2, 2000)]);
    connection.close().await.expect("closes");
}

/// The lines that `daemun keys list` prints.
fn lines(sandbox: &Sandbox) -> Vec<String> {
    let said = sandbox.runs(&["keys", "list"]);
    assert_eq!((said.code(), said.error_lines()), (Some(0), vec![]), "{said:#?}");
    said.output.lines().map(str::to_owned).collect()
}

#[test]
fn the_command_creates_the_next_key_once() {
    let sandbox = Sandbox::new();
    let first = lines(&sandbox);
    assert!(first.len() == 1 && first[0].contains("  ES256  signing since "), "{first:?}");

    let made = sandbox.runs(&["keys", "rotate"]);
    let again = sandbox.runs(&["keys", "rotate"]);

    assert_eq!((made.code(), again.code()), (Some(0), Some(0)));
    assert!(made.output.starts_with("The next key is "), "{made:#?}");
    assert!(again.output.starts_with("The next key is already waiting: "), "{again:#?}");
    let both = lines(&sandbox);
    assert!(both[0].contains("  ES256  waiting, signs from "), "{both:?}");
    assert!(
        both[1].contains("  ES256  signing since ") && both[1].contains(", until "),
        "{both:?}"
    );
    assert!(made.output.contains(&both[0][..16]) && both.len() == 2, "{both:?}");
    let korean = sandbox.with("LANG", "ko_KR.UTF-8");
    assert!(lines(&korean)[0].contains("  ES256  대기 중, "));
    assert!(korean.runs(&["keys", "rotate"]).output.contains("이미 기다리고 있습니다"));

    let only = sandbox.runs(&["keys", "replace"]);
    assert!(only.output.contains(" is the only key now. "), "{only:#?}");
    let left = lines(&sandbox);
    assert!(left.len() == 1 && only.output.starts_with(&left[0][..16]), "{left:?}");
    assert!(korean.runs(&["keys", "replace"]).output.starts_with("이제 키는 "));
}

#[test]
fn a_command_with_other_settings_does_not_change_signing() {
    let sandbox = Sandbox::new();
    let server = sandbox.with("ROCKET_SIGNING_ALGORITHM", "EdDSA").serves();

    sandbox.runs(&["keys", "rotate"]);

    let both = lines(&sandbox);
    assert!(both.len() == 2 && both.iter().all(|line| line.contains("  EdDSA  ")), "{both:?}");
    drop(server);
}

#[test]
fn a_server_publishes_the_next_key_without_a_restart() {
    let sandbox = Sandbox::new();
    let server = sandbox.serves();
    assert_eq!(sandbox.runs(&["keys", "rotate"]).code(), Some(0));

    let publishes_both =
        || server.visitor().get("/.well-known/jwks.json").text.matches("\"kid\"").count() == 2;

    assert!(eventually(PATIENCE, publishes_both), "{}", server.log());
}

#[test]
fn only_public_keys_are_published() {
    let public = Sandbox::new().runs(&["keys", "show"]);
    assert_eq!((public.code(), public.output.as_str()), (Some(1), ""), "{public:#?}");
    assert!(public.error_line().contains("/.well-known/jwks.json"), "{public:#?}");

    let shared = Sandbox::new().with("ROCKET_SIGNING_ALGORITHM", "HS256").runs(&["keys", "show"]);

    assert_eq!((shared.code(), shared.error_lines()), (Some(0), vec![]), "{shared:#?}");
    let set: Value = serde_json::from_str(&shared.output).expect("JSON");
    let key = &set["keys"][0];
    assert_eq!((&key["kty"], &key["alg"]), (&json!("oct"), &json!("HS256")));
    let secret = key["k"].as_str().and_then(from_base64url).expect("base64");
    assert_eq!(secret.len(), 32);
    assert!(!shared.errors.contains(key["k"].as_str().expect("text")), "not in the log");
}
