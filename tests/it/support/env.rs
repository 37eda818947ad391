//! The env of one test: a database of its own, a temporary folder, and a clock that stands.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use daemun::testing::clock::Clock;
use rocket::figment::Figment;
use tempfile::TempDir;
use time::macros::datetime;

use super::App;
use super::log_lines;
use super::postgres::Cluster;

/// A database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// The environment of one test.
pub(crate) struct TestEnv {
    pub(crate) clock: Clock,
    database_url: String,
    /// The databases that were made in the cluster, which are dropped when the test is over.
    made: Arc<Mutex<Vec<String>>>,
    folder: TempDir,
}

/// Runs a test on an engine. Where there is no PostgreSQL it says so on standard error, past the
/// test runner's capture, or fails if `DAEMUN_REQUIRE_POSTGRES` insists.
pub(crate) fn run_test<F: Future<Output = ()>>(engine: Engine, test: impl FnOnce(TestEnv) -> F) {
    log_lines::keep_on();
    let runtime = rocket::tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        if let Some(env) = TestEnv::new(engine).await {
            let made = Arc::clone(&env.made);
            test(env).await;
            let made = std::mem::take(&mut *made.lock().expect("no panic"));
            for name in made {
                Cluster::get().expect("it was made there").drop_database(&name).await;
            }
        }
    });
}

impl TestEnv {
    async fn new(engine: Engine) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = Arc::default();
        let database_url = match engine {
            Engine::Sqlite => format!("sqlite://{}/daemun.db", folder.path().display()),
            Engine::Postgres => {
                let cluster = Cluster::get()?;
                noted(&made, cluster, cluster.new_database().await)
            }
        };
        let clock = Clock::standing_at(datetime!(2026-03-01 12:00 UTC));
        Some(Self { clock, database_url, made, folder })
    }

    /// Opens the application with the settings of most tests.
    pub(crate) async fn app(&self) -> App {
        self.app_with(&[]).await
    }

    /// The application with some settings of its own. Called twice, it is a second node on the same
    /// database.
    pub(crate) async fn app_with(&self, settings: &[(&str, &str)]) -> App {
        App::open(self.figment(settings), self.clock.clone()).await
    }

    /// The URL of a database without tables.
    pub(crate) async fn empty_database(&self, name: &str) -> String {
        match Cluster::get() {
            Some(cluster) if self.database_url.starts_with("postgres") => {
                noted(&self.made, cluster, cluster.empty_database().await)
            }
            _ => format!("sqlite://{}/{name}.db", self.folder.path().display()),
        }
    }

    /// Returns the name of the test's database in the cluster.
    pub(crate) fn database_name(&self) -> &str {
        let rest = self.database_url.split('/').nth(3).expect("a database of the cluster");
        rest.split('?').next().unwrap_or(rest)
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The settings: hashing is cheap, everything lives in the temporary folder, and neither
    /// `Rocket.toml` nor the environment is looked at.
    pub(crate) fn figment(&self, settings: &[(&str, &str)]) -> Figment {
        let secret = "0123456789abcdef".repeat(4);
        let mut figment = Figment::from(rocket::Config::default())
            .merge(("database_url", &self.database_url))
            .merge(("data_dir", self.folder.path()))
            .merge(("secret_key", secret))
            .merge(("password_hash", "m=8,t=1,p=1"));
        for (name, value) in settings {
            figment = figment.merge((*name, *value));
        }
        figment
    }
}

/// Where a database is whose room is to be given back.
fn noted(made: &Mutex<Vec<String>>, cluster: &Cluster, name: String) -> String {
    let url = cluster.url(&name);
    made.lock().expect("no panic").push(name);
    url
}

/// A number that no other part of this run has.
pub(crate) fn next_number() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}
