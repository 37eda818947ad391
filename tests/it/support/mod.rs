//! The test language: a world with a clock, people with browsers, and pages that can be questioned.

pub(crate) mod app;
pub(crate) mod browser;
pub(crate) mod page;
mod postgres;
pub(crate) mod world;

pub(crate) use app::App;
pub(crate) use browser::Browser;
pub(crate) use page::Page;
pub(crate) use world::{World, tell};

/// A password that no policy refuses.
pub(crate) const GOOD: &str = "correct horse battery staple";

/// Tells each story once per database engine.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($world:ident: World) $body:block)+) => { $(
        mod $name {
            #[allow(unused_imports, reason = "not every story needs everything its file imports")]
            use super::*;

            async fn story($world: World) $body

            $(#[$meta])*
            #[test]
            fn on_sqlite() {
                crate::support::tell(crate::support::world::Engine::Sqlite, story);
            }

            $(#[$meta])*
            #[test]
            fn on_postgres() {
                crate::support::tell(crate::support::world::Engine::Postgres, story);
            }
        }
    )+ };
}
