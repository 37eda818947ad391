//! A temporary site and its users.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use daemun::testing::context::Context;
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use tempfile::TempDir;

use crate::client::runtime;
use crate::server::Server;
use crate::sink::Sink;
use crate::tools;

/// How many accounts there are.
pub(crate) const USERS: u32 = 10_000;

const INSERT_USERS: &str = "INSERT INTO users \
     (email, email_canonical, is_staff, is_superuser, created_at, updated_at) \
     WITH RECURSIVE numbers(number) AS \
     (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number < $1 - 1) \
     SELECT 'person' || number || '@example.com', 'person' || number || '@example.com', \
     number = 0, number = 0, 0, 0 FROM numbers";

/// A folder with a database on the disk of the target directory: a system's temporary folder is often
/// memory, where a commit costs nothing.
pub(crate) struct Site {
    folder: TempDir,
    address: SocketAddr,
    mail_url: String,
}

impl Site {
    /// Creates a site with its users, whose e-mails go to the sink.
    pub(crate) fn of(sink: &Sink) -> Self {
        let folder =
            TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder is ours");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let mail_url = format!("smtp://127.0.0.1:{}", sink.port);
        let site = Self { folder, address, mail_url };
        runtime().block_on(async {
            let ctx = site.open().await;
            let insert_users =
                Statement::from_sql_and_values(DbBackend::Sqlite, INSERT_USERS, [USERS.into()]);
            ctx.db.writer().execute_raw(insert_users).await.expect("accounts can be made");
            ctx.db.close().await;
        });
        site
    }

    /// The site's tools, as its server has them.
    pub(crate) async fn open(&self) -> Context {
        tools::open(self.settings()).await
    }

    fn settings(&self) -> [(&'static str, String); 6] {
        let folder = self.folder.path();
        [
            ("public_url", format!("http://localhost:{}", self.address.port())),
            ("database_url", format!("sqlite://{}/daemun.db", folder.display())),
            ("data_dir", folder.display().to_string()),
            ("mail_url", self.mail_url.clone()),
            ("mail_from", "Gate <no-reply@gate.example>".to_owned()),
            ("secret_key", "0123456789abcdef".repeat(4)),
        ]
    }

    /// Starts the server and waits until it is ready.
    pub(crate) fn serve(&self) -> Server {
        let proxies = ("trusted_proxies", "[\"127.0.0.1/32\"]".to_owned());
        let settings: Vec<_> = self.settings().into_iter().chain([proxies]).collect();
        Server::start(self.folder.path(), self.address, &settings, None)
    }
}
