//! A running application in this process.

use std::time::Duration;

use daemun::testing::app;
use daemun::testing::clock::Clock;
use daemun::testing::config::Settings;
use daemun::testing::context::Context;
use daemun::testing::types::RequestInfo;
use rocket::figment::Figment;
use rocket::local::asynchronous::Client;
use sea_orm::{ConnectionTrait as _, Statement};

/// How long what is noted after an answer takes at most.
const PATIENCE: Duration = Duration::from_secs(20);

/// The application, and what a test may inspect below its entry points.
pub(crate) struct App {
    pub(crate) client: Client,
    pub(crate) ctx: Context,
}

impl App {
    pub(crate) async fn open(figment: Figment, clock: Clock) -> Self {
        let settings = Settings::from_figment(&figment).expect("the settings are right");
        let ctx = app::open(settings, clock).await.expect("the application opens");
        let rocket = app::rocket_with(figment, ctx.clone());
        let client = Client::untracked(rocket).await.expect("the application ignites");
        // E-mails go out when a story opens the box, not in between.
        client.rocket().shutdown().notify();
        Self { client, ctx }
    }

    /// One number out of the database.
    pub(crate) async fn query_number(&self, sql: &str) -> i64 {
        let connection = self.ctx.db.reader();
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let row = connection.query_one_raw(statement).await.expect(sql).expect("a row");
        row.try_get_by_index(0).expect("a number")
    }

    /// One text out of the database, empty where there is none.
    pub(crate) async fn query_text(&self, sql: &str) -> String {
        let connection = self.ctx.db.reader();
        let statement = Statement::from_string(connection.get_database_backend(), sql);
        let row = connection.query_one_raw(statement).await.expect(sql).expect("a row");
        row.try_get_by_index::<Option<String>>(0).expect("a text").unwrap_or_default()
    }

    /// How many rows there are, table by table.
    pub(crate) async fn row_counts(&self) -> Vec<(&'static str, i64)> {
        let tables = ["users", "sessions", "audit_events", "throttle", "one_time_links", "outbox"];
        let mut rows = Vec::new();
        for table in tables {
            rows.push((table, self.query_number(&format!("SELECT COUNT(*) FROM {table}")).await));
        }
        rows
    }

    /// Counts the audit events of a kind.
    pub(crate) async fn audit_event_count(&self, action: &str) -> i64 {
        self.query_number(&format!("SELECT COUNT(*) FROM audit_events WHERE action = '{action}'"))
            .await
    }

    /// Waits until what was shown of the last rotations has been noted: that happens after the answer.
    pub(crate) async fn wait_for_confirmed_rotations(&self) {
        self.wait_for_confirmed_rotations_where("ended_at IS NULL").await;
    }

    /// The same of certain sessions.
    pub(crate) async fn wait_for_confirmed_rotations_where(&self, which: &str) {
        let waiting = "SELECT COUNT(*) FROM sessions WHERE unconfirmed_jti IS NOT NULL";
        let waiting = format!("{waiting} AND {which}");
        let noted = async {
            while self.query_number(&waiting).await != 0 {
                rocket::tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        rocket::tokio::time::timeout(PATIENCE, noted).await.expect("the rotation is confirmed");
    }

    /// Sessions that are alive.
    pub(crate) async fn active_session_count(&self) -> i64 {
        self.query_number("SELECT COUNT(*) FROM sessions WHERE ended_at IS NULL").await
    }

    /// Changes the database as an administrator with a console would.
    pub(crate) async fn execute(&self, sql: &str) {
        let transaction = self.ctx.db.begin().await.expect("a transaction");
        transaction.connection().execute_unprepared(sql).await.expect(sql);
        transaction.commit().await.expect("committed");
    }
}

/// The address of a persona.
pub(crate) fn email(name: &str) -> String {
    format!("{name}@example.com")
}

/// A request that comes from nowhere in particular.
pub(crate) fn request_info() -> RequestInfo {
    RequestInfo::new("192.0.2.9".parse().ok(), "test", "request".into(), None)
}
