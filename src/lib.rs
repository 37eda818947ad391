//! Daemun (대문, "front gate"): accounts for a web app, as one binary and as a Rocket library.
//!
//! The modules below are listed by layer, and imports only go down: entry points call use cases, use
//! cases combine domain modules, and all of them use infrastructure and types. The HTTP kit is shared
//! by the entry points that speak HTTP and does not know the use cases. `tests/it/layers.rs` fails when
//! an import goes up, and `docs/ARCHITECTURE.md` explains the layers.
//!
//! An application mounts its own routes on [`rocket()`] and guards them with [`SignedIn`], [`Staff`] or
//! `Option<SignedIn>`; `examples/notes.rs` shows how.

rust_i18n::i18n!("src/i18n", fallback = "en");

// Entry points; `app` mounts them.
mod api;
mod app;
mod cli;
mod web;
mod worker;

// The HTTP kit, shared by `web` and `api`.
mod http;

// Use cases, one story per file.
mod flows;

// Domain modules; each owns its tables.
mod accounts;
mod admin;
mod audit;
mod groups;
mod keys;
mod links;
mod sessions;
mod social;

// Infrastructure; each module wraps one outside thing, and `context` bundles them.
mod cache;
mod clock;
mod config;
mod context;
mod crypto;
mod db;
mod forwarding;
mod i18n;
mod mail;
mod oauth;
mod outbox;
mod owner_only;
mod throttle;
mod user_agent;

// Types that can only be built by parsing.
mod paths;
mod types;

#[cfg(feature = "testing")]
pub mod testing;

pub use app::rocket;
pub use cli::run;
pub use config::figment;
pub use http::{SignedIn, Staff, Visitor};
