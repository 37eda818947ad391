//! What a log-in may cost: hashes are renewed, and the work tells nothing about an account.

use std::pin::Pin;
use std::sync::{Arc, Barrier};

use futures::FutureExt as _;
use sea_orm::DbBackend;

use crate::support::hashing_queue::FullHashingQueue;
use crate::support::{App, GOOD, TestEnv, on_both};

/// Made by Django 5.2 with a thousand iterations; the password is "Correct-Horse-9".
const DJANGO: &str =
    "pbkdf2_sha256$1000$Q3mZ8vT1kLpRs0$IRc6t111qZYrgG4NgPBX1ec98SZu8ot0JDSBdNx0AJc=";

/// The output of a hash whose password is not known.
const OUTPUT: &str = "Ek2QO5qELLB40lx4TGA79E6mJXY3qcCl681dtttCRg4=";

/// What one wrong password costs: iterations of PBKDF2, blocks and hashes of argon2.
async fn work(app: &App, name: &str) -> [u64; 3] {
    let before = app.ctx.hasher.dummy_work_done();
    let email = format!("{name}@example.com");
    assert_eq!(app.visitor().logs_in(&email, "wrong guess").await.status(), 422);
    let after = app.ctx.hasher.dummy_work_done();
    std::array::from_fn(|place| after[place] - before[place])
}

/// Waits for what is written after an answer.
async fn until_it_is_at_least(app: &App, sql: &str, least: i64) {
    let reached = async {
        while app.query_number(sql).await < least {
            rocket::tokio::task::yield_now().await;
        }
    };
    let patience = std::time::Duration::from_secs(30);
    rocket::tokio::time::timeout(patience, reached).await.expect(sql);
}

/// Memory times passes of one of our own hashes.
fn blocks(hash: &str) -> u64 {
    let cost: daemun::testing::crypto::HashCost =
        hash.split('$').nth(3).expect("a cost").parse().expect("argon2's");
    u64::from(cost.memory) * u64::from(cost.passes)
}

/// Every hashing thread is busy until the gate opens, so that a log-in waits before its hash.
struct HasherGate<'a> {
    app: &'a App,
    gate: Arc<Barrier>,
    held: Vec<Pin<Box<dyn Future<Output = ()> + Send + 'a>>>,
}

impl<'a> HasherGate<'a> {
    async fn close(app: &'a App) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let gate = Arc::new(Barrier::new(cores + 1));
        let busy = |_| {
            let gate = gate.clone();
            let held = app.ctx.hasher.run_on_thread(move || gate.wait().is_leader());
            Box::pin(held.map(|done| done.map(drop).expect("the queue has room"))) as Pin<Box<_>>
        };
        let mut held: Vec<Pin<Box<dyn Future<Output = ()> + Send>>> =
            (0..cores).map(busy).collect();
        assert!(held.iter_mut().all(|job| job.as_mut().now_or_never().is_none()));
        while app.ctx.hasher.waiting() > 0 {
            rocket::tokio::task::yield_now().await;
        }
        Self { app, gate, held }
    }

    /// Polls a request until it waits for a hashing thread.
    async fn is_waited_for<T>(&self, log_in: &mut Pin<Box<impl Future<Output = T>>>) {
        while self.app.ctx.hasher.waiting() == 0 {
            assert!(futures::poll!(log_in.as_mut()).is_pending(), "nobody answers without a hash");
            rocket::tokio::task::yield_now().await;
        }
    }

    async fn open(self) {
        let gate = self.gate;
        rocket::tokio::task::spawn_blocking(move || gate.wait()).await.expect("the gate opens");
        futures::future::join_all(self.held).await;
    }
}

#[on_both]
async fn a_cheap_hash_is_renewed_at_the_next_login(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let dearer = env.app_with(&[("password_hash", "m=16,t=2,p=1")]).await;

    assert_eq!(dearer.visitor().logs_in("ada@example.com", GOOD).await.status(), 303);

    let renewed = "SELECT COUNT(*) FROM users WHERE password_hash LIKE '%m=16,t=2,p=1%'";
    assert_eq!(app.query_number(renewed).await, 1);
    assert_eq!(dearer.visitor().logs_in("ada@example.com", GOOD).await.status(), 303);
}

#[on_both]
async fn a_password_changed_during_the_check_fails(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let gate = HasherGate::close(&app).await;
    let mut ada = app.visitor();
    let token = ada.token().await;
    let fields = [("csrf", token.as_str()), ("email", "ada@example.com"), ("password", GOOD)];
    let mut log_in = Box::pin(ada.post("/account/login", &fields));
    // The count and the account: then the old hash waits for a hashing thread.
    gate.is_waited_for(&mut log_in).await;

    app.stores_hash("ada", Some("changed")).await;
    gate.open().await;

    assert_eq!(log_in.await.status(), 422);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM sessions").await, 1);
}

#[on_both]
async fn an_unknown_address_costs_the_same_as_a_known_one(env: TestEnv) {
    env.app().await.user("ada").await;
    let observer = env.app().await;
    let mut costs = Vec::new();
    for (email, written) in [
        ("ada@example.com", "SELECT COUNT(*) FROM audit_events WHERE action = 'login_failed'"),
        ("bob@example.com", "SELECT COUNT(*) FROM unknown_login_failures"),
    ] {
        // A node for each: a failure is noted after the answer, at any time.
        let app = env.app().await;
        let gate = HasherGate::close(&app).await;
        let mut visitor = app.visitor();
        let token = visitor.token().await;
        let fields = [("csrf", token.as_str()), ("email", email), ("password", "wrong")];
        let before = app.ctx.db.queries();
        let mut log_in = Box::pin(visitor.post("/account/login", &fields));
        gate.is_waited_for(&mut log_in).await;
        let before_the_hash = app.ctx.db.queries() - before;

        gate.open().await;

        assert_eq!(log_in.await.status(), 422);
        until_it_is_at_least(&observer, written, 1).await;
        costs.push((before_the_hash, app.ctx.db.queries() - before));
    }

    assert_eq!(costs[0], costs[1]);
}

#[on_both]
async fn failures_at_unknown_addresses_need_no_storage(env: TestEnv) {
    let app = env.app().await;
    for number in 0..90 {
        let from = format!("198.51.100.{number}:1");
        let mut eve = app.visitor().from(&from).with("User-Agent", "a program");
        eve.logs_in(&format!("nobody{number}@example.com"), "wrong guess").await;
    }
    env.clock.advance(std::time::Duration::from_secs(1));
    let last = daemun::testing::clock::to_micros(app.ctx.clock.now());
    app.visitor().logs_in("nobody@example.com", "wrong guess").await;
    let newest = "SELECT COALESCE(MAX(at), 0) FROM unknown_login_failures";
    until_it_is_at_least(&app, newest, last).await;

    assert!(app.query_number("SELECT COUNT(*) FROM unknown_login_failures").await <= 64);
    assert_eq!(app.query_number("SELECT COUNT(*) FROM audit_events").await, 0);
    let of_callers = "SELECT COUNT(*) FROM unknown_login_failures \
        WHERE ip LIKE '%198%' OR user_agent LIKE '%program%'";
    assert_eq!(app.query_number(of_callers).await, 0, "nothing is kept of them");
}

#[on_both]
async fn failures_at_unknown_addresses_touch_the_same_indexes(env: TestEnv) {
    let app = env.app().await;
    let count = |table: &str| match app.ctx.db.reader().get_database_backend() {
        DbBackend::Sqlite => {
            format!("SELECT COUNT(*) FROM pragma_index_list('{table}') WHERE origin = 'c'")
        }
        _ => format!("SELECT COUNT(*) FROM pg_indexes WHERE tablename = '{table}'"),
    };

    let (known, unknown) = (count("audit_events"), count("unknown_login_failures"));

    assert!(app.query_number(&known).await > 3);
    assert_eq!(app.query_number(&known).await, app.query_number(&unknown).await);
}

#[on_both]
async fn a_wrong_password_costs_the_same_for_every_account(env: TestEnv) {
    let app = env.app().await;
    for name in ["own", "none", "django", "old_django", "argon2", "damaged"] {
        app.user(name).await;
    }
    let own =
        app.query_text("SELECT password_hash FROM users WHERE email = 'own@example.com'").await;
    for (name, hash) in [
        ("django", Some(format!("pbkdf2_sha256$2000$salt${OUTPUT}"))),
        ("old_django", Some(format!("pbkdf2_sha256$700$salt${OUTPUT}"))),
        ("argon2", Some("$argon2id$v=19$m=64,t=3,p=2$UTNtWjh2VDFrTHBSczA$pdTVaPGjgr8qr9m9AWFsNpaDv4QIuQ77+xlzZ3eS96M".into())),
        ("damaged", Some("pbkdf2_sha256$many$salt$x".into())),
        ("none", None),
    ] {
        app.stores_hash(name, hash.as_deref()).await;
    }

    let unknown = work(&app, "nobody").await;

    assert_eq!(unknown, [2_000, 64 * 3 + blocks(&own), 2]);
    for name in ["own", "none", "django", "old_django", "argon2", "damaged"] {
        assert_eq!(work(&app, name).await, unknown, "{name}");
    }
    for name in ["django", "old_django", "argon2"] {
        app.deletes_user(name).await;
    }
    for name in ["nobody", "own", "none", "damaged"] {
        assert_eq!(work(&app, name).await, [0, blocks(&own), 1], "the last one is gone: {name}");
    }
}

#[on_both]
async fn renewing_the_last_imported_hash_makes_failures_cheap(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    app.stores_hash("ada", Some(DJANGO)).await;
    assert_eq!(work(&app, "nobody").await[0], 1_000);

    assert_eq!(app.visitor().logs_in("ada@example.com", "Correct-Horse-9").await.status(), 303);

    assert_eq!(work(&app, "nobody").await[0], 0);
}

#[on_both]
async fn an_expensive_hash_makes_no_failure_expensive(env: TestEnv) {
    let app = env.app().await;
    for (name, iterations) in [("ada", 1_000), ("eve", 10_000_000), ("bob", 999_999_999)] {
        app.user(name).await;
        let hash = format!("pbkdf2_sha256${iterations}$salt${OUTPUT}");
        app.stores_hash(name, Some(&hash)).await;
    }

    for name in ["nobody", "ada", "eve", "bob"] {
        assert_eq!(work(&app, name).await[0], 1_000, "{name}");
    }
}

#[on_both]
async fn a_full_queue_answers_503_with_retry_after(env: TestEnv) {
    let app = env.app().await;
    app.user("ada").await;
    let full_queue = FullHashingQueue::on(&app).await;

    let page = app.visitor().logs_in("ada@example.com", GOOD).await;

    assert_eq!(page.status(), 503);
    assert_eq!(page.header("retry-after"), Some("5"));
    assert_eq!(page.h1(), "We are very busy right now");
    full_queue.release().await;
}
