//! The databases of tests on PostgreSQL: one cluster for all tests of a run, which never writes to
//! disk what it need not, and a database in it for each test.

use std::sync::OnceLock;

use daemun::testing::db::Db;

pub(crate) use super::cluster::Cluster;
use super::env::next_number;
use super::requirement::{self, Requirement};

/// Databases are copied from this one, which has all tables.
const TEMPLATE: &str = "daemun_template";

/// What a test loses when the machine stops is nothing; what it may fill of the disk is little.
const SETTINGS: &str = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off \
     -c wal_level=minimal -c max_wal_senders=0 -c min_wal_size=32MB -c max_wal_size=128MB \
     -c max_connections=300 -c shared_buffers=64MB";

impl Cluster {
    /// The cluster; `None` where the machine has no PostgreSQL.
    pub(crate) fn get() -> Option<&'static Self> {
        static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
        CLUSTER
            .get_or_init(|| {
                let binaries = requirement::postgres_binaries();
                let is_met = Requirement::Postgres.is_met();
                binaries.filter(|_| is_met).map(|binaries| Self::start(&binaries, "C", SETTINGS))
            })
            .as_ref()
    }

    /// The name of a database of its own with all tables in it.
    pub(crate) async fn new_database(&self) -> String {
        static TEMPLATE_MADE: rocket::tokio::sync::OnceCell<()> =
            rocket::tokio::sync::OnceCell::const_new();
        TEMPLATE_MADE
            .get_or_init(|| async {
                self.execute(&format!("CREATE DATABASE {TEMPLATE}")).await;
                let url = self.url(TEMPLATE).parse().expect("a URL");
                let db = Db::open(&url).await.expect("the template opens");
                db.migrate().await.expect("the tables are made");
                db.close().await;
            })
            .await;
        let name = format!("daemun_{}", next_number());
        self.execute(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await;
        name
    }

    /// Drops a database, also while clients are connected with it.
    pub(crate) async fn drop_database(&self, name: &str) {
        self.execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }

    /// The name of a database without tables.
    pub(crate) async fn empty_database(&self) -> String {
        let name = format!("daemun_empty_{}", next_number());
        self.execute(&format!("CREATE DATABASE {name}")).await;
        name
    }
}
