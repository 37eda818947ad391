//! A temporary site of one size on one engine.

use daemun::clock::Clock;
use daemun::config::Settings;
use daemun::ctx::Ctx;
use rocket::figment::Figment;
use tempfile::TempDir;

use crate::cluster::Cluster;
use crate::people;
use crate::server::Server;

/// What keeps the people.
#[derive(Clone, Copy)]
pub(crate) enum Engine<'a> {
    Sqlite,
    Postgres(&'a Cluster),
}

/// A folder on the disk of the target directory, a database with its people, and the address at
/// which it is served.
pub(crate) struct Site {
    folder: TempDir,
    port: u16,
    database_url: String,
}

impl Engine<'_> {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }
}

impl Site {
    /// A site with so many people and one superuser more.
    pub(crate) fn with(people: u32, engine: Engine<'_>) -> Self {
        let folder =
            TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the target folder is ours");
        runtime().block_on(async {
            let database_url = match engine {
                Engine::Sqlite => format!("sqlite://{}/daemun.db", folder.path().display()),
                Engine::Postgres(cluster) => {
                    cluster.execute(&format!("CREATE DATABASE site_{people}")).await;
                    cluster.url(&format!("site_{people}"))
                }
            };
            people::move_in(&database_url, people).await;
            let site = Self { folder, port: free_port(), database_url };
            people::appoint_root(&site.open().await).await;
            people::settle(&site.database_url).await;
            site
        })
    }

    /// Starts the server and waits until it is ready.
    pub(crate) fn serve(&self) -> Server {
        Server::start(self.folder.path(), self.port, &self.settings())
    }

    /// The site's tools, as its server has them. The tables are brought up to date.
    async fn open(&self) -> Ctx {
        let settings = self
            .settings()
            .into_iter()
            .fold(Figment::from(rocket::Config::default()), |figment, (name, value)| {
                figment.merge((name, value))
            });
        let settings = Settings::from_figment(&settings).expect("the settings are right");
        daemun::app::open(settings, Clock::of_the_machine()).await.expect("the site opens")
    }

    fn settings(&self) -> [(&'static str, String); 5] {
        [
            ("public_url", format!("http://localhost:{}", self.port)),
            ("database_url", self.database_url.clone()),
            ("data_dir", self.folder.path().display().to_string()),
            ("secret_key", "0123456789abcdef".repeat(4)),
            // Nobody is to be renewed amid the figures.
            ("access_token_lifetime", "1h".to_owned()),
        ]
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("a listener has an address").port()
}

/// A runtime that stays on the thread that made it.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime can be made")
}
