//! A commit that is answered is one, and what is refused has not happened: on both engines, without
//! a disk that fails. `faults.rs` has one.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use daemun::testing::db::{Db, Invalidate, Invalidator};
use daemun::testing::types::UserId;
use sea_orm::{ConnectionTrait as _, Statement};

use crate::support::env::Engine;
use crate::support::{TestEnv, on_both};

/// A row of the smallest table, with a number in it.
fn insert(number: usize) -> String {
    format!(
        "INSERT INTO throttle (id, level, counted_at, open_at, forgotten_at) \
         VALUES ('row {number}', 1, 0, 0, 0)"
    )
}

/// Drives something and drops it when it has been woken so many times. Tells whether it had ended.
async fn given_up_after<T>(polls: usize, asked: impl Future<Output = T>) -> bool {
    let (mut asked, mut left) = (pin!(asked), polls);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        asked.as_mut().poll(context).map(|_| true)
    })
    .await
}

#[on_both]
async fn a_transaction_with_a_failed_statement_never_commits(env: TestEnv) {
    let (app, other) = (env.app().await, env.app().await);
    let transaction = app.ctx.db.begin().await.expect("begins");
    transaction.execute_unprepared(&insert(1)).await.expect("inserts");
    transaction.execute_unprepared("INSERT INTO nowhere VALUES (1)").await.expect_err("fails");
    let later = transaction.execute_unprepared(&insert(2)).await;
    let committed = transaction.commit().await;

    assert!(later.is_err() && committed.is_err(), "{later:?} {committed:?}");
    assert_eq!(other.query_number("SELECT COUNT(*) FROM throttle").await, 0);
    app.execute(&insert(3)).await;
    assert_eq!(other.query_number("SELECT COUNT(*) FROM throttle").await, 1, "the next one works");
    app.forgets_attempts().await;
}

#[on_both]
async fn a_failed_savepoint_is_rolled_back_alone(env: TestEnv) {
    let (app, other) = (env.app().await, env.app().await);
    let transaction = app.ctx.db.begin().await.expect("begins");
    transaction.execute_unprepared(&insert(1)).await.expect("inserts");
    let part = transaction.begin_nested().await.expect("begins");
    part.execute_unprepared(&insert(2)).await.expect("inserts");
    part.execute_unprepared(&insert(1)).await.expect_err("twice");
    part.roll_back().await.expect("is taken back");
    let part = transaction.begin_nested().await.expect("begins again");
    part.execute_unprepared(&insert(3)).await.expect("inserts");
    part.commit().await.expect("becomes a part");
    transaction.commit().await.expect("commits");

    assert_eq!(other.query_number("SELECT COUNT(*) FROM throttle").await, 2);
    app.forgets_attempts().await;
}

#[on_both]
async fn a_failed_savepoint_left_open_spoils_the_transaction(env: TestEnv) {
    let (app, other) = (env.app().await, env.app().await);
    let transaction = app.ctx.db.begin().await.expect("begins");
    transaction.execute_unprepared(&insert(1)).await.expect("inserts");
    let part = transaction.begin_nested().await.expect("begins");
    part.execute_unprepared(&insert(1)).await.expect_err("twice");
    drop(part);

    transaction.commit().await.expect_err("nobody knows what is in it");

    assert_eq!(other.query_number("SELECT COUNT(*) FROM throttle").await, 0);
}

#[on_both]
async fn an_open_savepoint_prevents_the_commit(env: TestEnv) {
    let (app, other) = (env.app().await, env.app().await);
    let transaction = app.ctx.db.begin().await.expect("begins");
    transaction.execute_unprepared(&insert(1)).await.expect("inserts");
    let part = transaction.begin_nested().await.expect("begins");

    let committed = transaction.commit().await;

    assert!(committed.is_err(), "what would be sent ends the part alone");
    drop(part);
    app.execute(&insert(2)).await;
    assert_eq!(other.query_number("SELECT COUNT(*) FROM throttle").await, 1);
    app.forgets_attempts().await;
}

#[on_both]
async fn a_cancelled_transaction_leaves_a_clean_connection(env: TestEnv) {
    let (app, other) = (env.app().await, env.app().await);
    // How often it has to be looked at until it is done depends on what else the machine does, so this
    // goes on until it was given up in the middle a few times.
    let (mut moments, mut sweeps) = (0, 0);
    while moments < 3 {
        sweeps += 1;
        assert!(sweeps <= 200, "it was given up at all: {moments}");
        for polls in 1..60 {
            let has_ended = given_up_after(polls, async {
                let transaction = app.ctx.db.begin().await.expect("begins");
                transaction.execute_unprepared(&insert(1000 + polls)).await.expect("inserts");
                drop(transaction);
            })
            .await;

            // On PostgreSQL the next statement most likely gets the connection that was given up.
            app.ctx.db.writer().execute_unprepared(&insert(polls)).await.expect("inserts");
            let sql = format!("SELECT COUNT(*) FROM throttle WHERE id = 'row {polls}'");
            assert_eq!(other.query_number(&sql).await, 1, "acknowledged, after {polls} polls");
            moments += usize::from(!has_ended);
            if has_ended && polls > 20 {
                break;
            }
        }
        let sql = "SELECT COUNT(*) FROM throttle WHERE id LIKE 'row 1___'";
        assert_eq!(other.query_number(sql).await, 0, "nothing was committed");
        app.forgets_attempts().await;
    }
}

#[on_both]
async fn a_cancelled_commit_leaves_a_clean_connection(env: TestEnv) {
    let (app, other) = (env.app().await, env.app().await);
    for polls in 0..20 {
        let transaction = app.ctx.db.begin().await.expect("begins");
        transaction.execute_unprepared(&insert(1000 + polls)).await.expect("inserts");
        given_up_after(polls, transaction.commit()).await;

        app.ctx.db.writer().execute_unprepared(&insert(polls)).await.expect("inserts");
        let sql = format!("SELECT COUNT(*) FROM throttle WHERE id = 'row {polls}'");
        assert_eq!(other.query_number(&sql).await, 1, "acknowledged, after {polls} polls");
    }
    app.forgets_attempts().await;
}

#[on_both]
async fn a_late_commit_failure_is_reported(env: TestEnv) {
    let (app, other) = (env.app().await, env.app().await);
    app.execute("CREATE TABLE parents (id BIGINT PRIMARY KEY)").await;
    app.execute(
        "CREATE TABLE children (id BIGINT PRIMARY KEY, parent_id BIGINT NOT NULL \
         REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)",
    )
    .await;
    let writer = app.ctx.db.writer();
    let sql = "INSERT INTO children (id, parent_id) VALUES (1, 7) RETURNING id";
    let statement = Statement::from_string(writer.get_database_backend(), sql);

    let answer = writer.query_one_raw(statement).await;

    assert!(answer.is_err(), "it has no parent: {answer:?}");
    assert_eq!(other.query_number("SELECT COUNT(*) FROM children").await, 0);
}

#[on_both]
async fn a_stuck_writer_is_not_ready(env: TestEnv) {
    let app = env.app().await;
    let mut machine = app.visitor();
    assert_eq!(machine.get("/health/ready").await.status(), 200);
    // Everything that a caller could write with.
    let mut held = Vec::new();
    while let Ok(Ok(transaction)) =
        rocket::tokio::time::timeout(Duration::from_secs(1), app.ctx.db.begin()).await
    {
        held.push(transaction);
    }
    let asked = Instant::now();
    // What is believed from a moment ago is believed for a second.
    while machine.get("/health/ready").await.status() == 200 {
        assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    }
    assert!(asked.elapsed() < Duration::from_secs(9), "{:?}", asked.elapsed());
    assert_eq!(machine.get("/health/live").await.status(), 200);

    drop(held);

    let asked = Instant::now();
    while machine.get("/health/ready").await.status() != 200 {
        assert!(asked.elapsed() < Duration::from_secs(9), "{:?}", asked.elapsed());
    }
}

#[on_both]
async fn a_hundred_readiness_checks_write_once(env: TestEnv) {
    let app = env.app().await;
    let checks = "SELECT COALESCE(MAX(number), 0) FROM write_checks";
    let (before, asked) = (app.query_number(checks).await, Instant::now());

    for _ in 0..100 {
        assert_eq!(app.visitor().get("/health/ready").await.status(), 200);
    }

    let most = 1 + i64::try_from(asked.elapsed().as_secs()).expect("not for ever");
    let written = app.query_number(checks).await - before;
    assert!((1..=most + 1).contains(&written), "{written} in {:?}", asked.elapsed());
}

#[test]
fn a_transaction_rolled_back_by_sqlite_writes_nothing() {
    crate::support::run_test(Engine::Sqlite, |env| async move {
        let (app, other) = (env.app().await, env.app().await);
        // The second time there are free pages of the first, and more are needed.
        for (bytes, is_told) in [(200_000, false), (800_000, true)] {
            let transaction = app.ctx.db.begin().await.expect("begins");
            let sql = "SELECT page_count FROM pragma_page_count";
            let pages = other.query_number(sql).await;
            let limit = format!("PRAGMA max_page_count = {pages}");
            transaction.execute_unprepared(&insert(1)).await.expect("inserts");
            transaction.execute_unprepared(&limit).await.expect("a limit");
            // One row: SQLite takes back a statement of many alone, and this one with everything.
            let large =
                format!("INSERT INTO throttle VALUES (hex(randomblob({bytes})), 1, 0, 0, 0)");
            let full = transaction.execute_unprepared(&large).await.expect_err("the file is full");
            assert!(full.to_string().contains("full"), "{full}");

            transaction.execute_unprepared(&insert(2)).await.expect_err("it would be alone");
            if is_told {
                let _ = transaction.roll_back().await;
            } else {
                transaction.commit().await.expect_err("there is nothing to commit");
            }

            assert_eq!(other.query_number("SELECT COUNT(*) FROM throttle").await, 0);
            // The limit went with the connection, and so did the transaction.
            let writing = app.ctx.db.begin().await.expect("begins");
            writing.execute_unprepared(&large).await.expect("there is room again");
            writing.commit().await.expect("commits");
            assert_eq!(other.query_number("SELECT COUNT(*) FROM throttle").await, 1);
            app.forgets_attempts().await;
        }
    });
}

/// Records what committed transactions invalidate.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<Invalidate>>);

impl Invalidator for Recorder {
    fn invalidate(&self, stale: Invalidate) {
        self.0.lock().expect("no panic").push(stale);
    }
}

impl Recorder {
    fn take(&self) -> Vec<Invalidate> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

#[on_both]
async fn caches_are_invalidated_after_a_commit_and_not_after_a_roll_back(env: TestEnv) {
    let url = env.empty_database("effects").await.parse().expect("a URL");
    let recorder = Arc::new(Recorder::default());
    let db = Db::open(&url).await.expect("opens").with_invalidator(recorder.clone());
    let [one, two, three] = [1, 2, 3].map(|number| Invalidate::User(UserId(number)));

    let transaction = db.begin().await.expect("begins");
    transaction.after_commit(one);
    transaction.after_commit(one);
    let kept = transaction.begin_nested().await.expect("begins");
    kept.after_commit(two);
    kept.commit().await.expect("commits");
    let taken_back = transaction.begin_nested().await.expect("begins");
    taken_back.after_commit(three);
    taken_back.roll_back().await.expect("rolls back");
    assert!(recorder.take().is_empty(), "nothing is committed yet");
    transaction.commit().await.expect("commits");
    assert_eq!(recorder.take(), [one, two]);

    let rolled_back = db.begin().await.expect("begins");
    let nested = rolled_back.begin_nested().await.expect("begins");
    nested.after_commit(one);
    nested.commit().await.expect("commits");
    rolled_back.roll_back().await.expect("rolls back");
    let dropped = db.begin().await.expect("begins");
    dropped.after_commit(two);
    drop(dropped);
    let failed = db.begin().await.expect("begins");
    failed.after_commit(three);
    failed.execute_unprepared("INSERT INTO nowhere VALUES (1)").await.expect_err("fails");
    failed.commit().await.expect_err("is refused");
    assert!(recorder.take().is_empty(), "nothing was committed");
    db.close().await;
}
